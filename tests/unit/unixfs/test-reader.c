/* Files of every shape that others may have made: leaves beside nodes, nodes with bytes of their own, blocks that are missing. */
#include "../support.h"
#include "base/fault.h"
#include "codec/varint.h"
#include "unixfs/reader.h"

#define MAX_BYTES 400000
#define MAX_BLOCKS 600

typedef struct fixture {
  ipfsa_blockstore *bs;
  ipfsa_blockstore_writer *w;
  ipfsa_pool *pool;
  uint64_t random;
  uint8_t data[MAX_BYTES], back[MAX_BYTES];
  size_t n_bytes;
  ipfsa_cid cids[MAX_BLOCKS];
  size_t n_blocks;
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  f->random = 7;
  *state = f;
  return ipfsa_memory_blockstore_new(&f->bs, NULL) || ipfsa_blockstore_begin(f->bs, &f->w, NULL) || ipfsa_pool_new(2, &f->pool, NULL);
}

static int teardown(void **state) {
  fixture *f = *state;
  ipfsa_pool_free(f->pool);
  ipfsa_writer_close(f->w);
  ipfsa_blockstore_close(f->bs);
  free(f);
  return 0;
}

static unsigned pick(fixture *f, unsigned n) {
  f->random = f->random * 6364136223846793005u + 1442695040888963407u;
  return (unsigned)(f->random >> 33) % n;
}

typedef struct part {
  ipfsa_cid cid;
  uint64_t size;
} part;

static part put(fixture *f, uint64_t codec, ipfsa_bytes block, uint64_t size) {
  ipfsa_error err = {0};
  part p = {.size = size};
  assert_ok(ipfsa_cid_of_block(1, codec, IPFSA_HASH_SHA2_256, 0, block, &p.cid, &err));
  assert_ok(ipfsa_writer_put(f->w, &p.cid, block, &err));
  assert_in_range(f->n_blocks, 0, MAX_BLOCKS - 1);
  f->cids[f->n_blocks++] = p.cid;
  return p;
}

/* The next bytes of the file. */
static ipfsa_bytes grow(fixture *f, size_t len) {
  assert_in_range(f->n_bytes + len, 0, MAX_BYTES);
  for (size_t i = 0; i < len; i++) f->data[f->n_bytes + i] = (uint8_t)pick(f, 256);
  f->n_bytes += len;
  return ipfsa_bytes_of(f->data + f->n_bytes - len, len);
}

static void put_field(ipfsa_buf *buf, uint8_t tag, uint64_t v) {
  ipfsa_buf_u8(buf, tag);
  ipfsa_buf_varint(buf, v);
}

static part put_node(fixture *f, ipfsa_bytes own, const part *children, size_t n) {
  IPFSA_AUTO_BUF ipfsa_buf message = {0}, block = {0};
  uint64_t size = own.len;
  for (size_t i = 0; i < n; i++) size += children[i].size;
  put_field(&message, 0x08, IPFSA_UNIXFS_FILE);
  if (own.len) put_field(&message, 0x12, own.len), ipfsa_buf_append_bytes(&message, own);
  put_field(&message, 0x18, size);
  for (size_t i = 0; i < n; i++) put_field(&message, 0x20, children[i].size);
  for (size_t i = 0; i < n; i++) {
    uint8_t bytes[IPFSA_MAX_CID];
    ipfsa_bytes cid = {bytes, ipfsa_cid_encode(&children[i].cid, bytes)};
    ipfsa_buf_pb_link(&block, &(ipfsa_pb_link){.cid = cid, .tsize = children[i].size, .has_name = true, .has_tsize = true});
  }
  ipfsa_buf_pb_data(&block, ipfsa_buf_bytes(&message));
  return put(f, IPFSA_CODEC_DAG_PB, ipfsa_buf_bytes(&block), size);
}

