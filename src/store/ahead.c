/* Table entries read ahead. The leaves of a file stand side by side in a table, and whoever walks the file looks them up in that order; a call to the kernel for each
 * takes longer than all else of a lookup. What stands before the end of the last commit never changes, and a pack's descriptor stays open until the store is closed,
 * so what was read stays true. */
#include "base/alloc.h"
#include "base/error.h"
#include "store/local.h"

#define STRETCH 4096 /* bytes: 73 entries with digests of 32 bytes */

struct ipfsa_entries_ahead {
  pthread_mutex_t lock; /* who finds it taken reads for himself */
  int fd;               /* the pack that was looked into last */
  uint64_t last;        /* where */
  uint64_t off;         /* of the bytes that are here */
  size_t len;
  uint8_t bytes[STRETCH];
};

ipfsa_entries_ahead *ipfsa_entries_ahead_new(void) {
  ipfsa_entries_ahead *a = ipfsa_calloc(1, sizeof *a);
  if (!a) return NULL;
  a->fd = -1;
  pthread_mutex_init(&a->lock, NULL);
  return a;
}

void ipfsa_entries_ahead_free(ipfsa_entries_ahead *a) {
  if (!a) return;
  pthread_mutex_destroy(&a->lock);
  ipfsa_free(a);
}

/* False: it is not here, or not whole. */
static bool decode(const ipfsa_entries_ahead *a, uint64_t off, ipfsa_pack_entry *ret) {
  if (off < a->off || off - a->off >= a->len) return false;
  size_t start = (size_t)(off - a->off);
  ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(a->bytes + start, a->len - start));
  ipfsa_pack_entry entry;
  if (!ipfsa_cursor_pack_entry(&c, &entry) || entry.kind == IPFSA_ENTRY_DELETED) return false;
  *ret = entry;
  return true;
}

/* Up to where a pack never changes: only the last one grows. */
static uint64_t settled_end(ipfsa_store *s, const ipfsa_pack *pack) {
  if (pack->number < s->packs[s->n_packs - 1].number) return UINT64_MAX;
  ipfsa_index_state state = ipfsa_index_state_get(s->index); /* a reader that found the index good has not looked at the commits itself */
  return state.pack == pack->number && state.end > pack->end ? state.end : pack->end;
}

static bool fill(ipfsa_store *s, const ipfsa_pack *pack, uint64_t off) {
  ipfsa_entries_ahead *a = s->ahead;
  uint64_t end = settled_end(s, pack);
  a->off = off;
  a->len = 0;
  if (off >= end) return false; /* of a commit that this process has not met yet */
  size_t want = end - off < STRETCH ? (size_t)(end - off) : STRETCH;
  return ipfsa_fs_read_at(pack->fd, a->bytes, want, off, &a->len, NULL) == IPFSA_OK;
}

/* A stretch is read when the entry stands a little behind the one before: lookups in no order read no more than they need. */
static bool look(ipfsa_store *s, const ipfsa_pack *pack, uint64_t off, ipfsa_pack_entry *ret) {
  ipfsa_entries_ahead *a = s->ahead;
  bool same = a->fd == pack->fd, follows = same && off > a->last && off - a->last < STRETCH;
  if (!same) a->len = 0;
  a->fd = pack->fd;
  a->last = off;
  return decode(a, off, ret) || (follows && fill(s, pack, off) && decode(a, off, ret));
}

ipfsa_status ipfsa_store__read_entry(ipfsa_store *s, const ipfsa_pack *pack, uint64_t off, const ipfsa_multihash *mh, ipfsa_pack_entry *ret, ipfsa_error *err) {
  ipfsa_entries_ahead *a = s->ahead;
  if (a && pthread_mutex_trylock(&a->lock) == 0) {
    bool found = look(s, pack, off, ret);
    pthread_mutex_unlock(&a->lock);
    if (found && ipfsa_multihash_equal(&ret->mh, mh)) return IPFSA_OK;
  }
  /* Also tells what is wrong. And another's entry is read again: where gc took the last pack, the one before grows again, and a stretch may have been read behind its end. */
  return ipfsa_pack_read_entry(pack, off, ret, err);
}
