// The forms of a packed matrix: what lies where.
//
// A matrix is blocks of kBlock outputs, two vectors of them (the last block padded with zeros); a block
// is its groups of 32 inputs in order, so that a product with one row reads one ascending stream. A
// group holds the weights of kBlock x 32 and, in the quantised forms, a scale in bfloat16 for each
// output behind them. Integers lie in runs: kRun inputs of one output, then of the next output:
//   int8  a byte a weight, kRun = 2 (int8) or 4 (weight + 128 as uint8, for quads)
//   int4  weight + 8 in a nibble. With pairs: words of 16 bits that hold, for two inputs each, the
//         nibbles of 4 pairs; with quads: bytes whose low nibbles are one quad, the high ones the next
//   bf16, fp32  for each input the weights of all outputs
// Scales are rounded away from zero to bfloat16 before the weights are divided by them, so no weight
// leaves -127..127 (int8) or, but for rounding, -8..7 (int4, where the largest magnitude becomes -8).
#pragma once

#include <cstdint>

#include "abi.h"
#include "simd.h"

namespace forms {

constexpr int kBlock = 2 * simd::kLanes;
constexpr int kGroup = 32;
constexpr int kRun = simd::kHasQuads ? 4 : 2;
constexpr int kRuns = kGroup / kRun;
// What is added to a weight where it is stored.
constexpr int kInt8Offset = simd::kHasQuads ? 128 : 0;
constexpr int kInt4Offset = 8;

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

// Where weight `k` of output `n` lies in a group of int8.
constexpr int64_t int8_at(int64_t n, int64_t k) { return (k / kRun * kBlock + n) * kRun + k % kRun; }

// The same in int4: a byte and how far the nibble is shifted in it.
struct Nibble {
    int64_t byte;
    int shift;
};
constexpr Nibble int4_at(int64_t n, int64_t k) {
    if constexpr (simd::kHasQuads) {
        return {(k / 8 * kBlock + n) * 4 + k % 4, static_cast<int>(k / 4 % 2 * 4)};
    } else {
        const int64_t word = (k / 8 * kBlock + n) * 2 + k % 2, pair = k / 2 % 4;
        return {word * 2 + pair / 2, static_cast<int>(pair % 2 * 4)};
    }
}

inline int64_t blocks(int64_t outputs) { return (outputs + kBlock - 1) / kBlock; }
inline int64_t groups(int64_t inputs) { return inputs / kGroup; }
inline int64_t block_bytes(const VlMatrix& matrix) {
    return groups(matrix.inputs) * group_bytes(matrix.form);
}
inline bool is_quantised(int32_t form) { return form == kInt8 || form == kInt4; }

}  // namespace forms
