#include <ipfsa/container.h>

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/options.h"
#include "container/container_inside.h"

#define MAX_PORTS 1000 /* of one container; a range of more is a mistake of the image */

void ipfsa_container_target(ipfsa_buf *target, const char *name, const char *rest) {
  ipfsa_buf_str(target, "/containers/");
  ipfsa_http_put_encoded(target, name);
  ipfsa_buf_str(target, rest);
}

bool ipfsa_labels_are_ours(const json_t *labels) { return strcmp(ipfsa_json_text(labels, IPFSA_CONTAINER_LABEL), "1") == 0; }

const char *ipfsa_container_state(const char *state) {
  if (strcmp(state, "stopped") == 0) return "exited";
  if (strcmp(state, "configured") == 0 || strcmp(state, "initialized") == 0) return "created";
  return state;
}

ipfsa_status ipfsa_container_look(ipfsa_engine *engine, const char *name, bool cleaning, json_t **ret, ipfsa_error *err) {
  ipfsa_status status = ipfsa_name_check("container", name, err);
  if (status) return status;
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_container_target(&target, name, "/json");
  IPFSA_AUTO_JSON json_t *json = NULL;
  int code = 0;
  status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "GET", .target = &target, .also_fine = 404, .cleaning = cleaning}, &json, &code, err);
  if (status) return status;
  if (code == 404) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "container %s: there is none of this name; see 'container ls --all'", name);
  if (!json_is_object(json)) return ipfsa_fail(err, IPFSA_E_MALFORMED, "container %s: the engine's answer is no object", name);
  *ret = ipfsa_steal(json);
  return IPFSA_OK;
}

ipfsa_status ipfsa_container_look_ours(ipfsa_engine *engine, const char *name, json_t **ret, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *json = NULL;
  ipfsa_status status = ipfsa_container_look(engine, name, false, &json, err);
  if (status) return status;
  if (!ipfsa_labels_are_ours(ipfsa_json_at(json, "Config", "Labels", NULL)))
    status = ipfsa_danger(engine, "foreign", name, "this container was not started by ipfs-accelerate", err);
  if (status == IPFSA_OK) *ret = ipfsa_steal(json);
  return status;
}

/* --- the value --- */

typedef struct container_box { /* what a caller gets is its first member */
  ipfsa_container view;
  json_t *source; /* owns the texts */
  ipfsa_container_port ports[];
} container_box;

void ipfsa_container_free(ipfsa_container *container) {
  container_box *box = (container_box *)container;
  if (!box) return;
  json_decref(box->source);
  ipfsa_free(box);
}

static void add_port(container_box *box, const char *key, const json_t *binding) {
  if (box->view.n_ports >= MAX_PORTS) return;
  ipfsa_container_port *port = &box->ports[box->view.n_ports++];
  const char *slash = strchr(key, '/');
  port->container_port = (uint16_t)strtoul(key, NULL, 10);
  port->protocol = slash ? slash + 1 : "tcp";
  port->host_ip = ipfsa_json_text(binding, "HostIp");
  port->host_port = (uint16_t)strtoul(ipfsa_json_text(binding, "HostPort"), NULL, 10);
}

static size_t count_ports(json_t *ports) {
  size_t n = 0;
  const char *key;
  json_t *list;
  json_object_foreach(ports, key, list) n += json_array_size(list) ? json_array_size(list) : 1;
  return n < MAX_PORTS ? n : MAX_PORTS;
}

static void fill_ports(container_box *box, json_t *ports) {
  const char *key;
  json_t *list, *binding;
  size_t i;
  json_object_foreach(ports, key, list) {
    if (json_array_size(list) == 0) add_port(box, key, NULL);
    json_array_foreach(list, i, binding) add_port(box, key, binding);
  }
}

/* Addresses stand in Networks only since API 1.52, and there in every version. */
static const char *first_address(json_t *inspect) {
  const char *name;
  json_t *network;
  json_object_foreach(ipfsa_json_at(inspect, "NetworkSettings", "Networks", NULL), name, network) {
    const char *address = ipfsa_json_text(network, "IPAddress");
    if (*address) return address;
  }
  return "";
}

ipfsa_status ipfsa_container_from_inspect(json_t *inspect, ipfsa_container **ret, ipfsa_error *err) {
  json_t *ports = ipfsa_json_at(inspect, "NetworkSettings", "Ports", NULL);
  container_box *box = ipfsa_calloc(1, sizeof *box + count_ports(ports) * sizeof *box->ports);
  if (!box) {
    json_decref(inspect);
    return ipfsa_fail_nomem(err);
  }
  box->source = inspect;
  fill_ports(box, ports);
  const json_t *state = ipfsa_json_at(inspect, "State", NULL), *config = ipfsa_json_at(inspect, "Config", NULL);
  ipfsa_container *c = &box->view;
  c->id = ipfsa_json_text(inspect, "Id");
  c->name = ipfsa_json_text(inspect, "Name");
  if (c->name[0] == '/') c->name++;
  c->image = ipfsa_json_text(config, "Image");
  c->state = ipfsa_container_state(ipfsa_json_text(state, "Status"));
  c->health = ipfsa_json_text(ipfsa_json_at(state, "Health", NULL), "Status");
  if (strcmp(c->health, "none") == 0) c->health = "";
  c->address = first_address(inspect);
  c->exit_code = ipfsa_json_int(state, "ExitCode");
  c->is_ours = ipfsa_labels_are_ours(ipfsa_json_at(config, "Labels", NULL));
  c->ports = box->ports;
  *ret = c;
  return IPFSA_OK;
}

