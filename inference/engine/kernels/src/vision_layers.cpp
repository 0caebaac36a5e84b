// The layers of the vision tower, all of them in one call.
//
// Source: Qwen3VLVisionBlock of transformers 5.24. A layer is: layer norm, queries, keys and values
// with bias, rotary angles on queries and keys, attention inside each picture, its projection added;
// layer norm, MLP with GELU (tanh) added. Keys are turned into tiles once a layer, so that attention,
// 40 % of the tower's time, runs on contiguous memory.
#include <algorithm>
#include <cmath>
#include <vector>

#include "abi.h"
#include "attention.h"
#include "memory.h"
#include "norms.h"
#include "product.h"
#include "threads.h"

namespace {

using attention::kBlockKeys;
using attention::kTileKeys;

constexpr float kEps = 1e-6f;
constexpr int64_t kBlockQueries = 96;
// Rows whose MLP runs at a time: the widest scratch memory stays small, the weights in the cache.
constexpr int64_t kMlpRows = 512;

class VisionNetwork {
  public:
    VisionNetwork(const VlVisionShape& shape, const VlVisionLayer* layers, int64_t count)
        : shape_(shape), width_(shape.hidden / shape.heads), layers_(layers, layers + count) {}

    void run(const VlVisionStep& step, int64_t first, int64_t last) {
        prepare(step);
        for (int64_t layer = first; layer < last; ++layer) {
            const VlVisionLayer& weights = layers_[static_cast<size_t>(layer)];
            attend(step, weights);
            for (int64_t row = 0; row < rows_; row += kMlpRows) {
                feed_forward(step.hidden + row * shape_.hidden, std::min(kMlpRows, rows_ - row),
                             weights);
            }
        }
    }

  private:
    // 16 keys of a picture, from row `first` on.
    struct Tile {
        int64_t first, count;
    };
    // Queries of a picture; its tiles start with `tile`.
    struct Unit {
        int64_t first, last, tile, keys;
    };

    void prepare(const VlVisionStep& step) {
        rows_ = step.bounds[step.pictures];
        tiles_.clear();
        units_.clear();
        for (int64_t i = 0; i < step.pictures; ++i) divide(step.bounds[i], step.bounds[i + 1]);
        const auto tiles = static_cast<int64_t>(tiles_.size());
        const int64_t mlp = std::min(rows_, kMlpRows) * shape_.intermediate;
        wide_ = wide_buffer_.room<float>(std::max(rows_ * 3 * shape_.hidden, mlp));
        mixed_ = mixed_buffer_.room<float>(rows_ * shape_.hidden);
        keys_ = key_buffer_.room<float>(tiles * kTileKeys * shape_.hidden);
        values_ = value_buffer_.room<float>(tiles * kTileKeys * shape_.hidden);
        line_width_ = std::max(shape_.hidden,
                               attention::QueryBlock::size(kBlockQueries, width_));
        lines_ = line_buffer_.room<float>(line_width_ * threads::count());
    }

    void divide(int64_t first, int64_t last) {
        const auto tile = static_cast<int64_t>(tiles_.size());
        for (int64_t row = first; row < last; row += kTileKeys) {
            tiles_.push_back({row, std::min<int64_t>(kTileKeys, last - row)});
        }
        for (int64_t row = first; row < last; row += kBlockQueries) {
            units_.push_back({row, std::min(row + kBlockQueries, last), tile, last - first});
        }
    }

    void attend(const VlVisionStep& step, const VlVisionLayer& layer) {
        put_normed(step.hidden, rows_, layer.norm1_weight, layer.norm1_bias, layer.qkv);
        product::multiply(layer.qkv, x_, {layer.qkv_bias, false, false}, wide_);
        threads::for_each(static_cast<int64_t>(tiles_.size()),
                          [&](int64_t tile, int) { place_heads(step, tile); });
        const auto units = static_cast<int64_t>(units_.size());
        threads::for_each(units * shape_.heads, [&](int64_t unit, int thread) {
            attend_block(units_[static_cast<size_t>(unit % units)], unit / units, line(thread));
        });
        x_.reshape(rows_, shape_.hidden, layer.proj.form);
        threads::for_rows(rows_,
                          [&](int64_t row, int) { x_.put(row, mixed_ + row * shape_.hidden); });
        product::multiply(layer.proj, x_, {layer.proj_bias, false, true}, step.hidden);
    }

    // The tiles (heads first) of one head.
    int64_t tile_at(int64_t head, int64_t tile) const {
        return (head * static_cast<int64_t>(tiles_.size()) + tile) * kTileKeys * width_;
    }

