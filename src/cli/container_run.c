/* container logs, exec, stats, events, prune. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/engine.h"
#include "cli/said.h"

static int run_logs(cli_context *ctx) {
  ipfsa_engine *engine = cli_engine(ctx);
  if (!engine) return 1;
  ipfsa_container_logs_options options = {.struct_size = sizeof options, .follow = cli_bool(ctx, "follow"), .timestamps = cli_bool(ctx, "timestamps"), .tail = cli_uint(ctx, "tail"),
                                          .since = cli_is_set(ctx, "since") ? cli_string(ctx, "since") : NULL};
  ipfsa_error err = {0};
  cli_said said = {.ctx = ctx, .has_times = options.timestamps};
  ipfsa_status status = ipfsa_container_logs(engine, cli_arg_at(ctx, 0), &options, cli_said_take, &said, &err);
  cli_said_end(&said);
  return options.follow ? cli_engine_endless(ctx, status, &err) : status ? cli_fail(ctx, &err) : 0;
}

static const cli_option logs_options[] = {{CLI_BOOL, "follow", "f", NULL, "Go on until the container ends"},
                                          {CLI_BOOL, "timestamps", "t", NULL, "A time before every line"},
                                          {CLI_UINT, "tail", "n", NULL, "Only so many last lines"},
                                          {CLI_STRING, "since", NULL, NULL, "Only from this time on, in seconds since 1970"},
                                          CLI_ENGINE_OPTIONS};
static const cli_arg one_name[] = {{"name", CLI_ARG_REQUIRED, "Name of the container."}, {0}};

const cli_verb cli_verb_container_logs = {.name = "container logs",
                                          .tagline = "Show what a container says.",
                                          .description = "Its standard output and standard error, each to our own. With --json a line of JSON for each line.",
                                          .example = "> ipfs-accelerate container logs --follow web",
                                          .options = logs_options,
                                          .args = one_name,
                                          .run = run_logs};

/* --- exec --- */

static int run_exec(cli_context *ctx) {
  size_t n = cli_n_args(ctx) - 1;
  const char **words = malloc((n + 1) * sizeof *words);
  ipfsa_container_exec_options options = {.struct_size = sizeof options, .use_stdin = cli_bool(ctx, "interactive"), .stdin_fd = STDIN_FILENO};
  if (!words || !cli_texts(ctx, "env", &options.env)) {
    free(words);
    return 1;
  }
  for (size_t i = 0; i < n; i++) words[i] = cli_arg_at(ctx, i + 1);
  if (cli_is_set(ctx, "user")) options.user = cli_string(ctx, "user");
  if (cli_is_set(ctx, "workdir")) options.workdir = cli_string(ctx, "workdir");
  ipfsa_error err = {0};
  int64_t code = 1;
  ipfsa_engine *engine = cli_engine(ctx);
  cli_said said = {.ctx = ctx};
  ipfsa_status status = engine ? ipfsa_container_exec(engine, cli_arg_at(ctx, 0), (ipfsa_texts){words, n}, &options, cli_said_take, &said, &code, &err) : IPFSA_OK;
  cli_said_end(&said);
  cli_texts_free(&options.env);
  free(words);
  if (!engine) return 1;
  if (status) return cli_fail(ctx, &err);
  if (cli_json(ctx)) cli_out(ctx, "{\"ExitCode\":%lld}\n", (long long)code);
  return (int)(code & 0xff);
}

static const cli_option exec_options[] = {{CLI_BOOL, "interactive", "i", NULL, "Pass standard input on"},
                                          {CLI_STRINGS, "env", "e", NULL, "Environment, NAME=value"},
                                          {CLI_STRING, "user", "u", NULL, "User in the container"},
                                          {CLI_STRING, "workdir", "w", NULL, "Working folder in the container"},
                                          CLI_ENGINE_OPTIONS};
static const cli_arg exec_args[] = {{"name", CLI_ARG_REQUIRED, "Name of the container."},
                                    {"command", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC, "Command and arguments, behind -- when they hold options."},
                                    {0}};

