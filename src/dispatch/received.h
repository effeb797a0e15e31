/* A model that was taken: its files' descriptors, the checkpoint over them, and the list of what a receiver's program still holds. Threads: a box has one
 * owner; a list is everybody's. */
#ifndef IPFSA_DISPATCH_RECEIVED_H
#define IPFSA_DISPATCH_RECEIVED_H

#include <ipfsa/receive.h>
#include <time.h>

typedef struct ipfsa_received_list ipfsa_received_list;
typedef struct ipfsa_received_box { /* what a caller gets is its first member, and ipfsa_received_free takes it back */
  ipfsa_received view;
  ipfsa_received_file *files;
  struct timespec *changed; /* of each file, when it was taken */
  size_t n_files;
  char *model;
  bool is_folder;
  ipfsa_received_list *list; /* NULL: in none */
  struct ipfsa_received_box *next;
} ipfsa_received_box;

ipfsa_received_list *ipfsa_received_list_new(void);           /* NULL: no memory */
void ipfsa_received_list_unref(ipfsa_received_list *list);    /* of who made it; what is in it may stay longer. NULL is fine */
/* From now on it can be shared, until it is freed. */
void ipfsa_received_list_add(ipfsa_received_list *list, ipfsa_received_box *box);
/* *ret: the box, of which CID, names and sizes are known, got descriptors of the same files out of the list: of the same CID, and files that nobody cut or
 * wrote to since. */
ipfsa_status ipfsa_received_share(ipfsa_received_list *list, ipfsa_received_box *box, bool must_be_sealed, bool *ret, ipfsa_error *err);
/* Opens the checkpoint over the descriptors. */
ipfsa_status ipfsa_received_open(ipfsa_received_box *box, ipfsa_error *err);

#endif
