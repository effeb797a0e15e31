/* The walk of an add: an explicit stack of open folders, entries in name order; files are imported as they are met. */
#include <ipfsa/add.h>

#include <errno.h>

#include "base/bytes.h"
#include "node/add_params.h"
#include "node/files.h"
#include "node/ignore.h"
#include "unixfs/directory.h"
#include "unixfs/importer.h"

#define MAX_ADD_DEPTH 128    /* folders in folders; IPFSA_MAX_PATH_SEGMENTS reads them back */
#define EVENTS_A_COMMIT 2048 /* so that neither events nor uncommitted blocks pile up */

typedef struct queued_event {
  char *name;
  ipfsa_add_event event;
} queued_event;

typedef struct event_list {
  queued_event *items;
  size_t n, cap;
} event_list;

typedef struct open_folder {
  int fd;
  char **names; /* sorted */
  size_t n_names, cap, next;
  size_t path_len; /* of this folder in add_run.path */
  ipfsa_dir_builder *builder;
  ipfsa_unixfs_meta meta;
} open_folder;

typedef struct add_run {
  ipfsa_node *node;
  ipfsa_add_options o;
  ipfsa_import_params params;
  ipfsa_ignore ignore;
  ipfsa_blockstore_writer *w; /* NULL: only hash */
  ipfsa_importer *importer;
  event_list files, folders;
  open_folder stack[MAX_ADD_DEPTH];
  size_t depth;
  ipfsa_buf path; /* name of the entry at hand, from the argument's base name on */
  ipfsa_progress at;
  uint64_t before; /* bytes of finished files */
  ipfsa_cid last;
} add_run;

/* ---- events ---- */

static ipfsa_status queue_event(event_list *list, ipfsa_bytes name, const ipfsa_dag_ref *ref, const ipfsa_unixfs_meta *meta, ipfsa_error *err) {
  char *copy = ipfsa_malloc(name.len + 1);
  if (!copy || !ipfsa_grow((void **)&list->items, &list->cap, list->n + 1, sizeof *list->items)) {
    ipfsa_free(copy);
    return ipfsa_fail_nomem(err);
  }
  if (name.len) memcpy(copy, name.data, name.len);
  copy[name.len] = '\0';
  list->items[list->n++] = (queued_event){copy, {.name = copy, .name_len = name.len, .cid = ref->cid, .size = ref->tsize, .mode = meta->mode,
                                                 .has_mtime = meta->has_mtime, .mtime_s = meta->mtime_s, .mtime_ns = meta->mtime_ns}};
  return IPFSA_OK;
}

static void drop_events(event_list *list) {
  for (size_t i = 0; i < list->n; i++) ipfsa_free(list->items[i].name);
  ipfsa_free(list->items);
  *list = (event_list){0};
}

/* What is told is durable: commit first. */
static ipfsa_status tell_events(add_run *run, event_list *list, ipfsa_error *err) {
  ipfsa_status status = run->w ? ipfsa_writer_commit(run->w, err) : IPFSA_OK;
  for (size_t i = 0; i < list->n; i++) {
    if (status == IPFSA_OK && run->o.event && run->o.event(run->o.event_ctx, &list->items[i].event) != 0)
      status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
    run->last = list->items[i].event.cid;
    ipfsa_free(list->items[i].name);
  }
  list->n = 0;
  return status;
}

static int on_progress(void *ctx, const ipfsa_progress *p) {
  add_run *run = ctx;
  if (ipfsa_node_is_cancelled(run->node)) return 1;
  run->at.done_bytes = run->before + p->done_bytes;
  return run->o.progress ? run->o.progress(run->o.progress_ctx, &run->at) : 0;
}

/* ---- one entry ---- */

