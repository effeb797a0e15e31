/* An add: what the walk (add_walk.c) brings is imported in order; folders are built on an explicit stack; events follow the commits. */
#include <ipfsa/add.h>

#include <errno.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "node/add_cuts.h"
#include "node/add_params.h"
#include "node/add_walk.h"
#include "node/files.h"
#include "unixfs/directory.h"
#include "unixfs/importer.h"

#define EVENTS_A_COMMIT 16384         /* so that neither events nor uncommitted blocks pile up … */
#define COMMIT_EVERY_NS 2000000000ull /* … and whoever waits sees something */
#define MAX_STEPS 8                   /* walked ahead; their rooms stay under 32 MiB */

typedef struct queued_event {
  char *name;
  ipfsa_add_event event;
} queued_event;

typedef struct event_list {
  queued_event *items;
  size_t n, cap;
} event_list;

typedef struct open_folder {
  ipfsa_dir_builder *builder;
  size_t path_len; /* of this folder in add_run.path */
  ipfsa_unixfs_meta meta;
} open_folder;

typedef struct root_list {
  ipfsa_pin *pins;
  size_t n, cap;
} root_list;

typedef struct add_run {
  ipfsa_node *node;
  ipfsa_add_options o;
  ipfsa_import_params params;
  ipfsa_ignore ignore;
  ipfsa_blockstore_writer *w; /* NULL: only hash */
  ipfsa_pool *pool;
  ipfsa_importer *importer;
  root_list roots;
  ipfsa_dir_builder *wrapper; /* NULL: none */
  event_list files, folders;
  uint64_t committed_ns; /* when */
  ipfsa_add_walk walk;
  ipfsa_add_step steps[MAX_STEPS];
  size_t n_steps;
  open_folder stack[IPFSA_MAX_ADD_DEPTH];
  size_t depth;
  ipfsa_buf path; /* name of the entry at hand, from the argument's base name on */
  ipfsa_progress at;
  uint64_t before; /* bytes of finished files */
  bool reads_stdin;
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
  run->committed_ns = ipfsa_clock_monotonic_ns();
  return status;
}

/* The folders of an argument that is done stand before what the next one brings; below a wrapping folder all stand at the end. */
static ipfsa_status close_argument(add_run *run, ipfsa_error *err) {
  event_list *files = &run->files, *folders = &run->folders;
  if (run->wrapper || run->depth || folders->n == 0) return IPFSA_OK;
  if (!ipfsa_grow((void **)&files->items, &files->cap, files->n + folders->n, sizeof *files->items)) return ipfsa_fail_nomem(err);
  memcpy(files->items + files->n, folders->items, folders->n * sizeof *folders->items);
  files->n += folders->n;
  folders->n = 0;
  return IPFSA_OK;
}

