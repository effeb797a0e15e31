"""The C library: found and opened once, on the first call that needs it. Structs as in include/ipfsa; a test compares sizes and offsets."""
import ctypes as c
import os
import threading

try:
    import _signal as signal  # its Python face makes enums of every answer, which costs more than the calls of the library
except ImportError:
    import signal  # type: ignore[no-redef]

from . import _own, errors

_NAME = "libipfsa.so.0"
ONLY_MAIN = "ipfs_accelerate_py runs in the main interpreter only: call it there, in a thread of it, or in another process"
_lock = threading.Lock()
_lib = None
_bytes_made = None  # two functions of the interpreter


def _in_child():
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_in_child)


def _native(name):
    """What an installed wheel brings along."""
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "native", name)


def _candidates():
    """A library of the system counts when it is of this version, so that all on a machine use one; else the one that came along."""
    if os.environ.get("IPFSA_LIBRARY"):
        return [os.environ["IPFSA_LIBRARY"]]
    return [_NAME, _native(_NAME)]


def program_path():
    """The program that belongs to this package, else the first in $PATH, else None."""
    import shutil

    if os.environ.get("IPFSA_PROGRAM"):
        return os.environ["IPFSA_PROGRAM"]
    own = _native("ipfs-accelerate")
    return own if os.path.exists(own) else shutil.which("ipfs-accelerate")


class Error(c.Structure):
    _fields_ = [("status", c.c_int), ("sys_errno", c.c_int), ("offset", c.c_uint64), ("message", c.c_char * 504)]


class Multihash(c.Structure):
    _fields_ = [("code", c.c_uint64), ("len", c.c_uint8), ("digest", c.c_uint8 * 128)]


class Cid(c.Structure):
    _fields_ = [("codec", c.c_uint64), ("version", c.c_uint8), ("defined", c.c_bool), ("mh", Multihash)]


class Progress(c.Structure):
    _fields_ = [("done_bytes", c.c_uint64), ("total_bytes", c.c_uint64), ("done_items", c.c_uint64), ("total_items", c.c_uint64)]


PROGRESS_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(Progress))
WRITE_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_size_t)


WAITING_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_uint64)


class NodeOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("repo_path", c.c_char_p), ("read_only", c.c_bool), ("create", c.c_bool), ("profile", c.c_char_p),
                ("lock_timeout_ms", c.c_int64), ("source", c.c_void_p), ("lock_waiting", WAITING_CB), ("lock_waiting_ctx", c.c_void_p)]


class AddEvent(c.Structure):
    _fields_ = [("name", c.c_void_p), ("name_len", c.c_size_t), ("cid", Cid), ("size", c.c_uint64), ("mode", c.c_uint32), ("has_mtime", c.c_bool),
                ("mtime_s", c.c_int64), ("mtime_ns", c.c_uint32)]


ADD_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(AddEvent))
UNSET, OFF, ON = 0, 1, 2


class AddOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t)] + [(name, c.c_bool) for name in (
        "recursive", "hidden", "only_hash", "wrap", "nocopy", "inline_", "dereference_args", "dereference_symlinks", "preserve_mode", "preserve_mtime",
        "skip_empty_dirs")] + [
        ("cid_version_1", c.c_int), ("raw_leaves", c.c_int), ("trickle", c.c_int), ("pin", c.c_int), ("chunker", c.c_char_p), ("hash", c.c_char_p),
        ("inline_limit", c.c_int64), ("max_file_links", c.c_int64), ("max_directory_links", c.c_int64), ("max_hamt_fanout", c.c_int64),
        ("pin_name", c.c_char_p), ("mode", c.c_uint32), ("mtime", c.c_int64), ("mtime_nsecs", c.c_uint32), ("ignore", c.POINTER(c.c_char_p)),
        ("n_ignore", c.c_size_t), ("ignore_rules_path", c.c_char_p), ("to_files", c.c_char_p), ("stdin_name", c.c_char_p), ("event", ADD_CB),
        ("event_ctx", c.c_void_p), ("progress", PROGRESS_CB), ("progress_ctx", c.c_void_p), ("profile", c.c_char_p)]


class GetOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("any_symlink", c.c_bool), ("progress", PROGRESS_CB), ("progress_ctx", c.c_void_p), ("room_in", c.c_char_p)]


class Entry(c.Structure):
    _fields_ = [("name", c.c_void_p), ("name_len", c.c_size_t), ("cid", Cid), ("type", c.c_int), ("size", c.c_uint64), ("target", c.c_char_p),
                ("mode", c.c_uint32), ("has_mtime", c.c_bool), ("mtime_s", c.c_int64), ("mtime_ns", c.c_uint32)]


ENTRY_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(Entry))


class PinAddOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("direct", c.c_bool), ("name", c.c_char_p), ("progress", PROGRESS_CB), ("progress_ctx", c.c_void_p)]


class Pin(c.Structure):
    _fields_ = [("cid", Cid), ("mode", c.c_int), ("name", c.c_char * 256)]


REF_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(Cid), c.POINTER(Cid), c.c_void_p, c.c_size_t)
PIN_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(Pin))


class DagStat(c.Structure):
    _fields_ = [("n_blocks", c.c_uint64), ("size", c.c_uint64)]


class DagSummary(c.Structure):
    _fields_ = [("unique_blocks", c.c_uint64), ("total_size", c.c_uint64), ("shared_size", c.c_uint64), ("ratio", c.c_double)]


DAMAGE_CB = c.CFUNCTYPE(c.c_int, c.c_void_p, c.POINTER(Cid), c.c_char_p)


class VerifyOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("repair", c.c_bool), ("damaged", DAMAGE_CB), ("damaged_ctx", c.c_void_p), ("progress", PROGRESS_CB),
                ("progress_ctx", c.c_void_p)]


class VerifyResult(c.Structure):
    _fields_ = [("n_blocks", c.c_uint64), ("n_bytes", c.c_uint64), ("n_damaged", c.c_uint64), ("n_quarantined", c.c_uint64)]


# The rows of the ABI test: our struct and its name in the headers.
STRUCTS = {"ipfsa_error": Error, "ipfsa_multihash": Multihash, "ipfsa_cid": Cid, "ipfsa_progress": Progress, "ipfsa_node_options": NodeOptions,
           "ipfsa_add_event": AddEvent, "ipfsa_add_options": AddOptions, "ipfsa_get_options": GetOptions, "ipfsa_entry": Entry,
           "ipfsa_pin_add_options": PinAddOptions, "ipfsa_pin": Pin, "ipfsa_dag_stat": DagStat, "ipfsa_dag_summary": DagSummary,
           "ipfsa_repo_verify_options": VerifyOptions, "ipfsa_repo_verify_result": VerifyResult}

