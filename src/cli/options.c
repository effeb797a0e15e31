/* Options and arguments, parsed as Kubo's program does: options anywhere, short ones combined, booleans take a value only after "=". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cid_tables.h"
#include "cli/context.h"

#define MAX_STDIN (64u << 20) /* bytes of arguments read from standard input */

const cli_option cli_global_options[] = {
    {CLI_STRING, "repo-dir", NULL, NULL, "Path of the repo (default: $IPFSA_PATH, $IPFS_PATH, ~/.ipfs-accelerate)"},
    {CLI_BOOL, "debug", "D", NULL, "Operate in debug mode"},
    {CLI_BOOL, "help", NULL, NULL, "Show the full command help text"},
    {CLI_BOOL, "h", NULL, NULL, "Show a short version of the command help text"},
    {CLI_BOOL, "offline", NULL, NULL, "Accepted: every command is offline"},
    {CLI_BOOL, "local", "L", NULL, "Accepted: the same as --offline"},
    {CLI_STRING, "api", NULL, NULL, "Refused: every command works on the repo itself"},
    {CLI_STRING, "api-auth", NULL, NULL, "Accepted; goes with --api"},
    {CLI_STRING, "config", "c", NULL, "Refused: the configuration is config.toml in the repo"},
    {CLI_STRING, "config-file", NULL, NULL, "Refused: the configuration is config.toml in the repo"},
    {CLI_BOOL, "stream-channels", NULL, NULL, "Accepted: output is streamed where it can be"},
    {CLI_STRING, "cid-base", NULL, NULL, "Multibase encoding used for version 1 CIDs in output"},
    {CLI_BOOL, "upgrade-cidv0-in-output", NULL, NULL, "Upgrade version 0 to version 1 CIDs in output"},
    {CLI_STRING, "encoding", "enc", "text", "The encoding type the output should be encoded with (text, json)"},
    {CLI_BOOL, "json-output", "json", NULL, "Short for --encoding=json"},
    {CLI_STRING, "timeout", NULL, NULL, "Set a global timeout on the command, for example 30s or 2m"},
    {CLI_STRING, "lock-timeout", NULL, "10s", "How long to wait for another process that is writing to the repo"},
    {0},
};

static bool option_named(const cli_option *option, const char *name, size_t len) {
  return (strlen(option->name) == len && memcmp(option->name, name, len) == 0) ||
         (option->alias && strlen(option->alias) == len && memcmp(option->alias, name, len) == 0);
}

static const cli_option *find_in(const cli_option *table, const char *name, size_t len) {
  for (; table && table->type != CLI_END; table++)
    if (option_named(table, name, len)) return table;
  return NULL;
}

/* "files" of "files cp": its options go with each of its commands. */
static const cli_verb *group_of(const cli_verb *verb) {
  char name[64];
  const char *space = strrchr(verb->name, ' ');
  if (!space) return NULL;
  snprintf(name, sizeof name, "%.*s", (int)(space - verb->name), verb->name);
  return cli_find_verb(name);
}

static const cli_option *find_option(const cli_context *ctx, const char *name, size_t len) {
  const cli_option *found = ctx->verb ? find_in(ctx->verb->options, name, len) : NULL;
  const cli_verb *group = !found && ctx->verb ? group_of(ctx->verb) : NULL;
  if (group) found = find_in(group->options, name, len);
  return found ? found : find_in(cli_global_options, name, len);
}

const char *cli_given(const cli_context *ctx, const char *name) {
  const char *text = NULL;
  for (size_t i = 0; i < ctx->n_values; i++)
    if (strcmp(ctx->values[i].option->name, name) == 0) text = ctx->values[i].text;
  return text;
}

static const cli_option *known_option(const cli_context *ctx, const char *name) {
  return find_option(ctx, name, strlen(name));
}

static const char *value_of(const cli_context *ctx, const char *name) {
  const char *text = cli_given(ctx, name);
  if (text) return text;
  const cli_option *option = known_option(ctx, name);
  return option ? option->default_ : NULL;
}

bool cli_is_set(const cli_context *ctx, const char *option) { return cli_given(ctx, option) != NULL; }

bool cli_bool(const cli_context *ctx, const char *option) {
  const char *text = value_of(ctx, option);
  return text && (strcmp(text, "true") == 0 || strcmp(text, "1") == 0 || strcmp(text, "t") == 0);
}

const char *cli_string(const cli_context *ctx, const char *option) {
  const char *text = value_of(ctx, option);
  return text ? text : "";
}