const cli_verb cli_verb_container_exec = {.name = "container exec",
                                          .tagline = "Run a command in a container.",
                                          .description = "Its output is ours, and its exit code (126 or 127 when it cannot be run). With --json a line of\n"
                                                         "JSON for each line, and one with the exit code.",
                                          .example = "> ipfs-accelerate container exec web -- ls -l /tmp",
                                          .options = exec_options,
                                          .args = exec_args,
                                          .run = run_exec};

/* --- stats --- */

static int run_stats(cli_context *ctx) {
  ipfsa_engine *engine = cli_engine(ctx);
  ipfsa_error err = {0};
  ipfsa_container_stats s;
  if (!engine) return 1;
  if (ipfsa_container_get_stats(engine, cli_arg_at(ctx, 0), &s, &err) != IPFSA_OK) return cli_fail(ctx, &err);
  if (cli_json(ctx)) {
    cli_out(ctx, "{");
    cli_json_member(ctx, true, "Name", cli_arg_at(ctx, 0));
    cli_out(ctx, ",\"CpuPercent\":%.2f", s.cpu_percent);
    const struct { const char *key; uint64_t value; } rows[] = {{"MemoryBytes", s.memory_bytes}, {"MemoryLimit", s.memory_limit}, {"NetReceived", s.net_received},
        {"NetSent", s.net_sent}, {"DiskRead", s.disk_read}, {"DiskWritten", s.disk_written}, {"Pids", s.pids}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) cli_out(ctx, ",\"%s\":%llu", rows[i].key, (unsigned long long)rows[i].value);
    cli_out(ctx, "}\n");
    return 0;
  }
  cli_out(ctx, "cpu %.2f%%  memory %s of %s  network %s in, %s out", s.cpu_percent, cli_human_bytes(s.memory_bytes), cli_human_bytes(s.memory_limit),
          cli_human_bytes(s.net_received), cli_human_bytes(s.net_sent));
  cli_out(ctx, "  disk %s read, %s written  processes %llu\n", cli_human_bytes(s.disk_read), cli_human_bytes(s.disk_written), (unsigned long long)s.pids);
  return 0;
}

static const cli_option engine_options[] = {CLI_ENGINE_OPTIONS};
const cli_verb cli_verb_container_stats = {.name = "container stats",
                                           .tagline = "Show what a container uses.",
                                           .description = "One sample over a second or two; 100 % is one processor.",
                                           .example = "> ipfs-accelerate container stats web",
                                           .options = engine_options,
                                           .args = one_name,
                                           .run = run_stats};

/* --- the engine itself --- */

static int run_engine(cli_context *ctx) {
  ipfsa_engine *engine = cli_engine(ctx);
  ipfsa_error err = {0};
  ipfsa_engine_info info;
  if (!engine) return 1;
  if (ipfsa_engine_about(engine, &info, &err) != IPFSA_OK) return cli_fail(ctx, &err);
  if (cli_json(ctx)) {
    cli_out(ctx, "{");
    cli_json_member(ctx, true, "Address", info.address);
    cli_json_member(ctx, false, "FoundIn", info.found_in);
    cli_json_member(ctx, false, "Version", info.version);
    cli_json_member(ctx, false, "ApiVersion", info.api_version);
    cli_json_member(ctx, false, "Os", info.os);
    cli_json_member(ctx, false, "Arch", info.arch);
    cli_out(ctx, ",\"Podman\":%s}\n", info.is_podman ? "true" : "false");
    return 0;
  }
  cli_out(ctx, "%s ", info.is_podman ? "podman" : "docker");
  cli_name(ctx, info.version, 0);
  cli_out(ctx, " (API %s, ", info.api_version);
  cli_name(ctx, info.os, 0);
  cli_out(ctx, "/");
  cli_name(ctx, info.arch, 0);
  cli_out(ctx, ") at ");
  cli_name(ctx, info.address, 0);
  cli_out(ctx, ", from %s\n", info.found_in);
  return 0;
}

const cli_verb cli_verb_container_engine = {.name = "container engine",
                                            .tagline = "Show which container engine is used.",
                                            .description = "Its kind, version, the API version agreed on, its address and what named it.",
                                            .example = "> ipfs-accelerate container engine",
                                            .options = engine_options,
                                            .run = run_engine};

/* --- events --- */

