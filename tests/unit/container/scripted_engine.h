/* An engine by a script, for calls whose n-th allocation fails, jansson's included: what it holds, what it answers, and what must be whole afterwards. */
#ifndef IPFSA_TESTS_CONTAINER_SCRIPTED_ENGINE_H
#define IPFSA_TESTS_CONTAINER_SCRIPTED_ENGINE_H

#include <dirent.h>
#include <dlfcn.h>
#include <ipfsa/container.h>
#include <jansson.h>

#include "../http/server.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "container/engine.h"

/* What the engine holds, and how often its container was inspected. */
static bool has_container, has_volume, has_network, has_image;
static unsigned n_inspections;
static char session_label[128], container_state[16] = "running";
static const char *probe_label = "";
static unsigned container_port = 80, published_port = 8080;
static server engine_server;

#define OK_JSON(text) "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" text
#define NOT_FOUND "HTTP/1.1 404 X\r\nConnection: close\r\n\r\n{\"message\":\"no such thing\"}"
#define NO_CONTENT "HTTP/1.1 204 X\r\nConnection: close\r\n\r\n"
#define OURS "\"Labels\":{\"io.ipfs-accelerate.managed\":\"1\"}"

/* Of 257 bytes, a character across the 256th: where what is shown of a name ends. */
#define THIRTY_TWO "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
#define LONG_NAME THIRTY_TWO THIRTY_TWO THIRTY_TWO THIRTY_TWO THIRTY_TWO THIRTY_TWO THIRTY_TWO "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\xc3\xa4"

static bool asks(const char *request, const char *method, const char *path) { return strncmp(request, method, strlen(method)) == 0 && strstr(request, path); }

static const char *inspection(void) {
  static char text[4096];
  bool runs = strcmp(container_state, "running") == 0;
  n_inspections++;
  int n = snprintf(text, sizeof text,
                   OK_JSON("{\"Id\":\"c1\",\"Name\":\"/web\",\"State\":{\"Status\":\"%s\",\"Running\":%s,\"ExitCode\":%d,\"StartedAt\":\"2026-01-01T00:00:0%u.5Z\","
                           "\"FinishedAt\":\"2026-01-01T00:01:00Z\"},\"Config\":{\"Image\":\"busybox\",\"Tty\":false,\"Env\":[\"TOKEN=secret-word\",\"" LONG_NAME "=secret-word\"],\"Labels\":{"
                           "\"io.ipfs-accelerate.managed\":\"1\",\"io.ipfs-accelerate.session\":\"%s\",\"io.ipfs-accelerate.probe\":\"%s\"}},\"NetworkSettings\":{\"Ports\":"
                           "{\"%u/tcp\":[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"%u\"}]},\"Networks\":{\"bridge\":{\"IPAddress\":\"172.17.0.2\"}}}}"),
                   container_state, runs ? "true" : "false", runs ? 0 : 3, n_inspections % 10, session_label, probe_label, container_port, published_port);
  assert_true(n > 0 && (size_t)n < sizeof text);
  return text;
}

static void take_session(const char *request) {
  static const char key[] = "io.ipfs-accelerate.session\":\"";
  const char *at = strstr(request, key);
  at = at ? at + sizeof key - 1 : "";
  snprintf(session_label, sizeof session_label, "%.*s", (int)strcspn(at, "\""), at);
}

/* Both directions of a program that says "0\n", with a word on standard error before, and ends. */
static const char *program_output(void) {
  static const char text[] = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
                             "\2\0\0\0\0\0\0\3hm\n\1\0\0\0\0\0\0\2"
                             "0\n";
  engine_server.n_answer = sizeof text - 1;
  return text;
}

static const char *said(void) {
  static const char text[] = OK_JSON("\1\0\0\0\0\0\0\5said\n");
  engine_server.n_answer = sizeof text - 1;
  return text;
}

