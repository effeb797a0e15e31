#include "config/config.h"

#include <jansson.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/json.h"
#include "config/edit.h"
#include "config/extra.h"
#include "config/schema.h"
#include "config/toml.h"

struct ipfsa_config {
  ipfsa_buf text;   /* the TOML, as it would be saved */
  char **values;    /* by schema index; NULL = default */
  bool *from_env;
  ipfsa_config_extras extras; /* what the schema does not know and others may */
};

static void free_values(ipfsa_config *config) {
  for (size_t i = 0; config->values && i < ipfsa_config_n_keys; i++) ipfsa_free(config->values[i]);
  ipfsa_free(config->values);
  ipfsa_free(config->from_env);
}

void ipfsa_config_free(ipfsa_config *config) {
  if (!config) return;
  free_values(config);
  ipfsa_config_extras_release(&config->extras);
  ipfsa_buf_release(&config->text);
  ipfsa_free(config);
}

typedef struct reading {
  ipfsa_config *config;
  const char *name;
  ipfsa_status status;
  ipfsa_error *err;
} reading;

static int take_key(void *ctx, const char *path, const char *text, int is_string, uint32_t line) {
  reading *r = ctx;
  size_t i = ipfsa_config_find(path);
  if (i == SIZE_MAX) {
    if (!ipfsa_config_owns_section(path, strcspn(path, "."))) {
      r->status = ipfsa_config_extras_add(&r->config->extras, path, text, is_string, r->err);
      return r->status != IPFSA_OK;
    }
    const char *nearest = ipfsa_config_nearest(path);
    r->status = ipfsa_fail(r->err, IPFSA_E_INVALID, "%s, line %u: unknown key %s%s%s%s", r->name, line, path, nearest ? "; did you mean " : "",
                           nearest ? nearest : "", nearest ? "?" : "");
    return 1;
  }
  char *value = NULL;
  r->status = ipfsa_config_check(&ipfsa_config_schema[i], text, is_string, &value, r->err);
  if (r->status) {
    ipfsa_error_prefix(r->err, r->status, "%s, line %u", r->name, line);
    return 1;
  }
  ipfsa_free(r->config->values[i]);
  r->config->values[i] = value;
  return 0;
}

/* IPFSA_IMPORT_CID_VERSION for import.cid_version. */
static void env_name(const char *key, char ret[80]) {
  int n = snprintf(ret, 80, "IPFSA_%s", key);
  for (int i = 0; i < n && i < 79; i++) ret[i] = ret[i] == '.' ? '_' : ret[i] >= 'a' && ret[i] <= 'z' ? (char)(ret[i] - 32) : ret[i];
}

static bool wants_quotes(ipfsa_config_type type) {
  return type == IPFSA_CONFIG_STRING || type == IPFSA_CONFIG_CHOICE || type == IPFSA_CONFIG_CHUNKER;
}

static ipfsa_status take_environment(ipfsa_config *config, ipfsa_error *err) {
  for (size_t i = 0; i < ipfsa_config_n_keys; i++) {
    char name[80];
    env_name(ipfsa_config_schema[i].name, name);
    const char *text = getenv(name);
    if (!text || !*text) continue;
    char *value = NULL;
    bool quoted = wants_quotes(ipfsa_config_schema[i].type) || (ipfsa_config_schema[i].type == IPFSA_CONFIG_BYTES && text[strspn(text, "0123456789")]);
    ipfsa_status status = ipfsa_config_check(&ipfsa_config_schema[i], text, quoted, &value, err);
    if (status) return ipfsa_error_prefix(err, status, "environment variable %s", name);
    ipfsa_free(config->values[i]);
    config->values[i] = value;
    config->from_env[i] = true;
  }
  return IPFSA_OK;
}