ipfsa_status ipfsa_container_get(ipfsa_engine *engine, const char *name, ipfsa_container **ret, ipfsa_error *err) {
  json_t *json = NULL;
  ipfsa_status status = ipfsa_container_look_ours(engine, name, &json, err);
  return status ? status : ipfsa_container_from_inspect(json, ret, err);
}

/* --- stop, restart, remove --- */

ipfsa_status ipfsa_container_post(ipfsa_engine *engine, const char *name, const char *rest, ipfsa_texts secrets, bool cleaning, int64_t more_ms, int *ret_status,
                                  ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_container_target(&target, name, rest);
  ipfsa_engine_call call = {.method = "POST", .target = &target, .also_fine = 304, .secrets = secrets, .cleaning = cleaning, .more_ms = more_ms};
  ipfsa_status status = ipfsa_engine_ask(engine, &call, NULL, ret_status, err);
  return status ? ipfsa_error_prefix(err, status, "container %s", name) : IPFSA_OK;
}

ipfsa_status ipfsa_container_delete(ipfsa_engine *engine, const char *name, bool force, bool cleaning, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_container_target(&target, name, force ? "?v=1&force=1" : "?v=1");
  ipfsa_status status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "DELETE", .target = &target, .cleaning = cleaning}, NULL, NULL, err);
  return status ? ipfsa_error_prefix(err, status, "container %s", name) : IPFSA_OK;
}

static bool is_running(const json_t *inspect) {
  const json_t *state = ipfsa_json_at(inspect, "State", NULL);
  return ipfsa_json_bool(state, "Running") || ipfsa_json_bool(state, "Paused") || ipfsa_json_bool(state, "Restarting");
}

#define DEFAULT_GRACE_S 10

/* "/stop?t=10" and how long that may take on top. */
static int64_t put_grace(char *rest, size_t room, const char *verb, int64_t grace_s) {
  int64_t s = grace_s < 0 ? DEFAULT_GRACE_S : grace_s < 86400 ? grace_s : 86400;
  snprintf(rest, room, "/%s?t=%lld", verb, (long long)s);
  return s * 1000;
}

ipfsa_status ipfsa_container_stop(ipfsa_engine *engine, const char *name, int64_t grace_s, bool *ret_changed, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *json = NULL;
  ipfsa_status status = ipfsa_container_look_ours(engine, name, &json, err);
  if (status) return status;
  char rest[40];
  int code = 304;
  int64_t more_ms = put_grace(rest, sizeof rest, "stop", grace_s);
  if (is_running(json)) status = ipfsa_container_post(engine, name, rest, (ipfsa_texts){0}, false, more_ms, &code, err);
  if (status == IPFSA_OK && ret_changed) *ret_changed = code != 304;
  return status;
}

ipfsa_status ipfsa_container_restart(ipfsa_engine *engine, const char *name, int64_t grace_s, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *json = NULL;
  ipfsa_status status = ipfsa_container_look_ours(engine, name, &json, err);
  if (status) return status;
  char rest[40];
  int64_t more_ms = put_grace(rest, sizeof rest, "restart", grace_s);
  return ipfsa_container_post(engine, name, rest, (ipfsa_texts){0}, false, more_ms, NULL, err);
}

ipfsa_status ipfsa_container_rm(ipfsa_engine *engine, const char *name, bool force, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *json = NULL;
  ipfsa_status status = ipfsa_container_look_ours(engine, name, &json, err);
  if (status) return status;
  if (is_running(json) && !force) return ipfsa_fail(err, IPFSA_E_BUSY, "container %s runs: stop it first, or remove it with --force", name);
  return ipfsa_container_delete(engine, name, force, false, err);
}

/* --- inspect --- */

#define MAX_NAME_SHOWN 256u /* bytes of a variable's name */

