/* base256emoji: one emoji a byte (multiformats/multibase: base256emoji). */
#ifndef IPFSA_CODEC_EMOJI_H
#define IPFSA_CODEC_EMOJI_H

#include "base/bytes.h"

const char *ipfsa_emoji_at(uint8_t byte);                  /* static UTF-8 text */
bool ipfsa_emoji_next(ipfsa_cursor *c, uint8_t *ret_byte); /* false: no emoji of the alphabet here */

#endif
