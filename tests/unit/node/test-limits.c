/* docs/LIMITS.md, row by row: what is at a limit is taken, what is one past it is refused with E_LIMIT (or the status that the row names). Rows
 * that are tested elsewhere say where. */
#include <ipfsa/read.h>

#include "car/car.h"
#include "codec/varint.h"
#include "config/config.h"
#include "dag_fixture.h"
#include "ipld/dagpb.h"
#include "ipld/value.h"
#include "node/files.h"
#include "node/path.h"
#include "unixfs/directory.h"
#include "unixfs/layout.h"
#include "unixfs/reader.h"

static ipfsa_buf buf_of(size_t max) { return (ipfsa_buf){.max = max}; }

static void digests(void **state) {
  (void)state;
  ipfsa_error err = {0};
  static const struct {
    uint64_t code;
    uint8_t len;
    bool good;
  } rows[] = {{IPFSA_HASH_BLAKE3, IPFSA_MIN_DIGEST, true}, {IPFSA_HASH_BLAKE3, IPFSA_MIN_DIGEST - 1, false}, {IPFSA_HASH_BLAKE3, IPFSA_MAX_DIGEST, true},
              {IPFSA_HASH_IDENTITY, 0, true},              {IPFSA_HASH_IDENTITY, IPFSA_MAX_DIGEST, true}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ipfsa_cid cid = {.codec = IPFSA_CODEC_RAW, .version = 1, .defined = true, .mh = {rows[i].code, rows[i].len, {0}}};
    assert_int_equal(ipfsa_cid_check_allowed(&cid, &err), rows[i].good ? IPFSA_OK : IPFSA_E_DENIED);
  }
  uint8_t bytes[4 + 130] = {1, 0x55, 0, 0x80, 1}; /* an identity CID of 128 bytes; its length takes two */
  ipfsa_cid cid;
  assert_ok(ipfsa_cid_decode(ipfsa_bytes_of(bytes, 5 + 128), &cid, &err));
  bytes[3] = 0x81;
  assert_int_not_equal(ipfsa_cid_decode(ipfsa_bytes_of(bytes, 5 + 129), &cid, &err), IPFSA_OK);
}

static void varints(void **state) {
  (void)state;
  uint64_t v;
  uint8_t nine[] = {255, 255, 255, 255, 255, 255, 255, 255, 127}, ten[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 1};
  uint8_t eleven[] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 129, 0}, padded[] = {0x80, 0};
  ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(nine, sizeof nine));
  assert_true(ipfsa_cursor_varint(&c, &v) && v == INT64_MAX);
  c = ipfsa_cursor_over(ipfsa_bytes_of(ten, sizeof ten));
  assert_false(ipfsa_cursor_varint(&c, &v));
  assert_true(ipfsa_cursor_pb_varint(&c, &v) && v == UINT64_MAX);
  c = ipfsa_cursor_over(ipfsa_bytes_of(eleven, sizeof eleven));
  assert_false(ipfsa_cursor_pb_varint(&c, &v));
  c = ipfsa_cursor_over(ipfsa_bytes_of(padded, sizeof padded));
  assert_false(ipfsa_cursor_varint(&c, &v));
}

static void text_of_a_cid(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_cid cid;
  char text[IPFSA_MAX_CID_TEXT + 1];
  memset(text, '0', sizeof text); /* base2 */
  assert_int_equal(ipfsa_cid_parse(text, IPFSA_MAX_CID_TEXT, &cid, &err), IPFSA_E_LIMIT);
  assert_int_equal(ipfsa_cid_parse(text, IPFSA_MAX_CID_TEXT - 1, &cid, &err), IPFSA_E_MALFORMED); /* taken, and no CID */
}