static int print_event(void *arg, const ipfsa_container_event *e) {
  cli_context *ctx = arg;
  if (cli_json(ctx)) {
    cli_out(ctx, "{");
    cli_json_number(ctx, true, "TimeNano", e->time_ns);
    cli_json_member(ctx, false, "Type", e->type);
    cli_json_member(ctx, false, "Action", e->action);
    cli_json_member(ctx, false, "Id", e->id);
    cli_json_member(ctx, false, "Name", e->name);
    cli_json_member(ctx, false, "Image", e->image);
    cli_out(ctx, "}\n");
  } else {
    cli_out(ctx, "%lld.%09lld ", (long long)(e->time_ns / 1000000000), (long long)(e->time_ns % 1000000000));
    cli_name(ctx, e->type, 9);
    cli_out(ctx, " ");
    cli_name(ctx, *e->name ? e->name : e->id, 20);
    cli_out(ctx, " ");
    cli_name(ctx, e->action, 0);
    cli_out(ctx, "\n");
  }
  return fflush(stdout) == 0 ? 0 : -1;
}

static int run_events(cli_context *ctx) {
  ipfsa_engine *engine = cli_engine(ctx);
  if (!engine) return 1;
  ipfsa_container_events_options options = {.struct_size = sizeof options, .foreign = cli_bool(ctx, "foreign"), .since = cli_is_set(ctx, "since") ? cli_string(ctx, "since") : NULL,
                                            .until = cli_is_set(ctx, "until") ? cli_string(ctx, "until") : NULL};
  ipfsa_error err = {0};
  return cli_engine_endless(ctx, ipfsa_container_events(engine, &options, print_event, ctx, &err), &err);
}

static const cli_option events_options[] = {{CLI_STRING, "since", NULL, NULL, "From this time on, in seconds since 1970"},
                                            {CLI_STRING, "until", NULL, NULL, "Until this time, in seconds since 1970. Default: without end"},
                                            {CLI_BOOL, "foreign", NULL, NULL, "Those of others, too"},
                                            CLI_ENGINE_OPTIONS};
const cli_verb cli_verb_container_events = {.name = "container events",
                                            .tagline = "Show what happens to containers.",
                                            .description = "One line each, as it happens. A connection that ends is made again.",
                                            .example = "> ipfs-accelerate container events --since=1700000000",
                                            .options = events_options,
                                            .run = run_events};

/* --- prune --- */

static int print_pruned(void *arg, const char *kind, const char *name) {
  cli_context *ctx = arg;
  if (cli_json(ctx)) {
    cli_out(ctx, "{");
    cli_json_member(ctx, true, "Kind", kind);
    cli_json_member(ctx, false, "Name", name);
    cli_out(ctx, "}\n");
  } else {
    cli_out(ctx, "removed %s ", kind);
    cli_name(ctx, name, 0);
    cli_out(ctx, "\n");
  }
  return 0;
}

static int run_prune(cli_context *ctx) {
  ipfsa_engine *engine = cli_engine(ctx);
  if (!engine) return 1;
  ipfsa_container_prune_options options = {.struct_size = sizeof options, .containers = cli_bool(ctx, "containers"), .networks = cli_bool(ctx, "networks"),
                                           .volumes = cli_bool(ctx, "volumes")};
  ipfsa_error err = {0};
  if (ipfsa_container_prune(engine, &options, print_pruned, ctx, &err) != IPFSA_OK) return cli_fail(ctx, &err);
  cli_release_content(ctx, engine);
  return 0;
}

static const cli_option prune_options[] = {{CLI_BOOL, "containers", NULL, NULL, "Stopped containers"},
                                           {CLI_BOOL, "networks", NULL, NULL, "Networks without containers"},
                                           {CLI_BOOL, "volumes", NULL, NULL, "Volumes without containers, with the data in them"},
                                           CLI_ENGINE_OPTIONS};
const cli_verb cli_verb_container_prune = {.name = "container prune",
                                           .tagline = "Remove what ipfs-accelerate made and nobody uses.",
                                           .description = "Stopped containers and networks; volumes hold data, so they must be named. What others made stays.",
                                           .example = "> ipfs-accelerate container prune",
                                           .options = prune_options,
                                           .run = run_prune};
