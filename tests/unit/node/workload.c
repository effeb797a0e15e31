#include "workload_inside.h"

#include <dirent.h>
#include <fcntl.h>
#include <ipfsa/alias.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the operations ---- */

static ipfsa_status add_folder(world *w, ipfsa_node *node, ipfsa_error *err) { return workload_add(node, workload_src(w, "new"), ADD(), &w->fresh, err); }
static void check_added(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (!acknowledged) return; /* what is pinned is complete: looked at for all pins */
  workload_expect_folder(node, &w->fresh, workload_new_files, where);
  if (workload_pin_of(node, &w->fresh, where) != 'r') fail_msg("%s: what was added is not pinned", where);
}

static ipfsa_status add_large(world *w, ipfsa_node *node, ipfsa_error *err) { return workload_add(node, workload_src(w, "new/large"), ADD(.chunker = "size-65536"), &w->fresh, err); }
static void check_large(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (acknowledged) workload_expect_cat(node, &w->fresh, &(content){NULL, "new large", LARGE}, where);
}

static ipfsa_status add_stream(world *w, ipfsa_node *node, ipfsa_error *err) {
  int fd = open(workload_src(w, "new/two"), O_RDONLY);
  ipfsa_status status = ipfsa_add(node, NULL, 0, fd, ADD(.chunker = "rabin-4096-8192-16384", .trickle = IPFSA_ON, .hash = "blake2b-256", .wrap = true, .stdin_name = "s"), &w->fresh, err);
  close(fd);
  return status;
}
static void check_stream(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (acknowledged) workload_expect_cat(node, &w->fresh, &(content){"s", "new two", 70000}, where);
}

static ipfsa_status add_nocopy(world *w, ipfsa_node *node, ipfsa_error *err) { return workload_add(node, workload_src(w, "external2"), ADD(.nocopy = true, .raw_leaves = IPFSA_ON), &w->fresh, err); }
static void check_nocopy(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (acknowledged) workload_expect_cat(node, &w->fresh, &(content){NULL, "external2", LARGE}, where);
}

static ipfsa_status add_to_files(world *w, ipfsa_node *node, ipfsa_error *err) { return workload_add(node, workload_src(w, "g"), ADD(.to_files = "/dir/"), &w->fresh, err); }
static const content file_g = {NULL, "files g", 90000}, file_f = {NULL, "files f", 1500};
static void check_to_files(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  if (workload_which_in_files(node, "/dir/f", &file_f, NULL, where) != 'o') fail_msg("%s: /dir/f is gone", where);
  if (workload_which_in_files(node, "/dir/g", NULL, &file_g, where) != 'n' && acknowledged) fail_msg("%s: /dir/g is not there", where);
}

static ipfsa_status import_car(world *w, ipfsa_node *node, ipfsa_error *err) {
  int fd = open(workload_src(w, "import.car"), O_RDONLY);
  ipfsa_status status = ipfsa_dag_import(node, fd, "import.car", NULL, NULL, err);
  close(fd);
  return status;
}
static void check_imported(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  bool pinned = workload_pin_of(node, &w->imported, where) == 'r';
  if (acknowledged && !pinned) fail_msg("%s: what was imported is not pinned", where);
  if (pinned) workload_expect_folder(node, &w->imported, workload_import_files, where);
}

static ipfsa_status pin_loose(world *w, ipfsa_node *node, ipfsa_error *err) { return ipfsa_pin_add(node, &w->loose, NULL, err); }
static void check_pinned(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (workload_pin_of(node, &w->loose, where) != 'r' && acknowledged) fail_msg("%s: the new pin is not there", where);
}

