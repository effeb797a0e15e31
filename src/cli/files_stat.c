/* files stat, chmod, touch, chroot. */
#include <ipfsa/files.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "cli/input.h"

/* ---- stat ---- */

/* Everything that a format may ask for, as text. */
typedef struct stat_words {
  char size[24], cumulative[24], links[16], mode[16], octal[16], mtime[48], seconds[24], nanos[16];
} stat_words;

static const char *type_word(ipfsa_entry_type type) { return type == IPFSA_ENTRY_DIRECTORY ? "directory" : type == IPFSA_ENTRY_SYMLINK ? "symlink" : "file"; }

static void write_mode(const ipfsa_files_stat *st, stat_words *ret) {
  static const char letters[] = "rwxrwxrwx", unset[] = "not set";
  uint32_t mode = st->type == IPFSA_ENTRY_SYMLINK && !st->mode ? 0777 : st->mode;
  memcpy(ret->mode, unset, sizeof unset);
  memcpy(ret->octal, unset, sizeof unset);
  if (!mode) return;
  ret->mode[0] = st->type == IPFSA_ENTRY_DIRECTORY ? 'd' : st->type == IPFSA_ENTRY_SYMLINK ? 'l' : '-';
  for (int i = 0; i < 9; i++) ret->mode[i + 1] = mode >> (8 - i) & 1 ? letters[i] : '-';
  ret->mode[10] = '\0';
  snprintf(ret->octal, sizeof ret->octal, "%04o", mode);
}

static void write_time(const ipfsa_files_stat *st, stat_words *ret) {
  time_t t = (time_t)st->mtime_s;
  struct tm tm;
  snprintf(ret->mtime, sizeof ret->mtime, "not set");
  snprintf(ret->seconds, sizeof ret->seconds, "not set");
  snprintf(ret->nanos, sizeof ret->nanos, "not set");
  if (!st->has_mtime) return;
  snprintf(ret->seconds, sizeof ret->seconds, "%lld", (long long)st->mtime_s);
  snprintf(ret->nanos, sizeof ret->nanos, "%u", st->mtime_ns);
  if (gmtime_r(&t, &tm)) strftime(ret->mtime, sizeof ret->mtime, "%-d %b %Y, %H:%M:%S UTC", &tm);
  else snprintf(ret->mtime, sizeof ret->mtime, "%lld", (long long)st->mtime_s); /* a year that no calendar holds */
}

static void write_words(const ipfsa_files_stat *st, stat_words *ret) {
  snprintf(ret->size, sizeof ret->size, "%llu", (unsigned long long)st->size);
  snprintf(ret->cumulative, sizeof ret->cumulative, "%llu", (unsigned long long)st->cumulative);
  snprintf(ret->links, sizeof ret->links, "%u", st->n_links);
  write_mode(st, ret);
  write_time(st, ret);
}

static void print_format(cli_context *ctx, const char *format, const ipfsa_files_stat *st) {
  stat_words w = {0};
  write_words(st, &w);
  const struct {
    const char *token, *text;
  } table[] = {{"<hash>", cli_cid(ctx, &st->cid)}, {"<size>", w.size}, {"<cumulsize>", w.cumulative}, {"<type>", type_word(st->type)}, {"<childs>", w.links},
               {"<mode>", w.mode}, {"<mode-octal>", w.octal}, {"<mtime>", w.mtime}, {"<mtime-secs>", w.seconds}, {"<mtime-nsecs>", w.nanos}};
  while (*format) {
    size_t i = 0, n = sizeof table / sizeof *table;
    while (i < n && strncmp(format, table[i].token, strlen(table[i].token)) != 0) i++;
    if (i == n) cli_out_bytes(ctx, format++, 1);
    else cli_out(ctx, "%s", table[i].text), format += strlen(table[i].token);
  }
  cli_out(ctx, "\n");
}

