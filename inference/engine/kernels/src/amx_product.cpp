// Products in tile registers, see amx_product.h.
//
// A step is 16 rows x 16 outputs x a group of 128 inputs: two products of 64 inputs, whose sums are
// stored. What is stored can be read only a while later, so a step's sums are scaled when two more
// steps have begun, across the borders of tiles and halves of the block.
#if defined(__AMX_INT8__)

#include "amx_product.h"

#include <algorithm>

#include "forms.h"
#include "simd.h"

namespace amx {
namespace {

using forms::kBlock;
using product::kInt8Group;
using simd::Floats;
using simd::Ints;

constexpr int64_t kLag = 2;      // steps between a product and the use of its sums
constexpr int64_t kStored = 4;   // steps whose sums are kept, a power of two above kLag
constexpr int64_t kHalf = kInt8Group / 2;
constexpr int64_t kHalves = kBlock / simd::kLanes;
constexpr int64_t kLine = 64;
constexpr int64_t kRunBytes = kBlock * forms::kRun;  // from one run of inputs to the next
static_assert(simd::kLanes == kRows && kHalf == 64 && forms::kRun == 4);

// Weights of a chunk as the registers want them: signed, and their scales widened.
struct Weights {
    alignas(64) int8_t elements[kMostGroups][kInt8Group * kBlock];
    alignas(64) float scales[kMostGroups][kBlock];
};

using Sums = int32_t[kRows * simd::kLanes];

void make_signed(const Chunk& chunk, Weights& out) {
    const Ints sign = _mm512_set1_epi8(-128);
    for (int64_t g = 0; g < chunk.groups; ++g) {
        const uint8_t* group = chunk.weights + g * forms::group_bytes(kInt8);
        for (int64_t i = 0; i < kInt8Group * kBlock; i += 64) {
            const Ints bytes = simd::load_ints(group + i);
            simd::store_ints(out.elements[g] + i, _mm512_xor_si512(bytes, sign));
        }
        const auto* scales = reinterpret_cast<const Bf16*>(group + forms::kInt8ScalesAt);
        for (int i = 0; i < kBlock; i += simd::kLanes) {
            simd::store(out.scales[g] + i, simd::load(scales + i));
        }
    }
    asm("" ::: "memory");  // gcc 12 does not know that loading a register reads memory
}

// sums = rows (16, 128) times weights (128, 16) of one half of a block.
inline void multiply(const int8_t* rows, const int8_t* weights, Sums& sums) {
    _tile_zero(0);
    _tile_loadd(1, rows, kInt8Group);
    _tile_loadd(2, weights, kRunBytes);
    _tile_dpbssd(0, 1, 2);
    _tile_loadd(3, rows + kHalf, kInt8Group);
    _tile_loadd(4, weights + kHalf / forms::kRun * kRunBytes, kRunBytes);
    _tile_dpbssd(0, 3, 4);
    _tile_stored(0, sums, simd::kLanes * sizeof(int32_t));
}

// totals += a step's sums, scaled. The order of factors is add_scaled's of kinds.h.
inline void add_scaled(const Sums& sums, const float* weight_scales, const float* row_scales,
                       Floats (&totals)[kRows]) {
    const Floats weight_scale = simd::load(weight_scales);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
        const Floats scale = simd::mul(weight_scale, simd::broadcast(row_scales[r]));
        const Floats sum = simd::to_floats(simd::load_ints(sums + r * simd::kLanes));
        totals[r] = simd::fma(sum, scale, totals[r]);
    }
}

// Loops over sums are unrolled, or these would lie in memory. Get says what those of the first `count`
// rows begin with.
template <class Get>
inline void begin_with(Floats (&sums)[kRows], int64_t count, const Get& get) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) sums[r] = r < count ? get(r) : simd::zeros();
}

// Calls put(r, sum) for those of the first `count` rows.
template <class Put>
inline void put_away(const Floats (&sums)[kRows], int64_t count, const Put& put) {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
        if (r < count) put(r, sums[r]);
    }
}

// All steps of a chunk in order: tiles of rows, in each the halves of the block, in each the groups.
class Steps {
  public:
    Steps(const Chunk& chunk, const Weights& weights)
        : chunk_(chunk), weights_(weights), tile_(chunk.first_tile) {
        const int64_t bytes = chunk.groups * forms::group_bytes(kInt8);
        const int64_t steps = (chunk.last_tile - chunk.first_tile) * chunk.groups * kHalves;
        ahead_ = chunk.weights + bytes;
        lines_ = (bytes / kLine + steps - 1) / steps;
    }

