// Integer weights times activations in int8, four inputs at a time; included by kinds.h alone.
//
// A row's group of inputs shares a scale, so an outlier costs precision in its own group only. Where it
// would cost much, what rounding left over is quantised too, 254 times as fine, and multiplied after
// the chunk, in tiles of whichever rows have a rest in the same group: behind SwiGLU one group in
// seven has. That is decided by the group itself, so a row's result does
// not depend on the rows beside it.
#pragma once

namespace product {

using Element = int8_t;

constexpr bool kHasRests = true;
constexpr float kLargest = 127;
constexpr float kRestSteps = 254;  // of a rest in one step of the number
// The largest square of a group over the mean square, from which on a rest is kept. Of 32 normally
// distributed numbers one group in 3,000 is above; one outlier alone makes it 32.
constexpr float kCrest = 20;

// Writes 32 whole numbers x * factor, returns the sum of what was written.
inline int32_t put_whole(const simd::Floats (&x)[2], float factor, int8_t* out) {
    const simd::Ints low = simd::to_ints(simd::mul(x[0], simd::broadcast(factor)));
    const simd::Ints high = simd::to_ints(simd::mul(x[1], simd::broadcast(factor)));
    simd::store_bytes(out, low);
    simd::store_bytes(out + simd::kLanes, high);
    return simd::sum(simd::add(low, high));
}

// Quantises a row's 32 numbers; `offset` is what was added to the weights that they will meet.
// Where there is a rest, `take_rest` says where it goes.
template <class TakeRest>
inline void quantise(const float* x, int offset, const Place<Element>& out,
                     const TakeRest& take_rest) {
    simd::Floats values[2] = {simd::load(x), simd::load(x + simd::kLanes)};
    const float largest =
        simd::peak_magnitude(simd::larger_magnitude(values[0], simd::larger_magnitude(
                                                        values[1], simd::zeros())));
    const float factor = largest == 0 ? 0 : kLargest / largest, scale = largest / kLargest;
    *out.offsets = -offset * put_whole(values, factor, out.elements);
    *out.scales = scale;
    const simd::Floats squares =
        simd::fma(values[0], values[0], simd::mul(values[1], values[1]));
    if (largest * largest * kGroup <= kCrest * simd::sum(squares)) return;
    const Place<Element> rest = take_rest();
    for (auto& value : values) {
        const simd::Floats whole = simd::round(simd::mul(value, simd::broadcast(factor)));
        value = simd::fma(whole, simd::broadcast(-scale), value);
    }
    *rest.offsets = -offset * put_whole(values, factor * kRestSteps, rest.elements);
    *rest.scales = scale / kRestSteps;
}

// totals += a group; `weights_of(quad, v)` gives a vector of weights.
template <int kRows, class Weights>
inline void add_quads_of_group(const Weights& weights_of, const int8_t* x, const float* scales,
                               const int32_t* offsets, const uint8_t* weight_scales,
                               Floats (&totals)[kRows][kVectors]) {
    Ints sums[kRows][kVectors];
    for (int r = 0; r < kRows; ++r) {
        for (auto& sum : sums[r]) sum = simd::broadcast_int(offsets[r]);
    }
#pragma GCC unroll 8
    for (int quad = 0; quad < kRuns; ++quad) {
        Ints weights[kVectors];
        for (int v = 0; v < kVectors; ++v) weights[v] = weights_of(quad, v);
        for (int r = 0; r < kRows; ++r) {
            const Ints inputs = simd::broadcast_quad(x + r * kGroup + quad * 4);
            for (int v = 0; v < kVectors; ++v) {
                sums[r][v] = simd::add_quads(sums[r][v], weights[v], inputs);
            }
        }
    }
    add_scaled<kRows>(sums, weight_scales, scales, totals);
}

struct Int8 {
    using Element = int8_t;
    static constexpr int64_t kGroupBytes = forms::group_bytes(kInt8);
    static constexpr int64_t kScalesAt = kBlock * kGroup;
    static constexpr bool kIsWidened = false;

    template <int kRows>
    static inline void add_group(const uint8_t* group, const int8_t* x, const float* scales,
                                 const int32_t* offsets, Floats (&totals)[kRows][kVectors]) {
        const auto weights = [&](int quad, int v) {
            return simd::load_ints(group + (quad * kVectors + v) * 4 * simd::kLanes);
        };
        add_quads_of_group<kRows>(weights, x, scales, offsets, group + kScalesAt, totals);
    }
};

// Nibbles of int4, a byte each in the order of int8's.
using Wide = Int8;

struct Int4 {
    using Element = int8_t;
    static constexpr int64_t kGroupBytes = forms::group_bytes(kInt4);
    static constexpr int64_t kScalesAt = kBlock * kGroup / 2;
    static constexpr bool kIsWidened = true;

    template <int kRows>
    static inline void add_group(const uint8_t* group, const int8_t* x, const float* scales,
                                 const int32_t* offsets, Floats (&totals)[kRows][kVectors]) {
        const auto weights = [&](int quad, int v) { return nibbles(group, quad, v); };
        add_quads_of_group<kRows>(weights, x, scales, offsets, group + kScalesAt, totals);
    }

    static inline void widen_weights(const uint8_t* group, uint8_t* out) {
        for (int quad = 0; quad < kRuns; ++quad) {
            for (int v = 0; v < kVectors; ++v) {
                simd::store_ints(out + (quad * kVectors + v) * 4 * simd::kLanes,
                                 nibbles(group, quad, v));
            }
        }
    }

  private:
    static inline Ints nibbles(const uint8_t* group, int quad, int v) {
        const Ints bytes =
            simd::load_ints(group + (quad / 2 * kVectors + v) * 4 * simd::kLanes);
        return quad % 2 == 0 ? simd::nibble_of_bytes<0>(bytes) : simd::nibble_of_bytes<1>(bytes);
    }
};

}  // namespace product
