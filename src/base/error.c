#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *ipfsa_status_to_string(ipfsa_status status) {
  switch ((int)status) {
#define X(name, value, text)                                                                                           \
  case IPFSA_##name: return text;
    IPFSA_STATUS_TABLE(X)
#undef X
  default: return "unknown status";
  }
}


IPFSA_PRINTF(5, 0)
static ipfsa_status fill(ipfsa_error *err, ipfsa_status status, int sys_errno, uint64_t offset, const char *format,
                         va_list args) {
  if (!err) return status;
  /* An argument may be the old message itself: build beside it first. */
  char message[sizeof err->message];
  vsnprintf(message, sizeof message, format, args);
  err->status = status;
  err->sys_errno = sys_errno;
  err->offset = offset;
  memcpy(err->message, message, sizeof message);
  return status;
}

ipfsa_status ipfsa_fail(ipfsa_error *err, ipfsa_status status, const char *format, ...) {
  va_list args;
  va_start(args, format);
  fill(err, status, 0, IPFSA_NO_OFFSET, format, args);
  va_end(args);
  return status;
}

ipfsa_status ipfsa_fail_at(ipfsa_error *err, ipfsa_status status, uint64_t offset, const char *format, ...) {
  va_list args;
  va_start(args, format);
  fill(err, status, 0, offset, format, args);
  va_end(args);
  return status;
}

static ipfsa_status status_of_errno(int sys_errno) {
  switch (sys_errno) {
  case ENOENT: return IPFSA_E_NOT_FOUND;
  case EEXIST:
  case ENOTEMPTY: return IPFSA_E_EXISTS;
  case ENOSPC:
  case EDQUOT: return IPFSA_E_NO_SPACE;
  case EROFS: return IPFSA_E_READ_ONLY;
  case EACCES:
  case EPERM: return IPFSA_E_DENIED;
  case ENOMEM: return IPFSA_E_NOMEM;
  case ENOTDIR:
  case EISDIR:
  case ELOOP: return IPFSA_E_WRONG_TYPE;
  default: return IPFSA_E_IO;
  }
}

ipfsa_status ipfsa_fail_errno(ipfsa_error *err, int sys_errno, const char *format, ...) {
  ipfsa_status status = status_of_errno(sys_errno);
  if (!err) return status;
  va_list args;
  va_start(args, format);
  fill(err, status, sys_errno, IPFSA_NO_OFFSET, format, args);
  va_end(args);
  size_t used = strlen(err->message);
  char text[128];
  const char *reason = strerror_r(sys_errno, text, sizeof text);
  snprintf(err->message + used, sizeof err->message - used, ": %s", reason);
  /* Kubo's users match on lower-case system texts ("no such file or directory"). */
  if (used + 2 < sizeof err->message && reason[0] >= 'A' && reason[0] <= 'Z' && reason[1] >= 'a')
    err->message[used + 2] = (char)(reason[0] - 'A' + 'a');
  return status;
}

ipfsa_status ipfsa_fail_nomem(ipfsa_error *err) { return ipfsa_fail(err, IPFSA_E_NOMEM, "out of memory"); }

ipfsa_status ipfsa_error_prefix(ipfsa_error *err, ipfsa_status status, const char *format, ...) {
  if (!err) return status;
  err->status = status;
  char prefix[sizeof err->message];
  va_list args;
  va_start(args, format);
  vsnprintf(prefix, sizeof prefix, format, args);
  va_end(args);
  char old[sizeof err->message];
  memcpy(old, err->message, sizeof old);
  size_t used = strnlen(prefix, sizeof prefix - 3);
  memcpy(err->message, prefix, used);
  memcpy(err->message + used, ": ", 3);
  used += 2;
  size_t rest = strnlen(old, sizeof old - 1 - used);
  memcpy(err->message + used, old, rest);
  err->message[used + rest] = '\0';
  return status;
}
