#include "config/edit.h"

#include <ipfsa/config.h>

#include "base/alloc.h"
#include "base/error.h"
#include "config/config.h"
#include "config/toml.h"

typedef struct line_span {
  size_t start, end; /* end: behind the newline */
} line_span;

static line_span line_at(const ipfsa_buf *toml, size_t start) {
  const uint8_t *nl = memchr(toml->data + start, '\n', toml->len - start);
  return (line_span){start, nl ? (size_t)(nl - toml->data) + 1 : toml->len};
}

static size_t skip_blank(const ipfsa_buf *toml, size_t at, size_t end) {
  while (at < end && (toml->data[at] == ' ' || toml->data[at] == '\t')) at++;
  return at;
}

/* "[import]" with blanks and a comment around it. */
static bool is_header(const ipfsa_buf *toml, line_span line, const char *section, size_t section_len, bool *ret_any) {
  size_t at = skip_blank(toml, line.start, line.end);
  *ret_any = at < line.end && toml->data[at] == '[';
  if (!*ret_any) return false;
  at = skip_blank(toml, at + 1, line.end);
  if (line.end - at < section_len || memcmp(toml->data + at, section, section_len) != 0) return false;
  at = skip_blank(toml, at + section_len, line.end);
  return at < line.end && toml->data[at] == ']';
}

/* Where the value of `key = value # comment` stands; false when the line holds another key. */
static bool find_value(const ipfsa_buf *toml, line_span line, const char *key, size_t *ret_start, size_t *ret_end) {
  size_t at = skip_blank(toml, line.start, line.end), len = strlen(key);
  if (line.end - at < len || memcmp(toml->data + at, key, len) != 0) return false;
  at = skip_blank(toml, at + len, line.end);
  if (at >= line.end || toml->data[at] != '=') return false;
  at = skip_blank(toml, at + 1, line.end);
  *ret_start = at;
  uint8_t quote = at < line.end && (toml->data[at] == '"' || toml->data[at] == '\'') ? toml->data[at] : 0;
  if (quote) {
    for (at++; at < line.end && toml->data[at] != quote; at++) at += quote == '"' && toml->data[at] == '\\';
    *ret_end = at < line.end ? at + 1 : line.end;
    return true;
  }
  while (at < line.end && toml->data[at] != '#' && toml->data[at] != '\n' && toml->data[at] != '\r') at++;
  while (at > *ret_start && (toml->data[at - 1] == ' ' || toml->data[at - 1] == '\t')) at--;
  *ret_end = at;
  return true;
}

/* Replaces [from, to) by the text of `with`. */
static ipfsa_status replace_range(ipfsa_buf *toml, size_t from, size_t to, const ipfsa_buf *with, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf out = {0};
  ipfsa_buf_append(&out, toml->data, from);
  ipfsa_buf_append(&out, with->data, with->len);
  if (to < toml->len) ipfsa_buf_append(&out, toml->data + to, toml->len - to);
  ipfsa_status status = ipfsa_buf_status(&out, err);
  if (status) return status;
  ipfsa_buf old = *toml;
  *toml = out;
  out = old;
  return IPFSA_OK;
}

void ipfsa_toml_put_value(ipfsa_buf *out, const char *text, bool quoted) {
  if (!quoted) {
    ipfsa_buf_str(out, text);
    return;
  }
  ipfsa_buf_u8(out, '"');
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') ipfsa_buf_u8(out, '\\'), ipfsa_buf_u8(out, c);
    else if (c < 0x20 || c == 0x7f) ipfsa_buf_printf(out, "\\u%04x", c);
    else ipfsa_buf_u8(out, c);
  }
  ipfsa_buf_u8(out, '"');
}

static ipfsa_status add_key(ipfsa_buf *toml, size_t at, bool has_section, const char *section, size_t section_len, const char *key,
                            const char *text, bool quoted, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf line = {0};
  if (at && toml->data[at - 1] != '\n') ipfsa_buf_u8(&line, '\n');
  if (!has_section) ipfsa_buf_printf(&line, "%s[%.*s]\n", toml->len ? "\n" : "", (int)section_len, section);
  ipfsa_buf_printf(&line, "%s = ", key);
  ipfsa_toml_put_value(&line, text, quoted);
  ipfsa_buf_u8(&line, '\n');
  ipfsa_status status = ipfsa_buf_status(&line, err);
  return status ? status : replace_range(toml, at, at, &line, err);
}

