/* Opening sets while memory runs out; the last of every allocation fails once. */
#include "../support.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fault.h"
#include "checkpoint/checkpoint.h"
#include "generated.h"
#include "memory.h"

typedef struct named {
  const char *name;
  ipfsa_buf bytes;
} named;

typedef struct memory_place {
  ipfsa_checkpoint_place base;
  named files[64];
  size_t n;
  int n_open;
} memory_place;

typedef struct open_file {
  memory_source m;
  memory_place *place;
} open_file;

static void close_memory(ipfsa_source *self) {
  ((open_file *)self)->place->n_open--;
  free(self);
}

static ipfsa_status open_memory(ipfsa_checkpoint_place *self, const char *name, ipfsa_source **ret, ipfsa_error *err) {
  memory_place *p = (memory_place *)self;
  for (size_t i = 0; i < p->n; i++) {
    if (strcmp(p->files[i].name, name) != 0) continue;
    open_file *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->m = memory_of(p->files[i].bytes.data, p->files[i].bytes.len);
    f->m.base.close = close_memory;
    f->place = p;
    p->n_open++;
    *ret = &f->m.base;
    return IPFSA_OK;
  }
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "%s is not there", name);
}

static ipfsa_status list_memory(ipfsa_checkpoint_place *self, ipfsa_checkpoint_name_cb cb, void *ctx, ipfsa_error *err) {
  (void)err;
  memory_place *p = (memory_place *)self;
  for (size_t i = 0; i < p->n; i++) (void)cb(ctx, p->files[i].name);
  return IPFSA_OK;
}

static ipfsa_buf *add(memory_place *p, const char *name) {
  p->files[p->n] = (named){.name = name};
  return &p->files[p->n++].bytes;
}

static void add_safetensors(memory_place *p, const char *name, const char *header, size_t n_data) {
  ipfsa_buf *b = add(p, name);
  ipfsa_buf_u64le(b, strlen(header));
  ipfsa_buf_str(b, header);
  ipfsa_buf_fill(b, 0, n_data);
}

static void text(ipfsa_buf *b, const char *s) {
  ipfsa_buf_u64le(b, strlen(s));
  ipfsa_buf_str(b, s);
}

static void add_part_of(memory_place *p, const char *name, unsigned no, unsigned count) {
  ipfsa_buf *b = add(p, name);
  ipfsa_buf_str(b, "GGUF");
  ipfsa_buf_u32le(b, 3);
  ipfsa_buf_u64le(b, 1);
  ipfsa_buf_u64le(b, 4);
  text(b, "general.architecture");
  ipfsa_buf_u32le(b, 8);
  text(b, "llama");
  const char *keys[] = {"split.no", "split.count"};
  for (unsigned i = 0; i < 2; i++) {
    text(b, keys[i]);
    ipfsa_buf_u32le(b, 2);
    ipfsa_buf_u8(b, (uint8_t)(i ? count : no));
    ipfsa_buf_u8(b, (uint8_t)(i ? count >> 8 : 0));
  }
  text(b, "split.tensors.count");
  ipfsa_buf_u32le(b, 5);
  ipfsa_buf_u32le(b, 2);
  text(b, no ? "second" : "first");
  ipfsa_buf_u32le(b, 1);
  ipfsa_buf_u64le(b, 8);
  ipfsa_buf_u32le(b, 24);
  ipfsa_buf_u64le(b, 0);
  ipfsa_buf_fill(b, 0, (32 - b->len % 32) % 32 + 32);
}

static void add_part(memory_place *p, const char *name, unsigned no) { add_part_of(p, name, no, 2); }

