/* Known CIDs of the specifications, through importer, directories and reader, over the memory back end. */
#include <fcntl.h>
#include <unistd.h>

#include "../support.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "unixfs/chunker.h"
#include "unixfs/importer.h"
#include "unixfs/reader.h"

static ipfsa_import_params v0_params(void) {
  ipfsa_import_params p = {.hash = IPFSA_HASH_SHA2_256, .max_file_links = 174, .hamt_fanout = 256, .hamt_threshold = 262144};
  ipfsa_chunker_parse("", &p.chunker, NULL);
  return p;
}

static ipfsa_import_params with(bool raw, unsigned version, const char *chunker, uint32_t width, ipfsa_layout layout) {
  ipfsa_import_params p = v0_params();
  p.raw_leaves = raw;
  p.cid_version = version;
  p.max_file_links = width;
  p.layout = layout;
  ipfsa_chunker_parse(chunker, &p.chunker, NULL);
  return p;
}

typedef struct fixture {
  ipfsa_blockstore *bs;
  ipfsa_blockstore_writer *w;
  ipfsa_pool *pool;
} fixture;

static int setup(void **state) {
  fixture *f = calloc(1, sizeof *f);
  if (ipfsa_memory_blockstore_new(&f->bs, NULL) || ipfsa_blockstore_begin(f->bs, &f->w, NULL) || ipfsa_pool_new(2, &f->pool, NULL)) return -1;
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture *f = *state;
  ipfsa_pool_free(f->pool);
  ipfsa_writer_close(f->w);
  ipfsa_blockstore_close(f->bs);
  free(f);
  return 0;
}

static void import(fixture *f, const ipfsa_import_params *p, const void *data, size_t len, ipfsa_pool *pool, ipfsa_dag_ref *ret) {
  ipfsa_error err = {0};
  ipfsa_importer *im = NULL;
  ipfsa_source *source = NULL;
  assert_ok(ipfsa_source_open_bytes(ipfsa_bytes_of(data, len), &source, &err));
  assert_ok(ipfsa_importer_new(p, f->w, pool, &im, &err));
  assert_ok(ipfsa_importer_file(im, source, NULL, NULL, NULL, NULL, NULL, ret, &err));
  ipfsa_importer_free(im);
  ipfsa_source_close(source);
}

static void expect(fixture *f, const ipfsa_import_params *p, const char *text, const char *cid, uint64_t tsize) {
  ipfsa_dag_ref ref;
  char got[IPFSA_MAX_CID_TEXT];
  import(f, p, text, strlen(text), NULL, &ref);
  ipfsa_cid_format(&ref.cid, got);
  assert_string_equal(got, cid);
  if (tsize) assert_int_equal(ref.tsize, tsize);
  assert_int_equal(ref.filesize, strlen(text));
}

static void worked_examples(void **state) {
  fixture *f = *state;
  ipfsa_import_params p = v0_params();
  expect(f, &p, "hello world", "Qmf412jQZiuVUtdgnB36FXFX7xg5V6KEbSJ4dpQuhkLyfD", 19);
  expect(f, &p, "", "QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH", 6);
  p = with(true, 1, "size-4", 2, IPFSA_LAYOUT_BALANCED);
  expect(f, &p, "abcdefghij", "bafybeieq2fgh5gw5av2gcdqw6skjgyrriaqnwtygdjted5xvprjbdgbp2m", 258);
  p = with(false, 0, "size-4", 2, IPFSA_LAYOUT_BALANCED);
  expect(f, &p, "abcdefghij", "QmYVowCugh8jbmxV9GApnDEUEaJk97v18xfXvV6PpHyfKt", 272);
  p = with(false, 0, "size-1", 2, IPFSA_LAYOUT_BALANCED);
  expect(f, &p, "abcdefghijklmnopqrstuvwxyz", "QmaCpn6BeLhZigM4KWRD8g6uWQViiK7eznhBFHJm9Uc6aG", 0);
  p = with(true, 1, "size-1", 2, IPFSA_LAYOUT_BALANCED);
  expect(f, &p, "abcdefghijklmnopqrstuvwxyz", "bafybeiegk6klif47rzzdxznjbhnqncqcj3n6wc3ciszyda3wp74f5qz4gi", 0);
  p = with(false, 0, "size-4", 2, IPFSA_LAYOUT_TRICKLE);
  expect(f, &p, "abcdefghij", "QmcaBNc1y2iDh9eiNHRWpgQUfWw81iWuDDDQaufBWHw4K8", 0);
  p = with(true, 1, "size-1", 2, IPFSA_LAYOUT_TRICKLE);
  expect(f, &p, "abcdefghijklmnopqrstuvwxyz", "bafybeihpcw37wfyh6qjhwgot3ewotefsyaid2qmjv5l76orrxuw6jnj2rq", 0);
  p = with(false, 0, "", 174, IPFSA_LAYOUT_TRICKLE);
  expect(f, &p, "hello world", "QmRa57sp5M1iouDtNoZscfeHi73JZFxsHpuqvNEug7zmq2", 0);
}

