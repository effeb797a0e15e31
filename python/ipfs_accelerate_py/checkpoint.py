"""Model checkpoints out of the store, or of the disk: every check of the format is made when one is opened, every byte of content is verified when it is read."""
from __future__ import annotations

import ctypes as c
import os
import threading

from . import _fork, _library as l, _node, _own, _progress, errors

node, path_bytes = _node.node, _node.path_bytes
STEP, Watch, turn = _progress.STEP, _progress.Watch, _progress.turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._progress import Progress


class Tensor(c.Structure):
    _fields_ = [("name", c.c_void_p), ("name_len", c.c_size_t), ("dtype", c.c_char_p), ("shape", c.POINTER(c.c_uint64)), ("rank", c.c_uint32), ("shard", c.c_uint32),
                ("offset", c.c_uint64), ("size", c.c_uint64)]


class Shard(c.Structure):
    _fields_ = [("name", c.c_char_p), ("size", c.c_uint64), ("data", c.c_uint64), ("n_tensors", c.c_uint64)]


class Pair(c.Structure):
    _fields_ = [("key", c.c_void_p), ("value", c.c_void_p), ("key_len", c.c_size_t), ("value_len", c.c_size_t)]


class View(c.Structure):
    _fields_ = [("data", c.c_void_p), ("size", c.c_uint64), ("mapped", c.c_uint64)]


STRUCTS = {"ipfsa_view": View, "ipfsa_tensor": Tensor, "ipfsa_checkpoint_shard": Shard, "ipfsa_checkpoint_pair": Pair}
_P, _ERR = c.c_void_p, c.POINTER(l.Error)
_CALLS = {
    "ipfsa_checkpoint_open": (c.c_int, [_P, c.c_char_p, c.POINTER(_P), _ERR]),
    "ipfsa_checkpoint_close": (None, [_P]),
    "ipfsa_checkpoint_format_of": (c.c_int, [_P]),
    "ipfsa_checkpoint_format_name": (c.c_char_p, [c.c_int]),
    "ipfsa_checkpoint_n_tensors": (c.c_uint64, [_P]),
    "ipfsa_checkpoint_tensor_bytes": (c.c_uint64, [_P]),
    "ipfsa_checkpoint_tensor": (c.c_bool, [_P, c.c_uint64, c.POINTER(Tensor)]),
    "ipfsa_checkpoint_find": (c.c_bool, [_P, c.c_char_p, c.c_size_t, c.POINTER(Tensor)]),
    "ipfsa_checkpoint_shard_row": (c.c_bool, [_P, c.c_size_t, c.POINTER(Shard)]),
    "ipfsa_checkpoint_metadata_row": (c.c_bool, [_P, c.c_size_t, c.POINTER(Pair)]),
    "ipfsa_checkpoint_warning": (c.c_char_p, [_P, c.c_size_t]),
    "ipfsa_checkpoint_set_views_writable": (None, [_P]),
    "ipfsa_checkpoint_set_view_progress": (None, [_P, l.PROGRESS_CB, _P]),
    "ipfsa_checkpoint_view": (c.c_int, [_P, c.POINTER(Tensor), c.c_uint64, c.c_uint64, c.POINTER(View), _ERR]),
    "ipfsa_checkpoint_read": (c.c_int, [_P, c.POINTER(Tensor), c.c_uint64, _P, c.c_size_t, _ERR]),
}

# What NumPy and torch call a dtype of safetensors or GGUF; None: NumPy has none of that kind.
_DTYPES = {"BOOL": ("bool", "bool"), "U8": ("uint8", "uint8"), "I8": ("int8", "int8"), "I16": ("int16", "int16"), "U16": ("uint16", "uint16"), "F16": ("float16", "float16"),
           "BF16": (None, "bfloat16"), "I32": ("int32", "int32"), "U32": ("uint32", "uint32"), "F32": ("float32", "float32"), "C64": ("complex64", "complex64"),
           "F64": ("float64", "float64"), "I64": ("int64", "int64"), "U64": ("uint64", "uint64"), "F8_E5M2": (None, "float8_e5m2"), "F8_E4M3": (None, "float8_e4m3fn"),
           "F8_E4M3FNUZ": (None, "float8_e4m3fnuz"), "F8_E5M2FNUZ": (None, "float8_e5m2fnuz"), "F8_E8M0": (None, "float8_e8m0fnu")}


