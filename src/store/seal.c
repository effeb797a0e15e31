/* Sealed packs: a pack that is full ends in its commits' heads and tables once more, together, so that an index is made from one stretch of it
 * instead of a place a commit. Nothing rests on a seal: it is not synced by itself, each pair carries its commit's own checksum, and where it ends or does not
 * hold, the commits themselves are read on. docs/formats/pack.md has every byte. */
#include "base/alloc.h"
#include "base/error.h"
#include "store/local.h"

#define WINDOW (1u << 20) /* bytes read or written at a time */

/* ---- writing ---- */

typedef struct seal_run {
  ipfsa_buf out;
  uint64_t off, len; /* of what is written */
  uint64_t next;     /* where the next commit must begin */
} seal_run;

static ipfsa_status flush(seal_run *r, const ipfsa_pack *pack, ipfsa_error *err) {
  ipfsa_status status = ipfsa_buf_status(&r->out, err);
  if (status == IPFSA_OK) status = ipfsa_fs_write_at(pack->fd, r->out.data, r->out.len, r->off + r->len, err);
  r->len += r->out.len;
  ipfsa_buf_clear(&r->out);
  return status;
}

static ipfsa_status copy_commit(void *ctx, ipfsa_pack *pack, const ipfsa_pack_commit *commit, ipfsa_bytes table, ipfsa_error *err) {
  seal_run *r = ctx;
  if (commit->off != r->next) return ipfsa_fail(err, IPFSA_E_CORRUPT, "pack %08x has a damaged commit", pack->number);
  ipfsa_buf_pack_head(&r->out, commit, table);
  ipfsa_buf_append_bytes(&r->out, table);
  r->next = commit->end;
  return r->out.len >= WINDOW ? flush(r, pack, err) : ipfsa_buf_status(&r->out, err);
}

/* Best effort: without one the pack is read commit by commit. */
void ipfsa_store__seal(ipfsa_pack *pack) {
  seal_run r = {.out = {.max = IPFSA_MAX_TABLE + 2 * WINDOW}, .off = pack->end, .next = IPFSA_PACK_FIRST_COMMIT};
  uint64_t gap = 0;
  ipfsa_status status = ipfsa_store__each_commit(pack, IPFSA_PACK_FIRST_COMMIT, copy_commit, &r, &gap, NULL);
  if (status == IPFSA_OK && (gap || r.next != pack->end)) status = IPFSA_E_CORRUPT;
  if (status == IPFSA_OK) {
    ipfsa_pack_seal seal = {r.off, r.len + r.out.len};
    size_t behind = (size_t)((seal.off + seal.len) % IPFSA_PACK_PAGE), room = IPFSA_PACK_PAGE - IPFSA_PACK_SEAL_SIZE;
    ipfsa_buf_fill(&r.out, 0, behind <= room ? room - behind : IPFSA_PACK_PAGE + room - behind);
    ipfsa_buf_pack_seal(&r.out, &seal);
    status = flush(&r, pack, NULL);
  }
  if (status) (void)ipfsa_fs_truncate(pack->fd, pack->end, NULL);
  ipfsa_buf_release(&r.out);
}

/* ---- reading ---- */

/* The seal's bytes, a window at a time. */
typedef struct seal_window {
  const ipfsa_pack *pack;
  ipfsa_buf bytes;
  size_t pos;
  uint64_t off, end; /* behind bytes, in the pack; of the seal */
} seal_window;

/* `n` bytes at the window's position; *ret_found false: the seal has not so many. */
static ipfsa_status have(seal_window *w, size_t n, bool *ret_found, ipfsa_error *err) {
  size_t left = w->bytes.len - w->pos;
  *ret_found = left >= n;
  if (*ret_found || n - left > w->end - w->off) return IPFSA_OK;
  if (w->pos) memmove(w->bytes.data, w->bytes.data + w->pos, left);
  w->pos = 0;
  w->bytes.len = left;
  uint64_t rest = w->end - w->off, want = n - left < WINDOW ? WINDOW : n - left;
  if (want > rest) want = rest;
  if (!ipfsa_buf_reserve(&w->bytes, (size_t)want)) return ipfsa_buf_status(&w->bytes, err);
  size_t got = 0;
  ipfsa_status status = ipfsa_fs_read_at(w->pack->fd, w->bytes.data + left, (size_t)want, w->off, &got, err);
  if (status) return status;
  w->bytes.len += got;
  w->off += got;
  *ret_found = w->bytes.len >= n;
  return IPFSA_OK;
}

/* The next commit; *ret_found false: none, or one that does not hold. The table is borrowed from the window. */
static ipfsa_status next_copy(seal_window *w, uint64_t expected, ipfsa_pack_commit *ret, ipfsa_bytes *ret_table, bool *ret_found, ipfsa_error *err) {
  ipfsa_status status = have(w, IPFSA_PACK_HEAD_SIZE, ret_found, err);
  if (status || !*ret_found) return status;
  *ret_found = ipfsa_pack_decode_head(ipfsa_bytes_of(w->bytes.data + w->pos, IPFSA_PACK_HEAD_SIZE), expected, ret);
  if (!*ret_found) return IPFSA_OK;
  status = have(w, IPFSA_PACK_HEAD_SIZE + ret->table_len, ret_found, err);
  if (status || !*ret_found) return status;
  const uint8_t *head = w->bytes.data + w->pos;
  *ret_table = ipfsa_bytes_of(head + IPFSA_PACK_HEAD_SIZE, ret->table_len);
  w->pos += IPFSA_PACK_HEAD_SIZE + ret->table_len;
  return ipfsa_pack_check_head(ipfsa_bytes_of(head, IPFSA_PACK_HEAD_SIZE), ret, *ret_table, ret_found, err);
}

/* *ret_off: where the commits that the seal did not give begin. */
static ipfsa_status read_seal(ipfsa_pack *pack, const ipfsa_pack_seal *seal, ipfsa_store__commit_cb cb, void *ctx, uint64_t *ret_off, ipfsa_error *err) {
  seal_window w = {.pack = pack, .bytes = {.max = IPFSA_MAX_TABLE + 2 * WINDOW}, .off = seal->off, .end = seal->off + seal->len};
  ipfsa_status status = IPFSA_OK;
  uint64_t off = IPFSA_PACK_FIRST_COMMIT;
  for (bool found = true; status == IPFSA_OK && off < seal->off;) {
    ipfsa_pack_commit commit;
    ipfsa_bytes table;
    status = next_copy(&w, off, &commit, &table, &found, err);
    if (status || !found) break;
    status = cb(ctx, pack, &commit, table, err);
    off = commit.end;
  }
  ipfsa_buf_release(&w.bytes);
  *ret_off = off;
  return status;
}

ipfsa_status ipfsa_store__each_table(ipfsa_pack *pack, uint64_t off, ipfsa_store__commit_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_pack_seal seal;
  bool sealed = false;
  uint64_t gap = 0;
  ipfsa_status status = off == IPFSA_PACK_FIRST_COMMIT ? ipfsa_pack_find_seal(pack, &seal, &sealed, err) : IPFSA_OK;
  if (status == IPFSA_OK && sealed) status = read_seal(pack, &seal, cb, ctx, &off, err);
  if (status || (sealed && off == seal.off)) return status;
  return ipfsa_store__each_commit(pack, off, cb, ctx, &gap, err);
}
