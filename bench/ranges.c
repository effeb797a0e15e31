/* Random ranges of a file in a repo beside pread of the same ranges of the plain file, in one process, through the public API alone:
 * usage: bench-ranges REPO CID FILE BYTES COUNT SEED
 *
 * Writes one JSON object a line: {"who", "bytes", "count", "seconds", "p50_us", "p99_us"}. The plain file is read first, then the repo, the same
 * offsets for both; the bytes are compared. Before each, both files are read at every leaf, which is not counted. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <ipfsa/read.h>

#define STEP (256u << 10) /* bytes; no leaf is smaller */

typedef struct piece {
  uint8_t *data;
  size_t len;
} piece;

typedef struct plan {
  ipfsa_file *file;
  int fd;
  uint64_t file_size, seed;
  size_t bytes, count;
  double *us;
  piece from_file, from_repo;
} plan;

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* splitmix64 (Steele, Lea, Flood 2014): the i-th offset, anywhere in the file. */
static uint64_t offset_of(const plan *p, uint64_t i) {
  uint64_t z = p->seed + (i + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (z ^ z >> 31) % (p->file_size - p->bytes + 1);
}

static int read_file(plan *p, uint64_t off) {
  p->from_file.len = 0;
  ssize_t n = pread(p->fd, p->from_file.data, p->bytes, (off_t)off);
  if (n != (ssize_t)p->bytes) return perror("pread"), 1;
  p->from_file.len = (size_t)n;
  return 0;
}

static int read_repo(plan *p, uint64_t off) {
  ipfsa_error err = {0};
  if (ipfsa_file_read_at(p->file, off, p->from_repo.data, p->bytes, &p->from_repo.len, &err) == IPFSA_OK) return 0;
  return fprintf(stderr, "ipfsa_file_read_at: %s\n", err.message), 1;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* Every leaf was verified once, and the processor's caches hold what was read last, for both: nothing of what the clock runs for. */
static int look_at_all(plan *p) {
  for (uint64_t off = 0; off < p->file_size - p->bytes; off += p->bytes < STEP ? STEP : p->bytes)
    if (read_repo(p, off) || read_file(p, off)) return 1;
  return 0;
}

static int run(plan *p, const char *who, int (*read)(plan *, uint64_t)) {
  double sum = 0;
  for (size_t i = 0; i < p->count; i++) {
    double start = now_us();
    if (read(p, offset_of(p, i))) return 1;
    sum += p->us[i] = now_us() - start;
  }
  qsort(p->us, p->count, sizeof *p->us, by_value);
  printf("{\"who\": \"%s\", \"bytes\": %zu, \"count\": %zu, \"seconds\": %.6f, \"p50_us\": %.2f, \"p99_us\": %.2f}\n", who, p->bytes, p->count, sum / 1e6,
         p->us[p->count / 2], p->us[p->count * 99 / 100]);
  return 0;
}

static int compare(plan *p) {
  for (size_t i = 0; i < p->count && i < 64; i++) {
    if (read_file(p, offset_of(p, i)) || read_repo(p, offset_of(p, i))) return 1;
    if (p->from_repo.len != p->bytes || memcmp(p->from_repo.data, p->from_file.data, p->bytes) != 0)
      return fprintf(stderr, "bytes from %" PRIu64 " on differ\n", offset_of(p, i)), 1;
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 7) return fprintf(stderr, "usage: bench-ranges REPO CID FILE BYTES COUNT SEED\n"), 2;
  plan p = {.bytes = strtoull(argv[4], NULL, 10), .count = strtoull(argv[5], NULL, 10), .seed = strtoull(argv[6], NULL, 10)};
  struct stat st;
  p.fd = open(argv[3], O_RDONLY | O_CLOEXEC);
  if (p.fd < 0 || fstat(p.fd, &st) != 0) return perror(argv[3]), 1;
  p.file_size = (uint64_t)st.st_size;
  if (p.bytes == 0 || p.count == 0 || p.bytes > p.file_size) return fprintf(stderr, "BYTES and COUNT are at least 1, BYTES at most the file\n"), 2;
  ipfsa_error err = {0};
  ipfsa_node_options options = {.struct_size = sizeof options, .repo_path = argv[1]};
  ipfsa_node *node = NULL;
  if (ipfsa_node_open(&options, &node, NULL, &err) || ipfsa_file_open(node, argv[2], &p.file, &err)) return fprintf(stderr, "%s\n", err.message), 1;
  p.us = calloc(p.count, sizeof *p.us);
  p.from_file = (piece){malloc(p.bytes), 0};
  p.from_repo = (piece){malloc(p.bytes), 0};
  int failed = !p.us || !p.from_file.data || !p.from_repo.data;
  failed = failed || compare(&p) || look_at_all(&p) || run(&p, "pread", read_file) || look_at_all(&p) || run(&p, "ours", read_repo);
  free(p.us);
  free(p.from_file.data);
  free(p.from_repo.data);
  ipfsa_file_close(p.file);
  ipfsa_node_close(node);
  close(p.fd);
  return failed;
}
