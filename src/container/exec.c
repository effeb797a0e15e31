/* Programs run inside a container, over a connection that carries both directions. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/options.h"
#include "container/container_inside.h"
#include "container/frames.h"

#define STDIN_CHUNK 32768u
#define MAX_WORDS 4096u /* of a command; the kernel's own limit is on bytes, and engines answer 400 to more */

typedef struct pump {
  ipfsa_engine *engine;
  ipfsa_wire *wire;
  int in;             /* standard input, or -1 once it has ended */
  bool ended;         /* the other side was told */
  uint8_t chunk[STDIN_CHUNK];
  size_t chunk_len, chunk_sent;
  ipfsa_frames frames;
  ipfsa_container_output_cb cb;
  void *ctx;
  bool over;
} pump;

static ipfsa_status hand_on(pump *p, ipfsa_bytes bytes, ipfsa_error *err) {
  ipfsa_cursor in = ipfsa_cursor_over(bytes);
  while (ipfsa_cursor_left(&in)) {
    int stream = 1;
    ipfsa_bytes piece;
    ipfsa_status status = ipfsa_frames_read(&p->frames, &in, &stream, &piece, err);
    if (status) return status;
    if (piece.len && p->cb && p->cb(p->ctx, stream == 2 ? 2 : 1, piece.data, piece.len) != 0) return ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  return IPFSA_OK;
}

static ipfsa_status take_output(pump *p, ipfsa_error *err) {
  uint8_t data[65536];
  for (;;) {
    size_t n = 0;
    bool again = false;
    ipfsa_status status = ipfsa_wire_try_read(p->wire, data, sizeof data, &n, &again, err);
    if (status || again) return status;
    if (n == 0) {
      p->over = true;
      return ipfsa_frames_eof(&p->frames, err);
    }
    status = hand_on(p, ipfsa_bytes_of(data, n), err);
    if (status) return status;
  }
}

static ipfsa_status take_input(pump *p, ipfsa_error *err) {
  ssize_t n = read(p->in, p->chunk, sizeof p->chunk);
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return IPFSA_OK;
  if (n < 0) return ipfsa_fail_errno(err, errno, "standard input for the container");
  p->chunk_len = (size_t)n;
  p->chunk_sent = 0;
  if (n == 0) p->in = -1;
  return IPFSA_OK;
}

/* Sends what waits. A program that has closed its input is no failure: its output still comes. */
static ipfsa_status send_input(pump *p, ipfsa_error *err) {
  ipfsa_error local = {0};
  size_t n = 0;
  ipfsa_status status = ipfsa_wire_try_write(p->wire, p->chunk + p->chunk_sent, p->chunk_len - p->chunk_sent, &n, &local);
  if (status && (local.sys_errno == EPIPE || local.sys_errno == ECONNRESET)) {
    p->in = -1;
    p->ended = true;
    p->chunk_len = p->chunk_sent = 0;
    return IPFSA_OK;
  }
  if (status && err) *err = local;
  p->chunk_sent += n;
  return status;
}

static ipfsa_status pump_once(pump *p, uint64_t deadline, ipfsa_error *err) {
  bool has_chunk = p->chunk_sent < p->chunk_len;
  if (p->in < 0 && !has_chunk && !p->ended) {
    p->ended = true;
    (void)ipfsa_wire_end_writing(p->wire, NULL); /* when it is gone already, reading tells why */
  }
  struct pollfd fds[2] = {{.fd = ipfsa_wire_fd(p->wire), .events = (short)(POLLIN | (has_chunk ? POLLOUT : 0))}, {.fd = has_chunk ? -1 : p->in, .events = POLLIN}};
  if (!ipfsa_wire_has_pending(p->wire)) {
    ipfsa_status status = ipfsa_wire_poll(fds, 2, ipfsa_engine_cancel_fd(p->engine), deadline, err);
    if (status) return status;
  }
  ipfsa_status status = IPFSA_OK;
  if (has_chunk && (fds[0].revents & POLLOUT)) status = send_input(p, err);
  if (status == IPFSA_OK && fds[1].revents) status = take_input(p, err);
  return status ? status : take_output(p, err);
}

/* An answer without upgrade is the same stream, but nothing can be sent. */
static ipfsa_status pump_all(ipfsa_engine *engine, ipfsa_engine_reply *reply, const ipfsa_container_exec_options *o, uint64_t deadline, ipfsa_container_output_cb cb, void *ctx,
                             ipfsa_error *err) {
  ipfsa_bytes first;
  pump *p = ipfsa_calloc(1, sizeof *p);
  if (!p) return ipfsa_fail_nomem(err);
  *p = (pump){.engine = engine, .wire = ipfsa_engine_reply_wire(reply, &first), .in = o->use_stdin ? o->stdin_fd : -1, .cb = cb, .ctx = ctx, .ended = !o->use_stdin};
  ipfsa_status status = hand_on(p, first, err);
  while (status == IPFSA_OK && !p->over) status = pump_once(p, deadline, err);
  ipfsa_free(p);
  return status;
}

static int no_output(void *ctx, int stream, const void *data, size_t len) {
  (void)ctx, (void)stream, (void)data, (void)len;
  return 0;
}

static ipfsa_status check_words(const char *name, ipfsa_texts command, const ipfsa_container_exec_options *o, ipfsa_error *err) {
  if (command.n == 0 || command.n > MAX_WORDS) return ipfsa_fail(err, IPFSA_E_INVALID, "exec in container %s: expected a command of 1 to %u words", name, MAX_WORDS);
  ipfsa_status status = ipfsa_json_check_texts("command of exec", command, err);
  if (status == IPFSA_OK) status = ipfsa_json_check_texts("environment of exec", o->env, err);
  if (status == IPFSA_OK) status = ipfsa_json_check_text("user of exec", o->user, err);
  return status ? status : ipfsa_json_check_text("folder of exec", o->workdir, err);
}

static ipfsa_status create_exec(ipfsa_engine *engine, const char *name, ipfsa_texts command, const ipfsa_container_exec_options *o, uint64_t deadline, char *ret_id,
                                size_t room, ipfsa_error *err) {
  ipfsa_status status = check_words(name, command, o, err);
  if (status) return status;
  IPFSA_AUTO_JSON json_t *body =
      json_pack("{s:b,s:b,s:b,s:b,s:o,s:o,s:s?,s:s?}", "AttachStdin", o->use_stdin, "AttachStdout", 1, "AttachStderr", 1, "Tty", 0, "Cmd", ipfsa_json_list(command), "Env",
                ipfsa_json_list(o->env), "User", o->user, "WorkingDir", o->workdir);
  if (!body) return ipfsa_fail_nomem(err);
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  IPFSA_AUTO_JSON json_t *made = NULL;
  ipfsa_container_target(&target, name, "/exec");
  status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "POST", .target = &target, .body = body, .deadline = deadline}, &made, NULL, err);
  if (status) return ipfsa_error_prefix(err, status, "exec in container %s", name);
  const char *id = ipfsa_json_text(made, "Id");
  if (!*id || strlen(id) >= room || id[strspn(id, "0123456789abcdef")]) return ipfsa_fail(err, IPFSA_E_MALFORMED, "exec in container %s: the engine gave it no id", name);
  snprintf(ret_id, room, "%s", id);
  return IPFSA_OK;
}

