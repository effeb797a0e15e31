#include <ipfsa/cid.h>
#include <ipfsa/config.h>

#include "node/repo_dir.h"

static ipfsa_status copy_text(const ipfsa_config *config, char **ret, ipfsa_error *err) {
  size_t len = 0;
  const char *text = ipfsa_config_text(config, &len);
  *ret = ipfsa_strndup(text, len);
  return *ret ? IPFSA_OK : ipfsa_fail_nomem(err);
}

/* What the schema cannot know: which hash functions there are. */
static ipfsa_status check_names(const ipfsa_config *config, ipfsa_error *err) {
  uint64_t code;
  const char *hash = ipfsa_config_string(config, "import.hash");
  if (ipfsa_hash_from_string(hash, &code)) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_INVALID, "import.hash: unrecognized hash function: \"%.100s\"; 'cid hashes' lists those that are known", hash);
}

/* What was written is what the node has from now on; of a failure nothing stays. */
static ipfsa_status take_config(ipfsa_node *node, ipfsa_config *config, ipfsa_status status) {
  ipfsa_config_free(status ? config : node->config);
  if (status == IPFSA_OK) node->config = config;
  return status;
}

typedef ipfsa_status (*config_change)(ipfsa_config *config, const void *how, ipfsa_error *err);

/* What stands on the disk now is changed, not what this node read when it was opened. */
static ipfsa_status change(ipfsa_node *node, config_change apply, const void *how, ipfsa_error *err) {
  ipfsa_config *config = NULL;
  ipfsa_status status = ipfsa_store_lock(node->store, err);
  if (status) return status;
  status = ipfsa_config_load(node->repo_fd, IPFSA_REPO_CONFIG, &config, err);
  if (status == IPFSA_OK) status = apply(config, how, err);
  if (status == IPFSA_OK) status = check_names(config, err);
  if (status == IPFSA_OK) status = ipfsa_config_save(config, node->repo_fd, IPFSA_REPO_CONFIG, err);
  ipfsa_store_unlock(node->store);
  return take_config(node, config, status);
}

ipfsa_status ipfsa_node_config_get(ipfsa_node *node, const char *name, char **ret_json, ipfsa_error *err) {
  return ipfsa_config_get_json(node->config, name, ret_json, err);
}

typedef struct new_value {
  const char *name, *value;
  bool is_json;
} new_value;

static ipfsa_status set_value(ipfsa_config *config, const void *how, ipfsa_error *err) {
  const new_value *v = how;
  return v->is_json ? ipfsa_config_set_json(config, v->name, v->value, err) : ipfsa_config_set_string(config, v->name, v->value, err);
}

ipfsa_status ipfsa_node_config_set(ipfsa_node *node, const char *name, const char *value, bool is_json, ipfsa_error *err) {
  new_value v = {name, value, is_json};
  return change(node, set_value, &v, err);
}

ipfsa_status ipfsa_node_config_show(ipfsa_node *node, bool json, char **ret_text, ipfsa_error *err) {
  return ipfsa_config_show(node->config, json, ret_text, err);
}

ipfsa_status ipfsa_node_config_text(ipfsa_node *node, char **ret_text, ipfsa_error *err) { return copy_text(node->config, ret_text, err); }

ipfsa_status ipfsa_node_config_replace(ipfsa_node *node, const char *toml, size_t len, ipfsa_error *err) {
  ipfsa_config *config = NULL;
  ipfsa_status status = ipfsa_config_parse(toml, len, "the new configuration", &config, err);
  if (status == IPFSA_OK) status = check_names(config, err);
  if (status == IPFSA_OK) status = ipfsa_store_lock(node->store, err);
  if (status) {
    ipfsa_config_free(config);
    return status;
  }
  status = ipfsa_config_save(config, node->repo_fd, IPFSA_REPO_CONFIG, err);
  ipfsa_store_unlock(node->store);
  return take_config(node, config, status);
}

static ipfsa_status set_profile(ipfsa_config *config, const void *how, ipfsa_error *err) { return ipfsa_config_apply_profile(config, how, err); }

/* On a copy that is thrown away. */
static ipfsa_status try_profile(ipfsa_node *node, const char *profile, char **ret_after, ipfsa_error *err) {
  size_t len = 0;
  const char *text = ipfsa_config_text(node->config, &len);
  ipfsa_config *copy = NULL;
  ipfsa_status status = ipfsa_config_parse(text, len, IPFSA_REPO_CONFIG, &copy, err);
  if (status == IPFSA_OK) status = ipfsa_config_apply_profile(copy, profile, err);
  if (status == IPFSA_OK) status = copy_text(copy, ret_after, err);
  ipfsa_config_free(copy);
  return status;
}

ipfsa_status ipfsa_node_config_apply_profile(ipfsa_node *node, const char *profile, bool dry_run, char **ret_before, char **ret_after,
                                             ipfsa_error *err) {
  char *before = NULL, *after = NULL;
  ipfsa_status status = copy_text(node->config, &before, err);
  if (status == IPFSA_OK) status = dry_run ? try_profile(node, profile, &after, err) : change(node, set_profile, profile, err);
  if (status == IPFSA_OK && !dry_run) status = copy_text(node->config, &after, err);
  if (status) {
    ipfsa_free(before);
    ipfsa_free(after);
    return status;
  }
  *ret_before = before;
  *ret_after = after;
  return IPFSA_OK;
}
