/* Publishing: made in a folder of its own beside the name, synced, written down, then renamed or exchanged.
 *
 * The record is written before the step, so that a call that was cut short between the two finds what is its own. Who works on a temporary folder holds a
 * flock on it; one that nobody holds is a leftover and goes with the next call. */
#include "node/publish.h"

#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "hash/hash.h"
#include "node/get.h"
#include "node/get_room.h"
#include "node/materialised.h"
#include "node/tree_walk.h"
#include "unixfs/reader.h"

#define TEMP_PREFIX ".ipfs-accelerate-"
#define USER "dispatch" /* of the tree that is linked to, for as long as that takes */
#define MAX_RECORD 4096u
#define RECORD_HEAD "ipfs-accelerate published, version 1\n"

typedef struct publishing {
  ipfsa_node *node;
  const ipfsa_cid *cid;
  int folder, records, temp; /* the folder that the name stands in; of the repo; the temporary one */
  const char *leaf;
  char record[33], temp_name[48], print[65];
  ipfsa_progress_cb progress;
  void *progress_ctx;
  uint64_t size, n_cloned;
  ipfsa_way way;
} publishing;

/* ---- where ---- */

static ipfsa_status open_below(int *fd, const char *part, ipfsa_error *err) {
  ipfsa_status status = ipfsa_fs_mkdir(*fd, part, 0755, err);
  if (status == IPFSA_OK) status = ipfsa_fs_sync_dir(*fd, ".", err);
  if (status && status != IPFSA_E_EXISTS) return status;
  int next = ipfsa_fs_open_dir(*fd, part, err);
  if (next < 0) return err->status;
  ipfsa_fs_close(fd);
  *fd = next;
  return IPFSA_OK;
}

static ipfsa_status open_folder(publishing *p, const char *folder, const char *name, ipfsa_error *err) {
  p->folder = ipfsa_fs_open_dir(AT_FDCWD, folder, err);
  if (p->folder < 0) return ipfsa_error_prefix(err, err->status, "model_dir %.200s", folder);
  ipfsa_status status = IPFSA_OK;
  for (const char *slash; status == IPFSA_OK && (slash = strchr(name, '/')); name = slash + 1) {
    char part[256];
    if ((size_t)(slash - name) >= sizeof part) return ipfsa_fail(err, IPFSA_E_LIMIT, "a name of over %zu bytes for a folder", sizeof part - 1);
    snprintf(part, sizeof part, "%.*s", (int)(slash - name), name);
    status = open_below(&p->folder, part, err);
  }
  p->leaf = name;
  return status;
}

static void fd_path(int fd, char ret[64]) { snprintf(ret, 64, "/proc/self/fd/%d", fd); }

/* Records are called by a digest of the absolute path they speak of. */
static ipfsa_status open_records(publishing *p, ipfsa_error *err) {
  char link[64];
  uint8_t digest[32];
  IPFSA_AUTO_FREE char *path = NULL;
  fd_path(p->folder, link);
  ipfsa_status status = ipfsa_fs_readlink(AT_FDCWD, link, &path, NULL, err);
  if (status == IPFSA_OK) status = ipfsa_fs_mkdir(p->node->repo_fd, IPFSA_PUBLISHED_DIR, 0755, err);
  if (status && status != IPFSA_E_EXISTS) return status;
  p->records = ipfsa_fs_open_dir(p->node->repo_fd, IPFSA_PUBLISHED_DIR, err);
  if (p->records < 0) return err->status;
  ipfsa_sha256_stream sha;
  ipfsa_sha256_init(&sha);
  ipfsa_sha256_update(&sha, path, strlen(path));
  ipfsa_sha256_update(&sha, "/", 1);
  ipfsa_sha256_update(&sha, p->leaf, strlen(p->leaf));
  ipfsa_sha256_final(&sha, digest);
  for (int i = 0; i < 16; i++) snprintf(p->record + 2 * i, 3, "%02x", digest[i]);
  return IPFSA_OK;
}

/* ---- what stands there ---- */

typedef enum standing { NOTHING, OURS, SAME } standing;

