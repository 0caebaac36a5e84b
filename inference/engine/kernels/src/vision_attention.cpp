// Divides, lays out and runs what vision_attention.h describes.
#include "vision_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "amx.h"
#include "norms.h"
#include "threads.h"

namespace vision {
namespace {

using attention::PairBlock;
using attention::PairTiles;
using attention::QueryBlock;

constexpr int64_t kBlockKeys = attention::kBlockKeys;
static_assert(kBlockKeys == attention::kPairKeys && kBlockKeys == amx::kBlockKeys);

int64_t round_up(int64_t floats) { return (floats + 15) / 16 * 16; }  // to whole lines of cache

void put(PairBlock& queries, int64_t i, const float* query, int64_t) { queries.put(i, query); }

void put(QueryBlock& queries, int64_t i, const float* query, int64_t width) {
    std::copy_n(query, width, queries.query(i));
    queries.set_limit(i, std::numeric_limits<int32_t>::max());
}

}  // namespace

void Attention::plan(const VlVisionShape& shape, const VlVisionStep& step, bool is_quantised) {
    hidden_ = shape.hidden;
    heads_ = shape.heads;
    width_ = shape.hidden / shape.heads;
    form_ = !is_quantised ? Form::kFloats : amx::is_usable() ? Form::kTiles : Form::kPairs;
    blocks_.clear();
    units_.clear();
    for (int64_t i = 0; i < step.pictures; ++i) divide(step.bounds[i], step.bounds[i + 1]);
    block_size_ = block_size();
    cells_ = cell_buffer_.room<float>(heads_ * static_cast<int64_t>(blocks_.size()) * block_size_);
    thread_size_ = round_up(std::max(PairBlock::size(kUnitRows, width_),
                                     QueryBlock::size(kUnitRows, width_)));
    if constexpr (simd::kHasQuads) {
        thread_size_ = std::max(thread_size_, amx::QueryTiles::size(width_));
    }
    thread_memory_.room<float>(thread_size_ * threads::count());
}

int64_t Attention::block_size() const {
    switch (form_) {
        case Form::kTiles: return amx::KeyTiles::size(width_);
        case Form::kPairs: return PairTiles::size(width_);
        default: return 2 * kBlockKeys * width_;
    }
}

void Attention::divide(int64_t first, int64_t last) {
    const auto block = static_cast<int64_t>(blocks_.size());
    for (int64_t row = first; row < last; row += kBlockKeys) {
        blocks_.push_back({row, std::min(kBlockKeys, last - row)});
    }
    for (int64_t row = first; row < last; row += kUnitRows) {
        units_.push_back({row, std::min(row + kUnitRows, last), block, last - first});
    }
}

void Attention::place(const VlVisionStep& step, float* wide) {
    const auto blocks = static_cast<int64_t>(blocks_.size());
    threads::for_each(blocks * heads_, [&](int64_t i, int thread) {
        place_block(step, wide, i / heads_, i % heads_, memory_of(thread));
    });
}

void Attention::place_block(const VlVisionStep& step, float* wide, int64_t index, int64_t head,
                            float* memory) {
    const Block block = blocks_[static_cast<size_t>(index)];
    const int64_t stride = 3 * hidden_;
    const float query_scale = 1 / std::sqrt(static_cast<float>(width_));
    float* queries = wide + block.first * stride + head * width_;
    float *keys = queries + hidden_, *values = keys + hidden_;
    for (int64_t i = 0; i < block.count; ++i) {
        const float* cos = step.cos + (block.first + i) * width_;
        const float* sin = step.sin + (block.first + i) * width_;
        norms::rotate(queries + i * stride, cos, sin, query_scale, width_);
        norms::rotate(keys + i * stride, cos, sin, 1, width_);
    }
    float* cells = block_at(index, head);
    if constexpr (simd::kHasQuads) {
        if (form_ == Form::kTiles) {
            return amx::KeyTiles(cells, width_)
                .put(keys, values, block.count, stride, reinterpret_cast<uint16_t*>(memory));
        }
    }
    if (form_ == Form::kPairs) {
        return PairTiles(cells, width_)
            .put(keys, values, block.count, stride, reinterpret_cast<int16_t*>(memory));
    }
    for (int64_t i = 0; i < block.count; i += attention::kTileKeys) {
        const int64_t here = std::min<int64_t>(attention::kTileKeys, block.count - i);
        attention::make_tile(attention::Strided{keys + i * stride, stride}, here, width_,
                             cells + i * width_);
    }
    attention::copy_values(attention::Strided{values, stride}, block.count, width_,
                           cells + kBlockKeys * width_);
}

void Attention::run(int64_t first, int64_t last, const float* wide, float* out) {
    const int64_t units = last - first;
    threads::for_each(units * heads_, [&](int64_t i, int thread) {
        const Unit& unit = units_[static_cast<size_t>(first + i % units)];
        switch (form_) {
            case Form::kTiles: return run_in_tiles(unit, i / units, wide, out, memory_of(thread));
            case Form::kPairs:
                return run_unit<PairBlock>(unit, i / units, wide, out, memory_of(thread));
            default: return run_unit<QueryBlock>(unit, i / units, wide, out, memory_of(thread));
        }
    });
}

template <class Queries>
void Attention::run_unit(const Unit& unit, int64_t head, const float* wide, float* out,
                         float* memory) {
    const int64_t count = unit.last - unit.first;
    Queries queries(memory, count, width_);
    for (int64_t i = 0; i < count; ++i) {
        put(queries, i, wide + (unit.first + i) * 3 * hidden_ + head * width_, width_);
    }
    const int64_t blocks = (unit.keys + kBlockKeys - 1) / kBlockKeys;
    for (int64_t i = 0; i < blocks; ++i) absorb(queries, unit.block + i, head);
    for (int64_t i = 0; i < count; ++i) {
        queries.finish(i, out + (unit.first + i) * hidden_ + head * width_);
    }
}

void Attention::run_in_tiles(const Unit& unit, int64_t head, const float* wide, float* out,
                             float* memory) {
    if constexpr (simd::kHasQuads) {
        const amx::Registers registers(true);
        constexpr int64_t kStep = amx::kMostBlocks * kBlockKeys;
        for (int64_t row = unit.first; row < unit.last; row += amx::kQueries) {
            const int64_t count = std::min(amx::kQueries, unit.last - row);
            amx::QueryTiles queries(memory, count, width_);
            for (int64_t i = 0; i < count; ++i) {
                queries.put(i, wide + (row + i) * 3 * hidden_ + head * width_);
            }
            for (int64_t key = 0; key < unit.keys; key += kStep) {
                queries.absorb(block_at(unit.block + key / kBlockKeys, head),
                               std::min(kStep, unit.keys - key));
            }
            for (int64_t i = 0; i < count; ++i) {
                queries.finish(i, out + (row + i) * hidden_ + head * width_);
            }
        }
    }
}

void Attention::absorb(PairBlock& queries, int64_t block, int64_t head) {
    queries.absorb(PairTiles(block_at(block, head), width_),
                   blocks_[static_cast<size_t>(block)].count);
}

void Attention::absorb(QueryBlock& queries, int64_t block, int64_t head) {
    const float* cells = block_at(block, head);
    queries.absorb(0, blocks_[static_cast<size_t>(block)].count, cells,
                   cells + kBlockKeys * width_);
}

}  // namespace vision