static ipfsa_unixfs_meta meta_of(const add_run *run, const struct stat *st, bool is_link) {
  ipfsa_unixfs_meta meta = {0};
  if (run->o.preserve_mode && st) meta.mode = st->st_mode & 07777;
  if (run->o.preserve_mtime && st) meta = (ipfsa_unixfs_meta){meta.mode, true, st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec};
  if (run->o.mode) meta.mode = run->o.mode & 0777;
  if (run->o.mtime) meta = (ipfsa_unixfs_meta){meta.mode, true, run->o.mtime, run->o.mtime_nsecs};
  if (is_link) meta.mode = 0;
  return meta;
}

static int64_t ns_of(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }

static ipfsa_status import_fd(add_run *run, int fd, const char *name, const char *abs_path, const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret,
                              ipfsa_error *err) {
  ipfsa_source *source = NULL;
  struct stat st, after;
  ipfsa_status status = ipfsa_fs_fstat(fd, &st, err);
  if (status == IPFSA_OK) status = ipfsa_source_open_fd(fd, false, name, &source, err);
  if (status) return status;
  ipfsa_external at = {abs_path, 0, (uint64_t)st.st_size, ns_of(st.st_mtim), ns_of(st.st_ctim), st.st_ino, st.st_dev};
  status = ipfsa_importer_file(run->importer, source, meta, abs_path && run->w ? &at : NULL, on_progress, run, ret, err);
  if (status == IPFSA_OK && abs_path) status = ipfsa_fs_fstat(fd, &after, err);
  if (status == IPFSA_OK && abs_path && (after.st_size != st.st_size || ns_of(after.st_mtim) != at.mtime_ns || ns_of(after.st_ctim) != at.ctime_ns))
    status = ipfsa_fail(err, IPFSA_E_CHANGED, "%s changed while it was added without a copy; add it again when it is at rest", name);
  ipfsa_source_close(source);
  if (status == IPFSA_OK) {
    run->before += ret->filesize;
    run->at.done_bytes = run->before;
    run->at.done_items++;
  }
  return status;
}

static ipfsa_status import_file(add_run *run, int dirfd, const char *path, const ipfsa_unixfs_meta *meta, bool follow, ipfsa_dag_ref *ret,
                                ipfsa_error *err) {
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(dirfd, path, O_RDONLY | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW), 0, err);
  if (fd < 0) return err->status;
  const char *name = ipfsa_buf_cstr(&run->path);
  if (!run->o.nocopy) return import_fd(run, fd, name, NULL, meta, ret, err);
  char link[64];
  IPFSA_AUTO_FREE char *abs_path = NULL;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  size_t len = 0;
  ipfsa_status status = ipfsa_fs_readlink(AT_FDCWD, link, &abs_path, &len, err);
  return status ? status : import_fd(run, fd, name, abs_path, meta, ret, err);
}

static ipfsa_status import_link(add_run *run, int dirfd, const char *path, const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *target = NULL;
  size_t len = 0;
  ipfsa_status status = ipfsa_fs_readlink(dirfd, path, &target, &len, err);
  return status ? status : ipfsa_import_symlink(&run->params, run->w, ipfsa_bytes_of(target, len), meta, ret, err);
}

/* ---- folders ---- */

