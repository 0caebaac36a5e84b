// The two ways of paged_attention.h: single rows from the pages as they lie, blocks through tiles.
#include "paged_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "attention.h"
#include "cache_rows.h"
#include "maths.h"
#include "simd.h"
#include "threads.h"

namespace paged {
namespace {

using simd::Floats;
using simd::kLanes;

constexpr int64_t kShareKeys = 512;
constexpr int64_t kBlockQueries = 128;
constexpr int kMostQueries = 4;  // that share a pass over a page
constexpr int64_t kFewRows = 6;  // of an answer and its drafts, as many as quicker without tiles

// scores (kQueries, kShareKeys) of 16 keys.
template <int kQueries, class Rows>
void score_page(const float* queries, const Rows& keys, int64_t width, float* scores) {
    constexpr int kKeys = kQueries > 2 ? 2 : 4;
    for (int64_t key = 0; key < kPageTokens; key += kKeys) {
        Floats sums[kQueries][kKeys];
        for (auto& row : sums) {
            for (auto& sum : row) sum = simd::zeros();
        }
        for (int64_t d = 0; d < width; d += kGroup) {
            for (int k = 0; k < kKeys; ++k) {
                Floats numbers[kVectors];
                keys.load(key + k, d, numbers);
                for (int v = 0; v < kVectors; ++v) {
                    const float* at = queries + d + v * kLanes;
                    for (int q = 0; q < kQueries; ++q) {
                        sums[q][k] =
                            simd::fma(simd::load(at + q * width), numbers[v], sums[q][k]);
                    }
                }
            }
        }
        for (int q = 0; q < kQueries; ++q) {
            for (int k = 0; k < kKeys; ++k) {
                scores[q * kShareKeys + key + k] = simd::sum(sums[q][k]);
            }
        }
    }
}

// out (kQueries, width) += weights (kQueries, kShareKeys) of `count` values.
template <int kQueries, class Rows>
void gather_page(const float* weights, const Rows& values, int64_t count, int64_t width,
                 float* out) {
    // As many vectors at a time as leave registers for the sums of all queries.
    constexpr int kSums = kQueries > 2 ? 2 : kVectors;
    for (int64_t d = 0; d < width; d += kSums * kLanes) {
        float* at = out + d;
        Floats sums[kQueries][kSums];
        for (int q = 0; q < kQueries; ++q) {
            for (int v = 0; v < kSums; ++v) sums[q][v] = simd::load(at + q * width + v * kLanes);
        }
        for (int64_t key = 0; key < count; ++key) {
            Floats numbers[kSums];
            values.load(key, d, numbers);
            for (int q = 0; q < kQueries; ++q) {
                const Floats weight = simd::broadcast(weights[q * kShareKeys + key]);
                for (int v = 0; v < kSums; ++v) {
                    sums[q][v] = simd::fma(weight, numbers[v], sums[q][v]);
                }
            }
        }
        for (int q = 0; q < kQueries; ++q) {
            for (int v = 0; v < kSums; ++v) simd::store(at + q * width + v * kLanes, sums[q][v]);
        }
    }
}

// Calls `function` with a constant for how many of `left` queries share the next pass.
template <class Function>
void with_queries(int64_t left, const Function& function) {
    switch (std::min<int64_t>(left, kMostQueries)) {
        case 1: return function(std::integral_constant<int, 1>());
        case 2: return function(std::integral_constant<int, 2>());
        case 3: return function(std::integral_constant<int, 3>());
        default: return function(std::integral_constant<int, 4>());
    }
}

// Scores to weights relative to their maximum; returns the maximum and the weights' sum.
void weigh(float* scores, int64_t count, float* highest, float* total) {
    const int64_t padded = (count + kLanes - 1) / kLanes * kLanes;
    std::fill(scores + count, scores + padded, -std::numeric_limits<float>::infinity());
    Floats peak = simd::load(scores), sum = simd::zeros();
    for (int64_t i = kLanes; i < padded; i += kLanes) peak = simd::max(peak, simd::load(scores + i));
    *highest = simd::peak(peak);
    for (int64_t i = 0; i < padded; i += kLanes) {
        const Floats weight =
            maths::exp(simd::sub(simd::load(scores + i), simd::broadcast(*highest)));
        simd::store(scores + i, weight);
        sum = simd::add(sum, weight);
    }
    *total = simd::sum(sum);
}

}  // namespace

void Attention::plan(const VlTextShape& shape, const VlTextStep& step) {
    shape_ = &shape;
    step_ = &step;
    cache_ = Cache{step.cache, step.pages, shape.kv_heads, shape.head_dim};
    per_head_ = shape.heads / shape.kv_heads;
    share_count_ = 0;
    units_.clear();
    firsts_.clear();
    for (int64_t i = 0; i < step.sequences; ++i) {
        const int64_t first = step.row_starts[i], last = step.row_starts[i + 1];
        if (last - first > kFewRows) {
            plan_block(i, first, last, step.first_index[i]);
            continue;
        }
        for (int64_t row = first; row < last; ++row) {
            plan_single(i, row, step.first_index[i] + row - first + 1);
        }
    }
    const int64_t block = std::max(kBlockQueries, per_head_);
    thread_size_ = std::max(attention::QueryBlock::size(block, shape.head_dim) +
                                2 * attention::kBlockKeys * shape.head_dim,
                            per_head_ * kShareKeys);
    thread_memory_.room<float>(thread_size_ * threads::count());
    shares_.room<float>(share_count_ * share_size());
}

void Attention::plan_single(int64_t sequence, int64_t row, int64_t keys) {
    for (int64_t head = 0; head < shape_->kv_heads; ++head) {
        for (int64_t key = 0; key < keys; key += kShareKeys) {
            const int64_t last = std::min(key + kShareKeys, keys);
            units_.push_back({sequence, head, row, row + 1, key, last, share_count_});
            if (key == 0) firsts_.push_back({sequence, head, row, row + 1, 0, keys, share_count_});
            ++share_count_;
        }
    }
}

void Attention::plan_block(int64_t sequence, int64_t first_row, int64_t last_row,
                           int64_t first_key) {
    const int64_t rows = std::max<int64_t>(1, kBlockQueries / per_head_);
    for (int64_t head = 0; head < shape_->kv_heads; ++head) {
        for (int64_t row = first_row; row < last_row; row += rows) {
            const int64_t end = std::min(row + rows, last_row);
            units_.push_back({sequence, head, row, end, 0, first_key + end - first_row, -1});
        }
    }
}

void Attention::run(int64_t layer, const float* queries, int64_t stride, float* out) {
    const Layer now{layer, queries, stride, out};
    with_rows(step_->cache_form, [&](auto* rows) {
        run_units<std::remove_pointer_t<decltype(rows)>>(now);
    });
    threads::for_rows(static_cast<int64_t>(firsts_.size()), [&](int64_t i, int) {
        merge(now, firsts_[static_cast<size_t>(i)]);
    });
}

template <class Rows>
void Attention::run_units(const Layer& layer) {
    float* memory = thread_memory_.room<float>(0);
    threads::for_each(static_cast<int64_t>(units_.size()), [&](int64_t i, int thread) {
        const Unit& unit = units_[static_cast<size_t>(i)];
        if (unit.share >= 0) {
            run_single<Rows>(layer, unit, memory + thread * thread_size_);
        } else {
            run_block<Rows>(layer, unit, memory + thread * thread_size_);
        }
    });
}

// One share of one row: weighted values, maxima and sums of the head's queries.
template <class Rows>
void Attention::run_single(const Layer& layer, const Unit& unit, float* scores) {
    const int64_t width = shape_->head_dim, count = unit.last_key - unit.first_key;
    const float* queries =
        layer.queries + unit.first_row * layer.stride + unit.head * per_head_ * width;
    const int32_t* pages = table(unit.sequence) + unit.first_key / kPageTokens;
    float* out = share(unit.share);
    float *peaks = out + per_head_ * width, *totals = peaks + per_head_;
    std::fill_n(out, per_head_ * width, 0.0f);
    // Calls step(a page's rows, first key) for all pages of keys (part 0) or values (part 1).
    const auto walk = [&](int part, const auto& step) {
        for (int64_t key = 0; key < count; key += kPageTokens) {
            const int32_t* page = pages + key / kPageTokens;
            if (key + kPageTokens < count) {
                cache_.fetch<Rows>(layer.index, page[1], part, unit.head);
            }
            step(cache_.page<Rows>(layer.index, page[0], part, unit.head), key);
        }
    };
    for (int64_t q = 0; q < per_head_; q += kMostQueries) {
        with_queries(per_head_ - q, [&](auto number) {
            constexpr int kQueries = decltype(number)::value;
            walk(0, [&](const Rows& keys, int64_t key) {
                score_page<kQueries>(queries + q * width, keys, width, scores + key);
            });
            for (int i = 0; i < kQueries; ++i) {
                weigh(scores + i * kShareKeys, count, peaks + q + i, totals + q + i);
            }
            walk(1, [&](const Rows& values, int64_t key) {
                gather_page<kQueries>(scores + key, values, std::min(kPageTokens, count - key),
                                      width, out + q * width);
            });
        });
    }
}

// Puts the shares of one row and head together.
void Attention::merge(const Layer& layer, const Unit& first) {
    const int64_t width = shape_->head_dim;
    const int64_t count = (first.last_key + kShareKeys - 1) / kShareKeys;
    for (int64_t q = 0; q < per_head_; ++q) {
        float* out = layer.out + (first.first_row * shape_->heads + first.head * per_head_ + q) * width;
        const auto peak = [&](int64_t i) { return share(first.share + i)[per_head_ * width + q]; };
        float highest = peak(0), total = 0;
        for (int64_t i = 1; i < count; ++i) highest = std::max(highest, peak(i));
        std::fill_n(out, width, 0.0f);
        for (int64_t i = 0; i < count; ++i) {
            const float factor = std::exp(peak(i) - highest);
            total += factor * share(first.share + i)[per_head_ * (width + 1) + q];
            const float* values = share(first.share + i) + q * width;
            for (int64_t d = 0; d < width; ++d) out[d] += factor * values[d];
        }
        for (int64_t d = 0; d < width; ++d) out[d] /= total;
    }
}

// A block of rows times the queries of one key-value head, over all keys that the last row sees.
template <class Rows>
void Attention::run_block(const Layer& layer, const Unit& unit, float* memory) {
    const int64_t width = shape_->head_dim, rows = unit.last_row - unit.first_row;
    const int64_t count = rows * per_head_, first_limit = unit.last_key - rows + 1;
    attention::QueryBlock block(memory, count, width);
    float* keys = memory + attention::QueryBlock::size(count, width);
    float* values = keys + attention::kBlockKeys * width;
    for (int64_t i = 0; i < count; ++i) {
        const int64_t row = unit.first_row + i / per_head_;
        const int64_t head = unit.head * per_head_ + i % per_head_;
        std::copy_n(layer.queries + row * layer.stride + head * width, width, block.query(i));
        block.set_limit(i, first_limit + i / per_head_);
    }
    for (int64_t key = 0; key < unit.last_key; key += attention::kBlockKeys) {
        const int64_t here = std::min<int64_t>(attention::kBlockKeys, unit.last_key - key);
        for (int64_t i = 0; i < here; i += kPageTokens) {
            const int64_t page = table(unit.sequence)[(key + i) / kPageTokens];
            const int64_t seen = std::min(kPageTokens, here - i);
            attention::make_tile(cache_.page<Rows>(layer.index, page, 0, unit.head), seen, width,
                                 keys + i * width);
            attention::copy_values(cache_.page<Rows>(layer.index, page, 1, unit.head), seen,
                                   width, values + i * width);
        }
        block.absorb(key, here, keys, values);
    }
    for (int64_t i = 0; i < count; ++i) {
        const int64_t row = unit.first_row + i / per_head_;
        const int64_t head = unit.head * per_head_ + i % per_head_;
        block.finish(i, layer.out + (row * shape_->heads + head) * width);
    }
}

}  // namespace paged
