/* The logical form of dag-pb: {Data?, Links: [{Hash, Name?, Tsize?}]}. Absent stays absent. */
#ifndef IPFSA_IPLD_DAGPB_VALUE_H
#define IPFSA_IPLD_DAGPB_VALUE_H

#include "ipld/value.h"

ipfsa_status ipfsa_dagpb_to_value(ipfsa_bytes block, ipfsa_value *ret, ipfsa_error *err);
/* Links are sorted by Name, stably; other keys and a negative Tsize are refused. */
ipfsa_status ipfsa_dagpb_from_value(const ipfsa_value *value, size_t at, ipfsa_buf *out, ipfsa_error *err);

#endif
