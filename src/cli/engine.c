#include "cli/engine.h"

#include <ipfsa/mount.h>
#include <stdlib.h>
#include <string.h>

#include "cli/context.h"

ipfsa_engine *cli_engine(cli_context *ctx) {
  if (ctx->engine) return ctx->engine;
  ipfsa_engine_options options = {.struct_size = sizeof options, .repo_path = cli_given(ctx, "repo-dir"), .host = cli_given(ctx, "host"), .context = cli_given(ctx, "context"),
                                  .cancel_fd = cli_signals_event()};
  ipfsa_error err = {0};
  if (ipfsa_engine_open(&options, &ctx->engine, &err) != IPFSA_OK) {
    cli_fail(ctx, &err);
    return NULL;
  }
  cli_signals_watch_engine(ctx->engine);
  return ctx->engine;
}

int cli_engine_endless(cli_context *ctx, ipfsa_status status, const ipfsa_error *err) {
  bool asked = status == IPFSA_E_CANCELLED && cli_signals_interrupted() && !cli_signals_timed_out();
  return status && !asked ? cli_fail(ctx, err) : 0;
}

int cli_each_name(cli_context *ctx, cli_named one) {
  ipfsa_engine *engine = cli_engine(ctx);
  ipfsa_status status = IPFSA_OK;
  int code = engine ? 0 : 1;
  for (size_t i = 0; engine && i < cli_n_args(ctx) && status != IPFSA_E_CANCELLED; i++) {
    ipfsa_error err = {0};
    status = one(ctx, engine, cli_arg_at(ctx, i), &err);
    if (status) code = cli_fail(ctx, &err);
  }
  return code;
}

void cli_release_content(cli_context *ctx, ipfsa_engine *engine) {
  ipfsa_error err = {0};
  if (ipfsa_mounts_release_unused(engine, cli_given(ctx, "repo-dir"), NULL, &err) != IPFSA_OK)
    cli_err(ctx, "content of containers that are gone is not released yet: %s\n", err.message);
}

void cli_json_member(cli_context *ctx, bool first, const char *key, const char *value) {
  cli_out(ctx, "%s\"%s\":", first ? "" : ",", key);
  cli_json_string(ctx, value, strlen(value));
}

void cli_json_number(cli_context *ctx, bool first, const char *key, int64_t value) { cli_out(ctx, "%s\"%s\":%lld", first ? "" : ",", key, (long long)value); }

void cli_name(cli_context *ctx, const char *name, int width) {
  size_t len = strlen(name);
  cli_out_name(ctx, name, len);
  if ((int)len < width) cli_out(ctx, "%*s", width - (int)len, "");
}

bool cli_size(cli_context *ctx, const char *option, uint64_t *ret) {
  static const char units[] = "kmgt";
  const char *text = cli_string(ctx, option);
  *ret = 0;
  if (!*text) return true;
  const char *end = NULL;
  double v = cli_parse_decimal(text, &end);
  unsigned shift = 0;
  const char *unit = *end ? strchr(units, *end | 0x20) : NULL;
  if (unit) shift = 10 * (unsigned)(unit - units + 1), end++;
  if ((*end == 'b' || *end == 'B') && end[1] == '\0') end++;
  double bytes = v * (double)((uint64_t)1 << shift);
  if (v < 0 || *end || bytes > 9e18) {
    cli_fail_text(ctx, "option \"%s\" needs a size such as 512m or 2g, got \"%s\"", option, text);
    return false;
  }
  *ret = (uint64_t)bytes;
  return true;
}

bool cli_duration_ms(cli_context *ctx, const char *option, int64_t *ret) {
  const char *text = cli_string(ctx, option);
  int64_t ns = *text ? cli_parse_duration(text) : 0;
  if (ns < 0) {
    cli_fail_text(ctx, "option \"%s\" needs a duration such as 30s or 2m, got \"%s\"", option, text);
    return false;
  }
  *ret = ns / 1000000;
  return true;
}

bool cli_texts(cli_context *ctx, const char *option, ipfsa_texts *ret) {
  const char *const *list;
  size_t n = cli_strings(ctx, option, &list);
  *ret = (ipfsa_texts){0};
  if (n == 0) return true;
  const char **copy = malloc(n * sizeof *copy);
  if (!copy) {
    cli_fail_text(ctx, "out of memory");
    return false;
  }
  memcpy(copy, list, n * sizeof *copy);
  ret->items = copy;
  ret->n = n;
  return true;
}

void cli_texts_free(ipfsa_texts *texts) {
  free((void *)(uintptr_t)texts->items);
  *texts = (ipfsa_texts){0};
}

/* The engine's words, short, and without what a terminal would obey. */
static void put_plain(const char *text, char *ret, size_t room) {
  size_t n = 0;
  for (; text[n] && n + 1 < room; n++) ret[n] = text[n] >= 0x20 && text[n] < 0x7f ? text[n] : '?';
  ret[n] = '\0';
}

int cli_pull_step(void *arg, const ipfsa_pull_step *step) {
  cli_context *ctx = arg;
  if (!ctx->err_is_tty) return 0;
  char layer[21], status[41];
  put_plain(step->layer, layer, sizeof layer);
  put_plain(step->status, status, sizeof status);
  cli_err(ctx, "\r\033[Kpull %s%s%s", layer, *layer ? ": " : "", status);
  if (step->total_bytes) cli_err(ctx, " %s of %s", cli_human_bytes(step->done_bytes), cli_human_bytes(step->total_bytes));
  return 0;
}

void cli_pull_end(cli_context *ctx) {
  if (ctx->err_is_tty) cli_err(ctx, "\r\033[K");
}
