#include "workload.h"

#include <dirent.h>
#include <fcntl.h>
#include <ipfsa/alias.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL 1000
#define LARGE 300000 /* two leaves of 256 KiB */
#define WIDE_LEAF 65536 /* a file of as many equal leaves is what the workers take */
#define WIDE_LEAVES ((size_t)40)

/* ---- files ---- */

static void path_in(char *ret, size_t cap, const char *dir, const char *name) {
  if ((size_t)snprintf(ret, cap, "%s/%s", dir, name) >= cap) fail_msg("path %s/%s", dir, name);
}

static void put_file(const char *path, const char *seed, size_t len) {
  uint8_t *data = malloc(len ? len : 1);
  if (len) test_shake128(seed, data, len);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || write(fd, data, len) != (ssize_t)len) fail_msg("write %s", path);
  close(fd);
  free(data);
}

/* Long enough for the workers, and small in the repo: its leaves are one block. */
static void put_wide(const char *path) {
  uint8_t *leaf = malloc(WIDE_LEAF);
  FILE *file = fopen(path, "wb");
  test_shake128("wide", leaf, WIDE_LEAF);
  for (size_t i = 0; i < WIDE_LEAVES; i++)
    if (!file || fwrite(leaf, 1, WIDE_LEAF, file) != WIDE_LEAF) fail_msg("write %s", path);
  fclose(file);
  free(leaf);
}

static void copy_file(const char *from, const char *to) {
  static char buf[1 << 16];
  int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (in < 0 || out < 0) fail_msg("copy %s to %s", from, to);
  for (ssize_t n; (n = read(in, buf, sizeof buf)) > 0;)
    if (write(out, buf, (size_t)n) != n) fail_msg("copy %s to %s", from, to);
  close(in);
  close(out);
}

static void copy_tree(const char *from, const char *to) {
  char a[700], b[700];
  mkdir(to, 0700);
  DIR *dir = opendir(from);
  if (!dir) fail_msg("open %s", from);
  for (struct dirent *e; (e = readdir(dir));) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    path_in(a, sizeof a, from, e->d_name);
    path_in(b, sizeof b, to, e->d_name);
    if (e->d_type == DT_DIR) copy_tree(a, b);
    else copy_file(a, b);
  }
  closedir(dir);
}

static void remove_tree(const char *path) {
  char *copy = strdup(path);
  test_remove_tree(copy);
}

/* ---- content ---- */

typedef struct content {
  const char *name, *seed;
  size_t len;
} content;
static const content kept_files[] = {{"empty", "", 0}, {"large", "kept large", LARGE}, {"small", "kept small", SMALL}, {0}};
static const content loose_files[] = {{"a", "loose a", SMALL}, {"b", "loose b", 20000}, {"c", "loose c", 5}, {0}};
static const content new_files[] = {{"large", "new large", LARGE}, {"one", "new one", SMALL}, {"two", "new two", 70000}, {"zero", "", 0}, {0}};
static const content import_files[] = {{"x", "import x", SMALL}, {"y", "import y", 40000}, {0}};

static const content precious = {NULL, "precious", 5000}; /* where get over a file writes */

static void put_files(const char *dir, const content *files) {
  char path[700];
  mkdir(dir, 0700);
  for (; files->name; files++) {
    path_in(path, sizeof path, dir, files->name);
    put_file(path, files->seed, files->len);
  }
}

typedef struct bytes_seen {
  uint8_t *data;
  size_t len, cap;
} bytes_seen;

static int see(void *ctx, const void *data, size_t len) {
  bytes_seen *b = ctx;
  if (b->len + len > b->cap) b->data = realloc(b->data, b->cap = (b->len + len) * 2);
  if (len) memcpy(b->data + b->len, data, len);
  b->len += len;
  return 0;
}

static bool is_content(const bytes_seen *b, const char *seed, size_t len) {
  uint8_t *want = malloc(len ? len : 1);
  if (len) test_shake128(seed, want, len);
  bool same = b->len == len && (len == 0 || memcmp(want, b->data, len) == 0);
  free(want);
  return same;
}

static void expect_cat(ipfsa_node *node, const ipfsa_cid *root, const content *file, const char *where) {
  char path[IPFSA_MAX_CID_TEXT + 64];
  ipfsa_error err = {0};
  bytes_seen seen = {0};
  ipfsa_cid_format(root, path);
  if (file->name) snprintf(path + strlen(path), 64, "/%s", file->name);
  if (ipfsa_cat(node, path, 0, UINT64_MAX, see, &seen, NULL, NULL, &err)) fail_msg("%s: cat %s: %s", where, path, err.message);
  if (!is_content(&seen, file->seed, file->len)) fail_msg("%s: cat %s gives other bytes", where, path);
  free(seen.data);
}

static void expect_folder(ipfsa_node *node, const ipfsa_cid *root, const content *files, const char *where) {
  for (; files->name; files++) expect_cat(node, root, files, where);
}

