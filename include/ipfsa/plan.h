/* Where the parts of a model go: device maps with the semantics of Hugging Face accelerate 0.34.2 (utils/modeling.py: infer_auto_device_map,
 * get_balanced_memory, compute_module_sizes, clean_device_map, get_max_memory). Pure: nothing is read, no device is asked; that does
 * ipfsa_plan_memory_available alone. Calls from any thread. */
#ifndef IPFSA_PLAN_H
#define IPFSA_PLAN_H

#include <ipfsa/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPFSA_MAX_PLAN_MODULES 262144  /* the largest models of today have some 100,000 */
#define IPFSA_MAX_PLAN_TENSORS 1048576 /* as many as a checkpoint of today may have */
#define IPFSA_MAX_PLAN_DEVICES 1024    /* own */
#define IPFSA_MAX_PLAN_NAME 1024       /* bytes of a full name, "layers.0.weight" */
#define IPFSA_MAX_PLAN_TEXT 268435456  /* bytes of all full names: memory */
#define IPFSA_MAX_PLAN_BYTES ((uint64_t)1 << 56) /* of a model, and of one device: sums of bits stay below 2^63 */

/* A device: a GPU is its number from 0. */
#define IPFSA_DEVICE_MPS (-1)
#define IPFSA_DEVICE_CPU (-2)
#define IPFSA_DEVICE_DISK (-3)
/* "0", "cpu", "disk", "mps". E_INVALID in accelerate's words. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_plan_device_parse(const char *text, int32_t *ret, ipfsa_error *err);
/* Into ret, of 16 bytes, which is returned. */
IPFSA_API const char *ipfsa_plan_device_format(int32_t device, char *ret);
/* "10GiB", "1.5 MB", "1gb" (a small last b: bits). A number needs a unit. E_INVALID in accelerate's words. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_plan_size_parse(const char *text, uint64_t *ret, ipfsa_error *err);

/* The tree of modules, depth first: item 0 is the model itself, with the name ""; each other one comes after its parent, and right after it or what is
 * below it. Names are of one level, without dots, and unique there. */
typedef struct ipfsa_plan_module {
  const char *name, *class_name;
  uint32_t parent;
} ipfsa_plan_module;
/* In the order of their modules, and in one module as it has them. */
typedef struct ipfsa_plan_tensor {
  const char *name; /* of one level: "weight" */
  uint32_t module;
  const char *dtype; /* torch's names: "float16", "torch.bfloat16", … */
  const uint64_t *shape;
  uint32_t rank;
  bool is_buffer;
  uint32_t tied; /* parameters of one number other than 0 are the same one */
} ipfsa_plan_tensor;
typedef struct ipfsa_plan_model {
  size_t struct_size;
  const ipfsa_plan_module *modules;
  size_t n_modules;
  const ipfsa_plan_tensor *tensors;
  size_t n_tensors;
} ipfsa_plan_model;

typedef enum ipfsa_plan_mode { IPFSA_PLAN_AUTO = 0 /* = balanced */, IPFSA_PLAN_BALANCED, IPFSA_PLAN_BALANCED_LOW_0, IPFSA_PLAN_SEQUENTIAL } ipfsa_plan_mode;
/* "auto", "balanced", … E_INVALID in accelerate's words. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_plan_mode_parse(const char *text, ipfsa_plan_mode *ret, ipfsa_error *err);

typedef struct ipfsa_plan_memory {
  int32_t device;
  uint64_t bytes; /* of the disk: not looked at */
} ipfsa_plan_memory;
/* What this machine has free now, as accelerate's get_max_memory(None) counts it: its NVIDIA GPUs as torch numbers them (CUDA_VISIBLE_DEVICES holds; what
 * the driver, libcuda.so.1, says of each; one that does not answer is left out, without a driver there are none), and MemAvailable as "cpu". Unlike there,
 * GPUs of other makers are not found: give their memory yourself. Like there, limits of control groups are not looked at. Into ret, of cap items; E_LIMIT
 * when there are more. Asking a GPU makes a context on it for that moment, some 100 ms. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_plan_memory_available(ipfsa_plan_memory *ret, size_t cap, size_t *ret_n, ipfsa_error *err);

/* A tensor that will have this type, whatever it has now and whatever `dtype` says. */
typedef struct ipfsa_plan_special_dtype {
  const char *name, *dtype; /* the full name, "layers.0.weight" (of a tied parameter the first one); torch's name of the type */
} ipfsa_plan_special_dtype;
typedef struct ipfsa_plan_options {
  size_t struct_size;
  ipfsa_plan_mode mode;
  const ipfsa_plan_memory *memory; /* devices that may be used, in any order; what fits nowhere goes to the disk */
  size_t n_memory;
  const char *const *no_split_classes; /* modules of these classes stay whole */
  size_t n_no_split_classes;
  const char *dtype;  /* loaded as this type where that is smaller; NULL = as they are */
  bool keep_detail;   /* one entry for each part that was looked at; else parts of one device are one entry */
  bool memory_is_available; /* `memory` is what ipfsa_plan_memory_available said, not what somebody chose: of an only GPU a tenth stays free (not if sequential) */
  const ipfsa_plan_special_dtype *special_dtypes; /* each name once; names that the model does not have are passed over */
  size_t n_special_dtypes;                        /* up to IPFSA_MAX_PLAN_TENSORS */
} ipfsa_plan_options;

typedef struct ipfsa_plan ipfsa_plan;
/* Largest layers, ties and splitting as accelerate does it, also this: the buffers of a module that is split are in no entry. Where accelerate
 * 0.34.2 ends with IndexError (a parameter is tied to one that cannot be found any more): E_NOT_SUPPORTED. Tied groups are gone through by their
 * first names; accelerate's order is that of a Python set. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_plan_infer(const ipfsa_plan_model *model, const ipfsa_plan_options *options, ipfsa_plan **ret, ipfsa_error *err);
IPFSA_API void ipfsa_plan_free(ipfsa_plan *plan); /* NULL is fine */

/* One entry of a device map: a module, a parameter or a buffer by its full name, "" = all. */
typedef struct ipfsa_plan_entry {
  const char *name; /* of a plan: until it is freed */
  int32_t device;
} ipfsa_plan_entry;
/* The entries of a plan, sorted by their names. */
IPFSA_API const ipfsa_plan_entry *ipfsa_plan_entries(const ipfsa_plan *plan, size_t *ret_n);
/* What each device was allowed after balancing, in order: GPUs, mps, cpu, disk. */
IPFSA_API const ipfsa_plan_memory *ipfsa_plan_memories(const ipfsa_plan *plan, size_t *ret_n);

/* An explicit map: does it give each parameter and buffer of the model a device? E_INVALID in accelerate's words, naming those without. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_plan_check(const ipfsa_plan_model *model, const ipfsa_plan_entry *entries, size_t n, ipfsa_error *err);
/* The device of a tensor: that of the longest entry that is its name or a dotted beginning of it. E_INVALID in accelerate's words. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_plan_device_of(const ipfsa_plan_entry *entries, size_t n, const char *name, int32_t *ret, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
