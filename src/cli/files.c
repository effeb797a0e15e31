#include <errno.h>
#include <fcntl.h>
#include <ipfsa/files.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

const cli_verb cli_verb_files = {
    .name = "files",
    .tagline = "Interact with unixfs files.",
    .description = "A file system over IPFS content, with paths from / on. Every change is on the disk when the command returns.",
    .options = (const cli_option[]){{CLI_BOOL, "flush", "f", "true", "Accepted: every change is on the disk when the command returns"}, {0}},
};

#define PATH_ARG(help) (const cli_arg[]){{"path", CLI_ARG_REQUIRED, help}, {0}}
#define TWO_PATHS (const cli_arg[]){{"source", CLI_ARG_REQUIRED, "Source path."}, {"dest", CLI_ARG_REQUIRED, "Destination path."}, {0}}
#define CID_OPTIONS                                                                                                    \
  {CLI_INT, "cid-version", "cid-ver", NULL, "Cid version to use"}, {CLI_STRING, "hash", NULL, NULL, "Hash function to use. Will set Cid version to 1 if used"}

static ipfsa_option tri_state(const cli_context *ctx, const char *name) {
  return !cli_is_set(ctx, name) ? IPFSA_UNSET : cli_bool(ctx, name) ? IPFSA_ON : IPFSA_OFF;
}

static ipfsa_option version_option(const cli_context *ctx) {
  return !cli_is_set(ctx, "cid-version") ? IPFSA_UNSET : cli_int(ctx, "cid-version") ? IPFSA_ON : IPFSA_OFF;
}

static const char *hash_option(const cli_context *ctx) { return cli_is_set(ctx, "hash") ? cli_string(ctx, "hash") : NULL; }

/* ---- ls ---- */

typedef struct files_listing {
  cli_context *ctx;
  bool first;
} files_listing;

static int print_entry(void *arg, const ipfsa_entry *e) {
  files_listing *l = arg;
  cli_context *ctx = l->ctx;
  bool is_long = cli_bool(ctx, "long"), folder = e->type == IPFSA_ENTRY_DIRECTORY;
  if (cli_json(ctx)) {
    cli_out(ctx, "%s{\"Name\":", l->first ? "" : ",");
    cli_json_string(ctx, e->name, e->name_len);
    cli_out(ctx, ",\"Type\":%d,\"Size\":%llu,\"Hash\":\"%s\"}", is_long && folder, is_long ? (unsigned long long)e->size : 0, is_long ? cli_cid(ctx, &e->cid) : "");
  } else {
    cli_out_name(ctx, e->name, e->name_len);
    if (is_long) cli_out(ctx, "%s\t%s\t%llu", folder ? "/" : "", cli_cid(ctx, &e->cid), (unsigned long long)e->size);
    cli_out(ctx, "\n");
  }
  l->first = false;
  return 0;
}

static int run_ls(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  files_listing l = {ctx, true};
  ipfsa_error err = {0};
  if (cli_json(ctx)) cli_out(ctx, "{\"Entries\":[");
  if (ipfsa_files_ls(node, cli_n_args(ctx) ? cli_arg_at(ctx, 0) : "/", print_entry, &l, &err)) return cli_fail(ctx, &err);
  if (cli_json(ctx)) cli_out(ctx, "]}\n");
  return 0;
}

const cli_verb cli_verb_files_ls = {
    .name = "files ls",
    .tagline = "List directories in the local mutable namespace.",
    .description = "Without <path> the root is listed. '-l' shows CID and size, and '/' behind folders.",
    .example = "> ipfs-accelerate files ls -l /models",
    .options = (const cli_option[]){{CLI_BOOL, "long", "l", "false", "Use long listing format"}, {CLI_BOOL, "U", NULL, "false", "Accepted: entries come in the directory's order"}, {0}},
    .args = (const cli_arg[]){{"path", 0, "Path to show listing for. Defaults to '/'."}, {0}},
    .run = run_ls,
};

/* ---- read and write ---- */

