#include "node/repo_dir.h"

#include <errno.h>
#include <sys/file.h>

static const char marker_format[] = "ipfs-accelerate repo, version %u\n";

/* What an interrupted init of ours can have left behind. */
static bool is_ours(const char *name) {
  static const char *const names[] = {"packs", "index", "meta", "quarantine", "materialised", "holds", "lock", IPFSA_REPO_CONFIG, "lost+found"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(name, names[i]) == 0) return true;
  size_t len = strlen(name);
  return len > 4 && strcmp(name + len - 4, ".tmp") == 0;
}

typedef struct folder_scan {
  bool kubo, strange;
  char first[256];
} folder_scan;

static int scan_entry(void *ctx, const char *name, unsigned char type) {
  (void)type;
  folder_scan *scan = ctx;
  if (strcmp(name, "datastore_spec") == 0 || strcmp(name, "keystore") == 0) scan->kubo = true;
  if (!is_ours(name) && !scan->strange) {
    scan->strange = true;
    snprintf(scan->first, sizeof scan->first, "%s", name);
  }
  return 0;
}

/* The folder has no marker of ours: whose is it? OK when it is empty or half made by us. */
static ipfsa_status check_foreign(int fd, const char *path, ipfsa_error *err) {
  folder_scan scan = {0};
  ipfsa_status status = ipfsa_fs_list(fd, ".", scan_entry, &scan, err);
  if (status) return status;
  if (scan.kubo)
    return ipfsa_fail(err, IPFSA_E_FOREIGN,
                      "%s is a repo of Kubo, which this program leaves alone; set IPFSA_PATH or --repo-dir to another folder",
                      path);
  if (scan.strange)
    return ipfsa_fail(err, IPFSA_E_FOREIGN,
                      "%s is no repo of this program and not empty (it holds \"%s\"); set IPFSA_PATH or --repo-dir to another folder",
                      path, scan.first);
  return IPFSA_OK;
}

static ipfsa_status check_marker(int fd, const char *path, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *text = NULL;
  size_t len = 0;
  ipfsa_status status = ipfsa_fs_read_file(fd, IPFSA_REPO_MARKER, 4096, &text, &len, err);
  if (status == IPFSA_E_NOT_FOUND) {
    status = check_foreign(fd, path, err);
    if (status) return status;
    return ipfsa_fail(err, IPFSA_E_NO_REPO, "no IPFS repo found in %s.\nplease run: 'ipfs-accelerate init'", path);
  }
  if (status) return ipfsa_error_prefix(err, status, "%s", path);
  unsigned version = 0;
  if (sscanf(text, marker_format, &version) != 1 || version == 0)
    return ipfsa_fail(err, IPFSA_E_MALFORMED, "%s/%s should say \"ipfs-accelerate repo, version N\"; restore it or use another repo",
                      path, IPFSA_REPO_MARKER);
  if (version > IPFSA_REPO_VERSION)
    return ipfsa_fail(err, IPFSA_E_VERSION,
                      "the repo %s is of version %u, this program knows version %d; use a newer program", path, version,
                      IPFSA_REPO_VERSION);
  if (version < IPFSA_REPO_VERSION) /* its records of pins and roots have no checksums */
    return ipfsa_fail(err, IPFSA_E_VERSION,
                      "the repo %s is of version %u, this program knows version %d alone; take its content out with the program that made it (dag export), or use another folder",
                      path, version, IPFSA_REPO_VERSION);
  return IPFSA_OK;
}

ipfsa_status ipfsa_repo_dir_open(const char *path, int *ret_fd, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  int fd = ipfsa_fs_open_dir(AT_FDCWD, path, err);
  if (fd < 0 && err->status == IPFSA_E_NOT_FOUND)
    return ipfsa_fail(err, IPFSA_E_NO_REPO, "no IPFS repo found in %s.\nplease run: 'ipfs-accelerate init'", path);
  if (fd < 0) return err->status;
  ipfsa_status status = check_marker(fd, path, err);
  if (status) {
    ipfsa_fs_close(&fd);
    return status;
  }
  *ret_fd = fd;
  return IPFSA_OK;
}

/* Makes every missing folder of the path. */
static ipfsa_status make_path(const char *path, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *copy = ipfsa_strdup(path);
  if (!copy) return ipfsa_fail_nomem(err);
  for (char *slash = copy + 1;; slash++) {
    slash = strchr(slash, '/');
    if (slash) *slash = '\0';
    struct stat st;
    if (stat(copy, &st) != 0) {
      ipfsa_status status = ipfsa_fs_mkdir(AT_FDCWD, copy, 0700, err);
      if (status && status != IPFSA_E_EXISTS) return status;
    }
    if (!slash) return IPFSA_OK;
    *slash = '/';
  }
}

ipfsa_store_options ipfsa_repo_store_options(const ipfsa_config *config) {
  return (ipfsa_store_options){
      .max_size = ipfsa_config_bytes(config, "store.max_size"),
      .max_pack_size = ipfsa_config_bytes(config, "store.max_pack_size"),
      .allow_external = ipfsa_config_bool(config, "filestore.enabled"),
  };
}

