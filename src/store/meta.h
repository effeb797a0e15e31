/* Transactions: small durable tables in LMDB (pins, names, roots, leases, live packs, external paths). Written after the data they
 * speak of is durable. Threads: read transactions from any, one write transaction at a time (LMDB's own lock, across processes). */
#ifndef IPFSA_STORE_META_H
#define IPFSA_STORE_META_H

#include "base/bytes.h"

typedef enum ipfsa_meta_table {
  IPFSA_META_PINS,   /* multihash-free: binary CID → mode, name */
  IPFSA_META_ROOTS,  /* name ("mfs") → binary CID */
  IPFSA_META_LEASES, /* id → boot id, pid, time, CIDs */
  IPFSA_META_PACKS,  /* pack number → state */
  IPFSA_META_PATHS,  /* external file id ↔ path */
  IPFSA_META_STATE,  /* single values: format version, counters */
  IPFSA_META_N_TABLES
} ipfsa_meta_table;

typedef struct ipfsa_meta ipfsa_meta;
typedef struct ipfsa_meta_txn ipfsa_meta_txn;
/* dir: folder `meta` inside dirfd, made when create. A write transaction's commit is synced before it returns. */
ipfsa_status ipfsa_meta_open(int dirfd, bool create, bool read_only, ipfsa_meta **ret, ipfsa_error *err);
void ipfsa_meta_close(ipfsa_meta *meta);
ipfsa_status ipfsa_meta_begin(ipfsa_meta *meta, bool write, ipfsa_meta_txn **ret, ipfsa_error *err);
ipfsa_status ipfsa_meta_commit(ipfsa_meta_txn *txn, ipfsa_error *err); /* frees txn, also on failure */
void ipfsa_meta_abort(ipfsa_meta_txn *txn);                            /* NULL is fine */
ipfsa_status ipfsa_meta_get(ipfsa_meta_txn *txn, ipfsa_meta_table table, ipfsa_bytes key, ipfsa_bytes *ret /* until the txn ends */,
                            ipfsa_error *err); /* E_NOT_FOUND without message cost */
ipfsa_status ipfsa_meta_put(ipfsa_meta_txn *txn, ipfsa_meta_table table, ipfsa_bytes key, ipfsa_bytes value, ipfsa_error *err);
ipfsa_status ipfsa_meta_del(ipfsa_meta_txn *txn, ipfsa_meta_table table, ipfsa_bytes key, ipfsa_error *err);
typedef int (*ipfsa_meta_cb)(void *ctx, ipfsa_bytes key, ipfsa_bytes value);
ipfsa_status ipfsa_meta_iterate(ipfsa_meta_txn *txn, ipfsa_meta_table table, ipfsa_meta_cb cb, void *ctx, ipfsa_error *err);

/* Every page and record; E_CORRUPT says what is damaged. dirfd: as for open. */
ipfsa_status ipfsa_meta_verify(ipfsa_meta *meta, int dirfd, ipfsa_error *err);

#endif
