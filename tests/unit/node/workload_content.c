#include "workload_inside.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- files ---- */

void workload_path_in(char *ret, size_t cap, const char *dir, const char *name) {
  if ((size_t)snprintf(ret, cap, "%s/%s", dir, name) >= cap) fail_msg("path %s/%s", dir, name);
}

void workload_put_file(const char *path, const char *seed, size_t len) {
  uint8_t *data = malloc(len ? len : 1);
  if (len) test_shake128(seed, data, len);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || write(fd, data, len) != (ssize_t)len) fail_msg("write %s", path);
  close(fd);
  free(data);
}

/* Long enough for the workers, and small in the repo: its leaves are one block. */
void workload_put_wide(const char *path) {
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

void workload_copy_tree(const char *from, const char *to) {
  char a[700], b[700];
  mkdir(to, 0700);
  DIR *dir = opendir(from);
  if (!dir) fail_msg("open %s", from);
  for (struct dirent *e; (e = readdir(dir));) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    workload_path_in(a, sizeof a, from, e->d_name);
    workload_path_in(b, sizeof b, to, e->d_name);
    if (e->d_type == DT_DIR) workload_copy_tree(a, b);
    else copy_file(a, b);
  }
  closedir(dir);
}

void workload_remove_tree(const char *path) {
  char *copy = strdup(path);
  test_remove_tree(copy);
}

/* ---- content ---- */

const content workload_kept_files[] = {{"empty", "", 0}, {"large", "kept large", LARGE}, {"small", "kept small", SMALL}, {0}};
const content workload_loose_files[] = {{"a", "loose a", SMALL}, {"b", "loose b", 20000}, {"c", "loose c", 5}, {0}};
const content workload_new_files[] = {{"large", "new large", LARGE}, {"one", "new one", SMALL}, {"two", "new two", 70000}, {"zero", "", 0}, {0}};
const content workload_import_files[] = {{"x", "import x", SMALL}, {"y", "import y", 40000}, {0}};

const content workload_precious = {NULL, "precious", 5000}; /* where get over a file writes */

void workload_put_files(const char *dir, const content *files) {
  char path[700];
  mkdir(dir, 0700);
  for (; files->name; files++) {
    workload_path_in(path, sizeof path, dir, files->name);
    workload_put_file(path, files->seed, files->len);
  }
}


int workload_see(void *ctx, const void *data, size_t len) {
  bytes_seen *b = ctx;
  if (b->len + len > b->cap) b->data = realloc(b->data, b->cap = (b->len + len) * 2);
  if (len) memcpy(b->data + b->len, data, len);
  b->len += len;
  return 0;
}

bool workload_is_content(const bytes_seen *b, const char *seed, size_t len) {
  uint8_t *want = malloc(len ? len : 1);
  if (len) test_shake128(seed, want, len);
  bool same = b->len == len && (len == 0 || memcmp(want, b->data, len) == 0);
  free(want);
  return same;
}

void workload_expect_cat(ipfsa_node *node, const ipfsa_cid *root, const content *file, const char *where) {
  char path[IPFSA_MAX_CID_TEXT + 64];
  ipfsa_error err = {0};
  bytes_seen seen = {0};
  ipfsa_cid_format(root, path);
  if (file->name) snprintf(path + strlen(path), 64, "/%s", file->name);
  if (ipfsa_cat(node, path, 0, UINT64_MAX, workload_see, &seen, NULL, NULL, &err)) fail_msg("%s: cat %s: %s", where, path, err.message);
  if (!workload_is_content(&seen, file->seed, file->len)) fail_msg("%s: cat %s gives other bytes", where, path);
  free(seen.data);
}

void workload_expect_folder(ipfsa_node *node, const ipfsa_cid *root, const content *files, const char *where) {
  for (; files->name; files++) workload_expect_cat(node, root, files, where);
}

void workload_expect_in_files(ipfsa_node *node, const char *path, const char *seed, size_t len, const char *where) {
  ipfsa_error err = {0};
  bytes_seen seen = {0};
  if (ipfsa_files_read(node, path, 0, UINT64_MAX, workload_see, &seen, &err)) fail_msg("%s: files read %s: %s", where, path, err.message);
  if (!workload_is_content(&seen, seed, len)) fail_msg("%s: files read %s gives other bytes", where, path);
  free(seen.data);
}

/* 'o' old, 'n' new, '-' not there: a file of the mutable file system. */
char workload_which_in_files(ipfsa_node *node, const char *path, const content *old, const content *new, const char *where) {
  ipfsa_error err = {0};
  bytes_seen seen = {0};
  ipfsa_status status = ipfsa_files_read(node, path, 0, UINT64_MAX, workload_see, &seen, &err);
  char which = status == IPFSA_E_NOT_FOUND ? '-' : 0;
  if (status == IPFSA_OK && old && workload_is_content(&seen, old->seed, old->len)) which = 'o';
  if (status == IPFSA_OK && new && workload_is_content(&seen, new->seed, new->len)) which = 'n';
  free(seen.data);
  if (!which) fail_msg("%s: files read %s: %s", where, path, status ? err.message : "neither the old nor the new bytes");
  return which;
}

char workload_pin_of(ipfsa_node *node, const ipfsa_cid *cid, const char *where) {
  ipfsa_pin pin;
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_pin_find(node, cid, IPFSA_PIN_NONE, &pin, NULL, &err);
  if (status == IPFSA_E_NOT_PINNED) return '-';
  if (status) fail_msg("%s: pin find: %s", where, err.message);
  return pin.mode == IPFSA_PIN_RECURSIVE ? 'r' : pin.mode == IPFSA_PIN_DIRECT ? 'd' : 'i';
}
