#include "container/secrets.h"

#include <string.h>

static void hide(char *text, const char *secret, size_t len) {
  if (len < IPFSA_LEAST_SECRET) return;
  for (char *at = text; (at = memmem(at, strlen(at), secret, len)); at += 3) {
    memset(at, '*', 3);
    memmove(at + 3, at + len, strlen(at + len) + 1);
  }
}

static bool is_control(char c) { return (unsigned char)c < 0x20 || c == 0x7f; }

/* A key of many lines, say: messages have blanks where it has control characters, and often only its last lines. */
static void hide_lines(char *text, const char *secret) {
  for (const char *p = secret; *p;) {
    size_t n = 0;
    while (p[n] && !is_control(p[n])) n++;
    hide(text, p, n);
    p += n;
    while (*p && is_control(*p)) p++;
  }
}

void ipfsa_secrets_hide(char *text, ipfsa_texts env) {
  for (size_t i = 0; i < env.n; i++) {
    const char *equals = strchr(env.items[i], '=');
    if (equals) hide(text, equals + 1, strlen(equals + 1));
    if (equals) hide_lines(text, equals + 1);
  }
}
