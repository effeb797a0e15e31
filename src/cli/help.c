/* Help in Kubo's form, made from the verb tables. */
#include <string.h>

#include "cli/context.h"

const cli_verb *cli_find_verb(const char *name) {
  for (const cli_verb *const *v = cli_verbs; *v; v++)
    if (strcmp((*v)->name, name) == 0) return *v;
  return NULL;
}

bool cli_is_subcommand_of(const char *name, const char *group) {
  size_t len = strlen(group);
  if (len == 0) return strchr(name, ' ') == NULL;
  return strncmp(name, group, len) == 0 && name[len] == ' ' && strchr(name + len + 1, ' ') == NULL;
}

static void print_args(const cli_verb *verb, FILE *to) {
  for (const cli_arg *a = verb->args; a && a->name; a++) {
    bool optional = !(a->flags & CLI_ARG_REQUIRED);
    fprintf(to, " %s<%s>%s%s", optional ? "[" : "", a->name, optional ? "]" : "",
            a->flags & CLI_ARG_VARIADIC ? "..." : "");
  }
}

/* Prints text with two spaces before each line. */
static void print_indented(const char *text, FILE *to) {
  while (*text) {
    size_t len = strcspn(text, "\n");
    if (len) fprintf(to, "  %.*s\n", (int)len, text);
    else fputc('\n', to);
    text += len + (text[len] == '\n');
  }
}

static size_t synopsis_width(const cli_context *ctx, const cli_verb *verb) {
  size_t n = strlen(ctx->program) + 1 + strlen(verb->name);
  for (const cli_arg *a = verb->args; a && a->name; a++)
    n += 3 + strlen(a->name) + (a->flags & CLI_ARG_REQUIRED ? 0 : 2) + (a->flags & CLI_ARG_VARIADIC ? 3 : 0);
  return n;
}

static void print_subcommands(const cli_context *ctx, const char *group, FILE *to) {
  size_t width = 0;
  for (const cli_verb *const *v = cli_verbs; *v; v++)
    if (cli_is_subcommand_of((*v)->name, group) && synopsis_width(ctx, *v) > width) width = synopsis_width(ctx, *v);
  fprintf(to, "SUBCOMMANDS\n");
  for (const cli_verb *const *v = cli_verbs; *v; v++) {
    if (!cli_is_subcommand_of((*v)->name, group)) continue;
    fprintf(to, "  %s %s", ctx->program, (*v)->name);
    print_args(*v, to);
    fprintf(to, "%*s - %s\n", (int)(width - synopsis_width(ctx, *v)), "", (*v)->tagline);
  }
  fprintf(to, "\n  For more information about each command, use:\n  '%s%s%s <subcmd> --help'\n\n\n", ctx->program,
          *group ? " " : "", group);
}

static void print_synopsis(const cli_context *ctx, const cli_verb *verb, FILE *to) {
  fprintf(to, "  %s %s", ctx->program, verb->name);
  for (const cli_option *o = verb->options; o && o->type != CLI_END; o++) {
    fprintf(to, " [--%s", o->name);
    if (o->type != CLI_BOOL) fprintf(to, "=<%s>", o->name);
    if (o->alias) fprintf(to, " | %s%s", strlen(o->alias) == 1 ? "-" : "--", o->alias);
    fputc(']', to);
  }
  if (verb->options && verb->args) fprintf(to, " [--]");
  print_args(verb, to);
  fputc('\n', to);
}

static const char *type_word(cli_type type) {
  static const char *const words[] = {"", "bool", "string", "int", "uint", "array"};
  return words[type];
}

static void print_options(const cli_option *options, FILE *to) {
  int width = 0;
  for (const cli_option *o = options; o && o->type != CLI_END; o++) {
    int n = (int)strlen(o->name) + (o->alias ? (int)strlen(o->alias) + 4 : 0);
    if (n > width) width = n;
  }
  for (const cli_option *o = options; o && o->type != CLI_END; o++) {
    char names[128];
    bool letter = o->alias && strlen(o->alias) == 1;
    if (o->alias) snprintf(names, sizeof names, "%s%s, --%s", letter ? "-" : "--", o->alias, o->name);
    else snprintf(names, sizeof names, "--%s", o->name);
    fprintf(to, "  %-*s  %-6s - %s.", width + 2, names, type_word(o->type), o->help);
    if (o->default_) fprintf(to, " Default: %s.", o->default_);
    fputc('\n', to);
  }
}

static void print_leaf(const cli_context *ctx, const cli_verb *verb, FILE *to) {
  fprintf(to, "\nSYNOPSIS\n");
  print_synopsis(ctx, verb, to);
  if (verb->args && verb->args->name) {
    fprintf(to, "\nARGUMENTS\n\n");
    for (const cli_arg *a = verb->args; a->name; a++)
      fprintf(to, "  <%s>%s - %s\n", a->name, a->flags & CLI_ARG_VARIADIC ? "..." : "", a->help);
  }
  if (verb->options) {
    fprintf(to, "\nOPTIONS\n\n");
    print_options(verb->options, to);
  }
  if (verb->description) {
    fprintf(to, "\nDESCRIPTION\n\n");
    print_indented(verb->description, to);
  }
  if (verb->example) {
    fprintf(to, "\nEXAMPLE\n\n");
    print_indented(verb->example, to);
  }
  fputc('\n', to);
}

static void print_root(const cli_context *ctx, FILE *to) {
  fprintf(to,
          "USAGE\n  %s - Put a model on IPFS at the speed of the disk; load it anywhere at the speed of memory.\n\n"
          "  %s [<global options>] <command> ...\n\nGLOBAL OPTIONS\n\n",
          ctx->program, ctx->program);
  print_options(cli_global_options, to);
  fputc('\n', to);
  print_subcommands(ctx, "", to);
}

void cli_help_long(const cli_context *ctx, const cli_verb *verb, FILE *to) {
  if (!verb) {
    print_root(ctx, to);
    return;
  }
  fprintf(to, "USAGE\n  %s %s", ctx->program, verb->name);
  print_args(verb, to);
  fprintf(to, " - %s\n", verb->tagline);
  if (verb->run) print_leaf(ctx, verb, to);
  bool group = false;
  for (const cli_verb *const *v = cli_verbs; *v && !group; v++) group = cli_is_subcommand_of((*v)->name, verb->name);
  if (!group) return;
  if (!verb->run) {
    fprintf(to, "\n  %s %s\n\n", ctx->program, verb->name);
    if (verb->description) print_indented(verb->description, to);
    if (verb->description) fputc('\n', to);
  }
  print_subcommands(ctx, verb->name, to);
}

void cli_help_usage(const cli_context *ctx, const cli_verb *verb, FILE *to) {
  if (!verb) {
    print_root(ctx, to);
    return;
  }
  fprintf(to, "USAGE\n  %s %s", ctx->program, verb->name);
  print_args(verb, to);
  fprintf(to, " - %s\n\n", verb->tagline);
  print_synopsis(ctx, verb, to);
  fprintf(to, "\nUse '%s %s --help' for more information about this command.\n", ctx->program, verb->name);
}
