/* Fault points: every allocation and every file operation asks here first. In production the answer is one
 * relaxed load. Tests arm a plan: "the n-th call of this kind fails so". Threads: any; arming is for one thread. */
#ifndef IPFSA_BASE_FAULT_H
#define IPFSA_BASE_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ipfsa_fault_kind { IPFSA_FAULT_ALLOC, IPFSA_FAULT_FILE, IPFSA_FAULT_N_KINDS } ipfsa_fault_kind;
typedef enum ipfsa_fault_mode {
  IPFSA_FAULT_NONE,
  IPFSA_FAULT_FAIL,  /* allocation: NULL; file: fails with sys_errno */
  IPFSA_FAULT_SHORT, /* reads and writes: half of what was asked (at least 1 byte; of whole pages whole pages, as O_DIRECT does); else no effect */
} ipfsa_fault_mode;

typedef struct ipfsa_fault_plan {
  ipfsa_fault_kind kind;
  uint64_t nth;      /* 1 = the next call */
  uint64_t n_calls;  /* how many calls from there fail; 0 counts as 1, UINT64_MAX = all */
  ipfsa_fault_mode mode;
  int sys_errno;     /* EIO, ENOSPC, EINTR, … */
} ipfsa_fault_plan;

void ipfsa_fault_arm(const ipfsa_fault_plan *plan); /* resets the counters */
void ipfsa_fault_disarm(void);
uint64_t ipfsa_fault_calls(ipfsa_fault_kind kind);  /* calls seen since arm (count with mode NONE) */
bool ipfsa_fault_fired(void);

/* The questions; used by alloc.c and those that move bytes to and from files (fs.c, write_queue.c). A failing file point sets errno. */
extern int ipfsa_fault_armed;
ipfsa_fault_mode ipfsa_fault_ask(ipfsa_fault_kind kind);
static inline ipfsa_fault_mode ipfsa_fault_point(ipfsa_fault_kind kind) {
  return __builtin_expect(__atomic_load_n(&ipfsa_fault_armed, __ATOMIC_RELAXED), 0) ? ipfsa_fault_ask(kind)
                                                                                   : IPFSA_FAULT_NONE;
}
size_t ipfsa_fault_allowed(size_t len); /* bytes that a read or write of len may move under the plan: 0 = fail (errno set) */

#endif
