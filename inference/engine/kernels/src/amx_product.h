// Products of many rows with int8 weights in the tile registers of AMX: 16 rows x 16 outputs at a time.
//
// Sums of a group are exact integers, scaled and added as in kinds_quads.h, so a row's bits are those of
// the other kernels.
#pragma once

#include <cstdint>

#include "amx.h"
#include "product.h"

namespace amx {

constexpr int64_t kFewestRows = 10;  // with fewer in a product it is slower than vectors
constexpr int64_t kMostGroups = 4;  // in a chunk: weights of a block that stay in the first level

// Tiles of rows times a chunk of inputs of a block of outputs.
struct Chunk {
    const product::Activations& x;
    int64_t first_tile, last_tile;
    const uint8_t* weights;  // of the block, from the chunk's first group
    int64_t first_group, groups;
    const float* out;  // where the first row's outputs go behind this chunk, null if others follow
    int64_t out_width;
};

// totals (rows of the tiles, kBlock) += the chunk.
void add_chunk(const Chunk& chunk, float* totals);

}  // namespace amx
