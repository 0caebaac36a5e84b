// The elementary functions of the kernels, on whole vectors.
#pragma once

#include <algorithm>
#include <cmath>

#include "simd.h"

namespace maths {

// exp(x), relative error below 3e-7; 0 below -87.3, the largest float's neighbourhood above 88.3;
// a NaN stays one. Cody and Waite's reduction, Cephes' polynomial (expf.c).
inline simd::Floats exp(simd::Floats x) {
    using simd::broadcast;
    using simd::fma;
    constexpr float kLowest = -87.3f, kHighest = 88.3f;
    const simd::Floats inside =
        simd::min(broadcast(kHighest), simd::max(broadcast(kLowest), x));
    const simd::Floats n = simd::round(simd::mul(inside, broadcast(1.44269504088896341f)));
    simd::Floats r = fma(n, broadcast(-0.693359375f), inside);
    r = fma(n, broadcast(2.12194440e-4f), r);
    simd::Floats p = broadcast(1.9875691500e-4f);
    p = fma(p, r, broadcast(1.3981999507e-3f));
    p = fma(p, r, broadcast(8.3334519073e-3f));
    p = fma(p, r, broadcast(4.1665795894e-2f));
    p = fma(p, r, broadcast(1.6666665459e-1f));
    p = fma(p, r, broadcast(5.0000001201e-1f));
    p = simd::add(fma(p, simd::mul(r, r), r), broadcast(1));
    return simd::keep_from(simd::scale_by_power(p, n), x, kLowest);
}

// 2^x of x up to 127, relative error below 4e-6; 2^-126 below -126; a NaN stays one.
// The coefficients give the smallest largest error of a polynomial that is 1 at 0.
inline simd::Floats exp2(simd::Floats x) {
    using simd::broadcast;
    using simd::fma;
    const simd::Floats inside = simd::max(broadcast(-126), x), n = simd::round(inside);
    const simd::Floats r = simd::sub(inside, n);
    simd::Floats p = fma(broadcast(9.58285e-3f), r, broadcast(5.590643e-2f));
    p = fma(p, r, broadcast(2.4024099e-1f));
    p = fma(p, r, broadcast(6.9312419e-1f));
    return simd::scale_by_power(fma(p, r, broadcast(1)), n);
}

// x * sigmoid(scale * x).
inline simd::Floats gate(simd::Floats x, simd::Floats scaled) {
    const simd::Floats one = simd::broadcast(1);
    return simd::div(x, simd::add(one, exp(simd::sub(simd::zeros(), scaled))));
}

inline simd::Floats silu(simd::Floats x) { return gate(x, x); }

// GELU, tanh approximation: 0.5 (1 + tanh(u)) is the sigmoid of 2u.
inline simd::Floats gelu(simd::Floats x) {
    constexpr float kTwice = 1.5957691216057308f;  // 2 sqrt(2 / pi)
    const simd::Floats cubic =
        simd::fma(simd::mul(x, x), simd::broadcast(kTwice * 0.044715f), simd::broadcast(kTwice));
    return gate(x, simd::mul(x, cubic));
}

// Of `count` numbers, whole vectors of them; a NaN beats every number.
inline float largest_magnitude(const float* x, int64_t count) {
    simd::Floats peak = simd::zeros();
    for (int64_t i = 0; i < count; i += simd::kLanes) {
        peak = simd::larger_magnitude(peak, simd::load(x + i));
    }
    return simd::peak_magnitude(peak);
}

// The number that outweighs all others of a group together (its square is above the sum of theirs), or
// null. There is none beside a NaN, which becomes the group's scale, for all who read it to see.
inline float* find_outlier(float* x, int64_t count) {
    simd::Floats squares = simd::zeros();
    for (int64_t i = 0; i < count; i += simd::kLanes) {
        const simd::Floats part = simd::load(x + i);
        squares = simd::fma(part, part, squares);
    }
    const float largest = largest_magnitude(x, count);
    if (!(2 * largest * largest > simd::sum(squares))) return nullptr;
    return std::max_element(x, x + count,
                            [](float a, float b) { return std::fabs(a) < std::fabs(b); });
}

}  // namespace maths
