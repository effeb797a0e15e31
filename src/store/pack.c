#include "store/pack.h"

#include <endian.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "hash/hash.h"

static const char pack_magic[8] = "IPFSAPK1";
#define COMMIT_MAGIC 0x314d4349u /* "ICM1" */
#define SEAL_MAGIC 0x314c5349u /* "ISL1" */
#define EXTERNAL_MAGIC 0x31545845u /* "EXT1" */
#define MAX_EXTERNAL_PATH 4096
#define ENTRY_OFF 8 /* bytes before the offset in a table entry */

/* Eight bytes of SHA-256: tables are small beside the data they speak of, and the kernel is there. */
static uint64_t checksum(ipfsa_bytes a, ipfsa_bytes b) {
  uint8_t digest[32];
  uint64_t v = 0;
  ipfsa_sha256_stream s;
  ipfsa_sha256_init(&s);
  ipfsa_sha256_update(&s, a.data, a.len);
  if (b.len) ipfsa_sha256_update(&s, b.data, b.len);
  ipfsa_sha256_final(&s, digest);
  memcpy(&v, digest, sizeof v);
  return v;
}

size_t ipfsa_pack_entry_size(size_t digest_len) { return (IPFSA_PACK_ENTRY_SIZE + digest_len + 7) & ~(size_t)7; }

void ipfsa_buf_pack_entry(ipfsa_buf *buf, const ipfsa_pack_entry *e) {
  ipfsa_buf_u8(buf, (uint8_t)e->kind);
  ipfsa_buf_u8(buf, e->flags);
  ipfsa_buf_u8(buf, e->mh.len);
  ipfsa_buf_u8(buf, 0);
  ipfsa_buf_u32le(buf, e->len);
  ipfsa_buf_u64le(buf, e->off);
  ipfsa_buf_u64le(buf, e->mh.code);
  ipfsa_buf_append(buf, e->mh.digest, e->mh.len);
  ipfsa_buf_fill(buf, 0, ipfsa_pack_entry_size(e->mh.len) - IPFSA_PACK_ENTRY_SIZE - e->mh.len);
}

void ipfsa_pack_entry_move(uint8_t *entry, uint64_t by) {
  uint64_t off;
  memcpy(&off, entry + ENTRY_OFF, sizeof off);
  off = htole64(le64toh(off) + by);
  memcpy(entry + ENTRY_OFF, &off, sizeof off);
}

bool ipfsa_cursor_pack_entry(ipfsa_cursor *c, ipfsa_pack_entry *ret) {
  ipfsa_cursor at = *c;
  uint8_t kind, flags, digest_len, zero;
  ipfsa_pack_entry e;
  memset(&e, 0, sizeof e);
  ipfsa_bytes digest;
  if (!ipfsa_cursor_u8(&at, &kind) || !ipfsa_cursor_u8(&at, &flags) || !ipfsa_cursor_u8(&at, &digest_len) || !ipfsa_cursor_u8(&at, &zero) ||
      !ipfsa_cursor_u32le(&at, &e.len) || !ipfsa_cursor_u64le(&at, &e.off) || !ipfsa_cursor_u64le(&at, &e.mh.code))
    return false;
  if (kind > IPFSA_ENTRY_DELETED || flags > IPFSA_LEAF_PB_RAW || zero || digest_len > IPFSA_MAX_DIGEST || e.len > IPFSA_MAX_BLOCK) return false;
  if (!ipfsa_cursor_take(&at, digest_len, &digest)) return false;
  if (!ipfsa_cursor_skip(&at, ipfsa_pack_entry_size(digest_len) - IPFSA_PACK_ENTRY_SIZE - digest_len)) return false;
  e.kind = (ipfsa_entry_kind)kind;
  e.flags = flags;
  e.mh.len = digest_len;
  memcpy(e.mh.digest, digest.data, digest_len);
  *c = at;
  *ret = e;
  return true;
}

uint64_t ipfsa_pack_entry_block_len(const ipfsa_pack_entry *e) {
  uint8_t prefix[32], suffix[32];
  size_t prefix_len = 0, suffix_len = 0;
  ipfsa_leaf_kind kind = e->kind == IPFSA_ENTRY_EXTERNAL ? (ipfsa_leaf_kind)e->flags : (ipfsa_leaf_kind)e->kind;
  if (e->kind == IPFSA_ENTRY_DELETED) return 0;
  ipfsa_leaf_wrap(kind, e->len, prefix, &prefix_len, suffix, &suffix_len);
  return e->len + prefix_len + suffix_len;
}

void ipfsa_pack_name(uint32_t number, char ret[16]) { snprintf(ret, 16, "%08x.pack", number); }

