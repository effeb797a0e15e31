#include "base/map.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fault.h"

static bool faulted(void) { return ipfsa_fault_point(IPFSA_FAULT_FILE) == IPFSA_FAULT_FAIL; }

/* The kernel announces a break by a signal; SIGURG is ignored by default, SIGIO would end the process. */
bool ipfsa_fs_hold(int fd) { return !faulted() && fcntl(fd, F_SETSIG, SIGURG) == 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0; }

bool ipfsa_fs_holds(int fd) { return fcntl(fd, F_GETLEASE) == F_RDLCK; }

void ipfsa_fs_let_go(int fd) { (void)fcntl(fd, F_SETLEASE, F_UNLCK); }

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14; older kernels refuse it, and the file is read */
#endif

const uint8_t *ipfsa_fs_map(int fd, uint64_t off, size_t len) {
  if (faulted()) return NULL;
  void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, (off_t)off);
  if (map == MAP_FAILED) return NULL;
  (void)madvise(map, len, MADV_SEQUENTIAL);
  if (madvise(map, len, MADV_POPULATE_READ) == 0) return map; /* fails where a fault would raise a signal */
  (void)munmap(map, len);
  return NULL;
}

void ipfsa_fs_unmap(const uint8_t *map, size_t len) {
  if (map) (void)munmap((void *)(uintptr_t)map, len);
}
