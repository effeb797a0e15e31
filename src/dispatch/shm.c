/* shm: descriptors of the model's files to a process of this machine that listens at a unix socket. The files are a tree of the repo's own, whose bytes
 * were verified; an open descriptor keeps its file whatever gc does with the tree, and every receiver maps the same pages. They are open for reading and
 * read-only by their mode: only their owner and root, who may as well write into the repo, can change them. Where that is not enough, files are sealed
 * memory instead, made anew for each hand-over. A receiver that said it can be asked is asked first whether it still holds this content: then nothing is made
 * and nothing is handed over. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/json.h"
#include "dispatch/driver.h"
#include "dispatch/hand_over.h"
#include "dispatch/sealed.h"

static bool is_cancelled(void *ctx) {
  ipfsa_delivery *d = ctx;
  return d->calls->tell(d->ctx, UINT64_MAX, 0) != 0;
}

#define FULL_MS 50 /* until a full queue of a receiver is tried again */

static ipfsa_status nobody(const ipfsa_delivery *d, int code, ipfsa_error *err) {
  return ipfsa_fail_errno(err, code, "nobody receives at %.200s; start the program that is to take the model", d->endpoint->socket);
}

typedef struct receiver {
  struct sockaddr_un at;
  char socket[80]; /* which one it is: a receiver that starts makes a new one */
  bool asks;       /* the one at this socket said that it can be asked what it holds */
} receiver;

