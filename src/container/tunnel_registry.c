#include "container/tunnel_registry.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "container/json.h"

#define MAX_STATE 4096u    /* bytes of an entry: ours have some 600 */
#define MAX_TUNNELS 10000u /* that are listed: more are a mistake */
#define ASK_MS 1000        /* a live process answers in well under one */
#define STOP_MS 10000      /* it ends its connections and tells the engine */
#define CLEANER_MS 200    /* another process may hold a dead entry's lock for the moment of its removal */

#define SUFFIX ".tunnel"

ipfsa_status ipfsa_tunnel_name_check(const char *name, ipfsa_error *err) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  size_t len = strlen(name);
  if (len && len <= IPFSA_MAX_TUNNEL_NAME && strspn(name, letters) == len && !strchr("_.-", name[0])) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_INVALID, "tunnel name \"%.100s\": expected 1 to %u letters, digits, \"_\", \".\" and \"-\", a letter or digit first", name, IPFSA_MAX_TUNNEL_NAME);
}

/* --- the folder --- */

static ipfsa_status make_path(ipfsa_buf *path, ipfsa_error *err) {
  const char *runtime = getenv("XDG_RUNTIME_DIR");
  if (runtime && *runtime == '/') ipfsa_buf_printf(path, "%s/ipfs-accelerate", runtime);
  else if (geteuid() == 0) ipfsa_buf_str(path, "/run/ipfs-accelerate");
  else ipfsa_buf_printf(path, "/tmp/ipfs-accelerate-%lu", (unsigned long)geteuid());
  (void)ipfsa_buf_cstr(path);
  return ipfsa_buf_status(path, err);
}

/* In a folder that others may write to, what stands there may be theirs: then nothing is read or written. */
static ipfsa_status open_own_dir(int at, const char *name, bool create, int *ret, ipfsa_error *err) {
  ipfsa_error local = {0};
  ipfsa_status status = create ? ipfsa_fs_mkdir(at, name, 0700, &local) : IPFSA_OK;
  if (status && status != IPFSA_E_EXISTS) {
    if (err) *err = local;
    return status;
  }
  local = (ipfsa_error){0};
  int fd = ipfsa_fs_open(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &local);
  if (fd < 0) {
    if (err) *err = local;
    return local.status;
  }
  struct stat st;
  status = ipfsa_fs_fstat(fd, &st, err);
  if (status == IPFSA_OK && (st.st_uid != geteuid() || (st.st_mode & 022)))
    status = ipfsa_fail(err, IPFSA_E_DENIED, "tunnels: %s belongs to another user or may be written by others; set XDG_RUNTIME_DIR to a folder of your own", name);
  if (status) ipfsa_fs_close(&fd);
  else *ret = fd;
  return status;
}

static ipfsa_status open_folder(bool create, int *ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf path = {0};
  IPFSA_AUTO_FD int outer = -1;
  ipfsa_status status = make_path(&path, err);
  if (status == IPFSA_OK) status = open_own_dir(AT_FDCWD, ipfsa_buf_cstr(&path), create, &outer, err);
  return status ? status : open_own_dir(outer, "tunnels", create, ret, err);
}

/* --- locks --- */

