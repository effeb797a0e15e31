#include "store/meta_check.h"

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"

#define FILE_NAME "meta/data.mdb"
#define MAGIC 0xbeefc0deu
#define DATA_VERSION 1
#define HEADER 16        /* bytes of a page before its content: number, flags, lower and upper end of the free space */
#define META_LEN 136     /* bytes of the header record */
#define NODE_HEADER 8    /* low and high half of the size (or page), flags, length of the key */
#define MAX_DEPTH 32     /* CURSOR_STACK of LMDB */
#define MAX_KEY 511
#define ROUNDS 3         /* another process may be writing a header page just now */
#define NO_PAGE UINT64_MAX
enum { PAGE_BRANCH = 1, PAGE_LEAF = 2, PAGE_OVERFLOW = 4, PAGE_META = 8, PAGE_KINDS = 0x6f };
enum { NODE_BIG = 1, NODE_TREE = 2 };
enum { TREE_LEN = 48, TREE_INTEGER_KEYS = 8 };

static uint64_t number(const uint8_t *at, size_t n) {
  uint64_t v = 0;
  while (n--) v = v << 8 | at[n];
  return v;
}

typedef struct tree {
  uint64_t flags, depth, n_branch, n_leaf, n_overflow, n_entries, root;
} tree;

static tree tree_at(const uint8_t *at) {
  return (tree){number(at + 4, 2), number(at + 6, 2), number(at + 8, 8), number(at + 16, 8), number(at + 24, 8), number(at + 32, 8), number(at + 40, 8)};
}

typedef struct header {
  uint64_t page_size, last_page, txn_id;
  tree free, main;
} header;

static ipfsa_status damaged(ipfsa_error *err, uint64_t page, const char *what) {
  return ipfsa_fail(err, IPFSA_E_CORRUPT, FILE_NAME ": page %llu is damaged (%s); restore it from a copy", (unsigned long long)page, what);
}

/* ---- the two headers ---- */

static bool header_at(const uint8_t *page, header *ret) {
  const uint8_t *m = page + HEADER;
  *ret = (header){number(m + 24, 4), number(m + 120, 8), number(m + 128, 8), tree_at(m + 24), tree_at(m + 72)};
  bool sized = ret->page_size >= 512 && ret->page_size <= 65536 && (ret->page_size & (ret->page_size - 1)) == 0;
  return (number(page + 10, 2) & PAGE_KINDS) == PAGE_META && number(m, 4) == MAGIC && number(m + 4, 4) == DATA_VERSION && number(m + 8, 8) == 0 && sized &&
         ret->free.flags == TREE_INTEGER_KEYS && ret->main.flags == 0;
}

static ipfsa_status read_header(int fd, uint64_t off, header *ret, ipfsa_error *err) {
  uint8_t page[HEADER + META_LEN];
  size_t n = 0;
  ipfsa_status status = ipfsa_fs_read_at(fd, page, sizeof page, off, &n, err);
  if (status) return status;
  return n == sizeof page && header_at(page, ret) ? IPFSA_OK : damaged(err, off ? 1 : 0, "no header of LMDB");
}

/* Transactions write the headers in turns, each the one of its number's last bit. */
static ipfsa_status read_headers(int fd, header ret[2], ipfsa_error *err) {
  ipfsa_status status = read_header(fd, 0, &ret[0], err);
  if (status == IPFSA_OK) status = read_header(fd, ret[0].page_size, &ret[1], err);
  if (status) return status;
  uint64_t a = ret[0].txn_id, b = ret[1].txn_id;
  bool turns = (a == 0 && b == 0) || (a % 2 == 0 && b % 2 == 1 && (a + 1 == b || b + 1 == a));
  return ret[1].page_size == ret[0].page_size && turns ? IPFSA_OK : damaged(err, 1, "the two headers do not fit together");
}

