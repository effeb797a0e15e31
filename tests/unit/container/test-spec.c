/* What a request holds, and what is refused: every row of the deny list, and that the configuration can allow each by its name. */
#include "container/spec.h"

#include <sys/stat.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../support.h"
#include "container/engine_inside.h"
#include "container/secrets.h"

typedef struct fixture {
  ipfsa_engine engine;
  char *dir;
} fixture;

/* An engine that is never spoken to: the builder asks it for its rules only. */
static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  f->engine.cancel_fd = -1;
  f->engine.minor = 41;
  f->dir = test_temp_dir();
  f->engine.repo = strdup("/var/tmp/some-repo");
  *state = f;
  return 0;
}

static void forget_allowed(fixture *f) {
  ipfsa_text_list_release(&f->engine.allowed);
  f->engine.allowed = (ipfsa_text_list){0};
}

static int tear_down(void **state) {
  fixture *f = *state;
  forget_allowed(f);
  ipfsa_text_list_release(&f->engine.registries);
  free(f->engine.repo);
  test_remove_tree(f->dir);
  free(f);
  return 0;
}

static ipfsa_status build(fixture *f, const ipfsa_container_start_options *o, json_t **ret, ipfsa_error *err) {
  ipfsa_spec_facts facts = {.image = "busybox:latest", .image_user = "", .n_cpus = 4, .memory = (int64_t)8 << 30};
  return ipfsa_spec_build(&f->engine, "web", o, &facts, ret, err);
}

static ipfsa_texts one(const char **text) { return (ipfsa_texts){text, 1}; }

typedef struct refusal {
  char option; /* e extra, v volume, p port, n network */
  const char *text, *allowed_by;
} refusal;

static const refusal refusals[] = {
    {'e', "privileged=true", "privileged"}, {'e', "pid=host", "pid=host"}, {'e', "pid=container:other", "pid"}, {'e', "ipc=host", "ipc=host"},
    {'e', "ipc=container:other", "ipc"}, {'e', "uts=host", "uts=host"}, {'e', "userns=host", "userns=host"}, {'e', "cgroupns=host", "cgroupns=host"},
    {'e', "device=/dev/mem", "device=/dev/mem"}, {'e', "device-cgroup-rule=a *:* rwm", "device-cgroup-rule"}, {'e', "cap-add=SYS_ADMIN", "cap-add=SYS_ADMIN"},
    {'e', "cap-add=CAP_SYS_PTRACE", "cap-add=CAP_SYS_PTRACE"}, {'e', "cap-add=SYS_MODULE", "cap-add"}, {'e', "cap-add=SYS_RAWIO", "cap-add"},
    {'e', "cap-add=NET_ADMIN", "cap-add"}, {'e', "cap-add=DAC_READ_SEARCH", "cap-add"}, {'e', "cap-add=BPF", "cap-add"}, {'e', "cap-add=ALL", "cap-add"},
    {'e', "cap-add=sys_admin", "cap-add"}, {'e', "security-opt=seccomp=unconfined", "security-opt=seccomp=unconfined"},
    {'e', "security-opt=apparmor=unconfined", "security-opt"}, {'e', "security-opt=label=disable", "security-opt"},
    {'e', "security-opt=systempaths=unconfined", "security-opt"}, {'e', "security-opt=no-new-privileges:false", "security-opt"},
    {'e', "oom-kill-disable=true", "oom-kill-disable"}, {'e', "oom-score-adj=-1", "oom-score-adj"}, {'e', "sysctl=kernel.msgmax=1", "sysctl"},
    {'e', "runtime=evil", "runtime=evil"}, {'e', "cgroup-parent=/", "cgroup-parent"}, {'e', "volumes-from=other", "volumes-from"}, {'e', "link=other:db", "link"},
    {'n', "host", "network=host"}, {'n', "container:other", "network"}, {'n', "ns:/proc/1/ns/net", "network"},
    {'p', "0.0.0.0:80:80", "host-ip=0.0.0.0"}, {'p', "[::]:80:80", "host-ip=::"}, {'p', "192.168.1.1:80:80", "host-ip"},
    {'v', "/:/host", "bind=/"}, {'v', "/etc:/x", "bind=/etc"}, {'v', "/etc/ssh:/x:ro", "bind"}, {'v', "/proc:/x", "bind=/proc"}, {'v', "/sys:/x", "bind=/sys"},
    {'v', "/dev:/x", "bind=/dev"}, {'v', "/boot:/x", "bind=/boot"}, {'v', "/root:/x", "bind=/root"}, {'v', "/home:/x", "bind=/home"}, {'v', "/var/run:/x", "bind"},
    {'v', "/run:/x", "bind=/run"}, {'v', "/var:/x", "bind=/var"}, {'v', "/var/tmp:/x", "bind=/var/tmp"}, {'v', "/tmp:/x:shared", "bind-propagation"},
    {'v', "/tmp:/x:rshared", "bind-propagation=rshared"},
};

