#include "container/spec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "container/probe.h"
#include "hash/hash.h"

#define DEFAULT_PIDS 512
#define MOST_PIDS (1u << 22)             /* the kernel's own limit of ids */
#define DEFAULT_SHM (64u << 20)          /* bytes, Docker's own default, said aloud so that every engine agrees */
#define LEAST_MEMORY (6u << 20)          /* bytes; engines refuse less */
#define HEALTH_INTERVAL_NS 5000000000    /* of health_cmd */

/* Number and texts of all options; what is checked here JSON can hold, so that further on only memory can be lacking. */
static ipfsa_status check_texts(const ipfsa_container_start_options *o, ipfsa_error *err) {
  const struct { const char *what; ipfsa_texts texts; } lists[] = {{"command", o->command}, {"entrypoint", o->entrypoint}, {"environment", o->env}, {"port", o->ports},
      {"volume", o->volumes}, {"tmpfs", o->tmpfs}, {"network", o->networks}, {"label", o->labels}, {"option", o->extras}};
  const struct { const char *what, *text; } texts[] = {{"gpus", o->gpus}, {"user", o->user}, {"folder", o->workdir}, {"health command", o->health_cmd}};
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < sizeof lists / sizeof *lists && status == IPFSA_OK; i++) {
    if (lists[i].texts.n > IPFSA_MAX_SPEC_ITEMS) return ipfsa_fail(err, IPFSA_E_LIMIT, "%s: more than %u items", lists[i].what, IPFSA_MAX_SPEC_ITEMS);
    status = ipfsa_json_check_texts(lists[i].what, lists[i].texts, err);
  }
  for (size_t i = 0; i < sizeof texts / sizeof *texts && status == IPFSA_OK; i++) status = ipfsa_json_check_text(texts[i].what, texts[i].text, err);
  return status;
}

/* Takes the value; NULL: memory ran out. */
static ipfsa_status put(json_t *object, const char *key, json_t *value, ipfsa_error *err) {
  return json_object_set_new(object, key, value) == 0 ? IPFSA_OK : ipfsa_fail_nomem(err);
}

/* A list of words under a key; none: the key is left out. */
static ipfsa_status put_words(json_t *object, const char *key, ipfsa_texts words, ipfsa_error *err) {
  if (words.n == 0) return IPFSA_OK;
  return put(object, key, ipfsa_json_list(words), err);
}

/* --- ports --- */

static ipfsa_status bad_port(const char *text, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_INVALID, "port \"%.100s\": expected [[IP:]HOST:]CONTAINER[/tcp|/udp] with ports from 1 to 65535", text);
}

static bool port_number(const char *from, size_t len, bool may_be_zero, unsigned *ret) {
  unsigned v = 0;
  if (len == 0) return may_be_zero ? (*ret = 0, true) : false;
  if (len > 5) return false;
  for (size_t i = 0; i < len; i++) {
    if (from[i] < '0' || from[i] > '9') return false;
    v = v * 10 + (unsigned)(from[i] - '0');
  }
  *ret = v;
  return v <= 65535 && (v || may_be_zero);
}

static bool is_loopback_ip(const char *ip) {
  return strcmp(ip, "::1") == 0 || (strncmp(ip, "127.", 4) == 0 && ip[strspn(ip, "0123456789.")] == '\0');
}

typedef struct port_parts {
  char ip[64];
  unsigned host, container;
  const char *protocol;
} port_parts;

static bool split_port(const char *text, port_parts *ret) {
  const char *end = strchr(text, '/');
  ret->protocol = end ? end + 1 : "tcp";
  if (strcmp(ret->protocol, "tcp") != 0 && strcmp(ret->protocol, "udp") != 0) return false;
  if (!end) end = text + strlen(text);
  const char *last = memrchr(text, ':', (size_t)(end - text));
  if (!port_number(last ? last + 1 : text, (size_t)(end - (last ? last + 1 : text)), false, &ret->container)) return false;
  memcpy(ret->ip, "127.0.0.1", 10);
  ret->host = 0;
  if (!last) return true;
  const char *before = memrchr(text, ':', (size_t)(last - text)), *host = before ? before + 1 : text;
  if (!port_number(host, (size_t)(last - host), true, &ret->host)) return false;
  if (!before) return true;
  const char *ip = text;
  size_t len = (size_t)(before - text);
  if (len >= 2 && ip[0] == '[' && ip[len - 1] == ']') ip++, len -= 2;
  if (len == 0 || len >= sizeof ret->ip) return false;
  memcpy(ret->ip, ip, len);
  ret->ip[len] = '\0';
  unsigned char address[16];
  return inet_pton(AF_INET, ret->ip, address) == 1 || inet_pton(AF_INET6, ret->ip, address) == 1;
}

