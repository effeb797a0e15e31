#include "node/ignore.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"

ipfsa_status ipfsa_ignore_add(ipfsa_ignore *rules, const char *line, size_t len, ipfsa_error *err) {
  while (len && (line[len - 1] == '\r' || line[len - 1] == ' ')) len--;
  if (len == 0 || line[0] == '#') return IPFSA_OK;
  char *pattern = ipfsa_strndup(line, len);
  if (!pattern || !ipfsa_grow((void **)&rules->patterns, &rules->cap, rules->n + 1, sizeof *rules->patterns)) {
    ipfsa_free(pattern);
    return ipfsa_fail_nomem(err);
  }
  rules->patterns[rules->n++] = pattern;
  return IPFSA_OK;
}

ipfsa_status ipfsa_ignore_add_file(ipfsa_ignore *rules, const char *path, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *text = NULL;
  size_t len = 0;
  ipfsa_status status = ipfsa_fs_read_file(AT_FDCWD, path, IPFSA_MAX_IGNORE_FILE, &text, &len, err);
  for (char *at = text; status == IPFSA_OK && at < text + len;) {
    size_t n = strcspn(at, "\n");
    status = ipfsa_ignore_add(rules, at, n, err);
    at += n + 1;
  }
  return status;
}

/* A bracket "[ab]", "[a-z]", "[!a]"; *ret_next is behind it. False as well when it is not closed. */
static bool match_bracket(const char *p, char c, const char **ret_next) {
  bool negated = p[1] == '!' || p[1] == '^', hit = false;
  const char *at = p + 1 + negated;
  for (bool first = true; *at && (first || *at != ']'); first = false) {
    if (at[1] == '-' && at[2] && at[2] != ']') {
      hit |= c >= at[0] && c <= at[2];
      at += 3;
    } else {
      hit |= *at++ == c;
    }
  }
  if (*at != ']') return false;
  *ret_next = at + 1;
  return hit != negated;
}

/* "*" and brackets; "?" is an ordinary character here (it is in Kubo). No recursion: the last star is the only place to go back to. */
static bool match_name(const char *pattern, const char *name) {
  const char *star = NULL, *resume = NULL;
  while (*name) {
    const char *next = pattern + 1;
    bool hit = *pattern == '[' ? match_bracket(pattern, *name, &next) : *pattern == '\\' && pattern[1] ? (next = pattern + 2, pattern[1] == *name) : *pattern == *name;
    if (*pattern == '*') star = pattern++, resume = name;
    else if (*pattern && hit) pattern = next, name++;
    else if (star) pattern = star + 1, name = ++resume;
    else return false;
  }
  while (*pattern == '*') pattern++;
  return *pattern == '\0';
}

static bool pattern_fits(const char *pattern, const char *name) {
  char text[1024];
  if (strncmp(pattern, "**/", 3) == 0) pattern += 3;
  else if (pattern[0] == '/') pattern++;
  size_t len = strlen(pattern);
  if (len > 3 && strcmp(pattern + len - 3, "/**") == 0) len -= 3;
  if (len >= sizeof text || memchr(pattern, '/', len)) return false; /* a path never equals a name */
  memcpy(text, pattern, len);
  text[len] = '\0';
  return match_name(text, name);
}

bool ipfsa_ignore_matches(const ipfsa_ignore *rules, const char *name) {
  bool ignored = false;
  for (size_t i = 0; i < rules->n; i++) {
    bool negated = rules->patterns[i][0] == '!';
    if (pattern_fits(rules->patterns[i] + negated, name)) ignored = !negated;
  }
  return ignored;
}

void ipfsa_ignore_release(ipfsa_ignore *rules) {
  for (size_t i = 0; i < rules->n; i++) ipfsa_free(rules->patterns[i]);
  ipfsa_free(rules->patterns);
  *rules = (ipfsa_ignore){0};
}
