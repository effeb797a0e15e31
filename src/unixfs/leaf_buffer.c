#include "unixfs/leaf_buffer.h"

#include "base/alloc.h"
#include "base/error.h"
#include "unixfs/chunker.h"

static size_t digest_size(const ipfsa_leaf_buffer *b) { return b->params->hash == IPFSA_HASH_SHA2_256 ? 32 : IPFSA_MAX_DIGEST; }

void ipfsa_leaf_buffer_init(ipfsa_leaf_buffer *b, const ipfsa_import_params *params) {
  *b = (ipfsa_leaf_buffer){.params = params, .kind = IPFSA_LEAF_RAW};
  if (!params->raw_leaves) b->kind = params->layout == IPFSA_LAYOUT_TRICKLE ? IPFSA_LEAF_PB_RAW : IPFSA_LEAF_PB_FILE;
}

void ipfsa_leaf_buffer_release(ipfsa_leaf_buffer *b) {
  ipfsa_free_aligned(b->room);
  ipfsa_free(b->leaves);
  ipfsa_free(b->digests);
  *b = (ipfsa_leaf_buffer){0};
}

ipfsa_status ipfsa_leaf_buffer_reserve(ipfsa_leaf_buffer *b, size_t size, bool huge, ipfsa_error *err) {
  if (huge && !b->huge) {
    ipfsa_free_aligned(b->room);
    b->room = NULL;
  }
  if (!b->room) {
    b->room = ipfsa_alloc_aligned(huge ? IPFSA_HUGE_PAGE : IPFSA_LEAF_ALIGNMENT, size);
    b->huge = huge;
    if (b->room && huge) ipfsa_prefer_huge_pages(b->room, size);
  }
  if (!b->room) return ipfsa_fail_nomem(err);
  b->data = b->room;
  b->len = b->n_leaves = 0;
  return IPFSA_OK;
}

ipfsa_status ipfsa_leaf_buffer_add(ipfsa_leaf_buffer *b, size_t off, size_t len, ipfsa_error *err) {
  if (b->n_leaves == b->cap) {
    size_t cap = b->cap ? b->cap * 2 : 64;
    uint8_t *digests = ipfsa_reallocarray(b->digests, cap, digest_size(b));
    if (!digests) return ipfsa_fail_nomem(err);
    b->digests = digests;
    ipfsa_leaf *leaves = ipfsa_reallocarray(b->leaves, cap, sizeof *leaves);
    if (!leaves) return ipfsa_fail_nomem(err);
    b->leaves = leaves;
    b->cap = cap;
  }
  b->leaves[b->n_leaves++] = (ipfsa_leaf){.hash = b->params->hash, .digest_len = 32, .off = (uint32_t)off, .len = (uint32_t)len};
  return IPFSA_OK;
}

/* Length of the leaf that begins at off; 0: more of the file is needed to tell. */
static size_t next_cut(const ipfsa_leaf_buffer *b, size_t off, size_t left, bool ended) {
  if (!b->cuts) return ended || left >= ipfsa_chunker_max(&b->params->chunker) ? ipfsa_chunker_cut(&b->params->chunker, b->data + off, left) : 0;
  uint64_t n = ipfsa_cuts_next(b->cuts, b->at + off) - (b->at + off);
  if (n <= left) return (size_t)n;
  return ended ? left : 0;
}

ipfsa_status ipfsa_leaf_buffer_cut(ipfsa_leaf_buffer *b, size_t off, size_t len, bool ended, size_t *ret_used, ipfsa_error *err) {
  size_t used = 0;
  while (used < len && b->n_leaves < IPFSA_MAX_BUFFER_LEAVES) {
    size_t n = next_cut(b, off + used, len - used, ended);
    if (n == 0) break;
    ipfsa_status status = ipfsa_leaf_buffer_add(b, off + used, n, err);
    if (status) return status;
    used += n;
  }
  *ret_used = used;
  return IPFSA_OK;
}

/* ---- hashing ---- */

