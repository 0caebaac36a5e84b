// The steps of norms.h, each one or two passes over a row that lies in the first level of the cache.
#include "norms.h"

#include <cmath>

#include "maths.h"
#include "simd.h"

namespace norms {

using simd::Floats;
using simd::kLanes;

void rms(const float* x, const float* weight, float eps, int64_t width, float* out) {
    Floats squares = simd::zeros();
    for (int64_t i = 0; i < width; i += kLanes) {
        const Floats value = simd::load(x + i);
        squares = simd::fma(value, value, squares);
    }
    const float mean = simd::sum(squares) / static_cast<float>(width);
    const Floats factor = simd::broadcast(1 / std::sqrt(mean + eps));
    for (int64_t i = 0; i < width; i += kLanes) {
        const Floats scaled = simd::mul(simd::load(x + i), factor);
        simd::store(out + i, simd::mul(scaled, simd::load(weight + i)));
    }
}

void layer(const float* x, const float* weight, const float* bias, float eps, int64_t width,
           float* out) {
    Floats total = simd::zeros();
    for (int64_t i = 0; i < width; i += kLanes) total = simd::add(total, simd::load(x + i));
    const Floats mean = simd::broadcast(simd::sum(total) / static_cast<float>(width));
    Floats squares = simd::zeros();
    for (int64_t i = 0; i < width; i += kLanes) {
        const Floats apart = simd::sub(simd::load(x + i), mean);
        squares = simd::fma(apart, apart, squares);
    }
    const float variance = simd::sum(squares) / static_cast<float>(width);
    const Floats factor = simd::broadcast(1 / std::sqrt(variance + eps));
    for (int64_t i = 0; i < width; i += kLanes) {
        const Floats scaled = simd::mul(simd::sub(simd::load(x + i), mean), factor);
        simd::store(out + i, simd::fma(scaled, simd::load(weight + i), simd::load(bias + i)));
    }
}

void rotate(float* head, const float* cos, const float* sin, float factor, int64_t width) {
    const int64_t half = width / 2;
    const Floats scale = simd::broadcast(factor);
    for (int64_t i = 0; i < half; i += kLanes) {
        const Floats first = simd::load(head + i), second = simd::load(head + half + i);
        const Floats back = simd::mul(second, simd::load(sin + i));
        const Floats forth = simd::mul(first, simd::load(sin + half + i));
        const Floats low = simd::sub(simd::mul(first, simd::load(cos + i)), back);
        const Floats high = simd::fma(second, simd::load(cos + half + i), forth);
        simd::store(head + i, simd::mul(low, scale));
        simd::store(head + half + i, simd::mul(high, scale));
    }
}

void swiglu(const float* gate, const float* up, int64_t width, float* out) {
    for (int64_t i = 0; i < width; i += kLanes) {
        const Floats open = maths::silu(simd::load(gate + i));
        simd::store(out + i, simd::mul(open, simd::load(up + i)));
    }
}

void add(const float* x, int64_t width, float* out) {
    for (int64_t i = 0; i < width; i += kLanes) {
        simd::store(out + i, simd::add(simd::load(out + i), simd::load(x + i)));
    }
}

}  // namespace norms
