#include "container/exec_relay.h"

#include "base/alloc.h"
#include "base/clock.h"
#include "base/error.h"
#include "container/container_inside.h"
#include "container/frames.h"

#define FIND_SECONDS 30u  /* for all of the search: an interpreter starts in well under one */
#define MAX_WORDS_SAID 200u /* bytes kept of what a program says on standard error */

/* --- the programs --- */

/* Reads standard input into the socket, shuts down, and meanwhile writes what comes; ends when the other side ends. */
#define PYTHON_RELAY                                                                                                    \
  "import os,socket,sys,threading\n"                                                                                    \
  "s=socket.socket()\n"                                                                                                 \
  "s.connect(('127.0.0.1',int(sys.argv[1])))\n"                                                                         \
  "def up():\n"                                                                                                         \
  " try:\n"                                                                                                             \
  "  while True:\n"                                                                                                     \
  "   b=os.read(0,65536)\n"                                                                                             \
  "   if not b: break\n"                                                                                                \
  "   s.sendall(b)\n"                                                                                                   \
  "  s.shutdown(socket.SHUT_WR)\n"                                                                                      \
  " except OSError: pass\n"                                                                                             \
  "t=threading.Thread(target=up)\n"                                                                                     \
  "t.daemon=True\n"                                                                                                     \
  "t.start()\n"                                                                                                         \
  "try:\n"                                                                                                              \
  " while True:\n"                                                                                                      \
  "  b=s.recv(65536)\n"                                                                                                 \
  "  if not b: break\n"                                                                                                 \
  "  while b: b=b[os.write(1,b):]\n"                                                                                    \
  "except OSError: pass\n"                                                                                              \
  "os._exit(0)\n"

#define PERL_RELAY                                                                                                      \
  "use Socket; socket(S,PF_INET,SOCK_STREAM,0) and connect(S,sockaddr_in($ARGV[0],INADDR_LOOPBACK)) or die qq($!\\n);"   \
  "sub pass { my ($f,$t)=@_; my $b; while (sysread($f,$b,65536)) { my $o=0; while ($o<length $b) {"                      \
  " my $n=syswrite($t,$b,length($b)-$o,$o); exit 0 unless $n; $o+=$n } } }"                                             \
  "my $p=fork; die qq($!\\n) unless defined $p; if (!$p) { close STDOUT; pass(*STDIN,*S); shutdown(S,1); exit 0 }"       \
  "close STDIN; pass(*S,*STDOUT); kill 9,$p;"

#define BASH_RELAY "exec 3<>/dev/tcp/127.0.0.1/$0 4<&0 || exit 1; cat <&4 >&3 & cat <&3; kill $!"

#define PORT "PORT" /* a word that stands for the port */

struct ipfsa_exec_relay {
  const char *name;
  bool half_closes;
  const char *words[6];
};

/* In the order they are wanted. The search names them by their place. */
static const ipfsa_exec_relay relays[] = {
    {"nc", true, {"nc", "127.0.0.1", PORT}},        /* the small one of busybox, and ncat */
    {"nc -N", true, {"nc", "-N", "127.0.0.1", PORT}}, /* OpenBSD's */
    {"socat", true, {"socat", "-t", "86400", "-", "TCP4:127.0.0.1:" PORT}}, /* the time it waits for the rest of an answer, in seconds */
    {"python3", true, {"python3", "-IS", "-c", PYTHON_RELAY, PORT}},
    {"perl", true, {"perl", "-e", PERL_RELAY, PORT}},
    {"nc", false, {"nc", "127.0.0.1", PORT}},
    {"bash", false, {"bash", "-c", BASH_RELAY, PORT}},
};
#define N_RELAYS (sizeof relays / sizeof *relays)

/* Prints the place of the first that is there. Kinds of nc are told apart by their usage. */
static const char search[] = "has() ( IFS=:; for d in $PATH; do [ -x \"$d/$1\" ] && exit 0; done; exit 1 )\n" /* a file: busybox's shell has programs of its own */
                             "if has nc; then usage=$(nc -h 2>&1 </dev/null); case $usage in\n"
                             "*OpenBSD*|*hklN*) echo 1; exit;; *'[-iN] [-wN]'*|*Ncat*) echo 0; exit;; esac; fi\n"
                             "if has socat; then echo 2; elif has python3 && python3 -IS -c 'import socket, threading'; then echo 3\n"
                             "elif has perl && perl -MSocket -e 1; then echo 4; elif has nc; then echo 5\n"
                             "elif has bash && bash -c 'command -v cat' >/dev/null; then echo 6; else echo none; fi";

