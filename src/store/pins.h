/* Pins, named roots and leases over the meta tables. Threads: any; writes are serialised by the store's lock. */
#ifndef IPFSA_STORE_PINS_H
#define IPFSA_STORE_PINS_H

#include "store/store.h"

#define IPFSA_MAX_PIN_NAME 255 /* bytes; Kubo's limit */
typedef enum ipfsa_pin_mode { IPFSA_PIN_NONE = 0, IPFSA_PIN_RECURSIVE = 1, IPFSA_PIN_DIRECT = 2, IPFSA_PIN_INDIRECT = 3 } ipfsa_pin_mode;
typedef struct ipfsa_pin {
  ipfsa_cid cid;
  ipfsa_pin_mode mode;
  char name[IPFSA_MAX_PIN_NAME + 1];
} ipfsa_pin;
/* One synced transaction. Sets or replaces (recursive over direct is an upgrade; direct over recursive: E_PINNED). */
ipfsa_status ipfsa_pins_set(ipfsa_store *store, const ipfsa_pin *pins, size_t n, ipfsa_error *err);
ipfsa_status ipfsa_pins_remove(ipfsa_store *store, const ipfsa_cid *cid, ipfsa_error *err); /* E_NOT_PINNED */
ipfsa_status ipfsa_pins_get(ipfsa_store *store, const ipfsa_cid *cid, ipfsa_pin *ret, ipfsa_error *err); /* E_NOT_PINNED */
typedef int (*ipfsa_pin_cb)(void *ctx, const ipfsa_pin *pin);
ipfsa_status ipfsa_pins_iterate(ipfsa_store *store, ipfsa_pin_cb cb, void *ctx, ipfsa_error *err);
/* Atomic replacement of `from` by `to` (pin update). */
ipfsa_status ipfsa_pins_update(ipfsa_store *store, const ipfsa_cid *from, const ipfsa_cid *to, bool unpin_from, ipfsa_error *err);

/* Named roots ("mfs"): protected from gc like recursive pins. */
ipfsa_status ipfsa_roots_get(ipfsa_store *store, const char *name, ipfsa_cid *ret, ipfsa_error *err); /* E_NOT_FOUND */
ipfsa_status ipfsa_roots_set(ipfsa_store *store, const char *name, const ipfsa_cid *cid, ipfsa_error *err);
ipfsa_status ipfsa_roots_iterate(ipfsa_store *store, int (*cb)(void *ctx, const char *name, const ipfsa_cid *cid), void *ctx,
                                 ipfsa_error *err);

/* A lease protects everything written since it began (by its process) and the CIDs it names. Logged, so that a crash becomes grace. */
typedef struct ipfsa_lease ipfsa_lease;
ipfsa_status ipfsa_lease_new(ipfsa_store *store, ipfsa_lease **ret, ipfsa_error *err);
ipfsa_status ipfsa_lease_add(ipfsa_lease *lease, const ipfsa_cid *cid, ipfsa_error *err);
void ipfsa_lease_free(ipfsa_lease *lease);

#endif
