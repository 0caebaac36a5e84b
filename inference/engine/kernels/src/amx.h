// Products of many rows with int8 weights in the tile registers of AMX: 16 rows x 16 outputs at a time.
//
// Sums of a group are exact integers, scaled and added as in kinds_quads.h, so a row's bits are those of
// the other kernels. Only the set for AVX-512 has this, and only where the system lets the process use
// the registers.
#pragma once

#include <cstdint>

#include "product.h"

namespace amx {

// Rows of a register; with fewer than kFewestRows in a product it is slower than vectors.
constexpr int kRows = 16;
constexpr int64_t kFewestRows = 10;
constexpr int64_t kMostGroups = 4;  // in a chunk: weights of a block that stay in the first level

// Tiles of rows times a chunk of inputs of a block of outputs.
struct Chunk {
    const product::Activations& x;
    int64_t first_tile, last_tile;
    const uint8_t* weights;  // of the block, from the chunk's first group
    int64_t first_group, groups;
};

// totals (rows of the tiles, kBlock) += the chunk.
void add_chunk(const Chunk& chunk, float* totals);

#if defined(__AMX_INT8__)

// Whether the processor has the registers and the system has let this process have them.
bool is_usable();

// While it lives, the thread's registers have their shape, if they are needed. Given back, they cost
// a change of threads nothing.
class Registers {
  public:
    explicit Registers(bool are_needed);
    ~Registers();
    Registers(const Registers&) = delete;
    Registers& operator=(const Registers&) = delete;

  private:
    const bool are_needed_;
};

#else

constexpr bool is_usable() { return false; }

struct Registers {
    explicit Registers(bool) {}
};

#endif

}  // namespace amx
