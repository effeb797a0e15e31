/* Serving: a model, a container that shows it, its server's probe. */
#include <ipfsa/dispatch.h>
#include <ipfsa/mount.h>
#include <ipfsa/serve.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "container/container_inside.h"
#include "container/engine.h"
#include "dispatch/serving.h"
#include "node/container_mount.h"
#include "node/dispatch_model.h"
#include "node/dispatch_to.h"

#define TIMEOUT_MS 600000
#define FIRST_PAUSE_MS 100
#define LAST_PAUSE_MS 2000
#define MAX_SAID 4096 /* bytes of what a server said last that are kept to tell its last line */
#define PIDS 4096     /* these servers have hundreds of threads */

typedef struct serving {
  ipfsa_engine *engine;
  const ipfsa_serve_options *o;
  const ipfsa_serving *what;
  ipfsa_model m;
  char container[2 * IPFSA_MAX_MODEL_PART + 3 + 6]; /* the model's name, flat, perhaps behind "model-" */
  const char *image;
  ipfsa_buf url, way;
  bool changed; /* this call made or started the container */
  uint64_t health_ns;
} serving;

/* ---- the model ---- */

static ipfsa_status check_format(const serving *s, ipfsa_error *err) {
  ipfsa_checkpoint_format f = s->m.look.format;
  bool gguf = strcmp(s->what->kind, "llamacpp") == 0, own = ipfsa_driver_find(s->what->kind)->own_layout;
  if (gguf && (f != IPFSA_CHECKPOINT_GGUF || (s->m.look.is_folder && !ipfsa_serving_first_gguf(s->m.look.files, s->m.look.n_files))))
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "llama.cpp takes GGUF, and this is %s; convert it first", f ? ipfsa_checkpoint_format_name(f) : "none");
  if (!gguf && s->what->models_dir && !s->m.look.is_folder)
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "%s takes a folder with the model and its configuration, and this is one file", s->what->kind);
  if (strcmp(s->what->kind, "mlserver") == 0 || !own) return IPFSA_OK;
  for (size_t i = 0; i < s->m.look.n_files; i++)
    if (s->m.look.files[i].path[strspn(s->m.look.files[i].path, "0123456789")] == '/' && s->m.look.files[i].path[0] != '/') return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_INVALID, "no version folder in it; Triton takes a folder with 1/FILES and mostly config.pbtxt: add the model so");
}

static ipfsa_status find_model(serving *s, ipfsa_error *err) {
  const ipfsa_driver *driver = ipfsa_driver_find(s->what->kind);
  ipfsa_model_look *l = &s->m.look;
  ipfsa_status status = ipfsa_model_find(&s->m, err);
  if (status) return status;
  l->node = s->m.node, l->path = s->m.path, l->own_layout = driver->own_layout, l->allow_pickle = s->o->allow_pickle;
  l->warned = s->o->warned, l->warned_ctx = s->o->warned_ctx, l->file_name = s->m.file_name;
  status = ipfsa_model_look_at(l, err);
  if (status == IPFSA_OK) status = check_format(s, err);
  if (status == IPFSA_OK) status = ipfsa_model_choose_name(&s->m, s->o->model, false, err);
  if (status) return status;
  if (driver->own_layout) ipfsa_model_flatten(s->m.name); /* there a name is that of a folder */
  bool short_ = strlen(s->m.name) < 2 || s->m.name[0] == '_'; /* no name of a container */
  snprintf(s->container, sizeof s->container, "%s%s", short_ ? "model-" : "", s->m.name);
  ipfsa_model_flatten(s->container);
  return IPFSA_OK;
}

/* ---- the container ---- */

static void note_way(void *ctx, const ipfsa_materialised *tree, const char *target) {
  serving *s = ctx;
  (void)target;
  ipfsa_buf_clear(&s->way);
  if (tree->made) ipfsa_buf_str(&s->way, ipfsa_way_name(tree->way));
}

/* Where the model is in the container, and what to open there. */
static ipfsa_status place_in(const serving *s, ipfsa_buf *target, ipfsa_buf *opened, ipfsa_error *err) {
  bool is_gguf = strcmp(s->what->kind, "llamacpp") == 0;
  const char *suffix = is_gguf && !s->m.look.is_folder ? ".gguf" : "";
  char name[sizeof s->m.name];
  snprintf(name, sizeof name, "%s", s->m.name);
  ipfsa_model_flatten(name);
  ipfsa_buf_printf(target, "%s/%s%s", s->what->models_dir ? s->what->models_dir : "", name, suffix);
  ipfsa_buf_append_bytes(opened, ipfsa_buf_bytes(target));
  if (is_gguf && s->m.look.is_folder) ipfsa_buf_printf(opened, "/%s", ipfsa_serving_first_gguf(s->m.look.files, s->m.look.n_files)->path);
  ipfsa_status status = ipfsa_buf_status(target, err);
  return status ? status : ipfsa_buf_status(opened, err);
}

