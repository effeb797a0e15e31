/* Blocks looked at where they lie: what is in memory is mapped and hashed over the page cache itself; what is not is read past it, straight from the disk,
 * and does not push out what others use. Nothing is handed out. What can be looked at in neither way, and what does not match, is read in the usual way, whose
 * verdict counts. */
#include <sys/uio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/map.h"
#include "hash/hash.h"
#include "store/local.h"

#define WORTH_MAPPING 65536      /* bytes; below, reading is as fast */

typedef struct wrap {
  uint8_t prefix[32], suffix[32];
} wrap;

/* The bytes from the first entry to the end of the last; 0: they do not stand in one pack in this order, or too far apart. */
static uint64_t span_of(const ipfsa_store__read_job *jobs, size_t n) {
  uint64_t end = jobs[0].entry.off, bytes = 0;
  for (size_t i = 0; i < n; i++) {
    const ipfsa_pack_entry *e = &jobs[i].entry;
    if (e->kind > IPFSA_ENTRY_PB_RAW || e->mh.code != IPFSA_HASH_SHA2_256 || e->mh.len != 32 || jobs[i].pack.number != jobs[0].pack.number || e->off < end) return 0;
    end = e->off + e->len;
    bytes += e->len;
  }
  uint64_t span = end - jobs[0].entry.off;
  return bytes >= WORTH_MAPPING && span <= 2 * bytes ? span : 0;
}

static void hash_all(const ipfsa_store__read_job *jobs, size_t n, const uint8_t *data, uint8_t digests[][32]) {
  ipfsa_sha256_job batch[IPFSA_MAX_GET_MANY] = {0};
  wrap wraps[IPFSA_MAX_GET_MANY];
  for (size_t i = 0; i < n; i++) {
    const ipfsa_pack_entry *e = &jobs[i].entry;
    size_t prefix_len, suffix_len;
    ipfsa_leaf_wrap((ipfsa_leaf_kind)e->kind, e->len, wraps[i].prefix, &prefix_len, wraps[i].suffix, &suffix_len);
    batch[i] = (ipfsa_sha256_job){{{wraps[i].prefix, prefix_len}, {data + (e->off - jobs[0].entry.off), e->len}, {wraps[i].suffix, suffix_len}}, digests[i]};
  }
  ipfsa_sha256_batch(batch, n);
}

static bool match(const ipfsa_store__read_job *jobs, size_t n, const uint8_t *data) {
  uint8_t digests[IPFSA_MAX_GET_MANY][32];
  hash_all(jobs, n, data, digests);
  for (size_t i = 0; i < n; i++)
    if (memcmp(digests[i], jobs[i].entry.mh.digest, 32) != 0) return false;
  return true;
}

/* Whole tables of pages are mapped, though not all of it is looked at: where a table's pages are one huge page, it is mapped as such. */
static bool check_mapped(const ipfsa_store__read_job *jobs, size_t n, uint64_t from, size_t len, int page_map) {
  uint64_t start = from / IPFSA_PAGE_TABLE * IPFSA_PAGE_TABLE, end = (from + len + IPFSA_PAGE_TABLE - 1) / IPFSA_PAGE_TABLE * IPFSA_PAGE_TABLE;
  const uint8_t *map = ipfsa_fs_map_window(jobs[0].pack.fd, start, (size_t)(end - start));
  bool there = map && ipfsa_fs_populate(map + (from - start), len, page_map);
  bool good = there && match(jobs, n, map + (jobs[0].entry.off - start));
  ipfsa_fs_unmap(map, (size_t)(end - start));
  return good;
}

/* from: on a page border. */
static bool check_direct(const ipfsa_store__read_job *jobs, size_t n, uint64_t from, size_t len) {
  size_t whole = (len + IPFSA_PACK_PAGE - 1) / IPFSA_PACK_PAGE * IPFSA_PACK_PAGE; /* commits end on page borders */
  uint8_t *data = NULL;
  ipfsa_refbuf *owner = ipfsa_refbuf_new(whole, &data);
  struct iovec iov = {data, whole};
  bool aligned = owner && (uintptr_t)data % IPFSA_PACK_PAGE == 0;
  bool good = aligned && ipfsa_fs_read_past_cache(jobs[0].pack.fd, &iov, 1, from) && match(jobs, n, data + (jobs[0].entry.off - from));
  ipfsa_refbuf_unref(owner);
  return good;
}

/* True: all match. */
static bool check_in_place(const ipfsa_store__read_job *jobs, size_t n, int page_map) {
  uint64_t span = span_of(jobs, n), off = jobs[0].entry.off, from = off / IPFSA_PACK_PAGE * IPFSA_PACK_PAGE;
  if (!span) return false;
  size_t len = (size_t)(off + span - from);
  bool cached = ipfsa_fs_are_ends_cached(jobs[0].pack.fd, off, span);
  if (!cached && check_direct(jobs, n, from, len)) return true;
  if (!cached) ipfsa_fs_will_need(jobs[0].pack.fd, from, len); /* past the cache it cannot be had here: at once, not by the pieces of faults */
  return check_mapped(jobs, n, from, len, page_map);
}

static bool is_verdict(ipfsa_status status) { return status == IPFSA_OK || status == IPFSA_E_CORRUPT || status == IPFSA_E_NOMEM; }

ipfsa_status ipfsa_store__check_many(ipfsa_store__read_job *jobs, size_t n, int page_map, ipfsa_error *err) {
  if (check_in_place(jobs, n, page_map)) {
    for (size_t i = 0; i < n; i++) jobs[i].status = IPFSA_OK;
    return IPFSA_OK;
  }
  ipfsa_status status = ipfsa_store__read_many(jobs, n, false, err);
  for (size_t i = 0; status == IPFSA_OK && i < n; i++) {
    if (!is_verdict(jobs[i].status)) jobs[i].status = ipfsa_store__read(&jobs[i].pack, &jobs[i].entry, &jobs[i].block, &jobs[i].err); /* a disk may fail once */
    ipfsa_block_release(&jobs[i].block);
  }
  return status;
}