static void print_stat_json(cli_context *ctx, const ipfsa_files_stat *st, const ipfsa_files_local *local) {
  cli_out(ctx, "{\"Hash\":\"%s\",\"Size\":%llu,\"CumulativeSize\":%llu,\"Blocks\":%u,\"Type\":\"%s\"", cli_cid(ctx, &st->cid), (unsigned long long)st->size,
          (unsigned long long)st->cumulative, st->n_links, type_word(st->type));
  if (local)
    cli_out(ctx, ",\"WithLocality\":true%s,\"SizeLocal\":%llu", local->complete ? ",\"Local\":true" : "", (unsigned long long)local->n_bytes);
  if (st->mode) cli_out(ctx, ",\"Mode\":\"%04o\"", st->mode);
  if (st->has_mtime) cli_out(ctx, ",\"Mtime\":%lld", (long long)st->mtime_s);
  if (st->has_mtime && st->mtime_ns) cli_out(ctx, ",\"MtimeNsecs\":%u", st->mtime_ns);
  cli_out(ctx, "}\n");
}

static const char *chosen_format(cli_context *ctx) {
  if (cli_bool(ctx, "hash")) return "<hash>";
  if (cli_bool(ctx, "size")) return "<cumulsize>";
  if (cli_is_set(ctx, "format")) return cli_string(ctx, "format");
  return "<hash>\nSize: <size>\nCumulativeSize: <cumulsize>\nChildBlocks: <childs>\nType: <type>\nMode: <mode> (<mode-octal>)\nMtime: <mtime>";
}

static int run_stat(cli_context *ctx) {
  if (cli_bool(ctx, "hash") + cli_bool(ctx, "size") + cli_is_set(ctx, "format") > 1)
    return cli_fail_text(ctx, "invalid parameters: format was set by multiple options. Only one format option is allowed");
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  ipfsa_files_stat st;
  ipfsa_files_local local;
  ipfsa_error err = {0};
  bool with_local = cli_bool(ctx, "with-local");
  if (ipfsa_files_stat_get(node, cli_arg_at(ctx, 0), &st, &err)) return cli_fail(ctx, &err);
  if (with_local && ipfsa_files_local_get(node, cli_arg_at(ctx, 0), &local, &err)) return cli_fail(ctx, &err);
  if (with_local && local.complete) local.n_bytes = st.cumulative; /* blocks that occur twice count twice in it */
  if (cli_json(ctx)) return print_stat_json(ctx, &st, with_local ? &local : NULL), 0;
  print_format(ctx, chosen_format(ctx), &st);
  if (with_local)
    cli_out(ctx, "Local: %s of %s (%.2f%%)\n", cli_human_bytes(local.n_bytes), cli_human_bytes(st.cumulative),
            st.cumulative ? 100.0 * (double)local.n_bytes / (double)st.cumulative : 100.0);
  return 0;
}

const cli_verb cli_verb_files_stat = {
    .name = "files stat",
    .tagline = "Display file status.",
    .description = "Shows CID, sizes, kind, mode and time of a file or folder, or of /ipfs/<cid>.",
    .example = "> ipfs-accelerate files stat --format='<hash> <cumulsize>' /\nQmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn 4",
    .options = (const cli_option[]){{CLI_STRING, "format", NULL, NULL, "Print statistics in given format. Allowed tokens: <hash> <size> <cumulsize> <type> <childs> <mode> <mode-octal> <mtime> <mtime-secs> <mtime-nsecs>"},
                                    {CLI_BOOL, "hash", NULL, "false", "Print only hash. Implies '--format=<hash>'"},
                                    {CLI_BOOL, "size", NULL, "false", "Print only size. Implies '--format=<cumulsize>'"},
                                    {CLI_BOOL, "with-local", NULL, "false", "Compute the amount of the dag that is local, and if possible the total size"},
                                    {0}},
    .args = (const cli_arg[]){{"path", CLI_ARG_REQUIRED, "Path to node to stat."}, {0}},
    .run = run_stat,
};

/* ---- chmod, touch ---- */

