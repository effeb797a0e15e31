#include "container/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fs.h"
#include "container/tls.h"

#define SSH_FAILED 255      /* the code of ssh itself; others are those of what it ran */
#define SSH_GRACE_MS 1000u /* from being asked to end until it is made to */

struct ipfsa_wire {
  int fd, cancel_fd;
  ipfsa_tls *tls;
  pid_t ssh;         /* 0: none */
  int ssh_errors;    /* a file in memory that takes its standard error; -1: none */
  char words[256];
  char name[160];    /* the address, for messages */
};

void ipfsa_wire_set_cancel(ipfsa_wire *w, int cancel_fd) { w->cancel_fd = cancel_fd; }
int ipfsa_wire_fd(const ipfsa_wire *w) { return w->fd; }
bool ipfsa_wire_has_pending(const ipfsa_wire *w) { return w->tls && ipfsa_tls_has_pending(w->tls); }

static int ms_until(uint64_t deadline) {
  if (deadline == IPFSA_NO_DEADLINE) return -1;
  uint64_t now = ipfsa_clock_monotonic_ns();
  if (now >= deadline) return 0;
  uint64_t ms = (deadline - now) / 1000000 + 1;
  return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

#define MAX_POLLED 8 /* descriptors of one wait: a wire, standard input, the cancel event and some to spare */

ipfsa_status ipfsa_wire_poll(struct pollfd *fds, unsigned n_fds, int cancel_fd, uint64_t deadline, ipfsa_error *err) {
  struct pollfd all[MAX_POLLED];
  if (n_fds >= MAX_POLLED) return ipfsa_fail(err, IPFSA_E_LIMIT, "too many descriptors to wait for");
  memcpy(all, fds, n_fds * sizeof *fds);
  all[n_fds] = (struct pollfd){.fd = cancel_fd, .events = POLLIN};
  for (;;) {
    int n = poll(all, n_fds + 1, ms_until(deadline));
    if (n < 0 && errno != EINTR) return ipfsa_fail_errno(err, errno, "container engine: waiting");
    if (n > 0 && all[n_fds].revents) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
    if (n > 0) break;
    if (n == 0 && ms_until(deadline) == 0) return ipfsa_fail(err, IPFSA_E_TIMEOUT, "timed out");
  }
  memcpy(fds, all, n_fds * sizeof *fds);
  return IPFSA_OK;
}

static ipfsa_status wait_for(ipfsa_wire *w, short events, uint64_t deadline, ipfsa_error *err) {
  struct pollfd fd = {.fd = w->fd, .events = events};
  ipfsa_status status = ipfsa_wire_poll(&fd, 1, w->cancel_fd, deadline, err);
  if (status == IPFSA_E_TIMEOUT) return ipfsa_fail(err, status, "container engine %s: no answer in time; is it alive, is docker.timeout long enough", w->name);
  return status;
}

/* --- connecting --- */

static ipfsa_status no_engine(ipfsa_wire *w, int code, ipfsa_error *err) {
  ipfsa_status status = code == ECONNREFUSED || code == ENOENT ? IPFSA_E_NOT_FOUND : IPFSA_E_IO;
  if (code == EACCES || code == EPERM) {
    ipfsa_fail_errno(err, code, "container engine %s: run as a user of the group that may use it, or as root", w->name);
    return IPFSA_E_DENIED;
  }
  ipfsa_fail_errno(err, code, "container engine %s: it does not listen there; start it, or name another with --host or DOCKER_HOST", w->name);
  if (err) err->status = status;
  return status;
}

/* fd is non-blocking: waits until the connection stands. */
static ipfsa_status finish_connect(ipfsa_wire *w, uint64_t deadline, ipfsa_error *err) {
  ipfsa_status status = wait_for(w, POLLOUT, deadline, err);
  int code = 0;
  socklen_t len = sizeof code;
  if (status == IPFSA_OK && getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &code, &len) == 0 && code) return no_engine(w, code, err);
  return status;
}

static ipfsa_status open_unix(ipfsa_wire *w, const ipfsa_engine_address *a, uint64_t deadline, ipfsa_error *err) {
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  memcpy(to.sun_path, a->path, strlen(a->path) + 1); /* its length was checked when it was parsed */
  w->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (w->fd < 0) return ipfsa_fail_errno(err, errno, "container engine: socket");
  if (connect(w->fd, (struct sockaddr *)&to, sizeof to) == 0) return IPFSA_OK;
  return errno == EINPROGRESS || errno == EAGAIN ? finish_connect(w, deadline, err) : no_engine(w, errno, err);
}

