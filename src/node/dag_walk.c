#include "node/dag_walk.h"

#include "unixfs/prefetch.h"

#define AHEAD IPFSA_MAX_PREFETCH /* blocks met and not visited */
#define WORTH_WORKERS 8          /* links of one node; for fewer leaves, starting threads takes longer than reading */
#define USUAL_LEAF 262144        /* bytes, where a link does not say */

typedef struct waiting {
  ipfsa_cid cid;
  uint64_t size; /* as the link says; 0 = it does not */
  unsigned depth;
} waiting;

typedef enum met_state { MET_ASKED, MET_TO_READ, MET_READ, MET_UNREAD } met_state;

/* A block that the walk has met; its visit waits for those before it. */
typedef struct met {
  waiting at;
  met_state state;
  ipfsa_block block;
  uint64_t size;
} met;

typedef struct dag_walk {
  ipfsa_node *node;
  const ipfsa_dag_walk_options *o;
  ipfsa_cid_set *seen;
  ipfsa_prefetch *prefetch; /* NULL: none, or not yet */
  bool wants_workers, no_workers;
  waiting *stack;
  size_t n, cap;
  met ring[AHEAD]; /* oldest first */
  size_t head, n_met;
  unsigned depth; /* of the links being pushed */
} dag_walk;

bool ipfsa_is_fault_of_block(ipfsa_status status) {
  return status == IPFSA_E_NOT_FOUND || status == IPFSA_E_CORRUPT || status == IPFSA_E_MALFORMED || status == IPFSA_E_LIMIT ||
         status == IPFSA_E_DENIED || status == IPFSA_E_CHANGED;
}

static int push_link(void *ctx, ipfsa_bytes name, const ipfsa_cid *cid, uint64_t tsize) {
  (void)name;
  dag_walk *w = ctx;
  if (!ipfsa_grow((void **)&w->stack, &w->cap, w->n + 1, sizeof *w->stack)) return 1;
  w->stack[w->n++] = (waiting){*cid, tsize, w->depth};
  return 0;
}

static ipfsa_status push_links(dag_walk *w, const waiting *at, ipfsa_bytes data, ipfsa_error *err) {
  size_t before = w->n;
  w->depth = at->depth + 1;
  ipfsa_status status = ipfsa_block_links(&at->cid, data, push_link, w, err);
  if (status == IPFSA_E_CANCELLED) return ipfsa_fail_nomem(err);
  if (status) {
    char text[IPFSA_MAX_CID_TEXT];
    ipfsa_cid_format(&at->cid, text);
    w->n = before;
    return ipfsa_error_prefix(err, status, "%.200s", text);
  }
  for (size_t i = before, j = w->n; i + 1 < j; i++) {
    waiting t = w->stack[i];
    w->stack[i] = w->stack[--j];
    w->stack[j] = t;
  }
  w->wants_workers |= w->n - before >= WORTH_WORKERS;
  return IPFSA_OK;
}

/* ---- visits ---- */

static ipfsa_status visit(dag_walk *w, const ipfsa_dag_visit *at, ipfsa_error *err) {
  return w->o->visit(w->o->ctx, at) == 0 ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_CANCELLED, "stopped");
}

static ipfsa_status visit_fault(dag_walk *w, const waiting *at, ipfsa_status status, const ipfsa_error *why, ipfsa_error *err) {
  if (w->o->take_faults && ipfsa_is_fault_of_block(status))
    return visit(w, &(ipfsa_dag_visit){.cid = &at->cid, .depth = at->depth, .status = status, .why = why}, err);
  if (err) *err = *why;
  return status;
}

/* What workers have not read since one of their group failed, is read here. */
static void stop_workers(dag_walk *w) {
  ipfsa_prefetch_drop(w->prefetch);
  for (size_t i = 0; i < w->n_met; i++) {
    met *m = &w->ring[(w->head + i) % AHEAD];
    if (m->state == MET_ASKED) m->state = MET_TO_READ;
  }
}

static ipfsa_status read_met(dag_walk *w, met *m, ipfsa_error *err) {
  if (m->state == MET_ASKED) {
    ipfsa_status status = ipfsa_prefetch_take(w->prefetch, &m->block, err);
    if (status) stop_workers(w);
    return status;
  }
  return m->state == MET_TO_READ ? ipfsa_blockstore_get(w->node->bs, &m->at.cid, &m->block, err) : IPFSA_OK;
}

static ipfsa_status visit_oldest(dag_walk *w, ipfsa_error *err) {
  met *m = &w->ring[w->head];
  ipfsa_error why = {0};
  ipfsa_status status = read_met(w, m, &why);
  w->head = (w->head + 1) % AHEAD;
  w->n_met--;
  if (status) return visit_fault(w, &m->at, status, &why, err);
  uint64_t size = m->state == MET_UNREAD ? m->size : m->block.data.len;
  status = visit(w, &(ipfsa_dag_visit){.cid = &m->at.cid, .depth = m->at.depth, .data = m->block.data, .size = size}, err);
  ipfsa_block_release(&m->block);
  return status;
}