_P = c.c_void_p  # a node, a callback's context
_ERR = c.POINTER(Error)
_CID = c.POINTER(Cid)
_CALLS = {
    "ipfsa_version": (c.c_char_p, []),
    "ipfsa_text_free": (None, [_P]),
    "ipfsa_node_open": (c.c_int, [c.POINTER(NodeOptions), c.POINTER(_P), c.POINTER(c.c_bool), _ERR]),
    "ipfsa_node_close": (None, [_P]),
    "ipfsa_node_repo_path": (c.c_char_p, [_P]),
    "ipfsa_cid_parse": (c.c_int, [c.c_char_p, c.c_size_t, _CID, _ERR]),
    "ipfsa_cid_format": (None, [_CID, c.c_char_p]),
    "ipfsa_codec_to_string": (c.c_char_p, [c.c_uint64]),
    "ipfsa_path_parse": (c.c_int, [_P, c.c_char_p, _CID, _ERR]),
    "ipfsa_resolve": (c.c_int, [_P, c.c_char_p, _CID, c.POINTER(_P), _ERR]),
    "ipfsa_add": (c.c_int, [_P, c.POINTER(c.c_char_p), c.c_size_t, c.c_int, c.POINTER(AddOptions), _CID, _ERR]),
    "ipfsa_get": (c.c_int, [_P, c.c_char_p, c.c_char_p, c.POINTER(GetOptions), _ERR]),
    "ipfsa_cat": (c.c_int, [_P, c.c_char_p, c.c_uint64, c.c_uint64, WRITE_CB, _P, PROGRESS_CB, _P, _ERR]),
    "ipfsa_get_tar": (c.c_int, [_P, c.c_char_p, WRITE_CB, _P, c.POINTER(GetOptions), _ERR]),
    "ipfsa_ls": (c.c_int, [_P, c.c_char_p, c.c_bool, ENTRY_CB, _P, _ERR]),
    "ipfsa_file_size": (c.c_int, [_P, c.c_char_p, c.POINTER(c.c_uint64), _ERR]),
    "ipfsa_file_open": (c.c_int, [_P, c.c_char_p, c.POINTER(_P), _ERR]),
    "ipfsa_file_close": (None, [_P]),
    "ipfsa_file_length": (c.c_uint64, [_P]),
    "ipfsa_file_read_at": (c.c_int, [_P, c.c_uint64, _P, c.c_size_t, c.POINTER(c.c_size_t), _ERR]),
    "ipfsa_refs": (c.c_int, [_P, c.POINTER(c.c_char_p), c.c_size_t, c.c_uint64, c.c_bool, REF_CB, _P, _ERR]),
    "ipfsa_block_size": (c.c_int, [_P, _CID, c.POINTER(c.c_uint64), _ERR]),
    "ipfsa_dag_stat_get": (c.c_int, [_P, _CID, c.c_size_t, PROGRESS_CB, _P, c.POINTER(DagStat), c.POINTER(DagSummary), _ERR]),
    "ipfsa_pin_add": (c.c_int, [_P, _CID, c.POINTER(PinAddOptions), _ERR]),
    "ipfsa_pin_rm": (c.c_int, [_P, _CID, c.c_bool, _ERR]),
    "ipfsa_pin_list": (c.c_int, [_P, c.c_int, c.c_char_p, PIN_CB, _P, _ERR]),
    "ipfsa_pin_find": (c.c_int, [_P, _CID, c.c_int, c.POINTER(Pin), _CID, _ERR]),
    "ipfsa_repo_verify": (c.c_int, [_P, c.POINTER(VerifyOptions), c.POINTER(VerifyResult), _ERR]),
    "ipfsa_toml_set": (c.c_int, [c.c_char_p, c.c_size_t, c.c_char_p, c.c_char_p, c.POINTER(_P), _ERR]),
}


def _check_interpreter():
    """Callbacks of ctypes run in the main interpreter, whichever made the call (PyGILState_Ensure)."""
    current, main = (c.PYFUNCTYPE(c.c_void_p)((name, c.pythonapi)) for name in ("PyInterpreterState_Get", "PyInterpreterState_Main"))
    if current() != main():
        raise errors.make("internal", ONLY_MAIN)


def _unfit(lib):
    """Why this library is not the one that this package speaks to; None: it is, and its calls have their types."""
    from . import __version__

    try:
        for name, (result, arguments) in _CALLS.items():
            call = getattr(lib, name)
            call.restype, call.argtypes = result, arguments
    except AttributeError as why:
        return str(why)
    version = lib.ipfsa_version().decode()
    return None if version == __version__ else "version %s, this package is %s" % (version, __version__)


def _open():
    _check_interpreter()
    tried = []
    for path in _candidates():
        try:
            lib = c.CDLL(path, use_errno=True)
        except OSError as why:
            tried.append("%s (%s)" % (path, why))
            continue
        why = _unfit(lib)
        if why is None:
            return lib
        tried.append("%s (%s)" % (path, why))
    raise errors.make("internal", "the library libipfsa is not here; install the package anew, or name it in IPFSA_LIBRARY; tried: " + "; ".join(tried))