ipfsa_status ipfsa_toml_edit(ipfsa_buf *toml, const char *name, const char *text, bool quoted, ipfsa_error *err) {
  const char *key = strrchr(name, '.') + 1;
  size_t section_len = (size_t)(key - name) - 1, last = toml->len;
  bool inside = false, has_section = false;
  for (size_t at = 0; at < toml->len;) {
    line_span line = line_at(toml, at);
    bool header = false;
    bool ours = is_header(toml, line, name, section_len, &header);
    if (header) inside = ours;
    size_t start, end;
    if (inside && !header && find_value(toml, line, key, &start, &end)) {
      IPFSA_AUTO_BUF ipfsa_buf value = {0};
      if (!text) return replace_range(toml, line.start, line.end, &value, err);
      ipfsa_toml_put_value(&value, text, quoted);
      ipfsa_status status = ipfsa_buf_status(&value, err);
      return status ? status : replace_range(toml, start, end, &value, err);
    }
    bool blank = skip_blank(toml, line.start, line.end) + 1 >= line.end;
    if (inside && !blank) last = line.end, has_section = true;
    at = line.end;
  }
  return text ? add_key(toml, last, has_section, name, section_len, key, text, quoted, err) : IPFSA_OK;
}

static int pass_over(void *ctx, const char *path, const char *text, int is_string, uint32_t line) {
  (void)ctx, (void)path, (void)text, (void)is_string, (void)line;
  return 0;
}

static ipfsa_status check_toml(const char *text, size_t len, const char *what, ipfsa_error *err) {
  char message[200] = "";
  uint32_t line = 0;
  int code = ipfsa_toml_read(text, len, IPFSA_MAX_CONFIG_DEPTH, IPFSA_MAX_CONFIG_KEYS, pass_over, NULL, message, sizeof message, &line);
  if (code == 2) return ipfsa_fail_nomem(err);
  if (code == 4) return ipfsa_fail(err, IPFSA_E_LIMIT, "TOML: too deep, or too many keys");
  return code ? ipfsa_fail(err, IPFSA_E_MALFORMED, "TOML: %s, line %u: %s", what, line, message) : IPFSA_OK;
}

/* "a.b.key": something on both sides of every dot, and nothing that would end the line. */
static bool is_name(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot && dot != name && dot[1] && !strstr(name, "..") && name[0] != '.' && !strpbrk(name, "\n\r[]=# \t\"'");
}

ipfsa_status ipfsa_toml_set(const char *toml, size_t len, const char *name, const char *value, char **ret_text, ipfsa_error *err) {
  if (len > IPFSA_MAX_CONFIG) return ipfsa_fail(err, IPFSA_E_LIMIT, "TOML: %zu bytes; at most %u are taken", len, IPFSA_MAX_CONFIG);
  if (!is_name(name)) return ipfsa_fail(err, IPFSA_E_INVALID, "TOML: \"%.100s\" is no section.key", name);
  if (value && strpbrk(value, "\n\r")) return ipfsa_fail(err, IPFSA_E_INVALID, "TOML: the value of %.100s is over several lines", name);
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  ipfsa_buf_append(&text, toml, len);
  ipfsa_status status = ipfsa_buf_status(&text, err);
  if (status == IPFSA_OK) status = check_toml(len ? toml : "", len, "the text", err);
  if (status == IPFSA_OK) status = ipfsa_toml_edit(&text, name, value, false, err);
  if (status == IPFSA_OK) status = check_toml((const char *)text.data, text.len, "the changed text", err);
  if (status) return status;
  *ret_text = ipfsa_strndup((const char *)text.data, text.len);
  return *ret_text ? IPFSA_OK : ipfsa_fail_nomem(err);
}