static ipfsa_status hide_values(json_t *env, ipfsa_error *err) {
  for (size_t i = 0; i < json_array_size(env); i++) {
    const char *text = json_string_value(json_array_get(env, i));
    size_t len = text ? strcspn(text, "=") : 0;
    if (len > MAX_NAME_SHOWN) len = MAX_NAME_SHOWN;
    while (len && ((unsigned char)text[len] & 0xc0) == 0x80) len--; /* not in the middle of a character: that would be no text */
    char hidden[MAX_NAME_SHOWN + 16];
    snprintf(hidden, sizeof hidden, "%.*s=(hidden)", (int)len, text ? text : "");
    if (json_array_set_new(env, i, json_string(hidden)) != 0) return ipfsa_fail_nomem(err); /* the value would be left */
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_container_inspect(ipfsa_engine *engine, const char *name, bool show_env, char **ret_json, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *json = NULL;
  ipfsa_status status = ipfsa_container_look_ours(engine, name, &json, err);
  if (status) return status;
  if (!show_env) status = hide_values(ipfsa_json_at(json, "Config", "Env", NULL), err);
  if (status) return status;
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  ipfsa_json_put(&text, json, JSON_INDENT(2));
  (void)ipfsa_buf_cstr(&text);
  status = ipfsa_buf_status(&text, err);
  if (status == IPFSA_OK) *ret_json = (char *)ipfsa_buf_take(&text, NULL);
  return status;
}

/* --- list --- */

/* Ports of a list entry, in the form inspect has them. NULL: no memory. */
static json_t *ports_as_inspect(const json_t *entry) {
  IPFSA_AUTO_JSON json_t *all = json_object();
  json_t *port;
  size_t i;
  json_array_foreach(json_object_get(entry, "Ports"), i, port) {
    char key[32], host[8] = "";
    snprintf(key, sizeof key, "%u/%s", (unsigned)ipfsa_json_int(port, "PrivatePort") & 0xffff, ipfsa_json_text(port, "Type"));
    int64_t public_port = ipfsa_json_int(port, "PublicPort");
    if (public_port > 0) snprintf(host, sizeof host, "%u", (unsigned)public_port & 0xffff);
    if (!json_object_get(all, key) && json_object_set_new(all, key, json_array()) != 0) return NULL;
    if (!*host) continue;
    if (json_array_append_new(json_object_get(all, key), json_pack("{s:s,s:s}", "HostIp", ipfsa_json_text(port, "IP"), "HostPort", host)) != 0) return NULL;
  }
  return ipfsa_steal(all);
}

/* A list entry as an inspection, so that there is one way from JSON to a container. NULL: no memory; what came as JSON is text. */
static json_t *entry_as_inspect(const json_t *entry) {
  const char *name = json_string_value(json_array_get(json_object_get(entry, "Names"), 0));
  const char *text = ipfsa_json_text(entry, "Status"), *paren = strrchr(text, '(');
  const char *health = "";
  if (paren && strncmp(paren, "(healthy)", 9) == 0) health = "healthy";
  else if (paren && strncmp(paren, "(unhealthy)", 11) == 0) health = "unhealthy";
  else if (paren && strncmp(paren, "(health: starting)", 18) == 0) health = "starting";
  long exit_code = strncmp(text, "Exited (", 8) == 0 ? strtol(text + 8, NULL, 10) : 0;
  json_t *networks = json_object_get(json_object_get(entry, "NetworkSettings"), "Networks");
  return json_pack("{s:s,s:s,s:{s:s,s:i,s:{s:s}},s:{s:s,s:O?},s:{s:o,s:O?}}", "Id", ipfsa_json_text(entry, "Id"), "Name", name ? name : "", "State", "Status",
                   ipfsa_json_text(entry, "State"), "ExitCode", (int)exit_code, "Health", "Status", health, "Config", "Image", ipfsa_json_text(entry, "Image"),
                   "Labels", json_object_get(entry, "Labels"), "NetworkSettings", "Ports", ports_as_inspect(entry), "Networks", networks);
}

static ipfsa_status hand_on(const json_t *entry, ipfsa_container_cb cb, void *ctx, ipfsa_error *err) {
  json_t *inspect = entry_as_inspect(entry);
  if (!inspect) return ipfsa_fail_nomem(err);
  ipfsa_container *container = NULL;
  ipfsa_status status = ipfsa_container_from_inspect(inspect, &container, err);
  if (status) return status;
  int stop = cb(ctx, container);
  ipfsa_container_free(container);
  return stop ? ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled") : IPFSA_OK;
}

ipfsa_status ipfsa_container_list(ipfsa_engine *engine, const ipfsa_container_list_options *options, ipfsa_container_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_container_list_options o = IPFSA_OPTIONS(ipfsa_container_list_options, options);
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_buf_str(&target, "/containers/json");
  if (o.all) ipfsa_http_put_query(&target, "all", "1");
  if (!o.foreign) ipfsa_engine_put_filters(&target, json_pack("{s:[s]}", "label", IPFSA_CONTAINER_LABEL "=1"));
  IPFSA_AUTO_JSON json_t *list = NULL;
  ipfsa_status status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "GET", .target = &target}, &list, NULL, err);
  json_t *entry;
  size_t i;
  json_array_foreach(list, i, entry) {
    if (status) break;
    status = hand_on(entry, cb, ctx, err);
  }
  return status;
}
