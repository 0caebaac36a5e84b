// Quantises rows and lays them out in tiles: the first half of product.h.
#include <algorithm>
#include <cstring>

#include "forms.h"
#include "product.h"

namespace product {
namespace {

constexpr int64_t kUnitBytes = 256 * 1024;  // of activations in the second level of the cache

}  // namespace

void Activations::reshape(int64_t rows, int64_t inputs, int32_t form) {
    rows_ = rows;
    inputs_ = inputs;
    groups_ = forms::groups(inputs);
    tiles_ = (rows + kTileRows - 1) / kTileRows;
    short_rows_ = tiles_ == 0 ? 0 : rows / tiles_;
    longer_ = rows - short_rows_ * tiles_;
    is_quantised_ = forms::is_quantised(form);
    weight_offset_ = form == kInt8 ? forms::kInt8Offset : forms::kInt4Offset;
    const int64_t bytes = is_quantised_ ? sizeof(Element) : sizeof(float);
    numbers_.reshape(rows * inputs * bytes, rows * groups_);
    unit_tiles_ = std::clamp<int64_t>(kUnitBytes / (kTileRows * inputs * bytes), 1, kMostTiles);
    if (!is_quantised_ || !kHasRests) return;
    rests_.reshape(rows * inputs * bytes, rows * groups_);
    rest_rows_ = row_buffer_.room<int32_t>(rows * groups_);
    rest_counts_ = count_buffer_.room<std::atomic<int32_t>>(units() * groups_);
    for (int64_t i = 0; i < units() * groups_; ++i) rest_counts_[i] = 0;
}

void Activations::Part::reshape(int64_t bytes, int64_t groups) {
    elements = element_buffer.room<uint8_t>(bytes);
    scales = scale_buffer.room<float>(groups);
    offsets = offset_buffer.room<int32_t>(groups);
}

int64_t Activations::tile_start(int64_t tile) const {
    return tile * short_rows_ + (tile < longer_ ? tile : longer_);
}

void Activations::put(int64_t row, const float* x) {
    const int64_t in_longer = longer_ * (short_rows_ + 1);
    const int64_t tile =
        row < in_longer ? row / (short_rows_ + 1) : longer_ + (row - in_longer) / short_rows_;
    const int64_t start = tile_start(tile), height = tile_rows(tile);
    for (int64_t g = 0; g < groups_; ++g) {
        const int64_t at = start * groups_ + g * height + row - start;  // in groups of one row
        const float* group = x + g * kGroup;
        if (!is_quantised_) {
            auto* out = static_cast<float*>(numbers_.elements) + at * kGroup;
            std::memcpy(out, group, kGroup * sizeof(float));
            continue;
        }
        quantise(group, weight_offset_, numbers_.place(at),
                 [&] { return take_rest(row, tile / unit_tiles_, g); });
    }
}

Place<Element> Activations::take_rest(int64_t row, int64_t unit, int64_t g) {
    const int32_t index =
        rest_counts_[unit * groups_ + g].fetch_add(1, std::memory_order_relaxed);
    const int64_t at = rest_start(unit, g) + index;
    rest_rows_[at] = static_cast<int32_t>(row);
    return rests_.place(at);
}

Activations::Rests Activations::rests(int64_t unit, int64_t g) const {
    const int64_t at = rest_start(unit, g);
    const Place<Element> place = rests_.place(at);
    const int32_t count = rest_counts_[unit * groups_ + g].load(std::memory_order_relaxed);
    return {place.elements, place.scales, place.offsets, rest_rows_ + at, count};
}

}  // namespace product
