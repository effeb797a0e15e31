/* A source: bytes to import, from a file, a pipe or memory. Threads: one reader at a time per source. */
#ifndef IPFSA_BASE_SOURCE_H
#define IPFSA_BASE_SOURCE_H

#include <ipfsa/base.h>

typedef int (*ipfsa_range_cb)(void *ctx, uint64_t from, uint64_t to); /* bytes [from, to); other than 0 stops */

typedef struct ipfsa_source_leaf {
  uint64_t start, end; /* bytes of the source */
  uint8_t id[33];
} ipfsa_source_leaf;

typedef struct ipfsa_source ipfsa_source;
struct ipfsa_source {
  /* Fills up to len bytes; *ret_len < len only at the end. */
  ipfsa_status (*read)(ipfsa_source *self, void *data, size_t len, size_t *ret_len, ipfsa_error *err);
  void (*close)(ipfsa_source *self); /* frees self; may be NULL for embedded ones */
  uint64_t size_hint;                /* bytes, UINT64_MAX when unknown; never trusted for allocation */
  /* NULL, or: exactly len bytes at off from where the source stands; fewer: E_CHANGED. Any thread; does not move the source. */
  ipfsa_status (*read_at)(ipfsa_source *self, void *data, size_t len, uint64_t off, ipfsa_error *err);
  ipfsa_status (*check)(ipfsa_source *self, ipfsa_error *err); /* with read_at: is it what it was at first? E_CHANGED */
  /* NULL, or: [off, off + len) as memory until the source is closed, verified. */
  ipfsa_status (*view)(ipfsa_source *self, uint64_t off, uint64_t len, const void **ret, uint64_t *ret_mapped, ipfsa_error *err);
  void (*views_writable)(ipfsa_source *self); /* with view: from now on views may be written, for this source alone */
  /* With view: whether what was viewed can stay as it is though nobody uses it, and, later, whether it still is as it was; if not, the source can only be
   * closed. NULL: no. */
  bool (*rest)(ipfsa_source *self);
  bool (*wake)(ipfsa_source *self);
  void (*view_progress)(ipfsa_source *self, ipfsa_progress_cb progress, void *ctx); /* with view: who is asked in the middle of one */
  /* NULL: all is here, or: which ranges would have to be fetched first, in their order. */
  ipfsa_status (*missing)(ipfsa_source *self, ipfsa_range_cb cb, void *ctx, ipfsa_error *err);
  /* NULL, or: which leaf has the byte at off, known without reading it: leaves of one id have the same bytes. False: not known. */
  bool (*leaf_at)(ipfsa_source *self, uint64_t off, ipfsa_source_leaf *ret);
  int map_fd;       /* with read_at: the file may be mapped through this descriptor; −1 = it may not. Set by who opened the file itself */
  uint64_t map_off; /* where the source stands in it */
};

/* Reads fd from its current position (regular file: with pread from `off`). Borrows fd unless own_fd. For a regular file the
 * size at open is checked at the end: grown or shrunk → E_CHANGED naming `name`. */
ipfsa_status ipfsa_source_open_fd(int fd, bool own_fd, const char *name, ipfsa_source **ret, ipfsa_error *err);
ipfsa_status ipfsa_source_open_bytes(ipfsa_bytes bytes, ipfsa_source **ret, ipfsa_error *err); /* borrows bytes */
void ipfsa_source_close(ipfsa_source *source); /* NULL is fine */

#endif
