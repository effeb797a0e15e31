/* Starting a container: look, pull, build, make, start, wait; and undo what was done when a step fails. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/options.h"
#include "container/container_inside.h"
#include "container/secrets.h"
#include "container/spec.h"

typedef struct starting {
  ipfsa_engine *engine;
  const char *name, *image;
  const ipfsa_container_start_options *o;
  const ipfsa_content *contents;
  size_t n_contents;
  json_t *body;
  bool made, started;       /* by this call */
  bool may_be_made;         /* the answer to the making was lost */
  json_t *volumes;          /* names of those this call made */
} starting;

/* --- what is needed first --- */

static ipfsa_status ensure_image(starting *s, const ipfsa_reference *ref, json_t **ret, ipfsa_error *err) {
  const ipfsa_container_start_options *o = s->o;
  ipfsa_status status = o->pull == IPFSA_PULL_ALWAYS ? IPFSA_E_NOT_FOUND : ipfsa_image_look(s->engine, ref, ret, err);
  if (status == IPFSA_OK) status = ipfsa_image_check_platform(*ret, ref, o->platform, err); /* Podman would take any without a word */
  if ((status != IPFSA_E_NOT_FOUND && status != IPFSA_E_WRONG_TYPE) || o->pull == IPFSA_PULL_NEVER) return status;
  json_decref(*ret);
  *ret = NULL;
  ipfsa_image_pull_options pull = {.struct_size = sizeof pull, .platform = o->platform, .cb = o->on_pull, .ctx = o->pull_ctx};
  status = ipfsa_image_pull(s->engine, s->image, &pull, err);
  return status ? status : ipfsa_image_look(s->engine, ref, ret, err);
}

/* *ret_data_root: owned by the caller. */
static ipfsa_status ask_info(ipfsa_engine *engine, ipfsa_spec_facts *facts, char **ret_data_root, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  IPFSA_AUTO_JSON json_t *info = NULL;
  ipfsa_buf_str(&target, "/info");
  ipfsa_status status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "GET", .target = &target}, &info, NULL, err);
  facts->n_cpus = ipfsa_json_int(info, "NCPU");
  facts->memory = ipfsa_json_int(info, "MemTotal");
  if (status == IPFSA_OK && !(*ret_data_root = ipfsa_strdup(ipfsa_json_text(info, "DockerRootDir")))) status = ipfsa_fail_nomem(err);
  facts->data_root = *ret_data_root;
  return status;
}

static ipfsa_status build_body(starting *s, ipfsa_error *err) {
  ipfsa_reference ref;
  ipfsa_status status = ipfsa_image_parse(s->engine, s->image, &ref, err);
  if (status) return status;
  IPFSA_AUTO_BUF ipfsa_buf image = {0};
  ipfsa_image_put(&image, &ref, true);
  const char *image_text = ipfsa_buf_cstr(&image);
  status = ipfsa_buf_status(&image, err);
  if (status) return status;
  ipfsa_spec_facts facts = {.image = image_text, .image_user = "", .contents = s->contents, .n_contents = s->n_contents};
  /* First with nothing known: what is refused is refused before anything is asked for or pulled. */
  status = ipfsa_spec_build(s->engine, s->name, s->o, &facts, &s->body, err);
  if (status) return status;
  json_decref(s->body);
  s->body = NULL;
  IPFSA_AUTO_JSON json_t *inspect = NULL;
  IPFSA_AUTO_FREE char *data_root = NULL;
  status = ensure_image(s, &ref, &inspect, err);
  if (status == IPFSA_OK && (!s->o->memory || !s->o->nano_cpus || s->o->volumes.n)) status = ask_info(s->engine, &facts, &data_root, err);
  if (status) return status;
  facts.image_user = ipfsa_json_text(ipfsa_json_at(inspect, "Config", NULL), "User");
  return ipfsa_spec_build(s->engine, s->name, s->o, &facts, &s->body, err);
}

/* Volumes are made before the container, so that they carry the label. */
static ipfsa_status ensure_volumes(starting *s, ipfsa_error *err) {
  json_t *mount;
  size_t i;
  s->volumes = json_array();
  if (!s->volumes) return ipfsa_fail_nomem(err);
  json_array_foreach(ipfsa_json_at(s->body, "HostConfig", "Mounts", NULL), i, mount) {
    if (strcmp(ipfsa_json_text(mount, "Type"), "volume") != 0) continue;
    bool created = false;
    const char *name = ipfsa_json_text(mount, "Source");
    if (json_array_append_new(s->volumes, json_string(name)) != 0) return ipfsa_fail_nomem(err); /* before it is made: afterwards nobody would know */
    ipfsa_status status = ipfsa_volume_create(s->engine, name, &created, err);
    if (!created || status == IPFSA_E_EXISTS) json_array_remove(s->volumes, json_array_size(s->volumes) - 1);
    if (status && status != IPFSA_E_EXISTS) return status; /* one of others may be used */
  }
  return IPFSA_OK;
}

