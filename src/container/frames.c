#include "container/frames.h"

#include "base/error.h"

static ipfsa_status check_header(ipfsa_frames *f, ipfsa_error *err) {
  ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(f->header, sizeof f->header));
  uint32_t kind = 0, len = 0;
  (void)ipfsa_cursor_u32be(&c, &kind);
  (void)ipfsa_cursor_u32be(&c, &len);
  if ((kind & 0xffffff) != 0 || kind >> 24 > 2)
    return ipfsa_fail(err, IPFSA_E_MALFORMED, "container engine: a stream of frames begins with %08x; expected a stream of number 0 to 2", kind);
  if (len > IPFSA_MAX_ENGINE_FRAME)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "container engine: a frame of %u bytes; at most %u are taken", len, IPFSA_MAX_ENGINE_FRAME);
  f->left = len;
  return IPFSA_OK;
}

ipfsa_status ipfsa_frames_read(ipfsa_frames *f, ipfsa_cursor *in, int *ret_stream, ipfsa_bytes *ret_piece, ipfsa_error *err) {
  *ret_piece = (ipfsa_bytes){0};
  while (f->n_header < 8 || f->left == 0) {
    if (f->n_header == 8) f->n_header = 0; /* the frame before is over */
    uint8_t byte;
    if (!ipfsa_cursor_u8(in, &byte)) return IPFSA_OK;
    f->header[f->n_header++] = byte;
    ipfsa_status status = f->n_header == 8 ? check_header(f, err) : IPFSA_OK;
    if (status) return status;
  }
  size_t n = ipfsa_cursor_left(in);
  if (n > f->left) n = f->left;
  (void)ipfsa_cursor_take(in, n, ret_piece);
  f->left -= (uint32_t)n;
  *ret_stream = f->header[0];
  return IPFSA_OK;
}

ipfsa_status ipfsa_frames_eof(const ipfsa_frames *f, ipfsa_error *err) {
  bool between = f->left == 0 && (f->n_header == 0 || f->n_header == 8);
  return between ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_IO, "container engine: the stream ended in the middle of a frame");
}
