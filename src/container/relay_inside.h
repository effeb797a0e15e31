/* The inside of a relay: relay.c waits and keeps the lists, relay_flow.c moves bytes. */
#ifndef IPFSA_CONTAINER_RELAY_INSIDE_H
#define IPFSA_CONTAINER_RELAY_INSIDE_H

#include "container/relay.h"

#define IPFSA_RELAY_PIECE (64u << 10)   /* bytes read at once from a stream that does not hurry; also the most it keeps in memory */
#define IPFSA_RELAY_BUFFER (1u << 20)   /* … from one that does: the fewer turns, the fewer times source and target sleep. docs/internals/tunnel.md */
#define IPFSA_RELAY_MAX_KEPT (16u << 20) /* bytes kept for targets that take no more, of all pairs: beyond, only pieces are read */
#define IPFSA_RELAY_PIPE (1u << 20)     /* bytes a pipe holds: what the kernel gives without privilege */
#define IPFSA_RELAY_SHARE (1u << 20)    /* bytes one direction moves before others have their turn */
#define IPFSA_RELAY_MAX_PIPES 128u      /* of directions that splice at the same time: 256 descriptors; others copy */
#define IPFSA_RELAY_MAX_SPARE 8u        /* pipes kept for the next */
#define IPFSA_RELAY_MAX_WATCHES 8u

typedef struct relay_pipe {
  int in, out; /* -1: none */
} relay_pipe;

/* One direction. Bytes that were read and could not be written yet are in its pipe or in `kept`, never in both. */
typedef struct relay_flow {
  relay_pipe pipe;
  size_t in_pipe;
  uint8_t *kept; /* owned; NULL when nothing is kept */
  size_t kept_off, kept_len;
  bool bulk;   /* the last read filled a piece: more at once, or by splice, from here on */
  bool ended;  /* nothing more comes from its source */
  bool broken; /* … because the source broke: passed on as a reset once what was read is out */
  bool done;   /* the end was passed on, or its target takes no more */
} relay_flow;

typedef struct relay_side {
  ipfsa_relay_end end;
  bool readable, writable; /* as far as is known: cleared by a call that would have waited, set by an event */
  struct relay_pair *pair;
} relay_side;

typedef struct relay_pair {
  relay_side a, b;
  relay_flow ab, ba;
  bool reset, is_idle, is_ready, moved;
  uint64_t last_ns;                      /* when bytes moved */
  struct relay_pair *older, *newer;      /* all pairs by last_ns */
  struct relay_pair *next_ready;
} relay_pair;

struct ipfsa_relay {
  int epoll_fd;
  uint64_t idle_ns;
  relay_pair *oldest, *newest;
  relay_pair *ready, **ready_end;
  struct relay_watch {
    ipfsa_relay_cb cb;
    void *ctx;
  } watches[IPFSA_RELAY_MAX_WATCHES];
  bool splices;
  size_t kept; /* bytes in `kept` of all flows */
  unsigned n_watches, n_pipes, n_spare;
  relay_pipe spare[IPFSA_RELAY_MAX_SPARE];
  ipfsa_relay_counters counters; /* written by the relay's thread, read by any: relaxed */
  uint8_t buffer[IPFSA_RELAY_BUFFER];
};

#define RELAY_COUNT(counter, n) __atomic_store_n(&(counter), (counter) + (n), __ATOMIC_RELAXED)

/* Moves what can move in both directions; true: there is more to do at once. */
bool relay_pair_move(ipfsa_relay *relay, relay_pair *pair);
void relay_flow_release(ipfsa_relay *relay, relay_flow *flow);

#endif