static ipfsa_status visit_all_met(dag_walk *w, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  while (status == IPFSA_OK && w->n_met) status = visit_oldest(w, err);
  return status;
}

/* ---- steps ahead ---- */

static met *meet(dag_walk *w, const waiting *at, met_state state) {
  met *m = &w->ring[(w->head + w->n_met++) % AHEAD];
  *m = (met){.at = *at, .state = state};
  return m;
}

static bool need_workers(dag_walk *w) {
  ipfsa_pool *pool = NULL;
  if (!w->prefetch && w->wants_workers && !w->no_workers)
    w->no_workers = ipfsa_node_pool(w->node, &pool, NULL) != IPFSA_OK || ipfsa_prefetch_new(w->node->bs, pool, false, &w->prefetch, NULL) != IPFSA_OK;
  return w->prefetch != NULL;
}

static ipfsa_status meet_leaf(dag_walk *w, const waiting *at, ipfsa_error *err) {
  if (w->o->leaves == IPFSA_DAG_LEAVES_READ) {
    bool ask = need_workers(w);
    meet(w, at, ask ? MET_ASKED : MET_TO_READ);
    if (ask) ipfsa_prefetch_ask(w->prefetch, &at->cid, at->size ? at->size : USUAL_LEAF);
    return IPFSA_OK;
  }
  uint64_t size = 0;
  ipfsa_status status = w->o->leaves == IPFSA_DAG_LEAVES_SIZED ? ipfsa_blockstore_size(w->node->bs, &at->cid, &size, err) : IPFSA_OK;
  if (status == IPFSA_OK) meet(w, at, MET_UNREAD)->size = size;
  return status;
}

static ipfsa_status meet_node(dag_walk *w, const waiting *at, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  ipfsa_status status = ipfsa_blockstore_get(w->node->bs, &at->cid, &block, err);
  if (status == IPFSA_OK) status = push_links(w, at, block.data, err);
  if (status) return status;
  meet(w, at, MET_READ)->block = block;
  block = (ipfsa_block){0};
  return IPFSA_OK;
}

static ipfsa_status meet_next(dag_walk *w, ipfsa_error *err) {
  waiting at = w->stack[--w->n];
  bool is_new = false, leaf = at.cid.codec == IPFSA_CODEC_RAW;
  ipfsa_error why = {0};
  if (ipfsa_node_is_cancelled(w->node)) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  ipfsa_status status = ipfsa_cid_set_add(w->seen, &at.cid, false, &is_new, err);
  if (status || !is_new) return status;
  if (!leaf) status = ipfsa_blockstore_is_leaf(w->node->bs, &at.cid, &leaf, &why);
  if (status == IPFSA_OK) status = leaf ? meet_leaf(w, &at, &why) : meet_node(w, &at, &why);
  if (status == IPFSA_OK) return IPFSA_OK;
  ipfsa_status before = visit_all_met(w, err);
  return before ? before : visit_fault(w, &at, status, &why, err);
}

static bool can_go_ahead(const dag_walk *w) {
  return w->n && w->n_met < AHEAD && (!w->prefetch || ipfsa_prefetch_has_room(w->prefetch));
}

/* Without workers nothing is gained by going ahead. */
static ipfsa_status step(dag_walk *w, ipfsa_error *err) {
  if (w->n_met && (!w->prefetch || !can_go_ahead(w))) return visit_oldest(w, err);
  return meet_next(w, err);
}

ipfsa_status ipfsa_dag_walk(ipfsa_node *node, const ipfsa_cid *root, const ipfsa_dag_walk_options *o, ipfsa_error *err) {
  ipfsa_cid_set *own = NULL;
  dag_walk *w = ipfsa_calloc(1, sizeof *w);
  if (!w) return ipfsa_fail_nomem(err);
  w->node = node;
  w->o = o;
  ipfsa_status status = o->seen ? IPFSA_OK : ipfsa_cid_set_new(&own, err);
  w->seen = o->seen ? o->seen : own;
  if (status == IPFSA_OK && push_link(w, (ipfsa_bytes){0}, root, 0) != 0) status = ipfsa_fail_nomem(err);
  while (status == IPFSA_OK && (w->n || w->n_met)) status = step(w, err);
  for (size_t i = 0; i < w->n_met; i++) ipfsa_block_release(&w->ring[(w->head + i) % AHEAD].block);
  ipfsa_prefetch_free(w->prefetch);
  ipfsa_cid_set_free(own);
  ipfsa_free(w->stack);
  ipfsa_free(w);
  return status;
}