static ipfsa_status try_it(fixture *f, const refusal *r, ipfsa_error *err) {
  const char *text = r->text;
  ipfsa_container_start_options o = {.struct_size = sizeof o};
  if (r->option == 'e') o.extras = one(&text);
  else if (r->option == 'v') o.volumes = one(&text);
  else if (r->option == 'p') o.ports = one(&text);
  else o.networks = one(&text);
  json_t *body = NULL;
  ipfsa_status status = build(f, &o, &body, err);
  json_decref(body);
  return status;
}

static void dangerous_things_are_refused_unless_named(void **state) {
  fixture *f = *state;
  assert_true(sizeof refusals / sizeof *refusals >= 25);
  for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
    ipfsa_error err = {0};
    forget_allowed(f);
    ipfsa_status status = try_it(f, &refusals[i], &err);
    if (status != IPFSA_E_DENIED) fail_msg("%s: %s (%s)", refusals[i].text, ipfsa_status_to_string(status), err.message);
    assert_non_null(strstr(err.message, "docker.allow_dangerous"));
    assert_ok(ipfsa_text_list_add(&f->engine.allowed, refusals[i].allowed_by, &err));
    status = try_it(f, &refusals[i], &err);
    if (status != IPFSA_OK && status != IPFSA_E_NOT_FOUND) fail_msg("%s allowed by %s: %s", refusals[i].text, refusals[i].allowed_by, err.message);
  }
}

static void binds_are_followed_through_links(void **state) {
  fixture *f = *state;
  char link[512], text[600];
  ipfsa_error err = {0};
  snprintf(link, sizeof link, "%s/innocent", f->dir);
  assert_int_equal(symlink("/etc", link), 0);
  snprintf(text, sizeof text, "%s:/x", link);
  refusal r = {'v', text, ""};
  assert_status(try_it(f, &r, &err), IPFSA_E_DENIED);
  snprintf(text, sizeof text, "%s/none:/x", f->dir);
  assert_status(try_it(f, &r, &err), IPFSA_E_NOT_FOUND);
  snprintf(text, sizeof text, "%s/../../etc:/x", f->dir);
  assert_status(try_it(f, &r, &err), IPFSA_E_INVALID);
  free(f->engine.repo);
  f->engine.repo = realpath(f->dir, NULL);
  snprintf(text, sizeof text, "%s:/x", f->dir);
  assert_status(try_it(f, &r, &err), IPFSA_E_DENIED);
}

/* Whoever reaches the engine's socket is root on its host, so no folder with it is bound either, by whatever way it is written. */
static void the_engines_socket_is_not_bound(void **state) {
  fixture *f = *state;
  char sub[600], link[512], text[700], socket[700];
  ipfsa_error err = {0};
  snprintf(sub, sizeof sub, "%s/engine", f->dir);
  assert_int_equal(mkdir(sub, 0700), 0);
  snprintf(socket, sizeof socket, "%s/d.sock", sub);
  fclose(fopen(socket, "w"));
  snprintf(link, sizeof link, "%s/way", f->dir);
  assert_int_equal(symlink(sub, link), 0);
  f->engine.address = (ipfsa_engine_address){.kind = IPFSA_ENGINE_UNIX, .path = socket};
  const char *const folders[] = {f->dir, sub, link, socket};
  for (int through_link = 0; through_link < 2; through_link++) {
    for (size_t i = 0; i < 4; i++) {
      snprintf(text, sizeof text, "%s:/x:ro", folders[i]);
      assert_status(try_it(f, &(refusal){'v', text, ""}, &err), IPFSA_E_DENIED);
      assert_non_null(strstr(err.message, "the engine's socket"));
    }
    snprintf(socket, sizeof socket, "%s/d.sock", link);
  }
  snprintf(sub, sizeof sub, "%s/beside", f->dir);
  assert_int_equal(mkdir(sub, 0700), 0);
  snprintf(text, sizeof text, "%s:/x", sub);
  assert_ok(try_it(f, &(refusal){'v', text, ""}, &err));
  f->engine.address = (ipfsa_engine_address){.kind = IPFSA_ENGINE_UNIX};
}

