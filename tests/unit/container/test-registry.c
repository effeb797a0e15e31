#include "container/registry.h"

#include "../http/server.h"
#include "base/alloc.h"
#include "base/fault.h"
#include "hash/hash.h"
#include "http/client.h"

static bool left_out; /* no libcurl on this machine */

static void places_are_read(void **state) {
  (void)state;
  static const struct {
    const char *text, *host, *path, *origin; /* origin NULL: refused */
  } rows[] = {{"ghcr.io", "ghcr.io", "", "https://ghcr.io"},
              {"GHCR.io/A", NULL, NULL, NULL},
              {"GHCR.io/a/b/", "ghcr.io", "a/b", "https://ghcr.io"},
              {"docker.io", "docker.io", "", "https://registry-1.docker.io"},
              {"https://index.docker.io/library/redis", "docker.io", "library/redis", "https://registry-1.docker.io"},
              {"docker.io/redis", "docker.io", "library/redis", "https://registry-1.docker.io"}, /* as engines read it */
              {"ghcr.io/redis", "ghcr.io", "redis", "https://ghcr.io"},
              {"localhost:5000", "localhost:5000", "", "http://localhost:5000"},
              {"127.0.0.1:5000/x", "127.0.0.1:5000", "x", "http://127.0.0.1:5000"},
              {"https://127.0.0.1:5000", "127.0.0.1:5000", "", "https://127.0.0.1:5000"},
              {"[::1]:5000", "[::1]:5000", "", "http://[::1]:5000"},
              {"localhost.example.org/x", "localhost.example.org", "x", "https://localhost.example.org"}, /* only begins like this machine */
              {"localhosts.example.org", "localhosts.example.org", "", "https://localhosts.example.org"},
              {"127.0.0.1.example.org:5000", "127.0.0.1.example.org:5000", "", "https://127.0.0.1.example.org:5000"},
              {"http://10.0.0.1", "10.0.0.1", "", "http://10.0.0.1"},
              {"ftp://a.example", NULL, NULL, NULL},
              {"http://user@a.example", NULL, NULL, NULL},
              {"a.example/../x", NULL, NULL, NULL},
              {"a.example?x", NULL, NULL, NULL},
              {"a.example/x?y", NULL, NULL, NULL},
              {"http://", NULL, NULL, NULL},
              {"", NULL, NULL, NULL}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ipfsa_error err = {0};
    ipfsa_registry_place place = {0};
    char origin[IPFSA_MAX_ORIGIN];
    ipfsa_status status = ipfsa_registry_place_parse(rows[i].text, &place, &err);
    if ((status == IPFSA_OK) != (rows[i].origin != NULL)) fail_msg("%s: %s", rows[i].text, status ? err.message : "was accepted");
    if (status) continue;
    ipfsa_origin_format(&place.origin, origin);
    assert_string_equal(origin, rows[i].origin);
    assert_string_equal(place.host, rows[i].host);
    assert_string_equal(place.path, rows[i].path);
  }
}

/* A registry with one image, behind a token server of its own; what it sends is made once. */
static char answers[5][2048];
static char index_digest[72];

static void put_digest(const char *body, char ret[72]) {
  ipfsa_sha256_stream s;
  uint8_t digest[32];
  ipfsa_sha256_init(&s);
  ipfsa_sha256_update(&s, body, strlen(body));
  ipfsa_sha256_final(&s, digest);
  char *hex = test_to_hex(digest, 32);
  snprintf(ret, 72, "sha256:%s", hex);
  free(hex);
}

static void put_answer(char to[2048], int status, const char *headers, const char *body) {
  int n = snprintf(to, 2048, "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n%s", status, strlen(body), headers, body);
  assert_true(n > 0 && n < 2048);
}

static const char *choose(const char *request) {
  if (strstr(request, "GET /token?")) return answers[0];
  if (!strstr(request, "Authorization: Bearer T\r\n")) return answers[1];
  return strstr(request, "/manifests/v1 ") ? answers[2] : strstr(request, "/manifests/sha256:") ? answers[3] : answers[4];
}

