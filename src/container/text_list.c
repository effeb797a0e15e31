#include "container/text_list.h"

#include "base/alloc.h"
#include "base/error.h"

void ipfsa_text_list_release(ipfsa_text_list *list) {
  for (size_t i = 0; i < list->n; i++) ipfsa_free(list->items[i]);
  ipfsa_free(list->items);
  *list = (ipfsa_text_list){0};
}

ipfsa_status ipfsa_text_list_add(ipfsa_text_list *list, const char *text, ipfsa_error *err) {
  void *items = list->items;
  if (!ipfsa_grow(&items, &list->cap, list->n + 1, sizeof *list->items)) return ipfsa_fail_nomem(err);
  list->items = items;
  char *copy = ipfsa_strdup(text);
  if (!copy) return ipfsa_fail_nomem(err);
  list->items[list->n++] = copy;
  return IPFSA_OK;
}

bool ipfsa_text_list_has(const ipfsa_text_list *list, const char *text) {
  for (size_t i = 0; i < list->n; i++)
    if (strcmp(list->items[i], text) == 0) return true;
  return false;
}

ipfsa_status ipfsa_text_list_add_once(ipfsa_text_list *list, const char *text, ipfsa_error *err) {
  return ipfsa_text_list_has(list, text) ? IPFSA_OK : ipfsa_text_list_add(list, text, err);
}