static ipfsa_status name_loose(world *w, ipfsa_node *node, ipfsa_error *err) {
  ipfsa_alias aliases[] = {{"org/loose", w->loose}, {"org/kept", w->kept}};
  return ipfsa_alias_set(node, aliases, 2, err);
}
static int count_event(void *ctx, const ipfsa_alias_event *event) {
  (void)event;
  ++*(int *)ctx;
  return 0;
}
static void check_named(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  ipfsa_cid loose, kept;
  ipfsa_error err = {0};
  int n_events = 0;
  ipfsa_status one = ipfsa_alias_get(node, "org/loose", &loose, &err), two = ipfsa_alias_get(node, "org/kept", &kept, &err);
  ipfsa_status three = ipfsa_alias_history(node, "org/kept", count_event, &n_events, &err);
  if (one != two || one != three || (one && one != IPFSA_E_NOT_FOUND)) fail_msg("%s: one of two names, or no history: %s", where, err.message);
  if (one && acknowledged) fail_msg("%s: the names are not there", where);
  if (one == IPFSA_OK && (!ipfsa_cid_equal(&loose, &w->loose) || !ipfsa_cid_equal(&kept, &w->kept) || n_events != 1)) fail_msg("%s: names of other CIDs", where);
}

static ipfsa_status unpin_other(world *w, ipfsa_node *node, ipfsa_error *err) { return ipfsa_pin_rm(node, &w->other, true, err); }
static void check_unpinned(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (workload_pin_of(node, &w->other, where) != '-' && acknowledged) fail_msg("%s: the pin is still there", where);
  workload_expect_cat(node, &w->other, &(content){NULL, "other", 2000}, where);
}

static ipfsa_status update_pin(world *w, ipfsa_node *node, ipfsa_error *err) { return ipfsa_pin_update(node, &w->other, &w->loose, true, err); }
static void check_updated(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char was = workload_pin_of(node, &w->other, where), is = workload_pin_of(node, &w->loose, where);
  if ((was == '-') != (is == 'r')) fail_msg("%s: both or none of two pins", where);
  if (acknowledged && is != 'r') fail_msg("%s: the pin did not move", where);
}

static ipfsa_status collect(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  return ipfsa_repo_gc(node, NULL, NULL, err);
}
static void check_collected(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  bytes_seen seen = {0};
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_block_get(node, &w->loose_file, workload_see, &seen, &err);
  if (status == IPFSA_OK && acknowledged) fail_msg("%s: garbage is still there", where);
  if (status != IPFSA_OK && status != IPFSA_E_NOT_FOUND) fail_msg("%s: a garbage block: %s", where, err.message);
  free(seen.data);
}

static ipfsa_status put_block(world *w, ipfsa_node *node, ipfsa_error *err) {
  uint8_t data[30000];
  test_shake128("block", data, sizeof data);
  return ipfsa_block_put(node, (ipfsa_bytes){data, sizeof data}, 1, IPFSA_CODEC_RAW, IPFSA_HASH_SHA2_256, 0, true, &w->fresh, err);
}
static void check_block(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  if (!acknowledged) return;
  workload_expect_cat(node, &w->fresh, &(content){NULL, "block", 30000}, where);
  if (workload_pin_of(node, &w->fresh, where) == '-') fail_msg("%s: the block is not pinned", where);
}

static ipfsa_status remove_block(world *w, ipfsa_node *node, ipfsa_error *err) { return ipfsa_block_rm(node, &w->loose_file, false, err); }

static ipfsa_status verify(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  ipfsa_repo_verify_result result;
  ipfsa_status status = ipfsa_repo_verify(node, NULL, &result, err);
  return status;
}

