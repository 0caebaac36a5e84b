// Attention of a block of queries over keys in blocks in the tile registers of AMX, beside quantised
// weights, where attention_pairs.h is for processors without them.
//
// Queries and keys are sums of two bfloat16, of whose four products the three larger count: scores are
// as exact as those of int16. Weights and values are one bfloat16 each, 0.2 % off at most and in no
// direction; sums are float32. What a query receives does not depend on the other queries of its block.
#pragma once

#include <cstdint>

namespace amx {

constexpr int64_t kBlockKeys = 64;
constexpr int64_t kMostBlocks = 4;  // absorbed at a time: scores of more would leave the first level
constexpr int64_t kQueries = 32;

// Up to kBlockKeys keys and values of width D as registers want them, in memory of the caller.
class KeyTiles {
  public:
    // How many floats a block needs.
    static int64_t size(int64_t width) { return kBlockKeys * width * 3 / 2; }

    KeyTiles(float* memory, int64_t width)
        : numbers_(reinterpret_cast<uint16_t*>(memory)), width_(width) {}

    // Takes `count` keys and values, rows `stride` apart; `room` holds 2 * kBlockKeys * width of these.
    void put(const float* keys, const float* values, int64_t count, int64_t stride, uint16_t* room);

    // 16 keys times 32 dims, their greater or their smaller part: for each pair of dims both of each key.
    const uint16_t* keys(int part, int64_t tile, int64_t group) const {
        return numbers_ + part * kBlockKeys * width_ + tile * 16 * width_ + group * kTileNumbers;
    }
    // 32 keys times 16 dims of their values: for each pair of keys each dim of both.
    const uint16_t* values(int64_t half, int64_t tile) const {
        return numbers_ + (2 * kBlockKeys + half * 32) * width_ + tile * kTileNumbers;
    }

  private:
    static constexpr int64_t kTileNumbers = 16 * 32;

    void put_values(const float* values, int64_t count, int64_t stride);

    uint16_t* numbers_;
    int64_t width_;
};

// Up to kQueries queries of width D and what they have gathered, in memory of the caller.
class QueryTiles {
  public:
    // How many floats it needs.
    static int64_t size(int64_t width);

    QueryTiles(float* memory, int64_t count, int64_t width);

    // Query i, with the factor 1 / sqrt(D).
    void put(int64_t i, const float* query);
    // Takes in `keys` keys of up to kMostBlocks blocks that lie one behind the other at `blocks`. The
    // thread has Registers.
    void absorb(float* blocks, int64_t keys);
    // Writes what query i receives to `out` (D).
    void finish(int64_t i, float* out) const;

  private:
    void score(float* blocks, int64_t steps);
    void weigh(int64_t query, int64_t keys, int64_t steps);
    void raise(int64_t query, float highest);
    void gather(float* blocks, int64_t steps);
    KeyTiles block(float* blocks, int64_t i) const {
        return {blocks + i * KeyTiles::size(width_), width_};
    }

    int64_t count_, width_;
    float *outputs_, *totals_, *peaks_, *scores_;
    uint16_t *queries_, *weights_;
};

}  // namespace amx
