/* container watch: a table that is redrawn on a terminal, else a line of JSON an event. */
#include <ipfsa/watch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/engine.h"

#define MAX_ROWS 256 /* as many as are watched */

typedef struct row {
  char *name;
  char state[16], health[16], last[400];
  long long exit_code;
  unsigned long long n_restarts;
} row;

typedef struct screen {
  cli_context *ctx;
  row rows[MAX_ROWS];
  size_t n, n_drawn;
  char engine[400]; /* why it does not answer */
} screen;

/* --- lines of JSON --- */

static int print_event(cli_context *ctx, const ipfsa_watch_event *e) {
  cli_out(ctx, "{");
  cli_json_number(ctx, true, "Time", e->time_s);
  cli_json_member(ctx, false, "Kind", ipfsa_watch_kind_name(e->kind));
  cli_json_member(ctx, false, "Name", e->name);
  cli_json_member(ctx, false, "State", e->state);
  cli_json_member(ctx, false, "Health", ipfsa_health_state_name(e->health));
  cli_json_number(ctx, false, "ExitCode", e->exit_code);
  cli_json_number(ctx, false, "Restarts", (int64_t)e->n_restarts);
  cli_json_number(ctx, false, "DelayMs", e->delay_ms);
  cli_json_member(ctx, false, "What", e->what);
  cli_out(ctx, ",\"History\":[");
  for (size_t i = 0; i < e->n_history; i++) {
    const ipfsa_probe_result *r = &e->history[i];
    cli_out(ctx, "%s{\"AtMs\":%llu,\"TookMs\":%llu,\"Ok\":%s", i ? "," : "", (unsigned long long)(r->at_ns / 1000000), (unsigned long long)(r->took_ns / 1000000), r->ok ? "true" : "false");
    cli_json_member(ctx, false, "What", r->what);
    cli_out(ctx, "}");
  }
  cli_out(ctx, "]}\n");
  return fflush(stdout) == 0 ? 0 : -1;
}

/* --- the table --- */

static row *row_of(screen *s, const char *name) {
  for (size_t i = 0; i < s->n; i++)
    if (strcmp(s->rows[i].name, name) == 0) return &s->rows[i];
  char *copy = s->n < MAX_ROWS ? strdup(name) : NULL;
  if (!copy) return NULL;
  s->rows[s->n] = (row){.name = copy};
  return &s->rows[s->n++];
}

static void describe(const ipfsa_watch_event *e, char *ret, size_t room) {
  char when[16] = "";
  time_t at = (time_t)e->time_s;
  struct tm tm;
  if (localtime_r(&at, &tm)) strftime(when, sizeof when, "%H:%M:%S", &tm);
  const char *before = *e->what ? ": " : "";
  if (e->kind == IPFSA_WATCH_RESTART && e->delay_ms) snprintf(ret, room, "%s restart in %.1f s", when, (double)e->delay_ms / 1000);
  else if (e->kind == IPFSA_WATCH_RESTART) snprintf(ret, room, "%s %s%s%s", when, *e->what ? "restart failed" : "restarted", before, e->what);
  else if (e->kind == IPFSA_WATCH_STATE && strcmp(e->state, "exited") == 0) snprintf(ret, room, "%s ended with exit code %lld%s%s", when, (long long)e->exit_code, before, e->what);
  else if (e->kind == IPFSA_WATCH_HEALTH) snprintf(ret, room, "%s %s%s%s", when, ipfsa_health_state_name(e->health), before, e->what);
  else snprintf(ret, room, "%s %s%s%s", when, e->state, before, e->what);
}

/* What fits the line: one that wraps would be two, and the next drawing would begin too low. */
static void put_cut(cli_context *ctx, const char *text, size_t room) {
  char cut[sizeof ((row *)0)->last];
  size_t n = strlen(text);
  if (n > room) n = room;
  if (n >= sizeof cut) n = sizeof cut - 1;
  while (n && text[n] && ((unsigned char)text[n] & 0xc0) == 0x80) n--; /* not in the middle of a character */
  memcpy(cut, text, n);
  cut[n] = '\0';
  cli_name(ctx, cut, 0);
}

#define FIXED_COLUMNS 54 /* before the last one */
#define FIXED_LINES 3    /* the head, the engine's, and the one the cursor stands in */

