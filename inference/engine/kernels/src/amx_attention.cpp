// The blocks of amx_attention.h: two products of bfloat16 with an exponential between them.
//
// Registers: 0 to 3 hold sums of 2 tiles of queries times 2 tiles of keys or of dims; 4 and 5 the queries
// or weights, 6 and 7 the keys or values that are multiplied.
#if defined(__AMX_BF16__)

#include "amx_attention.h"

#include <algorithm>
#include <limits>

#include "amx.h"
#include "attention.h"
#include "maths.h"

namespace amx {
namespace {

using simd::Floats;
using simd::Ints;
using simd::kLanes;

constexpr int64_t kGroup = 32;         // dims, or keys, of a row of a register
constexpr int64_t kStepKeys = 2 * kRows;
constexpr int64_t kMostSteps = kMostBlocks * kBlockKeys / kStepKeys;
constexpr int64_t kTile = kRows * kRows;            // floats
constexpr int64_t kNumbers = kRows * kGroup;        // bfloat16
constexpr int64_t kFloatBytes = sizeof(float);
constexpr float kNothing = -std::numeric_limits<float>::infinity();
constexpr float kLog2E = 1.44269504088896341f;
static_assert(kLanes == kRows && kGroup * sizeof(uint16_t) == kRowBytes && kQueries == 2 * kRows);

// 32 bfloat16 of two vectors of floats, in order.
inline Ints round(Floats low, Floats high) {
    return reinterpret_cast<Ints>(_mm512_cvtne2ps_pbh(high, low));
}

inline Floats low_floats(Ints x) {
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(x)), 16));
}

inline Floats high_floats(Ints x) {
    return _mm512_castsi512_ps(
        _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(x, 1)), 16));
}

// Of 32 floats the nearest bfloat16, and the nearest to what that leaves.
inline void split(Floats low, Floats high, uint16_t* greater, uint16_t* smaller) {
    const Ints rounded = round(low, high);
    simd::store_ints(greater, rounded);
    simd::store_ints(smaller, round(simd::sub(low, low_floats(rounded)),
                                    simd::sub(high, high_floats(rounded))));
}

// The tile of keys or values that is loaded in the next step.
inline void fetch(const uint16_t* tile) {
    for (int64_t i = 0; i < kNumbers; i += kGroup) simd::prefetch(tile + i);
}

// gcc 12 does not know that loading a register reads memory.
inline void end_writing() { asm("" ::: "memory"); }

}  // namespace

void KeyTiles::put(const float* keys, const float* values, int64_t count, int64_t stride,
                   uint16_t* room) {
    uint16_t* smaller = room + kBlockKeys * width_;
    for (int64_t key = 0; key < count; ++key) {
        for (int64_t d = 0; d < width_; d += kGroup) {
            const float* x = keys + key * stride + d;
            split(simd::load(x), simd::load(x + kLanes), room + key * width_ + d,
                  smaller + key * width_ + d);
        }
    }
    // A pair of bfloat16 is moved as if it were a float.
    const int64_t pairs = width_ / 2;
    for (int part = 0; part < 2; ++part) {
        const auto* rows = reinterpret_cast<const float*>(room + part * kBlockKeys * width_);
        auto* out = reinterpret_cast<float*>(numbers_ + part * kBlockKeys * width_);
        for (int64_t key = 0; key < kBlockKeys; key += kRows) {
            attention::make_tile<kRows>(attention::Strided{rows + key * pairs, pairs},
                                        std::clamp<int64_t>(count - key, 0, kRows), pairs,
                                        out + key * pairs);
        }
    }
    put_values(values, count, stride);
}

void KeyTiles::put_values(const float* values, int64_t count, int64_t stride) {
    const auto load = [&](int64_t key, int64_t d) {
        return key < count ? simd::load(values + key * stride + d) : simd::zeros();
    };
    for (int64_t key = 0; key < kBlockKeys; key += 2) {
        uint16_t* out = numbers_ + (2 * kBlockKeys + key / kGroup * kGroup) * width_ +
                        key % kGroup / 2 * kGroup;
        for (int64_t d = 0; d < width_; d += kLanes, out += kNumbers) {
            const Ints both = round(load(key, d), load(key + 1, d));
            const Ints low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(both));
            const Ints high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(both, 1));
            simd::store_ints(out, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
        }
    }
}

