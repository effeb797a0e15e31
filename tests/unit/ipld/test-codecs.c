#include <jansson.h>

#include "../support.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "ipld/dagpb.h"
#include "ipld/value.h"

/* Every fixture: decode, encode back to the same bytes, and each value of one name into every codec that has it. */
static void public_fixtures(void **state) {
  (void)state;
  const char *path = test_shared_vector("codec-fixtures.jsonl");
  if (!path) {
    print_message("skipped: codec-fixtures.jsonl is not beside this clone\n");
    skip();
  }
  FILE *file = fopen(path, "r");
  char *line = NULL;
  size_t cap = 0, n = 0, rejected = 0, converted = 0;
  struct { char *name; uint64_t codec; uint8_t *data; size_t len; } all[400];
  size_t n_all = 0;
  while (getline(&line, &cap, file) > 0) {
    ipfsa_error err = {0};
    json_t *row = json_loads(line, 0, NULL);
    const char *name = json_string_value(json_object_get(row, "name"));
    const char *hex = json_string_value(json_object_get(row, "hex"));
    uint8_t *data = malloc(strlen(hex) / 2 + 1);
    size_t len = test_hex(hex, data);
    uint64_t codec = 0;
    assert_true(ipfsa_codec_from_string(json_string_value(json_object_get(row, "codec")), &codec));
    ipfsa_value value = {0};
    ipfsa_status status = ipfsa_value_decode(codec, ipfsa_bytes_of(data, len), &value, &err);
    if (json_is_true(json_object_get(row, "reject"))) {
      ipfsa_buf back = {0};
      if (status == IPFSA_OK) fail_msg("%s (%s) must be refused", name, hex);
      ipfsa_buf_release(&back);
      ipfsa_value_release(&value);
      rejected++;
      free(data);
    } else {
      if (status) fail_msg("%s %s: %s", name, hex, err.message);
      ipfsa_buf back = {0};
      assert_ok(ipfsa_value_encode(codec, &value, 0, &back, &err));
      if (back.len != len || memcmp(back.data, data, len) != 0) fail_msg("%s: %s came back as %.*s", name, hex, (int)back.len, back.data);
      ipfsa_buf_release(&back);
      ipfsa_value_release(&value);
      const char *cid_text = json_string_value(json_object_get(row, "cid"));
      ipfsa_cid cid;
      assert_ok(ipfsa_cid_parse(cid_text, strlen(cid_text), &cid, &err));
      assert_ok(ipfsa_cid_verify(&cid, ipfsa_bytes_of(data, len), &err));
      assert_true(n_all < 400);
      all[n_all].name = strdup(name);
      all[n_all].codec = codec;
      all[n_all].data = data;
      all[n_all++].len = len;
    }
    json_decref(row);
    n++;
  }
  for (size_t i = 0; i < n_all; i++)
    for (size_t j = 0; j < n_all; j++) {
      if (i == j || strcmp(all[i].name, all[j].name) != 0) continue;
      ipfsa_error err = {0};
      ipfsa_value value = {0};
      ipfsa_buf out = {0};
      assert_ok(ipfsa_value_decode(all[i].codec, ipfsa_bytes_of(all[i].data, all[i].len), &value, &err));
      assert_ok(ipfsa_value_encode(all[j].codec, &value, 0, &out, &err));
      if (out.len != all[j].len || memcmp(out.data, all[j].data, out.len) != 0)
        fail_msg("%s: from %s to %s", all[i].name, ipfsa_codec_to_string(all[i].codec), ipfsa_codec_to_string(all[j].codec));
      ipfsa_buf_release(&out);
      ipfsa_value_release(&value);
      converted++;
    }
  for (size_t i = 0; i < n_all; i++) free(all[i].name), free(all[i].data);
  free(line);
  fclose(file);
  print_message("%zu fixtures, %zu refused, %zu conversions\n", n, rejected, converted);
  assert_true(n > 280 && rejected > 0 && converted > 100);
}

static ipfsa_status decode_hex(uint64_t codec, const char *hex) {
  uint8_t data[256];
  ipfsa_value value = {0};
  ipfsa_status status = ipfsa_value_decode(codec, ipfsa_bytes_of(data, test_hex(hex, data)), &value, NULL);
  ipfsa_value_release(&value);
  return status;
}

