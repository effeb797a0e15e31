#include "store/index.h"

#include <errno.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/map.h"

#define INDEX_NAME "index"
#define INDEX_MAGIC 0x3158444941534649u /* "IFSAIDX1" */
#define HEADER_BYTES 4096
#define PAGE 4096
#define MIN_SLOTS 4096
#define MAX_SLOTS ((uint64_t)1 << 36)
#define REMOVED ((uint64_t)IPFSA_LOCATION_NONE)
#define SMALL_TABLE ((uint64_t)1 << 18) /* slots: 4 MiB, which may as well be written whole */
#define RECENT_PART 32 /* of the slots: when half of them are taken, four or so go to each page of the large table */
uint64_t ipfsa_index__recent_from = (uint64_t)1 << 24;

typedef struct index_header {
  uint64_t magic, n_slots, salt;
  char boot_id[40];
  _Atomic uint64_t superseded;
  _Atomic uint64_t since;   /* entries since the checkpoint; NEVER: a sync failed, there will be none */
  _Atomic uint64_t used;    /* slots ever taken */
  _Atomic uint64_t pack, end, n_blocks, block_bytes;
  /* The checkpoint: everything up to there is on the disk. In one sector with its checksum; all zero = none. */
  uint64_t saved_pack, saved_end, saved_n_blocks, saved_block_bytes, saved_check;
  uint64_t n_recent;
  _Atomic uint64_t recent_used;
  _Atomic uint64_t in_both; /* 1: what is recent may stand in the large table as well */
} index_header;
#define NEVER ((uint64_t)1 << 62)

typedef struct index_slot {
  _Atomic uint64_t fingerprint; /* 0 = free */
  _Atomic uint64_t location;    /* stored before the fingerprint; NONE = removed */
} index_slot;

typedef struct index_table {
  index_slot *slots;
  uint64_t n; /* a power of two, or 0 */
} index_table;

/* The large table, and behind it in the file one for what came last: every add changes slots all over a table, and each page that it changes costs a fault now and a write
 * later. Recent entries go to the small one, and in their thousands to the large one, when it is their turn, page by page. */
struct ipfsa_index {
  index_header *header;
  index_table large, recent;
  size_t map_len;
  int fd; /* −1: private */
  bool write;
};

static void read_boot_id(char ret[40]) {
  char *text = NULL;
  memset(ret, 0, 40);
  if (ipfsa_fs_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 100, &text, NULL, NULL) == IPFSA_OK) memcpy(ret, text, strnlen(text, 36));
  ipfsa_free(text);
}

static uint64_t mix(uint64_t v) {
  v ^= v >> 33;
  v *= 0xff51afd7ed558ccd;
  v ^= v >> 33;
  v *= 0xc4ceb9fe1a85ec53;
  return v ^ v >> 33;
}

/* Salted, so that nobody can choose blocks that share a slot. */
static uint64_t fingerprint_of(const ipfsa_index *index, const ipfsa_multihash *mh) {
  uint64_t h = mix(index->header->salt ^ mh->code ^ (uint64_t)mh->len << 32), word;
  size_t i = 0;
  for (; i + 8 <= mh->len; i += 8) memcpy(&word, mh->digest + i, 8), h = mix(h ^ word);
  for (word = 0; i < mh->len; i++) word = word << 8 | mh->digest[i];
  h = mix(h ^ word);
  return h ? h : 1;
}

static size_t bytes_for(uint64_t n_slots, uint64_t n_recent) { return HEADER_BYTES + (size_t)(n_slots + n_recent) * sizeof(index_slot); }

/* In large pages a look-up misses one cache less, and the first change of each page is one fault for 512; that all of a page is written when a slot of it changes matters
 * less where few pages change, and where there are few. Before anything is touched: a page that is there stays small, and those around it. */
static void prefer_large_pages(const ipfsa_index *index, uint64_t n_slots, uint64_t n_recent) {
  if (n_recent || n_slots <= SMALL_TABLE) (void)madvise(index->header, index->map_len, MADV_HUGEPAGE);
}

/* The tables' places, as the header says. */
static void lay_out(ipfsa_index *index) {
  index_slot *slots = (index_slot *)(void *)((uint8_t *)index->header + HEADER_BYTES);
  index->large = (index_table){slots, index->header->n_slots};
  index->recent = (index_table){slots + index->header->n_slots, index->header->n_recent};
}

