/* sha2-256, eight messages at once in the lanes of AVX2. */
#include "hash/sha256.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx2"), always_inline)) static inline
#define ADD(a, b) _mm256_add_epi32(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define ROR(v, n) _mm256_or_si256(_mm256_srli_epi32(v, n), _mm256_slli_epi32(v, 32 - (n)))

/* Rows of 8 words become columns. */
TARGET void transpose(__m256i w[8]) {
  __m256i t[8];
  _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) {
    t[2 * i] = _mm256_unpacklo_epi32(w[2 * i], w[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_epi32(w[2 * i], w[2 * i + 1]);
  }
  _Pragma("GCC unroll 2") for (int i = 0; i < 2; i++) {
    w[4 * i] = _mm256_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    w[4 * i + 1] = _mm256_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    w[4 * i + 2] = _mm256_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    w[4 * i + 3] = _mm256_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) {
    t[i] = _mm256_permute2x128_si256(w[i], w[i + 4], 0x20);
    t[i + 4] = _mm256_permute2x128_si256(w[i], w[i + 4], 0x31);
  }
  for (int i = 0; i < 8; i++) w[i] = t[i];
}

TARGET void load_half(__m256i *w, const uint8_t *const *data, size_t off) {
  const __m256i swap = _mm256_broadcastsi128_si256(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
  _Pragma("GCC unroll 8") for (int i = 0; i < 8; i++)
    w[i] = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(const void *)(data[i] + off)), swap);
  transpose(w);
}

TARGET __m256i schedule(const __m256i w[16], int i) {
  __m256i a = w[(i + 1) & 15], b = w[(i + 14) & 15];
  __m256i s0 = XOR(XOR(ROR(a, 7), ROR(a, 18)), _mm256_srli_epi32(a, 3));
  __m256i s1 = XOR(XOR(ROR(b, 17), ROR(b, 19)), _mm256_srli_epi32(b, 10));
  return ADD(ADD(w[i & 15], s0), ADD(w[(i + 9) & 15], s1));
}

#define AT(k) s[((k) - i) & 7]
TARGET void round_at(__m256i s[8], __m256i w, int i) {
  __m256i e = AT(4), a = AT(0), b = AT(1), c = AT(2);
  __m256i big1 = XOR(XOR(ROR(e, 6), ROR(e, 11)), ROR(e, 25));
  __m256i big0 = XOR(XOR(ROR(a, 2), ROR(a, 13)), ROR(a, 22));
  __m256i choose = XOR(AT(6), _mm256_and_si256(e, XOR(AT(5), AT(6))));
  __m256i majority = XOR(_mm256_and_si256(XOR(a, b), XOR(b, c)), b);
  __m256i t1 = ADD(ADD(AT(7), ADD(w, _mm256_set1_epi32((int)ipfsa_sha256_k[i]))), ADD(big1, choose));
  AT(3) = ADD(AT(3), t1);
  AT(7) = ADD(t1, ADD(big0, majority));
}

__attribute__((target("avx2"))) void ipfsa_sha256_avx2_8(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks) {
  __m256i s[8];
  const __m256i lane = _mm256_set_epi32(56, 48, 40, 32, 24, 16, 8, 0);
  for (int k = 0; k < 8; k++) s[k] = _mm256_i32gather_epi32((const int *)&states[0][k], lane, 4);
  for (size_t block = 0; block < n_blocks; block++) {
    __m256i w[16], before[8];
    load_half(w, data, 64 * block);
    load_half(w + 8, data, 64 * block + 32);
    for (int k = 0; k < 8; k++) before[k] = s[k];
    _Pragma("GCC unroll 16") for (int i = 0; i < 16; i++) round_at(s, w[i], i);
    _Pragma("GCC unroll 48") for (int i = 16; i < 64; i++) {
      w[i & 15] = schedule(w, i);
      round_at(s, w[i & 15], i);
    }
    for (int k = 0; k < 8; k++) s[k] = ADD(s[k], before[k]);
  }
  uint32_t out[8];
  for (int k = 0; k < 8; k++) {
    _mm256_storeu_si256((__m256i *)(void *)out, s[k]);
    for (int i = 0; i < 8; i++) states[i][k] = out[i];
  }
}
#endif
