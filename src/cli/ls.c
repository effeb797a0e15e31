#include <ipfsa/read.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"

static const cli_option options[] = {
    {CLI_BOOL, "headers", "v", "false", "Print table headers (Hash, Size, Name)"},
    {CLI_BOOL, "resolve-type", NULL, "true", "Resolve linked objects to find out their types"},
    {CLI_BOOL, "size", NULL, "true", "Resolve linked objects to find out their file size"},
    {CLI_BOOL, "stream", "s", "false", "Print entries as they are read, without aligning columns"},
    {CLI_BOOL, "long", "l", "false", "Use a long listing format, showing mode and mtime"},
    {0},
};
static const cli_arg args[] = {{"ipfs-path", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC | CLI_ARG_STDIN, "The path to the IPFS object(s) to list links from."}, {0}};

#define MAX_ALIGNED 4096 /* rows that are held back to align their columns; longer listings go on with those widths */

typedef struct row {
  char mode[12], size[24], time[24];
  char *cid, *name;
  size_t name_len;
  bool is_dir;
} row;

typedef struct listing {
  cli_context *ctx;
  row *rows;
  size_t n;
  int widths[4]; /* mode, cid, size, time */
  size_t i;      /* of the argument at hand */
  bool opened;   /* its head is printed: only once something is found */
  bool first_json;
} listing;

#define STREAM_WIDTH 9 /* of a column that is printed before the next row is known; Kubo's */
static void reset_widths(listing *l) {
  for (int i = 0; i < 4; i++) l->widths[i] = cli_bool(l->ctx, "stream") ? STREAM_WIDTH : 0;
}

static void measure(listing *l, const row *r) {
  int w[4] = {(int)strlen(r->mode), (int)strlen(r->cid), (int)strlen(r->size), (int)strlen(r->time)};
  for (int i = 0; i < 4; i++)
    if (w[i] > l->widths[i]) l->widths[i] = w[i];
}

static void print_row(listing *l, const row *r) {
  cli_context *ctx = l->ctx;
  bool is_long = cli_bool(ctx, "long");
  if (is_long) cli_out(ctx, "%-*s ", l->widths[0], r->mode);
  cli_out(ctx, "%-*s ", l->widths[1], r->cid);
  if (cli_bool(ctx, "size")) cli_out(ctx, "%-*s ", l->widths[2], r->size);
  if (is_long) cli_out(ctx, "%-*s ", l->widths[3], r->time);
  cli_out_name(ctx, r->name, r->name_len);
  cli_out(ctx, "%s\n", r->is_dir ? "/" : "");
}

static void flush_rows(listing *l) {
  for (size_t i = 0; i < l->n; i++) {
    print_row(l, &l->rows[i]);
    free(l->rows[i].cid);
    free(l->rows[i].name);
  }
  l->n = 0;
}

static void format_mode(const ipfsa_entry *e, char ret[12]) {
  static const char letters[] = "rwxrwxrwx";
  if (!e->mode) {
    strcpy(ret, "-");
    return;
  }
  ret[0] = e->type == IPFSA_ENTRY_DIRECTORY ? 'd' : e->type == IPFSA_ENTRY_SYMLINK ? 'l' : '-';
  for (int i = 0; i < 9; i++) ret[i + 1] = e->mode >> (8 - i) & 1 ? letters[i] : '-';
  ret[10] = '\0';
}

static void print_json(listing *l, const ipfsa_entry *e) {
  cli_context *ctx = l->ctx;
  cli_out(ctx, "%s{\"Name\":", l->first_json ? "" : ",");
  l->first_json = false;
  cli_json_string(ctx, e->name, e->name_len);
  cli_out(ctx, ",\"Hash\":\"%s\",\"Size\":%llu,\"Type\":%d,\"Target\":", cli_cid(ctx, &e->cid), (unsigned long long)e->size,
          (int)e->type);
  cli_json_string(ctx, e->target ? e->target : "", e->target ? strlen(e->target) : 0);
  if (e->mode) cli_out(ctx, ",\"Mode\":\"%04o\"", e->mode);
  if (e->has_mtime) cli_out(ctx, ",\"ModTime\":{\"Secs\":%lld,\"Nsecs\":%u}", (long long)e->mtime_s, e->mtime_ns);
  cli_out(ctx, "}");
}