static void lists_of_options_have_a_limit(void **state) {
  fixture *f = *state;
  static const char *items[IPFSA_MAX_SPEC_ITEMS + 1];
  static const char *const samples[] = {"word", "word", "A=b", "8080", "data:/data", "/cache", "inference", "key=value", "cap-add=CHOWN"};
  for (size_t kind = 0; kind < sizeof samples / sizeof *samples; kind++)
    for (size_t n = IPFSA_MAX_SPEC_ITEMS; n <= IPFSA_MAX_SPEC_ITEMS + 1; n++) {
      ipfsa_error err = {0};
      json_t *body = NULL;
      for (size_t i = 0; i < n; i++) items[i] = samples[kind];
      ipfsa_container_start_options o = {0};
      ipfsa_texts *const lists[] = {&o.command, &o.entrypoint, &o.env, &o.ports, &o.volumes, &o.tmpfs, &o.networks, &o.labels, &o.extras};
      *lists[kind] = (ipfsa_texts){items, n};
      assert_status(build(f, &o, &body, &err), n <= IPFSA_MAX_SPEC_ITEMS ? IPFSA_OK : IPFSA_E_LIMIT);
      json_decref(body);
    }
}

static void harmless_values_pass_and_nonsense_does_not(void **state) {
  fixture *f = *state;
  static const char *const fine[] = {"cap-add=NET_BIND_SERVICE", "cap-add=CAP_CHOWN", "ipc=private", "runtime=nvidia", "oom-score-adj=500", "security-opt=no-new-privileges"};
  static const char *const bad[] = {"pid", "unknown=1", "oom-score-adj=abc", "oom-score-adj= -500", "oom-score-adj=\t-500",
                                    "oom-score-adj=", "oom-score-adj=--5", "=", ""};
  ipfsa_error err = {0};
  for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) assert_ok(try_it(f, &(refusal){'e', fine[i], ""}, &err));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (try_it(f, &(refusal){'e', bad[i], ""}, &err) == IPFSA_OK) fail_msg("%s was taken", bad[i]);
  static const char *const ports[] = {"", "0", "65536", "80/sctp", "1:2:3:4", "x", "127.0.0.1:x:80", "80:", "a.b:80:80", "-1"};
  for (size_t i = 0; i < sizeof ports / sizeof *ports; i++) assert_status(try_it(f, &(refusal){'p', ports[i], ""}, &err), IPFSA_E_INVALID);
  static const char *const volumes[] = {"", "x", "data:relative", "data:/", "data:/a/../b", ":/x", "d:/x", "data:/x:rx"};
  for (size_t i = 0; i < sizeof volumes / sizeof *volumes; i++) assert_status(try_it(f, &(refusal){'v', volumes[i], ""}, &err), IPFSA_E_INVALID);
}

static const char *text_at(json_t *body, const char *section, const char *key) { return json_string_value(json_object_get(json_object_get(body, section), key)); }

