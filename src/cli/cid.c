/* `cid`: values only; a repo is looked at where a text is no CID and may be an alias, and need not be there. Output as recorded in
 * tests/vectors/cli-kubo.jsonl. */
#include <ipfsa/cid.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cid_tables.h"
#include "cli/cli.h"
#include "cli/input.h"

/* One line of output is built here; grown by hand because verbs see no builder. */
typedef struct text_line {
  char *data;
  size_t len, cap;
  bool failed;
} text_line;

static void line_add(text_line *line, const char *text, size_t len) {
  if (line->len + len + 1 > line->cap) {
    size_t cap = (line->len + len + 1) * 2;
    char *grown = realloc(line->data, cap);
    if (!grown) {
      line->failed = true;
      return;
    }
    line->data = grown;
    line->cap = cap;
  }
  memcpy(line->data + line->len, text, len);
  line->len += len;
  line->data[line->len] = '\0';
}

static void line_str(text_line *line, const char *text) { line_add(line, text, strlen(text)); }

static void line_number(text_line *line, uint64_t v) {
  char text[24];
  line_add(line, text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)v));
}

/* A name, or "codec?85" where the table has none. */
static void line_name(text_line *line, const char *name, const char *kind, uint64_t code) {
  if (name) {
    line_str(line, name);
    return;
  }
  line_str(line, kind);
  line_str(line, "?");
  line_number(line, code);
}

static ipfsa_status line_bytes(text_line *line, const char *base, ipfsa_bytes bytes, bool prefix, ipfsa_error *err) {
  char *text = NULL;
  ipfsa_status status = ipfsa_multibase_encode(base, bytes, &text, err);
  if (status) return status;
  size_t skip = prefix ? 0 : (unsigned char)text[0] >= 0x80 ? 4 : 1; /* base256emoji alone has a prefix of 4 bytes */
  line_str(line, text + skip);
  ipfsa_text_free(text);
  return IPFSA_OK;
}

/* The multihash is what follows version and codec. */
static ipfsa_bytes multihash_of(const ipfsa_cid *cid, const uint8_t *bytes, size_t len) {
  size_t at = 0;
  if (cid->version != 0) {
    at = 1;
    while (bytes[at] & 0x80) at++;
    at++;
  }
  return (ipfsa_bytes){bytes + at, len - at};
}

static ipfsa_status line_whole(text_line *line, const char *base, const ipfsa_cid *cid, ipfsa_error *err) {
  char text[IPFSA_MAX_CID_TEXT];
  ipfsa_status status = ipfsa_cid_format_base(cid, base, text, err);
  if (status == IPFSA_OK) line_str(line, text);
  return status;
}

static void line_summary(text_line *line, const ipfsa_cid *cid) {
  line_str(line, cid->version ? "cidv1-" : "cidv0-");
  line_name(line, ipfsa_codec_to_string(cid->codec), "codec", cid->codec);
  line_str(line, "-");
  line_name(line, ipfsa_hash_to_string(cid->mh.code), "hash", cid->mh.code);
  line_str(line, "-");
  line_number(line, cid->mh.len);
}

/* What one %-letter stands for. */
static ipfsa_status line_letter(text_line *line, char letter, const char *base, const ipfsa_cid *cid, ipfsa_error *err) {
  uint8_t bytes[IPFSA_MAX_CID];
  size_t len = ipfsa_cid_encode(cid, bytes);
  ipfsa_bytes whole = {bytes, len}, digest = {cid->mh.digest, cid->mh.len};
  switch (letter) {
  case '%': line_str(line, "%"); break;
  case 'b': line_str(line, base); break;
  case 'B': line_str(line, cli_base_prefix(base)); break;
  case 'v': line_str(line, cid->version ? "cidv1" : "cidv0"); break;
  case 'V': line_number(line, cid->version); break;
  case 'c': line_name(line, ipfsa_codec_to_string(cid->codec), "codec", cid->codec); break;
  case 'C': line_number(line, cid->codec); break;
  case 'h': line_name(line, ipfsa_hash_to_string(cid->mh.code), "hash", cid->mh.code); break;
  case 'H': line_number(line, cid->mh.code); break;
  case 'L': line_number(line, cid->mh.len); break;
  case 'm': case 'M': return line_bytes(line, base, multihash_of(cid, bytes, len), letter == 'm', err);
  case 'd': case 'D': return line_bytes(line, base, digest, letter == 'd', err);
  case 's': return line_whole(line, base, cid, err);
  case 'S': return line_bytes(line, base, whole, false, err);
  default: line_summary(line, cid); break;
  }
  return IPFSA_OK;
}

