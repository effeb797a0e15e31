#include "support.h"

#include <ftw.h>
#include <openssl/evp.h>
#include <unistd.h>

char *test_temp_dir(void) {
  const char *tmp = getenv("TMPDIR");
  char *path = NULL;
  if (asprintf(&path, "%s/ipfsa-test-XXXXXX", tmp ? tmp : "/tmp") < 0) return NULL;
  if (!mkdtemp(path)) fail_msg("mkdtemp %s", path);
  return path;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
  (void)st, (void)flag, (void)ftw;
  return remove(path);
}

void test_remove_tree(const char *dir) {
  if (dir) nftw(dir, remove_one, 32, FTW_DEPTH | FTW_PHYS);
  free((void *)(uintptr_t)dir);
}

size_t test_hex(const char *hex, uint8_t *ret) {
  size_t n = strlen(hex) / 2;
  for (size_t i = 0; i < n; i++) {
    unsigned v = 0;
    if (sscanf(hex + 2 * i, "%2x", &v) != 1) fail_msg("bad hex at %zu", 2 * i);
    ret[i] = (uint8_t)v;
  }
  return n;
}

char *test_to_hex(const void *data, size_t len) {
  char *out = calloc(2 * len + 1, 1);
  for (size_t i = 0; out && i < len; i++) snprintf(out + 2 * i, 3, "%02x", ((const uint8_t *)data)[i]);
  return out;
}

const char *test_source_root(void) {
  const char *root = getenv("IPFSA_SOURCE_ROOT");
  return root ? root : ".";
}

const char *test_shared_vector(const char *name) {
  static char path[4096];
  const char *dir = getenv("IPFSA_VECTORS");
  if (dir) snprintf(path, sizeof path, "%s/%s", dir, name);
  else snprintf(path, sizeof path, "%s/../shared/vectors/%s", test_source_root(), name);
  return access(path, R_OK) == 0 ? path : NULL;
}

void test_shake128(const char *seed, uint8_t *out, size_t len) {
  EVP_MD_CTX *ctx = EVP_MD_CTX_new();
  if (!ctx || EVP_DigestInit_ex(ctx, EVP_shake128(), NULL) != 1 || EVP_DigestUpdate(ctx, seed, strlen(seed)) != 1 ||
      (len && EVP_DigestFinalXOF(ctx, out, len) != 1))
    fail_msg("shake128");
  EVP_MD_CTX_free(ctx);
}
