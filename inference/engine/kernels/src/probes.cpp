// What the machine can do at this moment: the most int8 products, the fastest reading.
#include <atomic>

#include "abi.h"
#include "maths.h"
#include "simd.h"
#include "threads.h"

namespace {

constexpr int kChains = 12;

}  // namespace

VL_EXPORT int64_t vl_peak_int8(int64_t rounds) {
    const threads::Call call;
    const int64_t units = threads::count();
    std::atomic<int64_t> guard{0};
    threads::for_each(units, [&](int64_t unit, int) {
        const simd::Ints a = simd::broadcast_int(static_cast<int32_t>(unit) + 1);
        simd::Ints b = simd::broadcast_int(1);
        simd::Ints sums[kChains] = {};
        for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
            for (int i = 0; i < kChains; ++i) {
                asm("" : "+v"(b));  // or the compiler would multiply once for all chains
                sums[i] = simd::add_products(sums[i], a, b);
            }
        }
        for (int i = 1; i < kChains; ++i) sums[0] = simd::add(sums[0], sums[i]);
        guard += simd::sum(sums[0]);
    });
    const int64_t operations = units * rounds * kChains * simd::kLanes * simd::kProbedProducts * 2;
    return guard == -1 ? 0 : operations;
}

VL_EXPORT int64_t vl_stream_bytes(const uint8_t* memory, int64_t bytes) {
    constexpr int64_t kUnit = 64 * 1024, kStep = simd::kLanes * 4, kAhead = 4096;
    const threads::Call call;
    std::atomic<int64_t> total{0};
    threads::for_each(bytes / kUnit, [&](int64_t unit, int) {
        const uint8_t* at = memory + unit * kUnit;
        simd::Ints sums[4] = {};
        for (int64_t i = 0; i < kUnit; i += 4 * kStep) {
            for (int64_t j = 0; j < 4 * kStep; j += 64) simd::prefetch(at + i + kAhead + j);
            for (int j = 0; j < 4; ++j) {
                sums[j] = simd::add(sums[j], simd::load_ints(at + i + j * kStep));
            }
        }
        total += simd::sum(simd::add(simd::add(sums[0], sums[1]), simd::add(sums[2], sums[3])));
    });
    return total;
}

VL_EXPORT void vl_exp(const float* x, float* out, int64_t count) {
    for (int64_t i = 0; i < count; i += simd::kLanes) {
        float lanes[simd::kLanes] = {};
        const int64_t here = count - i < simd::kLanes ? count - i : simd::kLanes;
        __builtin_memcpy(lanes, x + i, static_cast<size_t>(here) * sizeof(float));
        simd::store(lanes, maths::exp(simd::load(lanes)));
        __builtin_memcpy(out + i, lanes, static_cast<size_t>(here) * sizeof(float));
    }
}
