/* The tables over LMDB: memory-mapped, copy-on-write, so that opening needs no recovery and readers take no lock.
 *
 * LMDB must not be opened twice by one process (closing one handle would drop the file locks of the other), so all handles on one folder
 * share one environment; they find it by device and inode. LMDB's commit is: data pages, fdatasync, then one meta page through O_DSYNC;
 * that is the order this store needs. */
#include "store/meta.h"

#include <errno.h>
#include <lmdb.h>
#include <pthread.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/fs.h"
#include "hash/hash.h"
#include "store/meta_check.h"

#define META_DIR "meta"
#define META_FILE META_DIR "/data.mdb"
#define NEW_DIR "meta.tmp"
#define NEW_FILE NEW_DIR "/data.mdb"
/* Address space, not memory or disk: what the tables may grow to. The smaller ones are for processes under a limit of address space. */
#define MAP_SIZES {(size_t)1 << (sizeof(size_t) > 4 ? 36 : 29), (size_t)1 << (sizeof(size_t) > 4 ? 32 : 28), (size_t)1 << 27}
#define MAX_READERS 1024 /* read transactions at once, over all processes */
#define MAX_KEY 511      /* LMDB's own limit */
#define FRESH_FILE 8192  /* bytes: LMDB's two meta pages and nothing else */

static const char *const table_names[IPFSA_META_N_TABLES] = {"pins", "roots", "leases", "packs", "paths", "state"};

typedef struct shared_env {
  struct shared_env *next;
  dev_t device;
  ino_t inode;
  unsigned refs;
  MDB_env *env;
  MDB_dbi tables[IPFSA_META_N_TABLES];
  bool immutable; /* opened without locks on a read-only file system */
  int poisoned;   /* a commit's sync failed: no more writes through this handle */
} shared_env;

struct ipfsa_meta {
  shared_env *shared;
  bool read_only;
};

#define CHECK_LEN 8 /* bytes behind every value: checksum of table, key and value */

/* What a table should hold, kept in the table of states: with it a lost or foreign entry is noticed when all are read. */
typedef struct table_sum {
  uint64_t n, checks; /* entries, XOR of their checksums */
} table_sum;
#define SUM_LEN 16

struct ipfsa_meta_txn {
  ipfsa_meta *meta;
  MDB_txn *txn;
  bool write;
  bool summed[IPFSA_META_N_TABLES]; /* the sum was read, and has changed */
  table_sum sums[IPFSA_META_N_TABLES];
};

static pthread_mutex_t envs_lock = PTHREAD_MUTEX_INITIALIZER; /* over the list below, its counts, and opening */
static shared_env *envs;

/* A child that is forked by one thread has no other that could let go of it. */
static void before_fork(void) { pthread_mutex_lock(&envs_lock); }
static void after_fork(void) { pthread_mutex_unlock(&envs_lock); }
__attribute__((constructor)) static void at_fork(void) { (void)pthread_atfork(before_fork, after_fork, after_fork); }

static ipfsa_status fail_mdb(ipfsa_error *err, int rc, const char *what) {
  switch (rc) {
  case MDB_MAP_FULL: return ipfsa_fail(err, IPFSA_E_LIMIT, "%s " META_DIR ": the tables reached the largest size they can have", what);
  case MDB_READERS_FULL: return ipfsa_fail(err, IPFSA_E_BUSY, "%s " META_DIR ": over %d readers at once", what, MAX_READERS);
  case MDB_VERSION_MISMATCH: return ipfsa_fail(err, IPFSA_E_VERSION, "%s " META_DIR ": written by another version of LMDB", what);
  case MDB_CORRUPTED:
  case MDB_PAGE_NOTFOUND:
  case MDB_INVALID:
  case MDB_PANIC: return ipfsa_fail(err, IPFSA_E_CORRUPT, "%s " META_FILE ": damaged (%s); restore it from a copy", what, mdb_strerror(rc));
  case MDB_MAP_RESIZED:
  case MDB_BAD_RSLOT:
  case MDB_BAD_TXN: return ipfsa_fail(err, IPFSA_E_BUSY, "%s " META_DIR ": %s", what, mdb_strerror(rc));
  case MDB_BAD_VALSIZE: return ipfsa_fail(err, IPFSA_E_LIMIT, "%s " META_DIR ": a key is of 1 to %d bytes", what, MAX_KEY);
  default: break;
  }
  if (rc > 0) return ipfsa_fail_errno(err, rc, "%s " META_DIR, what);
  return ipfsa_fail(err, IPFSA_E_IO, "%s " META_DIR ": %s", what, mdb_strerror(rc));
}

