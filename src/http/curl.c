#include "http/curl.h"

#include <dlfcn.h>

#include "base/alloc.h"
#include "base/error.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static ipfsa_curl curl;
static char failure[256]; /* why it could not be loaded; "" when it was */

static bool load_symbols(void *library) {
  const struct {
    const char *name;
    void *to;
  } symbols[] = {{"curl_global_init_mem", &curl.global_init_mem}, {"curl_easy_init", &curl.easy_init},         {"curl_easy_cleanup", &curl.easy_cleanup},
                 {"curl_easy_reset", &curl.easy_reset},           {"curl_easy_setopt", &curl.easy_setopt},     {"curl_easy_perform", &curl.easy_perform},
                 {"curl_easy_getinfo", &curl.easy_getinfo},       {"curl_easy_strerror", &curl.easy_strerror}, {"curl_slist_append", &curl.slist_append},
                 {"curl_slist_free_all", &curl.slist_free_all}};
  for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
    void *symbol = dlsym(library, symbols[i].name);
    if (!symbol) {
      snprintf(failure, sizeof failure, "it has no %s", symbols[i].name);
      return false;
    }
    memcpy(symbols[i].to, &symbol, sizeof symbol); /* ISO C has no cast from data to function pointers */
  }
  return true;
}

/* Never unloaded: other threads and other users of the process may be in it. Its memory comes from ours, so that fault plans reach it. */
static void load(void) {
  static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
  void *library = NULL;
  for (size_t i = 0; i < 2 && !library; i++) library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *why = dlerror();
    snprintf(failure, sizeof failure, "%s", why ? why : "unknown reason");
  } else if (load_symbols(library)) {
    CURLcode code = curl.global_init_mem(CURL_GLOBAL_DEFAULT, ipfsa_malloc, ipfsa_free, ipfsa_realloc, ipfsa_strdup, ipfsa_calloc);
    if (code != CURLE_OK) snprintf(failure, sizeof failure, "%s", curl.easy_strerror(code));
  }
}

ipfsa_status ipfsa_curl_get(const ipfsa_curl **ret, ipfsa_error *err) {
  pthread_once(&once, load);
  if (*failure) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "HTTP needs libcurl.so.4, which cannot be loaded: %s; install libcurl4", failure);
  *ret = &curl;
  return IPFSA_OK;
}
