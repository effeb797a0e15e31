/* BLAKE2 of either size (RFC 7693), unkeyed; whoever includes it says which: BLAKE2_WORD, BLAKE2_ROUNDS, BLAKE2_TURNS (the four rotations), BLAKE2_NAME, and iv. */
#include "hash/other.h"

static const uint8_t sigma[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static BLAKE2_WORD rotr(BLAKE2_WORD v, unsigned n) { return v >> n | v << (8 * sizeof v - n); }

static BLAKE2_WORD load(const uint8_t *p) {
  BLAKE2_WORD v = 0;
  for (size_t i = sizeof v; i-- > 0;) v = v << 8 | p[i];
  return v;
}

static const unsigned turns[4] = BLAKE2_TURNS;

static void mix(BLAKE2_WORD v[16], int a, int b, int c, int d, BLAKE2_WORD x, BLAKE2_WORD y) {
  v[a] += v[b] + x;
  v[d] = rotr(v[d] ^ v[a], turns[0]);
  v[c] += v[d];
  v[b] = rotr(v[b] ^ v[c], turns[1]);
  v[a] += v[b] + y;
  v[d] = rotr(v[d] ^ v[a], turns[2]);
  v[c] += v[d];
  v[b] = rotr(v[b] ^ v[c], turns[3]);
}

static void compress(BLAKE2_WORD h[8], const uint8_t *block, uint64_t counter, bool last) {
  BLAKE2_WORD v[16], m[16];
  for (int i = 0; i < 16; i++) m[i] = load(block + sizeof(m[0]) * (size_t)i);
  for (int i = 0; i < 8; i++) v[i] = h[i], v[i + 8] = iv[i];
  v[12] ^= (BLAKE2_WORD)counter;
  if (last) v[14] = ~v[14];
  for (int round = 0; round < BLAKE2_ROUNDS; round++) {
    const uint8_t *s = sigma[round % 10];
    mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
  }
  for (int i = 0; i < 8; i++) h[i] ^= v[i] ^ v[i + 8];
}

void BLAKE2_NAME(size_t digest_len, const ipfsa_bytes *parts, size_t n_parts, uint8_t *ret) {
  uint8_t block[16 * sizeof(BLAKE2_WORD)] = {0};
  size_t used = 0;
  uint64_t counter = 0;
  BLAKE2_WORD h[8];
  memcpy(h, iv, sizeof h);
  h[0] ^= (BLAKE2_WORD)(0x01010000 ^ digest_len);
  for (size_t p = 0; p < n_parts; p++)
    for (size_t i = 0; i < parts[p].len;) {
      if (used == sizeof block) { /* the last block is compressed at the end, so a full one waits */
        counter += used;
        compress(h, block, counter, false);
        used = 0;
      }
      size_t n = parts[p].len - i < sizeof block - used ? parts[p].len - i : sizeof block - used;
      memcpy(block + used, parts[p].data + i, n);
      used += n;
      i += n;
    }
  memset(block + used, 0, sizeof block - used);
  compress(h, block, counter + used, true);
  for (size_t i = 0; i < digest_len; i++) ret[i] = (uint8_t)(h[i / sizeof h[0]] >> (8 * (i % sizeof h[0])));
}
