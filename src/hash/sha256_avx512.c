/* sha2-256, sixteen messages at once in the lanes of AVX-512: state and schedule stay in the 32 registers. */
#include "hash/sha256.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw"), always_inline)) static inline
#define XOR3(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x96)
#define CHOOSE(e, f, g) _mm512_ternarylogic_epi32(e, f, g, 0xca)
#define MAJORITY(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0xe8)
#define ADD(a, b) _mm512_add_epi32(a, b)

#define AHEAD 512 /* bytes: sixteen streams are more than the processor's own prefetchers follow, and leaves of 256 KiB share cache sets */

/* Rows of sixteen words become columns, one word of all messages each, in two steps of four parts: a block is made ready by and by, beside the last rounds of the
 * block before, which have no schedule to compute. So neither its loads nor the shuffles keep the first rounds waiting. */
typedef struct columns {
  __m512i half[16], w[16]; /* w[i]: word i */
} columns;

/* Rows 4g to 4g + 3. */
TARGET void load_rows(columns *c, const uint8_t *const *data, size_t off, int g) {
  const __m512i swap = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203));
  __m512i r[4], t[4];
  _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++) {
    r[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(data[4 * g + i] + off), swap);
    _mm_prefetch((const char *)data[4 * g + i] + off + AHEAD, _MM_HINT_T0); /* past the end it does nothing */
  }
  _Pragma("GCC unroll 2") for (int i = 0; i < 2; i++) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
  c->half[4 * g] = _mm512_unpacklo_epi64(t[0], t[2]);
  c->half[4 * g + 1] = _mm512_unpackhi_epi64(t[0], t[2]);
  c->half[4 * g + 2] = _mm512_unpacklo_epi64(t[1], t[3]);
  c->half[4 * g + 3] = _mm512_unpackhi_epi64(t[1], t[3]);
}

/* Words i, i + 4, i + 8 and i + 12. */
TARGET void end_columns(columns *c, int i) {
  __m512i a = _mm512_shuffle_i32x4(c->half[i], c->half[i + 4], 0x88), b = _mm512_shuffle_i32x4(c->half[i], c->half[i + 4], 0xdd);
  __m512i d = _mm512_shuffle_i32x4(c->half[i + 8], c->half[i + 12], 0x88), e = _mm512_shuffle_i32x4(c->half[i + 8], c->half[i + 12], 0xdd);
  c->w[i] = _mm512_shuffle_i32x4(a, d, 0x88);
  c->w[i + 8] = _mm512_shuffle_i32x4(a, d, 0xdd);
  c->w[i + 4] = _mm512_shuffle_i32x4(b, e, 0x88);
  c->w[i + 12] = _mm512_shuffle_i32x4(b, e, 0xdd);
}

#define PARTS 8
TARGET void make_ready(columns *c, const uint8_t *const *data, size_t off, int part) {
  if (part < 4) load_rows(c, data, off, part);
  else end_columns(c, part - 4);
}

TARGET __m512i schedule(const __m512i w[16], int i) {
  __m512i a = w[(i + 1) & 15], b = w[(i + 14) & 15];
  __m512i s0 = XOR3(_mm512_ror_epi32(a, 7), _mm512_ror_epi32(a, 18), _mm512_srli_epi32(a, 3));
  __m512i s1 = XOR3(_mm512_ror_epi32(b, 17), _mm512_ror_epi32(b, 19), _mm512_srli_epi32(b, 10));
  return ADD(ADD(w[i & 15], s0), ADD(w[(i + 9) & 15], s1));
}

/* Compilers order sums of integers as they like; what lies before one e and the next is decided here. */
#define PIN(x) __asm__("" : "+v"(x))

/* Round i; s is rotated by renaming: index (k - i) mod 8 is the variable's place in round i. Where an instruction takes two cycles (Zen 4 and 5) the rounds are bound
 * by latency: all that waits for neither the last e nor the last a is summed up before, so that three operations (rotate, xor, add) lie between one e and the next, and
 * between one a and the next (big0 comes last). It costs two additions a round and gives half as much again on Zen 5. Where instructions take one cycle and two ports
 * do all of them (Golden Cove), their number decides, and `few` gives a thirtieth. */
#define AT(k) s[((k) - i) & 7]
TARGET void round_at(__m512i s[8], __m512i w, int i, bool few) {
  __m512i e = AT(4), a = AT(0);
  __m512i big1 = XOR3(_mm512_ror_epi32(e, 6), _mm512_ror_epi32(e, 11), _mm512_ror_epi32(e, 25));
  __m512i big0 = XOR3(_mm512_ror_epi32(a, 2), _mm512_ror_epi32(a, 13), _mm512_ror_epi32(a, 22));
  __m512i choose = CHOOSE(e, AT(5), AT(6)), majority = MAJORITY(a, AT(1), AT(2));
  __m512i hkw = ADD(ADD(w, _mm512_set1_epi32((int)ipfsa_sha256_k[i])), AT(7));
  if (few) {
    __m512i t1 = ADD(ADD(hkw, choose), big1), t2 = ADD(big0, majority);
    AT(3) = ADD(AT(3), t1);
    AT(7) = ADD(t1, t2);
    return;
  }
  PIN(hkw);
  __m512i dhkw = ADD(AT(3), hkw), next_e, t1;
  PIN(dhkw);
  next_e = ADD(dhkw, choose);
  t1 = ADD(hkw, choose);
  PIN(next_e);
  PIN(t1);
  t1 = ADD(t1, big1);
  PIN(t1);
  t1 = ADD(t1, majority);
  PIN(t1);
  AT(3) = ADD(next_e, big1);
  AT(7) = ADD(t1, big0);
}

TARGET void compress_16(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks, bool few) {
  __m512i s[8];
  columns next;
  const __m512i lane = _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), _mm512_set1_epi32(8));
  for (int k = 0; k < 8; k++) s[k] = _mm512_i32gather_epi32(lane, (const int *)&states[0][k], 4);
  _Pragma("GCC unroll 8") for (int part = 0; part < PARTS; part++) make_ready(&next, data, 0, part);
  for (size_t block = 0; block < n_blocks; block++) {
    __m512i w[16], before[8];
    size_t off = 64 * (block + 1 < n_blocks ? block + 1 : block); /* the last one is read again, for nothing */
    _Pragma("GCC unroll 16") for (int k = 0; k < 16; k++) w[k] = next.w[k];
    for (int k = 0; k < 8; k++) before[k] = s[k];
    _Pragma("GCC unroll 64") for (int i = 0; i < 64; i++) {
      round_at(s, w[i & 15], i, few);
      if (i < 48) w[i & 15] = schedule(w, i + 16); /* fills the gaps of the rounds' chain */
      else if (i % 2 == 0) make_ready(&next, data, off, (i - 48) / 2);
    }
    for (int k = 0; k < 8; k++) s[k] = ADD(s[k], before[k]);
  }
  for (int k = 0; k < 8; k++) _mm512_i32scatter_epi32((int *)&states[0][k], lane, s[k], 4);
}

#define KERNEL(name, few)                                                                                                          \
  __attribute__((target("avx512f,avx512bw"))) void name(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks) { \
    compress_16(states, data, n_blocks, few);                                                                                \
  }
KERNEL(ipfsa_sha256_avx512_16, false)
KERNEL(ipfsa_sha256_avx512_16few, true)
#endif
