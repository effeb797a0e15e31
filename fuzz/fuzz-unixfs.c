/* UnixFS messages: the first byte says how many links the node has. What is read comes back from what is written, and is written the same again. */
#include "base/buf.h"
#include "fuzz.h"
#include "unixfs/unixfs.h"

static bool same_meta(const ipfsa_unixfs_meta *a, const ipfsa_unixfs_meta *b) {
  return a->mode == b->mode && a->has_mtime == b->has_mtime && a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns;
}

static bool same_bytes(ipfsa_bytes a, ipfsa_bytes b) { return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0); }

/* False for what this program reads and never writes. */
static bool write_again(const ipfsa_unixfs *u, ipfsa_buf *out) {
  uint64_t sizes[256], size;
  size_t n = 0;
  ipfsa_blocksize_iter iter = ipfsa_unixfs_blocksizes(u);
  while (ipfsa_blocksize_next(&iter, &size)) sizes[n++] = size;
  FUZZ_CHECK(n == u->n_blocksizes);
  switch (u->type) {
  case IPFSA_UNIXFS_RAW:
  case IPFSA_UNIXFS_FILE:
    if (n && (u->data.len || u->type == IPFSA_UNIXFS_RAW)) return false;
    if (n) ipfsa_buf_unixfs_file(out, u->filesize, sizes, n, &u->meta);
    else ipfsa_buf_unixfs_leaf(out, u->type, u->data, &u->meta);
    return true;
  case IPFSA_UNIXFS_DIRECTORY: return ipfsa_buf_unixfs_directory(out, &u->meta), true;
  case IPFSA_UNIXFS_SYMLINK: return ipfsa_buf_unixfs_symlink(out, u->data, &u->meta), true;
  case IPFSA_UNIXFS_HAMT: return ipfsa_buf_unixfs_hamt(out, u->data, u->fanout, &u->meta), true;
  default: return false;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ipfsa_unixfs u, v;
  ipfsa_buf once = {0}, twice = {0};
  if (size == 0 || ipfsa_unixfs_decode(ipfsa_bytes_of(data + 1, size - 1), data[0], &u, NULL) != IPFSA_OK) return 0;
  fuzz_accepted = 1;
  if (u.type == IPFSA_UNIXFS_FILE) FUZZ_CHECK(u.n_blocksizes == data[0]);
  if (u.n_blocksizes > 255) return 0; /* only what others than files carry to no use */
  if (write_again(&u, &once)) {
    FUZZ_CHECK(ipfsa_unixfs_decode(ipfsa_buf_bytes(&once), data[0], &v, NULL) == IPFSA_OK);
    FUZZ_CHECK(v.type == u.type && same_meta(&u.meta, &v.meta));
    if (u.type == IPFSA_UNIXFS_FILE) FUZZ_CHECK(v.n_blocksizes == u.n_blocksizes && v.blocksizes_sum == u.blocksizes_sum);
    if (u.type != IPFSA_UNIXFS_DIRECTORY) FUZZ_CHECK(same_bytes(u.data, v.data));
    if (u.type == IPFSA_UNIXFS_HAMT) FUZZ_CHECK(u.fanout == v.fanout);
    if (u.type == IPFSA_UNIXFS_FILE && u.n_blocksizes && u.has_filesize) FUZZ_CHECK(u.filesize == v.filesize);
    FUZZ_CHECK(write_again(&v, &twice) && same_bytes(ipfsa_buf_bytes(&once), ipfsa_buf_bytes(&twice)));
  }
  ipfsa_buf_release(&once);
  ipfsa_buf_release(&twice);
  return 0;
}
