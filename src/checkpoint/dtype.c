#include "checkpoint/dtype.h"

/* In the order of the canonical writer, lowest first. Source: huggingface/safetensors, safetensors/src/tensor.rs (Dtype). */
static const ipfsa_dtype safetensors[] = {
    {"BOOL", 1, 8}, {"F4", 1, 4}, {"F6_E2M3", 1, 6}, {"F6_E3M2", 1, 6}, {"U8", 1, 8}, {"I8", 1, 8}, {"F8_E5M2", 1, 8}, {"F8_E4M3", 1, 8}, {"F8_E8M0", 1, 8},
    {"F8_E4M3FNUZ", 1, 8}, {"F8_E5M2FNUZ", 1, 8}, {"I16", 1, 16}, {"U16", 1, 16}, {"F16", 1, 16}, {"BF16", 1, 16}, {"I32", 1, 32}, {"U32", 1, 32},
    {"F32", 1, 32}, {"C64", 1, 64}, {"F64", 1, 64}, {"I64", 1, 64}, {"U64", 1, 64},
};

const ipfsa_dtype *ipfsa_dtype_of_safetensors(ipfsa_bytes name, uint8_t *ret_id) {
  for (size_t i = 0; i < sizeof safetensors / sizeof *safetensors; i++)
    if (ipfsa_bytes_equal(name, ipfsa_bytes_str(safetensors[i].name))) return *ret_id = (uint8_t)i, &safetensors[i];
  return NULL;
}

const ipfsa_dtype *ipfsa_dtype_safetensors(uint8_t id) { return &safetensors[id]; }
