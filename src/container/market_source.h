/* What a source of the marketplace is asked, and how it answers. Each search runs in a thread of its own. */
#ifndef IPFSA_CONTAINER_MARKET_SOURCE_H
#define IPFSA_CONTAINER_MARKET_SOURCE_H

#include "container/engine.h"
#include "container/market_item.h"
#include "container/registry.h"

#define IPFSA_MAX_MARKET_TAGS 1000    /* tags read of one repository; own limit */
#define IPFSA_MAX_MARKET_FAILURES 8   /* told of one source; the rest are counted */

typedef struct ipfsa_market_query {
  const char *term;            /* "" = everything */
  const ipfsa_reference *named; /* the term, when it is a reference that names its registry; else NULL */
  size_t limit;
  uint64_t timeout_ms;
  const char *docker_config;   /* NULL: the usual place */
  const ipfsa_origin *private_origins;
  size_t n_private_origins;
  bool (*cancelled)(void *ctx);
  void *cancelled_ctx;
} ipfsa_market_query;

typedef struct ipfsa_market_answer { /* zeroed is valid */
  ipfsa_market_list list;
  ipfsa_error failures[IPFSA_MAX_MARKET_FAILURES];
  size_t n_failures; /* may be more than are kept */
} ipfsa_market_answer;

void ipfsa_market_answer_fail(ipfsa_market_answer *answer, const ipfsa_error *err); /* a failure in part */

/* Each adds to the answer; an error returned means the source could not be asked at all. */
ipfsa_status ipfsa_market_ask_curated(const ipfsa_market_query *query, ipfsa_market_answer *ret, ipfsa_error *err);
ipfsa_status ipfsa_market_ask_local(const ipfsa_market_query *query, ipfsa_engine *engine, ipfsa_market_answer *ret, ipfsa_error *err);
ipfsa_status ipfsa_market_ask_search(const ipfsa_market_query *query, ipfsa_engine *engine, ipfsa_market_answer *ret, ipfsa_error *err);
ipfsa_status ipfsa_market_ask_registry(const ipfsa_market_query *query, const ipfsa_registry_place *place, ipfsa_market_answer *ret, ipfsa_error *err);

#endif
