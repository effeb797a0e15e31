#include <errno.h>
#include <ipfsa/config.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/input.h"

#define MAX_CONFIG (1u << 20)

static const cli_option options[] = {
    {CLI_BOOL, "bool", NULL, "false", "Set a boolean value"},
    {CLI_BOOL, "json", NULL, "false", "Parse stringified JSON"},
    {CLI_BOOL, "expand-auto", NULL, "false", "Accepted: no value of ours is 'auto'"},
    {0},
};
static const cli_arg args[] = {{"key", CLI_ARG_REQUIRED, "The key of the config entry (e.g. \"Import.CidVersion\")."}, {"value", 0, "The value to set the config entry to."}, {0}};

/* What a JSON string says, in its place; the library escapes quotes, backslashes and control characters. */
static void unescape(char *text) {
  static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
  char *out = text;
  for (const char *p = text + 1; *p && *p != '"';) {
    unsigned code = 0;
    const char *letter = NULL;
    if (*p != '\\') *out++ = *p++;
    else if (p[1] == 'u' && sscanf(p + 2, "%4x", &code) == 1) *out++ = (char)code, p += 6;
    else letter = strchr(from, p[1]), *out++ = letter ? to[letter - from] : p[1], p += 2;
  }
  *out = '\0';
}

static int print_value(cli_context *ctx, ipfsa_node *node) {
  char *json = NULL;
  ipfsa_error err = {0};
  if (ipfsa_node_config_get(node, cli_arg_at(ctx, 0), &json, &err)) return cli_fail(ctx, &err);
  bool text = !cli_json(ctx) && json[0] == '"';
  if (text) unescape(json), cli_out_name(ctx, json, strlen(json));
  else cli_out(ctx, "%s", json);
  cli_out(ctx, "\n");
  ipfsa_text_free(json);
  return 0;
}

static int run(cli_context *ctx) {
  bool set = cli_n_args(ctx) > 1, boolean = cli_bool(ctx, "bool");
  ipfsa_node *node = cli_node(ctx, set, false);
  if (!node) return 1;
  if (!set) return print_value(ctx, node);
  const char *value = cli_arg_at(ctx, 1);
  ipfsa_error err = {0};
  if (boolean) value = strcmp(value, "true") == 0 ? "true" : "false";
  return ipfsa_node_config_set(node, cli_arg_at(ctx, 0), value, boolean || cli_bool(ctx, "json"), &err) ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_config = {
    .name = "config",
    .tagline = "Get and set IPFS config values.",
    .description = "Reads or changes one value; the type is known, so numbers and sizes need no --json. Comments and order of the file stay.",
    .example = "> ipfs-accelerate config --json Import.CidVersion 1\n> ipfs-accelerate config store.max_size 500GB\n> ipfs-accelerate config import.chunker",
    .options = options,
    .args = args,
    .run = run,
};

static int run_show(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, false, false);
  char *text = NULL;
  ipfsa_error err = {0};
  if (!node) return 1;
  if (ipfsa_node_config_show(node, cli_json(ctx), &text, &err)) return cli_fail(ctx, &err);
  cli_out(ctx, cli_json(ctx) ? "%s\n" : "%s", text);
  ipfsa_text_free(text);
  return 0;
}

const cli_verb cli_verb_config_show = {
    .name = "config show",
    .tagline = "Output config file contents.",
    .description = "All values in effect, defaults included: TOML, or with --enc=json in Kubo's shape.",
    .example = "> ipfs-accelerate config show",
    .run = run_show,
};

static int run_replace(cli_context *ctx) {
  size_t len = 0;
  ipfsa_error err = {0};
  uint8_t *data = cli_read_input(ctx, 0, MAX_CONFIG, "that is no configuration", &len);
  ipfsa_node *node = data ? cli_node(ctx, true, false) : NULL;
  bool failed = node && ipfsa_node_config_replace(node, (const char *)data, len, &err);
  free(data);
  return !node ? 1 : failed ? cli_fail(ctx, &err) : 0;
}

const cli_verb cli_verb_config_replace = {
    .name = "config replace",
    .tagline = "Replace the config with <file>.",
    .description = "The file is TOML; it is checked before it takes the old one's place.",
    .example = "> ipfs-accelerate config replace new.toml",
    .args = (const cli_arg[]){{"file", CLI_ARG_REQUIRED | CLI_ARG_FILE | CLI_ARG_STDIN, "The file to use as the new config."}, {0}},
    .run = run_replace,
};

static bool write_text(int fd, const char *text) {
  size_t len = strlen(text);
  return write(fd, text, len) == (ssize_t)len;
}

