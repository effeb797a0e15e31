/* sha2-256 with the SHA extensions: one stream, and two interleaved ones that hide the latency of sha256rnds2. */
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
  for (int i = 0; i < 4; i++) l->m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i)), swap);
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

#define COMPRESS(n_lanes)                                                                                              \
  lane l[n_lanes];                                                                                                     \
  for (int k = 0; k < n_lanes; k++) load_state(&l[k], states[k]);                                                      \
  for (size_t block = 0; block < n_blocks; block++) {                                                                  \
    __m128i abef[n_lanes], cdgh[n_lanes];                                                                              \
    for (int k = 0; k < n_lanes; k++) {                                                                                \
      abef[k] = l[k].abef;                                                                                             \
      cdgh[k] = l[k].cdgh;                                                                                             \
      load_block(&l[k], data[k] + 64 * block);                                                                         \
    }                                                                                                                  \
    _Pragma("GCC unroll 16") for (int i = 0; i < 16; i++)                                                              \
      _Pragma("GCC unroll 2") for (int k = 0; k < n_lanes; k++) four_rounds(&l[k], i);                                 \
    for (int k = 0; k < n_lanes; k++) {                                                                                \
      l[k].abef = _mm_add_epi32(l[k].abef, abef[k]);                                                                   \
      l[k].cdgh = _mm_add_epi32(l[k].cdgh, cdgh[k]);                                                                   \
    }                                                                                                                  \
  }                                                                                                                    \
  for (int k = 0; k < n_lanes; k++) store_state(&l[k], states[k]);

__attribute__((target("sha,sse4.1,ssse3"))) void ipfsa_sha256_shani_1(uint32_t states[][8], const uint8_t *const *data,
                                                                      size_t n_blocks) {
  COMPRESS(1)
}

__attribute__((target("sha,sse4.1,ssse3"))) void ipfsa_sha256_shani_2(uint32_t states[][8], const uint8_t *const *data,
                                                                      size_t n_blocks) {
  COMPRESS(2)
}
#endif
