// The decoder layers of the language model, all of them in one call.
//
// Source: Qwen3VLTextDecoderLayer of transformers 5.24. A layer is: rms norm, queries, keys and values,
// a norm and the rotary angles on each head, keys and values into their pages, attention, its output
// added; rms norm, SwiGLU MLP added. Deep-stack features of pictures are added behind the first
// layers. Activations of a product are made row by row where their source is still in the cache.
//
// Behind the last layer only scored rows are read, the last one of a prompt mostly: what its attention
// gives is taken on for those rows alone, which stand together at the front meanwhile. The others' keys
// and values are in their pages as ever; what is left of their hidden rows means nothing.
#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "abi.h"
#include "cache_rows.h"
#include "memory.h"
#include "norms.h"
#include "paged_attention.h"
#include "product.h"
#include "threads.h"

namespace {

// Rows whose MLP runs at a time: the widest scratch memory stays small, the weights in the cache.
constexpr int64_t kMlpRows = 512;

class TextNetwork {
  public:
    TextNetwork(const VlTextShape& shape, const VlTextLayer* layers, int64_t count)
        : shape_(shape), layers_(layers, layers + count) {}

    void run(const VlTextStep& step, int64_t first, int64_t last) {
        prepare(step);
        for (int64_t layer = first; layer < last; ++layer) {
            attend(step, layer);
            if (layer + 1 < static_cast<int64_t>(layers_.size()) || step.scored_count == rows_) {
                finish(step.hidden, rows_, layer);
            } else {
                finish_scored(step, layer);
            }
            if (layer < step.levels) add_deep(step, layer);
        }
    }

  private:
    int64_t qkv_width() const { return (shape_.heads + 2 * shape_.kv_heads) * shape_.head_dim; }
    int64_t mixed_width() const { return shape_.heads * shape_.head_dim; }

    void prepare(const VlTextStep& step) {
        rows_ = step.row_starts[step.sequences];
        const int64_t mlp = std::min(rows_, kMlpRows) * 2 * shape_.intermediate;
        wide_ = wide_buffer_.room<float>(std::max(rows_ * qkv_width(), mlp));
        mixed_ = mixed_buffer_.room<float>(rows_ * mixed_width());
        line_width_ = std::max(shape_.hidden, shape_.intermediate);
        lines_ = line_buffer_.room<float>(line_width_ * threads::count());
        places_.clear();
        for (int64_t i = 0; i < step.sequences; ++i) {
            for (int64_t row = step.row_starts[i]; row < step.row_starts[i + 1]; ++row) {
                const int64_t index = step.first_index[i] + row - step.row_starts[i];
                const int64_t at = i * step.table_width + index / paged::kPageTokens;
                places_.push_back({step.page_tables[at], index % paged::kPageTokens});
            }
        }
        attention_.plan(shape_, step);
    }

    void attend(const VlTextStep& step, int64_t index) {
        const VlTextLayer& layer = layers_[static_cast<size_t>(index)];
        put_normed(step.hidden, rows_, layer.input_norm, layer.qkv);
        product::multiply(layer.qkv, x_, {}, wide_);
        threads::for_rows(rows_, [&](int64_t row, int) {
            paged::with_rows(step.cache_form, [&](auto* rows) {
                place_heads<std::remove_pointer_t<decltype(rows)>>(step, index, row);
            });
        });
        attention_.run(index, wide_, qkv_width(), mixed_);
    }

    // hidden (rows, H) += what attention gave, then the MLP.
    void finish(float* hidden, int64_t rows, int64_t index) {
        const VlTextLayer& layer = layers_[static_cast<size_t>(index)];
        x_.reshape(rows, mixed_width(), layer.o.form);
        threads::for_rows(rows,
                          [&](int64_t row, int) { x_.put(row, mixed_ + row * mixed_width()); });
        product::multiply(layer.o, x_, {nullptr, false, true}, hidden);
        for (int64_t row = 0; row < rows; row += kMlpRows) {
            feed_forward(hidden + row * shape_.hidden, std::min(kMlpRows, rows - row), layer);
        }
    }

