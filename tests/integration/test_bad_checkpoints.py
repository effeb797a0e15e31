"""Bad input, one case a sentence of what is promised: each is refused in one line that says which tensor (key, member), which byte and why, in little memory,
by every verb that opens a checkpoint, from the disk and from the store; nothing is dispatched."""
import json
import os
import struct

import pytest

from gguf_files import ARCHITECTURE, ARRAY, F32, I32, TEXT, U16, U8, gguf, parts
from test_bad_input import refused
from test_checkpoint import safetensors, tensor
from test_torch_zip import MEMBERS, torch_zip


def header(text, data=b""):
    text = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(text)) + text + data


def one(**changes):
    return header(json.dumps({"w": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4], **changes}}), bytes(4))


def two(a, b, data=8):
    return safetensors({"a": tensor("U8", [4], *a), "b": tensor("U8", [4], *b)}, bytes(data))


SAFETENSORS = {
    "overlap": (two((0, 4), (2, 6), 6), ['tensor "b", byte ', "begins at 2 of the data where the one before ends at 4"]),
    "hole": (two((0, 4), (5, 9), 9), ['tensor "b", byte ', "begins at 5 of the data where the one before ends at 4"]),
    "first hole": (safetensors({"a": tensor("U8", [4], 1, 5)}, bytes(5)), ['tensor "a", byte ', "begins at 1"]),
    "past the end": (two((0, 4), (4, 8), 7), ["the tensors need 8 bytes of data, the file has 7"]),
    "bytes behind": (two((0, 4), (4, 8), 9), ["the tensors need 8 bytes of data, the file has 9"]),
    "repeated name": (header('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', bytes(2)), ['tensor "a", byte 62: a name that comes twice']),
    "nested": (header('{"w":{"x":' + "[" * 100000 + "]" * 100000 + "}}"), ['tensor "w", byte ', "too many lists and objects in each other"]),
    "nested at the top": (header("[" * 1000000), ["byte 8: expected {"]),
    "2^63 of a shape": (one(shape=[1 << 63, 2]), ['tensor "w", byte ', "overflow"]),
    "2^63 bytes": (one(shape=[1 << 63], data_offsets=[0, 1 << 63]), ['tensor "w", byte ', "overflow"]),
    "2^62 bytes": (one(shape=[1 << 60], data_offsets=[0, 1 << 60]), ["the tensors need 1152921504606846976 bytes of data"]),
    "2^64 of an offset": (one(data_offsets=[0, 1 << 64]), ['tensor "w", byte ', "a number is 2^64 or more"]),
    "2^63 of header": (struct.pack("<Q", 1 << 63) + b"{}", ["header too large", "bytes 0 to 7"]),
    "a header longer than its file": (struct.pack("<Q", 99999999) + b"{}", ["invalid header length", "only 2 follow"]),
    "unknown dtype": (one(dtype="F128"), ['tensor "w", byte ', 'there is no dtype "F128"']),
    "dtype of another size": (one(dtype="F32"), ['tensor "w", byte ', "span 4 bytes where shape and dtype ask for 16"]),
    "no UTF-8": (header(b'{"w":{"dtype":"U8\xff'), ["invalid UTF-8 in header: byte 25"]),
    "cut": (one()[:30], ["invalid header length"]), "empty": (b"", ["header too small"]),
}

KEYS = [ARCHITECTURE]


def raw_pair(key, value):
    return b"GGUF" + struct.pack("<IqqQ", 3, 0, 1, len(key)) + key.encode() + value


