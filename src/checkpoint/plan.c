/* The public calls: a plan of a model, and explicit maps. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/options.h"
#include "checkpoint/plan.h"

struct ipfsa_plan {
  ipfsa_parts parts; /* for the names */
  ipfsa_plan_entry *entries;
  size_t n_entries;
  ipfsa_plan_memory *memories;
  size_t n_memories;
};

void ipfsa_plan_free(ipfsa_plan *plan) {
  if (!plan) return;
  ipfsa_parts_release(&plan->parts);
  ipfsa_free(plan->entries);
  ipfsa_free(plan->memories);
  ipfsa_free(plan);
}

static int by_name(const void *a, const void *b) { return strcmp(((const ipfsa_plan_entry *)a)->name, ((const ipfsa_plan_entry *)b)->name); }

static ipfsa_status keep_entries(ipfsa_plan *plan, const int32_t *devices, ipfsa_error *err) {
  size_t n = (size_t)plan->parts.n_modules + plan->parts.n_tensors;
  plan->entries = ipfsa_calloc(n, sizeof *plan->entries);
  if (!plan->entries) return ipfsa_fail_nomem(err);
  for (size_t i = 0; i < n; i++)
    if (devices[i] != IPFSA_NOWHERE) plan->entries[plan->n_entries++] = (ipfsa_plan_entry){plan->parts.names[i], devices[i]};
  if (plan->n_entries) qsort(plan->entries, plan->n_entries, sizeof *plan->entries, by_name);
  return IPFSA_OK;
}

static ipfsa_status infer(ipfsa_plan *plan, const ipfsa_plan_model *model, const ipfsa_plan_options *o, ipfsa_error *err) {
  ipfsa_status status = ipfsa_parts_init(&plan->parts, model, o, err);
  if (status) return status;
  IPFSA_AUTO_FREE int32_t *devices = ipfsa_calloc((size_t)plan->parts.n_modules + plan->parts.n_tensors, sizeof *devices);
  IPFSA_AUTO_FREE ipfsa_allowance *allowed = ipfsa_calloc(o->n_memory + 1, sizeof *allowed);
  plan->memories = ipfsa_calloc(o->n_memory + 1, sizeof *plan->memories);
  if (!devices || !allowed || !plan->memories) return ipfsa_fail_nomem(err);
  status = ipfsa_plan_allow(&plan->parts, o, allowed, err);
  if (status == IPFSA_OK) status = ipfsa_plan_place(&plan->parts, o, allowed, devices, err);
  if (status == IPFSA_OK && !o->keep_detail) status = ipfsa_plan_clean(&plan->parts, devices, err);
  if (status) return status;
  plan->n_memories = o->n_memory;
  for (size_t i = 0; i < o->n_memory; i++) plan->memories[i] = (ipfsa_plan_memory){allowed[i].device, (uint64_t)allowed[i].bits / 8};
  return keep_entries(plan, devices, err);
}

ipfsa_status ipfsa_plan_infer(const ipfsa_plan_model *given_model, const ipfsa_plan_options *given, ipfsa_plan **ret, ipfsa_error *err) {
  ipfsa_plan_options options = IPFSA_OPTIONS(ipfsa_plan_options, given);
  ipfsa_plan_model model = IPFSA_OPTIONS(ipfsa_plan_model, given_model);
  if (options.n_memory > IPFSA_MAX_PLAN_DEVICES) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %d devices", IPFSA_MAX_PLAN_DEVICES);
  ipfsa_plan *plan = ipfsa_calloc(1, sizeof *plan);
  if (!plan) return ipfsa_fail_nomem(err);
  ipfsa_status status = infer(plan, &model, &options, err);
  if (status) ipfsa_plan_free(plan);
  else *ret = plan;
  return status;
}

const ipfsa_plan_entry *ipfsa_plan_entries(const ipfsa_plan *plan, size_t *ret_n) {
  *ret_n = plan->n_entries;
  return plan->entries;
}

const ipfsa_plan_memory *ipfsa_plan_memories(const ipfsa_plan *plan, size_t *ret_n) {
  *ret_n = plan->n_memories;
  return plan->memories;
}

/* ---- explicit maps ---- */

static const ipfsa_plan_entry *find_entry(const ipfsa_plan_entry *entries, size_t n, const char *name) {
  const ipfsa_plan_entry *best = NULL;
  size_t best_len = 0;
  for (size_t i = 0; i < n; i++) {
    size_t len = strlen(entries[i].name);
    bool covers = len == 0 || (strncmp(name, entries[i].name, len) == 0 && (name[len] == '.' || name[len] == '\0'));
    if (covers && (!best || len > best_len)) best = &entries[i], best_len = len;
  }
  return best;
}

ipfsa_status ipfsa_plan_device_of(const ipfsa_plan_entry *entries, size_t n, const char *name, int32_t *ret, ipfsa_error *err) {
  const ipfsa_plan_entry *entry = find_entry(entries, n, name);
  if (!entry) return ipfsa_fail(err, IPFSA_E_INVALID, "%.300s doesn't have any device set", name);
  *ret = entry->device;
  return IPFSA_OK;
}

ipfsa_status ipfsa_plan_check(const ipfsa_plan_model *given, const ipfsa_plan_entry *entries, size_t n, ipfsa_error *err) {
  ipfsa_plan_model model = IPFSA_OPTIONS(ipfsa_plan_model, given);
  IPFSA_AUTO(ipfsa_parts_release) ipfsa_parts parts = {0};
  IPFSA_AUTO_BUF ipfsa_buf missing = {0};
  ipfsa_status status = ipfsa_parts_init(&parts, &model, NULL, err);
  for (uint32_t i = 0; i < parts.n_tensors && status == IPFSA_OK; i++) {
    const char *name = parts.names[parts.n_modules + i];
    if (find_entry(entries, n, name)) continue;
    ipfsa_buf_printf(&missing, "%s%s", missing.len ? ", " : "", name);
    if (missing.len > 400) break; /* the sentence has an end */
  }
  if (status == IPFSA_OK) status = ipfsa_buf_status(&missing, err);
  if (status || missing.len == 0) return status;
  return ipfsa_fail(err, IPFSA_E_INVALID, "The device_map provided does not give any device for the following parameters: %.380s", ipfsa_buf_cstr(&missing));
}
