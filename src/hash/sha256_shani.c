/* sha2-256 with the SHA extensions: one stream, and two or four interleaved ones that hide the latency of sha256rnds2 (four clocks on Zen 4,
 * where one can begin in each: two streams are still bound by the chain of one, four by what the processor can begin).
 *
 * Every loop over lanes and words is unrolled by name: left to itself, the compiler keeps the words of a block in memory for the sake of one
 * loop that it did not unroll, and a tenth of the speed is lost. */
#include "hash/sha256.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET __attribute__((target("sha,sse4.1,ssse3"), always_inline)) static inline

typedef struct lane {
  __m128i abef, cdgh, m[4];
} lane;

TARGET void load_state(lane *l, const uint32_t state[8]) {
  __m128i t = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)state), 0xb1);
  __m128i s = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(state + 4)), 0x1b);
  l->abef = _mm_alignr_epi8(t, s, 8);
  l->cdgh = _mm_blend_epi16(s, t, 0xf0);
}

TARGET void store_state(const lane *l, uint32_t state[8]) {
  __m128i t = _mm_shuffle_epi32(l->abef, 0x1b), s = _mm_shuffle_epi32(l->cdgh, 0xb1);
  _mm_storeu_si128((__m128i *)(void *)state, _mm_blend_epi16(t, s, 0xf0));
  _mm_storeu_si128((__m128i *)(void *)(state + 4), _mm_alignr_epi8(s, t, 8));
}

TARGET void load_block(lane *l, const uint8_t *p) {
  const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
  _Pragma("GCC unroll 4") for (int i = 0; i < 4; i++)
    l->m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i)), swap);
}

/* Four rounds with message words m[i % 4]; from the fourth group on the words of later groups are made on the way. */
TARGET void four_rounds(lane *l, int i) {
  __m128i w = _mm_add_epi32(l->m[i % 4], _mm_loadu_si128((const __m128i *)(const void *)(ipfsa_sha256_k + 4 * i)));
  l->cdgh = _mm_sha256rnds2_epu32(l->cdgh, l->abef, w);
  l->abef = _mm_sha256rnds2_epu32(l->abef, l->cdgh, _mm_shuffle_epi32(w, 0x0e));
  if (i >= 12) return;
  __m128i *m0 = &l->m[i % 4], m1 = l->m[(i + 1) % 4], m2 = l->m[(i + 2) % 4], m3 = l->m[(i + 3) % 4];
  __m128i next = _mm_add_epi32(_mm_sha256msg1_epu32(*m0, m1), _mm_alignr_epi8(m3, m2, 4));
  *m0 = _mm_sha256msg2_epu32(next, m3);
}

#define EACH_LANE(n_lanes) _Pragma("GCC unroll 4") for (int k = 0; k < n_lanes; k++)

#define COMPRESS(n_lanes)                                                                                              \
  lane l[n_lanes];                                                                                                     \
  EACH_LANE(n_lanes) load_state(&l[k], states[k]);                                                                     \
  for (size_t block = 0; block < n_blocks; block++) {                                                                  \
    __m128i abef[n_lanes], cdgh[n_lanes];                                                                              \
    EACH_LANE(n_lanes) {                                                                                               \
      abef[k] = l[k].abef;                                                                                             \
      cdgh[k] = l[k].cdgh;                                                                                             \
      load_block(&l[k], data[k] + 64 * block);                                                                         \
    }                                                                                                                  \
    _Pragma("GCC unroll 16") for (int i = 0; i < 16; i++)                                                              \
      EACH_LANE(n_lanes) four_rounds(&l[k], i);                                                                        \
    EACH_LANE(n_lanes) {                                                                                               \
      l[k].abef = _mm_add_epi32(l[k].abef, abef[k]);                                                                   \
      l[k].cdgh = _mm_add_epi32(l[k].cdgh, cdgh[k]);                                                                   \
    }                                                                                                                  \
  }                                                                                                                    \
  EACH_LANE(n_lanes) store_state(&l[k], states[k]);

#define KERNEL(name, n_lanes, features)                                                                                \
  __attribute__((target(features))) void name(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks) {     \
    COMPRESS(n_lanes)                                                                                                  \
  }

KERNEL(ipfsa_sha256_shani_1, 1, "sha,sse4.1,ssse3")
KERNEL(ipfsa_sha256_shani_2, 2, "sha,sse4.1,ssse3")
KERNEL(ipfsa_sha256_shani_4, 4, "sha,sse4.1,ssse3,avx") /* three operands: no moves between registers */
KERNEL(ipfsa_sha256_shani_4vl, 4, "sha,sse4.1,ssse3,avx512f,avx512vl") /* 32 registers: four streams fit in them */
#endif
