/* Checkpoints of the store and of the disk while memory runs out or files cannot be read: each call fails with a sentence and leaves nothing behind, or what
 * it gives is right. */
#include <errno.h>
#include <ipfsa/add.h>
#include <ipfsa/checkpoint.h>
#include <ipfsa/repo.h>
#include <sys/stat.h>

#include "../support.h"

#include "base/buf.h"
#include "base/fault.h"

enum { TENSOR = 100000 };

typedef struct place {
  char *dir;
  ipfsa_node *node;
  char set[IPFSA_MAX_CID_TEXT], parts[IPFSA_MAX_CID_TEXT], zip[IPFSA_MAX_CID_TEXT];
  char disk_set[300], disk_parts[300], disk_zip[300];
} place;

/* ---- what is opened ---- */

static void put(const char *folder, const char *name, const ipfsa_buf *bytes) {
  char path[400];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes->data, 1, bytes->len, f), bytes->len);
  fclose(f);
}

static void put_safetensors(const char *folder, const char *name, const char *tensor, int fill) {
  IPFSA_AUTO_BUF ipfsa_buf b = {0}, header = {0};
  ipfsa_buf_printf(&header, "{\"__metadata__\":{\"format\":\"pt\"},\"%s\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]}}", tensor, TENSOR, TENSOR);
  ipfsa_buf_u64le(&b, header.len);
  ipfsa_buf_append(&b, header.data, header.len);
  ipfsa_buf_fill(&b, (uint8_t)fill, TENSOR);
  put(folder, name, &b);
}

static void text(ipfsa_buf *b, const char *s) {
  ipfsa_buf_u64le(b, strlen(s));
  ipfsa_buf_str(b, s);
}

static void put_part(const char *folder, int no) {
  static const char *const keys[] = {"split.no", "split.count"};
  IPFSA_AUTO_BUF ipfsa_buf b = {0};
  char name[64];
  ipfsa_buf_str(&b, "GGUF");
  ipfsa_buf_u32le(&b, 3);
  ipfsa_buf_u64le(&b, 1);
  ipfsa_buf_u64le(&b, 4);
  text(&b, "general.architecture");
  ipfsa_buf_u32le(&b, 8);
  text(&b, "llama");
  for (int i = 0; i < 2; i++) {
    text(&b, keys[i]);
    ipfsa_buf_u32le(&b, 2);
    ipfsa_buf_u8(&b, (uint8_t)(i ? 2 : no));
    ipfsa_buf_u8(&b, 0);
  }
  text(&b, "split.tensors.count");
  ipfsa_buf_u32le(&b, 5);
  ipfsa_buf_u32le(&b, 2);
  text(&b, no ? "y" : "x");
  ipfsa_buf_u32le(&b, 1);
  ipfsa_buf_u64le(&b, TENSOR);
  ipfsa_buf_u32le(&b, 24);
  ipfsa_buf_u64le(&b, 0);
  ipfsa_buf_fill(&b, 0, (32 - b.len % 32) % 32);
  ipfsa_buf_fill(&b, (uint8_t)('x' + no), TENSOR);
  snprintf(name, sizeof name, "m-%05d-of-00002.gguf", no + 1);
  put(folder, name, &b);
}

static void put_zip(const char *file) {
  char path[600], piece[512];
  IPFSA_AUTO_BUF ipfsa_buf b = {0};
  snprintf(path, sizeof path, "%s/tests/corpus/torch-zip/ok/zip64", test_source_root());
  FILE *from = fopen(path, "rb");
  assert_non_null(from);
  for (size_t n; (n = fread(piece, 1, sizeof piece, from)) > 0;) ipfsa_buf_append(&b, piece, n);
  fclose(from);
  *strrchr(strcpy(path, file), '/') = '\0';
  put(path, strrchr(file, '/') + 1, &b);
}

static void add(place *p, const char *path, char *ret) {
  ipfsa_error err = {0};
  ipfsa_cid cid;
  const ipfsa_add_options options = {.struct_size = sizeof options, .recursive = true, .cid_version_1 = IPFSA_ON, .chunker = "tensor-65536"};
  assert_ok(ipfsa_add(p->node, &path, 1, -1, &options, &cid, &err));
  ipfsa_cid_format(&cid, ret);
}

static void open_node(place *p, bool create) {
  char repo[300];
  ipfsa_error err = {0};
  snprintf(repo, sizeof repo, "%s/repo", p->dir);
  ipfsa_node_close(p->node);
  p->node = NULL;
  assert_ok(ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = repo, .create = create}, &p->node, NULL, &err));
}

