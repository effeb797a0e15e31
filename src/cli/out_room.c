/* Blocks of a file that standard output is, asked for ahead of what is written: the kernel then finds them, instead of looking for one at every page. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/context.h"

#define WORTH (2u << 20)         /* bytes; less is written before it would show */
#define STEP ((uint64_t)128 << 20) /* bytes at once, what one extent of ext4 holds: as much is left behind the end of the file if this process is killed */

/* Appending goes where others append, too, so that nobody knows where. */
void cli_out_expect(cli_context *ctx, uint64_t bytes) {
  struct stat st;
  int flags = fcntl(STDOUT_FILENO, F_GETFL);
  off_t at = fflush(stdout) == 0 ? lseek(STDOUT_FILENO, 0, SEEK_CUR) : -1;
  bool to_file = flags >= 0 && !(flags & O_APPEND) && at >= 0 && fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);
  ctx->room = (cli_out_room){.at = to_file ? (uint64_t)at : 0, .end = to_file ? (uint64_t)at : 0, .expected = to_file && bytes >= WORTH ? bytes : 0};
}

void cli_out_room_for(cli_context *ctx, size_t len) {
  cli_out_room *r = &ctx->room;
  if (r->expected == 0) return;
  if (r->at + len > r->end) {
    uint64_t step = r->expected < STEP ? r->expected : STEP;
    if (fallocate(STDOUT_FILENO, FALLOC_FL_KEEP_SIZE, (off_t)r->at, (off_t)step) != 0) { /* no room, or no such thing: writing tells */
      r->expected = 0;
      return;
    }
    r->end = r->at + step;
  }
  r->at += len;
  r->expected -= len < r->expected ? len : r->expected;
}

/* Only behind the end of a file that ends where we do: what is there is nobody's. */
void cli_out_room_end(cli_context *ctx) {
  cli_out_room *r = &ctx->room;
  struct stat st;
  if (r->end > r->at && fstat(STDOUT_FILENO, &st) == 0 && (uint64_t)st.st_size <= r->at) (void)!ftruncate(STDOUT_FILENO, st.st_size);
  *r = (cli_out_room){0};
}
