/* What each device may hold: sizes in words, and balancing. */
#include <locale.h>
#include <stdlib.h>
#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"
#include "checkpoint/plan.h"

ipfsa_status ipfsa_plan_mode_parse(const char *text, ipfsa_plan_mode *ret, ipfsa_error *err) {
  static const char *const words[] = {"auto", "balanced", "balanced_low_0", "sequential"};
  for (int i = 0; i < 4; i++)
    if (strcmp(text, words[i]) == 0) return *ret = (ipfsa_plan_mode)i, IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_INVALID, "If passing a string for `device_map`, please choose 'auto', 'balanced', 'balanced_low_0' or 'sequential'");
}

ipfsa_status ipfsa_plan_device_parse(const char *text, int32_t *ret, ipfsa_error *err) {
  size_t digits = strspn(text, "0123456789");
  if (digits && digits <= 6 && text[digits] == '\0') *ret = (int32_t)strtol(text, NULL, 10);
  else if (strcmp(text, "cpu") == 0) *ret = IPFSA_DEVICE_CPU;
  else if (strcmp(text, "disk") == 0) *ret = IPFSA_DEVICE_DISK;
  else if (strcmp(text, "mps") == 0) *ret = IPFSA_DEVICE_MPS;
  else return ipfsa_fail(err, IPFSA_E_INVALID, "Device %.100s is not recognized, available devices are integers(for GPU/XPU), 'mps', 'cpu' and 'disk'", text);
  return IPFSA_OK;
}

const char *ipfsa_plan_device_format(int32_t device, char *ret) {
  const char *word = device == IPFSA_DEVICE_CPU ? "cpu" : device == IPFSA_DEVICE_DISK ? "disk" : device == IPFSA_DEVICE_MPS ? "mps" : NULL;
  if (word) snprintf(ret, 16, "%s", word);
  else snprintf(ret, 16, "%d", (int)device);
  return ret;
}

/* A decimal number as Python's float takes it, less its words and underscores. */
static bool number_of(const char *text, size_t len, double *ret) {
  char copy[64], *end = NULL;
  while (len && strchr(" \t", text[0])) text++, len--;
  while (len && strchr(" \t", text[len - 1])) len--;
  if (len == 0 || len >= sizeof copy || strspn(text, "0123456789.eE+-") < len) return false;
  memcpy(copy, text, len);
  copy[len] = '\0';
  locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (c == (locale_t)0) return false;
  *ret = strtod_l(copy, &end, c);
  freelocale(c);
  return *end == '\0';
}

ipfsa_status ipfsa_plan_size_parse(const char *text, uint64_t *ret, ipfsa_error *err) {
  static const struct { const char *unit; double factor; bool decimal; } units[] = {
      {"GIB", 1073741824.0, false}, {"MIB", 1048576.0, false}, {"KIB", 1024.0, false}, {"GB", 1e9, true}, {"MB", 1e6, true}, {"KB", 1e3, true}};
  size_t len = strlen(text);
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    size_t unit = strlen(units[i].unit);
    double number;
    if (len < unit || strcasecmp(text + len - unit, units[i].unit) != 0) continue;
    if (!number_of(text, len - unit, &number) || number * units[i].factor <= -1.0) break;
    if (number * units[i].factor > (double)IPFSA_MAX_PLAN_BYTES) return ipfsa_fail(err, IPFSA_E_LIMIT, "`size` %.100s is over %llu bytes", text, (unsigned long long)IPFSA_MAX_PLAN_BYTES);
    *ret = number * units[i].factor < 1.0 ? 0 : (uint64_t)(number * units[i].factor);
    if (units[i].decimal && text[len - 1] == 'b') *ret /= 8;
    return IPFSA_OK;
  }
  return ipfsa_fail(err, IPFSA_E_INVALID, "`size` %.100s is not in a valid format. Use an integer for bytes, or a string with an unit (like '5.0GB')", text);
}

/* ---- order ---- */

static int rank_of(int32_t device) { return device >= 0 ? 0 : -device; }

static int by_device(const void *a, const void *b) {
  const ipfsa_allowance *x = a, *y = b;
  int i = rank_of(x->device), j = rank_of(y->device);
  return i != j ? i - j : (x->device > y->device) - (x->device < y->device);
}

