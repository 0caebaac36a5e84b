// Quantises rows and lays them out in tiles: the first half of product.h.
#include <cstring>

#include "forms.h"
#include "kinds.h"
#include "product.h"

namespace product {

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
    if (is_quantised_) rests_.reshape(rows * inputs * bytes, rows * groups_);
    rest_marks_ = mark_buffer_.room<uint8_t>((groups_ + kChunkGroups - 1) / kChunkGroups * rows);
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
    bool has_rest = false;
    for (int64_t g = 0; g < groups_; ++g) {
        const int64_t at = start * groups_ + g * height + row - start;  // in groups of one row
        const float* group = x + g * kGroup;
        if (!is_quantised_) {
            auto* out = static_cast<float*>(numbers_.elements) + at * kGroup;
            std::memcpy(out, group, kGroup * sizeof(float));
            continue;
        }
        const auto place = [](const Part& part, int64_t index) {
            return Place<Element>{static_cast<Element*>(part.elements) + index * kGroup,
                                  part.scales + index, part.offsets + index};
        };
        has_rest |= quantise(group, weight_offset_, place(numbers_, at),
                             place(rests_, row * groups_ + g));
        if (g % kChunkGroups == kChunkGroups - 1 || g == groups_ - 1) {
            rest_marks_[g / kChunkGroups * rows_ + row] = has_rest;
            has_rest = false;
        }
    }
}

}  // namespace product