static ipfsa_status start_at(serving *s, const ipfsa_serving_words *words, const char *target, ipfsa_container **ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf port = {0}, mount = {0}, volume = {0};
  IPFSA_AUTO_FREE const char **command = ipfsa_calloc(words->n_command + s->o->args.n + 1, sizeof *command);
  IPFSA_AUTO_FREE const char **env = ipfsa_calloc(s->o->env.n + 3, sizeof *env);
  size_t n_command = 0, n_env = 0;
  ipfsa_buf_printf(&port, "%u:%u", s->o->port, s->what->port);
  ipfsa_buf_printf(&mount, "/ipfs/%s:%s", s->m.cid_text, target);
  ipfsa_buf_printf(&volume, "%s-models:/models", s->container);
  if (!command || !env || port.failed || mount.failed || volume.failed) return ipfsa_fail_nomem(err);
  for (size_t i = 0; i < words->n_command; i++) command[n_command++] = words->command[i];
  for (size_t i = 0; i < s->o->args.n; i++) command[n_command++] = s->o->args.items[i];
  env[n_env++] = "HOME=/tmp";
  if (!s->what->models_dir) env[n_env++] = "OLLAMA_MODELS=/models", env[n_env++] = "OLLAMA_HOST=0.0.0.0:11434";
  for (size_t i = 0; i < s->o->env.n; i++) env[n_env++] = s->o->env.items[i];
  const char *ports[] = {ipfsa_buf_cstr(&port)}, *mounts[] = {ipfsa_buf_cstr(&mount)}, *volumes[] = {ipfsa_buf_cstr(&volume)};
  ipfsa_container_start_options o = {.struct_size = sizeof o, .command = {command, n_command}, .entrypoint = {(const char *const *)words->entrypoint, words->n_entrypoint},
                                     .env = {env, n_env}, .ports = {ports, 1}, .gpus = s->o->gpus, .user = s->what->wants_root ? "0:0" : NULL, .memory = s->o->memory,
                                     .pids = PIDS, .shm_size = s->what->shm_size, .writable = s->what->wants_root, .pull = s->o->pull, .on_pull = s->o->on_pull,
                                     .pull_ctx = s->o->pull_ctx};
  if (!s->what->models_dir) o.volumes = (ipfsa_texts){volumes, 1};
  ipfsa_mount_options m = {.struct_size = sizeof m, .mounts = {mounts, 1}, .told = note_way, .told_ctx = s, .progress = s->o->progress, .progress_ctx = s->o->progress_ctx};
  const char *name = s->o->name ? s->o->name : s->container;
  return s->what->models_dir ? ipfsa_container_start_mounted(s->m.node, s->engine, name, s->image, &m, &o, ret, &s->changed, err)
                             : ipfsa_container_start(s->engine, name, s->image, &o, ret, &s->changed, err);
}

static ipfsa_status find_url(serving *s, const ipfsa_container *c, ipfsa_error *err) {
  for (size_t i = 0; i < c->n_ports; i++)
    if (c->ports[i].container_port == s->what->port && c->ports[i].host_port) {
      ipfsa_buf_clear(&s->url);
      ipfsa_buf_printf(&s->url, "http://127.0.0.1:%u", c->ports[i].host_port);
      return ipfsa_buf_status(&s->url, err);
    }
  return ipfsa_fail(err, IPFSA_E_IO, "container %.200s has no port of this machine for its port %u; see `container inspect`", c->name, s->what->port);
}

static ipfsa_status start(serving *s, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0}, opened = {0};
  ipfsa_serving_words words = {0};
  ipfsa_container *c = NULL;
  ipfsa_status status = place_in(s, &target, &opened, err);
  if (status == IPFSA_OK) status = ipfsa_serving_words_make(s->what, ipfsa_buf_cstr(&opened), s->m.name, &words, err);
  if (status == IPFSA_OK) status = start_at(s, &words, ipfsa_buf_cstr(&target), &c, err);
  ipfsa_serving_words_release(&words);
  if (status) return status;
  status = find_url(s, c, err);
  ipfsa_container_free(c);
  return status;
}

/* ---- until it is ready ---- */