static int collect_name(void *ctx, const char *name, unsigned char type) {
  (void)type;
  open_folder *f = ctx;
  char *copy = ipfsa_strdup(name);
  if (!copy || !ipfsa_grow((void **)&f->names, &f->cap, f->n_names + 1, sizeof *f->names)) return ipfsa_free(copy), 1;
  f->names[f->n_names++] = copy;
  return 0;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void close_folder(open_folder *f) {
  for (size_t i = 0; i < f->n_names; i++) ipfsa_free(f->names[i]);
  ipfsa_free(f->names);
  ipfsa_dir_builder_free(f->builder);
  ipfsa_fs_close(&f->fd);
}

static ipfsa_status list_folder(add_run *run, open_folder *f, ipfsa_error *err) {
  ipfsa_status status = ipfsa_fs_list(f->fd, ".", collect_name, f, err);
  if (status == IPFSA_E_CANCELLED) return ipfsa_fail_nomem(err);
  size_t kept = 0;
  for (size_t i = 0; i < f->n_names; i++) {
    bool hidden = f->names[i][0] == '.' && !run->o.hidden;
    if (hidden || ipfsa_ignore_matches(&run->ignore, f->names[i])) ipfsa_free(f->names[i]);
    else f->names[kept++] = f->names[i];
  }
  f->n_names = kept;
  if (kept) qsort(f->names, kept, sizeof *f->names, by_name);
  return status;
}

static ipfsa_status open_folder_at(add_run *run, int dirfd, const char *path, const ipfsa_unixfs_meta *meta, bool follow, ipfsa_error *err) {
  if (run->depth == MAX_ADD_DEPTH) return ipfsa_fail(err, IPFSA_E_LIMIT, "%s: over %d folders in one another", ipfsa_buf_cstr(&run->path), MAX_ADD_DEPTH);
  open_folder *f = &run->stack[run->depth];
  *f = (open_folder){.fd = -1, .path_len = run->path.len, .meta = *meta};
  f->fd = ipfsa_fs_open(dirfd, path, O_RDONLY | O_DIRECTORY | (follow ? 0 : O_NOFOLLOW), 0, err);
  if (f->fd < 0) return err->status;
  run->depth++; /* closed by the run from here on */
  ipfsa_status status = ipfsa_dir_builder_new(&run->params, meta, &f->builder, err);
  return status ? status : list_folder(run, f, err);
}

/* A finished entry goes into the folder it lies in; without one it is an argument. */
static ipfsa_status place(add_run *run, ipfsa_dir_builder *parent, const char *name, const ipfsa_dag_ref *ref, ipfsa_error *err) {
  (void)run;
  return parent ? ipfsa_dir_builder_add(parent, ipfsa_bytes_str(name), &ref->cid, ref->tsize, err) : IPFSA_OK;
}

/* Imports a file or link, or opens a folder (then *ret_opened). */
static ipfsa_status take_entry(add_run *run, int dirfd, const char *path, bool follow, ipfsa_dag_ref *ret, bool *ret_opened, ipfsa_error *err) {
  struct stat st;
  *ret_opened = false;
  ipfsa_status status = IPFSA_OK;
  if (follow && fstatat(dirfd, path, &st, 0) != 0) return ipfsa_fail_errno(err, errno, "lstat %s", path);
  if (!follow) status = ipfsa_fs_stat(dirfd, path, &st, err);
  if (status) return status;
  ipfsa_unixfs_meta meta = meta_of(run, &st, S_ISLNK(st.st_mode));
  if (S_ISDIR(st.st_mode)) {
    if (!run->o.recursive) return ipfsa_fail(err, IPFSA_E_WRONG_TYPE, "'%s' is a directory, use the '-r' flag to specify directories", path);
    *ret_opened = true;
    return open_folder_at(run, dirfd, path, &meta, follow, err);
  }
  if (S_ISREG(st.st_mode)) status = import_file(run, dirfd, path, &meta, follow, ret, err);
  else if (S_ISLNK(st.st_mode)) status = import_link(run, dirfd, path, &meta, ret, err);
  else return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "%s is neither file, folder nor symbolic link", ipfsa_buf_cstr(&run->path));
  if (status == IPFSA_OK) status = queue_event(&run->files, ipfsa_buf_bytes(&run->path), ret, &meta, err);
  if (status == IPFSA_OK && run->files.n >= EVENTS_A_COMMIT) status = tell_events(run, &run->files, err);
  return status;
}

/* Ends the innermost folder. *ret_skipped: an empty one that is not wanted. */
static ipfsa_status finish_folder(add_run *run, ipfsa_dag_ref *ret, bool *ret_skipped, ipfsa_error *err) {
  open_folder *f = &run->stack[run->depth - 1];
  *ret_skipped = run->o.skip_empty_dirs && f->n_names == 0 && run->depth > 1;
  run->path.len = f->path_len;
  ipfsa_status status = *ret_skipped ? IPFSA_OK : ipfsa_dir_builder_finish(f->builder, run->w, ret, err);
  if (status == IPFSA_OK && !*ret_skipped) status = queue_event(&run->folders, ipfsa_buf_bytes(&run->path), ret, &f->meta, err);
  close_folder(f);
  run->depth--;
  return status;
}

