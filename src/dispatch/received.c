/* What was taken: descriptors as files of a checkpoint that is opened over them, and the list of it, out of which the same content is had once more. */
#include "dispatch/received.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"
#include "base/map.h"
#include "checkpoint/checkpoint.h"

/* ---- a file of it ---- */

typedef struct handed {
  ipfsa_source base;
  const ipfsa_received_file *file; /* of the box, which outlives the checkpoint */
  uint8_t *map;
} handed;

static size_t pages(const ipfsa_received_file *file) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  return (size_t)((file->size + page - 1) / page * page);
}

static ipfsa_status read_handed(ipfsa_source *self, void *data, size_t len, uint64_t off, ipfsa_error *err) {
  const ipfsa_received_file *file = ((handed *)self)->file;
  size_t n = 0;
  ipfsa_status status = ipfsa_fs_read_at(file->fd, data, len, off, &n, err);
  return status == IPFSA_OK && n < len ? ipfsa_fail(err, IPFSA_E_CHANGED, "%.200s was cut short", file->name) : status;
}

/* One mapping a file, from the first view on; its pages come when they are touched. */
static ipfsa_status view_handed(ipfsa_source *self, uint64_t off, uint64_t len, const void **ret, uint64_t *ret_mapped, ipfsa_error *err) {
  handed *h = (handed *)self;
  uint8_t *room = !h->map && h->file->size ? ipfsa_fs_reserve(pages(h->file)) : NULL;
  if (room && ipfsa_fs_map_at(h->file->fd, 0, room, pages(h->file))) h->map = room;
  else if (room) ipfsa_fs_unmap(room, pages(h->file));
  if (!h->map && h->file->size) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "%.200s cannot be mapped here; read its tensors instead", h->file->name);
  *ret = h->map ? (const void *)(h->map + off) : "";
  *ret_mapped = len;
  return IPFSA_OK;
}

static ipfsa_status check_handed(ipfsa_source *self, ipfsa_error *err) {
  const ipfsa_received_file *file = ((handed *)self)->file;
  struct stat st;
  ipfsa_status status = ipfsa_fs_fstat(file->fd, &st, err);
  return status == IPFSA_OK && (uint64_t)st.st_size != file->size ? ipfsa_fail(err, IPFSA_E_CHANGED, "%.200s changed", file->name) : status;
}

static void close_handed(ipfsa_source *self) {
  handed *h = (handed *)self;
  if (h->map) ipfsa_fs_unmap(h->map, pages(h->file));
  ipfsa_free(h);
}

static ipfsa_status open_handed(const ipfsa_received_file *file, ipfsa_source **ret, ipfsa_error *err) {
  handed *h = ipfsa_calloc(1, sizeof *h);
  if (!h) return ipfsa_fail_nomem(err);
  h->base = (ipfsa_source){.read_at = read_handed, .check = check_handed, .view = view_handed, .close = close_handed, .size_hint = file->size, .map_fd = -1};
  h->file = file;
  *ret = &h->base;
  return IPFSA_OK;
}

/* ---- the checkpoint ---- */

typedef struct handed_place {
  ipfsa_checkpoint_place base;
  const ipfsa_received_box *box;
} handed_place;

static ipfsa_status open_named(ipfsa_checkpoint_place *self, const char *name, ipfsa_source **ret, ipfsa_error *err) {
  const ipfsa_received_box *box = ((handed_place *)self)->box;
  for (size_t i = 0; i < box->n_files; i++)
    if (strcmp(box->files[i].name, name) == 0) return open_handed(&box->files[i], ret, err);
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "no file %.200s was handed over", name);
}

static ipfsa_status list_names(ipfsa_checkpoint_place *self, ipfsa_checkpoint_name_cb cb, void *ctx, ipfsa_error *err) {
  const ipfsa_received_box *box = ((handed_place *)self)->box;
  (void)err;
  for (size_t i = 0; i < box->n_files; i++)
    if (!strchr(box->files[i].name, '/') && !cb(ctx, box->files[i].name)) break;
  return IPFSA_OK;
}

ipfsa_status ipfsa_received_open(ipfsa_received_box *box, ipfsa_error *err) {
  handed_place place = {{open_named, list_names}, box};
  ipfsa_source *source = NULL;
  if (box->is_folder) return ipfsa_checkpoint_load(&place.base, NULL, &box->view.checkpoint, err);
  ipfsa_status status = open_handed(&box->files[0], &source, err);
  return status ? status : ipfsa_checkpoint_load_file(source, box->files[0].name, &box->view.checkpoint, err);
}