static void expect_in_files(ipfsa_node *node, const char *path, const char *seed, size_t len, const char *where) {
  ipfsa_error err = {0};
  bytes_seen seen = {0};
  if (ipfsa_files_read(node, path, 0, UINT64_MAX, see, &seen, &err)) fail_msg("%s: files read %s: %s", where, path, err.message);
  if (!is_content(&seen, seed, len)) fail_msg("%s: files read %s gives other bytes", where, path);
  free(seen.data);
}

/* 'o' old, 'n' new, '-' not there: a file of the mutable file system. */
static char which_in_files(ipfsa_node *node, const char *path, const content *old, const content *new, const char *where) {
  ipfsa_error err = {0};
  bytes_seen seen = {0};
  ipfsa_status status = ipfsa_files_read(node, path, 0, UINT64_MAX, see, &seen, &err);
  char which = status == IPFSA_E_NOT_FOUND ? '-' : 0;
  if (status == IPFSA_OK && old && is_content(&seen, old->seed, old->len)) which = 'o';
  if (status == IPFSA_OK && new && is_content(&seen, new->seed, new->len)) which = 'n';
  free(seen.data);
  if (!which) fail_msg("%s: files read %s: %s", where, path, status ? err.message : "neither the old nor the new bytes");
  return which;
}

static char pin_of(ipfsa_node *node, const ipfsa_cid *cid, const char *where) {
  ipfsa_pin pin;
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_pin_find(node, cid, IPFSA_PIN_NONE, &pin, NULL, &err);
  if (status == IPFSA_E_NOT_PINNED) return '-';
  if (status) fail_msg("%s: pin find: %s", where, err.message);
  return pin.mode == IPFSA_PIN_RECURSIVE ? 'r' : pin.mode == IPFSA_PIN_DIRECT ? 'd' : 'i';
}

/* ---- the world ---- */

static ipfsa_status add(ipfsa_node *node, const char *path, const ipfsa_add_options *options, ipfsa_cid *ret, ipfsa_error *err) {
  return ipfsa_add(node, &path, 1, -1, options, ret, err);
}

#define ADD(...) (&(ipfsa_add_options){.struct_size = sizeof(ipfsa_add_options), .recursive = true, __VA_ARGS__})

static const char *src(world *w, const char *name) {
  static char path[700];
  snprintf(path, sizeof path, "%s/src/%s", w->dir, name);
  return path;
}

static ipfsa_status write_files(world *w, ipfsa_node *node, const char *to, const char *from, ipfsa_error *err) {
  int fd = open(src(w, from), O_RDONLY);
  ipfsa_status status = ipfsa_files_write(node, to, fd, &(ipfsa_files_write_options){.struct_size = sizeof(ipfsa_files_write_options), .create = true, .truncate = true, .parents = true}, err);
  close(fd);
  return status;
}

static int to_file(void *ctx, const void *data, size_t len) { return fwrite(data, 1, len, ctx) == len ? 0 : 1; }

static void make_car(world *w) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  char path[700];
  path_in(path, sizeof path, w->dir, "elsewhere");
  assert_ok(ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = path, .create = true}, &node, NULL, &err));
  assert_ok(add(node, src(w, "import"), ADD(.cid_version_1 = IPFSA_ON), &w->imported, &err));
  FILE *car = fopen(src(w, "import.car"), "wb");
  assert_ok(ipfsa_dag_export(node, &w->imported, to_file, car, NULL, NULL, &err));
  fclose(car);
  ipfsa_node_close(node);
}

static void make_sources(world *w) {
  mkdir(src(w, ""), 0700);
  put_files(src(w, "kept"), kept_files);
  put_files(src(w, "loose"), loose_files);
  put_files(src(w, "new"), new_files);
  put_files(src(w, "new/below"), loose_files);
  put_files(src(w, "import"), import_files);
  assert_int_equal(symlink("one", src(w, "new/link")), 0);
  put_file(src(w, "other"), "other", 2000);
  put_file(src(w, "external"), "external", LARGE);
  put_file(src(w, "external2"), "external2", LARGE);
  put_wide(src(w, "wide"));
  put_file(src(w, "f"), "files f", 1500);
  put_file(src(w, "g"), "files g", 90000);
}

static void fill_template(world *w) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  path_in(w->repo, sizeof w->repo, w->dir, "template");
  assert_ok(ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = w->repo, .create = true}, &node, NULL, &err));
  assert_ok(ipfsa_node_config_set(node, "filestore.enabled", "true", true, &err));
  ipfsa_node_close(node);
  assert_ok(world_open(w, &node, &err));
  assert_ok(add(node, src(w, "kept"), ADD(.pin_name = "kept"), &w->kept, &err));
  assert_ok(add(node, src(w, "other"), ADD(.pin_name = "other"), &w->other, &err));
  assert_ok(add(node, src(w, "loose"), ADD(.pin = IPFSA_OFF, .raw_leaves = IPFSA_ON), &w->loose, &err));
  assert_ok(add(node, src(w, "loose/b"), ADD(.pin = IPFSA_OFF, .raw_leaves = IPFSA_ON), &w->loose_file, &err));
  assert_ok(add(node, src(w, "external"), ADD(.nocopy = true, .raw_leaves = IPFSA_ON), &w->external, &err));
  assert_ok(add(node, src(w, "wide"), ADD(.chunker = "size-65536", .pin_name = "wide"), &w->wide, &err));
  assert_ok(write_files(w, node, "/dir/f", "f", &err));
  ipfsa_node_close(node);
}

