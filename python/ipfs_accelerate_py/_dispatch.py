"""Models to the endpoints of the repo's configuration, as in include/ipfsa/dispatch.h."""
from __future__ import annotations

import ctypes as c

from . import _library as l, _node, _own, _progress, errors

node, path_bytes, Watch = _node.node, _node.path_bytes, _progress.Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any

    from ._progress import Progress


class EndpointRow(c.Structure):
    _fields_ = [(name, c.c_char_p) for name in ("name", "kind", "url", "model_dir", "layout", "problem")] + [("is_default", c.c_bool)]


WARNED_CB = c.CFUNCTYPE(None, c.c_void_p, c.c_char_p)
ENDPOINT_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(EndpointRow))


class DispatchOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("endpoint", c.c_char_p), ("name", c.c_char_p), ("allow_pickle", c.c_bool), ("warned", WARNED_CB), ("warned_ctx", c.c_void_p),
                ("progress", l.PROGRESS_CB), ("progress_ctx", c.c_void_p), ("settings", c.c_char_p)]


class Dispatched(c.Structure):
    _fields_ = [("cid", l.Cid)] + [(name, c.c_char_p) for name in ("endpoint", "kind", "model", "place", "format", "source", "way")] + [
        ("bytes", c.c_uint64), ("ready", c.c_bool), ("health_ms", c.c_double)]


STRUCTS = {"ipfsa_endpoint_row": EndpointRow, "ipfsa_dispatch_options": DispatchOptions, "ipfsa_dispatched": Dispatched}
_P, _ERR = c.c_void_p, c.POINTER(l.Error)
_CALLS = {
    "ipfsa_endpoint_list": (c.c_int, [_P, ENDPOINT_CB, _P, _ERR]),
    "ipfsa_dispatch": (c.c_int, [_P, c.c_char_p, c.POINTER(DispatchOptions), c.POINTER(c.POINTER(Dispatched)), _ERR]),
    "ipfsa_dispatched_free": (None, [c.POINTER(Dispatched)]),
}


def _library():
    return l.with_calls(_CALLS)


_KEYS = ("kind", "url", "host", "port", "model_dir", "server_dir", "socket", "sealed", "layout", "token_env", "api_key", "timeout")


def settings_of(name, table):
    """A table of the package's configuration as TOML for dispatch; keys of other purposes stay out."""
    from . import _module

    return "\n".join(_module(__package__ + ".config")._lines({"endpoints": {"default": name, name: {key: table[key] for key in _KEYS if key in table}}}))


def endpoints(*, repo: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
    """The tables [endpoints.NAME] of the repo's configuration -> [{"name", "kind", "url", "model_dir", "layout", "problem", "is_default"}]; problem: why it cannot be used, or None."""
    rows, callbacks, err = [], l.Callbacks(), l.Error()

    def one(at):
        row = {name: getattr(at.contents, name).decode(errors="replace") or None for name in ("name", "kind", "url", "model_dir", "layout", "problem")}
        rows.append({**row, "is_default": at.contents.is_default})

    l.check(callbacks.call(_library().ipfsa_endpoint_list, node(repo).handle, callbacks.make(ENDPOINT_CB, one), None, c.byref(err)), err)
    return rows


# ipfsa/status.h -> what a failed dispatch is called: the model, the endpoint, or its answer.
_CODES = {-2: "endpoint_refused", -8: "endpoint_unreachable", -14: "unsupported_format", -18: "not_ready"}


def _reason(why):
    code = "pickle_refused" if why.status == -15 and "pickle" in why.message else _CODES.get(why.status)
    return errors.make(code, why.message, why.cid, why.status) if code else why


def dispatch(cid: str | bytes | os.PathLike[str], endpoint: str | None = None, *, name: str | None = None, allow_pickle: bool = False, settings: str | None = None, progress: Progress = None, timeout: float | None = None, repo: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """A model (a file, a folder) to an endpoint; None: the configuration's endpoints.default. settings: TOML whose [endpoints] count in its place. When it returns, the model is there and the endpoint's own look at it said ready ->
    {"cid", "endpoint", "kind", "model_name", "file", "format", "way", "placed_bytes", "ready", "health_ms"}."""
    import warnings

    n, told, callbacks, err, made = node(repo), [], l.Callbacks(), l.Error(), c.POINTER(Dispatched)()
    path = path_bytes(n, cid)
    warned = WARNED_CB(lambda ctx, text: told.append(text.decode(errors="replace")))
    with Watch("dispatch", progress, timeout, path.decode()) as watch:
        options = DispatchOptions(struct_size=c.sizeof(DispatchOptions), endpoint=l.text(endpoint or None), name=l.text(name or None),
                                  allow_pickle=allow_pickle, warned=warned, progress=watch.callback(callbacks), settings=l.text(settings or None))
        try:
            l.check(callbacks.call(_library().ipfsa_dispatch, n.handle, path, c.byref(options), c.byref(made), c.byref(err)), err, path.decode())
        except errors.IPFSError as why:
            raise _reason(why) from None
    d = made.contents
    try:
        for text in told:
            warnings.warn(text, RuntimeWarning, stacklevel=3)
        return {"cid": l.cid_text(d.cid), "endpoint": d.endpoint.decode(), "kind": d.kind.decode(), "model_name": d.model.decode(), "file": d.place.decode(errors="surrogateescape"),
                "format": d.format.decode(), "way": d.way.decode() or None, "placed_bytes": d.bytes, "ready": d.ready, "health_ms": d.health_ms}
    finally:
        _library().ipfsa_dispatched_free(made)


_own(globals())
