/* A tree of the file system, entry by entry over an explicit stack; links are entries and never followed. Threads: one at a time per walk. */
#ifndef IPFSA_NODE_TREE_WALK_H
#define IPFSA_NODE_TREE_WALK_H

#include "base/fs.h"

#define IPFSA_MAX_TREE_DEPTH 160 /* folders in one another: what get makes has at most 128 */

/* leaving: a folder whose entries were all told. A status other than OK ends the walk; entries that
 * go while their folder is walked are passed over. */
typedef ipfsa_status (*ipfsa_tree_cb)(void *ctx, int dirfd, const char *name, const struct stat *st, bool leaving, ipfsa_error *err);
ipfsa_status ipfsa_tree_walk(int dirfd, const char *name, ipfsa_tree_cb cb, void *ctx, ipfsa_error *err);
/* Unlinks all of it, read-only folders too; files are never cut, who has one open or mapped keeps it. What is gone already is no error. */
ipfsa_status ipfsa_tree_remove(int dirfd, const char *name, ipfsa_error *err);

#endif
