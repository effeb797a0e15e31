#include "container/market.h"

#include <errno.h>
#include <time.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/pool.h"

#define STEP_NS 100000000 /* between two looks at progress and cancelling */

typedef enum source_kind { SOURCE_CURATED, SOURCE_LOCAL, SOURCE_ENGINE, SOURCE_REGISTRY } source_kind;

typedef struct search search;
typedef struct asking { /* one source */
  ipfsa_task task;      /* first: the pool hands back its address */
  search *search;
  source_kind kind;
  const ipfsa_registry_place *place; /* of a registry */
  ipfsa_engine *engine; /* while it is asked; under the search's lock */
  ipfsa_market_answer answer;
  ipfsa_status status;
  ipfsa_error err;
} asking;

struct search {
  const ipfsa_market_params *params;
  ipfsa_market_query query;
  asking *sources;
  size_t n_sources, n_done; /* n_done under lock */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool cancelled;
};

void ipfsa_market_answer_fail(ipfsa_market_answer *answer, const ipfsa_error *err) {
  if (answer->n_failures < IPFSA_MAX_MARKET_FAILURES) answer->failures[answer->n_failures] = *err;
  answer->n_failures++;
}

static bool is_cancelled(void *ctx) { return __atomic_load_n(&((search *)ctx)->cancelled, __ATOMIC_RELAXED); }

static bool is_allowed(const ipfsa_market_params *p, const char *host) {
  for (size_t i = 0; i < p->n_allowed; i++)
    if (ipfsa_reference_host_is(p->allowed[i], host)) return true;
  return p->n_allowed == 0;
}

/* For a moment under the lock: from here on, or no longer, cancelling reaches this engine. */
static void show_engine(asking *a, ipfsa_engine *engine) {
  pthread_mutex_lock(&a->search->lock);
  a->engine = engine;
  if (engine && is_cancelled(a->search)) ipfsa_engine_cancel(engine);
  pthread_mutex_unlock(&a->search->lock);
}

static ipfsa_status ask_engine(asking *a, ipfsa_error *err) {
  search *s = a->search;
  ipfsa_engine *engine = NULL;
  ipfsa_engine_params params = *s->params->engine;
  params.timeout_ms = (int64_t)s->query.timeout_ms;
  ipfsa_status status = ipfsa_engine_connect(&params, &engine, err);
  if (status) return status;
  show_engine(a, engine);
  status = a->kind == SOURCE_LOCAL ? ipfsa_market_ask_local(&s->query, engine, &a->answer, err) : ipfsa_market_ask_search(&s->query, engine, &a->answer, err);
  show_engine(a, NULL);
  ipfsa_engine_close(engine);
  return status;
}

static ipfsa_status ask_registry(asking *a, ipfsa_error *err) {
  if (!is_allowed(a->search->params, a->place->host)) return ipfsa_fail(err, IPFSA_E_DENIED, "it is not in docker.allowed_registries, so it is not asked");
  return ipfsa_market_ask_registry(&a->search->query, a->place, &a->answer, err);
}