static int keep_said(void *ctx, int stream, const void *data, size_t len) {
  ipfsa_buf *said = ctx;
  (void)stream;
  const char *p = data;
  if (len > MAX_SAID) p += len - MAX_SAID, len = MAX_SAID;
  if (said->len + len > 2 * MAX_SAID) { /* the end of it is what counts */
    memmove(said->data, said->data + said->len - MAX_SAID, MAX_SAID);
    said->len = MAX_SAID;
  }
  ipfsa_buf_append(said, p, len);
  return said->failed ? 1 : 0;
}

static const char *last_line(ipfsa_buf *said) {
  while (said->len && strchr(" \t\r\n", said->data[said->len - 1])) said->len--;
  char *text = (char *)(uintptr_t)ipfsa_buf_cstr(said), *nl = strrchr(text, '\n');
  return nl ? nl + 1 : text;
}

static ipfsa_status ended(serving *s, const ipfsa_container *c, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf said = {0}, words = {0};
  ipfsa_container_logs_options o = {.struct_size = sizeof o, .tail = 20};
  (void)!ipfsa_container_logs(s->engine, c->id, &o, keep_said, &said, NULL); /* without it the code alone is told */
  ipfsa_server_quote(NULL, last_line(&said), &words);
  return ipfsa_fail(err, IPFSA_E_IO, "the server in container %.200s ended with code %lld%s", c->name, (long long)c->exit_code, ipfsa_buf_cstr(&words));
}

static ipfsa_status check_runs(serving *s, const char *name, ipfsa_error *err) {
  ipfsa_container *c = NULL;
  ipfsa_status status = ipfsa_container_get(s->engine, name, &c, err);
  if (status == IPFSA_OK && strcmp(c->state, "running") != 0 && strcmp(c->state, "created") != 0) status = ended(s, c, err);
  ipfsa_container_free(c);
  return status;
}

static bool is_cancelled(void *ctx) {
  const serving *s = ctx;
  return ipfsa_node_is_cancelled(s->m.node) || (s->o->progress && s->o->progress(s->o->progress_ctx, &(ipfsa_progress){0}) != 0);
}

static ipfsa_status await(serving *s, ipfsa_server *server, ipfsa_error *err) {
  const char *name = s->o->name ? s->o->name : s->container;
  uint64_t end = ipfsa_clock_monotonic_ns() + server->timeout_ms * 1000000, pause = FIRST_PAUSE_MS;
  for (;;) {
    bool ready = false;
    uint64_t before = ipfsa_clock_monotonic_ns();
    ipfsa_status status = ipfsa_serving_probe(s->what, server, s->m.name, &ready, err);
    s->health_ns = ipfsa_clock_monotonic_ns() - before;
    if (status || ready) return status;
    status = check_runs(s, name, err);
    if (status == IPFSA_OK) status = ipfsa_server_pause(server, pause, err);
    if (status) return status;
    if (ipfsa_clock_monotonic_ns() >= end)
      return ipfsa_fail(err, IPFSA_E_TIMEOUT, "the server in container %.200s does not serve %.200s after %llu s; see its log with `container logs`, or give it more time", name, s->m.name,
                        (unsigned long long)(server->timeout_ms / 1000));
    pause = pause * 2 < LAST_PAUSE_MS ? pause * 2 : LAST_PAUSE_MS;
  }
}

/* Of a server that is uploaded to, ready means that the driver says so. */
static ipfsa_status upload(serving *s, ipfsa_server *server, ipfsa_error *err) {
  char timeout[32];
  snprintf(timeout, sizeof timeout, "%llu", (unsigned long long)(server->timeout_ms / 1000 + 1));
  char none[1] = "", kind[16], name[] = "serve in a container"; /* no name that the configuration can have */
  snprintf(kind, sizeof kind, "%s", s->what->kind);
  ipfsa_endpoint e = {.name = name, .kind = kind, .url = (char *)(uintptr_t)ipfsa_buf_cstr(&s->url), .host = none, .port = none, .model_dir = none, .server_dir = none,
                      .layout = none, .socket = none, .sealed = none, .timeout = timeout}; /* borrowed: not released */
  ipfsa_dispatch_options o = {.struct_size = sizeof o, .name = s->m.name, .allow_pickle = s->o->allow_pickle, .progress = s->o->progress, .progress_ctx = s->o->progress_ctx};
  ipfsa_dispatched *done = NULL;
  ipfsa_status status = ipfsa_dispatch_to(s->m.node, s->m.node->config, &e, s->m.path, &o, &done, err);
  if (status) return status;
  ipfsa_buf_clear(&s->way);
  ipfsa_buf_str(&s->way, done->way);
  s->health_ns = (uint64_t)(done->health_ms * 1e6);
  ipfsa_dispatched_free(done);
  return ipfsa_buf_status(&s->way, err);
}

