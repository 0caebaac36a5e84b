// The forms of a packed matrix: what lies where.
//
// A matrix is blocks of 16 outputs (the last one padded with zeros); a block is its groups of 32
// inputs in order, so that a product with one row reads one ascending stream. A group holds the
// weights of 16 x 32 and, in the quantised forms, 16 scales in bfloat16 behind them:
//   int8  for each pair of inputs 32 bytes: 16 outputs x 2 inputs               512 + 32 bytes
//   int4  for each 4 pairs 64 bytes: 16 outputs x 2 inputs, words of 16 bits
//         whose nibble i is pair i's weight + 8                                 256 + 32 bytes
//   bf16  for each input 16 outputs                                             1,024 bytes
//   fp32  the same                                                              2,048 bytes
// Scales are rounded away from zero to bfloat16 before the weights are divided by them, so no weight
// leaves -127..127 (int8) or, but for rounding, -8..7 (int4, where the largest magnitude becomes -8).
#pragma once

#include <cstdint>

#include "abi.h"
#include "simd.h"

namespace forms {

constexpr int kBlock = 16;
constexpr int kGroup = 32;
constexpr int kPairs = kGroup / 2;

constexpr int64_t group_bytes(int32_t form) {
    constexpr int64_t kWeights = kBlock * kGroup;
    constexpr int64_t kScales = kBlock * sizeof(Bf16);
    switch (form) {
        case kInt8: return kWeights + kScales;
        case kInt4: return kWeights / 2 + kScales;
        case kBf16: return kWeights * 2;
        default: return kWeights * 4;
    }
}

inline int64_t blocks(int64_t outputs) { return (outputs + kBlock - 1) / kBlock; }
inline int64_t groups(int64_t inputs) { return inputs / kGroup; }
inline int64_t block_bytes(const VlMatrix& matrix) {
    return groups(matrix.inputs) * group_bytes(matrix.form);
}
inline bool is_quantised(int32_t form) { return form == kInt8 || form == kInt4; }

}  // namespace forms