static int run_chmod(cli_context *ctx) {
  const char *text = cli_arg_at(ctx, 0);
  char *end = NULL;
  unsigned long mode = strtoul(text, &end, 8);
  if (*text < '0' || *text > '7' || *end || mode > 07777) return cli_fail_text(ctx, "\"%s\" is no file mode; write it in octal digits, as 0644", text);
  ipfsa_node *node = cli_node(ctx, true, false);
  ipfsa_error err = {0};
  if (!node) return 1;
  return ipfsa_files_chmod(node, cli_arg_at(ctx, 1), (uint32_t)mode & 0777, &err) ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_files_chmod = {
    .name = "files chmod",
    .tagline = "Change optional POSIX mode permissions.",
    .description = "The mode is a part of the content: the CID changes. 0 takes it away; of more than the nine permission bits only these are kept.",
    .example = "> ipfs-accelerate files chmod 0644 /notes/hello.txt",
    .args = (const cli_arg[]){{"mode", CLI_ARG_REQUIRED, "Mode to apply to node (numeric notation)."}, {"path", CLI_ARG_REQUIRED, "Path to apply mode."}, {0}},
    .run = run_chmod,
};

static int run_touch(cli_context *ctx) {
  int64_t seconds = cli_is_set(ctx, "mtime") ? cli_int(ctx, "mtime") : (int64_t)time(NULL);
  uint64_t nanos = cli_uint(ctx, "mtime-nsecs");
  if (nanos > 999999999) return cli_fail_text(ctx, "mtime-nsecs is outside 0..999999999");
  ipfsa_node *node = cli_node(ctx, true, false);
  ipfsa_error err = {0};
  if (!node) return 1;
  return ipfsa_files_touch(node, cli_arg_at(ctx, 0), seconds, (uint32_t)nanos, &err) ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_files_touch = {
    .name = "files touch",
    .tagline = "Set or change optional POSIX modification times.",
    .description = "The time is a part of the content: the CID changes. Without --mtime it is now.",
    .example = "> ipfs-accelerate files touch --mtime=1700000000 /notes/hello.txt",
    .options = (const cli_option[]){{CLI_INT, "mtime", NULL, NULL, "Modification time in seconds before or since the Unix Epoch to apply to created UnixFS entries"},
                                    {CLI_UINT, "mtime-nsecs", NULL, "0", "Modification time fraction in nanoseconds"},
                                    {0}},
    .args = (const cli_arg[]){{"path", CLI_ARG_REQUIRED, "Path of target to update."}, {0}},
    .run = run_touch,
};

/* ---- chroot ---- */

static int run_chroot(cli_context *ctx) {
  if (!cli_bool(ctx, "confirm")) return cli_fail_text(ctx, "this is a potentially destructive operation; pass --confirm to proceed");
  const char *text = cli_arg_at(ctx, 0);
  ipfsa_cid root, old, made;
  ipfsa_error err = {0};
  const char *cid = text && strncmp(text, "/ipfs/", 6) == 0 ? text + 6 : text;
  ipfsa_node *node = cli_node(ctx, true, false);
  if (!node) return 1;
  if (text && cli_cid_or_alias(node, cid, &root, &err)) return cli_fail_text(ctx, "invalid CID \"%s\": %s", text, err.message);
  if (ipfsa_files_chroot(node, text ? &root : NULL, &old, &made, &err)) return cli_fail(ctx, &err);
  const char *was = cli_cid(ctx, &old);
  cli_out(ctx, "MFS root changed from %s to %s\nThe old root %s will be garbage collected unless pinned.\n", was, cli_cid(ctx, &made), was);
  return 0;
}

const cli_verb cli_verb_files_chroot = {
    .name = "files chroot",
    .tagline = "Change the MFS root CID.",
    .description = "Makes the folder <cid>, or an empty one, the root of 'files'. What was there before stays only where a pin keeps it.",
    .example = "> ipfs-accelerate files chroot --confirm QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
    .options = (const cli_option[]){{CLI_BOOL, "confirm", NULL, "false", "Confirm this potentially destructive operation"}, {0}},
    .args = (const cli_arg[]){{"cid", 0, "New root CID (must be a directory, defaults to empty directory if not specified)."}, {0}},
    .run = run_chroot,
};
