/* Trees out of the store: right, read-only, made once, kept while they are used, and nothing of them when making one fails. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ipfsa/add.h>
#include <ipfsa/config.h>
#include <ipfsa/materialise.h>
#include <ipfsa/read.h>
#include <ipfsa/repo.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support.h"
#include "base/fault.h"
#include "node/node.h"

#define LARGE 200000

typedef struct place {
  char *dir, repo[300], src[300];
  ipfsa_node *node;
  ipfsa_cid folder, again; /* again: another folder with the same large file */
} place;

static void put(const char *dir, const char *name, const char *seed, size_t len) {
  char path[700];
  uint8_t *data = malloc(len + 1);
  snprintf(path, sizeof path, "%s/%s", dir, name);
  test_shake128(seed, data, len);
  FILE *out = fopen(path, "wb");
  assert_int_equal(fwrite(data, 1, len, out), len);
  fclose(out);
  free(data);
}

static void open_node(place *p) {
  ipfsa_error err = {0};
  assert_ok(ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = p->repo, .create = true}, &p->node, NULL, &err));
}

static ipfsa_cid add(place *p, const char *path) {
  ipfsa_error err = {0};
  ipfsa_cid cid;
  assert_ok(ipfsa_add(p->node, &path, 1, -1, &(ipfsa_add_options){.struct_size = sizeof(ipfsa_add_options), .recursive = true, .pin = IPFSA_OFF}, &cid, &err));
  return cid;
}

static place *place_new(void) {
  place *p = calloc(1, sizeof *p);
  char sub[400];
  p->dir = test_temp_dir();
  snprintf(p->repo, sizeof p->repo, "%s/repo", p->dir);
  snprintf(p->src, sizeof p->src, "%s/src", p->dir);
  mkdir(p->src, 0755);
  put(p->src, "large", "large", LARGE);
  put(p->src, "small", "small", 500);
  put(p->src, "empty", "", 0);
  snprintf(sub, sizeof sub, "%s/below", p->src);
  mkdir(sub, 0755);
  put(sub, "deep", "deep", 1000);
  snprintf(sub, sizeof sub, "%s/below/up", p->src);
  assert_int_equal(symlink("../small", sub), 0);
  open_node(p);
  p->folder = add(p, p->src);
  put(p->src, "more", "more", 700);
  p->again = add(p, p->src);
  return p;
}

static void place_free(place *p) {
  ipfsa_node_close(p->node);
  test_remove_tree(p->dir);
  free(p);
}

static ipfsa_status make(place *p, const ipfsa_cid *cid, const char *user, ipfsa_materialised **ret, ipfsa_error *err) {
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_cid_format(cid, text);
  return ipfsa_materialise(p->node, text, user, NULL, ret, err);
}

static bool holds(const char *folder, const char *name, const char *seed, size_t len) {
  char path[900];
  uint8_t *want = malloc(len + 1), *got = malloc(len + 1);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  test_shake128(seed, want, len);
  FILE *in = fopen(path, "rb");
  bool same = in && fread(got, 1, len + 1, in) == len && memcmp(want, got, len) == 0;
  if (in) fclose(in);
  free(want);
  free(got);
  return same;
}

static unsigned mode_of(const char *folder, const char *name) {
  char path[900];
  struct stat st;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  assert_int_equal(stat(path, &st), 0);
  return st.st_mode & 07777;
}

static void expect_tree(const char *path) {
  assert_true(holds(path, "large", "large", LARGE) && holds(path, "small", "small", 500) && holds(path, "empty", "", 0));
  assert_true(holds(path, "below/deep", "deep", 1000) && holds(path, "below/up", "small", 500));
}

/* Entries of the folder: trees, and others ("new-…", "gone-…"). */
static void count_entries(place *p, size_t *ret_trees, size_t *ret_others) {
  char path[400];
  *ret_trees = *ret_others = 0;
  snprintf(path, sizeof path, "%s/materialised", p->repo);
  DIR *dir = opendir(path);
  for (struct dirent *e; dir && (e = readdir(dir));)
    if (e->d_name[0] != '.' && strcmp(e->d_name, "files") != 0) ++*(strchr(e->d_name, '-') ? ret_others : ret_trees);
  if (dir) closedir(dir);
}

static size_t n_trees(place *p) {
  size_t trees, others;
  count_entries(p, &trees, &others);
  assert_int_equal(others, 0);
  return trees;
}