GGUF = {
    "overlap": (gguf([("a", [8], 0), ("b", [8], 0)], offsets=[0, 0]), ['tensor "b", byte ', "offset 0 where the tensors before end at 32"]),
    "hole": (gguf([("a", [8], 0), ("b", [8], 0)], offsets=[0, 64]), ['tensor "b", byte ', "offset 64 where"]),
    "past the end": (gguf([("a", [8], 0), ("b", [8], 0)])[:-4], ['tensor "b", byte ', "its bytes reach 4 past the end of the file"]),
    "repeated name": (gguf([("a", [8], 0), ("b", [8], 0), ("a", [8], 0)]), ['tensor "a", byte %d' % (24 + 8 + 20 + 4 + 8 + 5 + 2 * 33), "comes twice"]),
    "repeated key": (gguf(pairs=KEYS + [("k", U8, 1), ("k", U8, 2)]), ['key "k", byte %d' % (24 + 8 + 20 + 4 + 8 + 5 + 8 + 1 + 4 + 1), "comes twice"]),
    "nested": (gguf(pairs=KEYS + [("a", ARRAY, (ARRAY, [(ARRAY, [(U8, [1])])]))]), ['key "a", byte ', "arrays in arrays"]),
    "2^63 elements": (gguf([("w", [1 << 32, 1 << 31], 24)]), ['tensor "w", byte ', "2^63 elements or more"]),
    "2^60 bytes": (gguf([("w", [1 << 58, 4], 24)]), ['tensor "w", byte ', "past the end of the file"]),
    "2^62 bytes": (gguf([("w", [1 << 60, 4], 24)]), ['tensor "w", byte ', "2^64 bits or more"]),
    "2^62 tensors": (gguf(n_tensors=1 << 62), ["byte 8: the number of tensors", "more than the rest of the file can hold"]),
    "2^63 keys": (gguf(n_pairs=-1), ["byte 16: the number of keys is negative"]),
    "2^63 of a text": (raw_pair("general.architecture", struct.pack("<IQ", TEXT, 1 << 63) + b"x"), ["byte ", "a text takes 9223372036854775808 bytes, the file has 1 more"]),
    "2^62 items": (raw_pair("a", struct.pack("<IIQ", ARRAY, F32, 1 << 62)), ['key "a", byte ', "more than 2^30 items in an array"]),
    "2^29 items": (raw_pair("a", struct.pack("<IIQ", ARRAY, F32, 1 << 29)), ['key "a", byte ', "longer than the rest of the file"]),
    "2^29 texts": (raw_pair("a", struct.pack("<IIQ", ARRAY, TEXT, 1 << 29)), ['key "a", byte ', "more texts than the rest of the file"]),
    "unknown dtype": (gguf([("w", [32], 43)]), ['tensor "w", byte ', "type 43 is unknown"]),
    "removed dtype": (gguf([("w", [32], 4)]), ['tensor "w", byte ', "type 4 is unknown or was removed"]),
    "cut": (gguf([("w", [32], 0)])[:60], ["byte "]), "only a head": (b"GGUF", ["byte 4: the version takes 4 bytes, the file has 0 more"]),
}

ZIP = {
    "compressed": (torch_zip(change={"method": 8}), ['member "m/data/0", byte ', "compressed"]),
    "packed": (torch_zip(change={"packed": 50}), ['member "m/data/0", byte ', "compressed"]),
    "compressed by its own header": (torch_zip(method=0).replace(b"PK\3\4\x14\0\x08\x08\0\0", b"PK\3\4\x14\0\x08\x08\x08\0"), ['member "m/data.pkl", byte 0', "its local header says compressed"]),
    "overlap": (torch_zip(change={"packed": 200, "size": 200}), ['member "m/data/1", byte 308', "overlaps the member before it"]),
    "past the end": (torch_zip(change={"packed": 1 << 30, "size": 1 << 30}), ['member "m/data/0", byte ', "its data reach past the members"]),
    "header past the end": (torch_zip(change={"at": 1 << 30}), ['member "m/data/0", byte %d' % (1 << 30), "reaches past"]),
    "another size": (torch_zip(local=(0x800, 99)), ['member "m/data/0", byte ', "another size"]),
    "repeated name": (torch_zip(MEMBERS + (("data/1", b"x"),)), ['member "data/1", byte ', "comes twice"]),
    "a way out": (torch_zip(change={"name": b"m/../0"}), ['member "m/../0", byte ', "not inside one folder"]),
    "entries that are not there": (torch_zip(n=1000000), ["byte ", "an entry of the central directory takes 46 bytes, the file has 0 more"]),
    "more entries": (torch_zip(n=2), ["byte ", "more than its entries"]),
    "a directory of 2^63 bytes": (torch_zip(directory=1 << 63), ["byte ", "reaches"]),
    "a program": (torch_zip(MEMBERS + (("code/a.py", b"x"),)), ['member "m/code/a.py", byte ', "TorchScript"]),
    "no pickle": (torch_zip(MEMBERS[1:]), ["without data.pkl"]), "cut": (torch_zip()[:-1], ["byte ", "without the end record"]),
}
FILES = {**{("safetensors", k): (k, "model.safetensors", *v) for k, v in SAFETENSORS.items()}, **{("gguf", k): (k, "model.gguf", *v) for k, v in GGUF.items()},
         **{("zip", k): (k, "model.pt", *v) for k, v in ZIP.items()}}


def one_line(err, words):
    lines = [line for line in err.splitlines() if not line.startswith("Warning: ")]
    assert len(lines) == 1 and lines[0].startswith("Error: "), err
    assert all(word in lines[0] for word in words), (lines[0], words)


def everywhere(ipfs, folder, name, words):
    """The verbs, on the file and on its folder, of the disk and of the store."""
    good = str(folder.parent / "good.safetensors")
    (folder.parent / "good.safetensors").write_bytes(one())
    cid = ipfs.text("add", "-rQ", "--cid-version=1", folder)
    for arg in (str(folder), str(folder / name), cid, cid + "/" + name):
        for verb in ("inspect", "verify"):
            one_line(refused(ipfs, "checkpoint", verb, arg), words)
    one_line(refused(ipfs, "checkpoint", "diff", cid, good), words)
    one_line(refused(ipfs, "checkpoint", "diff", good, str(folder)), words)
    served = folder.parent / "served"
    served.mkdir()
    ipfs("config", "endpoints.local.kind", "path")
    ipfs("config", "endpoints.local.model_dir", served)
    one_line(refused(ipfs, "dispatch", "--allow-pickle", "--name=m", cid), words)
    assert os.listdir(served) == [] and not (ipfs.repo / "materialised").exists()