def library():
    global _lib
    if _lib is None:
        with _lock:
            if _lib is None:
                _lib = _open()
    return _lib


def with_calls(calls):
    """The library; calls of it that only some modules make get their types when they are first needed."""
    lib = library()
    for name, (result, arguments) in calls.items():
        call = getattr(lib, name)
        if call.argtypes is None:
            call.restype, call.argtypes = result, arguments
    return lib


def new_bytes(length):
    """-> bytes of that length and where they lie, to be filled before anybody else sees them: as the C interface of Python has it, without a copy."""
    global _bytes_made
    if _bytes_made is None:
        _bytes_made = (c.PYFUNCTYPE(c.py_object, c.c_void_p, c.c_ssize_t)(("PyBytes_FromStringAndSize", c.pythonapi)),
                       c.PYFUNCTYPE(c.c_void_p, c.py_object)(("PyBytes_AsString", c.pythonapi)))
    made = _bytes_made[0](None, length)
    return made, _bytes_made[1](made)


class _Waiting(threading.local):
    """What this thread is told when it waits for another process that writes, and what was raised there."""

    watch, raised = None, None


waiting = _Waiting()
LOCK_WAIT = 10.0  # seconds that a call waits which has no time limit


def _while_locked(ctx, waited_ms):
    """Called by the library in the thread that waits -> not 0: it is to wait no longer."""
    try:
        if waiting.raised is not None:
            return 1
        if waiting.watch is None:
            return waited_ms >= LOCK_WAIT * 1000
        waiting.watch.look_but_for_time()
        left = waiting.watch.left()
        return waited_ms >= LOCK_WAIT * 1000 if left is None else left <= 0
    except BaseException as why:  # nothing may leave a callback
        waiting.raised = why
        return 1


lock_waiting = WAITING_CB(_while_locked)


def check(status, err, cid=None):
    if waiting.raised is not None:
        why, waiting.raised = waiting.raised, None
        try:
            raise why
        finally:
            del why
    if status:
        raise errors.of_status(status, err.message.decode(errors="replace"), cid)


def text(value):
    """Words for a call; None stays None. ValueError: a NUL, at which C would take them to end."""
    if value is None:
        return None
    encoded = value.encode(errors="surrogateescape") if isinstance(value, str) else value
    if b"\0" in encoded:
        raise ValueError("embedded null byte in %r" % (value,))
    return encoded


def take_text(pointer):
    """The text of a call's result, which is freed."""
    text = c.string_at(pointer).decode(errors="surrogateescape")
    library().ipfsa_text_free(pointer)
    return text


def cid_text(cid):
    text = c.create_string_buffer(1400)
    library().ipfsa_cid_format(c.byref(cid), text)
    return text.value.decode()


class Callbacks:
    """Python code called by a call of the library. What it raises stops that call (not 0) and is raised when it has returned; so is what the handler of
    an interrupt raises, which the interpreter would lose on its way into a callback."""

    def __init__(self):
        self.raised, self.kept = None, []

    def make(self, kind, function):
        def guarded(*arguments):
            if self.raised is not None:
                return 1
            try:
                return 1 if function(*arguments[1:]) or self.raised is not None else 0
            except BaseException as why:  # nothing may leave a callback
                self.raised = why
                return 1
        callback = kind(guarded)
        self.kept.append(callback)
        return callback

    def call(self, function, *arguments):
        """-> the call's status, or raises what was raised meanwhile."""
        handler = signal.getsignal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else None
        if not callable(handler):
            status = function(*arguments)
        else:
            def interrupted(number, frame):
                try:
                    handler(number, frame)
                except BaseException as why:
                    self.raised = waiting.raised = why

            signal.signal(signal.SIGINT, interrupted)
            try:
                status = function(*arguments)
            finally:
                signal.signal(signal.SIGINT, handler)
        why, self.raised = self.raised, None
        if why is None:
            return status
        waiting.raised = None
        try:
            raise why
        finally:
            del why  # its frames know this one: what they hold is to go with the exception


_own(globals())
