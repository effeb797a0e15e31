/* The wire of a hand-over (docs/formats/hand-over.md): texts with their lengths, descriptors, over a unix socket, within a time. Threads: one at a time per
 * connection. */
#ifndef IPFSA_DISPATCH_HAND_OVER_H
#define IPFSA_DISPATCH_HAND_OVER_H

#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"

#define IPFSA_HAND_OVER_MAGIC "IPFSAHND"
#define IPFSA_MAX_HAND_OVER_TEXT (4u << 20) /* bytes of a text: names and sizes of all files */
#define IPFSA_MAX_HAND_OVER_FILES 4096u     /* as many as a checkpoint may have; each is a descriptor of the receiver's */

typedef struct ipfsa_hand_over { /* a connection; fd is not blocking */
  int fd;
  uint64_t deadline; /* monotonic, in ns */
  bool (*cancelled)(void *ctx);
  void *cancelled_ctx;
} ipfsa_hand_over;

ipfsa_status ipfsa_hand_over_address(const char *path, struct sockaddr_un *ret, ipfsa_error *err); /* E_INVALID, E_LIMIT */
/* Waits for POLLIN or POLLOUT. */
ipfsa_status ipfsa_hand_over_wait(const ipfsa_hand_over *h, short events, ipfsa_error *err);
ipfsa_status ipfsa_hand_over_put(const ipfsa_hand_over *h, const void *data, size_t len, ipfsa_error *err);
ipfsa_status ipfsa_hand_over_get(const ipfsa_hand_over *h, void *data, size_t len, ipfsa_error *err);
/* Four bytes of length, most significant first, and the text. */
ipfsa_status ipfsa_hand_over_put_text(const ipfsa_hand_over *h, const char *text, size_t len, ipfsa_error *err);
ipfsa_status ipfsa_hand_over_get_text(const ipfsa_hand_over *h, ipfsa_buf *ret, ipfsa_error *err);
/* One byte 'F' that carries one descriptor. */
ipfsa_status ipfsa_hand_over_put_fd(const ipfsa_hand_over *h, int fd, ipfsa_error *err);
ipfsa_status ipfsa_hand_over_get_fd(const ipfsa_hand_over *h, int *ret, ipfsa_error *err);

#endif