@pytest.mark.parametrize("case", FILES, ids=lambda case: "%s: %s" % case)
def test_one_file(ipfs, tmp_path, case):
    _, name, blob, words = FILES[case]
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / name).write_bytes(blob)
    everywhere(ipfs, tmp_path / "bad", name, [name, *words])


# ---- sets ----

A, B = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"


def shards(**more):
    x, y = safetensors({"x": tensor("U8", [4], 0, 4)}, bytes(4)), safetensors({"y": tensor("U8", [4], 0, 4)}, bytes(4))
    return {A: x, B: y, INDEX: json.dumps({"metadata": {"total_size": 8}, "weight_map": {"x": A, "y": B}}).encode(), **more}


def swapped():
    files = shards()
    return {**files, A: files[B], B: files[A]}


def gguf_set(change=None):
    files = parts([[("a", [8], 0)], [("b", [8], 0)], [("c", [8], 0)]])
    if change:
        change(files)
    return files


def split_keys(no, count, tensors):
    return [("split.no", U16, no), ("split.count", U16, count), ("split.tensors.count", I32, tensors)]


G = ["m-%05d-of-00003.gguf" % i for i in (1, 2, 3)]
FOREIGN = parts([[("a", [8], 0)], [("b", [8], 0)], [("c", [8], 0)], [("d", [8], 0)]])
SETS = {
    "index: missing": ({k: v for k, v in shards().items() if k != B}, INDEX, [B]),
    "index: swapped": (swapped(), INDEX, ['tensor "y", byte ', "it is in " + A + ", and the index says " + B]),
    "index: foreign": (shards(**{B: safetensors({"other": tensor("U8", [4], 0, 4)}, bytes(4))}), INDEX, ['tensor "y", byte ', "not there, and the index says " + B]),
    "index: a part with a tensor of another": (shards(**{B: safetensors({"x": tensor("U8", [4], 0, 4), "y": tensor("U8", [4], 4, 8)}, bytes(8))}), INDEX, ['tensor "x", byte ', "it is in " + B]),
    "index: of another format": (shards(**{B: gguf([("y", [4], 24)])}), INDEX, [B, "a gguf file in a set of safetensors files"]),
    "index: a bad part": (shards(**{B: two((0, 4), (2, 6), 6)}), INDEX, [B, 'tensor "b", byte ', "begins at 2"]),
    "index: repeated name": (shards(**{INDEX: b'{"weight_map":{"x":"%s","x":"%s"}}' % (A.encode(), B.encode())}), INDEX, ['tensor "x", byte ', "comes twice"]),
    "index: a way out": (shards(**{INDEX: b'{"weight_map":{"x":"../%s"}}' % A.encode()}), INDEX, ['tensor "x", byte ', "no name of a file in the same folder"]),
    "index: nested": (shards(**{INDEX: b'{"m":' + b"[" * 100000}), INDEX, ["byte ", "too many lists"]),
    "index: no UTF-8": (shards(**{INDEX: b'{"\xff":"%s"}' % A.encode()}), INDEX, ["invalid UTF-8, byte 2"]),
    "gguf: missing": (gguf_set(lambda f: f.pop(G[1])), G[0], [G[1]]),
    "gguf: swapped": (gguf_set(lambda f: f.update({G[1]: f[G[2]], G[2]: f[G[1]]})), G[0], [G[1], "part 2 by its split.no, not 1"]),
    "gguf: foreign": (gguf_set(lambda f: f.update({G[1]: list(FOREIGN.values())[1]})), G[0], [G[1], "a part of another set: split.count is 4, not 3"]),
    "gguf: foreign of as many parts": (gguf_set(lambda f: f.update({G[1]: gguf([("b", [8], 0)], split_keys(1, 3, 9))})), G[0], [G[1], "split.tensors.count is 9, not 3"]),
    "gguf: a tensor twice": (gguf_set(lambda f: f.update({G[1]: gguf([("a", [8], 0)], split_keys(1, 3, 3))})), G[0], ['tensor "a" is in ' + G[0] + " and in " + G[1]]),
    "gguf: too few tensors": (gguf_set(lambda f: f.update({G[1]: gguf([], split_keys(1, 3, 3))})), G[0], ["the parts have 2 tensors, split.tensors.count says 3"]),
    "gguf: a bad part": (gguf_set(lambda f: f.update({G[2]: gguf([("c", [8], 43)], split_keys(2, 3, 3))})), G[0], [G[2], 'tensor "c", byte ', "type 43"]),
}


@pytest.mark.parametrize("case", SETS)
def test_sets(ipfs, tmp_path, case):
    files, main, words = SETS[case]
    (tmp_path / "bad").mkdir()
    for name, blob in files.items():
        (tmp_path / "bad" / name).write_bytes(blob)
    everywhere(ipfs, tmp_path / "bad", main, words)
