/* A model being placed: names, sizes and ties worked out once, then the parts. Threads: one at a time. */
#ifndef IPFSA_CHECKPOINT_PLAN_H
#define IPFSA_CHECKPOINT_PLAN_H

#include <ipfsa/plan.h>

#include "base/bytes.h"

/* A part is a module (its number) or a tensor (n_modules + its number). Sizes are in bits: accelerate counts a bool as an eighth of a byte. */
typedef struct ipfsa_parts {
  const ipfsa_plan_module *modules;
  const ipfsa_plan_tensor *tensors;
  uint32_t n_modules, n_tensors;
  char *text;         /* all full names */
  const char **names; /* by part */
  int64_t *sizes;     /* by part; of a tied parameter only under its first name */
  uint32_t *ends;     /* by module: one past the last module below it */
  uint32_t *first_tensor; /* by module and one more: where its tensors begin */
  bool *counted;      /* by part: a tensor that was, a module with one below it */
  struct ipfsa_ties { uint32_t *tensors; /* by name */ uint32_t n; } *ties; /* by their first names */
  uint32_t n_ties;
  uint32_t *tie_storage;
} ipfsa_parts;

/* Of the options the types are looked at; NULL: none. */
ipfsa_status ipfsa_parts_init(ipfsa_parts *parts, const ipfsa_plan_model *model, const ipfsa_plan_options *o, ipfsa_error *err);
void ipfsa_parts_release(ipfsa_parts *parts);
static inline bool ipfsa_part_is_module(const ipfsa_parts *p, uint32_t part) { return part < p->n_modules; }
/* Other names of the parameter in the same module come earlier: such a one is never looked at. */
bool ipfsa_part_is_repeated(const ipfsa_parts *p, uint32_t tensor);
static inline uint32_t ipfsa_part_parent(const ipfsa_parts *p, uint32_t part) {
  return ipfsa_part_is_module(p, part) ? p->modules[part].parent : p->tensors[part - p->n_modules].module;
}

bool ipfsa_plan_is_whole(const ipfsa_parts *p, uint32_t module, const ipfsa_plan_options *o); /* of a class that stays whole */

/* Sorted as accelerate does, with what the mode makes of it; sizes in bits. */
typedef struct ipfsa_allowance {
  int32_t device;
  int64_t bits;
} ipfsa_allowance;
ipfsa_status ipfsa_plan_allow(const ipfsa_parts *p, const ipfsa_plan_options *o, ipfsa_allowance *ret /* n_memory */, ipfsa_error *err);

/* devices: by part, IPFSA_NOWHERE where it has no entry. */
#define IPFSA_NOWHERE INT32_MIN
ipfsa_status ipfsa_plan_place(const ipfsa_parts *p, const ipfsa_plan_options *o, const ipfsa_allowance *allowed, int32_t *ret_devices, ipfsa_error *err);
/* Parts of one device become one. */
ipfsa_status ipfsa_plan_clean(const ipfsa_parts *p, int32_t *devices, ipfsa_error *err);

#endif