static void draw(screen *s) {
  cli_context *ctx = s->ctx;
  struct winsize size = {.ws_col = 80, .ws_row = 24};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) size = (struct winsize){.ws_col = 80, .ws_row = 24};
  size_t room = size.ws_col > FIXED_COLUMNS + 1 ? size.ws_col - FIXED_COLUMNS - 1u : 0, most = size.ws_row > FIXED_LINES + 1 ? size.ws_row - FIXED_LINES - 1u : 1;
  size_t n = s->n > most ? most : s->n;
  if (s->n_drawn) cli_out(ctx, "\033[%zuA", s->n_drawn);
  cli_out(ctx, "\033[K%-20s %-11s %-10s %8s  %s\n", "NAME", "STATE", "HEALTH", "RESTARTS", "LAST");
  for (size_t i = 0; i < n; i++) {
    const row *r = &s->rows[i];
    cli_out(ctx, "\033[K");
    cli_name(ctx, r->name, 20);
    cli_out(ctx, " ");
    cli_name(ctx, r->state, 11);
    cli_out(ctx, " %-10s %8llu  ", r->health, r->n_restarts);
    put_cut(ctx, r->last, room);
    cli_out(ctx, "\n");
  }
  cli_out(ctx, "\033[K");
  if (*s->engine) cli_out(ctx, "engine: ");
  else if (s->n > n) cli_out(ctx, "and %zu more", s->n - n);
  put_cut(ctx, s->engine, size.ws_col > 9 ? size.ws_col - 9u : 0);
  cli_out(ctx, "\n");
  s->n_drawn = n + 2;
}

static int on_event(void *arg, const ipfsa_watch_event *e) {
  screen *s = arg;
  if (!cli_is_terminal(s->ctx) || cli_json(s->ctx)) return print_event(s->ctx, e);
  row *r = e->kind == IPFSA_WATCH_ENGINE ? NULL : row_of(s, e->name);
  if (e->kind == IPFSA_WATCH_ENGINE) snprintf(s->engine, sizeof s->engine, "%s", e->what);
  if (r) {
    snprintf(r->state, sizeof r->state, "%s", e->state);
    snprintf(r->health, sizeof r->health, "%s", ipfsa_health_state_name(e->health));
    r->n_restarts = e->n_restarts;
    describe(e, r->last, sizeof r->last);
  }
  draw(s);
  return fflush(stdout) == 0 ? 0 : -1;
}

static int run_watch(cli_context *ctx) {
  ipfsa_watch_options options = {.struct_size = sizeof options, .restart = cli_bool(ctx, "restart")};
  if (!cli_duration_ms(ctx, "backoff", &options.backoff_ms) || !cli_duration_ms(ctx, "max-backoff", &options.max_backoff_ms) || !cli_duration_ms(ctx, "every", &options.look_ms)) return 1;
  size_t n = cli_n_args(ctx);
  const char **names = malloc((n + 1) * sizeof *names);
  screen *s = calloc(1, sizeof *s);
  ipfsa_engine *engine = names && s ? cli_engine(ctx) : NULL;
  ipfsa_error err = {0};
  int code = 1;
  if (!names || !s) code = cli_fail_text(ctx, "out of memory");
  if (engine) {
    if (cli_is_terminal(ctx)) setvbuf(stdout, NULL, _IOFBF, BUFSIZ); /* a drawing goes out in one piece: nobody sees half a table */
    for (size_t i = 0; i < n; i++) names[i] = cli_arg_at(ctx, i);
    options.names = (ipfsa_texts){names, n};
    s->ctx = ctx;
    ipfsa_status status = ipfsa_container_watch(engine, &options, on_event, s, &err);
    code = cli_engine_endless(ctx, status, &err);
  }
  for (size_t i = 0; s && i < s->n; i++) free(s->rows[i].name);
  free(s);
  free(names);
  return code;
}

static const cli_option watch_options[] = {{CLI_BOOL, "restart", NULL, NULL, "Restart what is unhealthy, or ended with a failure and was not stopped"},
                                           {CLI_STRING, "backoff", NULL, "1s", "Wait before the first restart; doubles with each"},
                                           {CLI_STRING, "max-backoff", NULL, "60s", "Longest wait; after that long without trouble it begins anew"},
                                           {CLI_STRING, "every", NULL, "1s", "How often each is looked at; probes have an interval of their own"},
                                           CLI_ENGINE_OPTIONS};
static const cli_arg watch_args[] = {{"name", CLI_ARG_VARIADIC, "Name of the container; none: all that ipfs-accelerate started."}, {0}};

const cli_verb cli_verb_container_watch = {
    .name = "container watch",
    .tagline = "Show live how containers are.",
    .description = "Probes them as 'container start --probe' said, and shows states, health and restarts: as a table on a terminal, else as one line of\n"
                   "JSON an event. Ends with an interrupt, or when all that were named are removed.",
    .example = "> ipfs-accelerate container watch --restart web",
    .options = watch_options,
    .args = watch_args,
    .run = run_watch,
};
