/* The framed streams of logs, attach and exec when there is no terminal: {stream, 0, 0, 0, length u32 big endian} and that many bytes. Pieces are
 * handed on as they come, so a frame is never held. Threads: one at a time. */
#ifndef IPFSA_CONTAINER_FRAMES_H
#define IPFSA_CONTAINER_FRAMES_H

#include "base/bytes.h"

#define IPFSA_MAX_ENGINE_FRAME (16u << 20) /* bytes; engines cut their frames at 16 KiB to 1 MiB: more is a broken stream */

typedef struct ipfsa_frames {
  uint8_t header[8];
  unsigned n_header;
  uint32_t left; /* bytes of the frame to come */
} ipfsa_frames;

/* The next piece of payload and its stream (0 echo of stdin, 1 stdout, 2 stderr); an empty piece: more input is needed. */
ipfsa_status ipfsa_frames_read(ipfsa_frames *frames, ipfsa_cursor *in, int *ret_stream, ipfsa_bytes *ret_piece, ipfsa_error *err);
ipfsa_status ipfsa_frames_eof(const ipfsa_frames *frames, ipfsa_error *err); /* E_IO in the middle of a frame */

#endif