static ipfsa_status read_text(ipfsa_config *config, const char *name, ipfsa_error *err) {
  char message[256] = "";
  uint32_t line = 0;
  reading r = {config, name, IPFSA_OK, err};
  int code = ipfsa_toml_read((const char *)config->text.data, config->text.len, IPFSA_MAX_CONFIG_DEPTH, IPFSA_MAX_CONFIG_KEYS, take_key, &r, message, sizeof message, &line);
  if (code == 1) return ipfsa_fail(err, IPFSA_E_MALFORMED, "%s, line %u: %s", name, line, message);
  if (code == 2) return ipfsa_fail_nomem(err);
  if (code == 3 && r.status == IPFSA_OK) return ipfsa_fail(err, IPFSA_E_MALFORMED, "%s: a text with a NUL in it", name);
  if (code == 4) return ipfsa_fail(err, IPFSA_E_LIMIT, "%s: over %d levels of tables or %d keys", name, IPFSA_MAX_CONFIG_DEPTH, IPFSA_MAX_CONFIG_KEYS);
  return r.status;
}

ipfsa_status ipfsa_config_parse(const char *text, size_t len, const char *name, ipfsa_config **ret, ipfsa_error *err) {
  if (len > IPFSA_MAX_CONFIG) return ipfsa_fail(err, IPFSA_E_LIMIT, "%s: %zu bytes; a configuration has at most %u", name, len, IPFSA_MAX_CONFIG);
  ipfsa_config *config = ipfsa_calloc(1, sizeof *config);
  if (!config) return ipfsa_fail_nomem(err);
  config->values = ipfsa_calloc(ipfsa_config_n_keys, sizeof *config->values);
  config->from_env = ipfsa_calloc(ipfsa_config_n_keys, sizeof *config->from_env);
  ipfsa_buf_append(&config->text, text, len);
  ipfsa_status status = config->values && config->from_env ? ipfsa_buf_status(&config->text, err) : ipfsa_fail_nomem(err);
  if (status == IPFSA_OK) status = read_text(config, name, err);
  if (status == IPFSA_OK) status = take_environment(config, err);
  if (status) ipfsa_config_free(config);
  else *ret = config;
  return status;
}

ipfsa_status ipfsa_config_load(int dirfd, const char *path, ipfsa_config **ret, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *text = NULL;
  size_t len = 0;
  ipfsa_status status = ipfsa_fs_read_file(dirfd, path, IPFSA_MAX_CONFIG, &text, &len, err);
  if (status && status != IPFSA_E_NOT_FOUND) return status;
  return ipfsa_config_parse(text ? text : "", len, path, ret, err);
}

void ipfsa_config_swap(ipfsa_config *a, ipfsa_config *b) {
  ipfsa_config old = *a;
  *a = *b;
  *b = old;
}

/* ---- typed reads ---- */

static const char *value_at(const ipfsa_config *config, size_t i) {
  return config->values[i] ? config->values[i] : ipfsa_config_schema[i].default_;
}

static const char *value_of(const ipfsa_config *config, const char *key) {
  size_t i = ipfsa_config_find(key);
  return i == SIZE_MAX ? "" : value_at(config, i);
}

bool ipfsa_config_bool(const ipfsa_config *config, const char *key) { return strcmp(value_of(config, key), "true") == 0; }
int64_t ipfsa_config_int(const ipfsa_config *config, const char *key) { return strtoll(value_of(config, key), NULL, 10); }
const char *ipfsa_config_string(const ipfsa_config *config, const char *key) { return value_of(config, key); }

uint64_t ipfsa_config_bytes(const ipfsa_config *config, const char *key) {
  uint64_t v = 0;
  return ipfsa_config_parse_bytes(value_of(config, key), &v) ? v : 0;
}

const ipfsa_config_extras *ipfsa_config_extras_of(const ipfsa_config *config) { return &config->extras; }

void ipfsa_config_list_free(char **list, size_t n) {
  for (size_t i = 0; i < n; i++) ipfsa_free(list[i]);
  ipfsa_free(list);
}

/* The text was checked when it was set, so it parses unless memory is short. */
ipfsa_status ipfsa_config_list(const ipfsa_config *config, const char *key, char ***ret, size_t *ret_n, ipfsa_error *err) {
  json_t *json = json_loads(value_of(config, key), 0, NULL);
  size_t n = json_array_size(json), made = 0;
  char **list = json && n ? ipfsa_calloc(n, sizeof *list) : NULL;
  while (list && made < n && (list[made] = ipfsa_strdup(json_string_value(json_array_get(json, made))))) made++;
  bool whole = json && made == n;
  json_decref(json);
  if (!whole) {
    ipfsa_config_list_free(list, made);
    return ipfsa_fail_nomem(err);
  }
  *ret = list;
  *ret_n = n;
  return IPFSA_OK;
}

