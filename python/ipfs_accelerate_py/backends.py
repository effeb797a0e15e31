"""Containers, tunnels to them and the marketplace, on a real engine (Docker or Podman). Expected failures are {"status": "error", "message", "code"}."""
from __future__ import annotations

import math
import threading

from . import _fork, _own, errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from ._progress import Progress


def _failed(why, **more):
    return {"status": "error", "code": why.code, "message": why.message, **more}


def _list(value):
    return [value] if isinstance(value, str) else list(value or ())


class _Tunnel:
    """A tunnel that lives in this process: a thread of its own carries the bytes."""

    def __init__(self, handle):
        from . import _engine

        self.handle, self.lib = handle, _engine.library()
        self.thread = threading.Thread(target=self.lib.ipfsa_tunnel_run, args=(handle, None), name="ipfs-accelerate tunnel", daemon=True)
        self.thread.start()

    def info(self):
        import ctypes

        from . import _engine

        info = _engine.TunnelInfo()
        self.lib.ipfsa_tunnel_get_info(self.handle, ctypes.byref(info))
        return info

    def close(self):
        self.lib.ipfsa_tunnel_stop(self.handle)
        self.thread.join()
        self.lib.ipfsa_tunnel_close(self.handle)


class backends:
    """config_instance None: the package's own configuration, read when it is first needed. Threads: calls from any. A context manager: its tunnels end with it.

    timeout of a call: seconds for all of it, None for as long as the engine goes on answering. An interrupt, too, ends a call at once; what it began is tidied up."""

    def __init__(self, config_instance: Any = None) -> None:
        self._config = config_instance
        self._renew()
        _fork.renew(self)

    def _renew(self):
        """Tunnels are of the process that opened them."""
        self._tunnels, self._lock = {}, threading.Lock()

    @property
    def config(self):
        if self._config is None:
            from . import config

            self._config = config()
        return self._config

    @property
    def containers(self) -> dict[str, dict[str, Any]]:
        """name -> what list_containers says of it, asked of the engine now."""
        return {c["name"]: c for c in self.list_containers()}

    @property
    def endpoints(self) -> dict[str, dict[str, Any]]:
        """tunnel id -> {"container_name", "local_port", "container_port"} of the tunnels of this object."""
        with self._lock:
            return {name: dict(about) for name, (_, about) in self._tunnels.items()}

    def _options(self):
        from . import _engine

        return _engine.options_for(self.config.get("docker", "host"), self.config.get("docker", "timeout"))

    def _session(self, what, timeout=None, progress=None):
        """An open engine, with the time limit of the whole call."""
        from . import _engine
        from . import _progress

        return _engine.opened(self._options(), _progress.Watch(what, progress, timeout))

    def close(self) -> None:
        """Ends the tunnels of this object. Containers go on."""
        for name in list(self.endpoints):
            self.close_tunnel(name)

    def __enter__(self) -> backends:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def start_container(self, container_name: str, image: str, ports: dict[str, str] | None = None, env: dict[str, str] | None = None, gpus: str | None = None, wait: dict[str, Any] | None = None, model_cid: str | None = None, mount_path: str = "/models", command: str | Sequence[str] | None = None,
                        volumes: str | Sequence[str] | None = None, *, progress: Progress = None, timeout: float | None = None) -> dict[str, Any]:
        """Starts it, and waits when `wait` says for what -> {"container_id", "status", "name", "ports": {"80/tcp": host port}, "health"}.

        ports: {"5001": "15001"} container port -> host port of 127.0.0.1, "" for a free one. env: dict. wait: {"http": "/health", "port": 5001, "timeout": 60},
        {"tcp": True, "port": 80} or {"log": "a regular expression"}. model_cid: shown read-only at mount_path, without a copy where the file system can.
        One that runs already is no error. progress: called with {"layer", "status", "done", "total"} while the image is pulled."""
        try:
            return self._start(container_name, image, ports, env, gpus, wait, model_cid, mount_path, command, volumes, progress, timeout)
        except errors.IPFSError as why:
            return _failed(why)

    def _start(self, name, image, ports, env, gpus, wait, model_cid, mount_path, command, volumes, progress, timeout):
        import ctypes as c

        from . import _engine as e
        from . import _library as l

        waits, limit = _waits(wait)
        callbacks = l.Callbacks()
        options = e.StartOptions(
            struct_size=c.sizeof(e.StartOptions), command=e.texts(_list(command)), env=e.texts("%s=%s" % pair for pair in (env or {}).items()),
            ports=e.texts("%s:%s" % (host, inside) if str(host) else str(inside) for inside, host in (ports or {}).items()), volumes=e.texts(_list(volumes)),
            gpus=l.text(str(gpus)) if gpus else None, waits=e.texts(waits), wait_timeout_ms=int(limit * 1000), on_pull=callbacks.make(e.PULL_CB, _pulling(progress)))
        made, err, changed = c.POINTER(e.Container)(), l.Error(), c.c_bool()
        rest = (c.byref(options), c.byref(made), c.byref(changed), c.byref(err))
        with self._session("starting the container", timeout) as session:
            call = (session.engine, l.text(name), l.text(image or None))
            if model_cid is None:
                status = session.call(e.library().ipfsa_container_start, *call, *rest, callbacks=callbacks)
            else:
                from . import content

                mounts = e.MountOptions(struct_size=c.sizeof(e.MountOptions), mounts=e.texts(["%s:%s" % (content.path_bytes(content.node(), model_cid).decode(), mount_path)]),
                                        progress=callbacks.make(l.PROGRESS_CB, lambda at: session.ended))
                status = session.call(e.library().ipfsa_container_start_mounted, content.node().handle, *call, c.byref(mounts), *rest, callbacks=callbacks)
            l.check(status, err)
            about = e.describe(made.contents)
            e.library().ipfsa_container_free(made)
        return {"container_id": about["id"], "status": about["status"], "name": about["name"], "ports": about["ports"], "health": about["health"]}

    def stop_container(self, container_name: str, timeout: float = 10) -> dict[str, Any]:
        """-> {"status": "stopped", "container_id"}; one that is stopped already is no error. timeout: whole seconds that it has to end by itself."""
        import ctypes as c

        from . import _engine as e
        from . import _library as l

        try:
            about = self._look(container_name)
            if about is None:
                return _unknown(container_name)
            err = l.Error()
            with self._session("stopping the container") as session:
                l.check(session.call(e.library().ipfsa_container_stop, session.engine, l.text(container_name), -1 if timeout is None else math.ceil(timeout), None, c.byref(err)), err)
            return {"status": "stopped", "container_id": about["id"]}
        except errors.IPFSError as why:
            return _failed(why)

    def remove(self, container_name: str, force: bool = False) -> dict[str, Any]:
        """-> {"status": "removed", "container_id"}."""
        import ctypes as c

        from . import _engine as e
        from . import _library as l

        try:
            about = self._look(container_name)
            if about is None:
                return _unknown(container_name)
            err = l.Error()
            with self._session("removing the container") as session:
                l.check(session.call(e.library().ipfsa_container_rm, session.engine, l.text(container_name), force, c.byref(err)), err)
                l.check(session.call(e.library().ipfsa_mounts_release_unused, session.engine, None, None, c.byref(err)), err)
            return {"status": "removed", "container_id": about["id"]}
        except errors.IPFSError as why:
            return _failed(why)

    def list_containers(self, *, timeout: float | None = None) -> list[dict[str, Any]]:
        """Ours, also stopped ones -> [{"name", "id", "image", "status", "health", "exit_code", "ports"}]. Raises IPFSError when no engine answers."""
        import ctypes as c

        from . import _engine as e
        from . import _library as l

        rows, callbacks, err = [], l.Callbacks(), l.Error()
        options = e.ListOptions(struct_size=c.sizeof(e.ListOptions), all=True)
        one = callbacks.make(e.CONTAINER_CB, lambda at: rows.append(e.describe(at.contents)))
        with self._session("listing containers", timeout) as session:
            l.check(session.call(e.library().ipfsa_container_list, session.engine, c.byref(options), one, None, c.byref(err), callbacks=callbacks), err)
        return rows

    def _look(self, name):
        import ctypes as c

        from . import _engine as e
        from . import _library as l

        found, err = c.POINTER(e.Container)(), l.Error()
        with self._session("looking for the container") as session:
            status = session.call(e.library().ipfsa_container_get, session.engine, l.text(name), c.byref(found), c.byref(err))
            if status == -5:  # E_NOT_FOUND
                return None
            l.check(status, err)
            about = e.describe(found.contents)
            e.library().ipfsa_container_free(found)
            return about

    def get_container_status(self, container_name: str) -> dict[str, Any] | None:
        """The dict of list_containers, or None."""
        return self._look(container_name)

    def logs(self, container_name: str, tail: int = 0, *, timeout: float | None = None) -> str:
        """What it said so far, both streams -> text."""
        import ctypes as c

        from . import _engine as e
        from . import _library as l

        pieces, callbacks, err = [], l.Callbacks(), l.Error()
        options = e.LogsOptions(struct_size=c.sizeof(e.LogsOptions), tail=tail)
        take = callbacks.make(e.OUTPUT_CB, lambda stream, data, size: pieces.append(c.string_at(data, size)))
        with self._session("reading the log", timeout) as session:
            l.check(session.call(e.library().ipfsa_container_logs, session.engine, l.text(container_name), c.byref(options), take, None, c.byref(err), callbacks=callbacks), err)
        return b"".join(pieces).decode(errors="replace")

    def exec(self, container_name: str, command: str | Sequence[str] | None, *, timeout: float | None = None) -> dict[str, Any]:
        """Runs a command (a list of words) in it -> {"exit_code", "stdout", "stderr"}, the last two as bytes."""
        import ctypes as c

        from . import _engine as e
        from . import _library as l

        out, callbacks, err, code = {1: [], 2: []}, l.Callbacks(), l.Error(), c.c_int64()
        options = e.ExecOptions(struct_size=c.sizeof(e.ExecOptions), stdin_fd=-1)
        take = callbacks.make(e.OUTPUT_CB, lambda stream, data, size: out[stream].append(c.string_at(data, size)))
        with self._session("running the command", timeout) as session:
            l.check(session.call(e.library().ipfsa_container_exec, session.engine, l.text(container_name), e.texts(_list(command)), c.byref(options), take, None, c.byref(code),
                                 c.byref(err), callbacks=callbacks), err)
        return {"exit_code": code.value, "stdout": b"".join(out[1]), "stderr": b"".join(out[2])}

    def pull(self, image: str, progress: Progress = None, *, timeout: float | None = None) -> None:
        """Gets an image. progress: called with {"layer", "status", "done", "total"}."""
        import ctypes as c

        from . import _engine as e
        from . import _library as l

        callbacks, err = l.Callbacks(), l.Error()

        options = e.PullOptions(struct_size=c.sizeof(e.PullOptions), cb=callbacks.make(e.PULL_CB, _pulling(progress)))
        with self._session("pulling the image", timeout) as session:
            l.check(session.call(e.library().ipfsa_image_pull, session.engine, l.text(image), c.byref(options), c.byref(err), callbacks=callbacks), err)

    def prune(self, volumes: bool = False, *, timeout: float | None = None) -> list[dict[str, str]]:
        """Removes what is ours and not in use -> [{"kind", "name"}]. Volumes hold data: they must be asked for."""
        import ctypes as c

        from . import _engine as e
        from . import _library as l

        gone, callbacks, err = [], l.Callbacks(), l.Error()
        options = e.PruneOptions(struct_size=c.sizeof(e.PruneOptions), containers=True, networks=True, volumes=volumes)
        told = callbacks.make(e.PRUNED_CB, lambda kind, name: gone.append({"kind": kind.decode(), "name": name.decode()}))
        with self._session("pruning", timeout) as session:
            l.check(session.call(e.library().ipfsa_container_prune, session.engine, c.byref(options), told, None, c.byref(err), callbacks=callbacks), err)
        return gone

    def docker_tunnel(self, container_name: str, local_port: int | str, container_port: int | str) -> dict[str, Any]:
        """A port of 127.0.0.1 that leads to a port of the container, published or not; local_port 0 picks a free one. It lives as long as this process, or
        until close_tunnel -> {"status": "connected", "tunnel_id", "endpoint", "local_port"}."""
        import ctypes as c

        from . import _engine as e
        from . import _library as l

        try:
            local_port, container_port = _port(local_port, 0), _port(container_port, 1)
            if self._look(container_name) is None:
                return _unknown(container_name)
            handle, err = c.c_void_p(), l.Error()
            options, engine = e.TunnelOptions(struct_size=c.sizeof(e.TunnelOptions), local_port=local_port), self._options()
            l.check(e.library().ipfsa_tunnel_open(c.byref(engine), l.text(container_name), container_port, c.byref(options), c.byref(handle), c.byref(err)), err)
        except errors.IPFSError as why:
            return _failed(why)
        tunnel = _Tunnel(handle)
        port = tunnel.info().local_port
        name = "tunnel_%s_%d_%d" % (container_name, port, container_port)
        with self._lock:
            self._tunnels[name] = (tunnel, {"container_name": container_name, "local_port": port, "container_port": container_port})
        return {"status": "connected", "tunnel_id": name, "endpoint": "http://localhost:%d" % port, "local_port": port}

    def tunnels(self) -> list[dict[str, Any]]:
        """-> [{"tunnel_id", "container_name", "local_port", "container_port", "connections", "sent_bytes", "received_bytes", "last_error"}]."""
        with self._lock:
            rows = []
            for name, (tunnel, about) in self._tunnels.items():
                info = tunnel.info()
                rows.append({"tunnel_id": name, **about, "connections": info.n_open, "sent_bytes": info.sent_bytes, "received_bytes": info.received_bytes,
                             "last_error": info.last_error.decode(errors="replace") or None})
            return rows

    def close_tunnel(self, tunnel_id: str) -> bool:
        """-> True; False when there is none of this id."""
        with self._lock:
            found = self._tunnels.pop(tunnel_id, None)
        if found:
            found[0].close()
        return found is not None

    def marketplace(self, term: str | None = None, sources: Sequence[str] | None = None, limit: int = 25, *, timeout: float | None = None) -> list[dict[str, Any]]:
        """Images -> [{"name", "image", "description", "reference", "digest", "size", "architectures", "sources"}]; what a source could not tell is a warning."""
        import ctypes as c
        import warnings

        from . import _engine as e
        from . import _library as l

        from . import _progress

        if limit < 0:
            raise ValueError("limit is not negative, and not %r" % (limit,))
        rows, failed, callbacks, err = [], [], l.Callbacks(), l.Error()
        watch = _progress.Watch("the marketplace", None, timeout)

        def entry(at):
            m = at.contents
            rows.append({"name": m.name.decode(), "image": m.image.decode(), "description": m.description.decode(), "reference": m.reference.decode(),
                         "digest": m.digest.decode() or None, "size": m.size or None, "architectures": [t.decode() for t in m.architectures[:m.n_architectures]],
                         "sources": [t.decode() for t in m.sources[:m.n_sources]]})

        wanted = [l.text(s) for s in (sources if sources is not None else self.config.get("marketplace", "sources") or [])]
        told = e.MARKET_FAILED_CB(lambda ctx, source, status, message: failed.append("%s: %s" % (source.decode(), message.decode(errors="replace"))))
        options = e.MarketOptions(struct_size=c.sizeof(e.MarketOptions), sources=(c.c_char_p * len(wanted))(*wanted), n_sources=len(wanted), limit=limit, failed=told,
                                  progress=watch.callback(callbacks))
        l.check(callbacks.call(e.library().ipfsa_marketplace_search, l.text(term or None), c.byref(options), callbacks.make(e.MARKET_CB, entry), None, None,
                                                             c.byref(err)), err)
        for text in failed:
            warnings.warn("marketplace: " + text, RuntimeWarning, stacklevel=2)
        return rows

    list_marketplace_images = marketplace


