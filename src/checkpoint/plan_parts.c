/* Names, sizes and ties of a model. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "checkpoint/plan.h"

#define NO_DTYPE (-1)

/* Bits of one element as accelerate 0.34.2 counts them: float8_e5m2 as none (its rule takes the last number of the name), and those of
 * a name without a number at its end not at all. */
static int bits_of(const char *dtype) {
  static const struct { const char *name; int bits; } types[] = {
      {"bool", 1},     {"uint8", 8},    {"int8", 8},      {"int16", 16},    {"uint16", 16},    {"int32", 32},      {"uint32", 32},    {"int64", 64},       {"uint64", 64},
      {"float16", 16}, {"bfloat16", 16}, {"float32", 32}, {"float64", 64}, {"complex32", 32}, {"complex64", 64}, {"complex128", 128}, {"float8_e4m3fn", 8}, {"float8_e5m2", 0}};
  if (strncmp(dtype, "torch.", 6) == 0) dtype += 6;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++)
    if (strcmp(types[i].name, dtype) == 0) return types[i].bits;
  return NO_DTYPE;
}

static bool is_never_changed(const char *dtype) {
  if (strncmp(dtype, "torch.", 6) == 0) dtype += 6;
  return strncmp(dtype, "uint", 4) == 0 || strncmp(dtype, "int", 3) == 0 || strncmp(dtype, "bool", 4) == 0;
}

static ipfsa_status no_dtype(const char *dtype, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_INVALID, "`dtype` is not a valid dtype: %s%.100s", strncmp(dtype, "torch.", 6) == 0 ? "" : "torch.", dtype);
}

/* Types that a tensor is wished to have. */
typedef struct wishes {
  int all; /* NO_DTYPE: none */
  struct special { const char *name; int bits; } *special; /* by name */
  size_t n_special;
} wishes;

static int compare_special(const void *a, const void *b) { return strcmp(((const struct special *)a)->name, ((const struct special *)b)->name); }

/* torch's second names of some types: a caller may wish for them, no tensor says them. */
static const char *first_name(const char *dtype) {
  static const char *const names[][2] = {{"half", "float16"}, {"float", "float32"}, {"double", "float64"}, {"short", "int16"}, {"int", "int32"}, {"long", "int64"},
                                         {"chalf", "complex32"}, {"cfloat", "complex64"}, {"cdouble", "complex128"}};
  const char *word = strncmp(dtype, "torch.", 6) == 0 ? dtype + 6 : dtype;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(word, names[i][0]) == 0) return names[i][1];
  return dtype;
}

static ipfsa_status take_wish(const char *dtype, int *ret, ipfsa_error *err) {
  *ret = dtype ? bits_of(first_name(dtype)) : NO_DTYPE;
  return *ret == NO_DTYPE ? no_dtype(dtype ? dtype : "", err) : IPFSA_OK;
}

static ipfsa_status take_special(const ipfsa_plan_options *o, wishes *ret, ipfsa_error *err) {
  if (o->n_special_dtypes > IPFSA_MAX_PLAN_TENSORS) return ipfsa_fail(err, IPFSA_E_LIMIT, "special types of over %d tensors", IPFSA_MAX_PLAN_TENSORS);
  ret->special = ipfsa_calloc(o->n_special_dtypes + 1, sizeof *ret->special);
  if (!ret->special) return ipfsa_fail_nomem(err);
  ret->n_special = o->n_special_dtypes;
  for (size_t i = 0; i < ret->n_special; i++) {
    const ipfsa_plan_special_dtype *given = &o->special_dtypes[i];
    if (!given->name) return ipfsa_fail(err, IPFSA_E_INVALID, "special type %zu has no name of a tensor", i);
    ret->special[i].name = given->name;
    ipfsa_status status = take_wish(given->dtype, &ret->special[i].bits, err);
    if (status) return status;
  }
  if (ret->n_special) qsort(ret->special, ret->n_special, sizeof *ret->special, compare_special);
  for (size_t i = 1; i < ret->n_special; i++)
    if (compare_special(&ret->special[i - 1], &ret->special[i]) == 0) return ipfsa_fail(err, IPFSA_E_INVALID, "the special type of \"%.200s\" is given twice", ret->special[i].name);
  return IPFSA_OK;
}