bool ipfsa_config_is_set(const ipfsa_config *config, const char *key) {
  size_t i = ipfsa_config_find(key);
  return i != SIZE_MAX && config->values[i];
}

/* ---- JSON in and out ---- */

static size_t find_any(const char *name) {
  size_t i = ipfsa_config_find(name);
  return i == SIZE_MAX ? ipfsa_config_find_kubo(name) : i;
}

static json_t *json_value(const ipfsa_config *config, size_t i, bool kubo) {
  const ipfsa_config_key *key = &ipfsa_config_schema[i];
  const char *text = value_at(config, i);
  if (kubo && key->kubo && !config->values[i] && strncmp(key->kubo, "Import.", 7) == 0) return json_null(); /* Kubo shows what is set */
  switch (key->type) {
  case IPFSA_CONFIG_BOOL:
  case IPFSA_CONFIG_FLAG: return *text ? json_boolean(strcmp(text, "true") == 0) : json_null();
  case IPFSA_CONFIG_INT: return json_integer(strtoll(text, NULL, 10));
  case IPFSA_CONFIG_BYTES: return text[strspn(text, "0123456789")] ? json_string(text) : json_integer(strtoll(text, NULL, 10));
  case IPFSA_CONFIG_LIST: return json_loads(text, 0, NULL);
  default: return json_string(text);
  }
}

/* Puts value at a dotted name, making objects on the way. */
static bool put_dotted(json_t *root, const char *name, json_t *value) {
  char part[256];
  for (const char *dot; (dot = strchr(name, '.')); name = dot + 1) {
    snprintf(part, sizeof part, "%.*s", (int)(dot - name), name);
    json_t *next = json_object_get(root, part);
    if (!next && json_object_set_new(root, part, next = json_object()) != 0) return json_decref(value), false;
    root = next;
  }
  return json_object_set_new(root, name, value) == 0;
}

static bool in_section(const char *key, const char *section) {
  size_t len = strlen(section);
  return key && strncasecmp(key, section, len) == 0 && (len == 0 || key[len] == '.');
}

static json_t *extra_value(const ipfsa_config_extra *extra, bool hide) {
  if (hide && ipfsa_config_is_secret(extra->name)) return json_string(IPFSA_CONFIG_HIDDEN);
  json_t *value = extra->quoted ? NULL : json_loads(extra->text, JSON_DECODE_ANY, NULL);
  return value ? value : json_string(extra->text); /* a date, say */
}

/* How many there are in the section; they are put into root. */
static size_t put_extras(const ipfsa_config *config, const char *section, json_t *root) {
  size_t n = 0;
  for (size_t i = 0; i < config->extras.n; i++) {
    const ipfsa_config_extra *extra = &config->extras.items[i];
    if (!in_section(extra->name, section)) continue;
    n++;
    put_dotted(root, *section ? extra->name + strlen(section) + 1 : extra->name, extra_value(extra, true));
  }
  return n;
}

static json_t *section_json(const ipfsa_config *config, const char *section, bool kubo) {
  json_t *root = json_object();
  size_t n = 0;
  for (size_t i = 0; root && i < ipfsa_config_n_keys; i++) {
    const char *name = kubo ? ipfsa_config_schema[i].kubo : ipfsa_config_schema[i].name;
    if (!in_section(name, section)) continue;
    n++;
    json_t *value = json_value(config, i, kubo);
    if (kubo && json_is_null(value)) continue;
    put_dotted(root, *section ? name + strlen(section) + 1 : name, value);
  }
  if (root && !kubo) n += put_extras(config, section, root);
  if (n) return root;
  json_decref(root);
  return NULL;
}

static ipfsa_status dump(json_t *json, size_t flags, char **ret, ipfsa_error *err) {
  char *text = ipfsa_json_print(json, JSON_ENCODE_ANY | flags);
  json_decref(json);
  if (!text) return ipfsa_fail_nomem(err);
  *ret = text;
  return IPFSA_OK;
}

