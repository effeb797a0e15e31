/* For tests/integration/test_plan_peer.py: a model and what to do with it on each line of standard input, a device map on each line of standard output.
 * {"modules":[[NAME,CLASS,PARENT],…],"tensors":[[NAME,MODULE,DTYPE,[SHAPE…],IS_BUFFER,TIED],…],"memory":{"0":N,"cpu":N},"no_split":[CLASS,…],"mode":MODE,
 * "dtype":DTYPE or null,"special":{NAME:DTYPE}} → {"map":{NAME:DEVICE}} or {"error":TEXT}. With "available" in place of "memory" it is what the machine has.
 * {"machine":true} → {"memory":{DEVICE:BYTES}}: what this one has. */
#include <ipfsa/plan.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_at(const json_t *list, size_t i) { return json_string_value(json_array_get(list, i)); }
static uint64_t number_at(const json_t *list, size_t i) { return (uint64_t)json_integer_value(json_array_get(list, i)); }

static void read_modules(const json_t *list, ipfsa_plan_model *model) {
  ipfsa_plan_module *modules = calloc(json_array_size(list) + 1, sizeof *modules);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *m = json_array_get(list, i);
    modules[i] = (ipfsa_plan_module){text_at(m, 0), text_at(m, 1), (uint32_t)number_at(m, 2)};
  }
  model->modules = modules;
  model->n_modules = json_array_size(list);
}

static void read_tensors(const json_t *list, ipfsa_plan_model *model) {
  ipfsa_plan_tensor *tensors = calloc(json_array_size(list) + 1, sizeof *tensors);
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *t = json_array_get(list, i), *dims = json_array_get(t, 3);
    uint64_t *shape = calloc(json_array_size(dims) + 1, sizeof *shape);
    for (size_t d = 0; d < json_array_size(dims); d++) shape[d] = number_at(dims, d);
    tensors[i] = (ipfsa_plan_tensor){text_at(t, 0), (uint32_t)number_at(t, 1), text_at(t, 2), shape, (uint32_t)json_array_size(dims), json_is_true(json_array_get(t, 4)), (uint32_t)number_at(t, 5)};
  }
  model->tensors = tensors;
  model->n_tensors = json_array_size(list);
}

static void free_model(ipfsa_plan_model *model) {
  for (size_t i = 0; i < model->n_tensors; i++) free((void *)(uintptr_t)model->tensors[i].shape);
  free((void *)(uintptr_t)model->tensors);
  free((void *)(uintptr_t)model->modules);
}

static ipfsa_status infer(const json_t *given, const ipfsa_plan_model *model, ipfsa_plan **ret, ipfsa_error *err) {
  ipfsa_plan_memory memory[32];
  const char *no_split[32];
  ipfsa_plan_options o = {.struct_size = sizeof o, .memory = memory, .no_split_classes = no_split, .dtype = json_string_value(json_object_get(given, "dtype"))};
  ipfsa_plan_special_dtype special[64];
  const char *device;
  json_t *bytes, *dtype;
  o.memory_is_available = json_object_get(given, "available") != NULL;
  o.special_dtypes = special;
  json_object_foreach(json_object_get(given, "special"), device, dtype)
    if (o.n_special_dtypes < 64) special[o.n_special_dtypes++] = (ipfsa_plan_special_dtype){device, json_string_value(dtype)};
  json_object_foreach(json_object_get(given, o.memory_is_available ? "available" : "memory"), device, bytes) {
    memory[o.n_memory].bytes = (uint64_t)json_integer_value(bytes);
    if (ipfsa_plan_device_parse(device, &memory[o.n_memory++].device, err)) return err->status;
  }
  const json_t *classes = json_object_get(given, "no_split");
  for (; o.n_no_split_classes < json_array_size(classes); o.n_no_split_classes++) no_split[o.n_no_split_classes] = text_at(classes, o.n_no_split_classes);
  if (ipfsa_plan_mode_parse(json_string_value(json_object_get(given, "mode")), &o.mode, err)) return err->status;
  return ipfsa_plan_infer(model, &o, ret, err);
}

static json_t *machine(void) {
  ipfsa_plan_memory memory[32];
  ipfsa_error err = {0};
  size_t n = 0;
  char device[16];
  if (ipfsa_plan_memory_available(memory, 32, &n, &err)) return json_pack("{s:s}", "error", err.message);
  json_t *list = json_object();
  for (size_t i = 0; i < n; i++) json_object_set_new(list, ipfsa_plan_device_format(memory[i].device, device), json_integer((json_int_t)memory[i].bytes));
  return json_pack("{s:o}", "memory", list);
}

static json_t *answer(const json_t *given) {
  if (json_object_get(given, "machine")) return machine();
  ipfsa_plan_model model = {.struct_size = sizeof model};
  ipfsa_plan *plan = NULL;
  ipfsa_error err = {0};
  char device[16];
  size_t n = 0;
  read_modules(json_object_get(given, "modules"), &model);
  read_tensors(json_object_get(given, "tensors"), &model);
  ipfsa_status status = infer(given, &model, &plan, &err);
  json_t *map = json_object();
  const ipfsa_plan_entry *entries = plan ? ipfsa_plan_entries(plan, &n) : NULL;
  for (size_t i = 0; i < n; i++) json_object_set_new(map, entries[i].name, json_string(ipfsa_plan_device_format(entries[i].device, device)));
  json_t *ret = status ? json_pack("{s:s}", "error", err.message) : json_pack("{s:O}", "map", map);
  json_decref(map);
  ipfsa_plan_free(plan);
  free_model(&model);
  return ret;
}

int main(void) {
  char *line = NULL;
  size_t cap = 0;
  while (getline(&line, &cap, stdin) > 0) {
    json_error_t why;
    json_t *given = json_loads(line, 0, &why);
    if (!given) return fprintf(stderr, "%s\n", why.text), 2;
    json_t *ret = answer(given);
    json_dumpf(ret, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(ret);
    json_decref(given);
  }
  free(line);
  return 0;
}
