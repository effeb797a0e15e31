/* Leases. Records: id (16 random bytes) ‖ number (u32be). Number 0 is the owner; the others are one CID each. docs/formats/meta.md.
 * An owner is dead when the machine was started again, or its process is gone, or the process of that number is a younger one. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "store/pins.h"

#define ID_LEN 16
#define KEY_LEN (ID_LEN + 4)
#define BOOT_ID_LEN 36 /* characters of /proc/sys/kernel/random/boot_id */
#define MAX_PROC_FILE 4096
/* The owner is in another container, where its number means nothing here: its lease lasts that long after it was first seen. */
#define FOREIGN_GRACE_S (24 * 3600)
#define MAX_LEASES 65536 /* records of owners looked at by one gc: one per running or recently killed operation */

struct ipfsa_lease {
  ipfsa_store *store;
  uint8_t id[ID_LEN];
  uint32_t n; /* CIDs written */
};

typedef struct owner {
  char boot_id[BOOT_ID_LEN];
  uint64_t pid_namespace; /* inode of /proc/self/ns/pid */
  uint64_t pid, start;    /* start: clock ticks since boot */
  int64_t began;          /* wall time, seconds; for people */
  int64_t dead_since;     /* wall time at which gc first saw it dead; 0 = alive then */
} owner;
#define OWNER_LEN (1 + BOOT_ID_LEN + 5 * 8)
#define OWNER_FORM 1

static pthread_rwlock_t gate = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
/* It may be had for as long as an add takes, which no fork waits for; a child begins with nobody in it. */
static void in_child(void) { gate = (pthread_rwlock_t)PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP; }
__attribute__((constructor)) static void at_fork(void) { (void)pthread_atfork(NULL, NULL, in_child); }

void ipfsa_pins_gate_shut(void) { pthread_rwlock_wrlock(&gate); }
void ipfsa_pins_gate_open(void) { pthread_rwlock_unlock(&gate); }
void ipfsa_pins__enter(void) { pthread_rwlock_rdlock(&gate); }
void ipfsa_pins__leave(void) { pthread_rwlock_unlock(&gate); }

static void make_key(const uint8_t *id, uint32_t number, uint8_t *ret) {
  memcpy(ret, id, ID_LEN);
  for (int i = 0; i < 4; i++) ret[ID_LEN + i] = (uint8_t)(number >> (24 - 8 * i));
}

/* Start time of a process in clock ticks since boot: field 22 of its stat file, counted behind the name in brackets (which may hold
 * anything). NOT_FOUND when there is no such process. */
static ipfsa_status start_of(uint64_t pid, uint64_t *ret) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)pid);
  IPFSA_AUTO_FREE char *text = NULL;
  size_t len = 0;
  ipfsa_status status = ipfsa_fs_read_file(AT_FDCWD, path, MAX_PROC_FILE, &text, &len, NULL);
  if (status) return status;
  const char *p = strrchr(text, ')');
  for (int field = 2; p && field < 22; field++) p = strchr(p + 1, ' ');
  if (!p) return IPFSA_E_MALFORMED;
  *ret = strtoull(p + 1, NULL, 10);
  return IPFSA_OK;
}

static ipfsa_status self_owner(owner *ret, ipfsa_error *err) {
  owner o = {.pid = (uint64_t)getpid(), .began = ipfsa_clock_wall_s()};
  IPFSA_AUTO_FREE char *boot = NULL;
  size_t len = 0;
  ipfsa_status status = ipfsa_fs_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", MAX_PROC_FILE, &boot, &len, err);
  if (status) return status;
  memcpy(o.boot_id, boot, len < BOOT_ID_LEN ? len : BOOT_ID_LEN);
  struct stat st;
  if (stat("/proc/self/ns/pid", &st) == 0) o.pid_namespace = st.st_ino;
  status = start_of(o.pid, &o.start);
  if (status) return ipfsa_fail(err, status, "read /proc/self/stat: %s", ipfsa_status_to_string(status));
  *ret = o;
  return IPFSA_OK;
}

