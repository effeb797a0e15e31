/* `multibase`: bytes of a file or of standard input to text and back. */
#include <ipfsa/cid.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cid_tables.h"
#include "cli/cli.h"
#include "cli/input.h"

#define MAX_INPUT (64u << 20) /* bytes: text is held whole in memory, with its encoding beside it */
#define TOO_LONG "that is too much at once: split it"

/* Text ends with its line; no base has line ends in its alphabet. The identity base (NUL) takes every byte as it is. */
static size_t text_length(const char *text, size_t len) {
  if (len && text[0] == '\0') return len;
  if (len && text[len - 1] == '\n') len--;
  if (len && text[len - 1] == '\r') len--;
  return len;
}

static int print_encoded(cli_context *ctx, const void *data, size_t len) {
  const char *given = cli_string(ctx, "b"), *base = cli_base_name(given);
  if (!base) return cli_fail_text(ctx, "unsupported multibase encoding: %s", given);
  ipfsa_error err = {0};
  char *text = NULL;
  if (ipfsa_multibase_encode(base, (ipfsa_bytes){data, len}, &text, &err)) return cli_fail(ctx, &err);
  cli_out_bytes(ctx, text, strlen(text));
  ipfsa_text_free(text);
  return 0;
}

static int run_encode(cli_context *ctx) {
  size_t len = 0;
  uint8_t *input = cli_read_input(ctx, 0, MAX_INPUT, TOO_LONG, &len);
  int code = input ? print_encoded(ctx, input, len) : 1;
  free(input);
  return code;
}

/* Reads and decodes the input; *ret_data is the library's. */
static int decode_input(cli_context *ctx, uint8_t **ret_data, size_t *ret_len) {
  size_t len = 0;
  char *input = (char *)cli_read_input(ctx, 0, MAX_INPUT, TOO_LONG, &len);
  if (!input) return 1;
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_multibase_decode(input, text_length(input, len), ret_data, ret_len, NULL, &err);
  free(input);
  return status ? cli_fail_text(ctx, "failed to decode multibase: %s", err.message) : 0;
}

static int run_decode(cli_context *ctx) {
  uint8_t *data = NULL;
  size_t len = 0;
  int code = decode_input(ctx, &data, &len);
  if (!code) cli_out_bytes(ctx, data, len);
  ipfsa_data_free(data);
  return code;
}

static int run_transcode(cli_context *ctx) {
  uint8_t *data = NULL;
  size_t len = 0;
  int code = decode_input(ctx, &data, &len);
  if (!code) code = print_encoded(ctx, data, len);
  ipfsa_data_free(data);
  return code;
}

static const cli_option to_base[] = {
    {CLI_STRING, "b", NULL, "base64url", "Multibase encoding"},
    {0},
};
static const cli_arg data_file[] = {
    {"file", CLI_ARG_REQUIRED | CLI_ARG_FILE | CLI_ARG_STDIN, "Data to encode"},
    {0},
};
static const cli_arg text_file[] = {
    {"encoded_file", CLI_ARG_REQUIRED | CLI_ARG_FILE | CLI_ARG_STDIN, "Encoded data to decode"},
    {0},
};

const cli_verb cli_verb_multibase = {.name = "multibase",
                                     .tagline = "Encode and decode files or stdin with multibase format",
                                     .example = "ipfs-accelerate multibase --help"};
const cli_verb cli_verb_multibase_encode = {.name = "multibase encode",
                                            .tagline = "Encode data into multibase string",
                                            .example = "echo hello | ipfs-accelerate multibase encode -b base16",
                                            .options = to_base,
                                            .args = data_file,
                                            .run = run_encode};
const cli_verb cli_verb_multibase_decode = {.name = "multibase decode",
                                            .tagline = "Decode multibase string",
                                            .example = "echo uaGVsbG8K | ipfs-accelerate multibase decode",
                                            .args = text_file,
                                            .run = run_decode};
const cli_verb cli_verb_multibase_transcode = {.name = "multibase transcode",
                                               .tagline = "Transcode multibase string between bases",
                                               .example = "echo uaGVsbG8K | ipfs-accelerate multibase transcode -b base16",
                                               .options = to_base,
                                               .args = text_file,
                                               .run = run_transcode};