/* LMDB does its own file operations; the fault plan is asked once for each call that makes some. 0 or an errno. */
static int asked_to_fail(void) {
  for (;;) {
    if (ipfsa_fault_point(IPFSA_FAULT_FILE) != IPFSA_FAULT_FAIL) return 0;
    if (errno != EINTR) return errno;
  }
}

static ipfsa_status not_found(ipfsa_error *err) {
  if (err) {
    err->status = IPFSA_E_NOT_FOUND;
    err->sys_errno = 0;
    err->offset = IPFSA_NO_OFFSET;
    err->message[0] = '\0';
  }
  return IPFSA_E_NOT_FOUND;
}

/* Opens or makes the tables inside one transaction, so that a table is never there without the others. */
static int open_tables(shared_env *shared, bool create) {
  MDB_txn *txn = NULL;
  int rc = mdb_txn_begin(shared->env, NULL, create ? 0 : MDB_RDONLY, &txn);
  if (rc) return rc;
  for (int i = 0; i < IPFSA_META_N_TABLES && rc == 0; i++)
    rc = mdb_dbi_open(txn, table_names[i], create ? MDB_CREATE : 0, &shared->tables[i]);
  if (rc == 0) return mdb_txn_commit(txn); /* also a reading one: the table handles stay only then */
  mdb_txn_abort(txn);
  return rc;
}

static int open_env_sized(const char *path, size_t map_size, bool immutable, MDB_env **ret) {
  MDB_env *env = NULL;
  int rc = mdb_env_create(&env);
  if (rc) return rc;
  rc = mdb_env_set_maxdbs(env, IPFSA_META_N_TABLES);
  if (rc == 0) rc = mdb_env_set_maxreaders(env, MAX_READERS);
  if (rc == 0) rc = mdb_env_set_mapsize(env, map_size);
  if (rc == 0) rc = mdb_env_open(env, path, MDB_NOTLS | (immutable ? MDB_RDONLY | MDB_NOLOCK : 0), 0644);
  if (rc) mdb_env_close(env);
  else *ret = env;
  return rc;
}

static int open_env(const char *path, bool immutable, MDB_env **ret) {
  static const size_t sizes[] = MAP_SIZES;
  int rc = ENOMEM; /* valgrind says EINVAL */
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes && (rc == ENOMEM || rc == EINVAL); i++) rc = open_env_sized(path, sizes[i], immutable, ret);
  return rc;
}

static ipfsa_status drop_files(int dirfd, const char *const *names, size_t n, ipfsa_error *err) {
  for (size_t i = 0; i < n; i++) {
    ipfsa_status status = ipfsa_fs_unlink(dirfd, names[i], err);
    if (status && status != IPFSA_E_NOT_FOUND) return status;
  }
  return IPFSA_OK;
}

static ipfsa_status write_new_tables(int dirfd, ipfsa_error *err) {
  char path[64];
  shared_env fresh = {0};
  snprintf(path, sizeof path, "/proc/self/fd/%d/" NEW_DIR, dirfd);
  int rc = asked_to_fail();
  if (rc == 0) rc = open_env(path, false, &fresh.env);
  if (rc == 0) rc = asked_to_fail();
  if (rc == 0) rc = open_tables(&fresh, true);
  if (fresh.env) mdb_env_close(fresh.env);
  if (rc) return fail_mdb(err, rc, "make");
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(dirfd, NEW_FILE, O_RDWR, 0, err);
  return fd < 0 ? err->status : ipfsa_fs_sync(fd, err); /* LMDB does not sync the header pages it makes */
}

