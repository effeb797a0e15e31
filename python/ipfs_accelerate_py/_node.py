"""Open repos of this process, shared by its threads, opened when first needed and closed at exit. A forked child opens its own."""
import atexit
import ctypes as c
import os
import threading
import weakref

from . import _library as l, _own, errors

_lock = threading.Lock()
_nodes = {}
_process = os.getpid()  # asked once: calls are to cost microseconds


class Node:
    """One repo. Calls release the GIL; several threads may use it, and adding takes turns."""

    def __init__(self, handle, path):
        self.handle, self.path = handle, path
        self.adding = threading.Lock()
        self.users, self.pid = weakref.WeakSet(), _process  # what is open over it: checkpoints, files

    def is_usable(self):
        """False in a forked child, which has neither the threads nor the locks of it, and when the interpreter has ended."""
        return self.handle is not None and self.pid == _process


def _forget():  # in a forked child: its parent's nodes have threads and locks that this process has not
    global _lock, _process
    _lock, _process = threading.Lock(), os.getpid()
    _nodes.clear()


def _close_all():
    for node in list(_nodes.values()):
        handle, node.handle = node.handle, None
        if not node.users and threading.active_count() == 1:  # else arrays show what is open, or daemon threads are in the middle of calls: all ends with the process
            l.library().ipfsa_node_close(handle)
    _nodes.clear()


os.register_at_fork(after_in_child=_forget)
atexit.register(_close_all)


def default_path():
    for name in ("IPFSA_PATH", "IPFS_PATH"):
        if os.environ.get(name):
            return os.environ[name]
    return os.path.join(os.path.expanduser("~"), ".ipfs-accelerate")


def node(repo=None):
    """The node of a repo folder (default: $IPFSA_PATH, $IPFS_PATH, ~/.ipfs-accelerate), which is made when it is not there."""
    path = os.path.abspath(os.fspath(repo) if repo is not None else default_path())
    found = _nodes.get(path)
    if found:
        return found
    with _lock:
        if path not in _nodes:
            options = l.NodeOptions(struct_size=c.sizeof(l.NodeOptions), repo_path=os.fsencode(path), create=True, lock_waiting=l.lock_waiting)
            handle, err = c.c_void_p(), l.Error()
            l.check(l.library().ipfsa_node_open(c.byref(options), c.byref(handle), None, c.byref(err)), err)
            _nodes[path] = Node(handle, path)
        return _nodes[path]


def close(repo=None):
    """Closes a repo that this process has open; a call after it opens it again. No other thread may be using it. ValueError: checkpoints or files of it are open, or
    arrays over them."""
    path = os.path.abspath(os.fspath(repo) if repo is not None else default_path())
    with _lock:
        found = _nodes.get(path)
        if found and len(found.users):
            raise ValueError("%d checkpoints or files of %s are open, or arrays that show them; close them first" % (len(found.users), path))
        _nodes.pop(path, None)
    if found:
        handle, found.handle = found.handle, None
        l.library().ipfsa_node_close(handle)


def path_bytes(n, cid):
    """A CID, alias, /ipfs/ path or ipfs:// URL as the library takes it. TypeError: no text."""
    text = os.fspath(cid) if isinstance(cid, os.PathLike) else cid
    if isinstance(text, bytes):
        text = text.decode()
    if not isinstance(text, str):
        raise TypeError("expected a CID, an /ipfs/ path or an ipfs:// URL as text, got %s" % type(cid).__name__)
    if "\0" in text:
        raise errors.make("invalid_cid", "a path holds no NUL", text)
    parsed, err = l.Cid(), l.Error()
    if l.library().ipfsa_path_parse(n.handle, text.encode(), c.byref(parsed), c.byref(err)):
        raise errors.make("invalid_cid", err.message.decode(errors="replace"), text, err.status)
    return text.encode()


_own(globals())