static ipfsa_status repair(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  ipfsa_repo_verify_result result;
  ipfsa_status status = ipfsa_repo_verify(node, &(ipfsa_repo_verify_options){.struct_size = sizeof(ipfsa_repo_verify_options), .repair = true}, &result, err);
  if (status == IPFSA_OK && (result.n_damaged != 1 || result.n_quarantined != 1)) {
    char what[256] = "";
    (void)!ipfsa_repo_verify(node, &(ipfsa_repo_verify_options){.struct_size = sizeof(ipfsa_repo_verify_options), .damaged = workload_note_damage, .damaged_ctx = what}, NULL, NULL);
    fail_msg("repair: %llu damaged, %llu quarantined; then: %s", (unsigned long long)result.n_damaged, (unsigned long long)result.n_quarantined, what);
  }
  return status;
}
static void check_repaired(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char path[700];
  ipfsa_error err = {0};
  ipfsa_status status = ipfsa_block_get(node, &w->loose_file, workload_see, &(bytes_seen){0}, &err);
  if (status != (acknowledged ? IPFSA_E_NOT_FOUND : status == IPFSA_E_CORRUPT ? IPFSA_E_CORRUPT : IPFSA_E_NOT_FOUND)) fail_msg("%s: the damaged block: %s", where, ipfsa_status_to_string(status));
  if (status != IPFSA_E_NOT_FOUND) return;
  workload_path_in(path, sizeof path, w->repo, "quarantine");
  DIR *dir = opendir(path);
  int n = 0;
  for (struct dirent *e; dir && (e = readdir(dir));) n += strstr(e->d_name, ".block") && !strstr(e->d_name, ".tmp");
  closedir(dir);
  if (n != 1) fail_msg("%s: %d blocks in quarantine", where, n);
}

static ipfsa_status overwrite(world *w, ipfsa_node *node, ipfsa_error *err) { return workload_write_files(w, node, "/dir/f", "g", err); }
static void check_overwritten(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  if (workload_which_in_files(node, "/dir/f", &file_f, &file_g, where) != 'n' && acknowledged) fail_msg("%s: /dir/f is the old one", where);
}

static ipfsa_status copy_in(world *w, ipfsa_node *node, ipfsa_error *err) {
  char from[IPFSA_MAX_CID_TEXT + 8] = "/ipfs/";
  ipfsa_cid_format(&w->other, from + 6);
  return ipfsa_files_cp(node, from, "/dir/new/other", true, false, err);
}
static void check_copied(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  workload_expect_in_files(node, "/dir/f", "files f", 1500, where);
  if (workload_which_in_files(node, "/dir/new/other", NULL, &(content){NULL, "other", 2000}, where) != 'n' && acknowledged) fail_msg("%s: the copy is not there", where);
}

static ipfsa_status move(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  return ipfsa_files_mv(node, "/dir/f", "/h", err);
}
static void check_moved(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  char from = workload_which_in_files(node, "/dir/f", &file_f, NULL, where), to = workload_which_in_files(node, "/h", &file_f, NULL, where);
  if ((from == '-') == (to == '-')) fail_msg("%s: both or none of two names", where);
  if (acknowledged && to != 'o') fail_msg("%s: it did not move", where);
}

static ipfsa_status remove_file(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  return ipfsa_files_rm(node, "/dir", true, false, err);
}
static void check_removed(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  if (workload_which_in_files(node, "/dir/f", &file_f, NULL, where) != '-' && acknowledged) fail_msg("%s: /dir is still there", where);
}

static ipfsa_status make_folder(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  return ipfsa_files_mkdir(node, "/a/b", true, IPFSA_UNSET, NULL, err);
}

static ipfsa_status change_mode(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  return ipfsa_files_chmod(node, "/dir/f", 0640, err);
}
static void check_mode(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  ipfsa_error err = {0};
  ipfsa_files_stat st;
  if (ipfsa_files_stat_get(node, "/dir/f", &st, &err)) fail_msg("%s: files stat: %s", where, err.message);
  if (st.mode != 0640 && (acknowledged || st.mode != 0)) fail_msg("%s: the mode is %o", where, st.mode);
}

static ipfsa_status change_root(world *w, ipfsa_node *node, ipfsa_error *err) {
  ipfsa_cid old, made;
  return ipfsa_files_chroot(node, &w->kept, &old, &made, err);
}
static void check_root(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  ipfsa_error err = {0};
  ipfsa_files_stat st;
  if (ipfsa_files_stat_get(node, "/", &st, &err)) fail_msg("%s: files stat: %s", where, err.message);
  bool changed = ipfsa_cid_equal(&st.cid, &w->kept);
  if (acknowledged && !changed) fail_msg("%s: the root is not the new one", where);
  if (!changed) workload_expect_in_files(node, "/dir/f", "files f", 1500, where);
}

