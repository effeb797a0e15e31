/* Calls on a scripted engine with their n-th allocation failing: each succeeds or says so in one sentence, and what a start made is gone again. And
 * options of callers that know fewer fields than this library. */
#include <ipfsa/cid.h>
#include <ipfsa/container.h>

#include "../http/server.h"
#include "base/fault.h"
#include "container/engine.h"

/* What the engine holds. */
static bool has_container, has_volume;
static char session_label[128];

#define OK_JSON(text) "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" text
#define NOT_FOUND "HTTP/1.1 404 X\r\nConnection: close\r\n\r\n{\"message\":\"no such thing\"}"
#define NO_CONTENT "HTTP/1.1 204 X\r\nConnection: close\r\n\r\n"
#define CONTAINER                                                                                                                                   \
  "{\"Id\":\"c1\",\"Name\":\"/web\",\"State\":{\"Status\":\"running\",\"Running\":true,\"ExitCode\":0},\"Config\":{\"Image\":\"busybox\",\"Tty\":true,"   \
  "\"Labels\":{\"io.ipfs-accelerate.managed\":\"1\",\"io.ipfs-accelerate.session\":\"%s\"}},\"NetworkSettings\":{\"Ports\":{\"80/tcp\":"                  \
  "[{\"HostIp\":\"127.0.0.1\",\"HostPort\":\"8080\"}]},\"Networks\":{\"bridge\":{\"IPAddress\":\"172.17.0.2\"}}}}"

static bool asks(const char *request, const char *method, const char *path) { return strncmp(request, method, strlen(method)) == 0 && strstr(request, path); }

static const char *inspection(void) {
  static char text[2048];
  int n = snprintf(text, sizeof text, OK_JSON(CONTAINER), session_label);
  assert_true(n > 0 && (size_t)n < sizeof text);
  return text;
}

static void take_session(const char *request) {
  static const char key[] = "io.ipfs-accelerate.session\":\"";
  const char *at = strstr(request, key);
  at = at ? at + sizeof key - 1 : "";
  snprintf(session_label, sizeof session_label, "%.*s", (int)strcspn(at, "\""), at);
}

static const char *choose(const char *request) {
  if (strstr(request, "/_ping")) return "HTTP/1.1 200 OK\r\nConnection: close\r\nApi-Version: 1.41\r\nContent-Length: 0\r\n\r\n";
  if (asks(request, "GET", "/images/busybox:latest/json")) return OK_JSON("{\"Id\":\"sha256:1\",\"Architecture\":\"amd64\",\"Config\":{\"User\":\"\"},\"RepoDigests\":[]}");
  if (asks(request, "POST", "/images/create")) return OK_JSON("{\"status\":\"Pulling\",\"id\":\"a\",\"progressDetail\":{\"current\":1,\"total\":2}}");
  if (asks(request, "GET", "/info")) return OK_JSON("{\"NCPU\":2,\"MemTotal\":1073741824}");
  if (asks(request, "POST", "/volumes/create")) return has_volume = true, OK_JSON("{\"Name\":\"data\"}");
  if (asks(request, "DELETE", "/volumes/")) return has_volume = false, NO_CONTENT;
  if (asks(request, "GET", "/volumes/")) return has_volume ? OK_JSON("{\"Name\":\"data\",\"Labels\":{\"io.ipfs-accelerate.managed\":\"1\"}}") : NOT_FOUND;
  if (asks(request, "POST", "/containers/create") && strstr(request, "\"Image\":\"busybox:latest\"")) return take_session(request), has_container = true, OK_JSON("{\"Id\":\"c1\",\"Warnings\":[]}");
  if (asks(request, "DELETE", "/containers/web")) return has_container = false, NO_CONTENT;
  if (asks(request, "GET", "/containers/web/logs")) return OK_JSON("said\n");
  if (asks(request, "GET", "/containers/web/json")) return has_container ? inspection() : NOT_FOUND;
  if (asks(request, "GET", "/containers/json"))
    return OK_JSON("[{\"Id\":\"c1\",\"Names\":[\"/web\"],\"Image\":\"busybox\",\"State\":\"running\",\"Status\":\"Up\",\"Labels\":{\"io.ipfs-accelerate.managed\":\"1\"},"
                   "\"Ports\":[{\"IP\":\"127.0.0.1\",\"PrivatePort\":80,\"PublicPort\":8080,\"Type\":\"tcp\"}]}]");
  if (asks(request, "GET", "/events"))
    return OK_JSON("{\"Type\":\"container\",\"Action\":\"start\",\"Actor\":{\"ID\":\"c1\",\"Attributes\":{\"name\":\"web\",\"io.ipfs-accelerate.managed\":\"1\"}},\"timeNano\":1}");
  return strncmp(request, "POST", 4) == 0 ? NO_CONTENT : NOT_FOUND;
}

