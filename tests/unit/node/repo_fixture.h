/* A repo in a folder of its own with a node open, for tests of the public calls; and bytes that are added to it. */
#ifndef IPFSA_TESTS_REPO_FIXTURE_H
#define IPFSA_TESTS_REPO_FIXTURE_H

#include <ipfsa/add.h>
#include <ipfsa/repo.h>

#include "../support.h"

typedef struct repo_fixture {
  char *dir, path[600]; /* path: of the repo */
  ipfsa_node *node;
} repo_fixture;

static inline ipfsa_node *repo_open(const repo_fixture *r, bool read_only) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  const ipfsa_node_options options = {.struct_size = sizeof options, .repo_path = r->path, .read_only = read_only};
  assert_ok(ipfsa_node_open(&options, &node, NULL, &err));
  return node;
}

static inline void repo_reopen(repo_fixture *r, bool read_only) {
  ipfsa_node_close(r->node);
  r->node = NULL;
  r->node = repo_open(r, read_only);
}

static inline void repo_begin(repo_fixture *r) {
  ipfsa_error err = {0};
  *r = (repo_fixture){.dir = test_temp_dir()};
  if (snprintf(r->path, sizeof r->path, "%s/repo", r->dir) >= (int)sizeof r->path) fail_msg("a long path");
  const ipfsa_node_options options = {.struct_size = sizeof options, .repo_path = r->path};
  assert_ok(ipfsa_repo_init(&options, &err));
  repo_reopen(r, false);
}

static inline void repo_end(repo_fixture *r) {
  ipfsa_node_close(r->node);
  test_remove_tree(r->dir);
}

/* As a file called `name`; ret_text: room for IPFSA_MAX_CID_TEXT. */
static inline ipfsa_cid repo_add(repo_fixture *r, const char *name, const void *data, size_t len, const ipfsa_add_options *options, char *ret_text) {
  char path[700];
  ipfsa_error err = {0};
  ipfsa_cid cid;
  if (snprintf(path, sizeof path, "%s/%s", r->dir, name) >= (int)sizeof path) fail_msg("a long path");
  FILE *out = fopen(path, "wb");
  assert_non_null(out);
  assert_int_equal(fwrite(data, 1, len, out), len);
  assert_int_equal(fclose(out), 0);
  const char *one = path;
  assert_ok(ipfsa_add(r->node, &one, 1, -1, options, &cid, &err));
  ipfsa_cid_format(&cid, ret_text);
  return cid;
}

#endif
