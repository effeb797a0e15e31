/* container start, start-ipfs, stop, restart, rm, ls, inspect. */
#include <stdlib.h>
#include <string.h>

#include "cli/engine.h"
#include "cli/mounts.h"

static void print_ports_json(cli_context *ctx, const ipfsa_container *c) {
  cli_out(ctx, ",\"Ports\":[");
  for (size_t i = 0; i < c->n_ports; i++) {
    cli_out(ctx, i ? ",{" : "{");
    cli_json_number(ctx, true, "ContainerPort", c->ports[i].container_port);
    cli_json_member(ctx, false, "Protocol", c->ports[i].protocol);
    cli_json_member(ctx, false, "HostIp", c->ports[i].host_ip);
    cli_json_number(ctx, false, "HostPort", c->ports[i].host_port);
    cli_out(ctx, "}");
  }
  cli_out(ctx, "]");
}

/* The object without its end: more may follow. */
static void begin_json(cli_context *ctx, const ipfsa_container *c) {
  cli_out(ctx, "{");
  cli_json_member(ctx, true, "Id", c->id);
  cli_json_member(ctx, false, "Name", c->name);
  cli_json_member(ctx, false, "Image", c->image);
  cli_json_member(ctx, false, "State", c->state);
  cli_json_member(ctx, false, "Health", c->health);
  cli_json_member(ctx, false, "Address", c->address);
  cli_json_number(ctx, false, "ExitCode", c->exit_code);
  print_ports_json(ctx, c);
  cli_out(ctx, ",\"Ours\":%s", c->is_ours ? "true" : "false");
}

static void print_ports(cli_context *ctx, const ipfsa_container *c, const char *before) {
  for (size_t i = 0; i < c->n_ports; i++) {
    if (!c->ports[i].host_port) continue;
    cli_out(ctx, "%s", before);
    cli_name(ctx, c->ports[i].host_ip, 0);
    cli_out(ctx, ":%u->%u/", c->ports[i].host_port, c->ports[i].container_port);
    cli_name(ctx, c->ports[i].protocol, 0);
  }
}

/* --- start --- */

/* Options that only name something dangerous or special: "--pid=host" is handed on as "pid=host". */
static const char *const extra_names[] = {"pid", "ipc", "uts", "userns", "cgroupns", "device", "device-cgroup-rule", "cap-add", "security-opt", "oom-score-adj", "sysctl",
                                          "runtime", "cgroup-parent", "volumes-from", "link"};
static const char *const extra_switches[] = {"privileged", "oom-kill-disable"};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool add_extra(cli_context *ctx, ipfsa_texts *to, const char *name, const char *value) {
  char **more = realloc((void *)(uintptr_t)to->items, (to->n + 1) * sizeof *more);
  size_t len = strlen(name) + strlen(value) + 2;
  if (more) to->items = (const char *const *)more;
  char *text = more ? malloc(len) : NULL;
  if (!text) return cli_fail_text(ctx, "out of memory"), false;
  snprintf(text, len, "%s=%s", name, value);
  more[to->n++] = text;
  return true;
}

static bool gather_extras(cli_context *ctx, ipfsa_texts *ret) {
  *ret = (ipfsa_texts){0};
  for (size_t i = 0; i < COUNT(extra_names); i++) {
    const char *const *list;
    size_t n_values = cli_strings(ctx, extra_names[i], &list);
    for (size_t k = 0; k < n_values; k++)
      if (!add_extra(ctx, ret, extra_names[i], list[k])) return false;
  }
  for (size_t i = 0; i < COUNT(extra_switches); i++)
    if (cli_bool(ctx, extra_switches[i]) && !add_extra(ctx, ret, extra_switches[i], "true")) return false;
  return true;
}

static bool pull_when(cli_context *ctx, ipfsa_pull_when *ret) {
  static const char *const words[] = {"missing", "never", "always"};
  const char *text = cli_string(ctx, "pull");
  for (int i = 0; i < 3; i++)
    if (strcmp(text, words[i]) == 0) return *ret = (ipfsa_pull_when)i, true;
  return cli_fail_text(ctx, "invalid value '%s' for --pull; expected missing, never or always", text), false;
}