static void make_header(uint32_t number, ipfsa_buf *buf) {
  ipfsa_buf_append(buf, pack_magic, sizeof pack_magic);
  ipfsa_buf_u32le(buf, number);
  ipfsa_buf_u64le(buf, checksum(ipfsa_buf_bytes(buf), (ipfsa_bytes){0}));
  ipfsa_buf_fill(buf, 0, IPFSA_PACK_PAGE - buf->len);
}

/* Kernels and file systems without O_DIRECT refuse the flag: then everything goes through the page cache. */
static void open_direct(int packs_fd, const char *name, ipfsa_pack *pack) {
  pack->direct_fd = ipfsa_fs_open(packs_fd, name, O_WRONLY | O_DIRECT, 0, NULL);
}

ipfsa_status ipfsa_pack_create(int packs_fd, uint32_t number, ipfsa_pack *ret, ipfsa_error *err) {
  char name[16];
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_pack_name(number, name);
  IPFSA_AUTO_BUF ipfsa_buf header = {0};
  make_header(number, &header);
  ipfsa_status status = ipfsa_buf_status(&header, err);
  if (status) return status;
  /* Written whole under another name first: a pack that is there has its header. */
  status = ipfsa_fs_replace_file(packs_fd, name, header.data, header.len, 0600, err);
  if (status) return status;
  return ipfsa_pack_open(packs_fd, number, true, ret, err);
}

static ipfsa_status check_header(int fd, uint32_t number, ipfsa_error *err) {
  uint8_t page[IPFSA_PACK_PAGE];
  size_t n = 0;
  ipfsa_status status = ipfsa_fs_read_at(fd, page, sizeof page, 0, &n, err);
  if (status) return status;
  IPFSA_AUTO_BUF ipfsa_buf expected = {0};
  make_header(number, &expected);
  status = ipfsa_buf_status(&expected, err);
  if (status) return status;
  if (n == sizeof page && memcmp(page, expected.data, sizeof page) == 0) return IPFSA_OK;
  if (n >= 8 && memcmp(page, "IPFSAPK", 7) == 0 && page[7] > pack_magic[7])
    return ipfsa_fail(err, IPFSA_E_VERSION, "pack %08x is of a newer format; use a newer program", number);
  return ipfsa_fail(err, IPFSA_E_CORRUPT, "pack %08x has a damaged header; its blocks cannot be read", number);
}

ipfsa_status ipfsa_pack_open(int packs_fd, uint32_t number, bool write, ipfsa_pack *ret, ipfsa_error *err) {
  char name[16];
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_pack_name(number, name);
  int fd = ipfsa_fs_open(packs_fd, name, write ? O_RDWR : O_RDONLY, 0, err);
  if (fd < 0) return err->status;
  ipfsa_status status = check_header(fd, number, err);
  if (status) {
    ipfsa_fs_close(&fd);
    return status;
  }
  *ret = (ipfsa_pack){.number = number, .fd = fd, .direct_fd = -1, .end = IPFSA_PACK_FIRST_COMMIT};
  if (write) open_direct(packs_fd, name, ret);
  return IPFSA_OK;
}

void ipfsa_pack_close(ipfsa_pack *pack) {
  ipfsa_fs_close(&pack->fd);
  ipfsa_fs_close(&pack->direct_fd);
}

void ipfsa_buf_pack_head(ipfsa_buf *buf, const ipfsa_pack_commit *c, ipfsa_bytes table) {
  size_t start = buf->len;
  ipfsa_buf_u32le(buf, COMMIT_MAGIC);
  ipfsa_buf_u32le(buf, c->n_entries);
  ipfsa_buf_u64le(buf, c->seq);
  ipfsa_buf_u64le(buf, c->off);
  ipfsa_buf_u64le(buf, c->table_off);
  ipfsa_buf_u64le(buf, c->end);
  ipfsa_buf_u32le(buf, c->table_len);
  ipfsa_buf_fill(buf, 0, IPFSA_PACK_HEAD_SIZE - 8 - (buf->len - start));
  if (!buf->failed) ipfsa_buf_u64le(buf, checksum(ipfsa_bytes_of(buf->data + start, buf->len - start), table));
}

bool ipfsa_pack_decode_head(ipfsa_bytes head, uint64_t off, ipfsa_pack_commit *ret) {
  ipfsa_cursor c = ipfsa_cursor_over(head);
  uint32_t magic;
  ipfsa_pack_commit commit = {0};
  bool ok = ipfsa_cursor_u32le(&c, &magic) && ipfsa_cursor_u32le(&c, &commit.n_entries) && ipfsa_cursor_u64le(&c, &commit.seq) &&
            ipfsa_cursor_u64le(&c, &commit.off) && ipfsa_cursor_u64le(&c, &commit.table_off) && ipfsa_cursor_u64le(&c, &commit.end) &&
            ipfsa_cursor_u32le(&c, &commit.table_len);
  if (!ok || magic != COMMIT_MAGIC || commit.off != off || commit.table_len > IPFSA_MAX_TABLE) return false;
  if (commit.table_off < off + IPFSA_PACK_HEAD_SIZE || commit.table_off > commit.end || commit.end % IPFSA_PACK_PAGE) return false;
  if (commit.end - commit.table_off < commit.table_len) return false;
  *ret = commit;
  return true;
}

