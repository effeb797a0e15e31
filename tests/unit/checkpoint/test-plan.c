/* Device maps over random models: what must hold for every one. That they are accelerate's is test_plan_peer.py's. */
#include <errno.h>
#include <ipfsa/plan.h>

#include "../support.h"
#include "base/fault.h"

#define MAX_MODULES 24
#define MAX_TENSORS 60

typedef struct random_model {
  char names[MAX_MODULES + MAX_TENSORS][8];
  ipfsa_plan_module modules[MAX_MODULES];
  ipfsa_plan_tensor tensors[MAX_TENSORS];
  uint64_t shapes[MAX_TENSORS][2], sizes[MAX_TENSORS];
  char full[MAX_TENSORS][256];
  ipfsa_plan_model model;
  uint64_t total, state;
} random_model;

static uint64_t next(random_model *r, uint64_t below) {
  r->state = r->state * 6364136223846793005u + 1442695040888963407u;
  return (r->state >> 33) % below;
}

static void full_name(const random_model *r, const ipfsa_plan_tensor *t, char *ret) {
  char text[256];
  snprintf(ret, 256, "%s", t->name);
  for (uint32_t m = t->module; m; m = r->modules[m].parent) {
    snprintf(text, sizeof text, "%s.%.200s", r->modules[m].name, ret);
    memcpy(ret, text, sizeof text);
  }
}

/* Depth first: a new module hangs on the last one or on what is above it. No ties. */
static void make_model(random_model *r, uint64_t seed) {
  *r = (random_model){.state = seed};
  uint32_t n = 2 + (uint32_t)next(r, MAX_MODULES - 2), n_tensors = 0;
  for (uint32_t m = 0; m < n; m++) {
    uint32_t parent = m ? m - 1 : 0;
    while (parent && next(r, 2)) parent = r->modules[parent].parent;
    snprintf(r->names[m], sizeof r->names[m], m ? "m%u" : "", m);
    r->modules[m] = (ipfsa_plan_module){r->names[m], next(r, 3) ? "Linear" : "Block", parent};
    for (uint64_t k = next(r, 4); k && n_tensors < MAX_TENSORS; k--) {
      uint32_t t = n_tensors++;
      char *name = r->names[MAX_MODULES + t];
      snprintf(name, sizeof r->names[0], "t%u", t);
      r->shapes[t][0] = next(r, 20);
      r->shapes[t][1] = 1 + next(r, 5);
      r->sizes[t] = 4 * r->shapes[t][0] * r->shapes[t][1];
      r->total += r->sizes[t];
      r->tensors[t] = (ipfsa_plan_tensor){name, m, "float32", r->shapes[t], 2, false, 0};
      full_name(r, &r->tensors[t], r->full[t]);
    }
  }
  r->model = (ipfsa_plan_model){sizeof r->model, r->modules, n, r->tensors, n_tensors};
}

static void check_limits(const random_model *r, const ipfsa_plan *plan, const ipfsa_plan_memory *given, size_t n_given) {
  uint64_t used[4] = {0};
  ipfsa_error err = {0};
  size_t n = 0, n_memories = 0;
  const ipfsa_plan_entry *entries = ipfsa_plan_entries(plan, &n);
  const ipfsa_plan_memory *memories = ipfsa_plan_memories(plan, &n_memories);
  assert_int_equal(n_memories, n_given);
  assert_ok(ipfsa_plan_check(&r->model, entries, n, &err)); /* each parameter has a device … */
  for (size_t t = 0; t < r->model.n_tensors; t++) {
    int32_t device = 0;
    unsigned covers = 0;
    for (size_t i = 0; i < n; i++) {
      size_t len = strlen(entries[i].name);
      covers += len == 0 || (strncmp(r->full[t], entries[i].name, len) == 0 && strchr(".", r->full[t][len]));
    }
    assert_int_equal(covers, 1); /* … and one only */
    assert_ok(ipfsa_plan_device_of(entries, n, r->full[t], &device, &err));
    for (size_t i = 0; i < n_memories; i++)
      if (memories[i].device == device) used[i] += r->sizes[t];
  }
  for (size_t i = 0; i < n_memories; i++) {
    assert_true(used[i] <= memories[i].bytes);
    for (size_t g = 0; g < n_given; g++)
      if (given[g].device == memories[i].device) assert_true(memories[i].bytes <= given[g].bytes);
  }
}

