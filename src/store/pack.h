/* Packs: append-only files of commits. docs/formats/pack.md has every byte. Threads: reads from any; appends by the writer alone. */
#ifndef IPFSA_STORE_PACK_H
#define IPFSA_STORE_PACK_H

#include "exchange/blockstore.h"

#define IPFSA_PACK_PAGE 4096
#define IPFSA_PACK_FIRST_COMMIT IPFSA_PACK_PAGE
#define IPFSA_PACK_HEAD_SIZE 64
#define IPFSA_PACK_ENTRY_SIZE 24 /* bytes before the digest */
#define IPFSA_MAX_PACK_ENTRY (IPFSA_PACK_ENTRY_SIZE + IPFSA_MAX_DIGEST)
#define IPFSA_MAX_TABLE (64u << 20) /* bytes of one commit's table */
#define IPFSA_MAX_PACK_NUMBER 0xffffff
#define IPFSA_DEFAULT_PACK_SIZE (4ull << 30)

typedef enum ipfsa_entry_kind {
  IPFSA_ENTRY_RAW = IPFSA_LEAF_RAW,         /* block bytes at off */
  IPFSA_ENTRY_PB_FILE = IPFSA_LEAF_PB_FILE, /* file bytes at off, the dag-pb around them is made on reading */
  IPFSA_ENTRY_PB_RAW = IPFSA_LEAF_PB_RAW,
  IPFSA_ENTRY_EXTERNAL = 3, /* an external record at off; flags: the leaf kind */
  IPFSA_ENTRY_DELETED = 4,
} ipfsa_entry_kind;

typedef struct ipfsa_pack_entry {
  ipfsa_entry_kind kind;
  uint8_t flags;
  uint64_t off; /* in the pack */
  uint32_t len; /* of the data at off, or of the file bytes that an external entry stands for */
  ipfsa_multihash mh;
} ipfsa_pack_entry;

size_t ipfsa_pack_entry_size(size_t digest_len); /* padded to 8 */
void ipfsa_buf_pack_entry(ipfsa_buf *buf, const ipfsa_pack_entry *entry);
void ipfsa_pack_entry_move(uint8_t *entry, uint64_t by); /* as it was built: its data lie so many bytes behind where it says */
bool ipfsa_cursor_pack_entry(ipfsa_cursor *c, ipfsa_pack_entry *ret);
uint64_t ipfsa_pack_entry_block_len(const ipfsa_pack_entry *entry); /* of the whole block */

/* One commit: head, data and records, table; from `off` to `end`, both on page borders. */
typedef struct ipfsa_pack_commit {
  uint64_t seq, off, table_off, end;
  uint32_t table_len, n_entries;
} ipfsa_pack_commit;

void ipfsa_buf_pack_head(ipfsa_buf *buf, const ipfsa_pack_commit *commit, ipfsa_bytes table);
bool ipfsa_pack_decode_head(ipfsa_bytes head, uint64_t off, ipfsa_pack_commit *ret); /* of the commit at off; its checksum is looked at by check */
ipfsa_status ipfsa_pack_check_head(ipfsa_bytes head, const ipfsa_pack_commit *commit, ipfsa_bytes table, bool *ret_holds, ipfsa_error *err);

/* At the end of a full pack: the heads and tables of its commits once more (seal.c). */
#define IPFSA_PACK_SEAL_SIZE 64
typedef struct ipfsa_pack_seal {
  uint64_t off, len; /* of the copies, the first at the end of the last commit */
} ipfsa_pack_seal;
void ipfsa_buf_pack_seal(ipfsa_buf *buf, const ipfsa_pack_seal *seal);

typedef struct ipfsa_pack {
  uint32_t number;
  int fd, direct_fd; /* direct_fd: −1 where O_DIRECT is refused, or nothing is written */
  uint64_t end;      /* behind the last commit known */
  uint64_t last_seq;
  uint64_t last_commit; /* offset of the last commit; 0 = none */
} ipfsa_pack;

void ipfsa_pack_name(uint32_t number, char ret[16]); /* "00000001.pack" */
ipfsa_status ipfsa_pack_create(int packs_fd, uint32_t number, ipfsa_pack *ret, ipfsa_error *err); /* durable, folder included */
ipfsa_status ipfsa_pack_open(int packs_fd, uint32_t number, bool write, ipfsa_pack *ret, ipfsa_error *err);
void ipfsa_pack_close(ipfsa_pack *pack);
/* Reads the commit at off; *ret_found false: no whole commit there (the end of the pack, or a torn tail). *ret_table owned, ipfsa_free. */
ipfsa_status ipfsa_pack_read_commit(const ipfsa_pack *pack, uint64_t off, ipfsa_pack_commit *ret, uint8_t **ret_table, bool *ret_found,
                                    ipfsa_error *err);
ipfsa_status ipfsa_pack_find_seal(const ipfsa_pack *pack, ipfsa_pack_seal *ret, bool *ret_found, ipfsa_error *err);
/* Writes table and head of a commit whose data stand between off and data_end, and syncs. Updates pack->end. */
ipfsa_status ipfsa_pack_write_commit(ipfsa_pack *pack, uint64_t seq, uint64_t data_end, ipfsa_bytes table, uint32_t n_entries, ipfsa_error *err);
ipfsa_status ipfsa_pack_read_entry(const ipfsa_pack *pack, uint64_t entry_off, ipfsa_pack_entry *ret, ipfsa_error *err);

/* External records: where a no-copy leaf lies. */
void ipfsa_buf_external(ipfsa_buf *buf, const ipfsa_external *where);
ipfsa_status ipfsa_external_decode(ipfsa_bytes record, ipfsa_external *ret /* path borrowed from record */, ipfsa_error *err);

#endif
