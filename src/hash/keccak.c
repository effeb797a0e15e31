/* Keccak-f[1600] sponge with the original padding 01 (Ethereum's keccak-N); libcrypto has only the SHA-3 padding. Source: FIPS 202 and the
 * Keccak submission. */
#include "hash/other.h"

#include <string.h>

static const uint64_t round_constants[24] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b, 0x0000000080000001,
    0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002, 0x8000000000000080,
    0x000000000000800a, 0x800000008000000a, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};
static const uint8_t rotations[24] = {1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44};
static const uint8_t lanes[24] = {10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1};

static uint64_t rotl(uint64_t v, unsigned n) { return v << n | v >> (64 - n); }

static void permute(uint64_t a[25]) {
  for (int round = 0; round < 24; round++) {
    uint64_t c[5], t;
    for (int x = 0; x < 5; x++) c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    for (int x = 0; x < 5; x++) {
      t = c[(x + 4) % 5] ^ rotl(c[(x + 1) % 5], 1);
      for (int y = 0; y < 25; y += 5) a[x + y] ^= t;
    }
    t = a[1];
    for (int i = 0; i < 24; i++) {
      uint64_t next = a[lanes[i]];
      a[lanes[i]] = rotl(t, rotations[i]);
      t = next;
    }
    for (int y = 0; y < 25; y += 5) {
      for (int x = 0; x < 5; x++) c[x] = a[y + x];
      for (int x = 0; x < 5; x++) a[y + x] = c[x] ^ (~c[(x + 1) % 5] & c[(x + 2) % 5]);
    }
    a[0] ^= round_constants[round];
  }
}

void ipfsa_keccak(size_t digest_len, const ipfsa_bytes *parts, size_t n_parts, uint8_t *ret) {
  uint64_t state[25] = {0};
  uint8_t *bytes = (uint8_t *)state; /* little-endian machines; others go through the swap below */
  size_t rate = 200 - 2 * digest_len, at = 0;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LANE(i) ((i) ^ 7)
#else
#define LANE(i) (i)
#endif
  for (size_t p = 0; p < n_parts; p++)
    for (size_t i = 0; i < parts[p].len; i++) {
      bytes[LANE(at)] ^= parts[p].data[i];
      if (++at < rate) continue;
      permute(state);
      at = 0;
    }
  bytes[LANE(at)] ^= 0x01;
  bytes[LANE(rate - 1)] ^= 0x80;
  permute(state);
  for (size_t i = 0; i < digest_len; i++) ret[i] = bytes[LANE(i)];
}
