/* `container serve` and a mount with every allocation on the way failing once: an error with a word or the whole answer, and of what failed neither the
 * container nor the use of its files is left. The engine and the model's server are scripted. */
#include "../container/scripted_engine.h"

#include <errno.h>
#include <ipfsa/add.h>
#include <ipfsa/mount.h>
#include <ipfsa/repo.h>
#include <ipfsa/serve.h>
#include <sys/stat.h>

#include "node/node.h"

#define SHOWN_FIRST 300u /* allocations that fail one by one; behind them every 7th, so that the test takes seconds */
#define GC_EVERY 16u     /* failures after which it is looked whether files are still used */

static bool left_out; /* no libcurl on this machine */

typedef struct place {
  char *dir, repo[300], socket[300], cid[IPFSA_MAX_CID_TEXT];
  ipfsa_node *node;
  ipfsa_engine *engine;
  server models;
} place;

static const char *choose_models(const char *request) {
  return strstr(request, "/v1/models") ? OK_JSON("{\"data\":[{\"id\":\"m.gguf\"}]}") : OK_JSON("{\"status\":\"ok\"}");
}

static void add_model(place *p) {
  static const unsigned char data[96] = "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\x14\0\0\0\0\0\0\0general.architecture\x08\0\0\0\5\0\0\0\0\0\0\0llama";
  char path[400];
  const char *paths[] = {path};
  ipfsa_error err = {0};
  ipfsa_cid cid;
  snprintf(path, sizeof path, "%s/m.gguf", p->dir);
  FILE *out = fopen(path, "wb");
  assert_int_equal(fwrite(data, 1, sizeof data, out), sizeof data);
  fclose(out);
  assert_ok(ipfsa_add(p->node, paths, 1, -1, &(ipfsa_add_options){.struct_size = sizeof(ipfsa_add_options), .wrap = true}, &cid, &err));
  cid.version = 1;
  ipfsa_cid_format(&cid, p->cid);
}

static place *place_new(void) {
  place *p = calloc(1, sizeof *p);
  ipfsa_error err = {0};
  p->dir = test_temp_dir();
  snprintf(p->repo, sizeof p->repo, "%s/repo", p->dir);
  snprintf(p->socket, sizeof p->socket, "%s/e.sock", p->dir);
  p->models.choose = choose_models;
  server_start(&p->models);
  engine_server.path = p->socket;
  start_engine();
  container_port = 8080;
  published_port = p->models.port;
  assert_ok(ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = p->repo, .create = true}, &p->node, NULL, &err));
  add_model(p);
  assert_ok(connect_engine(&p->engine, &err));
  return p;
}

static void place_free(place *p) {
  ipfsa_engine_close(p->engine);
  ipfsa_node_close(p->node);
  server_stop(&engine_server);
  server_stop(&p->models);
  test_remove_tree(p->dir);
  free(p);
}

static ipfsa_status serve_model(place *p, bool *ret_changed, ipfsa_error *err) {
  ipfsa_served *served = NULL;
  char path[IPFSA_MAX_CID_TEXT + 16];
  snprintf(path, sizeof path, "%s/m.gguf", p->cid);
  ipfsa_serve_options o = {.struct_size = sizeof o, .server = "llamacpp", .name = "web", .image = "busybox", .model = "m.gguf", .timeout_ms = 5000};
  ipfsa_status status = ipfsa_serve(p->node, p->engine, path, &o, &served, err);
  assert_int_equal(served != NULL, status == IPFSA_OK);
  if (served) {
    assert_string_equal(served->container, "web");
    *ret_changed = served->changed;
  }
  ipfsa_served_free(served);
  return status;
}

static ipfsa_status start_mounted(place *p, bool *ret_changed, ipfsa_error *err) {
  char text[IPFSA_MAX_CID_TEXT + 16];
  const char *texts[] = {text};
  snprintf(text, sizeof text, "%s:/www", p->cid);
  ipfsa_mount_options m = {.struct_size = sizeof m, .mounts = {texts, 1}};
  return ipfsa_container_start_mounted(p->node, p->engine, "web", "busybox", &m, NULL, NULL, ret_changed, err);
}

