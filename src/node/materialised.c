/* The folder that holds what is materialised.
 *
 * Why nothing that is used goes: whoever materialises first writes a lease for the CID, and then looks, under the folder's lock, whether the tree is
 * there; its use is written under the same lock. Eviction reads uses and leases under that lock, too, and renames what nobody named. So it either
 * sees the lease or came before the look. A process that dies between the two leaves its lease, which keeps the tree for the time of grace. */
#include "node/materialised.h"

#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "hash/hash.h"
#include "node/tree_walk.h"

#define RECORD "record"
#define NEW_PREFIX "new-"
#define GONE_PREFIX "gone-"
#define MAX_RECORD 4096u
#define PRINT_SUFFIX ".print" /* beside a shared file: what it was when it was kept */
#define MAX_TREES 65536u /* entries of the folder looked at by one gc: one per CID in use or lately so */
#define USE_PREFIX "use/"
#define MAX_USE_NAME 511 /* bytes of a key in LMDB */

void ipfsa_materialised_name_of(const ipfsa_cid *cid, ipfsa_cid *ret_v1, ipfsa_materialised_name ret) {
  *ret_v1 = *cid;
  ret_v1->version = 1;
  ipfsa_cid_format(ret_v1, ret);
}

ipfsa_status ipfsa_materialised_open(ipfsa_node *node, bool make, int *ret_dirfd, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  int fd = ipfsa_fs_open_dir(node->repo_fd, IPFSA_MATERIALISED_DIR, err);
  if (fd < 0 && (!make || err->status != IPFSA_E_NOT_FOUND)) return err->status;
  if (fd < 0) {
    ipfsa_status status = ipfsa_fs_mkdir(node->repo_fd, IPFSA_MATERIALISED_DIR, 0755, err);
    if (status && status != IPFSA_E_EXISTS) return status;
    status = ipfsa_fs_sync_dir(node->repo_fd, ".", err);
    if (status) return status;
    fd = ipfsa_fs_open_dir(node->repo_fd, IPFSA_MATERIALISED_DIR, err);
    if (fd < 0) return err->status;
  }
  ipfsa_status status = make ? ipfsa_fs_mkdir(fd, IPFSA_MATERIALISED_FILES, 0755, err) : IPFSA_OK;
  if (status && status != IPFSA_E_EXISTS) {
    ipfsa_fs_close(&fd);
    return status;
  }
  *ret_dirfd = fd;
  return IPFSA_OK;
}

ipfsa_status ipfsa_materialised_lock(int dirfd, int *ret_fd, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  int fd = ipfsa_fs_open_dir(dirfd, ".", err);
  if (fd < 0) return err->status;
  ipfsa_status status = ipfsa_fs_flock(fd, true, err);
  if (status) ipfsa_fs_close(&fd);
  else *ret_fd = fd;
  return status;
}

/* --- the record --- */

static const char record_format[] = "ipfs-accelerate materialised, version 1\nkind %s\nway %s\nsize %llu\nreflinked %llu\nlinked %llu\ncopied %llu\nown %llu\nprint %s\n";
static const char record_scan[] = "ipfs-accelerate materialised, version 1\nkind %15s\nway %15s\nsize %llu\nreflinked %llu\nlinked %llu\ncopied %llu\nown %llu\nprint %64s\n";

const char *ipfsa_way_name(ipfsa_way way) { return way == IPFSA_WAY_REFLINK ? "reflink" : way == IPFSA_WAY_LINK ? "link" : "copy"; }

ipfsa_status ipfsa_materialised_write(int treefd, const ipfsa_materialised_record *r, ipfsa_error *err) {
  char text[MAX_RECORD];
  int len = snprintf(text, sizeof text, record_format, r->is_folder ? "folder" : "file", ipfsa_way_name(r->way), (unsigned long long)r->size,
                     (unsigned long long)r->n_reflinked, (unsigned long long)r->n_linked, (unsigned long long)r->n_copied, (unsigned long long)r->own, r->print);
  return ipfsa_fs_replace_file(treefd, RECORD, text, (size_t)len, 0644, err);
}

static ipfsa_status read_record(int dirfd, const char *name, ipfsa_materialised_record *ret, ipfsa_error *err) {
  char path[300], kind[16], way[16];
  IPFSA_AUTO_FREE char *text = NULL;
  size_t len = 0;
  snprintf(path, sizeof path, "%.250s/" RECORD, name);
  ipfsa_status status = ipfsa_fs_read_file(dirfd, path, MAX_RECORD, &text, &len, err);
  if (status) return status;
  unsigned long long n[5];
  ipfsa_materialised_record r = {0};
  if (sscanf(text, record_scan, kind, way, &n[0], &n[1], &n[2], &n[3], &n[4], r.print) != 8)
    return ipfsa_fail(err, IPFSA_E_CHANGED, IPFSA_MATERIALISED_DIR "/%s is no record of this program", path);
  r.is_folder = strcmp(kind, "folder") == 0;
  r.way = strcmp(way, "reflink") == 0 ? IPFSA_WAY_REFLINK : strcmp(way, "link") == 0 ? IPFSA_WAY_LINK : IPFSA_WAY_COPY;
  r.size = n[0], r.n_reflinked = n[1], r.n_linked = n[2], r.n_copied = n[3], r.own = n[4];
  *ret = r;
  return IPFSA_OK;
}

