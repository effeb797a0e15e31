/* After a power loss the last commit may stand there without all its data; rot in it looks the same. Blocks that do not hash are removed by the
 * next writer, their bytes kept in quarantine/; the others stay, whoever was promised them. */
#include "base/alloc.h"
#include "base/error.h"
#include "store/local.h"

static ipfsa_status is_torn(const ipfsa_pack *pack, const ipfsa_pack_entry *entry, bool *ret, ipfsa_error *err) {
  IPFSA_AUTO_BLOCK ipfsa_block block = {0};
  *ret = false;
  if (entry->kind == IPFSA_ENTRY_DELETED) return IPFSA_OK;
  /* Of a no-copy block only the record is ours to judge: its file may have changed. */
  ipfsa_status status = entry->kind == IPFSA_ENTRY_EXTERNAL ? ipfsa_store__read_external(pack, entry, NULL, NULL, 0, NULL, err)
                                                            : ipfsa_store__read(pack, entry, &block, err);
  *ret = status == IPFSA_E_CORRUPT;
  return *ret ? IPFSA_OK : status;
}

ipfsa_status ipfsa_store__note_torn(ipfsa_store *s, const ipfsa_pack *pack, const ipfsa_pack_commit *commit, ipfsa_bytes table, ipfsa_error *err) {
  ipfsa_cursor c = ipfsa_cursor_over(table);
  while (ipfsa_cursor_left(&c)) {
    ipfsa_pack_entry entry;
    bool torn = false;
    ipfsa_location at = ipfsa_location_of(pack->number, commit->table_off + ipfsa_cursor_offset(&c));
    if (!ipfsa_cursor_pack_entry(&c, &entry)) return ipfsa_fail(err, IPFSA_E_CORRUPT, "pack %08x: a malformed table entry", pack->number);
    ipfsa_status status = is_torn(pack, &entry, &torn, err);
    if (status == IPFSA_OK && torn && !ipfsa_grow((void **)&s->torn, &s->torn_cap, s->n_torn + 1, sizeof *s->torn)) status = ipfsa_fail_nomem(err);
    if (status) return status;
    if (torn) s->torn[s->n_torn++] = at;
  }
  return IPFSA_OK;
}

static ipfsa_status entry_at(ipfsa_store *s, ipfsa_location at, ipfsa_pack *ret_pack, ipfsa_pack_entry *ret, ipfsa_error *err) {
  ipfsa_pack *pack = ipfsa_store__pack(s, ipfsa_location_pack(at));
  if (!pack) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "pack %08x is gone", ipfsa_location_pack(at));
  *ret_pack = *pack;
  return ipfsa_pack_read_entry(pack, ipfsa_location_off(at), ret, err);
}

ipfsa_status ipfsa_store__hide_torn(ipfsa_store *s, ipfsa_error *err) {
  ipfsa_index_state state = ipfsa_index_state_get(s->index);
  for (size_t i = 0; i < s->n_torn; i++) {
    ipfsa_pack pack;
    ipfsa_pack_entry entry;
    ipfsa_status status = entry_at(s, s->torn[i], &pack, &entry, err);
    if (status) return status;
    if (!ipfsa_index_replace(s->index, &entry.mh, s->torn[i], IPFSA_LOCATION_NONE)) continue;
    state.n_blocks--;
    state.block_bytes -= ipfsa_pack_entry_block_len(&entry);
  }
  ipfsa_index_state_set(s->index, &state);
  return IPFSA_OK;
}

static ipfsa_status bury(ipfsa_store *s, ipfsa_blockstore_writer *w, ipfsa_location at, ipfsa_error *err) {
  ipfsa_pack pack;
  ipfsa_pack_entry entry, there;
  ipfsa_location found_at = IPFSA_LOCATION_NONE;
  bool found = false;
  pthread_rwlock_rdlock(&s->lock);
  ipfsa_status status = entry_at(s, at, &pack, &entry, err);
  if (status == IPFSA_OK) status = ipfsa_store__find(s, &entry.mh, &found_at, &there, &found, err);
  pthread_rwlock_unlock(&s->lock);
  if (status || !found || found_at != at) return status; /* buried by another process */
  status = ipfsa_store__quarantine(s, &pack, &entry, err);
  return status ? status : w->ops->del(w, &entry.mh, err);
}

ipfsa_status ipfsa_store__bury_torn(ipfsa_store *s, ipfsa_blockstore_writer *w, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; status == IPFSA_OK && i < s->n_torn; i++) status = bury(s, w, s->torn[i], err);
  if (status == IPFSA_OK) status = ipfsa_writer_commit(w, err);
  if (status) return ipfsa_error_prefix(err, status, "recover the last commit");
  s->n_torn = 0;
  ipfsa_index_trust(s->index);
  return IPFSA_OK;
}

static bool all_zero(const uint8_t *data, size_t n) { return n == 0 || (data[0] == 0 && memcmp(data, data + 1, n - 1) == 0); }

#define PIECE 4096 /* bytes: a disk loses no less */

/* Up to *ret_n; pieces that cannot be read are lost already, and zeros here. */
static void read_what_is_left(const ipfsa_pack *pack, const ipfsa_pack_entry *entry, uint8_t *data, size_t *ret_n) {
  if (ipfsa_fs_read_at(pack->fd, data, entry->len, entry->off, ret_n, NULL) == IPFSA_OK) return;
  memset(data, 0, entry->len);
  *ret_n = entry->len;
  for (size_t at = 0, n; at < entry->len; at += PIECE)
    (void)ipfsa_fs_read_at(pack->fd, data + at, entry->len - at < PIECE ? entry->len - at : PIECE, entry->off + at, &n, NULL);
}

ipfsa_status ipfsa_store__quarantine(ipfsa_store *s, const ipfsa_pack *pack, const ipfsa_pack_entry *entry, ipfsa_error *err) {
  char text[IPFSA_MAX_CID_TEXT], name[300];
  ipfsa_store__key_text(&entry->mh, text);
  snprintf(name, sizeof name, "quarantine/%.200s.block", text);
  IPFSA_AUTO_BUF ipfsa_buf bytes = {0};
  size_t n = 0;
  if (entry->kind <= IPFSA_ENTRY_PB_RAW) {
    if (!ipfsa_buf_reserve(&bytes, entry->len)) return ipfsa_fail_nomem(err);
    read_what_is_left(pack, entry, bytes.data, &n);
  }
  if (all_zero(bytes.data, n)) return IPFSA_OK;
  ipfsa_status status = ipfsa_fs_mkdir(s->dirfd, "quarantine", 0700, NULL);
  if (status && status != IPFSA_E_EXISTS) return ipfsa_fail(err, status, "cannot make the folder quarantine");
  return ipfsa_fs_replace_file(s->dirfd, name, bytes.data, n, 0600, err);
}
