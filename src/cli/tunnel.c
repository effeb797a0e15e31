/* tunnel create, ls, rm. A tunnel lives in a process of its own: create starts it and waits until it listens, or says why not. */
#include <ipfsa/tunnel.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/context.h"
#include "cli/engine.h"

/* --- the background process --- */

typedef struct report { /* from the new process to the one that waits */
  int failed;
  ipfsa_error err;
  ipfsa_tunnel_info info;
} report;

static ipfsa_tunnel *volatile running;
static volatile sig_atomic_t opening; /* rung when it shall end while its engine does not answer yet */

static void on_end(int number) {
  (void)number;
  uint64_t one = 1;
  if (running) ipfsa_tunnel_stop(running);
  else if (write(opening, &one, sizeof one) < 0) return; /* full: it rings already */
}

/* Nothing of the shell that called is held: no terminal, no open file. Back comes the descriptor to report to, or -1. */
static int leave_shell(int report_fd) {
  int moved = fcntl(report_fd, F_DUPFD_CLOEXEC, 3); /* it may stand where standard input was closed */
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (setsid() < 0 || null < 0 || moved < 0) return -1;
  for (int fd = 0; fd < 3; fd++)
    if (dup2(null, fd) < 0) return -1;
  if (moved != 3 && dup3(moved, 3, O_CLOEXEC) < 0) return -1;
  return close_range(4, ~0u, 0) == 0 ? 3 : -1;
}

static bool take_signals(void) {
  opening = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_end;
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGALRM, SIG_DFL);
  return opening > 0;
}

static void allow_many_files(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &files);
}

typedef struct request {
  ipfsa_engine_options engine;
  ipfsa_tunnel_options tunnel;
  const char *container;
  uint16_t port;
} request;

/* The life of the background process; its exit code is for nobody. */
static int live(request *r, int report_fd) {
  report said;
  memset(&said, 0, sizeof said);
  ipfsa_tunnel *tunnel = NULL;
  int out = leave_shell(report_fd);
  if (out < 0) return 1;
  if (!take_signals()) return 1;
  r->engine.cancel_fd = opening;
  allow_many_files();
  said.failed = ipfsa_tunnel_open(&r->engine, r->container, r->port, &r->tunnel, &tunnel, &said.err) != IPFSA_OK;
  if (!said.failed) {
    ipfsa_tunnel_get_info(tunnel, &said.info);
    running = tunnel;
    if (chdir("/") != 0) said.failed = 1; /* after it was opened: paths may be relative */
  }
  bool heard = write(out, &said, sizeof said) == (ssize_t)sizeof said;
  close(out);
  int code = 1;
  if (!said.failed && heard) code = ipfsa_tunnel_run(tunnel, &said.err) != IPFSA_OK;
  ipfsa_tunnel_close(tunnel);
  return code;
}

/* Waits for the word of the new process. */
static bool hear(int fd, report *ret) {
  size_t len = 0;
  while (len < sizeof *ret) {
    ssize_t n = read(fd, (char *)ret + len, sizeof *ret - len);
    if (n < 0 && errno == EINTR && !cli_signals_interrupted() && !cli_signals_timed_out()) continue;
    if (n <= 0) return false;
    len += (size_t)n;
  }
  return true;
}

/* 0 with *ret filled, or the exit code with the error printed. */
static int start_process(cli_context *ctx, request *r, ipfsa_tunnel_info *ret) {
  int ends[2];
  if (fflush(stdout) != 0 || pipe2(ends, O_CLOEXEC) != 0) return cli_fail_text(ctx, "tunnel: %s", strerror(errno));
  pid_t pid = fork();
  if (pid < 0) return cli_fail_text(ctx, "tunnel: cannot start its process: %s", strerror(errno));
  if (pid == 0) _exit(live(r, ends[1]));
  close(ends[1]);
  report said;
  memset(&said, 0, sizeof said);
  bool heard = hear(ends[0], &said);
  close(ends[0]); /* one that reports later finds nobody, and ends */
  if (!heard && (cli_signals_interrupted() || cli_signals_timed_out())) {
    kill(pid, SIGTERM);
    return cli_fail_text(ctx, "tunnel: stopped before it was ready");
  }
  if (!heard) return cli_fail_text(ctx, "tunnel: its process %ld ended before it was ready", (long)pid);
  if (said.failed) {
    waitpid(pid, NULL, 0);
    return cli_fail(ctx, &said.err);
  }
  *ret = said.info;
  return 0;
}

