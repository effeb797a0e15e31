/* A registry as a source: its catalog, or the repositories that the configuration or the term names. */
#include "base/error.h"
#include "container/market_source.h"

/* The repository that a term means at this registry when there is no catalog to search: as written, on Docker Hub below library/. */
static bool path_of_term(const char *term, const ipfsa_registry_place *place, ipfsa_reference *ret) {
  if (!*term || ipfsa_reference_parse(term, strlen(term), ret, NULL) != IPFSA_OK || ret->has_host) return false;
  if (strcmp(place->host, IPFSA_DOCKER_HUB) == 0) return true;
  const char *typed = strncmp(ret->path, "library/", 8) == 0 && strncmp(term, "library/", 8) != 0 ? ret->path + 8 : ret->path;
  memmove(ret->path, typed, strlen(typed) + 1);
  return true;
}

typedef struct names {
  ipfsa_text_list list;
  char version[IPFSA_IMAGE_DIGEST_LEN + IPFSA_MAX_IMAGE_TAG]; /* "" = choose one */
  bool guessed; /* from the term alone: that it is not there is no failure */
} names;

static void keep_version(names *n, const ipfsa_reference *r) { snprintf(n->version, sizeof n->version, "%s", *r->digest ? r->digest : r->tag); }

/* Of those that fit, the best `limit`. A list that breaks off is told, and what there is of it is used. */
static ipfsa_status take_catalog(ipfsa_registry *registry, const ipfsa_market_query *q, names *ret, ipfsa_market_answer *answer, ipfsa_error *err) {
  ipfsa_text_list all = {0};
  ipfsa_error part = {0};
  ipfsa_status status = ipfsa_registry_catalog(registry, IPFSA_MAX_REGISTRY_NAMES, &all, &part);
  bool broke_off = status && status != IPFSA_E_CANCELLED && status != IPFSA_E_NOMEM && all.n > 0;
  if (broke_off) ipfsa_market_answer_fail(answer, &part);
  else if (status) ipfsa_fail(err, status, "%s", part.message);
  status = broke_off ? IPFSA_OK : status;
  for (int rank = 0; rank < IPFSA_MARKET_RANKS; rank++)
    for (size_t i = 0; i < all.n && ret->list.n < q->limit && status == IPFSA_OK; i++) {
      const char *path = all.items[i];
      if (ipfsa_market_matches(path, q->term) && ipfsa_market_rank(ipfsa_market_last_part(path), path, q->term) == rank)
        status = ipfsa_text_list_add_once(&ret->list, path, err);
    }
  ipfsa_text_list_release(&all);
  return status;
}

static ipfsa_status find_names(ipfsa_registry *registry, const ipfsa_registry_place *place, const ipfsa_market_query *q, names *ret, ipfsa_market_answer *answer,
                               ipfsa_error *err) {
  ipfsa_reference guess;
  if (q->named) {
    if (strcmp(q->named->host, place->host) != 0 || (*place->path && strcmp(q->named->path, place->path) != 0)) return IPFSA_OK;
    keep_version(ret, q->named);
    return ipfsa_text_list_add(&ret->list, q->named->path, err);
  }
  if (*place->path) return ipfsa_market_matches(place->path, q->term) ? ipfsa_text_list_add(&ret->list, place->path, err) : IPFSA_OK;
  ipfsa_status status = take_catalog(registry, q, ret, answer, err);
  if (status != IPFSA_E_NOT_SUPPORTED || !path_of_term(q->term, place, &guess)) return status;
  ret->guessed = true;
  keep_version(ret, &guess);
  return ipfsa_text_list_add(&ret->list, guess.path, err);
}

/* "latest" where there is one, else the last of the list, which registries sort. */
static const char *choose_version(const names *n, const ipfsa_text_list *tags) {
  if (*n->version) return n->version;
  if (ipfsa_text_list_has(tags, "latest")) return "latest";
  return tags->n ? tags->items[tags->n - 1] : "";
}

static void put_version(ipfsa_reference *reference, const char *version) {
  bool is_digest = ipfsa_image_digest_is_valid(version);
  snprintf(reference->digest, sizeof reference->digest, "%.71s", is_digest ? version : "");
  snprintf(reference->tag, sizeof reference->tag, "%.128s", is_digest ? "" : version);
}

static ipfsa_status set_version(ipfsa_market_item *item, ipfsa_registry *registry, const char *version, ipfsa_error *err) {
  ipfsa_image_facts facts = {0};
  ipfsa_status status = ipfsa_registry_image(registry, item->reference.path, version, &facts, err);
  if (status) return status;
  memcpy(item->digest, facts.digest, sizeof item->digest);
  item->size = facts.size;
  item->verified = true;
  item->platforms = facts.platforms;
  facts.platforms = (ipfsa_text_list){0};
  item->description = facts.description;
  facts.description = NULL;
  ipfsa_image_facts_release(&facts);
  return IPFSA_OK;
}

