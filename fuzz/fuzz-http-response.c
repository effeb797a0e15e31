/* HTTP responses as engines send them, whole and cut into single bytes: both ways must see the same. Accepted: one whole response, nothing behind it. */
#include "http/response.h"
#include "fuzz.h"

typedef struct outcome {
  ipfsa_status status;
  bool over;
  int code;
  size_t n_body, left;
  uint32_t sum; /* of the body */
} outcome;

static void take_body(outcome *o, ipfsa_bytes body) {
  FUZZ_CHECK(body.len > 0);
  for (size_t i = 0; i < body.len; i++) o->sum = o->sum * 31 + body.data[i];
  o->n_body += body.len;
}

static outcome read_in_steps(ipfsa_bytes in, size_t step) {
  ipfsa_http_reader reader;
  ipfsa_http_reader_init(&reader, false);
  outcome o = {0};
  size_t at = 0;
  while (o.status == IPFSA_OK && !o.over) {
    size_t n = in.len - at < step ? in.len - at : step;
    ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(in.data + at, n));
    ipfsa_http_event event = IPFSA_HTTP_HEAD;
    while (o.status == IPFSA_OK && event != IPFSA_HTTP_MORE && event != IPFSA_HTTP_END) {
      ipfsa_bytes body = {0};
      o.status = ipfsa_http_read(&reader, &c, &event, &body, NULL);
      if (o.status == IPFSA_OK && event == IPFSA_HTTP_BODY) take_body(&o, body);
    }
    at += ipfsa_cursor_offset(&c);
    if (o.status == IPFSA_OK && event == IPFSA_HTTP_MORE && at == in.len) {
      o.status = ipfsa_http_read_eof(&reader, NULL);
      o.over = true;
    } else if (event == IPFSA_HTTP_END) o.over = true;
    FUZZ_CHECK(reader.line.len <= IPFSA_MAX_HTTP_LINE && reader.headers.len <= IPFSA_MAX_HTTP_HEADERS);
  }
  o.code = reader.status;
  o.left = in.len - at;
  ipfsa_http_reader_release(&reader);
  return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ipfsa_bytes in = ipfsa_bytes_of(data, size);
  outcome whole = read_in_steps(in, size ? size : 1), cut = read_in_steps(in, 1);
  FUZZ_CHECK(whole.status == cut.status && whole.n_body == cut.n_body && whole.sum == cut.sum);
  FUZZ_CHECK(whole.status != IPFSA_OK || (whole.code == cut.code && whole.left == cut.left));
  fuzz_accepted = whole.status == IPFSA_OK && whole.left == 0;
  return 0;
}
