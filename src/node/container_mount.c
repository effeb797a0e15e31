/* Content in containers: store and engine meet here.
 *
 * Who uses a tree is written down before the container is made, under its name and the engine's address. A container that is removed by others leaves
 * that behind; so do those who die half way. It is released when a look at the engine shows no container of ours with this CID in its label. Such a
 * look in another shell may come between writing it down and making the container: a lease keeps the tree meanwhile, and it is written again after. */
#include <fcntl.h>
#include <ipfsa/mount.h>
#include <string.h>

#include "container/container_inside.h"
#include "container/content.h"
#include "node/container_mount.h"
#include "node/materialised.h"
#include "node/path.h"

#define MAX_MOUNTS 100u /* of one container: each is a tree to be looked through */

typedef struct mount {
  char *source, *target; /* as the user wrote them */
  ipfsa_materialised_name cid;
  ipfsa_materialised *tree;
} mount;

typedef struct mounting {
  ipfsa_node *node;
  ipfsa_engine *engine;
  const ipfsa_mount_options *o;
  char user[512];
  ipfsa_lease *lease;
  mount *mounts;
  ipfsa_content *contents;
  size_t n;
} mounting;

/* --- "CID:/target[:ro]"; colons in the path before are its own --- */

static ipfsa_status parse_mount(const char *text, mount *ret, ipfsa_error *err) {
  size_t len = strlen(text);
  if (len > 3 && strcmp(text + len - 3, ":ro") == 0) len -= 3;
  else if (len > 3 && strcmp(text + len - 3, ":rw") == 0)
    return ipfsa_fail(err, IPFSA_E_DENIED, "mount \"%.200s\": content is shown read-only; leave the rw out", text);
  size_t at = len;
  while (at > 0 && !(text[at - 1] == ':' && at < len && text[at] == '/')) at--;
  if (at < 2) return ipfsa_fail(err, IPFSA_E_INVALID, "mount \"%.200s\": expected CID:/target[:ro] or /ipfs/CID/path:/target[:ro]", text);
  ret->source = ipfsa_strndup(text, at - 1);
  ret->target = ipfsa_strndup(text + at, len - at);
  return ret->source && ret->target ? IPFSA_OK : ipfsa_fail_nomem(err);
}

/* The lease comes first: from then on no gc takes the tree. */
static ipfsa_status make_mount(mounting *m, mount *one, ipfsa_error *err) {
  ipfsa_resolved at;
  ipfsa_cid v1;
  ipfsa_status status = ipfsa_node_resolve(m->node, one->source, &at, err);
  if (status) return ipfsa_error_prefix(err, status, "mount of %.200s", one->source);
  ipfsa_materialised_name_of(&at.cid, &v1, one->cid);
  status = ipfsa_lease_add(m->lease, &v1, err);
  ipfsa_materialise_options options = {.struct_size = sizeof options, .progress = m->o->progress, .progress_ctx = m->o->progress_ctx};
  if (status == IPFSA_OK) status = ipfsa_materialise(m->node, one->source, m->user, &options, &one->tree, err);
  if (status) return ipfsa_error_prefix(err, status, "mount of %.200s", one->source);
  if (m->o->told) m->o->told(m->o->told_ctx, one->tree, one->target);
  return IPFSA_OK;
}

static ipfsa_status make_mounts(mounting *m, ipfsa_error *err) {
  ipfsa_status status = ipfsa_lease_new(m->node->store, &m->lease, err);
  for (size_t i = 0; i < m->n && status == IPFSA_OK; i++) {
    mount *one = &m->mounts[i];
    status = make_mount(m, one, err);
    if (status == IPFSA_OK) m->contents[i] = (ipfsa_content){one->cid, one->tree->path, one->target};
  }
  return status;
}

/* --- releasing --- */

typedef struct cid_list {
  ipfsa_cid *items;
  size_t n, cap;
  bool full;
} cid_list;

