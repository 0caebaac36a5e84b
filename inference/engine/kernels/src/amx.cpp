// The registers of amx.h: asked for once, given their shape by each thread.
#if defined(__AMX_INT8__)

#include "amx.h"

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace amx {
namespace {

// The operand of LDTILECFG. Constant, since to gcc 12 the intrinsic reads but 8 bytes of it.
struct alignas(64) Shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};
constexpr uint16_t kWide = kRowBytes;
constexpr Shapes kShapes = {1,
                            0,
                            {},
                            {kWide, kWide, kWide, kWide, kWide, kWide, kWide, kWide},
                            {kRows, kRows, kRows, kRows, kRows, kRows, kRows, kRows}};

bool ask_for_registers() {
    constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XTILEDATA
    return __builtin_cpu_supports("amx-tile") != 0 && __builtin_cpu_supports("amx-int8") != 0 &&
           __builtin_cpu_supports("amx-bf16") != 0 && __builtin_cpu_supports("avx512bf16") != 0 &&
           syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace

bool is_usable() {
    static const bool answer = ask_for_registers();
    return answer;
}

Registers::Registers(bool are_needed) : are_needed_(are_needed) {
    if (are_needed) _tile_loadconfig(&kShapes);
}

Registers::~Registers() {
    if (are_needed_) _tile_release();
}

}  // namespace amx

#endif