static void keep_row(listing *l, const row *r) {
  measure(l, r);
  l->rows[l->n++] = *r;
  bool stream = cli_bool(l->ctx, "stream");
  if (l->n == MAX_ALIGNED || stream) flush_rows(l);
  if (stream) reset_widths(l);
}

static bool describe(listing *l, const ipfsa_entry *e, row *ret) {
  row r = {.is_dir = e->type == IPFSA_ENTRY_DIRECTORY, .name_len = e->name_len};
  format_mode(e, r.mode);
  if (r.is_dir) strcpy(r.size, "-");
  else snprintf(r.size, sizeof r.size, "%llu", (unsigned long long)e->size);
  strcpy(r.time, "-");
  time_t t = (time_t)e->mtime_s;
  struct tm tm;
  if (e->has_mtime && gmtime_r(&t, &tm)) strftime(r.time, sizeof r.time, "%b %d %H:%M", &tm);
  r.cid = strdup(cli_cid(l->ctx, &e->cid));
  r.name = malloc(e->name_len + 1);
  if (!r.cid || !r.name) return free(r.cid), free(r.name), false;
  memcpy(r.name, e->name, e->name_len);
  *ret = r;
  return true;
}

static int print_head(listing *l) {
  cli_context *ctx = l->ctx;
  if (l->opened) return 0;
  l->opened = true;
  if (cli_json(ctx)) {
    cli_out(ctx, l->i ? ",{\"Hash\":" : "{\"Objects\":[{\"Hash\":");
    cli_json_string(ctx, cli_arg_at(ctx, l->i), strlen(cli_arg_at(ctx, l->i)));
    cli_out(ctx, ",\"Links\":[");
    return 0;
  }
  if (cli_n_args(ctx) > 1) cli_out(ctx, "%s%s:\n", l->i ? "\n" : "", cli_arg_at(ctx, l->i));
  if (!cli_bool(ctx, "headers")) return 0;
  row head = {.mode = "Mode", .size = "Size", .time = "ModTime", .name_len = 4};
  head.cid = strdup("Hash");
  head.name = strdup("Name");
  if (!head.cid || !head.name) return free(head.cid), free(head.name), 1;
  keep_row(l, &head);
  return 0;
}

static int take_entry(void *arg, const ipfsa_entry *e) {
  listing *l = arg;
  row r;
  if (print_head(l)) return 1;
  if (cli_json(l->ctx)) return print_json(l, e), 0;
  if (!describe(l, e, &r)) return 1;
  keep_row(l, &r);
  return 0;
}

static ipfsa_status list_one(listing *l, ipfsa_node *node, ipfsa_error *err) {
  cli_context *ctx = l->ctx;
  l->first_json = true;
  l->opened = false;
  reset_widths(l);
  ipfsa_status status = ipfsa_ls(node, cli_arg_at(ctx, l->i), cli_bool(ctx, "resolve-type") || cli_bool(ctx, "size"), take_entry, l, err);
  if (status == IPFSA_OK) (void)print_head(l); /* of one without entries */
  flush_rows(l);
  if (status == IPFSA_OK && cli_json(ctx)) cli_out(ctx, "]}");
  return status;
}

static int run(cli_context *ctx) {
  ipfsa_node *node = cli_node_for_paths(ctx);
  if (!node) return 1;
  listing l = {.ctx = ctx, .rows = calloc(MAX_ALIGNED, sizeof(row))};
  if (!l.rows) return cli_fail_text(ctx, "out of memory");
  ipfsa_error err = {0};
  ipfsa_status status = IPFSA_OK;
  for (; status == IPFSA_OK && l.i < cli_n_args(ctx); l.i++) status = list_one(&l, node, &err);
  free(l.rows);
  if (status) return cli_fail(ctx, &err);
  if (cli_json(ctx)) cli_out(ctx, "]}\n");
  return 0;
}

const cli_verb cli_verb_ls = {
    .name = "ls",
    .tagline = "List directory contents for Unix filesystem objects.",
    .description = "Displays the contents of an IPFS or IPNS object(s) at the given path: CID, size and name of each entry.",
    .example = "> ipfs-accelerate ls bafybei…\n> ipfs-accelerate ls --enc=json bafybei…",
    .options = options,
    .args = args,
    .run = run,
};