double cli_parse_decimal(const char *text, const char **ret_end) {
  size_t len = strspn(text, "0123456789.");
  char *end = NULL;
  double v = len ? strtod(text, &end) : -1; /* "0x10", "1e3" and "1.2.3" end elsewhere */
  *ret_end = text + len;
  return len && end == *ret_end ? v : -1;
}

int64_t cli_int(const cli_context *ctx, const char *option) { return strtoll(cli_string(ctx, option), NULL, 0); }
uint64_t cli_uint(const cli_context *ctx, const char *option) { return strtoull(cli_string(ctx, option), NULL, 0); }

size_t cli_strings(const cli_context *ctx, const char *option, const char *const **ret) {
  size_t n = 0;
  for (size_t i = 0; i < ctx->n_values; i++)
    if (strcmp(ctx->values[i].option->name, option) == 0) ctx->list[n++] = ctx->values[i].text;
  *ret = ctx->list;
  return n;
}

size_t cli_n_args(const cli_context *ctx) { return ctx->n_args; }
const char *const *cli_args(const cli_context *ctx) { return ctx->args; }
const char *cli_arg_at(const cli_context *ctx, size_t i) { return i < ctx->n_args ? ctx->args[i] : NULL; }

static bool valid_value(const cli_option *option, const char *text) {
  char *end = NULL;
  errno = 0;
  switch (option->type) {
  case CLI_BOOL: {
    static const char *const words[] = {"true", "false", "1", "0", "t", "f"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
      if (strcmp(text, words[i]) == 0) return true;
    return false;
  }
  case CLI_INT: (void)strtoll(text, &end, 0); return *text && !*end && !errno;
  case CLI_UINT: (void)strtoull(text, &end, 0); return *text && *text != '-' && !*end && !errno;
  default: return true;
  }
}

static const char *type_word(cli_type type) {
  return type == CLI_BOOL ? "bool" : type == CLI_INT ? "int" : type == CLI_UINT ? "uint" : "string";
}

/* Room for every possible value was made from the arguments. */
static int add_value(cli_context *ctx, const cli_option *option, const char *text) {
  if (!valid_value(option, text))
    return cli_fail_text(ctx, "option \"%s\" needs a value of type %s, got \"%s\"", option->name,
                         type_word(option->type), text);
  ctx->values[ctx->n_values++] = (cli_value){option, text};
  return 0;
}

static int parse_long(cli_context *ctx, const char *body, char **argv, int argc, int *i) {
  const char *equals = strchr(body, '=');
  size_t len = equals ? (size_t)(equals - body) : strlen(body);
  const cli_option *option = find_option(ctx, body, len);
  if (!option) return cli_fail_text(ctx, "unknown option \"%.*s\"", (int)len, body);
  if (equals) return add_value(ctx, option, equals + 1);
  if (option->type == CLI_BOOL) return add_value(ctx, option, "true");
  if (*i + 1 >= argc) return cli_fail_text(ctx, "missing argument for option \"%s\"", option->name);
  return add_value(ctx, option, argv[++*i]);
}

static int parse_short(cli_context *ctx, const char *body, char **argv, int argc, int *i) {
  for (; *body; body++) {
    const cli_option *option = find_option(ctx, body, 1);
    if (!option) return cli_fail_text(ctx, "unknown option \"%.1s\"", body);
    if (body[1] == '=') return add_value(ctx, option, body + 2);
    if (option->type != CLI_BOOL) {
      if (body[1]) return add_value(ctx, option, body + 1);
      if (*i + 1 >= argc) return cli_fail_text(ctx, "missing argument for option \"%s\"", option->name);
      return add_value(ctx, option, argv[++*i]);
    }
    int code = add_value(ctx, option, "true");
    if (code) return code;
  }
  return 0;
}

/* Finds the verb: words that are no options, as long as they name something. Global options before it may take a value. Fails for those of
 * Kubo's that are not here. */
static int find_verb_words(cli_context *ctx, int argc, char **argv, bool *is_word) {
  char name[256] = "";
  for (int i = 1; i < argc; i++) {
    if (argv[i][0] == '-' && argv[i][1]) {
      if (strcmp(argv[i], "--") == 0) break;
      const char *body = argv[i] + (argv[i][1] == '-' ? 2 : 1);
      const cli_option *option = find_in(cli_global_options, body, strlen(body));
      if (option && option->type != CLI_BOOL) i++;
      continue;
    }
    size_t used = strlen(name);
    if (used + strlen(argv[i]) + 2 > sizeof name) break;
    snprintf(name + used, sizeof name - used, "%s%s", used ? " " : "", argv[i]);
    const cli_verb *verb = cli_find_verb(name);
    const char *why = verb ? NULL : cli_why_unsupported(name);
    if (why) return cli_fail_text(ctx, "'%s %s' is not supported: %s", ctx->program, name, why);
    if (!verb) break;
    ctx->verb = verb;
    is_word[i] = true;
  }
  return 0;
}

static int distance(const char *a, const char *b) {
  size_t rows = strlen(a), cols = strlen(b);
  int cost[64];
  if (cols >= 63) return 99;
  for (size_t j = 0; j <= cols; j++) cost[j] = (int)j;
  for (size_t i = 1; i <= rows; i++) {
    int diagonal = cost[0];
    cost[0] = (int)i;
    for (size_t j = 1; j <= cols; j++) {
      int best = diagonal + (a[i - 1] != b[j - 1]);
      if (cost[j] + 1 < best) best = cost[j] + 1;
      if (cost[j - 1] + 1 < best) best = cost[j - 1] + 1;
      diagonal = cost[j];
      cost[j] = best;
    }
  }
  return cost[cols];
}

static int unknown_command(cli_context *ctx, const char *word) {
  bool any = false;
  cli_fail_text(ctx, "Unknown Command \"%s\"", word);
  for (int far = 1; far <= 2; far++)
    for (const cli_verb *const *v = cli_verbs; *v; v++) {
      if (strchr((*v)->name, ' ') || distance(word, (*v)->name) != far) continue;
      cli_err(ctx, "%s\t%s\n", any ? "" : "\nDid you mean any of these?\n\n", (*v)->name);
      any = true;
    }
  if (!any) cli_err(ctx, "\n");
  return 1;
}

static int check_file(cli_context *ctx, const char *path) {
  struct stat st;
  if (strcmp(path, "-") == 0 || lstat(path, &st) == 0) return 0;
  const char *why = strerror(errno);
  if (errno == ENOENT) why = "no such file or directory";
  return cli_usage_fail(ctx, "lstat %s: %s", path, why);
}

/* Each line becomes an argument that points into the text. */
static int take_lines(cli_context *ctx, char *text, size_t len) {
  size_t n_lines = 0;
  for (size_t i = 0; i < len; i++) n_lines += text[i] == '\n';
  const char **args = realloc(ctx->args, (ctx->n_args + n_lines + 1) * sizeof *args);
  if (!args) return cli_fail_text(ctx, "out of memory");
  ctx->args = args;
  char *save = NULL;
  for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) ctx->args[ctx->n_args++] = line;
  return 0;
}