ipfsa_status ipfsa_pack_check_head(ipfsa_bytes head, const ipfsa_pack_commit *c, ipfsa_bytes table, bool *ret_holds, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf expected = {0};
  ipfsa_buf_pack_head(&expected, c, table);
  ipfsa_status status = ipfsa_buf_status(&expected, err);
  if (status == IPFSA_OK) *ret_holds = table.len == c->table_len && memcmp(expected.data, head.data, IPFSA_PACK_HEAD_SIZE) == 0;
  return status;
}

ipfsa_status ipfsa_pack_read_commit(const ipfsa_pack *pack, uint64_t off, ipfsa_pack_commit *ret, uint8_t **ret_table, bool *ret_found,
                                    ipfsa_error *err) {
  uint8_t head[IPFSA_PACK_HEAD_SIZE];
  size_t n = 0;
  *ret_found = false;
  ipfsa_status status = ipfsa_fs_read_at(pack->fd, head, sizeof head, off, &n, err);
  if (status) return status;
  ipfsa_pack_commit c;
  if (n < sizeof head || !ipfsa_pack_decode_head(ipfsa_bytes_of(head, sizeof head), off, &c)) return IPFSA_OK;
  uint8_t *table = ipfsa_malloc(c.table_len);
  if (!table) return ipfsa_fail_nomem(err);
  status = ipfsa_fs_read_at(pack->fd, table, c.table_len, c.table_off, &n, err);
  bool whole = false;
  if (status == IPFSA_OK) status = ipfsa_pack_check_head(ipfsa_bytes_of(head, sizeof head), &c, ipfsa_bytes_of(table, n), &whole, err);
  if (!whole) {
    ipfsa_free(table);
    return status;
  }
  *ret = c;
  *ret_table = table;
  *ret_found = true;
  return IPFSA_OK;
}

ipfsa_status ipfsa_pack_write_commit(ipfsa_pack *pack, uint64_t seq, uint64_t data_end, ipfsa_bytes table, uint32_t n_entries, ipfsa_error *err) {
  ipfsa_pack_commit c = {.seq = seq, .off = pack->end, .table_off = (data_end + 7) & ~(uint64_t)7, .table_len = (uint32_t)table.len, .n_entries = n_entries};
  c.end = (c.table_off + table.len + IPFSA_PACK_PAGE - 1) / IPFSA_PACK_PAGE * IPFSA_PACK_PAGE;
  IPFSA_AUTO_BUF ipfsa_buf head = {0}, padded = {0};
  ipfsa_buf_pack_head(&head, &c, table);
  ipfsa_buf_append_bytes(&padded, table);
  ipfsa_buf_fill(&padded, 0, (size_t)(c.end - c.table_off - table.len)); /* the file ends where the commit ends */
  ipfsa_status status = ipfsa_buf_status(&head, err);
  if (status == IPFSA_OK) status = ipfsa_buf_status(&padded, err);
  if (status == IPFSA_OK) status = ipfsa_fs_write_at(pack->fd, padded.data, padded.len, c.table_off, err);
  if (status == IPFSA_OK) status = ipfsa_fs_write_at(pack->fd, head.data, head.len, c.off, err);
  if (status) return status;
  status = ipfsa_fs_datasync(pack->fd, err);
  if (status) return ipfsa_error_prefix(err, IPFSA_E_POISONED, "pack %08x", pack->number);
  pack->last_commit = c.off;
  pack->last_seq = seq;
  pack->end = c.end;
  return IPFSA_OK;
}

void ipfsa_buf_pack_seal(ipfsa_buf *buf, const ipfsa_pack_seal *seal) {
  uint8_t fields[IPFSA_PACK_SEAL_SIZE - 8] = {0};
  IPFSA_AUTO_BUF ipfsa_buf made = {0};
  ipfsa_buf_u32le(&made, SEAL_MAGIC);
  ipfsa_buf_u32le(&made, 0);
  ipfsa_buf_u64le(&made, seal->off);
  ipfsa_buf_u64le(&made, seal->len);
  if (made.failed) buf->failed = made.failed;
  else memcpy(fields, made.data, made.len);
  ipfsa_buf_append(buf, fields, sizeof fields);
  ipfsa_buf_u64le(buf, checksum(ipfsa_bytes_of(fields, sizeof fields), (ipfsa_bytes){0}));
}

