/* Aliases: names like "org/model" for CIDs. What was set is durable when the call returns. Wherever a call takes a path, its CID may be an
 * alias: "org/model/config.json", "/ipfs/org/model"; a text that is a CID is never one, and of two names that fit ("org" and "org/model")
 * the longer is meant. gc keeps what is here below an alias; nothing need be here. Calls from any thread. */
#ifndef IPFSA_ALIAS_H
#define IPFSA_ALIAS_H

#include <ipfsa/node.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPFSA_MAX_ALIAS_PART 96      /* bytes of each side of the slash; the limit of model hubs for a repo's name */
#define IPFSA_MAX_ALIAS 193          /* bytes: two parts and the slash */
#define IPFSA_MAX_ALIAS_HISTORY 100  /* changes kept of one name; the oldest go */
#define IPFSA_MAX_ALIASES_AT_ONCE 65536 /* in one call: one transaction, all in memory */

typedef struct ipfsa_alias {
  char name[IPFSA_MAX_ALIAS + 1];
  ipfsa_cid cid;
} ipfsa_alias;

/* One part or two with a slash between, of letters, digits, "_", "-" and "." (ASCII); a part begins and ends with a letter, a digit or "_".
 * Not "--", "..", an ending ".git", a first part "ipfs" or "ipns", or a text that begins with a CID: E_INVALID; too long: E_LIMIT. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_alias_check(const char *name, ipfsa_error *err);

/* All or none. A name that has another CID gets this one, and its history a line. E_LIMIT: over IPFSA_MAX_ALIASES_AT_ONCE. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_alias_set(ipfsa_node *node, const ipfsa_alias *aliases, size_t n, ipfsa_error *err);
/* E_NOT_FOUND when there is none of that name. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_alias_get(ipfsa_node *node, const char *name, ipfsa_cid *ret, ipfsa_error *err);
/* The history stays, unless `forget`: then also that of a name that is gone already. E_NOT_FOUND. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_alias_rm(ipfsa_node *node, const char *name, bool forget, ipfsa_error *err);

typedef int (*ipfsa_alias_cb)(void *ctx, const ipfsa_alias *alias); /* other than 0 stops: E_CANCELLED */
/* In the order of their bytes. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_alias_list(ipfsa_node *node, ipfsa_alias_cb cb, void *ctx, ipfsa_error *err);

typedef struct ipfsa_alias_event {
  int64_t at;    /* seconds of wall time */
  bool removed;  /* the name went: cid is none */
  ipfsa_cid cid; /* what it became. gc does not keep what a name no longer means */
} ipfsa_alias_event;
typedef int (*ipfsa_alias_event_cb)(void *ctx, const ipfsa_alias_event *event);
/* Newest first; also of names that are gone. E_NOT_FOUND: never set, or forgotten. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_alias_history(ipfsa_node *node, const char *name, ipfsa_alias_event_cb cb, void *ctx, ipfsa_error *err);

/* Lines of the histories of all names, name after name in the order of their bytes, of each the oldest first: what ipfsa_alias_restore takes. */
typedef struct ipfsa_alias_record {
  char name[IPFSA_MAX_ALIAS + 1];
  ipfsa_alias_event event;
} ipfsa_alias_record;
typedef int (*ipfsa_alias_record_cb)(void *ctx, const ipfsa_alias_record *record); /* other than 0 stops: E_CANCELLED */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_alias_histories(ipfsa_node *node, ipfsa_alias_record_cb cb, void *ctx, ipfsa_error *err);
/* All or none. Lines that a history has not are put where their time says, the newest IPFSA_MAX_ALIAS_HISTORY stay, and a name means what the newest line of
 * its history says; removed: it is gone. E_LIMIT: over IPFSA_MAX_ALIASES_AT_ONCE. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_alias_restore(ipfsa_node *node, const ipfsa_alias_record *records, size_t n, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