/* Also when the engine was cancelled. What fails here comes second to what is told. */
static void remove_container(serving *s) {
  const char *name = s->o->name ? s->o->name : s->container;
  if (ipfsa_container_delete(s->engine, name, true, true, NULL) == IPFSA_OK) (void)!ipfsa_mounts_forget(s->m.node, s->engine, name, NULL);
}

static ipfsa_status run(serving *s, ipfsa_error *err) {
  ipfsa_server *server = NULL;
  uint64_t timeout = s->o->timeout_ms ? (uint64_t)s->o->timeout_ms : TIMEOUT_MS;
  ipfsa_status status = start(s, err);
  if (status) return status;
  status = ipfsa_server_open(&(ipfsa_server_settings){.url = ipfsa_buf_cstr(&s->url), .timeout_ms = timeout, .cancelled = is_cancelled, .cancelled_ctx = s}, &server, err);
  if (status == IPFSA_OK) status = await(s, server, err);
  if (status == IPFSA_OK && !s->what->models_dir) status = upload(s, server, err);
  ipfsa_server_close(server);
  return status;
}

/* ---- the answer ---- */

typedef struct served_box { /* what a caller gets is its first member */
  ipfsa_served view;
  char *texts[5]; /* model, container, image, url, way */
} served_box;

void ipfsa_served_free(ipfsa_served *served) {
  served_box *box = (served_box *)served;
  for (size_t i = 0; box && i < 5; i++) ipfsa_free(box->texts[i]);
  ipfsa_free(box);
}

static ipfsa_status answer(serving *s, ipfsa_served **ret, ipfsa_error *err) {
  const char *texts[] = {s->m.name, s->o->name ? s->o->name : s->container, s->image, ipfsa_buf_cstr(&s->url), ipfsa_buf_cstr(&s->way)};
  served_box *box = ipfsa_calloc(1, sizeof *box);
  bool whole = box;
  for (size_t i = 0; box && i < 5; i++) whole &= (box->texts[i] = ipfsa_strdup(texts[i])) != NULL;
  if (!whole) {
    ipfsa_served_free((ipfsa_served *)box);
    return ipfsa_fail_nomem(err);
  }
  box->view = (ipfsa_served){s->m.cid, s->what->kind, box->texts[0], box->texts[1], box->texts[2], box->texts[3], box->texts[4], s->changed, (double)s->health_ns / 1e6};
  *ret = &box->view;
  return IPFSA_OK;
}

static ipfsa_status choose_server(serving *s, ipfsa_error *err) {
  const char *server = s->o->server ? s->o->server : "";
  s->what = ipfsa_serving_find(server);
  if (!s->what) return ipfsa_fail(err, IPFSA_E_INVALID, "server \"%.60s\"; expected ollama, llamacpp, vllm, sglang, triton or mlserver", server);
  s->image = s->o->image ? s->o->image : s->what->image;
  if (!s->image) return ipfsa_fail(err, IPFSA_E_INVALID, "Triton's images have a tag a month and no latest one; name one with --image=nvcr.io/nvidia/tritonserver:YY.MM-py3");
  if (s->o->timeout_ms < 0) return ipfsa_fail(err, IPFSA_E_INVALID, "a negative time limit");
  if (ipfsa_engine_is_local(s->engine)) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "a model is served where the engine is on this machine; run the program there");
}

ipfsa_status ipfsa_serve(ipfsa_node *node, ipfsa_engine *engine, const char *path, const ipfsa_serve_options *options, ipfsa_served **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_serve_options o = IPFSA_OPTIONS(ipfsa_serve_options, options);
  serving s = {.engine = engine, .o = &o, .m = {.node = node, .path = path}};
  ipfsa_lease *lease = NULL;
  if (node->read_only) return ipfsa_fail(err, IPFSA_E_READ_ONLY, "the repo is open for reading only");
  ipfsa_status status = choose_server(&s, err);
  if (status == IPFSA_OK) status = find_model(&s, err);
  if (status == IPFSA_OK) status = ipfsa_lease_new(node->store, &lease, err);
  if (status == IPFSA_OK) status = ipfsa_lease_add(lease, &s.m.cid, err);
  if (status == IPFSA_OK) status = run(&s, err);
  if (status == IPFSA_OK) status = answer(&s, ret, err);
  if (status && s.changed) remove_container(&s);
  ipfsa_buf_release(&s.url);
  ipfsa_buf_release(&s.way);
  ipfsa_model_release(&s.m);
  ipfsa_lease_free(lease);
  return status;
}