/* The order of a folder's entries is the file system's own, so their digests are added up. */
static ipfsa_status add_to_print(void *ctx, int dirfd, const char *name, const struct stat *st, bool leaving, ipfsa_error *err) {
  (void)dirfd, (void)err;
  if (leaving) return IPFSA_OK;
  uint64_t *sum = ctx, part[4];
  uint8_t digest[32];
  char facts[128];
  int len = snprintf(facts, sizeof facts, "%o %llu %lld.%09ld %llu ", (unsigned)(st->st_mode & S_IFMT), S_ISDIR(st->st_mode) ? 0 : (unsigned long long)st->st_size,
                     (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec, (unsigned long long)st->st_ino);
  ipfsa_sha256_stream sha;
  ipfsa_sha256_init(&sha);
  ipfsa_sha256_update(&sha, facts, (size_t)len);
  ipfsa_sha256_update(&sha, name, strlen(name));
  ipfsa_sha256_final(&sha, digest);
  memcpy(part, digest, sizeof part);
  for (int i = 0; i < 4; i++) sum[i] += part[i];
  return IPFSA_OK;
}

ipfsa_status ipfsa_materialised_print(int dirfd, const char *content, char ret[65], ipfsa_error *err) {
  uint64_t sum[4] = {0};
  ipfsa_status status = ipfsa_tree_walk(dirfd, content, add_to_print, sum, err);
  for (int i = 0; i < 4; i++) snprintf(ret + 16 * i, 17, "%016llx", (unsigned long long)sum[i]);
  return status;
}

static ipfsa_status check_print(int dirfd, const char *name, const char *want, ipfsa_error *err) {
  char print[65];
  IPFSA_AUTO_FD int treefd = ipfsa_fs_open_dir(dirfd, name, err);
  ipfsa_status status = treefd < 0 ? err->status : ipfsa_materialised_print(treefd, IPFSA_MATERIALISED_CONTENT, print, err);
  if (status == IPFSA_E_NOT_FOUND || (status == IPFSA_OK && strcmp(print, want) != 0))
    return ipfsa_fail(err, IPFSA_E_CHANGED, IPFSA_MATERIALISED_DIR "/%s is not as it was made", name);
  return status;
}

ipfsa_status ipfsa_materialised_read(int dirfd, const char *name, ipfsa_materialised_record *ret, ipfsa_error *err) {
  struct stat st;
  ipfsa_materialised_record r;
  ipfsa_status status = ipfsa_fs_stat(dirfd, name, &st, err);
  if (status) return status;
  status = read_record(dirfd, name, &r, err);
  if (status == IPFSA_E_NOT_FOUND) return ipfsa_fail(err, IPFSA_E_CHANGED, IPFSA_MATERIALISED_DIR "/%s has no record", name);
  if (status == IPFSA_OK) status = check_print(dirfd, name, r.print, err);
  if (status == IPFSA_OK) *ret = r;
  return status;
}

static void print_path(const char *shared, char ret[320]) { snprintf(ret, 320, "%.300s" PRINT_SUFFIX, shared); }

bool ipfsa_materialised_is_as_kept(int dirfd, const char *shared) {
  char path[320], print[65];
  IPFSA_AUTO_FREE char *kept = NULL;
  size_t len = 0;
  print_path(shared, path);
  return ipfsa_materialised_print(dirfd, shared, print, NULL) == IPFSA_OK && ipfsa_fs_read_file(dirfd, path, MAX_RECORD, &kept, &len, NULL) == IPFSA_OK &&
         strcmp(print, kept) == 0;
}

bool ipfsa_materialised_keep(int dirfd, const char *shared, int from_dirfd, const char *from) {
  char path[320], print[65];
  (void)ipfsa_fs_unlink(dirfd, shared, NULL); /* most often there is none */
  if (ipfsa_fs_link(from_dirfd, from, dirfd, shared, NULL)) return false;
  print_path(shared, path);
  if (ipfsa_materialised_print(dirfd, shared, print, NULL) == IPFSA_OK) (void)ipfsa_fs_replace_file(dirfd, path, print, strlen(print), 0644, NULL); /* without, it is copied again */
  return true;
}

ipfsa_status ipfsa_materialised_retire(int dirfd, const char *name, char ret_name[64], ipfsa_error *err) {
  snprintf(ret_name, 64, GONE_PREFIX "%016llx", (unsigned long long)ipfsa_random_u64());
  return ipfsa_fs_rename(dirfd, name, ret_name, err);
}

/* --- uses: named roots, so that gc keeps the blocks without another table --- */

static ipfsa_status use_name(const ipfsa_cid *v1, const char *user, char ret[MAX_USE_NAME + 1], ipfsa_error *err) {
  ipfsa_materialised_name name;
  ipfsa_cid_format(v1, name);
  int len = snprintf(ret, MAX_USE_NAME + 1, USE_PREFIX "%s/%s", name, user);
  if (len <= MAX_USE_NAME) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_LIMIT, "the CID and the name of its user are over %d bytes together; choose a shorter name", MAX_USE_NAME);
}

