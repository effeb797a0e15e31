#include "node/add_cuts.h"

#include "checkpoint/checkpoint.h"

typedef struct borrowed_source {
  ipfsa_source base;
  ipfsa_source *of;
} borrowed_source;

static ipfsa_status read_borrowed(ipfsa_source *self, void *data, size_t len, uint64_t off, ipfsa_error *err) {
  ipfsa_source *of = ((borrowed_source *)self)->of;
  return of->read_at(of, data, len, off, err);
}

/* Header and tensors; what stands between two of them is padding in GGUF and goes with the one before, and is a part of its own elsewhere. */
static ipfsa_status cut_at_tensors(const ipfsa_checkpoint *cp, uint64_t size, ipfsa_cuts *cuts, ipfsa_error *err) {
  ipfsa_tensor t;
  bool padded = ipfsa_checkpoint_format_of(cp) == IPFSA_CHECKPOINT_GGUF;
  ipfsa_status status = IPFSA_OK;
  for (uint64_t i = 0; status == IPFSA_OK && ipfsa_checkpoint_tensor(cp, i, &t); i++) {
    if (t.offset > cuts->at) status = ipfsa_cuts_add(cuts, t.offset, err); /* the header, what is between, or a tensor with its padding */
    if (status == IPFSA_OK && i == 0) status = ipfsa_cuts_close(cuts, err);
    if (status == IPFSA_OK && !padded && t.size) status = ipfsa_cuts_add(cuts, t.offset + t.size, err);
  }
  if (status == IPFSA_OK && size > cuts->at) status = ipfsa_cuts_add(cuts, size, err);
  return status ? status : ipfsa_cuts_close(cuts, err);
}

ipfsa_status ipfsa_add_cuts(ipfsa_source *source, const char *name, ipfsa_cuts *ret, bool *ret_known, ipfsa_error *err) {
  borrowed_source view = {{.read_at = read_borrowed, .size_hint = source->size_hint, .map_fd = -1}, source};
  ipfsa_checkpoint *cp = NULL;
  *ret_known = false;
  ipfsa_status status = ipfsa_checkpoint_load_file(&view.base, name, &cp, err);
  bool other = status == IPFSA_E_WRONG_TYPE || status == IPFSA_E_MALFORMED || status == IPFSA_E_LIMIT || status == IPFSA_E_NOT_SUPPORTED;
  if (status) return other ? IPFSA_OK : status;
  status = cut_at_tensors(cp, source->size_hint, ret, err);
  *ret_known = status == IPFSA_OK;
  ipfsa_checkpoint_close(cp);
  return status;
}
