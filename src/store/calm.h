/* Whether this thread had a page fault between two points, with one look at its count where two would say the same. Threads: each for itself. */
#ifndef IPFSA_STORE_CALM_H
#define IPFSA_STORE_CALM_H

#include <stdbool.h>
#include <stdint.h>

/* Before what must not be disturbed: a count for ipfsa_calm_since. Where this thread had no fault between many calls in a row, that of the last call
 * stands for it; a fault that came between two calls then passes for a disturbance, and no disturbance is ever missed. */
uint64_t ipfsa_calm_begin(void);
/* As ipfsa_calm_begin, after faults that are known of: always looks. */
uint64_t ipfsa_calm_begin_anew(void);
/* False: there was a fault since `begun`, or perhaps shortly before. */
bool ipfsa_calm_since(uint64_t begun);

#endif
