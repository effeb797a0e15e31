/* How fast bytes come through a tunnel's relay, beside a connection without one: a source, a sink and, between them, a process that relays, as a
 * tunnel is one. Usage: bench-relay direct|relay|copy|splice|docker-proxy MIB [CONGESTION]. relay: as a tunnel does it; copy, splice: one way of the
 * two. CONGESTION: the congestion control of source and sink, else the machine's own. One JSON line: bytes a second, and the time of a round trip of
 * one byte. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "container/relay.h"

#define PIECE (256u << 10)
#define ROUND_TRIPS 20000

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static const char *congestion; /* NULL: the machine's */

static void set_congestion(int fd) {
  if (congestion && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion)) != 0) fail(congestion);
}

static int listen_somewhere(struct sockaddr_in *ret) {
  socklen_t len = sizeof *ret;
  *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(fd, (struct sockaddr *)ret, sizeof *ret) != 0 || listen(fd, 8) != 0 || getsockname(fd, (struct sockaddr *)ret, &len) != 0) fail("listen");
  return fd;
}

static int connect_to(const struct sockaddr_in *to, bool by_relay) {
  int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
  if (by_relay) ipfsa_relay_set_up(fd);
  else set_congestion(fd);
  if (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (by_relay && fcntl(fd, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
  return fd;
}

/* The server: answers single bytes, then takes everything to the end and answers once. */
static void serve(int listener) {
  static char data[PIECE];
  int on = 1, fd = accept(listener, NULL, NULL);
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  for (int i = 0; i < ROUND_TRIPS; i++)
    if (read(fd, data, 1) != 1 || write(fd, data, 1) != 1) fail("round trip");
  while (read(fd, data, sizeof data) > 0) {}
  if (write(fd, "!", 1) != 1) fail("last word");
  _exit(0);
}

/* Docker's own relay, between the same two addresses; it says on descriptor 3 that it listens. Its pid. */
static pid_t docker_proxy(int *listener, const struct sockaddr_in *between, const struct sockaddr_in *to) {
  char from_port[8], to_port[8], word;
  int said[2];
  snprintf(from_port, sizeof from_port, "%u", ntohs(between->sin_port));
  snprintf(to_port, sizeof to_port, "%u", ntohs(to->sin_port));
  close(*listener); /* its port is free now */
  if (pipe(said) != 0) fail("pipe");
  pid_t pid = fork();
  if (pid == 0) {
    if (dup2(said[1], 3) < 0) fail("dup2");
    execlp("docker-proxy", "docker-proxy", "-proto", "tcp", "-host-ip", "127.0.0.1", "-host-port", from_port, "-container-ip", "127.0.0.1", "-container-port", to_port, NULL);
    fail("docker-proxy");
  }
  close(said[1]);
  if (read(said[0], &word, 1) != 1 || word != '0') exit(1);
  return pid;
}

static void relay(int listener, const struct sockaddr_in *to, const char *way) {
  ipfsa_relay *relay = NULL;
  ipfsa_error err = {0};
  signal(SIGPIPE, SIG_IGN);
  int near = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  ipfsa_status status = ipfsa_relay_new(0, &relay, &err);
  if (status == IPFSA_OK && strcmp(way, "relay") != 0) ipfsa_relay_use_splice(relay, strcmp(way, "splice") == 0);
  if (status == IPFSA_OK) status = ipfsa_relay_add(relay, (ipfsa_relay_end){.fd = near}, (ipfsa_relay_end){.fd = connect_to(to, true)}, &err);
  while (status == IPFSA_OK && ipfsa_relay_count(relay).n_open) status = ipfsa_relay_step(relay, -1, &err);
  if (status) fprintf(stderr, "%s\n", err.message);
  _exit(status != IPFSA_OK);
}

int main(int argc, char **argv) {
  static char data[PIECE];
  if (argc != 3 && argc != 4) return 1;
  congestion = argv[3];
  uint64_t total = strtoull(argv[2], NULL, 10) << 20;
  struct sockaddr_in server, between;
  int server_fd = listen_somewhere(&server), between_fd = listen_somewhere(&between);
  bool direct = strcmp(argv[1], "direct") == 0;
  pid_t proxy = strcmp(argv[1], "docker-proxy") == 0 ? docker_proxy(&between_fd, &between, &server) : 0;
  set_congestion(server_fd);
  if (!direct && !proxy) ipfsa_relay_set_up(between_fd); /* before anyone connects */
  if (fork() == 0) serve(server_fd);
  if (!direct && !proxy && fork() == 0) relay(between_fd, &server, argv[1]);
  int fd = connect_to(direct ? &server : &between, false);
  uint64_t start = ipfsa_clock_monotonic_ns();
  for (int i = 0; i < ROUND_TRIPS; i++)
    if (write(fd, data, 1) != 1 || read(fd, data, 1) != 1) fail("round trip");
  double round_trip = (double)(ipfsa_clock_monotonic_ns() - start) / ROUND_TRIPS;
  start = ipfsa_clock_monotonic_ns();
  for (uint64_t left = total; left; left -= left < PIECE ? left : PIECE)
    if (write(fd, data, left < PIECE ? left : PIECE) != (ssize_t)(left < PIECE ? left : PIECE)) fail("write");
  shutdown(fd, SHUT_WR);
  if (read(fd, data, 1) != 1) fail("last word");
  double seconds = (double)(ipfsa_clock_monotonic_ns() - start) / 1e9;
  printf("{\"bytes_per_second\":%.0f,\"round_trip_ns\":%.0f}\n", (double)total / seconds, round_trip);
  if (proxy) kill(proxy, SIGTERM);
  while (wait(NULL) > 0) {}
  return 0;
}