static bool nano_cpus(cli_context *ctx, uint64_t *ret) {
  const char *text = cli_string(ctx, "cpus");
  const char *end = text;
  double v = *text ? cli_parse_decimal(text, &end) : 0;
  if (*end || v < 0 || v > 100000) return cli_fail_text(ctx, "option \"cpus\" needs a number such as 1.5, got \"%s\"", text), false;
  *ret = (uint64_t)(v * 1e9);
  return true;
}

static const char *given_or_null(cli_context *ctx, const char *option) { return cli_is_set(ctx, option) ? cli_string(ctx, option) : NULL; }

/* What must be freed afterwards lies in lists. */
enum { COMMAND, ENTRYPOINT, ENV, PORTS, VOLUMES, TMPFS, NETWORKS, LABELS, WAITS, PROBES, N_LISTS };
typedef struct start_lists {
  ipfsa_texts of[N_LISTS], extras;
  ipfsa_probe_options probe;
} start_lists;

static bool gather_lists(cli_context *ctx, size_t n_before_command, start_lists *l) {
  static const char *const names[N_LISTS] = {NULL, "entrypoint", "env", "publish", "volume", "tmpfs", "network", "label", "wait", "probe"};
  for (size_t i = 1; i < N_LISTS; i++)
    if (!cli_texts(ctx, names[i], &l->of[i])) return false;
  size_t n = cli_n_args(ctx) > n_before_command ? cli_n_args(ctx) - n_before_command : 0;
  const char **words = malloc((n + 1) * sizeof *words);
  if (!words) return cli_fail_text(ctx, "out of memory"), false;
  for (size_t i = 0; i < n; i++) words[i] = cli_arg_at(ctx, n_before_command + i);
  l->of[COMMAND] = (ipfsa_texts){words, n};
  return gather_extras(ctx, &l->extras);
}

static void free_lists(start_lists *l) {
  for (size_t i = 0; i < N_LISTS; i++) cli_texts_free(&l->of[i]);
  for (size_t i = 0; i < l->extras.n; i++) free((void *)(uintptr_t)l->extras.items[i]);
  cli_texts_free(&l->extras);
}

static bool gather(cli_context *ctx, size_t n_before_command, start_lists *l, ipfsa_container_start_options *o) {
  *o = (ipfsa_container_start_options){.struct_size = sizeof *o, .on_pull = cli_pull_step, .pull_ctx = ctx};
  if (!gather_lists(ctx, n_before_command, l) || !pull_when(ctx, &o->pull) || !nano_cpus(ctx, &o->nano_cpus) || !cli_size(ctx, "memory", &o->memory) ||
      !cli_size(ctx, "shm-size", &o->shm_size) || !cli_duration_ms(ctx, "wait-timeout", &o->wait_timeout_ms))
    return false;
  o->command = l->of[COMMAND], o->entrypoint = l->of[ENTRYPOINT], o->env = l->of[ENV], o->ports = l->of[PORTS], o->volumes = l->of[VOLUMES];
  o->tmpfs = l->of[TMPFS], o->networks = l->of[NETWORKS], o->labels = l->of[LABELS], o->waits = l->of[WAITS], o->extras = l->extras;
  o->pids = cli_uint(ctx, "pids-limit");
  o->writable = !cli_bool(ctx, "read-only");
  o->no_init = !cli_bool(ctx, "init");
  o->gpus = given_or_null(ctx, "gpus"), o->restart = given_or_null(ctx, "restart"), o->user = given_or_null(ctx, "user"), o->workdir = given_or_null(ctx, "workdir");
  o->platform = given_or_null(ctx, "platform"), o->health_cmd = given_or_null(ctx, "health-cmd");
  return true;
}

static bool gather_probes(cli_context *ctx, start_lists *l, ipfsa_container_start_options *o) {
  ipfsa_probe_options *p = &l->probe;
  *p = (ipfsa_probe_options){.struct_size = sizeof *p, .probes = l->of[PROBES]};
  uint64_t threshold = cli_uint(ctx, "probe-threshold");
  p->threshold = threshold < UINT32_MAX ? (uint32_t)threshold : UINT32_MAX;
  o->probe = p;
  return cli_duration_ms(ctx, "probe-interval", &p->interval_ms) && cli_duration_ms(ctx, "probe-timeout", &p->timeout_ms) &&
         cli_duration_ms(ctx, "probe-start-period", &p->start_period_ms);
}

