/* Every limit on what an engine says and on what is asked of it: the largest that is taken, and one more that is not. */
#include "scripted_engine.h"

#include "container/challenge.h"
#include "container/container_inside.h"
#include "container/frames.h"
#include "container/watch_inside.h"

static ipfsa_engine *engine;

static int set_up(void **state) {
  (void)state;
  ipfsa_error err = {0};
  start_engine();
  engine_server.takes_all = true;
  change_engine(NULL, true);
  assert_ok(connect_engine(&engine, &err));
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  ipfsa_engine_close(engine);
  server_stop(&engine_server);
  return 0;
}

/* --- frames --- */

static ipfsa_status begin_frame(uint32_t len, ipfsa_error *err) {
  ipfsa_frames f = {0};
  const uint8_t header[9] = {1, 0, 0, 0, (uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, 'x'};
  ipfsa_cursor in = ipfsa_cursor_over(ipfsa_bytes_of(header, sizeof header));
  int stream = 0;
  ipfsa_bytes piece;
  ipfsa_status status = ipfsa_frames_read(&f, &in, &stream, &piece, err);
  if (status == IPFSA_OK) assert_true(stream == 1 && piece.len == 1 && f.left == len - 1);
  return status;
}

static void frames(void **state) {
  (void)state;
  ipfsa_error err = {0};
  assert_ok(begin_frame(IPFSA_MAX_ENGINE_FRAME, &err));
  assert_status(begin_frame(IPFSA_MAX_ENGINE_FRAME + 1, &err), IPFSA_E_LIMIT);
}

/* --- answers --- */

static char *large; /* what the engine answers, in front of nothing else */
static size_t large_len;

static const char *choose_large(const char *request) {
  if (strstr(request, "/_ping")) return choose(request);
  engine_server.n_answer = large_len;
  return large;
}

/* A head, and a body of `len` bytes that begins and ends as given, with `fill` between. */
static void make_large(const char *begin, char fill, const char *end, size_t len) {
  static const char head[] = OK_JSON("");
  size_t n = sizeof head - 1;
  pthread_mutex_lock(&script_lock); /* whoever hung up on the last one may still be sent it */
  large_len = n + len;
  large = realloc(large, large_len);
  memcpy(large, head, n);
  memset(large + n, fill, len);
  memcpy(large + n, begin, strlen(begin));
  memcpy(large + large_len - strlen(end), end, strlen(end));
  engine_server.choose = choose_large;
  pthread_mutex_unlock(&script_lock);
}

static int no_container(void *ctx, const ipfsa_container *c) { return (void)ctx, (void)c, 1; }
static int any_event(void *ctx, const ipfsa_container_event *e) { return ++*(int *)ctx, (void)e, 0; }

static void whole_answers(void **state) {
  (void)state;
  ipfsa_error err = {0};
  make_large("[", ' ', "]", IPFSA_MAX_ENGINE_JSON);
  assert_ok(ipfsa_container_list(engine, NULL, no_container, NULL, &err));
  make_large("[", ' ', "]", (size_t)IPFSA_MAX_ENGINE_JSON + 1);
  assert_status(ipfsa_container_list(engine, NULL, no_container, NULL, &err), IPFSA_E_LIMIT);
}

static void objects_of_a_stream(void **state) {
  (void)state;
  static const char begin[] = "{\"Type\":\"container\",\"Action\":\"start\",\"timeNano\":1,\"Actor\":{\"ID\":\"c\",\"Attributes\":{\"io.ipfs-accelerate.managed\":\"1\"}}";
  ipfsa_container_events_options o = {.struct_size = sizeof o, .until = "2"};
  ipfsa_error err = {0};
  int n = 0;
  make_large(begin, ' ', "}", IPFSA_MAX_ENGINE_JSON_ITEM);
  assert_ok(ipfsa_container_events(engine, &o, any_event, &n, &err));
  assert_int_equal(n, 1);
  make_large(begin, ' ', "}", (size_t)IPFSA_MAX_ENGINE_JSON_ITEM + 1);
  assert_status(ipfsa_container_events(engine, &o, any_event, &n, &err), IPFSA_E_LIMIT);
}

static void depth(void **state) {
  (void)state;
  char text[2 * IPFSA_MAX_JSON_DEPTH + 4];
  for (int more = 0; more < 2; more++) {
    ipfsa_error err = {0};
    json_t *json = NULL;
    int n = IPFSA_MAX_JSON_DEPTH + more;
    memset(text, '[', (size_t)n), memset(text + n, ']', (size_t)n), text[2 * n] = '\0';
    assert_status(ipfsa_json_parse(ipfsa_bytes_str(text), "x", &json, &err), more ? IPFSA_E_LIMIT : IPFSA_OK);
    json_decref(json);
  }
}

/* --- what is asked --- */

static const char **many(const char *word, size_t n) {
  const char **list = malloc(n * sizeof *list);
  for (size_t i = 0; i < n; i++) list[i] = word;
  return list;
}

static int silent(void *ctx, int stream, const void *data, size_t len) { return (void)ctx, (void)stream, (void)data, (void)len, 0; }

static void words_of_a_command(void **state) {
  (void)state;
  ipfsa_error err = {0};
  int64_t code = 9;
  const char **words = many("w", 4097);
  assert_ok(ipfsa_container_exec(engine, "web", (ipfsa_texts){words, 4096}, NULL, silent, NULL, &code, &err));
  assert_int_equal(code, 0);
  assert_status(ipfsa_container_exec(engine, "web", (ipfsa_texts){words, 4097}, NULL, silent, NULL, &code, &err), IPFSA_E_INVALID);
  free(words);
}

static ipfsa_status start_with(const ipfsa_container_start_options *o, ipfsa_error *err) {
  change_engine(NULL, false);
  return ipfsa_container_start(engine, "web", "busybox", o, NULL, NULL, err);
}

static void items_of_an_option(void **state) {
  (void)state;
  ipfsa_error err = {0};
  const char **env = many("A=b", 1001);
  ipfsa_container_start_options o = {.struct_size = sizeof o, .env = {env, 1000}, .memory = 6 << 20, .pids = 4194304};
  assert_ok(start_with(&o, &err));
  o.env.n = 1001;
  assert_status(start_with(&o, &err), IPFSA_E_LIMIT);
  o.env.n = 0;
  o.memory--;
  assert_status(start_with(&o, &err), IPFSA_E_INVALID);
  o.memory = 0;
  o.pids++;
  assert_status(start_with(&o, &err), IPFSA_E_INVALID);
  free(env);
}

static void times(void **state) {
  (void)state;
  ipfsa_error err = {0};
  int64_t ns = 0;
  assert_ok(ipfsa_container_time("since", "9000000000.999999999", &ns, &err));
  assert_true(ns == 9000000000999999999);
  assert_status(ipfsa_container_time("since", "9000000001", &ns, &err), IPFSA_E_INVALID);
  assert_status(ipfsa_container_time("since", "1.0000000000", &ns, &err), IPFSA_E_INVALID);
  assert_ok(ipfsa_container_time("since", "1.5", &ns, &err));
  assert_true(ns == 1500000000);
}

static int first(void *ctx, const ipfsa_watch_event *e) { return (void)ctx, (void)e, 1; }

static void containers_of_a_watch(void **state) {
  (void)state;
  static char names[IPFSA_MAX_WATCHED + 1][16];
  const char *list[IPFSA_MAX_WATCHED + 1];
  ipfsa_error err = {0};
  for (unsigned i = 0; i <= IPFSA_MAX_WATCHED; i++) snprintf(names[i], sizeof names[i], "web%u", i), list[i] = names[i];
  ipfsa_watch_options o = {.struct_size = sizeof o, .names = {list, IPFSA_MAX_WATCHED}};
  assert_status(ipfsa_container_watch(engine, &o, first, NULL, &err), IPFSA_E_CANCELLED);
  o.names.n++;
  assert_status(ipfsa_container_watch(engine, &o, first, NULL, &err), IPFSA_E_LIMIT);
}

static void values_of_a_challenge(void **state) {
  (void)state;
  char text[IPFSA_MAX_CHALLENGE_VALUE + 200];
  for (int more = 0; more < 2; more++) {
    ipfsa_error err = {0};
    ipfsa_challenge challenge;
    int n = snprintf(text, sizeof text, "Bearer realm=\"http://127.0.0.1/");
    int value = n - (int)strlen("Bearer realm=\"");
    memset(text + n, 'r', (size_t)(IPFSA_MAX_CHALLENGE_VALUE - value + more));
    snprintf(text + n + IPFSA_MAX_CHALLENGE_VALUE - value + more, 8, "\"");
    assert_true((ipfsa_challenge_parse(text, &challenge, &err) == IPFSA_OK) == !more);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(frames),
                                     cmocka_unit_test_setup_teardown(whole_answers, set_up, tear_down),
                                     cmocka_unit_test_setup_teardown(objects_of_a_stream, set_up, tear_down),
                                     cmocka_unit_test(depth),
                                     cmocka_unit_test_setup_teardown(words_of_a_command, set_up, tear_down),
                                     cmocka_unit_test_setup_teardown(items_of_an_option, set_up, tear_down),
                                     cmocka_unit_test(times),
                                     cmocka_unit_test_setup_teardown(containers_of_a_watch, set_up, tear_down),
                                     cmocka_unit_test(values_of_a_challenge)};
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  free(large);
  return failed;
}