static void fail_everywhere(memory_place *p, uint64_t n_tensors, uint64_t at_least) {
  uint64_t nth = 1;
  for (bool fired = true; fired; nth++) {
    ipfsa_checkpoint *cp = NULL;
    ipfsa_error err = {0};
    ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = IPFSA_FAULT_ALLOC, .nth = nth, .mode = IPFSA_FAULT_FAIL});
    ipfsa_status status = ipfsa_checkpoint_load(&p->base, NULL, &cp, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (status != (fired ? IPFSA_E_NOMEM : IPFSA_OK)) fail_msg("allocation %d: %d %s", (int)nth, status, err.message);
    if (!fired) assert_int_equal(ipfsa_checkpoint_n_tensors(cp), n_tensors);
    ipfsa_checkpoint_close(cp);
    assert_int_equal(p->n_open, 0);
  }
  assert_true(nth > at_least);
  for (size_t i = 0; i < p->n; i++) ipfsa_buf_release(&p->files[i].bytes);
}

static void an_index_and_its_files(void **state) {
  (void)state;
  memory_place p = {.base = {open_memory, list_memory}};
  ipfsa_buf_str(add(&p, "m.safetensors.index.json"),
                "{\"metadata\":{\"total_size\":7,\"a\":\"b\"},\"weight_map\":{\"x\":\"1.safetensors\",\"y\":\"2.safetensors\"}}"); /* 7: a warning */
  add_safetensors(&p, "1.safetensors", "{\"__metadata__\":{\"format\":\"pt\"},\"x\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4);
  add_safetensors(&p, "2.safetensors", "{\"y\":{\"dtype\":\"U8\",\"shape\":[2,1],\"data_offsets\":[0,2]}}", 2);
  fail_everywhere(&p, 2, 10);
}

static void parts_of_gguf(void **state) {
  (void)state;
  memory_place p = {.base = {open_memory, list_memory}};
  add_part(&p, "m-00001-of-00002.gguf", 0);
  add_part(&p, "m-00002-of-00002.gguf", 1);
  fail_everywhere(&p, 2, 10);
}

static void a_zip_of_torch(void **state) {
  (void)state;
  memory_place p = {.base = {open_memory, list_memory}};
  char path[4096], piece[512];
  snprintf(path, sizeof path, "%s/tests/corpus/torch-zip/ok/zip64", test_source_root());
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  ipfsa_buf *b = add(&p, "m.pt");
  for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;) ipfsa_buf_append(b, piece, n);
  fclose(file);
  fail_everywhere(&p, 3, 10);
}

static void an_old_pickle(void **state) {
  (void)state;
  memory_place p = {.base = {open_memory, list_memory}};
  ipfsa_buf_append(add(&p, "m.pt"), "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19rest", 18);
  fail_everywhere(&p, 1, 7);
}

static void files_of_an_index_at_the_limit(void **state) {
  (void)state;
  for (size_t n = IPFSA_MAX_SHARDS; n <= IPFSA_MAX_SHARDS + 1; n++) {
    memory_place p = {.base = {open_memory, list_memory}};
    ipfsa_checkpoint *cp = NULL;
    ipfsa_error err = {0};
    ipfsa_buf *b = add(&p, "m.safetensors.index.json");
    ipfsa_buf_u8(b, '{');
    for (size_t i = 0; i < n; i++) ipfsa_buf_printf(b, "%s\"t%zu\":\"f%zu\"", i ? "," : "", i, i);
    ipfsa_buf_u8(b, '}');
    /* at the limit the first file is looked for, which is not there */
    assert_status(ipfsa_checkpoint_load(&p.base, NULL, &cp, &err), n > IPFSA_MAX_SHARDS ? IPFSA_E_LIMIT : IPFSA_E_NOT_FOUND);
    ipfsa_buf_release(b);
  }
}

