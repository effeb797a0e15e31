#include "../support.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/fault.h"
#include "checkpoint/safetensors.h"
#include "memory.h"

typedef struct file {
  ipfsa_tensors tensors;
  ipfsa_pairs metadata;
  uint64_t data;
  ipfsa_error err;
} file;

static ipfsa_status parse_bytes(file *f, const void *bytes, size_t len) {
  memory_source m = memory_of(bytes, len);
  *f = (file){0};
  return ipfsa_safetensors_parse(&m.base, len, &f->tensors, &f->data, &f->metadata, &f->err);
}

/* ⟨length⟩ header, then n_data zero bytes. */
static ipfsa_status parse(file *f, const void *header, size_t header_len, size_t n_data) {
  IPFSA_AUTO_BUF ipfsa_buf b = {0};
  ipfsa_buf_u64le(&b, header_len);
  ipfsa_buf_append(&b, header, header_len);
  ipfsa_buf_fill(&b, 0, n_data);
  return parse_bytes(f, b.data, b.len);
}

static void release(file *f) {
  ipfsa_tensors_release(&f->tensors);
  ipfsa_pairs_release(&f->metadata);
}

static void taken(const char *header, size_t n_data) {
  file f;
  ipfsa_status status = parse(&f, header, strlen(header), n_data);
  if (status) fail_msg("%s: %s", header, f.err.message);
  release(&f);
}

static void refused(const char *header, size_t n_data, ipfsa_status expected, const char *words) {
  file f;
  ipfsa_status status = parse(&f, header, strlen(header), n_data);
  if (status != expected || !strstr(f.err.message, words)) fail_msg("%s: %d %s, expected %s", header, status, f.err.message, words);
  assert_null(f.tensors.text);
  assert_null(f.tensors.items);
  assert_null(f.metadata.items);
}
#define MALFORMED(header, n_data, words) refused(header, n_data, IPFSA_E_MALFORMED, words)

