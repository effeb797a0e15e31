/* Receiving: who may come, what he says, what he is answered. */
#include <errno.h>
#include <fcntl.h>
#include <ipfsa/receive.h>
#include <poll.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "codec/json.h"
#include "dispatch/hand_over.h"
#include "dispatch/received.h"
#include "dispatch/sealed.h"
#include "dispatch/server.h"

#define SENDER_MS 10000  /* for a sender, from its coming to its last byte: it has nothing to wait for */
#define MAX_NAME 4096    /* bytes of a file's name with its folders; PATH_MAX */

struct ipfsa_receiver {
  int fd;
  struct sockaddr_un at;
  struct stat socket; /* ours: another's under the same name is left alone */
  ipfsa_received_list *held;
};

/* ---- what a sender says ---- */

static ipfsa_status take_file(ipfsa_received_box *box, const json_t *item, ipfsa_error *err) {
  const char *name = ipfsa_json_string(item, "name");
  const json_t *size = json_object_get(item, "size");
  if (!name || !*name || strlen(name) > MAX_NAME || !json_is_integer(size) || json_integer_value(size) < 0)
    return ipfsa_fail(err, IPFSA_E_MALFORMED, "hand-over: file %zu has no name or no size", box->n_files);
  char *copy = ipfsa_strdup(name);
  if (!copy) return ipfsa_fail_nomem(err);
  box->files[box->n_files++] = (ipfsa_received_file){copy, (uint64_t)json_integer_value(size), -1, false};
  return IPFSA_OK;
}

static ipfsa_status take_head(ipfsa_received_box *box, const json_t *head, ipfsa_error *err) {
  const char *cid = ipfsa_json_string(head, "cid"), *model = ipfsa_json_string(head, "model");
  const json_t *files = json_object_get(head, "files");
  size_t n = json_array_size(files);
  if (json_integer_value(json_object_get(head, "version")) != 1) return ipfsa_fail(err, IPFSA_E_VERSION, "hand-over: expected version 1; sender and receiver are of different versions");
  if (!cid || !model || ipfsa_cid_parse(cid, strlen(cid), &box->view.cid, NULL) != IPFSA_OK) return ipfsa_fail(err, IPFSA_E_MALFORMED, "hand-over: no CID or no name of the model");
  if (n == 0) return ipfsa_fail(err, IPFSA_E_MALFORMED, "hand-over: no files");
  if (n > IPFSA_MAX_HAND_OVER_FILES) return ipfsa_fail(err, IPFSA_E_LIMIT, "hand-over: %zu files; at most %u are taken", n, IPFSA_MAX_HAND_OVER_FILES);
  box->is_folder = json_is_true(json_object_get(head, "folder"));
  box->model = ipfsa_strdup(model);
  box->files = ipfsa_calloc(n, sizeof *box->files);
  box->changed = ipfsa_calloc(n, sizeof *box->changed);
  if (!box->model || !box->files || !box->changed) return ipfsa_fail_nomem(err);
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < n && status == IPFSA_OK; i++) status = take_file(box, json_array_get(files, i), err);
  return status;
}

/* What nobody here can write to by mistake. */
static bool is_for_reading(int fd) {
  int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) == O_RDONLY;
}

static ipfsa_status take_fds(const ipfsa_hand_over *h, ipfsa_received_box *box, ipfsa_error *err) {
  ipfsa_status status = IPFSA_OK;
  for (size_t i = 0; i < box->n_files && status == IPFSA_OK; i++) {
    ipfsa_received_file *file = &box->files[i];
    struct stat st;
    status = ipfsa_hand_over_get_fd(h, &file->fd, err);
    if (status == IPFSA_OK) status = ipfsa_fs_fstat(file->fd, &st, err);
    if (status == IPFSA_OK && (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != file->size))
      status = ipfsa_fail(err, IPFSA_E_MALFORMED, "hand-over: %.200s is no file of %llu bytes", file->name, (unsigned long long)file->size);
    if (status == IPFSA_OK && !is_for_reading(file->fd)) status = ipfsa_fail(err, IPFSA_E_MALFORMED, "hand-over: %.200s is open for more than reading", file->name);
    if (status == IPFSA_OK) file->is_sealed = ipfsa_sealed_is(file->fd), box->changed[i] = st.st_mtim;
  }
  return status;
}