static ipfsa_status map_index(int fd, size_t len, bool write, ipfsa_index **ret, ipfsa_error *err) {
  ipfsa_index *index = ipfsa_calloc(1, sizeof *index);
  if (!index) return ipfsa_fail_nomem(err);
  void *map = mmap(NULL, len, PROT_READ | (write ? PROT_WRITE : 0), fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) {
    ipfsa_free(index);
    return ipfsa_fail_errno(err, errno, "map the index (%zu bytes)", len);
  }
  *index = (ipfsa_index){.header = (index_header *)map, .map_len = len, .fd = fd, .write = write};
  *ret = index;
  return IPFSA_OK;
}

static bool header_ok(const index_header *h, uint64_t file_size) {
  return h->magic == INDEX_MAGIC && h->n_slots >= MIN_SLOTS && h->n_slots <= MAX_SLOTS && (h->n_slots & (h->n_slots - 1)) == 0 &&
         (h->n_recent == 0 || h->n_recent == h->n_slots / RECENT_PART) && bytes_for(h->n_slots, h->n_recent) == file_size;
}

static bool same_boot(const index_header *h) {
  char boot_id[40];
  read_boot_id(boot_id);
  return boot_id[0] && memcmp(boot_id, h->boot_id, sizeof boot_id) == 0;
}

static uint64_t saved_check(const index_header *h) {
  return mix(mix(mix(mix(h->salt ^ h->saved_pack) ^ h->saved_end) ^ h->saved_n_blocks) ^ h->saved_block_bytes);
}

ipfsa_status ipfsa_index_open(int dirfd, bool write, ipfsa_index **ret, ipfsa_index_worth *ret_worth, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  *ret_worth = IPFSA_INDEX_GONE;
  int fd = ipfsa_fs_open(dirfd, INDEX_NAME, write ? O_RDWR : O_RDONLY, 0, err);
  if (fd < 0) return err->status == IPFSA_E_NOT_FOUND ? IPFSA_OK : err->status;
  struct stat st;
  ipfsa_index *index = NULL;
  ipfsa_status status = ipfsa_fs_fstat(fd, &st, err);
  bool large_enough = status == IPFSA_OK && (uint64_t)st.st_size >= bytes_for(MIN_SLOTS, 0);
  if (large_enough) status = map_index(fd, (size_t)st.st_size, write, &index, err);
  if (status || !large_enough) {
    ipfsa_fs_close(&fd);
    return status;
  }
  const index_header *h = index->header;
  ipfsa_index_worth worth = IPFSA_INDEX_GONE;
  if (header_ok(h, (uint64_t)st.st_size))
    worth = same_boot(h) ? IPFSA_INDEX_GOOD : h->saved_end && h->saved_check == saved_check(h) ? IPFSA_INDEX_OLD : IPFSA_INDEX_GONE;
  if (worth == IPFSA_INDEX_GONE) return ipfsa_index_close(index), IPFSA_OK;
  prefer_large_pages(index, h->n_slots, h->n_recent);
  lay_out(index);
  *ret = index;
  *ret_worth = worth;
  return IPFSA_OK;
}

ipfsa_status ipfsa_index_create(int dirfd, bool private_, uint64_t n_blocks, ipfsa_index **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  uint64_t n_slots = MIN_SLOTS;
  while (n_slots < n_blocks * 2 && n_slots < MAX_SLOTS) n_slots *= 2;
  uint64_t n_recent = private_ || n_slots < ipfsa_index__recent_from ? 0 : n_slots / RECENT_PART;
  size_t len = bytes_for(n_slots, n_recent);
  int fd = -1;
  ipfsa_status status = IPFSA_OK;
  if (!private_) {
    fd = ipfsa_fs_open(dirfd, INDEX_NAME ".tmp", O_RDWR | O_CREAT | O_TRUNC, 0600, err);
    if (fd < 0) return err->status;
    status = ipfsa_fs_truncate(fd, len, err);
  }
  ipfsa_index *index = NULL;
  if (status == IPFSA_OK) status = map_index(fd, len, true, &index, err);
  if (status) {
    ipfsa_fs_close(&fd);
    return status;
  }
  prefer_large_pages(index, n_slots, n_recent);
  index->header->magic = INDEX_MAGIC;
  index->header->n_slots = n_slots;
  index->header->n_recent = n_recent;
  index->header->salt = ipfsa_random_u64();
  lay_out(index);
  if (!private_) status = ipfsa_fs_rename(dirfd, INDEX_NAME ".tmp", INDEX_NAME, err);
  if (status) ipfsa_index_close(index);
  else *ret = index;
  return status;
}