/* --- the calls --- */

static int any_container(void *ctx, const ipfsa_container *c) { return (void)ctx, strcmp(c->name, "web") != 0; }
static int any_output(void *ctx, int stream, const void *data, size_t len) { return (void)ctx, (void)stream, (void)data, len == 0; }
static int any_event(void *ctx, const ipfsa_container_event *e) { return (void)ctx, strcmp(e->action, "start") != 0; }
static int any_step(void *ctx, const ipfsa_pull_step *step) { return (void)ctx, step->total_bytes != 2; }

static ipfsa_status start(ipfsa_engine *e, ipfsa_error *err) {
  static const char *const ports[] = {"80"}, *const volumes[] = {"data:/data"}, *const env[] = {"TOKEN=secret-word"}, *const probes[] = {"tcp:80"}, *const words[] = {"sleep", "9"};
  ipfsa_probe_options probe = {.struct_size = sizeof probe, .probes = {probes, 1}};
  ipfsa_container_start_options o = {.struct_size = sizeof o, .ports = {ports, 1}, .volumes = {volumes, 1}, .env = {env, 1}, .command = {words, 2}, .probe = &probe};
  ipfsa_container *c = NULL;
  ipfsa_status status = ipfsa_container_start(e, "web", "busybox", &o, &c, NULL, err);
  ipfsa_container_free(c);
  return status;
}

static ipfsa_status get(ipfsa_engine *e, ipfsa_error *err) {
  ipfsa_container *c = NULL;
  ipfsa_status status = ipfsa_container_get(e, "web", &c, err);
  ipfsa_container_free(c);
  return status;
}

static ipfsa_status inspect(ipfsa_engine *e, ipfsa_error *err) {
  char *text = NULL;
  ipfsa_status status = ipfsa_container_inspect(e, "web", false, &text, err);
  ipfsa_text_free(text);
  return status;
}

static ipfsa_status list(ipfsa_engine *e, ipfsa_error *err) { return ipfsa_container_list(e, NULL, any_container, NULL, err); }
static ipfsa_status logs(ipfsa_engine *e, ipfsa_error *err) { return ipfsa_container_logs(e, "web", NULL, any_output, NULL, err); }
static ipfsa_status stop(ipfsa_engine *e, ipfsa_error *err) { return ipfsa_container_stop(e, "web", 1, NULL, err); }
static ipfsa_status restart(ipfsa_engine *e, ipfsa_error *err) { return ipfsa_container_restart(e, "web", 1, err); }
static ipfsa_status volume(ipfsa_engine *e, ipfsa_error *err) { return ipfsa_volume_create(e, "data", NULL, err); }
static ipfsa_status events(ipfsa_engine *e, ipfsa_error *err) {
  return ipfsa_container_events(e, &(ipfsa_container_events_options){.struct_size = sizeof(ipfsa_container_events_options), .until = "2"}, any_event, NULL, err);
}
static ipfsa_status pull(ipfsa_engine *e, ipfsa_error *err) {
  return ipfsa_image_pull(e, "busybox", &(ipfsa_image_pull_options){.struct_size = sizeof(ipfsa_image_pull_options), .username = "u", .password = "p", .cb = any_step}, err);
}