static const char *choose_things(const char *request) { /* images, volumes, networks */
  if (asks(request, "GET", "/images/busybox:latest/json"))
    return has_image ? OK_JSON("{\"Id\":\"sha256:1\",\"Architecture\":\"amd64\",\"Config\":{\"User\":\"\"},\"RepoDigests\":[]}") : NOT_FOUND;
  if (asks(request, "POST", "/images/create")) return has_image = true, OK_JSON("{\"status\":\"Pulling\",\"id\":\"a\",\"progressDetail\":{\"current\":1,\"total\":2}}");
  if (asks(request, "GET", "/images/json"))
    return OK_JSON("[{\"Id\":\"sha256:1\",\"RepoTags\":[\"busybox:latest\",\"ollama/ollama:1\"],\"RepoDigests\":[],\"Size\":5,\"Created\":1}]");
  if (asks(request, "GET", "/images/search")) return OK_JSON("[{\"name\":\"busybox\",\"description\":\"small\",\"is_official\":true,\"star_count\":3}]");
  if (asks(request, "DELETE", "/images/")) return has_image = false, OK_JSON("[{\"Untagged\":\"busybox:latest\"}]");
  if (asks(request, "POST", "/volumes/create")) return has_volume = true, OK_JSON("{\"Name\":\"data\"}");
  if (asks(request, "DELETE", "/volumes/")) return has_volume = false, NO_CONTENT;
  if (asks(request, "GET", "/volumes/")) return has_volume ? OK_JSON("{\"Name\":\"data\"," OURS "}") : NOT_FOUND;
  if (asks(request, "GET", "/volumes")) return OK_JSON("{\"Volumes\":[{\"Name\":\"data\",\"Driver\":\"local\",\"Mountpoint\":\"/x\"," OURS "}],\"Warnings\":null}");
  if (asks(request, "POST", "/networks/create")) return has_network = true, OK_JSON("{\"Id\":\"n1\"}");
  if (asks(request, "DELETE", "/networks/")) return has_network = false, NO_CONTENT;
  if (asks(request, "GET", "/networks"))
    return has_network ? OK_JSON("[{\"Id\":\"n1\",\"Name\":\"lan\",\"Driver\":\"bridge\",\"Internal\":false," OURS "}]") : OK_JSON("[]");
  return NULL;
}

static const char *choose(const char *request) {
  const char *things = choose_things(request);
  if (things) return things;
  if (strstr(request, "/_ping")) return "HTTP/1.1 200 OK\r\nConnection: close\r\nApi-Version: 1.41\r\nContent-Length: 0\r\n\r\n";
  if (asks(request, "GET", "/version")) return OK_JSON("{\"Version\":\"20.10\",\"Os\":\"linux\",\"Arch\":\"amd64\"}");
  if (asks(request, "GET", "/info")) return OK_JSON("{\"NCPU\":2,\"MemTotal\":1073741824}");
  if (asks(request, "POST", "/exec/ab12/start")) return program_output();
  if (asks(request, "GET", "/exec/ab12/json")) return OK_JSON("{\"ID\":\"ab12\",\"Running\":false,\"ExitCode\":0}");
  if (asks(request, "POST", "/exec")) return OK_JSON("{\"Id\":\"ab12\"}");
  if (asks(request, "POST", "/containers/create") && strstr(request, "\"Image\":\"")) return take_session(request), has_container = true, OK_JSON("{\"Id\":\"c1\",\"Warnings\":[]}");
  if (asks(request, "DELETE", "/containers/")) return has_container = false, NO_CONTENT;
  if (asks(request, "GET", "/logs")) return said();
  if (asks(request, "GET", "/stats"))
    return OK_JSON("{\"cpu_stats\":{\"cpu_usage\":{\"total_usage\":20},\"system_cpu_usage\":200,\"online_cpus\":2},\"precpu_stats\":{\"cpu_usage\":{\"total_usage\":10},"
                   "\"system_cpu_usage\":100},\"memory_stats\":{\"usage\":7,\"limit\":9},\"pids_stats\":{\"current\":1},\"networks\":{\"eth0\":{\"rx_bytes\":1,\"tx_bytes\":2}}}");
  if (asks(request, "GET", "/containers/json"))
    return OK_JSON("[{\"Id\":\"c1\",\"Names\":[\"/web\"],\"Image\":\"busybox\",\"State\":\"exited\",\"Status\":\"Exited (3) 1 second ago\"," OURS
                   ",\"Ports\":[{\"IP\":\"127.0.0.1\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"}]}]");
  if (asks(request, "GET", "/json")) return has_container ? inspection() : NOT_FOUND;
  if (asks(request, "GET", "/events"))
    return OK_JSON("{\"Type\":\"container\",\"Action\":\"stop\",\"Actor\":{\"ID\":\"c0\",\"Attributes\":{\"name\":\"web\",\"io.ipfs-accelerate.managed\":\"1\"}},\"timeNano\":1767225650000000000}"
                   "{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"c1\",\"Attributes\":{\"name\":\"web\",\"io.ipfs-accelerate.managed\":\"1\"}},\"timeNano\":1}");
  return strncmp(request, "POST", 4) == 0 ? NO_CONTENT : NOT_FOUND;
}

/* What it holds at first. */
static void reset_engine(bool with_container) {
  pthread_mutex_lock(&script_lock);
  has_container = with_container;
  has_volume = has_network = false;
  has_image = true;
  n_inspections = 0;
  snprintf(container_state, sizeof container_state, "running");
  pthread_mutex_unlock(&script_lock);
}

/* state: NULL for what it is. */
static inline void change_engine(const char *state, bool with_container) {
  pthread_mutex_lock(&script_lock);
  if (state) snprintf(container_state, sizeof container_state, "%s", state);
  has_container = with_container;
  pthread_mutex_unlock(&script_lock);
}

