/* libcurl, loaded on first use: linked in, its 33 shared objects would cost every start of the program about 10 ms. Threads: any. */
#ifndef IPFSA_HTTP_CURL_H
#define IPFSA_HTTP_CURL_H

#define CURL_DISABLE_TYPECHECK /* the macros would name the functions, which are pointers here */
#include <curl/curl.h>
#undef curl_easy_setopt
#undef curl_easy_getinfo

#include "base/buf.h"

typedef struct ipfsa_curl {
  CURLcode (*global_init_mem)(long flags, curl_malloc_callback, curl_free_callback, curl_realloc_callback, curl_strdup_callback, curl_calloc_callback);
  CURL *(*easy_init)(void);
  void (*easy_cleanup)(CURL *easy);
  void (*easy_reset)(CURL *easy);
  CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
  CURLcode (*easy_perform)(CURL *easy);
  CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
  const char *(*easy_strerror)(CURLcode code);
  struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
  void (*slist_free_all)(struct curl_slist *list);
} ipfsa_curl;

/* Shared, lives for ever. E_NOT_SUPPORTED when the library is not on this machine or lacks something. */
ipfsa_status ipfsa_curl_get(const ipfsa_curl **ret, ipfsa_error *err);

#endif
