/* A file or folder goes into the store of a repo, and comes out again under another name.
 * usage: add_and_get REPO PATH COPY */
#include <inttypes.h>
#include <ipfsa/add.h>
#include <ipfsa/read.h>
#include <stdio.h>

static int fail(const char *what, const ipfsa_error *err) {
  fprintf(stderr, "%s: %s\n", what, err->message);
  return 1;
}

/* Called for every file and folder, after its bytes are durable. Other than 0 would stop the call. */
static int on_added(void *ctx, const ipfsa_add_event *event) {
  char text[IPFSA_MAX_CID_TEXT];
  (void)ctx;
  ipfsa_cid_format(&event->cid, text);
  printf("added %s %.*s (%" PRIu64 " bytes)\n", text, (int)event->name_len, event->name, event->size);
  return 0;
}

static int add_and_get(ipfsa_node *node, const char *path, const char *copy) {
  ipfsa_error err = {0};
  ipfsa_cid root;
  char text[IPFSA_MAX_CID_TEXT];
  const ipfsa_add_options options = {.struct_size = sizeof options, .recursive = true, .cid_version_1 = IPFSA_ON, .event = on_added};
  const ipfsa_get_options plain = {.struct_size = sizeof plain};
  if (ipfsa_add(node, &path, 1, -1, &options, &root, &err)) return fail("add", &err);
  ipfsa_cid_format(&root, text);
  if (ipfsa_get(node, text, copy, &plain, &err)) return fail("get", &err); /* every byte was verified */
  printf("%s is in %s\n", text, copy);
  return 0;
}

int main(int argc, char **argv) {
  ipfsa_error err = {0};
  ipfsa_node *node = NULL;
  if (argc != 4) {
    fprintf(stderr, "usage: %s REPO PATH COPY\n", argv[0]);
    return 2;
  }
  const ipfsa_node_options options = {.struct_size = sizeof options, .repo_path = argv[1], .create = true};
  if (ipfsa_node_open(&options, &node, NULL, &err)) return fail("repo", &err);
  int code = add_and_get(node, argv[2], argv[3]);
  ipfsa_node_close(node);
  return code;
}