static ipfsa_status line_format(text_line *line, const char *format, const char *base, const ipfsa_cid *cid, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (; *format && !status; format++) {
    if (*format == '%') status = line_letter(line, *++format, base, cid, err);
    else line_add(line, format, 1);
  }
  return status;
}

typedef struct format_plan {
  const char *format, *base; /* base NULL: as it came */
  int version;               /* -1: as it came */
  bool recode;
  uint64_t codec;
} format_plan;

/* The base that the text of a CID of version 1 is in; of an alias that of a CID's usual text. */
static ipfsa_status base_of(const char *text, const char **ret, ipfsa_error *err) {
  uint8_t *data = NULL;
  size_t len = 0;
  ipfsa_cid cid;
  if (ipfsa_cid_parse(text, strlen(text), &cid, NULL) != IPFSA_OK) return *ret = "base32", IPFSA_OK;
  ipfsa_status status = ipfsa_multibase_decode(text, strlen(text), &data, &len, ret, err);
  if (status == IPFSA_OK) ipfsa_data_free(data);
  return status;
}

/* A CID from its text, or an alias; *ret_base is the base to answer in. */
static ipfsa_status convert_cid(cli_context *ctx, const format_plan *plan, const char *text, ipfsa_cid *ret, const char **ret_base, ipfsa_error *err) {
  ipfsa_cid cid;
  ipfsa_status status = cli_cid_or_alias_if_any(ctx, text, &cid, err);
  if (status) return status;
  const char *base = "base58btc";
  bool prefixed = cid.version != 0;
  if (plan->recode && plan->codec != cid.codec) status = ipfsa_cid_make(1, plan->codec, &cid.mh, &cid, err);
  if (!status && plan->version >= 0) status = ipfsa_cid_to_version(&cid, (unsigned)plan->version, &cid, err);
  if (status) return status;
  if (plan->base) base = plan->base;
  else if (cid.version != 0 && prefixed) status = base_of(text, &base, err);
  if (status) return status;
  *ret = cid;
  *ret_base = base;
  return IPFSA_OK;
}

static void print_formatted(cli_context *ctx, const char *given, const text_line *line, const ipfsa_error *err) {
  if (cli_json(ctx)) {
    const char *formatted = err || !line->data ? "" : line->data;
    cli_out(ctx, "{\"CidStr\":");
    cli_json_string(ctx, given, strlen(given));
    cli_out(ctx, ",\"Formatted\":");
    cli_json_string(ctx, formatted, strlen(formatted));
    cli_out(ctx, ",\"ErrorMsg\":");
    cli_json_string(ctx, err ? err->message : "", err ? strlen(err->message) : 0);
    cli_out(ctx, "}\n");
  } else if (err) {
    cli_err(ctx, "%s: %s\n", given, err->message);
  } else {
    cli_out_bytes(ctx, line->data ? line->data : "", line->len);
    cli_out(ctx, "\n");
  }
}

static int format_all(cli_context *ctx, const format_plan *plan) {
  bool bad = false;
  for (size_t i = 0; i < cli_n_args(ctx); i++) {
    const char *given = cli_arg_at(ctx, i), *base = NULL;
    ipfsa_error err = {0};
    ipfsa_cid cid;
    text_line line = {0};
    ipfsa_status status = convert_cid(ctx, plan, given, &cid, &base, &err);
    if (!status) status = line_format(&line, plan->format, base, &cid, &err);
    if (!line.failed) print_formatted(ctx, given, &line, status ? &err : NULL);
    free(line.data);
    if (line.failed) return cli_fail_text(ctx, "out of memory");
    bad |= status != IPFSA_OK;
  }
  return bad ? cli_fail_text(ctx, "errors while displaying some entries") : 0;
}

/* Every letter is known before the first line is printed. */
static int check_format(cli_context *ctx, const char *format) {
  if (!strchr(format, '%')) return cli_fail_text(ctx, "invalid format string: \"%s\"", format);
  for (; *format; format++) {
    if (*format != '%') continue;
    if (!*++format) return cli_fail_text(ctx, "premature end of format string");
    if (!strchr("%bBvVcChHLmMdDsSP", *format))
      return cli_fail_text(ctx, "unrecognized specifier in format string: %%%c", *format);
  }
  return 0;
}

