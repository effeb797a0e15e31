/* Runs one command and writes what it took as one JSON object: usage: bench-timed REPORT COMMAND [ARGUMENT…]
 *
 * A small program of its own, because the kernel counts the memory of the process that started a program as the program's own peak (exec keeps
 * the larger of the two): beside a starting Python nothing below 20 MiB could be seen. Memory that is neither page cache nor a mapped file is read
 * from /proc every few milliseconds; a process that ends before the first look has none (null). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 5000000l /* between two looks; one costs about 20 µs */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds_of(struct timeval t) { return (double)t.tv_sec + (double)t.tv_usec / 1e6; }

static long field(const char *text, const char *name) {
  const char *at = strstr(text, name);
  return at ? strtol(at + strlen(name), NULL, 10) : 0;
}

/* KiB of memory that no file stands behind. */
static long private_kib(int status_fd) {
  char text[4096];
  ssize_t n = pread(status_fd, text, sizeof text - 1, 0);
  if (n <= 0) return -1;
  text[n] = 0;
  return strstr(text, "RssAnon:") ? field(text, "RssAnon:") + field(text, "RssShmem:") : -1;
}

static long watch(pid_t child, const sigset_t *wanted) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", (int)child);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  long most = -1;
  while (sigtimedwait(wanted, NULL, &(struct timespec){.tv_nsec = LOOK_NS}) < 0 && (errno == EAGAIN || errno == EINTR)) {
    long kib = fd < 0 ? -1 : private_kib(fd);
    if (kib > most) most = kib;
  }
  if (fd >= 0) close(fd);
  return most;
}

static int report(const char *path, double seconds, const struct rusage *u, long most, int code) {
  FILE *out = fopen(path, "w");
  if (!out) return perror(path), 1;
  fprintf(out, "{\"seconds\": %.6f, \"user\": %.6f, \"system\": %.6f, \"peak_kib\": %ld, \"written_bytes\": %lld, \"read_bytes\": %lld, \"code\": %d, ",
          seconds, seconds_of(u->ru_utime), seconds_of(u->ru_stime), u->ru_maxrss, (long long)u->ru_oublock * 512, (long long)u->ru_inblock * 512, code);
  if (most < 0) fprintf(out, "\"private_kib\": null}\n");
  else fprintf(out, "\"private_kib\": %ld}\n", most);
  return fclose(out) != 0;
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "usage: bench-timed REPORT COMMAND [ARGUMENT...]\n"), 2;
  sigset_t wanted, before;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGCHLD);
  sigprocmask(SIG_BLOCK, &wanted, &before);
  double start = now();
  pid_t child = fork();
  if (child < 0) return perror("fork"), 1;
  if (child == 0) {
    sigprocmask(SIG_SETMASK, &before, NULL);
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    _exit(127);
  }
  long most = watch(child, &wanted);
  int state = 0;
  struct rusage usage;
  if (wait4(child, &state, 0, &usage) != child) return perror("wait4"), 1;
  double seconds = now() - start;
  int code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
  return report(argv[1], seconds, &usage, most, code) ? 1 : code;
}
