/* The blockstore: what every upper room sees of storage. Implementations: store/local (packs), store/memory (tests).
 * Keys are multihashes. Identity multihashes never reach an implementation: the ipfsa_blockstore_* wrappers answer them.
 * Threads: get, has, size from any; one writer at a time; a writer belongs to one thread. */
#ifndef IPFSA_EXCHANGE_BLOCKSTORE_H
#define IPFSA_EXCHANGE_BLOCKSTORE_H

#include "ipld/block.h"

typedef struct ipfsa_blockstore ipfsa_blockstore;
typedef struct ipfsa_blockstore_writer ipfsa_blockstore_writer;

/* How the bytes of a leaf stand in the buffer of a run, and so in the store. */
typedef enum ipfsa_leaf_kind {
  IPFSA_LEAF_RAW = 0,     /* the block is the data */
  IPFSA_LEAF_PB_FILE = 1, /* dag-pb around UnixFS type File (balanced) */
  IPFSA_LEAF_PB_RAW = 2,  /* dag-pb around UnixFS type Raw (trickle) */
} ipfsa_leaf_kind;

typedef struct ipfsa_leaf {
  uint64_t hash;      /* multihash code */
  const uint8_t *digest;
  uint32_t digest_len;
  uint32_t off, len;  /* data within the run */
} ipfsa_leaf;

/* A run: consecutive leaves of one file, their data back to back in one buffer. */
typedef struct ipfsa_leaf_run {
  const uint8_t *data; /* page-aligned when the caller can */
  size_t len;
  ipfsa_leaf_kind kind;
  const ipfsa_leaf *leaves;
  size_t n_leaves;
} ipfsa_leaf_run;

/* The file that a run's bytes are mapped from, held against changes (base/map.h) until the run is settled. */
typedef struct ipfsa_held_file {
  int fd;
  uint64_t off; /* of byte 0 of the run */
} ipfsa_held_file;

/* Where a no-copy leaf lies outside the store. */
typedef struct ipfsa_external {
  const char *path; /* absolute */
  uint64_t off;
  uint64_t file_size;
  int64_t mtime_ns, ctime_ns;
  uint64_t inode, device;
} ipfsa_external;

/* Where a leaf's own bytes lie in a store, for many looks at parts of it. A hint: the leaf may go, and then it cannot be read. */
typedef struct ipfsa_place {
  uint64_t off;
  uint32_t pack, len; /* len: bytes of data, without what wraps it */
  ipfsa_leaf_kind kind;
  uint8_t digest[32]; /* sha2-256 of the block */
} ipfsa_place;

/* Does b begin where a ends? */
static inline bool ipfsa_place_follows(const ipfsa_place *a, const ipfsa_place *b) { return a->pack == b->pack && a->off + a->len == b->off; }

typedef int (*ipfsa_multihash_cb)(void *ctx, const ipfsa_multihash *mh, uint64_t size); /* ≠ 0 stops: E_CANCELLED */

typedef struct ipfsa_blockstore_ops {
  ipfsa_status (*get)(ipfsa_blockstore *self, const ipfsa_multihash *mh, ipfsa_block *ret, ipfsa_error *err); /* verified */
  ipfsa_status (*get_many)(ipfsa_blockstore *self, const ipfsa_cid *cids, size_t n, bool once, ipfsa_block *ret, size_t *ret_n, ipfsa_error *err);
  ipfsa_status (*is_leaf)(ipfsa_blockstore *self, const ipfsa_multihash *mh, bool *ret, ipfsa_error *err);
  ipfsa_status (*has)(ipfsa_blockstore *self, const ipfsa_multihash *mh, bool *ret, ipfsa_error *err);
  ipfsa_status (*size)(ipfsa_blockstore *self, const ipfsa_multihash *mh, uint64_t *ret, ipfsa_error *err);
  ipfsa_status (*iterate)(ipfsa_blockstore *self, ipfsa_multihash_cb cb, void *ctx, ipfsa_error *err);
  ipfsa_status (*begin)(ipfsa_blockstore *self, ipfsa_blockstore_writer **ret, ipfsa_error *err);
  void (*close)(ipfsa_blockstore *self);
  bool (*locate)(ipfsa_blockstore *self, const ipfsa_multihash *mh, ipfsa_place *ret); /* NULL, and so the next: never */
  bool (*read_place)(ipfsa_blockstore *self, const ipfsa_place *place, uint32_t from, uint32_t len, void *data);
  ipfsa_status (*share)(ipfsa_blockstore *self, const ipfsa_place *place, uint64_t len, int fd, uint64_t off, ipfsa_error *err); /* NULL: none */
  bool (*map)(ipfsa_blockstore *self, const ipfsa_place *place, uint64_t off, uint64_t len, uint8_t *at); /* NULL: never, and so the rest */
  void (*check_places)(ipfsa_blockstore *self, const ipfsa_place *const *places, size_t n, bool hash, bool *ret_good);
  void (*read_ahead)(ipfsa_blockstore *self, const ipfsa_place *place, uint64_t len);
  uint64_t (*changed_ns)(ipfsa_blockstore *self, const ipfsa_place *place);
} ipfsa_blockstore_ops;
struct ipfsa_blockstore { const ipfsa_blockstore_ops *ops; };