ipfsa_status ipfsa_spec_put_port(const ipfsa_engine *engine, const char *text, json_t *bindings, json_t *exposed, ipfsa_error *err) {
  port_parts parts;
  if (!split_port(text, &parts)) return bad_port(text, err);
  if (!is_loopback_ip(parts.ip)) {
    ipfsa_status status = ipfsa_danger(engine, "host-ip", parts.ip, "the port would be open to the network; loopback and a tunnel or proxy do without", err);
    if (status) return status;
  }
  char key[24], host[12] = "";
  snprintf(key, sizeof key, "%u/%s", parts.container, parts.protocol);
  if (parts.host) snprintf(host, sizeof host, "%u", parts.host);
  json_t *list = json_object_get(bindings, key);
  if (!list && (json_object_set_new(exposed, key, json_object()) != 0 || json_object_set_new(bindings, key, json_array()) != 0)) return ipfsa_fail_nomem(err);
  json_t *binding = json_pack("{s:s,s:s}", "HostIp", parts.ip, "HostPort", host);
  return json_array_append_new(json_object_get(bindings, key), binding) == 0 ? IPFSA_OK : ipfsa_fail_nomem(err);
}

static ipfsa_status put_ports(const ipfsa_engine *engine, ipfsa_texts ports, json_t *body, json_t *host_config, ipfsa_error *err) {
  json_t *exposed = json_object(), *bindings = json_object();
  ipfsa_status status = put(body, "ExposedPorts", exposed, err), also = put(host_config, "PortBindings", bindings, err);
  if (status || also) return status ? status : also;
  for (size_t i = 0; i < ports.n && status == IPFSA_OK; i++) status = ipfsa_spec_put_port(engine, ports.items[i], bindings, exposed, err);
  return status;
}

/* --- mounts --- */

static ipfsa_status put_mounts(const ipfsa_engine *engine, ipfsa_texts volumes, const char *data_root, json_t *host_config, ipfsa_error *err) {
  json_t *mounts = json_array();
  ipfsa_status status = put(host_config, "Mounts", mounts, err);
  for (size_t i = 0; i < volumes.n && status == IPFSA_OK; i++) {
    ipfsa_spec_mount m = {0};
    status = ipfsa_spec_mount_parse(engine, volumes.items[i], &m, err);
    if (status) break;
    status = ipfsa_spec_mount_check_root(engine, &m, data_root, err);
    if (status == IPFSA_OK) status = ipfsa_json_check_text("where a volume's folder really is", m.source, err); /* behind a link */
    json_t *mount =
        status ? NULL : json_pack("{s:s,s:s,s:s,s:b}", "Type", m.is_bind ? "bind" : "volume", "Source", m.source, "Target", m.target, "ReadOnly", m.read_only);
    if (status == IPFSA_OK && json_array_append_new(mounts, mount) != 0) status = ipfsa_fail_nomem(err);
    ipfsa_spec_mount_release(&m);
  }
  return status;
}

static ipfsa_status put_contents(const ipfsa_spec_facts *facts, json_t *labels, json_t *mounts, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf cids = {0};
  for (size_t i = 0; i < facts->n_contents; i++) {
    const ipfsa_content *content = &facts->contents[i];
    ipfsa_status status = ipfsa_spec_check_target("mount", content->target, content->target, err);
    if (status == IPFSA_OK) status = ipfsa_json_check_text("mount", content->target, err);
    if (status == IPFSA_OK) status = ipfsa_json_check_text("path of the repo", content->source, err);
    if (status) return status;
    json_t *mount = json_pack("{s:s,s:s,s:s,s:b}", "Type", "bind", "Source", content->source, "Target", content->target, "ReadOnly", 1);
    if (json_array_append_new(mounts, mount) != 0) return ipfsa_fail_nomem(err);
    ipfsa_buf_printf(&cids, "%s%s", i ? " " : "", content->cid);
  }
  const char *text = ipfsa_buf_cstr(&cids);
  ipfsa_status status = ipfsa_buf_status(&cids, err);
  return status || facts->n_contents == 0 ? status : put(labels, IPFSA_LABEL_CID, json_string(text), err);
}

