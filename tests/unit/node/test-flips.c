/* A bit turned over in any byte of any file of a small repo: it is found, or it does no harm; wrong bytes are never given out, a pin never
 * goes by it, nothing crashes. In `make test` every bit of the heads and tables of
 * commits, and of the rest one bit of every n-th byte; with IPFSA_SOAK_SECONDS every bit of every byte. */
#include <dirent.h>
#include <fcntl.h>
#include <ipfsa/add.h>
#include <ipfsa/config.h>
#include <ipfsa/files.h>
#include <ipfsa/pin.h>
#include <ipfsa/read.h>
#include <ipfsa/repo.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support.h"
#include "store/local.h"

#define N_FILES 4
static const struct {
  size_t len;
  const char *chunker;
} kinds[N_FILES] = {{3000, "size-1000"}, {17000, NULL}, {5, NULL}, {900, NULL}};

typedef struct small_repo {
  char *dir, copy[300];
  ipfsa_cid cids[N_FILES];
  uint8_t data[N_FILES][17000];
  char *config;
} small_repo;
static small_repo r;
static char where[160];
static unsigned n_found, n_harmless;

static ipfsa_status open_repo(const char *path, bool read_only, ipfsa_node **ret, ipfsa_error *err) {
  return ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = path, .create = !read_only, .read_only = read_only}, ret, NULL, err);
}

static int data_fd(int i) {
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  assert_int_equal(write(fds[1], r.data[i], kinds[i].len), (ssize_t)kinds[i].len);
  close(fds[1]);
  return fds[0];
}

static void make_repo(void) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  r.dir = test_temp_dir();
  snprintf(r.copy, sizeof r.copy, "%s.copy", r.dir);
  assert_ok(open_repo(r.dir, false, &node, &err));
  for (int i = 0; i < N_FILES; i++) {
    char seed[16];
    snprintf(seed, sizeof seed, "flip %d", i);
    test_shake128(seed, r.data[i], kinds[i].len);
    int fd = data_fd(i);
    ipfsa_add_options options = {.struct_size = sizeof options, .chunker = kinds[i].chunker, .raw_leaves = i % 2 ? IPFSA_ON : IPFSA_OFF, .pin_name = seed};
    assert_ok(ipfsa_add(node, NULL, 0, fd, &options, &r.cids[i], &err));
    close(fd);
  }
  int fd = data_fd(3);
  assert_ok(ipfsa_files_write(node, "/d/f", fd, &(ipfsa_files_write_options){.struct_size = sizeof(ipfsa_files_write_options), .create = true, .parents = true}, &err));
  close(fd);
  assert_ok(ipfsa_node_config_set(node, "import.cid_version", "0", true, &err));
  assert_ok(ipfsa_node_config_text(node, &r.config, &err));
  ipfsa_node_close(node);
}

typedef struct seen_bytes {
  const uint8_t *want;
  size_t len, at;
} seen_bytes;

static int expect_bytes(void *ctx, const void *data, size_t len) {
  seen_bytes *s = ctx;
  if (len > s->len - s->at || (len && memcmp(s->want + s->at, data, len) != 0)) fail_msg("%s: wrong bytes were given out", where);
  s->at += len;
  return 0;
}

/* Either the bytes as they were, or an error that says something. */
static bool give(ipfsa_status status, const seen_bytes *s, const ipfsa_error *err) {
  if (status == IPFSA_OK && s->at != s->len) fail_msg("%s: fewer bytes were given out, with OK", where);
  if (status && !err->message[0]) fail_msg("%s: an error without words", where);
  return status == IPFSA_OK;
}

static bool all_there(ipfsa_node *node) {
  bool all = true;
  for (int i = 0; i < N_FILES; i++) {
    char path[IPFSA_MAX_CID_TEXT];
    ipfsa_error err = {0};
    seen_bytes s = {r.data[i], kinds[i].len, 0};
    ipfsa_cid_format(&r.cids[i], path);
    ipfsa_status status = ipfsa_cat(node, path, 0, UINT64_MAX, expect_bytes, &s, NULL, NULL, &err);
    if (!give(status, &s, &err)) all = false;
  }
  ipfsa_error err = {0};
  seen_bytes s = {r.data[3], kinds[3].len, 0};
  ipfsa_status status = ipfsa_files_read(node, "/d/f", 0, UINT64_MAX, expect_bytes, &s, &err);
  return give(status, &s, &err) && all;
}

