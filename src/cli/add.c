#include <errno.h>
#include <ipfsa/add.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

static const cli_option options[] = {
    {CLI_BOOL, "recursive", "r", "false", "Add directory paths recursively"},
    {CLI_BOOL, "dereference-args", NULL, "false", "Symlinks supplied in arguments are dereferenced"},
    {CLI_BOOL, "dereference-symlinks", NULL, "false", "All symlinks are dereferenced"},
    {CLI_STRING, "stdin-name", NULL, NULL, "Assign a name if the file source is stdin"},
    {CLI_BOOL, "hidden", "H", "false", "Include files that are hidden. Only takes effect on recursive add"},
    {CLI_STRINGS, "ignore", NULL, NULL, "A rule (gitignore form, held against names) for what is left out"},
    {CLI_STRING, "ignore-rules-path", NULL, NULL, "A path to a file with such rules"},
    {CLI_BOOL, "empty-dirs", "E", "true", "Include empty directories in the import"},
    {CLI_BOOL, "quiet", "q", "false", "Write minimal output"},
    {CLI_BOOL, "quieter", "Q", "false", "Write only final hash"},
    {CLI_BOOL, "silent", NULL, "false", "Write no output"},
    {CLI_BOOL, "progress", "p", NULL, "Stream progress data. Default: on a terminal"},
    {CLI_BOOL, "only-hash", "n", "false", "Only chunk and hash - do not write to disk"},
    {CLI_BOOL, "wrap-with-directory", "w", "false", "Wrap files with a directory object"},
    {CLI_BOOL, "pin", NULL, "true", "Pin locally to protect added files from garbage collection"},
    {CLI_STRING, "pin-name", NULL, NULL, "Name to use for the pin. Requires pinning"},
    {CLI_STRING, "chunker", "s", NULL, "Chunking algorithm, size-[bytes], rabin-[min]-[avg]-[max], buzhash or tensor. Default: Import.UnixFSChunker"},
    {CLI_BOOL, "raw-leaves", NULL, NULL, "Use raw blocks for leaf nodes. Default: Import.UnixFSRawLeaves"},
    {CLI_INT, "max-file-links", NULL, NULL, "Limit the maximum number of links in UnixFS file nodes. Default: Import.UnixFSFileMaxLinks"},
    {CLI_INT, "max-directory-links", NULL, NULL, "Limit the maximum number of links in UnixFS basic directory nodes. Default: Import.UnixFSDirectoryMaxLinks"},
    {CLI_INT, "max-hamt-fanout", NULL, NULL, "Limit the maximum number of links of a HAMT node. Default: Import.UnixFSHAMTDirectoryMaxFanout"},
    {CLI_BOOL, "trickle", "t", NULL, "Use trickle-dag format for dag generation"},
    {CLI_BOOL, "inline", NULL, "false", "Inline small blocks into CIDs"},
    {CLI_INT, "inline-limit", NULL, "32", "Maximum block size to inline, at most 128 bytes"},
    {CLI_INT, "cid-version", NULL, NULL, "CID version (0 or 1). Default: Import.CidVersion"},
    {CLI_STRING, "hash", NULL, NULL, "Hash function to use, see 'cid hashes'. Default: Import.HashFunction"},
    {CLI_BOOL, "nocopy", NULL, "false", "Add the file without copying it (needs the filestore). Implies raw-leaves"},
    {CLI_BOOL, "fscache", NULL, "false", "Accepted: what is in the store already is never written again"},
    {CLI_STRING, "to-files", NULL, NULL, "Add reference to Files API (MFS) at the provided path"},
    {CLI_BOOL, "preserve-mode", NULL, "false", "Apply existing POSIX permissions to created UnixFS entries. Disables raw-leaves"},
    {CLI_BOOL, "preserve-mtime", NULL, "false", "Apply existing POSIX modification time to created UnixFS entries. Disables raw-leaves"},
    {CLI_STRING, "mode", NULL, NULL, "Custom POSIX file mode to store in created UnixFS entries, such as 0644. Disables raw-leaves"},
    {CLI_INT, "mtime", NULL, NULL, "Custom POSIX modification time in seconds before or after the Unix Epoch. Disables raw-leaves"},
    {CLI_UINT, "mtime-nsecs", NULL, NULL, "Custom POSIX modification time, fraction in nanoseconds"},
    {CLI_BOOL, "fast-provide-root", NULL, NULL, "Accepted; takes effect once the node talks to others"},
    {CLI_BOOL, "fast-provide-dag", NULL, NULL, "Accepted; takes effect once the node talks to others"},
    {CLI_BOOL, "fast-provide-wait", NULL, NULL, "Accepted; takes effect once the node talks to others"},
    {0},
};
static const cli_arg args[] = {
    {"path", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC | CLI_ARG_FILE | CLI_ARG_STDIN, "The path to a file to be added to IPFS."},
    {0},
};

