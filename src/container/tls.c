#include "container/tls.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"

#define LIBSSL "libssl.so.3"
/* The functions used, with the types of OpenSSL's own headers. */
#define FUNCTIONS(X)                                                                                                                       \
  X(TLS_client_method) X(SSL_CTX_new) X(SSL_CTX_free) X(SSL_CTX_ctrl) X(SSL_CTX_set_verify) X(SSL_CTX_load_verify_locations)              \
  X(SSL_CTX_set_default_verify_paths) X(SSL_CTX_use_certificate_chain_file) X(SSL_CTX_use_PrivateKey_file) X(SSL_CTX_check_private_key)    \
  X(SSL_new) X(SSL_free) X(SSL_set_fd) X(SSL_set1_host) X(SSL_get0_param) X(SSL_ctrl) X(SSL_connect) X(SSL_read) X(SSL_write)               \
  X(SSL_get_error) X(SSL_shutdown) X(SSL_pending) X(SSL_get_verify_result)
static struct {
#define X(name) __typeof__(name) *name;
  FUNCTIONS(X)
#undef X
} ssl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool loaded;

static void load(void) {
  void *library = dlopen(LIBSSL, RTLD_NOW | RTLD_LOCAL);
  bool all = library != NULL;
#define X(name) all = all && (*(void **)&ssl.name = dlsym(library, #name)) != NULL;
  FUNCTIONS(X)
#undef X
  loaded = all;
}

struct ipfsa_tls {
  SSL_CTX *context;
  SSL *connection;
};

static ipfsa_status tls_failed(ipfsa_error *err, const char *what) {
  char why[160] = "no reason given";
  unsigned long code = ERR_get_error();
  if (code) ERR_error_string_n(code, why, sizeof why);
  ERR_clear_error();
  return ipfsa_fail(err, IPFSA_E_IO, "TLS to the container engine: %s: %s", what, why);
}

static bool present(const char *path) { return access(path, R_OK) == 0; }

static ipfsa_status load_files(SSL_CTX *context, const char *dir, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf ca = {0}, cert = {0}, key = {0};
  ipfsa_buf_printf(&ca, "%s/ca.pem", dir);
  ipfsa_buf_printf(&cert, "%s/cert.pem", dir);
  ipfsa_buf_printf(&key, "%s/key.pem", dir);
  const char *ca_path = ipfsa_buf_cstr(&ca), *cert_path = ipfsa_buf_cstr(&cert), *key_path = ipfsa_buf_cstr(&key);
  if (present(ca_path)) {
    if (ssl.SSL_CTX_load_verify_locations(context, ca_path, NULL) != 1) return tls_failed(err, ca_path);
  } else (void)ssl.SSL_CTX_set_default_verify_paths(context);
  if (!present(cert_path)) return IPFSA_OK;
  if (ssl.SSL_CTX_use_certificate_chain_file(context, cert_path) != 1) return tls_failed(err, cert_path);
  if (ssl.SSL_CTX_use_PrivateKey_file(context, key_path, SSL_FILETYPE_PEM) != 1) return tls_failed(err, key_path);
  return ssl.SSL_CTX_check_private_key(context) == 1 ? IPFSA_OK : tls_failed(err, "cert.pem and key.pem do not belong together");
}

static ipfsa_status new_connection(ipfsa_tls *tls, int fd, const ipfsa_engine_address *a, ipfsa_error *err) {
  tls->connection = ssl.SSL_new(tls->context);
  if (!tls->connection || ssl.SSL_set_fd(tls->connection, fd) != 1) return tls_failed(err, "setting up");
  unsigned char address[16];
  bool numeric = inet_pton(AF_INET, a->host, address) == 1 || inet_pton(AF_INET6, a->host, address) == 1;
  int named = numeric ? X509_VERIFY_PARAM_set1_ip_asc(ssl.SSL_get0_param(tls->connection), a->host) : ssl.SSL_set1_host(tls->connection, a->host);
  if (named != 1) return tls_failed(err, "setting the name to check");
  if (!numeric) ssl.SSL_ctrl(tls->connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)a->host);
  return IPFSA_OK;
}