static void collect(place *p) {
  ipfsa_error err = {0};
  assert_ok(ipfsa_repo_gc(p->node, NULL, NULL, &err));
}

static void release(place *p, const char *user) {
  ipfsa_error err = {0};
  size_t n = 0;
  assert_ok(ipfsa_materialise_release(p->node, NULL, user, &n, &err));
  assert_true(n > 0);
}

static void a_tree_is_right_read_only_and_made_once(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_materialised *one = NULL, *two = NULL, *file = NULL;
  place *p = place_new();
  assert_ok(make(p, &p->folder, "a", &one, &err));
  assert_true(one->made && one->is_folder && one->path[0] == '/');
  assert_int_equal(one->size, LARGE + 500 + 1000);
  assert_int_equal(one->size, one->n_reflinked + one->n_linked + one->n_copied);
  expect_tree(one->path);
  assert_int_equal(mode_of(one->path, "large"), 0444);
  assert_int_equal(mode_of(one->path, "below"), 0555);
  assert_int_equal(mode_of(one->path, ""), 0555);
  assert_ok(make(p, &p->folder, "b", &two, &err));
  assert_true(!two->made && two->way == one->way && two->size == one->size);
  assert_string_equal(one->path, two->path);
  char path[IPFSA_MAX_CID_TEXT + 16];
  strcpy(path, "/ipfs/");
  ipfsa_cid_format(&p->folder, path + 6);
  strcat(path, "/small");
  assert_ok(ipfsa_materialise(p->node, path, "a", NULL, &file, &err));
  char *name = strrchr(file->path, '/');
  *name++ = '\0'; /* holds wants folder and name */
  assert_true(file->made && !file->is_folder && file->size == 500 && holds(file->path, name, "small", 500));
  assert_int_equal(mode_of(file->path, name), 0444);
  ipfsa_materialised_free(one);
  ipfsa_materialised_free(two);
  ipfsa_materialised_free(file);
  place_free(p);
}

static void a_large_file_is_shared_with_another_tree(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_materialised *one = NULL, *two = NULL;
  struct stat a, b;
  char path[900];
  place *p = place_new();
  assert_ok(make(p, &p->folder, "a", &one, &err));
  assert_ok(make(p, &p->again, "a", &two, &err));
  expect_tree(two->path);
  assert_true(holds(two->path, "more", "more", 700));
  snprintf(path, sizeof path, "%s/large", one->path);
  assert_int_equal(stat(path, &a), 0);
  snprintf(path, sizeof path, "%s/large", two->path);
  assert_int_equal(stat(path, &b), 0);
  if (one->n_reflinked == 0) {
    assert_int_equal(one->way, IPFSA_WAY_COPY);
    assert_int_equal(two->n_linked, LARGE);
    assert_int_equal(a.st_ino, b.st_ino);
  } else assert_int_equal(two->way, IPFSA_WAY_REFLINK);
  ipfsa_materialised_free(one);
  ipfsa_materialised_free(two);
  place_free(p);
}

/* What was changed through one name is changed under all: it is not handed out again. */
static void a_shared_file_that_was_touched_is_copied_anew(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_materialised *one = NULL, *two = NULL, *three = NULL;
  char path[900], text[IPFSA_MAX_CID_TEXT + 16];
  place *p = place_new();
  assert_ok(make(p, &p->folder, "a", &one, &err));
  snprintf(path, sizeof path, "%s/large", one->path);
  assert_int_equal(chmod(path, 0644), 0);
  FILE *file = fopen(path, "r+b");
  assert_int_equal(fwrite("X", 1, 1, file), 1);
  fclose(file);
  assert_ok(make(p, &p->again, "a", &two, &err));
  expect_tree(two->path);
  assert_int_equal(two->n_linked, 0);
  ipfsa_cid_format(&p->folder, text); /* and the new one is what is linked to from then on */
  strcat(text, "/large");
  assert_ok(ipfsa_materialise(p->node, text, "a", NULL, &three, &err));
  if (two->n_reflinked == 0) assert_int_equal(three->n_linked, LARGE);
  char *name = strrchr(three->path, '/');
  *name++ = '\0';
  assert_true(holds(three->path, name, "large", LARGE));
  ipfsa_materialised_free(one);
  ipfsa_materialised_free(two);
  ipfsa_materialised_free(three);
  place_free(p);
}

