/* A hand-over inside one process, with every allocation and every file operation failing once on either end: both ends hear of it, or both have it. */
#include <errno.h>
#include <ipfsa/add.h>
#include <ipfsa/config.h>
#include <ipfsa/dispatch.h>
#include <ipfsa/receive.h>
#include <pthread.h>
#include <sys/stat.h>

#include "../support.h"
#include "../json_memory.h"
#include "base/fault.h"
#include "dispatch/sealed.h"
#include "node/node.h"

typedef struct place {
  char *dir, socket[300], cid[IPFSA_MAX_CID_TEXT];
  ipfsa_node *node;
  ipfsa_receiver *receiver;
} place;

static void write_model(const char *folder) {
  static const char head[] = "{\"w\":{\"dtype\":\"U8\",\"shape\":[9000],\"data_offsets\":[0,9000]}}";
  unsigned char data[8 + sizeof head - 1 + 9000] = {0};
  char path[700];
  uint64_t size = sizeof head - 1;
  memcpy(data, &size, 8); /* little-endian machines only, as the tests are */
  memcpy(data + 8, head, sizeof head - 1);
  memset(data + 8 + sizeof head - 1, 'x', 9000);
  mkdir(folder, 0755);
  snprintf(path, sizeof path, "%s/model.safetensors", folder);
  FILE *out = fopen(path, "wb");
  fwrite(data, 1, sizeof data, out);
  fclose(out);
}

static place *place_new(bool sealed) {
  char text[400];
  const char *path = text;
  ipfsa_error err = {0};
  ipfsa_cid cid;
  place *p = calloc(1, sizeof *p);
  p->dir = test_temp_dir();
  snprintf(text, sizeof text, "%s/repo", p->dir);
  snprintf(p->socket, sizeof p->socket, "%s/s", p->dir);
  assert_ok(ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = text, .create = true}, &p->node, NULL, &err));
  assert_ok(ipfsa_node_config_set(p->node, "endpoints.local.kind", "shm", false, &err));
  assert_ok(ipfsa_node_config_set(p->node, "endpoints.local.socket", p->socket, false, &err));
  assert_ok(ipfsa_node_config_set(p->node, "endpoints.local.sealed", sealed ? "true" : "false", true, &err));
  snprintf(text, sizeof text, "%s/m", p->dir);
  write_model(text);
  assert_ok(ipfsa_add(p->node, &path, 1, -1, &(ipfsa_add_options){.struct_size = sizeof(ipfsa_add_options), .recursive = true}, &cid, &err));
  ipfsa_cid_format(&cid, p->cid);
  assert_ok(ipfsa_receiver_open(p->socket, &p->receiver, &err));
  return p;
}

static void place_free(place *p) {
  ipfsa_receiver_close(p->receiver);
  ipfsa_node_close(p->node);
  test_remove_tree(p->dir);
  free(p);
}

typedef struct sender {
  place *p;
  ipfsa_status status;
  ipfsa_error err;
  bool done;
} sender;

static void *send_model(void *arg) {
  sender *s = arg;
  ipfsa_dispatched *done = NULL;
  s->status = ipfsa_dispatch(s->p->node, s->p->cid, &(ipfsa_dispatch_options){.struct_size = sizeof(ipfsa_dispatch_options), .name = "m"}, &done, &s->err);
  ipfsa_dispatched_free(done);
  __atomic_store_n(&s->done, true, __ATOMIC_SEQ_CST);
  return NULL;
}

/* A sender that failed may not have come, or be gone again; one that was refused an answer to its question comes once more. */
static ipfsa_status take(place *p, const sender *s, ipfsa_received **ret, ipfsa_error *err) {
  ipfsa_status status;
  bool done;
  do {
    done = __atomic_load_n(&s->done, __ATOMIC_SEQ_CST);
    status = ipfsa_receiver_take(p->receiver, done ? 0 : 20, ret, err);
  } while (status && !done);
  return status;
}

