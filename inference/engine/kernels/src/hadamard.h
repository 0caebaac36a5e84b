// A group of inputs, spread over all of its numbers.
//
// Behind an activation function a few numbers carry most of a group, and in steps of the largest of them
// the others are hardly told apart. Signs and the Walsh-Hadamard transform make every number a sum of
// all, so none stands out: weights are spread when they are packed, inputs before they are quantised, and
// the sum of their products stays what it was. A fixed pattern of signs keeps a mean from becoming one
// large number.
// Source: Ashkboos et al., QuaRot (2024), which does so in front of `down_proj`.
#pragma once

#include <array>
#include <cstdint>

#include "forms.h"
#include "simd.h"

namespace hadamard {

using simd::Floats;

constexpr int kGroup = forms::kInt8Group;
constexpr int kParts = kGroup / simd::kLanes;
// How many numbers carry a group: (sum of magnitudes)^2 / sum of squares is 1 where one does and kGroup
// where all are alike, some 80 if they are normally distributed and 30 to 50 behind SwiGLU. Carried by
// fewer than these it keeps a rest, for what the others add would be lost in the steps of the few.
constexpr float kFew = 20;

// Signs without a pattern: the first binary digits of the golden ratio's fraction.
constexpr std::array<float, kGroup> make_signs() {
    constexpr uint64_t kDigits[] = {0x9e3779b97f4a7c15, 0xf39cc0605cedc834};
    std::array<float, kGroup> signs{};
    for (int i = 0; i < kGroup; ++i) {
        signs[static_cast<size_t>(i)] = (kDigits[i / 64] >> (63 - i % 64) & 1) != 0 ? -1.0f : 1.0f;
    }
    return signs;
}
alignas(64) inline constexpr std::array<float, kGroup> kSigns = make_signs();

// Of all numbers that lie kApart apart, then twice as far and so on: sums and differences in their places.
// Twice the whole gives kGroup times what it began with.
template <int kApart = 1>
inline void transform(Floats (&x)[kParts]) {
    if constexpr (kApart < simd::kLanes) {
        for (auto& part : x) part = simd::cross_lanes<kApart>(part);
    } else {
        constexpr int kStep = kApart / simd::kLanes;
        for (int i = 0; i < kParts; ++i) {
            if ((i & kStep) != 0) continue;
            const Floats first = x[i], second = x[i + kStep];
            x[i] = simd::add(first, second);
            x[i + kStep] = simd::sub(first, second);
        }
    }
    if constexpr (2 * kApart < kGroup) transform<2 * kApart>(x);
}

inline Floats load_signed(const float* x, int part) {
    return simd::mul(simd::load(x + part * simd::kLanes),
                     simd::load(kSigns.data() + part * simd::kLanes));
}

// out = inputs spread; says whether few numbers carry them.
inline bool spread_inputs(const float* x, float* out) {
    Floats parts[kParts], magnitudes = simd::zeros(), squares = simd::zeros();
    for (int i = 0; i < kParts; ++i) {
        parts[i] = load_signed(x, i);
        magnitudes = simd::add(magnitudes, simd::larger_magnitude(parts[i], simd::zeros()));
        squares = simd::fma(parts[i], parts[i], squares);
    }
    transform(parts);
    for (int i = 0; i < kParts; ++i) simd::store(out + i * simd::kLanes, parts[i]);
    const float sum = simd::sum(magnitudes);
    return sum * sum < kFew * simd::sum(squares);
}

// An output's weights become those that meet spread inputs.
inline void spread_weights(float* x) {
    Floats parts[kParts];
    for (int i = 0; i < kParts; ++i) parts[i] = load_signed(x, i);
    transform(parts);
    for (int i = 0; i < kParts; ++i) {
        simd::store(x + i * simd::kLanes, simd::mul(parts[i], simd::broadcast(1.0f / kGroup)));
    }
}

// The way back: spread weights as they were, spread inputs kGroup times as large as they were.
inline void gather(float* x) {
    Floats parts[kParts];
    for (int i = 0; i < kParts; ++i) parts[i] = simd::load(x + i * simd::kLanes);
    transform(parts);
    for (int i = 0; i < kParts; ++i) simd::store(x + i * simd::kLanes, parts[i]);
    for (int i = 0; i < kParts; ++i) simd::store(x + i * simd::kLanes, load_signed(x, i));
}

}  // namespace hadamard
