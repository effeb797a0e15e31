/* What containers say. */
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "container/container_inside.h"
#include "container/frames.h"
#include "container/secrets.h"

typedef struct demux {
  ipfsa_frames frames;
  bool is_raw;
  ipfsa_container_output_cb cb;
  void *ctx;
} demux;

static ipfsa_status hand_on(demux *d, int stream, ipfsa_bytes piece, ipfsa_error *err) {
  return piece.len == 0 || d->cb(d->ctx, stream, piece.data, piece.len) == 0 ? IPFSA_OK : ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
}

static ipfsa_status demux_take(demux *d, ipfsa_bytes bytes, ipfsa_error *err) {
  if (d->is_raw) return hand_on(d, 1, bytes, err);
  ipfsa_cursor in = ipfsa_cursor_over(bytes);
  ipfsa_status status = IPFSA_OK;
  while (status == IPFSA_OK && ipfsa_cursor_left(&in)) {
    int stream = 1;
    ipfsa_bytes piece;
    status = ipfsa_frames_read(&d->frames, &in, &stream, &piece, err);
    if (status == IPFSA_OK) status = hand_on(d, stream == 2 ? 2 : 1, piece, err);
  }
  return status;
}

ipfsa_status ipfsa_container_read_output(ipfsa_engine_reply *reply, bool is_raw, ipfsa_container_output_cb cb, void *ctx, ipfsa_error *err) {
  demux d = {.is_raw = is_raw, .cb = cb, .ctx = ctx};
  ipfsa_bytes piece = {0};
  ipfsa_status status;
  do {
    status = ipfsa_engine_reply_next(reply, &piece, err);
    if (status == IPFSA_OK) status = demux_take(&d, piece, err);
  } while (status == IPFSA_OK && piece.len);
  return status ? status : ipfsa_frames_eof(&d.frames, err);
}

#define MAX_TIME_S 9000000000 /* in the year 2255; nanoseconds of it fit 63 bits */

ipfsa_status ipfsa_container_time(const char *what, const char *text, int64_t *ret_ns, ipfsa_error *err) {
  static const char digits[] = "0123456789";
  size_t n = strspn(text, digits), m = text[n] == '.' ? strspn(text + n + 1, digits) : 0;
  bool fine = n && n <= 10 && strtoll(text, NULL, 10) <= MAX_TIME_S && (text[n] == '\0' || (m && m <= 9 && text[n + 1 + m] == '\0'));
  if (!fine) return ipfsa_fail(err, IPFSA_E_INVALID, "%s \"%.50s\": expected seconds since 1970 such as 1700000000.5", what, text);
  int64_t ns = m ? strtoll(text + n + 1, NULL, 10) : 0;
  for (; m && m < 9; m++) ns *= 10;
  *ret_ns = strtoll(text, NULL, 10) * 1000000000 + ns;
  return IPFSA_OK;
}

ipfsa_status ipfsa_container_read_logs(ipfsa_engine *engine, const char *name, const ipfsa_container_logs_options *o, bool is_raw, bool cleaning, uint64_t deadline,
                                       ipfsa_container_output_cb cb, void *ctx, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_container_target(&target, name, "/logs?stdout=1&stderr=1");
  if (o->follow) ipfsa_http_put_query(&target, "follow", "1");
  if (o->timestamps) ipfsa_http_put_query(&target, "timestamps", "1");
  char tail[24];
  snprintf(tail, sizeof tail, "%llu", (unsigned long long)o->tail);
  if (o->tail) ipfsa_http_put_query(&target, "tail", tail);
  int64_t at;
  ipfsa_status status = o->since ? ipfsa_container_time("since", o->since, &at, err) : IPFSA_OK;
  if (status) return status;
  if (o->since) ipfsa_http_put_query(&target, "since", o->since);
  ipfsa_engine_reply *reply = NULL;
  ipfsa_engine_call call = {.method = "GET", .target = &target, .waits = o->follow, .cleaning = cleaning, .deadline = deadline};
  status = ipfsa_engine_begin(engine, &call, &reply, err);
  if (status == IPFSA_OK) status = ipfsa_container_read_output(reply, is_raw, cb, ctx, err);
  ipfsa_engine_reply_end(reply);
  return status;
}

ipfsa_status ipfsa_container_logs(ipfsa_engine *engine, const char *name, const ipfsa_container_logs_options *options, ipfsa_container_output_cb cb, void *ctx,
                                  ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *json = NULL;
  ipfsa_status status = ipfsa_container_look_ours(engine, name, &json, err);
  if (status) return status;
  ipfsa_container_logs_options o = IPFSA_OPTIONS(ipfsa_container_logs_options, options);
  bool is_raw = ipfsa_json_bool(ipfsa_json_at(json, "Config", NULL), "Tty");
  return ipfsa_container_read_logs(engine, name, &o, is_raw, false, 0, cb, ctx, err);
}

typedef struct last_words {
  char *text;
  size_t room, len;
} last_words;

/* Keeps the end of what is said. */
static int keep_end(void *ctx, int stream, const void *data, size_t len) {
  (void)stream;
  last_words *w = ctx;
  const char *p = data;
  size_t most = w->room - 1;
  if (len > most) p += len - most, len = most;
  if (w->len + len > most) {
    size_t drop = w->len + len - most;
    memmove(w->text, w->text + drop, w->len - drop);
    w->len -= drop;
  }
  for (size_t i = 0; i < len; i++) w->text[w->len++] = (unsigned char)p[i] < 0x20 || p[i] == 0x7f ? ' ' : p[i];
  return 0;
}

#define LAST_LINES 5
#define LAST_BYTES 4096 /* looked at, so that no secret is cut where the text is */

void ipfsa_container_last_words(ipfsa_engine *engine, const char *name, ipfsa_texts env, char *ret, size_t room) {
  char text[LAST_BYTES];
  last_words w = {text, sizeof text, 0};
  ipfsa_container_logs_options options = {.struct_size = sizeof options, .tail = LAST_LINES};
  if (ipfsa_container_read_logs(engine, name, &options, false, true, 0, keep_end, &w, NULL)) w.len = 0; /* there are no words, then */
  while (w.len && text[w.len - 1] == ' ') w.len--;
  text[w.len] = '\0';
  ipfsa_secrets_hide(text, env);
  size_t len = strlen(text), from = len >= room ? len - (room - 1) : 0;
  memcpy(ret, text + from, len - from + 1);
}
