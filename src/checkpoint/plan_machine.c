/* What the devices of this machine have free: accelerate's get_max_memory(None). The only part of the plan that asks the machine. */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "base/fs.h"
#include "checkpoint/plan.h"

/* ---- NVIDIA's driver ---- */

/* docs.nvidia.com/cuda/cuda-driver-api: the calls that torch.cuda.mem_get_info comes down to. Each answers 0 when it went well. The names with _v2 are what
 * cuda.h makes of the plain ones, for sizes of 64 bits. */
static struct cuda {
  int (*init)(unsigned flags);
  int (*device_count)(int *ret);
  int (*device_get)(int *ret, int ordinal);
  int (*retain)(void **ret_context, int device);
  int (*push)(void *context);
  int (*mem_get_info)(size_t *ret_free, size_t *ret_total);
  int (*pop)(void **ret_context);
  int (*release)(int device);
} cuda;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool usable;

static bool load_symbols(void *library) {
  const struct {
    const char *name;
    void *to;
  } symbols[] = {{"cuInit", &cuda.init}, {"cuDeviceGetCount", &cuda.device_count}, {"cuDeviceGet", &cuda.device_get}, {"cuDevicePrimaryCtxRetain", &cuda.retain},
                 {"cuCtxPushCurrent_v2", &cuda.push}, {"cuMemGetInfo_v2", &cuda.mem_get_info}, {"cuCtxPopCurrent_v2", &cuda.pop}, {"cuDevicePrimaryCtxRelease_v2", &cuda.release}};
  for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
    void *symbol = dlsym(library, symbols[i].name);
    if (!symbol) return false;
    memcpy(symbols[i].to, &symbol, sizeof symbol); /* ISO C has no cast from data to function pointers */
  }
  return true;
}

/* Never unloaded: the driver has threads, and torch may be in it, too. */
static void load(void) {
  void *library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  usable = library && load_symbols(library) && cuda.init(0) == 0;
}

static bool free_on_gpu(int ordinal, uint64_t *ret) {
  int device;
  void *context, *popped;
  size_t n_free = 0, total = 0;
  if (cuda.device_get(&device, ordinal) || cuda.retain(&context, device)) return false;
  bool fine = cuda.push(context) == 0;
  if (fine) {
    fine = cuda.mem_get_info(&n_free, &total) == 0;
    (void)cuda.pop(&popped);
  }
  (void)cuda.release(device);
  *ret = n_free;
  return fine;
}

/* ---- memory ---- */

static ipfsa_status add(ipfsa_plan_memory *ret, size_t cap, size_t *n, ipfsa_plan_memory one, ipfsa_error *err) {
  if (*n == cap) return ipfsa_fail(err, IPFSA_E_LIMIT, "this machine has over %zu devices; give room for more", cap);
  ret[(*n)++] = one;
  return IPFSA_OK;
}

ipfsa_status ipfsa_plan_memory_available(ipfsa_plan_memory *ret, size_t cap, size_t *ret_n, ipfsa_error *err) {
  int n_gpus = 0;
  size_t n = 0;
  uint64_t bytes;
  ipfsa_status status = IPFSA_OK;
  pthread_once(&once, load);
  if (usable && cuda.device_count(&n_gpus)) n_gpus = 0;
  for (int i = 0; i < n_gpus && status == IPFSA_OK; i++)
    if (free_on_gpu(i, &bytes)) status = add(ret, cap, &n, (ipfsa_plan_memory){i, bytes}, err);
  if (status == IPFSA_OK) status = ipfsa_fs_available_memory(&bytes, err); /* psutil's virtual_memory().available */
  if (status == IPFSA_OK) status = add(ret, cap, &n, (ipfsa_plan_memory){IPFSA_DEVICE_CPU, bytes}, err);
  if (status == IPFSA_OK) *ret_n = n;
  return status;
}