typedef ipfsa_status (*starter)(ipfsa_engine *, const char *, const char *, const ipfsa_container_start_options *, ipfsa_container **, bool *, ipfsa_error *);

/* mounts NULL: this verb has none. */
static int start_with(cli_context *ctx, starter start, cli_mounts *mounts, const char *name, const char *image, size_t n_before_command) {
  start_lists lists = {0};
  ipfsa_container_start_options options;
  ipfsa_container *c = NULL;
  bool changed = false;
  ipfsa_error err = {0};
  int code = 1;
  ipfsa_engine *engine = NULL;
  if (gather(ctx, n_before_command, &lists, &options) && gather_probes(ctx, &lists, &options) && (engine = cli_engine(ctx))) {
    bool mounted = mounts && mounts->texts.n;
    ipfsa_status status = mounted ? cli_mounts_start(ctx, mounts, engine, name, image, &options, &c, &changed, &err) : start(engine, name, image, &options, &c, &changed, &err);
    cli_pull_end(ctx);
    code = status == IPFSA_OK ? 0 : *err.message ? cli_fail(ctx, &err) : 1;
  }
  free_lists(&lists);
  if (code) return code;
  if (cli_json(ctx)) {
    begin_json(ctx, c);
    if (mounts) cli_mounts_print(ctx, mounts);
    cli_out(ctx, ",\"Changed\":%s}\n", changed ? "true" : "false");
  } else {
    if (mounts) cli_mounts_print(ctx, mounts);
    cli_name(ctx, c->name, 0);
    cli_out(ctx, " ");
    cli_name(ctx, strcmp(c->state, "running") == 0 ? "runs" : c->state, 0);
    cli_out(ctx, "%s", changed ? "" : " already");
    print_ports(ctx, c, " ");
    cli_out(ctx, "\n");
  }
  ipfsa_container_free(c);
  return 0;
}

static int run_start(cli_context *ctx) {
  cli_mounts mounts = {0};
  int code = cli_mounts_gather(ctx, &mounts) ? start_with(ctx, ipfsa_container_start, &mounts, cli_arg_at(ctx, 0), cli_arg_at(ctx, 1), 2) : 1;
  cli_mounts_release(&mounts);
  return code;
}

static int run_start_ipfs(cli_context *ctx) {
  const char *name = cli_n_args(ctx) ? cli_arg_at(ctx, 0) : "ipfs";
  return start_with(ctx, ipfsa_container_start_ipfs, NULL, name, cli_string(ctx, "image"), 1);
}

