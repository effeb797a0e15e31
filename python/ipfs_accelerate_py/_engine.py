"""Structs and calls of containers, images, tunnels and the marketplace, as in include/ipfsa; and an engine that is open for one call."""
import contextlib
import ctypes as c
import threading

from . import _library as l, _own

LOOK = 0.1  # seconds between two looks whether a call has to end


class Texts(c.Structure):
    _fields_ = [("items", c.POINTER(c.c_char_p)), ("n", c.c_size_t)]


class EngineOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("repo_path", c.c_char_p), ("host", c.c_char_p), ("context", c.c_char_p), ("timeout_ms", c.c_int64),
                ("cancel_fd", c.c_int)]


class Port(c.Structure):
    _fields_ = [("container_port", c.c_uint16), ("protocol", c.c_char_p), ("host_ip", c.c_char_p), ("host_port", c.c_uint16)]


class Container(c.Structure):
    _fields_ = [(name, c.c_char_p) for name in ("id", "name", "image", "state", "health", "address")] + [
        ("exit_code", c.c_int64), ("is_ours", c.c_bool), ("ports", c.POINTER(Port)), ("n_ports", c.c_size_t)]


class PullStep(c.Structure):
    _fields_ = [("layer", c.c_char_p), ("status", c.c_char_p), ("done_bytes", c.c_uint64), ("total_bytes", c.c_uint64)]


PULL_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(PullStep))
CONTAINER_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(Container))
OUTPUT_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_int, c.c_void_p, c.c_size_t)
PRUNED_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_char_p, c.c_char_p)


class StartOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t)] + [(name, Texts) for name in ("command", "entrypoint", "env", "ports", "volumes", "tmpfs", "networks", "labels", "extras")] + [
        (name, c.c_char_p) for name in ("gpus", "restart", "user", "workdir", "platform", "health_cmd")] + [
        ("memory", c.c_uint64), ("nano_cpus", c.c_uint64), ("pids", c.c_uint64), ("shm_size", c.c_uint64), ("writable", c.c_bool), ("no_init", c.c_bool),
        ("pull", c.c_int), ("waits", Texts), ("wait_timeout_ms", c.c_int64), ("on_pull", PULL_CB), ("pull_ctx", c.c_void_p), ("probe", c.c_void_p)]


class ListOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("all", c.c_bool), ("foreign", c.c_bool)]


class LogsOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("follow", c.c_bool), ("timestamps", c.c_bool), ("tail", c.c_uint64), ("since", c.c_char_p)]


class ExecOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("env", Texts), ("user", c.c_char_p), ("workdir", c.c_char_p), ("use_stdin", c.c_bool), ("stdin_fd", c.c_int)]


class PruneOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("containers", c.c_bool), ("volumes", c.c_bool), ("networks", c.c_bool)]


class PullOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("platform", c.c_char_p), ("username", c.c_char_p), ("password", c.c_char_p), ("cb", PULL_CB), ("ctx", c.c_void_p)]


class MountOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("mounts", Texts), ("told", c.c_void_p), ("told_ctx", c.c_void_p), ("progress", l.PROGRESS_CB), ("progress_ctx", c.c_void_p)]


class TunnelOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("name", c.c_char_p), ("local_port", c.c_uint16), ("max_connections", c.c_uint32), ("idle_timeout_ms", c.c_int64)]


class TunnelInfo(c.Structure):
    _fields_ = [("name", c.c_char * 81), ("container", c.c_char * 132), ("engine", c.c_char * 264), ("last_error", c.c_char * 264), ("local_port", c.c_uint16),
                ("container_port", c.c_uint16), ("pid", c.c_int64), ("started", c.c_int64), ("answers", c.c_bool)] + [
        (name, c.c_uint64) for name in ("n_accepted", "n_open", "n_failed", "n_refused", "n_broken", "n_idle", "sent_bytes", "received_bytes")]


class MarketEntry(c.Structure):
    _fields_ = [(name, c.c_char_p) for name in ("name", "image", "reference", "digest", "description")] + [
        (name, c.POINTER(c.c_char_p)) for name in ("tags", "architectures", "sources")] + [
        (name, c.c_size_t) for name in ("n_tags", "n_architectures", "n_sources")] + [
        ("size", c.c_uint64), ("official", c.c_bool), ("verified", c.c_bool), ("allowed", c.c_bool)]


MARKET_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(MarketEntry))
MARKET_FAILED_CB = c.CFUNCTYPE(None, c.c_void_p, c.c_char_p, c.c_int, c.c_char_p)


class MarketOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("repo_path", c.c_char_p), ("sources", c.POINTER(c.c_char_p)), ("n_sources", c.c_size_t), ("limit", c.c_size_t),
                ("timeout_ms", c.c_int64), ("docker_config", c.c_char_p), ("progress", l.PROGRESS_CB), ("failed", MARKET_FAILED_CB), ("ctx", c.c_void_p)]


STRUCTS = {"ipfsa_texts": Texts, "ipfsa_engine_options": EngineOptions, "ipfsa_container_port": Port, "ipfsa_container": Container, "ipfsa_pull_step": PullStep,
           "ipfsa_container_start_options": StartOptions, "ipfsa_container_list_options": ListOptions, "ipfsa_container_logs_options": LogsOptions,
           "ipfsa_container_exec_options": ExecOptions, "ipfsa_container_prune_options": PruneOptions, "ipfsa_image_pull_options": PullOptions,
           "ipfsa_mount_options": MountOptions, "ipfsa_tunnel_options": TunnelOptions, "ipfsa_tunnel_info": TunnelInfo, "ipfsa_marketplace_entry": MarketEntry,
           "ipfsa_marketplace_options": MarketOptions}

