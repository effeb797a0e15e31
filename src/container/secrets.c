#include "container/secrets.h"

#include <string.h>

static void hide(char *text, const char *secret) {
  size_t len = strlen(secret);
  if (len < IPFSA_LEAST_SECRET) return;
  for (char *at = text; (at = strstr(at, secret)); at += 3) {
    memset(at, '*', 3);
    memmove(at + 3, at + len, strlen(at + len) + 1);
  }
}

void ipfsa_secrets_hide(char *text, ipfsa_texts env) {
  for (size_t i = 0; i < env.n; i++) {
    const char *equals = strchr(env.items[i], '=');
    if (equals) hide(text, equals + 1);
  }
}
