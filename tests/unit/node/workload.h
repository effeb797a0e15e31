/* A small repo with something of everything in it, and every operation that the program does on it: what the harnesses of failing operations
 * and of power loss repeat. */
#ifndef IPFSA_TESTS_WORKLOAD_H
#define IPFSA_TESTS_WORKLOAD_H

#include <ipfsa/add.h>
#include <ipfsa/block.h>
#include <ipfsa/config.h>
#include <ipfsa/dag.h>
#include <ipfsa/files.h>
#include <ipfsa/materialise.h>
#include <ipfsa/pin.h>
#include <ipfsa/read.h>
#include <ipfsa/repo.h>

#include "../support.h"

typedef struct world {
  char *dir;              /* owns everything below: template/, damaged/, src/, and what a test makes */
  char repo[300];         /* the copy in use */
  char out[300];          /* a folder for what get writes, empty at first */
  ipfsa_cid kept, other, loose, external, wide, fresh; /* roots; fresh: what the last operation made */
  ipfsa_cid loose_file;   /* one leaf below `loose`; in damaged/ its bytes are wrong */
  ipfsa_cid imported;     /* root of src/import.car, not in the repo */
} world;

world *world_new(void);
void world_free(world *w);
/* A new copy of the repo at w->repo, and an empty w->out. */
void world_reset(world *w, bool damaged);
ipfsa_status world_open(world *w, ipfsa_node **ret, ipfsa_error *err);

/* What an operation may change; everything else must be there after it, however it ended. */
enum { MAY_KEPT = 1, MAY_OTHER = 2, MAY_FILES = 4, MAY_LOOSE = 8 };

typedef struct operation {
  const char *name;
  ipfsa_status (*run)(world *w, ipfsa_node *node, ipfsa_error *err);
  /* acknowledged: it returned OK, so what it promised must be there; else all of it or nothing. */
  void (*check)(world *w, ipfsa_node *node, bool acknowledged, const char *where);
  unsigned may;
  bool damaged;  /* begins with the damaged repo */
  enum { WRITES_NOTHING, WRITES_REPO, WRITES_OUT } writes; /* what must be durable after it, and where */
} operation;
extern const operation operations[];
extern const size_t n_operations;

/* What was acknowledged before the operation is there and right, pins are complete, no block is damaged. */
void world_check(world *w, ipfsa_node *node, const operation *op, bool acknowledged, const char *where);

#endif
