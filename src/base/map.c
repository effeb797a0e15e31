#include "base/map.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"

static bool faulted(void) { return ipfsa_fault_point(IPFSA_FAULT_FILE) == IPFSA_FAULT_FAIL; }

/* The kernel announces a break by a signal; SIGURG is ignored by default, SIGIO would end the process. */
bool ipfsa_fs_hold(int fd) { return !faulted() && fcntl(fd, F_SETSIG, SIGURG) == 0 && fcntl(fd, F_SETLEASE, F_RDLCK) == 0; }

bool ipfsa_fs_holds(int fd) { return fcntl(fd, F_GETLEASE) == F_RDLCK; }

void ipfsa_fs_let_go(int fd) { (void)fcntl(fd, F_SETLEASE, F_UNLCK); }

/* ---- page tables ---- */

int ipfsa_fs_open_page_map(void) { return faulted() ? -1 : open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC); }

/* linux/fs.h since 6.7: finds the first page that is not present. */
struct page_scan {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, category_inverted, category_mask, category_anyof_mask, return_mask;
};
#define SCAN _IOWR('f', 16, struct page_scan)
#define IS_PRESENT (1u << 3)

/* −1: this kernel has no scan. */
static int scan(int page_map, uintptr_t from, uintptr_t to) {
  uint64_t found[3];
  struct page_scan s = {.size = sizeof s, .start = from, .end = to, .vec = (uintptr_t)found, .vec_len = 1, .max_pages = 1, .category_inverted = IS_PRESENT,
                        .category_mask = IS_PRESENT, .return_mask = IS_PRESENT};
  int n = ioctl(page_map, SCAN, &s);
  return n < 0 ? -1 : n == 0 && s.walk_end == to;
}

/* Documentation/admin-guide/mm/pagemap.rst: 64 bits a page, the highest one: present. */
static bool read_entries(int page_map, uintptr_t from, uintptr_t to) {
  uint64_t entries[256];
  for (uintptr_t page = from / 4096, end = to / 4096; page < end;) {
    size_t n = end - page < 256 ? end - page : 256;
    if (pread(page_map, entries, n * 8, (off_t)(page * 8)) != (ssize_t)(n * 8)) return false;
    for (size_t i = 0; i < n; i++)
      if (!(entries[i] >> 63)) return false;
    page += n;
  }
  return true;
}

static bool are_mapped(int page_map, uintptr_t from, uintptr_t to) {
  int all = scan(page_map, from, to);
  return all < 0 ? read_entries(page_map, from, to) : all == 1;
}

bool ipfsa_fs_are_mapped(int page_map, const uint8_t *at, size_t len) {
  uintptr_t from = (uintptr_t)at & ~(uintptr_t)4095, to = ((uintptr_t)at + len + 4095) & ~(uintptr_t)4095;
  return page_map >= 0 && !faulted() && are_mapped(page_map, from, to);
}

/* ---- bringing pages in ---- */

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14; older kernels refuse it, and the file is read */
#endif
#define AROUND 65536u /* bytes: with a page that is asked for, the kernel maps those around it that are in memory (its fault_around_bytes) */

/* Fails where a touch would raise a signal. */
static bool populate(uintptr_t from, uintptr_t to) { return madvise((void *)from, to - from, MADV_POPULATE_READ) == 0; }

/* Of one page table. */
static bool bring_in_part(uintptr_t from, uintptr_t to, int page_map) {
  if (page_map < 0 || to - from <= AROUND) return populate(from, to);
  if (!populate(from, from + 4096)) return false;
  if (are_mapped(page_map, from, to)) return true; /* a huge page */
  for (uintptr_t at = (from / AROUND + 1) * AROUND; at < to; at += AROUND)
    if (!populate(at, at + 4096)) return false;
  return are_mapped(page_map, from, to) || populate(from, to); /* some were not in memory */
}

/* Asked for a range, the kernel walks its tables anew for each page, which takes three times as long as mapping them, and a fifth of the time of hashing them. So one
 * page of each group is asked for, and the rest only if that was not enough. */
static bool bring_in(const uint8_t *at, size_t len, int page_map) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  uintptr_t from = (uintptr_t)at / page * page, to = ((uintptr_t)at + len + page - 1) / page * page;
  if (page != 4096) page_map = -1;
  while (from < to) {
    uintptr_t border = (from / IPFSA_PAGE_TABLE + 1) * IPFSA_PAGE_TABLE, end = page_map < 0 || border > to ? to : border;
    if (!bring_in_part(from, end, page_map)) return false;
    from = end;
  }
  return true;
}

/* ---- mappings ---- */

