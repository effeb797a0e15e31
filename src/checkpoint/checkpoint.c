/* An open checkpoint, looked at. */
#include "checkpoint/checkpoint.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/error.h"

const char *ipfsa_checkpoint_format_name(ipfsa_checkpoint_format format) {
  switch (format) {
  case IPFSA_CHECKPOINT_SAFETENSORS: return "safetensors";
  case IPFSA_CHECKPOINT_GGUF: return "gguf";
  case IPFSA_CHECKPOINT_TORCH: return "torch";
  case IPFSA_CHECKPOINT_PICKLE: return "pickle";
  }
  return "unknown";
}

void ipfsa_checkpoint_clear(ipfsa_checkpoint *cp) {
  for (size_t i = 0; i < cp->n_shards; i++) {
    ipfsa_free(cp->shards[i].name);
    ipfsa_source_close(cp->shards[i].source);
    ipfsa_tensors_release(&cp->shards[i].tensors);
  }
  for (size_t i = 0; i < cp->n_warnings; i++) ipfsa_free(cp->warnings[i]);
  ipfsa_free(cp->shards);
  ipfsa_free(cp->warnings);
  ipfsa_pairs_release(&cp->metadata);
  ipfsa_free(cp->names);
  ipfsa_free(cp->opened_as);
  *cp = (ipfsa_checkpoint){0};
}

void ipfsa_checkpoint_end(ipfsa_checkpoint *cp) {
  if (!cp) return;
  ipfsa_checkpoint_clear(cp);
  ipfsa_free(cp);
}

void ipfsa_checkpoint_close(ipfsa_checkpoint *cp) {
  if (cp && cp->keep && cp->keep(cp->keep_ctx, cp)) return;
  ipfsa_checkpoint_end(cp);
}

bool ipfsa_checkpoint_rest(ipfsa_checkpoint *cp) {
  bool all = cp->n_shards > 0;
  for (size_t i = 0; all && i < cp->n_shards; i++) all = cp->shards[i].source->rest && cp->shards[i].source->rest(cp->shards[i].source);
  return all;
}

bool ipfsa_checkpoint_wake(ipfsa_checkpoint *cp) {
  bool all = true;
  for (size_t i = 0; all && i < cp->n_shards; i++) all = cp->shards[i].source->wake(cp->shards[i].source);
  return all;
}

ipfsa_status ipfsa_checkpoint_add_shard(ipfsa_checkpoint *cp, const char *name, ipfsa_source *source, ipfsa_shard **ret, ipfsa_error *err) {
  char *copy = ipfsa_strdup(name);
  if (!copy || !ipfsa_grow((void **)&cp->shards, &cp->shards_cap, cp->n_shards + 1, sizeof *cp->shards)) {
    ipfsa_free(copy);
    ipfsa_source_close(source);
    return ipfsa_fail_nomem(err);
  }
  cp->shards[cp->n_shards] = (ipfsa_shard){.name = copy, .source = source, .size = source->size_hint};
  *ret = &cp->shards[cp->n_shards++];
  return IPFSA_OK;
}

ipfsa_status ipfsa_checkpoint_warn(ipfsa_checkpoint *cp, ipfsa_error *err, const char *format, ...) {
  char line[sizeof err->message];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  char *copy = ipfsa_strdup(line);
  if (!copy || !ipfsa_grow((void **)&cp->warnings, &cp->warnings_cap, cp->n_warnings + 1, sizeof *cp->warnings)) {
    ipfsa_free(copy);
    return ipfsa_fail_nomem(err);
  }
  cp->warnings[cp->n_warnings++] = copy;
  return IPFSA_OK;
}

const ipfsa_dtype *ipfsa_checkpoint_dtype(const ipfsa_checkpoint *cp, uint8_t id) {
  if (cp->format == IPFSA_CHECKPOINT_TORCH || cp->format == IPFSA_CHECKPOINT_PICKLE) return &ipfsa_dtype_storage;
  return cp->format == IPFSA_CHECKPOINT_GGUF ? ipfsa_dtype_gguf(id) : ipfsa_dtype_safetensors(id);
}

ipfsa_checkpoint_format ipfsa_checkpoint_format_of(const ipfsa_checkpoint *cp) { return cp->format; }
uint64_t ipfsa_checkpoint_n_tensors(const ipfsa_checkpoint *cp) { return cp->n_tensors; }
uint64_t ipfsa_checkpoint_tensor_bytes(const ipfsa_checkpoint *cp) { return cp->tensor_bytes; }

