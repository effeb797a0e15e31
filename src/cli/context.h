/* The inside of a call, for the framework's own files. Verbs see cli.h only. */
#ifndef IPFSA_CLI_CONTEXT_H
#define IPFSA_CLI_CONTEXT_H

#include <ipfsa/container.h>

#include "cli/cli.h"

typedef struct cli_value {
  const cli_option *option;
  const char *text; /* as given; points into argv */
} cli_value;

/* Of what is on its way to a file on standard output (out_room.c), offsets in it. */
typedef struct cli_out_room {
  uint64_t at, end;  /* where the next bytes go; up to where blocks were asked for */
  uint64_t expected; /* bytes still to come; 0: not known, or no file */
} cli_out_room;

struct cli_context {
  const char *program; /* "ipfs" or "ipfs-accelerate": how it was called */
  const cli_verb *verb;
  cli_value *values; /* in the order given */
  size_t n_values;
  const char **list; /* of cli_strings */
  const char **args;
  size_t n_args;
  char *stdin_lines; /* owned; args may point into it */
  ipfsa_node *node;
  bool without_node; /* it was tried, and is not to be had */
  ipfsa_engine *engine;
  bool out_is_tty, err_is_tty;
  cli_out_room room;
  bool out_failed, out_closed; /* standard output takes no more; its reader is gone */
};

extern const cli_option cli_global_options[];

/* Parses argv into ctx; 0, or the exit code with everything already printed (help, errors). */
int cli_parse(cli_context *ctx, int argc, char **argv);
/* Value of the last occurrence, or NULL when it was not given. */
const char *cli_given(const cli_context *ctx, const char *option);

void cli_out_room_for(cli_context *ctx, size_t len); /* out_room.c; before so many bytes are written */
int cli_out_failed(cli_context *ctx); /* after a failed write, by errno; returns -1 */

/* Help texts. `to` is stdout or stderr. */
void cli_help_long(const cli_context *ctx, const cli_verb *verb, FILE *to);
void cli_help_usage(const cli_context *ctx, const cli_verb *verb, FILE *to);
bool cli_is_subcommand_of(const char *name, const char *group); /* one level below; group "" = root */
const cli_verb *cli_find_verb(const char *name);
/* Of a command as its words: why Kubo's command of that name is not here; NULL: there is none, or it is here. */
const char *cli_why_unsupported(const char *words);

/* "1h30m", "250ms": nanoseconds, or -1. */
int64_t cli_parse_duration(const char *text);
/* Times out and interrupts end the call at its next safe point. */
void cli_signals_start(int64_t timeout_ns);
void cli_signals_watch(ipfsa_node *node);
void cli_signals_die_of_pipe(void); /* as programs do whose reader went away; after the repo is closed */
void cli_signals_watch_engine(ipfsa_engine *engine);
int cli_signals_event(void); /* readable from the first interrupt or time-out on; 0: there is none */
bool cli_signals_timed_out(void);
bool cli_signals_interrupted(void);

#endif