static int setup(void **state) {
  place *p = calloc(1, sizeof *p);
  IPFSA_AUTO_BUF ipfsa_buf index = {0};
  p->dir = test_temp_dir();
  snprintf(p->disk_set, sizeof p->disk_set, "%s/set", p->dir);
  snprintf(p->disk_parts, sizeof p->disk_parts, "%s/parts", p->dir);
  snprintf(p->disk_zip, sizeof p->disk_zip, "%s/m.pt", p->dir);
  assert_int_equal(mkdir(p->disk_set, 0700) | mkdir(p->disk_parts, 0700), 0);
  put_safetensors(p->disk_set, "1.safetensors", "x", 'x');
  put_safetensors(p->disk_set, "2.safetensors", "y", 'y');
  ipfsa_buf_str(&index, "{\"metadata\":{\"total_size\":7},\"weight_map\":{\"x\":\"1.safetensors\",\"y\":\"2.safetensors\"}}"); /* 7: a warning */
  put(p->disk_set, "m.safetensors.index.json", &index);
  put_part(p->disk_parts, 0);
  put_part(p->disk_parts, 1);
  put_zip(p->disk_zip);
  open_node(p, true);
  add(p, p->disk_set, p->set);
  add(p, p->disk_parts, p->parts);
  add(p, p->disk_zip, p->zip);
  *state = p;
  return 0;
}

static int teardown(void **state) {
  place *p = *state;
  ipfsa_node_close(p->node);
  test_remove_tree(p->dir);
  free(p);
  return 0;
}

/* ---- what is done ---- */

static ipfsa_status look(ipfsa_checkpoint *cp, uint64_t n, ipfsa_error *err) {
  uint8_t room[1000];
  ipfsa_checkpoint_local local;
  ipfsa_tensor t;
  ipfsa_view view;
  assert_int_equal(ipfsa_checkpoint_n_tensors(cp), n);
  ipfsa_status status = ipfsa_checkpoint_locate(cp, &local, err);
  if (status == IPFSA_OK) assert_true(local.n_tensors == n && local.missing_bytes == 0);
  for (uint64_t i = 0; i < n && status == IPFSA_OK; i++) {
    assert_true(ipfsa_checkpoint_tensor(cp, i, &t));
    size_t len = t.size < sizeof room ? (size_t)t.size : sizeof room;
    status = ipfsa_checkpoint_read(cp, &t, t.size - len, room, len, err);
    if (status == IPFSA_OK) status = ipfsa_checkpoint_view(cp, &t, 0, t.size, &view, err);
    if (status == IPFSA_OK && len) assert_memory_equal((const uint8_t *)view.data + t.size - len, room, len);
    if (status == IPFSA_OK && t.size == TENSOR) assert_true(room[0] == t.name[0] && room[999] == t.name[0]);
  }
  return status;
}

static ipfsa_status open_one(ipfsa_node *node, const char *path, uint64_t n, ipfsa_error *err) {
  ipfsa_checkpoint *cp = NULL;
  ipfsa_status status = ipfsa_checkpoint_open(node, path, &cp, err);
  assert_true((status == IPFSA_OK) == (cp != NULL));
  if (status == IPFSA_OK && node) status = look(cp, n, err); /* files of the disk have no views */
  ipfsa_checkpoint_close(cp);
  return status;
}

static ipfsa_status open_set(place *p, ipfsa_error *err) { return open_one(p->node, p->set, 2, err); }
static ipfsa_status open_parts(place *p, ipfsa_error *err) { return open_one(p->node, p->parts, 2, err); }
static ipfsa_status open_zip(place *p, ipfsa_error *err) { return open_one(p->node, p->zip, 3, err); }
static ipfsa_status open_disk_set(place *p, ipfsa_error *err) { return open_one(NULL, p->disk_set, 2, err); }
static ipfsa_status open_disk_parts(place *p, ipfsa_error *err) { return open_one(NULL, p->disk_parts, 2, err); }
static ipfsa_status open_disk_zip(place *p, ipfsa_error *err) { return open_one(NULL, p->disk_zip, 3, err); }

static ipfsa_status verify(ipfsa_node *node, const char *path, ipfsa_error *err) {
  ipfsa_checkpoint_verified done = {.n_files = 77};
  ipfsa_status status = ipfsa_checkpoint_verify(node, path, NULL, NULL, &done, err);
  assert_int_equal(done.n_files, status ? 77 : 2);
  return status;
}

static ipfsa_status verify_set(place *p, ipfsa_error *err) { return verify(p->node, p->set, err); }
static ipfsa_status verify_disk_parts(place *p, ipfsa_error *err) { return verify(NULL, p->disk_parts, err); }

