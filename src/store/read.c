/* Bytes out of the packs, verified: one block, or several side by side. What lies together is read together, straight to where it belongs. */
#include <sys/uio.h>

#include "base/alloc.h"
#include "base/error.h"
#include "hash/hash.h"
#include "store/local.h"

#define LARGE_LEAF 65536       /* bytes; smaller ones are not read in a row */
#define READ_AHEAD (8ull << 20) /* bytes asked for behind a stretch that has to come from the disk */

static int64_t ns_of(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }

ipfsa_status ipfsa_store__read_external(const ipfsa_pack *pack, const ipfsa_pack_entry *entry, uint8_t *data, char *ret_path, size_t path_cap,
                                        uint64_t *ret_off, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  uint8_t record[4096 + 128];
  size_t n = 0;
  ipfsa_external w;
  ipfsa_status status = ipfsa_fs_read_at(pack->fd, record, sizeof record, entry->off, &n, err);
  if (status == IPFSA_OK) status = ipfsa_external_decode(ipfsa_bytes_of(record, n), &w, err);
  if (status) return status;
  if (ret_path) snprintf(ret_path, path_cap, "%s", w.path);
  if (ret_off) *ret_off = w.off;
  if (!data) return IPFSA_OK;
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(AT_FDCWD, w.path, O_RDONLY, 0, err);
  if (fd < 0) return ipfsa_error_prefix(err, err->status, "the file of a no-copy block is gone");
  struct stat st;
  status = ipfsa_fs_fstat(fd, &st, err);
  if (status) return status;
  bool same = (uint64_t)st.st_size == w.file_size && ns_of(st.st_mtim) == w.mtime_ns && ns_of(st.st_ctim) == w.ctime_ns &&
              st.st_ino == w.inode && st.st_dev == w.device;
  if (!same) return ipfsa_fail(err, IPFSA_E_CHANGED, "%s changed since it was added without a copy; add it again", w.path);
  status = ipfsa_fs_read_at(fd, data, entry->len, w.off, &n, err);
  if (status == IPFSA_OK && n < entry->len) return ipfsa_fail(err, IPFSA_E_CHANGED, "%s is shorter than when it was added", w.path);
  return status;
}

/* Where the block of an entry goes: its data with what wraps it on both sides. */
typedef struct placed {
  uint8_t *data;
  size_t prefix_len, len;
} placed;

static ipfsa_leaf_kind leaf_kind(const ipfsa_pack_entry *entry) {
  return (ipfsa_leaf_kind)(entry->kind == IPFSA_ENTRY_EXTERNAL ? entry->flags : (uint8_t)entry->kind);
}

/* Room for a block, with what is lost to the page border. */
static size_t room_for(const ipfsa_pack_entry *entry) {
  size_t len = (size_t)ipfsa_pack_entry_block_len(entry);
  return len + (len > entry->len && entry->len >= LARGE_LEAF ? IPFSA_PACK_PAGE : 0);
}

/* In a room of its own from *at on, which is moved behind it. A large leaf that is wrapped has its data on a page border, as the pack has them; raw ones stand side by side. */
static placed place(const ipfsa_pack_entry *entry, uint8_t **at) {
  uint8_t prefix[32], suffix[32], *data = *at;
  size_t prefix_len, suffix_len;
  ipfsa_leaf_wrap(leaf_kind(entry), entry->len, prefix, &prefix_len, suffix, &suffix_len);
  if (prefix_len && entry->len >= LARGE_LEAF) data += (size_t)-((uintptr_t)data + prefix_len) % IPFSA_PACK_PAGE;
  memcpy(data, prefix, prefix_len);
  memcpy(data + prefix_len + entry->len, suffix, suffix_len);
  placed it = {data, prefix_len, prefix_len + entry->len + suffix_len};
  *at = data + it.len;
  return it;
}

/* Where the data of neighbours go: fewer places than entries, where these stand side by side in memory as well. */
static size_t gather(const ipfsa_store__read_job *jobs, const placed *at, size_t n, struct iovec *ret) {
  size_t n_iov = 0;
  for (size_t i = 0; i < n; i++) {
    uint8_t *data = at[i].data + at[i].prefix_len;
    struct iovec *last = n_iov ? &ret[n_iov - 1] : NULL;
    if (last && (uint8_t *)last->iov_base + last->iov_len == data) last->iov_len += jobs[i].entry.len;
    else if (jobs[i].entry.len) ret[n_iov++] = (struct iovec){data, jobs[i].entry.len};
  }
  return n_iov;
}

static bool on_page(uint64_t at) { return at % IPFSA_PACK_PAGE == 0; }

/* Whole pages straight from the disk, what is left of the last one in the usual way. False: they do not lie so, or are in memory. */
static bool read_once(const ipfsa_pack *pack, struct iovec *iov, size_t n_iov, uint64_t off) {
  struct iovec *last = &iov[n_iov - 1], rest = {0};
  uint64_t len = 0;
  size_t got = 0, tail = last->iov_len % IPFSA_PACK_PAGE;
  last->iov_len -= tail;
  rest = (struct iovec){(uint8_t *)last->iov_base + last->iov_len, tail};
  for (size_t i = 0; i < n_iov; len += iov[i++].iov_len)
    if (!on_page((uintptr_t)iov[i].iov_base) || !on_page(iov[i].iov_len)) return false;
  if (!on_page(off) || len == 0 || ipfsa_fs_are_ends_cached(pack->fd, off, len)) return false;
  if (!ipfsa_fs_read_past_cache(pack->fd, iov, n_iov, off)) return false;
  return tail == 0 || (ipfsa_fs_readv_at(pack->fd, &rest, 1, off + len, 0, &got, NULL) == IPFSA_OK && got == tail);
}

