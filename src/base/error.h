/* Filling caller-owned errors. Threads: any. */
#ifndef IPFSA_BASE_ERROR_H
#define IPFSA_BASE_ERROR_H

#include <ipfsa/base.h>

#define IPFSA_NO_OFFSET UINT64_MAX

/* Fills *err (may be NULL) and returns status, so that `return ipfsa_fail(err, …)` reads well.
 * The message is one sentence without a final full stop or newline. */
ipfsa_status ipfsa_fail(ipfsa_error *err, ipfsa_status status, const char *format, ...) IPFSA_PRINTF(3, 4);
ipfsa_status ipfsa_fail_at(ipfsa_error *err, ipfsa_status status, uint64_t offset, const char *format, ...)
    IPFSA_PRINTF(4, 5);
/* For a failed system call: sys_errno's text is appended as ": No such file…"; the status follows from
 * sys_errno (ENOENT → NOT_FOUND, ENOSPC/EDQUOT → NO_SPACE, EROFS/EACCES/EPERM → READ_ONLY/DENIED,
 * EEXIST → EXISTS, ENOMEM → NOMEM, else IO). */
ipfsa_status ipfsa_fail_errno(ipfsa_error *err, int sys_errno, const char *format, ...) IPFSA_PRINTF(3, 4);
ipfsa_status ipfsa_fail_nomem(ipfsa_error *err);
/* Puts "prefix: " before the message that is there, keeping status, errno and offset. */
ipfsa_status ipfsa_error_prefix(ipfsa_error *err, ipfsa_status status, const char *format, ...) IPFSA_PRINTF(3, 4);

#endif
