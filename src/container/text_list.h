/* A growing list of texts that it owns. Zeroed is valid and empty. Threads: one at a time. */
#ifndef IPFSA_CONTAINER_TEXT_LIST_H
#define IPFSA_CONTAINER_TEXT_LIST_H

#include <ipfsa/base.h>

typedef struct ipfsa_text_list {
  char **items;
  size_t n, cap;
} ipfsa_text_list;

void ipfsa_text_list_release(ipfsa_text_list *list);
#define IPFSA_AUTO_TEXT_LIST __attribute__((cleanup(ipfsa_text_list_release)))
ipfsa_status ipfsa_text_list_add(ipfsa_text_list *list, const char *text, ipfsa_error *err); /* a copy */
bool ipfsa_text_list_has(const ipfsa_text_list *list, const char *text);
ipfsa_status ipfsa_text_list_add_once(ipfsa_text_list *list, const char *text, ipfsa_error *err);

#endif
