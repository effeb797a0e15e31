/* A hold is a file with a CID in it, locked (flock) by the process that reads what is below that CID: the kernel lets the lock go with the process,
 * in whatever way it ends, so nothing needs to be durable and nobody has to be asked whether he lives. A resting hold is one whose owner let the lock
 * go: the next gc removes its file, and until then its owner can have it back without writing anything.
 *
 * The lock of the folder orders this with gc: who makes a hold has it for a moment, gc from its second mark to the end of its sweep. Not the store's lock:
 * who reads does not wait for who writes. */
#include "store/hold.h"

#include <fcntl.h>
#include <sys/file.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/local.h"

#define FOLDER "holds"
#define NAME_BYTES 16 /* random, as hex */

struct ipfsa_hold {
  ipfsa_store *store;
  int fd;
  char name[2 * NAME_BYTES + 1];
};

static ipfsa_status open_folder(ipfsa_store *s, bool make, int *ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  *ret = ipfsa_fs_open_dir(s->dirfd, FOLDER, err);
  if (*ret >= 0) return IPFSA_OK;
  if (err->status != IPFSA_E_NOT_FOUND || !make) return err->status;
  ipfsa_status status = ipfsa_fs_mkdir(s->dirfd, FOLDER, 0700, err);
  if (status && status != IPFSA_E_EXISTS) return status;
  *ret = ipfsa_fs_open_dir(s->dirfd, FOLDER, err);
  return *ret < 0 ? err->status : IPFSA_OK;
}

/* Until ipfsa_fs_unlock_close. */
static ipfsa_status lock_folder(ipfsa_store *s, int fd, ipfsa_error *err) {
  ipfsa_error why = {0};
  ipfsa_status status = ipfsa_store__wait_for_lock(s, fd, &why);
  if (status == IPFSA_E_LOCKED) return ipfsa_fail(err, status, "a garbage collection has the repo; wait for its end, or raise --lock-timeout");
  if (status && err) *err = why;
  return status;
}

static ipfsa_status make_name(char *ret, ipfsa_error *err) {
  uint8_t bytes[NAME_BYTES];
  if (ipfsa_random_bytes(bytes, sizeof bytes) != 0) return ipfsa_fail(err, IPFSA_E_IO, "the kernel gave no random bytes");
  for (size_t i = 0; i < sizeof bytes; i++) snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
  return IPFSA_OK;
}

/* gc's look at the file takes no longer than its own lock: that is waited for. */
static ipfsa_status make_file(ipfsa_hold *hold, int folder, const ipfsa_cid *cid, ipfsa_error *err) {
  uint8_t bytes[IPFSA_MAX_CID];
  size_t len = ipfsa_cid_encode(cid, bytes);
  hold->fd = ipfsa_fs_open(folder, hold->name, O_RDWR | O_CREAT | O_EXCL, 0600, err);
  if (hold->fd < 0) return err->status;
  ipfsa_status status = ipfsa_fs_flock(hold->fd, true, err);
  if (status == IPFSA_OK) status = ipfsa_fs_write_at(hold->fd, bytes, len, 0, err);
  if (status) (void)ipfsa_fs_unlink(folder, hold->name, NULL);
  return status;
}

ipfsa_status ipfsa_hold_new(ipfsa_store *store, const ipfsa_cid *cid, ipfsa_hold **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  int folder = -1;
  ipfsa_hold *hold = ipfsa_calloc(1, sizeof *hold);
  if (!hold) return ipfsa_fail_nomem(err);
  *hold = (ipfsa_hold){.store = store, .fd = -1};
  ipfsa_status status = make_name(hold->name, err);
  if (status == IPFSA_OK) status = open_folder(store, true, &folder, err);
  if (status == IPFSA_OK) status = lock_folder(store, folder, err);
  if (status == IPFSA_OK) status = make_file(hold, folder, cid, err);
  ipfsa_fs_unlock_close(&folder);
  if (status) {
    ipfsa_fs_close(&hold->fd);
    ipfsa_free(hold);
    return status;
  }
  *ret = hold;
  return IPFSA_OK;
}

