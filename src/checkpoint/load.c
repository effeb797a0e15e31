/* Which format, which files: from what a place has to an open checkpoint. */
#include "base/alloc.h"
#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/safetensors.h"

#define MAGIC 16 /* bytes that tell the formats */

static bool ends_with(const char *name, const char *end) {
  size_t n = strlen(name), m = strlen(end);
  return n >= m && strcmp(name + n - m, end) == 0;
}

/* ---- one file ---- */

typedef struct magic {
  uint8_t bytes[MAGIC];
  size_t len;
} magic;

static ipfsa_status read_magic(ipfsa_source *source, magic *ret, ipfsa_error *err) {
  ret->len = source->size_hint < MAGIC ? (size_t)source->size_hint : MAGIC;
  return ret->len ? source->read_at(source, ret->bytes, ret->len, 0, err) : IPFSA_OK;
}

static bool begins(const magic *m, const char *with, size_t len) { return m->len >= len && memcmp(m->bytes, with, len) == 0; }

/* A header of safetensors begins with { behind its length, which is small for its place. */
static bool is_safetensors(const char *name, const magic *m) {
  if (ends_with(name, ".safetensors")) return true;
  return m->len >= 9 && m->bytes[5] == 0 && m->bytes[6] == 0 && m->bytes[7] == 0 && (m->bytes[8] == '{' || m->bytes[8] == ' ');
}

static ipfsa_status load_shard(ipfsa_checkpoint *cp, ipfsa_shard *s, ipfsa_error *err) {
  magic m;
  ipfsa_status status = read_magic(s->source, &m, err);
  if (status) return status;
  if (begins(&m, "GGUF", 4)) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "GGUF files are not read yet");
  if (begins(&m, "PK\3\4", 4)) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "PyTorch files are not read yet");
  if (!is_safetensors(s->name, &m)) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "no checkpoint: it begins like none that is known (safetensors)");
  cp->format = IPFSA_CHECKPOINT_SAFETENSORS;
  return ipfsa_safetensors_parse(s->source, s->size, &s->tensors, &s->data, &cp->metadata, err);
}

static ipfsa_status take_shard(ipfsa_checkpoint *cp, const char *name, ipfsa_source *source, ipfsa_error *err) {
  ipfsa_shard *s = NULL;
  ipfsa_status status = ipfsa_checkpoint_add_shard(cp, name, source, &s, err);
  if (status == IPFSA_OK) status = load_shard(cp, s, err);
  return status && *name ? ipfsa_error_prefix(err, status, "%s", name) : status;
}

static ipfsa_status open_shard(ipfsa_checkpoint_place *place, ipfsa_checkpoint *cp, const char *name, ipfsa_error *err) {
  ipfsa_source *source = NULL;
  ipfsa_status status = place->open(place, name, &source, err);
  return status ? status : take_shard(cp, name, source, err);
}

static void count(ipfsa_checkpoint *cp) {
  for (size_t i = 0; i < cp->n_shards; i++) {
    ipfsa_shard *s = &cp->shards[i];
    s->first = cp->n_tensors;
    cp->n_tensors += s->tensors.n;
    for (size_t k = 0; k < s->tensors.n; k++) cp->tensor_bytes += s->tensors.items[k].end - s->tensors.items[k].begin;
  }
}

/* ---- which of a folder's files ---- */

typedef struct choice {
  char name[IPFSA_MAX_SHARD_NAME + 1];
  size_t n;
} choice;

static bool note_name(void *ctx, const char *name) {
  choice *c = ctx;
  if (!ends_with(name, ".safetensors") || strlen(name) > IPFSA_MAX_SHARD_NAME) return true;
  if (c->n++ == 0) memcpy(c->name, name, strlen(name) + 1);
  return true;
}

static ipfsa_status choose(ipfsa_checkpoint_place *place, choice *ret, ipfsa_error *err) {
  ipfsa_status status = place->list(place, note_name, ret, err);
  if (status) return status;
  if (ret->n == 0) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "the folder has no checkpoint: no file of it ends in .safetensors");
  if (ret->n > 1) return ipfsa_fail(err, IPFSA_E_INVALID, "the folder has %zu checkpoints and no index: name one, as FOLDER/%s", ret->n, ret->name);
  return IPFSA_OK;
}

ipfsa_status ipfsa_checkpoint_load(ipfsa_checkpoint_place *place, const char *name, ipfsa_checkpoint **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_checkpoint *cp = ipfsa_calloc(1, sizeof *cp);
  if (!cp) return ipfsa_fail_nomem(err);
  choice chosen = {0};
  ipfsa_status status = name ? IPFSA_OK : choose(place, &chosen, err);
  if (status == IPFSA_OK) status = open_shard(place, cp, name ? name : chosen.name, err);
  if (status) {
    ipfsa_checkpoint_close(cp);
    return status;
  }
  count(cp);
  *ret = cp;
  return IPFSA_OK;
}

ipfsa_status ipfsa_checkpoint_load_file(ipfsa_source *source, const char *name, ipfsa_checkpoint **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_checkpoint *cp = ipfsa_calloc(1, sizeof *cp);
  if (!cp) {
    ipfsa_source_close(source);
    return ipfsa_fail_nomem(err);
  }
  ipfsa_status status = take_shard(cp, name, source, err);
  if (status) {
    ipfsa_checkpoint_close(cp);
    return status;
  }
  count(cp);
  *ret = cp;
  return IPFSA_OK;
}