static void items_of_a_value(void **state) {
  (void)state;
  for (unsigned past = 0; past < 2; past++) {
    ipfsa_error err = {0};
    size_t n = IPFSA_MAX_VALUE_ITEMS - 1 + past; /* and the list itself */
    ipfsa_buf cbor = buf_of(8u << 20), json = buf_of(8u << 20);
    ipfsa_value value = {0};
    ipfsa_buf_u8(&cbor, 0x9a);
    ipfsa_buf_u32be(&cbor, (uint32_t)n);
    ipfsa_buf_fill(&cbor, 0, n);
    ipfsa_buf_u8(&json, '[');
    for (size_t i = 0; i < n; i++) ipfsa_buf_append(&json, i ? ",1" : "1", i ? 2 : 1);
    ipfsa_buf_u8(&json, ']');
    assert_status(ipfsa_value_decode(IPFSA_CODEC_DAG_CBOR, ipfsa_buf_bytes(&cbor), &value, &err), past ? IPFSA_E_LIMIT : IPFSA_OK);
    ipfsa_value_release(&value);
    assert_status(ipfsa_value_decode(IPFSA_CODEC_DAG_JSON, ipfsa_buf_bytes(&json), &value, &err), past ? IPFSA_E_LIMIT : IPFSA_OK);
    ipfsa_value_release(&value);
    ipfsa_buf_release(&cbor);
    ipfsa_buf_release(&json);
  }
}

static void links_of_a_node(void **state) {
  (void)state;
  for (unsigned past = 0; past < 2; past++) {
    ipfsa_error err = {0};
    ipfsa_buf block = buf_of(8u << 20);
    ipfsa_pbnode node;
    for (unsigned i = 0; i < IPFSA_MAX_PB_LINKS + past; i++) ipfsa_buf_append(&block, "\x12\x06\x0a\x04\x01\x55\x00\x00", 8); /* identity, empty */
    assert_ok(ipfsa_buf_status(&block, &err));
    assert_status(ipfsa_pbnode_decode(ipfsa_buf_bytes(&block), &node, &err), past ? IPFSA_E_LIMIT : IPFSA_OK);
    ipfsa_buf_release(&block);
  }
}

static ipfsa_status read_car(ipfsa_bytes in, uint64_t *ret_blocks, ipfsa_error *err) {
  ipfsa_car_reader r = {0};
  ipfsa_car_event event = IPFSA_CAR_NEED;
  ipfsa_status status = ipfsa_car_reader_feed(&r, in, err);
  bool ended = false;
  while (status == IPFSA_OK && event != IPFSA_CAR_END) {
    status = ipfsa_car_reader_next(&r, &event, err);
    if (status == IPFSA_OK && event == IPFSA_CAR_NEED) {
      if (ended) break;
      ended = true;
      status = ipfsa_car_reader_feed(&r, (ipfsa_bytes){0}, err);
    }
  }
  *ret_blocks = r.n_blocks;
  ipfsa_car_reader_release(&r);
  return status;
}

static void put_car_header(ipfsa_buf *out, uint16_t n_roots) {
  ipfsa_buf header = buf_of(8u << 20);
  ipfsa_buf_append(&header, "\xa2\x65roots\x99", 8);
  ipfsa_buf_u8(&header, (uint8_t)(n_roots >> 8));
  ipfsa_buf_u8(&header, (uint8_t)n_roots);
  for (uint32_t i = 0; i < n_roots; i++) ipfsa_buf_append(&header, "\xd8\x2a\x45\x00\x01\x55\x00\x00", 8);
  ipfsa_buf_append(&header, "\x67version\x01", 9);
  ipfsa_buf_varint(out, header.len);
  ipfsa_buf_append_bytes(out, ipfsa_buf_bytes(&header));
  ipfsa_buf_release(&header);
}

static void parts_of_a_car(void **state) {
  (void)state;
  for (unsigned past = 0; past < 2; past++) {
    ipfsa_error err = {0};
    uint64_t n;
    ipfsa_buf car = buf_of(16u << 20);
    ipfsa_buf_append(&car, "\x3a\xa2\x65roots\x81\xd8\x2a\x58\x25\x00\x01\x55\x12\x20", 18);
    ipfsa_buf_fill(&car, 7, 32);
    ipfsa_buf_append(&car, "\x67version\x01", 9);
    car.data[0] = (uint8_t)(car.len - 1);
    ipfsa_buf_varint(&car, IPFSA_MAX_CAR_SECTION + past);
    ipfsa_buf_append(&car, "\x01\x55\x12\x20", 4);
    ipfsa_buf_fill(&car, 7, IPFSA_MAX_CAR_SECTION + past - 4);
    assert_status(read_car(ipfsa_buf_bytes(&car), &n, &err), past ? IPFSA_E_LIMIT : IPFSA_OK);
    assert_int_equal(n, !past);
    ipfsa_buf_release(&car);
    car = buf_of(16u << 20);
    ipfsa_buf_varint(&car, IPFSA_MAX_CAR_HEADER + past);
    ipfsa_buf_fill(&car, 0xff, IPFSA_MAX_CAR_HEADER + past);
    ipfsa_status status = read_car(ipfsa_buf_bytes(&car), &n, &err);
    if (past) assert_int_equal(status, IPFSA_E_LIMIT);
    else assert_true(status && status != IPFSA_E_LIMIT); /* it is read, and is no header */
    ipfsa_buf_release(&car);
    car = buf_of(16u << 20);
    put_car_header(&car, (uint16_t)(IPFSA_MAX_CAR_ROOTS + past));
    assert_status(read_car(ipfsa_buf_bytes(&car), &n, &err), past ? IPFSA_E_LIMIT : IPFSA_OK);
    ipfsa_buf_release(&car);
  }
}

