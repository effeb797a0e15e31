/* What the verbs about containers share. */
#ifndef IPFSA_CLI_ENGINE_H
#define IPFSA_CLI_ENGINE_H

#include <ipfsa/container.h>

#include "cli/cli.h"

/* Every such verb has these, at the end of its table. */
#define CLI_ENGINE_OPTIONS                                                                                              \
  {CLI_STRING, "host", "H", NULL, "The engine: unix:///path, tcp://host:port or ssh://user@host (default: $DOCKER_HOST and on)"}, \
  {CLI_STRING, "context", NULL, NULL, "Name of a Docker context"}, {0}

/* The engine of this call, opened on first use and closed at the end; on failure the error is already printed and NULL comes back: return 1. */
ipfsa_engine *cli_engine(cli_context *ctx);

/* The exit code of a verb that goes on until an interrupt: that is how it ends, and no error. --timeout is one. */
int cli_engine_endless(cli_context *ctx, ipfsa_status status, const ipfsa_error *err);

/* For every argument. One that fails is told, and the others follow; the exit code is then 1. */
typedef ipfsa_status (*cli_named)(cli_context *ctx, ipfsa_engine *engine, const char *name, ipfsa_error *err);
int cli_each_name(cli_context *ctx, cli_named one);

/* After containers may have gone: content that none shows any more is released. A failure is only said: what was asked for was done. */
void cli_release_content(cli_context *ctx, ipfsa_engine *engine);

/* A member of a JSON object: the comma when it is not the first, the key, the value. */
void cli_json_member(cli_context *ctx, bool first, const char *key, const char *value);
void cli_json_number(cli_context *ctx, bool first, const char *key, int64_t value);
void cli_name(cli_context *ctx, const char *name, int width); /* escaped on a terminal, padded */

/* Options with units: false with the error printed. "512m", "2g" (powers of 1024); "30s". Unset: 0. */
bool cli_size(cli_context *ctx, const char *option, uint64_t *ret);
bool cli_duration_ms(cli_context *ctx, const char *option, int64_t *ret);

/* Repeated options, kept apart: cli_strings has one list for all. The caller frees items. */
bool cli_texts(cli_context *ctx, const char *option, ipfsa_texts *ret);
void cli_texts_free(ipfsa_texts *texts);

/* Pull progress on standard error, for a terminal; ctx is the cli_context. */
int cli_pull_step(void *ctx, const ipfsa_pull_step *step);
void cli_pull_end(cli_context *ctx);

#endif
