/* From options and configuration to import params: what decides a CID, in the order of Kubo's rules. */
#ifndef IPFSA_NODE_ADD_PARAMS_H
#define IPFSA_NODE_ADD_PARAMS_H

#include <ipfsa/add.h>

#include "node/node.h"
#include "unixfs/params.h"

ipfsa_status ipfsa_add_params(const ipfsa_config *config, const ipfsa_add_options *options, ipfsa_import_params *ret, ipfsa_error *err);

#endif
