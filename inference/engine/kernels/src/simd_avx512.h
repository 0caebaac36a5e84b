// The vectors of AVX-512 with VNNI; included by simd.h alone, which says what each operation is.
#pragma once

#include <immintrin.h>

namespace simd {

constexpr int kLanes = 16;
constexpr bool kHasQuads = true;
using Floats = __m512;
using Ints = __m512i;
using Shorts = __m512i;

// Whether this processor has the instructions; safe to call on any.
inline bool is_supported() {
    return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
           __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
           __builtin_cpu_supports("avx512vnni") != 0;
}

inline Floats zeros() { return _mm512_setzero_ps(); }
inline Floats broadcast(float x) { return _mm512_set1_ps(x); }
inline Floats broadcast(Bf16 x) {
    const __m512i bits = _mm512_set1_epi16(static_cast<int16_t>(x.bits));
    return _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
}
inline Floats load(const float* p) { return _mm512_loadu_ps(p); }
inline Floats load(const Bf16* p) {
    const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}
inline Floats load(const int8_t* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}
inline void store(float* p, Floats x) { _mm512_storeu_ps(p, x); }

// Rounds to the nearest bfloat16, ties to even; a NaN stays one.
inline void store(Bf16* p, Floats x) {
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __mmask16 is_nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    const __m512i kept = _mm512_mask_mov_epi32(up, is_nan, _mm512_set1_epi32(0x7fc00000));
    const __m256i packed = _mm512_cvtepi32_epi16(_mm512_srli_epi32(kept, 16));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), packed);
}

// `x`, and `by` in the lanes whose byte is -128.
inline Floats replace_lowest(Floats x, const int8_t* bytes, Floats by) {
    const __m128i narrow = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
    return _mm512_mask_mov_ps(x, _mm_cmpeq_epi8_mask(narrow, _mm_set1_epi8(-128)), by);
}

inline Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
inline Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
inline Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
inline Floats div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
inline Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
// A NaN in the second operand survives, one in the first does not.
inline Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
inline Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
inline Floats round(Floats x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
// `x` where `test` is at least `limit`, or a NaN; else 0.
inline Floats keep_from(Floats x, Floats test, float limit) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(test, broadcast(limit), _CMP_NLT_UQ), x);
}
// x * 2^n for whole n in -126..127.
inline Floats scale_by_power(Floats x, Floats n) { return _mm512_scalef_ps(x, n); }

// Whether any lane of a is above that of b, or either is a NaN.
inline bool is_any_above(Floats a, Floats b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_NLE_UQ) != 0;
}

// a + b and a - b of lanes a and b that are kApart apart, in their places.
template <int kApart>
inline Floats cross_lanes(Floats x) {
    constexpr int kSecond = kApart == 1 ? 0xaaaa : kApart == 2 ? 0xcccc : kApart == 4 ? 0xf0f0 : 0xff00;
    const Floats sign = _mm512_mask_blend_ps(kSecond, broadcast(1), broadcast(-1));
    if constexpr (kApart < 4) {
        return fma(x, sign, _mm512_permute_ps(x, kApart == 1 ? 0xb1 : 0x4e));
    } else {
        return fma(x, sign, _mm512_shuffle_f32x4(x, x, kApart == 4 ? 0xb1 : 0x4e));
    }
}

inline float sum(Floats x) { return _mm512_reduce_add_ps(x); }
inline float peak(Floats x) { return _mm512_reduce_max_ps(x); }

// The larger magnitude in each lane; as bit patterns, so that a NaN beats every number.
inline Floats larger_magnitude(Floats a, Floats b) {
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    return _mm512_castsi512_ps(
        _mm512_max_epi32(_mm512_and_si512(_mm512_castps_si512(a), magnitude),
                         _mm512_and_si512(_mm512_castps_si512(b), magnitude)));
}
// The largest of the non-negative lanes; a NaN beats every number.
inline float peak_magnitude(Floats x) {
    const int32_t bits = _mm512_reduce_max_epi32(_mm512_castps_si512(x));
    float result;
    __builtin_memcpy(&result, &bits, sizeof result);
    return result;
}

