#include "workload_inside.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the world ---- */

ipfsa_status workload_add(ipfsa_node *node, const char *path, const ipfsa_add_options *options, ipfsa_cid *ret, ipfsa_error *err) {
  return ipfsa_add(node, &path, 1, -1, options, ret, err);
}

const char *workload_src(world *w, const char *name) {
  static char path[700];
  snprintf(path, sizeof path, "%s/src/%s", w->dir, name);
  return path;
}

ipfsa_status workload_write_files(world *w, ipfsa_node *node, const char *to, const char *from, ipfsa_error *err) {
  int fd = open(workload_src(w, from), O_RDONLY);
  ipfsa_status status = ipfsa_files_write(node, to, fd, &(ipfsa_files_write_options){.struct_size = sizeof(ipfsa_files_write_options), .create = true, .truncate = true, .parents = true}, err);
  close(fd);
  return status;
}

static int to_file(void *ctx, const void *data, size_t len) { return fwrite(data, 1, len, ctx) == len ? 0 : 1; }

static void make_car(world *w) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  char path[700];
  workload_path_in(path, sizeof path, w->dir, "elsewhere");
  assert_ok(ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = path, .create = true}, &node, NULL, &err));
  assert_ok(workload_add(node, workload_src(w, "import"), ADD(.cid_version_1 = IPFSA_ON), &w->imported, &err));
  FILE *car = fopen(workload_src(w, "import.car"), "wb");
  assert_ok(ipfsa_dag_export(node, &w->imported, to_file, car, NULL, NULL, &err));
  fclose(car);
  ipfsa_node_close(node);
}

static void make_sources(world *w) {
  mkdir(workload_src(w, ""), 0700);
  workload_put_files(workload_src(w, "kept"), workload_kept_files);
  workload_put_files(workload_src(w, "loose"), workload_loose_files);
  workload_put_files(workload_src(w, "new"), workload_new_files);
  workload_put_files(workload_src(w, "new/below"), workload_loose_files);
  workload_put_files(workload_src(w, "import"), workload_import_files);
  assert_int_equal(symlink("one", workload_src(w, "new/link")), 0);
  workload_put_file(workload_src(w, "other"), "other", 2000);
  workload_put_file(workload_src(w, "external"), "external", LARGE);
  workload_put_file(workload_src(w, "external2"), "external2", LARGE);
  workload_put_wide(workload_src(w, "wide"));
  workload_put_file(workload_src(w, "f"), "files f", 1500);
  workload_put_file(workload_src(w, "g"), "files g", 90000);
}

static void fill_template(world *w) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  workload_path_in(w->repo, sizeof w->repo, w->dir, "template");
  assert_ok(ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = w->repo, .create = true}, &node, NULL, &err));
  assert_ok(ipfsa_node_config_set(node, "filestore.enabled", "true", true, &err));
  ipfsa_node_close(node);
  assert_ok(world_open(w, &node, &err));
  assert_ok(workload_add(node, workload_src(w, "kept"), ADD(.pin_name = "kept"), &w->kept, &err));
  assert_ok(workload_add(node, workload_src(w, "other"), ADD(.pin_name = "other"), &w->other, &err));
  assert_ok(workload_add(node, workload_src(w, "loose"), ADD(.pin = IPFSA_OFF, .raw_leaves = IPFSA_ON), &w->loose, &err));
  assert_ok(workload_add(node, workload_src(w, "loose/b"), ADD(.pin = IPFSA_OFF, .raw_leaves = IPFSA_ON), &w->loose_file, &err));
  assert_ok(workload_add(node, workload_src(w, "external"), ADD(.nocopy = true, .raw_leaves = IPFSA_ON), &w->external, &err));
  assert_ok(workload_add(node, workload_src(w, "wide"), ADD(.chunker = "size-65536", .pin_name = "wide"), &w->wide, &err));
  assert_ok(workload_write_files(w, node, "/dir/f", "f", &err));
  ipfsa_node_close(node);
}