static void enter_name(add_run *run, size_t parent_len, const char *name) {
  run->path.len = parent_len;
  if (parent_len) ipfsa_buf_u8(&run->path, '/');
  ipfsa_buf_str(&run->path, name);
}

/* Everything below the folder that was opened last; *ret is that folder. */
static ipfsa_status walk_folder(add_run *run, ipfsa_dag_ref *ret, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  while (status == IPFSA_OK) {
    open_folder *f = &run->stack[run->depth - 1];
    bool opened = false, skipped = false;
    ipfsa_dag_ref ref;
    if (f->next < f->n_names) {
      const char *name = f->names[f->next++];
      enter_name(run, f->path_len, name);
      status = take_entry(run, f->fd, name, run->o.dereference_symlinks, &ref, &opened, err);
      if (status == IPFSA_OK && !opened) status = place(run, f->builder, name, &ref, err);
      continue;
    }
    status = finish_folder(run, &ref, &skipped, err);
    if (status) break;
    if (run->depth == 0) return *ret = ref, IPFSA_OK;
    open_folder *parent = &run->stack[run->depth - 1];
    if (!skipped) status = place(run, parent->builder, parent->names[parent->next - 1], &ref, err);
  }
  return status;
}

/* ---- arguments ---- */

typedef struct argument {
  const char *path;
  char *full; /* absolute, without trailing slashes; owned */
  const char *base;
} argument;

static int by_base(const void *a, const void *b) { return strcmp(((const argument *)a)->base, ((const argument *)b)->base); }

/* Base name of a path, also of ".", "..", "d/". */
static ipfsa_status find_base(argument *arg, bool follow, ipfsa_error *err) {
  size_t len = strlen(arg->path);
  while (len > 1 && arg->path[len - 1] == '/') len--;
  const char *slash = memrchr(arg->path, '/', len);
  size_t base_len = slash ? len - (size_t)(slash + 1 - arg->path) : len;
  const char *base = slash ? slash + 1 : arg->path;
  bool dots = (base_len == 1 && base[0] == '.') || (base_len == 2 && base[0] == '.' && base[1] == '.');
  if (follow || dots) {
    char *real = realpath(arg->path, NULL);
    if (!real) return ipfsa_fail_errno(err, errno, "lstat %s", arg->path);
    arg->full = ipfsa_strdup(real);
    free(real); /* libc's own */
  } else {
    arg->full = ipfsa_strndup(arg->path, len);
  }
  if (!arg->full) return ipfsa_fail_nomem(err);
  slash = strrchr(arg->full, '/');
  arg->base = slash && slash[1] ? slash + 1 : arg->full;
  return IPFSA_OK;
}

static ipfsa_status check_repeats(const argument *args, size_t n, ipfsa_error *err) {
  for (size_t i = 1; i < n; i++) {
    if (strcmp(args[i - 1].base, args[i].base) != 0 || strcmp(args[i - 1].full, args[i].full) == 0) continue;
    int a = (int)(args[i - 1].base - args[i - 1].full), b = (int)(args[i].base - args[i].full);
    return ipfsa_fail(err, IPFSA_E_INVALID, "file name %s repeated under different import directories: %.*s and %.*s", args[i].base,
                      a ? a - 1 : 0, args[i - 1].full, b ? b - 1 : 0, args[i].full);
  }
  return IPFSA_OK;
}

typedef struct root_list {
  ipfsa_pin *pins;
  size_t n, cap;
} root_list;

