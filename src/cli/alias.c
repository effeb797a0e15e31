/* alias set, get, ls, rm, history, export, import. */
#include <errno.h>
#include <ipfsa/alias.h>
#include <ipfsa/pin.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"

#define NAME_ARG {"name", CLI_ARG_REQUIRED, "The name: NAME or NAMESPACE/NAME."}

static void print_alias(cli_context *ctx, const char *name, const ipfsa_cid *cid) {
  cli_out(ctx, cli_json(ctx) ? "{\"Name\":\"%s\",\"Cid\":\"%s\"}\n" : "%s %s\n", name, cli_cid(ctx, cid)); /* names are ASCII without quotes */
}

/* --- set, get --- */

static int run_set(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, false);
  if (!node) return 1;
  ipfsa_error err = {0};
  ipfsa_alias alias;
  const char *name = cli_arg_at(ctx, 0);
  if (ipfsa_alias_check(name, &err) != IPFSA_OK || ipfsa_pin_resolve(node, cli_arg_at(ctx, 1), &alias.cid, &err) != IPFSA_OK) return cli_fail(ctx, &err);
  snprintf(alias.name, sizeof alias.name, "%s", name);
  if (ipfsa_alias_set(node, &alias, 1, &err) != IPFSA_OK) return cli_fail(ctx, &err);
  print_alias(ctx, alias.name, &alias.cid);
  return 0;
}

const cli_verb cli_verb_alias_set = {
    .name = "alias set",
    .tagline = "Give a CID a name.",
    .description = "A name that has another CID gets this one; 'alias history' shows what it was. The name is on disk when the command\n"
                   "ends. 'repo gc' keeps what is here below it; nothing need be here.",
    .example = "> ipfs-accelerate alias set org/model bafybei…\norg/model bafybei…\n> ipfs-accelerate alias set org/model bafybei… && ipfs-accelerate cat org/model/config.json",
    .args = (const cli_arg[]){NAME_ARG, {"ipfs-path", CLI_ARG_REQUIRED, "Path to the object that gets the name."}, {0}},
    .run = run_set,
};

static int run_get(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  ipfsa_error err = {0};
  ipfsa_cid cid;
  if (ipfsa_alias_get(node, cli_arg_at(ctx, 0), &cid, &err) != IPFSA_OK) return cli_fail(ctx, &err);
  if (cli_json(ctx)) print_alias(ctx, cli_arg_at(ctx, 0), &cid);
  else cli_out(ctx, "%s\n", cli_cid(ctx, &cid));
  return 0;
}

const cli_verb cli_verb_alias_get = {
    .name = "alias get",
    .tagline = "Show the CID of a name.",
    .example = "> ipfs-accelerate alias get team/model\nbafybei…",
    .args = (const cli_arg[]){NAME_ARG, {0}},
    .run = run_get,
};

/* --- ls, export --- */

static int list_alias(void *ctx, const ipfsa_alias *alias) {
  print_alias(ctx, alias->name, &alias->cid);
  return 0;
}

static int run_ls(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, false, false);
  ipfsa_error err = {0};
  if (!node) return 1;
  return ipfsa_alias_list(node, list_alias, ctx, &err) == IPFSA_OK ? 0 : cli_fail(ctx, &err);
}

const cli_verb cli_verb_alias_ls = {
    .name = "alias ls",
    .tagline = "List names and their CIDs.",
    .example = "> ipfs-accelerate alias ls\nteam/model bafybei…",
    .run = run_ls,
};