/* At the limit its file is opened; a longer one is no name of a file, whatever an index says. */
static void names_of_files_at_the_limit(void **state) {
  (void)state;
  char name[IPFSA_MAX_SHARD_NAME + 2], part[IPFSA_MAX_SHARD_NAME + 2];
  for (size_t n = IPFSA_MAX_SHARD_NAME; n <= IPFSA_MAX_SHARD_NAME + 1; n++) {
    memory_place p = {.base = {open_memory, list_memory}};
    ipfsa_checkpoint *cp = NULL;
    ipfsa_error err = {0};
    memset(name, 'n', n);
    name[n] = '\0';
    ipfsa_buf_printf(add(&p, "m.safetensors.index.json"), "{\"x\":\"%s\"}", name);
    add_safetensors(&p, name, "{\"x\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4);
    assert_status(ipfsa_checkpoint_load(&p.base, NULL, &cp, &err), n > IPFSA_MAX_SHARD_NAME ? IPFSA_E_MALFORMED : IPFSA_OK);
    ipfsa_checkpoint_close(cp);
    for (size_t i = 0; i < p.n; i++) ipfsa_buf_release(&p.files[i].bytes);
    memcpy(part, name, sizeof part); /* parts of GGUF; a longer one cannot be in a folder, and is not asked for there */
    memcpy(part + n - strlen("-00001-of-00002.gguf"), "-00001-of-00002.gguf", strlen("-00001-of-00002.gguf"));
    p = (memory_place){.base = {open_memory, list_memory}};
    add_part(&p, part, 0);
    cp = NULL;
    assert_status(ipfsa_checkpoint_load(&p.base, NULL, &cp, &err), IPFSA_E_NOT_FOUND);
    assert_non_null(strstr(err.message, n > IPFSA_MAX_SHARD_NAME ? "no checkpoint" : "-00002-of-00002.gguf is not there"));
    ipfsa_buf_release(&p.files[0].bytes);
  }
}

static void parts_at_the_limit(void **state) {
  (void)state;
  for (unsigned n = IPFSA_MAX_SHARDS; n <= IPFSA_MAX_SHARDS + 1; n++) {
    memory_place p = {.base = {open_memory, list_memory}};
    ipfsa_checkpoint *cp = NULL;
    ipfsa_error err = {0};
    char name[64];
    snprintf(name, sizeof name, "m-00001-of-%05u.gguf", n);
    add_part_of(&p, name, 0, n);
    assert_status(ipfsa_checkpoint_load(&p.base, NULL, &cp, &err), n > IPFSA_MAX_SHARDS ? IPFSA_E_LIMIT : IPFSA_E_NOT_FOUND); /* the second one */
    ipfsa_buf_release(&p.files[0].bytes);
  }
}

typedef struct one_place {
  ipfsa_checkpoint_place base;
  generated_source *file;
} one_place;

static ipfsa_status open_one(ipfsa_checkpoint_place *self, const char *name, ipfsa_source **ret, ipfsa_error *err) {
  if (strcmp(name, "m.safetensors.index.json") != 0) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "%s is not there", name);
  *ret = &((one_place *)self)->file->base;
  return IPFSA_OK;
}

static void make_space(uint64_t i, uint8_t *ret) {
  (void)i;
  memset(ret, ' ', GENERATED_WIDTH);
}

/* At the limit what it names is looked for. */
static void an_index_at_the_limit(void **state) {
  (void)state;
  const char *text = "{\"x\":\"file\"}";
  for (uint64_t size = 100000000; size <= 100000001; size++) {
    generated_source g = generated_of(size);
    generated_add(&g, 0, size / GENERATED_WIDTH + 1, GENERATED_WIDTH, 0, make_space);
    generated_add_bytes(&g, 0, text, strlen(text));
    one_place p = {{open_one, NULL}, &g};
    ipfsa_checkpoint *cp = NULL;
    ipfsa_error err = {0};
    assert_status(ipfsa_checkpoint_load(&p.base, "m.safetensors.index.json", &cp, &err), size > 100000000 ? IPFSA_E_LIMIT : IPFSA_E_NOT_FOUND);
    assert_non_null(strstr(err.message, size > 100000000 ? "at most 100000000" : "file is not there"));
  }
}