static ipfsa_status get_head(const ipfsa_hand_over *h, json_t **ret, ipfsa_error *err) {
  char magic[sizeof IPFSA_HAND_OVER_MAGIC - 1];
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  ipfsa_status status = ipfsa_hand_over_get(h, magic, sizeof magic, err);
  if (status == IPFSA_OK && memcmp(magic, IPFSA_HAND_OVER_MAGIC, sizeof magic) != 0) status = ipfsa_fail(err, IPFSA_E_MALFORMED, "hand-over: who came is no sender of models");
  if (status == IPFSA_OK) status = ipfsa_hand_over_get_text(h, &text, err);
  return status ? status : ipfsa_json_load(ipfsa_buf_bytes(&text), "hand-over", ret, err);
}

/* *ret: it is there; false: he only asked whether it is. */
static ipfsa_status take_model(const ipfsa_receiver *r, const ipfsa_hand_over *h, ipfsa_received_box *box, bool *ret, ipfsa_error *err) {
  IPFSA_AUTO_JSON_DROP json_t *head = NULL;
  bool there = true;
  ipfsa_status status = get_head(h, &head, err);
  if (status == IPFSA_OK) status = take_head(box, head, err);
  if (status) return status;
  if (json_is_true(json_object_get(head, "ask"))) status = ipfsa_received_share(r->held, box, json_is_true(json_object_get(head, "sealed")), &there, err);
  else status = take_fds(h, box, err);
  if (status == IPFSA_OK && there) status = ipfsa_received_open(box, err);
  if (status == IPFSA_OK) *ret = there;
  return status;
}

static ipfsa_status tell(const ipfsa_hand_over *h, json_t *answer, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf text = {0};
  ipfsa_json_put(&text, answer, JSON_COMPACT);
  json_decref(answer);
  ipfsa_status status = ipfsa_buf_status(&text, err);
  return status ? status : ipfsa_hand_over_put_text(h, ipfsa_buf_cstr(&text), text.len, err);
}

/* "asks": who has our word once may ask the next time whether he need send it. */
static ipfsa_status tell_ready(const ipfsa_hand_over *h, const ipfsa_received_box *box, ipfsa_error *err) {
  return tell(h, json_pack("{s:b, s:I, s:b}", "ready", 1, "tensors", (json_int_t)ipfsa_checkpoint_n_tensors(box->view.checkpoint), "asks", 1), err);
}

static ipfsa_status check_peer(int fd, ipfsa_error *err) {
  struct ucred peer = {0};
  socklen_t len = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0) return ipfsa_fail_errno(err, errno, "hand-over: who came");
  if (peer.uid == geteuid() || peer.uid == 0) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_DENIED, "hand-over: user %u came; models are taken from this user and root", (unsigned)peer.uid);
}

/* *ret NULL: he only asked, and is told that it is not here. */
static ipfsa_status take_from(ipfsa_receiver *r, int fd, ipfsa_received **ret, ipfsa_error *err) {
  ipfsa_hand_over h = {.fd = fd, .deadline = ipfsa_clock_monotonic_ns() + SENDER_MS * 1000000ull};
  ipfsa_received_box *box = ipfsa_calloc(1, sizeof *box);
  bool there = false;
  if (!box) return ipfsa_fail_nomem(err);
  ipfsa_status status = check_peer(fd, err);
  if (status == IPFSA_OK) status = take_model(r, &h, box, &there, err);
  if (status) (void)tell(&h, json_pack("{s:s}", "error", err->message), NULL);
  else if (there) status = tell_ready(&h, box, err);
  else (void)tell(&h, json_pack("{s:b}", "ready", 0), NULL); /* who is gone by now did not want to know */
  if (status || !there) {
    ipfsa_received_free(&box->view);
    return status;
  }
  box->view.model = box->model, box->view.files = box->files, box->view.n_files = box->n_files;
  ipfsa_received_list_add(r->held, box);
  *ret = &box->view;
  return IPFSA_OK;
}