static ipfsa_status add_root(add_run *run, root_list *roots, ipfsa_dir_builder *wrapper, const char *name, const ipfsa_dag_ref *ref,
                             ipfsa_error *err) {
  if (wrapper) return place(run, wrapper, name, ref, err);
  if (run->o.to_files && run->w) {
    ipfsa_status status = ipfsa_files_put_ref(run->node, run->w, run->o.to_files, name, ref, err);
    if (status) return status;
  }
  if (!ipfsa_grow((void **)&roots->pins, &roots->cap, roots->n + 1, sizeof *roots->pins)) return ipfsa_fail_nomem(err);
  ipfsa_pin *pin = &roots->pins[roots->n++];
  *pin = (ipfsa_pin){.cid = ref->cid, .mode = IPFSA_PIN_RECURSIVE};
  snprintf(pin->name, sizeof pin->name, "%s", run->o.pin_name ? run->o.pin_name : "");
  return IPFSA_OK;
}

static ipfsa_status add_paths(add_run *run, const char *const *paths, size_t n, root_list *roots, ipfsa_dir_builder *wrapper, ipfsa_error *err) {
  argument *args = ipfsa_calloc(n, sizeof *args);
  if (!args) return ipfsa_fail_nomem(err);
  bool follow = run->o.dereference_args || run->o.dereference_symlinks;
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; status == IPFSA_OK && i < n; i++) {
    args[i].path = paths[i];
    status = find_base(&args[i], follow, err);
  }
  if (status == IPFSA_OK) qsort(args, n, sizeof *args, by_base);
  if (status == IPFSA_OK) status = check_repeats(args, n, err);
  for (size_t i = 0; status == IPFSA_OK && i < n; i++) {
    bool opened = false;
    ipfsa_dag_ref ref;
    if (i && strcmp(args[i - 1].full, args[i].full) == 0) continue;
    enter_name(run, 0, args[i].base);
    status = take_entry(run, AT_FDCWD, args[i].path, follow, &ref, &opened, err);
    if (status == IPFSA_OK && opened) status = walk_folder(run, &ref, err);
    if (status == IPFSA_OK) status = add_root(run, roots, wrapper, args[i].base, &ref, err);
  }
  for (size_t i = 0; i < n; i++) ipfsa_free(args[i].full);
  ipfsa_free(args);
  return status;
}

static ipfsa_status add_stdin(add_run *run, int fd, root_list *roots, ipfsa_dir_builder *wrapper, ipfsa_error *err) {
  ipfsa_unixfs_meta meta = meta_of(run, NULL, false);
  ipfsa_dag_ref ref;
  char text[IPFSA_MAX_CID_TEXT];
  if (run->o.nocopy) return ipfsa_fail(err, IPFSA_E_INVALID, "--nocopy needs a file; standard input has no place of its own");
  ipfsa_status status = import_fd(run, fd, "standard input", NULL, &meta, &ref, err);
  if (status) return status;
  ipfsa_cid_format(&ref.cid, text);
  const char *name = run->o.stdin_name && *run->o.stdin_name ? run->o.stdin_name : text;
  status = queue_event(&run->files, ipfsa_bytes_str(name), &ref, &meta, err);
  return status ? status : add_root(run, roots, wrapper, name, &ref, err);
}

static ipfsa_status add_all(add_run *run, const char *const *paths, size_t n_paths, int stdin_fd, root_list *roots, ipfsa_error *err) {
  ipfsa_dir_builder *wrapper = NULL;
  ipfsa_unixfs_meta meta = meta_of(run, NULL, false);
  ipfsa_status status = run->o.wrap ? ipfsa_dir_builder_new(&run->params, &meta, &wrapper, err) : IPFSA_OK;
  if (status == IPFSA_OK) status = n_paths ? add_paths(run, paths, n_paths, roots, wrapper, err) : add_stdin(run, stdin_fd, roots, wrapper, err);
  ipfsa_dag_ref ref;
  if (status == IPFSA_OK && wrapper) status = ipfsa_dir_builder_finish(wrapper, run->w, &ref, err);
  if (status == IPFSA_OK && wrapper) status = add_root(run, roots, NULL, "", &ref, err);
  if (status == IPFSA_OK && wrapper) status = queue_event(&run->folders, (ipfsa_bytes){0}, &ref, &meta, err);
  ipfsa_dir_builder_free(wrapper);
  return status;
}

