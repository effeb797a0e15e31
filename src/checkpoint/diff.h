/* What diff.c compares by name and diff_names.c by content. */
#ifndef IPFSA_CHECKPOINT_DIFF_H
#define IPFSA_CHECKPOINT_DIFF_H

#include "checkpoint/checkpoint.h"

#define IPFSA_DIFF_PIECE (1u << 20) /* bytes read at once */

typedef struct ipfsa_diff {
  ipfsa_checkpoint *from, *to;
  ipfsa_checkpoint_diff_options o;
  ipfsa_checkpoint_diff sum;
  ipfsa_progress at;
  uint8_t *room; /* two pieces */
  uint32_t *old; /* of each tensor of `to`: number of the one in `from` that it was, + 1; 0: none. NULL: of none */
  uint8_t *moved; /* of each tensor of `from`: it has another name now; NULL: none */
  ipfsa_error *err;
} ipfsa_diff;

/* n more bytes were dealt with. E_CANCELLED. */
ipfsa_status ipfsa_diff_step(ipfsa_diff *d, uint64_t n);
bool ipfsa_diff_same_form(const ipfsa_tensor *a, const ipfsa_tensor *b);
/* The leaf at byte off of a tensor, known without reading. */
bool ipfsa_diff_leaf(const ipfsa_checkpoint *cp, const ipfsa_tensor *t, uint64_t off, ipfsa_source_leaf *ret);
/* Fills in old and moved. */
ipfsa_status ipfsa_diff_find_renamed(ipfsa_diff *d);

#endif
