/* BLAKE2s, unkeyed, digest of any length up to 32 bytes. Source: RFC 7693. */
#include "hash/other.h"

static const uint32_t iv[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};
static const uint8_t sigma[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static uint32_t rotr(uint32_t v, unsigned n) { return v >> n | v << (32 - n); }

static uint32_t load(const uint8_t *p) {
  uint32_t v = 0;
  for (size_t i = sizeof v; i-- > 0;) v = v << 8 | p[i];
  return v;
}

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

static void compress(uint32_t h[8], const uint8_t *block, uint64_t counter, bool last) {
  uint32_t v[16], m[16];
  for (int i = 0; i < 16; i++) m[i] = load(block + sizeof(m[0]) * (size_t)i);
  for (int i = 0; i < 8; i++) v[i] = h[i], v[i + 8] = iv[i];
  v[12] ^= (uint32_t)counter;
  v[13] ^= (uint32_t)(counter >> 32);
  if (last) v[14] = ~v[14];
  for (int round = 0; round < 10; round++) {
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

void ipfsa_blake2s(size_t digest_len, const ipfsa_bytes *parts, size_t n_parts, uint8_t *ret) {
  uint8_t block[16 * sizeof(uint32_t)] = {0};
  size_t used = 0;
  uint64_t counter = 0;
  uint32_t h[8];
  memcpy(h, iv, sizeof h);
  h[0] ^= (uint32_t)(0x01010000 ^ digest_len);
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