void ipfsa_index_close(ipfsa_index *index) {
  if (!index) return;
  munmap(index->header, index->map_len);
  ipfsa_fs_close(&index->fd);
  ipfsa_free(index);
}

void ipfsa_index_trust(ipfsa_index *index) { read_boot_id(index->header->boot_id); }

bool ipfsa_index_superseded(const ipfsa_index *index) { return atomic_load_explicit(&index->header->superseded, memory_order_acquire) != 0; }

void ipfsa_index_supersede(ipfsa_index *index) {
  if (index && index->write) atomic_store_explicit(&index->header->superseded, 1, memory_order_release);
}

ipfsa_index_state ipfsa_index_state_get(const ipfsa_index *index) {
  const index_header *h = index->header;
  return (ipfsa_index_state){(uint32_t)atomic_load(&h->pack), atomic_load(&h->end), atomic_load(&h->n_blocks), atomic_load(&h->block_bytes)};
}

void ipfsa_index_state_set(ipfsa_index *index, const ipfsa_index_state *s) {
  index_header *h = index->header;
  atomic_store(&h->n_blocks, s->n_blocks);
  atomic_store(&h->block_bytes, s->block_bytes);
  atomic_store(&h->pack, s->pack);
  atomic_store(&h->end, s->end);
}

/* The next candidate in a table after *steps steps; at the end *steps = n. */
static bool next_in(const index_table *t, uint64_t fp, uint64_t *steps, ipfsa_location *ret) {
  while (*steps < t->n) {
    const index_slot *slot = &t->slots[(fp + (*steps)++) & (t->n - 1)];
    uint64_t found = atomic_load_explicit(&slot->fingerprint, memory_order_acquire);
    if (found == 0) break;
    if (found != fp) continue;
    *ret = atomic_load_explicit(&slot->location, memory_order_acquire);
    if (*ret != REMOVED) return true;
  }
  *steps = t->n;
  return false;
}

/* First what is recent: an entry stands in the large table before it goes from there, so that it cannot be missed. */
bool ipfsa_index_next(const ipfsa_index *index, const ipfsa_multihash *mh, uint64_t *cursor, ipfsa_location *ret) {
  uint64_t fp = fingerprint_of(index, mh), n_recent = index->recent.n;
  if (*cursor < n_recent && next_in(&index->recent, fp, cursor, ret)) return true;
  uint64_t steps = *cursor - n_recent;
  bool found = next_in(&index->large, fp, &steps, ret);
  *cursor = n_recent + steps;
  return found;
}

void ipfsa_index_prefetch(const ipfsa_index *index, const ipfsa_multihash *mh, bool insert) {
  uint64_t fp = fingerprint_of(index, mh);
  const index_slot *slot = &index->large.slots[fp & (index->large.n - 1)];
  if (index->recent.n && !insert) __builtin_prefetch(slot, 0);
  if (index->recent.n) slot = &index->recent.slots[fp & (index->recent.n - 1)];
  __builtin_prefetch(slot, 1);
}

bool ipfsa_index_is_full(const ipfsa_index *index, uint64_t more) {
  return (atomic_load(&index->header->used) + atomic_load(&index->header->recent_used) + more) * 10 > index->large.n * 7;
}

/* Of a table that will be changed in nearly all of its pages. */
static void make_writable(const index_table *t, uint64_t n_entries) {
  size_t len = (size_t)t->n * sizeof(index_slot);
  if (len && n_entries >= len / PAGE) ipfsa_fs_populate_writable((uint8_t *)t->slots, len);
}

void ipfsa_index_expect(ipfsa_index *index, uint64_t n) {
  if (index->fd >= 0) make_writable(index->recent.n ? &index->recent : &index->large, n);
}

/* The caller has seen that there is room. */
static void insert_into(const index_table *t, _Atomic uint64_t *used, uint64_t fp, ipfsa_location at) {
  for (uint64_t i = 0; i < t->n; i++) {
    index_slot *slot = &t->slots[(fp + i) & (t->n - 1)];
    uint64_t found = atomic_load_explicit(&slot->fingerprint, memory_order_relaxed);
    bool reuse = found == fp && atomic_load_explicit(&slot->location, memory_order_relaxed) == REMOVED;
    if (found != 0 && !reuse) continue;
    atomic_store_explicit(&slot->location, at, memory_order_release);
    atomic_store_explicit(&slot->fingerprint, fp, memory_order_release);
    if (!reuse) atomic_fetch_add(used, 1);
    return;
  }
}

