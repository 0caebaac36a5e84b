// Attention of a block of queries over keys that come in blocks (flash attention, arXiv 2205.14135),
// in float32, with a running maximum: the scores of a long context are never held at once.
//
// Queries carry the factor 1 / sqrt(D) already. What a query receives does not depend on the other
// queries of its block, so that results do not change with the way rows are grouped.
#pragma once

#include <cstdint>

#include "simd.h"

namespace attention {

constexpr int kTileKeys = 16;    // keys of a tile: (D, 16), a key a column
constexpr int kBlockKeys = 64;   // keys absorbed at a time
constexpr int kTileQueries = simd::kLanes == 16 ? 12 : 6;  // 12 sums hide the latency

// Up to `count` queries of width D and what they have gathered, in memory of the caller.
class QueryBlock {
  public:
    // How many floats a block of `count` queries needs.
    static int64_t size(int64_t count, int64_t width) {
        return count * (2 * width + kBlockKeys + 3);
    }

    // Starts a block in `memory` of that size. Fill queries and limits next.
    QueryBlock(float* memory, int64_t count, int64_t width);

    float* query(int64_t i) { return queries_ + i * width_; }
    // Query i sees the keys below `keys`.
    void set_limit(int64_t i, int64_t keys) { limits_[i] = static_cast<int32_t>(keys); }

    // Takes in the keys from `first` on, `count` up to kBlockKeys: `keys` in whole tiles, whatever
    // stands behind the last key; `values` (count, D). Blocks come in order, the first holds a key
    // that every query sees.
    void absorb(int64_t first, int64_t count, const float* keys, const float* values);

    // Writes what query i receives to `out` (D).
    void finish(int64_t i, float* out) const;

  private:
    void score(int64_t count, const float* keys);
    void weigh(int64_t first, int64_t count);
    void gather(int64_t count, const float* values);

    int64_t count_, width_;
    float *queries_, *outputs_, *scores_, *peaks_, *totals_;
    int32_t* limits_;
};

// Rows of numbers, `stride` apart.
struct Strided {
    const float* start;
    int64_t stride;

    simd::Floats load(int64_t row, int64_t d) const { return simd::load(start + row * stride + d); }
};

// Turns up to kColumns keys into a tile; columns behind `count` become 0.
template <int kColumns = kTileKeys, class Rows>
void make_tile(const Rows& keys, int64_t count, int64_t width, float* tile) {
    for (int64_t column = 0; column < kColumns; column += simd::kLanes) {
        for (int64_t d = 0; d < width; d += simd::kLanes) {
            simd::Floats square[simd::kLanes];
            for (int i = 0; i < simd::kLanes; ++i) {
                const int64_t key = column + i;
                square[i] = key < count ? keys.load(key, d) : simd::zeros();
            }
            simd::transpose(square);
            for (int i = 0; i < simd::kLanes; ++i) {
                simd::store(tile + (d + i) * kColumns + column, square[i]);
            }
        }
    }
}

// Copies `count` values to (count, width) floats.
template <class Rows>
void copy_values(const Rows& values, int64_t count, int64_t width, float* out) {
    for (int64_t key = 0; key < count; ++key) {
        for (int64_t d = 0; d < width; d += simd::kLanes) {
            simd::store(out + key * width + d, values.load(key, d));
        }
    }
}

}  // namespace attention
