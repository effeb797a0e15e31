/* One image as a source knows it, and the list that merges them. Threads: one at a time per list. */
#ifndef IPFSA_CONTAINER_MARKET_ITEM_H
#define IPFSA_CONTAINER_MARKET_ITEM_H

#include "container/reference.h"
#include "container/text_list.h"

typedef struct ipfsa_market_item { /* zeroed is valid */
  ipfsa_reference reference; /* with the tag or digest that digest, size and platforms speak of */
  char *name, *description;  /* NULL = none */
  char digest[IPFSA_IMAGE_DIGEST_LEN + 1];
  uint64_t size;
  ipfsa_text_list tags, platforms, sources;
  bool official, verified;
} ipfsa_market_item;

typedef struct ipfsa_market_list { /* zeroed is valid */
  ipfsa_market_item *items;
  size_t n, cap;
} ipfsa_market_list;

void ipfsa_market_item_release(ipfsa_market_item *item);
void ipfsa_market_list_release(ipfsa_market_list *list);
/* An item of this source for this image; a description "" is none. */
ipfsa_status ipfsa_market_item_init(ipfsa_market_item *item, const ipfsa_reference *reference, const char *name, const char *description, const char *source,
                                    ipfsa_error *err);
/* Takes the item over (it is zeroed), also on failure. One of the same repository that is there already gets what it lacks; what was read and
 * verified now stands before what others say. */
ipfsa_status ipfsa_market_list_merge(ipfsa_market_list *list, ipfsa_market_item *item, ipfsa_error *err);
/* How well a repository of this name and path fits the term, 0 best: name equal to the term, name beginning with it, name or path holding it, the rest. */
#define IPFSA_MARKET_RANKS 4
int ipfsa_market_rank(const char *name, const char *path, const char *term);
/* Best first, then in the order of the sources. */
void ipfsa_market_list_sort(ipfsa_market_list *list, const char *term);
const char *ipfsa_market_item_name(const ipfsa_market_item *item); /* its name, else the last part of the repository */
const char *ipfsa_market_last_part(const char *path); /* "model" of "team/model" */
/* Does the text hold the term, in any case? Everything holds "". */
bool ipfsa_market_matches(const char *text, const char *term);

#endif