ipfsa_status ipfsa_meta_check_header(int fd, ipfsa_error *err) {
  header headers[2];
  struct stat st;
  ipfsa_status status = ipfsa_fs_fstat(fd, &st, err);
  if (status || st.st_size < 8192) return status;
  for (int i = 0; i < ROUNDS; i++) {
    status = read_headers(fd, headers, err);
    if (status != IPFSA_E_CORRUPT) break;
  }
  if (status) return status;
  uint64_t last = headers[0].txn_id > headers[1].txn_id ? headers[0].last_page : headers[1].last_page, n = (uint64_t)st.st_size / headers[0].page_size;
  if (last < n) return IPFSA_OK;
  return ipfsa_fail_at(err, IPFSA_E_CORRUPT, (uint64_t)st.st_size, FILE_NAME " is cut: %llu pages, it should have at least %llu; restore it from a copy",
                       (unsigned long long)n, (unsigned long long)last + 1);
}

/* ---- all pages ---- */

typedef struct key {
  const uint8_t *data; /* NULL: no limit on this side */
  size_t len;
} key;

typedef struct waiting {
  uint64_t page;
  unsigned level; /* 1: the root */
  key from, to;   /* its keys lie in [from, to) */
} waiting;

typedef struct check {
  const uint8_t *data;
  uint64_t n_pages, page_size;
  uint8_t *seen;
  waiting *stack;
  size_t n, cap;
  tree *trees; /* named tables, found in the main one */
  size_t n_trees, trees_cap;
  ipfsa_error *err;
} check;

static ipfsa_status take_pages(check *c, uint64_t first, uint64_t n, uint64_t told_by) {
  if (first < 2 || n > c->n_pages || first > c->n_pages - n) return damaged(c->err, told_by, "it leads outside of the file");
  for (uint64_t i = first; i < first + n; i++) {
    if (c->seen[i]) return damaged(c->err, told_by, "it leads to a page that has another use");
    c->seen[i] = 1;
  }
  return IPFSA_OK;
}

