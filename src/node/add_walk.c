#include "node/add_walk.h"

#include <dirent.h>

#define MAX_STEP_FOLDERS 32    /* opened by one step: several steps are under way, and descriptors are few */
#define BATCH_BYTES (3u << 20) /* of the files that are expected to share a batch; a little less than it has room for */

typedef struct folder_entry {
  uint64_t prefix; /* the first eight bytes of the name as a number: most comparisons end here */
  size_t off;      /* of its type, then its name, in names */
} folder_entry;

struct ipfsa_add_folder {
  ipfsa_add_folder *next_of_all;
  int fd;
  const char *name; /* in its parent, which outlives it, or among the arguments */
  ipfsa_buf names;
  folder_entry *entries; /* in order of names */
  size_t n, cap, next;
  struct stat st;
};

const struct stat *ipfsa_add_folder_stat(const ipfsa_add_folder *f) { return &f->st; }
bool ipfsa_add_folder_is_empty(const ipfsa_add_folder *f) { return f->n == 0; }

static void free_folder(ipfsa_add_walk *walk, ipfsa_add_folder *f) {
  ipfsa_add_folder **at = &walk->all;
  while (*at != f) at = &(*at)->next_of_all;
  *at = f->next_of_all;
  ipfsa_fs_close(&f->fd);
  ipfsa_buf_release(&f->names);
  ipfsa_free(f->entries);
  ipfsa_free(f);
}

/* ---- listing ---- */

typedef struct listing {
  ipfsa_add_walk *walk;
  ipfsa_add_folder *folder;
} listing;

static uint64_t prefix_of(const char *name) {
  uint64_t v = 0;
  for (int i = 0; i < 8; i++) {
    v = v << 8 | (uint8_t)*name;
    if (*name) name++;
  }
  return v;
}

static int take_name(void *ctx, const char *name, unsigned char type) {
  listing *l = ctx;
  ipfsa_add_folder *f = l->folder;
  if ((name[0] == '.' && !l->walk->o->hidden) || ipfsa_ignore_matches(l->walk->ignore, name)) return 0;
  if (!ipfsa_grow((void **)&f->entries, &f->cap, f->n + 1, sizeof *f->entries)) return 1;
  f->entries[f->n] = (folder_entry){prefix_of(name), f->names.len};
  ipfsa_buf_u8(&f->names, type);
  ipfsa_buf_append(&f->names, name, strlen(name) + 1);
  f->n++;
  return f->names.failed != IPFSA_OK;
}

static int by_name(const void *x, const void *y, void *names) {
  const folder_entry *a = x, *b = y;
  if (a->prefix != b->prefix) return a->prefix < b->prefix ? -1 : 1;
  return strcmp((const char *)names + a->off, (const char *)names + b->off);
}

static ipfsa_status list_folder(ipfsa_add_walk *walk, ipfsa_add_folder *f, ipfsa_error *err) {
  listing l = {walk, f};
  f->names.max = SIZE_MAX / 2;
  ipfsa_status status = ipfsa_fs_list(f->fd, ".", take_name, &l, err);
  if (status == IPFSA_E_CANCELLED) return ipfsa_fail_nomem(err);
  if (status) return status;
  /* The type stands before each name: comparing from the name on. */
  if (f->n > 1) qsort_r(f->entries, f->n, sizeof *f->entries, by_name, f->names.data + 1);
  return IPFSA_OK;
}

static ipfsa_status open_folder(ipfsa_add_walk *walk, int dirfd, const char *path, const char *name, bool follow, ipfsa_error *err) {
  if (walk->depth == IPFSA_MAX_ADD_DEPTH) return ipfsa_fail(err, IPFSA_E_LIMIT, "%s: over %d folders in one another", path, IPFSA_MAX_ADD_DEPTH);
  ipfsa_add_folder *f = ipfsa_calloc(1, sizeof *f);
  if (!f) return ipfsa_fail_nomem(err);
  f->fd = ipfsa_fs_open(dirfd, path, O_RDONLY | O_DIRECTORY | (follow ? 0 : O_NOFOLLOW), 0, err);
  f->name = name;
  f->next_of_all = walk->all;
  walk->all = f;
  ipfsa_status status = f->fd < 0 ? err->status : IPFSA_OK;
  if (status == IPFSA_OK && (walk->o->preserve_mode || walk->o->preserve_mtime)) status = ipfsa_fs_fstat(f->fd, &f->st, err);
  if (status == IPFSA_OK) status = list_folder(walk, f, err);
  if (status) free_folder(walk, f);
  else walk->stack[walk->depth++] = f;
  return status;
}

/* ---- steps ---- */

typedef struct next_entry {
  int dirfd;
  const char *path, *name;
  unsigned char type;
  bool follow;
} next_entry;

