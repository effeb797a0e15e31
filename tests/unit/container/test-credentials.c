#include "container/credentials.h"

#include <fcntl.h>

#include "../support.h"
#include "base/fault.h"
#include "base/fs.h"
#include "container/challenge.h"

static const char config[] = "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dXNlcjpzZWNyZXQ=\"},\"localhost:5000\":{\"auth\":\"YTpi\"},"
                             "\"http://Old.example/v2/\":{\"username\":\"u\",\"password\":\"p:w\"},\"token.example\":{\"auth\":\"dTo=\",\"identitytoken\":\"secret\"},"
                             "\"bad.example\":{\"auth\":\"secret secret\"},\"no-colon.example\":{\"auth\":\"c2VjcmV0\"},\"stored.example\":{}},"
                             "\"credHelpers\":{\"cloud.example\":\"gcloud\"},\"credsStore\":\"desktop\"}";

static char *new_config(const char *text, char **ret_dir) {
  ipfsa_error err = {0};
  char *path = NULL;
  *ret_dir = test_temp_dir();
  assert_true(asprintf(&path, "%s/config.json", *ret_dir) > 0);
  assert_ok(ipfsa_fs_replace_file(AT_FDCWD, path, text, strlen(text), 0600, &err));
  return path;
}

static void logins_are_found(void **state) {
  (void)state;
  static const struct {
    const char *host, *basic, *note;
    ipfsa_status status;
  } rows[] = {{"docker.io", "Basic dXNlcjpzZWNyZXQ=", "", IPFSA_OK},
              {"localhost:5000", "Basic YTpi", "", IPFSA_OK},
              {"localhost:5001", NULL, "", IPFSA_OK},
              {"localhost", NULL, "", IPFSA_OK},
              {"old.example", "Basic dTpwOnc=", "", IPFSA_OK},
              {"token.example", NULL, "identity token", IPFSA_OK},
              {"cloud.example", NULL, "docker-credential-gcloud", IPFSA_OK},
              {"stored.example", NULL, "docker-credential-desktop", IPFSA_OK},
              {"bad.example", NULL, NULL, IPFSA_E_MALFORMED},
              {"no-colon.example", NULL, NULL, IPFSA_E_MALFORMED}};
  char *dir, *path = new_config(config, &dir);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ipfsa_error err = {0};
    ipfsa_credentials c = {0};
    assert_status(ipfsa_credentials_find(path, rows[i].host, &c, &err), rows[i].status);
    if (rows[i].basic) assert_string_equal(c.basic, rows[i].basic);
    else assert_null(c.basic);
    if (rows[i].note) assert_true(*rows[i].note ? strstr(c.note, rows[i].note) != NULL : c.note[0] == '\0');
    assert_null(strstr(err.message, "secret"));
    assert_null(strstr(c.note, "secret"));
    ipfsa_credentials_release(&c);
  }
  free(path);
  test_remove_tree(dir);
}

static void files_that_are_none(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_credentials c = {0};
  assert_ok(ipfsa_credentials_find("/nonexistent/config.json", "a", &c, &err));
  assert_null(c.basic);
  char *dir, *path = new_config("{\"auths\": secret", &dir);
  assert_status(ipfsa_credentials_find(path, "a", &c, &err), IPFSA_E_MALFORMED);
  assert_null(strstr(err.message, "secret"));
  setenv("DOCKER_CONFIG", dir, 1);
  assert_status(ipfsa_credentials_find(NULL, "a", &c, &err), IPFSA_E_MALFORMED);
  unsetenv("DOCKER_CONFIG");
  free(path);
  test_remove_tree(dir);
}

static void faults_are_reported(void **state) {
  (void)state;
  char *dir, *path = new_config(config, &dir);
  for (int kind = 0; kind < IPFSA_FAULT_N_KINDS; kind++)
    for (uint64_t nth = 1;; nth++) {
      ipfsa_error err = {0};
      ipfsa_credentials c = {0};
      ipfsa_fault_arm(&(ipfsa_fault_plan){(ipfsa_fault_kind)kind, nth, 1, IPFSA_FAULT_FAIL, 5 /* EIO */});
      ipfsa_status status = ipfsa_credentials_find(path, "old.example", &c, &err);
      bool fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      assert_true(fired == (status != IPFSA_OK));
      assert_true(status == IPFSA_OK || c.basic == NULL);
      ipfsa_credentials_release(&c);
      if (!fired) {
        assert_true(nth > 2);
        break;
      }
    }
  free(path);
  test_remove_tree(dir);
}

static void challenges_are_read(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_challenge c;
  assert_ok(ipfsa_challenge_parse("Basic realm=\"b\", BEARER Realm=\"https://a/t?x=1\",service=\"re\\\"g\" , scope=\"repository:a/b:pull,push\"", &c, &err));
  assert_int_equal(c.scheme, IPFSA_CHALLENGE_BEARER);
  assert_string_equal(c.realm, "https://a/t?x=1");
  assert_string_equal(c.service, "re\"g");
  assert_string_equal(c.scope, "repository:a/b:pull,push");
  assert_ok(ipfsa_challenge_parse("Negotiate, Basic realm=one, Basic realm=two", &c, &err));
  assert_int_equal(c.scheme, IPFSA_CHALLENGE_BASIC);
  assert_string_equal(c.realm, "one");
  assert_status(ipfsa_challenge_parse("Negotiate", &c, &err), IPFSA_E_NOT_SUPPORTED);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(logins_are_found), cmocka_unit_test(files_that_are_none), cmocka_unit_test(faults_are_reported),
                                     cmocka_unit_test(challenges_are_read)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
