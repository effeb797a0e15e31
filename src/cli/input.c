#include "cli/input.h"

#include <errno.h>
#include <ipfsa/alias.h>
#include <ipfsa/read.h>
#include <stdlib.h>
#include <string.h>

ipfsa_node *cli_node_for_paths(cli_context *ctx) {
  ipfsa_error err = {0};
  ipfsa_node *node = cli_node(ctx, false, false);
  for (size_t i = 0; node && i < cli_n_args(ctx); i++)
    if (ipfsa_path_parse(node, cli_arg_at(ctx, i), NULL, &err) != IPFSA_OK) return cli_fail(ctx, &err), NULL;
  return node;
}

ipfsa_status cli_cid_or_alias(ipfsa_node *node, const char *text, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_error none = {0};
  ipfsa_status status = ipfsa_cid_parse(text, strlen(text), ret, err);
  return status && ipfsa_alias_get(node, text, ret, &none) == IPFSA_OK ? IPFSA_OK : status;
}

uint8_t *cli_read_input(cli_context *ctx, size_t i, size_t max, size_t *ret_len) {
  const char *path = i < cli_n_args(ctx) ? cli_arg_at(ctx, i) : "-";
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
  if (!file) return cli_fail_text(ctx, "open %s: %s", path, strerror(errno)), NULL;
  size_t len = 0, cap = 65536, n;
  uint8_t *data = malloc(cap);
  while (data && (n = fread(data + len, 1, cap - len, file)) > 0) {
    len += n;
    if (len > max) break;
    if (len < cap) continue;
    uint8_t *grown = realloc(data, cap *= 2);
    if (!grown) free(data);
    data = grown;
  }
  bool broken = ferror(file) != 0;
  if (file != stdin) fclose(file);
  if (data && !broken && len <= max) return *ret_len = len, data;
  if (!data) cli_fail_text(ctx, "out of memory");
  else if (broken) cli_fail_text(ctx, "read %s: %s", path, strerror(errno));
  else cli_fail_text(ctx, "produced block is over 2MiB: big blocks can't be exchanged with other peers; %s holds over %zu bytes", path, max);
  free(data);
  return NULL;
}