int64_t QueryTiles::size(int64_t width) {
    constexpr int64_t kScores = kMostSteps * kStepKeys;
    return kQueries * (2 * width + kLanes + 1 + kScores + kScores / 2);
}

QueryTiles::QueryTiles(float* memory, int64_t count, int64_t width)
    : count_(count),
      width_(width),
      outputs_(memory),
      totals_(outputs_ + kQueries * width),
      peaks_(totals_ + kQueries * kLanes),
      scores_(peaks_ + kQueries),
      queries_(reinterpret_cast<uint16_t*>(scores_ + 2 * kMostSteps * 2 * kTile)),
      weights_(queries_ + 2 * kQueries * width) {
    std::fill_n(outputs_, kQueries * (width + kLanes), 0.0f);
    std::fill_n(peaks_, kQueries, kNothing);
}

// A tile of queries is, for each group of dims, the rows' greater parts, then their smaller ones.
void QueryTiles::put(int64_t i, const float* query) {
    uint16_t* out = queries_ + i / kRows * kRows * 2 * width_ + i % kRows * kGroup;
    const Floats factor = simd::broadcast(kLog2E);  // weights are powers of 2
    for (int64_t d = 0; d < width_; d += kGroup, out += 2 * kNumbers) {
        split(simd::mul(simd::load(query + d), factor),
              simd::mul(simd::load(query + d + kLanes), factor), out, out + kNumbers);
    }
}

void QueryTiles::absorb(float* blocks, int64_t keys) {
    const int64_t steps = (keys + kStepKeys - 1) / kStepKeys;
    score(blocks, steps);
    for (int64_t i = 0; i < count_; ++i) weigh(i, keys, steps);
    gather(blocks, steps);
}

// Scores of a tile of queries are, for each tile of keys, a row for each query.
void QueryTiles::score(float* blocks, int64_t steps) {
    const uint16_t* second = queries_ + kRows * 2 * width_;
    end_writing();
    for (int64_t step = 0; step < steps; ++step) {
        const KeyTiles tiles = block(blocks, step / 2);
        const int64_t tile = step % 2 * 2;
        const KeyTiles next = block(blocks, (step + 1) / 2);
        const int64_t next_tile = (step + 1) % 2 * 2;
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        const auto multiply = [] {
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        };
        for (int64_t group = 0; group < width_ / kGroup; ++group) {
            const int64_t at = group * 2 * kNumbers;
            _tile_loadd(4, queries_ + at + kNumbers, kRowBytes);
            _tile_loadd(5, second + at + kNumbers, kRowBytes);
            _tile_loadd(6, tiles.keys(0, tile, group), kRowBytes);
            _tile_loadd(7, tiles.keys(0, tile + 1, group), kRowBytes);
            multiply();
            fetch(next.keys(0, next_tile, group));
            fetch(next.keys(0, next_tile + 1, group));
            _tile_loadd(4, queries_ + at, kRowBytes);
            _tile_loadd(5, second + at, kRowBytes);
            multiply();
            fetch(next.keys(1, next_tile, group));
            fetch(next.keys(1, next_tile + 1, group));
            _tile_loadd(6, tiles.keys(1, tile, group), kRowBytes);
            _tile_loadd(7, tiles.keys(1, tile + 1, group), kRowBytes);
            multiply();
        }
        float* out = scores_ + 2 * step * kTile;
        _tile_stored(0, out, kRowBytes);
        _tile_stored(1, out + kTile, kRowBytes);
        _tile_stored(2, out + 2 * kMostSteps * kTile, kRowBytes);
        _tile_stored(3, out + (2 * kMostSteps + 1) * kTile, kRowBytes);
    }
}

