/* Making trees, and finding those that are there. */
#include <fcntl.h>
#include <ipfsa/materialise.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "node/get.h"
#include "node/get_room.h"
#include "node/materialised.h"
#include "node/path.h"
#include "node/tree_walk.h"
#include "unixfs/reader.h"

typedef struct making {
  ipfsa_node *node;
  ipfsa_cid cid; /* version 1 */
  ipfsa_materialised_name name;
  const char *user;
  int dirfd;     /* of the folder materialised */
  ipfsa_materialised_record record;
  bool made;
} making;

static ipfsa_status check_user(const char *user, ipfsa_error *err) {
  size_t len = strlen(user);
  if (len == 0 || len > IPFSA_MAX_USE_USER) return ipfsa_fail(err, IPFSA_E_INVALID, "the user of a materialisation has a name of 1 to %d bytes", IPFSA_MAX_USE_USER);
  for (size_t i = 0; i < len; i++)
    if ((unsigned char)user[i] < 32 || user[i] == 127) return ipfsa_fail(err, IPFSA_E_INVALID, "the name of the user of a materialisation has control characters");
  return IPFSA_OK;
}

/* --- files: linked where one is there, counted --- */

static bool shared_name(const ipfsa_cid *cid, uint64_t size, char ret[300]) {
  ipfsa_cid v1;
  ipfsa_materialised_name name;
  ipfsa_materialised_name_of(cid, &v1, name);
  return size >= IPFSA_MATERIALISED_LINK_MIN && snprintf(ret, 300, IPFSA_MATERIALISED_FILES "/%s", name) < 255;
}

/* Its bytes were verified when it was written, and it is the file it was then. */
static bool link_file(void *ctx, const ipfsa_cid *cid, uint64_t size, int dirfd, const char *name) {
  making *m = ctx;
  char shared[300];
  if (!shared_name(cid, size, shared) || !ipfsa_materialised_is_as_kept(m->dirfd, shared)) return false;
  if (ipfsa_fs_link(m->dirfd, shared, dirfd, name, NULL)) return false;
  m->record.n_linked += size;
  return true;
}

/* Where no second name can be made, the file is this tree's alone. */
static void count_file(void *ctx, const ipfsa_cid *cid, uint64_t size, uint64_t n_cloned, int dirfd, const char *name) {
  making *m = ctx;
  char shared[300];
  m->record.n_reflinked += n_cloned;
  m->record.n_copied += size - n_cloned;
  bool is_shared = n_cloned == 0 && shared_name(cid, size, shared) && ipfsa_materialised_keep(m->dirfd, shared, dirfd, name);
  if (!is_shared) m->record.own += size - n_cloned;
}

/* Tails that fill no page are copied everywhere; they do not make a reflink a copy. */
static ipfsa_way way_of(const ipfsa_materialised_record *r) {
  if (r->n_reflinked && r->n_copied <= r->n_reflinked / 16) return IPFSA_WAY_REFLINK;
  return r->n_copied || r->size == 0 ? IPFSA_WAY_COPY : IPFSA_WAY_LINK;
}

/* --- room --- */

static ipfsa_status check_room(making *m, uint64_t size, ipfsa_error *err) {
  char path[64];
  ipfsa_fs_room room;
  snprintf(path, sizeof path, "/proc/self/fd/%d", m->dirfd);
  if (ipfsa_get_may_share(path, path)) return IPFSA_OK; /* most of it takes no room; what it took is checked when it is made */
  if (ipfsa_fs_room_at(path, &room, NULL) == IPFSA_OK && size > room.bytes)
    return ipfsa_fail(err, IPFSA_E_NO_SPACE, "%.120s has %llu bytes and there is room for %llu in %.200s; free some, or move the repo", m->name, (unsigned long long)size,
                      (unsigned long long)room.bytes, m->node->repo_path);
  return ipfsa_store_check_quota(m->node->store, size, err);
}

/* --- making --- */

static ipfsa_status fill_tree(making *m, int treefd, const ipfsa_materialise_options *o, ipfsa_error *err) {
  ipfsa_get_options get = {.struct_size = sizeof get, .progress = o->progress, .progress_ctx = o->progress_ctx};
  ipfsa_get_owned owned = {link_file, count_file, m};
  ipfsa_status status = ipfsa_get_at(m->node, &m->cid, treefd, IPFSA_MATERIALISED_CONTENT, &get, &owned, err);
  m->record.size = m->record.n_reflinked + m->record.n_linked + m->record.n_copied;
  m->record.way = way_of(&m->record);
  if (status == IPFSA_OK) status = ipfsa_materialised_print(treefd, IPFSA_MATERIALISED_CONTENT, m->record.print, err);
  return status ? status : ipfsa_materialised_write(treefd, &m->record, err);
}

