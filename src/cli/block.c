#include <ipfsa/block.h>
#include <ipfsa/read.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/input.h"

#define MAX_BLOCK 2097152

static const cli_arg one_cid[] = {{"cid", CLI_ARG_REQUIRED | CLI_ARG_STDIN, "The CID of the block."}, {0}};

const cli_verb cli_verb_block = {
    .name = "block",
    .tagline = "Interact with raw IPFS blocks.",
    .description = "'ipfs block' is a plumbing command used to manipulate raw IPFS blocks.\n"
                   "Reads from stdin or writes to stdout. A block is identified by a Multihash\n"
                   "passed with a valid CID.",
};

static int run_get(cli_context *ctx) {
  ipfsa_cid cid;
  ipfsa_error err = {0};
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  bool failed = ipfsa_resolve(node, cli_arg_at(ctx, 0), &cid, NULL, &err) || ipfsa_block_get(node, &cid, cli_out_write, ctx, &err);
  return failed ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_block_get = {
    .name = "block get",
    .tagline = "Get a raw IPFS block.",
    .description = "Writes the bytes of the block to standard output. They are verified first.",
    .example = "> ipfs-accelerate block get bafkrei… > block.bin",
    .args = (const cli_arg[]){{"cid", CLI_ARG_REQUIRED | CLI_ARG_STDIN, "The CID of an existing block to get."}, {0}},
    .run = run_get,
};

static int run_stat(cli_context *ctx) {
  ipfsa_cid cid;
  uint64_t size = 0;
  ipfsa_error err = {0};
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  if (ipfsa_resolve(node, cli_arg_at(ctx, 0), &cid, NULL, &err) || ipfsa_block_size(node, &cid, &size, &err)) return cli_fail(ctx, &err);
  cli_out(ctx, cli_json(ctx) ? "{\"Key\":\"%s\",\"Size\":%llu}\n" : "Key: %s\nSize: %llu\n", cli_cid(ctx, &cid), (unsigned long long)size);
  return 0;
}

const cli_verb cli_verb_block_stat = {
    .name = "block stat",
    .tagline = "Print information of a raw IPFS block.",
    .description = "Shows the CID and the size in bytes.",
    .example = "> ipfs-accelerate block stat bafkrei…\nKey: bafkrei…\nSize: 262144",
    .args = one_cid,
    .run = run_stat,
};

static const cli_option put_options[] = {
    {CLI_STRING, "cid-codec", NULL, "raw", "Multicodec to use in returned CID"},
    {CLI_STRING, "mhtype", NULL, "sha2-256", "Multihash hash function"},
    {CLI_INT, "mhlen", NULL, "-1", "Multihash hash length"},
    {CLI_BOOL, "pin", NULL, "false", "Pin added blocks recursively"},
    {CLI_BOOL, "allow-big-block", NULL, "false", "Accepted; a block over 2 MiB, which no peer would take, is refused all the same"},
    {CLI_STRING, "format", "f", NULL, "Use legacy format for returned CID (v0, cbor, …)"},
    {0},
};

typedef struct put_form {
  unsigned version;
  uint64_t codec, hash;
  size_t len;
} put_form;

static int read_form(cli_context *ctx, put_form *ret) {
  *ret = (put_form){.version = 1};
  const char *codec = cli_string(ctx, "cid-codec"), *format = cli_string(ctx, "format");
  if (*format && strcmp(codec, "raw") != 0) return cli_fail_text(ctx, "unable to use \"format\" (deprecated) and a custom \"cid-codec\" at the same time");
  if (strcmp(format, "v0") == 0) ret->version = 0, codec = "dag-pb";
  else if (strcmp(format, "protobuf") == 0) codec = "dag-pb";
  else if (strcmp(format, "cbor") == 0) codec = "dag-cbor";
  else if (*format) codec = format;
  if (!ipfsa_codec_from_string(codec, &ret->codec)) return cli_fail_text(ctx, "unknown multicodec: \"%s\"", codec);
  if (!ipfsa_hash_from_string(cli_string(ctx, "mhtype"), &ret->hash))
    return cli_fail_text(ctx, "unrecognized multihash function: %s", cli_string(ctx, "mhtype"));
  int64_t len = cli_int(ctx, "mhlen");
  ret->len = len > 0 && len <= IPFSA_MAX_DIGEST ? (size_t)len : 0;
  return len > IPFSA_MAX_DIGEST ? cli_fail_text(ctx, "a digest has at most %d bytes", IPFSA_MAX_DIGEST) : 0;
}

static int put_one(cli_context *ctx, ipfsa_node *node, size_t i, const put_form *form) {
  size_t len = 0;
  uint8_t *data = cli_read_input(ctx, i, MAX_BLOCK, CLI_BIG_BLOCK, &len);
  if (!data) return 1;
  ipfsa_cid cid;
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_block_put(node, (ipfsa_bytes){data, len}, form->version, form->codec, form->hash, form->len, cli_bool(ctx, "pin"), &cid, &err);
  free(data);
  if (status) return cli_fail(ctx, &err);
  if (cli_json(ctx)) cli_out(ctx, "{\"Key\":\"%s\",\"Size\":%zu}\n", cli_cid(ctx, &cid), len);
  else cli_out(ctx, "%s\n", cli_cid(ctx, &cid));
  return 0;
}

static int run_put(cli_context *ctx) {
  put_form form;
  int code = read_form(ctx, &form);
  ipfsa_node *node = code ? NULL : cli_node(ctx, true, true);
  if (!node) return 1;
  size_t n = cli_n_args(ctx) ? cli_n_args(ctx) : 1;
  for (size_t i = 0; i < n && !code; i++) code = put_one(ctx, node, i, &form);
  return code;
}

const cli_verb cli_verb_block_put = {
    .name = "block put",
    .tagline = "Store input as an IPFS block.",
    .description = "Stores the bytes of a file, or of standard input, as one block of at most 2 MiB and prints its CID.",
    .example = "> echo hello | ipfs-accelerate block put\nbafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am",
    .options = put_options,
    .args = (const cli_arg[]){{"data", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC | CLI_ARG_FILE | CLI_ARG_STDIN, "The data to be stored as an IPFS block."}, {0}},
    .run = run_put,
};

static const cli_option rm_options[] = {
    {CLI_BOOL, "force", "f", "false", "Ignore nonexistent blocks"},
    {CLI_BOOL, "quiet", "q", "false", "Write minimal output"},
    {0},
};

static int run_rm(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, false);
  if (!node) return 1;
  bool failed = false;
  for (size_t i = 0; i < cli_n_args(ctx); i++) {
    ipfsa_cid cid;
    ipfsa_error err = {0};
    if (ipfsa_path_parse(node, cli_arg_at(ctx, i), &cid, &err)) return cli_fail(ctx, &err);
    ipfsa_status status = ipfsa_block_rm(node, &cid, cli_bool(ctx, "force"), &err);
    const char *text = cli_cid(ctx, &cid);
    failed |= status != IPFSA_OK;
    if (status && status != IPFSA_E_PINNED && status != IPFSA_E_NOT_FOUND) return cli_fail(ctx, &err);
    if (cli_json(ctx) && !cli_bool(ctx, "quiet")) {
      cli_out(ctx, "{\"Hash\":\"%s\"%s", text, status ? ",\"Error\":" : "");
      if (status) cli_json_string(ctx, err.message, strlen(err.message));
      cli_out(ctx, "}\n");
    } else if (status) cli_err(ctx, "cannot remove %s: %s\n", text, err.message);
    else if (!cli_bool(ctx, "quiet")) cli_out(ctx, "removed %s\n", text);
  }
  return failed ? cli_fail_text(ctx, "some blocks not removed") : 0;
}

const cli_verb cli_verb_block_rm = {
    .name = "block rm",
    .tagline = "Remove IPFS block(s) from the local datastore.",
    .description = "Removes blocks that no pin needs.",
    .example = "> ipfs-accelerate block rm bafkrei…\nremoved bafkrei…",
    .options = rm_options,
    .args = (const cli_arg[]){{"cid", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC | CLI_ARG_STDIN, "CIDs of block(s) to remove."}, {0}},
    .run = run_rm,
};
