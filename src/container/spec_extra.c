/* Options that reach past the container, one row each: which key they set, which values are harmless. Everything else needs the configuration. */
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "container/spec.h"

typedef enum extra_kind { EXTRA_BOOL, EXTRA_TEXT, EXTRA_INT, EXTRA_LIST, EXTRA_MAP, EXTRA_DEVICE } extra_kind;
typedef struct extra {
  const char *name, *key;
  extra_kind kind;
  const char *harmless; /* values that need no permission */
  const char *why;
} extra;

/* Capabilities a process uses on itself and its own files. */
#define OWN_CAPS "CHOWN DAC_OVERRIDE FOWNER FSETID IPC_LOCK KILL NET_BIND_SERVICE SETGID SETPCAP SETUID SYS_CHROOT SYS_NICE"

static const extra extras[] = {
    {"privileged", "Privileged", EXTRA_BOOL, "false", "it gives the container the whole host"},
    {"pid", "PidMode", EXTRA_TEXT, "private", "it shows and lets it signal processes of the host or of others"},
    {"ipc", "IpcMode", EXTRA_TEXT, "private none shareable", "it shares memory with the host or with others"},
    {"uts", "UTSMode", EXTRA_TEXT, "", "it may change the host's name"},
    {"userns", "UsernsMode", EXTRA_TEXT, "", "it takes root in the container for root on the host"},
    {"cgroupns", "CgroupnsMode", EXTRA_TEXT, "private", "it shows the host's control groups"},
    {"device", "Devices", EXTRA_DEVICE, "", "it opens a device of the host; for GPUs there is --gpus"},
    {"device-cgroup-rule", "DeviceCgroupRules", EXTRA_LIST, "", "it opens devices of the host"},
    {"cap-add", "CapAdd", EXTRA_LIST, OWN_CAPS, "this capability reaches past the container"},
    {"security-opt", "SecurityOpt", EXTRA_LIST, "no-new-privileges no-new-privileges:true", "it loosens the confinement"},
    {"oom-kill-disable", "OomKillDisable", EXTRA_BOOL, "false", "it can bring the host to a halt when memory runs out"},
    {"oom-score-adj", "OomScoreAdj", EXTRA_INT, "", "below 0 others are killed in its place"},
    {"sysctl", "Sysctls", EXTRA_MAP, "", "it changes settings of the kernel"},
    {"runtime", "Runtime", EXTRA_TEXT, "runc crun nvidia", "this runtime is not on the list"},
    {"cgroup-parent", "CgroupParent", EXTRA_TEXT, "", "it leaves the engine's limits"},
    {"volumes-from", "VolumesFrom", EXTRA_LIST, "", "it opens the data of another container"},
    {"link", "Links", EXTRA_LIST, "", "it reads the settings of another container"},
};

static const extra *find(const char *text, size_t len) {
  for (size_t i = 0; i < sizeof extras / sizeof *extras; i++)
    if (strlen(extras[i].name) == len && memcmp(extras[i].name, text, len) == 0) return &extras[i];
  return NULL;
}

static bool is_harmless(const extra *x, const char *value) {
  if (x->kind == EXTRA_INT) return *value != '-';
  if (strcmp(x->name, "cap-add") == 0 && strncasecmp(value, "CAP_", 4) == 0) value += 4;
  return ipfsa_list_has(x->harmless, value);
}

static ipfsa_status put_list_item(json_t *host_config, const char *key, json_t *item, ipfsa_error *err) {
  json_t *list = json_object_get(host_config, key);
  if (!list) {
    list = json_array();
    if (json_object_set_new(host_config, key, list) != 0) {
      json_decref(item);
      return ipfsa_fail_nomem(err);
    }
  }
  return json_array_append_new(list, item) == 0 ? IPFSA_OK : ipfsa_fail_nomem(err);
}

static ipfsa_status put_map_item(json_t *host_config, const extra *x, const char *value, ipfsa_error *err) {
  const char *equals = strchr(value, '=');
  if (!equals || equals == value) return ipfsa_fail(err, IPFSA_E_INVALID, "%s=%.100s: expected %s=KEY=VALUE", x->name, value, x->name);
  json_t *map = json_object_get(host_config, x->key);
  if (!map) {
    map = json_object();
    if (json_object_set_new(host_config, x->key, map) != 0) return ipfsa_fail_nomem(err);
  }
  return json_object_setn_new(map, value, (size_t)(equals - value), json_string(equals + 1)) == 0 ? IPFSA_OK : ipfsa_fail_nomem(err);
}

static ipfsa_status put_value(const extra *x, const char *value, json_t *host_config, ipfsa_error *err) {
  char *end = NULL;
  json_t *json = NULL;
  switch (x->kind) {
  case EXTRA_MAP: return put_map_item(host_config, x, value, err);
  case EXTRA_LIST: return put_list_item(host_config, x->key, json_string(value), err);
  case EXTRA_DEVICE: return put_list_item(host_config, x->key, json_pack("{s:s,s:s,s:s}", "PathOnHost", value, "PathInContainer", value, "CgroupPermissions", "rwm"), err);
  case EXTRA_BOOL:
    if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0) return ipfsa_fail(err, IPFSA_E_INVALID, "%s=%.100s: expected true or false", x->name, value);
    json = json_boolean(value[0] == 't');
    break;
  case EXTRA_INT:
    errno = 0;
    json = json_integer(strtoll(value, &end, 10));
    if (!isdigit((unsigned char)value[*value == '-']) || *end || errno || json_integer_value(json) < -1000 || json_integer_value(json) > 1000) {
      json_decref(json);
      return ipfsa_fail(err, IPFSA_E_INVALID, "%s=%.100s: expected a whole number from -1000 to 1000", x->name, value);
    }
    break;
  case EXTRA_TEXT: json = json_string(value); break;
  }
  return json_object_set_new(host_config, x->key, json) == 0 ? IPFSA_OK : ipfsa_fail_nomem(err);
}

ipfsa_status ipfsa_spec_put_extra(const ipfsa_engine *engine, const char *text, json_t *host_config, ipfsa_error *err) {
  size_t len = strcspn(text, "=");
  const extra *x = find(text, len);
  if (!x || text[len] != '=') return ipfsa_fail(err, IPFSA_E_INVALID, "option \"%.100s\": no option of containers is called so; see docs/containers.md for the list", text);
  const char *value = text + len + 1;
  ipfsa_status status = is_harmless(x, value) ? IPFSA_OK : ipfsa_danger(engine, x->name, value, x->why, err);
  return status ? status : put_value(x, value, host_config, err);
}
