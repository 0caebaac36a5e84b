// Row-wise steps between the products: norms, rotary angles, the gate of the MLP.
// Widths are multiples of 16 (a head's half) or 32 (everything else).
#pragma once

#include <cstdint>

namespace norms {

// out = x / sqrt(mean(x^2) + eps) * weight; `out` may be `x`.
void rms(const float* x, const float* weight, float eps, int64_t width, float* out);

// out = (x - mean) / sqrt(variance + eps) * weight + bias.
void layer(const float* x, const float* weight, const float* bias, float eps, int64_t width,
           float* out);

// Turns a head in place: the first half pairs with the second (x cos + rotate_half(x) sin), then
// multiplies by `factor`. `cos` and `sin` have `width` numbers.
void rotate(float* head, const float* cos, const float* sin, float factor, int64_t width);

// out = silu(gate) * up.
void swiglu(const float* gate, const float* up, int64_t width, float* out);

// out += x.
void add(const float* x, int64_t width, float* out);

}  // namespace norms
