#include "container/market_item.h"

#include <strings.h>

#include "base/alloc.h"
#include "base/error.h"

void ipfsa_market_item_release(ipfsa_market_item *item) {
  ipfsa_free(item->name);
  ipfsa_free(item->description);
  ipfsa_text_list_release(&item->tags);
  ipfsa_text_list_release(&item->platforms);
  ipfsa_text_list_release(&item->sources);
  *item = (ipfsa_market_item){0};
}

void ipfsa_market_list_release(ipfsa_market_list *list) {
  for (size_t i = 0; i < list->n; i++) ipfsa_market_item_release(&list->items[i]);
  ipfsa_free(list->items);
  *list = (ipfsa_market_list){0};
}

ipfsa_status ipfsa_market_item_init(ipfsa_market_item *item, const ipfsa_reference *reference, const char *name, const char *description, const char *source,
                                    ipfsa_error *err) {
  ipfsa_market_item made = {.reference = *reference};
  made.name = name ? ipfsa_strdup(name) : NULL;
  made.description = description && *description ? ipfsa_strdup(description) : NULL;
  bool whole = (!name || made.name) && (!description || !*description || made.description);
  ipfsa_status status = whole ? ipfsa_text_list_add(&made.sources, source, err) : ipfsa_fail_nomem(err);
  made.official = strcmp(reference->host, IPFSA_DOCKER_HUB) == 0 && strncmp(reference->path, "library/", 8) == 0;
  if (status) ipfsa_market_item_release(&made);
  else *item = made;
  return status;
}

static ipfsa_status unite(ipfsa_text_list *to, const ipfsa_text_list *from, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < from->n && status == IPFSA_OK; i++) status = ipfsa_text_list_add_once(to, from->items[i], err);
  return status;
}

/* Digest, size and platforms are of one version and move together. */
static void take_version(ipfsa_market_item *to, ipfsa_market_item *from) {
  ipfsa_text_list old = to->platforms;
  to->reference = from->reference;
  memcpy(to->digest, from->digest, sizeof to->digest);
  to->size = from->size;
  to->verified = from->verified;
  to->platforms = from->platforms;
  from->platforms = old;
}

static ipfsa_status merge_into(ipfsa_market_item *to, ipfsa_market_item *from, ipfsa_error *err) {
  if ((from->verified && !to->verified) || (*from->digest && !*to->digest)) take_version(to, from);
  if (!to->name) to->name = ipfsa_steal(from->name);
  if (!to->description) to->description = ipfsa_steal(from->description);
  to->official |= from->official;
  ipfsa_status status = unite(&to->tags, &from->tags, err);
  return status ? status : unite(&to->sources, &from->sources, err);
}

ipfsa_status ipfsa_market_list_merge(ipfsa_market_list *list, ipfsa_market_item *item, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  void *items = list->items;
  size_t i = 0;
  while (i < list->n && !ipfsa_reference_same_name(&list->items[i].reference, &item->reference)) i++;
  if (i < list->n) status = merge_into(&list->items[i], item, err);
  else if (!ipfsa_grow(&items, &list->cap, list->n + 1, sizeof *item)) status = ipfsa_fail_nomem(err);
  else {
    list->items = items;
    list->items[list->n++] = *item;
    *item = (ipfsa_market_item){0};
  }
  ipfsa_market_item_release(item);
  return status;
}

const char *ipfsa_market_last_part(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

const char *ipfsa_market_item_name(const ipfsa_market_item *item) { return item->name ? item->name : ipfsa_market_last_part(item->reference.path); }

bool ipfsa_market_matches(const char *text, const char *term) { return !*term || strcasestr(text, term) != NULL; }

int ipfsa_market_rank(const char *name, const char *path, const char *term) {
  if (!*term || strcasecmp(name, term) == 0 || strcasecmp(path, term) == 0) return 0;
  if (strncasecmp(name, term, strlen(term)) == 0) return 1;
  return ipfsa_market_matches(name, term) || ipfsa_market_matches(path, term) ? 2 : 3;
}

static int rank(const ipfsa_market_item *item, const char *term) { return ipfsa_market_rank(ipfsa_market_item_name(item), item->reference.path, term); }

/* Insertion keeps the order of equals; lists are short (IPFSA_MAX_MARKETPLACE_LIMIT from each source). */
void ipfsa_market_list_sort(ipfsa_market_list *list, const char *term) {
  for (size_t i = 1; i < list->n; i++) {
    ipfsa_market_item item = list->items[i];
    int own = rank(&item, term);
    size_t k = i;
    for (; k > 0 && rank(&list->items[k - 1], term) > own; k--) list->items[k] = list->items[k - 1];
    list->items[k] = item;
  }
}