static int note_shown(void *ctx, const char *text) {
  cid_list *list = ctx;
  ipfsa_cid cid;
  if (ipfsa_cid_parse(text, strlen(text), &cid, NULL) != IPFSA_OK) return 0;
  if (!ipfsa_grow((void **)&list->items, &list->cap, list->n + 1, sizeof *list->items)) return list->full = true, 1;
  list->items[list->n++] = cid;
  return 0;
}

static bool has_cid(const cid_list *list, const ipfsa_cid *cid) {
  for (size_t i = 0; i < list->n; i++)
    if (ipfsa_multihash_equal(&list->items[i].mh, &cid->mh)) return true;
  return false;
}

typedef struct unused_scan {
  const cid_list *shown;
  const char *only_user; /* NULL: all users at this engine */
  char engine[300];      /* " at ADDRESS" */
  struct unused { ipfsa_cid cid; char *user; } *items;
  size_t n, cap;
  bool full;
} unused_scan;

static bool is_at(const unused_scan *scan, const char *user) {
  size_t len = strlen(user), tail = strlen(scan->engine);
  if (scan->only_user) return strcmp(user, scan->only_user) == 0;
  return strncmp(user, "container ", 10) == 0 && len > tail && strcmp(user + len - tail, scan->engine) == 0;
}

static int note_unused(void *ctx, const ipfsa_cid *cid, const char *user) {
  unused_scan *scan = ctx;
  if (!is_at(scan, user) || has_cid(scan->shown, cid)) return 0;
  char *copy = ipfsa_strdup(user);
  if (!copy || !ipfsa_grow((void **)&scan->items, &scan->cap, scan->n + 1, sizeof *scan->items)) return ipfsa_free(copy), scan->full = true, 1;
  scan->items[scan->n++] = (struct unused){*cid, copy};
  return 0;
}

static void user_at(ipfsa_engine *engine, const char *name, char *ret, size_t room) {
  snprintf(ret, room, "%s%s at %s", *name ? "container " : "", name, ipfsa_engine_address_text(engine));
}

ipfsa_status ipfsa_mounts_forget(ipfsa_node *node, ipfsa_engine *engine, const char *container, ipfsa_error *err) {
  char user[512];
  user_at(engine, container, user, sizeof user);
  return ipfsa_materialise_release(node, NULL, user, NULL, err);
}

static ipfsa_status release_unused(ipfsa_node *node, ipfsa_engine *engine, const char *only_user, size_t *ret_n, ipfsa_error *err) {
  cid_list shown = {0};
  unused_scan scan = {.shown = &shown, .only_user = only_user};
  user_at(engine, "", scan.engine, sizeof scan.engine);
  ipfsa_status status = ipfsa_container_each_content(engine, note_shown, &shown, err);
  if (shown.full) status = ipfsa_fail_nomem(err);
  if (status == IPFSA_OK) status = ipfsa_materialise_uses(node, note_unused, &scan, err);
  if (scan.full) status = ipfsa_fail_nomem(err);
  for (size_t i = 0; i < scan.n; i++) {
    if (status == IPFSA_OK) status = ipfsa_materialise_release(node, &scan.items[i].cid, scan.items[i].user, NULL, err);
    ipfsa_free(scan.items[i].user);
  }
  ipfsa_free(scan.items);
  ipfsa_free(shown.items);
  if (status == IPFSA_OK && ret_n) *ret_n = scan.n;
  return status;
}

/* Most repos have never mounted anything: that is seen without opening them. */
static bool has_mounts(const char *repo_path) {
  struct stat st;
  IPFSA_AUTO_BUF ipfsa_buf path = {0};
  ipfsa_buf_printf(&path, "%s/" IPFSA_MATERIALISED_DIR, repo_path);
  return ipfsa_buf_status(&path, NULL) == IPFSA_OK && ipfsa_fs_stat(AT_FDCWD, ipfsa_buf_cstr(&path), &st, NULL) == IPFSA_OK;
}