// Turns the scores of one query into weights relative to its maximum so far.
void QueryTiles::weigh(int64_t query, int64_t keys, int64_t steps) {
    const int64_t tile = query / kRows, row = query % kRows;
    float* scores = scores_ + tile * 2 * kMostSteps * kTile + row * kRows;
    uint16_t* weights = weights_ + tile * kMostSteps * kNumbers + row * kGroup;
    for (int64_t key = keys; key < steps * kStepKeys; ++key) {
        scores[key / kRows * kTile + key % kRows] = kNothing;
    }
    Floats low = simd::load(scores), high = simd::load(scores + kTile);
    for (int64_t step = 1; step < steps; ++step) {
        low = simd::max(low, simd::load(scores + 2 * step * kTile));
        high = simd::max(high, simd::load(scores + (2 * step + 1) * kTile));
    }
    const Floats peak = simd::max(low, high);
    if (simd::is_any_above(peak, simd::broadcast(peaks_[query]))) raise(query, simd::peak(peak));
    const Floats highest = simd::broadcast(peaks_[query]);
    const auto weigh_lanes = [&](int64_t i) {
        return maths::exp2(simd::sub(simd::load(scores + i * kTile), highest));
    };
    Floats total = simd::load(totals_ + query * kLanes);
    for (int64_t step = 0; step < steps; ++step) {
        low = weigh_lanes(2 * step);
        high = weigh_lanes(2 * step + 1);
        simd::store_ints(weights + step * kNumbers, round(low, high));
        total = simd::add(total, simd::add(low, high));
    }
    simd::store(totals_ + query * kLanes, total);
}

// Makes what was gathered relative to a new maximum; a NaN spreads.
void QueryTiles::raise(int64_t query, float highest) {
    const Floats factor = maths::exp2(simd::broadcast(peaks_[query] - highest));
    float* outputs = outputs_ + query * width_;
    for (int64_t d = 0; d < width_; d += kLanes) {
        simd::store(outputs + d, simd::mul(simd::load(outputs + d), factor));
    }
    float* totals = totals_ + query * kLanes;
    simd::store(totals, simd::mul(simd::load(totals), factor));
    peaks_[query] = highest;
}

void QueryTiles::gather(float* blocks, int64_t steps) {
    const int64_t row_bytes = width_ * kFloatBytes;
    const uint16_t* second = weights_ + kMostSteps * kNumbers;
    end_writing();
    for (int64_t d = 0; d < width_; d += 2 * kRows) {
        float *out = outputs_ + d, *second_out = out + kRows * width_;
        _tile_loadd(0, out, row_bytes);
        _tile_loadd(1, out + kRows, row_bytes);
        _tile_loadd(2, second_out, row_bytes);
        _tile_loadd(3, second_out + kRows, row_bytes);
        for (int64_t step = 0; step < steps; ++step) {
            const KeyTiles tiles = block(blocks, step / 2);
            _tile_loadd(4, weights_ + step * kNumbers, kRowBytes);
            _tile_loadd(5, second + step * kNumbers, kRowBytes);
            _tile_loadd(6, tiles.values(step % 2, d / kRows), kRowBytes);
            _tile_loadd(7, tiles.values(step % 2, d / kRows + 1), kRowBytes);
            const KeyTiles next = block(blocks, (step + 1) / 2);
            fetch(next.values((step + 1) % 2, d / kRows));
            fetch(next.values((step + 1) % 2, d / kRows + 1));
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
        _tile_stored(0, out, row_bytes);
        _tile_stored(1, out + kRows, row_bytes);
        _tile_stored(2, second_out, row_bytes);
        _tile_stored(3, second_out + kRows, row_bytes);
    }
}

void QueryTiles::finish(int64_t i, float* out) const {
    const Floats by = simd::broadcast(1 / simd::sum(simd::load(totals_ + i * kLanes)));
    for (int64_t d = 0; d < width_; d += kLanes) {
        simd::store(out + d, simd::mul(simd::load(outputs_ + i * width_ + d), by));
    }
}

}  // namespace amx

#endif