const char *ipfsa_exec_relay_name(const ipfsa_exec_relay *r) { return r->name; }
bool ipfsa_exec_relay_half_closes(const ipfsa_exec_relay *r) { return r->half_closes; }

typedef struct said {
  char text[16];
  size_t len;
} said;

static int hear(void *ctx, int stream, const void *data, size_t len) {
  said *s = ctx;
  if (stream != 1) return 0;
  size_t room = sizeof s->text - 1 - s->len, n = len < room ? len : room;
  memcpy(s->text + s->len, data, n);
  s->len += n;
  return 0;
}

/* *ret_code 126, 127: there is no such program. */
static ipfsa_status try_program(ipfsa_engine *engine, const char *container, ipfsa_texts command, said *ret, int64_t *ret_code, ipfsa_error *err) {
  *ret = (said){0};
  uint64_t deadline = ipfsa_clock_monotonic_ns() + FIND_SECONDS * 1000000000ull;
  return ipfsa_container_run(engine, container, command, NULL, deadline, hear, ret, ret_code, err);
}

ipfsa_status ipfsa_exec_relay_find(ipfsa_engine *engine, const char *container, const ipfsa_exec_relay **ret, ipfsa_error *err) {
  static const char *const by_shell[] = {"sh", "-c", search}, *const by_python[] = {"python3", "-IS", "-c", "import socket, threading; print(3)"};
  said s;
  int64_t code = 0;
  ipfsa_status status = try_program(engine, container, (ipfsa_texts){by_shell, 3}, &s, &code, err);
  if (status == IPFSA_OK && code != 0) status = try_program(engine, container, (ipfsa_texts){by_python, 4}, &s, &code, err); /* images without a shell */
  if (status) return status;
  if (code == 0 && s.text[0] >= '0' && s.text[0] < '0' + (int)N_RELAYS) {
    *ret = &relays[s.text[0] - '0'];
    return IPFSA_OK;
  }
  return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED,
                    "tunnel to %s: its address cannot be reached from here, and its image holds no program that can relay (nc, socat, python3, perl or bash); give it a network, or put one of "
                    "them into the image", container);
}

/* --- one connection --- */

typedef struct exec_stream {
  ipfsa_engine_reply *reply;
  ipfsa_wire *wire;
  ipfsa_bytes first; /* came with the headers; the reply's */
  ipfsa_frames frames;
  bool answered;
  char words[MAX_WORDS_SAID];
  size_t words_len;
  ipfsa_exec_relay_cb cb;
  void *ctx;
} exec_stream;

static void keep_words(exec_stream *s, ipfsa_bytes piece) {
  for (size_t i = 0; i < piece.len && s->words_len < sizeof s->words - 1; i++) {
    uint8_t byte = piece.data[i];
    if (s->words_len || byte > ' ') s->words[s->words_len++] = byte < ' ' ? ' ' : (char)byte;
  }
}

/* True, once, when the program ended with nothing but complaints: it did not reach the port. */
static bool has_failed(exec_stream *s) {
  while (s->words_len && s->words[s->words_len - 1] == ' ') s->words_len--;
  s->words[s->words_len] = '\0';
  bool failed = !s->answered && s->words_len;
  s->answered = true;
  if (failed) s->cb(s->ctx, s->words);
  return failed;
}

/* Takes the frames' headers out, in place; what is left of `n` bytes. */
static ipfsa_status unframe(exec_stream *s, uint8_t *data, size_t n, size_t *ret_len, ipfsa_error *err) {
  ipfsa_cursor in = ipfsa_cursor_over(ipfsa_bytes_of(data, n));
  *ret_len = 0;
  while (ipfsa_cursor_left(&in)) {
    int stream = 0;
    ipfsa_bytes piece;
    ipfsa_status status = ipfsa_frames_read(&s->frames, &in, &stream, &piece, err);
    if (status) return status;
    if (stream == 2) keep_words(s, piece);
    if (stream != 1 || piece.len == 0) continue;
    memmove(data + *ret_len, piece.data, piece.len);
    *ret_len += piece.len;
  }
  return IPFSA_OK;
}