/* One bit of a loose block. */
static void damage(world *w) {
  char path[700], pack[700];
  uint8_t want[64], *data;
  path_in(path, sizeof path, w->dir, "damaged");
  path_in(pack, sizeof pack, path, "packs/00000001.pack");
  copy_tree(w->repo, path);
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
  path_in(w->repo, sizeof w->repo, w->dir, "repo");
  path_in(w->out, sizeof w->out, w->dir, "out");
  path_in(from, sizeof from, w->dir, damaged ? "damaged" : "template");
  remove_tree(w->repo);
  remove_tree(w->out);
  copy_tree(from, w->repo);
  mkdir(w->out, 0700);
  path_in(from, sizeof from, w->out, "got");
  mkdir(from, 0700);
  path_in(from, sizeof from, w->out, "over");
  mkdir(from, 0700);
  strcat(from, "/large");
  put_file(from, precious.seed, precious.len);
}

ipfsa_status world_open(world *w, ipfsa_node **ret, ipfsa_error *err) {
  return ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = w->repo}, ret, NULL, err);
}

static int note_bad(void *ctx, const ipfsa_pin_verdict *v) {
  if (v->ok) return 0;
  snprintf(ctx, 256, "%.200s", v->n_listed ? v->bad[0].message : "");
  return 0;
}

static int note_damage(void *ctx, const ipfsa_cid *cid, const char *what) {
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
  ipfsa_repo_verify_options options = {.struct_size = sizeof options, .damaged = note_damage, .damaged_ctx = what};
  if (ipfsa_repo_verify(node, &options, &result, &err)) fail_msg("%s: verify: %s", where, err.message);
  if (result.n_damaged > at_most) fail_msg("%s: %llu damaged: %s", where, (unsigned long long)result.n_damaged, what);
}

void world_check(world *w, ipfsa_node *node, const operation *op, bool acknowledged, const char *where) {
  if (!(op->may & MAY_KEPT)) {
    expect_folder(node, &w->kept, kept_files, where);
    if (pin_of(node, &w->kept, where) != 'r') fail_msg("%s: the pin of kept is gone", where);
  }
  if (!(op->may & MAY_OTHER)) {
    expect_cat(node, &w->other, &(content){NULL, "other", 2000}, where);
    if (pin_of(node, &w->other, where) != 'r') fail_msg("%s: the pin of other is gone", where);
  }
  expect_cat(node, &w->external, &(content){NULL, "external", LARGE}, where);
  if (!(op->may & MAY_FILES)) expect_in_files(node, "/dir/f", "files f", 1500, where);
  if (!(op->may & MAY_LOOSE) && !op->damaged) expect_folder(node, &w->loose, loose_files, where);
  check_pins(node, where);
  check_blocks(node, op->damaged ? 1 : 0, where);
  if (op->check) op->check(w, node, acknowledged, where);
}

/* ---- the operations ---- */

static ipfsa_status add_folder(world *w, ipfsa_node *node, ipfsa_error *err) { return add(node, src(w, "new"), ADD(), &w->fresh, err); }
static void check_added(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (!acknowledged) return; /* what is pinned is complete: looked at for all pins */
  expect_folder(node, &w->fresh, new_files, where);
  if (pin_of(node, &w->fresh, where) != 'r') fail_msg("%s: what was added is not pinned", where);
}

static ipfsa_status add_large(world *w, ipfsa_node *node, ipfsa_error *err) { return add(node, src(w, "new/large"), ADD(.chunker = "size-65536"), &w->fresh, err); }
static void check_large(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (acknowledged) expect_cat(node, &w->fresh, &(content){NULL, "new large", LARGE}, where);
}

static ipfsa_status add_stream(world *w, ipfsa_node *node, ipfsa_error *err) {
  int fd = open(src(w, "new/two"), O_RDONLY);
  ipfsa_status status = ipfsa_add(node, NULL, 0, fd, ADD(.chunker = "rabin-4096-8192-16384", .trickle = IPFSA_ON, .hash = "blake2b-256", .wrap = true, .stdin_name = "s"), &w->fresh, err);
  close(fd);
  return status;
}
static void check_stream(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (acknowledged) expect_cat(node, &w->fresh, &(content){"s", "new two", 70000}, where);
}

static ipfsa_status add_nocopy(world *w, ipfsa_node *node, ipfsa_error *err) { return add(node, src(w, "external2"), ADD(.nocopy = true, .raw_leaves = IPFSA_ON), &w->fresh, err); }
static void check_nocopy(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (acknowledged) expect_cat(node, &w->fresh, &(content){NULL, "external2", LARGE}, where);
}

