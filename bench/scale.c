/* A store of many synthetic blocks, to see what one more block costs when there are 10⁴ … 10⁷ already.
 *
 * usage: bench-scale fill REPO FIRST END BYTES     puts blocks FIRST … END − 1 of BYTES bytes, a durable commit every BATCH blocks
 *        bench-scale get REPO N BYTES COUNT SEED   opens the repo eleven times, then gets COUNT random blocks of the first N by CID
 *
 * The blocks are real: each is hashed, written, indexed and verified on reading as any other; only their bytes follow from their number, and the
 * time to make and hash them is not counted. Writes JSON, one object a line. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ipfsa/block.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "hash/hash.h"
#include "node/node.h"
#include "store/local.h"

enum { BATCH = 32768, OPENS = 11, GROUP = 1024, MAX_BYTES = 1 << 20 };

static int complain(const char *what, const ipfsa_error *err) {
  fprintf(stderr, "%s: %s\n", what, err->message);
  return 1;
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static void make_block(uint64_t number, uint8_t *data, size_t len) {
  for (size_t at = 0; at < len; at += sizeof number) {
    uint64_t word = at ? mix(number * 0x10001 + at) : number;
    memcpy(data + at, &word, len - at < sizeof word ? len - at : sizeof word);
  }
}

/* The blocks of a batch, back to back, and their CIDs. */
typedef struct batch {
  uint8_t *data;
  ipfsa_cid *cids;
  ipfsa_sha256_job *jobs;
  ipfsa_leaf *leaves;
  size_t bytes;
} batch;

static bool batch_init(batch *b, size_t n, size_t bytes) {
  *b = (batch){ipfsa_malloc(n * bytes), ipfsa_calloc(n, sizeof(ipfsa_cid)), ipfsa_calloc(n, sizeof(ipfsa_sha256_job)), ipfsa_calloc(n, sizeof(ipfsa_leaf)), bytes};
  return b->data && b->cids && b->jobs && b->leaves;
}

static void batch_release(batch *b) {
  ipfsa_free(b->data);
  ipfsa_free(b->cids);
  ipfsa_free(b->jobs);
  ipfsa_free(b->leaves);
}

static void batch_make(batch *b, size_t n, uint64_t (*number)(void *ctx, size_t i), void *ctx) {
  for (size_t i = 0; i < n; i++) {
    make_block(number(ctx, i), b->data + i * b->bytes, b->bytes);
    b->cids[i] = (ipfsa_cid){.codec = IPFSA_CODEC_RAW, .version = 1, .defined = true, .mh = {.code = IPFSA_HASH_SHA2_256, .len = 32}};
    b->jobs[i] = (ipfsa_sha256_job){{{b->data + i * b->bytes, b->bytes}, {NULL, 0}, {NULL, 0}}, b->cids[i].mh.digest};
  }
  ipfsa_sha256_batch(b->jobs, n);
}

static ipfsa_status open_repo(const char *path, ipfsa_node **ret, ipfsa_error *err) {
  ipfsa_node_options options = {.struct_size = sizeof options, .repo_path = path, .create = true};
  return ipfsa_node_open(&options, ret, NULL, err);
}

/* ---- fill ---- */

static uint64_t following(void *ctx, size_t i) { return *(uint64_t *)ctx + i; }

/* Many at once, as an import of an archive does. */
static ipfsa_status put_batch(ipfsa_blockstore_writer *w, const batch *b, size_t n, ipfsa_error *err) {
  for (size_t i = 0; i < n; i++) b->leaves[i] = (ipfsa_leaf){IPFSA_HASH_SHA2_256, b->cids[i].mh.digest, 32, (uint32_t)(i * b->bytes), (uint32_t)b->bytes};
  ipfsa_status status = ipfsa_writer_put_run(w, &(ipfsa_leaf_run){b->data, n * b->bytes, IPFSA_LEAF_RAW, b->leaves, n}, err);
  return status ? status : ipfsa_writer_commit(w, err);
}

static ipfsa_status fill(ipfsa_node *node, batch *b, uint64_t first, uint64_t end, ipfsa_error *err) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_status status = ipfsa_blockstore_begin(node->bs, &w, err);
  uint64_t sum = 0;
  printf("{\"what\": \"fill\", \"first\": %" PRIu64 ", \"end\": %" PRIu64 ", \"bytes\": %zu, \"batch_s\": [", first, end, b->bytes);
  for (uint64_t at = first; status == IPFSA_OK && at < end; at += BATCH) {
    size_t n = end - at < BATCH ? (size_t)(end - at) : BATCH;
    batch_make(b, n, following, &at);
    uint64_t start = ipfsa_clock_monotonic_ns();
    status = put_batch(w, b, n, err);
    uint64_t took = ipfsa_clock_monotonic_ns() - start;
    sum += took;
    printf("%s%.6f", at == first ? "" : ", ", (double)took / 1e9);
  }
  printf("], \"seconds\": %.6f}\n", (double)sum / 1e9);
  ipfsa_writer_close(w);
  return status;
}