/* Made whole under another name first: a folder that has the file has all tables. */
static ipfsa_status make_folder(int dirfd, ipfsa_error *err) {
  static const char *const left[] = {NEW_FILE, NEW_DIR "/lock.mdb", META_FILE, META_DIR "/lock.mdb"};
  ipfsa_status status = drop_files(dirfd, left, sizeof left / sizeof *left, err);
  if (status == IPFSA_OK) status = ipfsa_fs_mkdir(dirfd, NEW_DIR, 0755, err);
  if (status == IPFSA_OK || status == IPFSA_E_EXISTS) status = write_new_tables(dirfd, err);
  if (status == IPFSA_OK) status = drop_files(dirfd, left + 1, 1, err);
  if (status == IPFSA_OK) status = ipfsa_fs_sync_dir(dirfd, NEW_DIR, err);
  if (status == IPFSA_OK) status = ipfsa_fs_rename(dirfd, NEW_DIR, META_DIR, err);
  return status ? status : ipfsa_fs_sync_dir(dirfd, ".", err);
}

static ipfsa_status prepare_folder(int dirfd, bool create, ipfsa_error *err) {
  struct stat st;
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_status status = ipfsa_fs_stat(dirfd, META_FILE, &st, err);
  if (!create || (status && status != IPFSA_E_NOT_FOUND)) return status;
  return status == IPFSA_OK && st.st_size >= FRESH_FILE ? IPFSA_OK : make_folder(dirfd, err);
}

#define CHECK_ROUNDS 5 /* others may commit while pages are looked through */

/* A reading transaction holds the pages of its snapshot, though not its header: one that is just being written looks damaged, and the next round
 * decides. Where others write all the time, they have looked through the file when they opened it. */
static ipfsa_status check_pages(shared_env *shared, int fd, uint64_t max, ipfsa_error *err) {
  ipfsa_status status = IPFSA_E_BUSY;
  for (int i = 0; (status == IPFSA_E_BUSY || status == IPFSA_E_CORRUPT) && i < CHECK_ROUNDS; i++) {
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(shared->env, NULL, MDB_RDONLY, &txn);
    if (rc) return fail_mdb(err, rc, "open");
    status = ipfsa_meta_check_pages(fd, mdb_txn_id(txn), max, err);
    mdb_txn_abort(txn);
  }
  return status == IPFSA_E_BUSY ? IPFSA_OK : status;
}

static ipfsa_status open_shared(shared_env *shared, int dirfd, bool read_only, ipfsa_error *err) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d/" META_DIR, dirfd);
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(dirfd, META_FILE, O_RDONLY, 0, err);
  if (fd < 0) return err->status;
  ipfsa_status status = ipfsa_meta_check_header(fd, err);
  if (status) return status;
  int rc = asked_to_fail();
  if (rc == 0) rc = open_env(path, false, &shared->env);
  if (read_only && (rc == EROFS || rc == EACCES || rc == EPERM)) {
    shared->immutable = true;
    rc = open_env(path, true, &shared->env);
  }
  if (rc) return fail_mdb(err, rc, "open");
  int dead = 0;
  if (!shared->immutable) (void)mdb_reader_check(shared->env, &dead); /* slots of killed processes hold back old pages */
  status = check_pages(shared, fd, IPFSA_MAX_META_LOOKED_THROUGH, err);
  if (status) return status;
  rc = asked_to_fail();
  if (rc == 0) rc = open_tables(shared, false);
  if (rc == MDB_NOTFOUND) return ipfsa_fail(err, IPFSA_E_MALFORMED, META_FILE " has not the tables of a repo");
  return rc ? fail_mdb(err, rc, "open") : IPFSA_OK;
}