static ipfsa_status save_config(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  return ipfsa_node_config_set(node, "import.cid_version", "1", true, err);
}
static void check_saved(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)w;
  ipfsa_error err = {0};
  char *version = NULL, *enabled = NULL;
  if (ipfsa_node_config_get(node, "import.cid_version", &version, &err) || ipfsa_node_config_get(node, "filestore.enabled", &enabled, &err)) fail_msg("%s: config: %s", where, err.message);
  if (strcmp(enabled, "true") != 0 || (acknowledged && strcmp(version, "1") != 0)) fail_msg("%s: config: %s %s", where, version, enabled);
  ipfsa_text_free(version);
  ipfsa_text_free(enabled);
}

static ipfsa_status replace_config(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)w;
  static const char text[] = "# mine\n[filestore]\nenabled = true\n[import]\ncid_version = 1\n";
  return ipfsa_node_config_replace(node, text, sizeof text - 1, err);
}

static ipfsa_status get_path(world *w, ipfsa_node *node, const char *below, const char *name, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT + 64], target[700];
  ipfsa_cid_format(&w->kept, path);
  strcat(path, below);
  workload_path_in(target, sizeof target, w->out, name);
  return ipfsa_get(node, path, target, NULL, err);
}

static bool file_is(const char *path, const content *want) {
  bytes_seen seen = {0};
  char buf[4096];
  FILE *file = fopen(path, "rb");
  if (!file) return false;
  for (size_t n; (n = fread(buf, 1, sizeof buf, file));) workload_see(&seen, buf, n);
  fclose(file);
  bool same = workload_is_content(&seen, want->seed, want->len);
  free(seen.data);
  return same;
}

/* Only whole files, under names that belong there. */
static size_t check_out(const char *dir, const content *files, const char *where) {
  char path[700];
  size_t n = 0;
  DIR *d = opendir(dir);
  for (struct dirent *e; d && (e = readdir(d));) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    const content *file = files;
    while (file->name && strcmp(file->name, e->d_name) != 0) file++;
    if (!file->name) fail_msg("%s: get left %s", where, e->d_name);
    workload_path_in(path, sizeof path, dir, e->d_name);
    if (!file_is(path, file)) fail_msg("%s: get left half of %s", where, e->d_name);
    n++;
  }
  if (d) closedir(d);
  return n;
}

static ipfsa_status get_file(world *w, ipfsa_node *node, ipfsa_error *err) { return get_path(w, node, "/large", "got/large", err); }
static void check_got_file(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char path[700];
  (void)node;
  workload_path_in(path, sizeof path, w->out, "got");
  if (check_out(path, workload_kept_files, where) != 1 && acknowledged) fail_msg("%s: get said it is there", where);
}

static ipfsa_status get_over(world *w, ipfsa_node *node, ipfsa_error *err) { return get_path(w, node, "/large", "over/large", err); }
static void check_got_over(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char path[700];
  (void)node;
  workload_path_in(path, sizeof path, w->out, "over/large");
  if (!acknowledged && file_is(path, &workload_precious)) return;
  workload_path_in(path, sizeof path, w->out, "over");
  if (check_out(path, workload_kept_files, where) != 1) fail_msg("%s: neither the old file nor the new one", where);
}

static ipfsa_status get_folder(world *w, ipfsa_node *node, ipfsa_error *err) { return get_path(w, node, "", "got/kept", err); }
static void check_got_folder(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char path[700];
  (void)node;
  workload_path_in(path, sizeof path, w->out, "got/kept");
  if (check_out(path, workload_kept_files, where) != 3 && acknowledged) fail_msg("%s: get said it is there", where);
}

static bool is_wide(const bytes_seen *b) {
  for (size_t at = 0; b->len == (size_t)WIDE_LEAF * WIDE_LEAVES && at < b->len; at += WIDE_LEAF)
    if (!workload_is_content(&(bytes_seen){.data = b->data + at, .len = WIDE_LEAF}, "wide", WIDE_LEAF)) return false;
  return b->len == (size_t)WIDE_LEAF * WIDE_LEAVES;
}

