/* Everything that decides a CID, resolved: no field means "unset". Built from options and configuration by node/add. */
#ifndef IPFSA_UNIXFS_PARAMS_H
#define IPFSA_UNIXFS_PARAMS_H

#include "exchange/blockstore.h"
#include "hash/hash.h"
#include "unixfs/unixfs.h"

typedef enum ipfsa_chunker_kind { IPFSA_CHUNKER_SIZE, IPFSA_CHUNKER_RABIN, IPFSA_CHUNKER_BUZHASH, IPFSA_CHUNKER_TENSOR } ipfsa_chunker_kind;
typedef struct ipfsa_chunker_spec {
  ipfsa_chunker_kind kind;
  uint32_t size;          /* SIZE; TENSOR: of the largest chunk, and of all where no cuts are given */
  uint32_t min, avg, max; /* RABIN; BUZHASH: 131072, –, 524288 */
} ipfsa_chunker_spec;
#define IPFSA_MIN_TENSOR_CHUNK 65536 /* bytes: smaller ones make files of more blocks than tensors pay back */
#define IPFSA_MAX_CHUNK 2096896 /* 2 MiB less 256 bytes of framing; boxo chunker */
/* "", "default", "size-N", "rabin", "rabin-AVG", "rabin-MIN-AVG-MAX", "buzhash"; ours: "tensor", "tensor-N". Errors in Kubo's words. */
ipfsa_status ipfsa_chunker_parse(const char *text, ipfsa_chunker_spec *ret, ipfsa_error *err);

typedef enum ipfsa_layout { IPFSA_LAYOUT_BALANCED, IPFSA_LAYOUT_TRICKLE } ipfsa_layout;
typedef enum ipfsa_hamt_estimate { IPFSA_HAMT_LINKS, IPFSA_HAMT_BLOCK, IPFSA_HAMT_DISABLED } ipfsa_hamt_estimate;

typedef struct ipfsa_import_params {
  unsigned cid_version;
  uint64_t hash;
  bool raw_leaves;
  ipfsa_chunker_spec chunker;
  ipfsa_layout layout;
  uint32_t max_file_links;      /* W */
  uint32_t max_directory_links; /* 0 = no limit */
  uint32_t hamt_fanout;
  uint64_t hamt_threshold;      /* bytes; 0 = never */
  ipfsa_hamt_estimate hamt_estimate;
  uint32_t inline_limit;        /* 0 = no inlining */
} ipfsa_import_params;

/* A finished DAG: what a parent needs to link it. */
typedef struct ipfsa_dag_ref {
  ipfsa_cid cid;
  uint64_t tsize;    /* cumulative: block + Σ Tsize */
  uint64_t filesize; /* file bytes; 0 for others */
} ipfsa_dag_ref;

/* Does a block of this length become an identity CID? */
static inline bool ipfsa_params_inlines(const ipfsa_import_params *params, size_t len) {
  return params->inline_limit && len <= params->inline_limit;
}

/* Makes one block by the params: CID (inlined when small), put into w (NULL: only hash). codec dag-pb or raw. raw forces v1. */
ipfsa_status ipfsa_params_put(const ipfsa_import_params *params, ipfsa_blockstore_writer *w, uint64_t codec, ipfsa_bytes block,
                              ipfsa_cid *ret, ipfsa_error *err);

/* CID of a block whose digest is known; `whole` is read only when it is inlined (len within inline_limit). */
ipfsa_status ipfsa_params_cid(const ipfsa_import_params *params, uint64_t codec, size_t len, const ipfsa_multihash *mh, ipfsa_bytes whole,
                              ipfsa_cid *ret, ipfsa_error *err);

#endif