static ipfsa_status look(const publishing *p, standing *ret, ipfsa_error *err) {
  struct stat st;
  char cid[IPFSA_MAX_CID_TEXT], want[IPFSA_MAX_CID_TEXT], print[65], now[65];
  IPFSA_AUTO_FREE char *text = NULL;
  size_t len = 0;
  *ret = NOTHING;
  ipfsa_status status = ipfsa_fs_stat(p->folder, p->leaf, &st, err);
  if (status) return status == IPFSA_E_NOT_FOUND ? IPFSA_OK : status;
  status = ipfsa_fs_read_file(p->records, p->record, MAX_RECORD, &text, &len, err);
  if (status == IPFSA_E_NOT_FOUND)
    return ipfsa_fail(err, IPFSA_E_EXISTS, "%.200s stands there already and was not dispatched from this repo; move it away, or choose another --name", p->leaf);
  if (status) return status;
  *ret = OURS;
  if (sscanf(text, RECORD_HEAD "cid %1399s\nprint %64s\n", cid, print) != 2) return IPFSA_OK;
  ipfsa_cid_format(p->cid, want);
  if (strcmp(cid, want) != 0) return IPFSA_OK;
  status = ipfsa_materialised_print(p->folder, p->leaf, now, err);
  if (status == IPFSA_OK && strcmp(print, now) == 0) *ret = SAME;
  return status;
}

/* ---- second names of a tree that this program owns ---- */

typedef struct linking {
  int stack[IPFSA_MAX_TREE_DEPTH + 1];
  size_t depth;
  const char *leaf;
  uint64_t size;
} linking;

static ipfsa_status link_folder(linking *l, int at, const char *to, ipfsa_error *err) {
  ipfsa_status status = ipfsa_fs_mkdir(at, to, 0755, err);
  if (status) return status;
  int fd = ipfsa_fs_open_dir(at, to, err);
  if (fd < 0) return err->status;
  l->stack[l->depth++] = fd;
  return IPFSA_OK;
}

static ipfsa_status link_entry(void *ctx, int dirfd, const char *name, const struct stat *st, bool leaving, ipfsa_error *err) {
  linking *l = ctx;
  int at = l->stack[l->depth - 1];
  const char *to = l->depth == 1 ? l->leaf : name;
  if (leaving) {
    ipfsa_status status = ipfsa_fs_sync(at, err);
    ipfsa_fs_close(&l->stack[--l->depth]);
    return status;
  }
  if (S_ISDIR(st->st_mode)) return link_folder(l, at, to, err);
  if (S_ISLNK(st->st_mode)) {
    IPFSA_AUTO_FREE char *target = NULL;
    ipfsa_status status = ipfsa_fs_readlink(dirfd, name, &target, NULL, err);
    return status ? status : ipfsa_fs_symlink(target, at, to, err);
  }
  l->size += (uint64_t)st->st_size;
  if (ipfsa_fs_link(dirfd, name, at, to, err) == IPFSA_OK) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "no second name can be made"); /* it is copied */
}

static bool may_link(const publishing *p) {
  struct stat repo, there;
  char from[64], to[64];
  fd_path(p->node->repo_fd, from);
  fd_path(p->folder, to);
  return !ipfsa_get_may_share(from, to) && ipfsa_fs_fstat(p->node->repo_fd, &repo, NULL) == IPFSA_OK && ipfsa_fs_fstat(p->folder, &there, NULL) == IPFSA_OK &&
         repo.st_dev == there.st_dev;
}

static ipfsa_status put_links(publishing *p, ipfsa_error *err) {
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_materialised *tree = NULL;
  ipfsa_materialise_options o = {.struct_size = sizeof o, .progress = p->progress, .progress_ctx = p->progress_ctx};
  linking l = {.stack = {p->temp}, .depth = 1, .leaf = p->leaf};
  ipfsa_cid_format(p->cid, text);
  ipfsa_status status = ipfsa_materialise(p->node, text, USER, &o, &tree, err);
  if (status) return status;
  status = ipfsa_tree_walk(AT_FDCWD, tree->path, link_entry, &l, err);
  while (l.depth > 1) ipfsa_fs_close(&l.stack[--l.depth]);
  ipfsa_status released = ipfsa_materialise_release(p->node, p->cid, USER, NULL, status ? NULL : err); /* the names that were made keep the files */
  if (status == IPFSA_OK) status = released;
  ipfsa_materialised_free(tree);
  p->size = l.size;
  p->way = IPFSA_WAY_LINK;
  return status;
}

