#include "node/tree_walk.h"

#include <fcntl.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"

typedef struct tree_folder {
  int fd;
  char *name; /* in the folder above; owned */
  struct stat st;
  char **names;
  size_t n, cap, next;
} tree_folder;

typedef struct tree_walk {
  int dirfd;
  ipfsa_tree_cb cb;
  void *ctx;
  tree_folder stack[IPFSA_MAX_TREE_DEPTH];
  size_t depth;
} tree_walk;

static int collect_name(void *ctx, const char *name, unsigned char type) {
  (void)type;
  tree_folder *f = ctx;
  char *copy = ipfsa_strdup(name);
  if (!copy || !ipfsa_grow((void **)&f->names, &f->cap, f->n + 1, sizeof *f->names)) return ipfsa_free(copy), 1;
  f->names[f->n++] = copy;
  return 0;
}

static void pop(tree_walk *w) {
  tree_folder *f = &w->stack[--w->depth];
  for (size_t i = 0; i < f->n; i++) ipfsa_free(f->names[i]);
  ipfsa_free(f->names);
  ipfsa_free(f->name);
  ipfsa_fs_close(&f->fd);
}

static ipfsa_status push(tree_walk *w, int dirfd, const char *name, const struct stat *st, ipfsa_error *err) {
  if (w->depth == IPFSA_MAX_TREE_DEPTH) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %d folders in one another at %s", IPFSA_MAX_TREE_DEPTH, name);
  tree_folder *f = &w->stack[w->depth];
  *f = (tree_folder){.fd = ipfsa_fs_open(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, err), .st = *st};
  if (f->fd < 0) return err->status;
  w->depth++;
  f->name = ipfsa_strdup(name);
  if (!f->name) return ipfsa_fail_nomem(err);
  ipfsa_status status = ipfsa_fs_list(f->fd, ".", collect_name, f, err);
  return status == IPFSA_E_CANCELLED ? ipfsa_fail_nomem(err) : status;
}

static ipfsa_status tell(tree_walk *w, int dirfd, const char *name, ipfsa_error *err) {
  struct stat st;
  ipfsa_status status = ipfsa_fs_stat(dirfd, name, &st, err);
  if (status == IPFSA_OK) status = w->cb(w->ctx, dirfd, name, &st, false, err);
  if (status == IPFSA_OK && S_ISDIR(st.st_mode)) status = push(w, dirfd, name, &st, err);
  return status;
}

ipfsa_status ipfsa_tree_walk(int dirfd, const char *name, ipfsa_tree_cb cb, void *ctx, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  tree_walk *w = ipfsa_calloc(1, sizeof *w);
  if (!w) return ipfsa_fail_nomem(err);
  w->dirfd = dirfd;
  w->cb = cb;
  w->ctx = ctx;
  ipfsa_status status = tell(w, dirfd, name, err);
  while (status == IPFSA_OK && w->depth) {
    tree_folder *f = &w->stack[w->depth - 1];
    if (f->next < f->n) {
      status = tell(w, f->fd, f->names[f->next++], err);
      if (status == IPFSA_E_NOT_FOUND) status = IPFSA_OK; /* it went meanwhile */
      continue;
    }
    status = cb(ctx, w->depth > 1 ? w->stack[w->depth - 2].fd : dirfd, f->name, &f->st, true, err);
    pop(w);
  }
  while (w->depth) pop(w);
  ipfsa_free(w);
  return status;
}

/* Entries of a folder without the w bit cannot be unlinked. */
static ipfsa_status open_for_removal(int dirfd, const char *name, ipfsa_error *err) {
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, err);
  return fd < 0 ? err->status : ipfsa_fs_set_mode(fd, 0700, err);
}

static ipfsa_status remove_entry(void *ctx, int dirfd, const char *name, const struct stat *st, bool leaving, ipfsa_error *err) {
  (void)ctx;
  if (S_ISDIR(st->st_mode) && !leaving) return st->st_mode & 0200 ? IPFSA_OK : open_for_removal(dirfd, name, err);
  ipfsa_status status = leaving ? ipfsa_fs_rmdir(dirfd, name, err) : ipfsa_fs_unlink(dirfd, name, err);
  return status == IPFSA_E_NOT_FOUND ? IPFSA_OK : status;
}

ipfsa_status ipfsa_tree_remove(int dirfd, const char *name, ipfsa_error *err) {
  ipfsa_status status = ipfsa_tree_walk(dirfd, name, remove_entry, NULL, err);
  return status == IPFSA_E_NOT_FOUND ? IPFSA_OK : status;
}