/* A tree of this name may have come, or be of no use: then *ret_gone is its new name. */
static ipfsa_status publish(making *m, const char *temp, char ret_gone[64], ipfsa_error *err) {
  IPFSA_AUTO_FD int lock = -1;
  ipfsa_materialised_record there;
  ipfsa_status status = ipfsa_materialised_lock(m->dirfd, &lock, err);
  if (status) return status;
  status = ipfsa_materialised_read(m->dirfd, m->name, &there, err);
  m->made = status != IPFSA_OK;
  if (status == IPFSA_OK) {
    m->record = there;
    return ipfsa_use_set(m->node, &m->cid, m->user, err);
  }
  if (status == IPFSA_E_CHANGED) status = ipfsa_materialised_retire(m->dirfd, m->name, ret_gone, err);
  else if (status == IPFSA_E_NOT_FOUND) status = IPFSA_OK;
  if (status == IPFSA_OK) status = ipfsa_fs_rename(m->dirfd, temp, m->name, err);
  if (status == IPFSA_OK) status = ipfsa_fs_sync_dir(m->dirfd, ".", err);
  return status ? status : ipfsa_use_set(m->node, &m->cid, m->user, err);
}

static ipfsa_status make_tree(making *m, uint64_t size, const ipfsa_materialise_options *o, ipfsa_error *err) {
  char temp[64], gone[64] = "";
  ipfsa_status status = check_room(m, size, err);
  if (status) return status;
  snprintf(temp, sizeof temp, "new-%016llx", (unsigned long long)ipfsa_random_u64());
  status = ipfsa_fs_mkdir(m->dirfd, temp, 0755, err);
  if (status) return status;
  IPFSA_AUTO_FD int treefd = ipfsa_fs_open_dir(m->dirfd, temp, err);
  status = treefd < 0 ? err->status : ipfsa_fs_flock(treefd, true, err); /* gc leaves it alone */
  if (status == IPFSA_OK) status = fill_tree(m, treefd, o, err);
  if (status == IPFSA_OK) status = ipfsa_store_check_quota(m->node->store, m->record.own, err);
  if (status == IPFSA_OK) status = publish(m, temp, gone, err);
  if (status || !m->made) (void)ipfsa_tree_remove(m->dirfd, temp, NULL); /* after its rename there is none of this name */
  if (*gone) (void)ipfsa_tree_remove(m->dirfd, gone, NULL);              /* what stays of it goes with the next gc */
  return status;
}

/* NOT_FOUND: there is none that can be handed out. */
static ipfsa_status find_tree(making *m, ipfsa_error *err) {
  IPFSA_AUTO_FD int lock = -1;
  ipfsa_status status = ipfsa_materialised_lock(m->dirfd, &lock, err);
  if (status) return status;
  status = ipfsa_materialised_read(m->dirfd, m->name, &m->record, err);
  if (status == IPFSA_E_CHANGED) return IPFSA_E_NOT_FOUND; /* it is made anew beside, then takes its place */
  return status ? status : ipfsa_use_set(m->node, &m->cid, m->user, err);
}

/* --- the answer --- */

typedef struct materialised_box { /* what a caller gets is its first member */
  ipfsa_materialised view;
  char path[];
} materialised_box;

void ipfsa_materialised_free(ipfsa_materialised *tree) { ipfsa_free(tree); }

static ipfsa_status answer(const making *m, ipfsa_materialised **ret, ipfsa_error *err) {
  char link[64];
  IPFSA_AUTO_FREE char *folder = NULL;
  snprintf(link, sizeof link, "/proc/self/fd/%d", m->dirfd);
  ipfsa_status status = ipfsa_fs_readlink(AT_FDCWD, link, &folder, NULL, err);
  if (status) return status;
  size_t len = strlen(folder) + strlen(m->name) + sizeof "//" IPFSA_MATERIALISED_CONTENT;
  materialised_box *box = ipfsa_calloc(1, sizeof *box + len);
  if (!box) return ipfsa_fail_nomem(err);
  const ipfsa_materialised_record *r = &m->record;
  snprintf(box->path, len, "%s/%s/" IPFSA_MATERIALISED_CONTENT, folder, m->name);
  box->view = (ipfsa_materialised){m->cid, box->path, r->is_folder, m->made, r->way, r->size, r->n_reflinked, r->n_linked, r->n_copied};
  *ret = &box->view;
  return IPFSA_OK;
}

