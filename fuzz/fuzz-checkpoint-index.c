/* The index of a set of files: what is taken names files that are there, every tensor once and in its file. */
#include "base/alloc.h"
#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "source.h"

/* Two small files; the input is the index beside them. */
#define FIRST "\x35\0\0\0\0\0\0\0{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}12"
#define SECOND "\x35\0\0\0\0\0\0\0{\"y\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}34"

typedef struct place {
  ipfsa_checkpoint_place base;
  const uint8_t *index;
  size_t index_len;
} place;

static void close_copy(ipfsa_source *self) { ipfsa_free(self); }

static ipfsa_status open_over(const void *data, size_t len, ipfsa_source **ret, ipfsa_error *err) {
  fuzz_source *m = ipfsa_malloc(sizeof *m);
  if (!m) return ipfsa_fail_nomem(err);
  *m = fuzz_source_over(data, len);
  m->base.close = close_copy;
  *ret = &m->base;
  return IPFSA_OK;
}

static ipfsa_status open_file(ipfsa_checkpoint_place *self, const char *name, ipfsa_source **ret, ipfsa_error *err) {
  place *p = (place *)self;
  FUZZ_CHECK(strlen(name) <= IPFSA_MAX_SHARD_NAME && !strchr(name, '/') && strcmp(name, "..") != 0);
  if (strcmp(name, "m.safetensors.index.json") == 0) return open_over(p->index, p->index_len, ret, err);
  if (strcmp(name, "a.safetensors") == 0) return open_over(FIRST, sizeof FIRST - 1, ret, err);
  if (strcmp(name, "b.safetensors") == 0) return open_over(SECOND, sizeof SECOND - 1, ret, err);
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no file %s", name);
}

static ipfsa_status list_none(ipfsa_checkpoint_place *self, ipfsa_checkpoint_name_cb cb, void *ctx, ipfsa_error *err) {
  (void)self, (void)cb, (void)ctx, (void)err;
  return IPFSA_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  place p = {{open_file, list_none}, data, size};
  ipfsa_checkpoint *cp = NULL;
  ipfsa_error err = {0};
  ipfsa_tensor t, found;
  if (ipfsa_checkpoint_load(&p.base, "m.safetensors.index.json", &cp, &err) != IPFSA_OK) {
    FUZZ_CHECK(!cp && err.message[0]);
    return 0;
  }
  fuzz_accepted = 1;
  for (uint64_t i = 0; ipfsa_checkpoint_tensor(cp, i, &t); i++) {
    uint8_t bytes[2];
    FUZZ_CHECK(ipfsa_checkpoint_find(cp, t.name, t.name_len, &found) && found.shard == t.shard && found.offset == t.offset);
    FUZZ_CHECK(ipfsa_checkpoint_read(cp, &t, 0, bytes, 2, &err) == IPFSA_OK && bytes[0] == (t.name[0] == 'x' ? '1' : '3'));
  }
  ipfsa_checkpoint_close(cp);
  return 0;
}