ipfsa_status ipfsa_pack_find_seal(const ipfsa_pack *pack, ipfsa_pack_seal *ret, bool *ret_found, ipfsa_error *err) {
  uint8_t last[IPFSA_PACK_SEAL_SIZE];
  struct stat st;
  size_t n = 0;
  *ret_found = false;
  ipfsa_status status = ipfsa_fs_fstat(pack->fd, &st, err);
  if (status || (uint64_t)st.st_size < IPFSA_PACK_FIRST_COMMIT + sizeof last) return status;
  uint64_t end = (uint64_t)st.st_size - sizeof last;
  status = ipfsa_fs_read_at(pack->fd, last, sizeof last, end, &n, err);
  if (status) return status;
  ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(last, n));
  uint32_t magic, zero;
  ipfsa_pack_seal seal;
  bool read = ipfsa_cursor_u32le(&c, &magic) && ipfsa_cursor_u32le(&c, &zero) && ipfsa_cursor_u64le(&c, &seal.off) && ipfsa_cursor_u64le(&c, &seal.len);
  if (!read || magic != SEAL_MAGIC || seal.off < IPFSA_PACK_FIRST_COMMIT || seal.off > end || seal.len > end - seal.off) return IPFSA_OK;
  IPFSA_AUTO_BUF ipfsa_buf expected = {0};
  ipfsa_buf_pack_seal(&expected, &seal);
  status = ipfsa_buf_status(&expected, err);
  *ret_found = status == IPFSA_OK && n == expected.len && memcmp(last, expected.data, n) == 0;
  if (*ret_found) *ret = seal;
  return status;
}

ipfsa_status ipfsa_pack_read_entry(const ipfsa_pack *pack, uint64_t entry_off, ipfsa_pack_entry *ret, ipfsa_error *err) {
  uint8_t data[IPFSA_MAX_PACK_ENTRY + 8];
  size_t n = 0;
  ipfsa_status status = ipfsa_fs_read_at(pack->fd, data, sizeof data, entry_off, &n, err);
  if (status) return ipfsa_error_prefix(err, status, "pack %08x", pack->number);
  ipfsa_cursor c = ipfsa_cursor_over(ipfsa_bytes_of(data, n));
  ipfsa_pack_entry entry;
  /* The index leads to blocks: an entry of a deleted one has a bit too many. */
  if (ipfsa_cursor_pack_entry(&c, &entry) && entry.kind != IPFSA_ENTRY_DELETED) return *ret = entry, IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_CORRUPT, "pack %08x: the table entry at byte %llu is damaged; run 'repo verify'", pack->number,
                    (unsigned long long)entry_off);
}

void ipfsa_buf_external(ipfsa_buf *buf, const ipfsa_external *w) {
  ipfsa_buf_u32le(buf, EXTERNAL_MAGIC);
  ipfsa_buf_u32le(buf, (uint32_t)strlen(w->path));
  ipfsa_buf_u64le(buf, w->off);
  ipfsa_buf_u64le(buf, w->file_size);
  ipfsa_buf_u64le(buf, (uint64_t)w->mtime_ns);
  ipfsa_buf_u64le(buf, (uint64_t)w->ctime_ns);
  ipfsa_buf_u64le(buf, w->inode);
  ipfsa_buf_u64le(buf, w->device);
  ipfsa_buf_append(buf, w->path, strlen(w->path) + 1);
}

ipfsa_status ipfsa_external_decode(ipfsa_bytes record, ipfsa_external *ret, ipfsa_error *err) {
  ipfsa_cursor c = ipfsa_cursor_over(record);
  uint32_t magic, path_len;
  uint64_t mtime, ctime;
  ipfsa_bytes path;
  ipfsa_external w = {0};
  bool ok = ipfsa_cursor_u32le(&c, &magic) && magic == EXTERNAL_MAGIC && ipfsa_cursor_u32le(&c, &path_len) && path_len <= MAX_EXTERNAL_PATH &&
            ipfsa_cursor_u64le(&c, &w.off) && ipfsa_cursor_u64le(&c, &w.file_size) && ipfsa_cursor_u64le(&c, &mtime) &&
            ipfsa_cursor_u64le(&c, &ctime) && ipfsa_cursor_u64le(&c, &w.inode) && ipfsa_cursor_u64le(&c, &w.device) &&
            ipfsa_cursor_take(&c, (uint64_t)path_len + 1, &path) && path.data[path_len] == 0 && !memchr(path.data, 0, path_len);
  if (!ok) return ipfsa_fail(err, IPFSA_E_CORRUPT, "the record of a no-copy block is damaged; run 'repo verify'");
  w.mtime_ns = (int64_t)mtime;
  w.ctime_ns = (int64_t)ctime;
  w.path = (const char *)path.data;
  *ret = w;
  return IPFSA_OK;
}