static void format_time(int64_t at, char ret[40]) {
  struct tm tm;
  time_t t = (time_t)at;
  snprintf(ret, 40, "?");
  if (gmtime_r(&t, &tm)) strftime(ret, 40, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static int print_record(void *arg, const ipfsa_alias_record *r) {
  cli_context *ctx = arg;
  char when[40];
  format_time(r->event.at, when);
  const char *cid = r->event.removed ? NULL : cli_cid(ctx, &r->event.cid);
  if (!cli_json(ctx)) cli_out(ctx, "%s %s %s\n", r->name, cid ? cid : "removed", when);
  else cli_out(ctx, "{\"Name\":\"%s\",\"Cid\":%s%s%s,\"Time\":\"%s\"}\n", r->name, cid ? "\"" : "", cid ? cid : "null", cid ? "\"" : "", when);
  return 0;
}

static int run_export(cli_context *ctx) {
  if (!cli_bool(ctx, "history")) return run_ls(ctx);
  ipfsa_node *node = cli_node(ctx, false, false);
  ipfsa_error err = {0};
  if (!node) return 1;
  return ipfsa_alias_histories(node, print_record, ctx, &err) == IPFSA_OK ? 0 : cli_fail(ctx, &err);
}

const cli_verb cli_verb_alias_export = {
    .name = "alias export",
    .tagline = "Write all names, one a line, for 'alias import'.",
    .description = "Lines of a name, a space and a CID. With --history a line for all that a name meant: the name, the CID or 'removed', the time.",
    .example = "> ipfs-accelerate alias export > names.txt\n> ipfs-accelerate alias export --history > histories.txt",
    .options = (const cli_option[]){{CLI_BOOL, "history", NULL, "false", "Also what names meant before, and those that are gone"}, {0}},
    .run = run_export,
};

/* --- rm --- */

static int run_rm(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, false);
  if (!node) return 1;
  for (size_t i = 0; i < cli_n_args(ctx); i++) {
    ipfsa_error err = {0};
    const char *name = cli_arg_at(ctx, i);
    if (ipfsa_alias_rm(node, name, cli_bool(ctx, "forget"), &err) != IPFSA_OK) return cli_fail(ctx, &err);
    cli_out(ctx, cli_json(ctx) ? "{\"Name\":\"%s\"}\n" : "removed %s\n", name);
  }
  return 0;
}

const cli_verb cli_verb_alias_rm = {
    .name = "alias rm",
    .tagline = "Remove names.",
    .description = "The blocks stay until 'repo gc' removes what nothing else needs. The history of a name stays, too, but with --forget.",
    .example = "> ipfs-accelerate alias rm team/model\nremoved team/model",
    .options = (const cli_option[]){{CLI_BOOL, "forget", NULL, "false", "Remove the history of the name, too"}, {0}},
    .args = (const cli_arg[]){{"name", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC, "The names to remove."}, {0}},
    .run = run_rm,
};

/* --- history --- */

static int print_event(void *arg, const ipfsa_alias_event *event) {
  cli_context *ctx = arg;
  char when[40];
  format_time(event->at, when);
  const char *cid = event->removed ? NULL : cli_cid(ctx, &event->cid);
  if (!cli_json(ctx)) cli_out(ctx, "%s %s\n", when, cid ? cid : "removed");
  else cli_out(ctx, "{\"Time\":\"%s\",\"Cid\":%s%s%s}\n", when, cid ? "\"" : "", cid ? cid : "null", cid ? "\"" : "");
  return 0;
}

static int run_history(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, false, false);
  ipfsa_error err = {0};
  if (!node) return 1;
  return ipfsa_alias_history(node, cli_arg_at(ctx, 0), print_event, ctx, &err) == IPFSA_OK ? 0 : cli_fail(ctx, &err);
}

const cli_verb cli_verb_alias_history = {
    .name = "alias history",
    .tagline = "Show what a name meant and when, newest first.",
    .description = "At most the last 100 changes. 'repo gc' does not keep what a name no longer means.",
    .example = "> ipfs-accelerate alias history team/model\n2026-01-31T12:00:00Z bafybei…",
    .args = (const cli_arg[]){NAME_ARG, {0}},
    .run = run_history,
};

/* --- import --- */

typedef struct alias_list { /* lines with a time are records, others are names to be set */
  ipfsa_alias *items;
  size_t n, cap;
  ipfsa_alias_record *records;
  size_t n_records, records_cap;
} alias_list;

static bool make_room(void **items, size_t *cap, size_t n, size_t size) {
  if (n < *cap) return true;
  size_t more = *cap ? 2 * *cap : 64;
  void *grown = realloc(*items, more * size);
  if (!grown) return false;
  *items = grown;
  *cap = more;
  return true;
}

static bool append_alias(alias_list *list, const char *name, const ipfsa_cid *cid) {
  if (!make_room((void **)&list->items, &list->cap, list->n, sizeof *list->items)) return false;
  ipfsa_alias *alias = &list->items[list->n++];
  snprintf(alias->name, sizeof alias->name, "%s", name);
  alias->cid = *cid;
  return true;
}

static bool append_record(alias_list *list, const char *name, const ipfsa_alias_event *event) {
  if (!make_room((void **)&list->records, &list->records_cap, list->n_records, sizeof *list->records)) return false;
  ipfsa_alias_record *r = &list->records[list->n_records++];
  snprintf(r->name, sizeof r->name, "%s", name);
  r->event = *event;
  return true;
}