/* --- create --- */

static bool parse_port(const char *text, size_t len, unsigned least, uint16_t *ret) {
  unsigned v = 0;
  if (len == 0 || len > 5) return false;
  for (size_t i = 0; i < len; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    v = v * 10 + (unsigned)(text[i] - '0');
  }
  *ret = (uint16_t)v;
  return v >= least && v <= 65535;
}

static bool parse_ports(const char *text, uint16_t *ret_local, uint16_t *ret_container) {
  const char *colon = strchr(text, ':');
  return colon && parse_port(text, (size_t)(colon - text), 0, ret_local) && parse_port(colon + 1, strlen(colon + 1), 1, ret_container);
}

static void print_info_json(cli_context *ctx, const ipfsa_tunnel_info *i) {
  char address[32];
  snprintf(address, sizeof address, "127.0.0.1:%u", i->local_port);
  cli_out(ctx, "{");
  cli_json_member(ctx, true, "Name", i->name);
  cli_json_member(ctx, false, "Container", i->container);
  cli_json_number(ctx, false, "ContainerPort", i->container_port);
  cli_json_member(ctx, false, "Address", address);
  cli_json_number(ctx, false, "LocalPort", i->local_port);
  cli_json_member(ctx, false, "Engine", i->engine);
  cli_json_number(ctx, false, "Pid", i->pid);
  cli_json_number(ctx, false, "Started", i->started);
  cli_out(ctx, ",\"Answers\":%s", i->answers ? "true" : "false");
  cli_json_number(ctx, false, "Accepted", (int64_t)i->n_accepted);
  cli_json_number(ctx, false, "Open", (int64_t)i->n_open);
  cli_json_number(ctx, false, "Failed", (int64_t)i->n_failed);
  cli_json_number(ctx, false, "Refused", (int64_t)i->n_refused);
  cli_json_number(ctx, false, "Broken", (int64_t)i->n_broken);
  cli_json_number(ctx, false, "Idle", (int64_t)i->n_idle);
  cli_json_number(ctx, false, "SentBytes", (int64_t)i->sent_bytes);
  cli_json_number(ctx, false, "ReceivedBytes", (int64_t)i->received_bytes);
  cli_json_member(ctx, false, "LastError", i->last_error);
  cli_out(ctx, "}\n");
}

static int run_create(cli_context *ctx) {
  request r = {.engine = {.struct_size = sizeof r.engine, .repo_path = cli_given(ctx, "repo-dir"), .host = cli_given(ctx, "host"), .context = cli_given(ctx, "context")},
               .tunnel = {.struct_size = sizeof r.tunnel},
               .container = cli_arg_at(ctx, 0)};
  if (!parse_ports(cli_arg_at(ctx, 1), &r.tunnel.local_port, &r.port))
    return cli_usage_fail(ctx, "ports \"%s\": expected LOCAL:CONTAINER, such as 8080:80, or 0:80 for a free local port", cli_arg_at(ctx, 1));
  char name[160];
  snprintf(name, sizeof name, "%.128s-%u", r.container, r.port);
  r.tunnel.name = cli_is_set(ctx, "name") ? cli_string(ctx, "name") : name;
  uint64_t most = cli_uint(ctx, "max-connections");
  r.tunnel.max_connections = most > UINT32_MAX ? UINT32_MAX : (uint32_t)most;
  if (!cli_duration_ms(ctx, "idle-timeout", &r.tunnel.idle_timeout_ms)) return 1;
  if (r.tunnel.idle_timeout_ms == 0 && cli_is_set(ctx, "idle-timeout")) r.tunnel.idle_timeout_ms = -1;
  ipfsa_tunnel_info info;
  int code = start_process(ctx, &r, &info);
  if (code) return code;
  if (cli_json(ctx)) print_info_json(ctx, &info);
  else cli_out(ctx, "Forwarding from 127.0.0.1:%u -> %s:%u\n", info.local_port, info.container, info.container_port);
  return 0;
}

/* --- ls, rm --- */

typedef struct lister {
  cli_context *ctx;
  bool has_head;
} lister;