static void every_parameter_is_placed_once_within_limits(void **state) {
  (void)state;
  static const char *const whole[] = {"Block"};
  unsigned split = 0;
  for (uint64_t seed = 1; seed <= 3000; seed++) {
    ipfsa_error err = {0};
    random_model r;
    ipfsa_plan *plan = NULL;
    size_t n;
    make_model(&r, seed);
    ipfsa_plan_memory memory[] = {{IPFSA_DEVICE_CPU, next(&r, r.total + 1)}, {1, next(&r, r.total + 1)}, {0, next(&r, r.total + 1)}};
    ipfsa_plan_options o = {.struct_size = sizeof o, .mode = (ipfsa_plan_mode)next(&r, 4), .memory = memory, .n_memory = 3, .no_split_classes = whole, .n_no_split_classes = next(&r, 2), .keep_detail = next(&r, 2)};
    ipfsa_status status = ipfsa_plan_infer(&r.model, &o, &plan, &err);
    if (status == IPFSA_E_INVALID && o.mode == IPFSA_PLAN_BALANCED_LOW_0) continue; /* a GPU without memory */
    if (status) fail_msg("seed %llu: %s", (unsigned long long)seed, err.message);
    check_limits(&r, plan, memory, 3);
    (void)ipfsa_plan_entries(plan, &n);
    split += n > 1;
    ipfsa_plan_free(plan);
  }
  assert_true(split > 1000);
}

static void sizes_in_words(void **state) {
  (void)state;
  static const struct { const char *text; uint64_t bytes; } good[] = {{"10GiB", 10737418240}, {"1MiB", 1048576}, {"1kib", 1024}, {"1gb", 125000000}, {"1GB", 1000000000}, {"1gB", 1000000000},
                                                                      {"1.5 MB", 1500000}, {"0KB", 0}, {"2e1KB", 20000}, {" 1KB", 1000}, {"7Kb", 875}, {"-0KB", 0}};
  static const char *const bad[] = {"", "10", "10B", "1TB", "-1GB", "GB", "1.2.3GB", "1 GB ", "xGB", "1GiBs", "infGB", "nanMB", "0x1KB"};
  ipfsa_error err = {0};
  uint64_t bytes = 7;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    assert_ok(ipfsa_plan_size_parse(good[i].text, &bytes, &err));
    if (bytes != good[i].bytes) fail_msg("%s gives %llu", good[i].text, (unsigned long long)bytes);
  }
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (ipfsa_plan_size_parse(bad[i], &bytes, &err) != IPFSA_E_INVALID) fail_msg("\"%s\" is taken", bad[i]);
  assert_status(ipfsa_plan_size_parse("1x", &bytes, &err), IPFSA_E_INVALID);
  assert_string_equal(err.message, "`size` 1x is not in a valid format. Use an integer for bytes, or a string with an unit (like '5.0GB')");
  assert_ok(ipfsa_plan_size_parse("67108864GiB", &bytes, &err));
  assert_true(bytes == IPFSA_MAX_PLAN_BYTES);
  assert_status(ipfsa_plan_size_parse("67108865GiB", &bytes, &err), IPFSA_E_LIMIT);
  int32_t device = 0;
  ipfsa_plan_mode mode;
  assert_status(ipfsa_plan_device_parse("gpu", &device, &err), IPFSA_E_INVALID);
  assert_string_equal(err.message, "Device gpu is not recognized, available devices are integers(for GPU/XPU), 'mps', 'cpu' and 'disk'");
  assert_status(ipfsa_plan_mode_parse("fast", &mode, &err), IPFSA_E_INVALID);
  assert_string_equal(err.message, "If passing a string for `device_map`, please choose 'auto', 'balanced', 'balanced_low_0' or 'sequential'");
}

static const uint64_t four[] = {4}, huge[] = {IPFSA_MAX_PLAN_BYTES / 4}, too_huge[] = {IPFSA_MAX_PLAN_BYTES / 4 + 1}, overflowing[] = {UINT64_MAX, UINT64_MAX}, empty[] = {UINT64_MAX, 0};

