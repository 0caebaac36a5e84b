// The layers of the vision tower, whole or part by part.
//
// Source: Qwen3VLVisionBlock of transformers 5.24. A layer is: layer norm, queries, keys and values
// with bias, rotary angles on queries and keys, attention inside each picture, its projection added;
// layer norm, MLP with GELU (tanh) added. Keys are turned into tiles once a layer, so that attention,
// 40 % of the tower's time, runs on contiguous memory.
//
// A layer over 4,096 patches takes a second, and answers must not pause so long. Its first part makes
// queries, keys and values of all rows; each further part takes some rows through attention and MLP.
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
// Rows of a part behind the first, up to one block of queries more: enough for products at full speed,
// and the scratch memory of the MLP stays small.
constexpr int64_t kPartRows = 480;

class VisionNetwork {
  public:
    VisionNetwork(const VlVisionShape& shape, const VlVisionLayer* layers, int64_t count)
        : shape_(shape), width_(shape.hidden / shape.heads), layers_(layers, layers + count) {}

    void run(const VlVisionStep& step, int64_t first, int64_t last) {
        prepare(step);
        for (int64_t layer = first; layer < last; ++layer) {
            for (int64_t part = 0; part < parts(); ++part) run_prepared(step, layer, part);
        }
        begun_ = {};
    }

    // Says whether the parts of this layer came one after the other, without another pass between.
    bool run_part(const VlVisionStep& step, int64_t layer, int64_t part) {
        if (part == 0) {
            prepare(step);
        } else if (part >= parts() || !(begun_ == Begun{step.hidden, layer, part})) {
            return false;
        }
        run_prepared(step, layer, part);
        begun_ = {step.hidden, layer, part + 1};
        return true;
    }