/* Entries that follow one another in one pack, in one call. */
static ipfsa_status read_stretch(const ipfsa_store__read_job *jobs, const placed *at, size_t n, bool once, ipfsa_error *err) {
  struct iovec iov[IPFSA_MAX_GET_MANY];
  bool large = jobs[0].entry.len >= LARGE_LEAF;
  size_t got = 0, n_iov = gather(jobs, at, n, iov);
  if (once && large && read_once(&jobs[0].pack, iov, n_iov, jobs[0].entry.off)) return IPFSA_OK;
  n_iov = gather(jobs, at, n, iov);
  ipfsa_status status = ipfsa_fs_readv_at(jobs[0].pack.fd, iov, n_iov, jobs[0].entry.off, large ? READ_AHEAD : 0, &got, err);
  if (status) return ipfsa_error_prefix(err, status, "pack %08x", jobs[0].pack.number);
  for (size_t i = 0, off = 0; i < n; off += jobs[i++].entry.len) { /* a pack that was cut short: the digests tell */
    size_t here = got > off ? got - off : 0;
    if (here < jobs[i].entry.len) memset(at[i].data + at[i].prefix_len + here, 0, jobs[i].entry.len - here);
  }
  return IPFSA_OK;
}

static bool follows(const ipfsa_store__read_job *a, const ipfsa_store__read_job *b) {
  return a->entry.kind != IPFSA_ENTRY_EXTERNAL && b->entry.kind != IPFSA_ENTRY_EXTERNAL && a->pack.number == b->pack.number &&
         a->entry.off + a->entry.len == b->entry.off;
}

static void read_all(ipfsa_store__read_job *jobs, const placed *at, size_t n, bool once) {
  for (size_t i = 0, end; i < n; i = end) {
    for (end = i + 1; end < n && follows(&jobs[end - 1], &jobs[end]);) end++;
    ipfsa_status status;
    if (jobs[i].entry.kind == IPFSA_ENTRY_EXTERNAL)
      status = ipfsa_store__read_external(&jobs[i].pack, &jobs[i].entry, at[i].data + at[i].prefix_len, NULL, 0, NULL, &jobs[i].err);
    else status = read_stretch(&jobs[i], &at[i], end - i, once, &jobs[i].err);
    for (size_t k = i; k < end; k++) jobs[k].status = status;
    for (size_t k = i + 1; status && k < end; k++) jobs[k].err = jobs[i].err;
  }
}

static ipfsa_status damaged(const ipfsa_store__read_job *job, ipfsa_error *err) {
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_store__key_text(&job->entry.mh, text);
  return ipfsa_fail(err, IPFSA_E_CORRUPT, "the block %.200s in pack %08x at byte %llu is damaged and not given out; run 'repo verify --repair'", text,
                    job->pack.number, (unsigned long long)job->entry.off);
}

static bool in_batch(const ipfsa_store__read_job *job) {
  return job->status == IPFSA_OK && job->entry.mh.code == IPFSA_HASH_SHA2_256 && job->entry.mh.len == 32;
}

static void verify_all(ipfsa_store__read_job *jobs, const placed *at, size_t n) {
  uint8_t digests[IPFSA_MAX_GET_MANY][32];
  ipfsa_sha256_job batch[IPFSA_MAX_GET_MANY];
  size_t n_batch = 0;
  for (size_t i = 0; i < n; i++)
    if (in_batch(&jobs[i])) batch[n_batch++] = (ipfsa_sha256_job){{{at[i].data, at[i].len}, {0}, {0}}, digests[i]};
  if (n_batch) ipfsa_sha256_batch(batch, n_batch);
  for (size_t i = 0; i < n; i++) {
    if (jobs[i].status) continue;
    if (in_batch(&jobs[i])) jobs[i].status = memcmp(digests[i], jobs[i].entry.mh.digest, 32) == 0 ? IPFSA_OK : IPFSA_E_CORRUPT;
    else jobs[i].status = ipfsa_hash_verify(&jobs[i].entry.mh, &(ipfsa_bytes){at[i].data, at[i].len}, 1, &jobs[i].err);
    if (jobs[i].status == IPFSA_E_CORRUPT) damaged(&jobs[i], &jobs[i].err);
  }
}

ipfsa_status ipfsa_store__read_many(ipfsa_store__read_job *jobs, size_t n, bool once, ipfsa_error *err) {
  placed at[IPFSA_MAX_GET_MANY];
  size_t total = 0;
  uint8_t *data = NULL;
  for (size_t i = 0; i < n; i++) {
    jobs[i].block = (ipfsa_block){0};
    jobs[i].err = (ipfsa_error){0};
    total += room_for(&jobs[i].entry);
  }
  ipfsa_refbuf *owner = ipfsa_refbuf_new(total, &data);
  if (!owner) return ipfsa_fail_nomem(err);
  for (size_t i = 0; i < n; i++) at[i] = place(&jobs[i].entry, &data);
  read_all(jobs, at, n, once);
  verify_all(jobs, at, n);
  for (size_t i = 0; i < n; i++)
    if (jobs[i].status == IPFSA_OK) jobs[i].block = (ipfsa_block){{at[i].data, at[i].len}, ipfsa_refbuf_ref(owner)};
  ipfsa_refbuf_unref(owner);
  return IPFSA_OK;
}

ipfsa_status ipfsa_store__read(const ipfsa_pack *pack, const ipfsa_pack_entry *entry, ipfsa_block *ret, ipfsa_error *err) {
  ipfsa_store__read_job job = {.pack = *pack, .entry = *entry};
  ipfsa_status status = ipfsa_store__read_many(&job, 1, false, err);
  if (status) return status;
  if (job.status && err) *err = job.err;
  if (job.status == IPFSA_OK) *ret = job.block;
  return job.status;
}