ipfsa_status ipfsa_use_set(ipfsa_node *node, const ipfsa_cid *v1, const char *user, ipfsa_error *err) {
  char name[MAX_USE_NAME + 1];
  ipfsa_cid there;
  ipfsa_status status = use_name(v1, user, name, err);
  if (status == IPFSA_OK && ipfsa_roots_get(node->store, name, &there, NULL) == IPFSA_OK) return IPFSA_OK; /* no sync for nothing */
  return status ? status : ipfsa_roots_set(node->store, name, v1, err);
}

ipfsa_status ipfsa_use_remove(ipfsa_node *node, const ipfsa_cid *v1, const char *user, ipfsa_error *err) {
  char name[MAX_USE_NAME + 1];
  ipfsa_status status = use_name(v1, user, name, err);
  return status ? status : ipfsa_roots_remove(node->store, name, err);
}

typedef struct use_relay {
  ipfsa_use_cb cb;
  void *ctx;
} use_relay;

static int relay_use(void *ctx, const char *name, const ipfsa_cid *cid) {
  use_relay *relay = ctx;
  const char *slash = strncmp(name, USE_PREFIX, strlen(USE_PREFIX)) == 0 ? strchr(name + strlen(USE_PREFIX), '/') : NULL;
  return slash ? relay->cb(relay->ctx, cid, slash + 1) : 0;
}

ipfsa_status ipfsa_materialise_uses(ipfsa_node *node, ipfsa_use_cb cb, void *ctx, ipfsa_error *err) {
  return ipfsa_roots_iterate(node->store, relay_use, &(use_relay){cb, ctx}, err);
}

/* --- eviction --- */

typedef struct tree_list {
  struct tree_item { char *name; bool keep; } *items;
  size_t n, cap;
  bool full;
} tree_list;

static int list_tree(void *ctx, const char *name, unsigned char type) {
  (void)type;
  tree_list *list = ctx;
  if (strcmp(name, IPFSA_MATERIALISED_FILES) == 0 || list->n >= MAX_TREES) return 0; /* the next gc goes on */
  char *copy = ipfsa_strdup(name);
  if (!copy || !ipfsa_grow((void **)&list->items, &list->cap, list->n + 1, sizeof *list->items)) return ipfsa_free(copy), list->full = true, 1;
  list->items[list->n++] = (struct tree_item){copy, false};
  return 0;
}

static void release_list(tree_list *list) {
  for (size_t i = 0; i < list->n; i++) ipfsa_free(list->items[i].name);
  ipfsa_free(list->items);
}

static int keep_tree(void *ctx, const ipfsa_cid *cid) {
  tree_list *list = ctx;
  ipfsa_cid v1;
  ipfsa_materialised_name name;
  ipfsa_materialised_name_of(cid, &v1, name);
  for (size_t i = 0; i < list->n; i++)
    if (strcmp(list->items[i].name, name) == 0) list->items[i].keep = true;
  return 0;
}

static int keep_used(void *ctx, const ipfsa_cid *cid, const char *user) { return (void)user, keep_tree(ctx, cid); }

/* A tree that is being made is locked by its maker; one that was cut short is locked by nobody. */
static bool is_being_made(int dirfd, const char *name) {
  ipfsa_error err = {0};
  IPFSA_AUTO_FD int fd = ipfsa_fs_open_dir(dirfd, name, &err);
  return fd < 0 || ipfsa_fs_flock(fd, false, NULL) != IPFSA_OK;
}