static ipfsa_status sort_devices(const ipfsa_plan_options *o, ipfsa_allowance *ret, ipfsa_error *err) {
  char text[16];
  for (size_t i = 0; i < o->n_memory; i++) {
    const ipfsa_plan_memory *m = &o->memory[i];
    if (m->device < IPFSA_DEVICE_DISK)
      return ipfsa_fail(err, IPFSA_E_INVALID, "Device %d is not recognized, available devices are integers(for GPU/XPU), 'mps', 'cpu' and 'disk'", (int)m->device);
    if (m->bytes > IPFSA_MAX_PLAN_BYTES) return ipfsa_fail(err, IPFSA_E_LIMIT, "device %s with over %llu bytes", ipfsa_plan_device_format(m->device, text), (unsigned long long)IPFSA_MAX_PLAN_BYTES);
    ret[i] = (ipfsa_allowance){m->device, (int64_t)(m->bytes * 8)};
  }
  if (o->n_memory) qsort(ret, o->n_memory, sizeof *ret, by_device);
  for (size_t i = 1; i < o->n_memory; i++)
    if (ret[i].device == ret[i - 1].device) return ipfsa_fail(err, IPFSA_E_INVALID, "device %s is given twice", ipfsa_plan_device_format(ret[i].device, text));
  return IPFSA_OK;
}

/* ---- balancing ---- */

/* The larger of: of each class that stays whole, the first module that has something in it; the mean of the modules without modules that have something. */
static int64_t largest_whole(const ipfsa_parts *p, const ipfsa_plan_options *o) {
  int64_t largest = 0;
  for (size_t c = 0; c < o->n_no_split_classes; c++) {
    uint32_t found = 0;
    for (int buffers = 0; buffers < 2 && !found; buffers++) /* parameters come first in accelerate's table of sizes */
      for (uint32_t i = 0; i < p->n_tensors && !found; i++) {
        if (p->tensors[i].is_buffer != (buffers == 1) || !p->counted[p->n_modules + i]) continue;
        for (uint32_t up = p->tensors[i].module; up; up = p->modules[up].parent) /* the outermost is met first there */
          if (strcmp(p->modules[up].class_name, o->no_split_classes[c]) == 0) found = up;
      }
    if (found && p->sizes[found] > largest) largest = p->sizes[found];
  }
  return largest;
}

static int64_t mean_bytes_of_leaves(const ipfsa_parts *p) {
  int64_t sum = 0, n = 0;
  for (uint32_t m = 1; m < p->n_modules; m++) {
    bool leaf = p->counted[m];
    for (uint32_t child = m + 1; child < p->ends[m] && leaf; child = p->ends[child]) leaf = !p->counted[child];
    if (leaf) sum += p->sizes[m], n++;
  }
  return n ? sum / (8 * n) : 0;
}

/* int(1.25 × …) bytes. */
static int64_t buffer_bits(const ipfsa_parts *p, const ipfsa_plan_options *o) {
  int64_t whole = largest_whole(p, o), mean = mean_bytes_of_leaves(p) * 8;
  return (whole > mean ? whole : mean) / 32 * 5 * 8 + (whole > mean ? whole : mean) % 32 * 5 / 32 * 8;
}

static ipfsa_status balance_low_zero(const ipfsa_parts *p, ipfsa_allowance *a, size_t n_used, ipfsa_error *err) {
  int64_t others = 0;
  if (a[0].device != 0 || a[n_used - 1].device != (int32_t)n_used - 1)
    return ipfsa_fail(err, IPFSA_E_INVALID, "balanced_low_0 needs GPUs that are numbered from 0 without gaps");
  for (size_t i = 1; i < n_used; i++) others += a[i].bits;
  int64_t rest = p->sizes[0] > others ? p->sizes[0] - others : 0;
  if (rest < a[0].bits) a[0].bits = rest;
  return IPFSA_OK;
}

/* get_balanced_memory takes a tenth from the first GPU there is, also when the one with memory is another. */
static void spare_a_tenth(const ipfsa_plan_options *o, ipfsa_allowance *a) {
  if (o->memory_is_available && a[0].device >= 0) a[0].bits = (int64_t)((double)a[0].bits * 0.9);
}

ipfsa_status ipfsa_plan_allow(const ipfsa_parts *p, const ipfsa_plan_options *o, ipfsa_allowance *ret, ipfsa_error *err) {
  size_t n_used = 0, last = 0;
  ipfsa_status status = sort_devices(o, ret, err);
  if (status || o->mode == IPFSA_PLAN_SEQUENTIAL) return status;
  for (size_t i = 0; i < o->n_memory; i++)
    if (ret[i].device >= 0 && ret[i].bits > 0) n_used++, last = i;
  if (n_used == 0) return IPFSA_OK;
  if (n_used == 1) spare_a_tenth(o, ret);
  bool low_zero = o->mode == IPFSA_PLAN_BALANCED_LOW_0 && n_used > 1;
  int64_t share = p->sizes[0] / 8 / (int64_t)(low_zero ? n_used - 1 : n_used) * 8 + buffer_bits(p, o);
  for (size_t i = 0; i < last; i++) /* the last one keeps all it has */
    if (ret[i].bits > share && !(low_zero && ret[i].device == 0)) ret[i].bits = share;
  return low_zero ? balance_low_zero(p, ret, n_used, err) : IPFSA_OK;
}