/* Every byte comes back, from any position, whatever the shape; with and without workers the CID is the same. */
static void what_goes_in_comes_out(void **state) {
  fixture *f = *state;
  static uint8_t data[9000000], back[9000000];
  test_shake128("round", data, sizeof data);
  static const char *const chunkers[] = {"size-1000", "size-262144", "size-1048576", "rabin-512-1024-2048", "buzhash"};
  static const size_t sizes[] = {0, 1, 999, 1000, 1001, 262145, 4194304, 4194305, 9000000};
  for (size_t c = 0; c < 5; c++)
    for (size_t s = 0; s < 9; s++)
      for (int layout = 0; layout < 2; layout++) {
        if (c == 0 && sizes[s] > 300000) continue;
        ipfsa_error err = {0};
        ipfsa_import_params p = with((s + c) % 2, 1, chunkers[c], 5, layout ? IPFSA_LAYOUT_TRICKLE : IPFSA_LAYOUT_BALANCED);
        ipfsa_dag_ref ref, again;
        import(f, &p, data, sizes[s], NULL, &ref);
        import(f, &p, data, sizes[s], f->pool, &again);
        assert_true(ipfsa_cid_equal(&ref.cid, &again.cid));
        assert_int_equal(ref.filesize, sizes[s]);
        ipfsa_file_reader *r = NULL;
        assert_ok(ipfsa_file_reader_open(f->bs, &ref.cid, &r, &err));
        assert_int_equal(ipfsa_file_reader_size(r), sizes[s]);
        if (s % 2) ipfsa_file_reader_use_pool(r, f->pool, s % 4 == 1);
        size_t n = 0;
        assert_ok(ipfsa_file_reader_read_at(r, back, sizeof back, 0, &n, &err));
        assert_int_equal(n, sizes[s]);
        assert_memory_equal(back, data, n);
        for (size_t k = 0; k < 20; k++) {
          uint64_t off = sizes[s] ? (k * 7919 * 977) % (sizes[s] + 3) : k;
          size_t want = (k * 313 * 1009) % 70000, expected = off >= sizes[s] ? 0 : sizes[s] - off < want ? sizes[s] - off : want;
          assert_ok(ipfsa_file_reader_read_at(r, back, want, off, &n, &err));
          assert_int_equal(n, expected);
          assert_memory_equal(back, data + off, n);
        }
        ipfsa_file_reader_close(r);
      }
}

/* A file of its own, more than all windows hold; each mebibyte is another. */
static void make_large(const char *path, size_t size) {
  FILE *out = fopen(path, "wb");
  assert_non_null(out);
  assert_int_equal(ftruncate(fileno(out), (off_t)size), 0);
  for (uint32_t i = 0; (size_t)i << 20 < size; i++) {
    assert_int_equal(fseek(out, (long)i << 20, SEEK_SET), 0);
    assert_int_equal(fwrite(&i, sizeof i, 1, out), 1);
  }
  assert_int_equal(fclose(out), 0);
}

typedef enum way { IN_ORDER, READ_AT, MAPPED, ONLY_HASHED, N_WAYS } way;

static void import_large(ipfsa_blockstore *bs, const ipfsa_import_params *p, const char *path, way how, unsigned n_threads, ipfsa_dag_ref *ret) {
  ipfsa_error err = {0};
  ipfsa_importer *im = NULL;
  ipfsa_source *source = NULL;
  ipfsa_pool *pool = NULL;
  ipfsa_blockstore_writer *w = NULL;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  assert_true(fd >= 0);
  assert_ok(ipfsa_source_open_fd(fd, true, path, &source, &err));
  if (how == IN_ORDER) source->read_at = NULL;
  source->map_fd = how >= MAPPED ? fd : -1;
  if (n_threads) assert_ok(ipfsa_pool_new(n_threads, &pool, &err));
  if (how != ONLY_HASHED) assert_ok(ipfsa_blockstore_begin(bs, &w, &err));
  assert_ok(ipfsa_importer_new(p, w, pool, &im, &err));
  assert_ok(ipfsa_importer_file(im, source, NULL, NULL, NULL, NULL, NULL, ret, &err));
  ipfsa_importer_free(im);
  if (w) ipfsa_writer_close(w);
  ipfsa_pool_free(pool);
  ipfsa_source_close(source);
}