static bool insert_fingerprint(ipfsa_index *index, uint64_t fp, ipfsa_location at) {
  if (ipfsa_index_is_full(index, 1)) return false;
  bool recent = (atomic_load(&index->header->recent_used) + 1) * 10 <= index->recent.n * 7;
  insert_into(recent ? &index->recent : &index->large, recent ? &index->header->recent_used : &index->header->used, fp, at);
  return true;
}

bool ipfsa_index_insert(ipfsa_index *index, const ipfsa_multihash *mh, ipfsa_location at) {
  return insert_fingerprint(index, fingerprint_of(index, mh), at);
}

/* The slot of an entry; NULL: it has none. */
static index_slot *find_slot(const index_table *t, uint64_t fp, ipfsa_location at) {
  for (uint64_t i = 0; i < t->n; i++) {
    index_slot *slot = &t->slots[(fp + i) & (t->n - 1)];
    uint64_t found = atomic_load_explicit(&slot->fingerprint, memory_order_acquire);
    if (found == 0) return NULL;
    if (found == fp && atomic_load_explicit(&slot->location, memory_order_relaxed) == at) return slot;
  }
  return NULL;
}

static bool is_in_both(const ipfsa_index *index) { return atomic_load(&index->header->in_both) != 0; }

bool ipfsa_index_replace(ipfsa_index *index, const ipfsa_multihash *mh, ipfsa_location from, ipfsa_location to) {
  uint64_t fp = fingerprint_of(index, mh);
  index_slot *slot = find_slot(&index->recent, fp, from), *other = slot && !is_in_both(index) ? NULL : find_slot(&index->large, fp, from);
  if (slot) atomic_store_explicit(&slot->location, to, memory_order_release);
  if (other) atomic_store_explicit(&other->location, to, memory_order_release);
  return slot || other;
}

/* In the order of look-ups, for the same reason. */
bool ipfsa_index_each(const ipfsa_index *index, uint64_t *cursor, ipfsa_location *ret) {
  uint64_t n_recent = index->recent.n;
  while (*cursor < n_recent + index->large.n) {
    bool recent = *cursor < n_recent;
    const index_slot *slot = recent ? &index->recent.slots[*cursor] : &index->large.slots[*cursor - n_recent];
    ++*cursor;
    uint64_t fp = atomic_load_explicit(&slot->fingerprint, memory_order_acquire);
    if (fp == 0) continue;
    *ret = atomic_load_explicit(&slot->location, memory_order_acquire);
    if (*ret == REMOVED || (recent && is_in_both(index) && find_slot(&index->large, fp, *ret))) continue;
    return true;
  }
  return false;
}

ipfsa_status ipfsa_index_grow(int dirfd, ipfsa_index **index, uint64_t more, ipfsa_error *err) {
  ipfsa_index *old = *index, *new = NULL;
  ipfsa_index_state state = ipfsa_index_state_get(old);
  uint64_t blocks = atomic_load(&old->header->used) + more;
  ipfsa_status status = ipfsa_index_create(dirfd, old->fd < 0, blocks * 2, &new, err);
  if (status) return status;
  new->header->salt = old->header->salt; /* fingerprints stay as they are */
  memcpy(new->header->boot_id, old->header->boot_id, sizeof new->header->boot_id);
  uint64_t since = atomic_load(&old->header->since);
  if (since < NEVER && state.n_blocks >= IPFSA_INDEX_CHECKPOINT_EVERY) since = NEVER / 2; /* a large one would take long to make anew */
  atomic_store(&new->header->since, since);
  for (uint64_t i = 0; i < old->large.n + old->recent.n; i++) { /* they stand one behind the other */
    uint64_t fp = atomic_load(&old->large.slots[i].fingerprint), at = atomic_load(&old->large.slots[i].location);
    bool twice = i >= old->large.n && is_in_both(old) && find_slot(&old->large, fp, at);
    if (fp && at != REMOVED && !twice) insert_into(&new->large, &new->header->used, fp, at);
  }
  ipfsa_index_state_set(new, &state);
  ipfsa_index_supersede(old);
  ipfsa_index_close(old);
  *index = new;
  return IPFSA_OK;
}