static void what_dagcbor_refuses(void **state) {
  (void)state;
  static const char *const bad[] = {"1800", "190001", "1a00000001", "1b0000000000000001", "9fff", "bf", "c100", "d82a4100", "d82a420055", "f7", "f90000",
      "fa3f800000", "fb7ff0000000000000", "fb7ff8000000000000", "a1616101a0", "a2616201616101", "a2616101616102", "a10101", "8201", "62c328", "e0", "", "0000"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (decode_hex(IPFSA_CODEC_DAG_CBOR, bad[i]) == IPFSA_OK) fail_msg("%s must be refused", bad[i]);
  assert_int_equal(decode_hex(IPFSA_CODEC_DAG_CBOR, "a26162016261610a"), IPFSA_OK);
}

static void nesting_has_a_limit(void **state) {
  (void)state;
  for (int cbor = 0; cbor < 2; cbor++)
    for (size_t depth = IPFSA_MAX_NESTING; depth <= IPFSA_MAX_NESTING + 1; depth++) {
      uint8_t data[2 * IPFSA_MAX_NESTING + 8];
      memset(data, cbor ? 0x81 : '[', depth);
      data[depth] = cbor ? 0x01 : '1';
      if (!cbor) memset(data + depth + 1, ']', depth);
      ipfsa_value value = {0};
      ipfsa_status status = ipfsa_value_decode(cbor ? IPFSA_CODEC_DAG_CBOR : IPFSA_CODEC_DAG_JSON,
                                               ipfsa_bytes_of(data, cbor ? depth + 1 : 2 * depth + 1), &value, NULL);
      assert_int_equal(status, depth <= IPFSA_MAX_NESTING ? IPFSA_OK : IPFSA_E_LIMIT);
      ipfsa_value_release(&value);
    }
}

static void pb_blocks(void **state) {
  (void)state;
  /* malformed: repeated Data, links on both sides, fields out of order, unknown field, missing Hash, lengths past the end */
  static const char *const bad[] = {"0a000a00", "12060a04015500000a0012060a0401550000", "12081800120000", "1a00", "08010a00", "1200", "12020a00", "0a05", "120b0a0901"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    uint8_t data[64];
    ipfsa_pbnode node;
    ipfsa_error err = {0};
    if (ipfsa_pbnode_decode(ipfsa_bytes_of(data, test_hex(bad[i], data)), &node, &err) == IPFSA_OK) fail_msg("%s must be refused", bad[i]);
    assert_true(err.message[0]);
  }
  ipfsa_pbnode node;
  ipfsa_error err = {0};
  assert_ok(ipfsa_pbnode_decode((ipfsa_bytes){0}, &node, &err));
  assert_true(!node.has_data && node.n_links == 0);
}

static void json_values(void **state) {
  (void)state;
  static const struct { const char *in, *out; } good[] = {{" [1 , 2.5,-0.0, 1e21, 1e-7] ", "[1,2.5,-0.0,1e+21,1e-7]"}, {"{\"b\":1,\"a\":{\"/\":5}}", "{\"a\":{\"/\":5},\"b\":1}"},
      {"{\"/\":{\"bytes\":\"AQI=\"}}", "{\"/\":{\"bytes\":\"AQI\"}}"}, {"\"\\u00e4\\ud83d\\ude80\\b\"", "\"\xc3\xa4\xf0\x9f\x9a\x80\\u0008\""}, {"-18446744073709551616", "-18446744073709551616"},
      {"1.0", "1.0"}, {"123456.789e3", "123456789.0"}};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    ipfsa_error err = {0};
    ipfsa_value value = {0};
    ipfsa_buf out = {0};
    assert_ok(ipfsa_value_decode(IPFSA_CODEC_DAG_JSON, ipfsa_bytes_str(good[i].in), &value, &err));
    assert_ok(ipfsa_value_encode(IPFSA_CODEC_DAG_JSON, &value, 0, &out, &err));
    assert_string_equal(ipfsa_buf_cstr(&out), good[i].out);
    ipfsa_buf_release(&out);
    ipfsa_value_release(&value);
  }
  static const char *const bad[] = {"", "[1,]", "{\"a\":1,\"a\":2}", "01", "1.", "[1 2]", "{\"/\":\"bafkqaaa\",\"x\":1}", "{\"/\":{\"bytes\":\"AQI\",\"x\":1}}",
      "\"\\ud800\"", "\"\x01\"", "nul", "18446744073709551616", "1e999", "[1] 2", "{\"/\":\"nocid\"}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ipfsa_value value = {0};
    if (ipfsa_value_decode(IPFSA_CODEC_DAG_JSON, ipfsa_bytes_str(bad[i]), &value, NULL) == IPFSA_OK) fail_msg("%s must be refused", bad[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(public_fixtures), cmocka_unit_test(what_dagcbor_refuses),
                                     cmocka_unit_test(nesting_has_a_limit), cmocka_unit_test(pb_blocks), cmocka_unit_test(json_values)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
