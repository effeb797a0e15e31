/* Tensors that have another name in the other checkpoint. First by the blocks that hold them, for which nothing is read; then by the sha2-256 of their bytes,
 * where one of the other side has as many. */
#include <stdlib.h>

#include "base/alloc.h"
#include "base/error.h"
#include "checkpoint/diff.h"
#include "hash/hash.h"

/* One whose name the other side has not. */
typedef struct left {
  uint64_t size, form; /* form: of dtype and shape, mixed */
  uint8_t key[32];
  uint32_t i; /* its number */
  bool has_key, taken;
} left;

typedef struct list {
  ipfsa_checkpoint *cp;
  left *items; /* in the order of by_key, once sorted */
  size_t n, cap;
} list;

static uint64_t form_of(const ipfsa_tensor *t) {
  uint64_t form = t->rank;
  for (const char *p = t->dtype; *p; p++) form = (form ^ (uint8_t)*p) * 0x9e3779b97f4a7c15u + 1;
  for (unsigned i = 0; i < t->rank; i++) form = (form ^ t->shape[i]) * 0x9e3779b97f4a7c15u + 1;
  return form ^ form >> 32;
}

static ipfsa_status collect(list *l, const ipfsa_checkpoint *other, ipfsa_error *err) {
  ipfsa_tensor t, found;
  for (uint64_t i = 0; ipfsa_checkpoint_tensor(l->cp, i, &t); i++) {
    if (ipfsa_checkpoint_find(other, t.name, t.name_len, &found) || t.size == 0) continue; /* nothing tells empty ones apart */
    if (i >= UINT32_MAX - 1) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %u tensors cannot be compared", UINT32_MAX - 1);
    if (!ipfsa_grow((void **)&l->items, &l->cap, l->n + 1, sizeof *l->items)) return ipfsa_fail_nomem(err);
    l->items[l->n++] = (left){.size = t.size, .form = form_of(&t), .i = (uint32_t)i};
  }
  return IPFSA_OK;
}

static int by_kind(const left *a, const left *b) {
  if (a->size != b->size) return a->size < b->size ? -1 : 1;
  return (a->form > b->form) - (a->form < b->form);
}

static int by_content(const left *a, const left *b) {
  int order = by_kind(a, b);
  return order ? order : memcmp(a->key, b->key, sizeof a->key);
}

/* Those without a key behind the others of their kind: they pair with none, however many there are. */
static int by_key(const void *a, const void *b) {
  const left *x = a, *y = b;
  int order = by_kind(x, y);
  if (order == 0) order = y->has_key - x->has_key;
  if (order == 0) order = memcmp(x->key, y->key, sizeof x->key);
  return order ? order : (x->i > y->i) - (x->i < y->i);
}

/* ---- keys ---- */

/* Of the leaves that hold it, when they hold nothing else. */
static bool key_of_leaves(const ipfsa_checkpoint *cp, const ipfsa_tensor *t, uint8_t *ret) {
  ipfsa_sha256_stream s;
  ipfsa_source_leaf leaf;
  ipfsa_sha256_init(&s);
  for (uint64_t off = 0; off < t->size; off = leaf.end - t->offset) {
    if (!ipfsa_diff_leaf(cp, t, off, &leaf) || leaf.start != t->offset + off || leaf.end - t->offset > t->size) return false;
    uint64_t len = leaf.end - leaf.start;
    ipfsa_sha256_update(&s, leaf.id, sizeof leaf.id);
    ipfsa_sha256_update(&s, &len, sizeof len);
  }
  ipfsa_sha256_final(&s, ret);
  return true;
}

static ipfsa_status key_of_bytes(ipfsa_diff *d, ipfsa_checkpoint *cp, const ipfsa_tensor *t, uint8_t *ret) {
  ipfsa_sha256_stream s;
  ipfsa_status status = IPFSA_OK;
  ipfsa_sha256_init(&s);
  for (uint64_t off = 0; status == IPFSA_OK && off < t->size; off += IPFSA_DIFF_PIECE) {
    size_t n = t->size - off < IPFSA_DIFF_PIECE ? (size_t)(t->size - off) : IPFSA_DIFF_PIECE;
    status = ipfsa_checkpoint_read(cp, t, off, d->room, n, d->err);
    if (status == IPFSA_OK) ipfsa_sha256_update(&s, d->room, n);
    if (status == IPFSA_OK) status = ipfsa_diff_step(d, 0);
  }
  if (status == IPFSA_OK) ipfsa_sha256_final(&s, ret);
  return status;
}

