// Keys and values as they lie in the cache: a row is those of one token and key-value head.
//
// A row of float32 or bfloat16 is D numbers. A row of int8 is D whole numbers and, behind them, a Group
// for each 32: a scale, rounded away from zero before they are divided by it, and the group's outlier
// or 0. A number that outweighs the other 31 would leave them no steps: one key channel a thousand
// times the others spoilt half of what attention gave. So it stands beside them, and -128 in its place.
// A row depends on its own token only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "abi.h"
#include "bf16.h"
#include "maths.h"
#include "simd.h"

namespace paged {

constexpr int kGroup = 32;
constexpr int kVectors = kGroup / simd::kLanes;

template <class Cell>
class FloatRows {
  public:
    FloatRows(void* start, int64_t width) : start_(static_cast<Cell*>(start)), width_(width) {}

    static int64_t row_bytes(int64_t width) { return width * static_cast<int64_t>(sizeof(Cell)); }

    // The vector that begins with number `d` of a row.
    simd::Floats load(int64_t row, int64_t d) const {
        return simd::load(start_ + row * width_ + d);
    }
    // Several vectors of one group.
    template <int kCount>
    void load(int64_t row, int64_t d, simd::Floats (&out)[kCount]) const {
        for (int v = 0; v < kCount; ++v) out[v] = load(row, d + v * simd::kLanes);
    }
    void store(int64_t row, const float* numbers) const {
        for (int64_t d = 0; d < width_; d += simd::kLanes) {
            simd::store(start_ + row * width_ + d, simd::load(numbers + d));
        }
    }

  private:
    Cell* start_;
    int64_t width_;
};

class Int8Rows {
  public:
    Int8Rows(void* start, int64_t width) : start_(static_cast<int8_t*>(start)), width_(width) {}

    static int64_t row_bytes(int64_t width) {
        return width + width / kGroup * static_cast<int64_t>(sizeof(Group));
    }

    simd::Floats load(int64_t row, int64_t d) const {
        simd::Floats out[1];
        load(row, d, out);
        return out[0];
    }
    template <int kCount>
    void load(int64_t row, int64_t d, simd::Floats (&out)[kCount]) const {
        const Group group = groups(row)[d / kGroup];
        const int8_t* from = cells(row) + d;
        const simd::Floats scale = simd::broadcast(group.scale);
        for (int v = 0; v < kCount; ++v) {
            out[v] = simd::mul(simd::load(from + v * simd::kLanes), scale);
        }
        if (group.outlier.bits == 0) return;
        const simd::Floats outlier = simd::broadcast(group.outlier);
        for (int v = 0; v < kCount; ++v) {
            out[v] = simd::replace_lowest(out[v], from + v * simd::kLanes, outlier);
        }
    }
    void store(int64_t row, const float* numbers) const {
        for (int64_t d = 0; d < width_; d += kGroup) {
            groups(row)[d / kGroup] = store_group(numbers + d, cells(row) + d);
        }
    }

  private:
    struct Group {
        Bf16 scale, outlier;
    };

    int8_t* cells(int64_t row) const { return start_ + row * row_bytes(width_); }
    Group* groups(int64_t row) const { return reinterpret_cast<Group*>(cells(row) + width_); }

    static Group store_group(const float* numbers, int8_t* out) {
        float others[kGroup];
        std::copy_n(numbers, kGroup, others);
        float* outlier = maths::find_outlier(others, kGroup);
        if (outlier == nullptr) return {divide(others, out), Bf16{0}};
        const Bf16 kept = nearest(*outlier);
        *outlier = 0;
        const Bf16 scale = divide(others, out);
        out[outlier - others] = -128;
        return {scale, kept};
    }

    // Writes 32 whole numbers, the largest of them 127, and returns their scale.
    static Bf16 divide(const float* numbers, int8_t* out) {
        const Bf16 scale = away_from_zero(maths::largest_magnitude(numbers, kGroup) / 127);
        const float rounded = to_float(scale);
        const simd::Floats factor = simd::broadcast(rounded == 0 ? 0 : 1 / rounded);
        for (int v = 0; v < kVectors; ++v) {
            const simd::Floats x = simd::load(numbers + v * simd::kLanes);
            simd::store_bytes(out + v * simd::kLanes, simd::to_ints(simd::mul(x, factor)));
        }
        return scale;
    }

    int8_t* start_;
    int64_t width_;
};

// Calls `function` with a null pointer to the kind of rows that `form` names.
template <class Function>
void with_rows(int32_t form, const Function& function) {
    switch (form) {
        case kInt8Rows: return function(static_cast<Int8Rows*>(nullptr));
        case kBf16Rows: return function(static_cast<FloatRows<Bf16>*>(nullptr));
        default: return function(static_cast<FloatRows<float>*>(nullptr));
    }
}

}  // namespace paged
