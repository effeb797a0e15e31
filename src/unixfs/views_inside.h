/* What views.c lays out and views_verify.c looks at. */
#ifndef IPFSA_UNIXFS_VIEWS_INSIDE_H
#define IPFSA_UNIXFS_VIEWS_INSIDE_H

#include "unixfs/views.h"

/* A leaf whose place is known, or a part of the file that is read in the usual way. Offsets are of the file. */
typedef struct ipfsa_view_piece {
  uint64_t start, end;
  uint64_t map_from, map_to; /* what shows pages of a pack; equal: none */
  ipfsa_place place;         /* len 0: not known */
  bool ready;                /* its bytes are there and verified */
} ipfsa_view_piece;

/* Pieces that follow one another, in one range of addresses. */
typedef struct ipfsa_view_image {
  uint64_t start, end;
  uint8_t *room; /* on a page border */
  size_t room_len;
  uint8_t *data; /* of byte `start` */
  int page_map;  /* its owner's */
  ipfsa_view_piece *pieces;
  size_t n, cap;
} ipfsa_view_image;

/* Who wants to be asked in the middle of a view, and how far it was when he was. Of the thread that makes the view. */
typedef struct ipfsa_view_ask {
  ipfsa_progress_cb progress; /* NULL: nobody */
  void *ctx;
  ipfsa_progress at;
  uint64_t begin, asked;
} ipfsa_view_ask;

static inline bool ipfsa_view_is_stopped(ipfsa_view_ask *ask, uint64_t end) {
  if (!ask->progress || end < ask->asked + IPFSA_VIEW_STEP) return false;
  ask->asked = end;
  ask->at.done_bytes = end - ask->begin < ask->at.total_bytes ? end - ask->begin : ask->at.total_bytes;
  return ask->progress(ask->ctx, &ask->at) != 0;
}

static inline uint8_t *ipfsa_view_at(const ipfsa_view_image *img, uint64_t off) { return img->data + (off - img->start); }

/* Who is told, in the thread that makes the view, that not all of it was known and that what is to be done for it is under way: the pool will come to what he gives
 * it once it has nothing more of this view to begin. */
typedef struct ipfsa_view_begun {
  void (*tell)(void *ctx);
  void *ctx;
} ipfsa_view_begun;

/* Verifies what pieces show (n > 0), in the lanes of the hash and in the threads of the pool, and marks those that match. *ret_bad: one that does not match, or
 * NULL. E_CANCELLED: who was asked said so. */
ipfsa_status ipfsa_views_verify(ipfsa_blockstore *bs, const ipfsa_view_image *img, ipfsa_view_piece *const *todo, size_t n, ipfsa_pool *pool,
                                ipfsa_view_ask *ask, const ipfsa_view_begun *begun, ipfsa_view_piece **ret_bad, ipfsa_error *err);
/* Bytes [from, end) of the file are read and verified by tasks of the pool that nobody waits for. Returns how far they go: not always to the end. The pool ends
 * before the store does. */
uint64_t ipfsa_views_ahead(ipfsa_blockstore *bs, ipfsa_span_map *spans, uint64_t from, uint64_t end, ipfsa_pool *pool);

#endif