static ipfsa_status ask_exit_code(ipfsa_engine *engine, const char *id, uint64_t deadline, bool *ret_running, int64_t *ret, ipfsa_error *err) {
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_buf_printf(&target, "/exec/%s/json", id);
  IPFSA_AUTO_JSON json_t *json = NULL;
  ipfsa_status status = ipfsa_engine_ask(engine, &(ipfsa_engine_call){.method = "GET", .target = &target, .deadline = deadline}, &json, NULL, err);
  if (status) return status;
  *ret_running = ipfsa_json_bool(json, "Running");
  *ret = ipfsa_json_int(json, "ExitCode");
  return IPFSA_OK;
}

/* The stream ends a moment before the engine has noted the exit code. */
static ipfsa_status exit_code_of(ipfsa_engine *engine, const char *id, uint64_t deadline, int64_t *ret, ipfsa_error *err) {
  uint64_t last = ipfsa_clock_monotonic_ns() + ipfsa_engine_timeout_ns(engine);
  bool running = true;
  int64_t code = 0;
  for (;;) {
    ipfsa_status status = ask_exit_code(engine, id, deadline, &running, &code, err);
    if (status) return status;
    if (!running) break;
    if (ipfsa_clock_monotonic_ns() > last) return ipfsa_fail(err, IPFSA_E_IO, "exec: the connection ended while the program still runs");
    status = ipfsa_engine_pause(engine, 10, err);
    if (status) return status;
  }
  *ret = code;
  return IPFSA_OK;
}