static int count_pin(void *ctx, const ipfsa_pin *pin) {
  unsigned *n = ctx;
  for (int i = 0; i < N_FILES; i++) {
    char name[16];
    snprintf(name, sizeof name, "flip %d", i);
    if (ipfsa_cid_equal(&pin->cid, &r.cids[i]) && strcmp(pin->name, name) == 0) return ++*n, 0;
  }
  fail_msg("%s: a pin that nobody made", where);
  return 1;
}

static bool pins_there(ipfsa_node *node) {
  unsigned n = 0;
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_pin_list(node, IPFSA_PIN_RECURSIVE, NULL, count_pin, &n, &err);
  if (status == IPFSA_OK && n != N_FILES) fail_msg("%s: %u of %d pins, with OK", where, n, N_FILES);
  if (status && !err.message[0]) fail_msg("%s: an error without words", where);
  return status == IPFSA_OK;
}

static bool verified(ipfsa_node *node) {
  ipfsa_error err = {0};
  ipfsa_repo_verify_result result;
  ipfsa_status status = ipfsa_repo_verify(node, NULL, &result, &err);
  if (status && !err.message[0]) fail_msg("%s: an error without words", where);
  return status == IPFSA_OK && result.n_damaged == 0;
}

static bool look(const char *path, bool read_only) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  ipfsa_status status = open_repo(path, read_only, &node, &err);
  if (status && !err.message[0]) fail_msg("%s: an error without words", where);
  if (status) return false;
  bool read = all_there(node), pinned = pins_there(node), whole = verified(node);
  ipfsa_node_close(node);
  return read && pinned && whole;
}

static void flip(const char *path, uint64_t off, unsigned bit) {
  uint8_t byte;
  int fd = open(path, O_RDWR);
  assert_int_equal(pread(fd, &byte, 1, (off_t)off), 1);
  byte ^= (uint8_t)(1u << bit);
  assert_int_equal(pwrite(fd, &byte, 1, (off_t)off), 1);
  close(fd);
}

static void tell_where(int sig) {
  (void)!write(2, where, strlen(where));
  (void)!write(2, ": crashed\n", 10);
  signal(sig, SIG_DFL);
  raise(sig);
}

/* Zeros between what commits hold, and behind it, belong to nothing. */
enum { OF_BLOCK = 1, OF_TABLE = 2 };
static uint8_t *belongs;
static size_t belongs_len;

static void belong(uint64_t off, uint64_t len, int to) {
  assert_true(off + len <= belongs_len);
  memset(belongs + off, to, len);
}

static ipfsa_status note_commit(void *ctx, ipfsa_pack *pack, const ipfsa_pack_commit *commit, ipfsa_bytes table, ipfsa_error *err) {
  (void)ctx, (void)pack, (void)err;
  belong(commit->off, IPFSA_PACK_HEAD_SIZE, OF_TABLE);
  belong(commit->table_off, commit->table_len, OF_TABLE);
  ipfsa_cursor c = ipfsa_cursor_over(table);
  for (ipfsa_pack_entry entry; ipfsa_cursor_left(&c);) {
    assert_true(ipfsa_cursor_pack_entry(&c, &entry));
    if (entry.kind != IPFSA_ENTRY_DELETED) belong(entry.off, entry.len, OF_BLOCK);
  }
  return IPFSA_OK;
}

static void find_what_belongs(void) {
  char path[700];
  struct stat st;
  uint64_t gap;
  ipfsa_pack pack;
  ipfsa_error err = {0};
  snprintf(path, sizeof path, "%s/packs", r.dir);
  int fd = open(path, O_RDONLY | O_DIRECTORY);
  assert_ok(ipfsa_pack_open(fd, 1, false, &pack, &err));
  assert_int_equal(fstat(pack.fd, &st), 0);
  belongs_len = (size_t)st.st_size;
  belongs = calloc(belongs_len, sizeof *belongs);
  belong(0, IPFSA_PACK_PAGE, OF_BLOCK);
  assert_ok(ipfsa_store__each_commit(&pack, IPFSA_PACK_FIRST_COMMIT, note_commit, NULL, &gap, &err));
  ipfsa_pack_close(&pack);
  close(fd);
}

