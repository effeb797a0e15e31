/* Filling devices one after the other. What accelerate 0.34.2 does is kept to the letter: names are compared as it does (one name may lie within another
 * without being above it), the buffers of a split module are not placed, the largest layer is looked for again when all of its size are placed. */
#include "base/alloc.h"
#include "base/error.h"
#include "checkpoint/plan.h"

typedef struct placing {
  const ipfsa_parts *p;
  const ipfsa_plan_options *o;
  const ipfsa_allowance *allowed;
  int32_t *devices;     /* by part: the result */
  uint32_t *queue;      /* parts to be looked at, the next one last */
  size_t n, cap;
  uint32_t *largest;    /* layers of the largest size, as they were found; is_largest, by part: those not yet placed */
  bool *is_largest;
  size_t n_found, n_largest, largest_cap;
  int64_t largest_bits;
  uint32_t *tied;       /* parameters tied to the part at hand, outside of it; and the places in the queue they are in */
  uint32_t *holders;
  size_t n_tied, tied_cap, holders_cap;
  size_t device;        /* item of `allowed`; past its end: the disk */
  int64_t used;         /* bits on it */
  bool has_mps;
} placing;

bool ipfsa_plan_is_whole(const ipfsa_parts *p, uint32_t module, const ipfsa_plan_options *o) {
  for (size_t i = 0; i < o->n_no_split_classes; i++)
    if (strcmp(p->modules[module].class_name, o->no_split_classes[i]) == 0) return true;
  return false;
}

static bool has_children(const ipfsa_parts *p, uint32_t module) { return p->ends[module] > module + 1; }
static bool can_split(const placing *s, uint32_t part) {
  return ipfsa_part_is_module(s->p, part) && has_children(s->p, part) && !ipfsa_plan_is_whole(s->p, part, s->o);
}

static bool grow_queue(placing *s, size_t more) { return ipfsa_grow((void **)&s->queue, &s->cap, s->n + more, sizeof *s->queue); }

/* ---- the largest layer ---- */

static void drop_largest(placing *s) {
  for (size_t i = 0; i < s->n_found; i++) s->is_largest[s->largest[i]] = false;
  s->n_found = s->n_largest = 0;
}

static bool note_layer(placing *s, uint32_t part) {
  int64_t bits = s->p->sizes[part];
  if (bits < s->largest_bits) return true;
  if (bits > s->largest_bits) drop_largest(s);
  s->largest_bits = bits;
  if (!ipfsa_grow((void **)&s->largest, &s->largest_cap, s->n_found + 1, sizeof *s->largest)) return false;
  s->largest[s->n_found++] = part;
  s->is_largest[part] = true;
  s->n_largest++;
  return true;
}

/* Layers are modules without modules, and those that stay whole. */
static bool note_layers(placing *s, uint32_t module) {
  for (uint32_t m = module; m < s->p->ends[module];) {
    bool layer = !has_children(s->p, m) || ipfsa_plan_is_whole(s->p, m, s->o);
    if (layer && !note_layer(s, m)) return false;
    m = layer ? s->p->ends[m] : m + 1;
  }
  return true;
}

static bool find_largest(placing *s, bool with_tensors) {
  drop_largest(s);
  s->largest_bits = 0;
  for (size_t i = s->n; i-- > 0;) {
    bool fine = ipfsa_part_is_module(s->p, s->queue[i]) ? note_layers(s, s->queue[i]) : !with_tensors || note_layer(s, s->queue[i]);
    if (!fine) return false;
  }
  return true;
}

/* The part at hand and what is in it are no longer waited for; without any left, the next largest are looked for. */
static bool forget_layers(placing *s, uint32_t part) {
  uint32_t end = ipfsa_part_is_module(s->p, part) ? s->p->ends[part] : part + 1;
  for (uint32_t i = part; i < end; i++) {
    s->n_largest -= s->is_largest[i];
    s->is_largest[i] = false;
  }
  return s->n_largest || find_largest(s, false);
}

/* ---- the queue ---- */

static size_t n_of_kind(const ipfsa_parts *p, uint32_t module, bool buffers) {
  size_t n = 0;
  for (uint32_t i = p->first_tensor[module]; i < p->first_tensor[module + 1]; i++) n += p->tensors[i].is_buffer == buffers && !ipfsa_part_is_repeated(p, i);
  return n;
}

static size_t n_children(const ipfsa_parts *p, uint32_t module) {
  size_t n = 0;
  for (uint32_t m = module + 1; m < p->ends[module]; m = p->ends[m]) n++;
  return n;
}