/* Locks of the open file: they last until its last descriptor is closed, in whatever process. */
static bool try_lock(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

static bool is_locked(int fd) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

static bool is_still_there(int dirfd, const char *file, int fd) {
  struct stat here, there;
  return ipfsa_fs_fstat(fd, &here, NULL) == IPFSA_OK && ipfsa_fs_stat(dirfd, file, &there, NULL) == IPFSA_OK && here.st_ino == there.st_ino && here.st_dev == there.st_dev;
}

typedef struct entry_names {
  char file[IPFSA_MAX_TUNNEL_NAME + 10], socket[IPFSA_MAX_TUNNEL_NAME + 10];
} entry_names;

static entry_names names_of(const char *name) {
  entry_names n;
  snprintf(n.file, sizeof n.file, "%s" SUFFIX, name);
  snprintf(n.socket, sizeof n.socket, "%s.sock", name);
  return n;
}

/* The files of a tunnel whose lock the caller holds. */
static void remove_files(int dirfd, const char *name) {
  entry_names n = names_of(name);
  (void)ipfsa_fs_unlink(dirfd, n.socket, NULL);
  (void)ipfsa_fs_unlink(dirfd, n.file, NULL);
}

/* What a dead process left. Nothing happens when a new one has the name already. */
static void clean(int dirfd, const char *name, int fd) {
  if (try_lock(fd) && is_still_there(dirfd, names_of(name).file, fd)) remove_files(dirfd, name);
}

static void pause_ms(long ms) { nanosleep(&(struct timespec){0, ms * 1000000}, NULL); }

/* The name's file, locked and surely the one others find. */
static ipfsa_status take_name(int dirfd, const char *name, int *ret, ipfsa_error *err) {
  entry_names n = names_of(name);
  ipfsa_error local = {0};
  uint64_t last = ipfsa_clock_monotonic_ns() + CLEANER_MS * 1000000ull;
  for (;;) {
    int fd = ipfsa_fs_open(dirfd, n.file, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, &local);
    if (fd < 0) {
      if (err) *err = local;
      return local.status;
    }
    if (try_lock(fd) && is_still_there(dirfd, n.file, fd)) {
      *ret = fd;
      return IPFSA_OK;
    }
    ipfsa_fs_close(&fd);
    if (ipfsa_clock_monotonic_ns() > last)
      return ipfsa_fail(err, IPFSA_E_EXISTS, "tunnel %s: there is one of this name; choose another with --name, or remove it with 'tunnel rm %s'", name, name);
    pause_ms(20);
  }
}

/* --- what is written and answered --- */

/* Texts in it are UTF-8: who put them there saw to that. A failure is kept in the buf. */
static void put_info(ipfsa_buf *out, const ipfsa_tunnel_info *i) {
  IPFSA_AUTO_JSON json_t *json = json_pack(
      "{s:s,s:s,s:s,s:s,s:i,s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "name", i->name, "container", i->container, "engine", i->engine, "last_error", i->last_error,
      "local_port", (int)i->local_port, "container_port", (int)i->container_port, "pid", (json_int_t)i->pid, "started", (json_int_t)i->started, "accepted",
      (json_int_t)i->n_accepted, "open", (json_int_t)i->n_open, "failed", (json_int_t)i->n_failed, "refused", (json_int_t)i->n_refused, "broken", (json_int_t)i->n_broken,
      "idle", (json_int_t)i->n_idle, "sent_bytes", (json_int_t)i->sent_bytes, "received_bytes", (json_int_t)i->received_bytes);
  ipfsa_json_put(out, json, JSON_COMPACT);
}

static uint64_t count_of(const json_t *json, const char *key) {
  int64_t v = ipfsa_json_int(json, key);
  return v > 0 ? (uint64_t)v : 0;
}

static ipfsa_status info_from_json(ipfsa_bytes text, ipfsa_tunnel_info *ret, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *json = NULL;
  ipfsa_tunnel_info i = {0};
  ipfsa_status status = ipfsa_json_parse(text, "tunnel", &json, err);
  if (status == IPFSA_OK && !json_is_object(json)) status = ipfsa_fail(err, IPFSA_E_MALFORMED, "tunnel: its entry is no object");
  if (status) return status;
  snprintf(i.name, sizeof i.name, "%s", ipfsa_json_text(json, "name"));
  snprintf(i.container, sizeof i.container, "%s", ipfsa_json_text(json, "container"));
  snprintf(i.engine, sizeof i.engine, "%s", ipfsa_json_text(json, "engine"));
  snprintf(i.last_error, sizeof i.last_error, "%s", ipfsa_json_text(json, "last_error"));
  i.local_port = (uint16_t)ipfsa_json_int(json, "local_port");
  i.container_port = (uint16_t)ipfsa_json_int(json, "container_port");
  i.pid = ipfsa_json_int(json, "pid");
  i.started = ipfsa_json_int(json, "started");
  i.n_accepted = count_of(json, "accepted");
  i.n_open = count_of(json, "open");
  i.n_failed = count_of(json, "failed");
  i.n_refused = count_of(json, "refused");
  i.n_broken = count_of(json, "broken");
  i.n_idle = count_of(json, "idle");
  i.sent_bytes = count_of(json, "sent_bytes");
  i.received_bytes = count_of(json, "received_bytes");
  *ret = i;
  return IPFSA_OK;
}

/* Through /proc, since a socket's whole path has 107 bytes at most. */
static struct sockaddr_un address_of(int dirfd, const char *name) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  snprintf(at.sun_path, sizeof at.sun_path, "/proc/self/fd/%d/%s", dirfd, names_of(name).socket);
  return at;
}

