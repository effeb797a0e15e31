/* The one place that chooses a sha2-256 kernel, and the batches that keep its lanes full. */
#include "hash/sha256.h"

#define OPENSSL_SUPPRESS_DEPRECATED /* the low-level calls take a state as it is */
#include <openssl/sha.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "hash/kernels.h"

#if defined(__x86_64__)
static bool has_shani(void) { return __builtin_cpu_supports("sse4.1") && __builtin_cpu_supports("ssse3") && ipfsa_cpu_has_sha(); }
static bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }
static bool has_avx512(void) { return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"); }

#include <cpuid.h>
bool ipfsa_cpu_has_sha(void) {
  unsigned a, b = 0, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b >> 29 & 1);
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
    {"avx2", 8, ipfsa_sha256_avx2_8, has_avx2},
    {"avx512", 16, ipfsa_sha256_avx512_16, has_avx512},
#endif
};
#define N_KERNELS (sizeof kernels / sizeof *kernels)

const ipfsa_sha256_kernel *ipfsa_sha256_kernel_at(size_t i) { return i < N_KERNELS ? &kernels[i] : NULL; }

/* The kernel for single messages and tails: whatever is best with few lanes. */
static const ipfsa_sha256_kernel *single_kernel(void) {
  static _Atomic(const ipfsa_sha256_kernel *) chosen;
  const ipfsa_sha256_kernel *k = atomic_load_explicit(&chosen, memory_order_relaxed);
  if (k) return k;
  k = &kernels[1];
  for (size_t i = 0; i < N_KERNELS; i++)
    if (kernels[i].lanes == 1 && strcmp(kernels[i].name, "shani") == 0 && kernels[i].usable()) k = &kernels[i];
  atomic_store_explicit(&chosen, k, memory_order_relaxed);
  return k;
}

double ipfsa_sha256_measure(const ipfsa_sha256_kernel *k, size_t n_blocks, unsigned rounds) {
  static const uint8_t data[16384]; /* zeros: the time of the rounds does not depend on the data */
  const uint8_t *lanes[IPFSA_SHA256_MAX_LANES];
  uint32_t states[IPFSA_SHA256_MAX_LANES][8] = {{0}};
  for (size_t i = 0; i < IPFSA_SHA256_MAX_LANES; i++) lanes[i] = data;
  if (n_blocks > sizeof data / 64) n_blocks = sizeof data / 64;
  uint64_t best = UINT64_MAX;
  for (unsigned r = 0; r < rounds; r++) {
    uint64_t start = ipfsa_clock_monotonic_ns();
    k->compress(states, lanes, n_blocks);
    uint64_t took = ipfsa_clock_monotonic_ns() - start;
    if (took && took < best) best = took;
  }
  return (double)(64 * n_blocks * k->lanes) / (double)best; /* bytes a nanosecond = GB/s */
}

static const ipfsa_sha256_kernel *forced_kernel(void) {
  const char *name = getenv("IPFSA_SHA256");
  for (size_t i = 0; name && i < N_KERNELS; i++)
    if (strcmp(kernels[i].name, name) == 0 && kernels[i].usable()) return &kernels[i];
  return NULL;
}

/* A few microseconds a kernel, once: the fastest over four short runs. */
const ipfsa_sha256_kernel *ipfsa_sha256_chosen(void) {
  static _Atomic(const ipfsa_sha256_kernel *) chosen;
  const ipfsa_sha256_kernel *best = atomic_load_explicit(&chosen, memory_order_acquire);
  if (best) return best;
  best = forced_kernel();
  double best_rate = 0;
  if (!best)
    for (size_t i = 1; i < N_KERNELS; i++) {
      if (!kernels[i].usable()) continue;
      double rate = ipfsa_sha256_measure(&kernels[i], 64, 4);
      if (rate > best_rate) best_rate = rate, best = &kernels[i];
    }
  atomic_store_explicit(&chosen, best, memory_order_release);
  return best;
}

/* ---- streaming ---- */

void ipfsa_sha256_init(ipfsa_sha256_stream *s) {
  memcpy(s->state, ipfsa_sha256_iv, sizeof s->state);
  s->n_bytes = 0;
}

static void compress_one(uint32_t state[8], const uint8_t *data, size_t n_blocks) {
  if (n_blocks) single_kernel()->compress((uint32_t (*)[8])state, &data, n_blocks);
}

