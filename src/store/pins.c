/* Pins over the table of that name: binary CID → mode (1 byte), name. docs/formats/meta.md. */
#include "store/pins.h"

#include "base/alloc.h"
#include "base/error.h"

typedef struct pin_value {
  uint8_t bytes[1 + IPFSA_MAX_PIN_NAME];
  size_t len;
} pin_value;

static ipfsa_bytes key_of(const ipfsa_cid *cid, uint8_t *storage) { return ipfsa_bytes_of(storage, ipfsa_cid_encode(cid, storage)); }

static pin_value encode_pin(const ipfsa_pin *pin) {
  pin_value v;
  size_t len = strnlen(pin->name, IPFSA_MAX_PIN_NAME);
  v.bytes[0] = (uint8_t)pin->mode;
  memcpy(v.bytes + 1, pin->name, len);
  v.len = 1 + len;
  return v;
}

static ipfsa_status decode_pin(ipfsa_bytes key, ipfsa_bytes value, ipfsa_pin *ret, ipfsa_error *err) {
  ipfsa_pin pin = {0};
  ipfsa_cursor c = ipfsa_cursor_over(value);
  uint8_t mode = 0;
  ipfsa_bytes name = {0};
  if (!ipfsa_cursor_u8(&c, &mode) || (mode != IPFSA_PIN_RECURSIVE && mode != IPFSA_PIN_DIRECT) ||
      ipfsa_cursor_left(&c) > IPFSA_MAX_PIN_NAME || !ipfsa_cursor_take(&c, ipfsa_cursor_left(&c), &name))
    return ipfsa_fail(err, IPFSA_E_CORRUPT, "a record of the pin table has mode %u and %zu bytes; restore the meta folder from a copy", mode,
                      value.len);
  ipfsa_status status = ipfsa_cid_decode(key, &pin.cid, err);
  if (status) return ipfsa_error_prefix(err, status, "a key of the pin table");
  pin.mode = (ipfsa_pin_mode)mode;
  memcpy(pin.name, name.data, name.len);
  *ret = pin;
  return IPFSA_OK;
}

static ipfsa_status get_pin(ipfsa_meta_txn *txn, const ipfsa_cid *cid, ipfsa_pin *ret, ipfsa_error *err) {
  uint8_t storage[IPFSA_MAX_CID];
  ipfsa_bytes key = key_of(cid, storage), value = {0};
  ipfsa_status status = ipfsa_meta_get(txn, IPFSA_META_PINS, key, &value, err);
  if (status == IPFSA_E_NOT_FOUND) return ipfsa_fail(err, IPFSA_E_NOT_PINNED, "not pinned or pinned indirectly");
  return status ? status : decode_pin(key, value, ret, err);
}

static ipfsa_status put_pin(ipfsa_meta_txn *txn, const ipfsa_pin *pin, ipfsa_error *err) {
  uint8_t storage[IPFSA_MAX_CID];
  pin_value value = encode_pin(pin);
  return ipfsa_meta_put(txn, IPFSA_META_PINS, key_of(&pin->cid, storage), ipfsa_bytes_of(value.bytes, value.len), err);
}

static ipfsa_status set_one(ipfsa_meta_txn *txn, const ipfsa_pin *pin, ipfsa_error *err) {
  if (ipfsa_cid_is_none(&pin->cid) || (pin->mode != IPFSA_PIN_RECURSIVE && pin->mode != IPFSA_PIN_DIRECT))
    return ipfsa_fail(err, IPFSA_E_INVALID, "a pin needs a CID and is recursive or direct");
  if (strnlen(pin->name, sizeof pin->name) > IPFSA_MAX_PIN_NAME)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "a pin name has at most %d bytes", IPFSA_MAX_PIN_NAME);
  ipfsa_pin old;
  ipfsa_error none = {0};
  ipfsa_status status = get_pin(txn, &pin->cid, &old, &none);
  if (status && status != IPFSA_E_NOT_PINNED) {
    if (err) *err = none;
    return status;
  }
  if (status == IPFSA_OK && old.mode == IPFSA_PIN_RECURSIVE && pin->mode == IPFSA_PIN_DIRECT) {
    char text[IPFSA_MAX_CID_TEXT];
    ipfsa_cid_format(&pin->cid, text);
    return ipfsa_fail(err, IPFSA_E_PINNED, "pin: %.300s already pinned recursively", text);
  }
  return put_pin(txn, pin, err);
}

typedef struct pins_change {
  const ipfsa_pin *pins; /* to set */
  size_t n;
  const ipfsa_cid *from, *to; /* to remove, or to replace by `to` */
  bool unpin_from;
} pins_change;