static void encode_owner(const owner *o, ipfsa_buf *ret) {
  ipfsa_buf_u8(ret, OWNER_FORM);
  ipfsa_buf_append(ret, o->boot_id, BOOT_ID_LEN);
  ipfsa_buf_u64be(ret, o->pid_namespace);
  ipfsa_buf_u64be(ret, o->pid);
  ipfsa_buf_u64be(ret, o->start);
  ipfsa_buf_u64be(ret, (uint64_t)o->began);
  ipfsa_buf_u64be(ret, (uint64_t)o->dead_since);
}

static bool decode_owner(ipfsa_bytes value, owner *ret) {
  ipfsa_cursor c = ipfsa_cursor_over(value);
  uint8_t form = 0;
  ipfsa_bytes boot = {0};
  uint64_t began = 0, dead = 0;
  owner o = {0};
  if (!ipfsa_cursor_u8(&c, &form) || form != OWNER_FORM || !ipfsa_cursor_take(&c, BOOT_ID_LEN, &boot) ||
      !ipfsa_cursor_u64be(&c, &o.pid_namespace) || !ipfsa_cursor_u64be(&c, &o.pid) || !ipfsa_cursor_u64be(&c, &o.start) ||
      !ipfsa_cursor_u64be(&c, &began) || !ipfsa_cursor_u64be(&c, &dead))
    return false;
  memcpy(o.boot_id, boot.data, BOOT_ID_LEN);
  o.began = (int64_t)began;
  o.dead_since = (int64_t)dead;
  *ret = o;
  return true;
}

typedef enum owner_state { OWNER_ALIVE, OWNER_DEAD, OWNER_FOREIGN } owner_state;

/* In doubt it lives: a lease too many only keeps garbage. */
static owner_state state_of(const owner *o, const owner *self) {
  if (memcmp(o->boot_id, self->boot_id, BOOT_ID_LEN) != 0) return OWNER_DEAD;
  if (o->pid_namespace != self->pid_namespace) return OWNER_FOREIGN;
  uint64_t start = 0;
  ipfsa_status status = start_of(o->pid, &start);
  if (status == IPFSA_E_NOT_FOUND) return OWNER_DEAD;
  return status == IPFSA_OK && start != o->start ? OWNER_DEAD : OWNER_ALIVE;
}

static bool is_over(const owner *o, owner_state state, uint64_t grace_s, int64_t now) {
  if (state == OWNER_ALIVE || o->dead_since == 0 || now < o->dead_since) return false;
  uint64_t grace = state == OWNER_FOREIGN && grace_s < FOREIGN_GRACE_S ? FOREIGN_GRACE_S : grace_s;
  return (uint64_t)(now - o->dead_since) >= grace;
}

ipfsa_status ipfsa_lease_new(ipfsa_store *store, ipfsa_lease **ret, ipfsa_error *err) {
  ipfsa_lease *lease = ipfsa_calloc(1, sizeof *lease);
  if (!lease) return ipfsa_fail_nomem(err);
  lease->store = store;
  if (ipfsa_random_bytes(lease->id, ID_LEN) != 0) {
    ipfsa_free(lease);
    return ipfsa_fail(err, IPFSA_E_IO, "the kernel gave no random bytes");
  }
  *ret = lease;
  return IPFSA_OK;
}

static ipfsa_status write_lease(ipfsa_lease *lease, ipfsa_bytes owner_value, ipfsa_bytes cid, ipfsa_error *err) {
  ipfsa_meta_txn *txn = NULL;
  ipfsa_status status = ipfsa_meta_begin(ipfsa_store_meta(lease->store), true, &txn, err);
  if (status) return status;
  uint8_t key[KEY_LEN];
  make_key(lease->id, 0, key);
  if (lease->n == 0) status = ipfsa_meta_put(txn, IPFSA_META_LEASES, ipfsa_bytes_of(key, KEY_LEN), owner_value, err);
  make_key(lease->id, lease->n + 1, key);
  if (status == IPFSA_OK) status = ipfsa_meta_put(txn, IPFSA_META_LEASES, ipfsa_bytes_of(key, KEY_LEN), cid, err);
  if (status == IPFSA_OK) return ipfsa_meta_commit(txn, err);
  ipfsa_meta_abort(txn);
  return status;
}

