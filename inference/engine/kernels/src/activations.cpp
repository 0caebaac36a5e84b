// Quantises rows and lays them out in tiles: the first half of product.h.
#include <algorithm>
#include <cstring>

#include "amx_product.h"
#include "forms.h"
#include "hadamard.h"
#include "product.h"

namespace product {
namespace {

// Of activations in the second level of the cache; processors with AMX have 2 MiB of it.
constexpr int64_t kUnitBytes = 256 * 1024;
constexpr int64_t kAmxUnitBytes = 1024 * 1024;
constexpr int64_t kMostTiles = 16;
static_assert(kMostTiles * kTileRows <= kMostRows);

int64_t element_bytes(int32_t form) {
    return forms::is_quantised(form) ? sizeof(Element) : sizeof(float);
}

}  // namespace

void Activations::reshape(int64_t rows, int64_t inputs, int32_t form) {
    rows_ = rows;
    inputs_ = inputs;
    form_ = form;
    groups_ = forms::groups(inputs, form);
    width_ = groups_ * forms::group_inputs(form);
    is_for_amx_ = forms::is_int8(form) && rows >= amx::kFewestRows && amx::is_usable();
    const int64_t height = is_for_amx_ ? amx::kRows : kTileRows;
    tiles_ = (rows + height - 1) / height;
    short_rows_ = tiles_ == 0 ? 0 : rows / tiles_;
    longer_ = rows - short_rows_ * tiles_;
    // A register of AMX always reads its 16 rows, of a shorter tile also what lies behind.
    const int64_t behind = is_for_amx_ ? amx::kRows : 0;
    numbers_.reshape(rows * groups_ + behind, form);
    const int64_t tile_bytes = height * width_ * element_bytes(form);
    unit_tiles_ = is_for_amx_ ? std::clamp<int64_t>(kAmxUnitBytes / tile_bytes, 1, kMostRows / height)
                              : std::clamp<int64_t>(kUnitBytes / tile_bytes, 1, kMostTiles);
    if (!forms::is_quantised(form) || !kHasRests) return;
    rests_.reshape(rows * groups_ + behind, form);
    rest_rows_ = row_buffer_.room<int32_t>(rows * groups_);
    rest_counts_ = count_buffer_.room<std::atomic<int32_t>>(units() * groups_);
    for (int64_t i = 0; i < units() * groups_; ++i) rest_counts_[i] = 0;
}

void Activations::Part::reshape(int64_t groups, int32_t form) {
    group_inputs = forms::group_inputs(form);
    elements = element_buffer.room<uint8_t>(groups * group_inputs * element_bytes(form));
    scales = scale_buffer.room<float>(groups);
    offsets = offset_buffer.room<int32_t>(groups);
}

int64_t Activations::tile_start(int64_t tile) const {
    return tile * short_rows_ + (tile < longer_ ? tile : longer_);
}

void Activations::put(int64_t row, const float* x) {
    switch (form_) {
        case kInt8: return put_groups<kInt8Group, false>(row, x);
        case kSpreadInt8: return put_groups<kInt8Group, true>(row, x);
        default: return put_groups<kSmallGroup, false>(row, x);
    }
}

template <int kGroup, bool kIsSpread>
void Activations::put_groups(int64_t row, const float* x) {
    const int64_t in_longer = longer_ * (short_rows_ + 1);
    const int64_t tile =
        row < in_longer ? row / (short_rows_ + 1) : longer_ + (row - in_longer) / short_rows_;
    const int64_t start = tile_start(tile), height = tile_rows(tile);
    const int weight_offset = forms::is_int8(form_) ? forms::kInt8Offset : forms::kInt4Offset;
    for (int64_t g = 0; g < groups_; ++g) {
        const int64_t at = start * groups_ + g * height + row - start;  // in groups of one row
        const float* group = x + g * kGroup;
        float padded[kGroup];
        if (const int64_t here = inputs_ - g * kGroup; here < kGroup) {
            std::fill(std::copy_n(group, here, padded), padded + kGroup, 0.0f);
            group = padded;
        }
        if (!forms::is_quantised(form_)) {
            auto* out = static_cast<float*>(numbers_.elements) + at * kGroup;
            std::memcpy(out, group, kGroup * sizeof(float));
            continue;
        }
        const auto rest = [&] { return take_rest(row, tile / unit_tiles_, g); };
        if constexpr (kIsSpread) {
            float spread[kGroup];
            const bool are_few = hadamard::spread_inputs(group, spread);
            quantise<kGroup>(spread, weight_offset, numbers_.place(at),
                             [&](const auto&, float) { return are_few; }, rest);
        } else {
            quantise<kGroup>(group, weight_offset, numbers_.place(at), is_uneven<kGroup>, rest);
        }
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
    return {place.elements, place.scales, place.offsets, rest_rows_ + at, count_rests(unit, g)};
}

}  // namespace product
