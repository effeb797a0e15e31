/* Power loss: every change of the files below a folder is recorded, also LMDB's and what goes through the index's map. For every prefix of
 * that log and several fates of what was not synced, the disk is built as it would be found. */
#ifndef IPFSA_TESTS_POWER_LOSS_H
#define IPFSA_TESTS_POWER_LOSS_H

#include <stddef.h>
#include <stdint.h>

typedef enum power_fate { FATE_KEPT, FATE_DROPPED, FATE_TORN, FATE_ODD, FATE_EVEN, FATE_RANDOM, N_FATES } power_fate;

void power_record(const char *dir); /* what is there already counts as durable */
void power_acknowledge(int number); /* from here on this much was promised */
size_t power_stop(void);            /* how many operations were recorded */
/* The disk after the first n operations, in an empty folder; returns the last acknowledged number, 0 for none. */
int power_build(size_t n, power_fate fate, int dirfd);
void power_forget(void);

#endif