static void only_headers_are_read(void **state) {
  (void)state;
  enum { SIZE = 8 << 20 };
  uint8_t *bytes = calloc(1, SIZE);
  char header[128];
  assert_non_null(bytes);
  snprintf(header, sizeof header, "{\"w\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]}}", SIZE - 80, SIZE - 80);
  memset(bytes + 8, ' ', 72);
  memcpy(bytes + 8, header, strlen(header));
  bytes[0] = 72;
  memory_source m = memory_of(bytes, SIZE);
  ipfsa_checkpoint *cp = NULL;
  ipfsa_error err = {0};
  assert_true(strlen(header) <= 72);
  assert_ok(ipfsa_checkpoint_load_file(&m.base, "x", &cp, &err));
  assert_true(m.n_read <= 80 + 16 + 8);
  ipfsa_checkpoint_close(cp);
  free(bytes);
}

static void free_place(memory_place *p) {
  for (size_t i = 0; i < p->n; i++) ipfsa_buf_release(&p->files[i].bytes);
  assert_int_equal(p->n_open, 0);
}

/* Every tensor of a set is found by its name, whichever file it is in, and one that is in two is refused, also where the index names it nowhere. */
static void names_over_all_files(void **state) {
  (void)state;
  enum { FILES = 40, EACH = 30 };
  static char names[FILES][32];
  for (int twice = 0; twice < 2; twice++) {
    memory_place p = {.base = {open_memory, list_memory}};
    ipfsa_checkpoint *cp = NULL;
    ipfsa_error err = {0};
    ipfsa_tensor t;
    ipfsa_buf *index = add(&p, "m.safetensors.index.json");
    ipfsa_buf_u8(index, '{');
    for (unsigned i = 0; i < FILES; i++) {
      IPFSA_AUTO_BUF ipfsa_buf head = {0};
      snprintf(names[i], sizeof names[i], "f%02u.safetensors", i);
      for (unsigned k = 0; k < EACH; k++) {
        ipfsa_buf_printf(&head, "%s\"t%u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%u,%u]}", k ? "," : "{", i * EACH + k, k, k + 1);
        ipfsa_buf_printf(index, "%s\"t%u\":\"%s\"", i + k ? "," : "", i * EACH + k, names[i]);
      }
      if (twice && i % 30 == 3) ipfsa_buf_printf(&head, ",\"extra\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%u,%u]}", EACH, EACH + 1);
      ipfsa_buf_u8(&head, '}');
      add_safetensors(&p, names[i], ipfsa_buf_cstr(&head), EACH + (twice && i % 30 == 3));
    }
    ipfsa_buf_u8(index, '}');
    assert_status(ipfsa_checkpoint_load(&p.base, NULL, &cp, &err), twice ? IPFSA_E_MALFORMED : IPFSA_OK);
    if (twice) assert_string_equal(err.message, "tensor \"extra\" is in f03.safetensors and in f33.safetensors");
    for (unsigned i = 0; !twice && i < FILES * EACH; i++) {
      char name[16];
      assert_true(ipfsa_checkpoint_find(cp, name, (size_t)snprintf(name, sizeof name, "t%u", i), &t));
      assert_true(t.shard == i / EACH && t.name_len == strlen(name) && memcmp(t.name, name, t.name_len) == 0 && t.size == 1);
    }
    if (!twice) assert_false(ipfsa_checkpoint_find(cp, "extra", 5, &t) || ipfsa_checkpoint_find(cp, "", 0, &t));
    ipfsa_checkpoint_close(cp);
    free_place(&p);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(an_index_and_its_files), cmocka_unit_test(parts_of_gguf), cmocka_unit_test(a_zip_of_torch), cmocka_unit_test(an_old_pickle), cmocka_unit_test(files_of_an_index_at_the_limit),
                                     cmocka_unit_test(names_of_files_at_the_limit), cmocka_unit_test(parts_at_the_limit), cmocka_unit_test(an_index_at_the_limit),
                                     cmocka_unit_test(only_headers_are_read), cmocka_unit_test(names_over_all_files)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
