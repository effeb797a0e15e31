"""Checkpoints made for measuring: random tensors in the way of the reference writer."""
import json
import os


def write(path, tensors):
    """tensors: (name, bytes) of type U8."""
    header, at = {}, 0
    for name, data in tensors:
        header[name] = {"dtype": "U8", "shape": [len(data)], "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        for _, data in tensors:
            out.write(data)
    os.sync()
    return path


def layers(mib, count=16):
    """A model of so many layers: two large tensors and a small one each."""
    each = (mib << 20) // count
    sizes = (("w1", each * 2 // 3 & ~4095), ("w2", each // 3 & ~4095), ("norm", 4096))
    return [("layers.%d.%s" % (i, name), os.urandom(size)) for i in range(count) for name, size in sizes]


def header_of(path, count):
    """A file with nothing in it but so many tensors of one byte each."""
    row = ',"layers.%d.weight":{"dtype":"U8","shape":[1],"data_offsets":[%d,%d]}'
    text = ("{" + "".join(row % (i, i, i + 1) for i in range(count))[1:] + "}").encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(len(text).to_bytes(8, "little") + text + bytes(count))
    return path
