/* ollama: blobs by their digests, a model made of them, loaded.
 *
 * What the server has is not sent. A file's digest is known only when it was read once, so it is read twice, verified both times; the mark of the last
 * success (CID and the digest that the server lists for the model) saves the first pass as well. Facts: ollama: docs/api.md, server/create.go. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "dispatch/driver.h"
#include "hash/hash.h"

#define PIECE (1u << 20)
#define MAX_FILES 1024u /* the server's own limit */

typedef struct sending {
  ipfsa_delivery *d;
  const ipfsa_model_file *file;
  uint64_t done, total; /* of all work: each byte is hashed, then sent */
} sending;

static bool ends_with(const char *text, const char *suffix) {
  size_t len = strlen(text), tail = strlen(suffix);
  return len >= tail && strcmp(text + len - tail, suffix) == 0;
}

/* Of GGUF the files alone; of safetensors also what stands around them at the top of the folder: the server converts by it. */
static bool is_wanted(const ipfsa_delivery *d, const ipfsa_model_file *file) {
  if (!d->is_folder) return true;
  if (d->format == IPFSA_CHECKPOINT_GGUF) return ends_with(file->path, ".gguf");
  if (strchr(file->path, '/')) return false;
  return ends_with(file->path, ".safetensors") || ends_with(file->path, ".json") || ends_with(file->path, ".jinja") || strcmp(file->path, "tokenizer.model") == 0;
}

static ipfsa_status advance(sending *s, uint64_t n, ipfsa_error *err) {
  s->done += n;
  return s->d->calls->tell(s->d->ctx, s->done, s->total) ? ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled") : IPFSA_OK;
}

/* ---- one file ---- */

static ipfsa_status find_digest(sending *s, char ret[72], ipfsa_error *err) {
  IPFSA_AUTO_FREE uint8_t *room = ipfsa_malloc(PIECE);
  ipfsa_sha256_stream sha;
  uint8_t digest[32];
  ipfsa_status status = room ? IPFSA_OK : ipfsa_fail_nomem(err);
  ipfsa_sha256_init(&sha);
  for (uint64_t off = 0; off < s->file->size && status == IPFSA_OK;) {
    size_t n = 0;
    status = s->d->calls->read(s->d->ctx, s->file, off, room, PIECE, &n, err);
    if (status == IPFSA_OK) status = advance(s, n, err);
    ipfsa_sha256_update(&sha, room, n);
    off += n;
  }
  ipfsa_sha256_final(&sha, digest);
  memcpy(ret, "sha256:", 7);
  for (int i = 0; i < 32; i++) snprintf(ret + 7 + 2 * i, 3, "%02x", digest[i]);
  return status;
}

static ipfsa_status read_piece(void *ctx, uint64_t off, void *data, size_t room, size_t *ret_len, ipfsa_error *err) {
  sending *s = ctx;
  ipfsa_status status = s->d->calls->read(s->d->ctx, s->file, off, data, room, ret_len, err);
  return status ? status : advance(s, *ret_len, err);
}

static ipfsa_status send_file(sending *s, const char *digest, ipfsa_error *err) {
  ipfsa_delivery *d = s->d;
  char target[128];
  int answered = 0;
  snprintf(target, sizeof target, "/api/blobs/%s", digest);
  ipfsa_status status = ipfsa_server_ask(d->server, &(ipfsa_ask){.method = "HEAD", .target = target, .may_miss = true}, &answered, NULL, err);
  if (status || answered != 404) return status ? status : advance(s, s->file->size, err);
  ipfsa_ask ask = {.method = "POST", .target = target, .read_body = read_piece, .read_body_ctx = s, .body_len = s->file->size, .is_transfer = true};
  status = ipfsa_server_ask(d->server, &ask, NULL, NULL, err);
  if (status) return ipfsa_error_prefix(err, status, "%.200s", s->file->path);
  d->transferred = true;
  d->bytes += s->file->size;
  d->way = "upload";
  return IPFSA_OK;
}