static void look_at(const ipfsa_received *got, bool sealed) {
  ipfsa_tensor tensor;
  ipfsa_view view;
  ipfsa_error err = {0};
  assert_string_equal(got->model, "m");
  assert_int_equal(got->n_files, 1);
  assert_string_equal(got->files[0].name, "model.safetensors");
  assert_true(got->files[0].is_sealed == sealed && ipfsa_sealed_is(got->files[0].fd) == sealed);
  assert_true(ipfsa_checkpoint_find(got->checkpoint, "w", 1, &tensor));
  assert_ok(ipfsa_checkpoint_view(got->checkpoint, &tensor, 0, tensor.size, &view, &err));
  assert_int_equal(view.mapped, 9000);
  assert_int_equal(((const char *)view.data)[0], 'x');
  assert_int_equal(((const char *)view.data)[8999], 'x');
}

static bool is_same_memory(const ipfsa_received *a, const ipfsa_received *b) {
  struct stat one, two;
  return fstat(a->files[0].fd, &one) == 0 && fstat(b->files[0].fd, &two) == 0 && one.st_ino == two.st_ino && one.st_dev == two.st_dev;
}

static void open_again(place *p) {
  char repo[400];
  ipfsa_error err = {0};
  snprintf(repo, sizeof repo, "%s/repo", p->dir);
  ipfsa_node_close(p->node);
  assert_ok(ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = repo}, &p->node, NULL, &err));
}

static void both_ends_hear(bool sealed) {
  place *p = place_new(sealed);
  for (int kind = 0; kind < 2; kind++) {
    bool fired = true;
    unsigned n_failed = 0;
    for (uint64_t n = 1; fired; n++) {
      pthread_t thread;
      sender s = {.p = p};
      ipfsa_error err = {0};
      ipfsa_received *got = NULL;
      ipfsa_fault_arm(&(ipfsa_fault_plan){kind ? IPFSA_FAULT_FILE : IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, kind ? EIO : ENOMEM});
      assert_int_equal(pthread_create(&thread, NULL, send_model, &s), 0);
      ipfsa_status status = take(p, &s, &got, &err);
      pthread_join(thread, NULL);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      assert_true((status == IPFSA_OK) == (got != NULL));
      if (s.status && !*s.err.message) fail_msg("kind %d, call %llu: the sender failed without a word", kind, (unsigned long long)n);
      if (s.status == IPFSA_OK && status) fail_msg("kind %d, call %llu: only the sender thinks that it went well: %s", kind, (unsigned long long)n, err.message);
      if (!fired && (s.status || status)) fail_msg("kind %d, call %llu: %s; %s", kind, (unsigned long long)n, s.err.message, err.message);
      if (got && !fired) look_at(got, sealed);
      n_failed += s.status != IPFSA_OK;
      if (kind && fired) open_again(p); /* a failed sync has poisoned it */
      ipfsa_received_free(got);
    }
    assert_true(n_failed > 10);
  }
  place_free(p);
}

static void both_ends_hear_of_it(void **state) {
  (void)state;
  both_ends_hear(false);
}

static void both_ends_hear_of_sealed_memory(void **state) {
  (void)state;
  both_ends_hear(true);
}

/* Until the sender is through: one whose question failed comes again to hand it over. What was refused is called again for, as a program would. */
static ipfsa_received *take_all(place *p, const sender *s) {
  ipfsa_received *last = NULL, *got = NULL;
  for (bool done = false; !done;) {
    ipfsa_error err = {0};
    done = __atomic_load_n(&s->done, __ATOMIC_SEQ_CST);
    if (ipfsa_receiver_take(p->receiver, done ? 0 : 20, &got, &err)) continue;
    ipfsa_received_free(last);
    last = got, done = false;
  }
  return last;
}

static ipfsa_received *send_and_take(place *p, sender *s) {
  pthread_t thread;
  *s = (sender){.p = p};
  assert_int_equal(pthread_create(&thread, NULL, send_model, s), 0);
  ipfsa_received *got = take_all(p, s);
  pthread_join(thread, NULL);
  return got;
}