static ipfsa_status get_wide(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT], to[700];
  ipfsa_cid_format(&w->wide, path);
  workload_path_in(to, sizeof to, w->out, "wide");
  return ipfsa_get(node, path, to, NULL, err);
}
static void check_got_wide(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char path[700];
  (void)node;
  workload_path_in(path, sizeof path, w->out, "wide");
  FILE *file = fopen(path, "rb");
  if (!file && acknowledged) fail_msg("%s: get said it is there", where);
  if (!file) return;
  static uint8_t buf[1 << 16];
  bytes_seen seen = {0};
  for (size_t n; (n = fread(buf, 1, sizeof buf, file));) workload_see(&seen, buf, n);
  fclose(file);
  if (!is_wide(&seen)) fail_msg("%s: get left half of a file", where);
  free(seen.data);
}

static ipfsa_status cat_wide(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT];
  bytes_seen seen = {0};
  ipfsa_cid_format(&w->wide, path);
  ipfsa_status status = ipfsa_cat(node, path, 0, UINT64_MAX, workload_see, &seen, NULL, NULL, err);
  if (status == IPFSA_OK && !is_wide(&seen)) fail_msg("cat gave other bytes and said OK");
  free(seen.data);
  return status;
}

static ipfsa_status get_tar(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT];
  bytes_seen seen = {0};
  ipfsa_cid_format(&w->kept, path);
  ipfsa_status status = ipfsa_get_tar(node, path, workload_see, &seen, NULL, err);
  if (status == IPFSA_OK && seen.len != 512 * (1 + 1 + 1 + 1 + 2 + (LARGE + 511) / 512 + 2)) fail_msg("a tar of %zu bytes", seen.len);
  free(seen.data);
  return status;
}

static ipfsa_status cat_large(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT + 64];
  bytes_seen seen = {0};
  ipfsa_cid_format(&w->kept, path);
  strcat(path, "/large");
  ipfsa_status status = ipfsa_cat(node, path, 0, UINT64_MAX, workload_see, &seen, NULL, NULL, err);
  if (status == IPFSA_OK && !workload_is_content(&seen, "kept large", LARGE)) fail_msg("cat gave other bytes and said OK");
  free(seen.data);
  return status;
}

static int count_entry(void *ctx, const ipfsa_entry *entry) {
  *(size_t *)ctx += entry->name_len > 0;
  return 0;
}
static int count_ref(void *ctx, const ipfsa_cid *from, const ipfsa_cid *to, const char *name, size_t len) {
  (void)from, (void)to, (void)name, (void)len;
  ++*(size_t *)ctx;
  return 0;
}
static int count_block(void *ctx, const ipfsa_cid *cid, uint64_t size) {
  (void)cid, (void)size;
  ++*(size_t *)ctx;
  return 0;
}

/* An answer that says OK and leaves something out would be worse than none. */
static ipfsa_status list_all(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT];
  size_t n_entries = 0, n_refs = 0, n_blocks = 0;
  ipfsa_repo_stat stat = {.struct_size = sizeof stat};
  ipfsa_cid_format(&w->kept, path);
  ipfsa_status status = ipfsa_ls(node, path, true, count_entry, &n_entries, err);
  if (status == IPFSA_OK) status = ipfsa_refs(node, (const char *const[]){path}, 1, 0, false, count_ref, &n_refs, err);
  if (status == IPFSA_OK) status = ipfsa_repo_list(node, count_block, &n_blocks, err);
  if (status == IPFSA_OK) status = ipfsa_repo_stat_get(node, &stat, err);
  if (status == IPFSA_OK && (n_entries != 3 || n_refs != 5 || n_blocks != stat.n_blocks))
    fail_msg("%zu entries, %zu refs, %zu of %llu blocks and OK", n_entries, n_refs, n_blocks, (unsigned long long)stat.n_blocks);
  return status;
}

static ipfsa_status export_car(world *w, ipfsa_node *node, ipfsa_error *err) {
  bytes_seen seen = {0};
  ipfsa_status status = ipfsa_dag_export(node, &w->kept, workload_see, &seen, NULL, NULL, err);
  free(seen.data);
  return status;
}