static ipfsa_status find_or_make(making *m, const ipfsa_unixfs_stat *st, const ipfsa_materialise_options *o, ipfsa_materialised **ret, ipfsa_error *err) {
  ipfsa_status status = ipfsa_materialised_open(m->node, true, &m->dirfd, err);
  if (status == IPFSA_OK) status = find_tree(m, err);
  if (status == IPFSA_E_NOT_FOUND) {
    m->record = (ipfsa_materialised_record){.is_folder = st->type == IPFSA_UNIXFS_DIRECTORY || st->type == IPFSA_UNIXFS_HAMT};
    status = make_tree(m, m->record.is_folder ? st->cumulative : st->size, o, err);
  }
  return status ? status : answer(m, ret, err);
}

ipfsa_status ipfsa_materialise(ipfsa_node *node, const char *path, const char *user, const ipfsa_materialise_options *options, ipfsa_materialised **ret,
                               ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_materialise_options o = IPFSA_OPTIONS(ipfsa_materialise_options, options);
  making m = {.node = node, .user = user, .dirfd = -1};
  ipfsa_resolved at;
  ipfsa_unixfs_stat st;
  if (node->read_only) return ipfsa_fail(err, IPFSA_E_READ_ONLY, "the repo is open for reading only");
  ipfsa_status status = check_user(user, err);
  if (status == IPFSA_OK) status = ipfsa_node_resolve(node, path, &at, err);
  if (status == IPFSA_OK && *at.remainder) status = ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "%.200s leads into a block and to no file or folder", path);
  if (status == IPFSA_OK) status = ipfsa_unixfs_stat_get(node->bs, &at.cid, &st, err);
  if (status == IPFSA_OK && st.type == IPFSA_UNIXFS_SYMLINK) status = ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "%.200s is a symbolic link, which leads to nothing by itself", path);
  if (status) return status;
  ipfsa_materialised_name_of(&at.cid, &m.cid, m.name);
  if (strlen(m.name) > 255) return ipfsa_fail(err, IPFSA_E_LIMIT, "the CID is over 255 characters long, no file can be called so");
  ipfsa_lease *lease = NULL;
  status = ipfsa_lease_new(node->store, &lease, err);
  if (status == IPFSA_OK) status = ipfsa_lease_add(lease, &m.cid, err);
  if (status == IPFSA_OK) status = find_or_make(&m, &st, &o, ret, err);
  ipfsa_lease_free(lease);
  ipfsa_fs_close(&m.dirfd);
  return status;
}

/* --- release --- */

typedef struct release_scan {
  const ipfsa_cid *only;
  const char *user;
  ipfsa_cid *cids;
  size_t n, cap;
  bool full;
} release_scan;

static int note_use(void *ctx, const ipfsa_cid *cid, const char *user) {
  release_scan *scan = ctx;
  if (strcmp(user, scan->user) != 0 || (scan->only && !ipfsa_multihash_equal(&scan->only->mh, &cid->mh))) return 0;
  if (!ipfsa_grow((void **)&scan->cids, &scan->cap, scan->n + 1, sizeof *scan->cids)) return scan->full = true, 1;
  scan->cids[scan->n++] = *cid;
  return 0;
}

ipfsa_status ipfsa_materialise_release(ipfsa_node *node, const ipfsa_cid *cid, const char *user, size_t *ret_n, ipfsa_error *err) {
  release_scan scan = {.only = cid, .user = user};
  if (node->read_only) return ipfsa_fail(err, IPFSA_E_READ_ONLY, "the repo is open for reading only");
  ipfsa_status status = ipfsa_materialise_uses(node, note_use, &scan, err);
  if (scan.full) status = ipfsa_fail_nomem(err);
  size_t n = 0;
  for (size_t i = 0; i < scan.n && status == IPFSA_OK; i++, n++) {
    status = ipfsa_use_remove(node, &scan.cids[i], user, err);
    if (status == IPFSA_E_NOT_FOUND) status = IPFSA_OK; /* somebody else did */
  }
  ipfsa_free(scan.cids);
  if (status == IPFSA_OK && ret_n) *ret_n = n;
  return status;
}