/* The ring of slots goes round several times, with as many workers as it has slots for and with more. */
static void any_number_of_workers(void **state) {
  (void)state;
  static const unsigned threads[] = {0, 2, 11, 40};
  char *dir = test_temp_dir(), *path = NULL;
  assert_true(asprintf(&path, "%s/large", dir) > 0);
  make_large(path, (260u << 20) + 12345);
  static const char *const chunkers[] = {"size-262144", "size-65536"}; /* windows of 8 MiB and of 4 */
  for (size_t c = 0; c < 2; c++) {
    ipfsa_import_params p = with(true, 1, chunkers[c], 174, IPFSA_LAYOUT_BALANCED);
    ipfsa_dag_ref first, ref;
    for (way how = IN_ORDER; how < N_WAYS; how++)
      for (size_t t = c ? 2 : 0; t < sizeof threads / sizeof *threads; t++) {
        ipfsa_error err = {0};
        ipfsa_blockstore *bs = NULL;
        assert_ok(ipfsa_memory_blockstore_new(&bs, &err));
        import_large(bs, &p, path, how, threads[t], &ref);
        if (how == IN_ORDER && t == (c ? 2 : 0)) first = ref;
        assert_true(ipfsa_cid_equal(&ref.cid, &first.cid));
        assert_int_equal(ref.tsize, first.tsize);
        ipfsa_blockstore_close(bs);
      }
  }
  free(path);
  test_remove_tree(dir);
}

static void keystream(const char *seed, uint8_t *out, size_t len);

static void chunker_vectors(void **state) {
  (void)state;
  static const uint32_t buzhash[] = {137023, 140015, 322787, 212652, 349497, 258514, 449370, 413943, 147568, 398062, 152426, 405508, 190529, 238704, 269438, 108268};
  static const uint32_t rabin[] = {139123, 393216, 393216, 167593, 150438, 183762, 393216, 311571, 105060, 159419, 113196, 108097, 330210, 115523, 269097, 93451, 185644, 357239, 225233};
  static const uint32_t small[] = {2048, 1237, 2048, 729, 2048, 822, 535, 2048, 2048, 1409, 556, 856};
  static const uint32_t tiny[] = {51, 26, 128, 18, 19, 58, 48, 128, 97, 104, 66, 81, 94, 26, 33, 47};
  static const struct { const char *spec; size_t len; const uint32_t *cuts; size_t n; } cases[] = {
      {"buzhash", 4194304, buzhash, 16}, {"rabin", 4194304, rabin, 19}, {"rabin-512-1024-2048", 16384, small, 12}, {"rabin-16-64-128", 1024, tiny, 16}};
  static uint8_t data[4194304];
  keystream("chunk-vector", data, sizeof data);
  assert_int_equal(data[0], 0x7c);
  for (size_t c = 0; c < 4; c++) {
    ipfsa_chunker_spec spec;
    assert_int_equal(ipfsa_chunker_parse(cases[c].spec, &spec, NULL), IPFSA_OK);
    size_t at = 0, i = 0;
    for (; at < cases[c].len; i++) {
      size_t n = ipfsa_chunker_cut(&spec, data + at, cases[c].len - at);
      assert_true(i < cases[c].n);
      assert_int_equal(n, cases[c].cuts[i]);
      at += n;
    }
    assert_int_equal(i, cases[c].n);
  }
}

static void chunker_errors(void **state) {
  (void)state;
  static const struct { const char *spec, *error; } bad[] = {{"size-0", "chunker size must be greater than 0"},
      {"size-2096897", "chunker parameters may not exceed the maximum chunk size of 2096896"}, {"size-abc", NULL}, {"rabin-15-64-128", NULL},
      {"rabin-64-64-128", "incorrect format: rabin-min must be smaller than rabin-avg"}, {"rabin-16-128-128", "incorrect format: rabin-avg must be smaller than rabin-max"},
      {"rabin-47", NULL}, {"nope", "unrecognized chunker option: nope"}, {"rabin-1-2-3-4", NULL}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ipfsa_chunker_spec spec;
    ipfsa_error err = {0};
    assert_status(ipfsa_chunker_parse(bad[i].spec, &spec, &err), IPFSA_E_INVALID);
    if (bad[i].error) assert_string_equal(err.message, bad[i].error);
  }
  ipfsa_chunker_spec spec;
  assert_int_equal(ipfsa_chunker_parse("size-2096896", &spec, NULL), IPFSA_OK);
  assert_int_equal(ipfsa_chunker_parse("rabin-min:16-avg:64-max:128", &spec, NULL), IPFSA_OK);
  assert_int_equal(ipfsa_chunker_parse("rabin-48", &spec, NULL), IPFSA_OK);
}