static void vectors_of_the_reference(void **state) {
  (void)state;
  file f;
  taken("{\"test\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4);
  taken("{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", 16);
  taken("{\"test\":{\"dtype\":\"I32\",\"shape\":[2,0],\"data_offsets\":[0, 0]}}", 0);
  taken("{}\r \t\n", 0);
  taken("\t\n{}\r ", 0);
  MALFORMED("{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", 20, "not fully covered");
  MALFORMED("{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", 14, "not fully covered");
  MALFORMED("{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0, 4]}}", 16, "tensor \"test\", byte 10: its data_offsets span 4 bytes where shape and dtype ask for 16");
  MALFORMED("{\"test\":{\"dtype\":\"I32\",\"shape\":[2,18446744073709551614],\"data_offsets\":[0,16]}}", 16, "overflow");
  MALFORMED("{\"test\":{\"dtype\":\"I32\",\"shape\":[2,9223372036854775807],\"data_offsets\":[0,16]}}", 16, "overflow");
  assert_int_equal(parse_bytes(&f, "", 0), IPFSA_E_MALFORMED);
  assert_non_null(strstr(f.err.message, "header too small"));
  assert_int_equal(parse_bytes(&f, "\x3c\0\0\0\0\0\0\0", 8), IPFSA_E_MALFORMED);
  assert_non_null(strstr(f.err.message, "invalid header length"));
  assert_int_equal(parse_bytes(&f, "\x3c\0\0\0\0\xff\xff\xff\xff\xff", 10), IPFSA_E_LIMIT);
  assert_non_null(strstr(f.err.message, "header too large"));
  MALFORMED("\xff", 0, "invalid UTF-8");
  MALFORMED("{", 0, "invalid JSON");
  MALFORMED("", 0, "invalid JSON");
}

#define U8(name, begin, end) "\"" name "\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[" #begin "," #end "]}"

static void bytes_are_covered_once(void **state) {
  (void)state;
  taken("{" U8("b", 1, 2) "," U8("a", 0, 1) "}", 2);
  MALFORMED("{" U8("a", 0, 1) "," U8("b", 0, 1) "}", 2, "tensor \"b\", byte 62: invalid offset: it begins at 0 of the data where the one before ends at 1");
  MALFORMED("{" U8("a", 0, 1) "," U8("b", 2, 3) "}", 3, "it begins at 2 of the data where the one before ends at 1");
  MALFORMED("{" U8("a", 1, 2) "}", 2, "begins at 1");
  MALFORMED("{" U8("a", 0, 1) "," U8("b", 1, 0) "}", 1, "begins at 1 of the data and ends at 0");
  MALFORMED("{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "fill no whole bytes");
  taken("{\"a\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,2]}}", 2);
  taken("{\"a\":{\"dtype\":\"F6_E2M3\",\"shape\":[4],\"data_offsets\":[0,3]}}", 3);
  MALFORMED("{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,9223372036854775808]}}", 1, "overflow");
}

static void forms_that_are_refused(void **state) {
  (void)state;
  MALFORMED("{" U8("a", 0, 1) "," U8("a", 1, 2) "}", 2, "tensor \"a\", byte 62: a name that comes twice");
  MALFORMED("{" U8("a", 0, 1) "," U8("\\u0061", 1, 2) "}", 2, "comes twice");
  MALFORMED("{\"a\":[\"U8\",[1],[0,1]]}", 1, "tensor \"a\", byte 13: expected {");
  MALFORMED("{\"a\":{\"dtype\":\"U9\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "there is no dtype \"U9\"");
  MALFORMED("{\"a\":{\"dtype\":\"u8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "there is no dtype \"u8\"");
  MALFORMED("{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "dtype comes twice");
  MALFORMED("{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "dtype is missing");
  MALFORMED("{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, "shape is missing");
  MALFORMED("{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, "data_offsets are missing");
  MALFORMED("{\"a\":{}}", 1, "dtype is missing");
  MALFORMED("{\"a\":{\"dtype\":\"U8\",\"shape\":[1.0],\"data_offsets\":[0,1]}}", 1, "whole number");
  MALFORMED("{\"a\":{\"dtype\":\"U8\",\"shape\":[-0],\"data_offsets\":[0,0]}}", 1, "whole number");
  MALFORMED("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, "BEGIN and an END");
  MALFORMED("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, "END");
  MALFORMED("{\"__metadata__\":{\"a\":1}}", 0, "expected a text");
  MALFORMED("{\"__metadata__\":{},\"__metadata__\":{}}", 0, "comes twice");
  MALFORMED("{} {}", 0, "something stands after the object");
  MALFORMED("\xef\xbb\xbf{}", 0, "expected {");
  MALFORMED("{\"\\ud800\":{}}", 0, "surrogate");
  taken("{\"__metadata__\":null}", 0);
  taken("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"more\":[[1]],\"data_offsets\":[0,1]}}", 1);
}

static void limits(void **state) {
  (void)state;
  for (int more = 0; more < 2; more++) { /* at the limit, one past it */
    IPFSA_AUTO_BUF ipfsa_buf name = {0}, rank = {0}, deep = {0};
    file f;
    ipfsa_buf_str(&name, "{\"");
    ipfsa_buf_fill(&name, 'n', IPFSA_MAX_TENSOR_NAME + (size_t)more);
    ipfsa_buf_str(&name, "\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}");
    assert_int_equal(parse(&f, name.data, name.len, 1), more ? IPFSA_E_LIMIT : IPFSA_OK);
    release(&f);
    ipfsa_buf_str(&rank, "{\"a\":{\"dtype\":\"U8\",\"shape\":[1");
    for (int i = 1; i < IPFSA_MAX_TENSOR_RANK + more; i++) ipfsa_buf_str(&rank, ",1");
    ipfsa_buf_str(&rank, "],\"data_offsets\":[0,1]}}");
    assert_int_equal(parse(&f, rank.data, rank.len, 1), more ? IPFSA_E_LIMIT : IPFSA_OK);
    release(&f);
    ipfsa_buf_printf(&deep, "{\"a\":{\"x\":%s,\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", more ? "[[[1]]]" : "[[1]]");
    assert_int_equal(parse(&f, deep.data, deep.len, 1), more ? IPFSA_E_MALFORMED : IPFSA_OK);
    release(&f);
  }
}

/* A million tensors in memory of three headers; one more is refused. */
static void many(size_t n, ipfsa_status expected) {
  IPFSA_AUTO_BUF ipfsa_buf header = {0};
  file f;
  ipfsa_buf_u8(&header, '{');
  for (size_t i = 0; i < n; i++) ipfsa_buf_printf(&header, "%s\"m.%zu\":{\"dtype\":\"U8\",\"shape\":[1,1],\"data_offsets\":[%zu,%zu]}", i ? "," : "", i, i, i + 1);
  ipfsa_buf_u8(&header, '}');
  assert_int_equal(parse(&f, header.data, header.len, n), expected);
  if (expected == IPFSA_OK) {
    size_t held = f.tensors.text_len + f.tensors.cap * sizeof *f.tensors.items + f.tensors.dims_cap * 8 + (f.tensors.mask + 1) * 4;
    assert_true(held <= 3 * header.len);
    for (size_t i = 0; i < n; i += 9973) {
      char name[32];
      snprintf(name, sizeof name, "m.%zu", i);
      const ipfsa_tensor_record *r = ipfsa_tensors_find(&f.tensors, ipfsa_bytes_str(name));
      assert_non_null(r);
      assert_int_equal(r->begin, i);
    }
    assert_null(ipfsa_tensors_find(&f.tensors, ipfsa_bytes_str("m.-1")));
  }
  release(&f);
}

static void a_million_tensors(void **state) {
  (void)state;
  many(IPFSA_MAX_TENSORS, IPFSA_OK);
  many(IPFSA_MAX_TENSORS + 1, IPFSA_E_LIMIT);
}

static void metadata_in_order(void **state) {
  (void)state;
  file f;
  const char *header = "{\"__metadata__\":{\"format\":\"pt\",\"a\\n\":\"\\u00e9\"}}";
  assert_int_equal(parse(&f, header, strlen(header), 0), IPFSA_OK);
  assert_int_equal(f.metadata.n, 2);
  assert_memory_equal(f.metadata.text.data, "formatpta\n\xc3\xa9", 12);
  assert_int_equal(f.metadata.items[1].key, 8);
  assert_int_equal(f.metadata.items[1].value_len, 2);
  release(&f);
}

static void memory_that_runs_out(void **state) {
  (void)state;
  const char *header = "{\"__metadata__\":{\"format\":\"pt\"}," U8("a", 0, 1) "," U8("b", 1, 2) "}";
  uint64_t nth = 1;
  for (bool fired = true; fired; nth++) {
    file f;
    ipfsa_fault_arm(&(ipfsa_fault_plan){.kind = IPFSA_FAULT_ALLOC, .nth = nth, .mode = IPFSA_FAULT_FAIL});
    IPFSA_AUTO_BUF ipfsa_buf b = {0};
    ipfsa_buf_u64le(&b, strlen(header));
    ipfsa_buf_str(&b, header);
    ipfsa_buf_fill(&b, 0, 2);
    ipfsa_status status = b.failed ? IPFSA_E_NOMEM : parse_bytes(&f, b.data, b.len);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    assert_int_equal(status, fired ? IPFSA_E_NOMEM : IPFSA_OK);
    if (b.failed) continue;
    if (fired) assert_true(!f.tensors.text && !f.tensors.items && !f.metadata.items);
    release(&f);
  }
  assert_true(nth > 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(vectors_of_the_reference), cmocka_unit_test(bytes_are_covered_once), cmocka_unit_test(forms_that_are_refused), cmocka_unit_test(limits),
      cmocka_unit_test(a_million_tensors),        cmocka_unit_test(metadata_in_order),      cmocka_unit_test(memory_that_runs_out),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
