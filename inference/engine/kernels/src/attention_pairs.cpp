// The blocks of attention_pairs.h: two products of int16 pairs with an exponential between them.
#include "attention_pairs.h"

#include <algorithm>
#include <limits>

#include "attention.h"
#include "maths.h"

namespace attention {
namespace {

using simd::Floats;
using simd::Ints;
using simd::kLanes;
using simd::Shorts;

constexpr int kVectors = kPairColumns / kLanes;
constexpr int kPairs = kPairGroup / 2;
// The largest integers, so that no sum of products leaves int32: 32 queries times keys, 64 weights
// times values.
constexpr float kLargestQuery = 8191, kLargestKey = 8191, kLargestValue = 4095;
constexpr float kWeightPower = 13;  // weights are up to 2^13
static_assert(kPairGroup * 8191LL * 8191 < 1LL << 31 && kPairKeys * 8192LL * 4095 < 1LL << 31);
constexpr float kNothing = -std::numeric_limits<float>::infinity();
constexpr float kLog2E = 1.44269504088896341f;

// Rounds a group of dims to integers up to `limit`; returns their scale.
float round_group(const float* x, float limit, int16_t* out) {
    Floats peak = simd::zeros();
    for (int i = 0; i < kPairGroup; i += kLanes) {
        peak = simd::larger_magnitude(peak, simd::load(x + i));
    }
    const float largest = simd::peak_magnitude(peak);
    const Floats factor = simd::broadcast(largest == 0 ? 0 : limit / largest);
    for (int i = 0; i < kPairGroup; i += 2 * kLanes) {
        simd::store_shorts(out + i, simd::to_ints(simd::mul(simd::load(x + i), factor)),
                           simd::to_ints(simd::mul(simd::load(x + i + kLanes), factor)));
    }
    return largest / limit;
}

// sums += rows of x, kStride apart, times a tile: `pairs` pairs of its columns.
template <int kRows, int kStride>
inline void add_tile(const int16_t* x, const int16_t* tile, int64_t pairs,
                     Ints (&sums)[kRows][kVectors]) {
#pragma GCC unroll 8
    for (int64_t pair = 0; pair < pairs; ++pair) {
        Shorts columns[kVectors];
        for (int v = 0; v < kVectors; ++v) {
            columns[v] = simd::load_shorts(tile + (pair * kVectors + v) * 2 * kLanes);
        }
        for (int r = 0; r < kRows; ++r) {
            const Shorts row = simd::broadcast_pair(x + r * kStride + pair * 2);
            for (int v = 0; v < kVectors; ++v) {
                sums[r][v] = simd::add_pairs(sums[r][v], columns[v], row);
            }
        }
    }
}

}  // namespace

void PairTiles::put(const float* keys, const float* values, int64_t count, int64_t stride,
                    int16_t* room) {
    put_keys(keys, count, stride, room);
    put_values(values, count, stride);
}

void PairTiles::put_keys(const float* keys, int64_t count, int64_t stride, int16_t* room) {
    std::fill_n(key_scales_, kPairKeys * (width_ / kPairGroup), 0.0f);
    for (int64_t key = 0; key < count; ++key) {
        for (int64_t d = 0; d < width_; d += kPairGroup) {
            key_scales_[d / kPairGroup * kPairKeys + key] =
                round_group(keys + key * stride + d, kLargestKey, room + key * width_ + d);
        }
    }
    // A pair of int16 is moved as if it were a float.
    const auto* pairs = reinterpret_cast<const float*>(room);
    const int64_t width = width_ / 2;
    for (int64_t key = 0; key < kPairKeys; key += kPairColumns) {
        const int64_t here = std::clamp<int64_t>(count - key, 0, kPairColumns);
        make_tile<kPairColumns>(Strided{pairs + key * width, width}, here, width,
                                reinterpret_cast<float*>(keys_ + key * width_));
    }
}

void PairTiles::put_values(const float* values, int64_t count, int64_t stride) {
    constexpr float kTiny = 1e-30f;  // or a dim without values would be divided by 0
    for (int64_t d = 0; d < width_; d += kLanes) {
        Floats peak = simd::zeros();
        for (int64_t key = 0; key < count; ++key) {
            peak = simd::larger_magnitude(peak, simd::load(values + key * stride + d));
        }
        peak = simd::max(simd::broadcast(kTiny), peak);
        simd::store(value_scales_ + d, simd::mul(peak, simd::broadcast(1 / kLargestValue)));
        const Floats factor = simd::div(simd::broadcast(kLargestValue), peak);
        int16_t* out = values_ + d / kPairColumns * kPairColumns * kPairKeys +
                       d % kPairColumns * 2;
        for (int64_t key = 0; key < kPairKeys; key += 2) {
            Ints both[2] = {simd::zero_ints(), simd::zero_ints()};
            for (int64_t i = 0; i < std::clamp<int64_t>(count - key, 0, 2); ++i) {
                const float* row = values + (key + i) * stride + d;
                both[i] = simd::to_ints(simd::mul(simd::load(row), factor));
            }
            simd::store_shorts(out + key * kPairColumns, simd::join_pairs(both[0], both[1]));
        }
    }
}

PairBlock::PairBlock(float* memory, int64_t count, int64_t width)
    : count_(count),
      width_(width),
      groups_(width / kPairGroup),
      outputs_(memory),
      totals_(outputs_ + count * width),
      peaks_(totals_ + count * kLanes),
      query_scales_(peaks_ + count),
      scores_(query_scales_ + count * groups_),
      queries_(reinterpret_cast<int16_t*>(scores_ + kPairRows * kPairKeys)),
      weights_(queries_ + count * width) {
    std::fill_n(outputs_, count * (width + kLanes), 0.0f);
    std::fill_n(peaks_, count, kNothing);
}

void PairBlock::put(int64_t i, const float* query) {
    const int64_t first = i / kPairRows * kPairRows;
    const int64_t rows = strip_rows(first);
    for (int64_t group = 0; group < groups_; ++group) {
        const int64_t at = first * groups_ + group * rows + i - first;
        const float scale =
            round_group(query + group * kPairGroup, kLargestQuery, queries_ + at * kPairGroup);
        query_scales_[at] = scale * kLog2E;  // weights are powers of 2
    }
}

void PairBlock::absorb(const PairTiles& tiles, int64_t count) {
    for (int64_t first = 0; first < count_; first += kPairRows) {
        switch (strip_rows(first)) {
            case 1: absorb_strip<1>(first, tiles, count); break;
            case 2: absorb_strip<2>(first, tiles, count); break;
            case 3: absorb_strip<3>(first, tiles, count); break;
            case 4: absorb_strip<4>(first, tiles, count); break;
            case 5: absorb_strip<5>(first, tiles, count); break;
            default: absorb_strip<kPairRows>(first, tiles, count);
        }
    }
}

template <int kRows>
void PairBlock::absorb_strip(int64_t first, const PairTiles& tiles, int64_t count) {
    const int64_t padded = (count + kPairColumns - 1) / kPairColumns * kPairColumns;
    score<kRows>(first, tiles, padded);
    for (int r = 0; r < kRows; ++r) {
        std::fill(scores_ + r * kPairKeys + count, scores_ + r * kPairKeys + padded, kNothing);
        weigh(first + r, scores_ + r * kPairKeys, padded, weights_ + r * kPairKeys);
    }
    gather<kRows>(first, tiles, padded);
}

template <int kRows>
void PairBlock::score(int64_t first, const PairTiles& tiles, int64_t count) {
    for (int64_t key = 0; key < count; key += kPairColumns) {
        Floats scores[kRows][kVectors];
        for (auto& row : scores) {
            for (auto& score : row) score = simd::zeros();
        }
        for (int64_t group = 0; group < groups_; ++group) {
            const int64_t at = first * groups_ + group * kRows;
            const int16_t* tile = tiles.keys(key / kPairColumns) + group * kPairs * 2 * kPairColumns;
            Ints sums[kRows][kVectors] = {};
            add_tile<kRows, kPairGroup>(queries_ + at * kPairGroup, tile, kPairs, sums);
            for (int v = 0; v < kVectors; ++v) {
                const Floats scales = simd::load(tiles.key_scales(group) + key + v * kLanes);
                for (int r = 0; r < kRows; ++r) {
                    const Floats scale = simd::mul(scales, simd::broadcast(query_scales_[at + r]));
                    scores[r][v] = simd::fma(simd::to_floats(sums[r][v]), scale, scores[r][v]);
                }
            }
        }
        for (int r = 0; r < kRows; ++r) {
            for (int v = 0; v < kVectors; ++v) {
                simd::store(scores_ + r * kPairKeys + key + v * kLanes, scores[r][v]);
            }
        }
    }
}

// Turns the scores of one query into weights relative to its maximum so far.
void PairBlock::weigh(int64_t query, const float* scores, int64_t count, int16_t* weights) {
    Floats peak = simd::load(scores);
    for (int64_t i = kLanes; i < count; i += kLanes) peak = simd::max(peak, simd::load(scores + i));
    if (simd::is_any_above(peak, simd::broadcast(peaks_[query]))) raise(query, simd::peak(peak));
    const Floats highest = simd::broadcast(peaks_[query] - kWeightPower);
    const auto weigh_lanes = [&](int64_t i) {
        return simd::to_ints(maths::exp2(simd::sub(simd::load(scores + i), highest)));
    };
    Ints total = simd::zero_ints();
    for (int64_t i = 0; i < count; i += 2 * kLanes) {
        const Ints low = weigh_lanes(i), high = weigh_lanes(i + kLanes);
        simd::store_shorts(weights + i, low, high);
        total = simd::add(total, simd::add(low, high));
    }
    float* totals = totals_ + query * kLanes;
    simd::store(totals, simd::add(simd::load(totals), simd::to_floats(total)));
}

// Makes what was gathered relative to a new maximum; a NaN spreads.
void PairBlock::raise(int64_t query, float highest) {
    const Floats factor = maths::exp2(simd::broadcast(peaks_[query] - highest));
    float* outputs = outputs_ + query * width_;
    for (int64_t d = 0; d < width_; d += kLanes) {
        simd::store(outputs + d, simd::mul(simd::load(outputs + d), factor));
    }
    float* totals = totals_ + query * kLanes;
    simd::store(totals, simd::mul(simd::load(totals), factor));
    peaks_[query] = highest;
}

template <int kRows>
void PairBlock::gather(int64_t first, const PairTiles& tiles, int64_t count) {
    for (int64_t d = 0; d < width_; d += kPairColumns) {
        Ints sums[kRows][kVectors] = {};
        add_tile<kRows, kPairKeys>(weights_, tiles.values(d / kPairColumns), count / 2, sums);
        for (int v = 0; v < kVectors; ++v) {
            const Floats scale = simd::load(tiles.value_scales() + d + v * kLanes);
            for (int r = 0; r < kRows; ++r) {
                float* out = outputs_ + (first + r) * width_ + d + v * kLanes;
                simd::store(out, simd::fma(simd::to_floats(sums[r][v]), scale, simd::load(out)));
            }
        }
    }
}

void PairBlock::finish(int64_t i, float* out) const {
    const Floats by = simd::broadcast(1 / simd::sum(simd::load(totals_ + i * kLanes)));
    for (int64_t d = 0; d < width_; d += kLanes) {
        simd::store(out + d, simd::mul(simd::load(outputs_ + i * width_ + d), by));
    }
}

}  // namespace attention