static ipfsa_status stream_read(void *ctx, void *data, size_t cap, size_t *ret_len, bool *ret_again, ipfsa_error *err) {
  exec_stream *s = ctx;
  *ret_again = false;
  for (;;) {
    size_t n = s->first.len < cap ? s->first.len : cap;
    ipfsa_status status = IPFSA_OK;
    if (n) {
      memcpy(data, s->first.data, n);
      s->first = ipfsa_bytes_of(s->first.data + n, s->first.len - n);
    } else {
      status = ipfsa_wire_try_read(s->wire, data, cap, &n, ret_again, err);
    }
    *ret_len = 0;
    if (status || *ret_again) return status;
    if (n == 0 && has_failed(s)) return ipfsa_fail(err, IPFSA_E_IO, "%s", s->words); /* to who connected, no clean end */
    if (n == 0) return ipfsa_frames_eof(&s->frames, err);
    status = unframe(s, data, n, ret_len, err);
    if (status) return status;
    if (*ret_len == 0) continue;
    s->answered = true;
    return IPFSA_OK;
  }
}

static ipfsa_status stream_write(void *ctx, const void *data, size_t len, size_t *ret_len, ipfsa_error *err) {
  return ipfsa_wire_try_write(((exec_stream *)ctx)->wire, data, len, ret_len, err);
}

static ipfsa_status stream_end_writing(void *ctx, ipfsa_error *err) { return ipfsa_wire_end_writing(((exec_stream *)ctx)->wire, err); }

static void stream_close(void *ctx) {
  exec_stream *s = ctx;
  (void)has_failed(s);
  ipfsa_engine_reply_end(s->reply);
  ipfsa_free(s);
}

static const ipfsa_relay_ops stream_ops = {stream_read, stream_write, stream_end_writing, stream_close};

/* The words of a relay's call, with the port in its place. */
static size_t make_words(const ipfsa_exec_relay *relay, const char *port, char (*room)[32], const char **words) {
  size_t n = 0;
  for (; n < 6 && relay->words[n]; n++) {
    const char *word = relay->words[n], *place = strlen(word) < 32 ? strstr(word, PORT) : NULL;
    words[n] = word;
    if (!place) continue;
    snprintf(*room, sizeof *room, "%.*s%s", (int)(place - word), word, port);
    words[n] = *room;
  }
  return n;
}

ipfsa_status ipfsa_exec_relay_open(ipfsa_engine *engine, const char *container, const ipfsa_exec_relay *relay, uint16_t port, ipfsa_exec_relay_cb cb, void *ctx,
                                   ipfsa_relay_end *ret, ipfsa_error *err) {
  char number[8], room[32];
  const char *words[6];
  snprintf(number, sizeof number, "%u", port);
  ipfsa_texts command = {words, make_words(relay, number, &room, words)};
  ipfsa_container_exec_options options = {.struct_size = sizeof options, .use_stdin = true};
  exec_stream *s = ipfsa_calloc(1, sizeof *s);
  if (!s) return ipfsa_fail_nomem(err);
  char id[IPFSA_EXEC_ID];
  ipfsa_status status = ipfsa_container_exec_begin(engine, container, command, &options, 0, id, &s->reply, err);
  if (status == IPFSA_OK && ipfsa_engine_reply_status(s->reply) != 101)
    status = ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "tunnel to %s: this engine passes no input on to a program", container);
  if (status) {
    ipfsa_engine_reply_end(s->reply);
    ipfsa_free(s);
    return status;
  }
  s->wire = ipfsa_engine_reply_wire(s->reply, &s->first);
  s->cb = cb;
  s->ctx = ctx;
  *ret = (ipfsa_relay_end){ipfsa_wire_fd(s->wire), &stream_ops, s};
  return IPFSA_OK;
}