static int plan_version(cli_context *ctx, format_plan *plan) {
  const char *version = cli_string(ctx, "v");
  bool plain = !plan->base || strcmp(plan->base, "base58btc") == 0;
  if (!*version) plan->version = plan->base ? 1 : -1;
  else if (strcmp(version, "1") == 0) plan->version = 1;
  else if (strcmp(version, "0") != 0) return cli_fail_text(ctx, "invalid cid version: \"%s\"", version);
  else if (plan->recode && plan->codec != IPFSA_CODEC_DAG_PB)
    return cli_fail_text(ctx, "cannot convert to CIDv0 with any codec other than dag-pb");
  else if (!plain) return cli_fail_text(ctx, "cannot convert to CIDv0 with any multibase other than the implicit base58btc");
  else plan->version = 0;
  return 0;
}

static int run_format(cli_context *ctx) {
  format_plan plan = {.format = cli_string(ctx, "f"), .version = -1};
  const char *codec = cli_string(ctx, "mc"), *base = cli_string(ctx, "b");
  int code = check_format(ctx, plan.format);
  if (code) return code;
  plan.recode = *codec != '\0';
  if (plan.recode && !ipfsa_codec_from_string(codec, &plan.codec))
    return cli_fail_text(ctx, "unknown multicodec: \"%s\"; `%s` lists those that are known", codec, "cid codecs");
  if (*base && !(plan.base = cli_base_name(base))) return cli_fail_text(ctx, "unsupported multibase encoding: %s", base);
  code = plan_version(ctx, &plan);
  return code ? code : format_all(ctx, &plan);
}

static int run_base32(cli_context *ctx) {
  format_plan plan = {.format = "%s", .base = "base32", .version = 1};
  return format_all(ctx, &plan);
}

static void json_field(cli_context *ctx, const char *before, const char *text) {
  cli_out(ctx, "%s", before);
  cli_json_string(ctx, text, strlen(text));
}

typedef struct cid_parts {
  ipfsa_cid cid;
  const char *base, *codec, *hash;
  char digest[2 * IPFSA_MAX_DIGEST + 1], v0[IPFSA_MAX_CID_TEXT], v1[IPFSA_MAX_CID_TEXT];
} cid_parts;

static void inspect_json(cli_context *ctx, const char *given, const cid_parts *p) {
  json_field(ctx, "{\"cid\":", given);
  cli_out(ctx, ",\"version\":%u,\"multibase\":{", p->cid.version);
  json_field(ctx, "\"prefix\":", cli_base_prefix(p->base));
  json_field(ctx, ",\"name\":", p->base);
  cli_out(ctx, "},\"multicodec\":{\"code\":%llu", (unsigned long long)p->cid.codec);
  json_field(ctx, ",\"name\":", p->codec);
  cli_out(ctx, "},\"multihash\":{\"code\":%llu", (unsigned long long)p->cid.mh.code);
  json_field(ctx, ",\"name\":", p->hash);
  cli_out(ctx, ",\"length\":%u", p->cid.mh.len);
  json_field(ctx, ",\"digest\":", p->digest);
  cli_out(ctx, "}");
  if (p->v0[0]) json_field(ctx, ",\"cidV0\":", p->v0);
  json_field(ctx, ",\"cidV1\":", p->v1);
  cli_out(ctx, "}\n");
}

static void inspect_v0(cli_context *ctx, const cid_parts *p) {
  const ipfsa_cid *cid = &p->cid;
  if (p->v0[0]) cli_out(ctx, "CIDv0:      %s\n", p->v0);
  else if (cid->codec != IPFSA_CODEC_DAG_PB)
    cli_out(ctx, "CIDv0:      not possible, requires dag-pb (0x70), got %s (0x%llx)\n", p->codec, (unsigned long long)cid->codec);
  else if (cid->mh.code != IPFSA_HASH_SHA2_256)
    cli_out(ctx, "CIDv0:      not possible, requires sha2-256 (0x12), got %s (0x%llx)\n", p->hash, (unsigned long long)cid->mh.code);
  else cli_out(ctx, "CIDv0:      not possible, requires 32-byte digest, got %u\n", cid->mh.len);
}

static void inspect_text(cli_context *ctx, const char *given, const cid_parts *p) {
  const ipfsa_cid *cid = &p->cid;
  const char *implicit = cid->version ? "" : ", implicit";
  cli_out(ctx, "CID:        %s\nVersion:    %u\n", given, cid->version);
  cli_out(ctx, "Multibase:  %s (%s)\n", p->base, cid->version ? cli_base_prefix(p->base) : "implicit");
  cli_out(ctx, "Multicodec: %s (0x%llx%s)\n", p->codec, (unsigned long long)cid->codec, implicit);
  cli_out(ctx, "Multihash:  %s (0x%llx%s)\n", p->hash, (unsigned long long)cid->mh.code, implicit);
  cli_out(ctx, "  Length:   %u bytes\n  Digest:   %s\n", cid->mh.len, p->digest);
  inspect_v0(ctx, p);
  cli_out(ctx, "CIDv1:      %s\n", p->v1);
}