static void parts_of_a_configuration(void **state) {
  (void)state;
  for (unsigned past = 0; past < 2; past++) {
    ipfsa_error err = {0};
    ipfsa_config *config = NULL;
    ipfsa_buf toml = buf_of(4u << 20);
    ipfsa_buf_fill(&toml, '#', IPFSA_MAX_CONFIG + past);
    assert_status(ipfsa_config_parse((char *)toml.data, toml.len, "t", &config, &err), past ? IPFSA_E_LIMIT : IPFSA_OK);
    ipfsa_config_free(config);
    config = NULL;
    ipfsa_buf_clear(&toml);
    for (unsigned i = 0; i < IPFSA_MAX_CONFIG_KEYS - 1 + past; i++) ipfsa_buf_printf(&toml, "%sk%u=1\n", i ? "" : "[mine]\n", i); /* and the table itself */
    assert_status(ipfsa_config_parse((char *)toml.data, toml.len, "t", &config, &err), past ? IPFSA_E_LIMIT : IPFSA_OK);
    ipfsa_config_free(config);
    config = NULL;
    ipfsa_buf_clear(&toml);
    ipfsa_buf_str(&toml, "[mine");
    for (unsigned i = 0; i < IPFSA_MAX_CONFIG_DEPTH - 2 + past; i++) ipfsa_buf_str(&toml, ".t"); /* the root is one, [mine] another */
    ipfsa_buf_str(&toml, "]\nk = 1\n");
    assert_status(ipfsa_config_parse((char *)toml.data, toml.len, "t", &config, &err), past ? IPFSA_E_LIMIT : IPFSA_OK);
    ipfsa_config_free(config);
    ipfsa_buf_release(&toml);
  }
}

static void paths_and_names(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_cid cid;
  ipfsa_files_path path;
  char text[2 * IPFSA_MAX_PATH] = "bafkqaaa";
  size_t head = strlen(text);
  memset(text + head, '/', sizeof text - head);
  text[IPFSA_MAX_PATH - 1] = '\0';
  assert_ok(ipfsa_path_parse(NULL, text, &cid, &err));
  text[IPFSA_MAX_PATH - 1] = '/';
  text[IPFSA_MAX_PATH] = '\0';
  assert_status(ipfsa_path_parse(NULL, text, &cid, &err), IPFSA_E_LIMIT);
  for (unsigned past = 0; past < 2; past++) {
    text[head] = '\0';
    for (unsigned i = 0; i < IPFSA_MAX_PATH_SEGMENTS + past; i++) strcat(text, "/s");
    assert_status(ipfsa_path_parse(NULL, text, &cid, &err), past ? IPFSA_E_LIMIT : IPFSA_OK);
    assert_status(ipfsa_files_parse(text + head, &path, &err), past ? IPFSA_E_LIMIT : IPFSA_OK);
    memset(text, 'n', sizeof text);
    text[0] = '/';
    text[1 + IPFSA_MAX_NAME + past] = '\0';
    assert_status(ipfsa_files_parse(text, &path, &err), past ? IPFSA_E_LIMIT : IPFSA_OK);
    strcpy(text, "bafkqaaa");
  }
}

static void names_of_a_folder(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char name[IPFSA_MAX_NAME + 1];
  ipfsa_import_params params = {.cid_version = 1, .hash = IPFSA_HASH_SHA2_256, .hamt_fanout = 256};
  ipfsa_dir_builder *b = NULL;
  ipfsa_cid cid = {.codec = IPFSA_CODEC_RAW, .version = 1, .defined = true};
  memset(name, 'n', sizeof name);
  assert_ok(ipfsa_dir_builder_new(&params, NULL, &b, &err));
  assert_ok(ipfsa_dir_builder_add(b, ipfsa_bytes_of(name, IPFSA_MAX_NAME), &cid, 1, &err));
  assert_status(ipfsa_dir_builder_add(b, ipfsa_bytes_of(name, IPFSA_MAX_NAME + 1), &cid, 1, &err), IPFSA_E_LIMIT);
  ipfsa_dir_builder_free(b);
}

