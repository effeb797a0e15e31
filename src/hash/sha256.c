/* The one place that chooses sha2-256 kernels; streaming. Batches: sha256_batch.c. */
#include "hash/sha256.h"

#define OPENSSL_SUPPRESS_DEPRECATED /* the low-level calls take a state as it is */
#include <openssl/sha.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "hash/kernels.h"

#if defined(__x86_64__)
static bool has_shani(void) { return __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3") && ipfsa_cpu_has_sha(); }
static bool has_shani_avx(void) { return has_shani() && __builtin_cpu_supports("avx"); }
static bool has_shani_vl(void) { return has_shani() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"); }
static bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }
static bool has_avx512(void) { return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"); }

#include <cpuid.h>
/* Asked once: in a virtual machine each cpuid is answered by the hypervisor, 4 µs. */
bool ipfsa_cpu_has_sha(void) {
  enum { UNKNOWN, NO, YES };
  static _Atomic int known = UNKNOWN;
  int answer = atomic_load_explicit(&known, memory_order_relaxed);
  if (answer == UNKNOWN) {
    unsigned a, b = 0, c, d;
    answer = __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1) ? YES : NO;
    atomic_store_explicit(&known, answer, memory_order_relaxed);
  }
  return answer == YES;
}
#endif

/* libcrypto's own code for this processor, one stream. */
static void openssl_1(uint32_t states[][8], const uint8_t *const *data, size_t n_blocks) {
  SHA256_CTX ctx;
  SHA256_Init(&ctx);
  memcpy(ctx.h, states[0], sizeof ctx.h);
  SHA256_Update(&ctx, data[0], 64 * n_blocks);
  memcpy(states[0], ctx.h, sizeof ctx.h);
}

static bool always(void) { return true; }

static const ipfsa_sha256_kernel kernels[] = {
    {"portable", 1, ipfsa_sha256_portable_1, always},
    {"openssl", 1, openssl_1, always},
#if defined(__x86_64__)
    {"shani", 1, ipfsa_sha256_shani_1, has_shani},
    {"shani2", 2, ipfsa_sha256_shani_2, has_shani},
    {"shani4", 4, ipfsa_sha256_shani_4, has_shani_avx},
    {"shani4vl", 4, ipfsa_sha256_shani_4vl, has_shani_vl},
    {"avx2", 8, ipfsa_sha256_avx2_8, has_avx2},
    {"avx512", 16, ipfsa_sha256_avx512_16, has_avx512},
    {"avx512few", 16, ipfsa_sha256_avx512_16few, has_avx512},
#endif
};
#define N_KERNELS (sizeof kernels / sizeof *kernels)

const ipfsa_sha256_kernel *ipfsa_sha256_kernel_at(size_t i) { return i < N_KERNELS ? &kernels[i] : NULL; }

/* ---- choosing ---- */

static const ipfsa_sha256_kernel *usable_kernel(const char *name) {
  for (size_t i = 0; name && i < N_KERNELS; i++)
    if (strcmp(kernels[i].name, name) == 0 && kernels[i].usable()) return &kernels[i];
  return NULL;
}

double ipfsa_sha256_measure(const ipfsa_sha256_kernel *k, const uint8_t *data, size_t lane_bytes, uint64_t at_least_ns) {
  const uint8_t *lanes[IPFSA_SHA256_MAX_LANES];
  uint32_t states[IPFSA_SHA256_MAX_LANES][8] = {{0}};
  for (size_t i = 0; i < IPFSA_SHA256_MAX_LANES; i++) lanes[i] = data + i * lane_bytes;
  uint64_t start = ipfsa_clock_monotonic_ns(), took = 0, n_bytes = 0;
  do {
    k->compress(states, lanes, lane_bytes / 64);
    n_bytes += lane_bytes / 64 * 64 * k->lanes;
    took = ipfsa_clock_monotonic_ns() - start;
  } while (took < at_least_ns);
  return took ? (double)n_bytes / (double)took : 0; /* bytes a nanosecond = GB/s */
}

static ipfsa_sha256_plan plan;            /* what needs no measuring: single and pair, or what is forced */
static ipfsa_sha256_plan calibrated_plan; /* with the fastest kernel and where its lanes stop paying */
static bool is_forced;
static pthread_once_t plan_once = PTHREAD_ONCE_INIT, calibration_once = PTHREAD_ONCE_INIT;

ipfsa_sha256_plan ipfsa_sha256_plan_of(const ipfsa_sha256_kernel *k) {
  const ipfsa_sha256_kernel *one = usable_kernel("shani");
  return (ipfsa_sha256_plan){.wide = k, .pair = NULL, .single = k->lanes == 1 ? k : one ? one : &kernels[1], .min_live = 1};
}

static void make_plan(void) {
  const ipfsa_sha256_kernel *forced = usable_kernel(getenv("IPFSA_SHA256"));
  is_forced = forced != NULL;
  plan = ipfsa_sha256_plan_of(forced ? forced : &kernels[1]);
  if (forced) return;
  const ipfsa_sha256_kernel *one = usable_kernel("shani");
  plan.pair = usable_kernel("shani2");
  plan.single = one ? one : &kernels[1];
  plan.wide = plan.pair ? plan.pair : plan.single;
}

#define CALIBRATION_LANE 4096 /* bytes */
#define CALIBRATION_ROUNDS 24 /* about half a millisecond on Zen 4 */
#define ALL_ROUNDS 4          /* with every kernel; then with those that are near the best */
#define NEAR 0.8
/* Who has the other half of a core takes most from the kernel that has most to do at once: when such are this near, the one with more lanes is taken. */
#define ALIKE 0.9

static void measure_by_turns(const uint8_t *data, double *rates) {
  double best = 0;
  for (unsigned round = 0; round < CALIBRATION_ROUNDS; round++)
    for (size_t i = 1; i < N_KERNELS; i++) {
      if (!kernels[i].usable() || (round >= ALL_ROUNDS && rates[i] < NEAR * best)) continue;
      double rate = ipfsa_sha256_measure(&kernels[i], data, CALIBRATION_LANE, 0);
      if (rate > rates[i]) rates[i] = rate;
      if (rate > best) best = rate;
    }
}

static size_t choose(const double *rates) {
  size_t best = 1, chosen;
  double single = 0;
  for (size_t i = 1; i < N_KERNELS; i++) {
    if (rates[i] > rates[best]) best = i;
    if (kernels[i].lanes == 1 && rates[i] > single) single = rates[i];
  }
  chosen = best;
  for (size_t i = 1; i < N_KERNELS; i++) {
    bool alike = rates[i] >= ALIKE * rates[best] && rates[i] > single;
    if (alike && (kernels[i].lanes > kernels[chosen].lanes || (kernels[i].lanes == kernels[chosen].lanes && rates[i] > rates[chosen]))) chosen = i;
  }
  return chosen;
}

static void calibrate(void) {
  static uint8_t data[IPFSA_SHA256_MAX_LANES * CALIBRATION_LANE]; /* zeros: the time of the rounds does not depend on the data */
  double rates[N_KERNELS] = {0};
  pthread_once(&plan_once, make_plan);
  calibrated_plan = plan;
  if (is_forced) return;
  measure_by_turns(data, rates);
  size_t chosen = choose(rates);
  const ipfsa_sha256_kernel *narrow = plan.pair ? plan.pair : plan.single; /* what remains when the wide kernel's lanes run empty */
  double narrow_rate = rates[narrow - kernels];
  calibrated_plan.wide = &kernels[chosen];
  size_t min_live = rates[chosen] > 0 ? (size_t)(narrow_rate / rates[chosen] * (double)kernels[chosen].lanes) + 1 : 1;
  calibrated_plan.min_live = min_live < kernels[chosen].lanes ? min_live : kernels[chosen].lanes;
}

const ipfsa_sha256_plan *ipfsa_sha256_plan_for(size_t n_jobs) {
  pthread_once(&plan_once, make_plan);
  if (n_jobs < 4) return &plan;
  pthread_once(&calibration_once, calibrate);
  return &calibrated_plan;
}

const ipfsa_sha256_kernel *ipfsa_sha256_chosen(bool *ret_forced) {
  const ipfsa_sha256_plan *p = ipfsa_sha256_plan_for(SIZE_MAX);
  if (ret_forced) *ret_forced = is_forced;
  return p->wide;
}

/* ---- streaming ---- */

void ipfsa_sha256_init(ipfsa_sha256_stream *s) {
  memcpy(s->state, ipfsa_sha256_iv, sizeof s->state);
  s->n_bytes = 0;
}

static void compress_one(uint32_t state[8], const uint8_t *data, size_t n_blocks) {
  if (n_blocks) ipfsa_sha256_plan_for(1)->single->compress((uint32_t (*)[8])state, &data, n_blocks);
}

void ipfsa_sha256_update(ipfsa_sha256_stream *s, const void *data, size_t len) {
  if (len == 0) return; /* data may be NULL then */
  const uint8_t *p = data;
  size_t used = s->n_bytes % 64;
  s->n_bytes += len;
  if (used) {
    size_t n = len < 64 - used ? len : 64 - used;
    memcpy(s->block + used, p, n);
    p += n;
    len -= n;
    if (used + n < 64) return;
    compress_one(s->state, s->block, 1);
  }
  compress_one(s->state, p, len / 64);
  if (len % 64) memcpy(s->block, p + len / 64 * 64, len % 64);
}

size_t ipfsa_sha256_pad(uint8_t block[128], size_t used, uint64_t n_bytes) {
  size_t n = used < 56 ? 1 : 2;
  block[used] = 0x80;
  memset(block + used + 1, 0, 64 * n - 8 - used - 1);
  for (int i = 0; i < 8; i++) block[64 * n - 1 - (size_t)i] = (uint8_t)(n_bytes * 8 >> (8 * i));
  return n;
}

void ipfsa_sha256_store(const uint32_t state[8], uint8_t digest[32]) {
  for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

void ipfsa_sha256_final(ipfsa_sha256_stream *s, uint8_t digest[32]) {
  uint8_t block[128];
  size_t used = s->n_bytes % 64;
  memcpy(block, s->block, used);
  compress_one(s->state, block, ipfsa_sha256_pad(block, used, s->n_bytes));
  ipfsa_sha256_store(s->state, digest);
}