static void run(ipfsa_task *task) {
  asking *a = (asking *)(void *)task;
  search *s = a->search;
  switch (a->kind) {
  case SOURCE_CURATED: a->status = ipfsa_market_ask_curated(&s->query, &a->answer, &a->err); break;
  case SOURCE_LOCAL:
  case SOURCE_ENGINE: a->status = ask_engine(a, &a->err); break;
  case SOURCE_REGISTRY: a->status = ask_registry(a, &a->err); break;
  }
  pthread_mutex_lock(&s->lock);
  s->n_done++;
  pthread_cond_signal(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

/* The calling thread shows progress, with no lock held, until all have answered. */
static bool step(search *s, size_t n_done) {
  ipfsa_progress at = {.done_items = n_done, .total_items = s->n_sources};
  return s->params->progress && s->params->progress(s->params->ctx, &at) != 0;
}

/* Registries look at the flag, engines are told. */
static void cancel(search *s) {
  __atomic_store_n(&s->cancelled, true, __ATOMIC_RELAXED);
  pthread_mutex_lock(&s->lock);
  for (size_t i = 0; i < s->n_sources; i++)
    if (s->sources[i].engine) ipfsa_engine_cancel(s->sources[i].engine);
  pthread_mutex_unlock(&s->lock);
}

static ipfsa_status wait_for_all(search *s, ipfsa_error *err) {
  size_t n_done = 0;
  while (n_done < s->n_sources) {
    if (!is_cancelled(s) && step(s, n_done)) cancel(s);
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += STEP_NS;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    pthread_mutex_lock(&s->lock);
    if (s->n_done == n_done) pthread_cond_timedwait(&s->changed, &s->lock, &until);
    n_done = s->n_done;
    pthread_mutex_unlock(&s->lock);
  }
  return is_cancelled(s) ? ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled") : IPFSA_OK;
}

static ipfsa_status ask_all(search *s, ipfsa_error *err) {
  ipfsa_pool *pool = NULL;
  pthread_condattr_t monotonic;
  size_t n = s->n_sources;
  if (n == 0) return IPFSA_OK;
  ipfsa_status status = ipfsa_pool_new((unsigned)(n < IPFSA_MAX_MARKET_THREADS ? n : IPFSA_MAX_MARKET_THREADS), &pool, err);
  if (status) return status;
  pthread_mutex_init(&s->lock, NULL);
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&s->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  for (size_t i = 0; i < n; i++) ipfsa_pool_submit(pool, &s->sources[i].task);
  status = wait_for_all(s, err);
  ipfsa_pool_free(pool);
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
  return status;
}

/* ---- what comes out ---- */

static const char *name_of(const asking *a) {
  static const char *const names[] = {"curated", "local", "engine"};
  return a->kind == SOURCE_REGISTRY ? a->place->host : names[a->kind];
}

static void tell_failure(const ipfsa_market_params *p, const char *source, ipfsa_status status, const char *message) {
  if (p->failed) p->failed(p->ctx, source, status, message);
}

static void tell_failures(const search *s, size_t *n_answered) {
  const ipfsa_market_params *p = s->params;
  for (size_t i = 0; i < p->n_left_out; i++) tell_failure(p, p->left_out[i], IPFSA_E_NOT_SUPPORTED, p->left_out_why[i]);
  for (size_t i = 0; i < s->n_sources; i++) {
    const asking *a = &s->sources[i];
    size_t kept = a->answer.n_failures < IPFSA_MAX_MARKET_FAILURES ? a->answer.n_failures : IPFSA_MAX_MARKET_FAILURES;
    for (size_t k = 0; k < kept; k++) tell_failure(p, name_of(a), a->answer.failures[k].status, a->answer.failures[k].message);
    char more[64];
    snprintf(more, sizeof more, "and %zu failures more like these", a->answer.n_failures - kept);
    if (a->answer.n_failures > kept) tell_failure(p, name_of(a), IPFSA_E_PARTIAL, more);
    if (a->status) tell_failure(p, name_of(a), a->status, a->err.message);
    *n_answered += a->status == IPFSA_OK || a->answer.list.n > 0;
  }
}

static ipfsa_status merge_all(search *s, ipfsa_market_list *ret, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < s->n_sources; i++)
    for (size_t k = 0; k < s->sources[i].answer.list.n && status == IPFSA_OK; k++) status = ipfsa_market_list_merge(ret, &s->sources[i].answer.list.items[k], err);
  return status;
}

static ipfsa_status give_one(const search *s, const ipfsa_market_item *item, ipfsa_marketplace_cb cb, void *ctx, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf image = {0};
  IPFSA_AUTO_BUF ipfsa_buf reference = {0};
  ipfsa_reference_familiar(&item->reference, &image);
  ipfsa_reference_canonical(&item->reference, &reference);
  ipfsa_status status = ipfsa_buf_status(&image, err);
  if (status == IPFSA_OK) status = ipfsa_buf_status(&reference, err);
  if (status) return status;
  ipfsa_marketplace_entry entry = {.name = ipfsa_market_item_name(item),
                                   .image = ipfsa_buf_cstr(&image),
                                   .reference = ipfsa_buf_cstr(&reference),
                                   .digest = item->digest,
                                   .description = item->description ? item->description : "",
                                   .tags = (const char *const *)item->tags.items,
                                   .n_tags = item->tags.n,
                                   .architectures = (const char *const *)item->platforms.items,
                                   .n_architectures = item->platforms.n,
                                   .sources = (const char *const *)item->sources.items,
                                   .n_sources = item->sources.n,
                                   .size = item->size,
                                   .official = item->official,
                                   .verified = item->verified,
                                   .allowed = is_allowed(s->params, item->reference.host)};
  return cb(ctx, &entry) == 0 ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
}

static ipfsa_status give_all(search *s, ipfsa_marketplace_cb cb, void *ctx, size_t *n_answered, ipfsa_error *err) {
  ipfsa_market_list merged = {0};
  tell_failures(s, n_answered);
  ipfsa_status status = merge_all(s, &merged, err);
  if (status == IPFSA_OK) ipfsa_market_list_sort(&merged, s->query.term);
  for (size_t i = 0; i < merged.n && i < s->query.limit && status == IPFSA_OK; i++) status = give_one(s, &merged.items[i], cb, ctx, err);
  ipfsa_market_list_release(&merged);
  return status;
}

static void add_source(search *s, source_kind kind, const ipfsa_registry_place *place) {
  s->sources[s->n_sources++] = (asking){.task.run = run, .search = s, .kind = kind, .place = place};
}

ipfsa_status ipfsa_market_search(const ipfsa_market_params *p, ipfsa_marketplace_cb cb, void *cb_ctx, size_t *ret_n_answered, ipfsa_error *err) {
  search s = {.params = p, .query = p->query};
  size_t n_answered = 0;
  s.query.cancelled = is_cancelled;
  s.query.cancelled_ctx = &s;
  s.sources = ipfsa_calloc(p->n_places + 3, sizeof *s.sources);
  if (!s.sources) return ipfsa_fail_nomem(err);
  if (p->ask_curated) add_source(&s, SOURCE_CURATED, NULL);
  if (p->ask_local) add_source(&s, SOURCE_LOCAL, NULL);
  for (size_t i = 0; i < p->n_places; i++) add_source(&s, SOURCE_REGISTRY, &p->places[i]);
  if (p->ask_engine) add_source(&s, SOURCE_ENGINE, NULL);
  ipfsa_status status = ask_all(&s, err);
  if (status == IPFSA_OK) status = give_all(&s, cb, cb_ctx, &n_answered, err);
  for (size_t i = 0; i < s.n_sources; i++) ipfsa_market_list_release(&s.sources[i].answer.list);
  ipfsa_free(s.sources);
  if (status == IPFSA_OK && ret_n_answered) *ret_n_answered = n_answered;
  return status;
}
