// The plain C interface of the kernels, loaded by native.py through ctypes.
//
// Letters: M rows, K inputs, N outputs, P patches, H hidden width, A query heads, C key-value heads,
// D head width, L layers, G pages, S = 16 tokens a page. All arrays are contiguous; activations are
// float32. Callers check shapes and contents: nothing here reads a size from an array. Calls block,
// may come from any thread and are served one after the other. Functions that return int32_t give
// 0, or 1 when there is no memory; nothing throws.
#pragma once

#include <cstdint>

#define VL_EXPORT extern "C" __attribute__((visibility("default")))

// Raised whenever the interface or a packed form changes; native.py refuses another number.
constexpr int32_t kAbiVersion = 7;

// The forms of a packed matrix (VlMatrix::form).
enum Form : int32_t { kInt8 = 0, kInt4 = 1, kBf16 = 2, kFp32 = 3, kSpreadInt8 = 4 };
// The forms of the cache (VlTextStep::cache_form), see cache_rows.h.
enum CacheForm : int32_t { kInt8Rows = 0, kBf16Rows = 1, kFp32Rows = 2 };

struct VlMatrix {
    const uint8_t* bytes;
    int64_t outputs;  // N
    int64_t inputs;   // K, a multiple of 32
    int32_t form;
};

struct VlTextShape {
    int64_t hidden;        // H
    int64_t heads;         // A, a multiple of C
    int64_t kv_heads;      // C
    int64_t head_dim;      // D, a multiple of 32
    int64_t intermediate;  // I
    float eps;             // of all rms norms
};

struct VlTextLayer {
    const float* input_norm;  // (H)
    VlMatrix qkv;             // ((A + 2C) D, H)
    const float* q_norm;      // (D)
    const float* k_norm;      // (D)
    VlMatrix o;               // (H, A D)
    const float* post_norm;   // (H)
    VlMatrix gate_up;         // (2I, H)
    VlMatrix down;            // (H, I)
};

struct VlTextStep {
    float* hidden;               // (M, H), changed in place
    const float* cos;            // (M, D)
    const float* sin;            // (M, D)
    const int32_t* row_starts;   // (B + 1), ascending from 0 to M
    const int32_t* first_index;  // (B)
    const int32_t* page_tables;  // (B, table_width), pages below G as far as a sequence's rows go
    void* cache;                 // (L, G, 2, C, S), rows of cache_form
    const float* deep;           // (levels, deep_count, H) or null
    const int32_t* deep_rows;    // (deep_count), below M
    const int32_t* scored;       // (scored_count), ascending rows below M, or null for all M
    int64_t sequences;           // B
    int64_t table_width;
    int64_t pages;  // G
    int64_t levels;
    int64_t deep_count;
    int64_t scored_count;
    int32_t cache_form;
};

struct VlVisionShape {
    int64_t hidden;        // H = A D
    int64_t heads;         // A
    int64_t intermediate;  // I
};

struct VlVisionLayer {
    const float* norm1_weight;  // (H)
    const float* norm1_bias;
    VlMatrix qkv;  // (3H, H)
    const float* qkv_bias;
    VlMatrix proj;  // (H, H)
    const float* proj_bias;
    const float* norm2_weight;
    const float* norm2_bias;
    VlMatrix fc1;  // (I, H)
    const float* fc1_bias;
    VlMatrix fc2;  // (H, I)
    const float* fc2_bias;
};

struct VlVisionStep {
    float* hidden;          // (P, H), changed in place
    const float* cos;       // (P, D)
    const float* sin;       // (P, D)
    const int32_t* bounds;  // (pictures + 1), ascending from 0 to P
    int64_t pictures;
};

VL_EXPORT int32_t vl_version();
// 1 where the processor has the instructions; nothing else may be called where it has not.
VL_EXPORT int32_t vl_is_supported();
// 1 where many rows use AMX, see amx.h.
VL_EXPORT int32_t vl_uses_amx();
// How many threads compute, the caller among them; they are started by the first call that has work.
VL_EXPORT void vl_set_threads(int32_t count);
VL_EXPORT void vl_advise_huge_pages(void* memory, int64_t bytes);

VL_EXPORT int64_t vl_packed_bytes(int64_t outputs, int64_t inputs, int32_t form);
// What a product reads of them where no weight stands apart (forms.h).
VL_EXPORT int64_t vl_read_bytes(int64_t outputs, int64_t inputs, int32_t form);
// Packs `source` (N, K) into `packed`; the source is bfloat16 or float32.
VL_EXPORT int32_t vl_pack(const void* source, int32_t is_bf16, const VlMatrix* shape,
                          uint8_t* packed);
// Writes the outputs `rows` (count) of a matrix, as numbers, to `out` (count, K).
VL_EXPORT int32_t vl_unpack_rows(const VlMatrix* matrix, const int64_t* rows, int64_t count,
                                 float* out);
// out (M, N) = x (M, K) times the matrix, + bias (N) unless null, through GELU (tanh) if asked.
VL_EXPORT int32_t vl_linear(const VlMatrix* matrix, const float* x, int64_t rows, const float* bias,
                            int32_t has_gelu, float* out);

// The layers are copied, their weights are not. Null when there is no memory.
VL_EXPORT void* vl_text_create(const VlTextShape* shape, const VlTextLayer* layers, int64_t count);
VL_EXPORT int32_t vl_text_run(void* network, const VlTextStep* step, int64_t first, int64_t last);
VL_EXPORT void vl_text_destroy(void* network);

VL_EXPORT void* vl_vision_create(const VlVisionShape* shape, const VlVisionLayer* layers,
                                 int64_t count);
VL_EXPORT int32_t vl_vision_run(void* network, const VlVisionStep* step, int64_t first,
                                int64_t last);
VL_EXPORT int32_t vl_vision_run_part(void* network, const VlVisionStep* step, int64_t layer,
                                     int64_t part);
VL_EXPORT int64_t vl_vision_parts(const int32_t* bounds, int64_t pictures);
VL_EXPORT void vl_vision_destroy(void* network);

// Probes of the machine, for whoever measures: the caller takes the time.
// Does `rounds` rounds of int8 products out of registers on all threads; returns the operations.
VL_EXPORT int64_t vl_peak_int8(int64_t rounds);
// Reads the bytes with all threads and nothing else; returns something that depends on them.
VL_EXPORT int64_t vl_stream_bytes(const uint8_t* memory, int64_t bytes);
// The exponential that all kernels use.
VL_EXPORT void vl_exp(const float* x, float* out, int64_t count);