/* --- making and starting --- */

static ipfsa_status make(starting *s, ipfsa_error *err) {
  /* Without it nobody could tell, should the answer be lost, whose the container is. */
  if (json_object_set_new(json_object_get(s->body, "Labels"), IPFSA_LABEL_SESSION, json_string(ipfsa_engine_session(s->engine))) != 0) return ipfsa_fail_nomem(err);
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_buf_str(&target, "/containers/create");
  ipfsa_http_put_query(&target, "name", s->name);
  if (s->o->platform && *s->o->platform && ipfsa_engine_minor(s->engine) >= 41) ipfsa_http_put_query(&target, "platform", s->o->platform);
  IPFSA_AUTO_JSON json_t *answer = NULL;
  ipfsa_status status = ipfsa_engine_ask(s->engine, &(ipfsa_engine_call){.method = "POST", .target = &target, .body = s->body, .secrets = s->o->env}, &answer, NULL, err);
  s->made = status == IPFSA_OK;
  s->may_be_made = status == IPFSA_E_NOMEM || status == IPFSA_E_IO || status == IPFSA_E_TIMEOUT || status == IPFSA_E_CANCELLED || status == IPFSA_E_MALFORMED;
  return status ? ipfsa_error_prefix(err, status, "container %s", s->name) : IPFSA_OK;
}

/* Networks past the first: several at once are refused before API 1.44, one after the other works everywhere. */
static ipfsa_status connect_networks(starting *s, ipfsa_error *err) {
  for (size_t i = 1; i < s->o->networks.n; i++) {
    IPFSA_AUTO_BUF ipfsa_buf target = {0};
    ipfsa_buf_str(&target, "/networks/");
    ipfsa_http_put_encoded(&target, s->o->networks.items[i]);
    ipfsa_buf_str(&target, "/connect");
    bool has_names = ipfsa_spec_network_has_names(s->o->networks.items[i]);
    IPFSA_AUTO_JSON json_t *body = has_names ? json_pack("{s:s,s:{s:[s]}}", "Container", s->name, "EndpointConfig", "Aliases", s->name) : json_pack("{s:s}", "Container", s->name);
    if (!body) return ipfsa_fail_nomem(err);
    ipfsa_status status = ipfsa_engine_ask(s->engine, &(ipfsa_engine_call){.method = "POST", .target = &target, .body = body}, NULL, NULL, err);
    if (status) return ipfsa_error_prefix(err, status, "container %s, network %s", s->name, s->o->networks.items[i]);
  }
  return IPFSA_OK;
}

static ipfsa_status start_it(starting *s, ipfsa_error *err) {
  int code = 204;
  ipfsa_status status = ipfsa_container_post(s->engine, s->name, "/start", s->o->env, false, 0, &code, err);
  s->started = status == IPFSA_OK && code != 304;
  return status;
}

/* Whether the container whose making was not answered is there: it holds the label of our session. */
static bool was_made(starting *s) {
  IPFSA_AUTO_JSON json_t *json = NULL;
  if (!s->may_be_made || ipfsa_container_look(s->engine, s->name, true, &json, NULL) != IPFSA_OK) return false;
  return strcmp(ipfsa_json_text(ipfsa_json_at(json, "Config", "Labels", NULL), IPFSA_LABEL_SESSION), ipfsa_engine_session(s->engine)) == 0;
}

/* Undoes what this call did. It was a failure already, so what fails here is told only when it leaves the container behind. */
static bool undo(starting *s) {
  ipfsa_status status = IPFSA_OK;
  s->made = s->made || was_made(s);
  ipfsa_error why = {0};
  if (s->made) status = ipfsa_container_delete(s->engine, s->name, true, true, &why);
  else if (s->started) status = ipfsa_container_post(s->engine, s->name, "/stop?t=10", s->o->env, true, 10000, NULL, NULL);
  json_t *volume;
  size_t i;
  json_array_foreach(s->volumes, i, volume) {
    IPFSA_AUTO_BUF ipfsa_buf target = {0};
    ipfsa_buf_str(&target, "/volumes/");
    ipfsa_http_put_encoded(&target, json_string_value(volume));
    (void)ipfsa_engine_ask(s->engine, &(ipfsa_engine_call){.method = "DELETE", .target = &target, .cleaning = true}, NULL, NULL, NULL);
  }
  bool is_gone = status == IPFSA_E_NOT_FOUND && why.sys_errno == 0; /* with an errno it is the engine that is not found */
  return status == IPFSA_OK || is_gone || !s->made;
}

