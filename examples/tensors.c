/* The tensors of a checkpoint of the store: name, dtype, shape, and the sum of its bytes, read through views. Nothing is copied where leaves lie page by
 * page in the store.
 * usage: tensors REPO CID */
#include <inttypes.h>
#include <ipfsa/checkpoint.h>
#include <stdio.h>

static int fail(const char *what, const ipfsa_error *err) {
  fprintf(stderr, "%s: %s\n", what, err->message);
  return 1;
}

static int show(ipfsa_checkpoint *checkpoint, const ipfsa_tensor *tensor, ipfsa_error *err) {
  ipfsa_view view;
  uint64_t sum = 0;
  if (ipfsa_checkpoint_view(checkpoint, tensor, 0, tensor->size, &view, err)) return fail("tensor", err);
  const unsigned char *bytes = view.data; /* holds until the checkpoint is closed */
  for (uint64_t i = 0; i < view.size; i++) sum += bytes[i];
  printf("%.*s %s [", (int)tensor->name_len, tensor->name, tensor->dtype);
  for (uint32_t i = 0; i < tensor->rank; i++) printf("%s%" PRIu64, i ? "," : "", tensor->shape[i]);
  printf("] sum %" PRIu64 ", %" PRIu64 " of %" PRIu64 " bytes are the store's own pages\n", sum, view.mapped, view.size);
  return 0;
}

int main(int argc, char **argv) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  ipfsa_checkpoint *checkpoint = NULL;
  ipfsa_tensor tensor;
  int code = 0;
  if (argc != 3) {
    fprintf(stderr, "usage: %s REPO CID\n", argv[0]);
    return 2;
  }
  const ipfsa_node_options options = {.struct_size = sizeof options, .repo_path = argv[1]};
  if (ipfsa_node_open(&options, &node, NULL, &err)) return fail("repo", &err);
  if (ipfsa_checkpoint_open(node, argv[2], &checkpoint, &err)) code = fail("checkpoint", &err);
  for (uint64_t i = 0; code == 0 && ipfsa_checkpoint_tensor(checkpoint, i, &tensor); i++) code = show(checkpoint, &tensor, &err);
  ipfsa_checkpoint_close(checkpoint);
  ipfsa_node_close(node);
  return code;
}