    // Turns the queries and keys of 16 rows and lays keys and values out for attention.
    void place_heads(const VlVisionStep& step, int64_t index) {
        const Tile tile = tiles_[static_cast<size_t>(index)];
        const int64_t stride = 3 * shape_.hidden;
        const float query_scale = 1 / std::sqrt(static_cast<float>(width_));
        float* rows = wide_ + tile.first * stride;
        for (int64_t head = 0; head < shape_.heads; ++head) {
            float* queries = rows + head * width_;
            float* keys = queries + shape_.hidden;
            for (int64_t i = 0; i < tile.count; ++i) {
                const float* cos = step.cos + (tile.first + i) * width_;
                const float* sin = step.sin + (tile.first + i) * width_;
                norms::rotate(queries + i * stride, cos, sin, query_scale, width_);
                norms::rotate(keys + i * stride, cos, sin, 1, width_);
            }
            attention::make_tile(keys, tile.count, stride, width_, keys_ + tile_at(head, index));
            attention::copy_values(keys + shape_.hidden, tile.count, stride, width_,
                                   values_ + tile_at(head, index));
        }
    }

    void attend_block(const Unit& unit, int64_t head, float* memory) {
        const int64_t count = unit.last - unit.first;
        attention::QueryBlock block(memory, count, width_);
        for (int64_t i = 0; i < count; ++i) {
            const float* query = wide_ + (unit.first + i) * 3 * shape_.hidden + head * width_;
            std::copy_n(query, width_, block.query(i));
            block.set_limit(i, unit.keys);
        }
        for (int64_t key = 0; key < unit.keys; key += kBlockKeys) {
            const int64_t at = tile_at(head, unit.tile + key / kTileKeys);
            block.absorb(key, std::min<int64_t>(kBlockKeys, unit.keys - key), keys_ + at,
                         values_ + at);
        }
        for (int64_t i = 0; i < count; ++i) {
            block.finish(i, mixed_ + (unit.first + i) * shape_.hidden + head * width_);
        }
    }

    void feed_forward(float* hidden, int64_t rows, const VlVisionLayer& layer) {
        const int64_t inner = shape_.intermediate;
        put_normed(hidden, rows, layer.norm2_weight, layer.norm2_bias, layer.fc1);
        product::multiply(layer.fc1, x_, {layer.fc1_bias, true, false}, wide_);
        x_.reshape(rows, inner, layer.fc2.form);
        threads::for_rows(rows, [&](int64_t row, int) { x_.put(row, wide_ + row * inner); });
        product::multiply(layer.fc2, x_, {layer.fc2_bias, false, true}, hidden);
    }

    void put_normed(const float* hidden, int64_t rows, const float* weight, const float* bias,
                    const VlMatrix& matrix) {
        x_.reshape(rows, shape_.hidden, matrix.form);
        threads::for_rows(rows, [&](int64_t row, int thread) {
            norms::layer(hidden + row * shape_.hidden, weight, bias, kEps, shape_.hidden,
                         line(thread));
            x_.put(row, line(thread));
        });
    }

    float* line(int thread) const { return lines_ + thread * line_width_; }

    VlVisionShape shape_;
    int64_t width_;  // D
    std::vector<VlVisionLayer> layers_;
    product::Activations x_;
    std::vector<Tile> tiles_;
    std::vector<Unit> units_;
    memory::Buffer wide_buffer_, mixed_buffer_, key_buffer_, value_buffer_, line_buffer_;
    int64_t rows_ = 0, line_width_ = 0;
    float *wide_ = nullptr;    // (P, 3H) and later (rows of the MLP, I)
    float *mixed_ = nullptr;   // (P, H), what attention gives
    float *keys_ = nullptr;    // (A, tiles, D, 16)
    float *values_ = nullptr;  // (A, tiles, 16, D)
    float *lines_ = nullptr;   // a row or a block of queries for each thread
};

}  // namespace

VL_EXPORT void* vl_vision_create(const VlVisionShape* shape, const VlVisionLayer* layers,
                                 int64_t count) {
    try {
        return new VisionNetwork(*shape, layers, count);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

VL_EXPORT int32_t vl_vision_run(void* network, const VlVisionStep* step, int64_t first,
                                int64_t last) {
    const threads::Call call;
    try {
        static_cast<VisionNetwork*>(network)->run(*step, first, last);
    } catch (const std::bad_alloc&) {
        return 1;
    }
    return 0;
}

VL_EXPORT void vl_vision_destroy(void* network) { delete static_cast<VisionNetwork*>(network); }