static ipfsa_status tell_if_many(add_run *run, ipfsa_error *err) {
  bool many = run->files.n >= EVENTS_A_COMMIT;
  if (!many && run->files.n % 256 == 0) many = ipfsa_clock_monotonic_ns() - run->committed_ns > COMMIT_EVERY_NS;
  return many && run->files.n ? tell_events(run, &run->files, err) : IPFSA_OK;
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

/* A file that is given must be a checkpoint; in folders, what is none is cut into chunks of that size. */
static ipfsa_status find_cuts(add_run *run, ipfsa_source *source, const char *name, ipfsa_cuts *cuts, bool *ret_known, ipfsa_error *err) {
  ipfsa_error why = {0};
  cuts->size = run->params.chunker.size;
  ipfsa_status status = ipfsa_add_cuts(source, name, cuts, ret_known, &why);
  if (status) *err = why;
  if (status || *ret_known || run->depth) return status;
  *err = why;
  return ipfsa_error_prefix(err, IPFSA_E_INVALID, "--chunker=tensor cuts checkpoints, and this is none; another chunker takes it");
}

static ipfsa_status import_fd(add_run *run, int fd, const char *name, const char *abs_path, const ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret,
                              ipfsa_error *err) {
  ipfsa_source *source = NULL;
  struct stat st, after;
  ipfsa_status status = ipfsa_fs_fstat(fd, &st, err);
  if (status == IPFSA_OK) status = ipfsa_source_open_fd(fd, false, name, &source, err);
  if (status) return status;
  if (!run->reads_stdin) source->map_fd = fd; /* opened here, so that a lease on it is ours to take */
  IPFSA_AUTO(ipfsa_cuts_release) ipfsa_cuts cuts = {0};
  bool known = false;
  if (run->params.chunker.kind == IPFSA_CHUNKER_TENSOR) status = find_cuts(run, source, name, &cuts, &known, err);
  ipfsa_external at = {abs_path, 0, (uint64_t)st.st_size, ns_of(st.st_mtim), ns_of(st.st_ctim), st.st_ino, st.st_dev};
  if (status == IPFSA_OK)
    status = ipfsa_importer_file(run->importer, source, meta, abs_path && run->w ? &at : NULL, known ? &cuts : NULL, on_progress, run, ret, err);
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

/* By itself: what is large, or could not be read in a batch. */
static ipfsa_status import_file(add_run *run, const ipfsa_add_item *item, bool follow, ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret, ipfsa_error *err) {
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(item->dirfd, item->path, O_RDONLY | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW), 0, err);
  if (fd < 0) return err->status;
  struct stat st;
  const char *name = ipfsa_buf_cstr(&run->path);
  ipfsa_status status = ipfsa_fs_fstat(fd, &st, err);
  if (status) return status;
  if (!S_ISREG(st.st_mode)) return ipfsa_fail(err, IPFSA_E_CHANGED, "%s was a file when its folder was listed and is none now", name);
  *meta = meta_of(run, &st, false);
  if (!run->o.nocopy) return import_fd(run, fd, name, NULL, meta, ret, err);
  char link[64];
  IPFSA_AUTO_FREE char *abs_path = NULL;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  size_t len = 0;
  status = ipfsa_fs_readlink(AT_FDCWD, link, &abs_path, &len, err);
  return status ? status : import_fd(run, fd, name, abs_path, meta, ret, err);
}

/* One of a batch that was read, hashed and stored already. */
static ipfsa_status finish_file(add_run *run, ipfsa_import_batch *batch, size_t i, ipfsa_dag_ref *ret, ipfsa_error *err) {
  ipfsa_status status = ipfsa_import_batch_build(batch, i, ret, err);
  if (status) return status;
  run->before += ret->filesize;
  run->at.done_items++;
  return on_progress(run, &(ipfsa_progress){0}) != 0 ? ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled") : IPFSA_OK;
}

static ipfsa_status import_link(add_run *run, const ipfsa_add_item *item, ipfsa_unixfs_meta *meta, ipfsa_dag_ref *ret, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *target = NULL;
  size_t len = 0;
  struct stat st = {0};
  ipfsa_status status = run->o.preserve_mtime ? ipfsa_fs_stat(item->dirfd, item->path, &st, err) : IPFSA_OK;
  if (status == IPFSA_OK) status = ipfsa_fs_readlink(item->dirfd, item->path, &target, &len, err);
  *meta = meta_of(run, &st, true);
  return status ? status : ipfsa_import_symlink(&run->params, run->w, ipfsa_bytes_of(target, len), meta, ret, err);
}

/* ---- what the walk brings ---- */

static ipfsa_status add_root(add_run *run, const char *name, const ipfsa_dag_ref *ref, ipfsa_error *err);

static void enter_name(add_run *run, const char *name) {
  run->path.len = run->depth ? run->stack[run->depth - 1].path_len : 0;
  if (run->path.len) ipfsa_buf_u8(&run->path, '/');
  ipfsa_buf_str(&run->path, name);
}

/* A finished entry goes into the folder it lies in; without one it is an argument. */
static ipfsa_status place(add_run *run, const char *name, const ipfsa_dag_ref *ref, ipfsa_error *err) {
  if (run->depth == 0) return add_root(run, name, ref, err);
  return ipfsa_dir_builder_add(run->stack[run->depth - 1].builder, ipfsa_bytes_str(name), &ref->cid, ref->tsize, err);
}

static ipfsa_status take_file(add_run *run, const ipfsa_add_step *step, const ipfsa_add_item *item, ipfsa_error *err) {
  const ipfsa_batch_file *f = item->in_batch == SIZE_MAX ? NULL : ipfsa_import_batch_file(step->batch, item->in_batch);
  bool follow = item->dirfd == AT_FDCWD ? run->walk.follow_args : run->o.dereference_symlinks;
  ipfsa_unixfs_meta meta = {0};
  ipfsa_dag_ref ref;
  ipfsa_status status;
  enter_name(run, item->name);
  if (item->kind == IPFSA_ADD_LINK) status = import_link(run, item, &meta, &ref, err);
  else if (f && f->is_read) meta = f->meta, status = finish_file(run, step->batch, item->in_batch, &ref, err);
  else status = import_file(run, item, follow, &meta, &ref, err);
  if (status == IPFSA_OK) status = queue_event(&run->files, ipfsa_buf_bytes(&run->path), &ref, &meta, err);
  if (status == IPFSA_OK) status = tell_if_many(run, err);
  return status ? status : place(run, item->name, &ref, err);
}

static ipfsa_status open_folder_of(add_run *run, const ipfsa_add_item *item, ipfsa_error *err) {
  enter_name(run, item->name);
  open_folder *f = &run->stack[run->depth++];
  *f = (open_folder){.path_len = run->path.len, .meta = meta_of(run, ipfsa_add_folder_stat(item->folder), false)};
  return ipfsa_dir_builder_new(&run->params, &f->meta, &f->builder, err);
}

static ipfsa_status close_folder(add_run *run, const ipfsa_add_item *item, ipfsa_error *err) {
  open_folder *f = &run->stack[run->depth - 1];
  bool skipped = run->o.skip_empty_dirs && ipfsa_add_folder_is_empty(item->folder) && run->depth > 1;
  ipfsa_dag_ref ref;
  run->path.len = f->path_len;
  ipfsa_status status = skipped ? IPFSA_OK : ipfsa_dir_builder_finish(f->builder, run->w, &ref, err);
  if (status == IPFSA_OK && !skipped) status = queue_event(&run->folders, ipfsa_buf_bytes(&run->path), &ref, &f->meta, err);
  ipfsa_dir_builder_free(f->builder);
  run->depth--;
  if (status == IPFSA_OK && !skipped) status = place(run, item->name, &ref, err);
  return status ? status : close_argument(run, err);
}

static ipfsa_status take_step(add_run *run, ipfsa_add_step *step, ipfsa_error *err) {
  ipfsa_import_batch_wait(step->batch);
  for (size_t i = 0; i < step->n; i++) {
    if (step->items[i].in_batch == SIZE_MAX) continue;
    ipfsa_batch_file *f = ipfsa_import_batch_file(step->batch, step->items[i].in_batch);
    if (f->is_read) f->meta = meta_of(run, &f->st, false);
  }
  ipfsa_status status = ipfsa_import_batch_store(step->batch, err);
  for (size_t i = 0; status == IPFSA_OK && i < step->n; i++) {
    const ipfsa_add_item *item = &step->items[i];
    if (ipfsa_node_is_cancelled(run->node)) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
    else if (item->kind == IPFSA_ADD_OPEN) status = open_folder_of(run, item, err);
    else if (item->kind == IPFSA_ADD_CLOSE) status = close_folder(run, item, err);
    else status = take_file(run, step, item, err);
  }
  if (status || step->status == IPFSA_OK) return status;
  *err = step->err;
  return step->status;
}

static ipfsa_status make_steps(add_run *run, ipfsa_error *err) {
  size_t want = run->pool ? ipfsa_pool_n_threads(run->pool) + 2 : 1, most = ipfsa_importer_is_large(run->importer) ? 4 : MAX_STEPS;
  ipfsa_status status = IPFSA_OK;
  while (status == IPFSA_OK && run->n_steps < want && run->n_steps < most) {
    status = ipfsa_import_batch_new(run->importer, &run->steps[run->n_steps].batch, err);
    if (status == IPFSA_OK) run->n_steps++;
  }
  return status;
}

/* A ring of steps: while one is dealt with here, workers read and hash the others. */
static ipfsa_status walk_all(add_run *run, ipfsa_error *err) {
  ipfsa_status status = make_steps(run, err);
  for (size_t i = 0; status == IPFSA_OK && i < run->n_steps; i++) {
    if (i == 0 || (run->steps[i - 1].n && run->steps[i - 1].status == IPFSA_OK)) ipfsa_add_walk_next(&run->walk, &run->steps[i]);
  }
  for (size_t at = 0; status == IPFSA_OK; at = (at + 1) % run->n_steps) {
    ipfsa_add_step *step = &run->steps[at];
    if (step->n == 0 && step->status == IPFSA_OK) break;
    status = take_step(run, step, err);
    if (status) break;
    ipfsa_add_walk_release(&run->walk, step);
    ipfsa_add_walk_next(&run->walk, step);
  }
  for (size_t i = 0; i < run->n_steps; i++) ipfsa_import_batch_free(run->steps[i].batch);
  ipfsa_add_walk_end(&run->walk);
  while (run->depth) ipfsa_dir_builder_free(run->stack[--run->depth].builder);
  return status;
}

/* ---- arguments ---- */

static int by_base(const void *a, const void *b) { return strcmp(((const ipfsa_add_argument *)a)->base, ((const ipfsa_add_argument *)b)->base); }

/* Base name of a path, also of ".", "..", "d/". */
static ipfsa_status find_base(ipfsa_add_argument *arg, bool follow, ipfsa_error *err) {
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

static ipfsa_status check_repeats(const ipfsa_add_argument *args, size_t n, ipfsa_error *err) {
  for (size_t i = 1; i < n; i++) {
    if (strcmp(args[i - 1].base, args[i].base) != 0 || strcmp(args[i - 1].full, args[i].full) == 0) continue;
    int a = (int)(args[i - 1].base - args[i - 1].full), b = (int)(args[i].base - args[i].full);
    return ipfsa_fail(err, IPFSA_E_INVALID, "file name %s repeated under different import directories: %.*s and %.*s", args[i].base,
                      a ? a - 1 : 0, args[i - 1].full, b ? b - 1 : 0, args[i].full);
  }
  return IPFSA_OK;
}

static ipfsa_status pin_later(add_run *run, const ipfsa_dag_ref *ref, ipfsa_error *err) {
  root_list *roots = &run->roots;
  if (!ipfsa_grow((void **)&roots->pins, &roots->cap, roots->n + 1, sizeof *roots->pins)) return ipfsa_fail_nomem(err);
  ipfsa_pin *pin = &roots->pins[roots->n++];
  *pin = (ipfsa_pin){.cid = ref->cid, .mode = IPFSA_PIN_RECURSIVE};
  snprintf(pin->name, sizeof pin->name, "%s", run->o.pin_name ? run->o.pin_name : "");
  return IPFSA_OK;
}

static ipfsa_status finish_root(add_run *run, const char *name, const ipfsa_dag_ref *ref, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  if (run->o.to_files && run->w) status = ipfsa_files_put_ref(run->node, run->w, run->o.to_files, name, ref, err);
  return status ? status : pin_later(run, ref, err);
}

static ipfsa_status add_root(add_run *run, const char *name, const ipfsa_dag_ref *ref, ipfsa_error *err) {
  if (run->wrapper) return ipfsa_dir_builder_add(run->wrapper, ipfsa_bytes_str(name), &ref->cid, ref->tsize, err);
  return finish_root(run, name, ref, err);
}

static ipfsa_status add_paths(add_run *run, const char *const *paths, size_t n, ipfsa_error *err) {
  ipfsa_add_argument *args = ipfsa_calloc(n, sizeof *args);
  if (!args) return ipfsa_fail_nomem(err);
  bool follow = run->o.dereference_args || run->o.dereference_symlinks;
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; status == IPFSA_OK && i < n; i++) {
    args[i].path = paths[i];
    status = find_base(&args[i], follow, err);
  }
  if (status == IPFSA_OK) qsort(args, n, sizeof *args, by_base);
  if (status == IPFSA_OK) status = check_repeats(args, n, err);
  run->walk = (ipfsa_add_walk){.o = &run->o, .ignore = &run->ignore, .args = args, .n_args = n, .follow_args = follow, .no_batches = run->o.nocopy || run->params.chunker.kind == IPFSA_CHUNKER_TENSOR};
  if (status == IPFSA_OK) status = walk_all(run, err);
  for (size_t i = 0; i < n; i++) ipfsa_free(args[i].full);
  ipfsa_free(args);
  return status;
}

static ipfsa_status add_stdin(add_run *run, int fd, ipfsa_error *err) {
  ipfsa_unixfs_meta meta = meta_of(run, NULL, false);
  ipfsa_dag_ref ref;
  char text[IPFSA_MAX_CID_TEXT];
  if (run->o.nocopy) return ipfsa_fail(err, IPFSA_E_INVALID, "--nocopy needs a file; standard input has no place of its own");
  if (run->params.chunker.kind == IPFSA_CHUNKER_TENSOR) return ipfsa_fail(err, IPFSA_E_INVALID, "--chunker=tensor needs a file: standard input is read once, from its start");
  run->reads_stdin = true;
  ipfsa_status status = import_fd(run, fd, "standard input", NULL, &meta, &ref, err);
  if (status) return status;
  ipfsa_cid_format(&ref.cid, text);
  const char *name = run->o.stdin_name && *run->o.stdin_name ? run->o.stdin_name : text;
  status = queue_event(&run->files, ipfsa_bytes_str(name), &ref, &meta, err);
  return status ? status : add_root(run, name, &ref, err);
}

static ipfsa_status add_all(add_run *run, const char *const *paths, size_t n_paths, int stdin_fd, ipfsa_error *err) {
  ipfsa_unixfs_meta meta = meta_of(run, NULL, false);
  ipfsa_status status = run->o.wrap ? ipfsa_dir_builder_new(&run->params, &meta, &run->wrapper, err) : IPFSA_OK;
  if (status == IPFSA_OK) status = n_paths ? add_paths(run, paths, n_paths, err) : add_stdin(run, stdin_fd, err);
  ipfsa_dag_ref ref;
  if (status || !run->wrapper) return status;
  status = ipfsa_dir_builder_finish(run->wrapper, run->w, &ref, err);
  if (status == IPFSA_OK) status = finish_root(run, "", &ref, err);
  return status ? status : queue_event(&run->folders, (ipfsa_bytes){0}, &ref, &meta, err);
}

static ipfsa_status start(add_run *run, const ipfsa_add_options *o, ipfsa_error *err) {
  if (o->pin_name && o->pin == IPFSA_OFF) return ipfsa_fail(err, IPFSA_E_INVALID, "pin-name option requires pin to be set");
  if (o->pin_name && strlen(o->pin_name) > IPFSA_MAX_PIN_NAME)
    return ipfsa_fail(err, IPFSA_E_LIMIT, "pin name is %zu bytes long, at most %d are taken", strlen(o->pin_name), IPFSA_MAX_PIN_NAME);
  if (o->to_files && o->to_files[0] != '/') return ipfsa_fail(err, IPFSA_E_INVALID, "to-files: paths must start with a leading slash");
  if (o->mtime_nsecs && !o->mtime) return ipfsa_fail(err, IPFSA_E_INVALID, "option \"mtime-nsecs\" requires \"mtime\" to be provided as well");
  if (o->mtime_nsecs > 999999999) return ipfsa_fail(err, IPFSA_E_INVALID, "mtime nanoseconds must be in range [1, 999999999]");
  if (o->nocopy && !ipfsa_config_bool(run->node->config, "filestore.enabled"))
    return ipfsa_fail(err, IPFSA_E_DENIED, "adding without a copy is not enabled: 'config --bool Experimental.FilestoreEnabled true' allows it");
  ipfsa_status status = ipfsa_add_params(run->node->config, o, &run->params, err);
  if (status == IPFSA_OK && o->ignore_rules_path) status = ipfsa_ignore_add_file(&run->ignore, o->ignore_rules_path, err);
  for (size_t i = 0; status == IPFSA_OK && i < o->n_ignore; i++) status = ipfsa_ignore_add(&run->ignore, o->ignore[i], strlen(o->ignore[i]), err);
  if (status == IPFSA_OK) status = ipfsa_node_pool(run->node, &run->pool, err);
  if (status == IPFSA_OK && !o->only_hash) status = ipfsa_blockstore_begin(run->node->bs, &run->w, err);
  if (status == IPFSA_OK) status = ipfsa_importer_new(&run->params, run->w, run->pool, &run->importer, err);
  run->committed_ns = ipfsa_clock_monotonic_ns();
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
  ipfsa_status status = start(run, &run->o, err);
  if (status == IPFSA_OK) status = add_all(run, paths, n_paths, stdin_fd, err);
  bool pin = run->w && run->o.pin != IPFSA_OFF;
  if (status == IPFSA_OK && run->w) status = ipfsa_writer_commit(run->w, err); /* the data, then what refers to them */
  if (status == IPFSA_OK && pin && run->roots.n) status = ipfsa_pins_set(node->store, run->roots.pins, run->roots.n, err);
  if (status == IPFSA_OK) status = tell_events(run, &run->files, err);
  if (status == IPFSA_OK) status = tell_events(run, &run->folders, err);
  ipfsa_dir_builder_free(run->wrapper);
  ipfsa_importer_free(run->importer);
  ipfsa_writer_close(run->w);
  ipfsa_ignore_release(&run->ignore);
  drop_events(&run->files);
  drop_events(&run->folders);
  ipfsa_buf_release(&run->path);
  ipfsa_free(run->roots.pins);
  if (status == IPFSA_OK && ret_root) *ret_root = run->last;
  ipfsa_free(run);
  return status;
}