ipfsa_status ipfsa_container_exec_begin(ipfsa_engine *engine, const char *name, ipfsa_texts command, const ipfsa_container_exec_options *o, uint64_t deadline,
                                        char ret_id[IPFSA_EXEC_ID], ipfsa_engine_reply **ret, ipfsa_error *err) {
  ipfsa_status status = create_exec(engine, name, command, o, deadline, ret_id, IPFSA_EXEC_ID, err);
  if (status) return status;
  IPFSA_AUTO_BUF ipfsa_buf target = {0};
  ipfsa_buf_printf(&target, "/exec/%s/start", ret_id);
  IPFSA_AUTO_JSON json_t *body = json_pack("{s:b,s:b}", "Detach", 0, "Tty", 0);
  if (!body) return ipfsa_fail_nomem(err);
  ipfsa_engine_call call = {.method = "POST", .target = &target, .body = body, .upgrade = true, .waits = true, .deadline = deadline};
  status = ipfsa_engine_begin(engine, &call, ret, err);
  return status ? ipfsa_error_prefix(err, status, "exec in container %s", name) : IPFSA_OK;
}

ipfsa_status ipfsa_container_run(ipfsa_engine *engine, const char *name, ipfsa_texts command, const ipfsa_container_exec_options *options, uint64_t deadline,
                                 ipfsa_container_output_cb cb, void *ctx, int64_t *ret_exit_code, ipfsa_error *err) {
  const ipfsa_container_exec_options copy = IPFSA_OPTIONS(ipfsa_container_exec_options, options), *o = &copy;
  char id[IPFSA_EXEC_ID];
  ipfsa_engine_reply *reply = NULL;
  ipfsa_status status = ipfsa_container_exec_begin(engine, name, command, o, deadline, id, &reply, err);
  if (status) return status;
  if (ipfsa_engine_reply_status(reply) == 101) status = pump_all(engine, reply, o, deadline ? deadline : IPFSA_NO_DEADLINE, cb, ctx, err);
  else if (o->use_stdin) status = ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "exec in container %s: this engine passes no input on", name);
  else status = ipfsa_container_read_output(reply, false, cb ? cb : no_output, ctx, err);
  ipfsa_engine_reply_end(reply);
  return status ? status : exit_code_of(engine, id, deadline, ret_exit_code, err);
}

ipfsa_status ipfsa_container_exec(ipfsa_engine *engine, const char *name, ipfsa_texts command, const ipfsa_container_exec_options *options, ipfsa_container_output_cb cb, void *ctx,
                                  int64_t *ret_exit_code, ipfsa_error *err) {
  IPFSA_AUTO_JSON json_t *json = NULL;
  ipfsa_status status = ipfsa_container_look_ours(engine, name, &json, err);
  if (status) return status;
  if (!ipfsa_json_bool(ipfsa_json_at(json, "State", NULL), "Running"))
    return ipfsa_fail(err, IPFSA_E_BUSY, "exec in container %s: it does not run; start it with 'container start %s'", name, name);
  return ipfsa_container_run(engine, name, command, options, 0, cb, ctx, ret_exit_code, err);
}
