/* A hold keeps what is below a CID from gc while the process that has it lives, and no longer; a lease (pins.h) outlives it for a time. Making one
 * waits for a sweep, never for a writer. Threads: any; one call at a time on a hold. */
#ifndef IPFSA_STORE_HOLD_H
#define IPFSA_STORE_HOLD_H

#include "store/store.h"

typedef struct ipfsa_hold ipfsa_hold;
typedef int (*ipfsa_cid_cb)(void *ctx, const ipfsa_cid *cid);

ipfsa_status ipfsa_hold_new(ipfsa_store *store, const ipfsa_cid *cid, ipfsa_hold **ret, ipfsa_error *err); /* E_LOCKED: a sweep took too long */
void ipfsa_hold_free(ipfsa_hold *hold); /* NULL is fine */
/* It holds nothing any more. wake: whether it holds again, because no gc came between; if not, it can only be freed. */
void ipfsa_hold_rest(ipfsa_hold *hold);
bool ipfsa_hold_wake(ipfsa_hold *hold);

/* Every CID that is held. A return other than 0 stops: E_CANCELLED. */
ipfsa_status ipfsa_holds_iterate(ipfsa_store *store, ipfsa_cid_cb cb, void *ctx, ipfsa_error *err);
/* For gc, before its second mark: files of holds that nobody has any more go, and nobody makes a hold until *ret_fd is closed. */
ipfsa_status ipfsa_holds_shut(ipfsa_store *store, int *ret_fd, ipfsa_error *err);

#endif
