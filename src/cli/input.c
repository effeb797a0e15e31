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

ipfsa_status cli_cid_or_alias_if_any(cli_context *ctx, const char *text, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_error none = {0};
  ipfsa_status status = ipfsa_cid_parse(text, strlen(text), ret, err);
  ipfsa_node *node = status && ipfsa_alias_check(text, &none) == IPFSA_OK ? cli_node_if_any(ctx) : NULL;
  return node && ipfsa_alias_get(node, text, ret, &none) == IPFSA_OK ? IPFSA_OK : status;
}

/* NULL without memory. What is over max bytes is read no further. */
static uint8_t *read_file(FILE *file, size_t max, size_t *ret_len) {
  size_t len = 0, cap = 65536, n;
  uint8_t *data = malloc(cap);
  while (data && len <= max && (n = fread(data + len, 1, cap - len, file)) > 0) {
    len += n;
    if (len < cap) continue;
    uint8_t *grown = realloc(data, cap *= 2);
    if (!grown) free(data);
    data = grown;
  }
  *ret_len = len;
  return data;
}

uint8_t *cli_read_input(cli_context *ctx, size_t i, size_t max, const char *too_long, size_t *ret_len) {
  const char *path = i < cli_n_args(ctx) ? cli_arg_at(ctx, i) : "-";
  bool from_stdin = strcmp(path, "-") == 0;
  FILE *file = from_stdin ? stdin : fopen(path, "rb");
  if (!file) return cli_fail_text(ctx, "open %s: %s", path, strerror(errno)), NULL;
  const char *name = from_stdin ? "standard input" : path;
  size_t len = 0;
  uint8_t *data = read_file(file, max, &len);
  int broken = ferror(file) ? errno : 0;
  if (!from_stdin) fclose(file);
  if (data && !broken && len <= max) return *ret_len = len, data;
  if (!data) cli_fail_text(ctx, "out of memory");
  else if (broken) cli_fail_text(ctx, "read %s: %s", name, strerror(broken));
  else cli_fail_text(ctx, "%s; %s holds over %zu bytes", too_long, name, max);
  free(data);
  return NULL;
}