static ipfsa_status add_to_files(world *w, ipfsa_node *node, ipfsa_error *err) { return add(node, src(w, "g"), ADD(.to_files = "/dir/"), &w->fresh, err); }
static const content file_g = {NULL, "files g", 90000}, file_f = {NULL, "files f", 1500};
static void check_to_files(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  if (which_in_files(node, "/dir/f", &file_f, NULL, where) != 'o') fail_msg("%s: /dir/f is gone", where);
  if (which_in_files(node, "/dir/g", NULL, &file_g, where) != 'n' && acknowledged) fail_msg("%s: /dir/g is not there", where);
}

static ipfsa_status import_car(world *w, ipfsa_node *node, ipfsa_error *err) {
  int fd = open(src(w, "import.car"), O_RDONLY);
  ipfsa_status status = ipfsa_dag_import(node, fd, "import.car", NULL, NULL, err);
  close(fd);
  return status;
}
static void check_imported(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  bool pinned = pin_of(node, &w->imported, where) == 'r';
  if (acknowledged && !pinned) fail_msg("%s: what was imported is not pinned", where);
  if (pinned) expect_folder(node, &w->imported, import_files, where);
}

static ipfsa_status pin_loose(world *w, ipfsa_node *node, ipfsa_error *err) { return ipfsa_pin_add(node, &w->loose, NULL, err); }
static void check_pinned(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (pin_of(node, &w->loose, where) != 'r' && acknowledged) fail_msg("%s: the new pin is not there", where);
}

static ipfsa_status name_loose(world *w, ipfsa_node *node, ipfsa_error *err) {
  ipfsa_alias aliases[] = {{"org/loose", w->loose}, {"org/kept", w->kept}};
  return ipfsa_alias_set(node, aliases, 2, err);
}
static int count_event(void *ctx, const ipfsa_alias_event *event) {
  (void)event;
  ++*(int *)ctx;
  return 0;
}
static void check_named(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  ipfsa_cid loose, kept;
  ipfsa_error err = {0};
  int n_events = 0;
  ipfsa_status one = ipfsa_alias_get(node, "org/loose", &loose, &err), two = ipfsa_alias_get(node, "org/kept", &kept, &err);
  ipfsa_status three = ipfsa_alias_history(node, "org/kept", count_event, &n_events, &err);
  if (one != two || one != three || (one && one != IPFSA_E_NOT_FOUND)) fail_msg("%s: one of two names, or no history: %s", where, err.message);
  if (one && acknowledged) fail_msg("%s: the names are not there", where);
  if (one == IPFSA_OK && (!ipfsa_cid_equal(&loose, &w->loose) || !ipfsa_cid_equal(&kept, &w->kept) || n_events != 1)) fail_msg("%s: names of other CIDs", where);
}

static ipfsa_status unpin_other(world *w, ipfsa_node *node, ipfsa_error *err) { return ipfsa_pin_rm(node, &w->other, true, err); }
static void check_unpinned(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (pin_of(node, &w->other, where) != '-' && acknowledged) fail_msg("%s: the pin is still there", where);
  expect_cat(node, &w->other, &(content){NULL, "other", 2000}, where);
}

static ipfsa_status update_pin(world *w, ipfsa_node *node, ipfsa_error *err) { return ipfsa_pin_update(node, &w->other, &w->loose, true, err); }
static void check_updated(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char was = pin_of(node, &w->other, where), is = pin_of(node, &w->loose, where);
  if ((was == '-') != (is == 'r')) fail_msg("%s: both or none of two pins", where);
  if (acknowledged && is != 'r') fail_msg("%s: the pin did not move", where);
}

static ipfsa_status collect(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  return ipfsa_repo_gc(node, NULL, NULL, err);
}
static void check_collected(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  bytes_seen seen = {0};
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_block_get(node, &w->loose_file, see, &seen, &err);
  if (status == IPFSA_OK && acknowledged) fail_msg("%s: garbage is still there", where);
  if (status != IPFSA_OK && status != IPFSA_E_NOT_FOUND) fail_msg("%s: a garbage block: %s", where, err.message);
  free(seen.data);
}

static ipfsa_status put_block(world *w, ipfsa_node *node, ipfsa_error *err) {
  uint8_t data[30000];
  test_shake128("block", data, sizeof data);
  return ipfsa_block_put(node, (ipfsa_bytes){data, sizeof data}, 1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, true, &w->fresh, err);
}
static void check_block(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (!acknowledged) return;
  expect_cat(node, &w->fresh, &(content){NULL, "block", 30000}, where);
  if (pin_of(node, &w->fresh, where) == '-') fail_msg("%s: the block is not pinned", where);
}

static ipfsa_status remove_block(world *w, ipfsa_node *node, ipfsa_error *err) { return ipfsa_block_rm(node, &w->loose_file, false, err); }

static ipfsa_status verify(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  ipfsa_repo_verify_result result;
  ipfsa_status status = ipfsa_repo_verify(node, NULL, &result, err);
  return status;
}

