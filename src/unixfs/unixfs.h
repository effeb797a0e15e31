/* The UnixFS message of a dag-pb node. Source: ipfs/specs src/unixfs.md. */
#ifndef IPFSA_UNIXFS_UNIXFS_H
#define IPFSA_UNIXFS_UNIXFS_H

#include "ipld/dagpb.h"

typedef enum ipfsa_unixfs_type {
  IPFSA_UNIXFS_RAW = 0,
  IPFSA_UNIXFS_DIRECTORY = 1,
  IPFSA_UNIXFS_FILE = 2,
  IPFSA_UNIXFS_METADATA = 3,
  IPFSA_UNIXFS_SYMLINK = 4,
  IPFSA_UNIXFS_HAMT = 5
} ipfsa_unixfs_type;

/* mode and mtime as stored; zeroed = none. */
typedef struct ipfsa_unixfs_meta {
  uint32_t mode; /* 0 = absent */
  bool has_mtime;
  int64_t mtime_s;
  uint32_t mtime_ns;
} ipfsa_unixfs_meta;

typedef struct ipfsa_unixfs {
  ipfsa_unixfs_type type;
  ipfsa_bytes data;        /* file bytes, symlink target, HAMT bitmap; borrowed */
  bool has_data, has_filesize;
  uint64_t filesize;
  ipfsa_bytes message;     /* the whole message, for ipfsa_unixfs_blocksizes */
  uint32_t n_blocksizes;
  uint64_t blocksizes_sum; /* checked */
  uint64_t hash_type, fanout;
  ipfsa_unixfs_meta meta;
} ipfsa_unixfs;

/* Decodes and checks by the reading rules (n_links: links of the node the message lies in). E_NOT_UNIXFS. */
ipfsa_status ipfsa_unixfs_decode(ipfsa_bytes message, uint32_t n_links, ipfsa_unixfs *ret, ipfsa_error *err);
typedef struct ipfsa_blocksize_iter { ipfsa_cursor cursor, packed; } ipfsa_blocksize_iter;
ipfsa_blocksize_iter ipfsa_unixfs_blocksizes(const ipfsa_unixfs *u);
bool ipfsa_blocksize_next(ipfsa_blocksize_iter *iter, uint64_t *ret);
/* Decodes a dag-pb block and its UnixFS message in one go. */
ipfsa_status ipfsa_unixfs_decode_block(ipfsa_bytes block, ipfsa_pbnode *ret_node, ipfsa_unixfs *ret, ipfsa_error *err);

/* Messages, fields in number order. */
void ipfsa_buf_unixfs_meta(ipfsa_buf *buf, const ipfsa_unixfs_meta *meta); /* the last fields of every message; NULL: none */
void ipfsa_buf_unixfs_leaf(ipfsa_buf *buf, ipfsa_unixfs_type type, ipfsa_bytes data, const ipfsa_unixfs_meta *meta);
void ipfsa_buf_unixfs_file(ipfsa_buf *buf, uint64_t filesize, const uint64_t *blocksizes, size_t n, const ipfsa_unixfs_meta *meta);
void ipfsa_buf_unixfs_directory(ipfsa_buf *buf, const ipfsa_unixfs_meta *meta);
void ipfsa_buf_unixfs_symlink(ipfsa_buf *buf, ipfsa_bytes target, const ipfsa_unixfs_meta *meta);
void ipfsa_buf_unixfs_hamt(ipfsa_buf *buf, ipfsa_bytes bitmap, uint64_t fanout, const ipfsa_unixfs_meta *meta);

#endif