static ipfsa_status open_control(ipfsa_tunnel_entry *e, ipfsa_error *err) {
  struct sockaddr_un at = address_of(e->dirfd, e->name);
  (void)ipfsa_fs_unlink(e->dirfd, names_of(e->name).socket, NULL); /* of a process that was killed */
  e->control_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (e->control_fd < 0 || bind(e->control_fd, (struct sockaddr *)&at, sizeof at) != 0) return ipfsa_fail_errno(err, errno, "tunnel %s: its control socket", e->name);
  return IPFSA_OK;
}

ipfsa_status ipfsa_tunnel_register(const ipfsa_tunnel_info *info, ipfsa_tunnel_entry *ret, ipfsa_error *err) {
  ipfsa_tunnel_entry e = IPFSA_TUNNEL_NO_ENTRY;
  snprintf(e.name, sizeof e.name, "%s", info->name);
  ipfsa_status status = ipfsa_tunnel_name_check(info->name, err);
  if (status == IPFSA_OK) status = open_folder(true, &e.dirfd, err);
  if (status == IPFSA_OK) status = take_name(e.dirfd, e.name, &e.lock_fd, err);
  if (status == IPFSA_OK) status = open_control(&e, err);
  if (status == IPFSA_OK) {
    IPFSA_AUTO_BUF ipfsa_buf text = {0};
    put_info(&text, info);
    status = ipfsa_buf_status(&text, err);
    if (status == IPFSA_OK) status = ipfsa_fs_truncate(e.lock_fd, 0, err);
    if (status == IPFSA_OK) status = ipfsa_fs_write_at(e.lock_fd, text.data, text.len, 0, err);
  }
  if (status) ipfsa_tunnel_unregister(&e);
  else *ret = e;
  return status;
}

void ipfsa_tunnel_unregister(ipfsa_tunnel_entry *e) {
  if (e->lock_fd >= 0) remove_files(e->dirfd, e->name);
  ipfsa_fs_close(&e->control_fd);
  ipfsa_fs_close(&e->lock_fd);
  ipfsa_fs_close(&e->dirfd);
}

bool ipfsa_tunnel_answer(const ipfsa_tunnel_entry *e, const ipfsa_tunnel_info *info) {
  bool stop = false;
  for (;;) {
    struct sockaddr_un from;
    socklen_t len = sizeof from;
    char word = 0;
    ssize_t n = recvfrom(e->control_fd, &word, 1, MSG_DONTWAIT, (struct sockaddr *)&from, &len);
    if (n < 0) return stop;
    if (n == 1 && word == 's') stop = true;
    IPFSA_AUTO_BUF ipfsa_buf text = {0};
    if (n == 1 && word == 'i') put_info(&text, info);
    if (text.len && !text.failed) (void)sendto(e->control_fd, text.data, text.len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&from, len);
  }
}

/* --- from outside --- */

/* Sends one word; with room for it, waits for the answer. */
static bool tell(int dirfd, const char *name, char word, char *answer, size_t cap, size_t *ret_len) {
  struct sockaddr_un at = address_of(dirfd, name), own = {.sun_family = AF_UNIX};
  IPFSA_AUTO_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  /* A name of the kernel's own choice, for the answer. Connected: only the tunnel can send to it. */
  if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(sa_family_t)) != 0 || connect(fd, (struct sockaddr *)&at, sizeof at) != 0) return false;
  if (send(fd, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) return false;
  if (!answer) return true;
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  ssize_t n = poll(&wait, 1, ASK_MS) == 1 ? recv(fd, answer, cap, MSG_DONTWAIT) : -1;
  *ret_len = n > 0 ? (size_t)n : 0;
  return n > 0;
}

/* The tunnel behind an entry: *ret_found false when its process is gone (then its files are, too) or has not begun. Fails only for lack of memory: a tunnel
 * that is there is not left out for that. */
static ipfsa_status look(int dirfd, const char *name, ipfsa_tunnel_info *ret, bool *ret_found, ipfsa_error *err) {
  char text[MAX_STATE];
  size_t len = 0;
  *ret_found = false;
  IPFSA_AUTO_FD int fd = ipfsa_fs_open(dirfd, names_of(name).file, O_RDWR | O_NOFOLLOW, 0, NULL);
  if (fd < 0) return IPFSA_OK;
  if (!is_locked(fd)) {
    clean(dirfd, name, fd);
    return IPFSA_OK;
  }
  bool told = tell(dirfd, name, 'i', text, sizeof text, &len);
  ipfsa_status status = told ? info_from_json(ipfsa_bytes_of(text, len), ret, err) : IPFSA_E_TIMEOUT;
  if (status == IPFSA_OK) ret->answers = true;
  else if (status != IPFSA_E_NOMEM) status = ipfsa_fs_read_at(fd, text, sizeof text, 0, &len, NULL) ? IPFSA_E_IO : info_from_json(ipfsa_bytes_of(text, len), ret, err);
  *ret_found = status == IPFSA_OK;
  return status == IPFSA_E_NOMEM ? status : IPFSA_OK;
}

