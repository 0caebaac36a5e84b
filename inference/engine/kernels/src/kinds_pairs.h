// Integer weights times activations in int16, two inputs at a time; included by kinds.h alone.
//
// A row's group of inputs shares a scale, so an outlier costs precision in its own group only: 2^-16 of the
// group's largest number. Where one number is most of a group, what rounding left over is kept too, as
// in kinds_quads.h.
#pragma once

namespace product {

using Element = int16_t;
using simd::Shorts;

constexpr bool kHasRests = true;
constexpr float kLargest = 32767;  // 128 * 127 * 32767 < 2^31

constexpr float kRestSteps = 254;  // of a rest in one step of the number

// Writes whole numbers x * factor, returns the sum of what was written.
template <int kParts>
inline int32_t put_whole(const simd::Floats (&x)[kParts], float factor, int16_t* out) {
    simd::Ints sums = simd::zero_ints();
    for (int i = 0; i < kParts; i += 2) {
        const simd::Ints low = simd::to_ints(simd::mul(x[i], simd::broadcast(factor)));
        const simd::Ints high = simd::to_ints(simd::mul(x[i + 1], simd::broadcast(factor)));
        simd::store_shorts(out + i * simd::kLanes, low, high);
        sums = simd::add(sums, simd::add(low, high));
    }
    return simd::sum(sums);
}

constexpr float kMostOfGroup = 0.75;  // of the sum of squares

// Whether a rest is kept of a group with this largest magnitude.
template <int kGroup>
inline bool is_uneven(const simd::Floats (&values)[kGroup / simd::kLanes], float largest) {
    simd::Floats squares = simd::zeros();
    for (const auto& value : values) squares = simd::fma(value, value, squares);
    return largest * largest > kMostOfGroup * simd::sum(squares);
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

// sums of a tile += a group's pairs of inputs; `weights(pair, v)` gives a vector of them, a step is two.
template <int kGroup, int kRows, class Weights, class Step>
inline void add_pairs_of_group(const Weights& weights_of, const int16_t* x,
                               Ints (&sums)[kRows][kVectors], const Step& step) {
#pragma GCC unroll 16
    for (int pair = 0; pair < kGroup / kRun; ++pair) {
        if (pair % 2 == 0) step();
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
    static constexpr int kGroup = kSmallGroup;
    static constexpr int64_t kScalesAt = kBlock * kGroup * sizeof(int16_t);
    static constexpr int64_t kGroupBytes = kScalesAt + kBlock * sizeof(Bf16);
    static constexpr int kSteps = kGroup / kRun / 2;

    template <int kRows, class Step>
    static inline void add_group(const uint8_t* group, const int16_t* x, const float* scales,
                                 const int32_t*, float* totals, const Step& step) {
        Ints sums[kRows][kVectors] = {};
        const auto weights = [&](int pair, int v) {
            return simd::load_shorts(group + (pair * kVectors + v) * 4 * simd::kLanes);
        };
        add_pairs_of_group<kGroup, kRows>(weights, x, sums, step);
        add_scaled<kRows>(sums, group + kScalesAt, scales, totals);
    }
};

struct Int8 {
    using Element = int16_t;
    static constexpr int kGroup = kInt8Group;
    static constexpr int64_t kGroupBytes = forms::group_bytes(kInt8);
    static constexpr int64_t kScalesAt = forms::kInt8ScalesAt;
    static constexpr int kSteps = kGroup / kRun / 2;
    static constexpr bool kIsWidened = false;

    template <int kRows, class Step>
    static inline void add_group(const uint8_t* group, const int16_t* x, const float* scales,
                                 const int32_t*, float* totals, const Step& step) {
        Ints sums[kRows][kVectors] = {};
        const auto weights = [&](int pair, int v) {
            const uint8_t* at = group + (pair * kVectors + v) * 2 * simd::kLanes;
            return simd::widen(reinterpret_cast<const int8_t*>(at));
        };
        add_pairs_of_group<kGroup, kRows>(weights, x, sums, step);
        add_scaled<kRows>(sums, group + kScalesAt, scales, totals);
    }
};

struct Int4 {
    using Element = int16_t;
    static constexpr int kGroup = kSmallGroup;
    static constexpr int64_t kGroupBytes = forms::group_bytes(kInt4);
    static constexpr int64_t kScalesAt = kBlock * kGroup / 2;
    static constexpr int kSteps = kGroup / kRun / 4;
    static constexpr bool kIsWidened = true;

    template <int kRows, class Step>
    static inline void add_group(const uint8_t* group, const int16_t* x, const float* scales,
                                 const int32_t* offsets, float* totals, const Step& step) {
        Ints sums[kRows][kVectors];
        for (int r = 0; r < kRows; ++r) {
            for (auto& sum : sums[r]) sum = simd::broadcast_int(offsets[r]);
        }
#pragma GCC unroll 4
        for (int quad = 0; quad < kSteps; ++quad) {
            step();
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

    static inline void widen_weights(const uint8_t* group, uint8_t* bytes) {
        auto* out = reinterpret_cast<int16_t*>(bytes);
        for (int quad = 0; quad < kGroup / kRun / 4; ++quad) {
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

}  // namespace product