/* One bit of a loose block. */
static void damage(world *w) {
  char path[700], pack[700];
  uint8_t want[64], *data;
  workload_path_in(path, sizeof path, w->dir, "damaged");
  workload_path_in(pack, sizeof pack, path, "packs/00000001.pack");
  workload_copy_tree(w->repo, path);
  test_shake128("loose b", want, sizeof want);
  int fd = open(pack, O_RDWR);
  struct stat st;
  assert_int_equal(fstat(fd, &st), 0);
  data = malloc((size_t)st.st_size);
  assert_int_equal(pread(fd, data, (size_t)st.st_size, 0), st.st_size);
  uint8_t *at = memmem(data, (size_t)st.st_size, want, sizeof want);
  assert_non_null(at);
  at[10000] ^= 16;
  assert_int_equal(pwrite(fd, at + 10000, 1, at + 10000 - data), 1);
  free(data);
  close(fd);
}

world *world_new(void) {
  world *w = calloc(1, sizeof *w);
  w->dir = test_temp_dir();
  make_sources(w);
  make_car(w);
  fill_template(w);
  damage(w);
  return w;
}

void world_free(world *w) {
  test_remove_tree(w->dir);
  free(w);
}

void world_reset(world *w, bool damaged) {
  char from[700];
  workload_path_in(w->repo, sizeof w->repo, w->dir, "repo");
  workload_path_in(w->out, sizeof w->out, w->dir, "out");
  workload_path_in(from, sizeof from, w->dir, damaged ? "damaged" : "template");
  workload_remove_tree(w->repo);
  workload_remove_tree(w->out);
  workload_copy_tree(from, w->repo);
  mkdir(w->out, 0700);
  workload_path_in(from, sizeof from, w->out, "got");
  mkdir(from, 0700);
  workload_path_in(from, sizeof from, w->out, "over");
  mkdir(from, 0700);
  strcat(from, "/large");
  workload_put_file(from, workload_precious.seed, workload_precious.len);
}

ipfsa_status world_open(world *w, ipfsa_node **ret, ipfsa_error *err) {
  return ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = w->repo}, ret, NULL, err);
}

static int note_bad(void *ctx, const ipfsa_pin_verdict *v) {
  if (v->ok) return 0;
  snprintf(ctx, 256, "%.200s", v->n_listed ? v->bad[0].message : "");
  return 0;
}

int workload_note_damage(void *ctx, const ipfsa_cid *cid, const char *what) {
  (void)cid;
  snprintf(ctx, 256, "%.200s", what);
  return 0;
}

static void check_pins(ipfsa_node *node, const char *where) {
  char what[256] = "";
  uint64_t n_bad = 0;
  ipfsa_error err = {0};
  if (ipfsa_pin_verify(node, note_bad, what, NULL, NULL, &n_bad, &err)) fail_msg("%s: pin verify: %s", where, err.message);
  if (n_bad) fail_msg("%s: a pin is not complete: %s", where, what);
}

static void check_blocks(ipfsa_node *node, uint64_t at_most, const char *where) {
  char what[256] = "";
  ipfsa_error err = {0};
  ipfsa_repo_verify_result result;
  ipfsa_repo_verify_options options = {.struct_size = sizeof options, .damaged = workload_note_damage, .damaged_ctx = what};
  if (ipfsa_repo_verify(node, &options, &result, &err)) fail_msg("%s: verify: %s", where, err.message);
  if (result.n_damaged > at_most) fail_msg("%s: %llu damaged: %s", where, (unsigned long long)result.n_damaged, what);
}

void world_check(world *w, ipfsa_node *node, const operation *op, bool acknowledged, const char *where) {
  if (!(op->may & MAY_KEPT)) {
    workload_expect_folder(node, &w->kept, workload_kept_files, where);
    if (workload_pin_of(node, &w->kept, where) != 'r') fail_msg("%s: the pin of kept is gone", where);
  }
  if (!(op->may & MAY_OTHER)) {
    workload_expect_cat(node, &w->other, &(content){NULL, "other", 2000}, where);
    if (workload_pin_of(node, &w->other, where) != 'r') fail_msg("%s: the pin of other is gone", where);
  }
  workload_expect_cat(node, &w->external, &(content){NULL, "external", LARGE}, where);
  if (!(op->may & MAY_FILES)) workload_expect_in_files(node, "/dir/f", "files f", 1500, where);
  if (!(op->may & MAY_LOOSE) && !op->damaged) workload_expect_folder(node, &w->loose, workload_loose_files, where);
  check_pins(node, where);
  check_blocks(node, op->damaged ? 1 : 0, where);
  if (op->check) op->check(w, node, acknowledged, where);
}