static ipfsa_status send_files(ipfsa_delivery *d, json_t *files, ipfsa_error *err) {
  sending s = {.d = d};
  ipfsa_status status = IPFSA_OK;
  size_t n = 0;
  for (size_t i = 0; i < d->n_files; i++)
    if (is_wanted(d, &d->files[i])) s.total += 2 * d->files[i].size, n++;
  if (n > MAX_FILES) return ipfsa_fail(err, IPFSA_E_LIMIT, "%zu files; Ollama takes %u for a model", n, MAX_FILES);
  for (size_t i = 0; i < d->n_files && status == IPFSA_OK; i++) {
    char digest[72];
    s.file = &d->files[i];
    if (!is_wanted(d, s.file)) continue;
    status = find_digest(&s, digest, err);
    if (status == IPFSA_OK) status = send_file(&s, digest, err);
    if (status == IPFSA_OK && json_object_set_new(files, s.file->path, json_string(digest))) status = ipfsa_fail_nomem(err);
  }
  return status;
}

/* ---- the model ---- */

typedef struct creating {
  const ipfsa_delivery *d;
  bool done;
} creating;

static ipfsa_status take_step(void *ctx, const json_t *line, ipfsa_error *err) {
  creating *c = ctx;
  IPFSA_AUTO_BUF ipfsa_buf words = {0};
  const char *text = json_string_value(json_object_get(line, "status"));
  if (c->d->calls->tell(c->d->ctx, UINT64_MAX, 0)) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  if (!json_object_get(line, "error")) {
    c->done = text && strcmp(text, "success") == 0;
    return IPFSA_OK;
  }
  ipfsa_server_quote(c->d->server, ipfsa_server_words(line), &words);
  return ipfsa_fail(err, IPFSA_E_INVALID, "the server does not make the model%s", ipfsa_buf_cstr(&words));
}

static ipfsa_status create(ipfsa_delivery *d, json_t *files, ipfsa_error *err) {
  creating c = {.d = d};
  IPFSA_AUTO_JSON_DROP json_t *body = json_pack("{s:s, s:O, s:b}", "model", d->model, "files", files, "stream", 1);
  if (!body) return ipfsa_fail_nomem(err);
  ipfsa_status status = ipfsa_server_ask_lines(d->server, &(ipfsa_ask){.method = "POST", .target = "/api/create", .json = body, .is_transfer = true}, take_step, &c, err);
  if (status == IPFSA_OK && !c.done) status = ipfsa_fail(err, IPFSA_E_IO, "POST %.200s/api/create: its answer ends before it says success", d->server->url);
  return status;
}

/* "model" is listed as "model:latest", perhaps in other capitals. */
static bool is_called(const ipfsa_delivery *d, const char *name) {
  size_t len = strlen(d->model);
  return name && strncasecmp(name, d->model, len) == 0 && (name[len] == '\0' || strcmp(name + len, ":latest") == 0);
}

static const json_t *find_listed(const ipfsa_delivery *d, const json_t *answer) {
  const json_t *list = json_object_get(answer, "models"), *item;
  size_t i;
  json_array_foreach(list, i, item)
    if (is_called(d, json_string_value(json_object_get(item, "name"))) || is_called(d, json_string_value(json_object_get(item, "model")))) return item;
  return NULL;
}

/* *ret: "CID DIGEST" as the server stands now; "" without such a model. */
static ipfsa_status find_mark(ipfsa_delivery *d, ipfsa_buf *ret, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *answer = NULL;
  ipfsa_status status = ipfsa_server_ask(d->server, &(ipfsa_ask){.target = "/api/tags"}, NULL, &answer, err);
  if (status == IPFSA_E_NOT_FOUND) return ipfsa_error_prefix(err, IPFSA_E_NOT_SUPPORTED, "this is no Ollama");
  if (status) return status;
  if (!json_is_array(json_object_get(answer, "models"))) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "GET %.200s/api/tags lists no models: this is no Ollama", d->server->url);
  const char *digest = json_string_value(json_object_get(find_listed(d, answer), "digest"));
  if (digest) ipfsa_buf_printf(ret, "%s %.80s", d->cid, digest);
  return ipfsa_buf_status(ret, err);
}