static void tell_left_behind(const starting *s, ipfsa_status status, ipfsa_error *err) {
  char told[sizeof err->message];
  snprintf(told, sizeof told, "%s", err->message);
  ipfsa_fail(err, status, "%.280s; it could not be removed again: do so by 'container rm --force %s'", told, s->name);
}

/* --- one that is there already --- */

/* Without an image nothing is made, so options of the making would be passed over. */
static ipfsa_status check_no_options(const starting *s, ipfsa_error *err) {
  const ipfsa_container_start_options *o = s->o;
  size_t n = o->command.n + o->entrypoint.n + o->env.n + o->ports.n + o->volumes.n + o->tmpfs.n + o->networks.n + o->labels.n + o->extras.n;
  bool any = n || o->gpus || o->restart || o->user || o->workdir || o->platform || o->health_cmd || o->memory || o->nano_cpus || o->writable || o->no_init;
  if (s->image || !any) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_INVALID, "container %s: options of a container are fixed when it is made: name its image as well, or leave them out", s->name);
}

static ipfsa_status reuse(starting *s, const json_t *inspect, ipfsa_error *err) {
  const json_t *labels = ipfsa_json_at(inspect, "Config", "Labels", NULL);
  if (!ipfsa_labels_are_ours(labels)) {
    ipfsa_status status = ipfsa_danger(s->engine, "foreign", s->name, "a container of this name is there that ipfs-accelerate did not start; choose another name", err);
    if (status) return status;
  }
  const char *wanted = ipfsa_json_text(ipfsa_json_at(s->body, "Labels", NULL), IPFSA_LABEL_SPEC);
  if (s->image && strcmp(ipfsa_json_text(labels, IPFSA_LABEL_SPEC), wanted) != 0)
    return ipfsa_fail(err, IPFSA_E_EXISTS, "container %s is there, made with other options; remove it first with 'container rm %s', or start it without naming an image", s->name,
                      s->name);
  if (ipfsa_json_bool(ipfsa_json_at(inspect, "State", NULL), "Paused")) return ipfsa_fail(err, IPFSA_E_BUSY, "container %s is paused: stop it first", s->name);
  return ipfsa_json_bool(ipfsa_json_at(inspect, "State", NULL), "Running") ? IPFSA_OK : start_it(s, err);
}

static ipfsa_status make_new(starting *s, ipfsa_error *err) {
  if (!s->image) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "container %s: there is none of this name to start again; name an image to make one", s->name);
  ipfsa_status status = ensure_volumes(s, err);
  if (status == IPFSA_OK) status = make(s, err);
  if (status == IPFSA_OK) status = connect_networks(s, err);
  return status ? status : start_it(s, err);
}

/* A container that ended at once with a failure is no success; one that did its work and ended is. */
static ipfsa_status check_alive(starting *s, const ipfsa_container *c, ipfsa_error *err) {
  if (strcmp(c->state, "exited") != 0 || c->exit_code == 0 || !s->started) return IPFSA_OK;
  char words[200];
  ipfsa_container_last_words(s->engine, s->name, s->o->env, words, sizeof words);
  return ipfsa_fail(err, IPFSA_E_IO, "container %s ended at once with exit code %lld%s%s", s->name, (long long)c->exit_code, *words ? "; it said: " : "", words);
}

/* Podman's side of Docker's API passes over requests for GPUs; a container without them is not what was asked for. */
static ipfsa_status look_for_gpus(const starting *s, ipfsa_error *err) {
  if (!s->o->gpus || !*s->o->gpus || !ipfsa_engine_is_podman(s->engine)) return IPFSA_OK;
  IPFSA_AUTO_JSON json_t *inspect = NULL;
  ipfsa_status status = ipfsa_container_look(s->engine, s->name, false, &inspect, err);
  if (status) return status;
  const json_t *host = ipfsa_json_at(inspect, "HostConfig", NULL);
  if (json_array_size(json_object_get(host, "DeviceRequests")) || json_array_size(json_object_get(host, "Devices"))) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "container %s: this Podman passes over the request for GPUs (%.60s), so it would run without; use a newer one, or Docker", s->name,
                    s->o->gpus);
}