static ipfsa_status infer(const ipfsa_plan_module *modules, size_t n_modules, const ipfsa_plan_tensor *tensors, size_t n_tensors, const char *dtype, ipfsa_error *err) {
  ipfsa_plan *plan = NULL;
  ipfsa_plan_model model = {sizeof model, modules, n_modules, tensors, n_tensors};
  ipfsa_status status = ipfsa_plan_infer(&model, &(ipfsa_plan_options){.struct_size = sizeof(ipfsa_plan_options), .dtype = dtype}, &plan, err);
  ipfsa_plan_free(plan);
  return status;
}

static void models_that_cannot_be(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_plan_module root[] = {{"", "M", 0}, {"a", "L", 0}, {"b", "L", 1}, {"c", "L", 0}};
  ipfsa_plan_tensor good = {"w", 0, "float32", four, 1, false, 0}, t = good;
  assert_ok(infer(root, 4, &t, 1, "torch.float16", &err));
  assert_status(infer(root, 0, &t, 0, NULL, &err), IPFSA_E_INVALID);
  root[3].parent = 2, root[2].parent = 0; /* fine */
  assert_ok(infer(root, 4, &t, 1, NULL, &err));
  root[3].parent = 1; /* below a, behind b, which is beside a */
  assert_status(infer(root, 4, &t, 1, NULL, &err), IPFSA_E_INVALID);
  root[3] = (ipfsa_plan_module){"a", "L", 0};
  assert_status(infer(root, 4, &t, 1, NULL, &err), IPFSA_E_INVALID);
  root[3].parent = 7;
  assert_status(infer(root, 4, &t, 1, NULL, &err), IPFSA_E_INVALID);
  static const char *const names[] = {"", "a.b", "a", NULL};
  for (size_t i = 0; i < 4; i++) {
    t = good;
    t.name = names[i];
    assert_status(infer(root, 2, &t, 1, NULL, &err), IPFSA_E_INVALID);
  }
  t = good, t.module = 2;
  assert_status(infer(root, 2, &t, 1, NULL, &err), IPFSA_E_INVALID);
  assert_status(infer(root, 2, (ipfsa_plan_tensor[]){{"x", 1, "int8", four, 1, false, 0}, good}, 2, NULL, &err), IPFSA_E_INVALID);
  t = good, t.is_buffer = true, t.tied = 1;
  assert_status(infer(root, 2, &t, 1, NULL, &err), IPFSA_E_INVALID);
  t = good, t.dtype = "float8_e4m3fnuz";
  assert_status(infer(root, 2, &t, 1, NULL, &err), IPFSA_E_INVALID);
  assert_string_equal(err.message, "`dtype` is not a valid dtype: torch.float8_e4m3fnuz");
  assert_ok(infer(root, 2, &good, 1, "torch.half", &err));
  assert_status(infer(root, 2, &good, 1, "halff", &err), IPFSA_E_INVALID);
  t = good, t.dtype = "half"; /* a tensor has a type by its first name */
  assert_status(infer(root, 2, &t, 1, NULL, &err), IPFSA_E_INVALID);
  t = good, t.shape = huge;
  assert_ok(infer(root, 2, &t, 1, NULL, &err));
  assert_status(infer(root, 2, (ipfsa_plan_tensor[]){t, {"x", 0, "int8", four, 1, false, 0}}, 2, NULL, &err), IPFSA_E_LIMIT);
  t.shape = too_huge;
  assert_status(infer(root, 2, &t, 1, NULL, &err), IPFSA_E_LIMIT);
  t.shape = overflowing, t.rank = 2;
  assert_status(infer(root, 2, &t, 1, NULL, &err), IPFSA_E_LIMIT);
  t.shape = empty;
  assert_ok(infer(root, 2, &t, 1, NULL, &err));
}

