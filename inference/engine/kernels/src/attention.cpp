// The blocks of attention.h: two small products of registers with an exponential between them.
#include "attention.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "maths.h"

namespace attention {
namespace {

using simd::Floats;
using simd::kLanes;

constexpr int kVectors = kTileKeys / kLanes;
constexpr float kNothing = -std::numeric_limits<float>::infinity();

// out (kRows, 16), rows `out_stride` apart, (+)= x (kRows, depth) times y (depth, 16).
struct Strip {
    const float* x;
    int64_t x_stride;
    const float* y;
    int64_t y_stride;
    int64_t depth;
    float* out;
    int64_t out_stride;
    bool is_added;
};

template <int kRows>
void multiply_strip(const Strip& s) {
    Floats sums[kRows][kVectors];
    for (int r = 0; r < kRows; ++r) {
        for (int v = 0; v < kVectors; ++v) {
            const float* at = s.out + r * s.out_stride + v * kLanes;
            sums[r][v] = s.is_added ? simd::load(at) : simd::zeros();
        }
    }
#pragma GCC unroll 4
    for (int64_t k = 0; k < s.depth; ++k) {
        Floats y[kVectors];
        for (int v = 0; v < kVectors; ++v) y[v] = simd::load(s.y + k * s.y_stride + v * kLanes);
        for (int r = 0; r < kRows; ++r) {
            const Floats x = simd::broadcast(s.x[r * s.x_stride + k]);
            for (int v = 0; v < kVectors; ++v) sums[r][v] = simd::fma(x, y[v], sums[r][v]);
        }
    }
    for (int r = 0; r < kRows; ++r) {
        for (int v = 0; v < kVectors; ++v) {
            simd::store(s.out + r * s.out_stride + v * kLanes, sums[r][v]);
        }
    }
}

using MultiplyStrip = void (*)(const Strip&);

template <int... kRows>
MultiplyStrip choose(int64_t rows, std::integer_sequence<int, kRows...>) {
    constexpr MultiplyStrip kChoices[] = {multiply_strip<kRows + 1>...};
    return kChoices[rows - 1];
}

// The same for any number of rows.
void multiply_rows(Strip strip, int64_t rows) {
    for (int64_t first = 0; first < rows; first += kTileQueries) {
        const int64_t here = std::min<int64_t>(kTileQueries, rows - first);
        choose(here, std::make_integer_sequence<int, kTileQueries>())(strip);
        strip.x += kTileQueries * strip.x_stride;
        strip.out += kTileQueries * strip.out_stride;
    }
}

void scale(float* x, float factor, int64_t width) {
    const Floats by = simd::broadcast(factor);
    for (int64_t i = 0; i < width; i += kLanes) {
        simd::store(x + i, simd::mul(simd::load(x + i), by));
    }
}

float exp_one(float x) {
    float lanes[kLanes];
    simd::store(lanes, maths::exp(simd::broadcast(x)));
    return lanes[0];
}

}  // namespace

QueryBlock::QueryBlock(float* memory, int64_t count, int64_t width)
    : count_(count),
      width_(width),
      queries_(memory),
      outputs_(queries_ + count * width),
      scores_(outputs_ + count * width),
      peaks_(scores_ + count * kBlockKeys),
      totals_(peaks_ + count),
      limits_(reinterpret_cast<int32_t*>(totals_ + count)) {
    std::fill_n(outputs_, count * width, 0.0f);
    std::fill_n(peaks_, count, kNothing);
    std::fill_n(totals_, count, 0.0f);
}

void QueryBlock::absorb(int64_t first, int64_t count, const float* keys, const float* values) {
    score(count, keys);
    weigh(first, count);
    gather(count, values);
}

void QueryBlock::score(int64_t count, const float* keys) {
    for (int64_t key = 0; key < count; key += kTileKeys) {
        multiply_rows({queries_, width_, keys + key * width_, kTileKeys, width_, scores_ + key,
                       kBlockKeys, false},
                      count_);
    }
}

// Turns scores into weights relative to the new maximum, and what was gathered along with it.
void QueryBlock::weigh(int64_t first, int64_t count) {
    const int64_t padded = (count + kLanes - 1) / kLanes * kLanes;
    for (int64_t q = 0; q < count_; ++q) {
        float* scores = scores_ + q * kBlockKeys;
        const int64_t seen = std::clamp<int64_t>(limits_[q] - first, 0, count);
        std::fill(scores + seen, scores + padded, kNothing);
        Floats peak = simd::broadcast(peaks_[q]);
        for (int64_t i = 0; i < padded; i += kLanes) peak = simd::max(peak, simd::load(scores + i));
        const float highest = simd::peak(peak);
        Floats total = simd::zeros();
        for (int64_t i = 0; i < padded; i += kLanes) {
            const Floats apart = simd::sub(simd::load(scores + i), simd::broadcast(highest));
            const Floats weight = maths::exp(apart);
            simd::store(scores + i, weight);
            total = simd::add(total, weight);
        }
        if (highest != peaks_[q]) {
            const float factor = exp_one(peaks_[q] - highest);
            totals_[q] *= factor;
            scale(outputs_ + q * width_, factor, width_);
        }
        totals_[q] += simd::sum(total);
        peaks_[q] = highest;
    }
}

void QueryBlock::gather(int64_t count, const float* values) {
    for (int64_t d = 0; d < width_; d += kTileKeys) {
        multiply_rows({scores_, kBlockKeys, values + d, width_, count, outputs_ + d, width_, true},
                      count_);
    }
}

void QueryBlock::finish(int64_t i, float* out) const {
    const Floats by = simd::broadcast(1 / totals_[i]);
    for (int64_t d = 0; d < width_; d += kLanes) {
        simd::store(out + d, simd::mul(simd::load(outputs_ + i * width_ + d), by));
    }
}

}  // namespace attention
