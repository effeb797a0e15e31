"""The calls of the old package over the real store: results are plain dicts, expected failures are {"status": "error", "message", "code"}."""
from __future__ import annotations

import os
import threading
import time

from . import _fork, _own, errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WRITE_STATUS = (-6, -8, -9, -12)  # of ipfsa/status.h: exists, I/O, no space, read-only


def _failed(why, **more):
    return {"status": "error", "code": why.code, "message": why.message, **more}


def _ms(started):
    return (time.perf_counter() - started) * 1000


class IPFSAccelerate:
    """Made without touching anything; the configuration, the engine and the store are opened by the first call that needs them."""

    def __init__(self, config_instance: Any = None, backends_instance: Any = None, p2p_optimizer_instance: Any = None) -> None:
        self._config, self._backends, self._p2p = config_instance, backends_instance, p2p_optimizer_instance
        self._lock = threading.RLock()
        _fork.renew(self)

    def _renew(self):
        self._lock = threading.RLock()

    def close(self) -> None:
        """Ends what it holds: tunnels. The store stays open for others of this process; content.close() closes it."""
        if self._backends is not None:
            self._backends.close()

    def __enter__(self) -> IPFSAccelerate:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    @property
    def config(self):
        with self._lock:
            if self._config is None:
                from . import config

                self._config = config()
            return self._config

    @property
    def backends(self):
        with self._lock:
            if self._backends is None:
                from . import backends

                self._backends = backends(self.config)
            return self._backends

    @property
    def p2p_optimizer(self):
        if self._p2p is None:
            from . import p2p_optimizer

            self._p2p = p2p_optimizer
        return self._p2p

    @property
    def endpoints(self) -> dict[str, dict[str, Any]]:
        return {name: value for name, value in self.config.config_data.get("endpoints", {}).items() if isinstance(value, dict)}

    @property
    def cache_dir(self):
        from pathlib import Path

        return Path(self.config.get("cache", "path", "./cache"))

    @property
    def p2p_enabled(self) -> bool:
        return False  # this build talks to no peers

    def add_file(self, file_path: str | os.PathLike[str]) -> dict[str, Any]:
        """A file, or a folder with all in it, durable when this returns -> {"status": "success", "cid", "file"}."""
        from . import content

        path = os.fspath(file_path)
        if not os.path.exists(path):
            return {"status": "error", "code": "not_found", "message": "File not found: %s" % path}
        try:
            return {"status": "success", "cid": content.add(path)["cid"], "file": path}
        except errors.IPFSError as why:
            return _failed(why)

    def get_file(self, cid: str | bytes | os.PathLike[str], output_path: str | os.PathLike[str] | None = None, use_p2p: bool = True) -> dict[str, Any]:
        """-> {"status": "success", "cid", "file", "source", "transfer_time_ms", "p2p_optimized", "load_time_ms"}. output_path None: a new temporary file."""
        from . import content

        started = time.perf_counter()
        try:
            name = content.path_bytes(content.node(), cid).decode()
        except errors.IPFSError as why:
            return _failed(why, cid=cid, load_time_ms=_ms(started))
        path = os.fspath(output_path) if output_path is not None else _temporary()
        try:
            content.get(name, path)
        except errors.IPFSError as why:
            if output_path is None:
                os.rmdir(os.path.dirname(path))
            if why.status in _WRITE_STATUS:
                return {"status": "error", "code": why.code, "message": "Error writing to %s: %s" % (path, why.message), "cid": name, "load_time_ms": _ms(started)}
            return _failed(why, cid=name, load_time_ms=_ms(started))
        return {"status": "success", "cid": content.resolve(name), "file": path, "source": "cache", "transfer_time_ms": 0.0, "p2p_optimized": False,
                "load_time_ms": _ms(started)}

    def cid_exists(self, cid: str | bytes | os.PathLike[str]) -> bool:
        """Is its block in the store? False for what is no CID."""
        from . import content

        try:
            return content.is_local(cid)
        except errors.IPFSError:
            return False

    def get_cid_metadata(self, cid: str | bytes | os.PathLike[str]) -> dict[str, Any]:
        """-> {"status", "cid", "size", "type", "blocks", "local", "pinned", "codec", "links"}."""
        from . import content

        try:
            return {"status": "success", **content.stat(cid)}
        except errors.IPFSError as why:
            return _failed(why, cid=cid, local=False)

    def load_checkpoint_and_dispatch(self, *args: Any, **kwargs: Any) -> Any:
        """Two forms under one name.

        (cid, endpoint=None, use_p2p=True, *, model_name=None, allow_pickle=False, progress=None, timeout=None) -> dict: content of the store (a file, an index, a folder) is checked
        and dispatched. endpoint: a table [endpoints.NAME] with a `kind`, of this object's configuration, else of the repo's; None: endpoints.default,
        and where that is not set up nothing is dispatched; "none": only load.
        {"status": "success", "source", "cid", "data", "format", "bytes", "shards", "load_time_ms", "endpoint", "model_name", "file", "ready", "health_ms"}; data: {"tensors",
        "total_size", "metadata"}, of a small JSON document its value. Expected failures are {"status": "error", "code", "message", "cid"}.

        (model, checkpoint, device_map=None, …) -> model: see loading.load_checkpoint_and_dispatch. TypeError: words of both forms."""
        if _is_model_form(args, kwargs):
            from . import loading

            return loading.load_checkpoint_and_dispatch(*args, **kwargs)
        return self._load_and_dispatch(*args, **kwargs)

    def _load_and_dispatch(self, cid, endpoint=None, use_p2p=True, *, model_name=None, allow_pickle=False, progress=None, timeout=None):
        from . import content

        started = time.perf_counter()
        try:
            text = os.fsdecode(cid)
            endpoint, settings = self._endpoint(endpoint)
            about = _document(content, text)
            if about is not None and endpoint is not None:
                raise errors.make("unsupported_format", "%s is a JSON document; what is dispatched to an endpoint is a model" % text)
            if about is None:
                about = _loaded(text, endpoint, settings=settings, name=model_name, allow_pickle=allow_pickle, progress=progress, timeout=timeout)
        except errors.IPFSError as why:
            return _failed(why, cid=os.fsdecode(cid), load_time_ms=_ms(started))
        return {"status": "success", "source": "cache", **about, "cid": content.resolve(text), "load_time_ms": _ms(started)}

    def _endpoint(self, name):
        """-> the endpoint to dispatch to, or None, and settings that have it: a table with a kind in the package's configuration, else one of the repo's."""
        from . import _dispatch

        tables = self.config.config_data.get("endpoints", {})
        wanted = name if name is not None else tables.get("default")
        table = tables.get(wanted) if isinstance(wanted, str) else None
        if name == "none":
            return None, None
        if isinstance(table, dict) and "kind" in table:
            return wanted, _dispatch.settings_of(wanted, table)
        if name is None and not any(row["is_default"] and row["kind"] for row in _dispatch.endpoints()):
            return None, None
        if name is None:
            name = next(row["name"] for row in _dispatch.endpoints() if row["is_default"])
        return name, None

    def get_p2p_network_analytics(self) -> dict[str, Any]:
        """-> {"status": "disabled", "message"}: this build talks to no peers."""
        return {"status": "disabled", "message": "P2P network optimization is disabled"}


