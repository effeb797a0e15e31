/* Parts of leaves straight out of the page cache, each leaf verified once per time it enters memory: docs/internals/window.md has why that holds.
 * Threads: any. */
#ifndef IPFSA_STORE_WINDOW_H
#define IPFSA_STORE_WINDOW_H

#include "exchange/blockstore.h"

#define IPFSA_MIN_WINDOW_BLOCK 16384 /* bytes; smaller leaves are read whole */

typedef struct ipfsa_windows ipfsa_windows;
ipfsa_windows *ipfsa_windows_new(void);      /* NULL: this machine has not what it takes, or IPFSA_WINDOWS=off */
void ipfsa_windows_free(ipfsa_windows *all); /* NULL is fine; nobody reads any more */
/* [from, from + len) of the leaf into data; fd: its pack, open as long as the windows are, or −1: only through a window that is there. False: data holds
 * nothing that was not there before, or zeros. */
bool ipfsa_windows_read(ipfsa_windows *all, int fd, const ipfsa_place *place, uint32_t from, uint32_t len, void *data);

/* Leaves of one pack, looked at in their order (one that lies before the one ahead of it begins a new look): *ret_good of each: it was verified and its pages did
 * not leave the memory since. hash: those not known are hashed now, up to IPFSA_MAX_CHECK_PLACES together; else nobody is waited for. Threads: any; they wait for
 * each other as little as can be where each has leaves that lie together. */
#define IPFSA_MAX_CHECK_PLACES 16 /* lanes of the widest kernel */
void ipfsa_windows_check(ipfsa_windows *all, int fd, const ipfsa_place *const *places, size_t n, bool hash, bool *ret_good);
void ipfsa_window__read_in(int fd, uint64_t from, uint64_t end); /* brings bytes into memory; from: on a page border */

#endif
