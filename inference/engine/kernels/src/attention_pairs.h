// Attention of a block of queries over keys in blocks, as attention.h does it, with products of int16
// pairs: twice as fast as float32 on both instruction sets.
//
// Queries and keys have a scale for each group of 32 of their dims, values one for each dim and block
// of keys, so an outlier costs precision in its own group only; the sums of integers are exact.
// Weights, relative to a running maximum, are whole numbers up to 8192; what they are divided by in
// the end is the sum of the same whole numbers. What a query receives does not depend on the other
// queries of its block.
#pragma once

#include <cstdint>

#include "simd.h"

namespace attention {

constexpr int kPairKeys = 64;                    // keys of a block
constexpr int kPairColumns = 2 * simd::kLanes;   // keys, or dims of values, of a tile
constexpr int kPairGroup = 32;                   // dims of queries and keys that share a scale
constexpr int kPairRows = 6;                     // queries of a strip: 12 sums hide the latency

// Up to kPairKeys keys and values of width D as integers, in memory of the caller.
class PairTiles {
  public:
    // How many floats a block needs.
    static int64_t size(int64_t width) {
        return kPairKeys * width + kPairKeys * (width / kPairGroup) + width;
    }

    PairTiles(float* memory, int64_t width)
        : keys_(reinterpret_cast<int16_t*>(memory)),
          values_(keys_ + kPairKeys * width),
          key_scales_(memory + kPairKeys * width),
          value_scales_(key_scales_ + kPairKeys * (width / kPairGroup)),
          width_(width) {}

    // Takes `count` keys and values, rows `stride` apart; `room` holds kPairKeys * width int16.
    void put(const float* keys, const float* values, int64_t count, int64_t stride, int16_t* room);

    // A tile of keys is, for each pair of dims, both dims of each key.
    const int16_t* keys(int64_t tile) const { return keys_ + tile * kPairColumns * width_; }
    // The scales of all keys in one group of dims.
    const float* key_scales(int64_t group) const { return key_scales_ + group * kPairKeys; }
    // A tile of values is, for each pair of keys, each dim of both.
    const int16_t* values(int64_t tile) const { return values_ + tile * kPairColumns * kPairKeys; }
    const float* value_scales() const { return value_scales_; }

  private:
    void put_keys(const float* keys, int64_t count, int64_t stride, int16_t* room);
    void put_values(const float* values, int64_t count, int64_t stride);

    int16_t *keys_, *values_;
    float *key_scales_, *value_scales_;
    int64_t width_;
};

// Up to `count` queries of width D and what they have gathered, in memory of the caller.
class PairBlock {
  public:
    // How many floats a block of `count` queries needs.
    static int64_t size(int64_t count, int64_t width) {
        const int64_t groups = width / kPairGroup;
        return count * (width + width / 2 + groups + simd::kLanes + 1) +
               kPairRows * (kPairKeys + kPairKeys / 2);
    }

    PairBlock(float* memory, int64_t count, int64_t width);

    // Query i, with the factor 1 / sqrt(D).
    void put(int64_t i, const float* query);
    // Takes in `count` keys and values.
    void absorb(const PairTiles& tiles, int64_t count);
    // Writes what query i receives to `out` (D).
    void finish(int64_t i, float* out) const;

  private:
    // Queries go through a block of keys in strips; a strip's rows lie together, group by group.
    int strip_rows(int64_t first) const {
        return static_cast<int>(count_ - first < kPairRows ? count_ - first : kPairRows);
    }
    template <int kRows>
    void absorb_strip(int64_t first, const PairTiles& tiles, int64_t count);
    template <int kRows>
    void score(int64_t first, const PairTiles& tiles, int64_t count);
    void weigh(int64_t query, const float* scores, int64_t count, int16_t* weights);
    void raise(int64_t query, float highest);
    template <int kRows>
    void gather(int64_t first, const PairTiles& tiles, int64_t count);

    int64_t count_, width_, groups_;
    float *outputs_, *totals_, *peaks_, *query_scales_, *scores_;
    int16_t *queries_, *weights_;
};

}  // namespace attention