inline Ints zero_ints() { return _mm512_setzero_si512(); }
inline Ints broadcast_int(int32_t x) { return _mm512_set1_epi32(x); }
inline Ints load_ints(const void* p) { return _mm512_loadu_si512(p); }
inline void store_ints(void* p, Ints x) { _mm512_storeu_si512(p, x); }
inline Ints to_ints(Floats x) { return _mm512_cvtps_epi32(x); }
inline Floats to_floats(Ints x) { return _mm512_cvtepi32_ps(x); }
inline Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
inline bool is_zero(Ints x) { return _mm512_test_epi32_mask(x, x) == 0; }
inline int32_t sum(Ints x) { return _mm512_reduce_add_epi32(x); }

// 2 * kLanes int16 from two vectors of int32, saturated, in order.
inline void store_shorts(int16_t* p, Ints low, Ints high) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtsepi32_epi16(low));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + kLanes), _mm512_cvtsepi32_epi16(high));
}
inline Shorts load_shorts(const void* p) { return load_ints(p); }
inline void store_shorts(int16_t* p, Shorts x) { store_ints(p, x); }
inline Shorts broadcast_pair(const int16_t* p) {
    int32_t pair;
    __builtin_memcpy(&pair, p, sizeof pair);
    return _mm512_set1_epi32(pair);
}
// In each int32 lane: low, then high, of which only the lower 16 bits count.
inline Shorts join_pairs(Ints low, Ints high) {
    return _mm512_mask_blend_epi16(0xaaaaaaaa, low, _mm512_slli_epi32(high, 16));
}
// In each int32 lane: sum + a0 * b0 + a1 * b1 over the lane's two int16 of a and of b.
// The empty statement keeps the order of the sums, see add_pairs of AVX2.
inline Ints add_pairs(Ints sum, Shorts a, Shorts b) {
    Ints next = _mm512_dpwssd_epi32(sum, a, b);
    asm("" : "+v"(next));
    return next;
}

// kLanes int8 from a vector of int32, saturated.
inline void store_bytes(int8_t* p, Ints x) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(x));
}
// Four bytes in each lane.
inline Ints broadcast_quad(const int8_t* p) {
    int32_t quad;
    __builtin_memcpy(&quad, p, sizeof quad);
    return _mm512_set1_epi32(quad);
}
// Nibble 0 or 1 of each byte, as 0..15.
template <int kNibble>
inline Ints nibble_of_bytes(Ints x) {
    return _mm512_and_si512(kNibble == 0 ? x : _mm512_srli_epi16(x, 4), _mm512_set1_epi8(15));
}
// In each int32 lane: sum + the products of the lane's four uint8 of a and int8 of b.
// The empty statement keeps the order of the sums, as in add_pairs.
inline Ints add_quads(Ints sum, Ints a, Ints b) {
    Ints next = _mm512_dpbusd_epi32(sum, a, b);
    asm("" : "+v"(next));
    return next;
}
// The narrowest multiplication, for the probe: so many products of bytes in each lane.
constexpr int kProbedProducts = 4;
inline Ints add_products(Ints sum, Ints a, Ints b) { return add_quads(sum, a, b); }

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
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    // u[i + j]: within each quarter, column j of the rows i to i + 3.
    Floats u[kLanes];
    for (int i = 0; i < kLanes; i += 4) {
        u[i] = _mm512_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm512_shuffle_ps(t[i], t[i + 2], 0xee);
        u[i + 2] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm512_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int j = 0; j < 4; ++j) {
        const Floats low = _mm512_shuffle_f32x4(u[j], u[j + 4], 0x88);
        const Floats high = _mm512_shuffle_f32x4(u[j], u[j + 4], 0xdd);
        const Floats low2 = _mm512_shuffle_f32x4(u[j + 8], u[j + 12], 0x88);
        const Floats high2 = _mm512_shuffle_f32x4(u[j + 8], u[j + 12], 0xdd);
        r[j] = _mm512_shuffle_f32x4(low, low2, 0x88);
        r[j + 8] = _mm512_shuffle_f32x4(low, low2, 0xdd);
        r[j + 4] = _mm512_shuffle_f32x4(high, high2, 0x88);
        r[j + 12] = _mm512_shuffle_f32x4(high, high2, 0xdd);
    }
}

}  // namespace simd