static shared_env *find_shared(const struct stat *st) {
  for (shared_env *s = envs; s; s = s->next)
    if (s->device == st->st_dev && s->inode == st->st_ino) return s;
  return NULL;
}

/* Under envs_lock. */
static ipfsa_status acquire_shared(int dirfd, bool create, bool read_only, shared_env **ret, ipfsa_error *err) {
  struct stat st;
  ipfsa_status status = prepare_folder(dirfd, create, err);
  if (status == IPFSA_OK) status = ipfsa_fs_stat(dirfd, META_DIR, &st, err);
  if (status) return status;
  shared_env *shared = find_shared(&st);
  if (shared && shared->immutable && !read_only)
    return ipfsa_fail(err, IPFSA_E_READ_ONLY, META_DIR " is open for reading only in this process");
  if (!shared) {
    shared = ipfsa_calloc(1, sizeof *shared);
    if (!shared) return ipfsa_fail_nomem(err);
    shared->device = st.st_dev;
    shared->inode = st.st_ino;
    status = open_shared(shared, dirfd, read_only, err);
    if (status) {
      if (shared->env) mdb_env_close(shared->env);
      ipfsa_free(shared);
      return status;
    }
    shared->next = envs;
    envs = shared;
  }
  shared->refs++;
  *ret = shared;
  return IPFSA_OK;
}

ipfsa_status ipfsa_meta_open(int dirfd, bool create, bool read_only, ipfsa_meta **ret, ipfsa_error *err) {
  ipfsa_meta *meta = ipfsa_calloc(1, sizeof *meta);
  if (!meta) return ipfsa_fail_nomem(err);
  meta->read_only = read_only;
  pthread_mutex_lock(&envs_lock);
  ipfsa_status status = acquire_shared(dirfd, create && !read_only, read_only, &meta->shared, err);
  pthread_mutex_unlock(&envs_lock);
  if (status) {
    ipfsa_free(meta);
    return status;
  }
  *ret = meta;
  return IPFSA_OK;
}

void ipfsa_meta_close(ipfsa_meta *meta) {
  if (!meta) return;
  pthread_mutex_lock(&envs_lock);
  shared_env *shared = meta->shared;
  if (--shared->refs == 0) {
    shared_env **link = &envs;
    while (*link != shared) link = &(*link)->next;
    *link = shared->next;
    mdb_env_close(shared->env);
    ipfsa_free(shared);
  }
  pthread_mutex_unlock(&envs_lock);
  ipfsa_free(meta);
}

static int begin_txn(shared_env *shared, bool write, MDB_txn **ret) {
  int rc = asked_to_fail();
  if (rc) return rc;
  rc = mdb_txn_begin(shared->env, NULL, write ? 0 : MDB_RDONLY, ret);
  if (rc != MDB_READERS_FULL) return rc;
  int dead = 0;
  (void)mdb_reader_check(shared->env, &dead);
  return dead ? mdb_txn_begin(shared->env, NULL, MDB_RDONLY, ret) : rc;
}

ipfsa_status ipfsa_meta_begin(ipfsa_meta *meta, bool write, ipfsa_meta_txn **ret, ipfsa_error *err) {
  shared_env *shared = meta->shared;
  if (write && (meta->read_only || shared->immutable)) return ipfsa_fail(err, IPFSA_E_READ_ONLY, "the repo is open for reading only");
  if (write && __atomic_load_n(&shared->poisoned, __ATOMIC_RELAXED))
    return ipfsa_fail(err, IPFSA_E_POISONED, "no writes to " META_DIR " after a failed sync; start the program again");
  ipfsa_meta_txn *txn = ipfsa_calloc(1, sizeof *txn);
  if (!txn) return ipfsa_fail_nomem(err);
  txn->meta = meta;
  txn->write = write;
  int rc = begin_txn(shared, write, &txn->txn);
  if (rc) {
    ipfsa_free(txn);
    return fail_mdb(err, rc, "begin");
  }
  *ret = txn;
  return IPFSA_OK;
}

