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

/* By number; the gaps were types once and are refused. Source: ggml-org/ggml, include/ggml.h and src/ggml.c (type_traits). */
static const ipfsa_dtype gguf[] = {
    [0] = {"F32", 1, 32}, [1] = {"F16", 1, 16}, [2] = {"Q4_0", 32, 144}, [3] = {"Q4_1", 32, 160}, [6] = {"Q5_0", 32, 176}, [7] = {"Q5_1", 32, 192},
    [8] = {"Q8_0", 32, 272}, [9] = {"Q8_1", 32, 288}, [10] = {"Q2_K", 256, 672}, [11] = {"Q3_K", 256, 880}, [12] = {"Q4_K", 256, 1152},
    [13] = {"Q5_K", 256, 1408}, [14] = {"Q6_K", 256, 1680}, [15] = {"Q8_K", 256, 2336}, [16] = {"IQ2_XXS", 256, 528}, [17] = {"IQ2_XS", 256, 592},
    [18] = {"IQ3_XXS", 256, 784}, [19] = {"IQ1_S", 256, 400}, [20] = {"IQ4_NL", 32, 144}, [21] = {"IQ3_S", 256, 880}, [22] = {"IQ2_S", 256, 656},
    [23] = {"IQ4_XS", 256, 1088}, [24] = {"I8", 1, 8}, [25] = {"I16", 1, 16}, [26] = {"I32", 1, 32}, [27] = {"I64", 1, 64}, [28] = {"F64", 1, 64},
    [29] = {"IQ1_M", 256, 448}, [30] = {"BF16", 1, 16}, [34] = {"TQ1_0", 256, 432}, [35] = {"TQ2_0", 256, 528}, [39] = {"MXFP4", 32, 136},
    [40] = {"NVFP4", 64, 288}, [41] = {"Q1_0", 128, 144}, [42] = {"Q2_0", 64, 144},
};

const ipfsa_dtype *ipfsa_dtype_gguf(uint32_t id) { return id < sizeof gguf / sizeof *gguf && gguf[id].name ? &gguf[id] : NULL; }

const ipfsa_dtype ipfsa_dtype_storage = {"storage", 1, 8};