/* Arguments, one a line, from standard input. */
static int read_stdin_lines(cli_context *ctx) {
  size_t len = 0, cap = 65536, n;
  char *text = ctx->stdin_lines = malloc(cap + 1);
  if (!text) return cli_fail_text(ctx, "out of memory");
  if (isatty(STDIN_FILENO)) cli_err(ctx, "%s: Reading from /dev/stdin; send Ctrl-d to stop.\n", ctx->program);
  while ((n = fread(text + len, 1, cap - len, stdin)) > 0) {
    len += n;
    if (len > MAX_STDIN) return cli_fail_text(ctx, "standard input holds over %u bytes of arguments; give fewer at a time", MAX_STDIN);
    if (len < cap) continue;
    char *grown = realloc(text, cap * 2 + 1);
    if (!grown) return cli_fail_text(ctx, "out of memory");
    ctx->stdin_lines = text = grown;
    cap *= 2;
  }
  if (ferror(stdin)) return cli_fail_text(ctx, "read standard input: %s", strerror(errno));
  if (memchr(text, '\0', len)) return cli_fail_text(ctx, "standard input holds a zero byte; expected arguments, one a line");
  text[len] = '\0';
  return take_lines(ctx, text, len);
}

static int check_args(cli_context *ctx) {
  const cli_arg *table = ctx->verb->args;
  size_t max = 0, required = 0, first_missing = 0;
  bool variadic = false;
  const cli_arg *last = NULL;
  for (const cli_arg *a = table; a && a->name; a++) {
    max++;
    required += (a->flags & CLI_ARG_REQUIRED) != 0;
    variadic |= (a->flags & CLI_ARG_VARIADIC) != 0;
    last = a;
  }
  if (!variadic && ctx->n_args > max)
    return cli_usage_fail(ctx, "expected %zu argument(s), got %zu", max, ctx->n_args);
  if (ctx->n_args < required && last && (last->flags & CLI_ARG_STDIN)) {
    if (last->flags & CLI_ARG_FILE) return 0; /* the verb reads standard input itself */
    int code = read_stdin_lines(ctx);
    if (code) return code;
    if (ctx->n_args < required) return cli_fail_text(ctx, "argument \"%s\" is required", last->name);
  }
  if (ctx->n_args < required) {
    for (const cli_arg *a = table; a && a->name && first_missing < ctx->n_args; a++) first_missing++;
    return cli_usage_fail(ctx, "argument \"%s\" is required", table[first_missing].name);
  }
  for (size_t i = 0; i < ctx->n_args && table; i++) {
    const cli_arg *a = &table[i < max ? i : max - 1];
    int code = (a->flags & CLI_ARG_FILE) ? check_file(ctx, ctx->args[i]) : 0;
    if (code) return code;
  }
  return 0;
}

