/* Files seen through memory. A mapping of a file that another process cuts short kills the reader (SIGBUS), so a file is mapped only while it
 * is held: under a read lease the kernel makes whoever opens it for writing wait until the holder lets go (or 45 s have passed), and tells the
 * holder when asked. No lease (someone writes it now, the file is another user's, the file system has none): read it instead. Threads: any. */
#ifndef IPFSA_BASE_MAP_H
#define IPFSA_BASE_MAP_H

#include <ipfsa/base.h>

bool ipfsa_fs_hold(int fd);          /* fd: opened by this process for reading; false: it cannot be held */
bool ipfsa_fs_holds(int fd);         /* false: somebody waits to write it; finish, then let go */
void ipfsa_fs_let_go(int fd);
/* Maps [off, off + len) for reading, every page present; off on a page border. NULL: read it instead (pages cannot be had, no mappings left). page_map: what
 * ipfsa_fs_open_page_map gives; with −1 it is slower, for pages that are small. */
const uint8_t *ipfsa_fs_map(int fd, uint64_t off, size_t len, int page_map);
/* A part of a file that is looked at for long, a page when it is touched; on a border of IPFSA_PAGE_TABLE in the file and in memory. What lies behind the
 * end of the file must not be touched. NULL: none to be had, or one whose pages are not the page cache's. */
#define IPFSA_PAGE_TABLE (2u << 20) /* bytes that one page table of 4 KiB pages spans: no fault maps pages beyond it */
const uint8_t *ipfsa_fs_map_window(int fd, uint64_t off, size_t len);
/* Brings every page of a range in; false where touching one would raise a signal. page_map: as above. */
bool ipfsa_fs_populate(const uint8_t *at, size_t len, int page_map);
void ipfsa_fs_populate_writable(uint8_t *at, size_t len); /* the same, to be written: one call instead of a fault at every page. A hint */
/* Page faults of this thread until now: the same number before and after a look means that every page was there. */
uint64_t ipfsa_fs_page_faults(void);
bool ipfsa_fs_counts_page_faults(void); /* false: this kernel does not, or has pages of another size than 4 KiB */
/* Addresses set aside, on a page border; touching them raises a signal until files or private pages take their place. NULL: none to be had. Undone by
 * ipfsa_fs_unmap. */
uint8_t *ipfsa_fs_reserve(size_t len);
/* [at, at + len) of what was set aside, whole pages, becomes the file's from off on; what lies behind its end must not be touched. Pages are those of the page
 * cache until they are written (set_writable), then this process's own. False: nothing changed. */
bool ipfsa_fs_map_at(int fd, uint64_t off, uint8_t *at, size_t len);
/* Pages of what was set aside: may they be written? (Those that are no file's may be read from the first call on.) False: no memory. */
bool ipfsa_fs_set_writable(uint8_t *at, size_t len, bool writable);
/* Has every page of [at, at + len) its entry in the page tables of this process? A page that leaves the memory loses it, and only a touch through this very
 * mapping brings it back. page_map: what the first gives, closed with ipfsa_fs_close; −1 (none to be had): never. */
int ipfsa_fs_open_page_map(void);
bool ipfsa_fs_are_mapped(int page_map, const uint8_t *at, size_t len);
bool ipfsa_fs_can_populate(void);                         /* false: a kernel before 5.14, whose mappings cannot be tried before they are touched */
void ipfsa_fs_unmap(const uint8_t *map, size_t len); /* NULL is fine */

#endif