void ipfsa_checkpoint_describe(const ipfsa_checkpoint *cp, size_t shard, const ipfsa_tensor_record *r, ipfsa_tensor *ret) {
  const ipfsa_shard *s = &cp->shards[shard];
  ipfsa_bytes name = ipfsa_tensors_name(&s->tensors, r);
  *ret = (ipfsa_tensor){(const char *)name.data, name.len, ipfsa_checkpoint_dtype(cp, r->dtype)->name, s->tensors.dims ? s->tensors.dims + r->shape : NULL,
                        r->rank, (uint32_t)shard, s->data + r->begin, r->end - r->begin};
}

bool ipfsa_checkpoint_tensor(const ipfsa_checkpoint *cp, uint64_t i, ipfsa_tensor *ret) {
  if (i >= cp->n_tensors) return false;
  size_t low = 0, high = cp->n_shards; /* the last shard whose first is ≤ i; empty ones have the same first as the next */
  while (high - low > 1) {
    size_t mid = low + (high - low) / 2;
    if (cp->shards[mid].first <= i) low = mid;
    else high = mid;
  }
  ipfsa_checkpoint_describe(cp, low, &cp->shards[low].tensors.items[i - cp->shards[low].first], ret);
  return true;
}

bool ipfsa_checkpoint_shard_row(const ipfsa_checkpoint *cp, size_t i, ipfsa_checkpoint_shard *ret) {
  if (i >= cp->n_shards) return false;
  const ipfsa_shard *s = &cp->shards[i];
  *ret = (ipfsa_checkpoint_shard){s->name, s->size, s->data, s->tensors.n};
  return true;
}

bool ipfsa_checkpoint_metadata_row(const ipfsa_checkpoint *cp, size_t i, ipfsa_checkpoint_pair *ret) {
  if (i >= cp->metadata.n) return false;
  const ipfsa_pair *p = &cp->metadata.items[i];
  const char *text = (const char *)cp->metadata.text.data;
  *ret = (ipfsa_checkpoint_pair){text ? text + p->key : "", text ? text + p->value : "", p->key_len, p->value_len};
  return true;
}

const char *ipfsa_checkpoint_warning(const ipfsa_checkpoint *cp, size_t i) { return i < cp->n_warnings ? cp->warnings[i] : NULL; }

static ipfsa_status check_range(const ipfsa_checkpoint *cp, const ipfsa_tensor *tensor, uint64_t off, uint64_t len, ipfsa_error *err) {
  if (tensor->shard < cp->n_shards && off <= tensor->size && len <= tensor->size - off) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_INVALID, "bytes %llu to %llu of a tensor that has %llu", (unsigned long long)off, (unsigned long long)(off + len),
                    (unsigned long long)tensor->size);
}

ipfsa_status ipfsa_checkpoint_read(ipfsa_checkpoint *cp, const ipfsa_tensor *tensor, uint64_t off, void *data, size_t len, ipfsa_error *err) {
  ipfsa_status status = check_range(cp, tensor, off, len, err);
  if (status || len == 0) return status;
  ipfsa_source *source = cp->shards[tensor->shard].source;
  return source->read_at(source, data, len, tensor->offset + off, err);
}

void ipfsa_checkpoint_set_views_writable(ipfsa_checkpoint *cp) {
  for (size_t i = 0; i < cp->n_shards; i++)
    if (cp->shards[i].source->views_writable) cp->shards[i].source->views_writable(cp->shards[i].source);
}

void ipfsa_checkpoint_set_view_progress(ipfsa_checkpoint *cp, ipfsa_progress_cb progress, void *ctx) {
  for (size_t i = 0; i < cp->n_shards; i++)
    if (cp->shards[i].source->view_progress) cp->shards[i].source->view_progress(cp->shards[i].source, progress, ctx);
}

ipfsa_status ipfsa_checkpoint_view(ipfsa_checkpoint *cp, const ipfsa_tensor *tensor, uint64_t off, uint64_t len, ipfsa_view *ret, ipfsa_error *err) {
  ipfsa_status status = check_range(cp, tensor, off, len, err);
  if (status) return status;
  ipfsa_source *source = cp->shards[tensor->shard].source;
  ipfsa_view view = {.size = len};
  if (!source->view) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "views are of content in a repo; read the tensor, or add the file first");
  status = source->view(source, tensor->offset + off, len, &view.data, &view.mapped, err);
  if (status == IPFSA_OK) *ret = view;
  return status;
}