/* ---- straight from the store ---- */

static bool link_none(void *ctx, const ipfsa_cid *cid, uint64_t size, int dirfd, const char *name) {
  return (void)ctx, (void)cid, (void)size, (void)dirfd, (void)name, false;
}

static void count_file(void *ctx, const ipfsa_cid *cid, uint64_t size, uint64_t n_cloned, int dirfd, const char *name) {
  (void)cid, (void)dirfd, (void)name;
  publishing *p = ctx;
  p->size += size;
  p->n_cloned += n_cloned;
}

static ipfsa_status open_up(void *ctx, int dirfd, const char *name, const struct stat *st, bool leaving, ipfsa_error *err) {
  (void)ctx;
  if (!leaving || !S_ISDIR(st->st_mode)) return IPFSA_OK;
  IPFSA_AUTO_FD int fd = ipfsa_fs_open_dir(dirfd, name, err);
  ipfsa_status status = fd < 0 ? err->status : ipfsa_fs_set_mode(fd, 0755, err);
  return status ? status : ipfsa_fs_sync(fd, err);
}

static ipfsa_status check_room(const publishing *p, ipfsa_error *err) {
  char from[64], to[64];
  ipfsa_fs_room room;
  ipfsa_unixfs_stat st;
  fd_path(p->node->repo_fd, from);
  fd_path(p->folder, to);
  ipfsa_status status = ipfsa_unixfs_stat_get(p->node->bs, p->cid, &st, err);
  if (status) return status;
  uint64_t size = st.type == IPFSA_UNIXFS_DIRECTORY || st.type == IPFSA_UNIXFS_HAMT ? st.cumulative : st.size;
  if (ipfsa_get_may_share(from, to) || ipfsa_fs_room_at(to, &room, NULL) != IPFSA_OK || size <= room.bytes) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_NO_SPACE, "the model has %llu bytes and its folder has room for %llu; free some, or set another model_dir", (unsigned long long)size,
                    (unsigned long long)room.bytes);
}

static ipfsa_status put_files(publishing *p, ipfsa_error *err) {
  ipfsa_get_options get = {.struct_size = sizeof get, .progress = p->progress, .progress_ctx = p->progress_ctx};
  ipfsa_get_owned owned = {link_none, count_file, p};
  p->size = p->n_cloned = 0;
  ipfsa_status status = check_room(p, err);
  if (status == IPFSA_OK) status = ipfsa_get_at(p->node, p->cid, p->temp, p->leaf, &get, &owned, err);
  if (status == IPFSA_OK) status = ipfsa_tree_walk(p->temp, p->leaf, open_up, NULL, err);
  p->way = p->n_cloned && p->size - p->n_cloned <= p->n_cloned / 16 ? IPFSA_WAY_REFLINK : IPFSA_WAY_COPY; /* tails that fill no page are copied */
  return status;
}

static ipfsa_status put(publishing *p, ipfsa_error *err) {
  ipfsa_status status = may_link(p) ? put_links(p, err) : IPFSA_E_NOT_SUPPORTED;
  if (status == IPFSA_E_NOT_SUPPORTED) {
    status = ipfsa_tree_remove(p->temp, p->leaf, err);
    if (status == IPFSA_OK) status = put_files(p, err);
  }
  if (status == IPFSA_OK) status = ipfsa_fs_sync(p->temp, err);
  return status ? status : ipfsa_materialised_print(p->temp, p->leaf, p->print, err);
}

/* ---- into place ---- */

static ipfsa_status write_record(const publishing *p, ipfsa_error *err) {
  char text[MAX_RECORD], cid[IPFSA_MAX_CID_TEXT];
  ipfsa_cid_format(p->cid, cid);
  int len = snprintf(text, sizeof text, RECORD_HEAD "cid %s\nprint %s\n", cid, p->print);
  return ipfsa_fs_replace_file(p->records, p->record, text, (size_t)len, 0644, err);
}

