/* A node over a real store in a temporary folder, and small dag-pb trees in it. */
#ifndef IPFSA_TESTS_DAG_FIXTURE_H
#define IPFSA_TESTS_DAG_FIXTURE_H

#include <fcntl.h>

#include "../support.h"
#include "base/buf.h"
#include "node/node.h"

typedef struct fixture {
  char *path;
  ipfsa_node node;
  uint64_t max_pack_size; /* 0: as usual; for the next opening */
} fixture;

static inline void fixture_open(fixture *f) {
  ipfsa_error err = {0};
  assert_ok(ipfsa_store_open(f->node.repo_fd, &(ipfsa_store_options){.create = true, .no_sync = true, .lock_timeout_ms = 10000, .max_pack_size = f->max_pack_size},
                             &f->node.store, &err));
  f->node.bs = ipfsa_store_blockstore(f->node.store);
}

static inline fixture *fixture_new(void) {
  ipfsa_error err = {0};
  fixture *f = calloc(1, sizeof *f);
  f->path = test_temp_dir();
  f->node.repo_fd = ipfsa_fs_open_dir(AT_FDCWD, f->path, &err);
  pthread_mutex_init(&f->node.lock, NULL);
  fixture_open(f);
  return f;
}

static inline void fixture_reopen(fixture *f) {
  ipfsa_store_close(f->node.store);
  fixture_open(f);
}

static inline void fixture_free(fixture *f) {
  ipfsa_pool_free(f->node.pool);
  ipfsa_store_close(f->node.store);
  ipfsa_fs_close(&f->node.repo_fd);
  pthread_mutex_destroy(&f->node.lock);
  test_remove_tree(f->path);
  free(f);
}

static inline ipfsa_status put_block(ipfsa_blockstore_writer *w, uint64_t codec, ipfsa_bytes data, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_status status = ipfsa_cid_of_block(1, codec, IPFSA_HASH_SHA2_256, 0, data, ret, err);
  return status ? status : ipfsa_writer_put(w, ret, data, err);
}

static inline ipfsa_status put_leaf(ipfsa_blockstore_writer *w, const char *text, ipfsa_cid *ret, ipfsa_error *err) {
  return put_block(w, IPFSA_CODEC_RAW, ipfsa_bytes_str(text), ret, err);
}

/* PBNode with nameless links and `text` as data. */
static inline ipfsa_status put_parent(ipfsa_blockstore_writer *w, const ipfsa_cid *children, size_t n, const char *text, ipfsa_cid *ret,
                                      ipfsa_error *err) {
  ipfsa_buf buf = {0};
  for (size_t i = 0; i < n; i++) {
    size_t len = ipfsa_cid_size(&children[i]);
    ipfsa_buf_u8(&buf, 0x12);
    ipfsa_buf_u8(&buf, (uint8_t)(len + 6));
    ipfsa_buf_u8(&buf, 0x0a);
    ipfsa_buf_u8(&buf, (uint8_t)len);
    ipfsa_buf_cid(&buf, &children[i]);
    ipfsa_buf_append(&buf, "\x12\x00\x18\x01", 4);
  }
  ipfsa_buf_u8(&buf, 0x0a);
  ipfsa_buf_u8(&buf, (uint8_t)strlen(text));
  ipfsa_buf_str(&buf, text);
  ipfsa_status status = ipfsa_buf_status(&buf, err);
  if (status == IPFSA_OK) status = put_block(w, IPFSA_CODEC_DAG_PB, ipfsa_buf_bytes(&buf), ret, err);
  ipfsa_buf_release(&buf);
  return status;
}

/* root → (middle → leaf0, leaf1), leaf2. cids: root, middle, leaf0, leaf1, leaf2. */
#define TREE 5
static inline ipfsa_status put_tree(ipfsa_blockstore_writer *w, const char *name, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  char text[64];
  for (int i = 0; i < 3 && status == IPFSA_OK; i++) {
    snprintf(text, sizeof text, "%s leaf %d", name, i);
    status = put_leaf(w, text, &ret[2 + i], err);
  }
  if (status == IPFSA_OK) status = put_parent(w, &ret[2], 2, name, &ret[1], err);
  if (status == IPFSA_OK) status = put_parent(w, (ipfsa_cid[]){ret[1], ret[4]}, 2, name, &ret[0], err);
  return status;
}

static inline void add_tree(fixture *f, const char *name, ipfsa_cid *ret) {
  ipfsa_error err = {0};
  ipfsa_blockstore_writer *w = NULL;
  assert_ok(ipfsa_blockstore_begin(f->node.bs, &w, &err));
  assert_ok(put_tree(w, name, ret, &err));
  assert_ok(ipfsa_writer_commit(w, &err));
  ipfsa_writer_close(w);
}

static inline bool has(fixture *f, const ipfsa_cid *cid) {
  ipfsa_error err = {0};
  bool here = false;
  assert_ok(ipfsa_blockstore_has(f->node.bs, cid, &here, &err));
  return here;
}

static inline int n_here(fixture *f, const ipfsa_cid *tree) {
  int n = 0;
  for (int i = 0; i < TREE; i++) n += has(f, &tree[i]);
  return n;
}

static inline void remove_block(fixture *f, const ipfsa_cid *cid) {
  ipfsa_error err = {0};
  ipfsa_blockstore_writer *w = NULL;
  assert_ok(ipfsa_blockstore_begin(f->node.bs, &w, &err));
  assert_ok(ipfsa_writer_del(w, cid, &err));
  assert_ok(ipfsa_writer_commit(w, &err));
  ipfsa_writer_close(w);
}

#endif