static ipfsa_status start(add_run *run, const ipfsa_add_options *o, ipfsa_error *err) {
  if (o->pin_name && o->pin == IPFSA_OFF) return ipfsa_fail(err, IPFSA_E_INVALID, "pin-name option requires pin to be set");
  if (o->pin_name && strlen(o->pin_name) > IPFSA_MAX_PIN_NAME)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "pin name is %zu bytes long, at most %d are taken", strlen(o->pin_name), IPFSA_MAX_PIN_NAME);
  if (o->to_files && o->to_files[0] != '/') return ipfsa_fail(err, IPFSA_E_INVALID, "to-files: paths must start with a leading slash: %.200s", o->to_files);
  if (o->mtime_nsecs && !o->mtime) return ipfsa_fail(err, IPFSA_E_INVALID, "option \"mtime-nsecs\" needs \"mtime\"");
  if (o->mtime_nsecs > 999999999) return ipfsa_fail(err, IPFSA_E_INVALID, "mtime-nsecs is outside 0..999999999");
  if (o->nocopy && !ipfsa_config_bool(run->node->config, "filestore.enabled"))
    return ipfsa_fail(err, IPFSA_E_DENIED, "adding without a copy is not enabled: 'config --bool Experimental.FilestoreEnabled true' allows it");
  ipfsa_status status = ipfsa_add_params(run->node->config, o, &run->params, err);
  if (status == IPFSA_OK && o->ignore_rules_path) status = ipfsa_ignore_add_file(&run->ignore, o->ignore_rules_path, err);
  for (size_t i = 0; status == IPFSA_OK && i < o->n_ignore; i++) status = ipfsa_ignore_add(&run->ignore, o->ignore[i], strlen(o->ignore[i]), err);
  ipfsa_pool *pool = NULL;
  if (status == IPFSA_OK) status = ipfsa_node_pool(run->node, &pool, err);
  if (status == IPFSA_OK && !o->only_hash) status = ipfsa_blockstore_begin(run->node->bs, &run->w, err);
  if (status == IPFSA_OK) status = ipfsa_importer_new(&run->params, run->w, pool, &run->importer, err);
  return status;
}

ipfsa_status ipfsa_add(ipfsa_node *node, const char *const *paths, size_t n_paths, int stdin_fd, const ipfsa_add_options *given, ipfsa_cid *ret_root,
                       ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  add_run *run = ipfsa_calloc(1, sizeof *run);
  if (!run) return ipfsa_fail_nomem(err);
  run->node = node;
  run->o = IPFSA_OPTIONS(ipfsa_add_options, given);
  root_list roots = {0};
  ipfsa_status status = start(run, &run->o, err);
  if (status == IPFSA_OK) status = add_all(run, paths, n_paths, stdin_fd, &roots, err);
  bool pin = run->w && run->o.pin != IPFSA_OFF;
  if (status == IPFSA_OK && run->w) status = ipfsa_writer_commit(run->w, err); /* the data, then what refers to them */
  if (status == IPFSA_OK && pin && roots.n) status = ipfsa_pins_set(node->store, roots.pins, roots.n, err);
  if (status == IPFSA_OK) status = tell_events(run, &run->files, err);
  if (status == IPFSA_OK) status = tell_events(run, &run->folders, err);
  while (run->depth) close_folder(&run->stack[--run->depth]);
  ipfsa_importer_free(run->importer);
  ipfsa_writer_close(run->w);
  ipfsa_ignore_release(&run->ignore);
  drop_events(&run->files);
  drop_events(&run->folders);
  ipfsa_buf_release(&run->path);
  ipfsa_free(roots.pins);
  if (status == IPFSA_OK && ret_root) *ret_root = run->last;
  ipfsa_free(run);
  return status;
}
