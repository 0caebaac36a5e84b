// Integer weights times activations in int8, four inputs at a time; included by kinds.h alone.
//
// A row's group of inputs shares a scale, so an outlier costs precision in its own group only. Where it
// would cost much, what rounding left over is quantised too, 254 times as fine, and multiplied after
// the chunk, in tiles of whichever rows have a rest in the same group. That is decided by the group
// itself, so a row's result does not depend on the rows beside it.
#pragma once

namespace product {

using Element = int8_t;

constexpr bool kHasRests = true;
constexpr float kLargest = 127;
constexpr float kRestSteps = 254;  // of a rest in one step of the number
// The largest square of a group over the mean square, from which on a rest is kept. Normally distributed
// numbers stay below, one outlier alone makes it 32 or 128. Behind SwiGLU one group of 32 in seven is
// above; groups of 128 are spread there (hadamard.h).
template <int kGroup>
constexpr float kCrest = kGroup == kInt8Group ? 30 : 20;

// Writes whole numbers x * factor, returns the sum of what was written.
template <int kParts>
inline int32_t put_whole(const simd::Floats (&x)[kParts], float factor, int8_t* out) {
    simd::Ints sums = simd::zero_ints();
    for (int i = 0; i < kParts; ++i) {
        const simd::Ints whole = simd::to_ints(simd::mul(x[i], simd::broadcast(factor)));
        simd::store_bytes(out + i * simd::kLanes, whole);
        sums = simd::add(sums, whole);
    }
    return simd::sum(sums);
}

// Whether a rest is kept of a group with this largest magnitude.
template <int kGroup>
inline bool is_uneven(const simd::Floats (&values)[kGroup / simd::kLanes], float largest) {
    simd::Floats squares = simd::zeros();
    for (const auto& value : values) squares = simd::fma(value, value, squares);
    return largest * largest * kGroup > kCrest<kGroup> * simd::sum(squares);
}

// Quantises a row's group; `offset` is what was added to the weights that it will meet.
// Where there is a rest, which `needs_rest` decides, `take_rest` says where it goes.
template <int kGroup, class NeedsRest, class TakeRest>
inline void quantise(const float* x, int offset, const Place<Element>& out,
                     const NeedsRest& needs_rest, const TakeRest& take_rest) {
    constexpr int kParts = kGroup / simd::kLanes;
    simd::Floats values[kParts], peak = simd::zeros();
    for (int i = 0; i < kParts; ++i) {
        values[i] = simd::load(x + i * simd::kLanes);
        peak = simd::larger_magnitude(values[i], peak);
    }
    const float largest = simd::peak_magnitude(peak);
    const float factor = largest == 0 ? 0 : kLargest / largest, scale = largest / kLargest;
    *out.offsets = -offset * put_whole(values, factor, out.elements);
    *out.scales = scale;
    if (!needs_rest(values, largest)) return;
    const Place<Element> rest = take_rest();
    for (auto& value : values) {
        const simd::Floats whole = simd::round(simd::mul(value, simd::broadcast(factor)));
        value = simd::fma(whole, simd::broadcast(-scale), value);
    }
    *rest.offsets = -offset * put_whole(values, factor * kRestSteps, rest.elements);
    *rest.scales = scale / kRestSteps;
}

// totals += a group; `weights_of(quad, v)` gives a vector of weights, a step is a quad.
template <int kGroup, int kRows, class Weights, class Step>
inline void add_quads_of_group(const Weights& weights_of, const int8_t* x, const float* scales,
                               const int32_t* offsets, const uint8_t* weight_scales,
                               float* totals, const Step& step) {
    Ints sums[kRows][kVectors];
    for (int r = 0; r < kRows; ++r) {
        for (auto& sum : sums[r]) sum = simd::broadcast_int(offsets[r]);
    }
#pragma GCC unroll 8
    for (int quad = 0; quad < kGroup / kRun; ++quad) {
        step();
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

// A byte a weight.
template <int kInputs>
struct Bytes {
    using Element = int8_t;
    static constexpr int kGroup = kInputs;
    static constexpr int64_t kGroupBytes = kBlock * kGroup + forms::kScaleBytes;
    static constexpr int64_t kScalesAt = kBlock * kGroup;
    static constexpr int kSteps = kGroup / kRun;
    static constexpr bool kIsWidened = false;

    template <int kRows, class Step>
    static inline void add_group(const uint8_t* group, const int8_t* x, const float* scales,
                                 const int32_t* offsets, float* totals, const Step& step) {
        const auto weights = [&](int quad, int v) {
            return simd::load_ints(group + (quad * kVectors + v) * 4 * simd::kLanes);
        };
        add_quads_of_group<kGroup, kRows>(weights, x, scales, offsets, group + kScalesAt, totals,
                                          step);
    }
};

using Int8 = Bytes<kInt8Group>;

// Nibbles of int4, a byte each in the order of int8's.
using Wide = Bytes<kSmallGroup>;

struct Int4 {
    using Element = int8_t;
    static constexpr int kGroup = kSmallGroup;
    static constexpr int64_t kGroupBytes = forms::group_bytes(kInt4);
    static constexpr int64_t kScalesAt = kBlock * kGroup / 2;
    static constexpr int kSteps = kGroup / kRun;
    static constexpr bool kIsWidened = true;

    template <int kRows, class Step>
    static inline void add_group(const uint8_t* group, const int8_t* x, const float* scales,
                                 const int32_t* offsets, float* totals, const Step& step) {
        const auto weights = [&](int quad, int v) { return nibbles(group, quad, v); };
        add_quads_of_group<kGroup, kRows>(weights, x, scales, offsets, group + kScalesAt, totals,
                                          step);
    }

    static inline void widen_weights(const uint8_t* group, uint8_t* out) {
        for (int quad = 0; quad < kGroup / kRun; ++quad) {
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