static void add_file(fixture *f, const ipfsa_import_params *p, ipfsa_dir_builder *b, const char *name, const char *text) {
  ipfsa_error err = {0};
  ipfsa_dag_ref ref;
  import(f, p, text, strlen(text), NULL, &ref);
  assert_ok(ipfsa_dir_builder_add(b, ipfsa_bytes_str(name), &ref.cid, ref.tsize, &err));
}

static int count_entry(void *ctx, const ipfsa_dir_entry *entry) {
  (void)entry;
  ++*(size_t *)ctx;
  return 0;
}

static void directories(void **state) {
  fixture *f = *state;
  static const struct { uint32_t fanout; uint64_t threshold; unsigned version; bool raw; const char *cid; uint64_t tsize; const char *names[4]; } cases[] = {
      {256, 262144, 1, true, "bafybeig6euq72xhxyspkerxhxuoz3e3xgc2c24n5qszo4jo5f2wlhxwzvm", 0, {"b.txt", "a.txt"}},
      {256, 262144, 0, false, "QmNZcGX4m7PeUTQjRbAncRRygd2xwaBTqsBkxd233fEsEB", 0, {"a.txt", "b.txt"}},
      {256, 1, 1, true, "bafybeihgcpdcxs2xqipgevx7drkvd5tms4btoc2wwy23p34wrxff3x4u54", 189, {"470.txt", "a.txt", "b.txt"}},
      {8, 1, 1, true, "bafybeigamn4mnulozuuders54vlwm5465noae6nxc23natcyjhy7pfuvby", 0, {"a.txt", "b.txt", "c.txt"}}};
  for (size_t c = 0; c < 4; c++) {
    ipfsa_error err = {0};
    ipfsa_import_params p = with(cases[c].raw, cases[c].version, "", 174, IPFSA_LAYOUT_BALANCED);
    p.hamt_fanout = cases[c].fanout;
    p.hamt_threshold = cases[c].threshold;
    ipfsa_dir_builder *b = NULL;
    assert_ok(ipfsa_dir_builder_new(&p, NULL, &b, &err));
    size_t n = 0;
    for (; n < 4 && cases[c].names[n]; n++)
      add_file(f, &p, b, cases[c].names[n], cases[c].names[n][0] == 'a' || cases[c].names[n][0] == 'c' ? "A\n" : "B\n");
    ipfsa_dag_ref ref;
    char got[IPFSA_MAX_CID_TEXT];
    assert_ok(ipfsa_dir_builder_finish(b, f->w, &ref, &err));
    ipfsa_cid_format(&ref.cid, got);
    assert_string_equal(got, cases[c].cid);
    if (cases[c].tsize) assert_int_equal(ref.tsize, cases[c].tsize);
    size_t listed = 0;
    assert_ok(ipfsa_dir_list(f->bs, &ref.cid, count_entry, &listed, &err));
    assert_int_equal(listed, n);
    for (size_t i = 0; i < n; i++) {
      ipfsa_dir_entry entry;
      assert_ok(ipfsa_dir_find(f->bs, &ref.cid, ipfsa_bytes_str(cases[c].names[i]), &entry, &err));
    }
    ipfsa_dir_entry entry;
    assert_status(ipfsa_dir_find(f->bs, &ref.cid, ipfsa_bytes_str("nope"), &entry, &err), IPFSA_E_NOT_FOUND);
    ipfsa_dir_builder_free(b);
  }
}

/* Setting and removing names one by one gives what building from the entries gives, over the threshold and back. */
static void editing_equals_building(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_import_params p = with(true, 1, "", 174, IPFSA_LAYOUT_BALANCED);
  p.hamt_threshold = 600;
  p.hamt_fanout = 8;
  ipfsa_dag_ref file, dir, built;
  import(f, &p, "x", 1, NULL, &file);
  ipfsa_dir_builder *b = NULL;
  assert_ok(ipfsa_dir_builder_new(&p, NULL, &b, &err));
  assert_ok(ipfsa_dir_builder_finish(b, f->w, &dir, &err));
  for (int step = 0; step < 60; step++) {
    char name[16];
    bool remove = step >= 30;
    snprintf(name, sizeof name, "n%d", (step % 30) * 7 % 30);
    ipfsa_dag_ref next;
    assert_ok(ipfsa_dir_set(f->bs, f->w, &p, &dir.cid, ipfsa_bytes_str(name), remove ? NULL : &file, &next, &err));
    dir = next;
    if (remove) assert_ok(ipfsa_dir_builder_remove(b, ipfsa_bytes_str(name), &err));
    else assert_ok(ipfsa_dir_builder_add(b, ipfsa_bytes_str(name), &file.cid, file.tsize, &err));
    assert_ok(ipfsa_dir_builder_finish(b, f->w, &built, &err));
    assert_true(ipfsa_cid_equal(&dir.cid, &built.cid));
    assert_int_equal(dir.tsize, built.tsize);
  }
  ipfsa_dir_builder_free(b);
}