static ipfsa_status put_node(world *w, ipfsa_node *node, ipfsa_error *err) {
  static const char text[] = "{\"a\":[1,2.5,\"x\",{\"/\":{\"bytes\":\"AQID\"}}],\"b\":null}";
  bytes_seen seen = {0};
  char path[IPFSA_MAX_CID_TEXT + 8];
  ipfsa_status status = ipfsa_dag_put(node, (ipfsa_bytes){(const uint8_t *)text, sizeof text - 1}, &(ipfsa_dag_put_options){.struct_size = sizeof(ipfsa_dag_put_options), .pin = true}, &w->fresh, err);
  if (status) return status;
  ipfsa_cid_format(&w->fresh, path);
  status = ipfsa_dag_get(node, path, 0, workload_see, &seen, err);
  if (status == IPFSA_OK && (seen.len != sizeof text - 1 || memcmp(seen.data, text, seen.len) != 0)) fail_msg("dag get: %.*s", (int)seen.len, (char *)seen.data);
  free(seen.data);
  return status;
}

static ipfsa_status open_again(world *w, ipfsa_node *node, ipfsa_error *err) {
  (void)node;
  ipfsa_node *second = NULL;
  ipfsa_status status = world_open(w, &second, err);
  if (status == IPFSA_OK) ipfsa_node_close(second);
  return status;
}

static ipfsa_status make_repo(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[700];
  (void)node;
  workload_path_in(path, sizeof path, w->out, "fresh");
  return ipfsa_repo_init(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = path, .profile = "unixfs-v1-2025"}, err);
}
static void check_made(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char path[700];
  ipfsa_node *fresh = NULL;
  ipfsa_error err = {0};
  (void)node;
  workload_path_in(path, sizeof path, w->out, "fresh");
  ipfsa_status status = ipfsa_node_open(&(ipfsa_node_options){.struct_size = sizeof(ipfsa_node_options), .repo_path = path, .create = !acknowledged}, &fresh, NULL, &err);
  if (status) fail_msg("%s: init, then open: %s", where, err.message);
  ipfsa_node_close(fresh);
}

static ipfsa_status materialise(world *w, ipfsa_node *node, ipfsa_error *err) {
  char path[IPFSA_MAX_CID_TEXT];
  ipfsa_materialised *tree = NULL;
  ipfsa_cid_format(&w->kept, path);
  ipfsa_status status = ipfsa_materialise(node, path, "user", NULL, &tree, err);
  ipfsa_materialised_free(tree);
  return status;
}

static int count_use(void *ctx, const ipfsa_cid *cid, const char *user) {
  *(size_t *)ctx += ipfsa_cid_is_none(cid) == false && strcmp(user, "user") == 0;
  return 0;
}

/* A use that is written down has a whole tree. One of nobody may still be there: a lease that could not be removed keeps it, whole, while its process lives. */
static void check_materialised(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  char dir[600], path[1000];
  size_t n_uses = 0, n_trees = 0;
  ipfsa_error err = {0};
  ipfsa_gc_options at_once = {.struct_size = sizeof at_once, .lease_grace_s = UINT64_MAX};
  if (ipfsa_repo_gc(node, &at_once, NULL, &err) || ipfsa_materialise_uses(node, count_use, &n_uses, &err)) fail_msg("%s: %s", where, err.message);
  if (acknowledged && n_uses != 1) fail_msg("%s: it is materialised, and no use is written down", where);
  workload_path_in(dir, sizeof dir, w->repo, "materialised");
  DIR *trees = opendir(dir);
  for (struct dirent *e; trees && (e = readdir(trees));) {
    if (e->d_name[0] == '.' || strcmp(e->d_name, "files") == 0) continue;
    if (snprintf(path, sizeof path, "%s/%s/content", dir, e->d_name) < 0) fail();
    if (check_out(path, workload_kept_files, where) != 3) fail_msg("%s: %s is not whole", where, path);
    n_trees++;
  }
  if (trees) closedir(trees);
  if (n_trees < n_uses) fail_msg("%s: %zu trees for %zu uses", where, n_trees, n_uses);
}

