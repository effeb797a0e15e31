/* Files as memory that nobody can change any more: memfd_create(2) and F_ADD_SEALS. Threads: one at a time per delivery. */
#ifndef IPFSA_DISPATCH_SEALED_H
#define IPFSA_DISPATCH_SEALED_H

#include "dispatch/driver.h"

/* Is there memory for the files of this delivery? E_NO_SPACE. available: bytes. */
ipfsa_status ipfsa_sealed_check(const ipfsa_delivery *delivery, uint64_t available, ipfsa_error *err);
/* The verified bytes of a file, sealed; *ret_fd is open for reading and the caller's. *done: bytes so far, of `total`, for the delivery's progress. */
ipfsa_status ipfsa_sealed_make(ipfsa_delivery *delivery, const ipfsa_model_file *file, uint64_t *done, uint64_t total, int *ret_fd, ipfsa_error *err);
/* Can nobody write to it, cut it or make it longer, whoever has it open? */
bool ipfsa_sealed_is(int fd);

#endif
