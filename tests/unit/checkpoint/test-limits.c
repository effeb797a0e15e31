/* Limits of the formats at the limit and one past it, over files that are made as they are read; and that the largest headers fit into three times their
 * size of memory. */
#include "../support.h"

#include <sys/wait.h>
#include <unistd.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/torch.h"
#include "generated.h"

static void expect(const generated_source *made, ipfsa_status expected, const char *words, uint64_t n_tensors) {
  generated_source g = *made;
  ipfsa_checkpoint *cp = NULL;
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_checkpoint_load_file(&g.base, "m", &cp, &err);
  if (status != expected || (words && !strstr(err.message, words))) fail_msg("%d %s, expected %d %s", status, err.message, expected, words ? words : "");
  if (cp) assert_int_equal(ipfsa_checkpoint_n_tensors(cp), n_tensors);
  ipfsa_checkpoint_close(cp);
}

/* ---- GGUF ---- */

typedef struct head {
  uint8_t bytes[512];
  size_t len;
} head;

static void number(head *h, uint64_t v, size_t n) {
  put_le(h->bytes + h->len, v, n);
  h->len += n;
}

static void text(head *h, const char *s) {
  number(h, strlen(s), 8);
  memcpy(h->bytes + h->len, s, strlen(s));
  h->len += strlen(s);
}

/* Up to its first key, which says what a model has to. */
static head gguf_head(uint64_t n_tensors, uint64_t n_pairs) {
  head h = {"GGUF", 4};
  number(&h, 3, 4);
  number(&h, n_tensors, 8);
  number(&h, n_pairs, 8);
  text(&h, "general.architecture");
  number(&h, 8, 4);
  text(&h, "llama");
  return h;
}

/* A key whose value is `n` bytes that are not there. */
static void long_value(uint32_t type, bool in_array, uint64_t n, ipfsa_status expected, const char *words) {
  head h = gguf_head(0, 2);
  text(&h, "long");
  number(&h, in_array || type != 8 ? 9 : 8, 4);
  if (in_array || type != 8) number(&h, type, 4), number(&h, in_array ? 1 : n, 8);
  if (type == 8) number(&h, n, 8);
  generated_source g = generated_of(h.len + n);
  generated_add_bytes(&g, 0, h.bytes, h.len);
  expect(&g, expected, words, 0);
}

static void long_texts_and_arrays(void **state) {
  (void)state;
  long_value(8, false, IPFSA_MAX_GGUF_TEXT, IPFSA_OK, NULL);
  long_value(8, false, (uint64_t)IPFSA_MAX_GGUF_TEXT + 1, IPFSA_E_LIMIT, "a text takes 1073741825 bytes, at most 1073741824");
  long_value(8, true, IPFSA_MAX_GGUF_TEXT, IPFSA_OK, NULL);
  long_value(8, true, (uint64_t)IPFSA_MAX_GGUF_TEXT + 1, IPFSA_E_LIMIT, "a text of an array takes 1073741825 bytes");
  long_value(0, false, IPFSA_MAX_GGUF_ITEMS, IPFSA_OK, NULL);
  long_value(0, false, (uint64_t)IPFSA_MAX_GGUF_ITEMS + 1, IPFSA_E_LIMIT, "more than 2^30 items");
}

/* Texts of up to 64 KiB are kept, of longer ones their length. */
static void texts_that_are_kept(void **state) {
  (void)state;
  for (uint64_t n = 65536; n <= 65537; n++) {
    head h = gguf_head(0, 2);
    ipfsa_checkpoint *cp = NULL;
    ipfsa_checkpoint_pair pair;
    ipfsa_error err = {0};
    text(&h, "long");
    number(&h, 8, 4);
    number(&h, n, 8);
    generated_source g = generated_of(h.len + n);
    generated_add_bytes(&g, 0, h.bytes, h.len);
    assert_ok(ipfsa_checkpoint_load_file(&g.base, "m", &cp, &err));
    assert_true(ipfsa_checkpoint_metadata_row(cp, 1, &pair));
    assert_int_equal(pair.value_len, n == 65536 ? 65536 : strlen("[text of 65537 bytes]"));
    ipfsa_checkpoint_close(cp);
  }
}

