/* `cid bases`, `cid codecs`, `cid hashes`: the tables, in the order of the library. */
#include "cli/cid_tables.h"

#include <ipfsa/cid.h>
#include <string.h>

/* Bases beyond the list that Kubo prints: the library reads and writes them all the same. */
static const char *const more_bases[][2] = {{"base8", "7"}, {"base10", "9"}, {"base32z", "h"}, {"base45", "R"}, {"proquint", "p"}};
#define N_MORE (sizeof more_bases / sizeof *more_bases)

const char *cli_base_name(const char *name) {
  ipfsa_table_row row;
  for (size_t i = 0; ipfsa_multibase_row(i, &row); i++)
    if (strcmp(row.name, name) == 0 || (*row.prefix && strcmp(row.prefix, name) == 0)) return row.name;
  for (size_t i = 0; i < N_MORE; i++)
    if (strcmp(more_bases[i][0], name) == 0 || strcmp(more_bases[i][1], name) == 0) return more_bases[i][0];
  return NULL;
}

const char *cli_base_prefix(const char *name) {
  ipfsa_table_row row;
  for (size_t i = 0; ipfsa_multibase_row(i, &row); i++)
    if (strcmp(row.name, name) == 0) return row.prefix;
  for (size_t i = 0; i < N_MORE; i++)
    if (strcmp(more_bases[i][0], name) == 0) return more_bases[i][1];
  return "";
}

/* A JSON array of {Code, Name}, as Kubo's RPC answers. */
static void json_row(cli_context *ctx, bool first, const ipfsa_table_row *row) {
  cli_out(ctx, "%s{\"Code\":%llu,\"Name\":", first ? "[" : ",", (unsigned long long)row->code);
  cli_json_string(ctx, row->name, strlen(row->name));
  cli_out(ctx, "}");
}

int cli_list_bases(cli_context *ctx) {
  bool prefix = cli_bool(ctx, "prefix"), numeric = cli_bool(ctx, "numeric"), json = cli_json(ctx);
  ipfsa_table_row row;
  for (size_t i = 0; ipfsa_multibase_row(i, &row); i++) {
    const char *shown = *row.prefix ? row.prefix : " ";
    if (json) json_row(ctx, i == 0, &row);
    else if (prefix && numeric) cli_out(ctx, "%s %7llu  %s\n", shown, (unsigned long long)row.code, row.name);
    else if (prefix) cli_out(ctx, "%s  %s\n", shown, row.name);
    else if (numeric) cli_out(ctx, "%7llu  %s\n", (unsigned long long)row.code, row.name);
    else cli_out(ctx, "%s\n", row.name);
  }
  if (json) cli_out(ctx, "]\n");
  return 0;
}

static int list_codes(cli_context *ctx, bool (*row_at)(size_t, ipfsa_table_row *)) {
  bool numeric = cli_bool(ctx, "numeric"), supported = cli_bool(ctx, "supported"), json = cli_json(ctx), first = true;
  ipfsa_table_row row;
  for (size_t i = 0; row_at(i, &row); i++) {
    if (supported && !row.supported) continue;
    if (json) json_row(ctx, first, &row);
    else if (numeric) cli_out(ctx, "%5llu  %s\n", (unsigned long long)row.code, row.name);
    else cli_out(ctx, "%s\n", row.name);
    first = false;
  }
  if (json) cli_out(ctx, first ? "[]\n" : "]\n");
  return 0;
}

static int run_codecs(cli_context *ctx) { return list_codes(ctx, ipfsa_codec_row); }
static int run_hashes(cli_context *ctx) { return list_codes(ctx, ipfsa_hash_row); }

static const cli_option base_options[] = {
    {CLI_BOOL, "prefix", NULL, NULL, "Also include the single letter prefixes in addition to the code"},
    {CLI_BOOL, "numeric", NULL, NULL, "Also include numeric codes"},
    {0},
};
static const cli_option code_options[] = {
    {CLI_BOOL, "numeric", "n", NULL, "Also include numeric codes"},
    {CLI_BOOL, "supported", "s", NULL, "List only those that this program can encode or compute"},
    {0},
};

const cli_verb cli_verb_cid_bases = {.name = "cid bases",
                                     .tagline = "List available multibase encodings",
                                     .example = "ipfs-accelerate cid bases --prefix --numeric",
                                     .options = base_options,
                                     .run = cli_list_bases};
const cli_verb cli_verb_cid_codecs = {.name = "cid codecs",
                                      .tagline = "List available CID multicodecs",
                                      .example = "ipfs-accelerate cid codecs --supported",
                                      .options = code_options,
                                      .run = run_codecs};
const cli_verb cli_verb_cid_hashes = {.name = "cid hashes",
                                      .tagline = "List available multihashes",
                                      .example = "ipfs-accelerate cid hashes --numeric",
                                      .options = code_options,
                                      .run = run_hashes};
const cli_verb cli_verb_multibase_list = {.name = "multibase list",
                                          .tagline = "List available multibase encodings",
                                          .example = "ipfs-accelerate multibase list --prefix",
                                          .options = base_options,
                                          .run = cli_list_bases};