static ipfsa_option tri_state(const cli_context *ctx, const char *name) {
  if (!cli_is_set(ctx, name)) return IPFSA_UNSET;
  return cli_bool(ctx, name) ? IPFSA_ON : IPFSA_OFF;
}

static int print_event(void *arg, const ipfsa_add_event *event) {
  cli_context *ctx = arg;
  const char *cid = cli_cid(ctx, &event->cid);
  if (cli_bool(ctx, "silent") || cli_bool(ctx, "quieter")) return 0;
  if (cli_json(ctx)) {
    cli_out(ctx, "{\"Name\":");
    cli_json_string(ctx, event->name, event->name_len);
    cli_out(ctx, ",\"Hash\":\"%s\",\"Size\":\"%llu\"", cid, (unsigned long long)event->size);
    if (event->mode) cli_out(ctx, ",\"Mode\":\"%04o\"", event->mode);
    if (event->has_mtime) cli_out(ctx, ",\"Mtime\":%lld", (long long)event->mtime_s);
    if (event->has_mtime && event->mtime_ns) cli_out(ctx, ",\"MtimeNsecs\":%u", event->mtime_ns);
    cli_out(ctx, "}\n");
  } else if (cli_bool(ctx, "quiet")) {
    cli_out(ctx, "%s\n", cid);
  } else {
    cli_out(ctx, "added %s ", cid);
    cli_out_name(ctx, event->name, event->name_len);
    cli_out(ctx, "\n");
  }
  return 0;
}

/* "0755", "0o755", "0x1ed", else decimal; cut to the permission bits. */
static bool parse_mode(const char *text, uint32_t *ret) {
  char *end = NULL;
  bool octal = text[0] == '0' && (text[1] == 'o' || text[1] == 'O');
  const char *digits = octal ? text + 2 : text;
  errno = 0;
  unsigned long v = strtoul(digits, &end, octal ? 8 : 0);
  if (*digits < '0' || *digits > '9' || *end || errno || v > UINT32_MAX) return false;
  *ret = (uint32_t)v & 0777;
  return true;
}

static int check(cli_context *ctx, ipfsa_add_options *o) {
  int64_t version = cli_int(ctx, "cid-version");
  if (cli_is_set(ctx, "cid-version") && version != 0 && version != 1) return cli_fail_text(ctx, "unknown CID version: %lld", (long long)version);
  if (cli_is_set(ctx, "cid-version")) o->cid_version_1 = version ? IPFSA_ON : IPFSA_OFF;
  if (cli_is_set(ctx, "mode") && !parse_mode(cli_string(ctx, "mode"), &o->mode))
    return cli_fail_text(ctx, "\"%s\" is no file mode; write it as 0644", cli_string(ctx, "mode"));
  if (cli_uint(ctx, "mtime-nsecs") > 999999999) return cli_fail_text(ctx, "mtime nanoseconds must be in range [1, 999999999]");
  if (o->nocopy && o->raw_leaves == IPFSA_OFF) return cli_fail_text(ctx, "nocopy option requires '--raw-leaves' to be enabled as well");
  if (cli_is_set(ctx, "to-files") && o->only_hash) return cli_fail_text(ctx, "only-hash and to-files options are not compatible");
  if (cli_is_set(ctx, "to-files") && o->wrap) return cli_fail_text(ctx, "wrap-with-directory and to-files options are not compatible");
  for (size_t i = 0; i < cli_n_args(ctx) && !o->recursive; i++) {
    char slash[4100];
    snprintf(slash, sizeof slash, "%s/.", cli_arg_at(ctx, i));
    bool is_link = readlink(cli_arg_at(ctx, i), (char[1]){0}, 1) >= 0;
    if (access(slash, F_OK) == 0 && (!is_link || o->dereference_args || o->dereference_symlinks))
      return cli_usage_fail(ctx, "'%s' is a directory, use the '-r' flag to specify directories", cli_arg_at(ctx, i));
  }
  return 0;
}

static const char *text_option(const cli_context *ctx, const char *name) { return cli_is_set(ctx, name) ? cli_string(ctx, name) : NULL; }