#define START_OPTIONS                                                                                                                               \
  {CLI_STRINGS, "env", "e", NULL, "Environment of the container, NAME=value"},                                                                      \
  {CLI_STRINGS, "publish", "p", NULL, "Publish a port: [[IP:]HOST:]CONTAINER[/udp]; without HOST the engine picks one, IP is 127.0.0.1"},           \
  {CLI_STRINGS, "volume", "v", NULL, "NAME:/target[:ro] or /path:/target[:ro]"},                                                                    \
  {CLI_STRINGS, "tmpfs", NULL, NULL, "A folder in memory: /path[:SIZE]; /tmp and /run are there already"},                                          \
  {CLI_STRINGS, "network", NULL, NULL, "Network to join; may be given again. Default: bridge"},                                                     \
  {CLI_STRINGS, "label", "l", NULL, "Label, key=value"},                                                                                            \
  {CLI_STRINGS, "entrypoint", NULL, NULL, "Word of the entry point; may be given again"},                                                           \
  {CLI_STRING, "user", "u", NULL, "User in the container. Default: the image's, else 1000:1000"},                                                   \
  {CLI_STRING, "workdir", "w", NULL, "Working folder in the container"},                                                                            \
  {CLI_STRING, "gpus", NULL, NULL, "GPUs: all, a count, device=0,1, or nvidia.com/gpu=0"},                                                          \
  {CLI_STRING, "memory", "m", NULL, "Memory limit, such as 2g. Default: three quarters of the host's"},                                             \
  {CLI_STRING, "cpus", NULL, NULL, "Processors, such as 1.5. Default: all"},                                                                        \
  {CLI_UINT, "pids-limit", NULL, "512", "Most processes and threads"},                                                                              \
  {CLI_STRING, "shm-size", NULL, "64m", "Size of /dev/shm"},                                                                                        \
  {CLI_BOOL, "read-only", NULL, "true", "Root file system read-only"},                                                                              \
  {CLI_BOOL, "init", NULL, "true", "A small init process passes signals on and reaps"},                                                             \
  {CLI_STRING, "restart", NULL, NULL, "Restart policy: no, always, unless-stopped, on-failure[:N]"},                                                \
  {CLI_STRING, "platform", NULL, NULL, "Platform of the image, such as linux/arm64"},                                                               \
  {CLI_STRING, "pull", NULL, "missing", "When to pull the image: missing, never, always"},                                                          \
  {CLI_STRING, "health-cmd", NULL, NULL, "Shell command by which the engine checks health every 5 s"},                                              \
  {CLI_STRINGS, "wait", NULL, NULL, "Wait for http:PORT[/path], tcp:PORT, log:REGEX, exec:COMMAND or healthy; may be given again"},                 \
  {CLI_STRING, "wait-timeout", NULL, "60s", "Longest time for all waits"},                                                                          \
  {CLI_STRINGS, "probe", NULL, NULL, "How 'container watch' finds out whether it is well, in the form of --wait; may be given again"},              \
  {CLI_STRING, "probe-interval", NULL, "5s", "Time between probes"},                                                                                \
  {CLI_STRING, "probe-timeout", NULL, "3s", "Longest time of one probe"},                                                                           \
  {CLI_STRING, "probe-start-period", NULL, "10s", "Failures do not count so long after a start"},                                                   \
  {CLI_UINT, "probe-threshold", NULL, "3", "Failures in a row that make it unhealthy"},                                                             \
  {CLI_STRINGS, "cap-add", NULL, NULL, "Capability; those that reach past the container are refused"},                                              \
  {CLI_STRINGS, "runtime", NULL, NULL, "OCI runtime: runc, crun or nvidia"},                                                                        \
  {CLI_BOOL, "privileged", NULL, NULL, "Refused unless docker.allow_dangerous names it, as all that follow"},                                       \
  {CLI_STRINGS, "pid", NULL, NULL, "Process namespace"}, {CLI_STRINGS, "ipc", NULL, NULL, "IPC namespace"},                                         \
  {CLI_STRINGS, "uts", NULL, NULL, "UTS namespace"}, {CLI_STRINGS, "userns", NULL, NULL, "User namespace"},                                         \
  {CLI_STRINGS, "cgroupns", NULL, NULL, "Control group namespace"}, {CLI_STRINGS, "device", NULL, NULL, "Device of the host"},                      \
  {CLI_STRINGS, "device-cgroup-rule", NULL, NULL, "Rule for devices"}, {CLI_STRINGS, "security-opt", NULL, NULL, "Security option"},                \
  {CLI_STRINGS, "oom-score-adj", NULL, NULL, "Order of killing when memory runs out; below 0 is refused"},                                          \
  {CLI_BOOL, "oom-kill-disable", NULL, NULL, "Never kill when memory runs out"}, {CLI_STRINGS, "sysctl", NULL, NULL, "Kernel setting"},             \
  {CLI_STRINGS, "cgroup-parent", NULL, NULL, "Parent control group"}, {CLI_STRINGS, "volumes-from", NULL, NULL, "Volumes of another container"},    \
  {CLI_STRINGS, "link", NULL, NULL, "Link to another container"}

static const cli_option start_options[] = {
    {CLI_STRINGS, "mount", NULL, NULL, "Show content out of the store, read-only: CID:/target or /ipfs/CID/path:/target; may be given again"}, START_OPTIONS, CLI_ENGINE_OPTIONS};