/* Without the slashes at the end, which mean nothing to engines. */
static size_t target_len(const char *target, size_t len) {
  while (len > 1 && target[len - 1] == '/') len--;
  return len;
}

/* Is a volume shown at just this place? Memory over it would hide it without a word, and what is written there would be lost. */
static bool is_mounted(const json_t *mounts, const char *target, size_t len) {
  const json_t *mount;
  for (size_t i = 0; (mount = json_array_get(mounts, i)); i++) {
    const char *other = ipfsa_json_text(mount, "Target");
    if (target_len(other, strlen(other)) == len && memcmp(other, target, len) == 0) return true;
  }
  return false;
}

static ipfsa_status put_memory(json_t *map, const char *target, size_t len, const char *size, ipfsa_error *err) {
  char options[64];
  snprintf(options, sizeof options, "rw,nosuid,nodev,mode=1777%s%s", *size ? ",size=" : "", size);
  return json_object_setn_new(map, target, len, json_string(options)) == 0 ? IPFSA_OK : ipfsa_fail_nomem(err);
}

/* "/path" or "/path:64m" */
static ipfsa_status put_tmpfs_one(const char *text, const json_t *mounts, json_t *map, ipfsa_error *err) {
  const char *colon = strchr(text, ':'), *size = colon ? colon + 1 : "";
  size_t n_digits = strspn(size, "0123456789"), n_units = size[n_digits] && strchr("kmgKMG", size[n_digits]);
  bool size_fine = !colon || (n_digits && n_digits < 15 && size[n_digits + n_units] == '\0');
  IPFSA_AUTO_FREE char *target = ipfsa_strndup(text, colon ? (size_t)(colon - text) : strlen(text));
  if (!target) return ipfsa_fail_nomem(err);
  if (!size_fine || strchr(target, ',')) return ipfsa_fail(err, IPFSA_E_INVALID, "tmpfs \"%.100s\": expected /path or /path:SIZE, such as /cache:64m", text);
  ipfsa_status status = ipfsa_spec_check_target("tmpfs", text, target, err);
  size_t len = target_len(target, strlen(target));
  if (status == IPFSA_OK && is_mounted(mounts, target, len))
    status = ipfsa_fail(err, IPFSA_E_INVALID, "tmpfs \"%.100s\": a volume is shown at the same place, and would be hidden; leave one of the two out", text);
  return status ? status : put_memory(map, target, len, size, err);
}

static ipfsa_status put_tmpfs(ipfsa_texts tmpfs, json_t *host_config, ipfsa_error *err) {
  static const char *const always[] = {"/tmp", "/run"}; /* unless something else is shown there */
  const json_t *mounts = json_object_get(host_config, "Mounts");
  json_t *map = json_object();
  ipfsa_status status = put(host_config, "Tmpfs", map, err);
  for (size_t i = 0; i < 2 && status == IPFSA_OK; i++)
    if (!is_mounted(mounts, always[i], strlen(always[i]))) status = put_memory(map, always[i], strlen(always[i]), "", err);
  for (size_t i = 0; i < tmpfs.n && status == IPFSA_OK; i++) status = put_tmpfs_one(tmpfs.items[i], mounts, map, err);
  return status;
}

/* --- networks, restarts, GPUs --- */

static ipfsa_status check_network(const ipfsa_engine *engine, const char *network, ipfsa_error *err) {
  if (strcmp(network, "host") == 0 || strchr(network, ':'))
    return ipfsa_danger(engine, "network", network, "it shares the network of the host or of another container", err);
  return ipfsa_name_check("network", network, err);
}

