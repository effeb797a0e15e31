/* Keeps values of the environment out of messages: engines repeat parts of what they were sent, and programs print what they were given. */
#ifndef IPFSA_CONTAINER_SECRETS_H
#define IPFSA_CONTAINER_SECRETS_H

#include <ipfsa/container.h>

#define IPFSA_LEAST_SECRET 3 /* bytes; "1" or "on" would tear every message apart, and gives nothing away */

/* Replaces every value of the environment ("NAME=value"), and every line of one, in the text by three asterisks, in place. Before a text is cut: half
 * a secret is one, too. */
void ipfsa_secrets_hide(char *text, ipfsa_texts env);

#endif