/* Two calls at once: the later one finds what the earlier put there. */
static ipfsa_status step(publishing *p, ipfsa_published *ret, ipfsa_error *err) {
  IPFSA_AUTO_FD int lock = -1;
  standing there;
  char made[400];
  ipfsa_status status = ipfsa_materialised_lock(p->records, &lock, err);
  if (status == IPFSA_OK) status = look(p, &there, err);
  if (status || there == SAME) return status;
  snprintf(made, sizeof made, "%s/%s", p->temp_name, p->leaf);
  status = write_record(p, err);
  if (status == IPFSA_OK) status = there == OURS ? ipfsa_fs_exchange(p->folder, made, p->leaf, err) : ipfsa_fs_rename(p->folder, made, p->leaf, err);
  if (status == IPFSA_OK) status = ipfsa_fs_sync_dir(p->folder, ".", err);
  if (status == IPFSA_OK) *ret = (ipfsa_published){true, p->way, p->size};
  return status;
}

#define MAX_TRIES 16 /* each needs another call that came between two steps of this one */

/* Before it is locked, another call may take it for what a killed one left (sweep_entry). Then there is another; no name comes twice. */
static ipfsa_status make_temp(publishing *p, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  struct stat st;
  for (int i = 0; i < MAX_TRIES; i++) {
    snprintf(p->temp_name, sizeof p->temp_name, TEMP_PREFIX "%016llx", (unsigned long long)ipfsa_random_u64());
    status = ipfsa_fs_mkdir(p->folder, p->temp_name, 0755, err);
    if (status) return status;
    p->temp = ipfsa_fs_open_dir(p->folder, p->temp_name, err);
    status = p->temp < 0 ? err->status : ipfsa_fs_flock(p->temp, true, err);
    if (status == IPFSA_OK) status = ipfsa_fs_stat(p->folder, p->temp_name, &st, err);
    if (status != IPFSA_E_NOT_FOUND) break;
    ipfsa_fs_close(&p->temp);
  }
  return status;
}

static ipfsa_status make(publishing *p, ipfsa_published *ret, ipfsa_error *err) {
  ipfsa_status status = make_temp(p, err);
  if (status == IPFSA_OK) status = put(p, err);
  if (status == IPFSA_OK) status = step(p, ret, err);
  (void)ipfsa_tree_remove(p->folder, p->temp_name, NULL); /* empty, or with what stood there before; what stays goes with the next call */
  return status;
}

static int sweep_entry(void *ctx, const char *name, unsigned char type) {
  const publishing *p = ctx;
  (void)type;
  if (strncmp(name, TEMP_PREFIX, strlen(TEMP_PREFIX)) != 0) return 0;
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(p->folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, NULL);
  if (fd >= 0 && ipfsa_fs_flock(fd, false, NULL) == IPFSA_OK) (void)ipfsa_tree_remove(p->folder, name, NULL);
  return 0;
}

static ipfsa_status run(publishing *p, const char *folder, const char *name, ipfsa_published *ret, ipfsa_error *err) {
  standing there;
  ipfsa_status status = open_folder(p, folder, name, err);
  if (status == IPFSA_OK && strlen(p->leaf) > 255) status = ipfsa_fail(err, IPFSA_E_LIMIT, "a name of %zu bytes; a file has at most 255", strlen(p->leaf));
  if (status == IPFSA_OK) status = open_records(p, err);
  if (status == IPFSA_OK) status = look(p, &there, err);
  if (status || there == SAME) return status;
  (void)ipfsa_fs_list(p->folder, ".", sweep_entry, p, NULL);
  return make(p, ret, err);
}

ipfsa_status ipfsa_publish(ipfsa_node *node, const ipfsa_cid *v1, const char *folder, const char *name, ipfsa_progress_cb progress, void *progress_ctx,
                           ipfsa_published *ret, ipfsa_error *err) {
  publishing p = {.node = node, .cid = v1, .folder = -1, .records = -1, .temp = -1, .progress = progress, .progress_ctx = progress_ctx};
  ipfsa_published made = {0};
  ipfsa_status status = run(&p, folder, name, &made, err);
  ipfsa_fs_close(&p.temp);
  ipfsa_fs_close(&p.records);
  ipfsa_fs_close(&p.folder);
  if (status == IPFSA_OK) *ret = made;
  return status;
}
