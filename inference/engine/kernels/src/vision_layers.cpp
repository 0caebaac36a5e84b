// The layers of the vision tower, whole or part by part.
//
// Source: Qwen3VLVisionBlock of transformers 5.24. A layer is: layer norm, queries, keys and values
// with bias, rotary angles on queries and keys, attention inside each picture, its projection added;
// layer norm, MLP with GELU (tanh) added.
//
// A layer over 4,096 patches takes a second, and answers must not pause so long. Its first part makes
// queries, keys and values of all rows; each further part takes some rows through attention and MLP.
#include <algorithm>
#include <vector>

#include "abi.h"
#include "forms.h"
#include "memory.h"
#include "norms.h"
#include "product.h"
#include "threads.h"
#include "vision_attention.h"

namespace {

constexpr float kEps = 1e-6f;
constexpr int64_t kUnitRows = vision::Attention::kUnitRows;
// Rows of a part behind the first, up to one block of queries more: enough for products at full speed,
// and the scratch memory of the MLP stays small.
constexpr int64_t kPartRows = 480;

class VisionNetwork {
  public:
    VisionNetwork(const VlVisionShape& shape, const VlVisionLayer* layers, int64_t count)
        : shape_(shape), layers_(layers, layers + count) {}

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
            for (int64_t row = bounds[i]; row < bounds[i + 1]; row += kUnitRows) {
                rows += std::min<int64_t>(kUnitRows, bounds[i + 1] - row);
                if (is_enough(rows)) ++parts, rows = 0;
            }
        }
        return rows == 0 ? parts : parts + 1;
    }

  private:
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
        rows_ = step.bounds[step.pictures];
        attention_.plan(shape_, step,
                        !layers_.empty() && forms::is_quantised(layers_.front().qkv.form));
        divide();
        wide_ = wide_buffer_.room<float>(rows_ * 3 * shape_.hidden);
        inner_ = inner_buffer_.room<float>(std::min(rows_, kPartRows + kUnitRows) *
                                           shape_.intermediate);
        mixed_ = mixed_buffer_.room<float>(rows_ * shape_.hidden);
        lines_ = line_buffer_.room<float>(shape_.hidden * threads::count());
    }

    void divide() {
        parts_.clear();
        const auto units = static_cast<int64_t>(attention_.units().size());
        int64_t first = 0, rows = 0;
        for (int64_t i = 0; i < units; ++i) {
            rows += unit(i).last - unit(i).first;
            if (!is_enough(rows) && i + 1 < units) continue;
            parts_.push_back({first, i + 1});
            first = i + 1, rows = 0;
        }
    }

    const vision::Attention::Unit& unit(int64_t i) const {
        return attention_.units()[static_cast<size_t>(i)];
    }

    void project(const VlVisionStep& step, const VlVisionLayer& layer) {
        put_normed(step.hidden, rows_, layer.norm1_weight, layer.norm1_bias, layer.qkv);
        product::multiply(layer.qkv, x_, {layer.qkv_bias, false, false}, wide_);
        attention_.place(step, wide_);
    }

    void finish(const VlVisionStep& step, const VlVisionLayer& layer, const Part& part) {
        attention_.run(part.first, part.last, wide_, mixed_);
        const int64_t first = unit(part.first).first;
        const int64_t rows = unit(part.last - 1).last - first;
        float* hidden = step.hidden + first * shape_.hidden;
        const float* mixed = mixed_ + first * shape_.hidden;
        x_.reshape(rows, shape_.hidden, layer.proj.form);
        threads::for_rows(rows,
                          [&](int64_t row, int) { x_.put(row, mixed + row * shape_.hidden); });
        product::multiply(layer.proj, x_, {layer.proj_bias, false, true}, hidden);
        feed_forward(hidden, rows, layer);
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

    float* line(int thread) const { return lines_ + thread * shape_.hidden; }

    VlVisionShape shape_;
    std::vector<VlVisionLayer> layers_;
    product::Activations x_;
    vision::Attention attention_;
    std::vector<Part> parts_;
    Begun begun_;
    memory::Buffer wide_buffer_, inner_buffer_, mixed_buffer_, line_buffer_;
    int64_t rows_ = 0;
    float *wide_ = nullptr;    // (P, 3H)
    float *inner_ = nullptr;   // (rows of a part, I)
    float *mixed_ = nullptr;   // (P, H), what attention gives
    float *lines_ = nullptr;   // a row for each thread
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
