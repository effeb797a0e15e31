/* Dispatch with every allocation and every file operation failing once: under the name stands one content or the other, whole. */
#include <errno.h>
#include <ipfsa/add.h>
#include <ipfsa/config.h>
#include <ipfsa/dispatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../support.h"
#include "base/fault.h"
#include "node/node.h"

typedef struct place {
  char *dir, repo[300], served[300];
  ipfsa_node *node;
  char cids[2][IPFSA_MAX_CID_TEXT];
} place;

static void put(const char *folder, const char *name, const char *head, size_t len, int fill) {
  char path[700];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *out = fopen(path, "wb");
  uint64_t size = strlen(head);
  if (*head) fwrite(&size, 1, sizeof size, out); /* little-endian machines only, as the tests are */
  fputs(head, out);
  for (size_t i = 0; i < len; i++) fputc(fill, out);
  fclose(out);
}

static void add(place *p, int which) {
  char folder[400], below[410];
  const char *path = folder;
  ipfsa_error err = {0};
  ipfsa_cid cid;
  snprintf(folder, sizeof folder, "%s/src%d", p->dir, which);
  snprintf(below, sizeof below, "%s/below", folder);
  mkdir(folder, 0755);
  mkdir(below, 0755);
  put(folder, "model.safetensors", "{\"w\":{\"dtype\":\"U8\",\"shape\":[70000],\"data_offsets\":[0,70000]}}", 70000, 'a' + which);
  put(below, "config.json", "", 10, 'a' + which);
  assert_ok(ipfsa_add(p->node, &path, 1, -1, &(ipfsa_add_options){.struct_size = sizeof(ipfsa_add_options), .recursive = true}, &cid, &err));
  ipfsa_cid_format(&cid, p->cids[which]);
}

static place *place_new(void) {
  ipfsa_error err = {0};
  place *p = calloc(1, sizeof *p);
  p->dir = test_temp_dir();
  snprintf(p->repo, sizeof p->repo, "%s/repo", p->dir);
  snprintf(p->served, sizeof p->served, "%s/served", p->dir);
  mkdir(p->served, 0755);
  assert_ok(ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = p->repo, .create = true}, &p->node, NULL, &err));
  assert_ok(ipfsa_node_config_set(p->node, "endpoints.local.kind", "path", false, &err));
  assert_ok(ipfsa_node_config_set(p->node, "endpoints.local.model_dir", p->served, false, &err));
  add(p, 0);
  add(p, 1);
  return p;
}

/* Which content stands under the name; both files must be of the same. */
static int standing(place *p) {
  char path[400];
  int last = 0, small = 0;
  snprintf(path, sizeof path, "%s/m/model.safetensors", p->served);
  FILE *in = fopen(path, "rb");
  assert_non_null(in);
  fseek(in, -1, SEEK_END);
  assert_true(ftell(in) > 70000);
  last = fgetc(in);
  fclose(in);
  snprintf(path, sizeof path, "%s/m/below/config.json", p->served);
  in = fopen(path, "rb");
  assert_non_null(in);
  small = fgetc(in);
  fclose(in);
  assert_int_equal(last, small);
  return last - 'a';
}

static ipfsa_status dispatch(place *p, int which, ipfsa_dispatched **ret, ipfsa_error *err) {
  return ipfsa_dispatch(p->node, p->cids[which], &(ipfsa_dispatch_options){.struct_size = sizeof(ipfsa_dispatch_options), .name = "m"}, ret, err);
}

static void one_or_the_other_stands_there(void **state) {
  (void)state;
  place *p = place_new();
  for (int kind = 0; kind < 2; kind++) {
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
      ipfsa_error err = {0};
      ipfsa_dispatched *done = NULL;
      if (n == 1 || standing(p) != 0) assert_ok(dispatch(p, 0, &done, &err)); /* else what failed before has left its marks for this one */
      ipfsa_dispatched_free(done);
      done = NULL;
      assert_int_equal(standing(p), 0);
      ipfsa_fault_arm(&(ipfsa_fault_plan){kind ? IPFSA_FAULT_FILE : IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, kind ? ENOSPC : ENOMEM});
      ipfsa_status status = dispatch(p, 1, &done, &err);
      fired = ipfsa_fault_fired();
      ipfsa_fault_disarm();
      if (status && !*err.message) fail_msg("kind %d, call %llu: failed without a word", kind, (unsigned long long)n);
      int now = standing(p);
      if (status == IPFSA_OK) assert_int_equal(now, 1);
      assert_true((status == IPFSA_OK) == (done != NULL));
      ipfsa_dispatched_free(done);
    }
  }
  ipfsa_node_close(p->node);
  test_remove_tree(p->dir);
  free(p);
}

static int count(void *ctx, const ipfsa_endpoint_row *row) {
  assert_string_equal(row->name, "local");
  assert_string_equal(row->kind, "path");
  ++*(int *)ctx;
  return 0;
}

static void endpoints_are_listed_or_it_is_said_why_not(void **state) {
  (void)state;
  place *p = place_new();
  bool fired = true;
  for (uint64_t n = 1; fired; n++) {
    int seen = 0;
    ipfsa_error err = {0};
    ipfsa_fault_arm(&(ipfsa_fault_plan){IPFSA_FAULT_ALLOC, n, 1, IPFSA_FAULT_FAIL, ENOMEM});
    ipfsa_status status = ipfsa_endpoint_list(p->node, count, &seen, &err);
    fired = ipfsa_fault_fired();
    ipfsa_fault_disarm();
    assert_true(status == IPFSA_OK ? seen == 1 : status == IPFSA_E_NOMEM && seen == 0);
  }
  ipfsa_node_close(p->node);
  test_remove_tree(p->dir);
  free(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_or_the_other_stands_there),
      cmocka_unit_test(endpoints_are_listed_or_it_is_said_why_not),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
