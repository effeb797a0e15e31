/* MurmurHash3 x64 128, seed 0, as HAMT names use it (ipfs/specs: src/unixfs.md; Austin Appleby's public-domain description). */
#include "base/bytes.h"
#include "hash/hash.h"

static uint64_t rotl(uint64_t v, unsigned n) { return v << n | v >> (64 - n); }

static uint64_t finish(uint64_t k) {
  k ^= k >> 33;
  k *= 0xff51afd7ed558ccd;
  k ^= k >> 33;
  k *= 0xc4ceb9fe1a85ec53;
  return k ^ k >> 33;
}

static uint64_t load(const uint8_t *p, size_t n) {
  uint64_t v = 0;
  while (n-- > 0) v = v << 8 | p[n];
  return v;
}

static uint64_t mix1(uint64_t k) { return rotl(k * 0x87c37b91114253d5, 31) * 0x4cf5ad432745937f; }
static uint64_t mix2(uint64_t k) { return rotl(k * 0x4cf5ad432745937f, 33) * 0x87c37b91114253d5; }

void ipfsa_murmur3_hamt(ipfsa_bytes data, uint8_t ret[8]) {
  uint64_t h1 = 0, h2 = 0;
  size_t i = 0;
  for (; data.len - i >= 16; i += 16) {
    h1 ^= mix1(load(data.data + i, 8));
    h1 = (rotl(h1, 27) + h2) * 5 + 0x52dce729;
    h2 ^= mix2(load(data.data + i + 8, 8));
    h2 = (rotl(h2, 31) + h1) * 5 + 0x38495ab5;
  }
  size_t rest = data.len - i;
  if (rest > 8) h2 ^= mix2(load(data.data + i + 8, rest - 8));
  if (rest > 0) h1 ^= mix1(load(data.data + i, rest < 8 ? rest : 8));
  h1 ^= data.len;
  h2 ^= data.len;
  h1 += h2;
  h2 += h1;
  h1 = finish(h1);
  h2 = finish(h2);
  h1 += h2;
  for (int k = 0; k < 8; k++) ret[k] = (uint8_t)(h1 >> (56 - 8 * k));
}
