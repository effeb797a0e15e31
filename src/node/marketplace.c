/* The marketplace: what the options and the configuration say becomes a search. */
#include <ipfsa/marketplace.h>
#include <strings.h>

#include "container/market.h"
#include "node/repo_dir.h"

#define LIMIT 25
#define TIMEOUT_MS 10000
#define MAX_TERM 255 /* bytes; the longest name of an image */

typedef struct text_array {
  char **items;
  size_t n;
} text_array;

/* Everything the search borrows. */
typedef struct plan {
  ipfsa_config *config;
  text_array registries, allowed, private_texts, sources;
  ipfsa_registry_place *places, *asked; /* all configured; those that are asked */
  ipfsa_origin *private_origins;
  const char **left_out, **left_out_why;
  ipfsa_reference named;
  ipfsa_market_params params;
} plan;

static void release_plan(plan *p) {
  text_array *arrays[] = {&p->registries, &p->allowed, &p->private_texts, &p->sources};
  for (size_t i = 0; i < 4; i++) ipfsa_config_list_free(arrays[i]->items, arrays[i]->n);
  ipfsa_free(p->places);
  ipfsa_free(p->asked);
  ipfsa_free(p->private_origins);
  ipfsa_free(p->left_out);
  ipfsa_free(p->left_out_why);
  ipfsa_config_free(p->config);
}

static ipfsa_status read_config(plan *p, const char *repo_path, ipfsa_error *err) {
  ipfsa_status status = ipfsa_repo_config_load(repo_path, &p->config, err);
  if (status == IPFSA_OK) status = ipfsa_config_list(p->config, "docker.registries", &p->registries.items, &p->registries.n, err);
  if (status == IPFSA_OK) status = ipfsa_config_list(p->config, "docker.allowed_registries", &p->allowed.items, &p->allowed.n, err);
  if (status == IPFSA_OK) status = ipfsa_config_list(p->config, "http.private_origins", &p->private_texts.items, &p->private_texts.n, err);
  if (status == IPFSA_OK) status = ipfsa_config_list(p->config, "marketplace.sources", &p->sources.items, &p->sources.n, err);
  return status;
}

static ipfsa_status read_places(plan *p, ipfsa_error *err) {
  p->places = ipfsa_calloc(p->registries.n + 1, sizeof *p->places);
  p->asked = ipfsa_calloc(p->registries.n + 1, sizeof *p->asked);
  p->private_origins = ipfsa_calloc(p->private_texts.n + 1, sizeof *p->private_origins);
  if (!p->places || !p->asked || !p->private_origins) return ipfsa_fail_nomem(err);
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < p->registries.n && status == IPFSA_OK; i++) status = ipfsa_registry_place_parse(p->registries.items[i], &p->places[i], err);
  if (status) return ipfsa_error_prefix(err, status, "docker.registries");
  for (size_t i = 0; i < p->private_texts.n && status == IPFSA_OK; i++) status = ipfsa_url_parse(p->private_texts.items[i], &p->private_origins[i], NULL, err);
  return status ? ipfsa_error_prefix(err, status, "http.private_origins") : IPFSA_OK;
}

/* ---- sources ---- */

static void ask_place(plan *p, const ipfsa_registry_place *place) {
  ipfsa_market_params *m = &p->params;
  for (size_t i = 0; i < m->n_places; i++)
    if (ipfsa_origin_equal(&p->asked[i].origin, &place->origin) && strcmp(p->asked[i].path, place->path) == 0) return;
  p->asked[m->n_places++] = *place;
}

static void leave_out(plan *p, const char *source, const char *why) {
  p->left_out[p->params.n_left_out] = source;
  p->left_out_why[p->params.n_left_out++] = why;
}

static bool is_index(const char *source) {
  ipfsa_cid cid;
  return strncmp(source, "/ipfs/", 6) == 0 || strncmp(source, "/ipns/", 6) == 0 || ipfsa_cid_parse(source, strlen(source), &cid, NULL) == IPFSA_OK;
}

