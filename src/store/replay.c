/* From the packs' commit tables to the index: after a crash, for what another process wrote, or all of it when the index is lost. */
#include "base/alloc.h"
#include "base/error.h"
#include "store/local.h"

typedef struct number_list {
  uint32_t *numbers;
  size_t n, cap;
  bool failed;
} number_list;

static int collect_number(void *ctx, const char *name, unsigned char type) {
  (void)type;
  number_list *list = ctx;
  char *end = NULL;
  unsigned long number = strtoul(name, &end, 16);
  if (end != name + 8 || strcmp(end, ".pack") != 0 || number == 0 || number > IPFSA_MAX_PACK_NUMBER) return 0;
  if (!ipfsa_grow((void **)&list->numbers, &list->cap, list->n + 1, sizeof *list->numbers)) return list->failed = true, 1;
  list->numbers[list->n++] = (uint32_t)number;
  return 0;
}

static int by_number(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return x < y ? -1 : x > y;
}

static ipfsa_status add_pack(ipfsa_store *s, uint32_t number, bool write, ipfsa_error *err) {
  ipfsa_pack opened;
  (void)write; /* the writer opens its one pack for appending itself */
  if (ipfsa_store__pack(s, number)) return IPFSA_OK;
  ipfsa_status status = ipfsa_pack_open(s->packs_fd, number, false, &opened, err);
  if (status) return status;
  if (!ipfsa_grow((void **)&s->packs, &s->packs_cap, s->n_packs + 1, sizeof *s->packs)) {
    ipfsa_pack_close(&opened);
    return ipfsa_fail_nomem(err);
  }
  size_t at = s->n_packs;
  while (at && s->packs[at - 1].number > number) at--;
  memmove(s->packs + at + 1, s->packs + at, (s->n_packs - at) * sizeof *s->packs);
  s->packs[at] = opened;
  s->n_packs++;
  return IPFSA_OK;
}

/* The folder is the list: a pack appears whole by a rename, and goes by an unlink. */
ipfsa_status ipfsa_store__open_packs(ipfsa_store *s, bool write, ipfsa_error *err) {
  number_list list = {0};
  ipfsa_status status = ipfsa_fs_list(s->packs_fd, ".", collect_number, &list, err);
  if (list.failed) status = ipfsa_fail_nomem(err);
  if (list.n) qsort(list.numbers, list.n, sizeof *list.numbers, by_number);
  for (size_t i = 0; status == IPFSA_OK && i < list.n; i++) status = add_pack(s, list.numbers[i], write, err);
  for (size_t i = 0; status == IPFSA_OK && i < s->n_packs;) {
    uint32_t number = s->packs[i].number;
    if (list.n && bsearch(&number, list.numbers, list.n, sizeof number, by_number)) {
      i++;
      continue;
    }
    if (!ipfsa_grow((void **)&s->retired, &s->retired_cap, s->n_retired + 1, sizeof *s->retired)) {
      status = ipfsa_fail_nomem(err);
      break;
    }
    s->retired[s->n_retired++] = s->packs[i]; /* gc removed it */
    memmove(s->packs + i, s->packs + i + 1, (--s->n_packs - i) * sizeof *s->packs);
  }
  ipfsa_free(list.numbers);
  return status;
}

