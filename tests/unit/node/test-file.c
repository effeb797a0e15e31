/* A file that stays open: the bytes of every range, whatever shape the file has. */
#include <ipfsa/read.h>

#include "repo_fixture.h"

#define LEN 3000000

static uint64_t random_state = 11;

static uint32_t pick(uint32_t n) {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(random_state >> 33) % n;
}

typedef struct world {
  repo_fixture r;
  uint8_t *data, *back;
} world;

static int setup(void **state) {
  world *w = *state = calloc(1, sizeof *w);
  w->data = malloc(LEN);
  w->back = malloc(LEN);
  test_shake128("open file", w->data, LEN);
  repo_begin(&w->r);
  return 0;
}

static int teardown(void **state) {
  world *w = *state;
  repo_end(&w->r);
  free(w->data);
  free(w->back);
  free(w);
  return 0;
}

static ipfsa_file *open_added(world *w, size_t len, const ipfsa_add_options *options) {
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_error err = {0};
  ipfsa_file *file = NULL;
  repo_add(&w->r, "source", w->data, len, options, text);
  assert_ok(ipfsa_file_open(w->r.node, text, &file, &err));
  assert_int_equal(ipfsa_file_length(file), len);
  return file;
}

static void expect(world *w, ipfsa_file *file, size_t size, uint64_t off, size_t len) {
  ipfsa_error err = {0};
  size_t got = 12345, want = off >= size ? 0 : size - off < len ? size - (size_t)off : len;
  assert_ok(ipfsa_file_read_at(file, off, w->back, len, &got, &err));
  assert_int_equal(got, want);
  if (want) assert_memory_equal(w->back, w->data + off, want);
}

#define ADD(...) &(ipfsa_add_options){.struct_size = sizeof(ipfsa_add_options), __VA_ARGS__}

static void every_range_of_every_shape(void **state) {
  world *w = *state;
  const ipfsa_add_options *const shapes[] = {
      ADD(.cid_version_1 = IPFSA_ON), ADD(.cid_version_1 = IPFSA_OFF, .raw_leaves = IPFSA_OFF, .chunker = "size-65536"), ADD(.chunker = "size-70001"),
      ADD(.trickle = IPFSA_ON, .chunker = "size-16384"), ADD(.max_file_links = 3, .chunker = "size-50000"), ADD(.chunker = "size-4000"),
      ADD(.hash = "blake2b-256"), ADD(.chunker = "rabin-16384-32768-65536"),
  };
  const size_t sizes[] = {LEN, 200000, 20000, 100, 0};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
      size_t size = sizes[k];
      ipfsa_file *file = open_added(w, size, shapes[s]);
      expect(w, file, size, 0, LEN);
      expect(w, file, size, size, 10);
      expect(w, file, size, UINT64_MAX, 10);
      for (int i = 0; size && i < 100; i++) expect(w, file, size, pick((uint32_t)size), pick(300000));
      ipfsa_file_close(file);
    }
}

static void what_is_no_file(void **state) {
  world *w = *state;
  ipfsa_error err = {0};
  ipfsa_file *file = NULL;
  assert_status(ipfsa_file_open(w->r.node, "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn", &file, &err), IPFSA_E_NOT_FOUND);
  assert_status(ipfsa_file_open(w->r.node, "no path", &file, &err), IPFSA_E_INVALID);
  assert_null(file);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(every_range_of_every_shape, setup, teardown),
      cmocka_unit_test_setup_teardown(what_is_no_file, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