static ipfsa_status is_there(ipfsa_delivery *d, bool *ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf now = {0};
  IPFSA_AUTO_FREE char *then = NULL;
  ipfsa_status status = find_mark(d, &now, err);
  if (status == IPFSA_OK) status = d->calls->recall(d->ctx, d->server->url, d->model, &then, err);
  *ret = status == IPFSA_OK && now.len && strcmp(ipfsa_buf_cstr(&now), then) == 0;
  return status;
}

static ipfsa_status make(ipfsa_delivery *d, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *files = json_object();
  IPFSA_AUTO_BUF ipfsa_buf mark = {0};
  if (d->format != IPFSA_CHECKPOINT_GGUF && d->format != IPFSA_CHECKPOINT_SAFETENSORS)
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "Ollama takes GGUF and safetensors, and this is %s; convert it first", ipfsa_checkpoint_format_name(d->format));
  ipfsa_status status = files ? send_files(d, files, err) : ipfsa_fail_nomem(err);
  if (status == IPFSA_OK) status = create(d, files, err);
  if (status == IPFSA_OK) status = find_mark(d, &mark, err);
  if (status == IPFSA_OK && !mark.len) status = ipfsa_fail(err, IPFSA_E_IO, "the server says success and does not list %.200s", d->model);
  return status ? status : d->calls->remember(d->ctx, d->server->url, d->model, ipfsa_buf_cstr(&mark), err);
}

/* A model that only embeds has no other way to be loaded. */
static ipfsa_status load(ipfsa_delivery *d, ipfsa_error *err) {
  ipfsa_error embeds = {0};
  IPFSA_AUTO_JSON_DROP json_t *body = json_pack("{s:s, s:b}", "model", d->model, "stream", 0);
  IPFSA_AUTO_JSON_DROP json_t *input = json_pack("{s:s, s:s}", "model", d->model, "input", "");
  if (!body || !input) return ipfsa_fail_nomem(err);
  ipfsa_status status = ipfsa_server_ask(d->server, &(ipfsa_ask){.method = "POST", .target = "/api/generate", .json = body, .is_long = true}, NULL, NULL, err);
  if (status != IPFSA_E_INVALID || !strstr(err->message, "does not support generate")) return status;
  status = ipfsa_server_ask(d->server, &(ipfsa_ask){.method = "POST", .target = "/api/embed", .json = input, .is_long = true}, NULL, NULL, &embeds);
  if (status) *err = embeds;
  return status;
}

static ipfsa_status probe(ipfsa_delivery *d, bool *ret, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *answer = NULL;
  ipfsa_status status = ipfsa_server_ask(d->server, &(ipfsa_ask){.target = "/api/ps"}, NULL, &answer, err);
  *ret = status == IPFSA_OK && find_listed(d, answer);
  return status;
}

static ipfsa_status bring(ipfsa_delivery *d, ipfsa_error *err) {
  bool there = false, loaded = false;
  ipfsa_status status = is_there(d, &there, err);
  if (status == IPFSA_OK && !there) status = make(d, err);
  if (status == IPFSA_OK && there) status = ipfsa_delivery_is_ready(d, &loaded, err);
  if (status == IPFSA_OK && !loaded) status = load(d, err);
  if (status == IPFSA_OK && !loaded) status = ipfsa_delivery_await(d, "/api/ps does not list it", err);
  if (status) return status;
  d->placed.path = ipfsa_strdup(d->server->url);
  return d->placed.path ? IPFSA_OK : ipfsa_fail_nomem(err);
}

const ipfsa_driver ipfsa_driver_ollama = {.kind = "ollama", .port = 11434, .bring = bring, .probe = probe};
