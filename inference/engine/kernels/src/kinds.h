// The kinds of weights: how 16 outputs x 32 inputs meet the same inputs of up to 6 rows.
//
// Each has add_group, which adds one group of forms.h to the tile's sums in registers. The group's
// int32 sums are exact, so that kinds with the same weights give the same bits.
#pragma once

#include <cstdint>

#include "forms.h"
#include "simd.h"

namespace product {

using forms::kBlock;
using forms::kGroup;
using forms::kPairs;
using simd::Floats;
using simd::Ints;
using simd::Shorts;

constexpr int kVectors = kBlock / simd::kLanes;

// The sums of 32 inputs, from int32 to floats with the scales of weights and rows.
template <int kRows>
inline void add_scaled(const Ints (&sums)[kRows][kVectors], const uint8_t* scale_bytes,
                       const float* row_scales, Floats (&totals)[kRows][kVectors]) {
    const auto* scales = reinterpret_cast<const Bf16*>(scale_bytes);
    for (int v = 0; v < kVectors; ++v) {
        const Floats weight_scale = simd::load(scales + v * simd::kLanes);
        for (int r = 0; r < kRows; ++r) {
            const Floats scale = simd::mul(weight_scale, simd::broadcast(row_scales[r]));
            totals[r][v] = simd::fma(simd::to_floats(sums[r][v]), scale, totals[r][v]);
        }
    }
}

// sums of a tile += 16 pairs of inputs; `weights(pair, v)` gives a vector of them.
template <int kRows, class Weights>
inline void add_pairs_of_group(const Weights& weights_of, const int16_t* x,
                               Ints (&sums)[kRows][kVectors]) {
#pragma GCC unroll 16
    for (int pair = 0; pair < kPairs; ++pair) {
        Shorts weights[kVectors];
        for (int v = 0; v < kVectors; ++v) weights[v] = weights_of(pair, v);
        for (int r = 0; r < kRows; ++r) {
            const Shorts inputs = simd::broadcast_pair(x + r * kGroup + pair * 2);
            for (int v = 0; v < kVectors; ++v) {
                sums[r][v] = simd::add_pairs(sums[r][v], weights[v], inputs);
            }
        }
    }
}

// Weights widened to int16 in the order of int8's, the scales behind them.
struct Wide {
    using Element = int16_t;
    static constexpr int64_t kScalesAt = kBlock * kGroup * sizeof(int16_t);
    static constexpr int64_t kGroupBytes = kScalesAt + kBlock * sizeof(Bf16);

    template <int kRows>
    static inline void add_group(const uint8_t* group, const int16_t* x, const float* scales,
                                 const int32_t*, Floats (&totals)[kRows][kVectors]) {
        Ints sums[kRows][kVectors] = {};
        const auto weights = [&](int pair, int v) {
            return simd::load_shorts(group + (pair * kVectors + v) * 4 * simd::kLanes);
        };
        add_pairs_of_group<kRows>(weights, x, sums);
        add_scaled<kRows>(sums, group + kScalesAt, scales, totals);
    }
};

struct Int8 {
    using Element = int16_t;
    static constexpr int64_t kGroupBytes = forms::group_bytes(kInt8);
    static constexpr int64_t kScalesAt = kBlock * kGroup;
    static constexpr bool kIsWidened = false;

    template <int kRows>
    static inline void add_group(const uint8_t* group, const int16_t* x, const float* scales,
                                 const int32_t*, Floats (&totals)[kRows][kVectors]) {
        Ints sums[kRows][kVectors] = {};
        const auto weights = [&](int pair, int v) {
            const uint8_t* at = group + (pair * kVectors + v) * 2 * simd::kLanes;
            return simd::widen(reinterpret_cast<const int8_t*>(at));
        };
        add_pairs_of_group<kRows>(weights, x, sums);
        add_scaled<kRows>(sums, group + kScalesAt, scales, totals);
    }
};

struct Int4 {
    using Element = int16_t;
    static constexpr int64_t kGroupBytes = forms::group_bytes(kInt4);
    static constexpr int64_t kScalesAt = kBlock * kGroup / 2;
    static constexpr bool kIsWidened = true;