/* The parameters of a module and then its children, in an array that is read from its end: *at goes down. */
static void write_content(const ipfsa_parts *p, uint32_t module, uint32_t **at) {
  for (uint32_t i = p->first_tensor[module]; i < p->first_tensor[module + 1]; i++)
    if (!p->tensors[i].is_buffer && !ipfsa_part_is_repeated(p, i)) *--*at = p->n_modules + i;
  for (uint32_t m = module + 1; m < p->ends[module]; m = p->ends[m]) *--*at = m;
}

/* Item `at` becomes what is in it. */
static bool split_item(placing *s, size_t at) {
  uint32_t module = s->queue[at];
  size_t more = n_of_kind(s->p, module, false) + n_children(s->p, module);
  if (!grow_queue(s, more)) return false;
  memmove(s->queue + at + more, s->queue + at + 1, (s->n - at - 1) * sizeof *s->queue);
  s->n += more - 1;
  uint32_t *end = s->queue + at + more;
  write_content(s->p, module, &end);
  return find_largest(s, false);
}

static bool fill_queue(placing *s) {
  const ipfsa_parts *p = s->p;
  size_t n_buffers = n_of_kind(p, 0, true), n = n_of_kind(p, 0, false) + n_children(p, 0) + n_buffers;
  if (!grow_queue(s, n + 1)) return false;
  s->n = n;
  uint32_t *at = s->queue + n;
  write_content(p, 0, &at);
  for (uint32_t i = p->first_tensor[0]; i < p->first_tensor[1]; i++)
    if (p->tensors[i].is_buffer) *--at = p->n_modules + i;
  return find_largest(s, true);
}

/* ---- ties ---- */

/* Is the text in the name with a dot or the end behind it? */
static bool has_dotted(const char *name, const char *text) {
  size_t len = strlen(text);
  for (const char *at = name; (at = strstr(at, text)); at++)
    if (at[len] == '.' || at[len] == '\0') return true;
  return false;
}

static const char *tied_name(const ipfsa_parts *p, uint32_t tensor) { return p->names[p->n_modules + tensor]; }

static bool take_tied(placing *s, const struct ipfsa_ties *ties, const char *name) {
  size_t inside = 0;
  for (uint32_t i = 0; i < ties->n; i++) inside += has_dotted(tied_name(s->p, ties->tensors[i]), name);
  if (inside == 0 || inside == ties->n) return true;
  if (!ipfsa_grow((void **)&s->tied, &s->tied_cap, s->n_tied + ties->n, sizeof *s->tied)) return false;
  for (uint32_t i = 0; i < ties->n; i++)
    if (!has_dotted(tied_name(s->p, ties->tensors[i]), name)) s->tied[s->n_tied++] = ties->tensors[i];
  return true;
}

static bool find_tied(placing *s, uint32_t part) {
  s->n_tied = 0;
  for (uint32_t g = 0; g < s->p->n_ties; g++)
    if (!take_tied(s, &s->p->ties[g], s->p->names[part])) return false;
  return ipfsa_grow((void **)&s->holders, &s->holders_cap, s->n_tied + 1, sizeof *s->holders);
}

/* The parts that the tied parameters are in. */
static ipfsa_status find_holders(placing *s, uint32_t part, ipfsa_error *err) {
  for (size_t t = 0; t < s->n_tied; t++) {
    size_t i = s->n;
    while (i > 0 && !strstr(tied_name(s->p, s->tied[t]), s->p->names[s->queue[i - 1]])) i--;
    if (i == 0)
      return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "\"%.150s\" is tied to \"%.150s\", which cannot be placed with it; give an explicit device map", s->p->names[part], tied_name(s->p, s->tied[t]));
    s->holders[t] = s->queue[i - 1];
  }
  return IPFSA_OK;
}

static size_t place_in_queue(const placing *s, uint32_t part) {
  for (size_t i = s->n; i > 0; i--)
    if (s->queue[i - 1] == part) return i - 1;
  return SIZE_MAX;
}

/* ---- one part ---- */

static int32_t device_now(const placing *s) { return s->device < s->o->n_memory ? s->allowed[s->device].device : IPFSA_DEVICE_DISK; }

/* On the first GPU and on the CPU, room for the largest layer stays free; where there is mps, on it alone. */
static bool keeps_room(const placing *s) {
  int32_t device = device_now(s);
  if (s->has_mps) return device == IPFSA_DEVICE_MPS;
  return device == IPFSA_DEVICE_CPU || (s->device == 0 && device >= 0);
}

/* One size may be counted for each of many ties; what is over the cap fits nowhere but on the disk. */
static int64_t add_capped(int64_t a, int64_t b) {
  int64_t sum, cap = (int64_t)1 << 61;
  return __builtin_add_overflow(a, b, &sum) || sum > cap ? cap : sum;
}

static bool fits(const placing *s, int64_t bits) {
  if (device_now(s) == IPFSA_DEVICE_DISK) return true;
  return add_capped(s->used, bits) <= s->allowed[s->device].bits - (keeps_room(s) ? s->largest_bits : 0);
}

