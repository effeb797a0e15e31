"""Content in and out of the store: add, get, cat, open, list, pin, check. Sizes are bytes, times seconds."""
from __future__ import annotations

import ctypes as c
import io
import os

from . import _library as l, _node, _own, _progress, errors

close, node, path_bytes = _node.close, _node.node, _node.path_bytes  # close is for users
STEP, Watch, turn = _progress.STEP, _progress.Watch, _progress.turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._progress import Progress

_TYPES = {0: "unknown", 1: "directory", 2: "file", 4: "symlink"}
_MODES = {1: "recursive", 2: "direct", 3: "indirect"}
_ALL = (1 << 64) - 1


def add(path: str | bytes | os.PathLike[str], *, profile: str | None = None, recursive: bool = True, pin: bool = True, cid_version: int | None = None, raw_leaves: bool | None = None, chunker: str | None = None, nocopy: bool = False, only_hash: bool = False, pin_name: str | None = None, hidden: bool = False,
        progress: Progress = None, timeout: float | None = None, repo: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Adds a file or folder -> {"cid", "size" (of its DAG), "files"}, durable when it returns. None: what the profile says ("unixfs-v1-2025"), else the repo's
    configuration. progress: True for a bar, or a function. timeout: seconds."""
    if cid_version not in (None, 0, 1):
        raise ValueError("cid_version is 0, 1 or None, not %r" % (cid_version,))
    n = node(repo)
    callbacks = l.Callbacks()
    names, folders, size = set(), {b""} if os.path.isdir(path) else set(), [0]

    def event(at):
        name = c.string_at(at.contents.name, at.contents.name_len)
        names.add(name)
        folders.add(name.rpartition(b"/")[0])
        size[0] = at.contents.size

    def option(value):
        return l.UNSET if value is None else l.ON if value else l.OFF

    paths = (c.c_char_p * 1)(l.text(os.fsencode(path)))
    root, err = l.Cid(), l.Error()
    with Watch("add", progress, timeout) as watch, turn(n.adding, watch.look):
        options = l.AddOptions(struct_size=c.sizeof(l.AddOptions), recursive=recursive, hidden=hidden, nocopy=nocopy, only_hash=only_hash,
                               cid_version_1=option(cid_version), raw_leaves=option(raw_leaves), pin=option(bool(pin)),
                               chunker=l.text(chunker or None), pin_name=l.text(pin_name or None), profile=l.text(profile or None),
                               event=callbacks.make(l.ADD_CB, event), progress=watch.callback(callbacks))
        l.check(callbacks.call(l.library().ipfsa_add, n.handle, paths, 1, -1, c.byref(options), c.byref(root), c.byref(err)), err)
    return {"cid": l.cid_text(root), "size": size[0], "files": len(names - folders)}


def get(cid: str | bytes | os.PathLike[str], path: str | bytes | os.PathLike[str], *, any_symlink: bool = False, progress: Progress = None, timeout: float | None = None, repo: str | os.PathLike[str] | None = None) -> str | bytes:
    """Writes a file or folder to `path`, every byte verified -> path. A file there is replaced when all of the new one is; a folder is an error."""
    n = node(repo)
    name = path_bytes(n, cid)
    callbacks, err = l.Callbacks(), l.Error()
    with Watch("get", progress, timeout, name.decode()) as watch:
        options = l.GetOptions(struct_size=c.sizeof(l.GetOptions), any_symlink=any_symlink, progress=watch.callback(callbacks))
        l.check(callbacks.call(l.library().ipfsa_get, n.handle, name, l.text(os.fsencode(path)), c.byref(options), c.byref(err)), err, name.decode())
    return os.fspath(path)


def cat(cid: str | bytes | os.PathLike[str], offset: int = 0, length: int | None = None, *, progress: Progress = None, timeout: float | None = None, repo: str | os.PathLike[str] | None = None) -> bytes:
    """Bytes [offset, offset + length) of a file; length None: to its end."""
    if offset < 0 or (length is not None and length < 0):
        raise ValueError("offset and length are not negative")
    n = node(repo)
    name = path_bytes(n, cid)
    whole, err = c.c_uint64(), l.Error()
    l.check(l.library().ipfsa_file_size(n.handle, name, c.byref(whole), c.byref(err)), err, name.decode())
    total, done = max(min(whole.value - offset, whole.value if length is None else length), 0), 0
    data, place = l.new_bytes(total)
    callbacks = l.Callbacks()

    def write(piece, size):
        nonlocal done
        if size > total - done:
            raise errors.make("internal", "%s gave more than the %d bytes that it has" % (name.decode(), whole.value))
        c.memmove(place + done, piece, size)
        done += size

    with Watch("cat", progress, timeout, name.decode()) as watch:
        status = callbacks.call(l.library().ipfsa_cat, n.handle, name, offset, total, callbacks.make(l.WRITE_CB, write), None, watch.callback(callbacks), None, c.byref(err))
        l.check(status, err, name.decode())
    return data if done == total else data[:done]


class File(io.RawIOBase):
    """A file of the store, open for reading anywhere: what is in memory costs no more than a plain file. One thread at a time. timeout: seconds that one read may take."""

    def __init__(self, cid: str | bytes | os.PathLike[str], repo: str | os.PathLike[str] | None = None, *, timeout: float | None = None) -> None:
        self._node, self._repo, self._timeout = node(repo), repo, timeout
        self.cid = path_bytes(self._node, cid).decode()
        self._handle, self._at, err = c.c_void_p(), 0, l.Error()
        l.check(l.library().ipfsa_file_open(self._node.handle, self.cid.encode(), c.byref(self._handle), c.byref(err)), err, self.cid)
        self.size = l.library().ipfsa_file_length(self._handle)
        self._node.users.add(self)

    def _look(self):
        """It is open; in a forked child with a node of its own."""
        if self.closed:
            raise ValueError("the file is closed")
        if not self._node.is_usable():
            self._reopen()

    def _reopen(self):
        self._node, err = node(self._repo), l.Error()
        l.check(l.library().ipfsa_file_open(self._node.handle, self.cid.encode(), c.byref(self._handle), c.byref(err)), err, self.cid)
        self._node.users.add(self)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}
        if whence not in bases:
            raise ValueError("whence is SEEK_SET, SEEK_CUR or SEEK_END, not %r" % (whence,))
        at = bases[whence] + offset
        if at < 0:
            raise ValueError("a place before the file")
        self._at = at
        return at

    def tell(self) -> int:
        return self._at

    def readinto_at(self, offset: int, buffer: Any) -> int:
        """Fills a writable buffer from `offset` on -> bytes, fewer at the end of the file."""
        self._look()
        if offset < 0:
            raise ValueError("a place before the file")
        view = memoryview(buffer).cast("B")
        if len(view) == 0 or offset >= self.size:
            return 0
        place = (c.c_char * len(view)).from_buffer(view)
        if len(view) > STEP or self._timeout is not None:
            return self._fill(offset, c.addressof(place), len(view))
        got, err = c.c_size_t(), l.Error()
        l.check(l.library().ipfsa_file_read_at(self._handle, offset, c.byref(place), len(view), c.byref(got), c.byref(err)), err, self.cid)
        return got.value

    def _fill(self, offset, address, length):
        """A step after the other: an interrupt or the time limit ends it between two."""
        watch, got, err, done = Watch("read", None, self._timeout, self.cid), c.c_size_t(), l.Error(), 0
        length = max(min(length, self.size - offset), 0)
        while done < length:
            watch.look()
            l.check(l.library().ipfsa_file_read_at(self._handle, offset + done, address + done, min(STEP, length - done), c.byref(got), c.byref(err)), err, self.cid)
            done += got.value
        return done

    def readall(self) -> bytes:
        self._look()
        data, place = l.new_bytes(max(self.size - self._at, 0))
        self._at += self._fill(self._at, place, len(data))
        return data

    def readinto(self, buffer: Any) -> int:
        n = self.readinto_at(self._at, buffer)
        self._at += n
        return n

    def close(self) -> None:
        if not self.closed and getattr(self, "_handle", None):
            if self._node.is_usable():
                l.library().ipfsa_file_close(self._handle)
            self._handle = None
            self._node.users.discard(self)
        super().close()


def open_file(cid: str | bytes | os.PathLike[str], *, timeout: float | None = None, repo: str | os.PathLike[str] | None = None) -> File:
    """A binary file object, unbuffered: `with open_file("ipfs://bafy…/model.safetensors") as f: f.seek(8); f.read(100)`. timeout: seconds that one read may
    take."""
    return File(cid, repo, timeout=timeout)


def ls(cid: str | bytes | os.PathLike[str], *, repo: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
    """Entries of a folder -> [{"name", "cid", "type", "size"}]; a file has none."""
    n, rows = node(repo), []
    name = path_bytes(n, cid)
    callbacks, err = l.Callbacks(), l.Error()

    def entry(at):
        e = at.contents
        rows.append({"name": c.string_at(e.name, e.name_len).decode(errors="surrogateescape"), "cid": l.cid_text(e.cid), "type": _TYPES[e.type], "size": e.size})

    l.check(callbacks.call(l.library().ipfsa_ls, n.handle, name, True, callbacks.make(l.ENTRY_CB, entry), None, c.byref(err)), err, name.decode())
    return rows


def resolve(cid: str | bytes | os.PathLike[str], *, repo: str | os.PathLike[str] | None = None) -> str:
    """The CID at which a path ends, as text."""
    n = node(repo)
    return l.cid_text(_resolve(n, path_bytes(n, cid)))


def _resolve(n, name):
    found, rest, err = l.Cid(), c.c_void_p(), l.Error()
    l.check(l.library().ipfsa_resolve(n.handle, name, c.byref(found), c.byref(rest), c.byref(err)), err, name.decode())
    inside = l.take_text(rest)
    if inside:
        raise errors.make("not_found", "%s ends inside a block, at %s" % (name.decode(), inside), name.decode())
    return found


def pin(cid: str | bytes | os.PathLike[str], *, name: str | None = None, recursive: bool = True, progress: Progress = None, timeout: float | None = None, repo: str | os.PathLike[str] | None = None) -> str:
    """Keeps content when garbage is collected; everything below it must be here."""
    n = node(repo)
    path = path_bytes(n, cid)
    found, callbacks, err = _resolve(n, path), l.Callbacks(), l.Error()
    with Watch("pin", progress, timeout, path.decode()) as watch:
        options = l.PinAddOptions(struct_size=c.sizeof(l.PinAddOptions), direct=not recursive, name=l.text(name or None), progress=watch.callback(callbacks))
        l.check(callbacks.call(l.library().ipfsa_pin_add, n.handle, c.byref(found), c.byref(options), c.byref(err)), err, path.decode())
    return l.cid_text(found)


def unpin(cid: str | bytes | os.PathLike[str], *, recursive: bool = True, timeout: float | None = None, repo: str | os.PathLike[str] | None = None) -> str:
    """Garbage collection may take it again, unless something else keeps it -> its CID. IPFSError: it has no such pin."""
    n = node(repo)
    path = path_bytes(n, cid)
    found, err = _resolve(n, path), l.Error()
    with Watch("unpin", None, timeout, path.decode()):
        l.check(l.Callbacks().call(l.library().ipfsa_pin_rm, n.handle, c.byref(found), recursive, c.byref(err)), err, path.decode())
    return l.cid_text(found)


def pins(*, kind: str | None = None, repo: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
    """-> [{"cid", "type", "name"}]; kind: "recursive", "direct", "indirect" or None for all."""
    modes = {None: 0, "recursive": 1, "direct": 2, "indirect": 3}
    if kind not in modes:
        raise ValueError("kind is one of recursive, direct, indirect and None, not %r" % (kind,))
    n, rows, callbacks, err = node(repo), [], l.Callbacks(), l.Error()

    def one(at):
        p = at.contents
        rows.append({"cid": l.cid_text(p.cid), "type": _MODES[p.mode], "name": p.name.decode(errors="replace")})

    l.check(callbacks.call(l.library().ipfsa_pin_list, n.handle, modes[kind], None, callbacks.make(l.PIN_CB, one), None, c.byref(err)), err)
    return rows


def is_local(cid: str | bytes | os.PathLike[str], *, repo: str | os.PathLike[str] | None = None) -> bool:
    """Is the block of this CID here? What lies below it may not be: see stat."""
    n = node(repo)
    path = path_bytes(n, cid)
    try:
        found = _resolve(n, path)
        size, err = c.c_uint64(), l.Error()
        l.check(l.library().ipfsa_block_size(n.handle, c.byref(found), c.byref(size), c.byref(err)), err)
    except errors.NotFound:
        return False
    return True


def _is_pinned(n, cid):
    kept, err = l.Pin(), l.Error()
    status = l.library().ipfsa_pin_find(n.handle, c.byref(cid), 0, c.byref(kept), None, c.byref(err))
    if status == -19:  # E_NOT_PINNED
        return False
    l.check(status, err)
    return True


def kind(cid: str | bytes | os.PathLike[str], *, repo: str | os.PathLike[str] | None = None) -> str:
    """-> "file", "directory", or "node" for what is no UnixFS. NotFound: its first block is not here."""
    return kind_and_size(cid, repo=repo)[0]


def kind_and_size(cid: str | bytes | os.PathLike[str], *, repo: str | os.PathLike[str] | None = None) -> tuple[str, int | None]:
    """-> the same, and the bytes of a file, else None."""
    n = node(repo)
    path = path_bytes(n, cid)
    found = _resolve(n, path)
    name, size = _kind_and_size(n, path, found, l.DagStat())
    if name == "node":  # is it here at all?
        here, err = c.c_uint64(), l.Error()
        l.check(l.library().ipfsa_block_size(n.handle, c.byref(found), c.byref(here), c.byref(err)), err, path.decode())
    return name, size if name == "file" else None


def _kind_and_size(n, path, cid, dag):
    """A file says its bytes; of a folder, or what is no UnixFS, the blocks count."""
    size, err = c.c_uint64(), l.Error()
    if cid.codec not in (0x55, 0x70):
        return "node", dag.size
    status = l.library().ipfsa_file_size(n.handle, path, c.byref(size), c.byref(err))
    if status == 0:
        return "file", size.value
    callbacks = l.Callbacks()
    status = callbacks.call(l.library().ipfsa_ls, n.handle, path, False, callbacks.make(l.ENTRY_CB, lambda at: None), None, c.byref(err))
    return ("directory" if status == 0 else "node"), dag.size


def stat(cid: str | bytes | os.PathLike[str], *, repo: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """-> {"cid", "size", "type" (file, directory, node), "blocks", "local" (all of it is here), "pinned", "codec", "links"}. NotFound when its first block is not
    here. size and blocks are None for what is here in part."""
    n = node(repo)
    path = path_bytes(n, cid)
    found, err = _resolve(n, path), l.Error()
    size = c.c_uint64()
    l.check(l.library().ipfsa_block_size(n.handle, c.byref(found), c.byref(size), c.byref(err)), err, path.decode())
    callbacks, dag, total = l.Callbacks(), l.DagStat(), l.DagSummary()
    status = callbacks.call(l.library().ipfsa_dag_stat_get, n.handle, c.byref(found), 1, callbacks.make(l.PROGRESS_CB, lambda at: None), None, c.byref(dag), c.byref(total),
                                            c.byref(err))
    if status and status != -5:  # E_NOT_FOUND: in part
        l.check(status, err, path.decode())
    kind, length = _kind_and_size(n, path, found, dag)
    row = {"cid": l.cid_text(found), "size": length, "type": kind, "blocks": dag.n_blocks, "local": status == 0, "pinned": _is_pinned(n, found),
           "codec": l.library().ipfsa_codec_to_string(found.codec).decode(), "links": _n_links(n, path)}
    if status:
        row["blocks"] = None
        row["size"] = length if kind == "file" else None
    return row


def _n_links(n, path):
    count, callbacks, err = [0], l.Callbacks(), l.Error()

    def one(*_):
        count[0] += 1

    paths = (c.c_char_p * 1)(path)
    l.check(callbacks.call(l.library().ipfsa_refs, n.handle, paths, 1, 1, False, callbacks.make(l.REF_CB, one), None, c.byref(err)), err)
    return count[0]


def verify(path: str | bytes | os.PathLike[str] | None = None, *, repair: bool = False, progress: Progress = None, timeout: float | None = None,
           repo: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Reads and hashes every block of the repo -> {"blocks", "bytes", "damaged": [{"cid", "message"}], "quarantined"}. path: only what is below it, without repair, up to the first
    damage -> {"cid", "bytes", "damaged"}. NotFound: part of it is not here."""
    if path is not None:
        return _verify_below(path, progress, timeout, repo)
    n, bad = node(repo), []
    callbacks, err, result = l.Callbacks(), l.Error(), l.VerifyResult()

    def damaged(cid, what):
        bad.append({"cid": l.cid_text(cid.contents) if cid.contents.defined else None, "message": what.decode(errors="replace")})

    with Watch("verify", progress, timeout) as watch:
        options = l.VerifyOptions(struct_size=c.sizeof(l.VerifyOptions), repair=repair, damaged=callbacks.make(l.DAMAGE_CB, damaged), progress=watch.callback(callbacks))
        l.check(callbacks.call(l.library().ipfsa_repo_verify, n.handle, c.byref(options), c.byref(result), c.byref(err)), err)
    return {"blocks": result.n_blocks, "bytes": result.n_bytes, "damaged": bad, "quarantined": result.n_quarantined}


def _verify_below(path, progress, timeout, repo):
    n = node(repo)
    name, callbacks, err, seen = path_bytes(n, path), l.Callbacks(), l.Error(), [0]
    row = {"cid": resolve(path, repo=repo), "bytes": 0, "damaged": []}

    def take(data, size):
        seen[0] += size

    with Watch("verify", progress, timeout, name.decode()) as watch:
        options = l.GetOptions(struct_size=c.sizeof(l.GetOptions), any_symlink=True, progress=watch.callback(callbacks))
        status = callbacks.call(l.library().ipfsa_get_tar, n.handle, name, callbacks.make(l.WRITE_CB, take), None, c.byref(options), c.byref(err))
    if status == -7:  # E_CORRUPT
        row["damaged"].append({"cid": row["cid"], "message": err.message.decode(errors="replace")})
    else:
        l.check(status, err, name.decode())
    row["bytes"] = seen[0]
    return row


_own(globals())
