/* CARs: fed whole or byte by byte the reader tells the same story. Accepted: read to the end. */
#include "base/alloc.h"
#include "car/car.h"
#include "fuzz.h"

typedef struct story {
  uint64_t n_blocks, n_bytes, n_roots;
  ipfsa_status status;
  int ended;
} story;

static story read_all(const uint8_t *data, size_t size, size_t step) {
  ipfsa_car_reader reader = {0};
  story s = {0};
  size_t at = 0;
  while (!s.ended && s.status == IPFSA_OK) {
    ipfsa_car_event event;
    s.status = ipfsa_car_reader_next(&reader, &event, NULL);
    if (s.status) break;
    if (event == IPFSA_CAR_HEADER) s.n_roots = reader.n_roots;
    if (event == IPFSA_CAR_BLOCK) s.n_blocks++, s.n_bytes += reader.data.len;
    if (event == IPFSA_CAR_END) s.ended = 1;
    if (event != IPFSA_CAR_NEED) continue;
    size_t n = size - at < step ? size - at : step;
    s.status = ipfsa_car_reader_feed(&reader, ipfsa_bytes_of(data + at, n), NULL);
    at += n;
  }
  ipfsa_car_reader_release(&reader);
  return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  story whole = read_all(data, size, size + 1), bytes = read_all(data, size < 4096 ? size : 0, 1);
  fuzz_accepted = whole.ended;
  if (size < 4096) FUZZ_CHECK(whole.n_blocks == bytes.n_blocks && whole.n_bytes == bytes.n_bytes && whole.status == bytes.status && whole.n_roots == bytes.n_roots);
  return 0;
}
