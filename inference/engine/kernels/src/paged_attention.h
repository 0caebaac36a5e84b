// Causal attention over the paged cache: keys and values of a sequence lie in pages of 16 tokens.
//
// For a sequence with few rows (an answer being written, with drafts) the cache is read page by page
// where it lies, for each row, in shares of 512 keys that are put together afterwards; the share is
// fixed, so results do not depend on how many threads there are. A row's result is that of the row alone,
// to the bit: or drafts would decide between words that are equally likely. More rows go in blocks of
// queries over keys widened once a block.
#pragma once

#include <cstdint>
#include <vector>

#include "abi.h"
#include "memory.h"
#include "simd.h"

namespace paged {

constexpr int64_t kPageTokens = 16;

// Where the cache holds things; Rows is one of cache_rows.h.
struct Cache {
    void* start;
    int64_t pages, heads, width;  // G, C, D

    // The S keys (part 0) or values (part 1) of one head in one page of one layer.
    template <class Rows>
    Rows page(int64_t layer, int64_t page, int part, int64_t head) const {
        return Rows(slab<Rows>(layer, page, part, head), width);
    }

    // Brings a page into the processor's caches. Pages are scattered, so it cannot foresee them.
    template <class Rows>
    void fetch(int64_t layer, int64_t page, int part, int64_t head) const {
        const char* bytes = slab<Rows>(layer, page, part, head);
        for (int64_t i = 0; i < slab_bytes<Rows>(); i += 64) simd::prefetch(bytes + i);
    }

  private:
    template <class Rows>
    int64_t slab_bytes() const {
        return kPageTokens * Rows::row_bytes(width);
    }
    template <class Rows>
    char* slab(int64_t layer, int64_t page, int part, int64_t head) const {
        const int64_t number = ((layer * pages + page) * 2 + part) * heads + head;
        return static_cast<char*>(start) + number * slab_bytes<Rows>();
    }
};

class Attention {
  public:
    // Divides the work of a step; `shape` and `step` must outlive the runs.
    void plan(const VlTextShape& shape, const VlTextStep& step);

    // out (M, A D) from `queries`, the first A D of each `stride` numbers, which carry 1 / sqrt(D);
    // the rows' own keys and values must be in the cache.
    void run(int64_t layer, const float* queries, int64_t stride, float* out);

  private:
    struct Unit {
        int64_t sequence, head;        // of keys and values
        int64_t first_row, last_row;   // of the step
        int64_t first_key, last_key;
        int64_t share;                 // of a single row, or -1
    };
    struct Layer {
        int64_t index;
        const float* queries;
        int64_t stride;
        float* out;
    };

    void plan_single(int64_t sequence, int64_t row, int64_t keys);
    void plan_block(int64_t sequence, int64_t first_row, int64_t last_row, int64_t first_key);
    template <class Rows>
    void run_units(const Layer& layer);
    template <class Rows>
    void run_single(const Layer& layer, const Unit& unit, float* memory);
    template <class Rows>
    void run_block(const Layer& layer, const Unit& unit, float* memory);
    void merge(const Layer& layer, const Unit& first);

    const int32_t* table(int64_t sequence) const {
        return step_->page_tables + sequence * step_->table_width;
    }
    float* share(int64_t index) { return shares_.room<float>(0) + index * share_size(); }
    int64_t share_size() const { return per_head_ * (shape_->head_dim + 2); }

    const VlTextShape* shape_ = nullptr;
    const VlTextStep* step_ = nullptr;
    Cache cache_{};
    int64_t per_head_ = 0;  // queries of a key-value head, A / C
    int64_t thread_size_ = 0, share_count_ = 0;
    std::vector<Unit> units_;
    std::vector<Unit> firsts_;  // the first share of each single row and head
    memory::Buffer thread_memory_, shares_;
};

}  // namespace paged
