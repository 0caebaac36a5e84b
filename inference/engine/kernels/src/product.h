// Products of activations with packed matrices.
//
// Activations are put row by row into the order in which the products read them; beside quantised
// matrices each group of 32 becomes integers with a float32 scale of its own (kinds_pairs.h,
// kinds_quads.h). A row's result does not depend on the other rows, nor on threads.
#pragma once

#include <cstdint>

#include "abi.h"
#include "memory.h"

namespace product {

// Rows are multiplied in tiles of up to kTileRows, as equal as can be.
constexpr int kTileRows = 6;
constexpr int64_t kChunkGroups = 16;  // inputs whose weights stay in the first level of the cache

// M rows of K activations, ready to be multiplied with a matrix of one kind of form.
class Activations {
  public:
    // Makes room; the rows must then be put in, by any threads, each once.
    void reshape(int64_t rows, int64_t inputs, int32_t form);
    void put(int64_t row, const float* x);

    int64_t rows() const { return rows_; }
    int64_t inputs() const { return inputs_; }
    int64_t tiles() const { return tiles_; }
    int64_t tile_start(int64_t tile) const;
    int tile_rows(int64_t tile) const { return static_cast<int>(short_rows_ + (tile < longer_)); }
    // A tile is, for each group, its rows' elements; scales and offsets likewise, one a row.
    template <class Element>
    const Element* elements(int64_t tile) const {
        return static_cast<const Element*>(numbers_.elements) + tile_start(tile) * inputs_;
    }
    const float* scales(int64_t tile) const { return numbers_.scales + tile_start(tile) * groups_; }
    const int32_t* offsets(int64_t tile) const {
        return numbers_.offsets + tile_start(tile) * groups_;
    }

    // What quantising left over of a row, group by group; nothing where the scale is 0. Only chunks
    // of kChunkGroups groups that has_rest marks are defined.
    bool has_rest(int64_t row, int64_t first_group) const {
        return is_quantised_ && rest_marks_[first_group / kChunkGroups * rows_ + row] != 0;
    }
    template <class Element>
    const Element* rest_elements(int64_t row) const {
        return static_cast<const Element*>(rests_.elements) + row * inputs_;
    }
    const float* rest_scales(int64_t row) const { return rests_.scales + row * groups_; }
    const int32_t* rest_offsets(int64_t row) const { return rests_.offsets + row * groups_; }

  private:
    struct Part {
        memory::Buffer element_buffer, scale_buffer, offset_buffer;
        void* elements = nullptr;
        float* scales = nullptr;
        int32_t* offsets = nullptr;

        void reshape(int64_t bytes, int64_t groups);
    };

    int64_t rows_ = 0, inputs_ = 0, groups_ = 0, tiles_ = 0, short_rows_ = 0, longer_ = 0;
    int weight_offset_ = 0;
    bool is_quantised_ = false;
    Part numbers_, rests_;
    memory::Buffer mark_buffer_;
    uint8_t* rest_marks_ = nullptr;  // (chunks, rows)
};

// What happens to the sums: + bias (N), GELU (tanh), added to what `out` holds or written over it.
struct Epilogue {
    const float* bias = nullptr;
    bool has_gelu = false;
    bool is_added = false;
};

// out (M, N) from activations made for the matrix's form and inputs.
void multiply(const VlMatrix& matrix, const Activations& x, const Epilogue& epilogue, float* out);

}  // namespace product