_SEED_WORDS = {"cid", "endpoint", "use_p2p", "model_name"}
_MODEL_WORDS = {"model", "checkpoint", "device_map", "max_memory", "no_split_module_classes", "offload_folder", "offload_buffers", "dtype", "offload_state_dict", "skip_keys",
                "preload_module_classes", "force_hooks", "strict", "full_state_dict", "broadcast_from_rank0"}


def _is_model_form(args, kwargs):
    """By the first argument: text, bytes and paths are content; by words where there is none."""
    seed, model = sorted(_SEED_WORDS & set(kwargs)), sorted(_MODEL_WORDS & set(kwargs))
    if seed and model:
        raise TypeError("load_checkpoint_and_dispatch takes a CID and an endpoint, or a model and a checkpoint: %s and %s do not go together" % (", ".join(seed), ", ".join(model)))
    if args:
        is_content = isinstance(args[0], (str, bytes, os.PathLike))
        if is_content and model:
            raise TypeError("load_checkpoint_and_dispatch got %s, which goes with a model as first argument, not with %r" % (", ".join(model), args[0]))
        if not is_content and seed:
            raise TypeError("load_checkpoint_and_dispatch got %s, which goes with a CID as first argument, not with a %s" % (", ".join(seed), type(args[0]).__name__))
        return not is_content
    return bool(model)


def _loaded(cid, endpoint, **how):
    """Checked, described and dispatched. A server may take a folder in a layout of its own, without a checkpoint at its top."""
    from . import _dispatch

    no_checkpoint = None
    try:
        about = _checkpoint(cid)
    except errors.FormatError as why:
        about, no_checkpoint = {"data": None, "bytes": None, "shards": 0}, why
    if endpoint is None:
        if no_checkpoint is not None:
            raise no_checkpoint
        return {**about, "endpoint": None, "model_name": how["name"], "file": None, "ready": False, "health_ms": None}
    done = _dispatch.dispatch(cid, endpoint, **how)
    about.setdefault("format", done["format"])
    return {**about, **{k: v for k, v in done.items() if k not in ("cid", "format")}}


MAX_DOCUMENT = 16 << 20  # bytes of a JSON document that is handed out as a value


def _document(content, cid):
    """What a JSON document says; None: it is none. The index of a checkpoint in several files is one, and is left to those who know it."""
    import json

    try:
        file = content.open_file(cid)
    except errors.FormatError:  # a folder
        return None
    with file:
        if file.size > MAX_DOCUMENT or file.read(1) not in (b"{", b"[") or str(cid).endswith(".index.json"):
            return None
        file.seek(0)
        text = file.read()
    try:
        return {"data": json.loads(text), "bytes": len(text), "format": "json"}
    except (ValueError, RecursionError):
        return None


def _checkpoint(cid):
    from . import Checkpoint

    with Checkpoint(cid if cid.startswith(("ipfs://", "/ipfs/")) else "/ipfs/" + cid) as checkpoint:  # whatever the disk has of that name
        shards = checkpoint.shards()
        return {"data": {"tensors": len(checkpoint), "total_size": checkpoint.tensor_bytes, "metadata": checkpoint.metadata()},
                "format": "sharded" if len(shards) > 1 else checkpoint.format, "bytes": sum(s["size"] for s in shards), "shards": len(shards)}


def _temporary():
    import tempfile

    return os.path.join(tempfile.mkdtemp(prefix="ipfs-accelerate-"), "content")


ipfs_accelerate = IPFSAccelerate()
add_file = ipfs_accelerate.add_file
get_file = ipfs_accelerate.get_file
load_checkpoint_and_dispatch = ipfs_accelerate.load_checkpoint_and_dispatch
get_p2p_network_analytics = ipfs_accelerate.get_p2p_network_analytics


_own(globals())
