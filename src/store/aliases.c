/* docs/formats/meta.md. A history is one record, newest line first: 8 bytes seconds of wall time, 1 byte length of the binary CID (0: removed), the CID. */
#include "store/aliases.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "store/pins.h"

#define HISTORY "alias:"

typedef struct alias_key {
  char text[sizeof IPFSA_ALIAS_ROOT + IPFSA_MAX_ALIAS];
} alias_key;

static ipfsa_bytes key_of(const char *prefix, const char *name, alias_key *storage) {
  return ipfsa_bytes_of(storage->text, (size_t)snprintf(storage->text, sizeof storage->text, "%s%.*s", prefix, IPFSA_MAX_ALIAS, name));
}

static ipfsa_status no_alias(const char *name, ipfsa_error *err) { return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "there is no alias \"%.200s\"", name); }

static ipfsa_status get_alias(ipfsa_meta_txn *txn, const char *name, ipfsa_cid *ret, ipfsa_error *err) {
  alias_key storage;
  ipfsa_bytes value = {0};
  ipfsa_status status = ipfsa_meta_get(txn, IPFSA_META_ROOTS, key_of(IPFSA_ALIAS_ROOT, name, &storage), &value, err);
  if (status == IPFSA_E_NOT_FOUND) return no_alias(name, err);
  if (status == IPFSA_OK) status = ipfsa_cid_decode(value, ret, err);
  return status ? ipfsa_error_prefix(err, status, "the alias \"%.200s\"", name) : IPFSA_OK;
}

/* --- history --- */

static bool next_event(ipfsa_cursor *c, ipfsa_alias_event *ret) {
  uint64_t at;
  uint8_t len;
  ipfsa_bytes cid;
  if (!ipfsa_cursor_u64be(c, &at) || !ipfsa_cursor_u8(c, &len) || !ipfsa_cursor_take(c, len, &cid)) return false;
  *ret = (ipfsa_alias_event){.at = (int64_t)at, .removed = len == 0};
  return len == 0 || ipfsa_cid_decode(cid, &ret->cid, NULL) == IPFSA_OK;
}

static void append_event(ipfsa_buf *buf, const ipfsa_alias_event *event) {
  uint8_t bytes[IPFSA_MAX_CID];
  size_t len = event->removed ? 0 : ipfsa_cid_encode(&event->cid, bytes);
  ipfsa_buf_u64be(buf, (uint64_t)event->at);
  ipfsa_buf_u8(buf, (uint8_t)len);
  ipfsa_buf_append(buf, bytes, len);
}

static ipfsa_status damaged_history(const char *name, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_CORRUPT, "the history of the alias \"%.200s\" is malformed; restore the meta folder from a copy", name);
}

static ipfsa_status note_event(ipfsa_meta_txn *txn, const char *name, const ipfsa_alias_event *event, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf buf = {0};
  alias_key storage;
  ipfsa_bytes key = key_of(HISTORY, name, &storage), old = {0};
  ipfsa_status status = ipfsa_meta_get(txn, IPFSA_META_STATE, key, &old, err);
  if (status && status != IPFSA_E_NOT_FOUND) return status;
  append_event(&buf, event);
  ipfsa_cursor c = ipfsa_cursor_over(old);
  for (size_t n = 1; n < IPFSA_MAX_ALIAS_HISTORY && ipfsa_cursor_left(&c); n++) {
    ipfsa_alias_event before;
    if (!next_event(&c, &before)) return damaged_history(name, err);
    append_event(&buf, &before);
  }
  status = ipfsa_buf_status(&buf, err);
  return status ? status : ipfsa_meta_put(txn, IPFSA_META_STATE, key, ipfsa_buf_bytes(&buf), err);
}

