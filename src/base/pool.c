#include "base/pool.h"

#include <pthread.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

#define MAX_THREADS 256

struct ipfsa_pool {
  pthread_mutex_t lock;
  pthread_cond_t wake;
  ipfsa_task *head, **tail;
  bool stopping;
  unsigned n_threads;
  pthread_t threads[];
};

static void *work(void *arg) {
  ipfsa_pool *pool = arg;
  pthread_mutex_lock(&pool->lock);
  for (;;) {
    while (!pool->head && !pool->stopping) pthread_cond_wait(&pool->wake, &pool->lock);
    ipfsa_task *task = pool->head;
    if (!task) break;
    pool->head = task->next;
    if (!pool->head) pool->tail = &pool->head;
    pthread_mutex_unlock(&pool->lock);
    task->run(task);
    pthread_mutex_lock(&pool->lock);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

ipfsa_status ipfsa_pool_new(unsigned n_threads, ipfsa_pool **ret, ipfsa_error *err) {
  if (n_threads == 0) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    n_threads = online > 0 ? (unsigned)online : 1;
  }
  if (n_threads > MAX_THREADS) n_threads = MAX_THREADS;
  ipfsa_pool *pool = ipfsa_calloc(1, sizeof *pool + n_threads * sizeof pool->threads[0]);
  if (!pool) return ipfsa_fail_nomem(err);
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pool->tail = &pool->head;
  for (; pool->n_threads < n_threads; pool->n_threads++) {
    int failed = pthread_create(&pool->threads[pool->n_threads], NULL, work, pool);
    if (!failed) continue;
    if (pool->n_threads > 0) break; /* fewer workers do the same work */
    ipfsa_pool_free(pool);
    return ipfsa_fail_errno(err, failed, "cannot start a worker thread");
  }
  *ret = pool;
  return IPFSA_OK;
}

void ipfsa_pool_free(ipfsa_pool *pool) {
  if (!pool) return;
  pthread_mutex_lock(&pool->lock);
  pool->stopping = true;
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
  for (unsigned i = 0; i < pool->n_threads; i++) pthread_join(pool->threads[i], NULL);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->lock);
  ipfsa_free(pool);
}

void ipfsa_pool_submit(ipfsa_pool *pool, ipfsa_task *task) {
  task->next = NULL;
  pthread_mutex_lock(&pool->lock);
  *pool->tail = task;
  pool->tail = &task->next;
  pthread_cond_signal(&pool->wake);
  pthread_mutex_unlock(&pool->lock);
}

bool ipfsa_pool_take_back(ipfsa_pool *pool, ipfsa_task *task) {
  pthread_mutex_lock(&pool->lock);
  ipfsa_task **at = &pool->head;
  while (*at && *at != task) at = &(*at)->next;
  bool waits = *at != NULL;
  if (waits) {
    *at = task->next;
    if (!*at) pool->tail = at;
  }
  pthread_mutex_unlock(&pool->lock);
  return waits;
}

unsigned ipfsa_pool_n_threads(const ipfsa_pool *pool) { return pool->n_threads; }
