/* A search over all sources at once. Threads: any, each search by itself. */
#ifndef IPFSA_CONTAINER_MARKET_H
#define IPFSA_CONTAINER_MARKET_H

#include <ipfsa/marketplace.h>

#include "container/market_source.h"

#define IPFSA_MAX_MARKET_THREADS 16 /* sources asked at the same time */

typedef struct ipfsa_market_params { /* resolved from options and configuration; borrowed */
  ipfsa_market_query query;          /* cancelled is filled in here */
  bool ask_curated, ask_local, ask_engine;
  const ipfsa_engine_params *engine; /* of the last two */
  const ipfsa_registry_place *places;
  size_t n_places;
  const char *const *left_out;       /* names of sources that were asked for and cannot be asked, with the reason beside */
  const char *const *left_out_why;
  size_t n_left_out;
  const char *const *allowed;        /* hosts images may come from; none: all */
  size_t n_allowed;
  ipfsa_progress_cb progress;
  ipfsa_marketplace_failed_cb failed;
  void *ctx;
} ipfsa_market_params;

ipfsa_status ipfsa_market_search(const ipfsa_market_params *params, ipfsa_marketplace_cb cb, void *cb_ctx, size_t *ret_n_answered, ipfsa_error *err);

#endif