static void next_device(placing *s) {
  s->device++;
  s->used = 0;
}

/* The part goes back into the queue, where its room still is: in pieces, or for the next device. */
static bool split_or_go_on(placing *s, uint32_t part) {
  s->queue[s->n++] = part;
  if (can_split(s, part)) return split_item(s, s->n - 1);
  next_device(s);
  return true;
}

static void place(placing *s, uint32_t part) { s->devices[part] = device_now(s); }


static ipfsa_status place_tied(placing *s, uint32_t part, ipfsa_error *err) {
  ipfsa_status status = find_holders(s, part, err);
  if (status) return status;
  int64_t bits = s->p->sizes[part];
  for (size_t t = 0; t < s->n_tied; t++) bits = add_capped(bits, s->p->sizes[s->holders[t]] - s->p->sizes[s->p->n_modules + s->tied[t]]);
  if (fits(s, bits)) {
    s->used = add_capped(s->used, bits);
    place(s, part);
    for (size_t t = 0; t < s->n_tied; t++) {
      size_t at = place_in_queue(s, s->holders[t]);
      place(s, s->holders[t]);
      if (at == SIZE_MAX) continue;
      memmove(s->queue + at, s->queue + at + 1, (s->n - at - 1) * sizeof *s->queue);
      s->n--;
    }
    return IPFSA_OK;
  }
  s->queue[s->n++] = part;
  for (size_t t = 0; t < s->n_tied; t++)
    if (can_split(s, s->holders[t])) return split_item(s, place_in_queue(s, s->holders[t])) ? IPFSA_OK : ipfsa_fail_nomem(err);
  next_device(s);
  return IPFSA_OK;
}

static ipfsa_status place_next(placing *s, ipfsa_error *err) {
  uint32_t part = s->queue[--s->n];
  if (!forget_layers(s, part) || !find_tied(s, part)) return ipfsa_fail_nomem(err);
  if (!fits(s, s->p->sizes[part])) return split_or_go_on(s, part) ? IPFSA_OK : ipfsa_fail_nomem(err);
  if (s->n_tied) return place_tied(s, part, err);
  s->used = add_capped(s->used, s->p->sizes[part]);
  place(s, part);
  return IPFSA_OK;
}

ipfsa_status ipfsa_plan_place(const ipfsa_parts *p, const ipfsa_plan_options *o, const ipfsa_allowance *allowed, int32_t *ret_devices, ipfsa_error *err) {
  placing s = {.p = p, .o = o, .allowed = allowed, .devices = ret_devices};
  for (size_t i = 0; i < o->n_memory; i++) s.has_mps |= allowed[i].device == IPFSA_DEVICE_MPS;
  for (size_t i = 0; i < (size_t)p->n_modules + p->n_tensors; i++) ret_devices[i] = IPFSA_NOWHERE;
  s.is_largest = ipfsa_calloc((size_t)p->n_modules + p->n_tensors, sizeof *s.is_largest);
  ipfsa_status status = s.is_largest && fill_queue(&s) ? IPFSA_OK : ipfsa_fail_nomem(err);
  while (status == IPFSA_OK && s.n) status = place_next(&s, err);
  ipfsa_free(s.queue);
  ipfsa_free(s.largest);
  ipfsa_free(s.is_largest);
  ipfsa_free(s.tied);
  ipfsa_free(s.holders);
  return status;
}

/* ---- cleaning ---- */

/* The outermost module with several entries below it, all of one device, takes their place. */
ipfsa_status ipfsa_plan_clean(const ipfsa_parts *p, int32_t *devices, ipfsa_error *err) {
  size_t n = (size_t)p->n_modules + p->n_tensors;
  IPFSA_AUTO_FREE struct below { uint32_t n; int32_t device; bool mixed; } *below = ipfsa_calloc(p->n_modules, sizeof *below);
  if (!below) return ipfsa_fail_nomem(err);
  for (uint32_t i = 1; i < n; i++)
    for (uint32_t up = i; devices[i] != IPFSA_NOWHERE && up;) {
      up = ipfsa_part_parent(p, up);
      below[up].mixed |= below[up].n && below[up].device != devices[i];
      below[up].device = devices[i];
      below[up].n++;
    }
  for (uint32_t m = 0; m < p->n_modules;) {
    if (below[m].n < 2 || below[m].mixed) {
      m++;
      continue;
    }
    for (uint32_t inner = m + 1; inner < p->ends[m]; inner++) devices[inner] = IPFSA_NOWHERE;
    for (uint32_t t = p->first_tensor[m]; t < p->first_tensor[p->ends[m]]; t++) devices[p->n_modules + t] = IPFSA_NOWHERE;
    devices[m] = below[m].device;
    m = p->ends[m];
  }
  return IPFSA_OK;
}
