/* Every driver with every allocation on the way failing once, libcurl's own too: an error with a word, or the whole answer; afterwards it works. */
#include <errno.h>
#include <ipfsa/add.h>
#include <ipfsa/config.h>
#include <ipfsa/dispatch.h>
#include <sys/stat.h>

#include "../http/server.h"
#include "../json_memory.h"
#include "base/fault.h"
#include "http/client.h"
#include "node/node.h"

#define SHOWN_FIRST 120u /* allocations that fail one by one; behind them every 19th, so that the test takes seconds */

static bool left_out; /* no libcurl on this machine */

typedef struct place {
  char *dir, served[300];
  ipfsa_node *node;
  char cids[2][IPFSA_MAX_CID_TEXT];
  server server;
} place;

static const char *answer_of(const char *json) {
  static char text[4096];
  snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(json), json);
  return text;
}

static char served_path[700]; /* where what is dispatched next will stand */

static bool asks(const char *request, const char *begin) { return strncmp(request, begin, strlen(begin)) == 0; }

/* All kinds in one: a server on which everything succeeds at once. */
static const char *choose(const char *request) {
  static char json[2048];
  if (asks(request, "HEAD /api/blobs/")) return "HTTP/1.1 404 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  if (asks(request, "POST /api/create")) return answer_of("{\"status\":\"writing manifest\"}\n{\"status\":\"success\"}\n");
  if (asks(request, "GET /api/")) return answer_of("{\"models\":[{\"name\":\"m:latest\",\"digest\":\"d\"}]}");
  static bool unloaded;
  if (asks(request, "GET /models")) return answer_of(unloaded ? "{\"data\":[{\"id\":\"m\",\"status\":{\"value\":\"unloaded\"}}]}" : "{\"data\":[{\"id\":\"m\",\"status\":{\"value\":\"loaded\"}}]}");
  if (asks(request, "POST /models/")) return unloaded = asks(request, "POST /models/unload"), answer_of("{\"success\":true}");
  if (asks(request, "POST /v2/repository/index")) return answer_of("[{\"name\":\"m\",\"state\":\"READY\"}]");
  snprintf(json, sizeof json, "{\"data\":[{\"id\":\"m\",\"root\":\"%s\"}],\"model_path\":\"%s\",\"success\":true}", served_path, served_path);
  return answer_of(json);
}

static void put(const char *folder, const char *name, const void *data, size_t len) {
  char path[700];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *out = fopen(path, "wb");
  fwrite(data, 1, len, out);
  fclose(out);
}

static void put_safetensors(const char *folder, int fill) {
  static const char head[] = "{\"w\":{\"dtype\":\"U8\",\"shape\":[9000],\"data_offsets\":[0,9000]}}";
  unsigned char data[8 + sizeof head - 1 + 9000];
  uint64_t size = sizeof head - 1;
  memcpy(data, &size, 8); /* little-endian machines only, as the tests are */
  memcpy(data + 8, head, sizeof head - 1);
  memset(data + 8 + sizeof head - 1, fill, 9000);
  put(folder, "model.safetensors", data, sizeof data);
}

/* No tensors, one key. */
static void put_gguf(const char *folder, int fill) {
  unsigned char data[160] = "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\x14\0\0\0\0\0\0\0general.architecture\x08\0\0\0\5\0\0\0\0\0\0\0llam";
  data[24 + 8 + 20 + 4 + 8 + 4] = (unsigned char)fill;
  put(folder, "m.gguf", data, 96);
}

static void add(place *p, const char *kind, int which) {
  char folder[400], below[410];
  const char *path = folder;
  ipfsa_error err = {0};
  ipfsa_cid cid;
  snprintf(folder, sizeof folder, "%s/%s-%d", p->dir, kind, which);
  snprintf(below, sizeof below, "%s/1", folder);
  mkdir(folder, 0755);
  if (strcmp(kind, "llamacpp") == 0) put_gguf(folder, 'a' + which);
  else {
    put_safetensors(folder, 'a' + which);
    mkdir(below, 0755);
    put(below, "x", "x", 1);
    put(folder, "model-settings.json", "{}", 2);
  }
  assert_ok(ipfsa_add(p->node, &path, 1, -1, &(ipfsa_add_options){.struct_size = sizeof(ipfsa_add_options), .recursive = true}, &cid, &err));
  cid.version = 1;
  ipfsa_cid_format(&cid, p->cids[which]);
}

static void set(place *p, const char *key, const char *value) {
  char name[100];
  ipfsa_error err = {0};
  snprintf(name, sizeof name, "endpoints.gpu.%s", key);
  assert_ok(ipfsa_node_config_set(p->node, name, value, false, &err));
}