static ipfsa_status connect_to(ipfsa_wire *w, const struct addrinfo *to, uint64_t deadline, ipfsa_error *err) {
  ipfsa_fs_close(&w->fd);
  w->fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (w->fd < 0) return ipfsa_fail_errno(err, errno, "container engine: socket");
  int on = 1;
  (void)setsockopt(w->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(w->fd, to->ai_addr, to->ai_addrlen) == 0) return IPFSA_OK;
  return errno == EINPROGRESS ? finish_connect(w, deadline, err) : no_engine(w, errno, err);
}

static ipfsa_status open_tcp(ipfsa_wire *w, const ipfsa_engine_address *a, uint64_t deadline, ipfsa_error *err) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG}, *all = NULL;
  int code = getaddrinfo(a->host, a->port, &hints, &all);
  if (code) return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "container engine %s: the host is not known: %s", w->name, gai_strerror(code));
  ipfsa_status status = IPFSA_E_IO;
  for (const struct addrinfo *to = all; to && status && status != IPFSA_E_CANCELLED; to = to->ai_next) status = connect_to(w, to, deadline, err);
  freeaddrinfo(all);
  return status;
}

static ipfsa_status start_tls(ipfsa_wire *w, const ipfsa_engine_address *a, uint64_t deadline, ipfsa_error *err) {
  ipfsa_status status = ipfsa_tls_new(w->fd, a, &w->tls, err);
  for (short wait = 1; status == IPFSA_OK && wait;) {
    status = ipfsa_tls_handshake(w->tls, &wait, err);
    if (status == IPFSA_OK && wait) status = wait_for(w, wait, deadline, err);
  }
  return status;
}

/* --- ssh --- */

/* What the far side's shell runs. In words that any shell passes on, since that shell may be none of ours; the path was checked when it was parsed.
 * DOCKER_HOST rather than --host: where docker is Podman under another name, it knows the variables, not the option. */
static ipfsa_status put_far_command(const ipfsa_engine_address *a, ipfsa_buf *out, ipfsa_error *err) {
  ipfsa_buf_str(out, "sh -c '");
  if (a->path) ipfsa_buf_printf(out, "export DOCKER_HOST=unix://%s CONTAINER_HOST=unix://%s; ", a->path, a->path);
  ipfsa_buf_str(out, "for p in docker podman; do command -v $p >/dev/null 2>&1 && exec $p system dial-stdio; done; "
                     "echo neither docker nor podman is installed there >&2; exit 127'");
  return ipfsa_buf_status(out, err);
}

#define MAX_SSH_WORDS 18u

/* BatchMode: nobody could answer, since a process in the background of a terminal is stopped when it asks there. ControlMaster: the first connection
 * would carry all others, and end them with itself. ServerAlive: a stream may be silent for hours, and a network that is gone says nothing, either. */
static void put_words(const ipfsa_engine_address *a, const char *far_command, const char *words[MAX_SSH_WORDS]) {
  static const char *const always[] = {"ssh", "-T", "-o", "BatchMode=yes", "-o", "ControlMaster=no", "-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=15"};
  size_t n = sizeof always / sizeof *always;
  memcpy(words, always, sizeof always);
  if (a->user) words[n++] = "-l", words[n++] = a->user;
  if (a->port) words[n++] = "-p", words[n++] = a->port;
  words[n++] = "--";
  words[n++] = a->host;
  words[n++] = far_command;
  words[n] = NULL;
}

/* Its files: a stream both ways, and what it complains of. */
static int set_files(posix_spawn_file_actions_t *actions, int stream, int errors) {
  int code = posix_spawn_file_actions_adddup2(actions, stream, STDIN_FILENO);
  if (code == 0) code = posix_spawn_file_actions_adddup2(actions, stream, STDOUT_FILENO);
  if (code == 0) code = posix_spawn_file_actions_adddup2(actions, errors, STDERR_FILENO);
  return code;
}

