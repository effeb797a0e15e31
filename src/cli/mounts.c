#include "cli/mounts.h"

#include <stdlib.h>
#include <string.h>

bool cli_mounts_gather(cli_context *ctx, cli_mounts *ret) {
  if (!cli_texts(ctx, "mount", &ret->texts)) return false;
  ret->told = calloc(ret->texts.n + 1, sizeof *ret->told);
  if (!ret->told) cli_fail_text(ctx, "out of memory");
  return ret->told != NULL;
}

static void note(void *ctx, const ipfsa_materialised *tree, const char *target) {
  cli_mounts *m = ctx;
  if (m->n_told < m->texts.n) m->told[m->n_told++] = (struct cli_mount){strdup(target), tree->cid, tree->way, tree->made, tree->size};
}

ipfsa_status cli_mounts_start(cli_context *ctx, cli_mounts *m, ipfsa_engine *engine, const char *name, const char *image,
                              const ipfsa_container_start_options *options, ipfsa_container **ret, bool *ret_changed, ipfsa_error *err) {
  ipfsa_node *node = cli_node(ctx, true, false);
  if (!node) {
    err->message[0] = '\0'; /* it is printed already */
    return IPFSA_E_NO_REPO;
  }
  cli_progress *progress = cli_progress_start(ctx, "mount", true);
  ipfsa_mount_options o = {.struct_size = sizeof o, .mounts = m->texts, .told = note, .told_ctx = m, .progress = cli_progress_step, .progress_ctx = progress};
  ipfsa_status status = ipfsa_container_start_mounted(node, engine, name, image, &o, options, ret, ret_changed, err);
  cli_progress_end(progress);
  return status;
}

static void print_json(cli_context *ctx, const cli_mounts *m) {
  cli_out(ctx, ",\"Mounts\":[");
  for (size_t i = 0; i < m->n_told; i++) {
    const struct cli_mount *one = &m->told[i];
    cli_out(ctx, i ? ",{" : "{");
    cli_json_member(ctx, true, "Target", one->target ? one->target : "");
    cli_json_member(ctx, false, "Cid", cli_cid(ctx, &one->cid));
    cli_json_member(ctx, false, "Way", ipfsa_way_name(one->way));
    cli_json_number(ctx, false, "Bytes", (int64_t)one->size);
    cli_out(ctx, ",\"Made\":%s}", one->made ? "true" : "false");
  }
  cli_out(ctx, "]");
}

void cli_mounts_print(cli_context *ctx, const cli_mounts *m) {
  if (cli_json(ctx)) return print_json(ctx, m);
  for (size_t i = 0; i < m->n_told; i++) {
    const struct cli_mount *one = &m->told[i];
    cli_name(ctx, one->target ? one->target : "", 0);
    cli_out(ctx, " shows %s: %s, by %s%s\n", cli_cid(ctx, &one->cid), cli_human_bytes(one->size), ipfsa_way_name(one->way), one->made ? "" : ", there already");
  }
}

void cli_mounts_release(cli_mounts *m) {
  for (size_t i = 0; i < m->n_told; i++) free(m->told[i].target);
  free(m->told);
  cli_texts_free(&m->texts);
}