static ipfsa_status apply_profiles(ipfsa_config *config, const char *profiles, ipfsa_error *err) {
  while (profiles && *profiles) {
    size_t len = strcspn(profiles, ",");
    IPFSA_AUTO_FREE char *name = ipfsa_strndup(profiles, len);
    if (!name) return ipfsa_fail_nomem(err);
    ipfsa_status status = *name ? ipfsa_config_apply_profile(config, name, err) : IPFSA_OK;
    if (status) return status;
    profiles += len + (profiles[len] == ',');
  }
  return IPFSA_OK;
}

static ipfsa_status make_store(int fd, const ipfsa_config *config, ipfsa_error *err) {
  ipfsa_store_options options = ipfsa_repo_store_options(config);
  options.create = true;
  ipfsa_store *store = NULL;
  ipfsa_status status = ipfsa_store_open(fd, &options, &store, err);
  ipfsa_store_close(store);
  return status;
}

/* Without the marker nothing was ever acknowledged: tables that an interrupted init left torn are made anew. */
static ipfsa_status drop_half_made(int fd, ipfsa_error *err) {
  static const char *const names[] = {"meta/data.mdb", "meta/lock.mdb", "index"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    ipfsa_status status = ipfsa_fs_unlink(fd, names[i], err);
    if (status && status != IPFSA_E_NOT_FOUND) return status;
  }
  return IPFSA_OK;
}

/* The tables are on the disk before the marker says that there is a repo. */
static ipfsa_status sync_tables(int fd, ipfsa_error *err) {
  IPFSA_AUTO_FD int data = ipfsa_fs_open(fd, "meta/data.mdb", O_RDWR, 0, err);
  if (data < 0) return err->status;
  ipfsa_status status = ipfsa_fs_sync(data, err);
  if (status == IPFSA_OK) status = ipfsa_fs_sync_dir(fd, "meta", err);
  return status ? status : ipfsa_fs_sync_dir(fd, ".", err);
}

static ipfsa_status fill_repo(int fd, const char *profile, ipfsa_error *err) {
  ipfsa_config *config = NULL;
  ipfsa_status status = ipfsa_config_load(fd, IPFSA_REPO_CONFIG, &config, err);
  if (status == IPFSA_OK) status = apply_profiles(config, profile, err);
  if (status == IPFSA_OK) status = ipfsa_config_save(config, fd, IPFSA_REPO_CONFIG, err);
  if (status == IPFSA_OK) status = drop_half_made(fd, err);
  if (status == IPFSA_OK) status = make_store(fd, config, err);
  if (status == IPFSA_OK) status = sync_tables(fd, err);
  ipfsa_config_free(config);
  if (status) return status;
  char marker[sizeof marker_format + 16];
  int len = snprintf(marker, sizeof marker, marker_format, (unsigned)IPFSA_REPO_VERSION);
  return ipfsa_fs_replace_file(fd, IPFSA_REPO_MARKER, marker, (size_t)len, 0644, err);
}

ipfsa_status ipfsa_repo_dir_init(const char *path, const char *profile, ipfsa_error *err) {
  ipfsa_error local = {0};
  if (!err) err = &local;
  ipfsa_status status = make_path(path, err);
  if (status) return status;
  IPFSA_AUTO_FD int fd = ipfsa_fs_open_dir(AT_FDCWD, path, err);
  if (fd < 0) return err->status;
  /* Two programs that make the same repo at once: the second waits here and then finds it made. */
  if (flock(fd, LOCK_EX) != 0) return ipfsa_fail_errno(err, errno, "lock %s", path);
  status = check_marker(fd, path, err);
  if (status == IPFSA_OK)
    return ipfsa_fail(err, IPFSA_E_EXISTS, "there is a repo in %s already", path);
  if (status != IPFSA_E_NO_REPO) return status;
  status = fill_repo(fd, profile, err);
  if (status) return status;
  return ipfsa_fs_sync_dir(fd, "..", err);
}

ipfsa_status ipfsa_repo_config_load(const char *given, ipfsa_config **ret, ipfsa_error *err) {
  IPFSA_AUTO_FREE char *path = NULL;
  IPFSA_AUTO_FREE char *file = NULL;
  bool is_given = given && *given;
  ipfsa_status status = is_given ? IPFSA_OK : ipfsa_repo_default_path(&path, err);
  if (status == IPFSA_E_NOT_FOUND) return ipfsa_config_parse("", 0, IPFSA_REPO_CONFIG, ret, err);
  if (status) return status;
  size_t size = strlen(is_given ? given : path) + sizeof "/" IPFSA_REPO_CONFIG;
  if (!(file = ipfsa_malloc(size))) return ipfsa_fail_nomem(err);
  snprintf(file, size, "%s/%s", is_given ? given : path, IPFSA_REPO_CONFIG);
  return ipfsa_config_load(AT_FDCWD, file, ret, err);
}