static void hostile_shards(void **state) {
  fixture *f = *state;
  static const uint64_t fanouts[] = {0, 3, 4, 7, 12, 2048, (uint64_t)1 << 20, (uint64_t)1 << 63};
  for (size_t i = 0; i < sizeof fanouts / sizeof *fanouts; i++) {
    ipfsa_error err = {0};
    ipfsa_buf message = {0}, block = {0};
    ipfsa_buf_unixfs_hamt(&message, (ipfsa_bytes){0}, fanouts[i], NULL);
    ipfsa_buf_pb_data(&block, ipfsa_buf_bytes(&message));
    ipfsa_import_params p = v0_params();
    ipfsa_cid cid;
    size_t n = 0;
    assert_ok(ipfsa_params_put(&p, f->w, IPFSA_CODEC_DAG_PB, ipfsa_buf_bytes(&block), &cid, &err));
    assert_status(ipfsa_dir_list(f->bs, &cid, count_entry, &n, &err), IPFSA_E_NOT_UNIXFS);
    ipfsa_buf_release(&message);
    ipfsa_buf_release(&block);
  }
}

static void bad_messages(void **state) {
  (void)state;
  static const char *const bad[] = {"0a050001020304", "0a00", "0a03010203", "120b0a09015500050001020304", "0a02080a", "0a0408021801", "0a0408022001", "0a060802420208" };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    uint8_t data[64];
    ipfsa_pbnode node;
    ipfsa_unixfs u;
    ipfsa_error err = {0};
    if (ipfsa_unixfs_decode_block(ipfsa_bytes_of(data, test_hex(bad[i], data)), &node, &u, &err) == IPFSA_OK) fail_msg("%s must be refused", bad[i]);
  }
}

static void memory_may_run_out(void **state) {
  fixture *f = *state;
  static uint8_t data[700000];
  test_shake128("oom", data, sizeof data);
  ipfsa_import_params p = with(false, 0, "size-100000", 3, IPFSA_LAYOUT_BALANCED);
  for (uint64_t n = 1;; n++) {
    ipfsa_importer *im = NULL;
    ipfsa_source *source = NULL;
    ipfsa_dag_ref ref;
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, 0});
    ipfsa_status status = ipfsa_source_open_bytes(ipfsa_bytes_of(data, sizeof data), &source, NULL);
    if (status == IPFSA_OK) status = ipfsa_importer_new(&p, f->w, f->pool, &im, NULL);
    if (status == IPFSA_OK) status = ipfsa_importer_file(im, source, NULL, NULL, NULL, NULL, NULL, &ref, NULL);
    bool fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    ipfsa_importer_free(im);
    ipfsa_source_close(source);
    if (!fired) {
      assert_int_equal(status, IPFSA_OK);
      break;
    }
    assert_int_equal(status, IPFSA_E_NOMEM);
  }
}

#include <openssl/evp.h>
static void keystream(const char *seed, uint8_t *out, size_t len) {
  uint8_t key[32], nonce[16] = {0};
  int n = 0;
  EVP_Digest(seed, strlen(seed), key, NULL, EVP_sha256(), NULL);
  EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
  memset(out, 0, len);
  EVP_EncryptInit_ex(ctx, EVP_chacha20(), NULL, key, nonce);
  EVP_EncryptUpdate(ctx, out, &n, out, (int)len);
  EVP_CIPHER_CTX_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(worked_examples, setup, teardown),
      cmocka_unit_test_setup_teardown(what_goes_in_comes_out, setup, teardown),
      cmocka_unit_test(any_number_of_workers),
      cmocka_unit_test(chunker_vectors),
      cmocka_unit_test(chunker_errors),
      cmocka_unit_test_setup_teardown(directories, setup, teardown),
      cmocka_unit_test_setup_teardown(editing_equals_building, setup, teardown),
      cmocka_unit_test_setup_teardown(hostile_shards, setup, teardown),
      cmocka_unit_test(bad_messages),
      cmocka_unit_test_setup_teardown(memory_may_run_out, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