/* Who goes again without a word only looked whether somebody listens. */
static bool only_looked(int fd) {
  ipfsa_hand_over h = {.fd = fd, .deadline = ipfsa_clock_monotonic_ns() + SENDER_MS * 1000000ull};
  char byte;
  return ipfsa_hand_over_wait(&h, POLLIN, NULL) == IPFSA_OK && recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* ---- the receiver ---- */

/* A socket whose process is gone is still there, and nobody can connect to it. */
static ipfsa_status make_room(const char *path, const struct sockaddr_un *at, ipfsa_error *err) {
  struct stat st;
  ipfsa_status status = ipfsa_fs_stat(AT_FDCWD, path, &st, err);
  if (status) return status == IPFSA_E_NOT_FOUND ? IPFSA_OK : status;
  if (!S_ISSOCK(st.st_mode)) return ipfsa_fail(err, IPFSA_E_EXISTS, "%.200s is there and no socket; choose another path", path);
  IPFSA_AUTO_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return ipfsa_fail_errno(err, errno, "a unix socket");
  if (connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 || errno != ECONNREFUSED) return ipfsa_fail(err, IPFSA_E_LOCKED, "another process receives at %.200s", path);
  return ipfsa_fs_unlink(AT_FDCWD, path, err);
}

/* Nobody can connect before listen(), so nobody can between bind() and the mode. */
static ipfsa_status listen_at(ipfsa_receiver *r, ipfsa_error *err) {
  r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (r->fd < 0) return ipfsa_fail_errno(err, errno, "a unix socket");
  if (bind(r->fd, (const struct sockaddr *)&r->at, sizeof r->at) != 0) return ipfsa_fail_errno(err, errno, "%s", r->at.sun_path);
  if (chmod(r->at.sun_path, 0600) != 0 || listen(r->fd, 16) != 0) return ipfsa_fail_errno(err, errno, "%s", r->at.sun_path);
  return ipfsa_fs_stat(AT_FDCWD, r->at.sun_path, &r->socket, err);
}

ipfsa_status ipfsa_receiver_open(const char *socket_path, ipfsa_receiver **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_receiver *r = ipfsa_calloc(1, sizeof *r);
  if (!r) return ipfsa_fail_nomem(err);
  r->fd = -1;
  r->held = ipfsa_received_list_new();
  ipfsa_status status = r->held ? IPFSA_OK : ipfsa_fail_nomem(err);
  if (status == IPFSA_OK) status = ipfsa_hand_over_address(socket_path, &r->at, err);
  if (status == IPFSA_OK) status = make_room(socket_path, &r->at, err);
  if (status == IPFSA_OK) status = listen_at(r, err);
  if (status) ipfsa_receiver_close(r);
  else *ret = r;
  return status;
}

void ipfsa_receiver_close(ipfsa_receiver *r) {
  struct stat st;
  if (!r) return;
  bool ours = r->fd >= 0 && ipfsa_fs_stat(AT_FDCWD, r->at.sun_path, &st, NULL) == IPFSA_OK && st.st_ino == r->socket.st_ino && st.st_dev == r->socket.st_dev;
  if (ours) (void)ipfsa_fs_unlink(AT_FDCWD, r->at.sun_path, NULL);
  ipfsa_fs_close(&r->fd);
  ipfsa_received_list_unref(r->held);
  ipfsa_free(r);
}

int ipfsa_receiver_fd(const ipfsa_receiver *r) { return r->fd; }

ipfsa_status ipfsa_receiver_take(ipfsa_receiver *r, int64_t timeout_ms, ipfsa_received **ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  uint64_t now = ipfsa_clock_monotonic_ns();
  ipfsa_hand_over waiting = {.fd = r->fd, .deadline = timeout_ms < 0 || timeout_ms > INT64_MAX / 2000000 ? UINT64_MAX : now + (uint64_t)timeout_ms * 1000000};
  for (;;) {
    ipfsa_status status = ipfsa_hand_over_wait(&waiting, POLLIN, err);
    if (status == IPFSA_E_TIMEOUT) return ipfsa_fail(err, status, "nobody came to %s with a model in %lld ms", r->at.sun_path, (long long)timeout_ms);
    if (status) return status;
    IPFSA_AUTO_FD int fd = accept4(r->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && only_looked(fd)) continue;
    ipfsa_received *taken = NULL;
    if (fd >= 0) {
      status = take_from(r, fd, &taken, err);
      if (status == IPFSA_OK && !taken) continue;
      if (taken) *ret = taken;
      return status;
    }
    if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED) return ipfsa_fail_errno(err, errno, "%s", r->at.sun_path);
  }
}