/* ---- what of it is still held ---- */

struct ipfsa_received_list {
  pthread_mutex_t lock; /* over all below */
  ipfsa_received_box *first;
  size_t n_users; /* the receiver, and each box in the list */
};

ipfsa_received_list *ipfsa_received_list_new(void) {
  ipfsa_received_list *list = ipfsa_calloc(1, sizeof *list);
  if (!list) return NULL;
  pthread_mutex_init(&list->lock, NULL);
  list->n_users = 1;
  return list;
}

/* With the lock, which it gives back. */
static void leave(ipfsa_received_list *list) {
  bool is_last = --list->n_users == 0;
  pthread_mutex_unlock(&list->lock);
  if (!is_last) return;
  pthread_mutex_destroy(&list->lock);
  ipfsa_free(list);
}

void ipfsa_received_list_unref(ipfsa_received_list *list) {
  if (!list) return;
  pthread_mutex_lock(&list->lock);
  leave(list);
}

void ipfsa_received_list_add(ipfsa_received_list *list, ipfsa_received_box *box) {
  pthread_mutex_lock(&list->lock);
  box->list = list, box->next = list->first, list->first = box;
  list->n_users++;
  pthread_mutex_unlock(&list->lock);
}

static void take_out(ipfsa_received_box *box) {
  ipfsa_received_list *list = box->list;
  if (!list) return;
  pthread_mutex_lock(&list->lock);
  ipfsa_received_box **at = &list->first;
  while (*at != box) at = &(*at)->next;
  *at = box->next;
  leave(list);
}

static bool is_untouched(const ipfsa_received_file *file, const struct timespec *changed) {
  struct stat st;
  return ipfsa_fs_fstat(file->fd, &st, NULL) == IPFSA_OK && (uint64_t)st.st_size == file->size && st.st_mtim.tv_sec == changed->tv_sec && st.st_mtim.tv_nsec == changed->tv_nsec;
}

/* All that a sender would hand over again. */
static bool is_same(const ipfsa_received_box *held, const ipfsa_received_box *wanted, bool must_be_sealed) {
  if (!ipfsa_cid_equal(&held->view.cid, &wanted->view.cid) || held->is_folder != wanted->is_folder || held->n_files != wanted->n_files) return false;
  for (size_t i = 0; i < held->n_files; i++) {
    const ipfsa_received_file *file = &held->files[i];
    if (file->size != wanted->files[i].size || strcmp(file->name, wanted->files[i].name) != 0) return false;
    if ((must_be_sealed && !file->is_sealed) || !is_untouched(file, &held->changed[i])) return false;
  }
  return true;
}

static ipfsa_status share(const ipfsa_received_box *held, ipfsa_received_box *box, ipfsa_error *err) {
  for (size_t i = 0; i < box->n_files; i++) {
    box->files[i].fd = ipfsa_fs_dup(held->files[i].fd, err);
    if (box->files[i].fd < 0) return err->status;
    box->files[i].is_sealed = held->files[i].is_sealed, box->changed[i] = held->changed[i];
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_received_share(ipfsa_received_list *list, ipfsa_received_box *box, bool must_be_sealed, bool *ret, ipfsa_error *err) {
  pthread_mutex_lock(&list->lock); /* until the descriptors are ours: their owner may close them then */
  const ipfsa_received_box *held = list->first;
  while (held && !is_same(held, box, must_be_sealed)) held = held->next;
  ipfsa_status status = held ? share(held, box, err) : IPFSA_OK;
  pthread_mutex_unlock(&list->lock);
  if (status == IPFSA_OK) *ret = held != NULL;
  return status;
}

void ipfsa_received_free(ipfsa_received *received) {
  ipfsa_received_box *box = (ipfsa_received_box *)received;
  if (!box) return;
  take_out(box);
  ipfsa_checkpoint_close(box->view.checkpoint);
  for (size_t i = 0; i < box->n_files; i++) {
    ipfsa_fs_close(&box->files[i].fd);
    ipfsa_free((char *)(uintptr_t)box->files[i].name);
  }
  ipfsa_free(box->files);
  ipfsa_free(box->changed);
  ipfsa_free(box->model);
  ipfsa_free(box);
}
