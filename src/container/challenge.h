/* WWW-Authenticate of a registry: how it wants to be asked. Threads: any. */
#ifndef IPFSA_CONTAINER_CHALLENGE_H
#define IPFSA_CONTAINER_CHALLENGE_H

#include <ipfsa/base.h>

#define IPFSA_MAX_CHALLENGE_VALUE 1023 /* bytes of a realm, service or scope; scopes name repositories of at most 255 */

typedef enum ipfsa_challenge_scheme { IPFSA_CHALLENGE_OTHER, IPFSA_CHALLENGE_BASIC, IPFSA_CHALLENGE_BEARER } ipfsa_challenge_scheme;

typedef struct ipfsa_challenge {
  ipfsa_challenge_scheme scheme;
  char realm[IPFSA_MAX_CHALLENGE_VALUE + 1], service[IPFSA_MAX_CHALLENGE_VALUE + 1], scope[IPFSA_MAX_CHALLENGE_VALUE + 1]; /* "" = not given */
} ipfsa_challenge;

/* RFC 9110 §11.6.1: of several challenges the first Bearer, else the first Basic. E_NOT_SUPPORTED when there is neither. */
ipfsa_status ipfsa_challenge_parse(const char *text, ipfsa_challenge *ret, ipfsa_error *err);

#endif
