"""Writes GGUF files by the text of the format (ggml-org/ggml, docs/gguf.md)."""
import struct

U8, U16, I32, U32, F32, BOOL, TEXT, ARRAY, U64 = 0, 2, 5, 4, 6, 7, 8, 9, 10
FORMS = {U8: "<B", U16: "<H", I32: "<i", U32: "<I", F32: "<f", BOOL: "<B", U64: "<Q"}
TYPES = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34), 24: (1, 1)}  # id: elements a block, its bytes


def text(b):
    b = b.encode() if isinstance(b, str) else b
    return struct.pack("<Q", len(b)) + b


def value(kind, v):
    if kind == TEXT:
        return text(v)
    if kind == ARRAY:
        inner, items = v
        return struct.pack("<IQ", inner, len(items)) + b"".join(value(inner, i) for i in items)
    return struct.pack(FORMS[kind], v)


ARCHITECTURE = ("general.architecture", TEXT, "llama")


def gguf(tensors=(), pairs=(ARCHITECTURE,), version=3, alignment=32, n_tensors=None, n_pairs=None, data=None, offsets=None):
    """tensors: (name, shape slowest first, type id). data: bytes of each, else zeros."""
    out = b"GGUF" + struct.pack("<Iqq", version, len(tensors) if n_tensors is None else n_tensors, len(pairs) if n_pairs is None else n_pairs)
    for key, kind, v in pairs:
        out += text(key) + struct.pack("<I", kind) + value(kind, v)
    body, at = b"", 0
    for i, (name, shape, kind) in enumerate(tensors):
        out += text(name) + struct.pack("<I", len(shape)) + b"".join(struct.pack("<q", d) for d in reversed(shape))
        out += struct.pack("<IQ", kind, offsets[i] if offsets else at)
        n = 1
        for d in shape:
            n *= d
        block, size = TYPES.get(kind, (1, 1))
        size = n // block * size if 0 <= n < 1 << 40 else 0
        bytes_ = data[i] if data else bytes(size)
        bytes_ += bytes(-len(bytes_) % alignment)
        body += bytes_
        at += len(bytes_)
    return out + bytes(-len(out) % alignment) + body


def parts(tensors_by_part, prefix="m"):
    """{name: bytes} of a split set."""
    n, total = len(tensors_by_part), sum(map(len, tensors_by_part))
    out = {}
    for i, tensors in enumerate(tensors_by_part):
        keys = [("split.no", U16, i), ("split.count", U16, n), ("split.tensors.count", I32, total)]
        out["%s-%05d-of-%05d.gguf" % (prefix, i + 1, n)] = gguf(tensors, ([ARCHITECTURE] if i == 0 else []) + keys)
    return out