def _library():
    return l.with_calls(_CALLS)


def _is_content(path):
    text = os.fspath(path)
    text = text.decode(errors="surrogateescape") if isinstance(text, bytes) else text
    return text.startswith(("ipfs://", "/ipfs/")) or not os.path.exists(text)


class _Handle:
    """A checkpoint that the library has open. It is closed when neither a Checkpoint nor memory that was taken out of it needs it any more."""

    def __init__(self, name, owner):
        self.pointer, self.owner, self.pid = c.c_void_p(), owner, os.getpid()
        err = l.Error()
        l.check(_library().ipfsa_checkpoint_open(owner and owner.handle, name, c.byref(self.pointer), c.byref(err)), err, name.decode(errors="replace"))
        _library().ipfsa_checkpoint_set_views_writable(self.pointer)
        if owner:
            owner.users.add(self)

    def __del__(self):
        if self.pointer and (self.owner is None or self.owner.is_usable()):
            _library().ipfsa_checkpoint_close(self.pointer)
            self.pointer = None


class _Memory(c.c_char * (1 << 46)):
    """Memory from an address on, of which whoever takes a buffer says how long it is; `handle` keeps it there."""


class Checkpoint:
    """path: a file, an index, a folder; content (a CID, an alias, /ipfs/…, ipfs://…) or, when it is there, on the disk. A context manager; reads from any thread take
    turns. What was given out without a copy stays when it is closed. A forked child opens it anew."""

    def __init__(self, path: str | bytes | os.PathLike[str], *, repo: str | os.PathLike[str] | None = None) -> None:
        self._lock, self._repo, self._handle = threading.Lock(), repo, None
        _fork.renew(self)
        self._is_content = _is_content(path)
        name = os.fsencode(path)
        if self._is_content:
            name = path_bytes(node(repo), path)
        self.path = name.decode(errors="surrogateescape")
        self._handle = _Handle(name, node(repo) if self._is_content else None)

    def _renew(self):
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            self._handle = None

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _open(self):
        handle = self._handle
        if handle is None:
            raise ValueError("the checkpoint is closed")
        if handle.pid != os.getpid():
            handle = self._handle = _Handle(self.path.encode(errors="surrogateescape"), node(self._repo) if self._is_content else None)
        return handle.pointer

    format = property(lambda self: _library().ipfsa_checkpoint_format_name(_library().ipfsa_checkpoint_format_of(self._open())).decode(), doc="safetensors, gguf, torch, pickle")
    tensor_bytes = property(lambda self: _library().ipfsa_checkpoint_tensor_bytes(self._open()), doc="bytes of all tensors")

    def __len__(self) -> int:
        return _library().ipfsa_checkpoint_n_tensors(self._open())

    def _rows(self, call, row):
        i = 0
        while call(self._open(), i, c.byref(row)):
            yield row
            i += 1

    def keys(self) -> list[str]:
        """Names, shard by shard in the order of their bytes."""
        return [_text(t.name, t.name_len) for t in self._rows(_library().ipfsa_checkpoint_tensor, Tensor())]

    def tensors(self) -> dict[str, dict[str, Any]]:
        """-> {name: {"dtype", "shape", "shard", "offset", "size"}}, in that order."""
        return {_text(t.name, t.name_len): _about(t) for t in self._rows(_library().ipfsa_checkpoint_tensor, Tensor())}

    def shards(self) -> list[dict[str, Any]]:
        """-> [{"name", "size", "tensors"}]."""
        return [{"name": os.fsdecode(s.name), "size": s.size, "tensors": s.n_tensors} for s in self._rows(_library().ipfsa_checkpoint_shard_row, Shard())]

    def metadata(self) -> dict[str, str] | None:
        """-> dict of text; None where the format has room for it and the file has none."""
        found = {_text(p.key, p.key_len): _text(p.value, p.value_len) for p in self._rows(_library().ipfsa_checkpoint_metadata_row, Pair())}
        return found or None

    def warnings(self) -> list[str]:
        """What is odd but allowed."""
        found = []
        while True:
            text = _library().ipfsa_checkpoint_warning(self._open(), len(found))
            if text is None:
                return found
            found.append(text.decode(errors="replace"))

    def _find(self, name):
        found, key = Tensor(), name.encode(errors="surrogateescape")
        if not _library().ipfsa_checkpoint_find(self._open(), key, len(key), c.byref(found)):
            raise KeyError(name)
        return found

    def tensor(self, name: str) -> dict[str, Any]:
        """-> {"dtype", "shape", "shard", "offset", "size"}. KeyError."""
        return _about(self._find(name))

    def _fill(self, found, offset, address, length, reached):
        """All of it, or an error; a step after the other: an interrupt, or what `reached` raises, ends it between two."""
        call, err = _library().ipfsa_checkpoint_read, l.Error()
        for done in range(0, length, STEP):
            if done:
                reached(done)
            with turn(self._lock, lambda: reached(done)):
                status = call(self._open(), c.byref(found), offset + done, address + done, min(STEP, length - done), c.byref(err))
            l.check(status, err, self.path)

    def _show(self, found, offset, length, reached):
        """-> a view, and what keeps it. The library asks in the middle of a long one."""
        view, err, callbacks, library = View(), l.Error(), l.Callbacks(), _library()
        with turn(self._lock, lambda: reached(0)):
            pointer, handle = self._open(), self._handle
            if length <= STEP:
                status = callbacks.call(library.ipfsa_checkpoint_view, pointer, c.byref(found), offset, length, c.byref(view), c.byref(err))
            else:
                library.ipfsa_checkpoint_set_view_progress(pointer, callbacks.make(l.PROGRESS_CB, lambda at: reached(at.contents.done_bytes)), None)
                try:
                    status = callbacks.call(library.ipfsa_checkpoint_view, pointer, c.byref(found), offset, length, c.byref(view), c.byref(err))
                finally:
                    library.ipfsa_checkpoint_set_view_progress(pointer, l.PROGRESS_CB(), None)
        l.check(status, err, self.path)
        return view, handle

    def read_into(self, name: str, buffer: Any, offset: int = 0, *, progress: Progress = None, timeout: float | None = None) -> None:
        """Fills a writable buffer with bytes of a tensor from `offset` on, verified: all of them, or an error. timeout: seconds."""
        view = memoryview(buffer).cast("B")
        _check_range(offset, None)
        if len(view) == 0:
            return
        found, place = self._find(name), (c.c_char * len(view)).from_buffer(view)
        with Watch("read", progress, timeout, self.path).of(len(view)) as watch:
            self._fill(found, offset, c.addressof(place), len(view), watch.reach)

    def read(self, name: str, offset: int = 0, length: int | None = None, *, progress: Progress = None, timeout: float | None = None) -> bytes:
        """Bytes [offset, offset + length) of a tensor; length None: to its end."""
        found = self._find(name)
        _check_range(offset, length)
        data, place = l.new_bytes(max(found.size - offset, 0) if length is None else length)
        with Watch("read", progress, timeout, self.path).of(len(data)) as watch:
            self._fill(found, offset, place, len(data), watch.reach)
        return data

    def memory(self, name: str, offset: int = 0, length: int | None = None, *, progress: Progress = None, timeout: float | None = None) -> tuple[Any, int]:
        """Bytes [offset, offset + length) of a tensor of content, verified, without a copy where they lie in the store so -> (buffer, address). The buffer is
        longer: take no more than asked for. Writing there changes this process's copy of the page, never the store. length is not 0."""
        found = self._find(name)
        _check_range(offset, length)
        with Watch("read", progress, timeout, self.path).of(max(found.size - offset, 0) if length is None else length) as watch:
            return self._memory(found, offset, watch.total, watch.reach)

    def _memory(self, found, offset, length, reached):
        view, handle = self._show(found, offset, length, reached)
        memory = _Memory.from_address(view.data)
        memory.handle = handle
        return memory, view.data

    def _part(self, name, rows, width, reached):
        """-> shape, elements, and memory that has them: of the store, else new."""
        found = self._find(name)
        shape, offset = _part(list(found.shape[:found.rank]), rows, width)
        n = 1
        for dim in shape:
            n *= dim
        if n == 0:
            return shape, 0, None
        if self._is_content:
            try:
                memory, address = self._memory(found, offset, n * width, reached)
                if address % width == 0:
                    return shape, n, memory
            except (errors.NotFound, errors.Corrupt):
                pass  # a view of a small tensor takes in its neighbours, which may be what is missing or damaged: reading tells
        memory = bytearray(n * width)
        self._fill(found, offset, c.addressof((c.c_char * len(memory)).from_buffer(memory)), len(memory), reached)
        return shape, n, memory

    def _watch(self, name, rows, progress, timeout):
        """Of one tensor, or some rows of it."""
        about = self.tensor(name)
        if rows is None or not about["shape"] or not about["shape"][0]:
            return Watch("read", progress, timeout, self.path).of(about["size"])
        return Watch("read", progress, timeout, self.path).of(about["size"] // about["shape"][0] * max(rows[1] - rows[0], 0))

    def numpy(self, name: str, rows: tuple[int, int] | None = None, *, progress: Progress = None, timeout: float | None = None) -> Any:
        """An array with the tensor, or rows (begin, end) of its first dimension; of content its memory is that of the store, without a copy. It may be written: the
        pages that are become this process's own. TypeError: NumPy has no such dtype."""
        with self._watch(name, rows, progress, timeout) as watch:
            return self._numpy(name, rows, watch.reach)

    def _numpy(self, name, rows, reached):
        import numpy

        dtype = self.tensor(name)["dtype"]
        kind = _DTYPES.get(dtype, (None, None))[0]
        if kind is None:
            raise TypeError("numpy has no dtype for %s of tensor %s; read() gives its bytes" % (dtype, name))
        shape, n, memory = self._part(name, rows, numpy.dtype(kind).itemsize, reached)
        return numpy.empty(shape, dtype=kind) if n == 0 else numpy.frombuffer(memory, dtype=kind, count=n).reshape(shape)

    def torch(self, name: str, rows: tuple[int, int] | None = None, *, progress: Progress = None, timeout: float | None = None) -> Any:
        """The same as a torch tensor on the CPU."""
        with self._watch(name, rows, progress, timeout) as watch:
            return self._torch(name, rows, watch.reach)

    def _torch(self, name, rows, reached):
        import torch

        dtype = self.tensor(name)["dtype"]
        kind = getattr(torch, _DTYPES.get(dtype, (None, ""))[1] or "", None)
        if kind is None:
            raise TypeError("this torch has no dtype for %s of tensor %s; read() gives its bytes" % (dtype, name))
        shape, n, memory = self._part(name, rows, torch.empty(0, dtype=kind).element_size(), reached)
        return torch.empty(shape, dtype=kind) if n == 0 else torch.frombuffer(memory, dtype=kind, count=n).reshape(shape)

    def dlpack(self, name: str, rows: tuple[int, int] | None = None, *, progress: Progress = None, timeout: float | None = None) -> Any:
        """An object with __dlpack__, for from_dlpack of whatever library: the array, or where NumPy has no such dtype the torch tensor."""
        take = self.numpy if _DTYPES.get(self.tensor(name)["dtype"], (None,))[0] else self.torch
        return take(name, rows, progress=progress, timeout=timeout)


def _text(pointer, length):
    return c.string_at(pointer, length).decode(errors="surrogateescape") if length else ""


def _about(t):
    return {"dtype": t.dtype.decode(), "shape": list(t.shape[:t.rank]), "shard": t.shard, "offset": t.offset, "size": t.size}


def _check_range(offset, length):
    if offset < 0 or (length is not None and length < 0):
        raise ValueError("offset and length are not negative")


def _part(shape, rows, width):
    """Shape and first byte of rows (begin, end) of a tensor."""
    if rows is None:
        return shape, 0
    begin, end = rows
    if not shape or not 0 <= begin <= end <= shape[0]:
        raise IndexError("rows %d to %d of shape %s" % (begin, end, shape))
    row = width
    for dim in shape[1:]:
        row *= dim
    return [end - begin] + shape[1:], begin * row


def _go_on(done):
    """Nobody limits it but the task that waits for it."""
    Watch("read").look()


class _Slice:
    """A tensor of which a part is going to be taken: whole rows are all that is read for it."""

    def __init__(self, load, about, name: str) -> None:
        self._load, self._about, self._name = load, about, name

    def get_shape(self) -> list[int]:
        return list(self._about["shape"])

    def get_dtype(self) -> str:
        return self._about["dtype"]

    def __getitem__(self, index):
        index = index if isinstance(index, tuple) else (index,)
        first, shape = index[0] if index else Ellipsis, self._about["shape"]
        if not shape or first is Ellipsis or first is None:
            return self._load(self._name)[index]
        if isinstance(first, slice):
            begin, end, step = first.indices(shape[0])
            if step == 1:
                return self._load(self._name, (begin, max(begin, end)))[(slice(None),) + index[1:]]
        elif isinstance(first, int):
            at = first + shape[0] if first < 0 else first
            if not 0 <= at < shape[0]:
                raise IndexError("index %d of shape %s" % (first, shape))
            return self._load(self._name, (at, at + 1))[(0,) + index[1:]]
        return self._load(self._name)[index]


class safe_open:
    """As safetensors' own, for content too: with safe_open("ipfs://bafy…/model.safetensors", framework="np") as f: f.get_tensor("a").
    backend: taken as there; content is always mapped, files of the disk are always read."""

    def __init__(self, filename: str | bytes | os.PathLike[str], framework: str = "np", device: Any = "cpu", *, backend: str | None = None, repo: str | os.PathLike[str] | None = None) -> None:
        if framework not in ("np", "numpy", "pt", "torch", "pytorch"):
            raise ValueError("framework %r: np and pt are known" % (framework,))
        self._device, self._torch = device, framework in ("pt", "torch", "pytorch")
        if not self._torch and device != "cpu":
            raise ValueError("device %r: NumPy has the CPU alone" % (device,))
        self._checkpoint = Checkpoint(filename, repo=repo)

    def __enter__(self) -> safe_open:
        return self

    def __exit__(self, *_: Any) -> None:
        self._checkpoint.close()

    def keys(self) -> list[str]:
        return sorted(self._checkpoint.keys())

    def offset_keys(self) -> list[str]:
        return self._checkpoint.keys()

    def metadata(self) -> dict[str, str] | None:
        return self._checkpoint.metadata()

    def _load(self, name, rows=None, reached=_go_on):
        if not self._torch:
            return self._checkpoint._numpy(name, rows, reached)
        tensor = self._checkpoint._torch(name, rows, reached)
        return tensor if self._device == "cpu" else tensor.to(self._device)

    def get_tensor(self, name: str) -> Any:
        return self._get(name, _go_on)

    def _get(self, name, reached):
        try:
            return self._load(name, None, reached)
        except KeyError:
            raise errors.make("not_found", "File does not contain tensor %s" % name, self._checkpoint.path) from None

    def get_slice(self, name: str) -> _Slice:
        return _Slice(self._load, self._checkpoint.tensor(name), name)

    def get_tensors(self, *, progress: Progress = None, timeout: float | None = None) -> dict[str, Any]:
        """All of them, in the order of their bytes. progress counts bytes of tensors; timeout: seconds for all."""
        found = {}
        with Watch("load", progress, timeout, self._checkpoint.path).of(self._checkpoint.tensor_bytes) as watch:
            for name, about in self._checkpoint.tensors().items():
                before = watch.done
                found[name] = self._get(name, lambda done: watch.reach(before + done))
                watch.reach(before + about["size"])
        return found


def load_file(filename: str | bytes | os.PathLike[str], *, framework: str = "np", device: Any = "cpu", progress: Progress = None, timeout: float | None = None,
              repo: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """All tensors -> {name: array}, as safetensors.numpy.load_file and safetensors.torch.load_file. progress: as of add; timeout: seconds."""
    with safe_open(filename, framework, device, repo=repo) as file:
        return file.get_tensors(progress=progress, timeout=timeout)


_own(globals())
