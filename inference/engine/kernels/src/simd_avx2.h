// The vectors of AVX2 with FMA; included by simd.h alone, which says what each operation is.
#pragma once

#include <immintrin.h>

namespace simd {

constexpr int kLanes = 8;
constexpr bool kHasQuads = false;
using Floats = __m256;
using Ints = __m256i;
using Shorts = __m256i;

// Whether this processor has the instructions; safe to call on any.
inline bool is_supported() {
    return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
}

inline Floats zeros() { return _mm256_setzero_ps(); }
inline Floats broadcast(float x) { return _mm256_set1_ps(x); }
inline Floats broadcast(Bf16 x) {
    const __m256i bits = _mm256_set1_epi16(static_cast<int16_t>(x.bits));
    return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
}
inline Floats load(const float* p) { return _mm256_loadu_ps(p); }
inline Floats load(const Bf16* p) {
    const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}
inline Floats load(const int8_t* p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
}
inline void store(float* p, Floats x) { _mm256_storeu_ps(p, x); }

// Rounds to the nearest bfloat16, ties to even; a NaN stays one.
inline void store(Bf16* p, Floats x) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    const __m256i kept = _mm256_blendv_epi8(up, _mm256_set1_epi32(0x7fc00000), is_nan);
    const __m256i words = _mm256_srli_epi32(kept, 16);
    const __m128i packed =
        _mm_packus_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), packed);
}

// `x`, and `by` in the lanes whose byte is -128.
inline Floats replace_lowest(Floats x, const int8_t* bytes, Floats by) {
    const __m128i narrow = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes));
    const __m256i is_lowest =
        _mm256_cmpeq_epi32(_mm256_cvtepi8_epi32(narrow), _mm256_set1_epi32(-128));
    return _mm256_blendv_ps(x, by, _mm256_castsi256_ps(is_lowest));
}

inline Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
inline Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
inline Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
inline Floats div(Floats a, Floats b) { return _mm256_div_ps(a, b); }
inline Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
// A NaN in the second operand survives, one in the first does not.
inline Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
inline Floats min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
inline Floats round(Floats x) {
    return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// `x` where `test` is at least `limit`, or a NaN; else 0.
inline Floats keep_from(Floats x, Floats test, float limit) {
    return _mm256_and_ps(x, _mm256_cmp_ps(test, broadcast(limit), _CMP_NLT_UQ));
}
// x * 2^n for whole n in -126..127.
inline Floats scale_by_power(Floats x, Floats n) {
    const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return mul(x, _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23)));
}

// Whether any lane of a is above that of b, or either is a NaN.
inline bool is_any_above(Floats a, Floats b) {
    return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_NLE_UQ)) != 0;
}

// a + b and a - b of lanes a and b that are kApart apart, in their places.
template <int kApart>
inline Floats cross_lanes(Floats x) {
    constexpr int kSecond = kApart == 1 ? 0xaa : kApart == 2 ? 0xcc : 0xf0;
    const Floats sign = _mm256_blend_ps(broadcast(1), broadcast(-1), kSecond);
    if constexpr (kApart < 4) {
        return fma(x, sign, _mm256_permute_ps(x, kApart == 1 ? 0xb1 : 0x4e));
    } else {
        return fma(x, sign, _mm256_permute2f128_ps(x, x, 1));
    }
}

inline float sum(Floats x) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}
inline float peak(Floats x) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_movehdup_ps(half)));
}

// The larger magnitude in each lane; as bit patterns, so that a NaN beats every number.
inline Floats larger_magnitude(Floats a, Floats b) {
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    return _mm256_castsi256_ps(
        _mm256_max_epi32(_mm256_and_si256(_mm256_castps_si256(a), magnitude),
                         _mm256_and_si256(_mm256_castps_si256(b), magnitude)));
}
// The largest of the non-negative lanes; a NaN beats every number.
inline float peak_magnitude(Floats x) {
    const __m256i bits = _mm256_castps_si256(x);
    __m128i half = _mm_max_epi32(_mm256_castsi256_si128(bits), _mm256_extracti128_si256(bits, 1));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_max_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    return _mm_cvtss_f32(_mm_castsi128_ps(half));
}

inline Ints zero_ints() { return _mm256_setzero_si256(); }
inline Ints broadcast_int(int32_t x) { return _mm256_set1_epi32(x); }
inline Ints load_ints(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
inline Ints to_ints(Floats x) { return _mm256_cvtps_epi32(x); }
inline Floats to_floats(Ints x) { return _mm256_cvtepi32_ps(x); }
inline Ints add(Ints a, Ints b) { return _mm256_add_epi32(a, b); }
inline bool is_zero(Ints x) { return _mm256_testz_si256(x, x) != 0; }
inline int32_t sum(Ints x) {
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1)));
}

// 2 * kLanes int16 from two vectors of int32, saturated, in order.
inline void store_shorts(int16_t* p, Ints low, Ints high) {
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packs_epi32(low, high), 0xd8);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), packed);
}
// kLanes int8 from a vector of int32, saturated, in order.
inline void store_bytes(int8_t* p, Ints x) {
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(words, words));
}
inline Shorts load_shorts(const void* p) { return load_ints(p); }
inline void store_shorts(int16_t* p, Shorts x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x);
}
inline Shorts broadcast_short(int16_t x) { return _mm256_set1_epi16(x); }
inline Shorts add_shorts(Shorts a, Shorts b) { return _mm256_add_epi16(a, b); }
inline Shorts widen(const int8_t* p) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
inline Shorts broadcast_pair(const int16_t* p) {
    int32_t pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return _mm256_set1_epi32(pair);
}
// In each int32 lane: low, then high, of which only the lower 16 bits count.
inline Shorts join_pairs(Ints low, Ints high) {
    return _mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xaa);
}
// Nibble 0..3 of each 16-bit lane, as 0..15.
template <int kNibble>
inline Shorts nibble(Shorts x) {
    if constexpr (kNibble == 3) {
        return _mm256_srli_epi16(x, 12);
    } else {
        return _mm256_and_si256(_mm256_srli_epi16(x, 4 * kNibble), _mm256_set1_epi16(15));
    }
}
// In each int32 lane: sum + a0 * b0 + a1 * b1 over the lane's two int16 of a and of b.
// The empty statement keeps the compiler from summing unrolled products as a tree, for which it puts
// all of them into memory first: that took five times as long.
inline Ints add_pairs(Ints sum, Shorts a, Shorts b) {
    Ints next = _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
    asm("" : "+x"(next));
    return next;
}

// The narrowest multiplication, for the probe: so many products of bytes in each lane.
constexpr int kProbedProducts = 2;
inline Ints add_products(Ints sum, Ints a, Ints b) { return add_pairs(sum, a, b); }

inline void prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0); }
inline void prefetch_to_write(const void* p) { __builtin_prefetch(p, 1, 3); }
inline void pause() { _mm_pause(); }
// How the thread rounds and treats denormal numbers (MXCSR).
inline uint32_t float_mode() { return _mm_getcsr(); }
inline void set_float_mode(uint32_t mode) { _mm_setcsr(mode); }
inline uint32_t without_denormals(uint32_t mode) { return mode | 0x8040; }

// Exchanges rows and columns of a kLanes x kLanes square.
inline void transpose(Floats (&r)[kLanes]) {
    Floats t[kLanes];
    for (int i = 0; i < kLanes; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    Floats u[kLanes];
    for (int i = 0; i < kLanes; i += 4) {
        u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; ++i) {
        r[i] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
        r[i + 4] = _mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
    }
}

}  // namespace simd