/* As compute_module_sizes does: a special type counts as it is, one for all where it is smaller and the tensor is of floats. */
static ipfsa_status bits_of_one(const ipfsa_plan_tensor *t, const char *full_name, const wishes *w, int *ret, ipfsa_error *err) {
  const struct special *special = w->n_special ? bsearch(&(struct special){.name = full_name}, w->special, w->n_special, sizeof *w->special, compare_special) : NULL;
  int bits = special ? special->bits : bits_of(t->dtype);
  if (bits == NO_DTYPE) return no_dtype(t->dtype, err);
  *ret = !special && w->all != NO_DTYPE && w->all < bits && !is_never_changed(t->dtype) ? w->all : bits;
  return IPFSA_OK;
}

static ipfsa_status tensor_bits(const ipfsa_plan_tensor *t, const char *full_name, const wishes *w, int64_t *ret, ipfsa_error *err) {
  int bits = 0;
  ipfsa_status status = bits_of_one(t, full_name, w, &bits, err);
  if (status) return status;
  uint64_t n = (uint64_t)bits;
  for (uint32_t i = 0; i < t->rank; i++)
    if (t->shape[i] == 0) return *ret = 0, IPFSA_OK;
  for (uint32_t i = 0; i < t->rank; i++)
    if (__builtin_mul_overflow(n, t->shape[i], &n) || n > 8 * IPFSA_MAX_PLAN_BYTES) return ipfsa_fail(err, IPFSA_E_LIMIT, "the tensor \"%.200s\" is over %llu bytes", t->name, (unsigned long long)IPFSA_MAX_PLAN_BYTES);
  *ret = (int64_t)n;
  return IPFSA_OK;
}

/* ---- the form of the tree ---- */

static ipfsa_status bad_name(const char *name, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_INVALID, "a module or tensor named \"%.200s\": a name is not empty, has no dots, and is given once", name);
}

static bool is_name(const char *name) { return name && name[0] && !strchr(name, '.'); }

/* Fills `ends`; checks that modules come depth first. */
static ipfsa_status take_modules(ipfsa_parts *p, ipfsa_error *err) {
  for (uint32_t i = 0; i < p->n_modules; i++) {
    const ipfsa_plan_module *m = &p->modules[i];
    if (!m->class_name || (i == 0 ? m->parent != 0 || !m->name || m->name[0] : !is_name(m->name))) return bad_name(m->name ? m->name : "", err);
    uint32_t up = i ? i - 1 : 0;
    while (up > m->parent) up = p->modules[up].parent; /* each step leaves a module for good */
    if (i && up != m->parent) return ipfsa_fail(err, IPFSA_E_INVALID, "module %u, \"%.100s\", does not follow its parent or what is below it", i, m->name);
    p->ends[i] = i + 1;
  }
  for (uint32_t i = p->n_modules - 1; i; i--)
    if (p->ends[p->modules[i].parent] < p->ends[i]) p->ends[p->modules[i].parent] = p->ends[i];
  return IPFSA_OK;
}

static ipfsa_status take_tensors(ipfsa_parts *p, ipfsa_error *err) {
  uint32_t module = 0;
  for (uint32_t i = 0; i < p->n_tensors; i++) {
    const ipfsa_plan_tensor *t = &p->tensors[i];
    if (!is_name(t->name) || !t->dtype) return bad_name(t->name ? t->name : "", err);
    if (t->module < module || t->module >= p->n_modules) return ipfsa_fail(err, IPFSA_E_INVALID, "tensor %u, \"%.100s\", does not come in the order of the modules", i, t->name);
    if (t->tied && t->is_buffer) return ipfsa_fail(err, IPFSA_E_INVALID, "the buffer \"%.100s\" cannot be tied", t->name);
    for (; module < t->module; module++) p->first_tensor[module + 1] = i;
  }
  for (; module < p->n_modules; module++) p->first_tensor[module + 1] = p->n_tensors;
  return IPFSA_OK;
}

/* ---- full names ---- */

