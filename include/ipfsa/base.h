/* Values every call of the library shares: bytes, errors, progress, cancelling.
 * Nothing here needs a node; all of it may be used from any thread. */
#ifndef IPFSA_BASE_H
#define IPFSA_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifndef __cplusplus
#include <stdbool.h>
#endif

#include <ipfsa/status.h>

#if defined(__GNUC__)
#define IPFSA_API __attribute__((visibility("default")))
#define IPFSA_CHECK __attribute__((warn_unused_result))
#define IPFSA_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define IPFSA_API
#define IPFSA_CHECK
#define IPFSA_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A borrowed slice of bytes; lives as long as what it points into. */
typedef struct ipfsa_bytes {
  const uint8_t *data;
  size_t len;
} ipfsa_bytes;

/* A caller-owned error: zero it before first use. A failing call fills it, a succeeding
 * one leaves it alone. `err` may always be NULL. */
typedef struct ipfsa_error {
  ipfsa_status status;
  int sys_errno;      /* errno of the failed system call, else 0 */
  uint64_t offset;    /* byte in the input where it went wrong, else UINT64_MAX */
  char message[504];  /* one sentence: what, where, what was expected; always terminated */
} ipfsa_error;

/* Static text of a status ("not found"); never NULL. */
IPFSA_API const char *ipfsa_status_to_string(ipfsa_status status);

/* How far a long call has come; total is 0 while unknown. Called from the thread that made
 * the long call. A return other than 0 cancels the call, which then fails with
 * IPFSA_E_CANCELLED and leaves the store whole. */
typedef struct ipfsa_progress {
  uint64_t done_bytes, total_bytes;
  uint64_t done_items, total_items;
} ipfsa_progress;
typedef int (*ipfsa_progress_cb)(void *ctx, const ipfsa_progress *progress);

/* Receives output in order; a return other than 0 stops the call with IPFSA_E_CANCELLED. */
typedef int (*ipfsa_write_cb)(void *ctx, const void *data, size_t len);

/* Version of the library, "MAJOR.MINOR.PATCH". */
IPFSA_API const char *ipfsa_version(void);
/* Row i, from 0, of the libraries it was built with; false past the last. */
typedef struct ipfsa_dependency {
  const char *name, *version; /* static */
} ipfsa_dependency;
IPFSA_API bool ipfsa_dependency_row(size_t i, ipfsa_dependency *ret);

#ifdef __cplusplus
}
#endif
#endif