static void make_pair(uint64_t i, uint8_t *ret) {
  put_le(ret, 6, 8);
  snprintf((char *)ret + 8, 8, "%06x", (unsigned)i);
  put_le(ret + 14, 0, 5); /* u8, 0 */
}

/* "n%06u", one element of i8; the bytes of each are padded to 32. */
static void make_gguf_tensor(uint64_t i, uint8_t *ret) {
  put_le(ret, 7, 8);
  snprintf((char *)ret + 8, 9, "n%06u", (unsigned)i);
  put_le(ret + 15, 1, 4);
  put_le(ret + 19, 1, 8);
  put_le(ret + 27, 24, 4);
  put_le(ret + 31, i * 32, 8);
}
enum { PAIR = 19, GGUF_TENSOR = 39 };

static generated_source gguf_of_pairs(head *h, uint64_t n) {
  *h = gguf_head(0, n);
  generated_source g = generated_of(h->len + (n - 1) * PAIR);
  generated_add_bytes(&g, 0, h->bytes, h->len);
  generated_add(&g, h->len, n - 1, PAIR, 0, make_pair);
  return g;
}

static generated_source gguf_of_tensors(head *h, uint64_t n) {
  *h = gguf_head(n, 1);
  generated_source g = generated_of((h->len + n * GGUF_TENSOR + 31) / 32 * 32 + n * 32);
  generated_add_bytes(&g, 0, h->bytes, h->len);
  generated_add(&g, h->len, n, GGUF_TENSOR, 0, make_gguf_tensor);
  return g;
}

static void many_keys_and_tensors(void **state) {
  (void)state;
  head h;
  generated_source g = gguf_of_pairs(&h, IPFSA_MAX_GGUF_PAIRS);
  expect(&g, IPFSA_OK, NULL, 0);
  g = gguf_of_pairs(&h, IPFSA_MAX_GGUF_PAIRS + 1);
  expect(&g, IPFSA_E_LIMIT, "the number of keys is 1048577, at most 1048576", 0);
  g = gguf_of_tensors(&h, IPFSA_MAX_TENSORS + 1); /* at the limit: below */
  expect(&g, IPFSA_E_LIMIT, "the number of tensors is 1000001, at most 1000000", 0);
}

/* ---- safetensors ---- */

static void make_spaces(uint64_t i, uint8_t *ret) {
  (void)i;
  memset(ret, ' ', GENERATED_WIDTH);
}

/* {} and spaces. */
static void header_of(uint64_t n, ipfsa_status expected) {
  uint8_t start[10] = "\0\0\0\0\0\0\0\0{}";
  put_le(start, n, 8);
  generated_source g = generated_of(8 + n);
  generated_add(&g, 0, (8 + n) / GENERATED_WIDTH + 1, GENERATED_WIDTH, 0, make_spaces);
  generated_add_bytes(&g, 0, start, sizeof start);
  expect(&g, expected, expected ? "header too large: 100000001 bytes" : NULL, 0);
}

static void largest_header(void **state) {
  (void)state;
  header_of(IPFSA_MAX_SAFETENSORS_HEADER, IPFSA_OK);
  header_of(IPFSA_MAX_SAFETENSORS_HEADER + 1, IPFSA_E_LIMIT);
}

enum { N = IPFSA_MAX_TENSORS, SHORT = 68, WIDE = 98 };

/* Names and numbers are as short as a million tensors have them; the last one has a space for its comma. */
static void make_short(uint64_t i, uint8_t *ret) {
  char line[GENERATED_WIDTH];
  snprintf(line, sizeof line, "\"%06u\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%6u,%7u]}%c", (unsigned)i, (unsigned)i, (unsigned)i + 1, i + 1 < N ? ',' : ' ');
  memcpy(ret, line, SHORT);
}