ipfsa_status ipfsa_lease_add(ipfsa_lease *lease, const ipfsa_cid *cid, ipfsa_error *err) {
  owner self;
  ipfsa_status status = self_owner(&self, err);
  if (status) return status;
  IPFSA_AUTO_BUF ipfsa_buf value = {0};
  encode_owner(&self, &value);
  status = ipfsa_buf_status(&value, err);
  if (status) return status;
  uint8_t bytes[IPFSA_MAX_CID];
  ipfsa_pins__enter();
  status = ipfsa_store_lock(lease->store, err);
  if (status == IPFSA_OK) {
    status = write_lease(lease, ipfsa_buf_bytes(&value), ipfsa_bytes_of(bytes, ipfsa_cid_encode(cid, bytes)), err);
    ipfsa_store_unlock(lease->store);
  }
  ipfsa_pins__leave();
  if (status == IPFSA_OK) lease->n++;
  return status;
}

/* Numbers count up from 0 without holes, so the first that is missing ends the lease. */
static ipfsa_status delete_lease(ipfsa_meta_txn *txn, const uint8_t *id, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (uint32_t i = 0; status == IPFSA_OK && i < UINT32_MAX; i++) {
    uint8_t key[KEY_LEN];
    make_key(id, i, key);
    status = ipfsa_meta_del(txn, IPFSA_META_LEASES, ipfsa_bytes_of(key, KEY_LEN), err);
  }
  return status == IPFSA_E_NOT_FOUND ? IPFSA_OK : status;
}

static ipfsa_status end_lease(ipfsa_lease *lease) {
  ipfsa_meta_txn *txn = NULL;
  ipfsa_status status = ipfsa_meta_begin(ipfsa_store_meta(lease->store), true, &txn, NULL);
  if (status) return status;
  status = delete_lease(txn, lease->id, NULL);
  if (status == IPFSA_OK) return ipfsa_meta_commit(txn, NULL);
  ipfsa_meta_abort(txn);
  return status;
}

/* What stays keeps garbage until this process has ended and the grace is over: so there is a second try. */
void ipfsa_lease_free(ipfsa_lease *lease) {
  if (!lease) return;
  if (lease->n) {
    ipfsa_pins__enter();
    if (ipfsa_store_lock(lease->store, NULL) == IPFSA_OK) {
      if (end_lease(lease) != IPFSA_OK) (void)end_lease(lease);
      ipfsa_store_unlock(lease->store);
    }
    ipfsa_pins__leave();
  }
  ipfsa_free(lease);
}

typedef struct lease_scan {
  owner self;
  uint64_t grace_s;
  int64_t now;
  bool protects; /* the lease whose records come now */
  int (*cb)(void *ctx, const ipfsa_cid *cid);
  void *ctx;
  /* expire only: ids whose owner record changes or goes */
  struct lease_change { uint8_t id[ID_LEN]; owner owner; bool remove; } *changes;
  size_t n, cap;
  bool full;
} lease_scan;

static ipfsa_status begin_scan(lease_scan *scan, uint64_t grace_s, ipfsa_error *err) {
  scan->grace_s = grace_s;
  scan->now = ipfsa_clock_wall_s();
  return self_owner(&scan->self, err);
}

static bool is_owner_key(ipfsa_bytes key) { return key.len == KEY_LEN && memcmp(key.data + ID_LEN, "\0\0\0\0", 4) == 0; }

