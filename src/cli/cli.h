/* The command line: verbs as tables, options parsed like Kubo's, output and errors in one place. Clients of include/ipfsa only. */
#ifndef IPFSA_CLI_CLI_H
#define IPFSA_CLI_CLI_H

#include <ipfsa/node.h>
#include <stdio.h>

typedef enum cli_type { CLI_END = 0, CLI_BOOL, CLI_STRING, CLI_INT, CLI_UINT, CLI_STRINGS /* repeatable */ } cli_type;

typedef struct cli_option {
  cli_type type;
  const char *name;     /* without dashes: "cid-version" */
  const char *alias;    /* one letter or second long name, or NULL */
  const char *default_; /* text of the default, NULL = unset */
  const char *help;
} cli_option;

typedef enum cli_arg_flags {
  CLI_ARG_REQUIRED = 1,
  CLI_ARG_VARIADIC = 2,
  CLI_ARG_FILE = 4,  /* a path to a local file: checked with lstat; "-" or nothing = standard input where STDIN is set */
  CLI_ARG_STDIN = 8  /* may come from standard input: one per line, or file content with FILE */
} cli_arg_flags;
typedef struct cli_arg {
  const char *name; /* "ipfs-path"; NULL ends the table */
  unsigned flags;
  const char *help;
} cli_arg;

typedef struct cli_context cli_context;
typedef struct cli_verb {
  const char *name;        /* "block get" */
  const char *tagline;     /* one line without full stop: "Get a raw IPFS block." as Kubo's */
  const char *description; /* may be NULL */
  const char *example;     /* every verb has one: shown under EXAMPLE */
  const cli_option *options; /* ends with {0}; may be NULL */
  const cli_arg *args;       /* ends with {0}; may be NULL */
  int (*run)(cli_context *ctx); /* exit code; NULL: a group of subcommands */
} cli_verb;
extern const cli_verb *const cli_verbs[]; /* verbs.c, NULL-terminated */

/* Parsed options: by their table name. Unset ones give their default (false, "", 0, empty). */
bool cli_is_set(const cli_context *ctx, const char *option);
bool cli_bool(const cli_context *ctx, const char *option);
const char *cli_string(const cli_context *ctx, const char *option);
int64_t cli_int(const cli_context *ctx, const char *option);
uint64_t cli_uint(const cli_context *ctx, const char *option);
/* Digits with at most one point, no sign, exponent or other base: their value, or -1; *ret_end is behind them. */
double cli_parse_decimal(const char *text, const char **ret_end);
size_t cli_strings(const cli_context *ctx, const char *option, const char *const **ret); /* *ret: until the next call */
/* Arguments after the options. For STDIN arguments (not FILE) the lines are already read. */
size_t cli_n_args(const cli_context *ctx);
const char *cli_arg_at(const cli_context *ctx, size_t i);
const char *const *cli_args(const cli_context *ctx);

/* The node of this call, opened on first use at --repo-dir, $IPFSA_PATH, …; on failure the error is already printed and NULL comes back:
 * return 1. `write` tells whether the verb may change the repo; `create` makes one when missing and says so on standard error. */
ipfsa_node *cli_node(cli_context *ctx, bool write, bool create);

/* The node to read from, for what needs none but says more with it: NULL without a word where it cannot be opened. */
ipfsa_node *cli_node_if_any(cli_context *ctx);

/* The node to read from, when every argument is a path: a wrong one among several is said before anything is done, and NULL comes back. */
ipfsa_node *cli_node_for_paths(cli_context *ctx);

/* Output. Everything goes through these: standard output is buffered and checked once at the end (EPIPE, ENOSPC → exit 1). */
void cli_out(cli_context *ctx, const char *format, ...) IPFSA_PRINTF(2, 3);
void cli_out_bytes(cli_context *ctx, const void *data, size_t len);
int cli_out_write(void *ctx, const void *data, size_t len); /* as an ipfsa_write_cb; ctx is the cli_context */
/* About so many bytes will be written: a hint, for an output that is a file. When no more will, what was made ready and is not used is given back. */
void cli_out_expect(cli_context *ctx, uint64_t bytes);
void cli_out_room_end(cli_context *ctx);
/* A name from outside: control characters, escapes and bidi overrides are escaped when standard output is a terminal. */
void cli_out_name(cli_context *ctx, const void *name, size_t len);
bool cli_is_terminal(const cli_context *ctx); /* standard output is one */
void cli_err(cli_context *ctx, const char *format, ...) IPFSA_PRINTF(2, 3); /* standard error, as it is */
int cli_fail(cli_context *ctx, const ipfsa_error *err);                      /* "Error: message\n", returns 1 */
int cli_fail_text(cli_context *ctx, const char *format, ...) IPFSA_PRINTF(2, 3); /* likewise */
int cli_usage_fail(cli_context *ctx, const char *format, ...) IPFSA_PRINTF(2, 3); /* "Error: …" then the verb's usage, returns 1 */

/* CID text by --cid-base (and --upgrade-cidv0-in-output); a static ring of 8 buffers: use at once. */
const char *cli_cid(cli_context *ctx, const ipfsa_cid *cid);
/* --enc=json (or --encoding=json, --json): verbs then print JSON objects, one a line, in Kubo's shapes. */
bool cli_json(const cli_context *ctx);

/* A small JSON writer onto standard output. */
void cli_out_json(cli_context *ctx, const char *json); /* whole JSON as it is; at a terminal what could steer it is escaped, as by the following two */
void cli_json_string(cli_context *ctx, const void *text, size_t len); /* quoted and escaped */
void cli_json_escaped(cli_context *ctx, const void *text, size_t len); /* a part of one: escaped alone */

/* Progress on a terminal (standard error), none when piped or with --progress=false. label e.g. "add". */
typedef struct cli_progress cli_progress;
cli_progress *cli_progress_start(cli_context *ctx, const char *label, bool wanted); /* may be NULL: then it shows nothing */
int cli_progress_step(void *progress, const ipfsa_progress *p); /* an ipfsa_progress_cb; ctx may be NULL */
void cli_progress_hide(cli_progress *progress);                  /* clears the line before something is printed; the next step draws it again */
void cli_progress_end(cli_progress *progress);                   /* clears the line */

/* "1.4 MB" (powers of 1000, as Kubo's -H) into a static ring of 4. */
const char *cli_human_bytes(uint64_t n);

#endif