/* The slots of a small table in their order are those of the large one in as many streams as it is larger: each page there is changed once. */
static void copy_recent(ipfsa_index *index) {
  atomic_store(&index->header->in_both, 1);
  make_writable(&index->large, atomic_load(&index->header->recent_used));
  for (uint64_t i = 0; i < index->recent.n; i++) {
    const index_slot *slot = &index->recent.slots[i];
    uint64_t fp = atomic_load_explicit(&slot->fingerprint, memory_order_relaxed), at = atomic_load_explicit(&slot->location, memory_order_relaxed);
    if (fp && at != REMOVED && !find_slot(&index->large, fp, at)) insert_into(&index->large, &index->header->used, fp, at);
  }
}

/* From the ends of chains to their beginnings: whoever is killed meanwhile leaves no entry behind a gap, where nobody would find it and a later insertion would bring it back. */
static void clear_recent(ipfsa_index *index) {
  const index_table *t = &index->recent;
  uint64_t gap = 0;
  while (gap < t->n && atomic_load_explicit(&t->slots[gap].fingerprint, memory_order_relaxed)) gap++;
  for (uint64_t i = 1; i <= t->n; i++) {
    index_slot *slot = &t->slots[(gap - i) & (t->n - 1)];
    if (atomic_load_explicit(&slot->fingerprint, memory_order_relaxed)) atomic_store_explicit(&slot->fingerprint, 0, memory_order_release);
  }
  atomic_store(&index->header->recent_used, 0);
  atomic_store(&index->header->in_both, 0);
}

/* How many slots are taken. */
static uint64_t restore_table(const index_table *t, ipfsa_location border) {
  uint64_t used = 0;
  for (uint64_t i = 0; i < t->n; i++) {
    index_slot *slot = &t->slots[i];
    if (atomic_load_explicit(&slot->fingerprint, memory_order_relaxed) == 0) continue;
    used++;
    if (atomic_load_explicit(&slot->location, memory_order_relaxed) >= border) atomic_store_explicit(&slot->location, REMOVED, memory_order_relaxed);
  }
  return used;
}

/* Pages reach the disk in any order, so that of recent entries which were moved some may be there and some not, behind gaps as well: all that the checkpoint covers go to
 * the large table, and what comes later takes them away from there again. */
void ipfsa_index_restore(ipfsa_index *index) {
  index_header *h = index->header;
  memset(h->boot_id, 0, sizeof h->boot_id);
  ipfsa_index_state_set(index, &(ipfsa_index_state){(uint32_t)h->saved_pack, h->saved_end, h->saved_n_blocks, h->saved_block_bytes});
  atomic_store(&h->since, 0);
  uint64_t border = ipfsa_location_of((uint32_t)h->saved_pack, h->saved_end);
  atomic_store(&h->used, restore_table(&index->large, border));
  (void)restore_table(&index->recent, border);
  if (index->recent.n == 0) return;
  copy_recent(index);
  clear_recent(index);
}

/* Everything that the file covers now is on the disk, and it says so. */
static bool save(ipfsa_index *index) {
  index_header *h = index->header;
  ipfsa_index_state state = ipfsa_index_state_get(index);
  bool ok = ipfsa_fs_sync(index->fd, NULL) == IPFSA_OK;
  h->saved_pack = ok ? state.pack : 0;
  h->saved_end = ok ? state.end : 0;
  h->saved_n_blocks = state.n_blocks;
  h->saved_block_bytes = state.block_bytes;
  h->saved_check = saved_check(h);
  ok = ok && ipfsa_fs_sync(index->fd, NULL) == IPFSA_OK;
  atomic_store(&h->since, ok ? 0 : NEVER);
  return ok;
}

static bool is_half_full(const ipfsa_index *index) { return index->recent.n && atomic_load(&index->header->recent_used) * 2 >= index->recent.n; }

/* What was moved is on the disk before it goes from where it was: a checkpoint may rest on that. After a sync that failed nothing is moved any more, and new entries go
 * where there is room. */
void ipfsa_index_checkpoint(ipfsa_index *index, uint64_t n_new, uint64_t every) {
  uint64_t since = atomic_fetch_add(&index->header->since, n_new) + n_new;
  bool move = is_half_full(index);
  if (index->fd < 0 || (since < every && !move) || since >= NEVER) return;
  if (move) copy_recent(index);
  if (save(index) && move) clear_recent(index);
}

uint64_t ipfsa_index_bytes(const ipfsa_index *index) { return index->map_len; }