bool ipfsa_spec_network_has_names(const char *network) { return !ipfsa_list_has("bridge default none host", network) && !strchr(network, ':'); }

static ipfsa_status put_network(const ipfsa_engine *engine, const char *name, ipfsa_texts networks, json_t *body, json_t *host_config, ipfsa_error *err) {
  for (size_t i = 0; i < networks.n; i++) {
    ipfsa_status status = check_network(engine, networks.items[i], err);
    if (status) return status;
  }
  const char *first = networks.n ? networks.items[0] : "bridge";
  ipfsa_status status = put(host_config, "NetworkMode", json_string(first), err);
  if (status || !ipfsa_spec_network_has_names(first)) return status;
  return put(body, "NetworkingConfig", json_pack("{s:{s:{s:[s]}}}", "EndpointsConfig", first, "Aliases", name), err);
}

static ipfsa_status put_restart(const char *restart, json_t *host_config, ipfsa_error *err) {
  static const char *const names[] = {"no", "always", "unless-stopped", "on-failure"};
  size_t len = strcspn(restart, ":");
  for (size_t i = 0; i < 4; i++) {
    if (strlen(names[i]) != len || memcmp(names[i], restart, len) != 0) continue;
    const char *count = restart[len] ? restart + len + 1 : "0";
    if ((restart[len] && i != 3) || !*count || strlen(count) > 6 || count[strspn(count, "0123456789")]) break;
    return put(host_config, "RestartPolicy", json_pack("{s:s,s:i}", "Name", names[i], "MaximumRetryCount", (int)strtol(count, NULL, 10)), err);
  }
  return ipfsa_fail(err, IPFSA_E_INVALID, "restart policy \"%.50s\": expected no, always, unless-stopped or on-failure[:N]", restart);
}

static json_t *comma_list(const char *text) {
  json_t *list = json_array();
  for (const char *p = text; *p;) {
    size_t n = strcspn(p, ",");
    if (n && json_array_append_new(list, json_stringn(p, n)) != 0) return json_decref(list), NULL;
    p += n + (p[n] == ',');
  }
  return list;
}

static ipfsa_status put_gpus(const ipfsa_engine *engine, const char *gpus, json_t *host_config, ipfsa_error *err) {
  json_t *request;
  size_t n_digits = strspn(gpus, "0123456789");
  if (strcmp(gpus, "all") == 0 || (gpus[n_digits] == '\0' && n_digits && n_digits < 5))
    request = json_pack("{s:s,s:i,s:[[s]]}", "Driver", "nvidia", "Count", n_digits ? (int)strtol(gpus, NULL, 10) : -1, "Capabilities", "gpu");
  else if (strncmp(gpus, "device=", 7) == 0 && gpus[7])
    request = json_pack("{s:s,s:o,s:[[s]]}", "Driver", "nvidia", "DeviceIDs", comma_list(gpus + 7), "Capabilities", "gpu");
  else if (strncmp(gpus, "nvidia.com/gpu=", 15) == 0 && ipfsa_engine_minor(engine) >= 44)
    request = json_pack("{s:s,s:o}", "Driver", "cdi", "DeviceIDs", comma_list(gpus));
  else if (strncmp(gpus, "nvidia.com/gpu=", 15) == 0)
    return ipfsa_fail(err, IPFSA_E_VERSION, "gpus \"%.60s\": CDI names need API 1.44, this engine speaks 1.%u; use all, a count, or device=0,1", gpus, ipfsa_engine_minor(engine));
  else return ipfsa_fail(err, IPFSA_E_INVALID, "gpus \"%.60s\": expected all, a count, device=0,1, or nvidia.com/gpu=0", gpus);
  return put(host_config, "DeviceRequests", json_pack("[o]", request), err);
}

/* --- the whole --- */

