/* The inside of the local store, shared by its own files: store.c, ahead.c, replay.c, recover.c, writer.c, sweep.c, verify.c, lock.c. */
#ifndef IPFSA_STORE_LOCAL_H
#define IPFSA_STORE_LOCAL_H

#include <pthread.h>

#include "base/fs.h"
#include "store/index.h"
#include "store/pack.h"
#include "store/store.h"
#include "store/window.h"

typedef struct ipfsa_entries_ahead ipfsa_entries_ahead;

struct ipfsa_store {
  ipfsa_blockstore base;
  int dirfd, packs_fd;
  ipfsa_store_options options;
  ipfsa_meta *meta;
  pthread_rwlock_t lock; /* over packs and index; changes of slots and appends need it shared only */
  ipfsa_pack *packs;     /* by number, ascending */
  size_t n_packs, packs_cap;
  ipfsa_pack *retired;   /* removed by gc; their descriptors stay good for reads under way, until close */
  size_t n_retired, retired_cap;
  ipfsa_index *index;
  bool index_private;    /* in memory, made by a reader */
  bool poisoned;         /* a sync failed: nothing is written any more */
  ipfsa_location *torn;  /* entries of the last commit that recovery found without their bytes; the next writer buries them */
  size_t n_torn, torn_cap;
  ipfsa_entries_ahead *ahead;  /* NULL: no memory, each entry is read by itself */
  ipfsa_windows *windows;      /* NULL: blocks are read whole */
  pthread_mutex_t writer_lock; /* one writer in this process */
  struct ipfsa_store_writer *writer;
  pthread_mutex_t flock_lock; /* over the next four; not held while a thread takes the lock of the processes */
  bool taking;
  pthread_cond_t taken;
  int lock_fd;
  unsigned lock_count;
  bool opening; /* where nobody is asked, and nobody waits */
};

/* packs and index (the caller holds the lock, shared unless it says exclusive) */
ipfsa_pack *ipfsa_store__pack(ipfsa_store *s, uint32_t number); /* NULL when unknown */
ipfsa_status ipfsa_store__find(ipfsa_store *s, const ipfsa_multihash *mh, ipfsa_location *ret_at, ipfsa_pack_entry *ret, bool *ret_found,
                               ipfsa_error *err);
ipfsa_status ipfsa_store__refresh(ipfsa_store *s, bool write, ipfsa_error *err); /* exclusive: sees what other processes did */
/* Looks a block up, refreshing once when another process may have put it there; takes the lock itself. */
ipfsa_status ipfsa_store__lookup(ipfsa_store *s, const ipfsa_multihash *mh, ipfsa_pack_entry *ret, ipfsa_pack *ret_pack, ipfsa_location *ret_at,
                                 bool *ret_found, ipfsa_error *err);

/* ahead.c: one entry of a table, most likely that of mh; those behind it are read with it where lookups come in that order. Any thread. */
ipfsa_entries_ahead *ipfsa_entries_ahead_new(void);
void ipfsa_entries_ahead_free(ipfsa_entries_ahead *ahead); /* NULL is fine */
ipfsa_status ipfsa_store__read_entry(ipfsa_store *s, const ipfsa_pack *pack, uint64_t off, const ipfsa_multihash *mh, ipfsa_pack_entry *ret, ipfsa_error *err);

/* read.c: the bytes of entries, verified; each has a verdict of its own. n: at most IPFSA_MAX_GET_MANY. Fails as a whole only without memory. */
typedef struct ipfsa_store__read_job {
  ipfsa_pack pack;
  ipfsa_pack_entry entry;
  ipfsa_status status;
  ipfsa_error err;
  ipfsa_block block; /* with IPFSA_OK */
} ipfsa_store__read_job;
/* once: what is not in memory is read past the page cache, where that can be done. */
ipfsa_status ipfsa_store__read_many(ipfsa_store__read_job *jobs, size_t n, bool once, ipfsa_error *err);
/* check.c: the same verdicts, without the bytes. page_map: as ipfsa_fs_map. */
ipfsa_status ipfsa_store__check_many(ipfsa_store__read_job *jobs, size_t n, int page_map, ipfsa_error *err);
ipfsa_status ipfsa_store__read(const ipfsa_pack *pack, const ipfsa_pack_entry *entry, ipfsa_block *ret, ipfsa_error *err);
ipfsa_status ipfsa_store__read_external(const ipfsa_pack *pack, const ipfsa_pack_entry *entry, uint8_t *data, char *ret_path, size_t path_cap,
                                        uint64_t *ret_off, ipfsa_error *err);
