/* Which content a path leads to, and how it is to be called. */
#include "node/dispatch_model.h"

#include <ipfsa/alias.h>
#include <string.h>

#include "node/path.h"
#include "unixfs/reader.h"

void ipfsa_model_release(ipfsa_model *m) { ipfsa_model_look_release(&m->look); }

ipfsa_status ipfsa_model_find(ipfsa_model *m, ipfsa_error *err) {
  ipfsa_resolved at;
  ipfsa_unixfs_stat st;
  ipfsa_status status = ipfsa_node_resolve(m->node, m->path, &at, err);
  if (status == IPFSA_OK && *at.remainder) status = ipfsa_fail(err, IPFSA_E_NOT_UNIXFS, "%.200s leads into a block and to no file or folder", m->path);
  if (status == IPFSA_OK) status = ipfsa_unixfs_stat_get(m->node->bs, &at.cid, &st, err);
  if (status) return status;
  ipfsa_materialised_name_of(&at.cid, &m->cid, m->cid_text);
  m->look.size = st.size;
  m->look.is_folder = st.type == IPFSA_UNIXFS_DIRECTORY || st.type == IPFSA_UNIXFS_HAMT;
  const char *slash = strrchr(m->path, '/');
  m->file_name = !m->look.is_folder && *at.name && slash ? slash + 1 : "";
  return IPFSA_OK;
}

ipfsa_status ipfsa_model_choose_name(ipfsa_model *m, const char *wanted, bool hub, ipfsa_error *err) {
  const char *plain = strncmp(m->path, "/ipfs/", 6) == 0 ? m->path + 6 : m->path;
  ipfsa_cid cid;
  if (wanted) {
    ipfsa_status status = ipfsa_model_name_check(wanted, err);
    if (status) return status;
    snprintf(m->name, sizeof m->name, "%s", wanted);
    return IPFSA_OK;
  }
  if (ipfsa_alias_check(plain, NULL) == IPFSA_OK && ipfsa_alias_get(m->node, plain, &cid, NULL) == IPFSA_OK) {
    snprintf(m->name, sizeof m->name, "%s", plain);
    return IPFSA_OK;
  }
  const char *dot = strrchr(m->file_name, '.');
  int n = *m->file_name ? snprintf(m->name, sizeof m->name, "%.*s", dot && dot != m->file_name ? (int)(dot - m->file_name) : (int)strlen(m->file_name), m->file_name)
                        : snprintf(m->name, sizeof m->name, "%s%s", hub ? "ipfs/" : "", m->cid_text);
  if (n >= (int)sizeof m->name) return ipfsa_fail(err, IPFSA_E_LIMIT, "no name can be made of %.100s…; choose one with --name", m->path);
  return ipfsa_model_name_check(m->name, err);
}

/* No part of a name has "--" in it, so two names never become one. */
void ipfsa_model_flatten(char *name) {
  char *slash = strchr(name, '/');
  if (!slash) return;
  memmove(slash + 2, slash + 1, strlen(slash + 1) + 1);
  slash[0] = slash[1] = '-';
}
