"""Names for content, "model" or "org/model": wherever a path begins with a CID, an alias may stand. gc keeps what one means."""
from __future__ import annotations

import ctypes as c

from . import _library as l, _node, _own, _progress

node, path_bytes = _node.node, _node.path_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os


class Alias(c.Structure):
    _fields_ = [("name", c.c_char * 194), ("cid", l.Cid)]


ALIAS_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(Alias))
STRUCTS = {"ipfsa_alias": Alias}
_P, _ERR = c.c_void_p, c.POINTER(l.Error)
_CALLS = {
    "ipfsa_alias_check": (c.c_int, [c.c_char_p, _ERR]),
    "ipfsa_alias_set": (c.c_int, [_P, c.POINTER(Alias), c.c_size_t, _ERR]),
    "ipfsa_alias_get": (c.c_int, [_P, c.c_char_p, c.POINTER(l.Cid), _ERR]),
    "ipfsa_alias_rm": (c.c_int, [_P, c.c_char_p, c.c_bool, _ERR]),
    "ipfsa_alias_list": (c.c_int, [_P, ALIAS_CB, _P, _ERR]),
}


def _library():
    return l.with_calls(_CALLS)


def check_alias(name: str) -> None:
    """Raises IPFSError where the text can be no alias, with the reason."""
    err = l.Error()
    l.check(_library().ipfsa_alias_check(l.text(name), c.byref(err)), err)


def set_alias(name: str, cid: str | bytes | os.PathLike[str], *, timeout: float | None = None, repo: str | os.PathLike[str] | None = None) -> str:
    """From now on `name` means this content, durable when it returns -> its CID. cid: also a path or another alias, as it is now."""
    from . import content

    check_alias(name)
    n = node(repo)
    one, err = Alias(name=name.encode(), cid=content._resolve(n, path_bytes(n, cid))), l.Error()
    with _progress.Watch("alias", None, timeout):
        l.check(l.Callbacks().call(_library().ipfsa_alias_set, n.handle, c.byref(one), 1, c.byref(err)), err)
    return l.cid_text(one.cid)


def get_alias(name: str, *, repo: str | os.PathLike[str] | None = None) -> str:
    """-> the CID. NotFound."""
    found, err = l.Cid(), l.Error()
    l.check(_library().ipfsa_alias_get(node(repo).handle, l.text(name), c.byref(found), c.byref(err)), err)
    return l.cid_text(found)


def remove_alias(name: str, *, timeout: float | None = None, repo: str | os.PathLike[str] | None = None) -> None:
    """The content stays until garbage is collected. NotFound."""
    err = l.Error()
    with _progress.Watch("alias", None, timeout):
        l.check(l.Callbacks().call(_library().ipfsa_alias_rm, node(repo).handle, l.text(name), False, c.byref(err)), err)


def aliases(*, repo: str | os.PathLike[str] | None = None) -> dict[str, str]:
    """-> {name: CID}, by name."""
    rows, callbacks, err = {}, l.Callbacks(), l.Error()

    def one(at):
        rows[at.contents.name.decode()] = l.cid_text(at.contents.cid)

    l.check(callbacks.call(_library().ipfsa_alias_list, node(repo).handle, callbacks.make(ALIAS_CB, one), None, c.byref(err)), err)
    return rows


_own(globals())