static ipfsa_add_options read_options(cli_context *ctx) {
  ipfsa_add_options o = {
      .struct_size = sizeof o,
      .recursive = cli_bool(ctx, "recursive"),
      .hidden = cli_bool(ctx, "hidden"),
      .only_hash = cli_bool(ctx, "only-hash"),
      .wrap = cli_bool(ctx, "wrap-with-directory"),
      .nocopy = cli_bool(ctx, "nocopy"),
      .inline_ = cli_bool(ctx, "inline") && cli_int(ctx, "inline-limit") > 0,
      .dereference_args = cli_bool(ctx, "dereference-args"),
      .dereference_symlinks = cli_bool(ctx, "dereference-symlinks"),
      .preserve_mode = cli_bool(ctx, "preserve-mode"),
      .preserve_mtime = cli_bool(ctx, "preserve-mtime"),
      .skip_empty_dirs = !cli_bool(ctx, "empty-dirs"),
      .raw_leaves = tri_state(ctx, "raw-leaves"),
      .trickle = tri_state(ctx, "trickle"),
      .pin = tri_state(ctx, "pin"),
      .chunker = text_option(ctx, "chunker"),
      .hash = text_option(ctx, "hash"),
      .inline_limit = cli_int(ctx, "inline-limit"),
      .max_file_links = cli_int(ctx, "max-file-links"),
      .max_directory_links = cli_int(ctx, "max-directory-links"),
      .max_hamt_fanout = cli_int(ctx, "max-hamt-fanout"),
      .pin_name = text_option(ctx, "pin-name"),
      .mtime = cli_int(ctx, "mtime"),
      .mtime_nsecs = (uint32_t)cli_uint(ctx, "mtime-nsecs"),
      .ignore_rules_path = text_option(ctx, "ignore-rules-path"),
      .to_files = !cli_is_set(ctx, "to-files") ? NULL : *cli_string(ctx, "to-files") ? cli_string(ctx, "to-files") : "/",
      .stdin_name = text_option(ctx, "stdin-name"),
      .event = print_event,
      .event_ctx = ctx,
      .progress = cli_progress_step,
  };
  o.n_ignore = cli_strings(ctx, "ignore", &o.ignore);
  return o;
}

static int run(cli_context *ctx) {
  ipfsa_add_options o = read_options(ctx);
  int code = check(ctx, &o);
  if (code) return code;
  ipfsa_node *node = cli_node(ctx, true, true);
  if (!node) return 1;
  size_t n = cli_n_args(ctx);
  bool from_stdin = n == 0 || (n == 1 && strcmp(cli_arg_at(ctx, 0), "-") == 0);
  bool wanted = !cli_is_set(ctx, "progress") || cli_bool(ctx, "progress");
  cli_progress *progress = cli_progress_start(ctx, "add", wanted && !cli_bool(ctx, "silent"));
  o.progress_ctx = progress;
  ipfsa_cid root;
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_add(node, cli_args(ctx), from_stdin ? 0 : n, STDIN_FILENO, &o, &root, &err);
  cli_progress_end(progress);
  if (status) return cli_fail(ctx, &err);
  if (cli_bool(ctx, "quieter") && !cli_bool(ctx, "silent")) cli_out(ctx, "%s\n", cli_cid(ctx, &root));
  return 0;
}

const cli_verb cli_verb_add = {
    .name = "add",
    .tagline = "Add a file or directory to IPFS.",
    .description = "Adds the content of <path> to the repo and prints its CID. The answer comes when everything is on the disk:\n"
                   "what was added survives a power loss. A folder needs '-r'; without <path> standard input is added.\n"
                   "The same content gives the same CID as Kubo for every option that decides it.\n"
                   "--chunker=tensor cuts a model checkpoint at its tensors (large ones every 1 MiB, or N with tensor-N; small neighbours together), so that\n"
                   "tensors that are equal in several checkpoints are stored once. A file that is no checkpoint is an error; in a folder it is cut every 1 MiB.\n"
                   "Any IPFS node reads the result.",
    .example = "> ipfs-accelerate add -r model/\n"
               "added bafkrei… model/config.json\n"
               "added bafybei… model\n\n"
               "> ipfs-accelerate add --cid-version=1 --chunker=size-1048576 weights.safetensors\n"
               "> ipfs-accelerate add --cid-version=1 --chunker=tensor tiny.safetensors",
    .options = options,
    .args = args,
    .run = run,
};