    bool are_done() const { return tile_ == chunk_.last_tile; }

    void begin_next(Sums& sums) {
        const product::Activations& x = chunk_.x;
        const int8_t* rows = x.elements<int8_t>(tile_) +
                             (chunk_.first_group + group_) * x.tile_rows(tile_) * kInt8Group;
        multiply(rows, weights_.elements[group_] + half_ * forms::kRun, sums);
        for (int64_t i = 0; i < lines_; ++i, ahead_ += kLine) _mm_prefetch(ahead_, _MM_HINT_T1);
        if (++group_ < chunk_.groups) return;
        group_ = 0;
        half_ += simd::kLanes;
        if (half_ < kBlock) return;
        half_ = 0;
        ++tile_;
    }

  private:
    const Chunk& chunk_;
    const Weights& weights_;
    int64_t tile_, half_ = 0, group_ = 0;
    const uint8_t* ahead_;  // of the next chunk's weights, some of which each step fetches
    int64_t lines_;
};

// totals += all tiles times the chunk; the first chunk fills them.
void add_tiles(const Chunk& chunk, const Weights& weights, float* totals) {
    const product::Activations& x = chunk.x;
    alignas(64) Sums stored[kStored];
    Steps steps(chunk, weights);
    const float* out = chunk.out;
    int64_t begun = 0, used = 0;
    const auto begin_next = [&] {
        if (!steps.are_done()) steps.begin_next(stored[begun++ % kStored]);
    };
    for (int64_t i = 0; i < kLag; ++i) begin_next();
    for (int64_t tile = chunk.first_tile; tile < chunk.last_tile; ++tile) {
        const int rows = x.tile_rows(tile);
        const float* row_scales = x.scales(tile) + chunk.first_group * rows;
        for (int half = 0; half < kBlock; half += simd::kLanes) {
            Floats sums[kRows];
            begin_with(sums, rows, [&](int r) { return simd::load(totals + r * kBlock + half); });
            for (int64_t g = 0; g < chunk.groups; ++g) {
                begin_next();
                add_scaled(stored[used++ % kStored], weights.scales[g] + half,
                           row_scales + g * rows, sums);
            }
            put_away(sums, rows,
                     [&](int r, Floats sum) { simd::store(totals + r * kBlock + half, sum); });
        }
        totals += rows * kBlock;
        if (out == nullptr) continue;
        for (int r = 0; r < rows; ++r, out += chunk.out_width) product::fetch_outputs(out);
    }
}

// totals += what quantising the rows left over, as many rows at a time as have a rest in a group.
void add_rests(const Chunk& chunk, const Weights& weights, float* totals) {
    const product::Activations& x = chunk.x;
    const int64_t unit = chunk.first_tile / x.unit_tiles(), first_row = x.unit_start(unit);
    alignas(64) Sums stored[kStored];
    for (int64_t g = 0; g < chunk.groups; ++g) {
        const product::Activations::Rests rests = x.rests(unit, chunk.first_group + g);
        const auto* elements = static_cast<const int8_t*>(rests.elements);
        const int64_t steps = (rests.count + kRows - 1) / kRows * kHalves;
        const auto begin = [&](int64_t step) {
            multiply(elements + step / kHalves * kRows * kInt8Group,
                     weights.elements[g] + step % kHalves * simd::kLanes * forms::kRun,
                     stored[step % kStored]);
        };
        for (int64_t step = 0; step < std::min(kLag, steps); ++step) begin(step);
        for (int64_t step = 0; step < steps; ++step) {
            if (step + kLag < steps) begin(step + kLag);
            const int64_t first = step / kHalves * kRows, half = step % kHalves * simd::kLanes;
            Floats sums[kRows];
            begin_with(sums, 0, [](int) { return simd::zeros(); });
            add_scaled(stored[step % kStored], weights.scales[g] + half, rests.scales + first, sums);
            put_away(sums, rests.count - first, [&](int r, Floats sum) {
                float* at = totals + (rests.rows[first + r] - first_row) * kBlock + half;
                simd::store(at, simd::add(simd::load(at), sum));
            });
        }
    }
}

}  // namespace

void add_chunk(const Chunk& chunk, float* totals) {
    Weights weights;
    make_signed(chunk, weights);
    add_tiles(chunk, weights, totals);
    add_rests(chunk, weights, totals);
}

}  // namespace amx

#endif
