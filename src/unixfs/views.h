/* Bytes of a file of the store as memory: pages of the packs where leaves lie so, private copies elsewhere; every leaf verified before a pointer to it is
 * given. Threads: one call at a time; what it gave is read from any. */
#ifndef IPFSA_UNIXFS_VIEWS_H
#define IPFSA_UNIXFS_VIEWS_H

#include <ipfsa/read.h>

#include "base/pool.h"
#include "unixfs/reader.h"
#include "unixfs/span.h"

#define IPFSA_MAX_VIEW_MAPPINGS 16384 /* of one file, a quarter of what Linux gives a process; beyond, copies */
#define IPFSA_VIEW_STEP ((uint64_t)16 << 20) /* bytes; a tenth of a second of a slow disk, and enough for all workers */
#define IPFSA_VIEW_ALIGN 8            /* bytes, the largest element of a tensor: what is at a multiple of that in the file is so in memory */

typedef struct ipfsa_views ipfsa_views;
/* Borrows the reader and the spans of that file. The caller keeps its leaves from gc. */
ipfsa_status ipfsa_views_new(ipfsa_blockstore *bs, ipfsa_file_reader *reader, ipfsa_span_map *spans, ipfsa_views **ret, ipfsa_error *err);
/* What is viewed for the first time after this may be written: it is a private copy, page by page when it is. */
void ipfsa_views_set_writable(ipfsa_views *views);
/* Asked about every IPFSA_VIEW_STEP bytes of a view that have to be looked at: other than 0: E_CANCELLED. NULL: nobody is. */
void ipfsa_views_set_progress(ipfsa_views *views, ipfsa_progress_cb progress, void *ctx);
void ipfsa_views_free(ipfsa_views *views); /* NULL is fine; all that was given is gone */
/* Is this view, or the row of views that it goes on with, large enough to start threads for? */
bool ipfsa_views_want_pool(const ipfsa_views *views, uint64_t off, uint64_t len);
/* [off, off + len) of the file, within it, len > 0. pool: may be NULL. *ret_mapped: bytes of it that are the store's pages, not copies. */
ipfsa_status ipfsa_views_get(ipfsa_views *views, ipfsa_pool *pool, uint64_t off, uint64_t len, const uint8_t **ret, uint64_t *ret_mapped, ipfsa_error *err);

/* What views keep beside pages of packs: bytes of copies, and mappings. */
void ipfsa_views_cost(const ipfsa_views *views, uint64_t *ret_copied, size_t *ret_mappings);
/* Views that were not used for a time: false, when a pack of theirs was written to since it was mapped, or that cannot be told. */
bool ipfsa_views_wake(ipfsa_views *views);

#endif