/* The version to speak of, into the item; without a message: there is none. More tags than are read may have "latest" among the rest. */
static ipfsa_status find_version(ipfsa_market_item *item, ipfsa_registry *registry, const names *n, ipfsa_error *err) {
  const char *version = choose_version(n, &item->tags);
  bool is_cut = !*n->version && item->tags.n == IPFSA_MAX_MARKET_TAGS && strcmp(version, "latest") != 0;
  if (!*version) return IPFSA_E_NOT_FOUND;
  put_version(&item->reference, is_cut ? "latest" : version);
  ipfsa_status status = set_version(item, registry, is_cut ? "latest" : version, err);
  if (!is_cut || status != IPFSA_E_NOT_FOUND) return status;
  *err = (ipfsa_error){0};
  put_version(&item->reference, version);
  return set_version(item, registry, version, err);
}

static void tell_part(ipfsa_market_answer *answer, const char *path, ipfsa_status status, ipfsa_error *part) {
  ipfsa_error_prefix(part, status, "%.150s", path);
  ipfsa_market_answer_fail(answer, part);
  *part = (ipfsa_error){0};
}

static bool is_end(ipfsa_status status) { return status == IPFSA_E_CANCELLED || status == IPFSA_E_NOMEM; }

/* One repository: its tags, then one version of it. What fails in part is told, and the rest is an entry: a version that was named, or is among the
 * tags that were read, is looked at all the same. */
static ipfsa_status ask_one(ipfsa_registry *registry, const ipfsa_registry_place *place, const names *n, const char *path, ipfsa_market_answer *ret, ipfsa_error *err) {
  ipfsa_market_item item = {0};
  ipfsa_reference reference = {0};
  ipfsa_error part = {0};
  snprintf(reference.host, sizeof reference.host, "%s", place->host);
  snprintf(reference.path, sizeof reference.path, "%s", path);
  ipfsa_status status = ipfsa_market_item_init(&item, &reference, NULL, NULL, place->host, err);
  if (status) return status;
  status = ipfsa_registry_tags(registry, path, IPFSA_MAX_MARKET_TAGS, &item.tags, &part);
  bool absent = status == IPFSA_E_NOT_FOUND || (n->guessed && status == IPFSA_E_DENIED);
  if (!is_end(status)) {
    if (status && !absent) tell_part(ret, path, status, &part);
    part = (ipfsa_error){0};
    status = find_version(&item, registry, n, &part);
    absent = absent && (status == IPFSA_E_NOT_FOUND || status == IPFSA_E_DENIED);
    if (status && *part.message && !absent && !is_end(status)) tell_part(ret, path, status, &part);
  }
  bool gone = absent || status == IPFSA_E_NOT_FOUND; /* not there, no tag, or no such version: no entry */
  if (is_end(status)) ipfsa_fail(err, status, "%s", part.message);
  else status = gone ? IPFSA_OK : ipfsa_market_list_merge(&ret->list, &item, err);
  ipfsa_market_item_release(&item);
  return status;
}

static ipfsa_status ask_all(ipfsa_registry *registry, const ipfsa_registry_place *place, const ipfsa_market_query *q, ipfsa_market_answer *ret, ipfsa_error *err) {
  names n = {0};
  ipfsa_status status = find_names(registry, place, q, &n, ret, err);
  for (size_t i = 0; i < n.list.n && status == IPFSA_OK; i++) status = ask_one(registry, place, &n, n.list.items[i], ret, err);
  if (status == IPFSA_OK && n.guessed && ret->list.n == 0)
    status = ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "it shows no catalog, and has no \"%.100s\"; name repositories as HOST/NAME in docker.registries", q->term);
  ipfsa_text_list_release(&n.list);
  return status;
}

ipfsa_status ipfsa_market_ask_registry(const ipfsa_market_query *q, const ipfsa_registry_place *place, ipfsa_market_answer *ret, ipfsa_error *err) {
  ipfsa_registry *registry = NULL;
  ipfsa_registry_settings settings = {.place = place,
                                      .private_origins = q->private_origins,
                                      .n_private_origins = q->n_private_origins,
                                      .docker_config = q->docker_config,
                                      .timeout_ms = q->timeout_ms,
                                      .cancelled = q->cancelled,
                                      .cancelled_ctx = q->cancelled_ctx};
  if (q->named && strcmp(q->named->host, place->host) != 0) return IPFSA_OK; /* nothing of it was asked for */
  ipfsa_status status = ipfsa_registry_open(&settings, &registry, err);
  if (status == IPFSA_OK) status = ask_all(registry, place, q, ret, err);
  ipfsa_registry_close(registry);
  return status;
}