static void make_world(server *s) {
  char config[256], image[512], index[512], challenge[512], digest[72];
  *s = (server){.choose = choose};
  server_start(s);
  snprintf(challenge, sizeof challenge, "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:%u/token\",service=\"s\",scope=\"repository:a/b:pull\"\r\n", s->port);
  put_answer(answers[0], 200, "", "{\"token\":\"T\"}");
  put_answer(answers[1], 401, challenge, "{\"errors\":[{\"code\":\"UNAUTHORIZED\"}]}");
  snprintf(config, sizeof config, "{\"os\":\"linux\",\"architecture\":\"amd64\",\"config\":{\"Labels\":{\"org.opencontainers.image.description\":\"of the label\"}}}");
  put_answer(answers[4], 200, "", config);
  put_digest(config, digest);
  snprintf(image, sizeof image, "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\"digest\":\"%s\",\"size\":%zu},"
           "\"layers\":[{\"digest\":\"%s\",\"size\":1000}]}", digest, strlen(config), digest);
  put_answer(answers[3], 200, "Content-Type: application/vnd.oci.image.manifest.v1+json\r\n", image);
  put_digest(image, digest);
  snprintf(index, sizeof index, "{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"%s\",\"size\":%zu,\"platform\":{\"os\":\"linux\",\"architecture\":\"riscv64\"}}]}", digest, strlen(image));
  put_answer(answers[2], 200, "Content-Type: application/vnd.oci.image.index.v1+json\r\n", index);
  put_digest(index, index_digest);
}

static ipfsa_status look(const server *s, ipfsa_image_facts *ret, ipfsa_error *err) {
  char text[64];
  ipfsa_registry_place place;
  ipfsa_registry *registry = NULL;
  snprintf(text, sizeof text, "127.0.0.1:%u", s->port);
  ipfsa_status status = ipfsa_registry_place_parse(text, &place, err);
  ipfsa_registry_settings settings = {.place = &place, .docker_config = "/nonexistent"};
  if (status == IPFSA_OK) status = ipfsa_registry_open(&settings, &registry, err);
  if (status == IPFSA_OK) status = ipfsa_registry_image(registry, "a/b", "v1", ret, err);
  ipfsa_registry_close(registry);
  return status;
}

static void an_image_is_described(void **state) {
  (void)state;
  if (left_out) skip();
  server s;
  ipfsa_error err = {0};
  ipfsa_image_facts facts = {0};
  make_world(&s);
  assert_ok(look(&s, &facts, &err));
  assert_string_equal(facts.digest, index_digest);
  assert_string_equal(facts.description, "of the label");
  assert_true(facts.size > 1000 && facts.size < 1300);
  assert_int_equal(facts.platforms.n, 2); /* the index says one thing, the image another: both are told */
  ipfsa_image_facts_release(&facts);
  server_stop(&s);
}

/* One byte changed in any of the three: corrupt, whoever named the digest. */
static void lies_are_found(void **state) {
  (void)state;
  if (left_out) skip();
  for (int i = 2; i < 5; i++) {
    server s;
    ipfsa_error err = {0};
    ipfsa_image_facts facts = {0};
    make_world(&s);
    if (i == 2) { /* the tag has no digest to be held against but the one that the answer carries */
      char body[2048], header[160];
      snprintf(body, sizeof body, "%s", strstr(answers[2], "\r\n\r\n") + 4);
      snprintf(header, sizeof header, "Docker-Content-Digest: sha256:%064d\r\n", 0);
      put_answer(answers[2], 200, header, body);
    } else {
      char *byte = strstr(answers[i], i == 3 ? "1000" : "amd64");
      *byte += 1;
    }
    assert_status(look(&s, &facts, &err), IPFSA_E_CORRUPT);
    assert_null(facts.description);
    server_stop(&s);
  }
}

static void memory_may_run_out(void **state) {
  (void)state;
  if (left_out) skip();
  server s;
  make_world(&s);
  uint64_t n_failed = 0;
  for (uint64_t nth = 1;; nth += nth < 200 ? 1 : 7) { /* every one of the first, then samples: five requests make over a thousand */
    ipfsa_error err = {0};
    ipfsa_image_facts facts = {0};
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, nth, 1, IPFSA_FAULT_FAIL, 0});
    ipfsa_status status = look(&s, &facts, &err);
    bool fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    if (status) assert_true(fired && err.message[0] && !facts.description);
    else assert_string_equal(facts.digest, index_digest);
    assert_null(strstr(err.message, "Bearer"));
    n_failed += status != IPFSA_OK;
    ipfsa_image_facts_release(&facts);
    if (!fired) break;
  }
  assert_true(n_failed > 50);
  server_stop(&s);
}

int main(void) {
  ipfsa_error err = {0};
  ipfsa_http_client *client = NULL;
  left_out = ipfsa_http_client_new(&(ipfsa_http_settings){0}, &client, &err) == IPFSA_E_NOT_SUPPORTED;
  ipfsa_http_client_free(client);
  if (left_out) printf("skipped: %s\n", err.message);
  const struct CMUnitTest tests[] = {cmocka_unit_test(places_are_read), cmocka_unit_test(an_image_is_described), cmocka_unit_test(lies_are_found),
                                     cmocka_unit_test(memory_may_run_out)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
