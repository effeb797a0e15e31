#include "base/fault.h"

#include <errno.h>

int ipfsa_fault_armed;
static ipfsa_fault_plan plan;
static uint64_t calls[IPFSA_FAULT_N_KINDS];
static int fired;

void ipfsa_fault_arm(const ipfsa_fault_plan *p) {
  plan = *p;
  for (int i = 0; i < IPFSA_FAULT_N_KINDS; i++) __atomic_store_n(&calls[i], 0, __ATOMIC_RELAXED);
  __atomic_store_n(&fired, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&ipfsa_fault_armed, 1, __ATOMIC_RELEASE);
}

void ipfsa_fault_disarm(void) { __atomic_store_n(&ipfsa_fault_armed, 0, __ATOMIC_RELEASE); }

uint64_t ipfsa_fault_calls(ipfsa_fault_kind kind) { return __atomic_load_n(&calls[kind], __ATOMIC_RELAXED); }

bool ipfsa_fault_fired(void) { return __atomic_load_n(&fired, __ATOMIC_RELAXED) != 0; }

ipfsa_fault_mode ipfsa_fault_ask(ipfsa_fault_kind kind) {
  uint64_t n = __atomic_add_fetch(&calls[kind], 1, __ATOMIC_RELAXED);
  if (plan.mode == IPFSA_FAULT_NONE || plan.kind != kind || n < plan.nth) return IPFSA_FAULT_NONE;
  uint64_t n_calls = plan.n_calls ? plan.n_calls : 1;
  if (n - plan.nth >= n_calls) return IPFSA_FAULT_NONE;
  __atomic_store_n(&fired, 1, __ATOMIC_RELAXED);
  if (plan.mode == IPFSA_FAULT_FAIL) errno = plan.sys_errno;
  return plan.mode;
}

#define PAGE 4096 /* bytes */

size_t ipfsa_fault_allowed(size_t len) {
  switch (ipfsa_fault_point(IPFSA_FAULT_FILE)) {
  case IPFSA_FAULT_FAIL: return 0;
  case IPFSA_FAULT_SHORT:
    if (len % PAGE == 0) return (len / PAGE + 1) / 2 * PAGE;
    return len > 1 ? len / 2 : len;
  default: return len;
  }
}
