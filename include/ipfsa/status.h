/* The one status table: every fallible call of the library returns one of these.
 * 0 is success, everything else is negative. The text is for logs and programs;
 * what a person reads is ipfsa_error.message. */
#ifndef IPFSA_STATUS_H
#define IPFSA_STATUS_H

/*      name            value  text */
#define IPFSA_STATUS_TABLE(X)                                                                      \
  X(OK,                    0, "ok")                                                                \
  X(E_NOMEM,              -1, "out of memory")                                                     \
  X(E_INVALID,            -2, "invalid argument")                                                  \
  X(E_MALFORMED,          -3, "malformed data")                                                    \
  X(E_LIMIT,              -4, "limit exceeded")                                                    \
  X(E_NOT_FOUND,          -5, "not found")                                                         \
  X(E_EXISTS,             -6, "already exists")                                                    \
  X(E_CORRUPT,            -7, "data does not match its CID or checksum")                           \
  X(E_IO,                 -8, "input/output error")                                                \
  X(E_NO_SPACE,           -9, "no space left on the device")                                       \
  X(E_QUOTA,             -10, "the repo's size limit is reached")                                  \
  X(E_LOCKED,            -11, "in use by another process")                                         \
  X(E_READ_ONLY,         -12, "read-only")                                                         \
  X(E_POISONED,          -13, "refused after a failed sync")                                       \
  X(E_NOT_SUPPORTED,     -14, "not supported")                                                     \
  X(E_DENIED,            -15, "not allowed")                                                       \
  X(E_WRONG_TYPE,        -16, "wrong type")                                                        \
  X(E_CANCELLED,         -17, "cancelled")                                                         \
  X(E_TIMEOUT,           -18, "timed out")                                                         \
  X(E_NOT_PINNED,        -19, "not pinned")                                                        \
  X(E_PINNED,            -20, "pinned")                                                            \
  X(E_VERSION,           -21, "of a newer version")                                                \
  X(E_FOREIGN,           -22, "made by another program")                                           \
  X(E_CHANGED,           -23, "changed while it was read")                                         \
  X(E_NO_REPO,           -24, "no repo here")                                                      \
  X(E_NOT_UNIXFS,        -25, "not UnixFS")                                                        \
  X(E_BUSY,              -26, "busy")                                                              \
  X(E_PARTIAL,           -27, "some items failed")

typedef enum ipfsa_status {
#define X(name, value, text) IPFSA_##name = value,
  IPFSA_STATUS_TABLE(X)
#undef X
      IPFSA_STATUS_FORCE_INT = 0x7fffffff
} ipfsa_status;

#endif
