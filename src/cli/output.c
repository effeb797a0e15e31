/* Everything the program prints. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cid_tables.h"
#include "cli/context.h"

void cli_out(cli_context *ctx, const char *format, ...) {
  (void)ctx;
  va_list args;
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
}

/* Large pieces pass the buffer by: one copy less on the way to a pipe or file. */
#define DIRECT 65536

static int write_all(const char *data, size_t len) {
  while (len) {
    ssize_t n = write(STDOUT_FILENO, data, len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    data += n;
    len -= (size_t)n;
  }
  return 0;
}

/* Told once; a reader that went away (head, say) is told nothing. */
int cli_out_failed(cli_context *ctx) {
  if (errno == EPIPE) ctx->out_closed = true;
  else if (!ctx->out_failed) fprintf(stderr, "Error: write to standard output: %s\n", strerror(errno));
  ctx->out_failed = true;
  return -1;
}

int cli_out_write(void *ctx, const void *data, size_t len) {
  cli_out_room_for(ctx, len);
  if (len >= DIRECT) return fflush(stdout) == 0 && write_all(data, len) == 0 ? 0 : cli_out_failed(ctx);
  return fwrite(data, 1, len, stdout) == len ? 0 : cli_out_failed(ctx);
}

void cli_out_bytes(cli_context *ctx, const void *data, size_t len) { (void)cli_out_write(ctx, data, len); }

/* Length of the UTF-8 sequence at p, 0 when it is none; *ret_code is its code point. */
static size_t utf8_at(const unsigned char *p, size_t left, unsigned *ret_code) {
  size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
  if (n == 0 || n > left) return 0;
  unsigned code = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
  for (size_t i = 1; i < n; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0;
    code = code << 6 | (p[i] & 0x3f);
  }
  *ret_code = code;
  return n;
}

static bool is_harmless(unsigned code) {
  bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
  bool bidi = (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0x200e || code == 0x200f ||
              code == 0x61c;
  return !control && !bidi && code != 0x2028 && code != 0x2029;
}

/* Writes text for a terminal: what could steer it is shown as \xNN. */
static void put_escaped(const unsigned char *p, size_t len, FILE *to) {
  while (len) {
    unsigned code = 0;
    size_t n = utf8_at(p, len, &code);
    if (n && is_harmless(code)) fwrite(p, 1, n, to);
    else {
      n = n ? n : 1;
      for (size_t i = 0; i < n; i++) fprintf(to, "\\x%02x", p[i]);
    }
    p += n;
    len -= n;
  }
}

bool cli_is_terminal(const cli_context *ctx) { return ctx->out_is_tty; }

void cli_out_name(cli_context *ctx, const void *name, size_t len) {
  if (ctx->out_is_tty) put_escaped(name, len, stdout);
  else fwrite(name, 1, len, stdout);
}

void cli_err(cli_context *ctx, const char *format, ...) {
  (void)ctx;
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
}

static void print_error(cli_context *ctx, const char *format, va_list args) {
  char text[2048];
  vsnprintf(text, sizeof text, format, args);
  fflush(stdout);
  fputs("Error: ", stderr);
  for (const char *line = text; *line;) { /* line ends of a message stay, all else that steers a terminal does not */
    size_t len = strcspn(line, "\n");
    if (ctx->err_is_tty) put_escaped((const unsigned char *)line, len, stderr);
    else fwrite(line, 1, len, stderr);
    line += len;
    if (*line == '\n') fputc(*line++, stderr);
  }
  fputc('\n', stderr);
}

int cli_fail_text(cli_context *ctx, const char *format, ...) {
  va_list args;
  va_start(args, format);
  print_error(ctx, format, args);
  va_end(args);
  return 1;
}

int cli_fail(cli_context *ctx, const ipfsa_error *err) {
  if (err->status == IPFSA_E_CANCELLED && ctx->out_failed) return 1; /* it was cancelled for that, and that was told */
  if (err->status == IPFSA_E_CANCELLED && cli_signals_timed_out())
    return cli_fail_text(ctx, "timed out");
  return cli_fail_text(ctx, "%s", err->message[0] ? err->message : ipfsa_status_to_string(err->status));
}

int cli_usage_fail(cli_context *ctx, const char *format, ...) {
  va_list args;
  va_start(args, format);
  print_error(ctx, format, args);
  va_end(args);
  fputc('\n', stderr);
  cli_help_usage(ctx, ctx->verb, stderr);
  return 1;
}

bool cli_json(const cli_context *ctx) {
  return strcmp(cli_string(ctx, "encoding"), "json") == 0 || cli_bool(ctx, "json-output");
}

const char *cli_cid(cli_context *ctx, const ipfsa_cid *cid) {
  static char ring[8][IPFSA_MAX_CID_TEXT];
  static unsigned next;
  char *text = ring[next++ % 8];
  const char *given = cli_string(ctx, "cid-base"), *base = *given ? cli_base_name(given) : "";
  bool upgrade = cli_is_set(ctx, "upgrade-cidv0-in-output") ? cli_bool(ctx, "upgrade-cidv0-in-output")
                                                            : *base && strcmp(base, "base58btc") != 0;
  ipfsa_cid v1 = *cid;
  ipfsa_error err = {0};
  if (cid->version == 0 && upgrade && ipfsa_cid_to_version(cid, 1, &v1, &err) != IPFSA_OK) v1 = *cid;
  if (v1.version == 0 || !*base || ipfsa_cid_format_base(&v1, base, text, &err) != IPFSA_OK) ipfsa_cid_format(&v1, text);
  return text;
}

void cli_json_escaped(cli_context *ctx, const void *text, size_t len) {
  const unsigned char *p = text;
  while (len) {
    unsigned code = 0;
    size_t n = utf8_at(p, len, &code);
    if (n == 0) {
      fputs("\\ufffd", stdout);
      n = 1;
    } else if (*p == '"' || *p == '\\') printf("\\%c", *p);
    else if (*p == '\n') fputs("\\n", stdout);
    else if (*p == '\r') fputs("\\r", stdout);
    else if (*p == '\t') fputs("\\t", stdout);
    else if (code < 0x20 || code == 0x7f || code == 0x2028 || code == 0x2029 || (ctx->out_is_tty && !is_harmless(code))) printf("\\u%04x", code);
    else fwrite(p, 1, n, stdout);
    p += n;
    len -= n;
  }
}

void cli_out_json(cli_context *ctx, const char *json) {
  const unsigned char *p = (const unsigned char *)json;
  size_t len = strlen(json);
  if (!ctx->out_is_tty) fwrite(p, 1, len, stdout);
  while (len && ctx->out_is_tty) {
    unsigned code = 0xfffd; /* stays for what is no UTF-8 */
    size_t n = utf8_at(p, len, &code);
    if (n && (code < 0x7f || is_harmless(code))) fwrite(p, 1, n, stdout); /* what is below 0x20 is white space here: in texts it is escaped already */
    else printf("\\u%04x", code);
    n = n ? n : 1;
    p += n;
    len -= n;
  }
}

void cli_json_string(cli_context *ctx, const void *text, size_t len) {
  putchar('"');
  cli_json_escaped(ctx, text, len);
  putchar('"');
}

const char *cli_human_bytes(uint64_t n) {
  static char ring[4][32];
  static unsigned next;
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  char *text = ring[next++ % 4];
  double v = (double)n;
  unsigned unit = 0;
  while (v >= 1000 && unit < 6) v /= 1000, unit++;
  v = (double)(uint64_t)(v * 10 + 0.5) / 10; /* as Kubo does: first to one digit, so 41.47 is 42 */
  if (unit == 0) snprintf(text, 32, "%llu B", (unsigned long long)n);
  else if (v < 10) snprintf(text, 32, "%.1f %s", v, units[unit]);
  else snprintf(text, 32, "%.0f %s", v, units[unit]);
  return text;
}
