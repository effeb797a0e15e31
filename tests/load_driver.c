/* For tests/integration/test_load.py: tensors of a checkpoint of content, as views and as what ranks read.
 * usage: load-driver REPO CID views           each tensor: a line "LENGTH-OF-NAME SIZE MAPPED", name, bytes
 *        load-driver REPO CID hold            views of all tensors, every byte looked at, "MAPPED SIZE", and waits for the end of standard input
 *        load-driver REPO CID rank DIM R N    every tensor cut along DIM, whole where it lacks that: as views, without MAPPED */
#include <ipfsa/slices.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ipfsa_error err;

static int fail(void) {
  fprintf(stderr, "%s\n", err.message);
  return 1;
}

static int print_views(ipfsa_checkpoint *cp) {
  ipfsa_tensor t;
  for (uint64_t i = 0; ipfsa_checkpoint_tensor(cp, i, &t); i++) {
    ipfsa_view view;
    if (ipfsa_checkpoint_view(cp, &t, 0, t.size, &view, &err) != IPFSA_OK) return fail();
    printf("%zu %llu %llu\n", t.name_len, (unsigned long long)view.size, (unsigned long long)view.mapped);
    fwrite(t.name, 1, t.name_len, stdout);
    fwrite(view.data, 1, (size_t)view.size, stdout);
  }
  return 0;
}

static int hold(ipfsa_checkpoint *cp) {
  ipfsa_tensor t;
  unsigned long long mapped = 0, size = 0;
  volatile unsigned char sum = 0;
  for (uint64_t i = 0; ipfsa_checkpoint_tensor(cp, i, &t); i++) {
    ipfsa_view view;
    if (ipfsa_checkpoint_view(cp, &t, 0, t.size, &view, &err) != IPFSA_OK) return fail();
    for (uint64_t k = 0; k < view.size; k++) sum = (unsigned char)(sum + ((const unsigned char *)view.data)[k]);
    mapped += view.mapped;
    size += view.size;
  }
  printf("%llu %llu\n", mapped, size);
  fflush(stdout);
  while (getchar() != EOF) continue;
  return 0;
}

static int print_rank(ipfsa_checkpoint *cp, uint32_t dim, uint32_t rank, uint32_t n_ranks) {
  size_t n = (size_t)ipfsa_checkpoint_n_tensors(cp);
  ipfsa_tensor *tensors = calloc(n + 1, sizeof *tensors);
  ipfsa_rank_slice *slices = calloc(n + 1, sizeof *slices);
  int code = tensors && slices ? 0 : 1;
  for (size_t i = 0; code == 0 && i < n; i++) {
    uint64_t size = 0;
    (void)ipfsa_checkpoint_tensor(cp, i, &tensors[i]);
    slices[i] = (ipfsa_rank_slice){.tensor = &tensors[i], .dim = dim, .whole = tensors[i].rank <= dim};
    if (ipfsa_checkpoint_rank_size(cp, &slices[i], rank, n_ranks, &size, &err) != IPFSA_OK) code = fail();
    slices[i].size = (size_t)size;
    slices[i].data = malloc((size_t)size + 1);
  }
  if (code == 0 && ipfsa_checkpoint_load_rank(cp, slices, n, rank, n_ranks, NULL, &err) != IPFSA_OK) code = fail();
  for (size_t i = 0; code == 0 && i < n; i++) {
    printf("%zu %zu\n", tensors[i].name_len, slices[i].size);
    fwrite(tensors[i].name, 1, tensors[i].name_len, stdout);
    fwrite(slices[i].data, 1, slices[i].size, stdout);
  }
  for (size_t i = 0; slices && i < n; i++) free(slices[i].data);
  free(slices);
  free(tensors);
  return code;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const ipfsa_node_options options = {.struct_size = sizeof options, .repo_path = argv[1]};
  ipfsa_node *node = NULL;
  ipfsa_checkpoint *cp = NULL;
  if (ipfsa_node_open(&options, &node, NULL, &err) != IPFSA_OK) return fail();
  int code = ipfsa_checkpoint_open(node, argv[2], &cp, &err) == IPFSA_OK ? 2 : fail();
  if (cp && strcmp(argv[3], "views") == 0) code = print_views(cp);
  else if (cp && strcmp(argv[3], "hold") == 0) code = hold(cp);
  else if (cp && argc == 7) code = print_rank(cp, (uint32_t)atoi(argv[4]), (uint32_t)atoi(argv[5]), (uint32_t)atoi(argv[6]));
  ipfsa_checkpoint_close(cp);
  ipfsa_node_close(node);
  return code;
}
