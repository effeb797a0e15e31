/* Time and randomness come from here only. Threads: any. */
#ifndef IPFSA_BASE_CLOCK_H
#define IPFSA_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

uint64_t ipfsa_clock_monotonic_ns(void);
uint64_t ipfsa_clock_tick(void); /* another number every tick of the kernel's clock, 1 to 10 ms; never 0, and no system call */
int64_t ipfsa_clock_wall_s(void);
uint64_t ipfsa_random_u64(void); /* not for keys */
int ipfsa_random_bytes(void *data, size_t len); /* from the kernel; 0 or -1 */

#endif