static ipfsa_status find_type(next_entry *e, ipfsa_error *err) {
  bool known = e->type == DT_REG || e->type == DT_DIR || (e->type == DT_LNK && !e->follow);
  if (known) return IPFSA_OK;
  struct stat st;
  ipfsa_status status = e->follow ? ipfsa_fs_stat_target(e->dirfd, e->path, &st, err) : ipfsa_fs_stat(e->dirfd, e->path, &st, err);
  if (status) return status;
  e->type = S_ISREG(st.st_mode) ? DT_REG : S_ISDIR(st.st_mode) ? DT_DIR : S_ISLNK(st.st_mode) ? DT_LNK : DT_UNKNOWN;
  return IPFSA_OK;
}

static ipfsa_status take_entry(ipfsa_add_walk *walk, ipfsa_add_step *step, next_entry *e) {
  ipfsa_add_item item = {.kind = IPFSA_ADD_FILE, .dirfd = e->dirfd, .path = e->path, .name = e->name, .in_batch = SIZE_MAX};
  ipfsa_error *err = &step->err;
  ipfsa_status status = find_type(e, err);
  if (status) return status;
  if (e->type == DT_DIR) {
    if (!walk->o->recursive) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "'%s' is a directory, use the '-r' flag to specify directories", e->path);
    status = open_folder(walk, e->dirfd, e->path, e->name, e->follow, err);
    if (status) return status;
    item.kind = IPFSA_ADD_OPEN;
    item.folder = walk->stack[walk->depth - 1];
  } else if (e->type == DT_LNK) {
    item.kind = IPFSA_ADD_LINK;
  } else if (e->type != DT_REG) {
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "%s is neither file, folder nor symbolic link", e->path);
  } else if (!walk->no_batches) {
    item.in_batch = ipfsa_import_batch_add(step->batch, e->dirfd, e->path, e->follow);
  }
  step->items[step->n++] = item;
  return IPFSA_OK;
}

static size_t files_a_batch(const ipfsa_add_walk *walk) {
  uint64_t mean = walk->n_seen ? walk->bytes_seen / walk->n_seen : 0, n = mean ? BATCH_BYTES / mean : IPFSA_MAX_BATCH_FILES;
  return n < 1 ? 1 : n > IPFSA_MAX_BATCH_FILES ? IPFSA_MAX_BATCH_FILES : (size_t)n;
}

/* False: everything has been walked. */
static bool find_next(ipfsa_add_walk *walk, next_entry *ret) {
  if (walk->depth) {
    ipfsa_add_folder *f = walk->stack[walk->depth - 1];
    const char *text = (const char *)f->names.data + f->entries[f->next++].off;
    *ret = (next_entry){f->fd, text + 1, text + 1, (unsigned char)text[0], walk->o->dereference_symlinks};
    return true;
  }
  while (walk->next_arg < walk->n_args) {
    const ipfsa_add_argument *arg = &walk->args[walk->next_arg++];
    if (walk->next_arg > 1 && strcmp(arg[-1].full, arg->full) == 0) continue;
    *ret = (next_entry){AT_FDCWD, arg->path, arg->base, DT_UNKNOWN, walk->follow_args};
    return true;
  }
  return false;
}

void ipfsa_add_walk_next(ipfsa_add_walk *walk, ipfsa_add_step *step) {
  size_t n_folders = 0, n_files = 0, most = files_a_batch(walk);
  step->n = 0;
  step->status = IPFSA_OK;
  ipfsa_import_batch_clear(step->batch);
  while (step->n < IPFSA_MAX_BATCH_FILES && n_files < most && n_folders < MAX_STEP_FOLDERS) {
    ipfsa_add_folder *f = walk->depth ? walk->stack[walk->depth - 1] : NULL;
    if (f && f->next == f->n) {
      step->items[step->n++] = (ipfsa_add_item){.kind = IPFSA_ADD_CLOSE, .name = f->name, .folder = f, .in_batch = SIZE_MAX};
      walk->depth--;
      continue;
    }
    next_entry entry;
    if (!find_next(walk, &entry)) break;
    step->status = take_entry(walk, step, &entry);
    if (step->status) break;
    n_folders += step->items[step->n - 1].kind == IPFSA_ADD_OPEN;
    n_files += step->items[step->n - 1].kind == IPFSA_ADD_FILE;
  }
  ipfsa_import_batch_start(step->batch);
}

void ipfsa_add_walk_release(ipfsa_add_walk *walk, ipfsa_add_step *step) {
  uint64_t n_files = 0;
  for (size_t i = 0; i < step->n; i++) n_files += step->items[i].in_batch != SIZE_MAX;
  for (size_t i = 0; i < step->n; i++)
    if (step->items[i].kind == IPFSA_ADD_CLOSE) free_folder(walk, step->items[i].folder);
  if (n_files == 0) return;
  walk->n_seen = walk->n_seen / 2 + n_files; /* what was lately counts for more */
  walk->bytes_seen = walk->bytes_seen / 2 + ipfsa_import_batch_bytes(step->batch);
}

void ipfsa_add_walk_end(ipfsa_add_walk *walk) {
  while (walk->all) free_folder(walk, walk->all);
}