/* In JSON what is wrong with the text is the answer, as Kubo gives it. */
static int inspect_failed(cli_context *ctx, const char *given, const ipfsa_error *err) {
  char text[600];
  snprintf(text, sizeof text, "invalid CID: %s", err->message);
  if (!cli_json(ctx)) return cli_fail_text(ctx, "%s", text);
  json_field(ctx, "{\"cid\":", given);
  cli_out(ctx, ",\"version\":0,\"multibase\":{\"prefix\":\"\",\"name\":\"\"},\"multicodec\":{\"code\":0,\"name\":\"\"},"
               "\"multihash\":{\"code\":0,\"name\":\"\",\"length\":0,\"digest\":\"\"},\"cidV1\":\"\"");
  json_field(ctx, ",\"errorMsg\":", text);
  cli_out(ctx, "}\n");
  return 0;
}

static int run_inspect(cli_context *ctx) {
  const char *given = cli_arg_at(ctx, 0);
  format_plan plan = {.version = -1};
  cid_parts p = {0};
  ipfsa_error err = {0};
  ipfsa_cid other;
  if (convert_cid(ctx, &plan, given, &p.cid, &p.base, &err)) return inspect_failed(ctx, given, &err);
  p.codec = ipfsa_codec_to_string(p.cid.codec);
  p.hash = ipfsa_hash_to_string(p.cid.mh.code);
  char own[IPFSA_MAX_CID_TEXT];
  if (ipfsa_cid_parse(given, strlen(given), &other, NULL) != IPFSA_OK) ipfsa_cid_format(&p.cid, own), given = own; /* an alias */
  if (!p.codec) p.codec = "unknown";
  if (!p.hash) p.hash = "unknown";
  for (size_t i = 0; i < p.cid.mh.len; i++) snprintf(p.digest + 2 * i, 3, "%02x", p.cid.mh.digest[i]);
  if (ipfsa_cid_to_version(&p.cid, 0, &other, NULL) == IPFSA_OK) ipfsa_cid_format(&other, p.v0);
  if (ipfsa_cid_to_version(&p.cid, 1, &other, &err)) return cli_fail(ctx, &err);
  ipfsa_cid_format(&other, p.v1);
  if (cli_json(ctx)) inspect_json(ctx, given, &p);
  else inspect_text(ctx, given, &p);
  return 0;
}

static const cli_option format_options[] = {
    {CLI_STRING, "f", NULL, "%s", "Printf style format string"},
    {CLI_STRING, "v", NULL, NULL, "CID version to convert to"},
    {CLI_STRING, "mc", NULL, NULL, "CID multicodec to convert to"},
    {CLI_STRING, "b", NULL, NULL, "Multibase to display CID in"},
    {0},
};
static const cli_arg cids[] = {
    {"cid", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC | CLI_ARG_STDIN, "CIDs to format, or aliases"},
    {0},
};
static const cli_arg one_cid[] = {
    {"cid", CLI_ARG_REQUIRED | CLI_ARG_STDIN, "CID to inspect, or an alias"},
    {0},
};

const cli_verb cli_verb_cid = {
    .name = "cid", .tagline = "Convert and discover properties of CIDs", .example = "ipfs-accelerate cid --help"};
const cli_verb cli_verb_cid_format = {
    .name = "cid format",
    .tagline = "Format and convert a CID in various useful ways",
    .description = "The format string takes\n"
                   "%% a percent sign, %b base, %B prefix of the base, %v version (cidv1), %V its number,\n"
                   "%c codec, %C its code, %h hash, %H its code, %L length of the digest,\n"
                   "%m multihash, %M without prefix, %d digest, %D without prefix,\n"
                   "%s the CID, %S without prefix, %P version-codec-hash-length.",
    .example = "ipfs-accelerate cid format -v 1 -b base32 QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
    .options = format_options,
    .args = cids,
    .run = run_format};
const cli_verb cli_verb_cid_base32 = {
    .name = "cid base32",
    .tagline = "Convert CIDs to Base32 CID version 1",
    .example = "ipfs-accelerate cid base32 QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
    .args = cids,
    .run = run_base32};
const cli_verb cli_verb_cid_inspect = {
    .name = "cid inspect",
    .tagline = "Inspect and display detailed information about a CID",
    .example = "ipfs-accelerate cid inspect bafkqaaa",
    .args = one_cid,
    .run = run_inspect};