    void finish_scored(const VlTextStep& step, int64_t index) {
        const auto move = [](float* rows, int64_t from, int64_t to, int64_t width) {
            if (from != to) std::copy_n(rows + from * width, width, rows + to * width);
        };
        for (int64_t i = 0; i < step.scored_count; ++i) {
            move(step.hidden, step.scored[i], i, shape_.hidden);
            move(mixed_, step.scored[i], i, mixed_width());
        }
        finish(step.hidden, step.scored_count, index);
        for (int64_t i = step.scored_count - 1; i >= 0; --i) {
            move(step.hidden, i, step.scored[i], shape_.hidden);
        }
    }

    // Norms and turns a row's heads; its keys and values go to their page.
    template <class Rows>
    void place_heads(const VlTextStep& step, int64_t index, int64_t row) {
        const VlTextLayer& layer = layers_[static_cast<size_t>(index)];
        const int64_t width = shape_.head_dim;
        const paged::Cache cache{step.cache, step.pages, shape_.kv_heads, width};
        const Place place = places_[static_cast<size_t>(row)];
        const float *cos = step.cos + row * width, *sin = step.sin + row * width;
        const float query_scale = 1 / std::sqrt(static_cast<float>(width));
        float* head = wide_ + row * qkv_width();
        for (int64_t i = 0; i < shape_.heads; ++i, head += width) {
            norms::rms(head, layer.q_norm, shape_.eps, width, head);
            norms::rotate(head, cos, sin, query_scale, width);
        }
        for (int64_t i = 0; i < shape_.kv_heads; ++i, head += width) {
            norms::rms(head, layer.k_norm, shape_.eps, width, head);
            norms::rotate(head, cos, sin, 1, width);
            cache.page<Rows>(index, place.page, 0, i).store(place.slot, head);
        }
        for (int64_t i = 0; i < shape_.kv_heads; ++i, head += width) {
            cache.page<Rows>(index, place.page, 1, i).store(place.slot, head);
        }
    }

    void feed_forward(float* hidden, int64_t rows, const VlTextLayer& layer) {
        const int64_t width = shape_.intermediate;
        put_normed(hidden, rows, layer.post_norm, layer.gate_up);
        product::multiply(layer.gate_up, x_, {}, wide_);
        x_.reshape(rows, width, layer.down.form);
        threads::for_rows(rows, [&](int64_t row, int thread) {
            const float* gate = wide_ + row * 2 * width;
            norms::swiglu(gate, gate + width, width, line(thread));
            x_.put(row, line(thread));
        });
        product::multiply(layer.down, x_, {nullptr, false, true}, hidden);
    }

    void put_normed(const float* hidden, int64_t rows, const float* weight,
                    const VlMatrix& matrix) {
        x_.reshape(rows, shape_.hidden, matrix.form);
        threads::for_rows(rows, [&](int64_t row, int thread) {
            norms::rms(hidden + row * shape_.hidden, weight, shape_.eps, shape_.hidden,
                       line(thread));
            x_.put(row, line(thread));
        });
    }

    void add_deep(const VlTextStep& step, int64_t layer) {
        const float* features = step.deep + layer * step.deep_count * shape_.hidden;
        for (int64_t i = 0; i < step.deep_count; ++i) {
            norms::add(features + i * shape_.hidden, shape_.hidden,
                       step.hidden + step.deep_rows[i] * shape_.hidden);
        }
    }

    float* line(int thread) const { return lines_ + thread * line_width_; }

    struct Place {
        int64_t page, slot;
    };

    VlTextShape shape_;
    std::vector<VlTextLayer> layers_;
    product::Activations x_;
    paged::Attention attention_;
    std::vector<Place> places_;  // of each row's keys and values
    memory::Buffer wide_buffer_, mixed_buffer_, line_buffer_;
    int64_t rows_ = 0, line_width_ = 0;
    float *wide_ = nullptr;   // (M, qkv) and later (rows of the MLP, 2I)
    float *mixed_ = nullptr;  // (M, A D), what attention gives
    float *lines_ = nullptr;  // a row for each thread
};

}  // namespace

VL_EXPORT void* vl_text_create(const VlTextShape* shape, const VlTextLayer* layers, int64_t count) {
    try {
        return new TextNetwork(*shape, layers, count);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

VL_EXPORT int32_t vl_text_run(void* network, const VlTextStep* step, int64_t first, int64_t last) {
    const threads::Call call;
    try {
        static_cast<TextNetwork*>(network)->run(*step, first, last);
    } catch (const std::bad_alloc&) {
        return 1;
    }
    return 0;
}

VL_EXPORT void vl_text_destroy(void* network) { delete static_cast<TextNetwork*>(network); }