static bool parse_time(const char *text, int64_t *ret) {
  struct tm tm = {0};
  const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
  if (!end || *end) return false;
  *ret = (int64_t)timegm(&tm);
  return true;
}

/* "NAME CID", "NAME CID TIME", "NAME removed TIME"; an empty one and one that begins with # are passed over. */
static int take_line(cli_context *ctx, char *line, size_t number, alias_list *list) {
  ipfsa_alias_event event = {0};
  ipfsa_error err = {0};
  char *rest = NULL;
  const char *name = strtok_r(line, " \t\r\n", &rest), *cid = name ? strtok_r(NULL, " \t\r\n", &rest) : NULL, *when = cid ? strtok_r(NULL, " \t\r\n", &rest) : NULL;
  if (!name || name[0] == '#') return 0;
  if (!cid || (when && strtok_r(NULL, " \t\r\n", &rest))) return cli_fail_text(ctx, "line %zu: expected a name, a space and a CID, perhaps a time", number);
  if (when && !parse_time(when, &event.at)) return cli_fail_text(ctx, "line %zu: \"%.40s\" is no time such as 2026-01-31T12:00:00Z", number, when);
  event.removed = when && strcmp(cid, "removed") == 0;
  if (ipfsa_alias_check(name, &err) != IPFSA_OK || (!event.removed && ipfsa_cid_parse(cid, strlen(cid), &event.cid, &err) != IPFSA_OK))
    return cli_fail_text(ctx, "line %zu: %s", number, err.message);
  if (list->n + list->n_records == IPFSA_MAX_ALIASES_AT_ONCE) return cli_fail_text(ctx, "over %d lines; import them in parts", IPFSA_MAX_ALIASES_AT_ONCE);
  return (when ? append_record(list, name, &event) : append_alias(list, name, &event.cid)) ? 0 : cli_fail_text(ctx, "out of memory");
}

#define MAX_LINE 2048 /* bytes: longest name, longest CID, space around */

static int take_lines(cli_context *ctx, FILE *file, alias_list *list) {
  char line[MAX_LINE];
  int code = 0;
  for (size_t number = 1; code == 0 && fgets(line, sizeof line, file); number++) {
    if (!strchr(line, '\n') && strlen(line) == sizeof line - 1) return cli_fail_text(ctx, "line %zu: over %d bytes", number, MAX_LINE - 2);
    code = take_line(ctx, line, number, list);
  }
  return code == 0 && ferror(file) ? cli_fail_text(ctx, "read: %s", strerror(errno)) : code;
}

static int run_import(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, false);
  if (!node) return 1;
  const char *path = cli_n_args(ctx) ? cli_arg_at(ctx, 0) : "-";
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
  if (!file) return cli_fail_text(ctx, "open %s: %s", path, strerror(errno));
  alias_list list = {0};
  ipfsa_error err = {0};
  int code = take_lines(ctx, file, &list);
  if (file != stdin) fclose(file);
  if (code == 0 && list.n && list.n_records) code = cli_fail_text(ctx, "some lines have a time and some have none; import histories and names by themselves");
  if (code == 0 && ipfsa_alias_set(node, list.items, list.n, &err) != IPFSA_OK) code = cli_fail(ctx, &err);
  if (code == 0 && ipfsa_alias_restore(node, list.records, list.n_records, &err) != IPFSA_OK) code = cli_fail(ctx, &err);
  for (size_t i = 0; code == 0 && i < list.n; i++) print_alias(ctx, list.items[i].name, &list.items[i].cid);
  for (size_t i = 0; code == 0 && i < list.n_records; i++) print_record(ctx, &list.records[i]);
  free(list.items);
  free(list.records);
  return code;
}

const cli_verb cli_verb_alias_import = {
    .name = "alias import",
    .tagline = "Set names from lines of a name and a CID.",
    .description = "All or none. Empty lines and lines that begin with # are passed over. Lines of 'alias export --history' go into the histories by\n"
                   "their times, and a name then means what the newest line of its history says.",
    .example = "> ipfs-accelerate alias export | ipfs-accelerate alias import",
    .args = (const cli_arg[]){{"path", CLI_ARG_FILE | CLI_ARG_STDIN, "The file to read."}, {0}},
    .run = run_import,
};

const cli_verb cli_verb_alias = {
    .name = "alias",
    .tagline = "Names for CIDs, with a history.",
    .description = "Every command that takes a CID or a path takes a name in its place: org/model, org/model/config.json, /ipfs/org/model.\n"
                   "What is a CID is never a name; of two names that fit, the longer is meant.",
};