/* The first stands last in the file. */
static void make_backwards(uint64_t i, uint8_t *ret) {
  make_short(N - 1 - i, ret);
  ret[SHORT - 1] = i + 1 < N ? ',' : ' ';
}

/* 16 dimensions: as much to remember as there can be for a byte of header. */
static void make_wide(uint64_t i, uint8_t *ret) {
  char line[GENERATED_WIDTH];
  snprintf(line, sizeof line, "\"%06u\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],\"data_offsets\":[%6u,%7u]}%c", (unsigned)i, (unsigned)i, (unsigned)i + 1, i + 1 < N ? ',' : ' ');
  memcpy(ret, line, WIDE);
}

static generated_source safetensors_of(uint8_t start[9], uint64_t width, void (*make)(uint64_t, uint8_t *)) {
  put_le(start, N * width + 2, 8);
  start[8] = '{';
  generated_source g = generated_of(8 + N * width + 2 + N);
  generated_add_bytes(&g, 0, start, 9);
  generated_add(&g, 9, N, width, 0, make);
  generated_add_bytes(&g, 9 + N * width, "}", 1);
  return g;
}

/* ---- the zip of torch ---- */

enum { LOCAL = 30, NAME = 13, STEP = 64, CENTRAL = 46, END64 = 56, LOCATOR = 20, END = 22 };

/* The first is m/data.pkl, its name padded by an extra field of three bytes; all are empty. */
static void make_local(uint64_t i, uint8_t *ret) {
  memcpy(ret, "PK\3\4", 4);
  put_le(ret + 26, i ? NAME : 10, 2);
  snprintf((char *)ret + LOCAL, NAME + 1, i ? "m/data/%06u" : "m/data.pkl", (unsigned)i);
}

static uint64_t comment; /* bytes of it in each entry */

static void make_central(uint64_t i, uint8_t *ret) {
  memcpy(ret, "PK\1\2", 4);
  put_le(ret + 28, i ? NAME : 10, 2);
  put_le(ret + 30, i ? 0 : 3, 2);
  put_le(ret + 32, comment, 2);
  put_le(ret + 42, i * STEP, 4);
  snprintf((char *)ret + CENTRAL, NAME + 1, i ? "m/data/%06u" : "m/data.pkl", (unsigned)i);
}

/* longer: bytes that the directory has beside its entries. */
static generated_source zip_of(uint8_t tail[END64 + LOCATOR + END], uint64_t n, uint64_t comment_len, uint64_t longer) {
  uint64_t width = CENTRAL + NAME + comment_len, at = n * STEP, len = n * width + longer;
  comment = comment_len;
  memcpy(tail, "PK\6\6", 4);
  put_le(tail + 32, n, 8);
  put_le(tail + 40, len, 8);
  put_le(tail + 48, at, 8);
  memcpy(tail + END64, "PK\6\7", 4);
  put_le(tail + END64 + 8, at + len, 8);
  memcpy(tail + END64 + LOCATOR, "PK\5\6", 4);
  memset(tail + END64 + LOCATOR + 8, 0xff, 12);
  generated_source g = generated_of(at + len + END64 + LOCATOR + END);
  generated_add(&g, 0, n, LOCAL + NAME, STEP, make_local);
  generated_add(&g, at, n, CENTRAL + NAME, width, make_central);
  generated_add_bytes(&g, at + len, tail, END64 + LOCATOR + END);
  return g;
}