/* What is not in memory comes from the disk in requests of the device's read_ahead_kb, which is 128 on most machines: a fifth of what a disk gives. For a
 * mapping that wishes for huge pages the kernel (5.18) reads 2 MiB and the next 2 MiB behind it, in large pages where the file system has such. Too much
 * for small ranges. */
static void advise_in_order(void *map, size_t len) {
#ifdef MADV_HUGEPAGE
  if (len >= IPFSA_PAGE_TABLE && madvise(map, len, MADV_HUGEPAGE) == 0) return;
#endif
  (void)madvise(map, len, MADV_SEQUENTIAL);
}

const uint8_t *ipfsa_fs_map(int fd, uint64_t off, size_t len, int page_map) {
  if (faulted()) return NULL;
  void *map = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, (off_t)off);
  if (map == MAP_FAILED) return NULL;
  advise_in_order(map, len);
  if (bring_in(map, len, page_map)) return map;
  (void)munmap(map, len);
  return NULL;
}

/* Where the file is mapped past the page cache (DAX), bytes change without a fault. */
static bool is_dax(int fd) {
  struct statx st;
  if (statx(fd, "", AT_EMPTY_PATH, 0, &st) != 0) return true;
  return (st.stx_attributes & STATX_ATTR_DAX) != 0;
}

const uint8_t *ipfsa_fs_map_window(int fd, uint64_t off, size_t len) {
  if (faulted() || is_dax(fd)) return NULL;
  size_t total = len + IPFSA_PAGE_TABLE;
  uint8_t *room = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return NULL;
  size_t ahead = (IPFSA_PAGE_TABLE - (uintptr_t)room % IPFSA_PAGE_TABLE) % IPFSA_PAGE_TABLE;
  if (mmap(room + ahead, len, PROT_READ, MAP_SHARED | MAP_FIXED, fd, (off_t)off) == MAP_FAILED) {
    (void)munmap(room, total);
    return NULL;
  }
  if (ahead) (void)munmap(room, ahead);
  if (ahead < IPFSA_PAGE_TABLE) (void)munmap(room + ahead + len, IPFSA_PAGE_TABLE - ahead);
  (void)madvise(room + ahead, len, MADV_DONTFORK); /* a child's faults are its own */
  return room + ahead;
}

bool ipfsa_fs_populate(const uint8_t *at, size_t len, int page_map) { return !faulted() && bring_in(at, len, page_map); }

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

void ipfsa_fs_populate_writable(uint8_t *at, size_t len) {
  size_t page = (size_t)sysconf(_SC_PAGESIZE), before = (uintptr_t)at % page;
  (void)madvise(at - before, len + before, MADV_POPULATE_WRITE);
}

uint64_t ipfsa_fs_page_faults(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_THREAD, &usage) != 0) return ipfsa_random_u64(); /* never the same twice */
  return (uint64_t)usage.ru_minflt + (uint64_t)usage.ru_majflt;
}

static bool counts_faults;

/* Emulated kernels count none. */
static void try_counting(void) {
  if (sysconf(_SC_PAGESIZE) != 4096) return;
  volatile uint8_t *pages = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return;
  pages[0] = 1; /* a sanitizer's own memory about these pages has its faults now */
  uint64_t before = ipfsa_fs_page_faults();
  pages[4096] = 1;
  uint64_t after = ipfsa_fs_page_faults();
  counts_faults = after == before + 1 && ipfsa_fs_page_faults() == after;
  (void)munmap((void *)(uintptr_t)pages, 2 * 4096);
}

bool ipfsa_fs_counts_page_faults(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, try_counting);
  return counts_faults;
}

void ipfsa_fs_unmap(const uint8_t *map, size_t len) {
  if (map) (void)munmap((void *)(uintptr_t)map, len);
}

/* ---- addresses set aside ---- */

uint8_t *ipfsa_fs_reserve(size_t len) {
  if (faulted()) return NULL;
  void *room = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return room == MAP_FAILED ? NULL : room;
}

bool ipfsa_fs_map_at(int fd, uint64_t off, uint8_t *at, size_t len) {
  return !faulted() && mmap(at, len, PROT_READ, MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, fd, (off_t)off) != MAP_FAILED;
}

bool ipfsa_fs_set_writable(uint8_t *at, size_t len, bool writable) {
  return !faulted() && mprotect(at, len, writable ? PROT_READ | PROT_WRITE : PROT_READ) == 0;
}

static bool can_populate;

static void try_populating(void) {
  void *page = mmap(NULL, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return;
  can_populate = madvise(page, 1, MADV_POPULATE_READ) == 0;
  (void)munmap(page, 1);
}

bool ipfsa_fs_can_populate(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, try_populating);
  return can_populate;
}