static const struct {
  const char *name;
  ipfsa_status (*run)(ipfsa_engine *, ipfsa_error *);
  bool on_container;
} calls[] = {{"start", start, false}, {"get", get, true}, {"inspect", inspect, true}, {"list", list, true}, {"logs", logs, true}, {"stop", stop, true},
             {"restart", restart, true}, {"volume", volume, false}, {"events", events, true}, {"pull", pull, false}};

static ipfsa_status open_and_run(const server *s, size_t i, ipfsa_error *err) {
  char host[64];
  snprintf(host, sizeof host, "tcp://127.0.0.1:%u", s->port);
  ipfsa_engine *engine = NULL;
  ipfsa_status status = ipfsa_engine_connect(&(ipfsa_engine_params){.host = host, .timeout_ms = 10000}, &engine, err);
  if (status == IPFSA_OK) status = calls[i].run(engine, err);
  ipfsa_engine_close(engine);
  return status;
}

static bool fail_at(const server *s, size_t i, uint64_t n) {
  ipfsa_error err = {0};
  has_container = calls[i].on_container;
  has_volume = false;
  ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, 0});
  ipfsa_status status = open_and_run(s, i, &err);
  bool fired = ipfsa_fault_fired();
  ipfsa_fault_disarm();
  if (!fired && status) fail_msg("%s: nothing was made to fail: %s", calls[i].name, err.message);
  if (status && status != IPFSA_E_NOMEM) fail_msg("%s, allocation %llu: %s: %s", calls[i].name, (unsigned long long)n, ipfsa_status_to_string(status), err.message);
  if (status && !*err.message) fail_msg("%s, allocation %llu: failed without a word", calls[i].name, (unsigned long long)n);
  if (status && calls[i].run == start && (has_container || has_volume)) fail_msg("start, allocation %llu: something is left behind: %s", (unsigned long long)n, err.message);
  return fired;
}

static void every_call_may_run_out_of_memory(void **state) {
  (void)state;
  server *s = calloc(1, sizeof *s);
  s->choose = choose;
  server_start(s);
  unsigned runs = 0;
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
    for (uint64_t n = 1; fail_at(s, i, n); n++) runs++;
  assert_true(runs > 100);
  server_stop(s);
  free(s);
}

/* An older caller's struct ends earlier; what lies behind it is not ours to read. */
static void shorter_options_are_read_as_far_as_they_go(void **state) {
  (void)state;
  server *s = calloc(1, sizeof *s);
  s->choose = choose;
  server_start(s);
  char host[64];
  ipfsa_error err = {0};
  ipfsa_engine *engine = NULL;
  snprintf(host, sizeof host, "tcp://127.0.0.1:%u", s->port);
  assert_ok(ipfsa_engine_connect(&(ipfsa_engine_params){.host = host, .timeout_ms = 10000}, &engine, &err));
  has_container = has_volume = false;
  ipfsa_container_start_options o;
  memset(&o, 0xff, sizeof o);
  memset(&o, 0, offsetof(ipfsa_container_start_options, ports));
  o.struct_size = offsetof(ipfsa_container_start_options, ports);
  assert_ok(ipfsa_container_start(engine, "web", "busybox", &o, NULL, NULL, &err));
  ipfsa_container_list_options l = {.struct_size = offsetof(ipfsa_container_list_options, all), .all = true, .foreign = true};
  s->n_requests = 0;
  assert_ok(ipfsa_container_list(engine, &l, any_container, NULL, &err));
  assert_null(strstr(s->requests[0], "all=1"));
  assert_non_null(strstr(s->requests[0], "filters="));
  ipfsa_container_logs_options g;
  memset(&g, 0xff, sizeof g);
  g.struct_size = sizeof g.struct_size;
  s->n_requests = 0;
  assert_ok(ipfsa_container_logs(engine, "web", &g, any_output, NULL, &err));
  assert_null(strstr(s->requests[1], "follow=1"));
  assert_null(strstr(s->requests[1], "tail="));
  ipfsa_engine_close(engine);
  server_stop(s);
  free(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_call_may_run_out_of_memory), cmocka_unit_test(shorter_options_are_read_as_far_as_they_go)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