typedef struct name_list {
  char **names;
  size_t n, cap;
  ipfsa_status status;
} name_list;

static int add_name(void *ctx, const char *file, unsigned char type) {
  (void)type;
  name_list *list = ctx;
  size_t len = strlen(file), suffix = strlen(SUFFIX);
  if (len <= suffix || strcmp(file + len - suffix, SUFFIX) != 0) return 0;
  char *name = ipfsa_strndup(file, len - suffix);
  bool room = name && ipfsa_grow((void **)&list->names, &list->cap, list->n + 1, sizeof *list->names);
  if (!room) list->status = IPFSA_E_NOMEM;
  else if (list->n == MAX_TUNNELS) list->status = IPFSA_E_LIMIT;
  else if (ipfsa_tunnel_name_check(name, NULL) == IPFSA_OK) list->names[list->n++] = ipfsa_steal(name);
  ipfsa_free(name);
  return list->status != IPFSA_OK;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static ipfsa_status list_names(int dirfd, name_list *list, ipfsa_error *err) {
  ipfsa_status status = ipfsa_fs_list(dirfd, ".", add_name, list, err);
  if (list->status == IPFSA_E_NOMEM) return ipfsa_fail_nomem(err);
  if (list->status) return ipfsa_fail(err, list->status, "tunnels: more than %u of them", MAX_TUNNELS);
  if (status == IPFSA_OK && list->n) qsort(list->names, list->n, sizeof *list->names, by_name);
  return status;
}

ipfsa_status ipfsa_tunnel_list(ipfsa_tunnel_cb cb, void *ctx, ipfsa_error *err) {
  IPFSA_AUTO_FD int dirfd = -1;
  ipfsa_error local = {0};
  ipfsa_status status = open_folder(false, &dirfd, &local);
  if (status == IPFSA_E_NOT_FOUND) return IPFSA_OK;
  if (status && err) *err = local;
  if (status) return status;
  name_list list = {0};
  status = list_names(dirfd, &list, err);
  for (size_t i = 0; i < list.n; i++) {
    ipfsa_tunnel_info info;
    bool found = false;
    if (status == IPFSA_OK) status = look(dirfd, list.names[i], &info, &found, err);
    if (found && cb(ctx, &info) != 0) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
    ipfsa_free(list.names[i]);
  }
  ipfsa_free(list.names);
  return status;
}

static ipfsa_status there_is_none(const char *name, ipfsa_error *err) {
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "tunnel %s: there is none of this name; see 'tunnel ls'", name);
}

ipfsa_status ipfsa_tunnel_rm(const char *name, ipfsa_error *err) {
  IPFSA_AUTO_FD int dirfd = -1;
  IPFSA_AUTO_FD int fd = -1;
  ipfsa_error local = {0};
  ipfsa_status status = ipfsa_tunnel_name_check(name, err);
  if (status) return status;
  status = open_folder(false, &dirfd, &local);
  if (status == IPFSA_OK && (fd = ipfsa_fs_open(dirfd, names_of(name).file, O_RDWR | O_NOFOLLOW, 0, &local)) < 0) status = local.status;
  if (status == IPFSA_E_NOT_FOUND) return there_is_none(name, err);
  if (status && err) *err = local;
  if (status) return status;
  if (!is_locked(fd)) {
    clean(dirfd, name, fd);
    return there_is_none(name, err);
  }
  ipfsa_tunnel_info info = {0};
  bool known = false;
  status = look(dirfd, name, &info, &known, err);
  if (status) return status;
  bool told = tell(dirfd, name, 's', NULL, 0, NULL);
  uint64_t last = ipfsa_clock_monotonic_ns() + STOP_MS * 1000000ull;
  while (told && is_locked(fd) && ipfsa_clock_monotonic_ns() < last) pause_ms(5);
  if (!is_locked(fd)) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_TIMEOUT, "tunnel %s: its process %lld does not answer; end it yourself", name, known ? (long long)info.pid : 0LL);
}
