// Quantises rows and lays them out in tiles: the first half of product.h.
#include <cstring>

#include "forms.h"
#include "product.h"
#include "simd.h"

namespace product {
namespace {

using forms::kGroup;

constexpr float kLargest = 32767;  // 32 * 127 * 32767 < 2^31

// Quantises 32 numbers, returns their scale, sets the offset that int4's weights + 8 ask for.
float quantise(const float* x, int16_t* out, int32_t* offset) {
    constexpr int kVectors = kGroup / simd::kLanes;
    simd::Floats values[kVectors], peak = simd::zeros();
    for (int i = 0; i < kVectors; ++i) {
        values[i] = simd::load(x + i * simd::kLanes);
        peak = simd::larger_magnitude(peak, values[i]);
    }
    const float largest = simd::peak_magnitude(peak);
    const simd::Floats factor = simd::broadcast(largest == 0 ? 0 : kLargest / largest);
    simd::Ints total = simd::zero_ints();
    for (int i = 0; i < kVectors; i += 2) {
        const simd::Ints low = simd::to_ints(simd::mul(values[i], factor));
        const simd::Ints high = simd::to_ints(simd::mul(values[i + 1], factor));
        simd::store_shorts(out + i * simd::kLanes, low, high);
        total = simd::add(total, simd::add(low, high));
    }
    *offset = -8 * simd::sum(total);
    return largest / kLargest;
}

}  // namespace

void Activations::reshape(int64_t rows, int64_t inputs, int32_t form) {
    rows_ = rows;
    inputs_ = inputs;
    groups_ = forms::groups(inputs);
    tiles_ = (rows + kTileRows - 1) / kTileRows;
    short_rows_ = tiles_ == 0 ? 0 : rows / tiles_;
    longer_ = rows - short_rows_ * tiles_;
    is_quantised_ = forms::is_quantised(form);
    const int64_t bytes = is_quantised_ ? sizeof(int16_t) : sizeof(float);
    elements_at_ = elements_.room<uint8_t>(rows * inputs * bytes);
    scales_at_ = scales_.room<float>(rows * groups_);
    offsets_at_ = offsets_.room<int32_t>(rows * groups_);
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
        if (is_quantised_) {
            auto* out = static_cast<int16_t*>(elements_at_) + at * kGroup;
            scales_at_[at] = quantise(x + g * kGroup, out, offsets_at_ + at);
        } else {
            auto* out = static_cast<float*>(elements_at_) + at * kGroup;
            std::memcpy(out, x + g * kGroup, kGroup * sizeof(float));
        }
    }
}

}  // namespace product