static void the_body_has_the_safe_defaults(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  const char *ports[] = {"80", "8080:81/udp"}, *env[] = {"A=b"}, *networks[] = {"inference"};
  ipfsa_container_start_options o = {.struct_size = sizeof o, .ports = {ports, 2}, .env = {env, 1}, .networks = {networks, 1}, .gpus = "2", .restart = "on-failure:3"};
  json_t *body = NULL, *again = NULL;
  assert_ok(build(f, &o, &body, &err));
  json_t *host = json_object_get(body, "HostConfig");
  assert_string_equal(json_string_value(json_object_get(body, "User")), "1000:1000");
  assert_true(json_is_true(json_object_get(host, "ReadonlyRootfs")) && json_is_true(json_object_get(host, "Init")));
  assert_string_equal(json_string_value(json_array_get(json_object_get(host, "CapDrop"), 0)), "ALL");
  assert_string_equal(json_string_value(json_array_get(json_object_get(host, "SecurityOpt"), 0)), "no-new-privileges");
  assert_int_equal(json_integer_value(json_object_get(host, "PidsLimit")), 512);
  assert_true(json_integer_value(json_object_get(host, "Memory")) == (json_int_t)6 << 30);
  assert_true(json_integer_value(json_object_get(host, "NanoCpus")) == 4000000000);
  assert_string_equal(text_at(body, "HostConfig", "NetworkMode"), "inference");
  assert_string_equal(text_at(body, "Labels", IPFSA_CONTAINER_LABEL), "1");
  static const char *const keys[] = {"80/tcp", "81/udp"};
  for (size_t i = 0; i < 2; i++) { /* a binding without the same key in ExposedPorts is passed over by engines */
    json_t *binding = json_array_get(json_object_get(json_object_get(host, "PortBindings"), keys[i]), 0);
    assert_string_equal(json_string_value(json_object_get(binding, "HostIp")), "127.0.0.1");
    assert_string_equal(json_string_value(json_object_get(binding, "HostPort")), i ? "8080" : "");
    assert_non_null(json_object_get(json_object_get(body, "ExposedPorts"), keys[i]));
  }
  assert_ok(build(f, &o, &again, &err));
  assert_string_equal(text_at(body, "Labels", IPFSA_LABEL_SPEC), text_at(again, "Labels", IPFSA_LABEL_SPEC));
  json_decref(again);
  env[0] = "A=c";
  assert_ok(build(f, &o, &again, &err));
  assert_string_not_equal(text_at(body, "Labels", IPFSA_LABEL_SPEC), text_at(again, "Labels", IPFSA_LABEL_SPEC));
  json_decref(again);
  json_decref(body);
}

/* Whether the label that tells containers of other options apart is the same for both. */
static bool same_fingerprint(fixture *f, const ipfsa_container_start_options *a, const ipfsa_container_start_options *b) {
  ipfsa_error err = {0};
  json_t *one_body = NULL, *other_body = NULL;
  assert_ok(build(f, a, &one_body, &err));
  assert_ok(build(f, b, &other_body, &err));
  bool same = strcmp(text_at(one_body, "Labels", IPFSA_LABEL_SPEC), text_at(other_body, "Labels", IPFSA_LABEL_SPEC)) == 0;
  json_decref(one_body);
  json_decref(other_body);
  return same;
}

static void another_second_network_is_another_container(void **state) {
  fixture *f = *state;
  const char *const first[] = {"inference"}, *const two[] = {"inference", "storage"}, *const other[] = {"inference", "backup"};
  const ipfsa_container_start_options a = {.networks = {two, 2}}, b = {.networks = {other, 2}}, c = {.networks = {first, 1}};
  assert_true(same_fingerprint(f, &a, &a) && same_fingerprint(f, &c, &c));
  assert_false(same_fingerprint(f, &a, &b) || same_fingerprint(f, &a, &c));
}

/* What a volume shows at /tmp or /run is not hidden by the memory that is there otherwise. */
static void memory_hides_no_volume(void **state) {
  fixture *f = *state;
  static const struct {
    const char *volume, *tmpfs;
    bool tmp, run;
    ipfsa_status status;
  } rows[] = {{"data:/data", NULL, true, true, IPFSA_OK}, {"data:/tmp", NULL, false, true, IPFSA_OK}, {"data:/run/", NULL, true, false, IPFSA_OK},
              {"data:/tmp/below", NULL, true, true, IPFSA_OK}, {"data:/tmpx", NULL, true, true, IPFSA_OK}, {"data:/data", "/tmp/:64m", true, true, IPFSA_OK},
              {"data:/data", "/data:1g", false, false, IPFSA_E_INVALID}, {"data:/data/", "/data", false, false, IPFSA_E_INVALID},
              {"data:/tmp", "/tmp:64m", false, false, IPFSA_E_INVALID}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    ipfsa_error err = {0};
    json_t *body = NULL;
    const ipfsa_container_start_options o = {.volumes = {&rows[i].volume, 1}, .tmpfs = {&rows[i].tmpfs, rows[i].tmpfs != NULL}};
    assert_status(build(f, &o, &body, &err), rows[i].status);
    const json_t *map = json_object_get(json_object_get(body, "HostConfig"), "Tmpfs");
    assert_true((json_object_get(map, "/tmp") != NULL) == rows[i].tmp && (json_object_get(map, "/run") != NULL) == rows[i].run);
    assert_true(!body || json_object_size(map) == (size_t)rows[i].tmp + rows[i].run);
    if (body && rows[i].tmpfs) assert_string_equal(json_string_value(json_object_get(map, "/tmp")), "rw,nosuid,nodev,mode=1777,size=64m");
    json_decref(body);
  }
  static const char *const bad[] = {"", "cache", "/", "/..", "/a/../b", "/a//b", "/a,b", "/a:", "/a:k", "/a:64mm", "/a:-1", "/a:64m:ro", "/a:1234567890123456", "/a:50%"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ipfsa_error err = {0};
    json_t *body = NULL;
    assert_status(build(f, &(ipfsa_container_start_options){.tmpfs = {&bad[i], 1}}, &body, &err), IPFSA_E_INVALID);
  }
}