static ipfsa_status no_such(const char *name, const char *doing, ipfsa_error *err) {
  const char *nearest = ipfsa_config_nearest(name);
  const char *quote = strcmp(doing, "get") == 0 ? "\"" : "";
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "failed to %s config value: %s%.*s not found%s%s%s%s", doing, quote, (int)strcspn(name, "."), name, quote,
                    nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static ipfsa_status check_private(const char *name, ipfsa_error *err) {
  if (strcasecmp(name, "Identity.PrivKey") != 0) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_DENIED, "cannot show or change private key through API");
}

ipfsa_status ipfsa_config_get_json(const ipfsa_config *config, const char *name, char **ret_json, ipfsa_error *err) {
  ipfsa_status status = check_private(name, err);
  if (status) return status;
  size_t i = find_any(name);
  if (i != SIZE_MAX) return dump(json_value(config, i, ipfsa_config_find(name) == SIZE_MAX), 0, ret_json, err);
  const ipfsa_config_extra *extra = ipfsa_config_extras_find(&config->extras, name);
  if (extra) return dump(extra_value(extra, false), 0, ret_json, err);
  json_t *section = section_json(config, name, false);
  if (!section) section = section_json(config, name, true);
  if (!section) return no_such(name, "get", err);
  return dump(section, JSON_INDENT(2), ret_json, err);
}

/* Reads the edited text again: it must hold the new value, and every other one as before. Forms that the line editor does not see (dotted
 * keys at the root, inline tables, text that looks like keys) end here, with nothing changed. */
static ipfsa_status not_editable(const char *name, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "%s is written in the file in a form that cannot be changed from here; change it by 'config edit'", name);
}

/* changed SIZE_MAX: none of the schema's. */
static bool values_are(const ipfsa_config *config, const ipfsa_config *again, size_t changed, const char *value) {
  for (size_t i = 0; i < ipfsa_config_n_keys; i++) {
    const char *expected = i == changed ? value : config->values[i], *got = again->values[i];
    if (config->from_env[i]) continue;
    if (expected && got ? strcmp(expected, got) != 0 : expected != got) return false;
  }
  return true;
}

static ipfsa_status check_edit(const ipfsa_config *config, const ipfsa_buf *text, size_t changed, const char *value, ipfsa_error *err) {
  ipfsa_config *again = NULL;
  ipfsa_status status = ipfsa_config_parse((const char *)text->data, text->len, "the changed configuration", &again, NULL);
  if (status == IPFSA_E_NOMEM) return ipfsa_fail_nomem(err);
  bool same = status == IPFSA_OK && values_are(config, again, changed, value) && ipfsa_config_extras_equal(&config->extras, &again->extras, NULL);
  ipfsa_config_free(again);
  return same ? IPFSA_OK : not_editable(ipfsa_config_schema[changed].name, err);
}

/* A key that the schema does not know; text NULL takes it away. */
static ipfsa_status set_extra(ipfsa_config *config, const char *name, const char *text, bool quoted, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf edited = {0};
  IPFSA_AUTO_FREE char *checked = NULL;
  ipfsa_config *again = NULL;
  const ipfsa_config_key *key = text ? ipfsa_config_endpoint_key(name) : NULL;
  ipfsa_status status = key ? ipfsa_config_check(key, text, quoted, &checked, err) : IPFSA_OK;
  if (status) return ipfsa_error_prefix(err, status, "%.*s", (int)ipfsa_config_section_len(name), name);
  ipfsa_buf_append_bytes(&edited, ipfsa_buf_bytes(&config->text));
  status = ipfsa_buf_status(&edited, err);
  if (status == IPFSA_OK) status = ipfsa_toml_edit(&edited, name, text, quoted, err);
  if (status == IPFSA_OK) status = ipfsa_config_parse((const char *)edited.data, edited.len, "the changed configuration", &again, err);
  if (status) return status;
  const ipfsa_config_extra *made = ipfsa_config_extras_find(&again->extras, name);
  bool right = text ? made && made->quoted == quoted && strcmp(made->text, text) == 0 : !made;
  right = right && values_are(config, again, SIZE_MAX, NULL) && ipfsa_config_extras_equal(&config->extras, &again->extras, name);
  if (right) ipfsa_config_swap(config, again);
  ipfsa_config_free(again);
  return right ? IPFSA_OK : not_editable(name, err);
}