static void chunks(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_chunker_spec spec;
  assert_ok(ipfsa_chunker_parse("size-2096896", &spec, &err));
  assert_int_not_equal(ipfsa_chunker_parse("size-2096897", &spec, &err), IPFSA_OK);
  assert_int_not_equal(ipfsa_chunker_parse("size-0", &spec, &err), IPFSA_OK);
}

/* A file of one byte below n nodes with one link each. */
static ipfsa_status read_deep(fixture *f, unsigned n) {
  ipfsa_error err = {0};
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_cid at;
  uint8_t byte;
  size_t len = 0;
  ipfsa_file_reader *r = NULL;
  assert_ok(ipfsa_blockstore_begin(f->node.bs, &w, &err));
  assert_ok(put_block(w, IPFSA_CODEC_RAW, ipfsa_bytes_of("x", 1), &at, &err));
  for (unsigned i = 0; i < n; i++) {
    ipfsa_buf message = {0}, block = {0};
    uint8_t cid[IPFSA_MAX_CID];
    ipfsa_buf_unixfs_file(&message, 1, (const uint64_t[]){1}, 1, NULL);
    ipfsa_buf_pb_link(&block, &(ipfsa_pb_link){{cid, ipfsa_cid_encode(&at, cid)}, {0}, 1, true, true});
    ipfsa_buf_pb_data(&block, ipfsa_buf_bytes(&message));
    assert_ok(put_block(w, IPFSA_CODEC_DAG_PB, ipfsa_buf_bytes(&block), &at, &err));
    ipfsa_buf_release(&message);
    ipfsa_buf_release(&block);
  }
  assert_ok(ipfsa_writer_commit(w, &err));
  ipfsa_writer_close(w);
  ipfsa_status status = ipfsa_file_reader_open(f->node.bs, &at, &r, &err);
  if (status == IPFSA_OK) status = ipfsa_file_reader_read_at(r, &byte, 1, 0, &len, &err);
  if (status == IPFSA_OK) assert_true(len == 1 && byte == 'x');
  ipfsa_file_reader_close(r);
  return status;
}

static void depth_of_a_file(void **state) {
  (void)state;
  fixture *f = fixture_new();
  unsigned deepest = 0;
  for (unsigned n = IPFSA_MAX_FILE_DEPTH - 2; n <= IPFSA_MAX_FILE_DEPTH + 2; n++)
    if (read_deep(f, n) == IPFSA_OK) deepest = n;
  assert_in_range(deepest, IPFSA_MAX_FILE_DEPTH - 1, IPFSA_MAX_FILE_DEPTH); /* the leaf counts as a level */
  assert_int_not_equal(read_deep(f, deepest + 1), IPFSA_OK);
  fixture_free(f);
}

static void blocks(void **state) {
  (void)state;
  ipfsa_error err = {0};
  fixture *f = fixture_new();
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_cid cid;
  uint8_t *data = calloc(IPFSA_MAX_BLOCK + 1, 1);
  assert_ok(ipfsa_blockstore_begin(f->node.bs, &w, &err));
  assert_ok(put_block(w, IPFSA_CODEC_RAW, ipfsa_bytes_of(data, IPFSA_MAX_BLOCK), &cid, &err));
  assert_status(put_block(w, IPFSA_CODEC_RAW, ipfsa_bytes_of(data, IPFSA_MAX_BLOCK + 1), &cid, &err), IPFSA_E_LIMIT);
  ipfsa_writer_close(w);
  free(data);
  fixture_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(digests),           cmocka_unit_test(varints),         cmocka_unit_test(text_of_a_cid),   cmocka_unit_test(items_of_a_value),
      cmocka_unit_test(links_of_a_node),   cmocka_unit_test(parts_of_a_car),  cmocka_unit_test(parts_of_a_configuration),
      cmocka_unit_test(paths_and_names),   cmocka_unit_test(names_of_a_folder), cmocka_unit_test(chunks),
      cmocka_unit_test(depth_of_a_file),   cmocka_unit_test(blocks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
