/* Options structs of callers that were compiled against an older header, where they were shorter. */
#ifndef IPFSA_BASE_OPTIONS_H
#define IPFSA_BASE_OPTIONS_H

#include <string.h>

/* A value of `type`: as many bytes as given->struct_size says, over zeros; NULL gives all zeros. */
#define IPFSA_OPTIONS(type, given)                                                                 \
  ({                                                                                               \
    type options_;                                                                                 \
    memset(&options_, 0, sizeof options_);                                                         \
    const type *given_ = (given);                                                                  \
    if (given_) memcpy(&options_, given_, given_->struct_size < sizeof options_ ? given_->struct_size : sizeof options_); \
    options_;                                                                                      \
  })

#endif
