// The tile registers of AMX, and whether this process may use them.
//
// Only the set of kernels for AVX-512 uses them, and only where processor and system let it: products of
// many rows (amx_product.h), attention of a picture's patches (amx_attention.h).
#pragma once

#include <cstdint>

namespace amx {

// What a register holds at most, and in all shapes here does: kRows rows of kRowBytes.
constexpr int kRows = 16;
constexpr int kRowBytes = 64;

#if defined(__AMX_INT8__)

// Whether the processor has the registers, with products of int8 and of bfloat16, and the system has let
// this process have them.
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