static MDB_val val_of(ipfsa_bytes bytes) {
  static const uint8_t none = 0;
  return (MDB_val){bytes.len, (void *)(uintptr_t)(bytes.data ? bytes.data : &none)};
}

static uint64_t checksum(ipfsa_meta_table table, MDB_val key, ipfsa_bytes value) {
  uint8_t digest[32], head[2] = {(uint8_t)table, (uint8_t)key.mv_size};
  uint64_t check;
  ipfsa_sha256_stream s;
  ipfsa_sha256_init(&s);
  ipfsa_sha256_update(&s, head, sizeof head);
  ipfsa_sha256_update(&s, key.mv_data, key.mv_size);
  if (value.len) ipfsa_sha256_update(&s, value.data, value.len);
  ipfsa_sha256_final(&s, digest);
  memcpy(&check, digest, sizeof check);
  return check;
}

/* The value of a record without its checksum, which must hold. */
static ipfsa_status open_record(ipfsa_meta_table table, MDB_val key, MDB_val record, ipfsa_bytes *ret, uint64_t *ret_check, ipfsa_error *err) {
  ipfsa_bytes value = ipfsa_bytes_of(record.mv_data, record.mv_size < CHECK_LEN ? 0 : record.mv_size - CHECK_LEN);
  uint64_t check = 0;
  if (record.mv_size >= CHECK_LEN) memcpy(&check, value.data + value.len, CHECK_LEN);
  if (record.mv_size < CHECK_LEN || check != checksum(table, key, value))
    return ipfsa_fail(err, IPFSA_E_CORRUPT, META_FILE ": a record of the table \"%s\" is damaged; restore it from a copy", table_names[table]);
  *ret = value;
  *ret_check = check;
  return IPFSA_OK;
}

/* As mdb_get; *ret_check: the record's checksum. */
static ipfsa_status read_record(ipfsa_meta_txn *txn, ipfsa_meta_table table, MDB_val key, ipfsa_bytes *ret, uint64_t *ret_check, ipfsa_error *err) {
  MDB_val v = {0};
  int rc = asked_to_fail();
  if (rc == 0) rc = mdb_get(txn->txn, txn->meta->shared->tables[table], &key, &v);
  if (rc == MDB_NOTFOUND) return not_found(err);
  return rc ? fail_mdb(err, rc, "read") : open_record(table, key, v, ret, ret_check, err);
}

static ipfsa_status write_record(ipfsa_meta_txn *txn, ipfsa_meta_table table, MDB_val key, ipfsa_bytes value, uint64_t check, ipfsa_error *err) {
  MDB_val v = {value.len + CHECK_LEN, NULL};
  int rc = asked_to_fail();
  if (rc == 0) rc = mdb_put(txn->txn, txn->meta->shared->tables[table], &key, &v, MDB_RESERVE);
  if (rc) return fail_mdb(err, rc, "write");
  if (value.len) memcpy(v.mv_data, value.data, value.len);
  memcpy((uint8_t *)v.mv_data + value.len, &check, CHECK_LEN);
  return IPFSA_OK;
}

static MDB_val sum_key(ipfsa_meta_table table, char storage[16]) {
  return (MDB_val){(size_t)snprintf(storage, 16, "sum:%s", table_names[table]), storage};
}

static ipfsa_status read_sum(ipfsa_meta_txn *txn, ipfsa_meta_table table, table_sum *ret, ipfsa_error *err) {
  char name[16];
  ipfsa_bytes value = {0};
  uint64_t check;
  ipfsa_error why = {0};
  *ret = (table_sum){0}; /* nothing was ever put in */
  ipfsa_status status = read_record(txn, IPFSA_META_STATE, sum_key(table, name), &value, &check, &why);
  if (status == IPFSA_E_NOT_FOUND) return IPFSA_OK;
  if (status == IPFSA_OK && value.len == SUM_LEN) memcpy(&ret->n, value.data, 8), memcpy(&ret->checks, value.data + 8, 8);
  else if (status == IPFSA_OK) status = ipfsa_fail(&why, IPFSA_E_CORRUPT, META_FILE ": the sum of the table \"%s\" is malformed", table_names[table]);
  if (status && err) *err = why;
  return status;
}

