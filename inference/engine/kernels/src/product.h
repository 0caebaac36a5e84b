// Products of activations with packed matrices.
//
// Activations are put row by row into the order in which the products read them; beside quantised
// matrices each group becomes integers with a float32 scale of its own (kinds_pairs.h, kinds_quads.h).
// Many rows meet int8 weights in AMX where that can be had (amx_product.h). A row's result does not depend on
// the other rows, nor on threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "abi.h"
#include "forms.h"
#include "kinds.h"
#include "memory.h"
#include "simd.h"

namespace product {

// Rows are multiplied in tiles of up to kTileRows, those of AMX have more; as equal as can be.
constexpr int kTileRows = 6;
constexpr int64_t kMostRows = 512;  // in a unit: their sums lie on the stack

// M rows of K activations, ready to be multiplied with a matrix of one kind of form.
class Activations {
  public:
    // Makes room; the rows must then be put in, by any threads, each once.
    void reshape(int64_t rows, int64_t inputs, int32_t form);
    void put(int64_t row, const float* x);

    int64_t rows() const { return rows_; }
    int64_t inputs() const { return inputs_; }
    int64_t tiles() const { return tiles_; }
    bool is_for_amx() const { return is_for_amx_; }
    bool is_spread() const { return form_ == kSpreadInt8; }
    int64_t tile_start(int64_t tile) const;
    int tile_rows(int64_t tile) const { return static_cast<int>(short_rows_ + (tile < longer_)); }
    // A tile is, for each group, its rows' elements; scales and offsets likewise, one a row.
    template <class Element>
    const Element* elements(int64_t tile) const {
        return static_cast<const Element*>(numbers_.elements) + tile_start(tile) * width_;
    }
    const float* scales(int64_t tile) const { return numbers_.scales + tile_start(tile) * groups_; }
    const int32_t* offsets(int64_t tile) const {
        return numbers_.offsets + tile_start(tile) * groups_;
    }

    // Rows are multiplied in units of so many tiles: what lies in the second level of the cache.
    int64_t unit_tiles() const { return unit_tiles_; }
    int64_t units() const { return (tiles_ + unit_tiles_ - 1) / unit_tiles_; }
    int64_t unit_start(int64_t unit) const { return tile_start(std::min(unit * unit_tiles_, tiles_)); }

    // What quantising left over of some groups of some rows: those of a unit in group `g` lie
    // together, in any order.
    struct Rests {
        const void* elements;
        const float* scales;
        const int32_t* offsets;
        const int32_t* rows;
        int64_t count;
    };
    Rests rests(int64_t unit, int64_t g) const;
    // How many they are: mostly none.
    int32_t count_rests(int64_t unit, int64_t g) const {
        return rest_counts_[unit * groups_ + g].load(std::memory_order_relaxed);
    }

  private:
    struct Part {
        memory::Buffer element_buffer, scale_buffer, offset_buffer;
        void* elements = nullptr;
        float* scales = nullptr;
        int32_t* offsets = nullptr;
        int64_t group_inputs = 0;

        // Room for so many groups of one row.
        void reshape(int64_t groups, int32_t form);
        // Of the group of a row that is at `index`.
        Place<Element> place(int64_t index) const {
            return {static_cast<Element*>(elements) + index * group_inputs, scales + index,
                    offsets + index};
        }
    };

    int64_t rows_ = 0, inputs_ = 0, tiles_ = 0, short_rows_ = 0, longer_ = 0;
    int64_t groups_ = 0, width_ = 0;  // of a row; `width_` is its inputs with those of the padding
    int64_t unit_tiles_ = 1;
    int32_t form_ = kFp32;
    bool is_for_amx_ = false;
    Part numbers_, rests_;
    template <int kGroup, bool kIsSpread>
    void put_groups(int64_t row, const float* x);
    // Where the rests of a unit in group `g` begin: there is room for one of each row.
    int64_t rest_start(int64_t unit, int64_t g) const {
        const int64_t first = unit_start(unit);
        return first * groups_ + g * (unit_start(unit + 1) - first);
    }
    Place<Element> take_rest(int64_t row, int64_t unit, int64_t g);

    memory::Buffer row_buffer_, count_buffer_;
    int32_t* rest_rows_ = nullptr;
    std::atomic<int32_t>* rest_counts_ = nullptr;  // (units, groups)
};

// A block of outputs of one row that are written soon: lines of many rows, each far from the others.
inline void fetch_outputs(const float* out) {
    for (int i = 0; i < forms::kBlock; i += 16) simd::prefetch_to_write(out + i);
}

// What happens to the sums: + bias (N), GELU (tanh), added to what `out` holds or written over it.
struct Epilogue {
    const float* bias = nullptr;
    bool has_gelu = false;
    bool is_added = false;
};

// out (M, N) from activations made for the matrix's form and inputs.
void multiply(const VlMatrix& matrix, const Activations& x, const Epilogue& epilogue, float* out);

}  // namespace product
