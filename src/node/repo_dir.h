/* The repo folder: where it is, whose it is, making a new one. docs/formats/repo.md has its layout. */
#ifndef IPFSA_NODE_REPO_DIR_H
#define IPFSA_NODE_REPO_DIR_H

#include "node/node.h"

#define IPFSA_REPO_MARKER "ipfs-accelerate" /* written last: a folder without it is no repo yet */
#define IPFSA_REPO_CONFIG "config.toml"

/* Opens the folder and checks that it is a repo of ours, of a version we know. *ret_fd is the caller's. */
ipfsa_status ipfsa_repo_dir_open(const char *path, int *ret_fd, ipfsa_error *err);
/* Makes folder, configuration and store. E_EXISTS when there is a repo; E_FOREIGN when the folder is somebody else's. An init that was
 * interrupted is finished. */
ipfsa_status ipfsa_repo_dir_init(const char *path, const char *profile, ipfsa_error *err);
/* The configuration of a repo that need not be there (then: defaults and environment). path NULL or "": the default place. */
ipfsa_status ipfsa_repo_config_load(const char *path, ipfsa_config **ret, ipfsa_error *err);
/* Store options that follow from the configuration. */
ipfsa_store_options ipfsa_repo_store_options(const ipfsa_config *config);

#endif
