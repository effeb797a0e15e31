#include "node/kept.h"

#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "checkpoint/checkpoint.h"

/* What nobody touched for long may have left the memory and come back unverified: it is opened anew. */
#define KEPT_NS 10000000000ull

void ipfsa_kept_init(ipfsa_kept *kept) { pthread_mutex_init(&kept->lock, NULL); }

void ipfsa_kept_release(ipfsa_kept *kept) {
  for (size_t i = 0; i < kept->n; i++) ipfsa_checkpoint_end(kept->items[i]);
  kept->n = 0;
  pthread_mutex_destroy(&kept->lock);
}

/* Under the lock. */
static ipfsa_checkpoint *remove_at(ipfsa_kept *kept, size_t i) {
  ipfsa_checkpoint *cp = kept->items[i];
  kept->n--;
  memmove(kept->items + i, kept->items + i + 1, (kept->n - i) * sizeof *kept->items);
  memmove(kept->since_ns + i, kept->since_ns + i + 1, (kept->n - i) * sizeof *kept->since_ns);
  return cp;
}

/* The youngest that was opened so. */
static ipfsa_checkpoint *find(ipfsa_kept *kept, const char *path, uint64_t *ret_since_ns) {
  ipfsa_checkpoint *cp = NULL;
  pthread_mutex_lock(&kept->lock);
  for (size_t i = kept->n; !cp && i-- > 0;)
    if (strcmp(kept->items[i]->opened_as, path) == 0) {
      *ret_since_ns = kept->since_ns[i];
      cp = remove_at(kept, i);
    }
  pthread_mutex_unlock(&kept->lock);
  return cp;
}

ipfsa_checkpoint *ipfsa_kept_take(ipfsa_kept *kept, const char *path) {
  uint64_t since_ns = 0;
  ipfsa_checkpoint *cp = find(kept, path, &since_ns);
  if (!cp || (ipfsa_clock_monotonic_ns() - since_ns < KEPT_NS && ipfsa_checkpoint_wake(cp))) return cp;
  ipfsa_checkpoint_end(cp);
  return NULL;
}

static bool keep(void *ctx, ipfsa_checkpoint *cp) {
  ipfsa_kept *kept = ctx;
  ipfsa_checkpoint *oldest = NULL;
  if (!ipfsa_checkpoint_rest(cp)) return false;
  pthread_mutex_lock(&kept->lock);
  if (kept->n == IPFSA_MAX_KEPT) oldest = remove_at(kept, 0);
  kept->since_ns[kept->n] = ipfsa_clock_monotonic_ns();
  kept->items[kept->n++] = cp;
  pthread_mutex_unlock(&kept->lock);
  ipfsa_checkpoint_end(oldest);
  return true;
}

void ipfsa_kept_watch(ipfsa_kept *kept, ipfsa_checkpoint *cp, const char *path) {
  cp->opened_as = ipfsa_strdup(path);
  if (!cp->opened_as) return;
  cp->keep = keep;
  cp->keep_ctx = kept;
}