void ipfsa_store__key_text(const ipfsa_multihash *mh, char *ret); /* as a raw CIDv1, for messages; IPFSA_MAX_CID_TEXT */

/* replay.c: from the packs' tables into the index (exclusive). recovering: the last commit may be torn and is hashed. */
ipfsa_status ipfsa_store__open_packs(ipfsa_store *s, bool write, ipfsa_error *err);
ipfsa_status ipfsa_store__replay(ipfsa_store *s, bool recovering, ipfsa_error *err);
typedef ipfsa_status (*ipfsa_store__commit_cb)(void *ctx, ipfsa_pack *pack, const ipfsa_pack_commit *commit, ipfsa_bytes table, ipfsa_error *err);
/* Calls cb for every whole commit of a pack from `off` on; *ret_gap: the first byte where a damaged one was passed over, 0 = none. */
ipfsa_status ipfsa_store__each_commit(ipfsa_pack *pack, uint64_t off, ipfsa_store__commit_cb cb, void *ctx, uint64_t *ret_gap, ipfsa_error *err);
/* seal.c: the same from the copies at the end of a sealed pack where they hold, without looking for damaged commits: for those who trust tables
 * by their checksums. Of any pack but the last, whose end may be what a writer that died left there. */
ipfsa_status ipfsa_store__each_table(ipfsa_pack *pack, uint64_t off, ipfsa_store__commit_cb cb, void *ctx, ipfsa_error *err);
void ipfsa_store__seal(ipfsa_pack *pack); /* opened for writing; behind its last commit */
/* olds: where each entry's block was before, NONE: nowhere; NULL: they are looked up. */
ipfsa_status ipfsa_store__apply_commit(ipfsa_store *s, const ipfsa_pack *pack, const ipfsa_pack_commit *commit, ipfsa_bytes table,
                                       const ipfsa_location *olds, ipfsa_error *err);
ipfsa_status ipfsa_store__rebuild_index(ipfsa_store *s, bool private_, ipfsa_error *err);
ipfsa_status ipfsa_store__restore_index(ipfsa_store *s, ipfsa_error *err); /* s->index is of another boot; the writer lock is held */

bool ipfsa_store__behind(ipfsa_store *s); /* commits that the index does not cover */

/* recover.c: blocks that a power loss, or rot, took out of the last commit */
ipfsa_status ipfsa_store__note_torn(ipfsa_store *s, const ipfsa_pack *pack, const ipfsa_pack_commit *commit, ipfsa_bytes table, ipfsa_error *err);
ipfsa_status ipfsa_store__hide_torn(ipfsa_store *s, ipfsa_error *err); /* exclusive: from a private index */
/* Their bytes to quarantine, removals into the pack. The store's lock must not be held. */
ipfsa_status ipfsa_store__bury_torn(ipfsa_store *s, ipfsa_blockstore_writer *w, ipfsa_error *err);
/* The bytes of an entry as they are, to quarantine/; nothing when nothing is there but zeros. */
ipfsa_status ipfsa_store__quarantine(ipfsa_store *s, const ipfsa_pack *pack, const ipfsa_pack_entry *entry, ipfsa_error *err);

/* lock.c: exclusive, until fd is closed; E_LOCKED after the store's time limit. */
void ipfsa_store__lock_init(ipfsa_store *s);
void ipfsa_store__lock_release(ipfsa_store *s);
ipfsa_status ipfsa_store__wait_for_lock(ipfsa_store *s, int fd, ipfsa_error *err);

/* writer.c */
typedef struct ipfsa_store_writer ipfsa_store_writer;
bool ipfsa_store__pending_find(ipfsa_store *s, const ipfsa_multihash *mh, ipfsa_pack_entry *ret);
ipfsa_status ipfsa_store__pending_get(ipfsa_store *s, const ipfsa_multihash *mh, ipfsa_block *ret, bool *ret_found, ipfsa_error *err);
ipfsa_status ipfsa_store__begin(ipfsa_blockstore *self, ipfsa_blockstore_writer **ret, ipfsa_error *err);
uint64_t ipfsa_store__disk_bytes(ipfsa_store *s);

#endif
