/* What the files about watching share: one thread per container looks, the caller's thread tells. */
#ifndef IPFSA_CONTAINER_WATCH_INSIDE_H
#define IPFSA_CONTAINER_WATCH_INSIDE_H

#include <ipfsa/watch.h>
#include <pthread.h>

#include "container/container_inside.h"

#define IPFSA_MAX_WATCHED 256u      /* containers; each costs a thread */
#define IPFSA_MAX_WATCH_QUEUE 4096u /* events not yet told: a callback that sleeps makes the watchers wait */

typedef struct ipfsa_watch_item {
  struct ipfsa_watch_item *next;
  ipfsa_watch_event event; /* its texts are the arrays below */
  char name[IPFSA_MAX_OBJECT_NAME + 1], state[16], what[300];
  ipfsa_probe_result history[IPFSA_HEALTH_HISTORY];
} ipfsa_watch_item;

typedef struct ipfsa_watch_times { /* nanoseconds */
  uint64_t look;                 /* between two looks at a container */
  uint64_t backoff, max_backoff; /* between two restarts */
} ipfsa_watch_times;

typedef struct ipfsa_watch ipfsa_watch;
typedef struct ipfsa_watched {
  struct ipfsa_watched *next;
  ipfsa_watch *watch;
  char name[IPFSA_MAX_OBJECT_NAME + 1];
  pthread_t thread;
  bool over; /* the thread is about to end; by the watch's lock */
} ipfsa_watched;

struct ipfsa_watch {
  ipfsa_engine *engine;
  bool restart;
  ipfsa_watch_times times;
  pthread_mutex_t lock;          /* over all below */
  pthread_cond_t told;           /* the queue or a watched changed: for the caller's thread */
  pthread_cond_t wake;           /* room in the queue, or the end: for watchers */
  ipfsa_watch_item *first, *last;
  size_t n_queued;
  ipfsa_watched *list;
  bool ending, engine_lost, no_memory;
};

/* ipfsa_container_watch at a pace of the caller's. err is not NULL. */
ipfsa_status ipfsa_watch_run(ipfsa_engine *engine, const ipfsa_watch_options *options, const ipfsa_watch_times *times, ipfsa_watch_cb cb, void *ctx, ipfsa_error *err);
/* Queues a copy. */
void ipfsa_watch_tell(ipfsa_watch *w, const ipfsa_watch_event *event);
/* The engine answered or did not: told when that changes. */
void ipfsa_watch_engine(ipfsa_watch *w, bool lost, const char *why);
void ipfsa_watch_out_of_memory(ipfsa_watch *w); /* the watch ends with that */
/* Sleeps until then; false when the watch ends. */
bool ipfsa_watch_sleep(ipfsa_watch *w, uint64_t until);
/* The life of one watcher; arg is an ipfsa_watched. */
void *ipfsa_watch_one(void *arg);

#endif