/* A file that cannot be removed now is removed by the next gc. */
void ipfsa_hold_free(ipfsa_hold *hold) {
  if (!hold) return;
  char path[sizeof FOLDER + sizeof hold->name];
  snprintf(path, sizeof path, FOLDER "/%s", hold->name);
  (void)ipfsa_fs_unlink(hold->store->dirfd, path, NULL);
  ipfsa_fs_close(&hold->fd);
  ipfsa_free(hold);
}

void ipfsa_hold_rest(ipfsa_hold *hold) { (void)flock(hold->fd, LOCK_UN); }

/* Locked first, then looked at: gc removes only what it has locked. */
bool ipfsa_hold_wake(ipfsa_hold *hold) {
  struct stat st;
  if (ipfsa_fs_flock(hold->fd, false, NULL) != IPFSA_OK) return false;
  return ipfsa_fs_fstat(hold->fd, &st, NULL) == IPFSA_OK && st.st_nlink > 0;
}

/* ---- gc ---- */

typedef struct hold_scan {
  int folder;
  ipfsa_cid_cb cb; /* NULL: removes what nobody has locked */
  void *ctx;
  ipfsa_status status;
  ipfsa_error *err;
} hold_scan;

static bool is_hold(const char *name) { return strlen(name) == 2 * NAME_BYTES && strspn(name, "0123456789abcdef") == 2 * NAME_BYTES; }

/* In doubt it is held: that only keeps garbage. */
static bool is_held(int fd) { return ipfsa_fs_flock(fd, false, NULL) != IPFSA_OK; }

static int pass_cid(hold_scan *scan, int fd) {
  uint8_t bytes[IPFSA_MAX_CID];
  size_t len = 0;
  ipfsa_cid cid;
  scan->status = ipfsa_fs_read_at(fd, bytes, sizeof bytes, 0, &len, scan->err);
  if (scan->status) return 1;
  if (ipfsa_cid_decode(ipfsa_bytes_of(bytes, len), &cid, NULL) != IPFSA_OK) return 0; /* it is being made */
  if (scan->cb(scan->ctx, &cid) == 0) return 0;
  scan->status = ipfsa_fail(scan->err, IPFSA_E_CANCELLED, "cancelled");
  return 1;
}

static int look_at(void *ctx, const char *name, unsigned char type) {
  hold_scan *scan = ctx;
  ipfsa_error why = {0};
  (void)type;
  if (!is_hold(name)) return 0;
  int fd = ipfsa_fs_open(scan->folder, name, O_RDONLY, 0, &why);
  if (fd < 0 && why.status == IPFSA_E_NOT_FOUND) return 0; /* let go meanwhile */
  if (fd < 0) return scan->status = why.status, *scan->err = why, 1;
  int stop = 0;
  bool held = is_held(fd);
  if (held && scan->cb) stop = pass_cid(scan, fd);
  if (!held && !scan->cb) (void)ipfsa_fs_unlink(scan->folder, name, NULL);
  ipfsa_fs_close(&fd);
  return stop;
}

static ipfsa_status scan_folder(hold_scan *scan) {
  ipfsa_status status = ipfsa_fs_list(scan->folder, ".", look_at, scan, scan->err);
  return scan->status ? scan->status : status;
}

ipfsa_status ipfsa_holds_iterate(ipfsa_store *store, ipfsa_cid_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_error local = {0};
  hold_scan scan = {.cb = cb, .ctx = ctx, .err = err ? err : &local};
  ipfsa_status status = open_folder(store, false, &scan.folder, scan.err);
  if (status) return status == IPFSA_E_NOT_FOUND ? IPFSA_OK : status;
  status = scan_folder(&scan);
  ipfsa_fs_close(&scan.folder);
  return status;
}

ipfsa_status ipfsa_holds_shut(ipfsa_store *store, int *ret_fd, ipfsa_error *err) {
  ipfsa_error local = {0};
  hold_scan scan = {.err = err ? err : &local};
  ipfsa_status status = open_folder(store, true, &scan.folder, scan.err);
  if (status) return status;
  status = lock_folder(store, scan.folder, scan.err);
  if (status == IPFSA_OK) status = scan_folder(&scan);
  if (status) ipfsa_fs_unlock_close(&scan.folder);
  else *ret_fd = scan.folder;
  return status;
}
