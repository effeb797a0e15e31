/* Pins, named roots and leases over the meta tables. Threads: any; writes are serialised by the store's lock. */
#ifndef IPFSA_STORE_PINS_H
#define IPFSA_STORE_PINS_H

#include <ipfsa/pin.h>

#include "store/store.h"

/* One synced transaction. Sets or replaces (recursive over direct is an upgrade; direct over recursive: E_PINNED). */
ipfsa_status ipfsa_pins_set(ipfsa_store *store, const ipfsa_pin *pins, size_t n, ipfsa_error *err);
ipfsa_status ipfsa_pins_remove(ipfsa_store *store, const ipfsa_cid *cid, ipfsa_error *err); /* E_NOT_PINNED */
ipfsa_status ipfsa_pins_get(ipfsa_store *store, const ipfsa_cid *cid, ipfsa_pin *ret, ipfsa_error *err); /* E_NOT_PINNED */
ipfsa_status ipfsa_pins_iterate(ipfsa_store *store, ipfsa_pin_cb cb, void *ctx, ipfsa_error *err);
/* Atomic replacement of `from` by `to` (pin update). */
ipfsa_status ipfsa_pins_update(ipfsa_store *store, const ipfsa_cid *from, const ipfsa_cid *to, bool unpin_from, ipfsa_error *err);

/* Named roots ("mfs"): protected from gc like recursive pins. */
ipfsa_status ipfsa_roots_get(ipfsa_store *store, const char *name, ipfsa_cid *ret, ipfsa_error *err); /* E_NOT_FOUND */
ipfsa_status ipfsa_roots_set(ipfsa_store *store, const char *name, const ipfsa_cid *cid, ipfsa_error *err);
ipfsa_status ipfsa_roots_remove(ipfsa_store *store, const char *name, ipfsa_error *err); /* E_NOT_FOUND */
ipfsa_status ipfsa_roots_iterate(ipfsa_store *store, int (*cb)(void *ctx, const char *name, const ipfsa_cid *cid), void *ctx,
                                 ipfsa_error *err);

/* A lease protects the DAGs of the CIDs it names while its process lives, and for a time of grace after that process died: it is logged.
 * What a blockstore writer took is safe from gc until that writer closes (gc takes the writer's turn). So an operation pins, sets a root or
 * adds to its lease BEFORE it closes its writer, and adds to its lease before it walks blocks that it will pin without writing them. */
typedef struct ipfsa_lease ipfsa_lease;
ipfsa_status ipfsa_lease_new(ipfsa_store *store, ipfsa_lease **ret, ipfsa_error *err); /* writes nothing yet */
ipfsa_status ipfsa_lease_add(ipfsa_lease *lease, const ipfsa_cid *cid, ipfsa_error *err); /* durable; waits for a sweep to end */
void ipfsa_lease_free(ipfsa_lease *lease);

#define IPFSA_LEASE_GRACE_S 3600 /* seconds that a dead process's lease still protects */
/* Every CID of a lease that is alive or in its grace. A return other than 0 stops: E_CANCELLED. */
ipfsa_status ipfsa_leases_iterate(ipfsa_store *store, uint64_t grace_s, int (*cb)(void *ctx, const ipfsa_cid *cid), void *ctx,
                                  ipfsa_error *err);
/* Notes which owners died since the last call, and removes the leases whose grace is over. For gc, inside its gate. */
ipfsa_status ipfsa_leases_expire(ipfsa_store *store, uint64_t grace_s, ipfsa_error *err);

/* gc's gate: while it is shut, other threads of this process wait in the calls above that write. Other processes wait for the store's
 * lock, which gc holds meanwhile. */
void ipfsa_pins_gate_shut(void);
void ipfsa_pins_gate_open(void);
/* For this room's writing calls. */
void ipfsa_pins__enter(void);
void ipfsa_pins__leave(void);
/* A change of tables in one transaction, inside the gate and under the repo's lock: `step` makes it. */
typedef ipfsa_status (*ipfsa_pins__step)(ipfsa_meta_txn *txn, const void *change, ipfsa_error *err);
ipfsa_status ipfsa_pins__change(ipfsa_store *store, ipfsa_pins__step step, const void *change, ipfsa_error *err);

#endif
