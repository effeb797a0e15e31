/* Calls on a scripted engine with their n-th allocation failing: each succeeds or says so in one sentence, and what a start made is gone again. And
 * options of callers that know fewer fields than this library. Streams, watches and tunnels: test-stream-faults.c. */
#include "scripted_engine.h"

#include <ipfsa/cid.h>

/* --- the calls --- */

static int any_container(void *ctx, const ipfsa_container *c) { return (void)ctx, strcmp(c->name, "web") != 0; }
static int any_output(void *ctx, int stream, const void *data, size_t len) { return (void)ctx, (void)stream, (void)data, len == 0; }
static int any_event(void *ctx, const ipfsa_container_event *e) { return (void)ctx, strcmp(e->action, "start") != 0 && strcmp(e->action, "stop") != 0; }
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
  if (status == IPFSA_OK && (!strstr(text, "TOKEN=(hidden)") || strstr(text, "secret-word"))) fail_msg("inspect: the environment is shown: %s", text);
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

static int any_image(void *ctx, const ipfsa_image *image) { return ++*(unsigned *)ctx, image->size != 5; }
static int any_volume(void *ctx, const ipfsa_volume *v) { return ++*(unsigned *)ctx, strcmp(v->name, "data") != 0; }
static int any_network(void *ctx, const ipfsa_network *n) { return ++*(unsigned *)ctx, strcmp(n->name, "lan") != 0; }
static int any_pruned(void *ctx, const char *kind, const char *name) { return ++*(unsigned *)ctx, !*kind || !*name; }

/* An answer that leaves something out would be worse than none. */
static ipfsa_status all_of(unsigned n, unsigned expected, ipfsa_status status) {
  if (status == IPFSA_OK) assert_int_equal(n, expected);
  return status;
}

static ipfsa_status images(ipfsa_engine *e, ipfsa_error *err) {
  unsigned n = 0;
  ipfsa_status status = ipfsa_image_list(e, any_image, &n, err);
  return all_of(n, 2, status);
}

static ipfsa_status volumes(ipfsa_engine *e, ipfsa_error *err) {
  unsigned n = 0;
  ipfsa_status status = ipfsa_volume_list(e, true, any_volume, &n, err);
  return all_of(n, 1, status);
}

static ipfsa_status networks(ipfsa_engine *e, ipfsa_error *err) {
  unsigned n = 0;
  has_network = true;
  ipfsa_status status = ipfsa_network_list(e, false, any_network, &n, err);
  return all_of(n, 1, status);
}

static ipfsa_status prune(ipfsa_engine *e, ipfsa_error *err) {
  unsigned n = 0;
  has_network = true;
  ipfsa_container_prune_options o = {.struct_size = sizeof o, .containers = true, .volumes = true, .networks = true};
  ipfsa_status status = ipfsa_container_prune(e, &o, any_pruned, &n, err);
  if (status == IPFSA_OK && has_network) fail_msg("prune: a network is left");
  return all_of(n, 3, status);
}

static ipfsa_status network(ipfsa_engine *e, ipfsa_error *err) { return ipfsa_network_create(e, "lan", false, NULL, err); }
static ipfsa_status image_rm(ipfsa_engine *e, ipfsa_error *err) { return ipfsa_image_rm(e, "busybox", false, err); }
static ipfsa_status volume_rm(ipfsa_engine *e, ipfsa_error *err) { return has_volume = true, ipfsa_volume_rm(e, "data", err); }
static ipfsa_status network_rm(ipfsa_engine *e, ipfsa_error *err) { return has_network = true, ipfsa_network_rm(e, "lan", err); }
static ipfsa_status rm(ipfsa_engine *e, ipfsa_error *err) { return ipfsa_container_rm(e, "web", true, err); }
static ipfsa_status stats(ipfsa_engine *e, ipfsa_error *err) { return ipfsa_container_get_stats(e, "web", &(ipfsa_container_stats){0}, err); }
static ipfsa_status about(ipfsa_engine *e, ipfsa_error *err) { return ipfsa_engine_about(e, &(ipfsa_engine_info){0}, err); }
static ipfsa_status start_ipfs(ipfsa_engine *e, ipfsa_error *err) {
  static const char *const waits[] = {"log:said", "exec:true", "tcp:80"};
  ipfsa_container_start_options o = {.struct_size = sizeof o, .waits = {waits, 2}};
  return ipfsa_container_start_ipfs(e, "web", "busybox", &o, NULL, NULL, err);
}

static const faulty_call calls[] = {
    {"start", start, false, true}, {"start-ipfs", start_ipfs, false, true}, {"get", get, true, false}, {"inspect", inspect, true, false}, {"list", list, true, false},
    {"logs", logs, true, false}, {"stop", stop, true, false}, {"restart", restart, true, false}, {"rm", rm, true, false}, {"stats", stats, true, false},
    {"volume create", volume, false, false}, {"volume ls", volumes, false, false}, {"volume rm", volume_rm, false, false}, {"network create", network, false, false},
    {"network ls", networks, false, false}, {"network rm", network_rm, false, false}, {"events", events, true, false}, {"pull", pull, false, false},
    {"image ls", images, false, false}, {"image rm", image_rm, false, false}, {"prune", prune, true, false}, {"about", about, false, false}};

static void every_call_may_run_out_of_memory(void **state) {
  (void)state;
  assert_true(fail_everywhere(calls, sizeof calls / sizeof *calls) > 500);
}

/* An older caller's struct ends earlier; what lies behind it is not ours to read. */
static void shorter_options_are_read_as_far_as_they_go(void **state) {
  (void)state;
  server *s = &engine_server;
  ipfsa_error err = {0};
  ipfsa_engine *engine = NULL;
  start_engine();
  assert_ok(connect_engine(&engine, &err));
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
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_call_may_run_out_of_memory), cmocka_unit_test(shorter_options_are_read_as_far_as_they_go)};
  return cmocka_run_group_tests(tests, count_json, NULL);
}