    template <int kRows>
    static inline void add_group(const uint8_t* group, const int16_t* x, const float* scales,
                                 const int32_t* offsets, Floats (&totals)[kRows][kVectors]) {
        Ints sums[kRows][kVectors];
        for (int r = 0; r < kRows; ++r) {
            for (auto& sum : sums[r]) sum = simd::broadcast_int(offsets[r]);
        }
#pragma GCC unroll 4
        for (int quad = 0; quad < kPairs / 4; ++quad) {
            const uint8_t* words = group + quad * kBlock * 4;
            const int16_t* inputs = x + quad * 8;
            add_pair<kRows, 0>(words, inputs, sums);
            add_pair<kRows, 1>(words, inputs, sums);
            add_pair<kRows, 2>(words, inputs, sums);
            add_pair<kRows, 3>(words, inputs, sums);
        }
        add_scaled<kRows>(sums, group + kScalesAt, scales, totals);
    }

    // Of one pair of inputs, as 0..15.
    template <int kPair>
    static inline Shorts nibbles(const uint8_t* words, int v) {
        return simd::nibble<kPair>(simd::load_shorts(words + v * 4 * simd::kLanes));
    }

    static inline void widen_weights(const uint8_t* group, int16_t* out) {
        for (int quad = 0; quad < kPairs / 4; ++quad) {
            const uint8_t* words = group + quad * kBlock * 4;
            widen_pair<0>(words, out + quad * 8 * kBlock);
            widen_pair<1>(words, out + quad * 8 * kBlock);
            widen_pair<2>(words, out + quad * 8 * kBlock);
            widen_pair<3>(words, out + quad * 8 * kBlock);
        }
    }

    template <int kPair>
    static inline void widen_pair(const uint8_t* words, int16_t* out) {
        const Shorts middle = simd::broadcast_short(-8);
        for (int v = 0; v < kVectors; ++v) {
            simd::store_shorts(out + (kPair * kVectors + v) * 2 * simd::kLanes,
                               simd::add_shorts(nibbles<kPair>(words, v), middle));
        }
    }

    template <int kRows, int kPair>
    static inline void add_pair(const uint8_t* words, const int16_t* x,
                                Ints (&sums)[kRows][kVectors]) {
        Shorts weights[kVectors];
        for (int v = 0; v < kVectors; ++v) weights[v] = nibbles<kPair>(words, v);
        for (int r = 0; r < kRows; ++r) {
            const Shorts inputs = simd::broadcast_pair(x + r * kGroup + kPair * 2);
            for (int v = 0; v < kVectors; ++v) {
                sums[r][v] = simd::add_pairs(sums[r][v], weights[v], inputs);
            }
        }
    }
};

template <class Cell>
struct Float {
    using Element = float;
    static constexpr int64_t kGroupBytes = kBlock * kGroup * sizeof(Cell);
    static constexpr bool kIsWidened = false;

    template <int kRows>
    static inline void add_group(const uint8_t* group, const float* x, const float*,
                                 const int32_t*, Floats (&totals)[kRows][kVectors]) {
        const auto* cells = reinterpret_cast<const Cell*>(group);
#pragma GCC unroll 4
        for (int k = 0; k < kGroup; ++k) {
            Floats weights[kVectors];
            for (int v = 0; v < kVectors; ++v) {
                weights[v] = simd::load(cells + k * kBlock + v * simd::kLanes);
            }
            for (int r = 0; r < kRows; ++r) {
                const Floats input = simd::broadcast(x[r * kGroup + k]);
                for (int v = 0; v < kVectors; ++v) {
                    totals[r][v] = simd::fma(input, weights[v], totals[r][v]);
                }
            }
        }
    }
};

}  // namespace product
