/* Aliases: names of CIDs with a history. The CID lies in the table of roots under "alias/NAME", the history in the table of states.
 * Threads: any; writes are serialised by the store's lock. */
#ifndef IPFSA_STORE_ALIASES_H
#define IPFSA_STORE_ALIASES_H

#include <ipfsa/alias.h>

#include "store/store.h"

#define IPFSA_ALIAS_ROOT "alias/" /* roots of this kind keep what is here; what is missing below them is no damage */

/* One synced transaction: all or none. What a name has already is left as it is, without a line of history. */
ipfsa_status ipfsa_aliases_set(ipfsa_store *store, const ipfsa_alias *aliases, size_t n, int64_t now_s, ipfsa_error *err);
ipfsa_status ipfsa_aliases_remove(ipfsa_store *store, const char *name, bool forget, int64_t now_s, ipfsa_error *err); /* E_NOT_FOUND */
ipfsa_status ipfsa_aliases_get(ipfsa_store *store, const char *name, ipfsa_cid *ret, ipfsa_error *err); /* E_NOT_FOUND */
ipfsa_status ipfsa_aliases_iterate(ipfsa_store *store, ipfsa_alias_cb cb, void *ctx, ipfsa_error *err);
ipfsa_status ipfsa_aliases_history(ipfsa_store *store, const char *name, ipfsa_alias_event_cb cb, void *ctx, ipfsa_error *err); /* E_NOT_FOUND */
/* Every line of every history: names in the order of their bytes, of each the oldest line first. */
ipfsa_status ipfsa_aliases_histories(ipfsa_store *store, ipfsa_alias_record_cb cb, void *ctx, ipfsa_error *err);
/* One synced transaction; the records are checked. Lines are merged by their time, and a name becomes what its newest line says. */
ipfsa_status ipfsa_aliases_restore(ipfsa_store *store, const ipfsa_alias_record *records, size_t n, ipfsa_error *err);

#endif
