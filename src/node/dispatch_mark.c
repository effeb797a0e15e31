#include "node/dispatch_mark.h"

#include <string.h>

#include "base/buf.h"
#include "hash/hash.h"
#include "node/publish.h"

#define HEAD "ipfs-accelerate dispatched, version 1\n"
#define MAX_RECORD 4096u

/* By a digest of server and model; the zero between them is in no URL and no name. */
static void name_of(const char *server, const char *model, char ret[64]) {
  uint8_t digest[32];
  ipfsa_sha256_stream sha;
  ipfsa_sha256_init(&sha);
  ipfsa_sha256_update(&sha, server, strlen(server) + 1);
  ipfsa_sha256_update(&sha, model, strlen(model) + 1);
  ipfsa_sha256_final(&sha, digest);
  snprintf(ret, 64, IPFSA_PUBLISHED_DIR "/");
  for (int i = 0; i < 16; i++) snprintf(ret + strlen(ret), 3, "%02x", digest[i]);
}

ipfsa_status ipfsa_dispatch_mark_get(ipfsa_node *node, const char *server, const char *model, char **ret_text, ipfsa_error *err) {
  char name[64];
  IPFSA_AUTO_FREE char *text = NULL;
  size_t len = 0;
  ipfsa_error why = {0};
  name_of(server, model, name);
  ipfsa_status status = ipfsa_fs_read_file(node->repo_fd, name, MAX_RECORD, &text, &len, &why);
  if (status && status != IPFSA_E_NOT_FOUND) {
    *err = why;
    return status;
  }
  bool ours = status == IPFSA_OK && strncmp(text, HEAD, strlen(HEAD)) == 0;
  const char *line = ours ? text + strlen(HEAD) : "";
  *ret_text = ipfsa_strndup(line, strcspn(line, "\n"));
  return *ret_text ? IPFSA_OK : ipfsa_fail_nomem(err);
}

ipfsa_status ipfsa_dispatch_mark_set(ipfsa_node *node, const char *server, const char *model, const char *text, ipfsa_error *err) {
  char name[64];
  IPFSA_AUTO_BUF ipfsa_buf record = {.max = MAX_RECORD};
  ipfsa_buf_printf(&record, HEAD "%s\n", text);
  name_of(server, model, name);
  ipfsa_status status = ipfsa_buf_status(&record, err);
  if (status == IPFSA_OK) status = ipfsa_fs_mkdir(node->repo_fd, IPFSA_PUBLISHED_DIR, 0755, err);
  if (status && status != IPFSA_E_EXISTS) return status;
  return ipfsa_fs_replace_file(node->repo_fd, name, record.data, record.len, 0644, err);
}