static void hash_sha256(ipfsa_leaf_buffer *b) {
  enum { BATCH = 64 };
  for (size_t at = 0; at < b->n_leaves; at += BATCH) {
    ipfsa_sha256_job jobs[BATCH];
    uint8_t prefix[BATCH][32], suffix[BATCH][32];
    size_t n = b->n_leaves - at < BATCH ? b->n_leaves - at : BATCH;
    for (size_t i = 0; i < n; i++) {
      const ipfsa_leaf *leaf = &b->leaves[at + i];
      size_t prefix_len, suffix_len;
      ipfsa_leaf_wrap(b->kind, leaf->len, prefix[i], &prefix_len, suffix[i], &suffix_len);
      jobs[i] = (ipfsa_sha256_job){{{prefix[i], prefix_len}, {b->data + leaf->off, leaf->len}, {suffix[i], suffix_len}}, b->digests + (at + i) * 32};
    }
    ipfsa_sha256_batch(jobs, n);
  }
}

/* A leaf that is inlined needs no digest; identity as the hash function stops at 128 bytes by itself. */
static ipfsa_status hash_others(ipfsa_leaf_buffer *b, ipfsa_error *err) {
  for (size_t i = 0; i < b->n_leaves; i++) {
    ipfsa_leaf *leaf = &b->leaves[i];
    uint8_t prefix[32], suffix[32];
    ipfsa_bytes parts[3] = {{prefix, 0}, {b->data + leaf->off, leaf->len}, {suffix, 0}};
    ipfsa_leaf_wrap(b->kind, leaf->len, prefix, &parts[0].len, suffix, &parts[2].len);
    if (ipfsa_params_inlines(b->params, parts[0].len + leaf->len + parts[2].len)) continue;
    ipfsa_multihash mh;
    ipfsa_status status = ipfsa_hash_digest(b->params->hash, 0, parts, 3, &mh, err);
    if (status) return status;
    memcpy(b->digests + i * IPFSA_MAX_DIGEST, mh.digest, mh.len);
    leaf->digest_len = mh.len;
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_leaf_buffer_hash(ipfsa_leaf_buffer *b, ipfsa_error *err) {
  for (size_t i = 0; i < b->n_leaves; i++) b->leaves[i].digest = b->digests + i * digest_size(b);
  if (b->params->hash != IPFSA_HASH_SHA2_256) return hash_others(b, err);
  hash_sha256(b);
  return IPFSA_OK;
}

/* ---- what a parent needs ---- */

size_t ipfsa_leaf_buffer_block_len(const ipfsa_leaf_buffer *b, size_t i) {
  uint8_t prefix[32], suffix[32];
  size_t prefix_len, suffix_len;
  ipfsa_leaf_wrap(b->kind, b->leaves[i].len, prefix, &prefix_len, suffix, &suffix_len);
  return prefix_len + b->leaves[i].len + suffix_len;
}

ipfsa_status ipfsa_leaf_buffer_ref(const ipfsa_leaf_buffer *b, size_t i, ipfsa_dag_ref *ret, ipfsa_error *err) {
  const ipfsa_leaf *leaf = &b->leaves[i];
  size_t len = ipfsa_leaf_buffer_block_len(b, i);
  ipfsa_multihash mh;
  memset(&mh, 0, sizeof mh);
  mh.code = leaf->hash;
  mh.len = (uint8_t)leaf->digest_len;
  uint8_t whole[IPFSA_MAX_DIGEST];
  if (ipfsa_params_inlines(b->params, len)) {
    size_t prefix_len, suffix_len;
    uint8_t suffix[32];
    ipfsa_leaf_wrap(b->kind, leaf->len, whole, &prefix_len, suffix, &suffix_len);
    if (leaf->len) memcpy(whole + prefix_len, b->data + leaf->off, leaf->len);
    if (suffix_len) memcpy(whole + prefix_len + leaf->len, suffix, suffix_len);
  } else {
    memcpy(mh.digest, leaf->digest, leaf->digest_len);
  }
  ret->tsize = len;
  ret->filesize = leaf->len;
  uint64_t codec = b->kind == IPFSA_LEAF_RAW ? IPFSA_CODEC_RAW : IPFSA_CODEC_DAG_PB;
  return ipfsa_params_cid(b->params, codec, len, &mh, ipfsa_bytes_of(whole, len), &ret->cid, err);
}
