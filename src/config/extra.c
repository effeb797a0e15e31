#include "config/extra.h"

#include "base/alloc.h"
#include "base/error.h"
#include "config/edit.h"

void ipfsa_config_extras_release(ipfsa_config_extras *extras) {
  for (size_t i = 0; i < extras->n; i++) {
    ipfsa_free(extras->items[i].name);
    ipfsa_free(extras->items[i].text);
  }
  ipfsa_free(extras->items);
  *extras = (ipfsa_config_extras){0};
}

ipfsa_status ipfsa_config_extras_add(ipfsa_config_extras *extras, const char *name, const char *text, bool quoted, ipfsa_error *err) {
  ipfsa_config_extra extra = {ipfsa_strdup(name), ipfsa_strdup(text), quoted};
  if (!extra.name || !extra.text || !ipfsa_grow((void **)&extras->items, &extras->cap, extras->n + 1, sizeof *extras->items)) {
    ipfsa_free(extra.name);
    ipfsa_free(extra.text);
    return ipfsa_fail_nomem(err);
  }
  extras->items[extras->n++] = extra;
  return IPFSA_OK;
}

const ipfsa_config_extra *ipfsa_config_extras_find(const ipfsa_config_extras *extras, const char *name) {
  for (size_t i = 0; i < extras->n; i++)
    if (strcmp(extras->items[i].name, name) == 0) return &extras->items[i];
  return NULL;
}

static size_t count_but(const ipfsa_config_extras *extras, const char *but) { return extras->n - (but && ipfsa_config_extras_find(extras, but) ? 1 : 0); }

bool ipfsa_config_extras_equal(const ipfsa_config_extras *a, const ipfsa_config_extras *b, const char *but) {
  if (count_but(a, but) != count_but(b, but)) return false;
  for (size_t i = 0; i < a->n; i++) {
    const ipfsa_config_extra *x = &a->items[i], *y = ipfsa_config_extras_find(b, x->name);
    if (but && strcmp(x->name, but) == 0) continue;
    if (!y || x->quoted != y->quoted || strcmp(x->text, y->text) != 0) return false;
  }
  return true;
}

size_t ipfsa_config_section_len(const char *name) {
  const char *dot = strrchr(name, '.');
  return dot ? (size_t)(dot - name) : 0;
}

bool ipfsa_config_is_secret(const char *name) {
  static const char *const words[] = {"api_key", "apikey", "auth", "password", "private_key", "secret", "token"};
  size_t len = ipfsa_config_section_len(name);
  const char *key = len ? name + len + 1 : name;
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strcmp(key, words[i]) == 0) return true;
  return false;
}

static size_t bare_len(const char *key) { return strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"); }

static bool is_bare(const char *key) { return *key && key[bare_len(key)] == '\0'; }

bool ipfsa_config_is_open(const char *name) {
  size_t len = ipfsa_config_section_len(name), prefix = strlen("endpoints.");
  if (strncmp(name, "endpoints.", prefix) != 0 || len <= prefix || memchr(name + prefix, '.', len - prefix)) return false;
  return bare_len(name + prefix) == len - prefix && is_bare(name + len + 1);
}

void ipfsa_config_extras_print(const ipfsa_config_extras *extras, const char *section, size_t section_len, ipfsa_buf *out) {
  for (size_t i = 0; i < extras->n; i++) {
    const ipfsa_config_extra *e = &extras->items[i];
    size_t len = ipfsa_config_section_len(e->name);
    if (len != section_len || memcmp(e->name, section, len) != 0) continue;
    const char *key = len ? e->name + len + 1 : e->name;
    bool secret = ipfsa_config_is_secret(e->name);
    ipfsa_toml_put_value(out, key, !is_bare(key));
    ipfsa_buf_str(out, " = ");
    ipfsa_toml_put_value(out, secret ? IPFSA_CONFIG_HIDDEN : e->text, secret || e->quoted);
    ipfsa_buf_u8(out, '\n');
  }
}