/* Two names of equal tensors in two formats are changed ones: their types have other names. */
static ipfsa_status compare(place *p, ipfsa_error *err) {
  ipfsa_checkpoint *from = NULL, *to = NULL;
  ipfsa_checkpoint_diff sum = {.n_equal = 77};
  ipfsa_status status = ipfsa_checkpoint_open(p->node, p->set, &from, err);
  if (status == IPFSA_OK) status = ipfsa_checkpoint_open(NULL, p->disk_set, &to, err);
  if (status == IPFSA_OK) status = ipfsa_checkpoint_compare(from, to, NULL, &sum, err);
  assert_int_equal(sum.n_equal, status ? 77 : 2);
  ipfsa_checkpoint_close(from);
  ipfsa_checkpoint_close(to);
  return status;
}

/* With chunks that end where tensors do; nothing is written. */
static ipfsa_status cut(place *p, ipfsa_error *err) {
  ipfsa_cid cid;
  char found[IPFSA_MAX_CID_TEXT];
  const char *path = p->disk_parts;
  const ipfsa_add_options options = {.struct_size = sizeof options, .recursive = true, .only_hash = true, .cid_version_1 = IPFSA_ON, .chunker = "tensor-65536"};
  ipfsa_status status = ipfsa_add(p->node, &path, 1, -1, &options, &cid, err);
  if (status) return status;
  ipfsa_cid_format(&cid, found);
  assert_string_equal(found, p->parts);
  return IPFSA_OK;
}

static int read_file(void *ctx, void *data, size_t len, uint64_t off) { return fseek(ctx, (long)off, SEEK_SET) || fread(data, 1, len, ctx) != len; }

static ipfsa_status open_given(place *p, ipfsa_error *err) {
  FILE *f = fopen(p->disk_zip, "rb");
  ipfsa_checkpoint *cp = NULL;
  assert_non_null(f);
  fseek(f, 0, SEEK_END);
  const ipfsa_checkpoint_source source = {.struct_size = sizeof source, .name = "m.pt", .size = (uint64_t)ftell(f), .read_at = read_file, .ctx = f};
  ipfsa_status status = ipfsa_checkpoint_open_source(&source, &cp, err);
  assert_true((status == IPFSA_OK) == (cp != NULL));
  if (cp) assert_int_equal(ipfsa_checkpoint_n_tensors(cp), 3);
  ipfsa_checkpoint_close(cp);
  fclose(f);
  return status;
}

/* ---- failing ---- */

static void fail_each(place *p, ipfsa_fault_kind kind, const char *what, ipfsa_status (*act)(place *, ipfsa_error *), unsigned at_least) {
  unsigned n_failed = 0;
  bool fired = true;
  for (uint64_t n = 1; fired; n++) {
    ipfsa_error err = {0};
    ipfsa_fault_arm(&(ipfsa_fault_plan){kind, n, 1, IPFSA_FAULT_FAIL, kind == IPFSA_FAULT_ALLOC ? ENOMEM : EIO});
    ipfsa_status status = act(p, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (status && !fired) fail_msg("%s: %s", what, err.message);
    if (status && !*err.message) fail_msg("%s, %llu: failed without a word", what, (unsigned long long)n);
    if (kind == IPFSA_FAULT_ALLOC && status && status != IPFSA_E_NOMEM) fail_msg("%s, allocation %llu: %d %s", what, (unsigned long long)n, status, err.message);
    n_failed += status != IPFSA_OK;
    if (kind == IPFSA_FAULT_FILE && fired) open_node(p, false); /* a failed sync has poisoned it */
  }
  if (n_failed < at_least) fail_msg("%s: only %u failed", what, n_failed);
}

static const struct {
  const char *name;
  ipfsa_status (*act)(place *p, ipfsa_error *err);
} acts[] = {{"a set of the store", open_set}, {"parts of the store", open_parts}, {"a zip of the store", open_zip}, {"a set of the disk", open_disk_set},
            {"parts of the disk", open_disk_parts}, {"a zip of the disk", open_disk_zip}, {"verify in the store", verify_set}, {"verify on the disk", verify_disk_parts},
            {"compare", compare}, {"cut", cut}, {"a source of the caller's", open_given}};

static void memory_runs_out(void **state) {
  for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) fail_each(*state, IPFSA_FAULT_ALLOC, acts[i].name, acts[i].act, 8);
}

/* A caller's own source is none of our files. */
static void files_fail(void **state) {
  for (size_t i = 0; i + 1 < sizeof acts / sizeof *acts; i++) fail_each(*state, IPFSA_FAULT_FILE, acts[i].name, acts[i].act, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(memory_runs_out, setup, teardown), cmocka_unit_test_setup_teardown(files_fail, setup, teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