static ipfsa_status tell_history(const char *name, ipfsa_bytes value, ipfsa_alias_event_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_cursor c = ipfsa_cursor_over(value);
  while (ipfsa_cursor_left(&c)) {
    ipfsa_alias_event event;
    if (!next_event(&c, &event)) return damaged_history(name, err);
    if (cb(ctx, &event) != 0) return ipfsa_fail(err, IPFSA_E_CANCELLED, "stopped");
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_aliases_history(ipfsa_store *store, const char *name, ipfsa_alias_event_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_meta_txn *txn = NULL;
  alias_key storage;
  ipfsa_bytes value = {0};
  ipfsa_status status = ipfsa_meta_begin(ipfsa_store_meta(store), false, &txn, err);
  if (status) return status;
  status = ipfsa_meta_get(txn, IPFSA_META_STATE, key_of(HISTORY, name, &storage), &value, err);
  if (status == IPFSA_OK) status = tell_history(name, value, cb, ctx, err);
  else if (status == IPFSA_E_NOT_FOUND) status = ipfsa_fail(err, status, "the name \"%.200s\" was never an alias", name);
  ipfsa_meta_abort(txn);
  return status;
}

/* Oldest first; at most `room` of the newest. */
static ipfsa_status read_events(const char *name, ipfsa_bytes value, ipfsa_alias_event *ret, size_t room, size_t *ret_n, ipfsa_error *err) {
  ipfsa_cursor c = ipfsa_cursor_over(value);
  size_t n = 0;
  while (n < room && ipfsa_cursor_left(&c))
    if (!next_event(&c, &ret[n++])) return damaged_history(name, err);
  for (size_t i = 0; i < n / 2; i++) {
    ipfsa_alias_event swap = ret[i];
    ret[i] = ret[n - 1 - i], ret[n - 1 - i] = swap;
  }
  *ret_n = n;
  return IPFSA_OK;
}

typedef struct history_relay {
  ipfsa_alias_record_cb cb;
  void *ctx;
  ipfsa_alias_event *events;
  ipfsa_status status;
  ipfsa_error *err;
} history_relay;

static int relay_history(void *ctx, ipfsa_bytes key, ipfsa_bytes value) {
  history_relay *r = ctx;
  size_t prefix = strlen(HISTORY), n = 0;
  ipfsa_alias_record record = {0};
  if (key.len < prefix || memcmp(key.data, HISTORY, prefix) != 0) return 0; /* of another kind */
  snprintf(record.name, sizeof record.name, "%.*s", (int)(key.len - prefix), (const char *)key.data + prefix);
  r->status = read_events(record.name, value, r->events, IPFSA_MAX_ALIAS_HISTORY, &n, r->err);
  for (size_t i = 0; i < n && r->status == IPFSA_OK; i++) {
    record.event = r->events[i];
    if (r->cb(r->ctx, &record) != 0) r->status = ipfsa_fail(r->err, IPFSA_E_CANCELLED, "stopped");
  }
  return r->status ? 1 : 0;
}

ipfsa_status ipfsa_aliases_histories(ipfsa_store *store, ipfsa_alias_record_cb cb, void *ctx, ipfsa_error *err) {
  IPFSA_AUTO_FREE ipfsa_alias_event *events = ipfsa_calloc(IPFSA_MAX_ALIAS_HISTORY, sizeof *events);
  history_relay r = {.cb = cb, .ctx = ctx, .events = events, .err = err};
  ipfsa_meta_txn *txn = NULL;
  ipfsa_error stopped = {0};
  if (!events) return ipfsa_fail_nomem(err);
  ipfsa_status status = ipfsa_meta_begin(ipfsa_store_meta(store), false, &txn, err);
  if (status) return status;
  status = ipfsa_meta_iterate(txn, IPFSA_META_STATE, relay_history, &r, &stopped);
  ipfsa_meta_abort(txn);
  if (r.status) return r.status;
  if (status && err) *err = stopped;
  return status;
}

/* --- changes --- */

typedef struct alias_change {
  const ipfsa_alias *set;
  size_t n;
  const char *remove; /* NULL: nothing */
  bool forget;
  int64_t now_s;
  const ipfsa_alias_record *restore;
  size_t n_restore;
} alias_change;

static ipfsa_status set_one(ipfsa_meta_txn *txn, const ipfsa_alias *alias, int64_t now_s, ipfsa_error *err) {
  alias_key storage;
  ipfsa_cid there;
  uint8_t bytes[IPFSA_MAX_CID];
  ipfsa_error why = {0};
  ipfsa_status status = get_alias(txn, alias->name, &there, &why);
  if (status == IPFSA_OK && ipfsa_cid_equal(&there, &alias->cid)) return IPFSA_OK;
  if (status && status != IPFSA_E_NOT_FOUND) {
    if (err) *err = why;
    return status;
  }
  status = ipfsa_meta_put(txn, IPFSA_META_ROOTS, key_of(IPFSA_ALIAS_ROOT, alias->name, &storage), ipfsa_bytes_of(bytes, ipfsa_cid_encode(&alias->cid, bytes)), err);
  return status ? status : note_event(txn, alias->name, &(ipfsa_alias_event){.at = now_s, .cid = alias->cid}, err);
}

static ipfsa_status forget_one(ipfsa_meta_txn *txn, const char *name, bool was_set, ipfsa_error *err) {
  alias_key storage;
  ipfsa_status status = ipfsa_meta_del(txn, IPFSA_META_STATE, key_of(HISTORY, name, &storage), err);
  if (status != IPFSA_E_NOT_FOUND) return status;
  return was_set ? IPFSA_OK : no_alias(name, err);
}

static ipfsa_status remove_one(ipfsa_meta_txn *txn, const alias_change *change, ipfsa_error *err) {
  alias_key storage;
  ipfsa_status status = ipfsa_meta_del(txn, IPFSA_META_ROOTS, key_of(IPFSA_ALIAS_ROOT, change->remove, &storage), err);
  if (status == IPFSA_E_NOT_FOUND && !change->forget) return no_alias(change->remove, err);
  if (status && status != IPFSA_E_NOT_FOUND) return status;
  if (change->forget) return forget_one(txn, change->remove, status == IPFSA_OK, err);
  return note_event(txn, change->remove, &(ipfsa_alias_event){.at = change->now_s, .removed = true}, err);
}

/* --- restoring --- */

static bool is_same(const ipfsa_alias_event *a, const ipfsa_alias_event *b) {
  return a->at == b->at && a->removed == b->removed && (a->removed || ipfsa_cid_equal(&a->cid, &b->cid));
}

/* Behind all that are not newer; one that is there is not put there again. */
static void merge_event(ipfsa_alias_event *events, size_t *n, const ipfsa_alias_event *event) {
  size_t at = *n;
  for (size_t i = 0; i < *n; i++)
    if (is_same(&events[i], event)) return;
  while (at > 0 && events[at - 1].at > event->at) events[at] = events[at - 1], at--;
  events[at] = *event;
  ++*n;
  if (*n > IPFSA_MAX_ALIAS_HISTORY) memmove(events, events + 1, --*n * sizeof *events);
}

static ipfsa_status become(ipfsa_meta_txn *txn, const char *name, const ipfsa_alias_event *newest, ipfsa_error *err) {
  alias_key storage;
  uint8_t bytes[IPFSA_MAX_CID];
  ipfsa_bytes key = key_of(IPFSA_ALIAS_ROOT, name, &storage);
  if (!newest->removed) return ipfsa_meta_put(txn, IPFSA_META_ROOTS, key, ipfsa_bytes_of(bytes, ipfsa_cid_encode(&newest->cid, bytes)), err);
  ipfsa_status status = ipfsa_meta_del(txn, IPFSA_META_ROOTS, key, err);
  return status == IPFSA_E_NOT_FOUND ? IPFSA_OK : status;
}

/* The records of one name. */
static ipfsa_status restore_name(ipfsa_meta_txn *txn, const ipfsa_alias_record *records, size_t n_records, ipfsa_alias_event *events, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf buf = {0};
  alias_key storage;
  const char *name = records[0].name;
  ipfsa_bytes key = key_of(HISTORY, name, &storage), old = {0};
  size_t n = 0;
  ipfsa_status status = ipfsa_meta_get(txn, IPFSA_META_STATE, key, &old, err);
  if (status && status != IPFSA_E_NOT_FOUND) return status;
  status = read_events(name, old, events, IPFSA_MAX_ALIAS_HISTORY, &n, err);
  for (size_t i = 0; i < n_records && status == IPFSA_OK; i++) merge_event(events, &n, &records[i].event);
  for (size_t i = n; i > 0 && status == IPFSA_OK; i--) append_event(&buf, &events[i - 1]);
  if (status == IPFSA_OK) status = ipfsa_buf_status(&buf, err);
  if (status == IPFSA_OK) status = ipfsa_meta_put(txn, IPFSA_META_STATE, key, ipfsa_buf_bytes(&buf), err);
  return status ? status : become(txn, name, &events[n - 1], err);
}

static ipfsa_status restore_all(ipfsa_meta_txn *txn, const ipfsa_alias_record *records, size_t n, ipfsa_error *err) {
  IPFSA_AUTO_FREE ipfsa_alias_event *events = ipfsa_calloc(IPFSA_MAX_ALIAS_HISTORY + 1, sizeof *events);
  ipfsa_status status = events ? IPFSA_OK : ipfsa_fail_nomem(err);
  for (size_t i = 0, next; i < n && status == IPFSA_OK; i = next) {
    for (next = i + 1; next < n && strcmp(records[next].name, records[i].name) == 0; next++) continue;
    status = restore_name(txn, &records[i], next - i, events, err);
  }
  return status;
}

static ipfsa_status apply_change(ipfsa_meta_txn *txn, const void *how, ipfsa_error *err) {
  const alias_change *change = how;
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < change->n && status == IPFSA_OK; i++) status = set_one(txn, &change->set[i], change->now_s, err);
  if (status == IPFSA_OK && change->remove) status = remove_one(txn, change, err);
  if (status == IPFSA_OK && change->n_restore) status = restore_all(txn, change->restore, change->n_restore, err);
  return status;
}

static ipfsa_status change_aliases(ipfsa_store *store, const alias_change *change, ipfsa_error *err) { return ipfsa_pins__change(store, apply_change, change, err); }

ipfsa_status ipfsa_aliases_set(ipfsa_store *store, const ipfsa_alias *aliases, size_t n, int64_t now_s, ipfsa_error *err) {
  return n ? change_aliases(store, &(alias_change){.set = aliases, .n = n, .now_s = now_s}, err) : IPFSA_OK;
}

ipfsa_status ipfsa_aliases_remove(ipfsa_store *store, const char *name, bool forget, int64_t now_s, ipfsa_error *err) {
  return change_aliases(store, &(alias_change){.remove = name, .forget = forget, .now_s = now_s}, err);
}

ipfsa_status ipfsa_aliases_restore(ipfsa_store *store, const ipfsa_alias_record *records, size_t n, ipfsa_error *err) {
  return n ? change_aliases(store, &(alias_change){.restore = records, .n_restore = n}, err) : IPFSA_OK;
}

/* --- reading --- */

ipfsa_status ipfsa_aliases_get(ipfsa_store *store, const char *name, ipfsa_cid *ret, ipfsa_error *err) {
  ipfsa_meta_txn *txn = NULL;
  ipfsa_status status = ipfsa_meta_begin(ipfsa_store_meta(store), false, &txn, err);
  if (status) return status;
  status = get_alias(txn, name, ret, err);
  ipfsa_meta_abort(txn);
  return status;
}

typedef struct alias_relay {
  ipfsa_alias_cb cb;
  void *ctx;
} alias_relay;

static int relay_root(void *ctx, const char *name, const ipfsa_cid *cid) {
  alias_relay *relay = ctx;
  size_t len = strlen(IPFSA_ALIAS_ROOT);
  if (strncmp(name, IPFSA_ALIAS_ROOT, len) != 0) return 0;
  ipfsa_alias alias = {.cid = *cid};
  snprintf(alias.name, sizeof alias.name, "%s", name + len);
  return relay->cb(relay->ctx, &alias);
}

ipfsa_status ipfsa_aliases_iterate(ipfsa_store *store, ipfsa_alias_cb cb, void *ctx, ipfsa_error *err) {
  return ipfsa_roots_iterate(store, relay_root, &(alias_relay){cb, ctx}, err);
}
