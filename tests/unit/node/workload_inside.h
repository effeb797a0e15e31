/* What the world and its operations share: files, their content, and looking for it in a repo. */
#ifndef IPFSA_TESTS_WORKLOAD_INSIDE_H
#define IPFSA_TESTS_WORKLOAD_INSIDE_H

#include "workload.h"

#define SMALL 1000
#define LARGE 300000 /* two leaves of 256 KiB */
#define WIDE_LEAF 65536 /* a file of as many equal leaves is what the workers take */
#define WIDE_LEAVES ((size_t)40)

typedef struct content {
  const char *name, *seed;
  size_t len;
} content;

typedef struct bytes_seen {
  uint8_t *data;
  size_t len, cap;
} bytes_seen;

#define ADD(...) (&(ipfsa_add_options){.struct_size = sizeof(ipfsa_add_options), .recursive = true, __VA_ARGS__})

void workload_path_in(char *ret, size_t cap, const char *dir, const char *name);
void workload_put_file(const char *path, const char *seed, size_t len);
void workload_put_files(const char *dir, const content *files);
void workload_put_wide(const char *path);
void workload_copy_tree(const char *from, const char *to);
void workload_remove_tree(const char *path);
int workload_see(void *ctx, const void *data, size_t len);
bool workload_is_content(const bytes_seen *b, const char *seed, size_t len);
void workload_expect_cat(ipfsa_node *node, const ipfsa_cid *root, const content *file, const char *where);
void workload_expect_folder(ipfsa_node *node, const ipfsa_cid *root, const content *files, const char *where);
void workload_expect_in_files(ipfsa_node *node, const char *path, const char *seed, size_t len, const char *where);
char workload_which_in_files(ipfsa_node *node, const char *path, const content *old, const content *new, const char *where);
char workload_pin_of(ipfsa_node *node, const ipfsa_cid *cid, const char *where);
ipfsa_status workload_add(ipfsa_node *node, const char *path, const ipfsa_add_options *options, ipfsa_cid *ret, ipfsa_error *err);
const char *workload_src(world *w, const char *name);
ipfsa_status workload_write_files(world *w, ipfsa_node *node, const char *to, const char *from, ipfsa_error *err);
int workload_note_damage(void *ctx, const ipfsa_cid *cid, const char *what);
extern const content workload_kept_files[];
extern const content workload_loose_files[];
extern const content workload_new_files[];
extern const content workload_import_files[];
extern const content workload_precious;

#endif