_P, _ERR, _TEXT = c.c_void_p, c.POINTER(l.Error), c.c_char_p
_START = [c.POINTER(StartOptions), c.POINTER(c.POINTER(Container)), c.POINTER(c.c_bool), _ERR]
_CALLS = {
    "ipfsa_engine_open": (c.c_int, [c.POINTER(EngineOptions), c.POINTER(_P), _ERR]),
    "ipfsa_engine_close": (None, [_P]),
    "ipfsa_engine_cancel": (None, [_P]),
    "ipfsa_container_free": (None, [c.POINTER(Container)]),
    "ipfsa_container_start": (c.c_int, [_P, _TEXT, _TEXT] + _START),
    "ipfsa_container_start_mounted": (c.c_int, [_P, _P, _TEXT, _TEXT, c.POINTER(MountOptions)] + _START),
    "ipfsa_container_stop": (c.c_int, [_P, _TEXT, c.c_int64, c.POINTER(c.c_bool), _ERR]),
    "ipfsa_container_rm": (c.c_int, [_P, _TEXT, c.c_bool, _ERR]),
    "ipfsa_container_get": (c.c_int, [_P, _TEXT, c.POINTER(c.POINTER(Container)), _ERR]),
    "ipfsa_container_list": (c.c_int, [_P, c.POINTER(ListOptions), CONTAINER_CB, _P, _ERR]),
    "ipfsa_container_logs": (c.c_int, [_P, _TEXT, c.POINTER(LogsOptions), OUTPUT_CB, _P, _ERR]),
    "ipfsa_container_exec": (c.c_int, [_P, _TEXT, Texts, c.POINTER(ExecOptions), OUTPUT_CB, _P, c.POINTER(c.c_int64), _ERR]),
    "ipfsa_container_prune": (c.c_int, [_P, c.POINTER(PruneOptions), PRUNED_CB, _P, _ERR]),
    "ipfsa_image_pull": (c.c_int, [_P, _TEXT, c.POINTER(PullOptions), _ERR]),
    "ipfsa_mounts_release_unused": (c.c_int, [_P, _TEXT, c.POINTER(c.c_size_t), _ERR]),
    "ipfsa_tunnel_open": (c.c_int, [c.POINTER(EngineOptions), _TEXT, c.c_uint16, c.POINTER(TunnelOptions), c.POINTER(_P), _ERR]),
    "ipfsa_tunnel_run": (c.c_int, [_P, _ERR]),
    "ipfsa_tunnel_stop": (None, [_P]),
    "ipfsa_tunnel_get_info": (None, [_P, c.POINTER(TunnelInfo)]),
    "ipfsa_tunnel_close": (None, [_P]),
    "ipfsa_marketplace_search": (c.c_int, [_TEXT, c.POINTER(MarketOptions), MARKET_CB, _P, c.POINTER(c.c_size_t), _ERR]),
}


def library():
    return l.with_calls(_CALLS)


def texts(items):
    """Words for a call; alive as long as what is returned is."""
    encoded = [l.text(item) for item in items or ()]
    return Texts((c.c_char_p * len(encoded))(*encoded), len(encoded))


def options_for(host, timeout):
    return EngineOptions(struct_size=c.sizeof(EngineOptions), host=l.text(host or None), timeout_ms=int(timeout * 1000) if timeout else 0)


_OVER = threading.Event()
_OVER.set()


class Session:
    """An engine that is open for one call of the package. What blocks runs in a thread of its own, so that an interrupt, a time limit or a cancelled task ends it: what a call
    that ends so has begun is tidied up before the exception goes on."""

    def __init__(self, handle, watch):
        self.engine, self.watch, self.ended = handle, watch, False

    def call(self, function, *arguments, callbacks=None):
        """-> the status of function(*arguments); what callbacks raised is raised."""
        done, ended = [], threading.Event()  # a join that is interrupted takes a running thread for one that has ended

        def run():
            l.waiting.watch = self.watch  # of this thread
            done.append(function(*arguments))
            ended.set()

        thread = threading.Thread(target=run, name="ipfs-accelerate engine call", daemon=True)
        try:
            thread.start()
            while not ended.wait(LOOK):
                self.watch.look()
        except BaseException:
            self.ended, self.watch.stop = True, _OVER
            library().ipfsa_engine_cancel(self.engine)
            while thread.ident is not None and not ended.is_set():  # the engine must not be closed under it, however often it is interrupted
                try:
                    ended.wait()
                except BaseException:
                    continue
            raise
        thread.join()
        if callbacks is not None and callbacks.raised is not None:
            raise callbacks.raised
        return done[0]


@contextlib.contextmanager
def opened(options, watch):
    lib, handle, err = library(), c.c_void_p(), l.Error()
    l.check(lib.ipfsa_engine_open(c.byref(options), c.byref(handle), c.byref(err)), err)
    try:
        yield Session(handle, watch)
    finally:
        lib.ipfsa_engine_close(handle)


def describe(container):
    """A struct as the dict that callers get."""
    ports = {"%d/%s" % (p.container_port, p.protocol.decode()): p.host_port for p in container.ports[:container.n_ports] if p.host_port}
    return {"name": container.name.decode(), "id": container.id.decode(), "image": container.image.decode(), "status": container.state.decode(),
            "health": container.health.decode() or None, "exit_code": container.exit_code, "ports": ports}


_own(globals())
