/* Every operation that changes a repo, with the power lost after each of its file operations: the repo opens, what was acknowledged is there,
 * the rest is all or nothing, and it can be written to. In `make test` each moment meets half of the fates, in turns; with
 * IPFSA_SOAK_SECONDS all of them. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../power_loss.h"
#include "workload.h"

#ifdef __SANITIZE_THREAD__ /* ten times as slow */
#define IN_TURNS 12
#else
#define IN_TURNS 2
#endif

static world *w;

static const char *written_folder(const operation *op) { return op->writes == WRITES_OUT ? w->out : w->repo; }

static size_t record(const operation *op) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  world_reset(w, op->damaged);
  assert_ok(world_open(w, &node, &err)); /* the index is trusted from here on */
  ipfsa_node_close(node);
  power_record(written_folder(op));
  assert_ok(world_open(w, &node, &err));
  if (op->run(w, node, &err)) fail_msg("%s: %s", op->name, err.message);
  power_acknowledge(1);
  ipfsa_node_close(node);
  return power_stop();
}

static void check_again(const operation *op, bool acknowledged, const char *where) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  ipfsa_cid cid;
  if (world_open(w, &node, &err)) fail_msg("%s: open: %s", where, err.message);
  world_check(w, node, op, acknowledged, where);
  if (ipfsa_block_put(node, (ipfsa_bytes){(const uint8_t *)"after", 5}, 1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, true, &cid, &err))
    fail_msg("%s: block put: %s", where, err.message);
  ipfsa_node_close(node);
  node = NULL;
  if (world_open(w, &node, &err)) fail_msg("%s: open once more: %s", where, err.message);
  world_check(w, node, op, acknowledged, where);
  if (ipfsa_pin_find(node, &cid, IPFSA_PIN_NONE, &(ipfsa_pin){0}, NULL, &err)) fail_msg("%s: the new block: %s", where, err.message);
  ipfsa_node_close(node);
}

static void lose_power(const operation *op, size_t n, power_fate fate) {
  char where[160];
  world_reset(w, op->damaged);
  test_remove_tree(strdup(written_folder(op)));
  mkdir(written_folder(op), 0700);
  int fd = open(written_folder(op), O_RDONLY | O_DIRECTORY);
  int acknowledged = power_build(n, fate, fd);
  close(fd);
  snprintf(where, sizeof where, "%s, power lost after operation %zu, fate %d%s", op->name, n, (int)fate, acknowledged ? ", acknowledged" : "");
  check_again(op, acknowledged, where);
}

static void power_may_go_during_every_operation(void **state) {
  (void)state;
  const char *only = getenv("IPFSA_ONLY");
  bool all = getenv("IPFSA_SOAK_SECONDS") != NULL;
  size_t n_moments = 0, n_disks = 0;
  w = world_new();
  for (size_t i = 0; i < n_operations; i++) {
    const operation *op = &operations[i];
    if (op->writes == WRITES_NOTHING || (only && strcmp(op->name, only) != 0)) continue;
    size_t n_ops = record(op);
    for (size_t n = 0; n <= n_ops; n++)
      for (power_fate fate = 0; fate < N_FATES; fate++) {
        if (!all && n < n_ops && (n + (size_t)fate) % IN_TURNS) continue;
        lose_power(op, n, fate);
        n_disks++;
      }
    power_forget();
    n_moments += n_ops + 1;
  }
  print_message("%zu moments, %zu disks\n", n_moments, n_disks);
  world_free(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(power_may_go_during_every_operation)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
