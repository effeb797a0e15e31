/* HAMTs. First byte even: the rest are names, one a line, that are built into one and must all come back, and nothing else. Odd: the rest is a
 * shard as others made it; when it can be listed, what it lists can be built anew and lists the same. */
#include "base/alloc.h"
#include "base/buf.h"
#include "fuzz.h"
#include "unixfs/hamt.h"

#define MAX_NAMES 64

typedef struct name_list {
  ipfsa_bytes names[MAX_NAMES];
  ipfsa_buf text;
  size_t n, seen;
  bool too_many, strange;
} name_list;

static bool is_name(ipfsa_bytes name) {
  bool dots = (name.len == 1 && name.data[0] == '.') || (name.len == 2 && name.data[0] == '.' && name.data[1] == '.');
  return name.len && name.len <= IPFSA_MAX_NAME && !dots && !memchr(name.data, '/', name.len) && !memchr(name.data, 0, name.len);
}

static bool has(const name_list *list, ipfsa_bytes name) {
  for (size_t i = 0; i < list->n; i++)
    if (ipfsa_bytes_equal(list->names[i], name)) return true;
  return false;
}

static int must_be_known(void *ctx, const ipfsa_dir_entry *entry) {
  name_list *list = ctx;
  FUZZ_CHECK(has(list, entry->name));
  list->seen++;
  return 0;
}

static ipfsa_cid some_cid(void) {
  ipfsa_cid cid;
  FUZZ_CHECK(ipfsa_cid_of_block(1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, ipfsa_bytes_of("x", 1), &cid, NULL) == IPFSA_OK);
  return cid;
}

static void build_and_list(ipfsa_blockstore *bs, name_list *list, uint32_t fanout) {
  ipfsa_import_params params = {.cid_version = 1, .hash = IPFSA_HASH_SHA2_256, .hamt_fanout = fanout, .hamt_threshold = 1, .hamt_estimate = IPFSA_HAMT_LINKS};
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_dir_builder *b = NULL;
  ipfsa_dag_ref ref;
  ipfsa_cid cid = some_cid();
  FUZZ_CHECK(ipfsa_blockstore_begin(bs, &w, NULL) == IPFSA_OK && ipfsa_dir_builder_new(&params, NULL, &b, NULL) == IPFSA_OK);
  for (size_t i = 0; i < list->n; i++) FUZZ_CHECK(ipfsa_dir_builder_add(b, list->names[i], &cid, 1, NULL) == IPFSA_OK);
  ipfsa_status status = ipfsa_dir_builder_finish(b, w, &ref, NULL);
  FUZZ_CHECK(status == IPFSA_OK || status == IPFSA_E_LIMIT); /* two names that share all bits of their hash */
  if (status == IPFSA_OK) {
    list->seen = 0;
    FUZZ_CHECK(ipfsa_dir_list(bs, &ref.cid, must_be_known, list, NULL) == IPFSA_OK && list->seen == list->n);
    for (size_t i = 0; i < list->n; i++) {
      ipfsa_dir_entry found;
      FUZZ_CHECK(ipfsa_dir_find(bs, &ref.cid, list->names[i], &found, NULL) == IPFSA_OK && ipfsa_cid_equal(&found.cid, &cid));
    }
    ipfsa_dir_entry none;
    FUZZ_CHECK(ipfsa_dir_find(bs, &ref.cid, ipfsa_bytes_str("/ no name"), &none, NULL) == IPFSA_E_NOT_FOUND);
  }
  ipfsa_dir_builder_free(b);
  ipfsa_writer_close(w);
}

static void take_lines(name_list *list, const uint8_t *data, size_t size) {
  while (size && list->n < MAX_NAMES) {
    const uint8_t *end = memchr(data, '\n', size);
    size_t len = end ? (size_t)(end - data) : size;
    ipfsa_bytes name = ipfsa_bytes_of(data, len);
    if (is_name(name) && !has(list, name)) list->names[list->n++] = name;
    len += end != NULL;
    data += len;
    size -= len;
  }
}

static int take_entry(void *ctx, const ipfsa_dir_entry *entry) {
  name_list *list = ctx;
  if (!is_name(entry->name) || has(list, entry->name)) list->strange = true;
  else if (list->n == MAX_NAMES) list->too_many = true;
  if (list->strange || list->too_many) return 0;
  ipfsa_buf_append_bytes(&list->text, entry->name);
  FUZZ_CHECK(list->text.failed == IPFSA_OK);
  list->names[list->n++] = ipfsa_bytes_of(list->text.data + list->text.len - entry->name.len, entry->name.len);
  return 0;
}

static void list_shard(ipfsa_blockstore *bs, name_list *list, ipfsa_bytes block) {
  ipfsa_blockstore_writer *w = NULL;
  ipfsa_cid cid;
  ipfsa_dir_entry found;
  FUZZ_CHECK(ipfsa_cid_of_block(1, IPFSA_CODEC_DAG_PB, IPFSA_HASH_SHA2_256, 0, block, &cid, NULL) == IPFSA_OK);
  FUZZ_CHECK(ipfsa_blockstore_begin(bs, &w, NULL) == IPFSA_OK);
  if (ipfsa_writer_put(w, &cid, block, NULL) == IPFSA_OK && ipfsa_writer_commit(w, NULL) == IPFSA_OK) {
    ipfsa_buf_reserve(&list->text, block.len + 1); /* names point into it: it must not move */
    fuzz_accepted = ipfsa_dir_list(bs, &cid, take_entry, list, NULL) == IPFSA_OK;
    (void)!ipfsa_dir_find(bs, &cid, ipfsa_bytes_str("x"), &found, NULL);
  }
  ipfsa_writer_close(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint32_t fanouts[] = {8, 16, 32, 64, 128, 256, 512, 1024};
  if (size < 1 || size > 65536) return 0;
  name_list *list = ipfsa_calloc(1, sizeof *list);
  ipfsa_blockstore *bs = NULL;
  FUZZ_CHECK(list && ipfsa_memory_blockstore_new(&bs, NULL) == IPFSA_OK);
  bool names = data[0] % 2 == 0;
  if (names) take_lines(list, data + 1, size - 1);
  else list_shard(bs, list, ipfsa_bytes_of(data + 1, size - 1));
  if (names) fuzz_accepted = list->n > 0;
  if (list->n && !list->strange && !list->too_many) build_and_list(bs, list, fanouts[data[0] / 2 % 8]);
  ipfsa_buf_release(&list->text);
  ipfsa_blockstore_close(bs);
  ipfsa_free(list);
  return 0;
}
