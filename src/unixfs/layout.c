#include "unixfs/layout.h"

#include "base/alloc.h"
#include "base/error.h"

void ipfsa_layout_start(ipfsa_layout_builder *b, const ipfsa_import_params *params, ipfsa_blockstore_writer *w,
                        const ipfsa_unixfs_meta *meta) {
  b->params = params;
  b->w = w;
  b->meta = meta;
  b->n_levels = 0;
}

void ipfsa_layout_release(ipfsa_layout_builder *b) {
  for (size_t i = 0; i < IPFSA_MAX_FILE_DEPTH; i++) ipfsa_free(b->levels[i].refs);
  ipfsa_free(b->blocksizes);
  ipfsa_buf_release(&b->block);
  ipfsa_buf_release(&b->message);
  *b = (ipfsa_layout_builder){0};
}

/* Opens an empty node one level up (balanced) or down (trickle). */
static ipfsa_status open_level(ipfsa_layout_builder *b, uint32_t max_depth, ipfsa_error *err) {
  if (b->n_levels == IPFSA_MAX_FILE_DEPTH)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "a file DAG deeper than %d levels; allow more links a node", IPFSA_MAX_FILE_DEPTH);
  ipfsa_layout_level *l = &b->levels[b->n_levels++];
  *l = (ipfsa_layout_level){.refs = l->refs, .cap = l->cap, .max_depth = max_depth, .child_depth = 1};
  return IPFSA_OK;
}

static ipfsa_status add_ref(ipfsa_layout_level *l, const ipfsa_dag_ref *ref, ipfsa_error *err) {
  if (!ipfsa_grow((void **)&l->refs, &l->cap, l->n + 1, sizeof *l->refs)) return ipfsa_fail_nomem(err);
  if (__builtin_add_overflow(l->filesize, ref->filesize, &l->filesize) || __builtin_add_overflow(l->tsize, ref->tsize, &l->tsize))
    return ipfsa_fail(err, IPFSA_E_LIMIT, "a file of over 2^64 bytes");
  l->refs[l->n++] = *ref;
  return IPFSA_OK;
}

/* Writes the File node over a level's links and empties the level. */
static ipfsa_status close_node(ipfsa_layout_builder *b, ipfsa_layout_level *l, const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret,
                               ipfsa_error *err) {
  if (!ipfsa_grow((void **)&b->blocksizes, &b->blocksizes_cap, l->n, sizeof *b->blocksizes)) return ipfsa_fail_nomem(err);
  ipfsa_buf_clear(&b->block);
  ipfsa_buf_clear(&b->message);
  for (size_t i = 0; i < l->n; i++) {
    uint8_t cid[IPFSA_MAX_CID];
    ipfsa_pb_link link = {.cid = {cid, ipfsa_cid_encode(&l->refs[i].cid, cid)}, .tsize = l->refs[i].tsize, .has_name = true, .has_tsize = true};
    ipfsa_buf_pb_link(&b->block, &link);
    b->blocksizes[i] = l->refs[i].filesize;
  }
  ipfsa_buf_unixfs_file(&b->message, l->filesize, b->blocksizes, l->n, meta);
  ipfsa_buf_pb_data(&b->block, ipfsa_buf_bytes(&b->message));
  ipfsa_status status = ipfsa_buf_status(&b->message, err);
  if (status == IPFSA_OK) status = ipfsa_buf_status(&b->block, err);
  ipfsa_dag_ref ref = {.filesize = l->filesize, .tsize = l->tsize + b->block.len};
  if (status == IPFSA_OK) status = ipfsa_params_put(b->params, b->w, IPFSA_CODEC_DAG_PB, ipfsa_buf_bytes(&b->block), &ref.cid, err);
  if (status) return status;
  l->n = 0;
  l->filesize = l->tsize = 0;
  *ret = ref;
  return IPFSA_OK;
}