static size_t n_files(place *p) {
  char path[400];
  size_t n = 0;
  snprintf(path, sizeof path, "%s/materialised/files", p->repo);
  DIR *dir = opendir(path);
  for (struct dirent *e; dir && (e = readdir(dir));) n += e->d_name[0] != '.';
  if (dir) closedir(dir);
  return n;
}

static void gc_keeps_what_is_used(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_materialised *tree = NULL;
  ipfsa_repo_stat before = {.struct_size = sizeof before}, after = {.struct_size = sizeof after};
  place *p = place_new();
  assert_ok(ipfsa_repo_stat_get(p->node, &before, &err));
  assert_ok(make(p, &p->folder, "a", &tree, &err));
  assert_ok(ipfsa_repo_stat_get(p->node, &after, &err));
  if (tree->n_reflinked == 0) assert_true(after.disk_bytes >= before.disk_bytes + LARGE); /* the quota counts it */
  ipfsa_materialised *other = NULL;
  assert_ok(make(p, &p->folder, "b", &other, &err));
  ipfsa_materialised_free(other);
  ipfsa_node_close(p->node); /* as a program that ended: the uses stay */
  open_node(p);
  collect(p);
  expect_tree(tree->path);
  release(p, "a");
  collect(p);
  expect_tree(tree->path);
  uint64_t size;
  char text[IPFSA_MAX_CID_TEXT + 16];
  ipfsa_cid_format(&p->folder, text);
  strcat(text, "/large");
  assert_ok(ipfsa_file_size(p->node, text, &size, &err)); /* its blocks are kept as well */
  release(p, "b");
  assert_int_equal(n_trees(p), 1);
  if (tree->n_reflinked == 0) assert_int_equal(n_files(p), 2); /* the large one and its print */
  collect(p);
  assert_int_equal(n_trees(p), 0);
  assert_int_equal(n_files(p), 0);
  assert_int_equal(access(tree->path, F_OK), -1);
  assert_status(ipfsa_file_size(p->node, text, &size, &err), IPFSA_E_NOT_FOUND);
  ipfsa_repo_stat last = {.struct_size = sizeof last};
  assert_ok(ipfsa_repo_stat_get(p->node, &last, &err));
  assert_true(last.disk_bytes < after.disk_bytes);
  ipfsa_materialised_free(tree);
  place_free(p);
}

static void who_has_a_file_open_keeps_it(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_materialised *tree = NULL;
  char path[900], byte;
  place *p = place_new();
  assert_ok(make(p, &p->folder, "a", &tree, &err));
  snprintf(path, sizeof path, "%s/large", tree->path);
  int fd = open(path, O_RDONLY);
  release(p, "a");
  collect(p);
  assert_int_equal(access(path, F_OK), -1);
  assert_int_equal(pread(fd, &byte, 1, LARGE - 1), 1); /* unlinked, never cut */
  close(fd);
  ipfsa_materialised_free(tree);
  place_free(p);
}

static void a_tree_that_was_touched_is_made_anew(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_materialised *tree = NULL, *again = NULL;
  char path[900];
  place *p = place_new();
  assert_ok(make(p, &p->folder, "a", &tree, &err));
  snprintf(path, sizeof path, "%s/small", tree->path);
  assert_int_equal(chmod(path, 0644), 0);
  FILE *file = fopen(path, "r+b");
  assert_int_equal(fwrite("X", 1, 1, file), 1);
  fclose(file);
  assert_ok(make(p, &p->folder, "a", &again, &err));
  assert_true(again->made);
  expect_tree(again->path);
  assert_int_equal(n_trees(p), 1);
  ipfsa_materialised_free(tree);
  ipfsa_materialised_free(again);
  place_free(p);
}

static void what_does_not_fit_is_refused_before_anything_is_written(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_materialised *tree = NULL;
  place *p = place_new();
  put(p->src, "large", "larger", 6 << 20);
  ipfsa_cid big = add(p, p->src);
  assert_ok(ipfsa_node_config_set(p->node, "store.max_size", "\"14MiB\"", true, &err));
  ipfsa_node_close(p->node);
  open_node(p);
  assert_status(make(p, &big, "a", &tree, &err), IPFSA_E_QUOTA);
  assert_int_equal(n_trees(p), 0);
  assert_status(ipfsa_materialise_release(p->node, NULL, "a", NULL, &err), IPFSA_OK);
  assert_ok(make(p, &p->folder, "a", &tree, &err));
  ipfsa_materialised_free(tree);
  place_free(p);
}

