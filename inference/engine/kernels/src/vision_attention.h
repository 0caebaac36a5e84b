// Attention of the patches of each picture to each other.
//
// Keys and values are laid out once a layer, in blocks of 64 rows, so that attention runs on contiguous
// memory: in float32 (attention.h), or beside quantised weights for AMX (amx_attention.h) or as integers
// (attention_pairs.h).
#pragma once

#include <cstdint>
#include <vector>

#include "abi.h"
#include "amx_attention.h"
#include "attention.h"
#include "attention_pairs.h"
#include "memory.h"

namespace vision {

class Attention {
  public:
    // Queries of one picture: the rows from `first` to `last`; its blocks start with `block`.
    struct Unit {
        int64_t first, last, block, keys;
    };

    // Divides the rows of some pictures, and makes room.
    void plan(const VlVisionShape& shape, const VlVisionStep& step, bool is_quantised);

    // In ascending order of rows, of up to kUnitRows each.
    const std::vector<Unit>& units() const { return units_; }
    static constexpr int64_t kUnitRows = 96;

    // Turns queries and keys of `wide` (P, 3H) and lays keys and values out.
    void place(const VlVisionStep& step, float* wide);

    // out (P, H), the rows of the units from `first` to `last`, from the queries of `wide`.
    void run(int64_t first, int64_t last, const float* wide, float* out);

  private:
    // Keys of a picture that are laid out together.
    struct Block {
        int64_t first, count;
    };
    enum class Form { kFloats, kPairs, kTiles };

    void divide(int64_t first, int64_t last);
    void place_block(const VlVisionStep& step, float* wide, int64_t block, int64_t head,
                     float* memory);
    int64_t block_size() const;
    template <class Queries>
    void run_unit(const Unit& unit, int64_t head, const float* wide, float* out, float* memory);
    void run_in_tiles(const Unit& unit, int64_t head, const float* wide, float* out, float* memory);
    void absorb(attention::PairBlock& queries, int64_t block, int64_t head);
    void absorb(attention::QueryBlock& queries, int64_t block, int64_t head);

    float* block_at(int64_t block, int64_t head) const {
        return cells_ + (head * static_cast<int64_t>(blocks_.size()) + block) * block_size_;
    }
    float* memory_of(int thread) { return thread_memory_.room<float>(0) + thread * thread_size_; }

    int64_t hidden_ = 0, heads_ = 0, width_ = 0;
    Form form_ = Form::kFloats;
    std::vector<Block> blocks_;
    std::vector<Unit> units_;
    memory::Buffer cell_buffer_, thread_memory_;
    int64_t block_size_ = 0, thread_size_ = 0;
    float* cells_ = nullptr;  // (A, blocks, block_size_)
};

}  // namespace vision