static ipfsa_status repair(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  ipfsa_repo_verify_result result;
  ipfsa_status status = ipfsa_repo_verify(node, &(ipfsa_repo_verify_options){.struct_size = sizeof(ipfsa_repo_verify_options), .repair = true}, &result, err);
  if (status == IPFSA_OK && (result.n_damaged != 1 || result.n_quarantined != 1)) {
    char what[256] = "";
    (void)!ipfsa_repo_verify(node, &(ipfsa_repo_verify_options){.struct_size = sizeof(ipfsa_repo_verify_options), .damaged = note_damage, .damaged_ctx = what}, NULL, NULL);
    fail_msg("repair: %llu damaged, %llu quarantined; then: %s", (unsigned long long)result.n_damaged, (unsigned long long)result.n_quarantined, what);
  }
  return status;
}
static void check_repaired(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char path[700];
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_block_get(node, &w->loose_file, see, &(bytes_seen){0}, &err);
  if (status != (acknowledged ? IPFSA_E_NOT_FOUND : status == IPFSA_E_CORRUPT ? IPFSA_E_CORRUPT : IPFSA_E_NOT_FOUND)) fail_msg("%s: the damaged block: %s", where, ipfsa_status_to_string(status));
  if (status != IPFSA_E_NOT_FOUND) return;
  path_in(path, sizeof path, w->repo, "quarantine");
  DIR *dir = opendir(path);
  int n = 0;
  for (struct dirent *e; dir && (e = readdir(dir));) n += strstr(e->d_name, ".block") && !strstr(e->d_name, ".tmp");
  closedir(dir);
  if (n != 1) fail_msg("%s: %d blocks in quarantine", where, n);
}

static ipfsa_status overwrite(world *w, ipfsa_node *node, ipfsa_error *err) { return write_files(w, node, "/dir/f", "g", err); }
static void check_overwritten(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  if (which_in_files(node, "/dir/f", &file_f, &file_g, where) != 'n' && acknowledged) fail_msg("%s: /dir/f is the old one", where);
}

static ipfsa_status copy_in(world *w, ipfsa_node *node, ipfsa_error *err) {
  char from[IPFSA_MAX_CID_TEXT + 8] = "/ipfs/";
  ipfsa_cid_format(&w->other, from + 6);
  return ipfsa_files_cp(node, from, "/dir/new/other", true, false, err);
}
static void check_copied(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  expect_in_files(node, "/dir/f", "files f", 1500, where);
  if (which_in_files(node, "/dir/new/other", NULL, &(content){NULL, "other", 2000}, where) != 'n' && acknowledged) fail_msg("%s: the copy is not there", where);
}

static ipfsa_status move(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  return ipfsa_files_mv(node, "/dir/f", "/h", err);
}
static void check_moved(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  char from = which_in_files(node, "/dir/f", &file_f, NULL, where), to = which_in_files(node, "/h", &file_f, NULL, where);
  if ((from == '-') == (to == '-')) fail_msg("%s: both or none of two names", where);
  if (acknowledged && to != 'o') fail_msg("%s: it did not move", where);
}

static ipfsa_status remove_file(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  return ipfsa_files_rm(node, "/dir", true, false, err);
}
static void check_removed(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  if (which_in_files(node, "/dir/f", &file_f, NULL, where) != '-' && acknowledged) fail_msg("%s: /dir is still there", where);
}

static ipfsa_status make_folder(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  return ipfsa_files_mkdir(node, "/a/b", true, IPFSA_UNSET, NULL, err);
}

static ipfsa_status change_mode(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  return ipfsa_files_chmod(node, "/dir/f", 0640, err);
}
static void check_mode(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  ipfsa_error err = {0};
  ipfsa_files_stat st;
  if (ipfsa_files_stat_get(node, "/dir/f", &st, &err)) fail_msg("%s: files stat: %s", where, err.message);
  if (st.mode != 0640 && (acknowledged || st.mode != 0)) fail_msg("%s: the mode is %o", where, st.mode);
}

static ipfsa_status change_root(world *w, ipfsa_node *node, ipfsa_error *err) {
  ipfsa_cid old, made;
  return ipfsa_files_chroot(node, &w->kept, &old, &made, err);
}
static void check_root(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  ipfsa_error err = {0};
  ipfsa_files_stat st;
  if (ipfsa_files_stat_get(node, "/", &st, &err)) fail_msg("%s: files stat: %s", where, err.message);
  bool changed = ipfsa_cid_equal(&st.cid, &w->kept);
  if (acknowledged && !changed) fail_msg("%s: the root is not the new one", where);
  if (!changed) expect_in_files(node, "/dir/f", "files f", 1500, where);
}

static ipfsa_status save_config(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  return ipfsa_node_config_set(node, "import.cid_version", "1", true, err);
}
static void check_saved(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  ipfsa_error err = {0};
  char *version = NULL, *enabled = NULL;
  if (ipfsa_node_config_get(node, "import.cid_version", &version, &err) || ipfsa_node_config_get(node, "filestore.enabled", &enabled, &err)) fail_msg("%s: config: %s", where, err.message);
  if (strcmp(enabled, "true") != 0 || (acknowledged && strcmp(version, "1") != 0)) fail_msg("%s: config: %s %s", where, version, enabled);
  ipfsa_text_free(version);
  ipfsa_text_free(enabled);
}