static bool begins(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

/* Under the lock. What goes has a name of its own afterwards; the others leave the list. */
static ipfsa_status retire_unused(ipfsa_node *node, int dirfd, uint64_t lease_grace_s, tree_list *list, ipfsa_error *err) {
  ipfsa_status status = ipfsa_fs_list(dirfd, ".", list_tree, list, err);
  if (list->full) return ipfsa_fail_nomem(err);
  if (status == IPFSA_OK) status = ipfsa_materialise_uses(node, keep_used, list, err);
  if (status == IPFSA_OK) status = ipfsa_leases_iterate(node->store, lease_grace_s, keep_tree, list, err);
  for (size_t i = 0; i < list->n && status == IPFSA_OK; i++) {
    struct tree_item *item = &list->items[i];
    if (item->keep || begins(item->name, GONE_PREFIX)) continue;
    item->keep = begins(item->name, NEW_PREFIX) && is_being_made(dirfd, item->name);
    if (item->keep) continue;
    char *name = ipfsa_malloc(64);
    if (!name) return ipfsa_fail_nomem(err);
    status = ipfsa_materialised_retire(dirfd, item->name, name, err);
    ipfsa_free(item->name);
    item->name = name;
  }
  return status;
}

static bool is_print(const char *name) {
  size_t len = strlen(name), suffix = strlen(PRINT_SUFFIX);
  return len > suffix && strcmp(name + len - suffix, PRINT_SUFFIX) == 0;
}

/* A file that no tree has any more, with its print; a print without a file. */
static ipfsa_status drop_single(void *ctx, int dirfd, const char *name, const struct stat *st, bool leaving, ipfsa_error *err) {
  (void)ctx;
  char other[320];
  struct stat there;
  if (!S_ISREG(st->st_mode) || leaving) return IPFSA_OK;
  if (!is_print(name)) {
    if (st->st_nlink > 1) return IPFSA_OK;
    print_path(name, other);
    (void)ipfsa_fs_unlink(dirfd, other, NULL);
    return ipfsa_fs_unlink(dirfd, name, err);
  }
  snprintf(other, sizeof other, "%.*s", (int)(strlen(name) - strlen(PRINT_SUFFIX)), name);
  if (ipfsa_fs_stat(dirfd, other, &there, NULL) != IPFSA_E_NOT_FOUND) return IPFSA_OK;
  ipfsa_status status = ipfsa_fs_unlink(dirfd, name, err);
  return status == IPFSA_E_NOT_FOUND ? IPFSA_OK : status;
}

ipfsa_status ipfsa_materialised_evict(ipfsa_node *node, uint64_t lease_grace_s, ipfsa_error *err) {
  IPFSA_AUTO_FD int dirfd = -1, lock = -1;
  ipfsa_status status = ipfsa_materialised_open(node, false, &dirfd, err);
  if (status) return status == IPFSA_E_NOT_FOUND ? IPFSA_OK : status;
  status = ipfsa_materialised_lock(dirfd, &lock, err);
  if (status) return status;
  tree_list list = {0};
  status = retire_unused(node, dirfd, lease_grace_s, &list, err);
  ipfsa_fs_close(&lock);
  for (size_t i = 0; i < list.n && status == IPFSA_OK; i++)
    if (!list.items[i].keep) status = ipfsa_tree_remove(dirfd, list.items[i].name, err);
  release_list(&list);
  if (status == IPFSA_OK) status = ipfsa_tree_walk(dirfd, IPFSA_MATERIALISED_FILES, drop_single, NULL, err);
  return status == IPFSA_E_NOT_FOUND ? IPFSA_OK : status;
}

/* --- what it occupies --- */

typedef struct byte_count {
  int dirfd;
  uint64_t sum;
} byte_count;

static int count_tree(void *ctx, const char *name, unsigned char type) {
  byte_count *count = ctx;
  ipfsa_materialised_record record;
  (void)type;
  if (strcmp(name, IPFSA_MATERIALISED_FILES) != 0 && read_record(count->dirfd, name, &record, NULL) == IPFSA_OK) count->sum += record.own;
  return 0;
}

static ipfsa_status count_file(void *ctx, int dirfd, const char *name, const struct stat *st, bool leaving, ipfsa_error *err) {
  (void)dirfd, (void)name, (void)err;
  if (S_ISREG(st->st_mode) && !leaving) ((byte_count *)ctx)->sum += (uint64_t)st->st_blocks * 512;
  return IPFSA_OK;
}

uint64_t ipfsa_materialised_bytes(void *ctx) {
  IPFSA_AUTO_FD int dirfd = -1;
  if (ipfsa_materialised_open(ctx, false, &dirfd, NULL) != IPFSA_OK) return 0;
  byte_count count = {.dirfd = dirfd};
  (void)ipfsa_fs_list(dirfd, ".", count_tree, &count, NULL);
  (void)ipfsa_tree_walk(dirfd, IPFSA_MATERIALISED_FILES, count_file, &count, NULL);
  return count.sum;
}
