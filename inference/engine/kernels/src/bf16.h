// One bfloat16 at a time; simd.h has vectors of them.
#pragma once

#include <cstdint>
#include <cstring>

#include "simd.h"

inline float to_float(Bf16 x) {
    const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
    float result;
    std::memcpy(&result, &bits, sizeof result);
    return result;
}

// The next bfloat16 that is no smaller in magnitude.
inline Bf16 away_from_zero(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    return Bf16{static_cast<uint16_t>((bits + 0xffff) >> 16)};
}

inline Bf16 nearest(float x) {
    Bf16 lanes[simd::kLanes];
    simd::store(lanes, simd::broadcast(x));
    return lanes[0];
}