/* A writer is one transaction: nothing it took is promised before commit returned OK (then it is durable).
 * Until then its own blocks are already visible to its blockstore's get (same process). */
typedef struct ipfsa_blockstore_writer_ops {
  ipfsa_status (*put)(ipfsa_blockstore_writer *self, const ipfsa_multihash *mh, ipfsa_bytes data, ipfsa_error *err);
  ipfsa_status (*put_run)(ipfsa_blockstore_writer *self, const ipfsa_leaf_run *run, const ipfsa_held_file *from /* or NULL */,
                          uint64_t *ret_ticket /* NULL: as put */, ipfsa_error *err);
  ipfsa_status (*settle)(ipfsa_blockstore_writer *self, uint64_t ticket, ipfsa_error *err);
  ipfsa_status (*put_external)(ipfsa_blockstore_writer *self, const ipfsa_leaf_run *run, const ipfsa_external *where,
                               ipfsa_error *err); /* leaf.off is relative to where->off */
  ipfsa_status (*del)(ipfsa_blockstore_writer *self, const ipfsa_multihash *mh, ipfsa_error *err);
  ipfsa_status (*commit)(ipfsa_blockstore_writer *self, ipfsa_error *err); /* durable; the writer can go on */
  void (*close)(ipfsa_blockstore_writer *self);                          /* uncommitted work is dropped */
} ipfsa_blockstore_writer_ops;
struct ipfsa_blockstore_writer { const ipfsa_blockstore_writer_ops *ops; };

/* The calls to use. get fails with E_NOT_FOUND "block was not found locally (offline): ipld: could not find <cid>". */
ipfsa_status ipfsa_blockstore_get(ipfsa_blockstore *bs, const ipfsa_cid *cid, ipfsa_block *ret, ipfsa_error *err);
/* Several in order, verified side by side; neighbours in the store are read together. n: 1 to IPFSA_MAX_GET_MANY. Gets the first *ret_n of them,
 * at least one, at most about IPFSA_GET_MANY_BYTES; fails only when the first cannot be had. Each block is released on its own; they share a
 * buffer, so it lives until the last is. once: large blocks that are not in memory are read past the page cache: nobody will want them there soon. */
#define IPFSA_MAX_GET_MANY 16 /* lanes of the widest kernel */
#define IPFSA_GET_MANY_BYTES (8u << 20)
ipfsa_status ipfsa_blockstore_get_many(ipfsa_blockstore *bs, const ipfsa_cid *cids, size_t n, bool once, ipfsa_block *ret, size_t *ret_n, ipfsa_error *err);
/* True: the block is there and has no links, which is known without reading it. False: not known. */
ipfsa_status ipfsa_blockstore_is_leaf(ipfsa_blockstore *bs, const ipfsa_cid *cid, bool *ret, ipfsa_error *err);
ipfsa_status ipfsa_blockstore_has(ipfsa_blockstore *bs, const ipfsa_cid *cid, bool *ret, ipfsa_error *err);
ipfsa_status ipfsa_blockstore_size(ipfsa_blockstore *bs, const ipfsa_cid *cid, uint64_t *ret, ipfsa_error *err);
ipfsa_status ipfsa_blockstore_iterate(ipfsa_blockstore *bs, ipfsa_multihash_cb cb, void *ctx, ipfsa_error *err);
/* Parts of a leaf without its whole: locate once, then read often. False: get the block instead, which also tells what is wrong. What read_place
 * gives was verified since it came into memory. */