static ipfsa_status replace_config(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  static const char text[] = "# mine\n[filestore]\nenabled = true\n[import]\ncid_version = 1\n";
  return ipfsa_node_config_replace(node, text, sizeof text - 1, err);
}

static ipfsa_status get_path(world *w, ipfsa_node *node, const char *below, const char *name, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT + 64], target[700];
  ipfsa_cid_format(&w->kept, path);
  strcat(path, below);
  path_in(target, sizeof target, w->out, name);
  return ipfsa_get(node, path, target, NULL, err);
}

static bool file_is(const char *path, const content *want) {
  bytes_seen seen = {0};
  char buf[4096];
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  for (size_t n; (n = fread(buf, 1, sizeof buf, file));) see(&seen, buf, n);
  fclose(file);
  bool same = is_content(&seen, want->seed, want->len);
  free(seen.data);
  return same;
}

/* Only whole files, under names that belong there. */
static size_t check_out(const char *dir, const content *files, const char *where) {
  char path[700];
  size_t n = 0;
  DIR *d = opendir(dir);
  for (struct dirent *e; d && (e = readdir(d));) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    const content *file = files;
    while (file->name && strcmp(file->name, e->d_name) != 0) file++;
    if (!file->name) fail_msg("%s: get left %s", where, e->d_name);
    path_in(path, sizeof path, dir, e->d_name);
    if (!file_is(path, file)) fail_msg("%s: get left half of %s", where, e->d_name);
    n++;
  }
  if (d) closedir(d);
  return n;
}

static ipfsa_status get_file(world *w, ipfsa_node *node, ipfsa_error *err) { return get_path(w, node, "/large", "got/large", err); }
static void check_got_file(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char path[700];
  (void)node;
  path_in(path, sizeof path, w->out, "got");
  if (check_out(path, kept_files, where) != 1 && acknowledged) fail_msg("%s: get said it is there", where);
}

static ipfsa_status get_over(world *w, ipfsa_node *node, ipfsa_error *err) { return get_path(w, node, "/large", "over/large", err); }
static void check_got_over(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char path[700];
  (void)node;
  path_in(path, sizeof path, w->out, "over/large");
  if (!acknowledged && file_is(path, &precious)) return;
  path_in(path, sizeof path, w->out, "over");
  if (check_out(path, kept_files, where) != 1) fail_msg("%s: neither the old file nor the new one", where);
}

static ipfsa_status get_folder(world *w, ipfsa_node *node, ipfsa_error *err) { return get_path(w, node, "", "got/kept", err); }
static void check_got_folder(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char path[700];
  (void)node;
  path_in(path, sizeof path, w->out, "got/kept");
  if (check_out(path, kept_files, where) != 3 && acknowledged) fail_msg("%s: get said it is there", where);
}

static bool is_wide(const bytes_seen *b) {
  for (size_t at = 0; b->len == (size_t)WIDE_LEAF * WIDE_LEAVES && at < b->len; at += WIDE_LEAF)
    if (!is_content(&(bytes_seen){.data = b->data + at, .len = WIDE_LEAF}, "wide", WIDE_LEAF)) return false;
  return b->len == (size_t)WIDE_LEAF * WIDE_LEAVES;
}

static ipfsa_status get_wide(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT], to[700];
  ipfsa_cid_format(&w->wide, path);
  path_in(to, sizeof to, w->out, "wide");
  return ipfsa_get(node, path, to, NULL, err);
}
static void check_got_wide(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char path[700];
  (void)node;
  path_in(path, sizeof path, w->out, "wide");
  FILE *file = fopen(path, "rb");
  if (!file && acknowledged) fail_msg("%s: get said it is there", where);
  if (!file) return;
  static uint8_t buf[1 << 16];
  bytes_seen seen = {0};
  for (size_t n; (n = fread(buf, 1, sizeof buf, file));) see(&seen, buf, n);
  fclose(file);
  if (!is_wide(&seen)) fail_msg("%s: get left half of a file", where);
  free(seen.data);
}

static ipfsa_status cat_wide(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT];
  bytes_seen seen = {0};
  ipfsa_cid_format(&w->wide, path);
  ipfsa_status status = ipfsa_cat(node, path, 0, UINT64_MAX, see, &seen, NULL, NULL, err);
  if (status == IPFSA_OK && !is_wide(&seen)) fail_msg("cat gave other bytes and said OK");
  free(seen.data);
  return status;
}

static ipfsa_status get_tar(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT];
  bytes_seen seen = {0};
  ipfsa_cid_format(&w->kept, path);
  ipfsa_status status = ipfsa_get_tar(node, path, see, &seen, NULL, err);
  if (status == IPFSA_OK && seen.len != 512 * (1 + 1 + 1 + 1 + 2 + (LARGE + 511) / 512 + 2)) fail_msg("a tar of %zu bytes", seen.len);
  free(seen.data);
  return status;
}