/* No signal is blocked or ignored, and its group is its own: an interrupt at the terminal ends this program in its own order, not the connection first. */
static void set_attributes(posix_spawnattr_t *attributes) {
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigmask(attributes, &none);
  posix_spawnattr_setsigdefault(attributes, &defaults);
  posix_spawnattr_setpgroup(attributes, 0);
  posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

static ipfsa_status spawn_ssh(ipfsa_wire *w, const ipfsa_engine_address *a, int theirs, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf far_command = {0};
  ipfsa_status status = put_far_command(a, &far_command, err);
  if (status) return status;
  const char *words[MAX_SSH_WORDS];
  put_words(a, ipfsa_buf_cstr(&far_command), words);
  if (far_command.failed) return ipfsa_buf_status(&far_command, err);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int code = posix_spawn_file_actions_init(&actions);
  if (code) return ipfsa_fail_errno(err, code, "ssh to the container engine");
  code = posix_spawnattr_init(&attributes);
  if (code == 0) {
    set_attributes(&attributes);
    code = set_files(&actions, theirs, w->ssh_errors);
    if (code == 0) code = posix_spawnp(&w->ssh, "ssh", &actions, &attributes, (char *const *)(uintptr_t)words, environ);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_destroy(&actions);
  if (code == 0) return IPFSA_OK;
  w->ssh = 0;
  return ipfsa_fail_errno(err, code, "container engine %s: ssh cannot be started", w->name);
}

static ipfsa_status open_ssh(ipfsa_wire *w, const ipfsa_engine_address *a, ipfsa_error *err) {
  int pair[2];
  w->ssh_errors = memfd_create("ssh", MFD_CLOEXEC);
  if (w->ssh_errors < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return ipfsa_fail_errno(err, errno, "ssh to the container engine");
  w->fd = pair[0];
  ipfsa_status status = spawn_ssh(w, a, pair[1], err);
  close(pair[1]);
  if (status == IPFSA_OK && fcntl(w->fd, F_SETFL, O_RDWR | O_NONBLOCK) != 0) status = ipfsa_fail_errno(err, errno, "ssh to the container engine");
  return status;
}

const char *ipfsa_wire_last_words(ipfsa_wire *w) {
  w->words[0] = '\0';
  struct stat st;
  if (w->ssh_errors < 0 || fstat(w->ssh_errors, &st) != 0 || st.st_size == 0) return w->words;
  uint64_t from = st.st_size > (off_t)sizeof w->words - 1 ? (uint64_t)st.st_size - (sizeof w->words - 1) : 0;
  size_t len = 0;
  if (ipfsa_fs_read_at(w->ssh_errors, w->words, sizeof w->words - 1, from, &len, NULL)) len = 0;
  w->words[len] = '\0';
  while (len && (w->words[len - 1] == '\n' || w->words[len - 1] == '\r')) w->words[--len] = '\0';
  for (char *p = w->words; *p; p++)
    if ((unsigned char)*p < 0x20) *p = ' ';
  return w->words;
}

ipfsa_status ipfsa_wire_open(const ipfsa_engine_address *a, int cancel_fd, uint64_t deadline, ipfsa_wire **ret, ipfsa_error *err) {
  ipfsa_wire *w = ipfsa_calloc(1, sizeof *w);
  if (!w) return ipfsa_fail_nomem(err);
  w->fd = w->ssh_errors = -1;
  w->cancel_fd = cancel_fd;
  snprintf(w->name, sizeof w->name, "%s", a->text);
  ipfsa_status status;
  if (a->kind == IPFSA_ENGINE_UNIX) status = open_unix(w, a, deadline, err);
  else if (a->kind == IPFSA_ENGINE_SSH) status = open_ssh(w, a, err);
  else status = open_tcp(w, a, deadline, err);
  if (status == IPFSA_OK && a->kind == IPFSA_ENGINE_TLS) status = start_tls(w, a, deadline, err);
  if (status) ipfsa_wire_close(w);
  else *ret = w;
  return status;
}

/* Waits for its end, at most for its grace. */
static bool collect_ssh(ipfsa_wire *w, int *ret_status) {
  uint64_t last = ipfsa_clock_monotonic_ns() + SSH_GRACE_MS * 1000000ull;
  for (;;) {
    pid_t ended = waitpid(w->ssh, ret_status, WNOHANG);
    if (ended == w->ssh || (ended < 0 && errno != EINTR)) break; /* who else collects children has it already */
    if (ipfsa_clock_monotonic_ns() > last) return false;
    (void)poll(NULL, 0, 1);
  }
  w->ssh = 0;
  return true;
}

/* Its group goes with it: a ProxyCommand is ssh's child. It ends within milliseconds of being asked, unless somebody stopped it. */
static void end_ssh(ipfsa_wire *w) {
  int status = 0;
  (void)kill(-w->ssh, SIGTERM);
  if (collect_ssh(w, &status)) return;
  (void)kill(-w->ssh, SIGKILL);
  (void)collect_ssh(w, &status);
}

/* Nothing more comes from it. Its code tells the end of the stream from a connection that broke: then what came may be half of it. */
static ipfsa_status explain_ssh_end(ipfsa_wire *w, ipfsa_error *err) {
  int status = 0;
  if (w->ssh <= 0 || !collect_ssh(w, &status) || status == 0) return IPFSA_OK;
  const char *words = ipfsa_wire_last_words(w);
  if (*words) return ipfsa_fail(err, IPFSA_E_IO, "container engine %s: ssh ended: %s", w->name, words);
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (code == SSH_FAILED) return ipfsa_fail(err, IPFSA_E_IO, "container engine %s: ssh ended: its connection was closed", w->name);
  return ipfsa_fail(err, IPFSA_E_IO, "container engine %s: ssh ended: code %d", w->name, code);
}

void ipfsa_wire_close(ipfsa_wire *w) {
  if (!w) return;
  ipfsa_tls_free(w->tls);
  ipfsa_fs_close(&w->fd);
  ipfsa_fs_close(&w->ssh_errors);
  if (w->ssh > 0) end_ssh(w);
  ipfsa_free(w);
}

/* --- bytes --- */

ipfsa_status ipfsa_wire_try_read(ipfsa_wire *w, void *data, size_t cap, size_t *ret_len, bool *ret_again, ipfsa_error *err) {
  *ret_again = false;
  *ret_len = 0;
  if (w->tls) {
    short wait = 0;
    ipfsa_status status = ipfsa_tls_read(w->tls, data, cap, ret_len, &wait, err);
    *ret_again = wait != 0;
    return status;
  }
  ssize_t n;
  while ((n = read(w->fd, data, cap)) < 0 && errno == EINTR) {}
  if (n < 0 && errno != EAGAIN) return ipfsa_fail_errno(err, errno, "container engine %s: reading", w->name);
  if (n == 0 && w->ssh_errors >= 0) return explain_ssh_end(w, err);
  *ret_again = n < 0;
  *ret_len = n < 0 ? 0 : (size_t)n;
  return IPFSA_OK;
}

ipfsa_status ipfsa_wire_try_write(ipfsa_wire *w, const void *data, size_t len, size_t *ret_len, ipfsa_error *err) {
  *ret_len = 0;
  if (w->tls) {
    short wait;
    return ipfsa_tls_write(w->tls, data, len, ret_len, &wait, err);
  }
  ssize_t n;
  while ((n = send(w->fd, data, len, MSG_NOSIGNAL)) < 0 && errno == EINTR) {}
  if (n < 0 && errno != EAGAIN) return ipfsa_fail_errno(err, errno, "container engine %s: writing", w->name);
  *ret_len = n < 0 ? 0 : (size_t)n;
  return IPFSA_OK;
}

ipfsa_status ipfsa_wire_read(ipfsa_wire *w, void *data, size_t cap, uint64_t deadline, size_t *ret_len, ipfsa_error *err) {
  for (;;) {
    bool again = false;
    ipfsa_status status = ipfsa_wire_try_read(w, data, cap, ret_len, &again, err);
    if (status || !again) return status;
    status = wait_for(w, POLLIN, deadline, err);
    if (status) return status;
  }
}

ipfsa_status ipfsa_wire_write(ipfsa_wire *w, const void *data, size_t len, uint64_t deadline, ipfsa_error *err) {
  const uint8_t *p = data;
  while (len) {
    size_t n = 0;
    ipfsa_status status = ipfsa_wire_try_write(w, p, len, &n, err);
    if (status) return status;
    p += n;
    len -= n;
    if (n == 0) status = wait_for(w, POLLOUT, deadline, err);
    if (status) return status;
  }
  return IPFSA_OK;
}

ipfsa_status ipfsa_wire_end_writing(ipfsa_wire *w, ipfsa_error *err) {
  if (w->tls) ipfsa_tls_end_writing(w->tls); /* close_notify alone: engines take it as the end of input */
  else if (shutdown(w->fd, SHUT_WR) != 0) return ipfsa_fail_errno(err, errno, "container engine %s: ending the input", w->name);
  return IPFSA_OK;
}

bool ipfsa_wire_is_quiet(ipfsa_wire *w) {
  struct pollfd fd = {.fd = w->fd, .events = POLLIN};
  return !ipfsa_wire_has_pending(w) && poll(&fd, 1, 0) == 0;
}