static void what_leads_out_or_nowhere_is_refused(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_materialised *tree = NULL;
  char path[700], long_user[300];
  place *p = place_new();
  snprintf(path, sizeof path, "%s/out", p->src);
  assert_int_equal(symlink("../../etc/passwd", path), 0);
  ipfsa_cid bad = add(p, p->src);
  assert_status(make(p, &bad, "a", &tree, &err), IPFSA_E_DENIED);
  assert_int_equal(n_trees(p), 0);
  assert_status(ipfsa_materialise(p->node, "no cid", "a", NULL, &tree, &err), IPFSA_E_INVALID);
  memset(long_user, 'u', sizeof long_user);
  long_user[251] = '\0';
  assert_status(make(p, &p->folder, long_user, &tree, &err), IPFSA_E_INVALID);
  assert_status(make(p, &p->folder, "", &tree, &err), IPFSA_E_INVALID);
  assert_status(make(p, &p->folder, "a\n", &tree, &err), IPFSA_E_INVALID);
  long_user[250] = '\0';
  assert_ok(make(p, &p->folder, long_user, &tree, &err));
  ipfsa_materialised_free(tree);
  place_free(p);
}

static void gc_removes_what_was_cut_short_and_leaves_what_is_being_made(void **state) {
  (void)state;
  char dead[400], live[400];
  ipfsa_error err = {0};
  ipfsa_materialised *tree = NULL;
  place *p = place_new();
  assert_ok(make(p, &p->folder, "a", &tree, &err));
  snprintf(dead, sizeof dead, "%s/materialised/new-0000000000000001", p->repo);
  snprintf(live, sizeof live, "%s/materialised/new-0000000000000002", p->repo);
  assert_int_equal(mkdir(dead, 0755) | mkdir(live, 0755), 0);
  put(dead, "content", "half", 10);
  int fd = open(live, O_RDONLY | O_DIRECTORY);
  assert_int_equal(flock(fd, LOCK_EX), 0);
  collect(p);
  assert_int_equal(access(dead, F_OK), -1);
  assert_int_equal(access(live, F_OK), 0);
  close(fd);
  collect(p);
  assert_int_equal(n_trees(p), 1);
  ipfsa_materialised_free(tree);
  place_free(p);
}

/* Every file operation and every allocation failing once: the call says so and nothing is left, or it succeeds and all is there. */
static void a_failure_leaves_nothing(void **state) {
  (void)state;
  place *p = place_new();
  for (int kind = 0; kind < 2; kind++) {
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
      ipfsa_error err = {0};
      ipfsa_materialised *tree = NULL;
      ipfsa_fault_arm(&(ipfsa_fault_plan){kind ? IPFSA_FAULT_FILE : IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, kind ? ENOSPC : ENOMEM});
      ipfsa_status status = make(p, &p->folder, "a", &tree, &err);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      if (status && !*err.message) fail_msg("kind %d, call %llu: failed without a word", kind, (unsigned long long)n);
      size_t trees = n_trees(p); /* and nothing half made */
      if (status == IPFSA_OK) expect_tree(tree->path);
      else if (trees) assert_ok(make(p, &p->folder, "a", &tree, &err)); /* it failed after all was there */
      if (trees) expect_tree(tree->path);
      ipfsa_materialised_free(tree);
      ipfsa_error ignored;
      assert_int_equal(ipfsa_materialise_release(p->node, NULL, "a", NULL, &ignored), IPFSA_OK);
      char files[400];
      snprintf(files, sizeof files, "%s/materialised", p->repo);
      if (access(files, F_OK) == 0) {
        char *copy = strdup(files);
        test_remove_tree(copy);
      }
    }
  }
  place_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_tree_is_right_read_only_and_made_once),
      cmocka_unit_test(a_large_file_is_shared_with_another_tree),
      cmocka_unit_test(a_shared_file_that_was_touched_is_copied_anew),
      cmocka_unit_test(gc_keeps_what_is_used),
      cmocka_unit_test(who_has_a_file_open_keeps_it),
      cmocka_unit_test(a_tree_that_was_touched_is_made_anew),
      cmocka_unit_test(what_does_not_fit_is_refused_before_anything_is_written),
      cmocka_unit_test(what_leads_out_or_nowhere_is_refused),
      cmocka_unit_test(gc_removes_what_was_cut_short_and_leaves_what_is_being_made),
      cmocka_unit_test(a_failure_leaves_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
