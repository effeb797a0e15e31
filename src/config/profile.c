/* Kubo's profiles that make sense here: named sets of import options that fix the CID. Source: ipfs/specs ipip-0499, kubo config/profile.go. */
#include "base/error.h"
#include "config/config.h"

typedef struct profile_value {
  const char *key, *json;
} profile_value;

typedef struct profile {
  const char *name, *description;
  profile_value values[12];
} profile;

#define V0_2015                                                                                                        \
  {                                                                                                                    \
    {"import.cid_version", "0"}, {"import.raw_leaves", "false"}, {"import.chunker", "\"size-262144\""}, {"import.hash", "\"sha2-256\""}, \
        {"import.file_max_links", "174"}, {"import.directory_max_links", "0"}, {"import.hamt_max_fanout", "256"},     \
        {"import.hamt_threshold", "\"256KiB\""}, {"import.hamt_estimation", "\"links\""}, {"import.dag_layout", "\"balanced\""}, \
  }

static const profile profiles[] = {
    {"unixfs-v0-2015", "CIDv0, dag-pb leaves, chunks of 256 KiB, 174 links: what Kubo did from 2015 on", V0_2015},
    {"legacy-cid-v0", "the same as unixfs-v0-2015", V0_2015},
    {"unixfs-v1-2025", "CIDv1, raw leaves, chunks of 1 MiB, 1024 links, HAMT by block size (IPIP-499)",
     {{"import.cid_version", "1"}, {"import.raw_leaves", "true"}, {"import.chunker", "\"size-1048576\""}, {"import.hash", "\"sha2-256\""},
      {"import.file_max_links", "1024"}, {"import.directory_max_links", "0"}, {"import.hamt_max_fanout", "256"},
      {"import.hamt_threshold", "\"256KiB\""}, {"import.hamt_estimation", "\"block\""}, {"import.dag_layout", "\"balanced\""}}},
    {"test", "the RPC and the gateway listen on ports that the system chooses: several nodes on one machine",
     {{"api.address", "\"/ip4/127.0.0.1/tcp/0\""}, {"gateway.address", "\"/ip4/127.0.0.1/tcp/0\""}}},
    {"default-networking", "takes back what the profile test sets",
     {{"api.address", "\"/ip4/127.0.0.1/tcp/5001\""}, {"gateway.address", "\"/ip4/127.0.0.1/tcp/8080\""}}},
};

/* Kubo's others, and what they are about. */
static const char *const foreign[][2] = {
    {"announce-off", "the network"}, {"announce-on", "the network"}, {"autoconf-off", "the network"}, {"autoconf-on", "the network"},
    {"local-discovery", "the network"}, {"lowpower", "the network"}, {"randomports", "the network"}, {"server", "the network"},
    {"badgerds", "Kubo's datastores"}, {"badgerds-measure", "Kubo's datastores"}, {"default-datastore", "Kubo's datastores"},
    {"flatfs", "Kubo's datastores"}, {"flatfs-measure", "Kubo's datastores"}, {"pebbleds", "Kubo's datastores"}, {"pebbleds-measure", "Kubo's datastores"},
};
#define N_PROFILES (sizeof profiles / sizeof *profiles)

bool ipfsa_config_profile_row(size_t i, const char **ret_name, const char **ret_description) {
  if (i >= N_PROFILES) return false;
  *ret_name = profiles[i].name;
  *ret_description = profiles[i].description;
  return true;
}

ipfsa_status ipfsa_config_apply_profile(ipfsa_config *config, const char *name, ipfsa_error *err) {
  for (size_t i = 0; i < N_PROFILES; i++) {
    if (strcmp(profiles[i].name, name) != 0) continue;
    /* On a copy: all of the profile or nothing. */
    ipfsa_config *copy = NULL;
    size_t len = 0;
    const char *text = ipfsa_config_text(config, &len);
    ipfsa_status status = ipfsa_config_parse(text, len, "the configuration", &copy, err);
    for (const profile_value *v = profiles[i].values; status == IPFSA_OK && v < profiles[i].values + 12 && v->key; v++)
      status = ipfsa_config_set_json(copy, v->key, v->json, err);
    if (status == IPFSA_OK) ipfsa_config_swap(config, copy);
    ipfsa_config_free(copy);
    return status;
  }
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
    if (strcmp(foreign[i][0], name) == 0)
      return ipfsa_fail(err, IPFSA_E_NOT_SUPPORTED, "the profile %s is not supported: it is about %s, of which this program has nothing to set", name, foreign[i][1]);
  return ipfsa_fail(err, IPFSA_E_NOT_FOUND, "%s is not a profile", name);
}