/* The second time, while the first is held: whatever fails, the sender has an error, or the receiver has the model. */
static void asked_with_faults(bool sealed) {
  place *p = place_new(sealed);
  sender s;
  ipfsa_received *held = send_and_take(p, &s);
  assert_int_equal(s.status, IPFSA_OK);
  for (int kind = 0; kind < 2; kind++) {
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
      ipfsa_fault_arm(&(ipfsa_fault_plan){kind ? IPFSA_FAULT_FILE : IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, kind ? EIO : ENOMEM});
      ipfsa_received *got = send_and_take(p, &s);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      if (s.status && !*s.err.message) fail_msg("kind %d, call %llu: the sender failed without a word", kind, (unsigned long long)n);
      if (s.status == IPFSA_OK && !got) fail_msg("kind %d, call %llu: only the sender thinks that it went well", kind, (unsigned long long)n);
      if (!fired && s.status) fail_msg("kind %d, call %llu: %s", kind, (unsigned long long)n, s.err.message);
      if (got) look_at(got, sealed);
      if (!fired) assert_true(is_same_memory(got, held));
      if (kind && fired) open_again(p);
      ipfsa_received_free(got);
    }
  }
  look_at(held, sealed);
  ipfsa_received_free(held);
  place_free(p);
}

static void a_question_fails(void **state) {
  (void)state;
  asked_with_faults(false);
}

static void a_question_fails_sealed(void **state) {
  (void)state;
  asked_with_faults(true);
}

static void *free_model(void *arg) {
  ipfsa_received_free(arg);
  return NULL;
}

/* Freed by another thread while it is asked for, also when the receiver is closed already. */
static void freed_while_it_is_asked_for(void **state) {
  (void)state;
  place *p = place_new(true);
  ipfsa_received *held = NULL;
  for (int i = 0; i < 50; i++) {
    pthread_t sending, freeing;
    sender s = {.p = p};
    assert_int_equal(pthread_create(&sending, NULL, send_model, &s), 0);
    assert_int_equal(pthread_create(&freeing, NULL, free_model, held), 0);
    held = take_all(p, &s);
    pthread_join(sending, NULL);
    pthread_join(freeing, NULL);
    assert_int_equal(s.status, IPFSA_OK);
    look_at(held, true);
  }
  ipfsa_receiver_close(p->receiver);
  p->receiver = NULL;
  look_at(held, true);
  ipfsa_received_free(held);
  place_free(p);
}

/* At the bytes that are available, and with one less. */
static void memory_for_sealed_files(void **state) {
  (void)state;
  ipfsa_error err = {0};
  ipfsa_endpoint endpoint = {.name = (char[]){"gpu"}};
  ipfsa_model_file files[] = {{NULL, 1000}, {NULL, 234}};
  ipfsa_delivery d = {.endpoint = &endpoint, .files = files, .n_files = 2};
  assert_ok(ipfsa_sealed_check(&d, 1234, &err));
  assert_status(ipfsa_sealed_check(&d, 1233, &err), IPFSA_E_NO_SPACE);
  assert_non_null(strstr(err.message, "endpoints.gpu.sealed"));
  files[0].size = UINT64_MAX - 100;
  assert_status(ipfsa_sealed_check(&d, 1 << 30, &err), IPFSA_E_NO_SPACE);
}

static void waiting_ends(void **state) {
  (void)state;
  place *p = place_new(false);
  ipfsa_error err = {0};
  ipfsa_received *got = NULL;
  assert_status(ipfsa_receiver_take(p->receiver, 20, &got, &err), IPFSA_E_TIMEOUT);
  assert_null(got);
  char longer[200];
  memset(longer, 'x', sizeof longer - 1);
  longer[0] = '/', longer[sizeof longer - 1] = '\0';
  ipfsa_receiver *other = NULL;
  assert_status(ipfsa_receiver_open(longer, &other, &err), IPFSA_E_LIMIT);
  assert_status(ipfsa_receiver_open("relative", &other, &err), IPFSA_E_INVALID);
  assert_status(ipfsa_receiver_open(p->socket, &other, &err), IPFSA_E_LOCKED);
  place_free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(both_ends_hear_of_it), cmocka_unit_test(both_ends_hear_of_sealed_memory), cmocka_unit_test(a_question_fails), cmocka_unit_test(a_question_fails_sealed),
                                     cmocka_unit_test(freed_while_it_is_asked_for), cmocka_unit_test(memory_for_sealed_files), cmocka_unit_test(waiting_ends)};
  return cmocka_run_group_tests(tests, json_memory_own, json_memory_is_back);
}