static ipfsa_status put_limits(const ipfsa_container_start_options *o, const ipfsa_spec_facts *facts, json_t *host_config, ipfsa_error *err) {
  uint64_t memory = o->memory ? o->memory : facts->memory > 0 ? (uint64_t)facts->memory / 4 * 3 : 0;
  uint64_t cpus = o->nano_cpus ? o->nano_cpus : facts->n_cpus > 0 ? (uint64_t)facts->n_cpus * 1000000000 : 0;
  if (o->memory && (o->memory < LEAST_MEMORY || o->memory > INT64_MAX)) return ipfsa_fail(err, IPFSA_E_INVALID, "memory limit of %llu bytes: at least 6 MiB", (unsigned long long)o->memory);
  if (o->pids > MOST_PIDS) return ipfsa_fail(err, IPFSA_E_INVALID, "limit of %llu processes: at most %u", (unsigned long long)o->pids, MOST_PIDS);
  if (o->shm_size > INT64_MAX) return ipfsa_fail(err, IPFSA_E_INVALID, "shared memory of %llu bytes: at most 2^63 - 1", (unsigned long long)o->shm_size);
  if (o->nano_cpus > INT64_MAX) return ipfsa_fail(err, IPFSA_E_INVALID, "limit of %llu billionths of a processor: at most 2^63 - 1", (unsigned long long)o->nano_cpus);
  ipfsa_status status = put(host_config, "PidsLimit", json_integer(o->pids ? (json_int_t)o->pids : DEFAULT_PIDS), err);
  if (status == IPFSA_OK) status = put(host_config, "ShmSize", json_integer(o->shm_size ? (json_int_t)o->shm_size : DEFAULT_SHM), err);
  if (status == IPFSA_OK && memory) status = put(host_config, "Memory", json_integer((json_int_t)memory), err);
  if (status == IPFSA_OK && memory) status = put(host_config, "MemorySwap", json_integer((json_int_t)memory), err); /* no swap on top */
  if (status == IPFSA_OK && cpus) status = put(host_config, "NanoCpus", json_integer((json_int_t)cpus), err);
  return status;
}

static ipfsa_status put_labels(ipfsa_texts labels, json_t *body, ipfsa_error *err) {
  json_t *map = json_pack("{s:s}", IPFSA_CONTAINER_LABEL, "1");
  ipfsa_status status = put(body, "Labels", map, err);
  for (size_t i = 0; i < labels.n && status == IPFSA_OK; i++) {
    const char *text = labels.items[i], *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : strlen(text);
    if (len == 0 || strncmp(text, "io.ipfs-accelerate.", 19) == 0)
      return ipfsa_fail(err, IPFSA_E_INVALID, "label \"%.100s\": expected key=value, and a key that does not begin with io.ipfs-accelerate", text);
    if (json_object_setn_new(map, text, len, json_string(equals ? equals + 1 : "")) != 0) status = ipfsa_fail_nomem(err);
  }
  return status;
}

static ipfsa_status check_env(ipfsa_texts env, ipfsa_error *err) {
  for (size_t i = 0; i < env.n; i++) {
    size_t len = strcspn(env.items[i], "=");
    if (len == 0 || !env.items[i][len]) return ipfsa_fail(err, IPFSA_E_INVALID, "environment, item %zu: expected NAME=value", i + 1);
  }
  return IPFSA_OK;
}

static ipfsa_status put_health(const char *command, json_t *body, ipfsa_error *err) {
  json_t *health = json_pack("{s:[ss],s:I,s:I,s:i}", "Test", "CMD-SHELL", command, "Interval", (json_int_t)HEALTH_INTERVAL_NS, "Timeout", (json_int_t)HEALTH_INTERVAL_NS, "Retries", 3);
  return put(body, "Healthcheck", health, err);
}

static ipfsa_status put_confinement(const ipfsa_engine *engine, const ipfsa_container_start_options *o, json_t *host_config, ipfsa_error *err) {
  json_t *log = json_pack("{s:s,s:{s:s,s:s}}", "Type", "json-file", "Config", "max-size", "10m", "max-file", "3");
  ipfsa_status status = put(host_config, "LogConfig", log, err);
  if (status == IPFSA_OK) status = put(host_config, "CapDrop", json_pack("[s]", "ALL"), err);
  if (status == IPFSA_OK) status = put(host_config, "SecurityOpt", json_pack("[s]", "no-new-privileges"), err);
  if (status == IPFSA_OK) status = put(host_config, "ReadonlyRootfs", json_boolean(!o->writable), err);
  if (status == IPFSA_OK) status = put(host_config, "Init", json_boolean(!o->no_init), err);
  for (size_t i = 0; i < o->extras.n && status == IPFSA_OK; i++) status = ipfsa_spec_put_extra(engine, o->extras.items[i], host_config, err);
  return status;
}