/* Nothing is written, so the bit is turned back and the next one comes. must_be_found: by byte. */
static void flip_and_read(const char *name, uint64_t stride, const uint8_t *must_be_found) {
  char path[700];
  struct stat st;
  unsigned missed = 0;
  bool all = getenv("IPFSA_SOAK_SECONDS") != NULL;
  snprintf(path, sizeof path, "%s/%s", r.dir, name);
  assert_int_equal(stat(path, &st), 0);
  for (uint64_t off = 0; off < (uint64_t)st.st_size; off++) {
    bool dense = all || (must_be_found && must_be_found[off] == OF_TABLE);
    if (!dense && off % stride) continue;
    for (unsigned bit = dense ? 0 : (unsigned)(off * 7 / stride % 8), last = dense ? 7 : bit; bit <= last; bit++) {
      snprintf(where, sizeof where, "%s, byte %llu, bit %u", name, (unsigned long long)off, bit);
      flip(path, off, bit);
      bool whole = look(r.dir, true);
      flip(path, off, bit);
      n_found += !whole;
      n_harmless += whole;
      if (must_be_found && must_be_found[off] && whole && missed++ < 20) print_message("%s: was not found\n", where);
    }
  }
  if (!look(r.dir, true)) fail_msg("%s: not whole after all bits were turned back", name);
  if (missed) fail_msg("%s: %u were not found", name, missed);
}

static void copy_tree(const char *from, const char *to) {
  char a[700], b[700];
  static char buf[1 << 20];
  mkdir(to, 0700);
  DIR *dir = opendir(from);
  for (struct dirent *e; dir && (e = readdir(dir));) {
    if (e->d_name[0] == '.') continue;
    snprintf(a, sizeof a, "%s/%s", from, e->d_name);
    snprintf(b, sizeof b, "%s/%s", to, e->d_name);
    if (e->d_type == DT_DIR) {
      copy_tree(a, b);
      continue;
    }
    int in = open(a, O_RDONLY), out = open(b, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t n = read(in, buf, sizeof buf);
    assert_int_equal(write(out, buf, (size_t)n), n);
    close(in);
    close(out);
  }
  closedir(dir);
}

/* With recovery, gc and repair let loose on it: what the bit did not hit is there, once it is turned back. */
static void flip_and_write(const char *name, uint64_t stride, bool without_index) {
  char path[700], index[700];
  struct stat st;
  bool in_pack = strncmp(name, "packs/", 6) == 0;
  snprintf(path, sizeof path, "%s/%s", r.dir, name);
  assert_int_equal(stat(path, &st), 0);
  snprintf(path, sizeof path, "%s/%s", r.copy, name);
  snprintf(index, sizeof index, "%s/index", r.copy);
  for (uint64_t off = stride / 2; off < (uint64_t)st.st_size; off += stride) {
    ipfsa_error err = {0};
    ipfsa_node *node = NULL;
    unsigned bit = (unsigned)(off / stride % 8);
    snprintf(where, sizeof where, "%s%s, byte %llu, bit %u, written to", name, without_index ? " without index" : "", (unsigned long long)off, bit);
    copy_tree(r.dir, r.copy);
    if (without_index) unlink(index);
    flip(path, off, bit);
    bool opened = open_repo(r.copy, false, &node, &err) == IPFSA_OK;
    if (opened) {
      bool pinned = pins_there(node);
      ipfsa_status status = ipfsa_repo_gc(node, &(ipfsa_gc_options){.struct_size = sizeof(ipfsa_gc_options), .lease_grace_s = UINT64_MAX}, NULL, &err);
      if (!pinned && status == IPFSA_OK) fail_msg("%s: pins cannot be read, and gc went on", where);
      ipfsa_node_close(node);
      node = NULL;
    }
    if (!in_pack && opened && strncmp(name, "meta/", 5) != 0) {
      if (!look(r.copy, false)) fail_msg("%s: something is lost", where);
    } else if (!in_pack && !opened) {
      flip(path, off, bit);
      if (!look(r.copy, false)) fail_msg("%s: something is lost, though it did not even open", where);
    } else if (opened) (void)look(r.copy, false);
    test_remove_tree(strdup(r.copy));
  }
}

static void every_bit_is_found_or_does_no_harm(void **state) {
  (void)state;
  make_repo();
  find_what_belongs();
  signal(SIGSEGV, tell_where);
  signal(SIGBUS, tell_where);
  signal(SIGABRT, tell_where);
  signal(SIGFPE, tell_where);
  flip_and_read("packs/00000001.pack", 11, belongs);
  flip_and_read("index", 67, NULL);
  flip_and_read("meta/data.mdb", 17, NULL);
  flip_and_read("config.toml", 1, NULL);
  flip_and_read("ipfs-accelerate", 1, NULL);
  print_message("%u found, %u did no harm\n", n_found, n_harmless);
  flip_and_write("packs/00000001.pack", 101, false);
  flip_and_write("packs/00000001.pack", 103, true);
  flip_and_write("index", 997, false);
  flip_and_write("meta/data.mdb", 97, false);
  flip_and_write("meta/lock.mdb", 211, false);
  ipfsa_text_free(r.config);
  free(belongs);
  test_remove_tree(r.dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_bit_is_found_or_does_no_harm)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
