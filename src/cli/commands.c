/* The list of verbs, and shell completions made from it. */
#include <string.h>

#include "cli/context.h"

static const cli_option command_options[] = {{CLI_BOOL, "flags", "f", "false", "Show command flags"}, {0}};
static const cli_arg no_args[] = {{0}};

/* Kubo's form: a line for each option, by name. */
static void print_flags(cli_context *ctx, const char *verb, const cli_option *options) {
  const cli_option *last = NULL;
  for (;;) { /* the next name in order; tables are short */
    const cli_option *next = NULL;
    for (const cli_option *o = options; o && o->type != CLI_END; o++)
      if ((!last || strcmp(o->name, last->name) > 0) && (!next || strcmp(o->name, next->name) < 0)) next = o;
    if (!next) return;
    cli_out(ctx, "%s %s %s%s", ctx->program, verb, strlen(next->name) == 1 ? "-" : "--", next->name);
    if (next->alias) cli_out(ctx, " / %s %s %s%s", ctx->program, verb, strlen(next->alias) == 1 ? "-" : "--", next->alias);
    cli_out(ctx, "\n");
    last = next;
  }
}

static size_t words_of(const char *name) {
  size_t n = 1;
  for (; *name; name++) n += *name == ' ';
  return n;
}

/* The tree as nested objects, in Kubo's form and with each tagline: the man page is made from it. Verbs are sorted, so a group stands right before what is in it. */
static void print_tree(cli_context *ctx) {
  size_t depth = 0;
  cli_out(ctx, "{\"Name\":\"%s\",\"Options\":[],\"Subcommands\":[", ctx->program);
  for (const cli_verb *const *v = cli_verbs; *v; v++) {
    size_t level = words_of((*v)->name) - 1;
    const char *space = strrchr((*v)->name, ' ');
    bool first = v == cli_verbs || level > depth - 1;
    for (; depth > level; depth--) cli_out(ctx, "]}");
    cli_out(ctx, "%s{\"Name\":\"%s\",\"Tagline\":", first ? "" : ",", space ? space + 1 : (*v)->name);
    cli_json_string(ctx, (*v)->tagline, strlen((*v)->tagline));
    cli_out(ctx, ",\"Options\":[");
    for (const cli_option *o = (*v)->options; o && o->type != CLI_END; o++)
      cli_out(ctx, "%s{\"Names\":[\"%s\"%s%s%s]}", o == (*v)->options ? "" : ",", o->name, o->alias ? ",\"" : "", o->alias ? o->alias : "", o->alias ? "\"" : "");
    cli_out(ctx, "],\"Subcommands\":[");
    depth++;
  }
  for (; depth; depth--) cli_out(ctx, "]}");
  cli_out(ctx, "]}\n");
}

static int run(cli_context *ctx) {
  if (cli_json(ctx)) return print_tree(ctx), 0;
  cli_out(ctx, "%s\n", ctx->program);
  for (const cli_verb *const *v = cli_verbs; *v; v++) {
    cli_out(ctx, "%s %s\n", ctx->program, (*v)->name);
    if (cli_bool(ctx, "flags")) print_flags(ctx, (*v)->name, (*v)->options);
  }
  return 0;
}

const cli_verb cli_verb_commands = {
    .name = "commands",
    .tagline = "List all available commands.",
    .description = "Lists all available commands (and subcommands) and exits.",
    .example = "> ipfs-accelerate commands --flags",
    .options = command_options,
    .args = no_args,
    .run = run,
};

const cli_verb cli_verb_commands_completion = {
    .name = "commands completion",
    .tagline = "Generate shell completions.",
    .description = "Prints a completion script, made from the commands of this very program.",
};

/* The words that may follow a verb, with its options. */
static void print_words(cli_context *ctx, const char *group, const cli_verb *verb) {
  const char *gap = "";
  for (const cli_verb *const *v = cli_verbs; *v; v++) {
    if (!cli_is_subcommand_of((*v)->name, group)) continue;
    const char *word = strrchr((*v)->name, ' ');
    cli_out(ctx, "%s%s", gap, word ? word + 1 : (*v)->name);
    gap = " ";
  }
  for (const cli_option *o = verb ? verb->options : cli_global_options; o && o->type != CLI_END; o++) {
    cli_out(ctx, "%s--%s", gap, o->name);
    gap = " ";
  }
}

static int run_bash(cli_context *ctx) {
  cli_out(ctx, "# bash completion for ipfs-accelerate\n_ipfs_accelerate() {\n  local words='' verb='' i cur=${COMP_WORDS[COMP_CWORD]}\n"
               "  for ((i = 1; i < COMP_CWORD; i++)); do [[ ${COMP_WORDS[i]} == -* ]] || verb=\"${verb:+$verb }${COMP_WORDS[i]}\"; done\n"
               "  while :; do\n    case $verb in\n      '') words='");
  print_words(ctx, "", NULL);
  cli_out(ctx, "' ;;\n");
  for (const cli_verb *const *v = cli_verbs; *v; v++) {
    cli_out(ctx, "      '%s') words='", (*v)->name);
    print_words(ctx, (*v)->name, *v);
    cli_out(ctx, "' ;;\n");
  }
  cli_out(ctx, "      *) verb=${verb%% *}; continue ;;\n    esac\n    break\n  done\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
               "  [[ $cur == -* ]] || COMPREPLY+=($(compgen -f -- \"$cur\"))\n}\ncomplete -o filenames -F _ipfs_accelerate ipfs-accelerate\n");
  return 0;
}

static int run_zsh(cli_context *ctx) {
  cli_out(ctx, "#compdef ipfs-accelerate\nautoload -U +X bashcompinit && bashcompinit\n");
  return run_bash(ctx);
}

static int run_fish(cli_context *ctx) {
  cli_out(ctx, "# fish completion for ipfs-accelerate\n");
  for (const cli_verb *const *v = cli_verbs; *v; v++) {
    const char *word = strrchr((*v)->name, ' ');
    if (!word) cli_out(ctx, "complete -c ipfs-accelerate -n __fish_use_subcommand -a '%s' -d '%s'\n", (*v)->name, (*v)->tagline);
    else cli_out(ctx, "complete -c ipfs-accelerate -n '__fish_seen_subcommand_from %.*s' -a '%s' -d '%s'\n", (int)strcspn((*v)->name, " "), (*v)->name, word + 1, (*v)->tagline);
    for (const cli_option *o = word ? NULL : (*v)->options; o && o->type != CLI_END; o++)
      cli_out(ctx, "complete -c ipfs-accelerate -n '__fish_seen_subcommand_from %s' -l '%s'\n", (*v)->name, o->name);
  }
  return 0;
}

#define COMPLETION(shell, how)                                                                                         \
  const cli_verb cli_verb_commands_completion_##shell = {                                                              \
      .name = "commands completion " #shell,                                                                           \
      .tagline = "Generate " #shell " shell completions.",                                                             \
      .description = how,                                                                                              \
      .example = "> ipfs-accelerate commands completion " #shell,                                                      \
      .args = no_args,                                                                                                 \
      .run = run_##shell,                                                                                              \
  };
COMPLETION(bash, "Put the output into /etc/bash_completion.d/ipfs-accelerate, or source it.")
COMPLETION(fish, "Put the output into ~/.config/fish/completions/ipfs-accelerate.fish.")
COMPLETION(zsh, "Put the output into a folder of $fpath as _ipfs-accelerate.")