static void limits(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char name[IPFSA_MAX_PLAN_NAME + 2];
  memset(name, 'n', sizeof name);
  name[IPFSA_MAX_PLAN_NAME] = '\0';
  ipfsa_plan_module root[] = {{"", "M", 0}};
  ipfsa_plan_tensor t = {name, 0, "int8", four, 1, false, 0};
  assert_ok(infer(root, 1, &t, 1, NULL, &err));
  name[IPFSA_MAX_PLAN_NAME] = 'n', name[IPFSA_MAX_PLAN_NAME + 1] = '\0';
  assert_status(infer(root, 1, &t, 1, NULL, &err), IPFSA_E_LIMIT);
  assert_status(infer(root, IPFSA_MAX_PLAN_MODULES + 1, &t, 0, NULL, &err), IPFSA_E_LIMIT); /* refused before they are looked at */
  assert_status(infer(root, 1, &t, (size_t)IPFSA_MAX_PLAN_TENSORS + 1, NULL, &err), IPFSA_E_LIMIT);
  size_t n = IPFSA_MAX_PLAN_MODULES;
  ipfsa_plan_module *modules = calloc(n, sizeof *modules);
  char(*names)[10] = calloc(n, sizeof *names);
  for (size_t i = 0; i < n; i++) {
    if (i) snprintf(names[i], sizeof *names, "%zu", i);
    modules[i] = (ipfsa_plan_module){names[i], "L", 0};
  }
  assert_ok(infer(modules, n, NULL, 0, NULL, &err));
  for (size_t i = 1; i < n; i++) modules[i].parent = (uint32_t)i - 1; /* one in the other: names get too long */
  assert_status(infer(modules, n, NULL, 0, NULL, &err), IPFSA_E_LIMIT);
  char long_name[1001] = ""; /* names that are too long together */
  memset(long_name, 'm', 1000);
  modules[1] = (ipfsa_plan_module){long_name, "L", 0};
  n = IPFSA_MAX_PLAN_TEXT / 1007 + 1; /* names of six letters or digits: 1008 bytes each */
  char(*short_names)[10] = calloc(n, sizeof *short_names);
  ipfsa_plan_tensor *tensors = calloc(n, sizeof *tensors);
  for (size_t i = 0; i < n; i++) {
    snprintf(short_names[i], sizeof *short_names, "%06zu", i);
    tensors[i] = (ipfsa_plan_tensor){short_names[i], 1, "int8", four, 1, false, 0};
  }
  size_t fit = (IPFSA_MAX_PLAN_TEXT - 1 - 1001) / 1008;
  assert_ok(infer(modules, 2, tensors, fit, NULL, &err));
  assert_status(infer(modules, 2, tensors, fit + 1, NULL, &err), IPFSA_E_LIMIT);
  free(short_names);
  free(tensors);
  n = IPFSA_MAX_PLAN_TENSORS;
  short_names = calloc(n, sizeof *short_names);
  tensors = calloc(n, sizeof *tensors);
  for (size_t i = 0; i < n; i++) {
    snprintf(short_names[i], sizeof *short_names, "%zu", i);
    tensors[i] = (ipfsa_plan_tensor){short_names[i], 0, "int8", four, 1, false, 0};
  }
  assert_ok(infer(root, 1, tensors, n, NULL, &err));
  free(short_names);
  free(tensors);
  free(names);
  free(modules);
  ipfsa_plan *plan = NULL;
  ipfsa_plan_memory *memory = calloc(IPFSA_MAX_PLAN_DEVICES + 1, sizeof *memory);
  for (int i = 0; i <= IPFSA_MAX_PLAN_DEVICES; i++) memory[i] = (ipfsa_plan_memory){i, 1};
  ipfsa_plan_model model = {sizeof model, root, 1, NULL, 0};
  ipfsa_plan_options o = {.struct_size = sizeof o, .memory = memory, .n_memory = IPFSA_MAX_PLAN_DEVICES};
  assert_ok(ipfsa_plan_infer(&model, &o, &plan, &err));
  ipfsa_plan_free(plan);
  o.n_memory++;
  assert_status(ipfsa_plan_infer(&model, &o, &plan, &err), IPFSA_E_LIMIT);
  o.n_memory = 2, memory[1].device = 0;
  assert_status(ipfsa_plan_infer(&model, &o, &plan, &err), IPFSA_E_INVALID);
  memory[1] = (ipfsa_plan_memory){1, IPFSA_MAX_PLAN_BYTES + 1};
  assert_status(ipfsa_plan_infer(&model, &o, &plan, &err), IPFSA_E_LIMIT);
  free(memory);
}