static int scan_record(void *ctx, ipfsa_bytes key, ipfsa_bytes value) {
  lease_scan *scan = ctx;
  if (is_owner_key(key)) {
    owner o;
    scan->protects = !decode_owner(value, &o) || !is_over(&o, state_of(&o, &scan->self), scan->grace_s, scan->now);
    return 0;
  }
  ipfsa_cid cid;
  if (!scan->protects || ipfsa_cid_decode(value, &cid, NULL) != IPFSA_OK) return 0;
  return scan->cb(scan->ctx, &cid);
}

ipfsa_status ipfsa_leases_iterate(ipfsa_store *store, uint64_t grace_s, int (*cb)(void *ctx, const ipfsa_cid *cid), void *ctx,
                                  ipfsa_error *err) {
  lease_scan scan = {.cb = cb, .ctx = ctx};
  ipfsa_meta_txn *txn = NULL;
  ipfsa_status status = begin_scan(&scan, grace_s, err);
  if (status == IPFSA_OK) status = ipfsa_meta_begin(ipfsa_store_meta(store), false, &txn, err);
  if (status) return status;
  status = ipfsa_meta_iterate(txn, IPFSA_META_LEASES, scan_record, &scan, err);
  ipfsa_meta_abort(txn);
  return status;
}

static int scan_owner(void *ctx, ipfsa_bytes key, ipfsa_bytes value) {
  lease_scan *scan = ctx;
  owner o;
  if (!is_owner_key(key) || !decode_owner(value, &o)) return 0;
  owner_state state = state_of(&o, &scan->self);
  bool over = is_over(&o, state, scan->grace_s, scan->now);
  bool new_death = state != OWNER_ALIVE && (o.dead_since == 0 || o.dead_since > scan->now);
  if (!over && !new_death) return 0;
  if (scan->n >= MAX_LEASES) return 0; /* the next gc goes on */
  if (!ipfsa_grow((void **)&scan->changes, &scan->cap, scan->n + 1, sizeof *scan->changes)) {
    scan->full = true;
    return 1;
  }
  struct lease_change *change = &scan->changes[scan->n++];
  memcpy(change->id, key.data, ID_LEN);
  o.dead_since = scan->now;
  change->owner = o;
  change->remove = over || scan->grace_s == 0;
  return 0;
}

static ipfsa_status apply_changes(ipfsa_store *store, const lease_scan *scan, ipfsa_error *err) {
  ipfsa_meta_txn *txn = NULL;
  ipfsa_status status = ipfsa_meta_begin(ipfsa_store_meta(store), true, &txn, err);
  for (size_t i = 0; status == IPFSA_OK && i < scan->n; i++) {
    if (scan->changes[i].remove) {
      status = delete_lease(txn, scan->changes[i].id, err);
      continue;
    }
    IPFSA_AUTO_BUF ipfsa_buf value = {0};
    uint8_t key[KEY_LEN];
    make_key(scan->changes[i].id, 0, key);
    encode_owner(&scan->changes[i].owner, &value);
    status = ipfsa_buf_status(&value, err);
    if (status == IPFSA_OK) status = ipfsa_meta_put(txn, IPFSA_META_LEASES, ipfsa_bytes_of(key, KEY_LEN), ipfsa_buf_bytes(&value), err);
  }
  if (status == IPFSA_OK) return ipfsa_meta_commit(txn, err);
  ipfsa_meta_abort(txn);
  return status;
}

ipfsa_status ipfsa_leases_expire(ipfsa_store *store, uint64_t grace_s, ipfsa_error *err) {
  lease_scan scan = {0};
  ipfsa_meta_txn *txn = NULL;
  ipfsa_status status = begin_scan(&scan, grace_s, err);
  if (status == IPFSA_OK) status = ipfsa_meta_begin(ipfsa_store_meta(store), false, &txn, err);
  if (status) return status;
  status = ipfsa_meta_iterate(txn, IPFSA_META_LEASES, scan_owner, &scan, err);
  ipfsa_meta_abort(txn);
  if (scan.full) status = ipfsa_fail_nomem(err);
  if (status == IPFSA_OK && scan.n) status = apply_changes(store, &scan, err);
  ipfsa_free(scan.changes);
  return status;
}
