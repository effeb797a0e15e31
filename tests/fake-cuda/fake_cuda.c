/* A libcuda.so.1 for tests/integration/test_plan_peer.py, in the words of the driver API (docs.nvidia.com/cuda/cuda-driver-api). $FAKE_CUDA is a list of free
 * bytes, one a GPU, "-" for one that gives no context; or "no driver", "no count". Calls are noted in $FAKE_CUDA_LOG; one out of order ends the process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
enum { SUCCESS = 0, INVALID_VALUE = 1, NOT_INITIALIZED = 3, NO_DEVICE = 100, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, UNAVAILABLE = 46 };

int cuInit(unsigned flags), cuDeviceGetCount(int *ret), cuDeviceGet(int *ret, int ordinal), cuDevicePrimaryCtxRetain(void **ret, int device), cuCtxPushCurrent_v2(void *context),
    cuMemGetInfo_v2(size_t *ret_free, size_t *ret_total), cuCtxPopCurrent_v2(void **ret), cuDevicePrimaryCtxRelease_v2(int device);

static int gpus[16]; /* a context is the address of its item */
static int initialised, n_retained, current = -1;

static void note(const char *call) {
  FILE *log = fopen(getenv("FAKE_CUDA_LOG"), "a");
  if (!log) abort();
  fprintf(log, "%s\n", call);
  fclose(log);
}

static const char *item(int ordinal) {
  const char *at = getenv("FAKE_CUDA");
  for (; ordinal && at; ordinal--) at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL;
  return at && *at ? at : NULL;
}

EXPORT int cuInit(unsigned flags) {
  note("init");
  if (flags) return INVALID_VALUE;
  if (strcmp(getenv("FAKE_CUDA"), "no driver") == 0) return NO_DEVICE;
  initialised = 1;
  return SUCCESS;
}

EXPORT int cuDeviceGetCount(int *ret) {
  note("count");
  if (!initialised || strcmp(getenv("FAKE_CUDA"), "no count") == 0) return NOT_INITIALIZED;
  for (*ret = 0; *ret < 16 && item(*ret); ++*ret) continue;
  return SUCCESS;
}

EXPORT int cuDeviceGet(int *ret, int ordinal) {
  if (!initialised || !item(ordinal)) return INVALID_DEVICE;
  *ret = ordinal;
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRetain(void **ret, int device) {
  if (*item(device) == '-') return UNAVAILABLE;
  note("retain");
  n_retained++;
  *ret = &gpus[device];
  return SUCCESS;
}

EXPORT int cuCtxPushCurrent_v2(void *context) {
  note("push");
  if (n_retained != 1 || current >= 0) abort();
  current = (int)((int *)context - gpus);
  return SUCCESS;
}

EXPORT int cuMemGetInfo_v2(size_t *ret_free, size_t *ret_total) {
  if (current < 0) return INVALID_CONTEXT;
  *ret_free = strtoull(item(current), NULL, 10);
  *ret_total = 1u << 30;
  return SUCCESS;
}

EXPORT int cuCtxPopCurrent_v2(void **ret) {
  note("pop");
  if (current < 0) abort();
  *ret = &gpus[current];
  current = -1;
  return SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRelease_v2(int device) {
  note("release");
  if (n_retained-- != 1 || current >= 0 || device < 0) abort();
  return SUCCESS;
}