static part make(fixture *f, unsigned depth) {
  part children[12];
  ipfsa_bytes own = {0};
  unsigned n = 1 + pick(f, 12), kind = pick(f, 4);
  if (depth == 0 || kind == 0) {
    ipfsa_bytes data = grow(f, pick(f, 900));
    if (pick(f, 2)) return put(f, IPFSA_CODEC_RAW, data, data.len);
    return put_node(f, data, NULL, 0);
  }
  if (kind == 1) own = grow(f, 1 + pick(f, 300));
  for (unsigned i = 0; i < n; i++) children[i] = make(f, depth - 1);
  return put_node(f, own, children, n);
}

static part make_file(fixture *f) {
  f->n_bytes = f->n_blocks = 0;
  return make(f, 3);
}

/* All of it from `off` on; on failure what came before it. */
static ipfsa_status read_from(fixture *f, const part *file, uint64_t off, bool workers, size_t *ret_n, ipfsa_error *err) {
  ipfsa_file_reader *r = NULL;
  ipfsa_bytes piece = {0};
  size_t n = 0;
  ipfsa_status status = ipfsa_file_reader_open(f->bs, &file->cid, &r, err);
  if (status) return *ret_n = 0, status;
  if (workers) ipfsa_file_reader_use_pool(r, f->pool, false);
  if (off) status = ipfsa_file_reader_seek(r, off, err);
  while (status == IPFSA_OK) {
    status = ipfsa_file_reader_next(r, &piece, err);
    if (status || piece.len == 0) break;
    assert_in_range(n + piece.len, 1, MAX_BYTES);
    memcpy(f->back + n, piece.data, piece.len);
    n += piece.len;
  }
  if (status) assert_int_equal(ipfsa_file_reader_next(r, &piece, NULL), status); /* it goes on failing */
  ipfsa_file_reader_close(r);
  *ret_n = n;
  return status;
}

static void every_shape_is_read(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  for (int round = 0; round < 60; round++) {
    part file = make_file(f);
    for (int i = 0; i < 8; i++) {
      uint64_t off = i < 2 || !file.size ? 0 : pick(f, (unsigned)file.size + 2);
      size_t n = 0, want = off < file.size ? (size_t)(file.size - off) : 0;
      assert_ok(read_from(f, &file, off, i % 2, &n, &err));
      assert_int_equal(n, want);
      if (n) assert_memory_equal(f->back, f->data + off, n);
    }
  }
}

static void a_missing_block_ends_it(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  for (int round = 0; round < 60; round++) {
    part file = make_file(f);
    ipfsa_cid lost = f->cids[pick(f, (unsigned)f->n_blocks)];
    assert_ok(ipfsa_writer_del(f->w, &lost, &err));
    size_t n[2] = {0};
    ipfsa_status status[2];
    for (int workers = 0; workers < 2; workers++) {
      status[workers] = read_from(f, &file, 0, workers, &n[workers], &err);
      if (n[workers]) assert_memory_equal(f->back, f->data, n[workers]);
      assert_true(status[workers] == IPFSA_OK ? n[workers] == file.size : status[workers] == IPFSA_E_NOT_FOUND); /* an empty part may be missed by nobody */
    }
    assert_int_equal(n[0], n[1]);
    assert_int_equal(status[0], status[1]);
  }
}

static void memory_may_run_out(void **state) {
  fixture *f = *state;
  part file = make_file(f);
  while (file.size < 3000) file = make_file(f);
  bool fired = true;
  for (uint64_t n = 1; fired; n++) {
    ipfsa_error err = {0};
    size_t got = 0;
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, 0});
    ipfsa_status status = read_from(f, &file, 0, true, &got, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    assert_true(status == IPFSA_E_NOMEM || (status == IPFSA_OK && got == file.size));
    if (got) assert_memory_equal(f->back, f->data, got);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_shape_is_read, setup, teardown),
      cmocka_unit_test_setup_teardown(a_missing_block_ends_it, setup, teardown),
      cmocka_unit_test_setup_teardown(memory_may_run_out, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