static void images_come_from_allowed_registries_only(void **state) {
  fixture *f = *state;
  ipfsa_error err = {0};
  ipfsa_reference ref;
  assert_ok(ipfsa_image_parse(&f->engine, "ghcr.io/some/thing", &ref, &err)); /* nothing named: all */
  assert_ok(ipfsa_text_list_add(&f->engine.registries, "docker.io", &err));
  assert_ok(ipfsa_image_parse(&f->engine, "busybox", &ref, &err));
  assert_ok(ipfsa_image_parse(&f->engine, "127.0.0.1:5000/busybox", &ref, &err));
  static const char *const others[] = {"ghcr.io/some/thing", "localhost.example.org/x", "127.example.org/x", "docker.io.example.org/x"};
  for (size_t i = 0; i < 4; i++) assert_status(ipfsa_image_parse(&f->engine, others[i], &ref, &err), IPFSA_E_DENIED);
  ipfsa_text_list_release(&f->engine.registries);
  assert_ok(ipfsa_text_list_add(&f->engine.registries, "Index.Docker.io", &err)); /* as the marketplace reads the list */
  assert_ok(ipfsa_text_list_add(&f->engine.registries, "GHCR.io", &err));
  assert_ok(ipfsa_image_parse(&f->engine, "ghcr.io/some/thing", &ref, &err));
  IPFSA_AUTO_BUF ipfsa_buf out = {0};
  assert_ok(ipfsa_image_parse(&f->engine, "busybox", &ref, &err));
  ipfsa_image_put(&out, &ref, true);
  assert_string_equal(ipfsa_buf_cstr(&out), "busybox:latest");
  /* What was allowed for Docker Hub is asked of Docker Hub, though the engine would read its path as a host. */
  static const char *const put[][2] = {{"docker.io/ghcr.io/some/thing", "docker.io/ghcr.io/some/thing:latest"}, {"docker.io/library/quay.io/x:1", "library/quay.io/x:1"},
      {"docker.io/library/quay.io", "docker.io/library/quay.io:latest"},
      {"docker.io/localhost/x", "docker.io/localhost/x:latest"}, {"library/a/b", "library/a/b:latest"}, {"docker.io/library/redis:7", "redis:7"},
      {"index.docker.io/a/b", "a/b:latest"}, {"127.0.0.1:5000/library/x", "127.0.0.1:5000/library/x:latest"}};
  for (size_t i = 0; i < sizeof put / sizeof *put; i++) {
    ipfsa_buf_clear(&out);
    assert_ok(ipfsa_image_parse(&f->engine, put[i][0], &ref, &err));
    ipfsa_image_put(&out, &ref, true);
    assert_string_equal(ipfsa_buf_cstr(&out), put[i][1]);
  }
}

