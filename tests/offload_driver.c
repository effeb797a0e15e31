/* For tests/integration/test_offload_peer.py: writes weights into a folder. usage: offload-driver FOLDER, and on each line of standard input
 * [NAME, DTYPE, [SHAPE…], HEX] */
#include <ipfsa/offload.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_WEIGHTS 64

static void *from_hex(const char *hex, size_t *ret_len) {
  size_t n = strlen(hex) / 2;
  unsigned char *data = malloc(n + 1);
  for (size_t i = 0; i < n; i++) {
    unsigned byte = 0;
    sscanf(hex + 2 * i, "%2x", &byte);
    data[i] = (unsigned char)byte;
  }
  *ret_len = n;
  return data;
}

static ipfsa_offload_weight read_weight(const json_t *row) {
  const json_t *dims = json_array_get(row, 2);
  uint64_t *shape = calloc(json_array_size(dims) + 1, sizeof *shape);
  for (size_t i = 0; i < json_array_size(dims); i++) shape[i] = (uint64_t)json_integer_value(json_array_get(dims, i));
  ipfsa_offload_weight w = {json_string_value(json_array_get(row, 0)), json_string_value(json_array_get(row, 1)), shape, (uint32_t)json_array_size(dims), NULL, 0};
  w.data = from_hex(json_string_value(json_array_get(row, 3)), &w.size);
  return w;
}

int main(int argc, char **argv) {
  static ipfsa_offload_weight weights[MAX_WEIGHTS];
  static json_t *rows[MAX_WEIGHTS];
  size_t n = 0, cap = 0;
  char *line = NULL;
  if (argc != 2) return 2;
  while (n < MAX_WEIGHTS && getline(&line, &cap, stdin) > 0) {
    rows[n] = json_loads(line, 0, NULL);
    if (!rows[n]) return 2;
    weights[n] = read_weight(rows[n]);
    n++;
  }
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_offload_write(argv[1], weights, n, &err);
  if (status) fprintf(stderr, "%s\n", err.message);
  for (size_t i = 0; i < n; i++) {
    free((void *)(uintptr_t)weights[i].shape);
    free((void *)(uintptr_t)weights[i].data);
    json_decref(rows[i]);
  }
  free(line);
  return status ? 1 : 0;
}
