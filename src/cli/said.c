#include "cli/said.h"

#include <string.h>

#include "cli/engine.h"

static void put_line(cli_said *s, int which, bool whole) {
  cli_context *ctx = s->ctx;
  const char *text = s->line[which].text;
  size_t len = s->line[which].len;
  const char *space = s->has_times ? memchr(text, ' ', len) : NULL;
  cli_out(ctx, "{");
  cli_json_member(ctx, true, "Stream", which ? "stderr" : "stdout");
  if (space) {
    cli_out(ctx, ",\"Time\":");
    cli_json_string(ctx, text, (size_t)(space - text));
    len -= (size_t)(space + 1 - text);
    text = space + 1;
  }
  cli_out(ctx, ",\"Line\":");
  cli_json_string(ctx, text, len);
  cli_out(ctx, ",\"Whole\":%s}\n", whole ? "true" : "false");
  s->line[which].len = 0;
}

static void take_lines(cli_said *s, int which, const char *data, size_t len) {
  while (len) {
    const char *nl = memchr(data, '\n', len);
    size_t n = nl ? (size_t)(nl - data) : len, room = CLI_SAID_LINE - s->line[which].len;
    bool cut = n > room;
    if (cut) n = room;
    memcpy(s->line[which].text + s->line[which].len, data, n);
    s->line[which].len += n;
    if (cut) put_line(s, which, false);
    else if (nl) put_line(s, which, true), n++;
    data += n, len -= n;
  }
}

/* Whoever follows sees it now. */
int cli_said_take(void *arg, int stream, const void *data, size_t len) {
  cli_said *s = arg;
  if (cli_json(s->ctx)) take_lines(s, stream == 2, data, len);
  else if (stream == 2) return fwrite(data, 1, len, stderr) == len ? 0 : -1;
  else if (cli_out_write(s->ctx, data, len) != 0) return -1;
  return fflush(stdout) == 0 ? 0 : -1;
}

void cli_said_end(cli_said *s) {
  for (int which = 0; which < 2; which++)
    if (s->line[which].len) put_line(s, which, false);
}