static ipfsa_status cat_large(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT + 64];
  bytes_seen seen = {0};
  ipfsa_cid_format(&w->kept, path);
  strcat(path, "/large");
  ipfsa_status status = ipfsa_cat(node, path, 0, UINT64_MAX, see, &seen, NULL, NULL, err);
  if (status == IPFSA_OK && !is_content(&seen, "kept large", LARGE)) fail_msg("cat gave other bytes and said OK");
  free(seen.data);
  return status;
}

static int count_entry(void *ctx, const ipfsa_entry *entry) {
  *(size_t *)ctx += entry->name_len > 0;
  return 0;
}
static int count_ref(void *ctx, const ipfsa_cid *from, const ipfsa_cid *to, const char *name, size_t len) {
  (void)from, (void)to, (void)name, (void)len;
  ++*(size_t *)ctx;
  return 0;
}
static int count_block(void *ctx, const ipfsa_cid *cid, uint64_t size) {
  (void)cid, (void)size;
  ++*(size_t *)ctx;
  return 0;
}

/* An answer that says OK and leaves something out would be worse than none. */
static ipfsa_status list_all(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT];
  size_t n_entries = 0, n_refs = 0, n_blocks = 0;
  ipfsa_repo_stat stat = {.struct_size = sizeof stat};
  ipfsa_cid_format(&w->kept, path);
  ipfsa_status status = ipfsa_ls(node, path, true, count_entry, &n_entries, err);
  if (status == IPFSA_OK) status = ipfsa_refs(node, (const char *const[]){path}, 1, 0, false, count_ref, &n_refs, err);
  if (status == IPFSA_OK) status = ipfsa_repo_list(node, count_block, &n_blocks, err);
  if (status == IPFSA_OK) status = ipfsa_repo_stat_get(node, &stat, err);
  if (status == IPFSA_OK && (n_entries != 3 || n_refs != 5 || n_blocks != stat.n_blocks))
    fail_msg("%zu entries, %zu refs, %zu of %llu blocks and OK", n_entries, n_refs, n_blocks, (unsigned long long)stat.n_blocks);
  return status;
}

static ipfsa_status export_car(world *w, ipfsa_node *node, ipfsa_error *err) {
  bytes_seen seen = {0};
  ipfsa_status status = ipfsa_dag_export(node, &w->kept, see, &seen, NULL, NULL, err);
  free(seen.data);
  return status;
}

static ipfsa_status put_node(world *w, ipfsa_node *node, ipfsa_error *err) {
  static const char text[] = "{\"a\":[1,2.5,\"x\",{\"/\":{\"bytes\":\"AQID\"}}],\"b\":null}";
  bytes_seen seen = {0};
  char path[IPFSA_MAX_CID_TEXT + 8];
  ipfsa_status status = ipfsa_dag_put(node, (ipfsa_bytes){(const uint8_t *)text, sizeof text - 1}, &(ipfsa_dag_put_options){.struct_size = sizeof(ipfsa_dag_put_options), .pin = true}, &w->fresh, err);
  if (status) return status;
  ipfsa_cid_format(&w->fresh, path);
  status = ipfsa_dag_get(node, path, 0, see, &seen, err);
  if (status == IPFSA_OK && (seen.len != sizeof text - 1 || memcmp(seen.data, text, seen.len) != 0)) fail_msg("dag get: %.*s", (int)seen.len, (char *)seen.data);
  free(seen.data);
  return status;
}

static ipfsa_status open_again(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)node;
  ipfsa_node *second = NULL;
  ipfsa_status status = world_open(w, &second, err);
  if (status == IPFSA_OK) ipfsa_node_close(second);
  return status;
}

static ipfsa_status make_repo(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[700];
  (void)node;
  path_in(path, sizeof path, w->out, "fresh");
  return ipfsa_repo_init(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = path, .profile = "unixfs-v1-2025"}, err);
}
static void check_made(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char path[700];
  ipfsa_node *fresh = NULL;
  ipfsa_error err = {0};
  (void)node;
  path_in(path, sizeof path, w->out, "fresh");
  ipfsa_status status = ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = path, .create = !acknowledged}, &fresh, NULL, &err);
  if (status) fail_msg("%s: init, then open: %s", where, err.message);
  ipfsa_node_close(fresh);
}

static ipfsa_status materialise(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT];
  ipfsa_materialised *tree = NULL;
  ipfsa_cid_format(&w->kept, path);
  ipfsa_status status = ipfsa_materialise(node, path, "user", NULL, &tree, err);
  ipfsa_materialised_free(tree);
  return status;
}

static int count_use(void *ctx, const ipfsa_cid *cid, const char *user) {
  *(size_t *)ctx += ipfsa_cid_is_none(cid) == false && strcmp(user, "user") == 0;
  return 0;
}

