/* Which format, which files: from what a place has to an open checkpoint. */
#include "base/alloc.h"
#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/gguf.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/torch.h"

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

static ipfsa_status load_gguf(ipfsa_checkpoint *cp, ipfsa_shard *s, ipfsa_pairs *metadata, ipfsa_error *err) {
  ipfsa_gguf g = {0};
  ipfsa_status status = ipfsa_gguf_parse(s->source, s->size, &g, metadata, err);
  if (status) return status;
  s->tensors = g.tensors;
  s->data = g.data;
  s->is_split = g.is_split && g.split_count > 1;
  s->split_no = g.is_split ? g.split_no : 0;
  s->split_count = g.split_count;
  s->split_tensors = g.split_tensors;
  if (!g.is_quantized || g.has_quantization || s->split_no) return IPFSA_OK;
  return ipfsa_checkpoint_warn(cp, err, "%s has quantised tensors and no general.quantization_version", s->name);
}

/* What torch.save wrote before it wrote zips: nothing in it is looked at. */
static ipfsa_status load_pickle(ipfsa_shard *s, ipfsa_error *err) {
  ipfsa_tensor_record *r;
  const ipfsa_tensor_record *twice = NULL;
  s->tensors.text = ipfsa_malloc(1);
  ipfsa_status status = s->tensors.text ? ipfsa_tensors_add(&s->tensors, &r, err) : ipfsa_fail_nomem(err);
  if (status == IPFSA_OK) status = ipfsa_tensors_add_dim(&s->tensors, s->size, err);
  if (status) return status;
  r->rank = 1;
  r->end = s->size;
  return ipfsa_tensors_index(&s->tensors, &twice, err);
}

