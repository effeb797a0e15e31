/* The container engine as two sources: the images it has, and its search (Docker Hub, for most engines). */
#include "base/clock.h"
#include "base/error.h"
#include "container/engine.h"
#include "container/market_source.h"

#define MAX_SEARCH_LIMIT 100 /* engines answer 400 to more */

typedef struct taking {
  const ipfsa_market_query *query;
  ipfsa_market_answer *answer;
  ipfsa_status status;
  ipfsa_error *err;
} taking;

/* A digest says more than a tag beside it, as for engines. */
static bool is_wanted(const ipfsa_market_query *q, const ipfsa_reference *r, const ipfsa_image *image) {
  if (!q->named) return ipfsa_market_matches(image->name, q->term);
  if (!ipfsa_reference_same_name(r, q->named)) return false;
  if (*q->named->digest) return strcmp(q->named->digest, image->digest) == 0;
  return !*q->named->tag || strcmp(q->named->tag, r->tag) == 0;
}

/* Images without a name, and names that no registry could have, are left out: nobody could ask for them. */
static int take_image(void *ctx, const ipfsa_image *image) {
  taking *t = ctx;
  ipfsa_reference reference;
  ipfsa_market_item item = {0};
  if (ipfsa_reference_parse(image->name, strlen(image->name), &reference, NULL) != IPFSA_OK || !is_wanted(t->query, &reference, image)) return 0;
  t->status = ipfsa_market_item_init(&item, &reference, NULL, NULL, "local", t->err);
  if (t->status == IPFSA_OK && *reference.tag) t->status = ipfsa_text_list_add(&item.tags, reference.tag, t->err);
  if (ipfsa_image_digest_is_valid(image->digest)) snprintf(item.digest, sizeof item.digest, "%s", image->digest);
  item.size = image->size;
  if (t->status == IPFSA_OK) t->status = ipfsa_market_list_merge(&t->answer->list, &item, t->err);
  ipfsa_market_item_release(&item);
  return t->status != IPFSA_OK;
}

ipfsa_status ipfsa_market_ask_local(const ipfsa_market_query *query, ipfsa_engine *engine, ipfsa_market_answer *ret, ipfsa_error *err) {
  taking t = {query, ret, IPFSA_OK, err};
  ipfsa_status status = ipfsa_image_list(engine, take_image, &t, err);
  return t.status ? t.status : status;
}

static ipfsa_status take_found(const json_t *found, const ipfsa_market_query *query, ipfsa_market_answer *ret, ipfsa_error *err) {
  const char *name = ipfsa_json_text(found, "name"), *description = ipfsa_json_text(found, "description");
  ipfsa_reference reference;
  ipfsa_market_item item = {0};
  if (ipfsa_reference_parse(name, strlen(name), &reference, NULL) != IPFSA_OK) return IPFSA_OK;
  if (query->named && !ipfsa_reference_same_name(&reference, query->named)) return IPFSA_OK; /* else the search itself judges what fits */
  ipfsa_status status = ipfsa_market_item_init(&item, &reference, NULL, description, "engine", err);
  if (status) return status;
  item.official |= ipfsa_json_bool(found, "is_official");
  return ipfsa_market_list_merge(&ret->list, &item, err);
}

ipfsa_status ipfsa_market_ask_search(const ipfsa_market_query *query, ipfsa_engine *engine, ipfsa_market_answer *ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  IPFSA_AUTO_JSON json_t *list = NULL;
  char limit[24];
  const json_t *found;
  if (query->named && strcmp(query->named->host, IPFSA_DOCKER_HUB) != 0) return IPFSA_OK; /* that registry is asked itself */
  snprintf(limit, sizeof limit, "%zu", query->limit < MAX_SEARCH_LIMIT ? query->limit : MAX_SEARCH_LIMIT);
  ipfsa_buf_str(&target, "/images/search");
  ipfsa_http_put_query(&target, "term", query->named ? query->named->path : query->term);
  ipfsa_http_put_query(&target, "limit", limit);
  uint64_t deadline = ipfsa_clock_monotonic_ns() + query->timeout_ms * 1000000;
  ipfsa_status status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "GET", .target = &target, .deadline = deadline}, &list, NULL, err);
  for (size_t i = 0; status == IPFSA_OK && (found = json_array_get(list, i)); i++) status = take_found(found, query, ret, err);
  return status;
}