static void directories_of_zips(void **state) {
  (void)state;
  uint8_t tail[END64 + LOCATOR + END] = {0};
  const uint64_t n = 4096, each = IPFSA_MAX_ZIP_DIRECTORY / 4096 - CENTRAL - NAME; /* bytes of comments */
  generated_source g = zip_of(tail, n, each, 0);
  expect(&g, IPFSA_OK, NULL, n - 1);
  g = zip_of(tail, n, each, 1);
  expect(&g, IPFSA_E_LIMIT, "a central directory of 268435457 bytes, at most 268435456", 0);
  g = zip_of(tail, IPFSA_MAX_ZIP_MEMBERS + 1, 0, 0); /* at the limit: below */
  expect(&g, IPFSA_E_LIMIT, "1000001 members, at most 1000000", 0);
}

/* The comment behind the end record has 16 bits for its length; what stands behind it makes the file no zip. */
static void comments_of_zips(void **state) {
  (void)state;
  for (uint64_t more = 0; more < 2; more++) {
    uint8_t tail[END64 + LOCATOR + END] = {0};
    generated_source g = zip_of(tail, 2, 0, 0);
    g.base.size_hint += 65535 + more;
    put_le(tail + sizeof tail - 2, 65535, 2);
    expect(&g, more ? IPFSA_E_MALFORMED : IPFSA_OK, more ? "without the end record" : NULL, 1);
  }
}

/* ---- memory ---- */

static uint64_t status_of_process(const char *field) {
  char line[256];
  unsigned long long kib = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f))
    if (strncmp(line, field, strlen(field)) == 0) kib = strtoull(line + strlen(field), NULL, 10);
  if (f) fclose(f);
  return kib * 1024;
}

/* Memory that a process of its own comes to have at most while it opens the file, beyond what it had. */
static void opened_within(const char *what, const generated_source *g, uint64_t header) {
  int ends[2];
  uint64_t grown = 0;
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    uint64_t before = status_of_process("VmRSS:");
    generated_source mine = *g;
    ipfsa_checkpoint *cp = NULL;
    ipfsa_status opened = ipfsa_checkpoint_load_file(&mine.base, "m", &cp, NULL);
    grown = status_of_process("VmHWM:") - before;
    _exit(opened == IPFSA_OK && ipfsa_checkpoint_n_tensors(cp) >= N - 1 && before && write(ends[1], &grown, sizeof grown) == sizeof grown ? 0 : 1);
  }
  int status = 1;
  close(ends[1]);
  ssize_t n = read(ends[0], &grown, sizeof grown);
  close(ends[0]);
  assert_int_equal(waitpid(child, &status, 0), child);
  if (status != 0 || n != sizeof grown) fail_msg("%s: a million tensors are not opened", what);
  print_message("%s: %.2f times the header\n", what, (double)grown / (double)header);
  assert_true(grown > header / 4); /* it was measured */
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they have memory of their own beside each allocation */
  if (grown > 3 * header) fail_msg("%s: %llu bytes for a header of %llu", what, (unsigned long long)grown, (unsigned long long)header);
#endif
}

static void a_million_tensors_in_three_headers(void **state) {
  (void)state;
  uint8_t start[9], tail[END64 + LOCATOR + END] = {0};
  head h;
  generated_source g = safetensors_of(start, SHORT, make_short);
  opened_within("safetensors", &g, 8 + N * SHORT);
  g = safetensors_of(start, SHORT, make_backwards);
  opened_within("safetensors backwards", &g, 8 + N * SHORT);
  g = safetensors_of(start, WIDE, make_wide);
  opened_within("safetensors of 16 dimensions", &g, 8 + N * WIDE);
  g = gguf_of_tensors(&h, N);
  opened_within("gguf", &g, h.len + N * GGUF_TENSOR);
  g = zip_of(tail, N, 0, 0);
  opened_within("zip", &g, (uint64_t)N * (CENTRAL + NAME));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(long_texts_and_arrays), cmocka_unit_test(texts_that_are_kept), cmocka_unit_test(many_keys_and_tensors), cmocka_unit_test(largest_header),
      cmocka_unit_test(directories_of_zips), cmocka_unit_test(comments_of_zips), cmocka_unit_test(a_million_tensors_in_three_headers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
