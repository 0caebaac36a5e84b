// One vector of the processor and its operations; everything else in this folder is written above it.
//
// Another instruction set is another file like the two below and another extension in setup.py. A
// vector holds kLanes float32 or int32. Loads and stores need no alignment. Each file says with
// kHasQuads how it multiplies integers: pairs of int16 (add_pairs) or quads of bytes (add_quads);
// kinds_pairs.h and kinds_quads.h are written above these.
#pragma once

#include <cstdint>

struct Bf16 {
    uint16_t bits;
};

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VNNI__)
#include "simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "simd_avx2.h"
#else
#error "no vectors for this instruction set: build with the flags of setup.py"
#endif