static place *place_new(void) {
  char repo[300];
  ipfsa_error err = {0};
  place *p = calloc(1, sizeof *p);
  p->dir = test_temp_dir();
  snprintf(repo, sizeof repo, "%s/repo", p->dir);
  snprintf(p->served, sizeof p->served, "%s/served", p->dir);
  mkdir(p->served, 0755);
  p->server.choose = choose, p->server.takes_all = true;
  server_start(&p->server);
  assert_ok(ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = repo, .create = true}, &p->node, NULL, &err));
  snprintf(repo, sizeof repo, "http://127.0.0.1:%u", p->server.port);
  set(p, "url", repo);
  set(p, "model_dir", p->served);
  set(p, "api_key", "token");
  set(p, "timeout", "3");
  return p;
}

static void place_free(place *p) {
  ipfsa_node_close(p->node);
  server_stop(&p->server);
  test_remove_tree(p->dir);
  free(p);
}

static ipfsa_status dispatch(place *p, int which, ipfsa_dispatched **ret, ipfsa_error *err) {
  pthread_mutex_lock(&script_lock);
  snprintf(served_path, sizeof served_path, "%s/m/%s", p->served, p->cids[which]);
  pthread_mutex_unlock(&script_lock);
  __atomic_store_n(&p->server.n_requests, 0, __ATOMIC_SEQ_CST);
  return ipfsa_dispatch(p->node, p->cids[which], &(ipfsa_dispatch_options){.struct_size = sizeof(ipfsa_dispatch_options), .endpoint = "gpu", .name = "m"}, ret, err);
}

static void memory_runs_out(const char *kind) {
  place *p = place_new();
  bool fired = true;
  uint64_t n_failed = 0;
  int which = 0;
  set(p, "kind", kind);
  add(p, kind, 0);
  add(p, kind, 1);
  for (uint64_t n = 1; fired; n += n < SHOWN_FIRST ? 1 : 19) {
    ipfsa_error err = {0};
    ipfsa_dispatched *done = NULL;
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, ENOMEM});
    ipfsa_status status = dispatch(p, which, &done, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (status && !*err.message) fail_msg("%s, allocation %llu: failed without a word", kind, (unsigned long long)n);
    if (status && !fired) fail_msg("%s: %s", kind, err.message);
    assert_true((status == IPFSA_OK) == (done != NULL) && (!done || done->ready));
    ipfsa_dispatched_free(done);
    n_failed += status != IPFSA_OK;
    if (status == IPFSA_OK) which = !which; /* so that the next one has everything to do */
  }
  if (n_failed < 50) fail_msg("%s: only %llu allocations failed", kind, (unsigned long long)n_failed);
  place_free(p);
}

static void ollama(void **state) { (void)state; left_out ? skip() : memory_runs_out("ollama"); }
static void llamacpp(void **state) { (void)state; left_out ? skip() : memory_runs_out("llamacpp"); }
static void triton(void **state) { (void)state; left_out ? skip() : memory_runs_out("triton"); }
static void mlserver(void **state) { (void)state; left_out ? skip() : memory_runs_out("mlserver"); }
static void sglang(void **state) { (void)state; left_out ? skip() : memory_runs_out("sglang"); }
static void vllm(void **state) { (void)state; left_out ? skip() : memory_runs_out("vllm"); }
static void openai(void **state) { (void)state; left_out ? skip() : memory_runs_out("openai"); }

/* A mark that cannot be written is no success: the next call would take the model for another. */
static void files_fail(void **state) {
  (void)state;
  if (left_out) skip();
  place *p = place_new();
  bool fired = true;
  set(p, "kind", "mlserver");
  add(p, "mlserver", 0);
  add(p, "mlserver", 1);
  for (uint64_t n = 1; fired; n++) {
    ipfsa_error err = {0};
    ipfsa_dispatched *done = NULL;
    assert_ok(dispatch(p, 0, &done, &err));
    ipfsa_dispatched_free(done);
    done = NULL;
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_FILE, n, 1, IPFSA_FAULT_FAIL, ENOSPC});
    ipfsa_status status = dispatch(p, 1, &done, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (status && !*err.message) fail_msg("file operation %llu: failed without a word", (unsigned long long)n);
    assert_true((status == IPFSA_OK) == (done != NULL));
    ipfsa_dispatched_free(done);
  }
  place_free(p);
}

int main(void) {
  ipfsa_error err = {0};
  ipfsa_http_client *client = NULL;
  left_out = ipfsa_http_client_new(&(ipfsa_http_settings){0}, &client, &err) == IPFSA_E_NOT_SUPPORTED;
  ipfsa_http_client_free(client);
  if (left_out) printf("skipped: %s\n", err.message);
  for (const char *const *name = (const char *const[]){"http_proxy", "all_proxy", "ALL_PROXY", NULL}; *name; name++) unsetenv(*name);
  const struct CMUnitTest tests[] = {cmocka_unit_test(ollama), cmocka_unit_test(llamacpp), cmocka_unit_test(triton), cmocka_unit_test(mlserver),
                                     cmocka_unit_test(sglang), cmocka_unit_test(vllm),     cmocka_unit_test(openai), cmocka_unit_test(files_fail)};
  return cmocka_run_group_tests(tests, json_memory_own, json_memory_is_back);
}