static int check_globals(cli_context *ctx) {
  const char *encoding = cli_string(ctx, "encoding");
  if (strcmp(encoding, "text") != 0 && strcmp(encoding, "json") != 0)
    return cli_fail_text(ctx, "invalid encoding: %s; text and json are supported", encoding);
  const char *base = cli_string(ctx, "cid-base");
  if (*base && !cli_base_name(base)) return cli_fail_text(ctx, "unsupported multibase encoding: %s", base);
  static const char *const refused[][2] = {{"api", "every command works on the repo itself, there is no other node to ask"},
                                           {"config", "the configuration is config.toml in the repo"},
                                           {"config-file", "the configuration is config.toml in the repo"}};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
    if (cli_is_set(ctx, refused[i][0])) return cli_fail_text(ctx, "--%s is not supported: %s", refused[i][0], refused[i][1]);
  static const char *const durations[] = {"timeout", "lock-timeout"};
  for (size_t i = 0; i < 2; i++) {
    const char *text = cli_string(ctx, durations[i]);
    bool number = *text && text[strspn(text, "0123456789.")] == '\0' && strcmp(text, "0") != 0;
    if (*text && cli_parse_duration(text) < 0) return cli_fail_text(ctx, "time: %s duration \"%s\"", number ? "missing unit in" : "invalid", text);
  }
  return 0;
}

/* "-abc…" gives one value a letter. */
static size_t most_values(int argc, char **argv) {
  size_t n = 1;
  for (int i = 1; i < argc; i++) n += argv[i][0] == '-' && argv[i][1] != '-' ? strlen(argv[i]) : 1;
  return n;
}

int cli_parse(cli_context *ctx, int argc, char **argv) {
  bool *is_word = calloc((size_t)argc + 1, sizeof *is_word);
  size_t n_values = most_values(argc, argv);
  ctx->values = calloc(n_values, sizeof *ctx->values);
  ctx->list = calloc(n_values, sizeof *ctx->list);
  ctx->args = calloc((size_t)argc + 1, sizeof *ctx->args);
  if (!is_word || !ctx->values || !ctx->list || !ctx->args) {
    free(is_word);
    return cli_fail_text(ctx, "out of memory");
  }
  int code = find_verb_words(ctx, argc, argv, is_word);
  bool options_over = false;
  for (int i = 1; i < argc && !code; i++) {
    if (is_word[i]) continue;
    if (!options_over && strcmp(argv[i], "--") == 0) options_over = true;
    else if (!options_over && argv[i][0] == '-' && argv[i][1] == '-') code = parse_long(ctx, argv[i] + 2, argv, argc, &i);
    else if (!options_over && argv[i][0] == '-' && argv[i][1]) code = parse_short(ctx, argv[i] + 1, argv, argc, &i);
    else ctx->args[ctx->n_args++] = argv[i];
  }
  free(is_word);
  if (code) return code;
  if (!ctx->verb && ctx->n_args) return unknown_command(ctx, ctx->args[0]);
  if (cli_bool(ctx, "help") || !ctx->verb || (!ctx->verb->run && ctx->n_args == 0)) {
    cli_help_long(ctx, ctx->verb, stdout);
    return -1;
  }
  if (cli_bool(ctx, "h")) {
    cli_help_usage(ctx, ctx->verb, stdout);
    return -1;
  }
  code = check_globals(ctx);
  return code ? code : check_args(ctx);
}
