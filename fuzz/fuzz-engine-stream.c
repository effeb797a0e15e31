/* The two kinds of streams an engine sends. First byte 'f': frames, else concatenated JSON objects; each whole and cut into single bytes must give
 * the same. Accepted: the stream ends where it may. */
#include "container/frames.h"
#include "container/json.h"
#include "fuzz.h"

static ipfsa_status read_frames(ipfsa_bytes in, size_t step, uint64_t *ret_sum) {
  ipfsa_frames frames = {0};
  ipfsa_status status = IPFSA_OK;
  for (size_t at = 0; at < in.len && status == IPFSA_OK; at += step) {
    ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(in.data + at, in.len - at < step ? in.len - at : step));
    while (status == IPFSA_OK && ipfsa_cursor_left(&c)) {
      int stream = -1;
      ipfsa_bytes piece;
      status = ipfsa_frames_read(&frames, &c, &stream, &piece, NULL);
      FUZZ_CHECK(status != IPFSA_OK || piece.len == 0 || (stream >= 0 && stream <= 2));
      for (size_t i = 0; status == IPFSA_OK && i < piece.len; i++) *ret_sum = *ret_sum * 31 + piece.data[i] + (unsigned)stream;
    }
    FUZZ_CHECK(frames.left <= IPFSA_MAX_ENGINE_FRAME);
  }
  return status ? status : ipfsa_frames_eof(&frames, NULL);
}

static ipfsa_status read_objects(ipfsa_bytes in, size_t step, uint64_t *ret_sum) {
  ipfsa_json_cutter cutter;
  ipfsa_json_cutter_init(&cutter);
  ipfsa_status status = IPFSA_OK;
  for (size_t at = 0; at < in.len && status == IPFSA_OK; at += step) {
    ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(in.data + at, in.len - at < step ? in.len - at : step));
    while (status == IPFSA_OK && ipfsa_cursor_left(&c)) {
      ipfsa_bytes item;
      status = ipfsa_json_cut(&cutter, &c, &item, NULL);
      if (status || item.len == 0) continue;
      FUZZ_CHECK(item.data[0] == '{' && item.len <= IPFSA_MAX_ENGINE_JSON_ITEM);
      for (size_t i = 0; i < item.len; i++) *ret_sum = *ret_sum * 31 + item.data[i];
      IPFSA_AUTO_JSON json_t *json = NULL;
      (void)ipfsa_json_parse(item, "fuzz", &json, NULL);
    }
  }
  if (status == IPFSA_OK) status = ipfsa_json_cutter_eof(&cutter, NULL);
  ipfsa_json_cutter_release(&cutter);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  ipfsa_bytes in = ipfsa_bytes_of(data + 1, size - 1);
  uint64_t whole_sum = 0, cut_sum = 0;
  bool frames = data[0] == 'f';
  ipfsa_status whole = frames ? read_frames(in, size, &whole_sum) : read_objects(in, size, &whole_sum);
  ipfsa_status cut = frames ? read_frames(in, 1, &cut_sum) : read_objects(in, 1, &cut_sum);
  FUZZ_CHECK(whole == cut && whole_sum == cut_sum);
  fuzz_accepted = whole == IPFSA_OK;
  return 0;
}
