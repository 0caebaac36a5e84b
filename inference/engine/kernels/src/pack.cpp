// Packs matrices into the forms of forms.h and reads single outputs back.
//
// Works from one group of kBlock outputs to the next, straight from the source: nothing the
// size of the matrix is allocated. Blocks of outputs are shared out among the threads.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "abi.h"
#include "amx.h"
#include "bf16.h"
#include "forms.h"
#include "hadamard.h"
#include "maths.h"
#include "memory.h"
#include "simd.h"
#include "threads.h"

namespace {

using forms::kBlock;
using forms::kInt8Group;
using forms::kSmallGroup;

// The largest kind; others use the first of its inputs.
using Group = float[kBlock][kInt8Group];

// values[i] = x[i] / scale, rounded; all 0 beside a scale of 0.
template <int kCount>
void divide(const float* x, float scale, int32_t (&values)[kCount]) {
    const simd::Floats divisor = simd::broadcast(scale == 0 ? 1 : scale);
    for (int i = 0; i < kCount; i += simd::kLanes) {
        const simd::Floats quotient = simd::round(simd::div(simd::load(x + i), divisor));
        float whole[simd::kLanes];
        simd::store(whole, quotient);
        for (int j = 0; j < simd::kLanes; ++j) values[i + j] = static_cast<int32_t>(whole[j]);
    }
}

// Says whether any weight stands apart.
bool pack_int8(Group& weights, bool is_spread, uint8_t* out, uint8_t* apart) {
    auto* scales = reinterpret_cast<Bf16*>(out + forms::kInt8ScalesAt);
    auto* outliers = reinterpret_cast<Bf16*>(apart);
    bool is_any_apart = false;
    std::memset(apart, 0, forms::kApartBytes);
    for (int n = 0; n < kBlock; ++n) {
        float* row = weights[n];
        if (float* outlier = maths::find_outlier(row, kInt8Group)) {
            is_any_apart = true;
            outliers[n] = nearest(*outlier);
            apart[forms::kApartInputsAt + n] = static_cast<uint8_t>(outlier - row);
            *outlier = 0;
        }
        if (is_spread) hadamard::spread_weights(row);
        scales[n] = away_from_zero(maths::largest_magnitude(row, kInt8Group) / 127);
        int32_t values[kInt8Group];
        divide(row, to_float(scales[n]), values);
        for (int k = 0; k < kInt8Group; ++k) {
            const int value = std::clamp(values[k], -127, 127) + forms::kInt8Offset;
            out[forms::int8_at(n, k)] = static_cast<uint8_t>(value);
        }
    }
    return is_any_apart;
}

void pack_int4(const Group& weights, uint8_t* out) {
    auto* scales = reinterpret_cast<Bf16*>(out + kBlock * kSmallGroup / 2);
    std::memset(out, 0, kBlock * kSmallGroup / 2);
    for (int n = 0; n < kBlock; ++n) {
        const float* row = weights[n];
        const float largest = *std::max_element(
            row, row + kSmallGroup, [](float a, float b) { return std::fabs(a) < std::fabs(b); });
        scales[n] = away_from_zero(largest / -8);
        int32_t values[kSmallGroup];
        divide(row, to_float(scales[n]), values);
        for (int k = 0; k < kSmallGroup; ++k) {
            const int value = std::clamp(values[k], -8, 7) + forms::kInt4Offset;
            const forms::Nibble at = forms::int4_at(n, k);
            out[at.byte] |= static_cast<uint8_t>(value << at.shift);
        }
    }
}

template <class Cell>
void pack_floats(const Group& weights, uint8_t* out) {
    auto* cells = reinterpret_cast<Cell*>(out);
    for (int k = 0; k < kSmallGroup; ++k) {
        float column[kBlock];
        for (int n = 0; n < kBlock; ++n) column[n] = weights[n][k];
        for (int n = 0; n < kBlock; n += simd::kLanes) {
            simd::store(cells + k * kBlock + n, simd::load(column + n));
        }
    }
}

// A group that is no int8.
void pack_group(const Group& weights, int32_t form, uint8_t* out) {
    switch (form) {
        case kInt4: return pack_int4(weights, out);
        case kBf16: return pack_floats<Bf16>(weights, out);
        default: return pack_floats<float>(weights, out);
    }
}

template <class Cell>
void pack_block(const Cell* source, const VlMatrix& shape, int64_t block, uint8_t* packed) {
    const int64_t first = block * kBlock;
    const int64_t last = std::min(first + kBlock, shape.outputs);
    const int64_t width = forms::group_inputs(shape.form);
    uint8_t* out = packed + block * forms::block_bytes(shape);
    uint8_t* apart = packed + forms::apart_at(shape, block);
    bool is_any_apart = false;
    Group weights = {};  // rows behind the last output stay 0
    for (int64_t k = 0; k < shape.inputs; k += width) {
        const int64_t here = std::min(width, shape.inputs - k);  // a multiple of 32
        for (int64_t n = first; n < last; ++n) {
            const Cell* row = source + n * shape.inputs + k;
            for (int64_t i = 0; i < here; i += simd::kLanes) {
                simd::store(weights[n - first] + i, simd::load(row + i));
            }
            std::fill(weights[n - first] + here, weights[n - first] + width, 0.0f);
        }
        if (forms::is_int8(shape.form)) {
            is_any_apart |= pack_int8(weights, shape.form == kSpreadInt8, out, apart);
            apart += forms::kApartBytes;
        } else {
            pack_group(weights, shape.form, out);
        }
        out += forms::group_bytes(shape.form);
    }
    if (is_any_apart) packed[forms::all_blocks_bytes(shape) + block] = 1;
}

template <class Cell>
void pack_all(const Cell* source, const VlMatrix& shape, uint8_t* packed) {
    if (forms::is_int8(shape.form)) {
        std::memset(packed + forms::all_blocks_bytes(shape), 0,
                    static_cast<size_t>(forms::marks_bytes(shape)));
    }
    threads::for_each(forms::blocks(shape.outputs),
                      [&](int64_t block, int) { pack_block(source, shape, block, packed); });
}

// All weights of output `n` of a block's group of int8.
void unpack_int8(const uint8_t* group, const uint8_t* apart, bool is_spread, int64_t n, float* out) {
    const auto* scales = reinterpret_cast<const Bf16*>(group + forms::kInt8ScalesAt);
    const auto* outliers = reinterpret_cast<const Bf16*>(apart);
    for (int64_t k = 0; k < kInt8Group; ++k) {
        const int byte = group[forms::int8_at(n, k)];
        const int weight = static_cast<int8_t>(byte - forms::kInt8Offset);
        out[k] = to_float(scales[n]) * static_cast<float>(weight);
    }
    if (is_spread) hadamard::gather(out);
    out[forms::apart_input(apart, n)] += to_float(outliers[n]);
}

void unpack_int4(const uint8_t* group, int64_t n, float* out) {
    const auto* scales = reinterpret_cast<const Bf16*>(group + kBlock * kSmallGroup / 2);
    for (int64_t k = 0; k < kSmallGroup; ++k) {
        const forms::Nibble at = forms::int4_at(n, k);
        const int weight = (group[at.byte] >> at.shift & 15) - forms::kInt4Offset;
        out[k] = to_float(scales[n]) * static_cast<float>(weight);
    }
}

// The same of any form that is no int8; a group has forms::group_inputs weights.
void unpack_group(const uint8_t* group, int32_t form, int64_t n, float* out) {
    if (form == kInt4) return unpack_int4(group, n, out);
    for (int64_t k = 0; k < kSmallGroup; ++k) {
        const int64_t at = k * kBlock + n;
        out[k] = form == kBf16 ? to_float(reinterpret_cast<const Bf16*>(group)[at])
                               : reinterpret_cast<const float*>(group)[at];
    }
}

void unpack_output(const VlMatrix& matrix, int64_t output, float* out) {
    const int64_t width = forms::group_inputs(matrix.form);
    const int64_t block = output / kBlock, n = output % kBlock;
    const uint8_t* group = matrix.bytes + block * forms::block_bytes(matrix);
    const uint8_t* apart = matrix.bytes + forms::apart_at(matrix, block);
    for (int64_t k = 0; k < matrix.inputs; k += width) {
        float weights[kInt8Group];
        if (forms::is_int8(matrix.form)) {
            unpack_int8(group, apart, matrix.form == kSpreadInt8, n, weights);
            apart += forms::kApartBytes;
        } else {
            unpack_group(group, matrix.form, n, weights);
        }
        std::copy_n(weights, std::min(width, matrix.inputs - k), out + k);
        group += forms::group_bytes(matrix.form);
    }
}

}  // namespace

