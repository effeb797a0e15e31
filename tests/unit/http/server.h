/* A server on loopback that answers by a script: one connection at a time, one request each, kept for the test to look at. */
#ifndef IPFSA_TESTS_HTTP_SERVER_H
#define IPFSA_TESTS_HTTP_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../support.h"

#define MAX_REQUESTS 16

/* Held while an answer is chosen and sent: whoever changes what answers are made of takes it. */
static pthread_mutex_t script_lock = PTHREAD_MUTEX_INITIALIZER;

typedef struct server {
  int fd, stop[2];
  uint16_t port;
  const char *path; /* of a unix socket to listen at instead, as engines do */
  pthread_t thread;
  const char *answers[MAX_REQUESTS]; /* to the i-th request; the last one is repeated; as they are on the wire */
  const char *(*choose)(const char *request); /* instead of answers, by what was asked */
  size_t n_answer;                   /* bytes of what `choose` gave, which sets it when that holds zero bytes; 0: it is a text */
  size_t pad;                        /* bytes 'x' sent behind the answer */
  bool hangs;                        /* after the answer, until server_stop */
  bool takes_all;                    /* also bodies that are larger than `requests` has room for; their bytes are added up */
  uint64_t n_body, sum_body;         /* of the last request taken so */
  char requests[MAX_REQUESTS][8192];
  int n_requests;
} server;

static size_t read_request(int fd, char *to, size_t size) {
  size_t len = 0;
  while (len + 1 < size) {
    ssize_t n = recv(fd, to + len, size - 1 - len, 0);
    if (n <= 0) break;
    to[len += (size_t)n] = '\0';
    const char *end = strstr(to, "\r\n\r\n"), *length = strcasestr(to, "content-length:");
    if (end && len >= (size_t)(end - to) + 4 + (length ? strtoul(length + 15, NULL, 10) : 0)) break;
  }
  return len;
}

static void take_body(server *s, int fd, const char *head, size_t len) {
  const char *end = strstr(head, "\r\n\r\n"), *length = strcasestr(head, "content-length:");
  if (!end || !length) return;
  uint64_t want = strtoull(length + 15, NULL, 10);
  s->n_body = s->sum_body = 0;
  for (const char *p = end + 4; p < head + len; p++) s->n_body++, s->sum_body += (unsigned char)*p;
  unsigned char room[65536];
  while (s->n_body < want) {
    ssize_t n = recv(fd, room, sizeof room, 0);
    if (n <= 0) return;
    for (ssize_t i = 0; i < n; i++) s->sum_body += room[i];
    s->n_body += (uint64_t)n;
  }
}

static void send_all(int fd, const char *data, size_t len) {
  while (len) {
    ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
    if (n <= 0) return;
    data += n, len -= (size_t)n;
  }
}

static void *serve(void *arg) {
  server *s = arg;
  for (;;) {
    int fd = accept(s->fd, NULL, NULL);
    if (fd < 0) return NULL;
    int n = __atomic_load_n(&s->n_requests, __ATOMIC_SEQ_CST), answer;
    answer = n = n < MAX_REQUESTS - 1 ? n : MAX_REQUESTS - 1;
    size_t len = read_request(fd, s->requests[n], sizeof s->requests[n]);
    if (s->takes_all) take_body(s, fd, s->requests[n], len);
    __atomic_add_fetch(&s->n_requests, 1, __ATOMIC_SEQ_CST);
    while (answer > 0 && !s->answers[answer]) answer--;
    pthread_mutex_lock(&script_lock);
    const char *text = s->choose ? s->choose(s->requests[n]) : s->answers[answer];
    send_all(fd, text, s->n_answer ? s->n_answer : strlen(text));
    s->n_answer = 0;
    pthread_mutex_unlock(&script_lock);
    static const char pad[65536] = {[0 ... 65535] = 'x'};
    for (size_t left = s->pad, some; left; left -= some) send_all(fd, pad, some = left < sizeof pad ? left : sizeof pad);
    char byte;
    if (s->hangs && read(s->stop[0], &byte, 1) < 0) perror("read");
    close(fd);
  }
}

static void server_listen_at_path(server *s) {
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  assert_true(snprintf(at.sun_path, sizeof at.sun_path, "%s", s->path) < (int)sizeof at.sun_path);
  s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(s->fd, 512), 0);
}

static void server_listen(server *s) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(s->fd, 512), 0);
  assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
  s->port = ntohs(at.sin_port);
}

static void server_start(server *s) {
  if (s->path) server_listen_at_path(s);
  else server_listen(s);
  assert_int_equal(pipe(s->stop), 0);
  assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_stop(server *s) {
  close(s->stop[1]);
  shutdown(s->fd, SHUT_RDWR);
  pthread_join(s->thread, NULL);
  close(s->fd);
  close(s->stop[0]);
}

#endif