static int compare(key a, key b, bool integers) {
  if (integers) {
    uint64_t x = number(a.data, 8), y = number(b.data, 8);
    return x < y ? -1 : x > y;
  }
  size_t n = a.len < b.len ? a.len : b.len;
  int order = n ? memcmp(a.data, b.data, n) : 0;
  return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

static ipfsa_status push(check *c, waiting w) {
  if (!ipfsa_grow((void **)&c->stack, &c->cap, c->n + 1, sizeof *c->stack)) return ipfsa_fail_nomem(c->err);
  c->stack[c->n++] = w;
  return IPFSA_OK;
}

typedef struct node {
  const uint8_t *at;
  key key;
  uint64_t flags, size; /* size: of the data of a leaf */
  size_t room;          /* bytes of its page from its data on */
} node;

static bool node_of(const check *c, const uint8_t *page, size_t i, bool leaf, node *ret) {
  uint64_t off = number(page + HEADER + 2 * i, 2), upper = number(page + 14, 2);
  if (off < upper || off + NODE_HEADER > c->page_size || off % 2) return false;
  const uint8_t *at = page + off;
  uint64_t flags = number(at + 4, 2), key_len = number(at + 6, 2);
  if (key_len > MAX_KEY || off + NODE_HEADER + key_len > c->page_size) return false;
  *ret = (node){at, {at + NODE_HEADER, key_len}, flags, number(at, 2) | number(at + 2, 2) << 16, c->page_size - off - NODE_HEADER - key_len};
  if (!leaf) return true;
  return (flags == 0 && ret->size <= ret->room) || (flags == NODE_BIG && ret->room >= 8) || (flags == NODE_TREE && ret->size == TREE_LEN && ret->room >= TREE_LEN);
}

/* A value on pages of its own: *ret its bytes. */
static ipfsa_status big_value(check *c, const node *n, uint64_t told_by, tree *seen, const uint8_t **ret) {
  uint64_t first = number(n->key.data + n->key.len, 8), n_pages = (HEADER + n->size + c->page_size - 1) / c->page_size;
  ipfsa_status status = take_pages(c, first, n_pages, told_by);
  if (status) return status;
  const uint8_t *page = c->data + first * c->page_size;
  bool good = number(page, 8) == first && (number(page + 10, 2) & PAGE_KINDS) == PAGE_OVERFLOW && number(page + 12, 4) == n_pages;
  seen->n_overflow += n_pages;
  *ret = page + HEADER;
  return good ? IPFSA_OK : damaged(c->err, first, "not the pages of a large value");
}

/* A record of the free list: how many, then page numbers, descending. */
static ipfsa_status take_free(check *c, const uint8_t *value, uint64_t len, uint64_t told_by) {
  uint64_t n = len >= 8 ? number(value, 8) : UINT64_MAX, before = NO_PAGE;
  if (n > (len - 8) / 8) return damaged(c->err, told_by, "a list of free pages that is longer than its place");
  for (uint64_t i = 1; i <= n; i++) {
    uint64_t page = number(value + 8 * i, 8);
    if (page >= before) return damaged(c->err, told_by, "a list of free pages out of order");
    ipfsa_status status = take_pages(c, page, 1, told_by);
    if (status) return status;
    before = page;
  }
  return IPFSA_OK;
}

static ipfsa_status take_value(check *c, const node *n, uint64_t page, bool is_free, bool is_main, tree *seen) {
  const uint8_t *value = n->key.data + n->key.len;
  ipfsa_status status = n->flags == NODE_BIG ? big_value(c, n, page, seen, &value) : IPFSA_OK;
  if (status) return status;
  if (is_free) return take_free(c, value, n->size, page);
  if ((n->flags == NODE_TREE) != is_main) return damaged(c->err, page, "a table where none can be");
  if (!is_main) return IPFSA_OK;
  if (!ipfsa_grow((void **)&c->trees, &c->trees_cap, c->n_trees + 1, sizeof *c->trees)) return ipfsa_fail_nomem(c->err);
  c->trees[c->n_trees++] = tree_at(value);
  return IPFSA_OK;
}

static ipfsa_status check_page(check *c, const tree *t, const waiting *w, bool is_free, bool is_main, tree *seen) {
  const uint8_t *page = c->data + w->page * c->page_size;
  bool leaf = w->level == t->depth;
  uint64_t lower = number(page + 12, 2), upper = number(page + 14, 2);
  bool shaped = number(page, 8) == w->page && (number(page + 10, 2) & PAGE_KINDS) == (leaf ? PAGE_LEAF : PAGE_BRANCH) && lower >= HEADER + (leaf ? 2u : 4u) &&
                lower % 2 == 0 && lower <= upper && upper <= c->page_size;
  if (!shaped) return damaged(c->err, w->page, "not the page of a tree that it should be");
  key before = w->from;
  size_t n = (lower - HEADER) / 2;
  if (leaf) seen->n_leaf++, seen->n_entries += n;
  else seen->n_branch++;
  for (size_t i = 0; i < n; i++) {
    node at;
    if (!node_of(c, page, i, leaf, &at)) return damaged(c->err, w->page, "an entry that goes beyond its page");
    bool unnamed = !leaf && i == 0; /* the first branch has no key: it takes what is below the second */
    if (!unnamed && (at.key.len == 0 || (is_free && at.key.len != 8))) return damaged(c->err, w->page, "a key of another length");
    int order = unnamed || !before.data ? -1 : compare(before, at.key, is_free);
    bool sorted = order < 0 || (order == 0 && leaf && i == 0);
    if (!unnamed && (!sorted || (w->to.data && compare(at.key, w->to, is_free) >= 0))) return damaged(c->err, w->page, "keys out of order");
    ipfsa_status status = IPFSA_OK;
    if (leaf) {
      status = take_value(c, &at, w->page, is_free, is_main, seen);
    } else {
      waiting child = {at.size | at.flags << 32, w->level + 1, unnamed ? w->from : at.key, w->to};
      node next;
      if (i + 1 < n && !node_of(c, page, i + 1, false, &next)) return damaged(c->err, w->page, "an entry that goes beyond its page");
      if (i + 1 < n) child.to = next.key;
      status = take_pages(c, child.page, 1, w->page);
      if (status == IPFSA_OK) status = push(c, child);
    }
    if (status) return status;
    if (!unnamed) before = at.key;
  }
  return IPFSA_OK;
}

static ipfsa_status check_tree(check *c, const tree *t, bool is_free, bool is_main) {
  tree seen = {0};
  if (t->depth > MAX_DEPTH || (t->root == NO_PAGE) != (t->depth == 0)) return damaged(c->err, 0, "a tree of no depth");
  ipfsa_status status = t->root == NO_PAGE ? IPFSA_OK : take_pages(c, t->root, 1, 0);
  if (status == IPFSA_OK && t->root != NO_PAGE) status = push(c, (waiting){.page = t->root, .level = 1});
  while (status == IPFSA_OK && c->n) {
    waiting w = c->stack[--c->n];
    status = check_page(c, t, &w, is_free, is_main, &seen);
  }
  if (status) return status;
  bool counted = seen.n_branch == t->n_branch && seen.n_leaf == t->n_leaf && seen.n_overflow == t->n_overflow && seen.n_entries == t->n_entries;
  return counted ? IPFSA_OK : damaged(c->err, t->root == NO_PAGE ? 0 : t->root, "a tree of another size than it says");
}

static ipfsa_status check_image(check *c, const header *h) {
  ipfsa_status status = check_tree(c, &h->free, true, false);
  if (status == IPFSA_OK) status = check_tree(c, &h->main, false, true);
  for (size_t i = 0; status == IPFSA_OK && i < c->n_trees; i++) {
    tree t = c->trees[i];
    status = t.flags ? damaged(c->err, h->main.root, "a table of another kind") : check_tree(c, &t, false, false);
  }
  return status;
}

ipfsa_status ipfsa_meta_check_pages(int fd, uint64_t txn_id, uint64_t max, ipfsa_error *err) {
  ipfsa_error local = {0};
  struct stat st;
  header h = {0};
  ipfsa_status status = ipfsa_fs_fstat(fd, &st, err);
  if (status || (uint64_t)st.st_size > max) return status;
  check c = {.err = err ? err : &local};
  size_t len = 0;
  IPFSA_AUTO_FREE uint8_t *data = ipfsa_malloc((size_t)st.st_size + 1);
  if (!data) return ipfsa_fail_nomem(err);
  status = ipfsa_fs_read_at(fd, data, (size_t)st.st_size, 0, &len, err);
  if (status) return status;
  header first;
  if (len < HEADER + META_LEN || !header_at(data, &first) || len / first.page_size < 2) return damaged(err, 0, "no header of LMDB");
  if (!header_at(data + txn_id % 2 * first.page_size, &h) || h.txn_id < txn_id) return damaged(err, txn_id % 2, "the header of another transaction");
  if (h.txn_id > txn_id) return ipfsa_fail(err, IPFSA_E_BUSY, FILE_NAME " is being written to: its header has gone on from transaction %llu", (unsigned long long)txn_id);
  c.data = data;
  c.page_size = first.page_size;
  c.n_pages = len / first.page_size <= h.last_page ? len / first.page_size : h.last_page + 1;
  IPFSA_AUTO_FREE uint8_t *seen = ipfsa_calloc(c.n_pages, 1);
  c.seen = seen;
  status = seen ? check_image(&c, &h) : ipfsa_fail_nomem(err);
  ipfsa_free(c.stack);
  ipfsa_free(c.trees);
  return status;
}