VL_EXPORT int64_t vl_packed_bytes(int64_t outputs, int64_t inputs, int32_t form) {
    return forms::matrix_bytes({nullptr, outputs, inputs, form});
}

VL_EXPORT int64_t vl_read_bytes(int64_t outputs, int64_t inputs, int32_t form) {
    return forms::all_blocks_bytes({nullptr, outputs, inputs, form});
}

VL_EXPORT int32_t vl_pack(const void* source, int32_t is_bf16, const VlMatrix* shape,
                          uint8_t* packed) {
    const threads::Call call;
    if (is_bf16 != 0) {
        pack_all(static_cast<const Bf16*>(source), *shape, packed);
    } else {
        pack_all(static_cast<const float*>(source), *shape, packed);
    }
    return 0;
}

VL_EXPORT int32_t vl_unpack_rows(const VlMatrix* matrix, const int64_t* rows, int64_t count,
                                 float* out) {
    const threads::Call call;
    threads::for_rows(count, [&](int64_t i, int) {
        unpack_output(*matrix, rows[i], out + i * matrix->inputs);
    });
    return 0;
}

VL_EXPORT void vl_advise_huge_pages(void* memory, int64_t bytes) {
    memory::advise_huge_pages(memory, bytes);
}

VL_EXPORT int32_t vl_version() { return kAbiVersion; }

VL_EXPORT int32_t vl_is_supported() { return simd::is_supported() ? 1 : 0; }

VL_EXPORT int32_t vl_uses_amx() { return amx::is_usable() ? 1 : 0; }