/* The first whole commit from `off` on, page by page. */
static ipfsa_status next_commit(ipfsa_pack *pack, uint64_t off, uint64_t size, ipfsa_pack_commit *ret, uint8_t **ret_table, bool *ret_found,
                                ipfsa_error *err) {
  *ret_found = false;
  for (; off + IPFSA_PACK_HEAD_SIZE <= size; off += IPFSA_PACK_PAGE) {
    ipfsa_status status = ipfsa_pack_read_commit(pack, off, ret, ret_table, ret_found, err);
    if (status || *ret_found) return status;
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_store__each_commit(ipfsa_pack *pack, uint64_t off, ipfsa_store__commit_cb cb, void *ctx, uint64_t *ret_gap, ipfsa_error *err) {
  struct stat st;
  *ret_gap = 0;
  ipfsa_status status = ipfsa_fs_fstat(pack->fd, &st, err);
  while (status == IPFSA_OK) {
    ipfsa_pack_commit commit;
    uint8_t *table = NULL;
    bool found = false;
    status = next_commit(pack, off, (uint64_t)st.st_size, &commit, &table, &found, err);
    if (status || !found) break;
    if (commit.off != off && !*ret_gap) *ret_gap = off;
    status = cb(ctx, pack, &commit, ipfsa_bytes_of(table, commit.table_len), err);
    ipfsa_free(table);
    off = commit.end;
  }
  return status;
}

/* ---- into the index ---- */

/* old: where the block was before; NONE: nowhere. */
static void insert_one(ipfsa_store *s, ipfsa_index_state *state, const ipfsa_pack_entry *entry, ipfsa_location old, ipfsa_location at) {
  bool found = old != IPFSA_LOCATION_NONE;
  uint64_t len = ipfsa_pack_entry_block_len(entry);
  if (entry->kind == IPFSA_ENTRY_DELETED) {
    if (found) ipfsa_index_replace(s->index, &entry->mh, old, IPFSA_LOCATION_NONE);
    state->n_blocks -= state->n_blocks > 0;
    state->block_bytes -= entry->len < state->block_bytes ? entry->len : state->block_bytes;
    return;
  }
  if (!found || old == at) { /* already there: this replay was interrupted before the counters were set */
    state->n_blocks++;
    state->block_bytes += len;
  }
  if (found && old != at) ipfsa_index_replace(s->index, &entry->mh, old, at);
  else if (!found) ipfsa_index_insert(s->index, &entry->mh, at);
}

static ipfsa_status find_old(ipfsa_store *s, const ipfsa_multihash *mh, ipfsa_location *ret, ipfsa_error *err) {
  ipfsa_pack_entry there;
  bool found = false;
  ipfsa_status status = ipfsa_store__find(s, mh, ret, &there, &found, err);
  if (!found) *ret = IPFSA_LOCATION_NONE;
  return status;
}

/* The slots of the next entries of a table. */
static void look_ahead(const ipfsa_store *s, ipfsa_cursor *c, bool insert) {
  ipfsa_pack_entry entry;
  for (int i = 0; i < IPFSA_INDEX_AHEAD && ipfsa_cursor_pack_entry(c, &entry); i++) ipfsa_index_prefetch(s->index, &entry.mh, insert);
}

ipfsa_status ipfsa_store__apply_commit(ipfsa_store *s, const ipfsa_pack *pack, const ipfsa_pack_commit *commit, ipfsa_bytes table,
                                       const ipfsa_location *olds, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  if (ipfsa_index_is_full(s->index, commit->n_entries)) status = ipfsa_index_grow(s->dirfd, &s->index, commit->n_entries, err);
  ipfsa_index_expect(s->index, commit->n_entries);
  ipfsa_index_state state = ipfsa_index_state_get(s->index);
  ipfsa_cursor c = ipfsa_cursor_over(table), ahead = c;
  look_ahead(s, &ahead, olds != NULL);
  for (size_t i = 0; status == IPFSA_OK && ipfsa_cursor_left(&c); i++) {
    ipfsa_pack_entry entry;
    uint64_t off = commit->table_off + ipfsa_cursor_offset(&c);
    ipfsa_location old = olds ? olds[i] : IPFSA_LOCATION_NONE;
    if (i % IPFSA_INDEX_AHEAD == 0) look_ahead(s, &ahead, olds != NULL);
    if (!ipfsa_cursor_pack_entry(&c, &entry))
      return ipfsa_fail(err, IPFSA_E_CORRUPT, "pack %08x: a table entry at byte %llu is malformed", pack->number, (unsigned long long)off);
    if (!olds) status = find_old(s, &entry.mh, &old, err);
    if (status == IPFSA_OK) insert_one(s, &state, &entry, old, ipfsa_location_of(pack->number, off));
  }
  if (status) return status;
  state.pack = pack->number;
  state.end = commit->end;
  ipfsa_index_state_set(s->index, &state);
  return IPFSA_OK;
}

typedef struct replay_run {
  ipfsa_store *s;
  bool check_last;
  uint64_t last_off; /* of the pack's last commit; only looked for when check_last */
} replay_run;

static ipfsa_status note_last(void *ctx, ipfsa_pack *pack, const ipfsa_pack_commit *commit, ipfsa_bytes table, ipfsa_error *err) {
  (void)pack, (void)table, (void)err;
  ((replay_run *)ctx)->last_off = commit->off;
  return IPFSA_OK;
}

static ipfsa_status replay_commit(void *ctx, ipfsa_pack *pack, const ipfsa_pack_commit *commit, ipfsa_bytes table, ipfsa_error *err) {
  replay_run *r = ctx;
  ipfsa_status status = ipfsa_store__apply_commit(r->s, pack, commit, table, NULL, err);
  if (status == IPFSA_OK && r->check_last && commit->off == r->last_off) status = ipfsa_store__note_torn(r->s, pack, commit, table, err);
  if (status) return status;
  pack->end = commit->end;
  pack->last_commit = commit->off;
  pack->last_seq = commit->seq;
  return IPFSA_OK;
}

ipfsa_status ipfsa_store__replay(ipfsa_store *s, bool recovering, ipfsa_error *err) {
  ipfsa_index_state state = ipfsa_index_state_get(s->index);
  ipfsa_status status = IPFSA_OK;
  if (recovering) s->n_torn = 0;
  for (size_t i = 0; status == IPFSA_OK && i < s->n_packs; i++) {
    ipfsa_pack *pack = &s->packs[i];
    if (pack->number < state.pack) continue;
    uint64_t from = pack->number == state.pack ? state.end : IPFSA_PACK_FIRST_COMMIT, gap = 0;
    if (from < IPFSA_PACK_FIRST_COMMIT) from = IPFSA_PACK_FIRST_COMMIT;
    if (pack->end < from) pack->end = from;
    bool last = i + 1 == s->n_packs;
    replay_run run = {s, recovering && last, 0};
    if (run.check_last) status = ipfsa_store__each_commit(pack, from, note_last, &run, &gap, err);
    if (status == IPFSA_OK && last) status = ipfsa_store__each_commit(pack, from, replay_commit, &run, &gap, err);
    else if (status == IPFSA_OK) status = ipfsa_store__each_table(pack, from, replay_commit, &run, err);
  }
  return status;
}

bool ipfsa_store__behind(ipfsa_store *s) {
  ipfsa_index_state state = ipfsa_index_state_get(s->index);
  ipfsa_pack *last = &s->packs[s->n_packs - 1];
  ipfsa_pack_commit commit;
  uint8_t *table = NULL;
  bool found = false;
  uint64_t from = last->number == state.pack && state.end ? state.end : IPFSA_PACK_FIRST_COMMIT;
  if (ipfsa_pack_read_commit(last, from, &commit, &table, &found, NULL) == IPFSA_OK && found) ipfsa_free(table);
  return found;
}

static ipfsa_status recover(ipfsa_store *s, ipfsa_error *err) {
  ipfsa_status status = ipfsa_store__replay(s, true, err);
  if (status == IPFSA_OK && s->index_private) status = ipfsa_store__hide_torn(s, err);
  else if (status == IPFSA_OK && !s->n_torn) ipfsa_index_trust(s->index);
  return status;
}

ipfsa_status ipfsa_store__rebuild_index(ipfsa_store *s, bool private_, ipfsa_error *err) {
  ipfsa_index *index = NULL, *old = s->index;
  ipfsa_status status = ipfsa_index_create(s->dirfd, private_, 0, &index, err);
  if (status) return status;
  s->index = index;
  s->index_private = private_;
  status = recover(s, err);
  if (!private_) ipfsa_index_supersede(old);
  ipfsa_index_close(old);
  return status;
}

ipfsa_status ipfsa_store_reindex(ipfsa_store *s, ipfsa_error *err) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_status status = ipfsa_blockstore_begin(&s->base, &w, err); /* the writer's turn: nobody else changes packs or index */
  if (status) return status;
  pthread_rwlock_wrlock(&s->lock);
  status = ipfsa_store__rebuild_index(s, false, err);
  pthread_rwlock_unlock(&s->lock);
  if (status == IPFSA_OK && s->n_torn) status = ipfsa_store__bury_torn(s, w, err);
  ipfsa_writer_close(w);
  return status;
}

ipfsa_status ipfsa_store__restore_index(ipfsa_store *s, ipfsa_error *err) {
  ipfsa_index_restore(s->index);
  return recover(s, err);
}
