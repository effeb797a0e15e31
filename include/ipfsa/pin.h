/* Pins: what gc must keep. A pin that was set is durable when the call returns. Calls from any thread. */
#ifndef IPFSA_PIN_H
#define IPFSA_PIN_H

#include <ipfsa/node.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IPFSA_MAX_PIN_NAME 255 /* bytes; Kubo's limit */
typedef enum ipfsa_pin_mode {
  IPFSA_PIN_NONE = 0, /* in questions: any */
  IPFSA_PIN_RECURSIVE = 1,
  IPFSA_PIN_DIRECT = 2,
  IPFSA_PIN_INDIRECT = 3 /* below a recursive pin */
} ipfsa_pin_mode;
typedef struct ipfsa_pin {
  ipfsa_cid cid;
  ipfsa_pin_mode mode;
  char name[IPFSA_MAX_PIN_NAME + 1];
} ipfsa_pin;
typedef int (*ipfsa_pin_cb)(void *ctx, const ipfsa_pin *pin); /* other than 0 stops: E_CANCELLED */

/* The block at which a path ends ("/ipfs/CID/a/b", or a bare CID): what the calls below want. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_pin_resolve(ipfsa_node *node, const char *path, ipfsa_cid *ret, ipfsa_error *err);

typedef struct ipfsa_pin_add_options {
  size_t struct_size;
  bool direct;       /* the block alone, not what it links to */
  const char *name;  /* NULL = none; replaces the name the pin had */
  ipfsa_progress_cb progress; /* done_items: blocks seen */
  void *progress_ctx;
} ipfsa_pin_add_options;
/* Checks that every block is here (E_NOT_FOUND naming the first that is not), then pins. E_PINNED: direct where it is recursive already;
 * direct to recursive is an upgrade. E_LIMIT: name over IPFSA_MAX_PIN_NAME. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_pin_add(ipfsa_node *node, const ipfsa_cid *cid, const ipfsa_pin_add_options *options,
                                                 ipfsa_error *err);
/* E_NOT_PINNED when it has no pin of its own; E_PINNED when the pin is recursive and `recursive` is not said. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_pin_rm(ipfsa_node *node, const ipfsa_cid *cid, bool recursive, ipfsa_error *err);
/* In one step: `to` (all its blocks must be here) gets the pin of `from`, with its name; unpin takes it from `from`. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_pin_update(ipfsa_node *node, const ipfsa_cid *from, const ipfsa_cid *to, bool unpin,
                                                    ipfsa_error *err);

/* Pins of one mode, or all; recursive and direct ones in the order of their bytes, indirect ones as the DAGs are walked, each CID once.
 * name_contains (may be NULL): only pins whose name has this text in it. The list is of the moment of the call. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_pin_list(ipfsa_node *node, ipfsa_pin_mode mode, const char *name_contains, ipfsa_pin_cb cb,
                                                  void *ctx, ipfsa_error *err);
/* How one CID is pinned; for IPFSA_PIN_INDIRECT, *ret_through (may be NULL) is the recursive pin it lies below. E_NOT_PINNED. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_pin_find(ipfsa_node *node, const ipfsa_cid *cid, ipfsa_pin_mode mode, ipfsa_pin *ret,
                                                  ipfsa_cid *ret_through, ipfsa_error *err);

#define IPFSA_MAX_PIN_BAD 1000 /* bad blocks listed for one pin; all are counted */
typedef struct ipfsa_pin_bad {
  ipfsa_cid cid;
  char message[256];
} ipfsa_pin_bad;
typedef struct ipfsa_pin_verdict {
  const ipfsa_cid *cid;
  bool ok;
  uint64_t n_blocks, n_bad;
  const ipfsa_pin_bad *bad; /* the first of them, until the callback returns */
  size_t n_listed;
} ipfsa_pin_verdict;
typedef int (*ipfsa_pin_verdict_cb)(void *ctx, const ipfsa_pin_verdict *verdict);
/* Is every DAG below a recursive pin complete? Nodes are read and checked; leaves are looked up and not read: ipfsa_repo_verify reads them.
 * cb once per pin. OK also when pins are bad. *ret_n_bad: bad pins. progress, which may be NULL: done_items blocks; not 0 stops with E_CANCELLED. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_pin_verify(ipfsa_node *node, ipfsa_pin_verdict_cb cb, void *ctx, ipfsa_progress_cb progress, void *progress_ctx,
                                                    uint64_t *ret_n_bad, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
