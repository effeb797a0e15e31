#include "container/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>

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
    assert_status(ipfsa_credentials_find(path, rows[i].host, "", &c, &err), rows[i].status);
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

/* Docker's older programs left keys as URLs, Podman's may be for a part of a registry: what fits best is taken, wherever it stands. */
static void the_key_that_fits_best_is_taken(void **state) {
  (void)state;
  static const char keys[] = "{\"auths\":{\"https://a.example/v1/\":{\"auth\":\"b2xkOjE=\"},\"a.example\":{\"auth\":\"bmV3OjE=\"},\"a.example/team\":{\"auth\":\"dGVhbTox\"},"
                             "\"a.example/team/model\":{\"auth\":\"bW9kZWw6MQ==\"},\"b.example/team\":{\"auth\":\"dGVhbTox\"},\"http://c.example/any/thing\":{\"auth\":\"b2xkOjE=\"},"
                             "\"d.example/v2/\":{\"auth\":\"b2xkOjE=\"},\"index.docker.io\":{\"auth\":\"b2xkOjE=\"},\"https://index.docker.io/v1/\":{\"auth\":\"bmV3OjE=\"}},"
                             "\"credHelpers\":{\"b.example/other\":\"vault\"}}";
  static const char old[] = "Basic b2xkOjE=", new[] = "Basic bmV3OjE=", team[] = "Basic dGVhbTox", model[] = "Basic bW9kZWw6MQ==";
  static const struct {
    const char *host, *repository, *basic;
  } rows[] = {{"a.example", "", new}, {"a.example", "other/model", new}, {"a.example", "team", team}, {"a.example", "team/thing", team}, {"a.example", "team/model", model},
              {"a.example", "team/model/x", model}, {"a.example", "teams/x", new}, {"b.example", "", NULL}, {"b.example", "team/x", team}, {"b.example", "teams/x", NULL},
              {"c.example", "x", old}, {"d.example", "x", old}, {"docker.io", "library/redis", new}, {"example", "", NULL}};
  char *dir, *path = new_config(keys, &dir);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ipfsa_error err = {0};
    ipfsa_credentials c = {0};
    assert_ok(ipfsa_credentials_find(path, rows[i].host, rows[i].repository, &c, &err));
    if (rows[i].basic && (!c.basic || strcmp(c.basic, rows[i].basic) != 0)) fail_msg("%s/%s: %s", rows[i].host, rows[i].repository, c.basic ? c.basic : "none");
    if (!rows[i].basic) assert_null(c.basic);
    ipfsa_credentials_release(&c);
  }
  ipfsa_error err = {0};
  ipfsa_credentials c = {0};
  assert_ok(ipfsa_credentials_find(path, "b.example", "other/x", &c, &err));
  assert_non_null(strstr(c.note, "docker-credential-vault"));
  free(path);
  test_remove_tree(dir);
}

/* `podman login` keeps its logins elsewhere; Docker's go first, and a note there is no login. */
static void podmans_logins_are_found(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char *docker_dir, *docker = new_config("{\"auths\":{\"both.example\":{\"auth\":\"ZG9ja2VyOjE=\"}},\"credHelpers\":{\"help.example\":\"vault\",\"only.example\":\"vault\"}}", &docker_dir);
  char *dir = test_temp_dir(), *folder = NULL, *file = NULL;
  static const char text[] = "{\"auths\":{\"both.example\":{\"auth\":\"cG9kbWFuOjE=\"},\"pod.example/team\":{\"auth\":\"cG9kbWFuOjE=\"},\"help.example\":{\"auth\":\"cG9kbWFuOjE=\"}}}";
  assert_true(asprintf(&folder, "%s/containers", dir) > 0 && asprintf(&file, "%s/containers/auth.json", dir) > 0);
  assert_int_equal(mkdir(folder, 0700), 0);
  assert_ok(ipfsa_fs_replace_file(AT_FDCWD, file, text, sizeof text - 1, 0600, &err));
  static const struct {
    const char *host, *repository, *basic, *note;
  } rows[] = {{"both.example", "x", "Basic ZG9ja2VyOjE=", ""}, {"pod.example", "team/x", "Basic cG9kbWFuOjE=", ""}, {"pod.example", "x", NULL, ""},
              {"help.example", "x", "Basic cG9kbWFuOjE=", ""}, {"only.example", "x", NULL, "docker-credential-vault"}};
  static const char *const variables[] = {"XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "REGISTRY_AUTH_FILE"};
  setenv("DOCKER_CONFIG", docker_dir, 1);
  for (size_t v = 0; v < 3; v++) {
    for (size_t k = 0; k < 3; k++) setenv(variables[k], "/nonexistent", 1);
    setenv(variables[v], v < 2 ? dir : file, 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
      ipfsa_credentials c = {0};
      assert_ok(ipfsa_credentials_find(NULL, rows[i].host, rows[i].repository, &c, &err));
      if (rows[i].basic) assert_string_equal(c.basic, rows[i].basic);
      else assert_null(c.basic);
      assert_true(*rows[i].note ? strstr(c.note, rows[i].note) != NULL : !*c.note);
      ipfsa_credentials_release(&c);
    }
  }
  for (size_t k = 0; k < 3; k++) unsetenv(variables[k]);
  unsetenv("DOCKER_CONFIG");
  free(docker), free(folder), free(file);
  test_remove_tree(docker_dir);
  test_remove_tree(dir);
}

static void files_that_are_none(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_credentials c = {0};
  assert_ok(ipfsa_credentials_find("/nonexistent/config.json", "a", "", &c, &err));
  assert_null(c.basic);
  char *dir, *path = new_config("{\"auths\": secret", &dir);
  assert_status(ipfsa_credentials_find(path, "a", "", &c, &err), IPFSA_E_MALFORMED);
  assert_null(strstr(err.message, "secret"));
  setenv("DOCKER_CONFIG", dir, 1);
  assert_status(ipfsa_credentials_find(NULL, "a", "", &c, &err), IPFSA_E_MALFORMED);
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
      ipfsa_status status = ipfsa_credentials_find(path, "old.example", "", &c, &err);
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
  static const char *const tokens[] = {"Negotiate YII/abc==, Basic realm=\"one\"", "Basic realm=one, Negotiate a/b+c", "Negotiate a/b= ,, Basic realm=one", "NTLM, Basic realm=one",
                                       "Negotiate abc, Digest realm=\"x, y\", qop=auth, Basic realm=one"};
  for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
    assert_ok(ipfsa_challenge_parse(tokens[i], &c, &err));
    assert_int_equal(c.scheme, IPFSA_CHALLENGE_BASIC);
    assert_string_equal(c.realm, "one");
  }
  static const char *const broken[] = {"Basic realm=\"one", "Negotiate a/b=c, Basic realm=one", "=, Basic realm=one"};
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) assert_status(ipfsa_challenge_parse(broken[i], &c, &err), IPFSA_E_MALFORMED);
  assert_status(ipfsa_challenge_parse("Negotiate", &c, &err), IPFSA_E_NOT_SUPPORTED);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(logins_are_found), cmocka_unit_test(the_key_that_fits_best_is_taken), cmocka_unit_test(podmans_logins_are_found),
                                     cmocka_unit_test(files_that_are_none), cmocka_unit_test(faults_are_reported),
                                     cmocka_unit_test(challenges_are_read)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
