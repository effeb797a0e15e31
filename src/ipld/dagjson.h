/* dag-json. Source: ipld/ipld specs/codecs/dag-json/spec.md. */
#ifndef IPFSA_IPLD_DAGJSON_H
#define IPFSA_IPLD_DAGJSON_H

#include "ipld/value.h"
#include "ipld/walk.h"

ipfsa_status ipfsa_dagjson_decode(ipfsa_bytes block, ipfsa_value *ret, ipfsa_error *err);
ipfsa_status ipfsa_json_decode(ipfsa_bytes block, ipfsa_value *ret, ipfsa_error *err); /* plain JSON: no links, no bytes */
ipfsa_status ipfsa_dagjson_encode(const ipfsa_value *value, size_t at, ipfsa_buf *out, ipfsa_error *err);
ipfsa_status ipfsa_dagjson_links(ipfsa_bytes block, ipfsa_link_cb cb, void *ctx, ipfsa_error *err);

#endif