bool ipfsa_blockstore_locate(ipfsa_blockstore *bs, const ipfsa_cid *cid, ipfsa_place *ret);
bool ipfsa_blockstore_read_place(ipfsa_blockstore *bs, const ipfsa_place *place, uint32_t from, uint32_t len, void *data);
/* Makes [off, off + len) of fd the bytes that begin at a place, by sharing them (ipfsa_fs_clone). They were not verified: look at what fd then has. */
ipfsa_status ipfsa_blockstore_share(ipfsa_blockstore *bs, const ipfsa_place *place, uint64_t len, int fd, uint64_t off, ipfsa_error *err);
/* Whole pages from byte off on of what holds the place, mapped over addresses that were set aside (base/map.h). They were not verified, and a leaf that is
 * removed shows as zeros: have a hold or a lease. False: nothing changed; get the blocks instead. */
bool ipfsa_blockstore_map(ipfsa_blockstore *bs, const ipfsa_place *place, uint64_t off, uint64_t len, uint8_t *at);
/* Leaves of one pack in the order of their bytes. *ret_good of each: true: its bytes were verified, now (hash) or before, and did not leave the memory since.
 * False: not known. hash: of up to IPFSA_MAX_GET_MANY together. */
void ipfsa_blockstore_check_places(ipfsa_blockstore *bs, const ipfsa_place *const *places, size_t n, bool hash, bool *ret_good);
/* Brings len bytes from a place on into memory, where they are not; returns when they are there. A hint. */
void ipfsa_blockstore_read_ahead(ipfsa_blockstore *bs, const ipfsa_place *place, uint64_t len);
/* When what holds the place was last written to, as the file system says; 0: not known. */
uint64_t ipfsa_blockstore_changed_ns(ipfsa_blockstore *bs, const ipfsa_place *place);
void ipfsa_blockstore_close(ipfsa_blockstore *bs);
ipfsa_status ipfsa_blockstore_begin(ipfsa_blockstore *bs, ipfsa_blockstore_writer **ret, ipfsa_error *err);
/* put: checks the size limit and the allow-list; does NOT hash: the caller computed or verified the multihash. */
ipfsa_status ipfsa_writer_put(ipfsa_blockstore_writer *w, const ipfsa_cid *cid, ipfsa_bytes data, ipfsa_error *err);
ipfsa_status ipfsa_writer_put_run(ipfsa_blockstore_writer *w, const ipfsa_leaf_run *run, ipfsa_error *err);
/* Returns while the bytes are on their way: run->data stays as it is until settle(*ret_ticket), commit or close has returned. What fails meanwhile
 * is told by settle or commit. When this call itself fails, nothing of its run is on its way. from (may be NULL): a store on the same file system
 * may share the file's bytes instead of writing them. */
ipfsa_status ipfsa_writer_put_run_later(ipfsa_blockstore_writer *w, const ipfsa_leaf_run *run, const ipfsa_held_file *from, uint64_t *ret_ticket,
                                        ipfsa_error *err);
#define IPFSA_ALL_RUNS UINT64_MAX
ipfsa_status ipfsa_writer_settle(ipfsa_blockstore_writer *w, uint64_t ticket /* 0: of no run */, ipfsa_error *err);
/* The bytes stay where they are and are not read: run->data may be gone by now. A store in memory does not support it. */
ipfsa_status ipfsa_writer_put_external(ipfsa_blockstore_writer *w, const ipfsa_leaf_run *run, const ipfsa_external *where,
                                       ipfsa_error *err);
ipfsa_status ipfsa_writer_del(ipfsa_blockstore_writer *w, const ipfsa_cid *cid, ipfsa_error *err);
ipfsa_status ipfsa_writer_commit(ipfsa_blockstore_writer *w, ipfsa_error *err);
void ipfsa_writer_close(ipfsa_blockstore_writer *w); /* NULL is fine */

/* The bytes around a leaf's data: prefix and suffix of its dag-pb block (both empty for RAW). Each needs 32 bytes. */
void ipfsa_leaf_wrap(ipfsa_leaf_kind kind, uint64_t len, uint8_t *ret_prefix, size_t *ret_prefix_len, uint8_t *ret_suffix,
                     size_t *ret_suffix_len);

/* A blockstore in memory (exchange/memory.c) for tests of the rooms above. Importers take a NULL writer for --only-hash. */
ipfsa_status ipfsa_memory_blockstore_new(ipfsa_blockstore **ret, ipfsa_error *err);

#endif