static const char *own_name(const ipfsa_parts *p, uint32_t part) {
  return ipfsa_part_is_module(p, part) ? p->modules[part].name : p->tensors[part - p->n_modules].name;
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static ipfsa_status refuse_repeated(const ipfsa_parts *p, ipfsa_error *err) {
  size_t n = (size_t)p->n_modules + p->n_tensors;
  IPFSA_AUTO_FREE const char **sorted = ipfsa_calloc(n, sizeof *sorted);
  if (!sorted) return ipfsa_fail_nomem(err);
  memcpy(sorted, p->names, n * sizeof *sorted);
  qsort(sorted, n, sizeof *sorted, by_text);
  for (size_t i = 1; i < n; i++)
    if (strcmp(sorted[i - 1], sorted[i]) == 0) return bad_name(sorted[i], err);
  return IPFSA_OK;
}

static ipfsa_status write_names(ipfsa_parts *p, ipfsa_error *err) {
  size_t n = (size_t)p->n_modules + p->n_tensors, total = 1;
  IPFSA_AUTO_FREE size_t *lens = ipfsa_calloc(n, sizeof *lens);
  if (!lens) return ipfsa_fail_nomem(err);
  for (uint32_t i = 1; i < n; i++) {
    uint32_t parent = ipfsa_part_parent(p, i);
    lens[i] = (parent ? lens[parent] + 1 : 0) + strlen(own_name(p, i));
    if (lens[i] > IPFSA_MAX_PLAN_NAME) return ipfsa_fail(err, IPFSA_E_LIMIT, "a name of %zu bytes, over %d: it ends in \"%.100s\"", lens[i], IPFSA_MAX_PLAN_NAME, own_name(p, i));
    total += lens[i] + 1;
    if (total > IPFSA_MAX_PLAN_TEXT) return ipfsa_fail(err, IPFSA_E_LIMIT, "the names of a model's parts are over %d bytes together", IPFSA_MAX_PLAN_TEXT);
  }
  char *at = p->text = ipfsa_malloc(total);
  if (!at) return ipfsa_fail_nomem(err);
  p->names[0] = at;
  *at++ = '\0';
  for (uint32_t i = 1; i < n; i++) {
    uint32_t parent = ipfsa_part_parent(p, i);
    p->names[i] = at;
    at += snprintf(at, lens[i] + 1, "%s%s%s", p->names[parent], parent ? "." : "", own_name(p, i)) + 1;
  }
  return refuse_repeated(p, err);
}

/* ---- ties ---- */

typedef struct tied {
  uint32_t group, tensor;
  const char *name;
} tied;

static int by_group(const void *a, const void *b) {
  const tied *x = a, *y = b;
  return x->group != y->group ? (x->group > y->group) - (x->group < y->group) : strcmp(x->name, y->name);
}

typedef struct tie_order {
  struct ipfsa_ties ties;
  const char *name;
} tie_order;

static int by_first_name(const void *a, const void *b) { return strcmp(((const tie_order *)a)->name, ((const tie_order *)b)->name); }

static void keep_groups(ipfsa_parts *p, const tied *all, uint32_t n, tie_order *groups) {
  for (uint32_t i = 0, end; i < n; i = end) {
    for (end = i; end < n && all[end].group == all[i].group; end++) p->tie_storage[end] = all[end].tensor;
    if (end - i > 1) groups[p->n_ties++] = (tie_order){{p->tie_storage + i, end - i}, all[i].name};
  }
  if (p->n_ties) qsort(groups, p->n_ties, sizeof *groups, by_first_name);
  for (uint32_t i = 0; i < p->n_ties; i++) p->ties[i] = groups[i].ties;
}

static ipfsa_status find_ties(ipfsa_parts *p, ipfsa_error *err) {
  uint32_t n = 0;
  IPFSA_AUTO_FREE tied *all = ipfsa_calloc((size_t)p->n_tensors + 1, sizeof *all);
  if (!all) return ipfsa_fail_nomem(err);
  for (uint32_t i = 0; i < p->n_tensors; i++)
    if (p->tensors[i].tied) all[n++] = (tied){p->tensors[i].tied, i, p->names[p->n_modules + i]};
  if (n == 0) return IPFSA_OK;
  qsort(all, n, sizeof *all, by_group);
  IPFSA_AUTO_FREE tie_order *groups = ipfsa_calloc(n, sizeof *groups);
  p->ties = ipfsa_calloc(n, sizeof *p->ties);
  p->tie_storage = ipfsa_calloc(n, sizeof *p->tie_storage);
  if (!groups || !p->ties || !p->tie_storage) return ipfsa_fail_nomem(err);
  keep_groups(p, all, n, groups);
  return IPFSA_OK;
}

bool ipfsa_part_is_repeated(const ipfsa_parts *p, uint32_t tensor) {
  const ipfsa_plan_tensor *t = &p->tensors[tensor];
  for (uint32_t i = p->first_tensor[t->module]; t->tied && i < tensor; i++)
    if (p->tensors[i].tied == t->tied) return true;
  return false;
}

/* ---- sizes ---- */

static ipfsa_status count_tensor(ipfsa_parts *p, uint32_t i, const wishes *w, int64_t *total, ipfsa_error *err) {
  int64_t bits = 0;
  ipfsa_status status = tensor_bits(&p->tensors[i], p->names[p->n_modules + i], w, &bits, err);
  if (status) return status;
  *total += bits;
  if (*total > (int64_t)(8 * IPFSA_MAX_PLAN_BYTES)) return ipfsa_fail(err, IPFSA_E_LIMIT, "a model of over %llu bytes", (unsigned long long)IPFSA_MAX_PLAN_BYTES);
  p->sizes[p->n_modules + i] = bits;
  p->counted[p->n_modules + i] = true;
  for (uint32_t up = p->tensors[i].module;; up = p->modules[up].parent) {
    p->sizes[up] += bits;
    p->counted[up] = true;
    if (up == 0) return IPFSA_OK;
  }
}

static ipfsa_status count_tensors(ipfsa_parts *p, const wishes *w, ipfsa_error *err) {
  int64_t total = 0;
  IPFSA_AUTO_FREE bool *later = ipfsa_calloc((size_t)p->n_tensors + 1, sizeof *later);
  if (!later) return ipfsa_fail_nomem(err);
  for (uint32_t g = 0; g < p->n_ties; g++) {
    uint32_t first = p->ties[g].tensors[0];
    for (uint32_t i = 0; i < p->ties[g].n; i++) {
      if (p->ties[g].tensors[i] < first) first = p->ties[g].tensors[i];
      later[p->ties[g].tensors[i]] = true;
    }
    later[first] = false;
  }
  ipfsa_status status = IPFSA_OK;
  for (uint32_t i = 0; i < p->n_tensors && status == IPFSA_OK; i++)
    if (!later[i]) status = count_tensor(p, i, w, &total, err);
  return status;
}

static ipfsa_status count_all(ipfsa_parts *p, const ipfsa_plan_options *o, ipfsa_error *err) {
  wishes w = {.all = NO_DTYPE};
  ipfsa_status status = o && o->dtype ? take_wish(o->dtype, &w.all, err) : IPFSA_OK;
  if (status == IPFSA_OK && o) status = take_special(o, &w, err);
  if (status == IPFSA_OK) status = count_tensors(p, &w, err);
  ipfsa_free(w.special);
  return status;
}

ipfsa_status ipfsa_parts_init(ipfsa_parts *parts, const ipfsa_plan_model *model, const ipfsa_plan_options *o, ipfsa_error *err) {
  *parts = (ipfsa_parts){.modules = model->modules, .tensors = model->tensors};
  if (model->n_modules == 0) return ipfsa_fail(err, IPFSA_E_INVALID, "a model has a module at least: itself");
  if (model->n_modules > IPFSA_MAX_PLAN_MODULES) return ipfsa_fail(err, IPFSA_E_LIMIT, "a model of over %d modules", IPFSA_MAX_PLAN_MODULES);
  if (model->n_tensors > IPFSA_MAX_PLAN_TENSORS) return ipfsa_fail(err, IPFSA_E_LIMIT, "a model of over %d tensors", IPFSA_MAX_PLAN_TENSORS);
  parts->n_modules = (uint32_t)model->n_modules;
  parts->n_tensors = (uint32_t)model->n_tensors;
  size_t n = model->n_modules + model->n_tensors;
  parts->names = ipfsa_calloc(n, sizeof *parts->names);
  parts->sizes = ipfsa_calloc(n, sizeof *parts->sizes);
  parts->ends = ipfsa_calloc(model->n_modules, sizeof *parts->ends);
  parts->first_tensor = ipfsa_calloc(model->n_modules + 1, sizeof *parts->first_tensor);
  parts->counted = ipfsa_calloc(n, sizeof *parts->counted);
  bool all = parts->names && parts->sizes && parts->ends && parts->first_tensor && parts->counted;
  ipfsa_status status = all ? take_modules(parts, err) : ipfsa_fail_nomem(err);
  if (status == IPFSA_OK) status = take_tensors(parts, err);
  if (status == IPFSA_OK) status = write_names(parts, err);
  if (status == IPFSA_OK) status = find_ties(parts, err);
  if (status == IPFSA_OK) status = count_all(parts, o, err);
  return status;
}

void ipfsa_parts_release(ipfsa_parts *parts) {
  ipfsa_free(parts->text);
  ipfsa_free((void *)parts->names);
  ipfsa_free(parts->sizes);
  ipfsa_free(parts->ends);
  ipfsa_free(parts->first_tensor);
  ipfsa_free(parts->counted);
  ipfsa_free(parts->ties);
  ipfsa_free(parts->tie_storage);
}
