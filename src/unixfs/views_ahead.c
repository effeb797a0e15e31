/* What is likely to be asked for next is verified beside the one who looks at what he has: the store remembers it. Nothing here belongs to a view; the task
 * ends by itself, and a file that is closed meanwhile makes it useless, not wrong. */
#include "base/alloc.h"
#include "unixfs/views_inside.h"

typedef struct ahead {
  ipfsa_task task;
  ipfsa_blockstore *bs;
  size_t n;
  ipfsa_place places[];
} ahead;

static void verify_ahead(ipfsa_task *task) {
  ahead *a = (ahead *)task;
  const ipfsa_place *group[IPFSA_MAX_GET_MANY];
  bool good[IPFSA_MAX_GET_MANY];
  for (size_t i = 0; i < a->n;) {
    size_t n = 0;
    for (; i < a->n && n < IPFSA_MAX_GET_MANY && a->places[i].pack == a->places[i - n].pack; i++) group[n++] = &a->places[i];
    ipfsa_blockstore_check_places(a->bs, group, n, true, good);
  }
  ipfsa_free(a);
}

static bool is_wanted(const ipfsa_view_piece *p) { return !p->ready && p->place.len > 0; }

void ipfsa_views_ahead(ipfsa_blockstore *bs, const ipfsa_view_image *img, size_t from, uint64_t end, ipfsa_pool *pool) {
  size_t n = 0, to = from;
  for (; to < img->n && img->pieces[to].start < end; to++) n += is_wanted(&img->pieces[to]);
  ahead *a = n ? ipfsa_calloc(1, sizeof *a + n * sizeof a->places[0]) : NULL;
  if (!a) return;
  *a = (ahead){.task = {.run = verify_ahead}, .bs = bs};
  for (size_t i = from; i < to; i++)
    if (is_wanted(&img->pieces[i])) a->places[a->n++] = img->pieces[i].place;
  ipfsa_pool_submit(pool, &a->task);
}