static ipfsa_status run_steps(starting *s, ipfsa_container **ret, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *inspect = NULL;
  ipfsa_status status = s->image ? build_body(s, err) : IPFSA_OK;
  if (status) return status;
  status = ipfsa_container_look(s->engine, s->name, false, &inspect, err);
  if (status == IPFSA_OK) status = reuse(s, inspect, err);
  else if (status == IPFSA_E_NOT_FOUND) status = make_new(s, err);
  if (status == IPFSA_OK && s->made) status = look_for_gpus(s, err);
  if (status == IPFSA_OK) status = ipfsa_container_wait_ready(s->engine, s->name, s->o->waits, s->o->wait_timeout_ms, s->o->env, err);
  json_t *now = NULL;
  if (status == IPFSA_OK) status = ipfsa_container_look(s->engine, s->name, false, &now, err);
  if (status == IPFSA_OK) status = ipfsa_container_from_inspect(now, ret, err);
  if (status) return status;
  status = check_alive(s, *ret, err);
  if (status) ipfsa_container_free(ipfsa_steal(*ret));
  return status;
}

ipfsa_status ipfsa_container_start_with(ipfsa_engine *engine, const char *name, const char *image, const ipfsa_container_start_options *options,
                                        const ipfsa_content *contents, size_t n_contents, ipfsa_container **ret, bool *ret_changed, bool *ret_made, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_container_start_options o = IPFSA_OPTIONS(ipfsa_container_start_options, options);
  starting s = {.engine = engine, .name = name, .image = image, .o = &o, .contents = contents, .n_contents = n_contents};
  ipfsa_status status = ipfsa_name_check("container", name, err);
  if (status == IPFSA_OK) status = ipfsa_container_check_waits(s.o->waits, err);
  if (status == IPFSA_OK) status = check_no_options(&s, err);
  ipfsa_container *container = NULL;
  if (status == IPFSA_OK) status = run_steps(&s, &container, err);
  if (status) ipfsa_secrets_hide(err->message, s.o->env); /* before the message is cut */
  if (status && !undo(&s)) tell_left_behind(&s, status, err);
  json_decref(s.body);
  json_decref(s.volumes);
  if (status) return status;
  if (ret_changed) *ret_changed = s.made || s.started;
  if (ret_made) *ret_made = s.made;
  if (ret) *ret = container;
  else ipfsa_container_free(container);
  return IPFSA_OK;
}

ipfsa_status ipfsa_container_start(ipfsa_engine *engine, const char *name, const char *image, const ipfsa_container_start_options *options, ipfsa_container **ret,
                                   bool *ret_changed, ipfsa_error *err) {
  return ipfsa_container_start_with(engine, name, image, options, NULL, 0, ret, ret_changed, NULL, err);
}

/* --- a Kubo node --- */

#define KUBO_IMAGE "ipfs/kubo:latest"
#define KUBO_USER "1000:100" /* ipfs and users in that image: its start script then needs no root */

ipfsa_status ipfsa_container_start_ipfs(ipfsa_engine *engine, const char *name, const char *image, const ipfsa_container_start_options *options, ipfsa_container **ret,
                                        bool *ret_changed, ipfsa_error *err) {
  static const char *const ports[] = {"127.0.0.1::5001", "127.0.0.1::8080", "127.0.0.1::4001", "127.0.0.1::4001/udp"};
  static const char *const waits[] = {"log:Daemon is ready"}; /* works on an engine far away as well */
  ipfsa_container_start_options o = IPFSA_OPTIONS(ipfsa_container_start_options, options);
  o.struct_size = sizeof o;
  ipfsa_status status = ipfsa_name_check("container", name, err);
  if (status) return status;
  IPFSA_AUTO_BUF ipfsa_buf volume = {0};
  ipfsa_buf_printf(&volume, "%s-data:/data/ipfs", name);
  const char *volumes[] = {ipfsa_buf_cstr(&volume)};
  if (ipfsa_buf_status(&volume, err)) return volume.failed;
  if (o.ports.n == 0) o.ports = (ipfsa_texts){ports, 4};
  if (o.volumes.n == 0) o.volumes = (ipfsa_texts){volumes, 1};
  if (o.waits.n == 0) o.waits = (ipfsa_texts){waits, 1};
  if (!o.user) o.user = KUBO_USER;
  return ipfsa_container_start(engine, name, image && *image ? image : KUBO_IMAGE, &o, ret, ret_changed, err);
}