static ipfsa_status update_one(ipfsa_meta_txn *txn, const pins_change *change, ipfsa_error *err) {
  ipfsa_pin pin, there;
  ipfsa_error none = {0};
  ipfsa_status status = get_pin(txn, change->from, &pin, err);
  if (status == IPFSA_E_NOT_PINNED || (status == IPFSA_OK && pin.mode != IPFSA_PIN_RECURSIVE))
    return ipfsa_fail(err, IPFSA_E_NOT_PINNED, "'from' cid was not recursively pinned already");
  if (status || ipfsa_cid_equal(change->from, change->to)) return status;
  status = get_pin(txn, change->to, &there, &none);
  if (status == IPFSA_OK && there.mode == IPFSA_PIN_RECURSIVE)
    return ipfsa_fail(err, IPFSA_E_PINNED, "'to' cid was already recursively pinned");
  if (status && status != IPFSA_E_NOT_PINNED) {
    if (err) *err = none;
    return status;
  }
  pin.cid = *change->to;
  status = put_pin(txn, &pin, err);
  uint8_t storage[IPFSA_MAX_CID];
  if (status || !change->unpin_from) return status;
  return ipfsa_meta_del(txn, IPFSA_META_PINS, key_of(change->from, storage), err);
}

static ipfsa_status remove_one(ipfsa_meta_txn *txn, const ipfsa_cid *cid, ipfsa_error *err) {
  uint8_t storage[IPFSA_MAX_CID];
  ipfsa_status status = ipfsa_meta_del(txn, IPFSA_META_PINS, key_of(cid, storage), err);
  return status == IPFSA_E_NOT_FOUND ? ipfsa_fail(err, IPFSA_E_NOT_PINNED, "not pinned or pinned indirectly") : status;
}

static ipfsa_status apply_change(ipfsa_meta_txn *txn, const void *how, ipfsa_error *err) {
  const pins_change *change = how;
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < change->n && status == IPFSA_OK; i++) status = set_one(txn, &change->pins[i], err);
  if (status == IPFSA_OK && change->to) status = update_one(txn, change, err);
  else if (status == IPFSA_OK && change->from) status = remove_one(txn, change->from, err);
  return status;
}

static ipfsa_status in_transaction(ipfsa_store *store, ipfsa_pins__step step, const void *change, ipfsa_error *err) {
  ipfsa_meta_txn *txn = NULL;
  ipfsa_status status = ipfsa_meta_begin(ipfsa_store_meta(store), true, &txn, err);
  if (status) return status;
  status = step(txn, change, err);
  if (status == IPFSA_OK) return ipfsa_meta_commit(txn, err);
  ipfsa_meta_abort(txn);
  return status;
}

ipfsa_status ipfsa_pins__change(ipfsa_store *store, ipfsa_pins__step step, const void *change, ipfsa_error *err) {
  ipfsa_pins__enter();
  ipfsa_status status = ipfsa_store_lock(store, err);
  if (status == IPFSA_OK) {
    status = in_transaction(store, step, change, err);
    ipfsa_store_unlock(store);
  }
  ipfsa_pins__leave();
  return status;
}

static ipfsa_status change_pins(ipfsa_store *store, const pins_change *change, ipfsa_error *err) { return ipfsa_pins__change(store, apply_change, change, err); }

ipfsa_status ipfsa_pins_set(ipfsa_store *store, const ipfsa_pin *pins, size_t n, ipfsa_error *err) {
  return n ? change_pins(store, &(pins_change){.pins = pins, .n = n}, err) : IPFSA_OK;
}

ipfsa_status ipfsa_pins_remove(ipfsa_store *store, const ipfsa_cid *cid, ipfsa_error *err) {
  return change_pins(store, &(pins_change){.from = cid}, err);
}

ipfsa_status ipfsa_pins_update(ipfsa_store *store, const ipfsa_cid *from, const ipfsa_cid *to, bool unpin_from, ipfsa_error *err) {
  return change_pins(store, &(pins_change){.from = from, .to = to, .unpin_from = unpin_from}, err);
}

ipfsa_status ipfsa_pins_get(ipfsa_store *store, const ipfsa_cid *cid, ipfsa_pin *ret, ipfsa_error *err) {
  ipfsa_meta_txn *txn = NULL;
  ipfsa_status status = ipfsa_meta_begin(ipfsa_store_meta(store), false, &txn, err);
  if (status) return status;
  status = get_pin(txn, cid, ret, err);
  ipfsa_meta_abort(txn);
  return status;
}

typedef struct pin_iteration {
  ipfsa_pin_cb cb;
  void *ctx;
  ipfsa_status status;
  ipfsa_error *err;
} pin_iteration;

static int each_pin(void *ctx, ipfsa_bytes key, ipfsa_bytes value) {
  pin_iteration *it = ctx;
  ipfsa_pin pin;
  it->status = decode_pin(key, value, &pin, it->err);
  if (it->status) return 1;
  return it->cb(it->ctx, &pin);
}

ipfsa_status ipfsa_pins_iterate(ipfsa_store *store, ipfsa_pin_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_meta_txn *txn = NULL;
  ipfsa_status status = ipfsa_meta_begin(ipfsa_store_meta(store), false, &txn, err);
  if (status) return status;
  ipfsa_error inner = {0};
  pin_iteration it = {cb, ctx, IPFSA_OK, &inner};
  status = ipfsa_meta_iterate(txn, IPFSA_META_PINS, each_pin, &it, err);
  ipfsa_meta_abort(txn);
  if (it.status == IPFSA_OK) return status;
  if (err) *err = inner;
  return it.status;
}