static const cli_arg start_args[] = {{"name", CLI_ARG_REQUIRED, "Name of the container."},
                                     {"image", 0, "Its image; left out: the container is there and is started again."},
                                     {"command", CLI_ARG_VARIADIC, "Command and arguments, behind -- when they hold options."},
                                     {0}};

const cli_verb cli_verb_container_start = {
    .name = "container start",
    .tagline = "Start a container.",
    .description = "Pulls the image when it is missing, makes the container with safe defaults (no capabilities, no new privileges, read-only root,\n"
                   "limits, ports on loopback) and starts it. One that runs already is no error. When a step or a wait fails, nothing is left behind.\n"
                   "Without --wait the answer is the engine's at that moment: it takes a tenth of a second and more until it tells that a program has\n"
                   "ended, so one that fails at once may be told to run. A --wait sees its end.",
    .example = "> ipfs-accelerate container start web busybox -p 8080 --wait=tcp:8080 -- httpd -f -p 8080 -h /tmp",
    .options = start_options,
    .args = start_args,
    .run = run_start,
};

static const cli_option start_ipfs_options[] = {{CLI_STRING, "image", NULL, "ipfs/kubo:latest", "Image of the node"}, START_OPTIONS, CLI_ENGINE_OPTIONS};
static const cli_arg start_ipfs_args[] = {{"name", 0, "Name of the container. Default: ipfs."}, {"command", CLI_ARG_VARIADIC, "Arguments of the image's start script."}, {0}};

const cli_verb cli_verb_container_start_ipfs = {
    .name = "container start-ipfs",
    .tagline = "Start a Kubo node in a container.",
    .description = "RPC, gateway and swarm are published on 127.0.0.1 only; the node's repo is kept in the volume NAME-data.",
    .example = "> ipfs-accelerate container start-ipfs node",
    .options = start_ipfs_options,
    .args = start_ipfs_args,
    .run = run_start_ipfs,
};

/* --- stop, restart, rm --- */

static void print_done(cli_context *ctx, const char *name, const char *what, bool changed) {
  if (cli_json(ctx)) {
    cli_out(ctx, "{");
    cli_json_member(ctx, true, "Name", name);
    cli_out(ctx, ",\"Changed\":%s}\n", changed ? "true" : "false");
  } else cli_out(ctx, "%s %s\n", name, what);
}

static int64_t grace_of(cli_context *ctx) { return cli_is_set(ctx, "time") ? cli_int(ctx, "time") : -1; }

static ipfsa_status stop_one(cli_context *ctx, ipfsa_engine *engine, const char *name, ipfsa_error *err) {
  bool changed = false;
  ipfsa_status status = ipfsa_container_stop(engine, name, grace_of(ctx), &changed, err);
  if (status == IPFSA_OK) print_done(ctx, name, changed ? "stopped" : "was stopped already", changed);
  return status;
}

static ipfsa_status restart_one(cli_context *ctx, ipfsa_engine *engine, const char *name, ipfsa_error *err) {
  ipfsa_status status = ipfsa_container_restart(engine, name, grace_of(ctx), err);
  if (status == IPFSA_OK) print_done(ctx, name, "restarted", true);
  return status;
}

static ipfsa_status rm_one(cli_context *ctx, ipfsa_engine *engine, const char *name, ipfsa_error *err) {
  ipfsa_status status = ipfsa_container_rm(engine, name, cli_bool(ctx, "force"), err);
  if (status == IPFSA_OK) print_done(ctx, name, "removed", true);
  return status;
}

static int run_stop(cli_context *ctx) { return cli_each_name(ctx, stop_one); }
static int run_restart(cli_context *ctx) { return cli_each_name(ctx, restart_one); }

static int run_rm(cli_context *ctx) {
  int code = cli_each_name(ctx, rm_one);
  ipfsa_engine *engine = cli_engine(ctx);
  if (engine) cli_release_content(ctx, engine);
  return code;
}

static const cli_arg names_args[] = {{"name", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC, "Name of the container."}, {0}};
static const cli_option grace_options[] = {{CLI_INT, "time", "t", "10", "Seconds between the request to end and the kill"}, CLI_ENGINE_OPTIONS};
static const cli_option rm_options[] = {{CLI_BOOL, "force", "f", NULL, "Also while it runs"}, CLI_ENGINE_OPTIONS};