ipfsa_status ipfsa_mounts_release_unused(ipfsa_engine *engine, const char *repo_path, size_t *ret_n, ipfsa_error *err) {
  char *found = NULL;
  ipfsa_status status = repo_path && *repo_path ? IPFSA_OK : ipfsa_repo_default_path(&found, err);
  const char *path = found ? found : repo_path;
  ipfsa_node *node = NULL;
  size_t n = 0;
  bool any = status == IPFSA_OK && has_mounts(path);
  if (any) status = ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = path}, &node, NULL, err);
  if (any && status == IPFSA_OK) status = release_unused(node, engine, NULL, &n, err);
  ipfsa_node_close(node);
  ipfsa_free(found);
  if (status == IPFSA_OK && ret_n) *ret_n = n;
  return status;
}

/* --- starting --- */

static void finish(mounting *m) {
  for (size_t i = 0; i < m->n; i++) {
    ipfsa_free(m->mounts[i].source);
    ipfsa_free(m->mounts[i].target);
    ipfsa_materialised_free(m->mounts[i].tree);
  }
  ipfsa_free(m->mounts);
  ipfsa_free(m->contents);
  ipfsa_lease_free(m->lease);
}

static ipfsa_status prepare(mounting *m, const char *name, ipfsa_error *err) {
  ipfsa_texts texts = m->o->mounts;
  if (!ipfsa_engine_is_local(m->engine))
    return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "content can be mounted where the engine is on this machine; give this one a volume, or run the program there");
  if (texts.n > MAX_MOUNTS) return ipfsa_fail(err, IPFSA_E_LIMIT, "over %u mounts of one container", MAX_MOUNTS);
  user_at(m->engine, name, m->user, sizeof m->user);
  m->mounts = ipfsa_calloc(texts.n + 1, sizeof *m->mounts);
  m->contents = ipfsa_calloc(texts.n + 1, sizeof *m->contents);
  if (!m->mounts || !m->contents) return ipfsa_fail_nomem(err);
  m->n = texts.n;
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < m->n && status == IPFSA_OK; i++) status = parse_mount(texts.items[i], &m->mounts[i], err);
  return status;
}

ipfsa_status ipfsa_container_start_mounted(ipfsa_node *node, ipfsa_engine *engine, const char *name, const char *image, const ipfsa_mount_options *mounts,
                                           const ipfsa_container_start_options *options, ipfsa_container **ret, bool *ret_changed, ipfsa_error *err) {
  ipfsa_mount_options o = IPFSA_OPTIONS(ipfsa_mount_options, mounts);
  mounting m = {.node = node, .engine = engine, .o = &o};
  if (!image) return ipfsa_fail(err, IPFSA_E_INVALID, "container %.128s: a mount is part of how it is made, so name the image as well", name);
  ipfsa_status status = prepare(&m, name, err);
  bool begun = status == IPFSA_OK;
  if (status == IPFSA_OK) status = make_mounts(&m, err);
  ipfsa_container *container = NULL;
  bool changed = false, made = false;
  if (status == IPFSA_OK) status = ipfsa_container_start_with(engine, name, image, options, m.contents, m.n, &container, &changed, &made, err);
  for (size_t i = 0; i < m.n && status == IPFSA_OK; i++) status = ipfsa_use_set(node, &m.mounts[i].tree->cid, m.user, err);
  /* That its files are kept could not be written down. */
  if (status && made) (void)ipfsa_container_delete(engine, name, true, true, NULL);
  else if (status && changed) (void)!ipfsa_container_stop(engine, name, -1, NULL, NULL);
  if (status && begun) (void)release_unused(node, engine, m.user, NULL, NULL); /* it failed for another reason, which is told */
  finish(&m);
  if (status) {
    ipfsa_container_free(container);
    return status;
  }
  if (ret_changed) *ret_changed = changed;
  if (ret) *ret = container;
  else ipfsa_container_free(container);
  return IPFSA_OK;
}