static bool run_editor(const char *path) {
  pid_t pid = fork();
  int state = 1;
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", "exec $EDITOR \"$1\"", "sh", path, (char *)NULL);
    _exit(127);
  }
  return pid > 0 && waitpid(pid, &state, 0) == pid && WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

/* The text in a file of its own, whose name is put into path. */
static bool make_file(cli_context *ctx, char *path, size_t cap, const char *text) {
  const char *folder = getenv("TMPDIR");
  snprintf(path, cap, "%s/ipfs-accelerate-config-XXXXXX.toml", folder && *folder ? folder : "/tmp");
  int fd = mkstemps(path, 5);
  bool ok = fd >= 0 && write_text(fd, text);
  if (!ok) cli_fail_text(ctx, "write %s: %s", path, strerror(errno));
  if (!ok && fd >= 0) unlink(path);
  if (fd >= 0) close(fd);
  return ok;
}

static int run_edit(cli_context *ctx) {
  ipfsa_node *node = cli_node(ctx, true, false);
  if (!node) return 1;
  const char *editor = getenv("EDITOR");
  if (!editor || !*editor) return cli_fail_text(ctx, "ENV variable $EDITOR not set");
  char path[4096], *text = NULL;
  static char edited[MAX_CONFIG + 2];
  ipfsa_error err = {0};
  if (ipfsa_node_config_text(node, &text, &err)) return cli_fail(ctx, &err);
  bool made = make_file(ctx, path, sizeof path, text);
  ipfsa_text_free(text);
  if (!made) return 1;
  FILE *file = run_editor(path) ? fopen(path, "rb") : NULL; /* editors put a new file in the old one's place */
  size_t len = file ? fread(edited, 1, sizeof edited - 1, file) : 0;
  if (file) fclose(file);
  if (!file) {
    unlink(path);
    return cli_fail_text(ctx, "the editor did not end well; nothing was changed");
  }
  if (ipfsa_node_config_replace(node, edited, len, &err)) return cli_fail_text(ctx, "%s; nothing was changed, your text is in %s", err.message, path);
  unlink(path);
  return 0;
}

const cli_verb cli_verb_config_edit = {
    .name = "config edit",
    .tagline = "Open the config file for editing in $EDITOR.",
    .description = "The result is checked before it is kept.",
    .example = "> EDITOR=vi ipfs-accelerate config edit",
    .run = run_edit,
};

const cli_verb cli_verb_config_profile = {
    .name = "config profile",
    .tagline = "Apply profiles to config.",
    .description = "Named sets of values: unixfs-v0-2015 (alias legacy-cid-v0) and unixfs-v1-2025 fix the CIDs that add gives; test chooses\n"
                   "free ports for the RPC and the gateway, default-networking takes that back.",
};

/* Lines that only one of the two texts has. */
static void print_difference(cli_context *ctx, const char *from, const char *to, char mark) {
  while (*from) {
    size_t len = strcspn(from, "\n");
    bool found = false;
    for (const char *at = to; *at && !found;) {
      size_t n = strcspn(at, "\n");
      found = n == len && memcmp(at, from, n) == 0;
      at += n + (at[n] == '\n');
    }
    if (!found) cli_out(ctx, "%c %.*s\n", mark, (int)len, from);
    from += len + (from[len] == '\n');
  }
}

static int run_profile(cli_context *ctx) {
  bool dry_run = cli_bool(ctx, "dry-run");
  ipfsa_node *node = cli_node(ctx, !dry_run, false);
  char *before = NULL, *after = NULL;
  ipfsa_error err = {0};
  if (!node) return 1;
  if (ipfsa_node_config_apply_profile(node, cli_arg_at(ctx, 0), dry_run, &before, &after, &err)) return cli_fail(ctx, &err);
  print_difference(ctx, before, after, '-');
  print_difference(ctx, after, before, '+');
  ipfsa_text_free(before);
  ipfsa_text_free(after);
  return 0;
}

const cli_verb cli_verb_config_profile_apply = {
    .name = "config profile apply",
    .tagline = "Apply profile to config.",
    .description = "Sets the values of a profile and prints what changed.",
    .example = "> ipfs-accelerate config profile apply unixfs-v1-2025 --dry-run",
    .options = (const cli_option[]){{CLI_BOOL, "dry-run", NULL, "false", "print difference between the current config and the config that would be generated"}, {0}},
    .args = (const cli_arg[]){{"profile", CLI_ARG_REQUIRED, "The profile to apply to the config."}, {0}},
    .run = run_profile,
};