static ipfsa_status find_format(const ipfsa_shard *s, ipfsa_checkpoint_format *ret, ipfsa_error *err) {
  magic m;
  ipfsa_status status = read_magic(s->source, &m, err);
  if (status) return status;
  if (begins(&m, "GGUF", 4)) *ret = IPFSA_CHECKPOINT_GGUF;
  else if (begins(&m, "PK\3\4", 4)) *ret = IPFSA_CHECKPOINT_TORCH;
  else if (begins(&m, "\x80\2\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14)) *ret = IPFSA_CHECKPOINT_PICKLE;
  else if (is_safetensors(s->name, &m)) *ret = IPFSA_CHECKPOINT_SAFETENSORS;
  else return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "no checkpoint: it begins like none that is known (safetensors, GGUF, the zip of torch.save)");
  return IPFSA_OK;
}

static ipfsa_status load_shard(ipfsa_checkpoint *cp, ipfsa_shard *s, ipfsa_error *err) {
  ipfsa_checkpoint_format format = IPFSA_CHECKPOINT_SAFETENSORS;
  ipfsa_pairs others = {0}, *metadata = cp->n_shards == 1 ? &cp->metadata : &others;
  ipfsa_status status = find_format(s, &format, err);
  if (status == IPFSA_OK && cp->n_shards > 1 && format != cp->format)
    status = ipfsa_fail(err, IPFSA_E_MALFORMED, "a %s file in a set of %s files", ipfsa_checkpoint_format_name(format), ipfsa_checkpoint_format_name(cp->format));
  if (status) return status;
  cp->format = format;
  if (format == IPFSA_CHECKPOINT_GGUF) status = load_gguf(cp, s, metadata, err);
  else if (format == IPFSA_CHECKPOINT_TORCH) status = ipfsa_torch_parse(s->source, s->size, &s->tensors, err);
  else if (format == IPFSA_CHECKPOINT_PICKLE) status = load_pickle(s, err);
  else status = ipfsa_safetensors_parse(s->source, s->size, &s->tensors, &s->data, metadata, err);
  ipfsa_pairs_release(&others);
  return status;
}

static ipfsa_status take_shard(ipfsa_checkpoint *cp, const char *name, ipfsa_source *source, ipfsa_error *err) {
  ipfsa_shard *s = NULL;
  ipfsa_status status = ipfsa_checkpoint_add_shard(cp, name, source, &s, err);
  if (status == IPFSA_OK) status = load_shard(cp, s, err);
  return status && *name ? ipfsa_error_prefix(err, status, "%s", name) : status;
}

ipfsa_status ipfsa_checkpoint_open_shard(ipfsa_checkpoint_place *place, ipfsa_checkpoint *cp, const char *name, ipfsa_error *err) {
  ipfsa_source *source = NULL;
  ipfsa_status status = place->open(place, name, &source, err);
  return status ? status : take_shard(cp, name, source, err);
}

/* ---- which of a folder's files ---- */

/* What a name says that a file is, the best first. */
typedef enum kind { INDEX, SAFETENSORS, GGUF, TORCH_INDEX, TORCH, N_KINDS } kind;
typedef struct choice {
  char name[N_KINDS][IPFSA_MAX_SHARD_NAME + 1]; /* the first of each kind */
  size_t n[N_KINDS];
} choice;

/* Side files of GGUF (projectors, extra heads) and parts behind the first are found through the main file. */
static bool is_main_gguf(const char *name) {
  size_t prefix;
  unsigned no, n;
  if (!ends_with(name, ".gguf") || strncmp(name, "mmproj-", 7) == 0 || strncmp(name, "mtp-", 4) == 0) return false;
  return !ipfsa_gguf_part_name(name, &prefix, &no, &n) || no == 1;
}

static kind kind_of(const char *name) {
  if (ends_with(name, ".safetensors.index.json")) return INDEX;
  if (ends_with(name, ".safetensors")) return SAFETENSORS;
  if (is_main_gguf(name)) return GGUF;
  if (ends_with(name, ".bin.index.json")) return TORCH_INDEX;
  return strcmp(name, "pytorch_model.bin") == 0 || ends_with(name, ".pt") || ends_with(name, ".pth") ? TORCH : N_KINDS; /* other .bin are anything */
}

static bool note_name(void *ctx, const char *name) {
  choice *c = ctx;
  kind k = kind_of(name);
  if (k == N_KINDS || strlen(name) > IPFSA_MAX_SHARD_NAME) return true;
  if (c->n[k]++ == 0) memcpy(c->name[k], name, strlen(name) + 1);
  return true;
}

static ipfsa_status choose(ipfsa_checkpoint_place *place, choice *all, const char **ret, ipfsa_error *err) {
  ipfsa_status status = place->list(place, note_name, all, err);
  if (status) return status;
  for (int k = 0; k < N_KINDS; k++) {
    if (all->n[k] == 0) continue;
    if (all->n[k] > 1) return ipfsa_fail(err, IPFSA_E_INVALID, "the folder has %zu checkpoints like %s: name one, as FOLDER/%s", all->n[k], all->name[k], all->name[k]);
    *ret = all->name[k];
    return IPFSA_OK;
  }
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "the folder has no checkpoint: no file of it ends in .safetensors, .gguf, .index.json, .pt or .pth, or is pytorch_model.bin");
}

static ipfsa_status load(ipfsa_checkpoint_place *place, const char *name, ipfsa_checkpoint *cp, ipfsa_error *err) {
  choice all = {0};
  ipfsa_status status = name ? IPFSA_OK : choose(place, &all, &name, err);
  if (status) return status;
  if (ends_with(name, ".index.json")) return ipfsa_checkpoint_load_index(place, name, cp, err);
  status = ipfsa_checkpoint_open_shard(place, cp, name, err);
  return status == IPFSA_OK && cp->shards[0].is_split ? ipfsa_checkpoint_load_parts(place, cp, err) : status;
}

ipfsa_status ipfsa_checkpoint_load(ipfsa_checkpoint_place *place, const char *name, ipfsa_checkpoint **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_checkpoint *cp = ipfsa_calloc(1, sizeof *cp);
  if (!cp) return ipfsa_fail_nomem(err);
  ipfsa_status status = load(place, name, cp, err);
  if (status == IPFSA_OK) status = ipfsa_checkpoint_index(cp, err);
  if (status) {
    ipfsa_checkpoint_close(cp);
    return status;
  }
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
  if (status == IPFSA_OK) status = ipfsa_checkpoint_index(cp, err);
  if (status) {
    ipfsa_checkpoint_close(cp);
    return status;
  }
  *ret = cp;
  return IPFSA_OK;
}
