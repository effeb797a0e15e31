#include "dispatch/sealed.h"

#include <fcntl.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/fs.h"

#define PIECE (1u << 20) /* bytes copied at once */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

ipfsa_status ipfsa_sealed_check(const ipfsa_delivery *d, uint64_t available, ipfsa_error *err) {
  uint64_t total = 0;
  for (size_t i = 0; i < d->n_files; i++)
    if (__builtin_add_overflow(total, d->files[i].size, &total)) total = UINT64_MAX;
  if (total <= available) return IPFSA_OK;
  return ipfsa_fail(err, IPFSA_E_NO_SPACE, "%llu bytes of memory for its files, %llu are available; set endpoints.%.100s.sealed to false, then they are files of the repo",
                    (unsigned long long)total, (unsigned long long)available, d->endpoint->name);
}

static ipfsa_status fill(ipfsa_delivery *d, const ipfsa_model_file *file, uint64_t *done, uint64_t total, int fd, ipfsa_error *err) {
  IPFSA_AUTO_FREE uint8_t *room = ipfsa_malloc(PIECE);
  ipfsa_status status = room ? IPFSA_OK : ipfsa_fail_nomem(err);
  for (uint64_t off = 0; status == IPFSA_OK && off < file->size;) {
    size_t want = file->size - off < PIECE ? (size_t)(file->size - off) : PIECE, n = 0;
    status = d->calls->read(d->ctx, file, off, room, want, &n, err);
    if (status == IPFSA_OK) status = ipfsa_fs_write(fd, room, n, err);
    off += n, *done += n;
    if (status == IPFSA_OK && d->calls->tell(d->ctx, *done, total)) status = ipfsa_fail(err, IPFSA_E_CANCELLED, "cancelled");
  }
  return status;
}

/* What is open for writing could not be mapped as shared once it is sealed (Linux before 6.7), so it is handed out as opened anew. */
ipfsa_status ipfsa_sealed_make(ipfsa_delivery *d, const ipfsa_model_file *file, uint64_t *done, uint64_t total, int *ret_fd, ipfsa_error *err) {
  char path[64];
  IPFSA_AUTO_FD int fd = ipfsa_fs_memory("ipfsa-model", err);
  if (fd < 0) return err->status;
  ipfsa_status status = fill(d, file, done, total, fd, err);
  if (status == IPFSA_OK) status = ipfsa_fs_seal(fd, SEALS | F_SEAL_SEAL, err);
  if (status) return status;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int reader = ipfsa_fs_open(AT_FDCWD, path, O_RDONLY, 0, err);
  if (reader < 0) return err->status;
  *ret_fd = reader;
  return IPFSA_OK;
}

bool ipfsa_sealed_is(int fd) {
  int seals = fcntl(fd, F_GET_SEALS);
  return seals >= 0 && (seals & SEALS) == SEALS;
}