/* Takes the old record of a key out of its table's sum, and counts the new one in. n: how many entries come in addition. */
static ipfsa_status change_sum(ipfsa_meta_txn *txn, ipfsa_meta_table table, uint64_t old_check, uint64_t new_check, int n, ipfsa_error *err) {
  if (table == IPFSA_META_STATE) return IPFSA_OK; /* it holds the sums */
  ipfsa_status status = txn->summed[table] ? IPFSA_OK : read_sum(txn, table, &txn->sums[table], err);
  if (status) return status;
  txn->summed[table] = true;
  txn->sums[table].checks ^= old_check ^ new_check;
  txn->sums[table].n += (uint64_t)(int64_t)n;
  return IPFSA_OK;
}

static ipfsa_status write_sums(ipfsa_meta_txn *txn, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (unsigned i = 0; status == IPFSA_OK && i < IPFSA_META_N_TABLES; i++) {
    if (!txn->summed[i]) continue;
    char name[16];
    uint8_t bytes[SUM_LEN];
    memcpy(bytes, &txn->sums[i].n, 8);
    memcpy(bytes + 8, &txn->sums[i].checks, 8);
    MDB_val key = sum_key((ipfsa_meta_table)i, name);
    ipfsa_bytes value = ipfsa_bytes_of(bytes, sizeof bytes);
    status = write_record(txn, IPFSA_META_STATE, key, value, checksum(IPFSA_META_STATE, key, value), err);
  }
  return status;
}

ipfsa_status ipfsa_meta_commit(ipfsa_meta_txn *txn, ipfsa_error *err) {
  shared_env *shared = txn->meta->shared;
  ipfsa_status status = txn->write ? write_sums(txn, err) : IPFSA_OK;
  if (status) return ipfsa_meta_abort(txn), status;
  int rc = txn->write ? asked_to_fail() : 0;
  if (rc) mdb_txn_abort(txn->txn);
  else rc = mdb_txn_commit(txn->txn);
  /* After EIO nobody knows what the page cache still holds. A full disk is known before the sync: nothing was lost. */
  if (txn->write && (rc == EIO || rc == MDB_PANIC)) __atomic_store_n(&shared->poisoned, 1, __ATOMIC_RELAXED);
  ipfsa_free(txn);
  return rc ? fail_mdb(err, rc, "commit") : IPFSA_OK;
}

void ipfsa_meta_abort(ipfsa_meta_txn *txn) {
  if (!txn) return;
  mdb_txn_abort(txn->txn);
  ipfsa_free(txn);
}

static ipfsa_status check_key(ipfsa_bytes key, ipfsa_error *err) {
  if (key.len >= 1 && key.len <= MAX_KEY) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_LIMIT, "a key of " META_DIR " has 1 to %d bytes, not %zu", MAX_KEY, key.len);
}

ipfsa_status ipfsa_meta_get(ipfsa_meta_txn *txn, ipfsa_meta_table table, ipfsa_bytes key, ipfsa_bytes *ret, ipfsa_error *err) {
  uint64_t check;
  ipfsa_status status = check_key(key, err);
  return status ? status : read_record(txn, table, val_of(key), ret, &check, err);
}

ipfsa_status ipfsa_meta_put(ipfsa_meta_txn *txn, ipfsa_meta_table table, ipfsa_bytes key, ipfsa_bytes value, ipfsa_error *err) {
  uint64_t old = 0, new = checksum(table, val_of(key), value);
  ipfsa_bytes there;
  ipfsa_error why = {0};
  ipfsa_status status = check_key(key, err);
  if (status) return status;
  status = read_record(txn, table, val_of(key), &there, &old, &why);
  bool is_new = status == IPFSA_E_NOT_FOUND;
  if (status && !is_new) {
    if (err) *err = why;
    return status;
  }
  status = change_sum(txn, table, is_new ? 0 : old, new, is_new, err);
  return status ? status : write_record(txn, table, val_of(key), value, new, err);
}

