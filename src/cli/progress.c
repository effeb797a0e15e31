/* One line on a terminal: what, bytes (or items), rate, time left. Redrawn at most ten times a second. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/context.h"

#define MOST_LEFT (100 * 86400.0) /* seconds: a guess of more says nothing */

struct cli_progress {
  char label[32];
  double started, drawn;
  bool shown;
};

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

cli_progress *cli_progress_start(cli_context *ctx, const char *label, bool wanted) {
  if (!ctx->err_is_tty || !wanted) return NULL;
  cli_progress *p = calloc(1, sizeof *p);
  if (!p) return NULL;
  snprintf(p->label, sizeof p->label, "%s", label);
  p->started = now();
  return p;
}

static void draw_items(const cli_progress *p, const ipfsa_progress *at) {
  fprintf(stderr, "\r\033[K%s %llu", p->label, (unsigned long long)at->done_items);
  if (at->total_items) fprintf(stderr, " / %llu", (unsigned long long)at->total_items);
  fprintf(stderr, " blocks");
  fflush(stderr);
}

static void draw(cli_progress *p, const ipfsa_progress *at, double elapsed) {
  if (at->total_items && !at->total_bytes && !at->done_bytes) { /* things that are counted, not weighed */
    fprintf(stderr, "\r\033[K%s %llu / %llu", p->label, (unsigned long long)at->done_items, (unsigned long long)at->total_items);
    fflush(stderr);
    return;
  }
  double rate = elapsed > 0 ? (double)at->done_bytes / elapsed : 0;
  if (at->done_bytes == 0 && at->total_bytes == 0) {
    draw_items(p, at);
    return;
  }
  fprintf(stderr, "\r\033[K%s %s", p->label, cli_human_bytes(at->done_bytes));
  if (at->total_bytes) {
    fprintf(stderr, " / %s  %3.0f%%", cli_human_bytes(at->total_bytes),
            100.0 * (double)at->done_bytes / (double)at->total_bytes);
  }
  fprintf(stderr, "  %s/s", cli_human_bytes((uint64_t)rate));
  double left = at->total_bytes > at->done_bytes && rate > 0 ? (double)(at->total_bytes - at->done_bytes) / rate + 0.5 : 0;
  if (left > 0 && left < MOST_LEFT) fprintf(stderr, "  %u:%02u left", (unsigned)left / 60, (unsigned)left % 60);
  if (at->done_items > 1) fprintf(stderr, "  %llu items", (unsigned long long)at->done_items);
  fflush(stderr);
}

int cli_progress_step(void *progress, const ipfsa_progress *at) {
  if (cli_signals_interrupted() || cli_signals_timed_out()) return 1;
  cli_progress *p = progress;
  if (!p) return 0;
  double t = now();
  if (t - p->drawn < 0.1) return 0;
  p->drawn = t;
  p->shown = true;
  draw(p, at, t - p->started);
  return 0;
}

void cli_progress_hide(cli_progress *p) {
  if (p && p->shown) fprintf(stderr, "\r\033[K");
  if (p) p->shown = false;
}

void cli_progress_end(cli_progress *p) {
  cli_progress_hide(p);
  free(p);
}