static int run_read(cli_context *ctx) {
  int64_t offset = cli_int(ctx, "offset"), count = cli_is_set(ctx, "count") ? cli_int(ctx, "count") : INT64_MAX;
  if (offset < 0) return cli_fail_text(ctx, "cannot specify negative offset");
  if (count < 0) return cli_fail_text(ctx, "cannot specify negative 'count'");
  ipfsa_node *node = cli_node(ctx, false, false);
  ipfsa_error err = {0};
  if (!node) return 1;
  return ipfsa_files_read(node, cli_arg_at(ctx, 0), (uint64_t)offset, (uint64_t)count, cli_out_write, ctx, &err) ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_files_read = {
    .name = "files read",
    .tagline = "Read a file from MFS.",
    .description = "Writes the bytes of a file to standard output.",
    .example = "> ipfs-accelerate files read --offset=8 --count=100 /models/config.json",
    .options = (const cli_option[]){{CLI_INT, "offset", "o", NULL, "Byte offset to begin reading from"}, {CLI_INT, "count", "n", NULL, "Maximum number of bytes to read"}, {0}},
    .args = PATH_ARG("Path to file to be read."),
    .run = run_read,
};

static int run_write(cli_context *ctx) {
  int64_t offset = cli_int(ctx, "offset"), count = cli_int(ctx, "count");
  if (offset < 0 || count < 0) return cli_fail_text(ctx, "cannot have negative %s", offset < 0 ? "write offset" : "byte count");
  const char *from = cli_n_args(ctx) > 1 ? cli_arg_at(ctx, 1) : "-";
  bool from_stdin = strcmp(from, "-") == 0;
  int fd = from_stdin ? STDIN_FILENO : open(from, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return cli_fail_text(ctx, "open %s: %s", from, strerror(errno));
  ipfsa_node *node = cli_node(ctx, true, true);
  ipfsa_error err = {0};
  ipfsa_files_write_options o = {.struct_size = sizeof o, .offset = (uint64_t)offset, .count = (uint64_t)count, .create = cli_bool(ctx, "create"),
                                 .truncate = cli_bool(ctx, "truncate"), .parents = cli_bool(ctx, "parents"), .raw_leaves = tri_state(ctx, "raw-leaves"),
                                 .cid_version_1 = version_option(ctx), .hash = hash_option(ctx)};
  if (cli_is_set(ctx, "count") && count == 0) o.count = IPFSA_FILES_NOTHING;
  ipfsa_status status = !node ? IPFSA_OK : ipfsa_files_write(node, cli_arg_at(ctx, 0), fd, &o, &err);
  if (!from_stdin) close(fd);
  return !node ? 1 : status ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_files_write = {
    .name = "files write",
    .tagline = "Append to (modify) a file in MFS.",
    .description = "Writes a local file, or standard input, into a file at an offset; bytes around it stay.",
    .example = "> echo hello | ipfs-accelerate files write --create --parents /notes/hello.txt",
    .options = (const cli_option[]){{CLI_INT, "offset", "o", NULL, "Byte offset to begin writing at"},
                                    {CLI_BOOL, "create", "e", "false", "Create the file if it does not exist"},
                                    {CLI_BOOL, "parents", "p", "false", "Make parent directories as needed"},
                                    {CLI_BOOL, "truncate", "t", "false", "Truncate the file to size zero before writing"},
                                    {CLI_INT, "count", "n", NULL, "Maximum number of bytes to read"},
                                    {CLI_BOOL, "raw-leaves", NULL, NULL, "Use raw blocks for newly created leaf nodes"},
                                    CID_OPTIONS,
                                    {0}},
    .args = (const cli_arg[]){{"path", CLI_ARG_REQUIRED, "Path to write to."}, {"data", CLI_ARG_FILE, "File with the data to write; - or nothing is standard input."}, {0}},
    .run = run_write,
};

/* ---- changes of the tree ---- */

static int run_mkdir(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, true);
  ipfsa_error err = {0};
  if (!node) return 1;
  return ipfsa_files_mkdir(node, cli_arg_at(ctx, 0), cli_bool(ctx, "parents"), version_option(ctx), hash_option(ctx), &err) ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_files_mkdir = {
    .name = "files mkdir",
    .tagline = "Make directories.",
    .description = "Creates a folder; with '-p' also those above it, and an existing one is no error.",
    .example = "> ipfs-accelerate files mkdir -p /models/llama",
    .options = (const cli_option[]){{CLI_BOOL, "parents", "p", "false", "No error if existing, make parent directories as needed"}, CID_OPTIONS, {0}},
    .args = PATH_ARG("Path to dir to make."),
    .run = run_mkdir,
};

static int run_cp(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, true);
  ipfsa_error err = {0};
  if (!node) return 1;
  return ipfsa_files_cp(node, cli_arg_at(ctx, 0), cli_arg_at(ctx, 1), cli_bool(ctx, "parents"), cli_bool(ctx, "force"), &err) ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_files_cp = {
    .name = "files cp",
    .tagline = "Add references to IPFS files and directories in MFS (or copy within MFS).",
    .description = "Gives content a name: nothing is copied, and the CID stays.",
    .example = "> ipfs-accelerate files cp /ipfs/bafybei… /models/llama",
    .options = (const cli_option[]){{CLI_BOOL, "force", NULL, "false", "Force overwrite of existing files"}, {CLI_BOOL, "parents", "p", "false", "Make parent directories as needed"}, {0}},
    .args = TWO_PATHS,
    .run = run_cp,
};

static int run_mv(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, false);
  ipfsa_error err = {0};
  if (!node) return 1;
  return ipfsa_files_mv(node, cli_arg_at(ctx, 0), cli_arg_at(ctx, 1), &err) ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_files_mv = {
    .name = "files mv",
    .tagline = "Move files.",
    .description = "Moves or renames, in one step: no moment has both or neither.",
    .example = "> ipfs-accelerate files mv /models/new /models/llama",
    .args = TWO_PATHS,
    .run = run_mv,
};

static int run_rm(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, false);
  bool failed = false;
  if (!node) return 1;
  for (size_t i = 0; i < cli_n_args(ctx); i++) {
    ipfsa_error err = {0};
    if (ipfsa_files_rm(node, cli_arg_at(ctx, i), cli_bool(ctx, "recursive"), cli_bool(ctx, "force"), &err) == IPFSA_OK) continue;
    char text[4700];
    const char *path = cli_arg_at(ctx, i);
    snprintf(text, sizeof text, "%.4096s%s: %s", path, path[0] == '/' ? "" : " is not a valid path", err.message);
    cli_json_string(ctx, text, strlen(text));
    cli_out(ctx, "\n");
    failed = true;
  }
  return failed ? cli_fail_text(ctx, "can't remove some files") : 0;
}

const cli_verb cli_verb_files_rm = {
    .name = "files rm",
    .tagline = "Remove a file from MFS.",
    .description = "Removes files, and with '-r' folders. The content stays in the repo until gc.",
    .example = "> ipfs-accelerate files rm -r /models/old",
    .options = (const cli_option[]){{CLI_BOOL, "recursive", "r", "false", "Recursively remove directories"}, {CLI_BOOL, "force", NULL, "false", "Forcibly remove target at path; implies -r for directories"}, {0}},
    .args = (const cli_arg[]){{"path", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC, "File to remove."}, {0}},
    .run = run_rm,
};

static int run_flush(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, false, false);
  ipfsa_cid cid;
  ipfsa_error err = {0};
  if (!node) return 1;
  if (ipfsa_files_flush(node, cli_n_args(ctx) ? cli_arg_at(ctx, 0) : "/", &cid, &err)) return cli_fail(ctx, &err);
  cli_out(ctx, "{\"Cid\":\"%s\"}\n", cli_cid(ctx, &cid));
  return 0;
}

const cli_verb cli_verb_files_flush = {
    .name = "files flush",
    .tagline = "Flush a given path's data to disk.",
    .description = "Every change is on the disk when its command returns; this prints the CID of a path.",
    .example = "> ipfs-accelerate files flush /\n{\"Cid\":\"Qm…\"}",
    .args = (const cli_arg[]){{"path", 0, "Path to flush. Default: '/'."}, {0}},
    .run = run_flush,
};

static int run_chcid(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, false);
  ipfsa_error err = {0};
  if (!node) return 1;
  return ipfsa_files_chcid(node, cli_n_args(ctx) ? cli_arg_at(ctx, 0) : "/", version_option(ctx), hash_option(ctx), &err) ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_files_chcid = {
    .name = "files chcid",
    .tagline = "Change the CID version or hash function of the root node of a given path.",
    .description = "Writes the folder's own node anew; what it holds stays as it is.",
    .example = "> ipfs-accelerate files chcid --cid-version=1 /models",
    .options = (const cli_option[]){CID_OPTIONS, {0}},
    .args = (const cli_arg[]){{"path", 0, "Path to change. Default: '/'."}, {0}},
    .run = run_chcid,
};
