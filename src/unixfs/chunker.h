/* Chunkers: where a file is cut. Stateless: a cut depends only on the bytes since the last one. Source: boxo chunker/, content-addressing. */
#ifndef IPFSA_UNIXFS_CHUNKER_H
#define IPFSA_UNIXFS_CHUNKER_H

#include "unixfs/params.h"

uint32_t ipfsa_chunker_max(const ipfsa_chunker_spec *spec);
/* Length of the next chunk of data[0..len). len must be at least ipfsa_chunker_max, or reach to the end of the file; len > 0. */
size_t ipfsa_chunker_cut(const ipfsa_chunker_spec *spec, const uint8_t *data, size_t len);

#endif
