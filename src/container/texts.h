/* A growing list of texts that it owns. Zeroed is valid and empty. Threads: one at a time. */
#ifndef IPFSA_CONTAINER_TEXTS_H
#define IPFSA_CONTAINER_TEXTS_H

#include <ipfsa/base.h>

typedef struct ipfsa_texts {
  char **items;
  size_t n, cap;
} ipfsa_texts;

void ipfsa_texts_release(ipfsa_texts *list);
#define IPFSA_AUTO_TEXTS __attribute__((cleanup(ipfsa_texts_release)))
ipfsa_status ipfsa_texts_add(ipfsa_texts *list, const char *text, ipfsa_error *err); /* a copy */
bool ipfsa_texts_has(const ipfsa_texts *list, const char *text);
ipfsa_status ipfsa_texts_add_once(ipfsa_texts *list, const char *text, ipfsa_error *err);

#endif