static ipfsa_status take_source(plan *p, const char *source, ipfsa_error *err) {
  bool all = strcmp(source, "registries") == 0;
  size_t n = p->params.n_places;
  if (strcmp(source, "curated") == 0) p->params.ask_curated = true;
  else if (strcmp(source, "local") == 0) p->params.ask_local = true;
  else if (strcmp(source, "engine") == 0) p->params.ask_engine = true;
  else if (is_index(source)) leave_out(p, source, "an index by its CID is not read yet");
  else {
    for (size_t i = 0; i < p->registries.n; i++)
      if (all || strcasecmp(p->places[i].host, source) == 0 || strcmp(p->registries.items[i], source) == 0) ask_place(p, &p->places[i]);
    if (!all && p->params.n_places == n)
      return ipfsa_fail(err, IPFSA_E_INVALID, "unknown source \"%.100s\"; expected curated, local, engine, registries, or the host of one of docker.registries", source);
  }
  return IPFSA_OK;
}

static ipfsa_status take_sources(plan *p, const char *const *sources, size_t n, ipfsa_error *err) {
  bool is_default = n == 0;
  if (is_default) sources = (const char *const *)p->sources.items, n = p->sources.n;
  p->left_out = ipfsa_calloc(n + 2, sizeof *p->left_out);
  p->left_out_why = ipfsa_calloc(n + 2, sizeof *p->left_out_why);
  if (!p->left_out || !p->left_out_why) return ipfsa_fail_nomem(err);
  ipfsa_status status = IPFSA_OK;
  bool asks_all = false, asks_named = !p->params.query.named;
  for (size_t i = 0; i < n && status == IPFSA_OK; i++) {
    asks_all |= strcmp(sources[i], "registries") == 0;
    status = take_source(p, sources[i], err);
  }
  if (p->params.ask_engine && !*p->params.query.term) { /* a search needs something to search for */
    p->params.ask_engine = false;
    if (!is_default) leave_out(p, "engine", "its search needs a term");
  }
  for (size_t i = 0; i < p->params.n_places && !asks_named; i++) asks_named = strcmp(p->asked[i].host, p->named.host) == 0;
  if (asks_all && !asks_named) leave_out(p, p->named.host, "it is not in docker.registries, so it is not asked");
  return status;
}

static void take_term(plan *p, const char *term) {
  p->params.query.term = term;
  if (*term && ipfsa_reference_parse(term, strlen(term), &p->named, NULL) == IPFSA_OK && p->named.has_host) p->params.query.named = &p->named;
}

ipfsa_status ipfsa_marketplace_search(const char *term, const ipfsa_marketplace_options *given, ipfsa_marketplace_cb cb, void *ctx, size_t *ret_n_answered,
                                      ipfsa_error *err) {
  ipfsa_marketplace_options options = IPFSA_OPTIONS(ipfsa_marketplace_options, given);
  plan p = {0};
  if (!term) term = "";
  if (strlen(term) > MAX_TERM) return ipfsa_fail(err, IPFSA_E_LIMIT, "a term of %zu bytes; at most %d are searched for", strlen(term), MAX_TERM);
  if (options.limit > IPFSA_MAX_MARKETPLACE_LIMIT)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "a limit of %zu entries; at most %d are listed", options.limit, IPFSA_MAX_MARKETPLACE_LIMIT);
  if (options.timeout_ms < 0) return ipfsa_fail(err, IPFSA_E_INVALID, "a negative time limit");
  ipfsa_status status = read_config(&p, options.repo_path, err);
  if (status == IPFSA_OK) status = read_places(&p, err);
  take_term(&p, term);
  if (status == IPFSA_OK) status = take_sources(&p, options.sources, options.n_sources, err);
  if (status == IPFSA_OK) {
    ipfsa_market_params *m = &p.params;
    ipfsa_engine_params engine = {.configured_host = ipfsa_config_string(p.config, "docker.host")};
    m->engine = &engine;
    m->places = p.asked;
    m->left_out = p.left_out, m->left_out_why = p.left_out_why;
    m->allowed = (const char *const *)p.allowed.items, m->n_allowed = p.allowed.n;
    m->progress = options.progress, m->failed = options.failed, m->ctx = options.ctx;
    m->query.limit = options.limit ? options.limit : LIMIT;
    m->query.timeout_ms = options.timeout_ms ? (uint64_t)options.timeout_ms : TIMEOUT_MS;
    m->query.docker_config = options.docker_config;
    m->query.private_origins = p.private_origins, m->query.n_private_origins = p.private_texts.n;
    status = ipfsa_market_search(m, cb, ctx, ret_n_answered, err);
  }
  release_plan(&p);
  return status;
}
