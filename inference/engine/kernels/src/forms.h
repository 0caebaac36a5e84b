// The forms of a packed matrix: what lies where.
//
// A matrix is blocks of kBlock outputs, two vectors of them (the last block padded with zeros); a block
// is its groups of inputs in order (the last one padded with zeros), so that a product with one row
// reads one ascending stream. A group holds the weights of kBlock outputs x 128 inputs in int8, x 32 in
// the other forms, and in the quantised forms a scale in bfloat16 for each output behind them.
//
// In int8 a weight that outweighs the others of its group would leave them no steps and stands apart, as in
// the cache (cache_rows.h); the one in its place is 0. Behind the last block there is a byte for each
// block that says whether it has any, and behind those for each group of each block a weight for each
// output in bfloat16, 0 where none stands apart, and a byte that says which input it meets. Spread int8
// (hadamard.h) is the same, with what a group's weights become that way; the one that stands apart
// meets the input as it was.
//
// Integers lie in runs: kRun inputs of one output, then of the next output:
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
// With 32 inputs, every fourth operation of a product scaled sums, or put tiles of AMX to half use; int4,
// with 16 levels, cannot do with groups as long as these.
constexpr int kInt8Group = 128;
constexpr int kSmallGroup = 32;  // of all other forms
constexpr int kRun = simd::kHasQuads ? 4 : 2;
// What is added to a weight where it is stored.
constexpr int kInt8Offset = simd::kHasQuads ? 128 : 0;
constexpr int kInt4Offset = 8;

constexpr bool is_int8(int32_t form) { return form == kInt8 || form == kSpreadInt8; }
constexpr int64_t group_inputs(int32_t form) { return is_int8(form) ? kInt8Group : kSmallGroup; }

constexpr int64_t kScaleBytes = kBlock * static_cast<int64_t>(sizeof(Bf16));
constexpr int64_t kInt8ScalesAt = kBlock * kInt8Group;  // in a group

constexpr int64_t group_bytes(int32_t form) {
    const int64_t weights = kBlock * group_inputs(form);
    switch (form) {
        case kInt8:
        case kSpreadInt8: return weights + kScaleBytes;
        case kInt4: return weights / 2 + kScaleBytes;
        case kBf16: return weights * 2;
        default: return weights * 4;
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
inline int64_t groups(int64_t inputs, int32_t form) {
    return (inputs + group_inputs(form) - 1) / group_inputs(form);
}
inline int64_t block_bytes(const VlMatrix& matrix) {
    return groups(matrix.inputs, matrix.form) * group_bytes(matrix.form);
}
inline int64_t all_blocks_bytes(const VlMatrix& matrix) {
    return blocks(matrix.outputs) * block_bytes(matrix);
}

// What stands apart in a group of int8: the weights, then the inputs that they meet.
constexpr int64_t kApartInputsAt = kBlock * static_cast<int64_t>(sizeof(Bf16));
constexpr int64_t kApartBytes = kApartInputsAt + kBlock;
// Which input of its group the weight of output `n` meets; within the group in a damaged file, too.
inline int apart_input(const uint8_t* apart, int64_t n) {
    return apart[kApartInputsAt + n] % kInt8Group;
}
// The blocks' own bytes, whole lines of the cache behind all_blocks_bytes, 1 where there is any.
inline int64_t marks_bytes(const VlMatrix& matrix) { return (blocks(matrix.outputs) + 63) / 64 * 64; }
// Where that of a block's first group begins.
inline int64_t apart_at(const VlMatrix& matrix, int64_t block) {
    return all_blocks_bytes(matrix) + marks_bytes(matrix) +
           block * groups(matrix.inputs, matrix.form) * kApartBytes;
}
inline int64_t matrix_bytes(const VlMatrix& matrix) {
    return is_int8(matrix.form) ? apart_at(matrix, blocks(matrix.outputs)) : all_blocks_bytes(matrix);
}
inline bool is_quantised(int32_t form) { return is_int8(form) || form == kInt4; }

}  // namespace forms