static int list_one(void *arg, const ipfsa_tunnel_info *i) {
  lister *l = arg;
  if (cli_json(l->ctx)) {
    print_info_json(l->ctx, i);
    return 0;
  }
  if (!l->has_head) cli_out(l->ctx, "%-24s %-16s %-30s %6s %8s %7s %9s %9s\n", "NAME", "LOCAL", "CONTAINER", "OPEN", "ACCEPTED", "FAILED", "SENT", "RECEIVED");
  l->has_head = true;
  char local[32], target[160];
  snprintf(local, sizeof local, "127.0.0.1:%u", i->local_port);
  snprintf(target, sizeof target, "%s:%u", i->container, i->container_port);
  cli_name(l->ctx, i->name, 24);
  cli_out(l->ctx, " %-16s ", local);
  cli_name(l->ctx, target, 30);
  if (!i->answers) {
    cli_out(l->ctx, " process %lld does not answer\n", (long long)i->pid);
    return 0;
  }
  cli_out(l->ctx, " %6llu %8llu %7llu %9s %9s\n", (unsigned long long)i->n_open, (unsigned long long)i->n_accepted, (unsigned long long)(i->n_failed + i->n_refused),
          cli_human_bytes(i->sent_bytes), cli_human_bytes(i->received_bytes));
  if (i->last_error[0]) {
    cli_out(l->ctx, "  last failure: ");
    cli_name(l->ctx, i->last_error, 0);
    cli_out(l->ctx, "\n");
  }
  return 0;
}

static int run_ls(cli_context *ctx) {
  lister l = {ctx, false};
  ipfsa_error err = {0};
  return ipfsa_tunnel_list(list_one, &l, &err) ? cli_fail(ctx, &err) : 0;
}

static int run_rm(cli_context *ctx) {
  int code = 0;
  for (size_t i = 0; i < cli_n_args(ctx); i++) {
    ipfsa_error err = {0};
    const char *name = cli_arg_at(ctx, i);
    if (ipfsa_tunnel_rm(name, &err) != IPFSA_OK) {
      code = cli_fail(ctx, &err);
      continue;
    }
    if (cli_json(ctx)) {
      cli_out(ctx, "{");
      cli_json_member(ctx, true, "Name", name);
      cli_out(ctx, ",\"Changed\":true}\n");
    } else {
      cli_out(ctx, "%s removed\n", name);
    }
  }
  return code;
}

/* --- tables --- */

static const cli_option create_options[] = {
    {CLI_STRING, "name", "n", NULL, "Name of the tunnel (default: CONTAINER-PORT)"},
    {CLI_UINT, "max-connections", NULL, NULL, "Connections at once; more are refused (default: 1024)"},
    {CLI_STRING, "idle-timeout", NULL, NULL, "End a connection on which nothing moves for this long; 0s: never (default: 1h)"},
    CLI_ENGINE_OPTIONS};
static const cli_arg create_args[] = {{"container", CLI_ARG_REQUIRED, "Name of the container."},
                                      {"ports", CLI_ARG_REQUIRED, "LOCAL:CONTAINER; LOCAL 0 picks a free port."},
                                      {0}};
static const cli_arg names[] = {{"name", CLI_ARG_REQUIRED | CLI_ARG_VARIADIC, "Name of the tunnel."}, {0}};

const cli_verb cli_verb_tunnel = {.name = "tunnel", .tagline = "Ports of this machine that lead into containers.", .example = "ipfs-accelerate tunnel ls"};
const cli_verb cli_verb_tunnel_create = {
    .name = "tunnel create",
    .tagline = "Make a port of this machine lead to a port of a container.",
    .description = "The port of the container need not be published. A tunnel listens at 127.0.0.1 only, reaches containers of ipfs-accelerate\n"
                   "only, and lives in the background until 'tunnel rm'; it survives a restart of the container. Where the container's address\n"
                   "cannot be reached (no network, another machine), each connection is carried by a program run inside it: nc, socat,\n"
                   "python3, perl or bash, whichever its image holds.",
    .example = "> ipfs-accelerate tunnel create web 8080:80\nForwarding from 127.0.0.1:8080 -> web:80",
    .options = create_options,
    .args = create_args,
    .run = run_create};
const cli_verb cli_verb_tunnel_ls = {.name = "tunnel ls",
                                     .tagline = "List tunnels and what they carried.",
                                     .description = "The tunnels of this user, from any shell. What processes that were killed left behind is removed.",
                                     .example = "> ipfs-accelerate tunnel ls",
                                     .run = run_ls};
const cli_verb cli_verb_tunnel_rm = {.name = "tunnel rm",
                                     .tagline = "End tunnels.",
                                     .description = "Open connections end. The local port is free when the command ends.",
                                     .example = "> ipfs-accelerate tunnel rm web-80",
                                     .args = names,
                                     .run = run_rm};
