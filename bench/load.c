/* Views of all tensors of a checkpoint of content beside a mapping of the plain file, in one process, through the public API alone:
 * usage: bench-load REPO CID FILE    warm: JSON lines {"what", "who", "seconds"}; opening again ROUNDS times, by turns
 *        bench-load REPO CID         one line: seconds from opening the checkpoint until every byte of its views was looked at
 * The node is open before a clock runs. What is looked at is added up, so that nothing can be left out; both sums must be equal. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <ipfsa/checkpoint.h>

#define ROUNDS 5

static ipfsa_error err;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int failed(const char *what) {
  fprintf(stderr, "%s: %s\n", what, err.message);
  return 1;
}

/* Eight sums side by side: as fast as memory gives. */
static uint64_t look_at(const void *data, uint64_t size) {
  uint64_t sums[8] = {0}, words[8], all = 0;
  const uint8_t *at = data;
  for (uint64_t i = 0; i + sizeof words <= size; i += sizeof words) {
    memcpy(words, at + i, sizeof words);
    for (int k = 0; k < 8; k++) sums[k] += words[k];
  }
  for (int k = 0; k < 8; k++) all += sums[k];
  return all;
}

static void tell(const char *what, const char *who, double seconds) { printf("{\"what\": \"%s\", \"who\": \"%s\", \"seconds\": %.9f}\n", what, who, seconds); }

static int view_all(ipfsa_checkpoint *cp, int look, uint64_t *ret_sum, uint64_t *ret_mapped) {
  ipfsa_tensor t;
  ipfsa_view view;
  *ret_mapped = 0;
  for (uint64_t i = 0; ipfsa_checkpoint_tensor(cp, i, &t); i++) {
    if (ipfsa_checkpoint_view(cp, &t, 0, t.size, &view, &err) != IPFSA_OK) return failed("ipfsa_checkpoint_view");
    if (look) *ret_sum += look_at(view.data, view.size);
    *ret_mapped += view.mapped;
  }
  return 0;
}

/* cp: NULL, or what says where tensors are: their bytes are looked at. */
static int plain(const char *path, ipfsa_checkpoint *cp, uint64_t *ret_sum) {
  double start = now();
  struct stat st;
  ipfsa_tensor t;
  int fd = open(path, O_RDONLY);
  if (fd < 0 || fstat(fd, &st) != 0) return perror(path), 1;
  const uint8_t *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return perror("mmap"), 1;
  if (!cp) tell("open to all views", "mapping", now() - start);
  start = now();
  for (uint64_t i = 0; cp && ipfsa_checkpoint_tensor(cp, i, &t); i++) *ret_sum += look_at(map + t.offset, t.size);
  if (cp) tell("looking at all bytes", "mapping", now() - start);
  munmap((void *)(uintptr_t)map, (size_t)st.st_size);
  close(fd);
  return 0;
}

/* The plain file as a loader has it: its header read and checked, all of it mapped, a pointer for each tensor. */
static int plain_tensors(const char *path) {
  double start = now();
  struct stat st;
  ipfsa_tensor t;
  ipfsa_checkpoint *cp = NULL;
  if (ipfsa_checkpoint_open(NULL, path, &cp, &err) != IPFSA_OK) return failed(path);
  int fd = open(path, O_RDONLY);
  if (fd < 0 || fstat(fd, &st) != 0) return perror(path), 1;
  const uint8_t *volatile at = NULL, *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return perror("mmap"), 1;
  for (uint64_t i = 0; ipfsa_checkpoint_tensor(cp, i, &t); i++) at = map + t.offset;
  tell("open to all views", "mapping with its header", now() - start);
  munmap((void *)(uintptr_t)map, (size_t)st.st_size);
  close(fd);
  ipfsa_checkpoint_close(cp);
  return at == NULL;
}

/* From nothing open but the node. */
static int open_and_view(ipfsa_node *node, const char *cid, const char *what, ipfsa_checkpoint **ret, uint64_t *ret_sum, uint64_t *ret_mapped) {
  double start = now();
  if (ipfsa_checkpoint_open(node, cid, ret, &err) != IPFSA_OK) return failed("ipfsa_checkpoint_open");
  int code = view_all(*ret, 0, ret_sum, ret_mapped);
  tell(what, "ours", now() - start);
  return code;
}

static int warm(ipfsa_node *node, const char *cid, const char *path) {
  ipfsa_checkpoint *cp = NULL;
  uint64_t ours = 0, theirs = 0, mapped = 0;
  int code = open_and_view(node, cid, "open to all views, first time", &cp, &ours, &mapped);
  for (int i = 0; !code && i < ROUNDS; i++) {
    ipfsa_checkpoint_close(cp);
    cp = NULL;
    code = open_and_view(node, cid, "open to all views", &cp, &ours, &mapped);
    if (!code) code = plain(path, NULL, NULL);
    if (!code) code = plain_tensors(path);
  }
  double start = now();
  if (!code) code = view_all(cp, 1, &ours, &mapped);
  tell("looking at all bytes", "ours", now() - start);
  if (!code) code = plain(path, cp, &theirs);
  if (!code && ours != theirs) code = (fprintf(stderr, "other bytes\n"), 1);
  if (!code) printf("{\"what\": \"mapped\", \"who\": \"ours\", \"bytes\": %llu, \"of\": %llu}\n", (unsigned long long)mapped, (unsigned long long)ipfsa_checkpoint_tensor_bytes(cp));
  ipfsa_checkpoint_close(cp);
  return code;
}

static int once(ipfsa_node *node, const char *cid) {
  ipfsa_checkpoint *cp = NULL;
  uint64_t sum = 0, mapped = 0;
  double start = now();
  if (ipfsa_checkpoint_open(node, cid, &cp, &err) != IPFSA_OK) return failed("ipfsa_checkpoint_open");
  int code = view_all(cp, 1, &sum, &mapped);
  if (!code) printf("%.9f\n", now() - start);
  ipfsa_checkpoint_close(cp);
  return code;
}

int main(int argc, char **argv) {
  if (argc != 3 && argc != 4) return fprintf(stderr, "usage: bench-load REPO CID [FILE]\n"), 2;
  const ipfsa_node_options options = {.struct_size = sizeof options, .repo_path = argv[1]};
  ipfsa_node *node = NULL;
  if (ipfsa_node_open(&options, &node, NULL, &err) != IPFSA_OK) return failed(argv[1]);
  int code = argc == 4 ? warm(node, argv[2], argv[3]) : once(node, argv[2]);
  ipfsa_node_close(node);
  return code;
}