const cli_verb cli_verb_container_stop = {.name = "container stop",
                                          .tagline = "Stop containers.",
                                          .description = "Asks it to end, and kills it when the time is over. Stopping what is stopped is no error.",
                                          .example = "> ipfs-accelerate container stop web",
                                          .options = grace_options,
                                          .args = names_args,
                                          .run = run_stop};
const cli_verb cli_verb_container_restart = {.name = "container restart",
                                             .tagline = "Stop containers and start them again.",
                                             .description = "Ports the engine picked may change: see 'container ls'.",
                                             .example = "> ipfs-accelerate container restart web",
                                             .options = grace_options,
                                             .args = names_args,
                                             .run = run_restart};
const cli_verb cli_verb_container_rm = {.name = "container rm",
                                        .tagline = "Remove containers.",
                                        .description = "With their anonymous volumes; named volumes stay.",
                                        .example = "> ipfs-accelerate container rm web",
                                        .options = rm_options,
                                        .args = names_args,
                                        .run = run_rm};

/* --- ls, inspect --- */

static int list_one(void *arg, const ipfsa_container *c) {
  cli_context *ctx = arg;
  if (cli_json(ctx)) {
    begin_json(ctx, c);
    cli_out(ctx, "}\n");
    return 0;
  }
  cli_name(ctx, c->name, 20);
  cli_out(ctx, " ");
  cli_name(ctx, c->image, 30);
  cli_out(ctx, " ");
  cli_name(ctx, c->state, 0);
  if (*c->health) {
    cli_out(ctx, " (");
    cli_name(ctx, c->health, 0);
    cli_out(ctx, ")");
  }
  print_ports(ctx, c, " ");
  cli_out(ctx, "\n");
  return 0;
}

static int run_ls(cli_context *ctx) {
  ipfsa_engine *engine = cli_engine(ctx);
  if (!engine) return 1;
  ipfsa_container_list_options options = {.struct_size = sizeof options, .all = cli_bool(ctx, "all"), .foreign = cli_bool(ctx, "foreign")};
  ipfsa_error err = {0};
  if (ipfsa_container_list(engine, &options, list_one, ctx, &err) != IPFSA_OK) return cli_fail(ctx, &err);
  cli_release_content(ctx, engine);
  return 0;
}

static int run_inspect(cli_context *ctx) {
  ipfsa_engine *engine = cli_engine(ctx);
  ipfsa_error err = {0};
  char *json = NULL;
  if (!engine) return 1;
  if (ipfsa_container_inspect(engine, cli_arg_at(ctx, 0), cli_bool(ctx, "show-env"), &json, &err) != IPFSA_OK) return cli_fail(ctx, &err);
  cli_out_json(ctx, json);
  cli_out(ctx, "\n");
  ipfsa_text_free(json);
  return 0;
}

static const cli_option ls_options[] = {{CLI_BOOL, "all", "a", NULL, "Stopped ones, too"}, {CLI_BOOL, "foreign", NULL, NULL, "Those of others, too"}, CLI_ENGINE_OPTIONS};
static const cli_option inspect_options[] = {{CLI_BOOL, "show-env", NULL, NULL, "Show the values of environment variables, too"}, CLI_ENGINE_OPTIONS};
static const cli_arg one_name[] = {{"name", CLI_ARG_REQUIRED, "Name of the container."}, {0}};

const cli_verb cli_verb_container_ls = {.name = "container ls",
                                        .tagline = "List containers.",
                                        .description = "Name, image, state, health and published ports of those that ipfs-accelerate started.",
                                        .example = "> ipfs-accelerate container ls --all",
                                        .options = ls_options,
                                        .run = run_ls};
const cli_verb cli_verb_container_inspect = {.name = "container inspect",
                                             .tagline = "Show all the engine knows about a container.",
                                             .description = "JSON. Values of environment variables are hidden.",
                                             .example = "> ipfs-accelerate container inspect web",
                                             .options = inspect_options,
                                             .args = one_name,
                                             .run = run_inspect};

const cli_verb cli_verb_container = {.name = "container", .tagline = "Start, watch and reach containers.", .example = "ipfs-accelerate container ls"};