    static int64_t count_parts(const int32_t* bounds, int64_t pictures) {
        int64_t parts = 1, rows = 0;
        for (int64_t i = 0; i < pictures; ++i) {
            for (int64_t row = bounds[i]; row < bounds[i + 1]; row += kBlockQueries) {
                rows += std::min<int64_t>(kBlockQueries, bounds[i + 1] - row);
                if (is_enough(rows)) ++parts, rows = 0;
            }
        }
        return rows == 0 ? parts : parts + 1;
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

    // Units of queries whose rows follow each other.
    struct Part {
        int64_t first, last;
    };
    // What the next part has to be; parts of another pass would find its scratch memory overwritten.
    struct Begun {
        const float* hidden = nullptr;
        int64_t layer = 0, part = 0;
        bool operator==(const Begun& other) const {
            return hidden == other.hidden && layer == other.layer && part == other.part;
        }
    };

    static bool is_enough(int64_t rows) { return rows >= kPartRows; }

    int64_t parts() const { return 1 + static_cast<int64_t>(parts_.size()); }

    void run_prepared(const VlVisionStep& step, int64_t layer, int64_t part) {
        const VlVisionLayer& weights = layers_[static_cast<size_t>(layer)];
        if (part == 0) {
            project(step, weights);
        } else {
            finish(step, weights, parts_[static_cast<size_t>(part - 1)]);
        }
    }

    void prepare(const VlVisionStep& step) {
        divide(step.bounds, step.pictures);
        rows_ = step.bounds[step.pictures];
        const auto tiles = static_cast<int64_t>(tiles_.size());
        wide_ = wide_buffer_.room<float>(rows_ * 3 * shape_.hidden);
        inner_ = inner_buffer_.room<float>(std::min(rows_, kPartRows + kBlockQueries) *
                                           shape_.intermediate);
        mixed_ = mixed_buffer_.room<float>(rows_ * shape_.hidden);
        keys_ = key_buffer_.room<float>(tiles * kTileKeys * shape_.hidden);
        values_ = value_buffer_.room<float>(tiles * kTileKeys * shape_.hidden);
        line_width_ = std::max(shape_.hidden,
                               attention::QueryBlock::size(kBlockQueries, width_));
        lines_ = line_buffer_.room<float>(line_width_ * threads::count());
    }

    void divide(const int32_t* bounds, int64_t pictures) {
        tiles_.clear();
        units_.clear();
        parts_.clear();
        for (int64_t i = 0; i < pictures; ++i) divide_picture(bounds[i], bounds[i + 1]);
        const auto units = static_cast<int64_t>(units_.size());
        int64_t first = 0, rows = 0;
        for (int64_t unit = 0; unit < units; ++unit) {
            rows += units_[static_cast<size_t>(unit)].last - units_[static_cast<size_t>(unit)].first;
            if (!is_enough(rows) && unit + 1 < units) continue;
            parts_.push_back({first, unit + 1});
            first = unit + 1, rows = 0;
        }
    }

    void divide_picture(int64_t first, int64_t last) {
        const auto tile = static_cast<int64_t>(tiles_.size());
        for (int64_t row = first; row < last; row += kTileKeys) {
            tiles_.push_back({row, std::min<int64_t>(kTileKeys, last - row)});
        }
        for (int64_t row = first; row < last; row += kBlockQueries) {
            units_.push_back({row, std::min(row + kBlockQueries, last), tile, last - first});
        }
    }

    void project(const VlVisionStep& step, const VlVisionLayer& layer) {
        put_normed(step.hidden, rows_, layer.norm1_weight, layer.norm1_bias, layer.qkv);
        product::multiply(layer.qkv, x_, {layer.qkv_bias, false, false}, wide_);
        threads::for_each(static_cast<int64_t>(tiles_.size()),
                          [&](int64_t tile, int) { place_heads(step, tile); });
    }

    void finish(const VlVisionStep& step, const VlVisionLayer& layer, const Part& part) {
        const int64_t units = part.last - part.first;
        threads::for_each(units * shape_.heads, [&](int64_t i, int thread) {
            const auto unit = static_cast<size_t>(part.first + i % units);
            attend_block(units_[unit], i / units, line(thread));
        });
        const int64_t first = units_[static_cast<size_t>(part.first)].first;
        const int64_t rows = units_[static_cast<size_t>(part.last - 1)].last - first;
        float* hidden = step.hidden + first * shape_.hidden;
        const float* mixed = mixed_ + first * shape_.hidden;
        x_.reshape(rows, shape_.hidden, layer.proj.form);
        threads::for_rows(rows,
                          [&](int64_t row, int) { x_.put(row, mixed + row * shape_.hidden); });
        product::multiply(layer.proj, x_, {layer.proj_bias, false, true}, hidden);
        feed_forward(hidden, rows, layer);
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
        product::multiply(layer.fc1, x_, {layer.fc1_bias, true, false}, inner_);
        x_.reshape(rows, inner, layer.fc2.form);
        threads::for_rows(rows, [&](int64_t row, int) { x_.put(row, inner_ + row * inner); });
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
    std::vector<Part> parts_;
    Begun begun_;
    memory::Buffer wide_buffer_, inner_buffer_, mixed_buffer_;
    memory::Buffer key_buffer_, value_buffer_, line_buffer_;
    int64_t rows_ = 0, line_width_ = 0;
    float *wide_ = nullptr;    // (P, 3H)
    float *inner_ = nullptr;   // (rows of a part, I)
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

// Returns 2 when the part is not the next one of the pass that began this layer.
VL_EXPORT int32_t vl_vision_run_part(void* network, const VlVisionStep* step, int64_t layer,
                                     int64_t part) {
    const threads::Call call;
    try {
        return static_cast<VisionNetwork*>(network)->run_part(*step, layer, part) ? 0 : 2;
    } catch (const std::bad_alloc&) {
        return 1;
    }
}

// Returns how many parts a layer of these pictures has.
VL_EXPORT int64_t vl_vision_parts(const int32_t* bounds, int64_t pictures) {
    return VisionNetwork::count_parts(bounds, pictures);
}

VL_EXPORT void vl_vision_destroy(void* network) { delete static_cast<VisionNetwork*>(network); }
