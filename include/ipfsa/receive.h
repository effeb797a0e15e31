/* The other end of a dispatch of kind shm: a process of this machine that takes models as descriptors of files, maps them, and reads tensors without a
 * copy and without a repo; however many processes take a model, its pages are in memory once. docs/formats/hand-over.md has the protocol.
 * Threads: one at a time per receiver; what was taken as ipfsa/checkpoint.h says, and it may be freed by any thread at any time. */
#ifndef IPFSA_RECEIVE_H
#define IPFSA_RECEIVE_H

#include <ipfsa/checkpoint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ipfsa_receiver ipfsa_receiver;
/* Listens at a path for a unix socket (at most 107 bytes), which only this user can connect to. A socket nobody listens at is replaced; E_LOCKED: somebody
 * does. E_EXISTS: something else has that name. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_receiver_open(const char *socket_path, ipfsa_receiver **ret, ipfsa_error *err);
IPFSA_API void ipfsa_receiver_close(ipfsa_receiver *receiver); /* removes the socket; what was taken stays. NULL is fine */
/* Readable when somebody has come; the receiver's own, for poll and the like. */
IPFSA_API int ipfsa_receiver_fd(const ipfsa_receiver *receiver);

typedef struct ipfsa_received_file {
  const char *name; /* below the folder, "/" between parts; never a path to be opened */
  uint64_t size;
  int fd;           /* for reading; closed by ipfsa_received_free */
  bool is_sealed;   /* memory that nobody can change any more; else a file that its owner and root could */
} ipfsa_received_file;
typedef struct ipfsa_received {
  ipfsa_cid cid;      /* version 1 */
  const char *model;  /* its name */
  ipfsa_checkpoint *checkpoint; /* open: tensors, reads, views; closed by ipfsa_received_free */
  const ipfsa_received_file *files;
  size_t n_files;
} ipfsa_received;
IPFSA_API void ipfsa_received_free(ipfsa_received *received); /* all pointers into it are gone then; NULL is fine */

/* Waits for a model, checks and opens it, tells its sender so. A model that was taken from this receiver and not freed is not transferred again when it is
 * dispatched again: what comes then has descriptors of its own of the same files and shares their memory. timeout_ms negative: however long it takes; E_TIMEOUT: nobody came. Other errors are of one
 * that came and was refused, which its sender is told as well; call again. */
IPFSA_API IPFSA_CHECK ipfsa_status ipfsa_receiver_take(ipfsa_receiver *receiver, int64_t timeout_ms, ipfsa_received **ret, ipfsa_error *err);

#ifdef __cplusplus
}
#endif
#endif