static bool is_extra(const ipfsa_config *config, const char *name) {
  return ipfsa_config_section_len(name) && (ipfsa_config_is_open(name) || ipfsa_config_extras_find(&config->extras, name));
}

static ipfsa_status set_checked(ipfsa_config *config, size_t i, const char *text, bool quoted, ipfsa_error *err) {
  char *value = NULL;
  IPFSA_AUTO_BUF ipfsa_buf edited = {0};
  ipfsa_status status = text ? ipfsa_config_check(&ipfsa_config_schema[i], text, quoted, &value, err) : IPFSA_OK;
  ipfsa_buf_append_bytes(&edited, ipfsa_buf_bytes(&config->text));
  if (status == IPFSA_OK) status = ipfsa_buf_status(&edited, err);
  if (status == IPFSA_OK) status = ipfsa_toml_edit(&edited, ipfsa_config_schema[i].name, text, quoted, err);
  if (status == IPFSA_OK) status = check_edit(config, &edited, i, value, err);
  if (status) {
    ipfsa_free(value);
    return status;
  }
  ipfsa_buf old = config->text;
  config->text = edited;
  edited = old;
  ipfsa_free(config->values[i]);
  config->values[i] = value;
  return IPFSA_OK;
}

static ipfsa_status load_value(const char *value_json, json_t **ret, ipfsa_error *err) {
  char what[110];
  snprintf(what, sizeof what, "\"%.100s\"", value_json);
  ipfsa_status status = ipfsa_json_load(ipfsa_bytes_str(value_json), what, ret, err);
  return status && status != IPFSA_E_NOMEM ? ipfsa_error_prefix(err, IPFSA_E_INVALID, "failed to set config value") : status;
}

ipfsa_status ipfsa_config_set_json(ipfsa_config *config, const char *name, const char *value_json, ipfsa_error *err) {
  ipfsa_status status = check_private(name, err);
  if (status) return status;
  size_t i = find_any(name);
  bool extra = i == SIZE_MAX && is_extra(config, name);
  if (i == SIZE_MAX && !extra) return no_such(name, "set", err);
  json_t *json = NULL;
  status = load_value(value_json, &json, err);
  if (status) return status;
  bool has_text = !json_is_string(json) && !json_is_null(json);
  IPFSA_AUTO_FREE char *text = has_text ? ipfsa_json_print(json, JSON_ENCODE_ANY) : NULL;
  const char *given = json_is_null(json) ? NULL : json_is_string(json) ? json_string_value(json) : text;
  if (has_text && !text) status = ipfsa_fail_nomem(err);
  else if (!extra) status = set_checked(config, i, given, json_is_string(json), err);
  else if (json_is_object(json)) status = ipfsa_fail(err, IPFSA_E_INVALID, "%s: an object is no value; set its keys one by one", name);
  else status = set_extra(config, name, given, json_is_string(json), err);
  json_decref(json);
  return status;
}

ipfsa_status ipfsa_config_set_string(ipfsa_config *config, const char *name, const char *text, ipfsa_error *err) {
  ipfsa_status status = check_private(name, err);
  if (status) return status;
  size_t i = find_any(name);
  if (i == SIZE_MAX && is_extra(config, name)) {
    const ipfsa_config_key *key = ipfsa_config_endpoint_key(name);
    if (key) return set_extra(config, name, text, wants_quotes(key->type), err);
    /* its type is not known: what looks like a number or a truth value is one */
    bool plain = (*text && strlen(text) < 19 && text[strspn(text, "0123456789")] == '\0' && (text[0] != '0' || !text[1])) || strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
    return set_extra(config, name, text, !plain, err);
  }
  if (i == SIZE_MAX) return no_such(name, "set", err);
  bool number = text[strspn(text, "0123456789")] == '\0' && (text[0] != '0' || !text[1]); /* TOML has no 09 */
  ipfsa_config_type type = ipfsa_config_schema[i].type;
  /* By Kubo's names as Kubo does: scripts that know it say --json or --bool. Our own names have types. */
  bool typed = type == IPFSA_CONFIG_INT || type == IPFSA_CONFIG_BOOL || type == IPFSA_CONFIG_FLAG;
  if (typed && ipfsa_config_find(name) == SIZE_MAX)
    return ipfsa_fail(err, IPFSA_E_INVALID, "failed to set config value: %s is %s, not text (maybe use --json?)", name,
                      type == IPFSA_CONFIG_INT ? "a number" : "true or false");
  return set_checked(config, i, text, wants_quotes(type) || (type == IPFSA_CONFIG_BYTES && !number), err);
}

