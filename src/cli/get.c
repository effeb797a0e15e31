#include <errno.h>
#include <fcntl.h>
#include <ipfsa/read.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "cli/cli.h"

static const cli_option options[] = {
    {CLI_STRING, "output", "o", NULL, "The path where the output should be stored"},
    {CLI_BOOL, "archive", "a", "false", "Output a TAR archive"},
    {CLI_BOOL, "compress", "C", "false", "Compress the output with GZIP compression"},
    {CLI_INT, "compression-level", "l", NULL, "The level of compression (1-9)"},
    {CLI_BOOL, "progress", "p", "true", "Stream progress data"},
    {CLI_BOOL, "any-symlink", NULL, "false", "Make symbolic links that lead out of the target, too"},
    {0},
};
static const cli_arg args[] = {{"ipfs-path", CLI_ARG_REQUIRED | CLI_ARG_STDIN, "The path to the IPFS object(s) to be outputted."}, {0}};

/* Last segment of the path; an existing folder given with -o takes the content under that name. */
static void choose_target(const cli_context *ctx, char *ret, size_t cap) {
  const char *path = cli_arg_at(ctx, 0), *out = cli_string(ctx, "output");
  size_t len = strlen(path);
  while (len > 1 && path[len - 1] == '/') len--;
  const char *slash = memrchr(path, '/', len);
  const char *base = slash ? slash + 1 : path;
  int base_len = (int)(len - (size_t)(base - path));
  struct stat st;
  if (!*out) snprintf(ret, cap, "%.*s", base_len, base);
  else if (stat(out, &st) == 0 && S_ISDIR(st.st_mode)) snprintf(ret, cap, "%s/%.*s", out, base_len, base);
  else snprintf(ret, cap, "%s", out);
}

/* An archive under way: plain or through gzip. */
typedef struct archive {
  FILE *file;
  gzFile gz;
} archive;

static int archive_write(void *ctx, const void *data, size_t len) {
  archive *a = ctx;
  if (a->gz) return len == 0 || gzwrite(a->gz, data, (unsigned)len) == (int)len ? 0 : -1;
  return fwrite(data, 1, len, a->file) == len ? 0 : -1;
}

static bool archive_close(archive *a) {
  bool ok = !a->gz || gzclose(a->gz) == Z_OK;
  return a->file ? fclose(a->file) == 0 && ok : ok;
}

/* A file that was compressed alone stays a file; folders and -a make a tar. */
static ipfsa_status fill_archive(cli_context *ctx, ipfsa_node *node, const ipfsa_get_options *o, archive *a, ipfsa_error *err) {
  const char *path = cli_arg_at(ctx, 0);
  uint64_t size;
  bool single = !cli_bool(ctx, "archive") && ipfsa_file_size(node, path, &size, NULL) == IPFSA_OK;
  if (single) return ipfsa_cat(node, path, 0, UINT64_MAX, archive_write, a, o->progress, o->progress_ctx, err);
  return ipfsa_get_tar(node, path, archive_write, a, o, err);
}

static int save_archive(cli_context *ctx, ipfsa_node *node, const char *target, ipfsa_get_options *o) {
  char temp[4200], mode[8] = "wb", folder[4200];
  archive a = {0};
  ipfsa_error err = {0};
  snprintf(temp, sizeof temp, "%s.%ld.tmp", target, (long)getpid());
  int64_t level = cli_int(ctx, "compression-level");
  if (level) snprintf(mode, sizeof mode, "wb%d", (int)level);
  snprintf(folder, sizeof folder, "%s", target);
  if (!cli_bool(ctx, "compress")) o->room_in = dirname(folder); /* how small it gets, nobody knows before */
  int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd >= 0 && cli_bool(ctx, "compress")) a.gz = gzdopen(fd, mode);
  else if (fd >= 0) a.file = fdopen(fd, "wb");
  if (!a.gz && !a.file) {
    int why = errno;
    if (fd >= 0) close(fd), unlink(temp);
    return cli_fail_text(ctx, "open %s: %s", temp, strerror(why));
  }
  ipfsa_status status = fill_archive(ctx, node, o, &a, &err);
  bool closed = archive_close(&a);
  if (status == IPFSA_OK && closed && rename(temp, target) == 0) return 0;
  int why = errno;
  unlink(temp);
  return status ? cli_fail(ctx, &err) : cli_fail_text(ctx, "write %s: %s", target, strerror(why));
}

static int run(cli_context *ctx) {
  char target[4097];
  bool archived = cli_bool(ctx, "archive") || cli_bool(ctx, "compress");
  int64_t level = cli_int(ctx, "compression-level");
  if (cli_bool(ctx, "compress") && cli_is_set(ctx, "compression-level") && (level < 1 || level > 9))
    return cli_fail_text(ctx, "compression level must be between 1 and 9");
  ipfsa_node *node = cli_node(ctx, false, false);
  if (!node) return 1;
  choose_target(ctx, target, sizeof target);
  ipfsa_cid cid;
  ipfsa_error err = {0};
  if (ipfsa_resolve(node, cli_arg_at(ctx, 0), &cid, NULL, &err)) return cli_fail(ctx, &err);
  if (archived && !cli_is_set(ctx, "output"))
    strncat(target, cli_bool(ctx, "archive") ? cli_bool(ctx, "compress") ? ".tar.gz" : ".tar" : ".gz", sizeof target - strlen(target) - 1);
  cli_out(ctx, archived ? "Saving archive to " : "Saving file(s) to ");
  cli_out_name(ctx, target, strlen(target));
  cli_out(ctx, "\n");
  cli_progress *progress = cli_progress_start(ctx, "get", cli_bool(ctx, "progress"));
  ipfsa_get_options o = {.struct_size = sizeof o, .any_symlink = cli_bool(ctx, "any-symlink"), .progress = cli_progress_step, .progress_ctx = progress};
  int code = archived ? save_archive(ctx, node, target, &o) : ipfsa_get(node, cli_arg_at(ctx, 0), target, &o, &err) ? -1 : 0;
  cli_progress_end(progress);
  return code < 0 ? cli_fail(ctx, &err) : code;
}

const cli_verb cli_verb_get = {
    .name = "get",
    .tagline = "Download IPFS objects.",
    .description = "Stores to disk the data contained in an IPFS object, under the name of the path's last segment or at '-o'.\n"
                   "Nothing is written outside the target: names and symbolic links that lead out of it are refused.",
    .example = "> ipfs-accelerate get -o model bafybei…",
    .options = options,
    .args = args,
    .run = run,
};