ipfsa_status ipfsa_meta_del(ipfsa_meta_txn *txn, ipfsa_meta_table table, ipfsa_bytes key, ipfsa_error *err) {
  uint64_t old = 0;
  ipfsa_bytes there;
  ipfsa_status status = check_key(key, err);
  if (status == IPFSA_OK) status = read_record(txn, table, val_of(key), &there, &old, err);
  if (status == IPFSA_OK) status = change_sum(txn, table, old, 0, -1, err);
  if (status) return status;
  MDB_val k = val_of(key);
  int rc = asked_to_fail();
  if (rc == 0) rc = mdb_del(txn->txn, txn->meta->shared->tables[table], &k, NULL);
  return rc ? fail_mdb(err, rc, "delete") : IPFSA_OK;
}

/* Is what was read all that was ever put in and not taken out? */
static ipfsa_status check_sum(ipfsa_meta_txn *txn, ipfsa_meta_table table, const table_sum *seen, ipfsa_error *err) {
  table_sum want = txn->sums[table];
  ipfsa_status status = table == IPFSA_META_STATE || txn->summed[table] ? IPFSA_OK : read_sum(txn, table, &want, err);
  if (status || table == IPFSA_META_STATE || (want.n == seen->n && want.checks == seen->checks)) return status;
  return ipfsa_fail(err, IPFSA_E_CORRUPT, META_FILE ": the table \"%s\" has %llu records and should have %llu, or others; restore it from a copy", table_names[table],
                    (unsigned long long)seen->n, (unsigned long long)want.n);
}

ipfsa_status ipfsa_meta_iterate(ipfsa_meta_txn *txn, ipfsa_meta_table table, ipfsa_meta_cb cb, void *ctx, ipfsa_error *err) {
  MDB_cursor *cursor = NULL;
  int rc = asked_to_fail();
  if (rc == 0) rc = mdb_cursor_open(txn->txn, txn->meta->shared->tables[table], &cursor);
  if (rc) return fail_mdb(err, rc, "read");
  table_sum seen = {0};
  ipfsa_status status = IPFSA_OK;
  MDB_val k, v;
  while (status == IPFSA_OK && (rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) == 0) {
    ipfsa_bytes value;
    uint64_t check;
    status = open_record(table, k, v, &value, &check, err);
    if (status == IPFSA_OK && cb(ctx, ipfsa_bytes_of(k.mv_data, k.mv_size), value) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "stopped");
    seen.n++;
    seen.checks ^= check;
  }
  mdb_cursor_close(cursor);
  if (status) return status;
  return rc == MDB_NOTFOUND ? check_sum(txn, table, &seen, err) : fail_mdb(err, rc, "read");
}

static int ignore_record(void *ctx, ipfsa_bytes key, ipfsa_bytes value) {
  (void)ctx, (void)key, (void)value;
  return 0;
}

ipfsa_status ipfsa_meta_verify(ipfsa_meta *meta, int dirfd, ipfsa_error *err) {
  ipfsa_meta_txn *txn = NULL;
  ipfsa_error local = {0};
  if (!err) err = &local;
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(dirfd, META_FILE, O_RDONLY, 0, err);
  if (fd < 0) return err->status;
  ipfsa_status status = check_pages(meta->shared, fd, IPFSA_MAX_META_VERIFIED, err);
  if (status == IPFSA_OK) status = ipfsa_meta_begin(meta, false, &txn, err);
  if (status) return status;
  for (unsigned i = 0; status == IPFSA_OK && i < IPFSA_META_N_TABLES; i++) status = ipfsa_meta_iterate(txn, (ipfsa_meta_table)i, ignore_record, NULL, err);
  ipfsa_meta_abort(txn);
  return status;
}
