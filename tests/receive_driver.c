/* A process that models are handed to: says "listening", then for each model one line (name, CID, files, tensors, sum of all bytes read through views, bytes
 * mapped, "sealed" when all files are), or "refused: why". Then "closed"; it keeps the last
 * one, and its mappings, until its standard input ends.
 * usage: receive-driver SOCKET N */
#include <inttypes.h>
#include <ipfsa/receive.h>
#include <stdio.h>
#include <stdlib.h>

static int show(const ipfsa_received *got, ipfsa_error *err) {
  char cid[IPFSA_MAX_CID_TEXT];
  size_t n_sealed = 0;
  uint64_t sum = 0, mapped = 0, n = ipfsa_checkpoint_n_tensors(got->checkpoint);
  ipfsa_tensor tensor;
  ipfsa_view view;
  for (uint64_t i = 0; ipfsa_checkpoint_tensor(got->checkpoint, i, &tensor); i++) {
    if (ipfsa_checkpoint_view(got->checkpoint, &tensor, 0, tensor.size, &view, err)) return 1;
    for (uint64_t k = 0; k < view.size; k++) sum += ((const unsigned char *)view.data)[k];
    mapped += view.mapped;
  }
  ipfsa_cid_format(&got->cid, cid);
  for (size_t i = 0; i < got->n_files; i++) n_sealed += got->files[i].is_sealed;
  printf("%s %s %zu %" PRIu64 " %" PRIu64 " %" PRIu64 "%s\n", got->model, cid, got->n_files, n, sum, mapped, n_sealed == got->n_files ? " sealed" : n_sealed ? " some sealed" : "");
  return 0;
}

int main(int argc, char **argv) {
  ipfsa_error err = {0};
  ipfsa_receiver *receiver = NULL;
  ipfsa_received *last = NULL, *got = NULL;
  if (argc != 3) return 2;
  if (ipfsa_receiver_open(argv[1], &receiver, &err)) return fprintf(stderr, "%s\n", err.message), 1;
  printf("listening\n");
  fflush(stdout);
  for (int left = atoi(argv[2]); left > 0; left--) {
    ipfsa_status status = ipfsa_receiver_take(receiver, 60000, &got, &err);
    if (status == IPFSA_OK && show(got, &err) == 0) ipfsa_received_free(last), last = got;
    else printf("refused: %s\n", err.message);
    fflush(stdout);
  }
  ipfsa_receiver_close(receiver);
  printf("closed\n");
  fflush(stdout);
  while (getchar() != EOF) continue;
  ipfsa_received_free(last);
  return 0;
}