void ipfsa_sha256_update(ipfsa_sha256_stream *s, const void *data, size_t len) {
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

/* The closing blocks of a message whose last `used` bytes stand in block: 1 or 2. */
static size_t pad(uint8_t block[128], size_t used, uint64_t n_bytes) {
  size_t n = used < 56 ? 1 : 2;
  block[used] = 0x80;
  memset(block + used + 1, 0, 64 * n - 8 - used - 1);
  for (int i = 0; i < 8; i++) block[64 * n - 1 - (size_t)i] = (uint8_t)(n_bytes * 8 >> (8 * i));
  return n;
}

static void store_digest(const uint32_t state[8], uint8_t digest[32]) {
  for (int i = 0; i < 32; i++) digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

void ipfsa_sha256_final(ipfsa_sha256_stream *s, uint8_t digest[32]) {
  uint8_t block[128];
  size_t used = s->n_bytes % 64;
  memcpy(block, s->block, used);
  compress_one(s->state, block, pad(block, used, s->n_bytes));
  store_digest(s->state, digest);
}

/* ---- batches ---- */

/* One lane walks one job: whole blocks straight from a part, a stitched block where parts meet, padding at the end. */
typedef struct lane_walk {
  const ipfsa_sha256_job *job; /* NULL: idle */
  size_t part, off;            /* next byte of the message */
  uint64_t n_bytes;
  uint8_t staged[128];
  const uint8_t *at;           /* blocks ready now */
  size_t n_ready;
  bool closing;                /* what is ready is the padding */
} lane_walk;

static void skip_empty(lane_walk *l) {
  while (l->part < 3 && l->off == l->job->parts[l->part].len) l->part++, l->off = 0;
}

/* Makes at least one block ready. */
static void refill(lane_walk *l) {
  skip_empty(l);
  if (l->part < 3) {
    const ipfsa_bytes *p = &l->job->parts[l->part];
    size_t whole = (p->len - l->off) / 64;
    if (whole) {
      l->at = p->data + l->off;
      l->n_ready = whole;
      l->off += 64 * whole;
      return;
    }
  }
  size_t used = 0;
  while (used < 64 && l->part < 3) {
    const ipfsa_bytes *p = &l->job->parts[l->part];
    size_t left = p->len - l->off, n = left < 64 - used ? left : 64 - used;
    memcpy(l->staged + used, p->data + l->off, n);
    used += n;
    l->off += n;
    skip_empty(l);
  }
  l->at = l->staged;
  l->n_ready = 1;
  if (used == 64) return;
  l->n_ready = pad(l->staged, used, l->n_bytes);
  l->closing = true;
}

static void start_job(lane_walk *l, uint32_t state[8], const ipfsa_sha256_job *job) {
  l->job = job;
  l->part = l->off = 0;
  l->closing = false;
  l->n_bytes = 0;
  for (int i = 0; i < 3; i++) l->n_bytes += job->parts[i].len;
  memcpy(state, ipfsa_sha256_iv, sizeof ipfsa_sha256_iv);
  refill(l);
}

static void hash_alone(const ipfsa_sha256_job *job) {
  ipfsa_sha256_stream s;
  ipfsa_sha256_init(&s);
  for (int i = 0; i < 3; i++) ipfsa_sha256_update(&s, job->parts[i].data, job->parts[i].len);
  ipfsa_sha256_final(&s, job->digest);
}

/* Finishes a lane that few others accompany with the single-stream kernel. */
static void finish_alone(lane_walk *l, uint32_t state[8]) {
  for (;;) {
    compress_one(state, l->at, l->n_ready);
    if (l->closing) break;
    refill(l);
  }
  store_digest(state, l->job->digest);
}

static void run_lanes(const ipfsa_sha256_kernel *k, const ipfsa_sha256_job *jobs, size_t n_jobs) {
  lane_walk walk[IPFSA_SHA256_MAX_LANES];
  uint32_t states[IPFSA_SHA256_MAX_LANES][8] = {{0}};
  const uint8_t *data[IPFSA_SHA256_MAX_LANES];
  size_t next = 0, live = 0;
  for (; live < k->lanes && next < n_jobs; live++) start_job(&walk[live], states[live], &jobs[next++]);
  while (live * 2 > k->lanes) { /* with half its lanes idle a kernel is no better than single streams */
    size_t n = SIZE_MAX;
    for (size_t i = 0; i < live; i++) {
      if (walk[i].n_ready < n) n = walk[i].n_ready;
      data[i] = walk[i].at;
    }
    for (size_t i = live; i < k->lanes; i++) data[i] = data[0]; /* idle: computed and thrown away */
    k->compress(states, data, n);
    for (size_t i = 0; i < live; i++) {
      lane_walk *l = &walk[i];
      l->at += 64 * n;
      l->n_ready -= n;
      if (l->n_ready) continue;
      if (!l->closing) {
        refill(l);
        continue;
      }
      store_digest(states[i], l->job->digest);
      l->job = NULL;
      if (next < n_jobs) start_job(l, states[i], &jobs[next++]);
    }
    /* Idle lanes close ranks: the last live one moves into the gap. */
    for (size_t i = 0; i < live;) {
      if (walk[i].job) {
        i++;
        continue;
      }
      live--;
      if (i == live) break;
      bool staged = walk[live].at >= walk[live].staged && walk[live].at < walk[live].staged + sizeof walk[live].staged;
      ptrdiff_t off = staged ? walk[live].at - walk[live].staged : 0;
      walk[i] = walk[live];
      if (staged) walk[i].at = walk[i].staged + off;
      memcpy(states[i], states[live], sizeof states[i]);
    }
  }
  for (size_t i = 0; i < live; i++) finish_alone(&walk[i], states[i]);
}

void ipfsa_sha256_batch(const ipfsa_sha256_job *jobs, size_t n_jobs) {
  const ipfsa_sha256_kernel *k = n_jobs >= 2 ? ipfsa_sha256_chosen() : NULL;
  if (k && k->lanes > 1 && n_jobs * 2 > k->lanes) {
    run_lanes(k, jobs, n_jobs);
    return;
  }
  for (size_t i = 0; i < n_jobs; i++) hash_alone(&jobs[i]);
}