static inline bool engine_has(const bool *what) {
  pthread_mutex_lock(&script_lock);
  bool has = *what;
  pthread_mutex_unlock(&script_lock);
  return has;
}

static void start_engine(void) {
  engine_server = (server){.choose = choose, .path = engine_server.path};
  reset_engine(false);
  server_start(&engine_server);
}

static ipfsa_status connect_engine(ipfsa_engine **ret, ipfsa_error *err) {
  char host[128];
  if (engine_server.path) snprintf(host, sizeof host, "unix://%s", engine_server.path);
  else snprintf(host, sizeof host, "tcp://127.0.0.1:%u", engine_server.port);
  return ipfsa_engine_connect(&(ipfsa_engine_params){.host = host, .timeout_ms = 10000}, ret, err);
}

/* --- what must be whole --- */

static long n_json; /* values and tables of jansson that live */
static _Thread_local bool is_parsing;

static void *json_malloc(size_t size) {
  void *at = is_parsing ? malloc(size ? size : 1) : ipfsa_malloc(size);
  if (at) __atomic_add_fetch(&n_json, 1, __ATOMIC_RELAXED);
  return at;
}

static void json_free(void *at) {
  if (at) __atomic_sub_fetch(&n_json, 1, __ATOMIC_RELAXED);
  ipfsa_free(at);
}

/* In place of jansson's: a parse fails as a whole or not at all. Its reader does not look whether its own buffer could grow (strbuffer_append_byte in lex_save),
 * so what it makes of a single failing allocation is not ours to judge. */
json_t *json_loadb(const char *text, size_t len, size_t flags, json_error_t *why) {
  static json_t *(*real)(const char *, size_t, size_t, json_error_t *);
  if (!real) *(void **)&real = dlsym(RTLD_NEXT, "json_loadb");
  if (ipfsa_fault_point(IPFSA_FAULT_ALLOC) == IPFSA_FAULT_FAIL) {
    *why = (json_error_t){.line = -1};
    why->text[JSON_ERROR_TEXT_LENGTH - 1] = json_error_out_of_memory;
    return NULL;
  }
  is_parsing = true;
  json_t *json = real(text, len, flags, why);
  is_parsing = false;
  return json;
}

static inline int count_json(void **state) { return (void)state, json_set_alloc_funcs(json_malloc, json_free), 0; }

static int n_open_fds(void) {
  DIR *dir = opendir("/proc/self/fd");
  int n = 0;
  while (readdir(dir)) n++;
  closedir(dir);
  return n;
}

typedef struct faulty_call {
  const char *name;
  ipfsa_status (*run)(ipfsa_engine *, ipfsa_error *);
  bool on_container; /* it is there before */
  bool makes;        /* what it makes is gone again when it fails */
} faulty_call;

static ipfsa_status connect_and_run(const faulty_call *call, ipfsa_error *err) {
  ipfsa_engine *engine = NULL;
  ipfsa_status status = connect_engine(&engine, err);
  if (status == IPFSA_OK) status = call->run(engine, err);
  ipfsa_engine_close(engine);
  return status;
}

/* False: nothing was left to fail. */
static bool fail_at(const faulty_call *call, uint64_t n) {
  ipfsa_error err = {0};
  reset_engine(call->on_container);
  long json = n_json;
  ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, 0});
  ipfsa_status status = connect_and_run(call, &err);
  bool fired = ipfsa_fault_fired();
  ipfsa_fault_disarm();
  if (!fired && status) fail_msg("%s: nothing was made to fail: %s", call->name, err.message);
  if (status && status != IPFSA_E_NOMEM) fail_msg("%s, allocation %llu: %s: %s", call->name, (unsigned long long)n, ipfsa_status_to_string(status), err.message);
  if (status && !*err.message) fail_msg("%s, allocation %llu: failed without a word", call->name, (unsigned long long)n);
  if (strstr(err.message, "secret-word")) fail_msg("%s, allocation %llu: %s", call->name, (unsigned long long)n, err.message);
  if (status && call->makes && (engine_has(&has_container) || engine_has(&has_volume))) fail_msg("%s, allocation %llu: something is left behind: %s", call->name, (unsigned long long)n, err.message);
  if (n_json != json) fail_msg("%s, allocation %llu: %ld values of JSON are left", call->name, (unsigned long long)n, n_json - json);
  return fired;
}

/* Every allocation of every call; how many there were. */
static inline unsigned fail_everywhere(const faulty_call *calls, size_t n_calls) {
  unsigned runs = 0;
  int fds = n_open_fds(); /* compared when the engine's thread, too, has closed its own */
  start_engine();
  for (size_t i = 0; i < n_calls; i++)
    for (uint64_t n = 1; fail_at(&calls[i], n); n++) runs++;
  server_stop(&engine_server);
  assert_int_equal(n_open_fds(), fds);
  return runs;
}

#endif
