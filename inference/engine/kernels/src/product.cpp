// Multiplies: the second half of product.h.
//
// A unit of work is a few blocks of outputs times as many rows as lie in the second level of the
// cache. In it, weights of 16 outputs x 512 inputs stay in the first level while all tiles of rows
// pass; the sums of a tile of up to 6 rows x 16 outputs are in registers. With one row that is a
// plain pass over the packed bytes, fetched ahead. With many rows int4 weights of a chunk are first
// widened to int16, once for all tiles: a fifth quicker, where int8 gains nothing; the sums stay the
// same to the bit.
#include "product.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "forms.h"
#include "kinds.h"
#include "maths.h"
#include "simd.h"
#include "threads.h"

namespace product {
namespace {

constexpr int64_t kChunkGroups = 16;          // inputs whose weights stay in the first level
constexpr int64_t kRowBytes = 256 * 1024;     // of activations in the second level
constexpr int64_t kMostTiles = 16;            // in a unit: their sums lie on the stack
constexpr int64_t kMostBlocks = 8;            // of outputs in a unit
constexpr int64_t kUnitsPerThread = 8;
constexpr int64_t kFetchAhead = 4096;         // bytes
constexpr int64_t kWidenTiles = 4;            // from so many on, widening first is quicker

// A tile's share of one chunk of inputs.
struct Piece {
    const uint8_t* weights;  // of a block, from the chunk's first group
    int64_t groups;
    const void* x;
    const float* scales;
    const int32_t* offsets;
    bool is_fetched;  // the first tile fetches ahead for all
};

// totals (rows, 16) += the piece. Chunks are summed apart, which also keeps float32 sums short.
template <class Kind, int kRows>
void add_piece(const Piece& piece, float* totals) {
    constexpr int64_t bytes = Kind::kGroupBytes;
    const auto* x = static_cast<const typename Kind::Element*>(piece.x);
    Floats sums[kRows][kVectors];
    for (auto& row : sums) {
        for (auto& sum : row) sum = simd::zeros();
    }
    for (int64_t g = 0; g < piece.groups; ++g) {
        const uint8_t* group = piece.weights + g * bytes;
        if (piece.is_fetched) {
            for (int64_t i = 0; i < bytes; i += 64) simd::prefetch(group + kFetchAhead + i);
        }
        Kind::template add_group<kRows>(group, x + g * kRows * kGroup, piece.scales + g * kRows,
                                        piece.offsets + g * kRows, sums);
    }
    for (int r = 0; r < kRows; ++r) {
        for (int v = 0; v < kVectors; ++v) {
            float* at = totals + r * kBlock + v * simd::kLanes;
            simd::store(at, simd::add(simd::load(at), sums[r][v]));
        }
    }
}

using AddPiece = void (*)(const Piece&, float*);

template <class Kind, int... kRows>
AddPiece choose(int rows, std::integer_sequence<int, kRows...>) {
    constexpr AddPiece kChoices[] = {add_piece<Kind, kRows + 1>...};
    return kChoices[rows - 1];
}

template <class Kind>
AddPiece choose(int rows) {
    return choose<Kind>(rows, std::make_integer_sequence<int, kTileRows>());
}

// What all units of one product share.
struct Plan {
    const VlMatrix& matrix;
    const Activations& x;
    const Epilogue& epilogue;
    float* out;
    int64_t unit_tiles, unit_blocks, row_units;
};

// 16 outputs of one row: bias, GELU, into `out`; `count` of them exist.
void finish(const Plan& plan, int64_t row, int64_t block, const float* totals, int64_t count) {
    const int64_t first = block * kBlock;
    float bias[kBlock] = {}, result[kBlock];
    if (plan.epilogue.bias != nullptr) {
        std::memcpy(bias, plan.epilogue.bias + first, static_cast<size_t>(count) * sizeof(float));
    }
    float* out = plan.out + row * plan.matrix.outputs + first;
    for (int i = 0; i < kBlock; i += simd::kLanes) {
        const Floats sum = simd::add(simd::load(totals + i), simd::load(bias + i));
        simd::store(result + i, plan.epilogue.has_gelu ? maths::gelu(sum) : sum);
    }
    if (plan.epilogue.is_added) {
        for (int64_t i = 0; i < count; ++i) out[i] += result[i];
    } else {
        std::memcpy(out, result, static_cast<size_t>(count) * sizeof(float));
    }
}

// Some tiles of rows times 16 outputs: where their sums go.
struct Block {
    const uint8_t* weights;
    int64_t first_tile, last_tile;
    float* totals;  // (rows, 16)
};

// totals += all tiles times one chunk of inputs, which begins with group `g` of the rows.
template <class Kind>
void add_chunk(const Activations& x, const Block& block, int64_t g, int64_t groups) {
    const int64_t first_row = x.tile_start(block.first_tile);
    for (int64_t tile = block.first_tile; tile < block.last_tile; ++tile) {
        const int rows = x.tile_rows(tile);
        const Piece piece{block.weights,
                          groups,
                          x.elements<typename Kind::Element>(tile) + g * rows * kGroup,
                          x.scales(tile) + g * rows,
                          x.offsets(tile) + g * rows,
                          tile == block.first_tile};
        choose<Kind>(rows)(piece, block.totals + (x.tile_start(tile) - first_row) * kBlock);
    }
}

template <class Kind>
void add_widened_chunk(const Activations& x, Block block, int64_t g, int64_t groups) {
    alignas(64) uint8_t wide[kChunkGroups * Wide::kGroupBytes];
    for (int64_t i = 0; i < groups; ++i) {
        const uint8_t* group = block.weights + i * Kind::kGroupBytes;
        uint8_t* out = wide + i * Wide::kGroupBytes;
        Kind::widen_weights(group, reinterpret_cast<int16_t*>(out));
        std::memcpy(out + Wide::kScalesAt, group + Kind::kScalesAt, kBlock * sizeof(Bf16));
    }
    block.weights = wide;
    add_chunk<Wide>(x, block, g, groups);
}

template <class Kind>
void multiply_block(const Plan& plan, int64_t index, int64_t first_tile, int64_t last_tile) {
    const int64_t groups = forms::groups(plan.matrix.inputs);
    const uint8_t* weights = plan.matrix.bytes + index * groups * Kind::kGroupBytes;
    float totals[kMostTiles * kTileRows * kBlock] = {};
    for (int64_t g = 0; g < groups; g += kChunkGroups) {
        const Block block{weights + g * Kind::kGroupBytes, first_tile, last_tile, totals};
        const int64_t here = std::min(kChunkGroups, groups - g);
        if constexpr (Kind::kIsWidened) {
            if (last_tile - first_tile >= kWidenTiles) {
                add_widened_chunk<Kind>(plan.x, block, g, here);
                continue;
            }
        }
        add_chunk<Kind>(plan.x, block, g, here);
    }
    const int64_t first_row = plan.x.tile_start(first_tile);
    const int64_t count = std::min<int64_t>(kBlock, plan.matrix.outputs - index * kBlock);
    for (int64_t row = first_row; row < plan.x.tile_start(last_tile); ++row) {
        finish(plan, row, index, totals + (row - first_row) * kBlock, count);
    }
}

template <class Kind>
void multiply_all(const Plan& plan) {
    const int64_t blocks = forms::blocks(plan.matrix.outputs);
    const int64_t block_units = (blocks + plan.unit_blocks - 1) / plan.unit_blocks;
    threads::for_each(block_units * plan.row_units, [&](int64_t unit, int) {
        const int64_t first_tile = unit % plan.row_units * plan.unit_tiles;
        const int64_t last_tile = std::min(first_tile + plan.unit_tiles, plan.x.tiles());
        const int64_t first = unit / plan.row_units * plan.unit_blocks;
        const int64_t last = std::min(first + plan.unit_blocks, blocks);
        for (int64_t block = first; block < last; ++block) {
            multiply_block<Kind>(plan, block, first_tile, last_tile);
        }
    });
}

Plan make_plan(const VlMatrix& matrix, const Activations& x, const Epilogue& epilogue, float* out) {
    const int64_t element = forms::is_quantised(matrix.form) ? 2 : 4;
    const int64_t tile_bytes = kTileRows * matrix.inputs * element;
    const int64_t tiles = std::clamp<int64_t>(kRowBytes / tile_bytes, 1, kMostTiles);
    const int64_t row_units = (x.tiles() + tiles - 1) / tiles;
    const int64_t shares = threads::count() * kUnitsPerThread;
    const int64_t blocks = forms::blocks(matrix.outputs) * row_units / shares;
    return Plan{matrix, x, epilogue, out, tiles, std::clamp<int64_t>(blocks, 1, kMostBlocks),
                row_units};
}

}  // namespace

void multiply(const VlMatrix& matrix, const Activations& x, const Epilogue& epilogue, float* out) {
    if (x.rows() == 0) return;
    const Plan plan = make_plan(matrix, x, epilogue, out);
    switch (matrix.form) {
        case kInt8: return multiply_all<Int8>(plan);
        case kInt4: return multiply_all<Int4>(plan);
        case kBf16: return multiply_all<Float<Bf16>>(plan);
        default: return multiply_all<Float<float>>(plan);
    }
}

}  // namespace product

VL_EXPORT int32_t vl_linear(const VlMatrix* matrix, const float* x, int64_t rows, const float* bias,
                            int32_t has_gelu, float* out) {
    static product::Activations& activations = *new product::Activations;
    std::lock_guard<std::mutex> lock(threads::call_mutex());
    try {
        activations.reshape(rows, matrix->inputs, matrix->form);
    } catch (const std::bad_alloc&) {
        return 1;
    }
    threads::for_rows(rows, [&](int64_t row, int) {
        activations.put(row, x + row * matrix->inputs);
    });
    product::multiply(*matrix, activations, {bias, has_gelu != 0, false}, out);
    return 0;
}