static ipfsa_status evict(world *w, ipfsa_node *node, ipfsa_error *err) {
  ipfsa_status status = materialise(w, node, err);
  if (status == IPFSA_OK) status = ipfsa_materialise_release(node, NULL, "user", NULL, err);
  return status ? status : ipfsa_repo_gc(node, NULL, NULL, err);
}
static void check_evicted(world *w, ipfsa_node *node, bool acknowledged, const char *where) {
  (void)acknowledged;
  check_materialised(w, node, false, where);
}

const operation operations[] = {
    {"add a folder", add_folder, check_added, 0, false, WRITES_REPO},
    {"add a large file", add_large, check_large, 0, false, WRITES_REPO},
    {"add a stream", add_stream, check_stream, 0, false, WRITES_REPO},
    {"add --nocopy", add_nocopy, check_nocopy, 0, false, WRITES_REPO},
    {"add --to-files", add_to_files, check_to_files, MAY_FILES, false, WRITES_REPO},
    {"dag import", import_car, check_imported, 0, false, WRITES_REPO},
    {"pin add", pin_loose, check_pinned, 0, false, WRITES_REPO},
    {"alias set", name_loose, check_named, 0, false, WRITES_REPO},
    {"pin rm", unpin_other, check_unpinned, MAY_OTHER, false, WRITES_REPO},
    {"pin update", update_pin, check_updated, MAY_OTHER, false, WRITES_REPO},
    {"gc", collect, check_collected, MAY_LOOSE, false, WRITES_REPO},
    {"block put", put_block, check_block, 0, false, WRITES_REPO},
    {"block rm", remove_block, check_collected, MAY_LOOSE, false, WRITES_REPO},
    {"verify", verify, NULL, 0, false, WRITES_NOTHING},
    {"verify --repair", repair, check_repaired, 0, true, WRITES_REPO},
    {"files write", overwrite, check_overwritten, MAY_FILES, false, WRITES_REPO},
    {"files cp", copy_in, check_copied, 0, false, WRITES_REPO},
    {"files mv", move, check_moved, MAY_FILES, false, WRITES_REPO},
    {"files rm", remove_file, check_removed, MAY_FILES, false, WRITES_REPO},
    {"files chmod", change_mode, check_mode, 0, false, WRITES_REPO},
    {"files chroot", change_root, check_root, MAY_FILES, false, WRITES_REPO},
    {"files mkdir", make_folder, NULL, 0, false, WRITES_REPO},
    {"config set", save_config, check_saved, 0, false, WRITES_REPO},
    {"config replace", replace_config, check_saved, 0, false, WRITES_REPO},
    {"get a file", get_file, check_got_file, 0, false, WRITES_NOTHING},
    {"get by workers", get_wide, check_got_wide, 0, false, WRITES_NOTHING},
    {"cat by workers", cat_wide, NULL, 0, false, WRITES_NOTHING},
    {"get over a file", get_over, check_got_over, 0, false, WRITES_OUT},
    {"get a folder", get_folder, check_got_folder, 0, false, WRITES_NOTHING},
    {"materialise", materialise, check_materialised, MAY_LOOSE, false, WRITES_REPO},
    {"materialise, release, gc", evict, check_evicted, MAY_LOOSE, false, WRITES_REPO},
    {"get -a", get_tar, NULL, 0, false, WRITES_NOTHING},
    {"cat", cat_large, NULL, 0, false, WRITES_NOTHING},
    {"ls, refs, repo ls", list_all, NULL, 0, false, WRITES_NOTHING},
    {"dag export", export_car, NULL, 0, false, WRITES_NOTHING},
    {"dag put, dag get", put_node, NULL, 0, false, WRITES_REPO},
    {"open", open_again, NULL, 0, false, WRITES_NOTHING},
    {"init", make_repo, check_made, 0, false, WRITES_OUT},
};
const size_t n_operations = sizeof operations / sizeof *operations;
