// Products of activations with packed matrices.
//
// Activations are put row by row into the order in which the products read them; beside quantised
// matrices each group of 32 becomes int16 with its own float32 scale, so an outlier costs precision
// in its own group only: 2^-16 of the group's largest number. A row's result does not depend on the
// other rows, nor on threads.
#pragma once

#include <cstdint>

#include "abi.h"
#include "memory.h"

namespace product {

// Rows are multiplied in tiles of up to kTileRows, as equal as can be.
constexpr int kTileRows = 6;

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
    // A tile is, for each group, its rows' 32 elements; scales and offsets likewise, one a row.
    template <class Element>
    const Element* elements(int64_t tile) const {
        return static_cast<const Element*>(elements_at_) + tile_start(tile) * inputs_;
    }
    const float* scales(int64_t tile) const { return scales_at_ + tile_start(tile) * groups_; }
    const int32_t* offsets(int64_t tile) const { return offsets_at_ + tile_start(tile) * groups_; }

  private:
    int64_t rows_ = 0, inputs_ = 0, groups_ = 0, tiles_ = 0, short_rows_ = 0, longer_ = 0;
    bool is_quantised_ = false;
    memory::Buffer elements_, scales_, offsets_;
    void* elements_at_ = nullptr;
    float* scales_at_ = nullptr;
    int32_t* offsets_at_ = nullptr;
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