def _pulling(progress):
    """progress True: a bar over all layers, where tqdm is installed."""
    from . import _progress

    layers, show = {}, _progress._bar("pull") if progress is True else None

    def step(at):
        s = at.contents
        told = {"layer": s.layer.decode(), "status": s.status.decode(), "done": s.done_bytes, "total": s.total_bytes or None}
        if show is not None:
            layers[told["layer"]] = (told["done"], told["total"] or told["done"])
            show({"done": sum(done for done, _ in layers.values()), "total": sum(total for _, total in layers.values())})
        elif callable(progress):
            progress(told)
    return step


def _port(value, least):
    """A number that the library's 16 bits hold."""
    try:
        port = int(value)
    except (TypeError, ValueError):
        port = -1
    if not least <= port <= 65535:
        raise errors.make("bad_format", "a port is a number from %d to 65535, not %r" % (least, value))
    return port


def _unknown(name):
    return {"status": "error", "code": "not_found", "message": "Container %s not found" % name}


def _waits(wait):
    """A wait as the caller writes it -> (the library's words, seconds; 0: its default)."""
    if not wait:
        return [], 0
    known = {"http", "tcp", "log", "port", "timeout"}
    if set(wait) - known:
        raise ValueError("wait knows %s, not %s" % (", ".join(sorted(known)), ", ".join(sorted(set(wait) - known))))
    words = []
    if ("http" in wait or "tcp" in wait) and "port" not in wait:
        raise ValueError("wait for http or tcp needs a port")
    if "http" in wait:
        words.append("http:%d%s" % (int(wait["port"]), wait["http"]))
    if wait.get("tcp"):
        words.append("tcp:%d" % int(wait["port"]))
    if "log" in wait:
        words.append("log:" + wait["log"])
    return words, wait.get("timeout", 0)


_own(globals())