static ipfsa_status find_socket(const ipfsa_delivery *d, receiver *ret, ipfsa_error *err) {
  struct stat st;
  ipfsa_status status = ipfsa_hand_over_address(d->endpoint->socket, &ret->at, err);
  if (status) return ipfsa_error_prefix(err, status, "endpoints.%.100s.socket", d->endpoint->name);
  status = ipfsa_fs_stat(AT_FDCWD, d->endpoint->socket, &st, err);
  if (status == IPFSA_E_NOT_FOUND) return nobody(d, ENOENT, err);
  if (status) return status;
  if (!S_ISSOCK(st.st_mode)) return nobody(d, ENOTSOCK, err);
  snprintf(ret->socket, sizeof ret->socket, "%llx %llx %lld.%09ld", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
  return IPFSA_OK;
}

/* Marks are of the socket, whatever model: what can be asked is asked about all. */
static ipfsa_status recall_receiver(const ipfsa_delivery *d, receiver *r, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *last = NULL;
  ipfsa_status status = d->calls->recall(d->ctx, d->endpoint->socket, "", &last, err);
  if (status == IPFSA_OK) r->asks = strcmp(last, r->socket) == 0;
  return status;
}

/* Only saves work the next time, so a model that is there is not said to have failed for it. */
static void remember_receiver(const ipfsa_delivery *d, const receiver *r) {
  (void)d->calls->remember(d->ctx, d->endpoint->socket, "", r->socket, NULL);
}

static ipfsa_status open_socket(ipfsa_delivery *d, const struct sockaddr_un *to, ipfsa_hand_over *h, ipfsa_error *err) {
  h->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (h->fd < 0) return ipfsa_fail_errno(err, errno, "a unix socket");
  while (connect(h->fd, (const struct sockaddr *)to, sizeof *to) != 0) {
    if (errno != EAGAIN && errno != EINTR) return nobody(d, errno, err);
    if (ipfsa_clock_monotonic_ns() >= h->deadline) return ipfsa_fail(err, IPFSA_E_TIMEOUT, "the receiver at %.200s takes nothing", d->endpoint->socket);
    nanosleep(&(struct timespec){0, FULL_MS * 1000000}, NULL);
    if (is_cancelled(d)) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  return IPFSA_OK;
}

static bool is_sealed(const ipfsa_delivery *d) { return strcmp(d->endpoint->sealed, "true") == 0; }

static json_t *describe(const ipfsa_delivery *d) {
  IPFSA_AUTO_JSON_DROP json_t *files = json_array();
  for (size_t i = 0; files && i < d->n_files; i++)
    if (json_array_append_new(files, json_pack("{s:s, s:I}", "name", d->files[i].path, "size", (json_int_t)d->files[i].size))) return NULL;
  return json_pack("{s:i, s:s, s:s, s:b, s:O}", "version", 1, "cid", d->cid, "model", d->model, "folder", d->is_folder ? 1 : 0, "files", files);
}

static ipfsa_status put_head(const ipfsa_hand_over *h, const json_t *head, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  ipfsa_json_put(&text, head, JSON_COMPACT);
  ipfsa_status status = ipfsa_buf_status(&text, err);
  if (status == IPFSA_OK) status = ipfsa_hand_over_put(h, IPFSA_HAND_OVER_MAGIC, strlen(IPFSA_HAND_OVER_MAGIC), err);
  return status ? status : ipfsa_hand_over_put_text(h, ipfsa_buf_cstr(&text), text.len, err);
}

static ipfsa_status put_file(const ipfsa_delivery *d, const ipfsa_hand_over *h, const ipfsa_model_file *file, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf path = {0};
  ipfsa_buf_str(&path, d->placed.path);
  if (d->is_folder) ipfsa_buf_printf(&path, "/%s", file->path);
  ipfsa_status status = ipfsa_buf_status(&path, err);
  if (status) return status;
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(AT_FDCWD, ipfsa_buf_cstr(&path), O_RDONLY | O_NOFOLLOW, 0, err);
  return fd < 0 ? err->status : ipfsa_hand_over_put_fd(h, fd, err);
}

static ipfsa_status put_sealed(ipfsa_delivery *d, const ipfsa_hand_over *h, const int *fds, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < d->n_files && status == IPFSA_OK; i++) status = ipfsa_hand_over_put_fd(h, fds[i], err);
  return status;
}

static ipfsa_status get_answer(const ipfsa_hand_over *h, json_t **ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  ipfsa_status status = ipfsa_hand_over_get_text(h, &text, err);
  return status ? status : ipfsa_json_load(ipfsa_buf_bytes(&text), "the receiver's answer", ret, err);
}

static ipfsa_status take_answer(const ipfsa_hand_over *h, bool *ret_asks, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *answer = NULL;
  ipfsa_status status = get_answer(h, &answer, err);
  if (status) return status;
  *ret_asks = json_is_true(json_object_get(answer, "asks"));
  if (json_is_true(json_object_get(answer, "ready"))) return IPFSA_OK;
  IPFSA_AUTO_BUF ipfsa_buf words = {0};
  ipfsa_server_quote(NULL, ipfsa_server_words(answer), &words);
  return ipfsa_fail(err, IPFSA_E_INVALID, "the receiver does not take it%s", ipfsa_buf_cstr(&words));
}

/* fds: of sealed memory; NULL: the files are in the placed tree. */
static ipfsa_status hand_over(ipfsa_delivery *d, const ipfsa_hand_over *h, const int *fds, bool *ret_asks, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *head = describe(d);
  ipfsa_status status = put_head(h, head, err);
  if (fds && status == IPFSA_OK) status = put_sealed(d, h, fds, err);
  for (size_t i = 0; i < d->n_files && !fds && status == IPFSA_OK; i++) status = put_file(d, h, &d->files[i], err);
  uint64_t before = ipfsa_clock_monotonic_ns();
  ipfsa_error gone = {0};
  ipfsa_status answered = status == IPFSA_OK || status == IPFSA_E_IO ? take_answer(h, ret_asks, status ? &gone : err) : status; /* who hangs up early may have said why */
  d->health_ns = ipfsa_clock_monotonic_ns() - before;
  if (status && gone.status == IPFSA_E_INVALID) return *err = gone, gone.status;
  return status ? status : answered;
}

static ipfsa_hand_over connection(ipfsa_delivery *d) {
  return (ipfsa_hand_over){.fd = -1, .deadline = ipfsa_clock_monotonic_ns() + d->timeout_ms * 1000000, .cancelled = is_cancelled, .cancelled_ctx = d};
}

/* The receiver's time to answer begins when all is there to be handed over. */
static ipfsa_status connect_and_hand_over(ipfsa_delivery *d, const receiver *r, const int *fds, ipfsa_error *err) {
  ipfsa_hand_over h = connection(d);
  bool asks = false;
  ipfsa_status status = open_socket(d, &r->at, &h, err);
  if (status == IPFSA_OK) status = hand_over(d, &h, fds, &asks, err);
  ipfsa_fs_close(&h.fd);
  if (status == IPFSA_OK && asks && !r->asks) remember_receiver(d, r);
  return status;
}

/* Nothing comes after the question: one who does not know it sees its end instead of waiting for descriptors. */
static ipfsa_status put_question(const ipfsa_delivery *d, const ipfsa_hand_over *h, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *head = describe(d);
  if (!head || json_object_set_new(head, "ask", json_true()) || json_object_set_new(head, "sealed", json_boolean(is_sealed(d)))) return ipfsa_fail_nomem(err);
  ipfsa_status status = put_head(h, head, err);
  if (status == IPFSA_OK && shutdown(h->fd, SHUT_WR) != 0) status = ipfsa_fail_errno(err, errno, "hand-over: the other end went away");
  return status;
}

/* Does the receiver hold this very content, and has it taken it once more? What goes wrong here is found again by who hands it over, or is none of it. */
static ipfsa_status ask(ipfsa_delivery *d, const receiver *r, bool *ret, ipfsa_error *err) {
  ipfsa_hand_over h = connection(d);
  IPFSA_AUTO_JSON_DROP json_t *answer = NULL;
  ipfsa_error why = {0};
  ipfsa_status status = open_socket(d, &r->at, &h, &why);
  if (status == IPFSA_OK) status = put_question(d, &h, &why);
  uint64_t before = ipfsa_clock_monotonic_ns();
  if (status == IPFSA_OK) status = get_answer(&h, &answer, &why);
  d->health_ns = ipfsa_clock_monotonic_ns() - before;
  ipfsa_fs_close(&h.fd);
  *ret = status == IPFSA_OK && json_is_true(json_object_get(answer, "ready"));
  if (status != IPFSA_E_TIMEOUT && status != IPFSA_E_CANCELLED && status != IPFSA_E_NOMEM) return IPFSA_OK;
  *err = why;
  return status;
}

static ipfsa_status make_sealed(ipfsa_delivery *d, int *fds, size_t *n, ipfsa_error *err) {
  uint64_t available = 0, total = 0;
  ipfsa_status status = ipfsa_fs_available_memory(&available, err);
  if (status == IPFSA_OK) status = ipfsa_sealed_check(d, available, err);
  for (size_t i = 0; i < d->n_files; i++) total += d->files[i].size;
  for (; *n < d->n_files && status == IPFSA_OK; *n += status == IPFSA_OK) status = ipfsa_sealed_make(d, &d->files[*n], &d->bytes, total, &fds[*n], err);
  d->transferred = true;
  d->way = "sealed";
  return status;
}

static ipfsa_status bring_sealed(ipfsa_delivery *d, const receiver *r, ipfsa_error *err) {
  size_t n = 0;
  IPFSA_AUTO_FREE int *fds = ipfsa_calloc(d->n_files + 1, sizeof *fds);
  if (!fds) return ipfsa_fail_nomem(err);
  ipfsa_status status = make_sealed(d, fds, &n, err);
  if (status == IPFSA_OK) status = connect_and_hand_over(d, r, fds, err);
  while (n) ipfsa_fs_close(&fds[--n]);
  return status;
}

static ipfsa_status bring_files(ipfsa_delivery *d, const receiver *r, ipfsa_error *err) {
  ipfsa_status status = ipfsa_delivery_publish(d, IPFSA_PLACE_HELD, err);
  return status ? status : connect_and_hand_over(d, r, NULL, err);
}

static ipfsa_status bring(ipfsa_delivery *d, ipfsa_error *err) {
  if (d->n_files > IPFSA_MAX_HAND_OVER_FILES) return ipfsa_fail(err, IPFSA_E_LIMIT, "%zu files; at most %u are handed over", d->n_files, IPFSA_MAX_HAND_OVER_FILES);
  receiver r = {0};
  bool held = false;
  ipfsa_status status = find_socket(d, &r, err); /* before anything is made for nobody */
  if (status == IPFSA_OK) status = recall_receiver(d, &r, err);
  if (status == IPFSA_OK && r.asks) status = ask(d, &r, &held, err);
  if (status == IPFSA_OK && !held) status = is_sealed(d) ? bring_sealed(d, &r, err) : bring_files(d, &r, err);
  if (status) return status;
  ipfsa_free(d->placed.path);
  d->placed.path = ipfsa_strdup(d->endpoint->socket);
  return d->placed.path ? IPFSA_OK : ipfsa_fail_nomem(err);
}

const ipfsa_driver ipfsa_driver_shm = {.kind = "shm", .needs_socket = true, .bring = bring};