/* A use that is written down has a whole tree. One of nobody may still be there: a lease that could not be removed keeps it, whole, while its process lives. */
static void check_materialised(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char dir[600], path[1000];
  size_t n_uses = 0, n_trees = 0;
  ipfsa_error err = {0};
  ipfsa_gc_options at_once = {.struct_size = sizeof at_once, .lease_grace_s = UINT64_MAX};
  if (ipfsa_repo_gc(node, &at_once, NULL, &err) || ipfsa_materialise_uses(node, count_use, &n_uses, &err)) fail_msg("%s: %s", where, err.message);
  if (acknowledged && n_uses != 1) fail_msg("%s: it is materialised, and no use is written down", where);
  path_in(dir, sizeof dir, w->repo, "materialised");
  DIR *trees = opendir(dir);
  for (struct dirent *e; trees && (e = readdir(trees));) {
    if (e->d_name[0] == '.' || strcmp(e->d_name, "files") == 0) continue;
    if (snprintf(path, sizeof path, "%s/%s/content", dir, e->d_name) < 0) fail();
    if (check_out(path, kept_files, where) != 3) fail_msg("%s: %s is not whole", where, path);
    n_trees++;
  }
  if (trees) closedir(trees);
  if (n_trees < n_uses) fail_msg("%s: %zu trees for %zu uses", where, n_trees, n_uses);
}

static ipfsa_status evict(world *w, ipfsa_node *node, ipfsa_error *err) {
  ipfsa_status status = materialise(w, node, err);
  if (status == IPFSA_OK) status = ipfsa_materialise_release(node, NULL, "user", NULL, err);
  return status ? status : ipfsa_repo_gc(node, NULL, NULL, err);
}
static void check_evicted(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)acknowledged;
  check_materialised(w, node, false, where);
}

const operation operations[] = {
    {"add a folder", add_folder, check_added, 0, false, WRITES_REPO},
    {"add a large file", add_large, check_large, 0, false, WRITES_REPO},
    {"add a stream", add_stream, check_stream, 0, false, WRITES_REPO},
    {"add --nocopy", add_nocopy, check_nocopy, 0, false, WRITES_REPO},
    {"add --to-files", add_to_files, check_to_files, MAY_FILES, false, WRITES_REPO},
    {"dag import", import_car, check_imported, 0, false, WRITES_REPO},
    {"pin add", pin_loose, check_pinned, 0, false, WRITES_REPO},
    {"alias set", name_loose, check_named, 0, false, WRITES_REPO},
    {"pin rm", unpin_other, check_unpinned, MAY_OTHER, false, WRITES_REPO},
    {"pin update", update_pin, check_updated, MAY_OTHER, false, WRITES_REPO},
    {"gc", collect, check_collected, MAY_LOOSE, false, WRITES_REPO},
    {"block put", put_block, check_block, 0, false, WRITES_REPO},
    {"block rm", remove_block, check_collected, MAY_LOOSE, false, WRITES_REPO},
    {"verify", verify, NULL, 0, false, WRITES_NOTHING},
    {"verify --repair", repair, check_repaired, 0, true, WRITES_REPO},
    {"files write", overwrite, check_overwritten, MAY_FILES, false, WRITES_REPO},
    {"files cp", copy_in, check_copied, 0, false, WRITES_REPO},
    {"files mv", move, check_moved, MAY_FILES, false, WRITES_REPO},
    {"files rm", remove_file, check_removed, MAY_FILES, false, WRITES_REPO},
    {"files chmod", change_mode, check_mode, 0, false, WRITES_REPO},
    {"files chroot", change_root, check_root, MAY_FILES, false, WRITES_REPO},
    {"files mkdir", make_folder, NULL, 0, false, WRITES_REPO},
    {"config set", save_config, check_saved, 0, false, WRITES_REPO},
    {"config replace", replace_config, check_saved, 0, false, WRITES_REPO},
    {"get a file", get_file, check_got_file, 0, false, WRITES_NOTHING},
    {"get by workers", get_wide, check_got_wide, 0, false, WRITES_NOTHING},
    {"cat by workers", cat_wide, NULL, 0, false, WRITES_NOTHING},
    {"get over a file", get_over, check_got_over, 0, false, WRITES_OUT},
    {"get a folder", get_folder, check_got_folder, 0, false, WRITES_NOTHING},
    {"materialise", materialise, check_materialised, MAY_LOOSE, false, WRITES_REPO},
    {"materialise, release, gc", evict, check_evicted, MAY_LOOSE, false, WRITES_REPO},
    {"get -a", get_tar, NULL, 0, false, WRITES_NOTHING},
    {"cat", cat_large, NULL, 0, false, WRITES_NOTHING},
    {"ls, refs, repo ls", list_all, NULL, 0, false, WRITES_NOTHING},
    {"dag export", export_car, NULL, 0, false, WRITES_NOTHING},
    {"dag put, dag get", put_node, NULL, 0, false, WRITES_REPO},
    {"open", open_again, NULL, 0, false, WRITES_NOTHING},
    {"init", make_repo, check_made, 0, false, WRITES_OUT},
};
const size_t n_operations = sizeof operations / sizeof *operations;
