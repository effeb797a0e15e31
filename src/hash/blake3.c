/* BLAKE3, unkeyed, portable. Source: the BLAKE3 paper (O'Connor, Aumasson, Neves, Wilcox-O'Hearn), sections 2.1–2.6. */
#include "hash/other.h"

enum { CHUNK_START = 1, CHUNK_END = 2, PARENT = 4, ROOT = 8 };
#define CHUNK_LEN 1024
#define MAX_DEPTH 54 /* 2^54 chunks of 1 KiB: 2^64 bytes */

static const uint32_t iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
static const uint8_t permutation[16] = {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8};

/* What one compression needs; kept for the last node, whose compression is repeated for every 64 bytes of output. */
typedef struct node {
  uint32_t cv[8];
  uint8_t block[64];
  uint64_t counter;
  uint32_t block_len, flags;
} node;

static uint32_t rotr(uint32_t v, unsigned n) { return v >> n | v << (32 - n); }

static void mix(uint32_t v[16], int a, int b, int c, int d, uint32_t x, uint32_t y) {
  v[a] += v[b] + x;
  v[d] = rotr(v[d] ^ v[a], 16);
  v[c] += v[d];
  v[b] = rotr(v[b] ^ v[c], 12);
  v[a] += v[b] + y;
  v[d] = rotr(v[d] ^ v[a], 8);
  v[c] += v[d];
  v[b] = rotr(v[b] ^ v[c], 7);
}

static void compress(const node *n, uint64_t counter, uint32_t extra_flags, uint32_t ret[16]) {
  uint32_t m[16], next[16];
  for (int i = 0; i < 16; i++)
    m[i] = (uint32_t)n->block[4 * i] | (uint32_t)n->block[4 * i + 1] << 8 | (uint32_t)n->block[4 * i + 2] << 16 |
           (uint32_t)n->block[4 * i + 3] << 24;
  uint32_t v[16] = {n->cv[0], n->cv[1], n->cv[2], n->cv[3], n->cv[4], n->cv[5], n->cv[6], n->cv[7],
                    iv[0], iv[1], iv[2], iv[3], (uint32_t)counter, (uint32_t)(counter >> 32), n->block_len, n->flags | extra_flags};
  for (int round = 0; round < 7; round++) {
    mix(v, 0, 4, 8, 12, m[0], m[1]);
    mix(v, 1, 5, 9, 13, m[2], m[3]);
    mix(v, 2, 6, 10, 14, m[4], m[5]);
    mix(v, 3, 7, 11, 15, m[6], m[7]);
    mix(v, 0, 5, 10, 15, m[8], m[9]);
    mix(v, 1, 6, 11, 12, m[10], m[11]);
    mix(v, 2, 7, 8, 13, m[12], m[13]);
    mix(v, 3, 4, 9, 14, m[14], m[15]);
    for (int i = 0; i < 16; i++) next[i] = m[permutation[i]];
    memcpy(m, next, sizeof m);
  }
  for (int i = 0; i < 8; i++) {
    ret[i] = v[i] ^ v[i + 8];
    ret[i + 8] = v[i + 8] ^ n->cv[i];
  }
}

static void chaining_value(const node *n, uint32_t ret[8]) {
  uint32_t out[16];
  compress(n, n->counter, 0, out);
  memcpy(ret, out, 8 * sizeof *ret);
}

static void parent_of(const uint32_t left[8], const uint32_t right[8], node *ret) {
  memcpy(ret->cv, iv, sizeof iv);
  for (int i = 0; i < 16; i++)
    for (int k = 0; k < 4; k++) ret->block[4 * i + k] = (uint8_t)((i < 8 ? left[i] : right[i - 8]) >> (8 * k));
  ret->counter = 0;
  ret->block_len = 64;
  ret->flags = PARENT;
}

typedef struct hasher {
  node chunk;         /* the block being filled of the chunk being filled */
  size_t chunk_len;   /* bytes of that chunk so far */
  uint64_t n_chunks;  /* finished */
  uint32_t stack[MAX_DEPTH][8];
  size_t depth;
} hasher;

static void start_chunk(hasher *h) {
  memcpy(h->chunk.cv, iv, sizeof iv);
  memset(h->chunk.block, 0, sizeof h->chunk.block);
  h->chunk.counter = h->n_chunks;
  h->chunk.block_len = 0;
  h->chunk.flags = CHUNK_START;
  h->chunk_len = 0;
}

/* A whole subtree is merged for every trailing zero bit of the number of finished chunks. */
static void finish_chunk(hasher *h) {
  uint32_t cv[8];
  h->chunk.flags |= CHUNK_END;
  chaining_value(&h->chunk, cv);
  h->n_chunks++;
  for (uint64_t n = h->n_chunks; (n & 1) == 0; n >>= 1) {
    node parent;
    parent_of(h->stack[--h->depth], cv, &parent);
    chaining_value(&parent, cv);
  }
  memcpy(h->stack[h->depth++], cv, sizeof cv);
  start_chunk(h);
}

static void update(hasher *h, const uint8_t *data, size_t len) {
  while (len) {
    if (h->chunk_len == CHUNK_LEN) finish_chunk(h); /* only when more follows: the last chunk stays open */
    if (h->chunk.block_len == 64) {
      chaining_value(&h->chunk, h->chunk.cv);
      memset(h->chunk.block, 0, sizeof h->chunk.block);
      h->chunk.block_len = 0;
      h->chunk.flags = 0;
    }
    size_t room = 64 - h->chunk.block_len, n = len < room ? len : room;
    memcpy(h->chunk.block + h->chunk.block_len, data, n);
    h->chunk.block_len += (uint32_t)n;
    h->chunk_len += n;
    data += n;
    len -= n;
  }
}

void ipfsa_blake3(size_t digest_len, const ipfsa_bytes *parts, size_t n_parts, uint8_t *ret) {
  hasher h;
  h.n_chunks = 0;
  h.depth = 0;
  start_chunk(&h);
  for (size_t p = 0; p < n_parts; p++) update(&h, parts[p].data, parts[p].len);
  node last = h.chunk;
  last.flags |= CHUNK_END;
  while (h.depth) {
    uint32_t cv[8];
    chaining_value(&last, cv);
    parent_of(h.stack[--h.depth], cv, &last);
  }
  for (size_t done = 0; done < digest_len; done += 64) {
    uint32_t out[16];
    compress(&last, done / 64, ROOT, out); /* a root's counter is the number of the output block */
    for (size_t i = 0; i < 64 && done + i < digest_len; i++) ret[done + i] = (uint8_t)(out[i / 4] >> (8 * (i % 4)));
  }
}
