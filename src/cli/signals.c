/* Interrupts and time-outs: the call in progress is asked to stop and leaves the repo whole; a second one ends the program at once. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "cli/context.h"

static ipfsa_node *volatile watched;
static ipfsa_engine *volatile watched_engine;
static volatile sig_atomic_t interrupts, time_outs, event_fd;
static struct timespec first_interrupt;

#define SAME_INTERRUPT_MS 500 /* timeout(1) and some shells tell a process and its group: two signals, one wish. Nobody types as fast */

int64_t cli_parse_duration(const char *text) {
  static const struct {
    const char *unit;
    double ns;
  } units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
  double total = 0;
  if (strcmp(text, "0") == 0) return 0;
  if (!*text) return -1;
  while (*text) {
    const char *end = NULL;
    double v = cli_parse_decimal(text, &end);
    if (v < 0) return -1;
    size_t len = strcspn(end, "0123456789."), i = 0;
    for (; i < 6; i++)
      if (strlen(units[i].unit) == len && memcmp(units[i].unit, end, len) == 0) break;
    if (i == 6) return -1;
    total += v * units[i].ns;
    text = end + len;
  }
  return isfinite(total) && total < 9e18 ? (int64_t)total : -1;
}

static void ring(void) {
  uint64_t one = 1;
  if (event_fd && write(event_fd, &one, sizeof one) < 0) return; /* full: it rings already */
}

/* A second wish, not the first once more. */
static bool insists(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now); /* may be called here: signal-safety(7) */
  if (interrupts == 0) {
    first_interrupt = now;
    interrupts = 1;
    return false;
  }
  long long ms = (long long)(now.tv_sec - first_interrupt.tv_sec) * 1000 + (now.tv_nsec - first_interrupt.tv_nsec) / 1000000;
  return ms > SAME_INTERRUPT_MS;
}

static void on_signal(int number) {
  if (number == SIGALRM) {
    if (time_outs++ > 0) {
      static const char text[] = "Error: timed out\n";
      if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(1);
      _exit(1);
    }
  } else if (insists()) {
    _exit(1);
  }
  ring();
  if (watched) ipfsa_node_cancel(watched);
  if (watched_engine) ipfsa_engine_cancel(watched_engine);
}

void cli_signals_start(int64_t timeout_ns) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask); /* none of the three comes in the middle of another */
  sigaddset(&action.sa_mask, SIGINT);
  sigaddset(&action.sa_mask, SIGTERM);
  sigaddset(&action.sa_mask, SIGALRM);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write, reported once */
  if (timeout_ns <= 0) return;
  sigaction(SIGALRM, &action, NULL);
  /* A call that does not reach a safe point within two more seconds (a blocked read, say) is ended. */
  struct itimerval timer = {{2, 0}, {timeout_ns / 1000000000, timeout_ns % 1000000000 / 1000}};
  if (timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0) timer.it_value.tv_usec = 1;
  setitimer(ITIMER_REAL, &timer, NULL);
}

void cli_signals_die_of_pipe(void) {
  signal(SIGPIPE, SIG_DFL);
  raise(SIGPIPE);
}

void cli_signals_watch(ipfsa_node *node) {
  watched = node;
  if (node && (interrupts || time_outs)) ipfsa_node_cancel(node);
}

void cli_signals_watch_engine(ipfsa_engine *engine) {
  watched_engine = engine;
  if (engine && (interrupts || time_outs)) ipfsa_engine_cancel(engine);
}

int cli_signals_event(void) {
  if (event_fd) return event_fd;
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  event_fd = fd > 0 ? fd : 0;
  if (interrupts || time_outs) ring(); /* what came before */
  return event_fd;
}

bool cli_signals_timed_out(void) { return time_outs > 0; }
bool cli_signals_interrupted(void) { return interrupts > 0; }