/* Balanced: level 0 holds leaves; a full level becomes a node of the next one only when more arrives, so all leaves end equally deep. */
static ipfsa_status push_balanced(ipfsa_layout_builder *b, size_t level, const ipfsa_dag_ref *given, ipfsa_error *err) {
  ipfsa_dag_ref ref = *given;
  for (size_t i = level;; i++) {
    ipfsa_status status = i == b->n_levels ? open_level(b, 0, err) : IPFSA_OK;
    if (status) return status;
    ipfsa_layout_level *l = &b->levels[i];
    if (l->n < b->params->max_file_links) return add_ref(l, &ref, err);
    ipfsa_dag_ref node;
    status = close_node(b, l, NULL, &node, err);
    if (status == IPFSA_OK) status = add_ref(l, &ref, err);
    if (status) return status;
    ref = node;
  }
}

static ipfsa_status finish_balanced(ipfsa_layout_builder *b, ipfsa_dag_ref *ret, ipfsa_error *err) {
  for (size_t i = 0;; i++) {
    ipfsa_layout_level *l = &b->levels[i];
    bool top = i + 1 == b->n_levels;
    if (top && l->n == 1) return *ret = l->refs[0], IPFSA_OK;
    ipfsa_dag_ref node;
    ipfsa_status status = close_node(b, l, top ? b->meta : NULL, &node, err);
    if (status == IPFSA_OK && top) *ret = node;
    if (status || top) return status;
    status = push_balanced(b, i + 1, &node, err); /* the next level may be full */
    if (status) return status;
  }
}

#define TRICKLE_REPEAT 4 /* boxo: depthRepeat */

/* Closes the innermost open node and links it from the one above. */
static ipfsa_status close_innermost(ipfsa_layout_builder *b, ipfsa_error *err) {
  ipfsa_dag_ref node;
  ipfsa_status status = close_node(b, &b->levels[b->n_levels - 1], NULL, &node, err);
  if (status) return status;
  b->n_levels--;
  ipfsa_layout_level *parent = &b->levels[b->n_levels - 1];
  parent->repeat++;
  return add_ref(parent, &node, err);
}

static ipfsa_status add_trickle(ipfsa_layout_builder *b, const ipfsa_dag_ref *leaf, ipfsa_error *err) {
  ipfsa_status status = b->n_levels ? IPFSA_OK : open_level(b, 0, err);
  while (status == IPFSA_OK) {
    ipfsa_layout_level *l = &b->levels[b->n_levels - 1];
    if (l->n_leaves < b->params->max_file_links) {
      l->n_leaves++;
      return add_ref(l, leaf, err);
    }
    if (l->repeat == TRICKLE_REPEAT) l->child_depth++, l->repeat = 0;
    bool complete = l->max_depth && l->child_depth >= l->max_depth;
    status = complete ? close_innermost(b, err) : open_level(b, l->child_depth, err);
  }
  return status;
}

static ipfsa_status finish_trickle(ipfsa_layout_builder *b, ipfsa_dag_ref *ret, ipfsa_error *err) {
  ipfsa_status status = b->n_levels ? IPFSA_OK : open_level(b, 0, err); /* no data: a File node without links */
  while (status == IPFSA_OK && b->n_levels > 1) status = close_innermost(b, err);
  return status ? status : close_node(b, &b->levels[0], b->meta, ret, err);
}

ipfsa_status ipfsa_layout_add(ipfsa_layout_builder *b, const ipfsa_dag_ref *leaf, ipfsa_error *err) {
  return b->params->layout == IPFSA_LAYOUT_TRICKLE ? add_trickle(b, leaf, err) : push_balanced(b, 0, leaf, err);
}

ipfsa_status ipfsa_layout_finish(ipfsa_layout_builder *b, ipfsa_dag_ref *ret, ipfsa_error *err) {
  return b->params->layout == IPFSA_LAYOUT_TRICKLE ? finish_trickle(b, ret, err) : finish_balanced(b, ret, err);
}
