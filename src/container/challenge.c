#include "container/challenge.h"

#include <ctype.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/error.h"

#define MAX_CHALLENGES 16 /* in one header; own limit */

static bool is_token(uint8_t c) { return isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c)); }

static void skip_gaps(const char **at, const char *gaps) { *at += strspn(*at, gaps); }

static ipfsa_bytes take_token(const char **at) {
  const char *start = *at;
  while (is_token((uint8_t)**at)) ++*at;
  return ipfsa_bytes_of(start, (size_t)(*at - start));
}

/* token or "quoted \" text"; false when it does not fit or does not end. */
static bool take_value(const char **at, char ret[IPFSA_MAX_CHALLENGE_VALUE + 1]) {
  size_t n = 0;
  bool quoted = **at == '"';
  *at += quoted;
  for (; quoted ? **at && **at != '"' : is_token((uint8_t)**at) || **at == '=' || **at == '/' || **at == ':'; ++*at) {
    if (quoted && **at == '\\' && (*at)[1]) ++*at;
    if (n == IPFSA_MAX_CHALLENGE_VALUE) return false;
    ret[n++] = **at;
  }
  ret[n] = '\0';
  if (!quoted) return true;
  if (**at != '"') return false;
  ++*at;
  return true;
}

static bool named(ipfsa_bytes token, const char *name) { return token.len == strlen(name) && strncasecmp((const char *)token.data, name, token.len) == 0; }

/* What some schemes have in place of parameters, as "Negotiate YII/x==": a token68, to the comma or the end. */
static void skip_token68(const char **at) {
  const char *p = *at + strspn(*at, " \t");
  size_t len = strspn(p, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/");
  const char *end = p + len + strspn(p + len, "=");
  end += strspn(end, " \t");
  if (len && (*end == ',' || *end == '\0')) *at = end;
}

static bool take_parameters(const char **at, ipfsa_challenge *c) {
  char ignored[IPFSA_MAX_CHALLENGE_VALUE + 1] = "";
  for (;;) {
    skip_gaps(at, " \t,");
    const char *before = *at;
    ipfsa_bytes name = take_token(at);
    skip_gaps(at, " \t");
    if (name.len == 0 || **at != '=') { /* the next challenge, or the end */
      *at = before;
      return name.len > 0 || **at == '\0';
    }
    ++*at;
    skip_gaps(at, " \t");
    char *to = named(name, "realm") ? c->realm : named(name, "service") ? c->service : named(name, "scope") ? c->scope : ignored;
    if (!take_value(at, to)) return false;
  }
}

ipfsa_status ipfsa_challenge_parse(const char *text, ipfsa_challenge *ret, ipfsa_error *err) {
  ipfsa_challenge best = {0};
  const char *at = text;
  for (int i = 0;; i++) {
    ipfsa_challenge c = {0};
    skip_gaps(&at, " \t,");
    if (!*at) break;
    ipfsa_bytes scheme = take_token(&at);
    skip_token68(&at);
    if (scheme.len == 0 || i == MAX_CHALLENGES || !take_parameters(&at, &c))
      return ipfsa_fail(err, IPFSA_E_MALFORMED, "the registry's WWW-Authenticate header cannot be read");
    c.scheme = named(scheme, "bearer") ? IPFSA_CHALLENGE_BEARER : named(scheme, "basic") ? IPFSA_CHALLENGE_BASIC : IPFSA_CHALLENGE_OTHER;
    if (c.scheme > best.scheme) best = c;
  }
  if (best.scheme == IPFSA_CHALLENGE_OTHER) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "the registry asks for neither Basic nor Bearer authorisation");
  *ret = best;
  return IPFSA_OK;
}
