/* The tunnels of one user: a file NAME.tunnel a tunnel in a folder of the user's runtime folder, locked by its process for as long as it lives, and a
 * socket NAME.sock beside it that answers with the counters and takes the word to stop. The lock decides who lives: a process that was killed
 * leaves files, but no lock. Threads: any for different entries. */
#ifndef IPFSA_CONTAINER_TUNNEL_REGISTRY_H
#define IPFSA_CONTAINER_TUNNEL_REGISTRY_H

#include <ipfsa/tunnel.h>

typedef struct ipfsa_tunnel_entry {
  int dirfd, lock_fd, control_fd; /* -1: none */
  char name[IPFSA_MAX_TUNNEL_NAME + 1];
} ipfsa_tunnel_entry;

#define IPFSA_TUNNEL_NO_ENTRY ((ipfsa_tunnel_entry){-1, -1, -1, ""})

ipfsa_status ipfsa_tunnel_name_check(const char *name, ipfsa_error *err);
/* E_EXISTS: a live tunnel has this name. */
ipfsa_status ipfsa_tunnel_register(const ipfsa_tunnel_info *info, ipfsa_tunnel_entry *ret, ipfsa_error *err);
void ipfsa_tunnel_unregister(ipfsa_tunnel_entry *entry); /* an empty one is fine */
/* Answers what waits at control_fd; true: it was told to stop. */
bool ipfsa_tunnel_answer(const ipfsa_tunnel_entry *entry, const ipfsa_tunnel_info *info);

#endif