ipfsa_status ipfsa_config_save(ipfsa_config *config, int dirfd, const char *path, ipfsa_error *err) {
  return ipfsa_fs_replace_file(dirfd, path, config->text.data ? config->text.data : (const void *)"", config->text.len, 0600, err);
}

const char *ipfsa_config_text(const ipfsa_config *config, size_t *ret_len) {
  *ret_len = config->text.len;
  return config->text.data ? (const char *)config->text.data : "";
}

static bool is_schema_section(const char *name, size_t len) {
  for (size_t i = 0; i < ipfsa_config_n_keys; i++)
    if (strncmp(ipfsa_config_schema[i].name, name, len) == 0 && ipfsa_config_schema[i].name[len] == '.') return true;
  return len == 0;
}

/* [endpoints.local] and the like, each once. */
static void show_other_sections(const ipfsa_config *config, ipfsa_buf *out) {
  const ipfsa_config_extras *extras = &config->extras;
  for (size_t i = 0; i < extras->n; i++) {
    const char *name = extras->items[i].name;
    size_t len = ipfsa_config_section_len(name);
    bool shown = is_schema_section(name, len);
    for (size_t k = 0; k < i && !shown; k++) shown = ipfsa_config_section_len(extras->items[k].name) == len && memcmp(extras->items[k].name, name, len) == 0;
    if (shown) continue;
    ipfsa_buf_printf(out, "\n[%.*s]\n", (int)len, name);
    ipfsa_config_extras_print(extras, name, len, out);
  }
}

ipfsa_status ipfsa_config_show(const ipfsa_config *config, bool json, char **ret_text, ipfsa_error *err) {
  if (json) return dump(section_json(config, "", true), JSON_INDENT(2), ret_text, err);
  IPFSA_AUTO_BUF ipfsa_buf out = {0};
  const char *section = "";
  for (size_t i = 0; i < ipfsa_config_n_keys; i++) {
    const ipfsa_config_key *key = &ipfsa_config_schema[i];
    const char *dot = strchr(key->name, '.');
    if (strncmp(section, key->name, (size_t)(dot - key->name) + 1) != 0) {
      ipfsa_config_extras_print(&config->extras, section, strcspn(section, "."), &out); /* at the root first, then behind each section */
      ipfsa_buf_printf(&out, "%s[%.*s]\n", out.len ? "\n" : "", (int)(dot - key->name), key->name);
      section = key->name;
    }
    const char *text = value_at(config, i);
    bool quote = wants_quotes(key->type) || (key->type == IPFSA_CONFIG_BYTES && text[strspn(text, "0123456789")]);
    if (key->type == IPFSA_CONFIG_FLAG && !*text) ipfsa_buf_printf(&out, "# %s is unset\n", dot + 1);
    else {
      ipfsa_buf_printf(&out, "%s = ", dot + 1);
      ipfsa_toml_put_value(&out, text, quote);
      ipfsa_buf_u8(&out, '\n');
    }
  }
  ipfsa_config_extras_print(&config->extras, section, strcspn(section, "."), &out);
  show_other_sections(config, &out);
  ipfsa_buf_u8(&out, '\0');
  ipfsa_status status = ipfsa_buf_status(&out, err);
  if (status == IPFSA_OK) *ret_text = (char *)ipfsa_buf_take(&out, NULL);
  return status;
}