static ipfsa_status make_keys(ipfsa_diff *d, list *l, bool by_leaves) {
  ipfsa_status status = IPFSA_OK;
  for (size_t k = 0; status == IPFSA_OK && k < l->n; k++) {
    left *item = &l->items[k];
    ipfsa_tensor t;
    memset(item->key, 0, sizeof item->key);
    item->has_key = ipfsa_checkpoint_tensor(l->cp, item->i, &t);
    if (by_leaves) item->has_key = key_of_leaves(l->cp, &t, item->key);
    else status = key_of_bytes(d, l->cp, &t, item->key);
  }
  if (l->n) qsort(l->items, l->n, sizeof *l->items, by_key);
  return status;
}

/* ---- pairs ---- */

static bool same_form(const list *from, const left *a, const list *to, const left *b) {
  ipfsa_tensor x, y;
  return ipfsa_checkpoint_tensor(from->cp, a->i, &x) && ipfsa_checkpoint_tensor(to->cp, b->i, &y) && ipfsa_diff_same_form(&x, &y);
}

/* Both in order, once through: of equal ones the first goes with the first. */
static void pair_up(ipfsa_diff *d, list *from, list *to) {
  for (size_t i = 0, j = 0; i < to->n && j < from->n;) {
    left *a = &from->items[j], *b = &to->items[i];
    int order = by_content(a, b);
    if (!a->has_key || (b->has_key && order < 0)) j++;
    else if (!b->has_key || order > 0) i++;
    else {
      i++, j++;
      if (!same_form(from, a, to, b)) continue; /* two forms that mix to one */
      a->taken = b->taken = true;
      d->old[b->i] = a->i + 1;
      d->moved[a->i] = 1;
    }
  }
}

static void drop_taken(list *l) {
  size_t n = 0;
  for (size_t i = 0; i < l->n; i++)
    if (!l->items[i].taken) l->items[n++] = l->items[i];
  l->n = n;
}

/* Those of a kind that none on the other side has. Both are in the order of kinds. */
static void drop_single(list *l, const list *other) {
  size_t n = 0, j = 0;
  for (size_t i = 0; i < l->n; i++) {
    while (j < other->n && by_kind(&other->items[j], &l->items[i]) < 0) j++;
    if (j < other->n && by_kind(&other->items[j], &l->items[i]) == 0) l->items[n++] = l->items[i];
  }
  l->n = n;
}

static ipfsa_status look(ipfsa_diff *d, list *from, list *to, bool by_leaves) {
  drop_single(from, to);
  drop_single(to, from);
  ipfsa_status status = make_keys(d, from, by_leaves);
  if (status == IPFSA_OK) status = make_keys(d, to, by_leaves);
  if (status) return status;
  pair_up(d, from, to);
  drop_taken(from);
  drop_taken(to);
  return IPFSA_OK;
}

static ipfsa_status look_twice(ipfsa_diff *d, list *from, list *to) {
  d->old = ipfsa_calloc(d->to->n_tensors + 1, sizeof *d->old);
  d->moved = ipfsa_calloc(d->from->n_tensors + 1, 1);
  if (!d->old || !d->moved) return ipfsa_fail_nomem(d->err);
  qsort(from->items, from->n, sizeof *from->items, by_key);
  qsort(to->items, to->n, sizeof *to->items, by_key);
  ipfsa_status status = look(d, from, to, true);
  return status ? status : look(d, from, to, false);
}

ipfsa_status ipfsa_diff_find_renamed(ipfsa_diff *d) {
  list from = {.cp = d->from}, to = {.cp = d->to};
  ipfsa_status status = collect(&from, d->to, d->err);
  if (status == IPFSA_OK && from.n) status = collect(&to, d->from, d->err);
  if (status == IPFSA_OK && from.n && to.n) status = look_twice(d, &from, &to);
  ipfsa_free(from.items);
  ipfsa_free(to.items);
  return status;
}