static int run_fill(const char *repo, uint64_t first, uint64_t end, size_t bytes) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  batch b;
  if (!batch_init(&b, BATCH, bytes)) return 1;
  ipfsa_status status = open_repo(repo, &node, &err);
  if (status == IPFSA_OK) status = fill(node, &b, first, end, &err);
  ipfsa_node_close(node);
  batch_release(&b);
  return status ? complain("fill", &err) : 0;
}

/* ---- get ---- */

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static int count_bytes(void *ctx, const void *data, size_t len) {
  (void)data;
  *(size_t *)ctx += len;
  return 0;
}

typedef struct random_numbers {
  uint64_t n, seed;
} random_numbers;
static uint64_t any_of(void *ctx, size_t i) {
  random_numbers *r = ctx;
  return mix(r->seed + i) % r->n;
}

/* Gets `count` random blocks; us (may be NULL) takes the time of each. */
static ipfsa_status get_blocks(ipfsa_node *node, batch *b, random_numbers r, size_t count, double *us, ipfsa_error *err) {
  for (size_t at = 0; at < count; at += GROUP, r.seed += GROUP) {
    size_t n = count - at < GROUP ? count - at : GROUP;
    batch_make(b, n, any_of, &r);
    for (size_t i = 0; i < n; i++) {
      size_t got = 0;
      uint64_t start = ipfsa_clock_monotonic_ns();
      ipfsa_status status = ipfsa_block_get(node, &b->cids[i], count_bytes, &got, err);
      if (us) us[at + i] = (double)(ipfsa_clock_monotonic_ns() - start) / 1e3;
      if (status || got != b->bytes) return status ? status : IPFSA_E_CORRUPT;
    }
  }
  return IPFSA_OK;
}

static long status_kib(const char *name) {
  char line[256];
  long kib = -1;
  FILE *in = fopen("/proc/self/status", "r");
  while (in && kib < 0 && fgets(line, sizeof line, in))
    if (strncmp(line, name, strlen(name)) == 0) sscanf(line + strlen(name), ": %ld", &kib);
  if (in) fclose(in);
  return kib;
}

static ipfsa_status median_open(const char *repo, ipfsa_node **ret, double *ret_s, ipfsa_error *err) {
  double s[OPENS];
  for (int i = 0; i < OPENS; i++) {
    ipfsa_node_close(*ret);
    *ret = NULL;
    uint64_t start = ipfsa_clock_monotonic_ns();
    ipfsa_status status = open_repo(repo, ret, err);
    if (status) return status;
    s[i] = (double)(ipfsa_clock_monotonic_ns() - start) / 1e9;
  }
  qsort(s, OPENS, sizeof *s, by_value);
  *ret_s = s[OPENS / 2];
  return IPFSA_OK;
}

static int run_get(const char *repo, uint64_t n, size_t bytes, size_t count, uint64_t seed) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  double open_s = 0, sum = 0, *us = ipfsa_calloc(count, sizeof *us);
  batch b;
  if (!us || !batch_init(&b, GROUP, bytes)) return 1;
  ipfsa_status status = median_open(repo, &node, &open_s, &err);
  if (status == IPFSA_OK) status = get_blocks(node, &b, (random_numbers){n, seed * 0x100000000u}, count, NULL, &err);
  long before = status_kib("RssAnon");
  if (status == IPFSA_OK) status = get_blocks(node, &b, (random_numbers){n, (seed + 1) * 0x100000000u}, count, us, &err);
  if (status == IPFSA_OK) {
    for (size_t i = 0; i < count; i++) sum += us[i];
    qsort(us, count, sizeof *us, by_value);
    printf("{\"what\": \"get\", \"blocks\": %" PRIu64 ", \"bytes\": %zu, \"count\": %zu, \"open_s\": %.6f, \"p50_us\": %.3f, \"p99_us\": %.3f, "
           "\"mean_us\": %.3f, \"private_kib\": %ld, \"private_kib_before\": %ld, \"mapped_kib\": %ld, \"index_bytes\": %" PRIu64 "}\n",
           n, bytes, count, open_s, us[count / 2], us[count * 99 / 100], sum / (double)count, status_kib("RssAnon"), before, status_kib("RssFile"),
           ipfsa_index_bytes(node->store->index));
  }
  ipfsa_node_close(node);
  batch_release(&b);
  ipfsa_free(us);
  return status ? complain("get", &err) : 0;
}

static uint64_t number(const char *text) { return strtoull(text, NULL, 10); }

int main(int argc, char **argv) {
  if (argc == 6 && strcmp(argv[1], "fill") == 0 && number(argv[5]) - 1 < MAX_BYTES) return run_fill(argv[2], number(argv[3]), number(argv[4]), number(argv[5]));
  if (argc == 7 && strcmp(argv[1], "get") == 0 && number(argv[4]) - 1 < MAX_BYTES && number(argv[3]) && number(argv[5]))
    return run_get(argv[2], number(argv[3]), number(argv[4]), number(argv[5]), number(argv[6]));
  fprintf(stderr, "usage: bench-scale fill REPO FIRST END BYTES | get REPO N BYTES COUNT SEED   (BYTES: 1 to %d)\n", MAX_BYTES);
  return 2;
}