static ipfsa_status put_process(const ipfsa_container_start_options *o, const ipfsa_spec_facts *facts, json_t *body, ipfsa_error *err) {
  const char *user = o->user && *o->user ? o->user : *facts->image_user ? facts->image_user : "1000:1000";
  ipfsa_status status = put(body, "Image", json_string(facts->image), err);
  if (status == IPFSA_OK) status = put(body, "User", json_string(user), err);
  if (status == IPFSA_OK) status = put_words(body, "Cmd", o->command, err);
  if (status == IPFSA_OK) status = put_words(body, "Entrypoint", o->entrypoint, err);
  if (status == IPFSA_OK) status = check_env(o->env, err);
  if (status == IPFSA_OK) status = put_words(body, "Env", o->env, err);
  if (status == IPFSA_OK && o->workdir && *o->workdir) status = put(body, "WorkingDir", json_string(o->workdir), err);
  if (status == IPFSA_OK && o->health_cmd && *o->health_cmd) status = put_health(o->health_cmd, body, err);
  return status;
}

/* The body's fingerprint goes into a label: the same options give the same text, as keys are sorted. Networks past the first are connected later
 * and stand in no body. */
static ipfsa_status put_fingerprint(json_t *body, ipfsa_texts networks, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  char hex[65];
  ipfsa_json_put(&text, body, JSON_COMPACT | JSON_SORT_KEYS);
  for (size_t i = 1; i < networks.n; i++) ipfsa_buf_printf(&text, "\n%s", networks.items[i]);
  ipfsa_status status = ipfsa_buf_status(&text, err);
  if (status) return status;
  ipfsa_sha256_stream sha;
  uint8_t digest[32];
  ipfsa_sha256_init(&sha);
  ipfsa_sha256_update(&sha, text.data, text.len);
  ipfsa_sha256_final(&sha, digest);
  for (size_t i = 0; i < 32; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
  return put(json_object_get(body, "Labels"), IPFSA_LABEL_SPEC, json_string(hex), err);
}

ipfsa_status ipfsa_spec_build(const ipfsa_engine *engine, const char *name, const ipfsa_container_start_options *o, const ipfsa_spec_facts *facts, json_t **ret,
                              ipfsa_error *err) {
  ipfsa_status status = check_texts(o, err);
  if (status) return status;
  IPFSA_AUTO_JSON json_t *body = json_object();
  json_t *host_config = json_object();
  status = put(body, "HostConfig", host_config, err);
  if (status == IPFSA_OK) status = put_process(o, facts, body, err);
  if (status == IPFSA_OK) status = put_labels(o->labels, body, err);
  if (status == IPFSA_OK) status = put_confinement(engine, o, host_config, err);
  if (status == IPFSA_OK) status = put_limits(o, facts, host_config, err);
  if (status == IPFSA_OK) status = put_ports(engine, o->ports, body, host_config, err);
  if (status == IPFSA_OK) status = put_mounts(engine, o->volumes, facts->data_root, host_config, err);
  if (status == IPFSA_OK) status = put_contents(facts, json_object_get(body, "Labels"), json_object_get(host_config, "Mounts"), err);
  if (status == IPFSA_OK) status = ipfsa_probe_plan_put(o->probe, json_object_get(body, "Labels"), err);
  if (status == IPFSA_OK) status = put_tmpfs(o->tmpfs, host_config, err);
  if (status == IPFSA_OK) status = put_network(engine, name, o->networks, body, host_config, err);
  if (status == IPFSA_OK && o->restart && *o->restart) status = put_restart(o->restart, host_config, err);
  if (status == IPFSA_OK && o->gpus && *o->gpus) status = put_gpus(engine, o->gpus, host_config, err);
  if (status == IPFSA_OK) status = put_fingerprint(body, o->networks, err);
  if (status == IPFSA_OK) *ret = ipfsa_steal(body);
  return status;
}