ipfsa_status ipfsa_tls_new(int fd, const ipfsa_engine_address *a, ipfsa_tls **ret, ipfsa_error *err) {
  pthread_once(&once, load);
  if (!loaded) return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "TLS to the container engine: " LIBSSL " is not installed; install libssl3");
  ipfsa_tls *tls = ipfsa_calloc(1, sizeof *tls);
  if (!tls) return ipfsa_fail_nomem(err);
  tls->context = ssl.SSL_CTX_new(ssl.TLS_client_method());
  if (!tls->context) {
    ipfsa_tls_free(tls);
    return tls_failed(err, "setting up");
  }
  ssl.SSL_CTX_ctrl(tls->context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
  /* A write that is tried again may come from another place in memory, and may go out in part. */
  ssl.SSL_CTX_ctrl(tls->context, SSL_CTRL_MODE, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, NULL);
  ssl.SSL_CTX_set_verify(tls->context, a->skip_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
  ipfsa_status status = IPFSA_OK;
  if (a->tls_dir) status = load_files(tls->context, a->tls_dir, err);
  else (void)ssl.SSL_CTX_set_default_verify_paths(tls->context);
  if (status == IPFSA_OK) status = new_connection(tls, fd, a, err);
  if (status) ipfsa_tls_free(tls);
  else *ret = tls;
  return status;
}

void ipfsa_tls_free(ipfsa_tls *tls) {
  if (!tls) return;
  if (tls->connection) ssl.SSL_free(tls->connection);
  if (tls->context) ssl.SSL_CTX_free(tls->context);
  ipfsa_free(tls);
}

/* What a return value below 1 means: wait, the end (*ret_end), or an error. */
static ipfsa_status explain(ipfsa_tls *tls, int result, short *ret_wait, bool *ret_end, const char *what, ipfsa_error *err) {
  int saved = errno;
  switch (ssl.SSL_get_error(tls->connection, result)) {
  case SSL_ERROR_WANT_READ: *ret_wait = POLLIN; return IPFSA_OK;
  case SSL_ERROR_WANT_WRITE: *ret_wait = POLLOUT; return IPFSA_OK;
  case SSL_ERROR_ZERO_RETURN: *ret_end = true; return IPFSA_OK;
  case SSL_ERROR_SYSCALL:
    ERR_clear_error();
    return ipfsa_fail_errno(err, saved ? saved : ECONNRESET, "TLS to the container engine: %s", what);
  default: return tls_failed(err, what);
  }
}

/* OpenSSL writes with write(), which raises SIGPIPE when the other side is gone. A library must not end its program: the signal is held back for this
 * thread while OpenSSL runs, and one that came from here is taken away. */
typedef struct pipe_guard {
  sigset_t old;
  bool was_pending;
} pipe_guard;

static pipe_guard hold_sigpipe(void) {
  pipe_guard guard;
  sigset_t pipe_only, pending;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  sigpending(&pending);
  guard.was_pending = sigismember(&pending, SIGPIPE) == 1;
  pthread_sigmask(SIG_BLOCK, &pipe_only, &guard.old);
  return guard;
}

static void let_sigpipe_go(const pipe_guard *guard) {
  int saved = errno;
  sigset_t pipe_only;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  const struct timespec at_once = {0};
  if (!guard->was_pending) (void)sigtimedwait(&pipe_only, NULL, &at_once);
  pthread_sigmask(SIG_SETMASK, &guard->old, NULL);
  errno = saved;
}

ipfsa_status ipfsa_tls_handshake(ipfsa_tls *tls, short *ret_wait, ipfsa_error *err) {
  *ret_wait = 0;
  bool end = false;
  pipe_guard guard = hold_sigpipe();
  int result = ssl.SSL_connect(tls->connection);
  let_sigpipe_go(&guard);
  if (result == 1) return IPFSA_OK;
  long verdict = ssl.SSL_get_verify_result(tls->connection);
  ipfsa_status status = explain(tls, result, ret_wait, &end, "handshake", err);
  if (status && verdict != X509_V_OK)
    return ipfsa_fail(err, IPFSA_E_DENIED, "TLS to the container engine: its certificate is not accepted: %s; put the authority's ca.pem into DOCKER_CERT_PATH",
                      X509_verify_cert_error_string(verdict));
  if (end) return ipfsa_fail(err, IPFSA_E_IO, "TLS to the container engine: the connection ended during the handshake");
  return status;
}

ipfsa_status ipfsa_tls_read(ipfsa_tls *tls, void *data, size_t cap, size_t *ret_len, short *ret_wait, ipfsa_error *err) {
  *ret_wait = 0;
  *ret_len = 0;
  bool end = false;
  pipe_guard guard = hold_sigpipe(); /* reading may answer on the level of TLS */
  int n = ssl.SSL_read(tls->connection, data, cap > 1 << 20 ? 1 << 20 : (int)cap);
  let_sigpipe_go(&guard);
  if (n > 0) {
    *ret_len = (size_t)n;
    return IPFSA_OK;
  }
  return explain(tls, n, ret_wait, &end, "reading", err);
}

ipfsa_status ipfsa_tls_write(ipfsa_tls *tls, const void *data, size_t len, size_t *ret_len, short *ret_wait, ipfsa_error *err) {
  *ret_wait = 0;
  *ret_len = 0;
  bool end = false;
  pipe_guard guard = hold_sigpipe();
  int n = ssl.SSL_write(tls->connection, data, len > 1 << 20 ? 1 << 20 : (int)len);
  let_sigpipe_go(&guard);
  if (n > 0) {
    *ret_len = (size_t)n;
    return IPFSA_OK;
  }
  ipfsa_status status = explain(tls, n, ret_wait, &end, "writing", err);
  return end ? ipfsa_fail(err, IPFSA_E_IO, "TLS to the container engine: it takes no more data") : status;
}

void ipfsa_tls_end_writing(ipfsa_tls *tls) {
  pipe_guard guard = hold_sigpipe();
  (void)ssl.SSL_shutdown(tls->connection);
  let_sigpipe_go(&guard);
}
bool ipfsa_tls_has_pending(const ipfsa_tls *tls) { return ssl.SSL_pending(tls->connection) > 0; }
