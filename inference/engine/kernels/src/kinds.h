// The kinds of weights: how a group of a block of outputs meets the same inputs of up to 6 rows.
//
// Each has add_group, which sums one group of forms.h in registers and adds that to the tile's totals.
// Sums of integers are exact, so that kinds with the same weights give the same bits. How activations
// become integers (quantise, with its Element) stands beside the kinds that they meet. While a group is
// multiplied, kSteps calls of `step` are spread over it: whoever needs the memory busy fetches there.
#pragma once

#include <cstdint>

#include "forms.h"
#include "simd.h"

namespace product {

using forms::kBlock;
using forms::kInt8Group;
using forms::kRun;
using forms::kSmallGroup;
using simd::Floats;
using simd::Ints;

constexpr int kVectors = kBlock / simd::kLanes;

// Where one part of a row's group goes in its tile.
template <class Element>
struct Place {
    Element* elements;
    float* scales;
    int32_t* offsets;
};

// totals (rows, kBlock) += the sums of a group, from int32 to floats with the scales of weights and rows.
// They lie in memory, for within a group all registers are needed.
template <int kRows>
inline void add_scaled(const Ints (&sums)[kRows][kVectors], const uint8_t* scale_bytes,
                       const float* row_scales, float* totals) {
    const auto* scales = reinterpret_cast<const Bf16*>(scale_bytes);
    for (int v = 0; v < kVectors; ++v) {
        const Floats weight_scale = simd::load(scales + v * simd::kLanes);
        for (int r = 0; r < kRows; ++r) {
            float* at = totals + r * kBlock + v * simd::kLanes;
            const Floats scale = simd::mul(weight_scale, simd::broadcast(row_scales[r]));
            simd::store(at, simd::fma(simd::to_floats(sums[r][v]), scale, simd::load(at)));
        }
    }
}

}  // namespace product

#if defined(__AVX512VNNI__)
#include "kinds_quads.h"
#else
#include "kinds_pairs.h"
#endif

namespace product {

template <class Cell>
struct Float {
    using Element = float;
    static constexpr int kGroup = kSmallGroup;
    static constexpr int64_t kGroupBytes = kBlock * kGroup * sizeof(Cell);
    static constexpr int kSteps = kGroup;
    static constexpr bool kIsWidened = false;

    template <int kRows, class Step>
    static inline void add_group(const uint8_t* group, const float* x, const float*,
                                 const int32_t*, float* totals, const Step& step) {
        const auto* cells = reinterpret_cast<const Cell*>(group);
        Floats sums[kRows][kVectors];
        for (auto& row : sums) {
            for (auto& sum : row) sum = simd::zeros();
        }
#pragma GCC unroll 4
        for (int k = 0; k < kGroup; ++k) {
            step();
            Floats weights[kVectors];
            for (int v = 0; v < kVectors; ++v) {
                weights[v] = simd::load(cells + k * kBlock + v * simd::kLanes);
            }
            for (int r = 0; r < kRows; ++r) {
                const Floats input = simd::broadcast(x[r * kGroup + k]);
                for (int v = 0; v < kVectors; ++v) {
                    sums[r][v] = simd::fma(input, weights[v], sums[r][v]);
                }
            }
        }
        for (int r = 0; r < kRows; ++r) {
            for (int v = 0; v < kVectors; ++v) {
                float* at = totals + r * kBlock + v * simd::kLanes;
                simd::store(at, simd::add(simd::load(at), sums[r][v]));
            }
        }
    }
};

}  // namespace product