static void explicit_maps(void **state) {
  (void)state;
  ipfsa_error err = {0};
  int32_t device = 7;
  ipfsa_plan_module modules[] = {{"", "M", 0}, {"a", "L", 0}, {"ab", "L", 0}};
  ipfsa_plan_tensor tensors[] = {{"w", 1, "int8", four, 1, false, 0}, {"w", 2, "int8", four, 1, false, 0}, {"r", 2, "int8", four, 1, true, 0}};
  ipfsa_plan_model model = {sizeof model, modules, 3, tensors, 3};
  ipfsa_plan_entry map[] = {{"a", 0}, {"ab.w", IPFSA_DEVICE_DISK}, {"", IPFSA_DEVICE_CPU}};
  assert_status(ipfsa_plan_check(&model, map, 1, &err), IPFSA_E_INVALID);
  assert_string_equal(err.message, "The device_map provided does not give any device for the following parameters: ab.w, ab.r");
  assert_status(ipfsa_plan_check(&model, map, 2, &err), IPFSA_E_INVALID);
  assert_ok(ipfsa_plan_check(&model, map, 3, &err));
  assert_ok(ipfsa_plan_device_of(map, 3, "a.w", &device, &err));
  assert_int_equal(device, 0);
  assert_ok(ipfsa_plan_device_of(map, 3, "ab.w", &device, &err));
  assert_int_equal(device, IPFSA_DEVICE_DISK);
  assert_ok(ipfsa_plan_device_of(map, 3, "ab.r", &device, &err));
  assert_int_equal(device, IPFSA_DEVICE_CPU);
  assert_status(ipfsa_plan_device_of(map, 2, "ab.r", &device, &err), IPFSA_E_INVALID);
  assert_string_equal(err.message, "ab.r doesn't have any device set");
  uint64_t nth = 1;
  for (bool fired = true; fired; nth++) { /* maps that cover all, and not */
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, nth, 1, IPFSA_FAULT_FAIL, 0});
    ipfsa_status status = ipfsa_plan_check(&model, map, nth % 2 ? 3 : 1, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (fired) assert_int_equal(status, IPFSA_E_NOMEM);
  }
  assert_true(nth > 6);
}

/* A model of one module with two tensors of 4 elements; what GPU 0 holds of it, where that has room for `bytes`. */
static ipfsa_status infer_special(const ipfsa_plan_special_dtype *special, size_t n, uint64_t bytes, size_t *ret_on_gpu, ipfsa_error *err) {
  ipfsa_plan_module modules[] = {{"", "M", 0}, {"a", "L", 0}, {"b", "L", 0}};
  ipfsa_plan_tensor tensors[] = {{"w", 1, "float32", four, 1, false, 0}, {"w", 2, "int8", four, 1, false, 0}};
  ipfsa_plan_model model = {sizeof model, modules, 3, tensors, 2};
  ipfsa_plan_memory memory[] = {{0, bytes}};
  ipfsa_plan_options o = {.struct_size = sizeof o, .mode = IPFSA_PLAN_SEQUENTIAL, .memory = memory, .n_memory = 1, .dtype = "float16", .special_dtypes = special, .n_special_dtypes = n, .keep_detail = true};
  ipfsa_plan *plan = NULL;
  size_t n_entries = 0, on_gpu = 0;
  ipfsa_status status = ipfsa_plan_infer(&model, &o, &plan, err);
  const ipfsa_plan_entry *entries = plan ? ipfsa_plan_entries(plan, &n_entries) : NULL;
  for (size_t i = 0; i < n_entries; i++) on_gpu += entries[i].device == 0;
  *ret_on_gpu = on_gpu;
  ipfsa_plan_free(plan);
  return status;
}

