// Multiplies: the second half of product.h.
//
// A unit of work is a few blocks of outputs times as many rows as lie in the second level of the
// cache. In it, weights of a block x 512 inputs stay in the first level while all tiles of rows
// pass; the sums of a tile of up to 6 rows x 1 block are in registers. With one row that is a
// plain pass over the packed bytes, fetched ahead. With many rows int4 weights of a chunk are first
// widened, once for all tiles: a fifth quicker, where int8 gains nothing; the sums stay the
// same to the bit.
#include "product.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

#include "amx_product.h"
#include "bf16.h"
#include "forms.h"
#include "hadamard.h"
#include "kinds.h"
#include "maths.h"
#include "simd.h"
#include "threads.h"

namespace product {
namespace {

constexpr int64_t kChunkInputs = 512;         // whose weights stay in the first level of the cache
constexpr int64_t kMostBlocks = 8;            // of outputs in a unit
constexpr int64_t kUnitsPerThread = 8;
constexpr int64_t kFetchAhead = 6144;         // bytes
constexpr int64_t kLine = 64;                 // of the cache
constexpr int64_t kFirstLevel = 32 * 1024;    // of processors that have little of it
// Tiles of up to so many rows wait for memory more than for sums, and then fetching in steps is quicker.
constexpr int kRowsOfMemory = simd::kHasQuads ? kTileRows : 2;
constexpr int64_t kManyTiles = 4;             // from so many on, chunks are taken whole, and int4 is widened first

template <class Kind>
constexpr int64_t kChunkGroups = kChunkInputs / Kind::kGroup;
static_assert(kChunkGroups<Int8> <= amx::kMostGroups);

// Memory that is read soon: so many lines of the cache are fetched as a group begins, so many with each
// of its steps.
struct Fetch {
    const uint8_t* ahead;
    int64_t first, each;
};

// Fetches `lines` lines, from `ahead` on.
inline void fetch_lines(const uint8_t*& ahead, int64_t lines) {
    for (int64_t i = 0; i < lines; ++i, ahead += kLine) simd::prefetch(ahead);
}

// A tile's share of one chunk of inputs.
struct Piece {
    const uint8_t* weights;  // of a block, from the chunk's first group
    int64_t groups;
    const void* x;
    const float* scales;
    const int32_t* offsets;
    Fetch fetch;
};

// totals += the piece. Many rows leave so little to fetch that steps would only cost them time.
template <class Kind, int kRows, bool kFetchesInSteps>
void add_piece(const Piece& piece, float* totals) {
    const auto* x = static_cast<const typename Kind::Element*>(piece.x);
    const uint8_t* ahead = piece.fetch.ahead;
    const auto step = [&] {
        if constexpr (kFetchesInSteps) fetch_lines(ahead, piece.fetch.each);
    };
    for (int64_t g = 0; g < piece.groups; ++g) {
        fetch_lines(ahead, piece.fetch.first);
        Kind::template add_group<kRows>(piece.weights + g * Kind::kGroupBytes,
                                        x + g * kRows * Kind::kGroup, piece.scales + g * kRows,
                                        piece.offsets + g * kRows, totals, step);
    }
}

using AddPiece = void (*)(const Piece&, float*);

template <class Kind, bool kFetchesInSteps, int... kRows>
AddPiece choose(int rows, std::integer_sequence<int, kRows...>) {
    constexpr AddPiece kChoices[] = {add_piece<Kind, kRows + 1, kFetchesInSteps>...};
    return kChoices[rows - 1];
}

template <class Kind>
AddPiece choose(int rows, const Fetch& fetch) {
    constexpr auto kRows = std::make_integer_sequence<int, kTileRows>();
    return fetch.each == 0 ? choose<Kind, false>(rows, kRows) : choose<Kind, true>(rows, kRows);
}

// What all units of one product share.
struct Plan {
    const VlMatrix& matrix;
    const Activations& x;
    const Epilogue& epilogue;
    float* out;
    int64_t unit_blocks;
};

// A block of outputs of one row: bias, GELU, added or not.
inline void finish_block(const Epilogue& epilogue, const float* totals, const float* bias,
                         float* out) {
    for (int i = 0; i < kBlock; i += simd::kLanes) {
        Floats sum = simd::load(totals + i);
        if (bias != nullptr) sum = simd::add(sum, simd::load(bias + i));
        if (epilogue.has_gelu) sum = maths::gelu(sum);
        if (epilogue.is_added) sum = simd::add(simd::load(out + i), sum);
        simd::store(out + i, sum);
    }
}

// The last block, of which `count` outputs exist.
void finish_part(const Epilogue& epilogue, const float* totals, const float* bias, int64_t count,
                 float* out) {
    float some_bias[kBlock] = {}, some_out[kBlock] = {};
    const auto bytes = static_cast<size_t>(count) * sizeof(float);
    if (bias != nullptr) std::memcpy(some_bias, bias, bytes);
    std::memcpy(some_out, out, bytes);
    finish_block(epilogue, totals, some_bias, some_out);
    std::memcpy(out, some_out, bytes);
}

// Block `index` of outputs of one row, into `out`.
void finish(const Plan& plan, int64_t row, int64_t index, const float* totals) {
    const int64_t first = index * kBlock, count = plan.matrix.outputs - first;
    const float* bias = plan.epilogue.bias == nullptr ? nullptr : plan.epilogue.bias + first;
    float* out = plan.out + row * plan.matrix.outputs + first;
    if (count >= kBlock) {
        finish_block(plan.epilogue, totals, bias, out);
    } else {
        finish_part(plan.epilogue, totals, bias, count, out);
    }
}

// Some tiles of rows times a block of outputs: where their sums go.
struct Block {
    const uint8_t* weights;
    int64_t first_tile, last_tile;
    float* totals;  // (rows, kBlock)
    const uint8_t* next;  // what is read behind the chunk's packed weights, which have so many bytes
    int64_t bytes;
    const float* out;  // where the first row's outputs go behind this chunk, null if others follow
    int64_t out_width;
    const uint8_t* apart;  // the weights of all groups that stand apart, null if there are none
};

// Some of a unit's rests in one group, as many as a tile has rows.
struct RestTile {
    const uint8_t* weights;
    const Activations::Rests& rests;
    int64_t first;
    float* totals;  // (rows of the unit, kBlock)
    int64_t first_row;
};

template <class Kind, int kRows>
void add_rest_tile(const RestTile& tile) {
    const Activations::Rests& rests = tile.rests;
    const auto* x = static_cast<const Element*>(rests.elements) + tile.first * Kind::kGroup;
    alignas(64) float sums[kRows * kBlock] = {};
    Kind::template add_group<kRows>(tile.weights, x, rests.scales + tile.first,
                                    rests.offsets + tile.first, sums, [] {});
    for (int r = 0; r < kRows; ++r) {
        float* totals = tile.totals + (rests.rows[tile.first + r] - tile.first_row) * kBlock;
        for (int i = 0; i < kBlock; i += simd::kLanes) {
            simd::store(totals + i, simd::add(simd::load(totals + i), simd::load(sums + r * kBlock + i)));
        }
    }
}

using AddRestTile = void (*)(const RestTile&);

template <class Kind, int... kRows>
AddRestTile choose_rests(int64_t rows, std::integer_sequence<int, kRows...>) {
    constexpr AddRestTile kChoices[] = {add_rest_tile<Kind, kRows + 1>...};
    return kChoices[rows - 1];
}

// totals += the rests of a unit in one chunk; each row's in the order of its groups.
template <class Kind>
void add_rests(const Activations& x, const Block& block, int64_t first_group, int64_t groups) {
    const int64_t unit = block.first_tile / x.unit_tiles();
    for (int64_t i = 0; i < groups; ++i) {
        if (x.count_rests(unit, first_group + i) == 0) continue;
        const Activations::Rests rests = x.rests(unit, first_group + i);
        for (int64_t first = 0; first < rests.count; first += kTileRows) {
            const int64_t rows = std::min<int64_t>(kTileRows, rests.count - first);
            choose_rests<Kind>(rows, std::make_integer_sequence<int, kTileRows>())(
                {block.weights + i * Kind::kGroupBytes, rests, first, block.totals,
                 x.unit_start(unit)});
        }
    }
}

// totals (kBlock) of a row += its group of inputs times the weights that stand apart.
inline void add_apart(const uint8_t* apart, const Element* x, float scale, bool is_spread,
                      float* totals) {
    const auto* outliers = reinterpret_cast<const Bf16*>(apart);
    float numbers[Int8::kGroup];
    std::copy_n(x, Int8::kGroup, numbers);
    if (is_spread) {
        hadamard::gather(numbers);
        scale /= hadamard::kGroup;
    }
    for (int n = 0; n < kBlock; ++n) {
        if (outliers[n].bits != 0) {
            totals[n] += to_float(outliers[n]) * (scale * numbers[forms::apart_input(apart, n)]);
        }
    }
}

// totals += what the weights that stand apart add in one chunk. Most blocks have none, and most groups of
// the others, which is seen at one vector.
void add_apart(const Activations& x, const Block& block, int64_t first_group, int64_t groups) {
    if (block.apart == nullptr) return;
    const int64_t first_row = x.tile_start(block.first_tile);
    for (int64_t g = first_group; g < first_group + groups; ++g) {
        const uint8_t* apart = block.apart + g * forms::kApartBytes;
        if (simd::is_zero(simd::load_ints(apart))) continue;
        for (int64_t tile = block.first_tile; tile < block.last_tile; ++tile) {
            const int rows = x.tile_rows(tile);
            const int64_t at = g * rows;
            for (int r = 0; r < rows; ++r) {
                const Element* row = x.elements<Element>(tile) + (at + r) * Int8::kGroup;
                float* totals = block.totals + (x.tile_start(tile) + r - first_row) * kBlock;
                add_apart(apart, row, x.scales(tile)[at + r], x.is_spread(), totals);
            }
        }
        if constexpr (!kHasRests) continue;
        const Activations::Rests rests = x.rests(block.first_tile / x.unit_tiles(), g);
        for (int64_t r = 0; r < rests.count; ++r) {
            const auto* row = static_cast<const Element*>(rests.elements) + r * Int8::kGroup;
            add_apart(apart, row, rests.scales[r], x.is_spread(),
                      block.totals + (rests.rows[r] - first_row) * kBlock);
        }
    }
}

// The tiles of a chunk share in fetching the next one, for memory has the longest time for it so. One
// alone fetches what it reads soon: a chunk further takes more of the first level.
template <class Kind>
Fetch plan_fetch(const Block& block, int64_t groups, int rows) {
    const int64_t shares = (block.last_tile - block.first_tile) * groups;
    const int64_t lines = (block.bytes / kLine + shares - 1) / shares;
    const uint8_t* ahead = shares == groups ? block.next - block.bytes + kFetchAhead : block.next;
    if (rows > kRowsOfMemory) return {ahead, lines, 0};
    return {ahead, lines % Kind::kSteps, lines / Kind::kSteps};
}

// totals += all tiles times some groups of inputs, of which `g` is the first of the rows.
template <class Kind>
void add_groups(const Activations& x, const Block& block, int64_t g, int64_t groups) {
    const int64_t first_row = x.tile_start(block.first_tile);
    Fetch fetch = plan_fetch<Kind>(block, groups, x.tile_rows(block.first_tile));
    for (int64_t tile = block.first_tile; tile < block.last_tile; ++tile) {
        const int rows = x.tile_rows(tile);
        const int64_t row = x.tile_start(tile) - first_row;
        const Piece piece{block.weights,
                          groups,
                          x.elements<typename Kind::Element>(tile) + g * rows * Kind::kGroup,
                          x.scales(tile) + g * rows,
                          x.offsets(tile) + g * rows,
                          fetch};
        choose<Kind>(rows, fetch)(piece, block.totals + row * kBlock);
        fetch.ahead += groups * (fetch.first + Kind::kSteps * fetch.each) * kLine;
        if (block.out == nullptr) continue;
        for (int r = 0; r < rows; ++r) fetch_outputs(block.out + (row + r) * block.out_width);
    }
}

// The same for one chunk. Where a chunk and the next, which is fetched meanwhile, would not fit the first
// level together, few tiles take a quarter after the other: with them memory is what they wait for.
template <class Kind>
void add_tiles(const Activations& x, Block block, int64_t g, int64_t groups) {
    constexpr bool kIsLong = 2 * kChunkGroups<Kind> * Kind::kGroupBytes > kFirstLevel;
    const int64_t tiles = block.last_tile - block.first_tile;
    if (!kIsLong || tiles == 1 || tiles >= kManyTiles) return add_groups<Kind>(x, block, g, groups);
    const float* out = block.out;
    for (int64_t first = 0; first < groups; first += kChunkGroups<Kind> / 4) {
        const int64_t here = std::min(kChunkGroups<Kind> / 4, groups - first);
        block.bytes = here * Kind::kGroupBytes;
        block.next = block.weights + block.bytes;
        block.out = first + here == groups ? out : nullptr;
        add_groups<Kind>(x, block, g + first, here);
        block.weights = block.next;
    }
}

// The same with all that stands apart from the tiles.
template <class Kind>
void add_chunk(const Activations& x, const Block& block, int64_t g, int64_t groups) {
    if constexpr (std::is_same_v<Kind, Int8> && simd::kHasQuads) {
        if (x.is_for_amx()) {
            amx::add_chunk({x, block.first_tile, block.last_tile, block.weights, g, groups, block.out,
                            block.out_width},
                           block.totals);
            return add_apart(x, block, g, groups);
        }
    }
    add_tiles<Kind>(x, block, g, groups);
    if constexpr (kHasRests && std::is_same_v<typename Kind::Element, Element>) {
        add_rests<Kind>(x, block, g, groups);
    }
    if constexpr (std::is_same_v<Kind, Int8>) add_apart(x, block, g, groups);
}

template <class Kind>
void add_widened_chunk(const Activations& x, Block block, int64_t g, int64_t groups) {
    alignas(64) uint8_t wide[kChunkGroups<Kind> * Wide::kGroupBytes];
    for (int64_t i = 0; i < groups; ++i) {
        const uint8_t* group = block.weights + i * Kind::kGroupBytes;
        uint8_t* out = wide + i * Wide::kGroupBytes;
        Kind::widen_weights(group, out);
        std::memcpy(out + Wide::kScalesAt, group + Kind::kScalesAt, kBlock * sizeof(Bf16));
    }
    block.weights = wide;
    add_chunk<Wide>(x, block, g, groups);
}

// The weights of a block that stand apart, null if there are none.
const uint8_t* find_apart(const VlMatrix& matrix, int64_t block) {
    const bool has_any = forms::is_int8(matrix.form) &&
                         matrix.bytes[forms::all_blocks_bytes(matrix) + block] != 0;
    return has_any ? matrix.bytes + forms::apart_at(matrix, block) : nullptr;
}

template <class Kind>
void multiply_block(const Plan& plan, int64_t index, int64_t first_tile, int64_t last_tile) {
    const int64_t groups = forms::groups(plan.matrix.inputs, plan.matrix.form);
    const uint8_t* weights = plan.matrix.bytes + index * groups * Kind::kGroupBytes;
    const int64_t first_row = plan.x.tile_start(first_tile);
    const int64_t rows = plan.x.tile_start(last_tile) - first_row;
    const float* out = plan.out + first_row * plan.matrix.outputs + index * kBlock;
    const uint8_t* apart = find_apart(plan.matrix, index);
    alignas(64) float totals[kMostRows * kBlock];
    std::fill_n(totals, rows * kBlock, 0.0f);
    for (int64_t g = 0; g < groups; g += kChunkGroups<Kind>) {
        const int64_t here = std::min(kChunkGroups<Kind>, groups - g);
        const int64_t bytes = here * Kind::kGroupBytes;
        const uint8_t* chunk = weights + g * Kind::kGroupBytes;
        const bool is_last = g + here == groups;
        const Block block{chunk, first_tile, last_tile, totals, chunk + bytes, bytes,
                          is_last ? out : nullptr, plan.matrix.outputs, apart};
        if constexpr (Kind::kIsWidened) {
            if (last_tile - first_tile >= kManyTiles) {
                add_widened_chunk<Kind>(plan.x, block, g, here);
                continue;
            }
        }
        add_chunk<Kind>(plan.x, block, g, here);
    }
    for (int64_t row = 0; row < rows; ++row) {
        finish(plan, first_row + row, index, totals + row * kBlock);
    }
}

template <class Kind>
void multiply_all(const Plan& plan) {
    const int64_t blocks = forms::blocks(plan.matrix.outputs);
    const int64_t block_units = (blocks + plan.unit_blocks - 1) / plan.unit_blocks;
    const int64_t row_units = plan.x.units();
    threads::for_each(block_units * row_units, [&](int64_t unit, int) {
        const amx::Registers registers(plan.x.is_for_amx());
        const int64_t first_tile = unit % row_units * plan.x.unit_tiles();
        const int64_t last_tile = std::min(first_tile + plan.x.unit_tiles(), plan.x.tiles());
        const int64_t first = unit / row_units * plan.unit_blocks;
        const int64_t last = std::min(first + plan.unit_blocks, blocks);
        for (int64_t block = first; block < last; ++block) {
            multiply_block<Kind>(plan, block, first_tile, last_tile);
        }
    });
}

Plan make_plan(const VlMatrix& matrix, const Activations& x, const Epilogue& epilogue, float* out) {
    const int64_t shares = threads::count() * kUnitsPerThread;
    const int64_t blocks = forms::blocks(matrix.outputs) * x.units() / shares;
    return Plan{matrix, x, epilogue, out, std::clamp<int64_t>(blocks, 1, kMostBlocks)};
}

}  // namespace

void multiply(const VlMatrix& matrix, const Activations& x, const Epilogue& epilogue, float* out) {
    if (x.rows() == 0) return;
    const Plan plan = make_plan(matrix, x, epilogue, out);
    switch (matrix.form) {
        case kInt8:
        case kSpreadInt8: return multiply_all<Int8>(plan);
        case kInt4: return multiply_all<Int4>(plan);
        case kBf16: return multiply_all<Float<Bf16>>(plan);
        default: return multiply_all<Float<float>>(plan);
    }
}

}  // namespace product

VL_EXPORT int32_t vl_linear(const VlMatrix* matrix, const float* x, int64_t rows, const float* bias,
                            int32_t has_gelu, float* out) {
    static product::Activations& activations = *new product::Activations;
    const threads::Call call;
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