static void names_are_checked(void **state) {
  (void)state;
  ipfsa_error err = {0};
  char longest[IPFSA_MAX_OBJECT_NAME + 2];
  memset(longest, 'a', sizeof longest);
  longest[IPFSA_MAX_OBJECT_NAME] = '\0';
  assert_ok(ipfsa_name_check("container", longest, &err));
  longest[IPFSA_MAX_OBJECT_NAME] = 'a';
  longest[IPFSA_MAX_OBJECT_NAME + 1] = '\0';
  assert_status(ipfsa_name_check("container", longest, &err), IPFSA_E_INVALID);
  static const char *const bad[] = {"", "a", "-ab", ".ab", "a/b", "a b", "../x", "a%2f", "äb"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_status(ipfsa_name_check("container", bad[i], &err), IPFSA_E_INVALID);
}

/* A fault of who asks, not lack of memory; and the text, which may be a secret, is not told. */
static void what_is_no_text_is_refused(void **state) {
  fixture *f = *state;
  static const char *const odd = "A=secret\xff";
  const ipfsa_texts odds = {&odd, 1};
  const ipfsa_container_start_options all[] = {{.command = odds}, {.entrypoint = odds}, {.env = odds}, {.labels = odds}, {.volumes = odds}, {.tmpfs = odds}, {.ports = odds},
                                               {.networks = odds}, {.extras = odds}, {.user = odd}, {.workdir = odd}, {.health_cmd = odd}, {.gpus = odd}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    ipfsa_error err = {0};
    json_t *body = NULL;
    assert_status(build(f, &all[i], &body, &err), IPFSA_E_INVALID);
    assert_non_null(strstr(err.message, "no UTF-8 text"));
    assert_null(strstr(err.message, "secret"));
  }
}

static void secrets_are_hidden_by_whole_and_by_line(void **state) {
  (void)state;
  static const char *const env[] = {"A=geheim", "B=on", "KEY=-----BEGIN\nZXJzdGU=\r\nxy\nendeZWls\n", "EMPTY=", "NOTHING"};
  char text[] = "geheim on geheim; -----BEGIN ZXJzdGU=  xy endeZWls", whole[] = "<-----BEGIN\nZXJzdGU=\r\nxy\nendeZWls\n>";
  ipfsa_secrets_hide(text, (ipfsa_texts){env, 5});
  assert_string_equal(text, "*** on ***; *** ***  xy ***"); /* too short to be one: "on", "xy" */
  ipfsa_secrets_hide(whole, (ipfsa_texts){env, 5});
  assert_string_equal(whole, "<***>");
}

static void addresses_are_parsed(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_engine_address a;
  assert_ok(ipfsa_engine_address_parse("ssh://me@far:2222/run/d.sock", false, &a, &err));
  assert_true(a.kind == IPFSA_ENGINE_SSH && strcmp(a.user, "me") == 0 && strcmp(a.host, "far") == 0 && strcmp(a.port, "2222") == 0 && strcmp(a.path, "/run/d.sock") == 0);
  ipfsa_engine_address_release(&a);
  assert_ok(ipfsa_engine_address_parse("tcp://[::1]", true, &a, &err));
  assert_true(a.kind == IPFSA_ENGINE_TLS && strcmp(a.host, "::1") == 0 && strcmp(a.port, "2376") == 0);
  ipfsa_engine_address_release(&a);
  static const char *const bad[] = {"", "unix://relative", "http://x", "ssh://-oProxyCommand=x", "ssh://a b", "ssh://me@-x", "ssh://h/$(x)", "tcp://", "tcp://h:123456", "tcp://h/path",
                                    "ssh://me:secret@h", "tcp://me:secret@h:2375", "me:secret@h"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    if (ipfsa_engine_address_parse(bad[i], false, &a, &err) == IPFSA_OK) fail_msg("%s was taken", bad[i]);
    if (strstr(err.message, "secret")) fail_msg("%s", err.message);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(dangerous_things_are_refused_unless_named, set_up, tear_down),
      cmocka_unit_test_setup_teardown(binds_are_followed_through_links, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_engines_socket_is_not_bound, set_up, tear_down),
      cmocka_unit_test_setup_teardown(lists_of_options_have_a_limit, set_up, tear_down),
      cmocka_unit_test_setup_teardown(harmless_values_pass_and_nonsense_does_not, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_body_has_the_safe_defaults, set_up, tear_down),
      cmocka_unit_test_setup_teardown(another_second_network_is_another_container, set_up, tear_down),
      cmocka_unit_test_setup_teardown(memory_hides_no_volume, set_up, tear_down),
      cmocka_unit_test_setup_teardown(images_come_from_allowed_registries_only, set_up, tear_down),
      cmocka_unit_test_setup_teardown(what_is_no_text_is_refused, set_up, tear_down),
      cmocka_unit_test(names_are_checked),
      cmocka_unit_test(secrets_are_hidden_by_whole_and_by_line),
      cmocka_unit_test(addresses_are_parsed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