static unsigned n_trees(const place *p) {
  char path[400];
  snprintf(path, sizeof path, "%s/materialised", p->repo);
  DIR *dir = opendir(path);
  unsigned n = 0;
  for (const struct dirent *e; dir && (e = readdir(dir));) n += e->d_name[0] != '.' && strcmp(e->d_name, "files") != 0;
  if (dir) closedir(dir);
  return n;
}

static void nothing_is_used(place *p, uint64_t n) {
  ipfsa_error err = {0};
  assert_ok(ipfsa_repo_gc(p->node, NULL, NULL, &err));
  if (n_trees(p)) fail_msg("allocation %llu: files of a container that was not started are kept", (unsigned long long)n);
}

/* Files and the database: whatever fails, the container goes again. */
static void files_fail(void **state) {
  (void)state;
  place *p = place_new();
  unsigned n_failed = 0;
  bool fired = true;
  for (uint64_t n = 1; fired; n++) {
    ipfsa_error err = {0};
    bool changed = false;
    change_engine(NULL, false);
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_FILE, n, 1, IPFSA_FAULT_FAIL, ENOSPC});
    ipfsa_status status = start_mounted(p, &changed, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (status && (!*err.message || !fired)) fail_msg("file operation %llu: %s", (unsigned long long)n, err.message);
    if (status && engine_has(&has_container)) fail_msg("file operation %llu: the container is left behind: %s", (unsigned long long)n, err.message);
    n_failed += status != IPFSA_OK;
    if (status) continue;
    assert_ok(ipfsa_mounts_release_unused(p->engine, p->repo, NULL, &err));
    assert_ok(ipfsa_repo_gc(p->node, NULL, NULL, &err)); /* so that the next one has everything to do */
  }
  assert_true(n_failed > 10);
  place_free(p);
}

static void memory_runs_out(ipfsa_status (*call)(place *, bool *, ipfsa_error *)) {
  place *p = place_new();
  bool fired = true;
  unsigned n_failed = 0;
  for (uint64_t n = 1; fired; n += n < SHOWN_FIRST ? 1 : 7) {
    ipfsa_error err = {0};
    bool changed = false;
    change_engine(NULL, false);
    long json = n_json;
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, 0});
    ipfsa_status status = call(p, &changed, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (status && (status != IPFSA_E_NOMEM || !*err.message || !fired)) fail_msg("allocation %llu: %s: %s", (unsigned long long)n, ipfsa_status_to_string(status), err.message);
    if (status && engine_has(&has_container)) fail_msg("allocation %llu: the container is left behind: %s", (unsigned long long)n, err.message);
    if (n_json != json) fail_msg("allocation %llu: %ld values of JSON are left", (unsigned long long)n, n_json - json);
    assert_true(status || (changed && engine_has(&has_container)));
    n_failed += status != IPFSA_OK;
    if (status == IPFSA_OK) assert_ok(ipfsa_mounts_release_unused(p->engine, p->repo, NULL, &err)); /* the script shows no CID */
    if (n_failed % GC_EVERY == 0) nothing_is_used(p, n);
  }
  nothing_is_used(p, 0);
  assert_true(n_failed > 200);
  place_free(p);
}

static void serving(void **state) { (void)state; left_out ? skip() : memory_runs_out(serve_model); }
static void mounting(void **state) { (void)state; memory_runs_out(start_mounted); }

int main(void) {
  left_out = !dlopen("libcurl.so.4", RTLD_LAZY);
  if (left_out) printf("skipped: libcurl is missing\n");
  for (const char *const *name = (const char *const[]){"http_proxy", "all_proxy", "ALL_PROXY", NULL}; *name; name++) unsetenv(*name);
  const struct CMUnitTest tests[] = {cmocka_unit_test(serving), cmocka_unit_test(mounting), cmocka_unit_test(files_fail)};
  return cmocka_run_group_tests(tests, count_json, NULL);
}