/* Beside a layer the largest one that is not placed stays free: 8 + 4 bytes; with b.w as float64 8 + 32, with a.w as bool, too, half a byte + 32. */
static void types_of_some_tensors(void **state) {
  (void)state;
  ipfsa_error err = {0};
  size_t on_gpu;
  ipfsa_plan_special_dtype special[] = {{"b.w", "torch.double"}, {"not here", "int8"}, {"a.w", "bool"}};
  const struct { size_t n; uint64_t bytes; size_t on_gpu; } cases[] = {{0, 12, 2}, {0, 11, 0}, {2, 39, 0}, {2, 40, 2}, {3, 32, 0}, {3, 33, 2}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    assert_ok(infer_special(special, cases[i].n, cases[i].bytes, &on_gpu, &err));
    if (on_gpu != cases[i].on_gpu) fail_msg("case %zu: %zu parts on the GPU", i, on_gpu);
  }
  special[1].dtype = "int4"; /* also of a tensor that is not there */
  assert_status(infer_special(special, 2, 40, &on_gpu, &err), IPFSA_E_INVALID);
  assert_string_equal(err.message, "`dtype` is not a valid dtype: torch.int4");
  special[1] = (ipfsa_plan_special_dtype){"b.w", "int8"};
  assert_status(infer_special(special, 2, 40, &on_gpu, &err), IPFSA_E_INVALID);
  special[1] = (ipfsa_plan_special_dtype){NULL, "int8"};
  assert_status(infer_special(special, 2, 40, &on_gpu, &err), IPFSA_E_INVALID);
  special[1] = (ipfsa_plan_special_dtype){"x", NULL};
  assert_status(infer_special(special, 2, 40, &on_gpu, &err), IPFSA_E_INVALID);
  size_t n = IPFSA_MAX_PLAN_TENSORS;
  ipfsa_plan_special_dtype *many = calloc(n + 1, sizeof *many);
  char(*names)[10] = calloc(n, sizeof *names);
  for (size_t i = 0; i < n; i++) {
    snprintf(names[i], sizeof *names, "%zu", i);
    many[i] = (ipfsa_plan_special_dtype){names[i], "int8"};
  }
  assert_ok(infer_special(many, n, 40, &on_gpu, &err));
  assert_status(infer_special(many, n + 1, 40, &on_gpu, &err), IPFSA_E_LIMIT);
  free(names);
  free(many);
}

/* Devices: test_plan_peer.py, beside psutil and a driver made for it. Here: what can fail. */
static void memory_of_this_machine(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_plan_memory memory[64];
  size_t n = 0, unchanged = 7;
  assert_ok(ipfsa_plan_memory_available(memory, 64, &n, &err));
  assert_true(n > 0 && memory[n - 1].device == IPFSA_DEVICE_CPU && memory[n - 1].bytes > 1048576);
  assert_status(ipfsa_plan_memory_available(memory, n - 1, &unchanged, &err), IPFSA_E_LIMIT);
  const ipfsa_fault_kind kinds[] = {IPFSA_FAULT_ALLOC, IPFSA_FAULT_FILE};
  for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
    unsigned failed = 0;
    for (bool fired = true; fired; failed += fired) {
      ipfsa_fault_arm(&(ipfsa_fault_plan){kinds[k], failed + 1, 1, IPFSA_FAULT_FAIL, EIO});
      ipfsa_status status = ipfsa_plan_memory_available(memory, 64, &unchanged, &err);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      assert_true(fired == (status != IPFSA_OK));
      if (fired) assert_int_equal(unchanged, 7);
    }
    assert_true(failed > 0);
    unchanged = 7;
  }
}

static void without_memory_nothing_is_left_behind(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed < 20; seed++) {
    random_model r;
    make_model(&r, seed);
    if (r.model.n_tensors > 3) r.tensors[0].tied = r.tensors[2].tied = 5, r.shapes[2][0] = r.shapes[0][0], r.shapes[2][1] = r.shapes[0][1];
    ipfsa_plan_memory memory[] = {{0, r.total / 3}, {IPFSA_DEVICE_CPU, r.total / 2}};
    ipfsa_plan_special_dtype special[] = {{"m1.t1", "float16"}, {"t0", "int8"}};
    ipfsa_plan_options o = {.struct_size = sizeof o, .memory = memory, .n_memory = 2, .special_dtypes = special, .n_special_dtypes = seed % 3};
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
      ipfsa_plan *plan = NULL;
      ipfsa_error err = {0};
      ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, 0});
      ipfsa_status status = ipfsa_plan_infer(&r.model, &o, &plan, &err);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      if (fired) assert_int_equal(status, IPFSA_E_NOMEM);
      assert_true((status == IPFSA_OK) == (plan != NULL));
      ipfsa_plan_free(plan);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_parameter_is_placed_once_within_limits), cmocka_unit_test(sizes_in_words), cmocka_unit_test(models_that_cannot_be),
      cmocka_unit_test(limits), cmocka_unit_test(explicit_maps), cmocka_unit_test(types_of_some_tensors), cmocka_unit_test(memory_of_this_machine), cmocka_unit_test(without_memory_nothing_is_left_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
