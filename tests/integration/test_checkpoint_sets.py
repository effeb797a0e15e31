"""Sets of files under an index: every check of the index against its files."""
import json
import pathlib
import re

import pytest

from conftest import ROOT

from gguf_files import gguf
from test_checkpoint import safetensors, tensor

A, B = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def files():
    return {A: safetensors({"__metadata__": {"format": "pt"}, "x": tensor("U8", [4], 0, 4), "y": tensor("U8", [2], 4, 6)}, bytes(6)),
            B: safetensors({"z": tensor("F32", [2], 0, 8)}, bytes(8))}


def index(weight_map=None, total=14, **more):
    return {"metadata": {"total_size": total, "b": "a"}, "weight_map": {"x": A, "y": A, "z": B} if weight_map is None else weight_map, **more}


def write(folder, blobs, text):
    folder.mkdir()
    for name, blob in blobs.items():
        (folder / name).write_bytes(blob)
    (folder / "model.safetensors.index.json").write_bytes(text if isinstance(text, bytes) else json.dumps(text).encode())


@pytest.mark.parametrize("text", [index(), {"x": A, "y": A, "z": B}, index(more=[1, [[{"a": 2}]]])], ids=["index", "bare", "more"])
def test_a_set(ipfs, tmp_path, text):
    write(tmp_path / "m", files(), text)
    root = ipfs.text("add", "-rQ", "m")
    for arg in ("m", "m/model.safetensors.index.json", root, root + "/model.safetensors.index.json"):
        head, *tensors = map(json.loads, ipfs.text("checkpoint", "inspect", "--json", arg).splitlines())
        assert [s["Name"] for s in head["Shards"]] == [A, B] and head["TensorBytes"] == 14 and head["Warnings"] == []
        assert [(t["Name"], t["Shard"]) for t in tensors] == [("x", 0), ("y", 0), ("z", 1)]
        assert {"Key": "format", "Value": "pt"} in head["Metadata"]
    one = ipfs.text("checkpoint", "inspect", "--json", "m/" + B).splitlines()
    assert len(one) == 2


def test_what_is_odd_is_told(ipfs, tmp_path):
    write(tmp_path / "m", files(), index({"x": A, "z": B}, total=99))
    head = json.loads(ipfs.text("checkpoint", "inspect", "--json", "m").splitlines()[0])
    assert head["Warnings"] == ["1 tensors of the files are not in the index", "the index says 99 bytes of tensors, the files have 14"]


def test_a_tensor_in_two_files(ipfs, tmp_path):
    """Also one that the index does not name: which of the two is meant, nobody could tell."""
    blobs = {A: files()[A], B: safetensors({"z": tensor("F32", [2], 0, 8), "y": tensor("U8", [1], 8, 9)}, bytes(9))}
    write(tmp_path / "m", blobs, index({"x": A, "z": B}))
    done = ipfs("checkpoint", "inspect", "m", check=False)
    assert done.code == 1 and 'tensor "y" is in %s and in %s' % (A, B) in done.err, done.err


WRONG = {
    "missing file": ({"x": A, "z": "other.safetensors"}, "other.safetensors"), "in another": ({"x": A, "y": B, "z": B}, 'it is in ' + A), "nowhere": ({"x": A, "z": B, "w": B}, 'it is not there'),
    "parent": ({"x": "../" + A}, "no name of a file"), "dots": ({"x": ".."}, "no name of a file"), "absolute": ({"x": "/etc/passwd"}, "no name of a file"), "empty name": ({"x": ""}, "no name of a file"),
    "nul": ({"x": "a\0b"}, "no name of a file"), "backslash": ({"x": "a\\b"}, "no name of a file"), "long": ({"x": "a" * 256}, "no name of a file"), "none": ({}, "names no tensors"), "no text": ({"x": 1}, "expected a text"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_refused(ipfs, tmp_path, what):
    weight_map, words = WRONG[what]
    write(tmp_path / "m", files(), index(weight_map))
    done = ipfs("checkpoint", "inspect", "m", check=False)
    assert done.code == 1 and words in done.err and "model.safetensors.index.json" in done.err, done.err


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"weight_map":{"x":"a"},"weight_map":{}}', b'{"weight_map":{"x":"%s","x":"%s"}}' % (A.encode(), B.encode()), b"\xff", b'{"x":"a"} {}',
                                  b'{"m":[[[[[1]]]]],"weight_map":{}}'])
def test_texts_that_are_refused(ipfs, tmp_path, text):
    write(tmp_path / "m", files(), text)
    done = ipfs("checkpoint", "inspect", "m", check=False)
    assert done.code == 1 and "model.safetensors.index.json" in done.err


def test_mixed_and_doubled(ipfs, tmp_path):
    write(tmp_path / "mixed", {A: files()[A], B: gguf([("z", [2], 0)])}, index())
    assert "a gguf file in a set of safetensors files" in ipfs("checkpoint", "inspect", "mixed", check=False).err
    write(tmp_path / "double", {A: files()[A], B: safetensors({"z": tensor("F32", [2], 0, 8), "x": tensor("U8", [0], 8, 8)}, bytes(8))}, index())
    assert 'it is in ' + B in ipfs("checkpoint", "inspect", "double", check=False).err
    (tmp_path / "two").mkdir()
    for name, blob in files().items():
        (tmp_path / "two" / name).write_bytes(blob)
    assert "2 checkpoints" in ipfs("checkpoint", "inspect", "two", check=False).err


def test_diff(ipfs, tmp_path):
    write(tmp_path / "m", files(), index())
    whole = {"y": tensor("U8", [2], 0, 2), "x": tensor("U8", [4], 2, 6), "w": tensor("U8", [1], 6, 7), "z": tensor("F16", [4], 7, 15)}
    (tmp_path / "one.safetensors").write_bytes(safetensors(whole, bytes(2) + b"\0\0\0\1" + bytes(9)))
    root = ipfs.text("add", "-rQ", "m")
    for a in ("m", root):
        *changes, sums = map(json.loads, ipfs.text("checkpoint", "diff", "--json", "--all", a, "one.safetensors").splitlines())
        assert {(c["To"] or c["From"])["Name"]: c["Change"] for c in changes} == {"y": "equal", "x": "changed", "w": "new", "z": "changed"}
        assert sums == {"Equal": 1, "Changed": 2, "New": 1, "Removed": 0, "Renamed": 0, "SharedBytes": 2, "FromBytes": 14, "ToBytes": 15}
    text = ipfs.text("checkpoint", "diff", "one.safetensors", "m")
    assert "removed" in text and "w\n" in text and "equal " not in text and text.endswith("1 equal, 2 changed, 0 new, 1 removed, 0 renamed; 2 bytes shared of 15 and 14")
    assert ipfs("checkpoint", "diff", "m", "absent", check=False).code == 1


def test_the_examples_of_the_document(ipfs, tmp_path):
    """docs/checkpoints.md: each command gives exactly what stands below it."""
    def written(tensors):
        header, data = {"__metadata__": {"format": "pt"}}, b""
        for name, dtype, shape, value in tensors:
            header[name] = tensor(dtype, shape, len(data), len(data) + len(value))
            data += value
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        return len(text).to_bytes(8, "little") + text + data

    embed = ("embed", "F16", [4, 2], bytes(range(16)))
    (tmp_path / "base.safetensors").write_bytes(written([embed, ("head", "F16", [2, 2], bytes(8)), ("norm", "F32", [2], bytes(8))]))
    (tmp_path / "tuned.safetensors").write_bytes(written([embed, ("head", "F16", [2, 2], b"\1" * 8), ("scale", "F32", [2], bytes(8)), ("bias", "F32", [1], bytes(4))]))
    block = re.search(r"^```console\n(.*?)^```", (ROOT / "docs/checkpoints.md").read_text(), re.S | re.M)[1]
    steps = [step.split("\n", 1) for step in block.split("$ ipfs-accelerate ")[1:]]
    assert [command.split()[1] for command, _ in steps] == ["inspect", "diff", "verify"]
    for command, said in steps:
        assert ipfs(*command.split()).out == said


def renamed(ipfs, a, b):
    *changes, sums = map(json.loads, ipfs.text("checkpoint", "diff", "--json", "--all", a, b).splitlines())
    return {((c["From"] or {}).get("Name"), (c["To"] or {}).get("Name"), c["Change"]) for c in changes}, sums


def test_renamed(ipfs, tmp_path):
    """Of equal ones the first goes with the first; form counts as well as bytes."""
    one, two = bytes(range(256)) * 1200, bytes(range(255, -1, -1)) * 1200
    n = len(one)
    was = {"a": tensor("U8", [n], 0, n), "b": tensor("U8", [n], n, 2 * n), "z1": tensor("U8", [8], 2 * n, 2 * n + 8), "z2": tensor("U8", [8], 2 * n + 8, 2 * n + 16), "kept": tensor("U8", [2], 2 * n + 16, 2 * n + 18)}
    now = {"model.b": tensor("U8", [n], 0, n), "kept": tensor("U8", [2], n, n + 2), "y1": tensor("U8", [8], n + 2, n + 10), "y2": tensor("U8", [2, 4], n + 10, n + 18), "model.a": tensor("U8", [n], n + 18, 2 * n + 18)}
    (tmp_path / "was.safetensors").write_bytes(safetensors(was, one + two + bytes(18)))
    (tmp_path / "now.safetensors").write_bytes(safetensors(now, two + bytes(18) + one))
    expected = {("b", "model.b", "renamed"), ("a", "model.a", "renamed"), ("kept", "kept", "equal"), ("z1", "y1", "renamed"), (None, "y2", "new"), ("z2", None, "removed")}
    names = ["was.safetensors", "now.safetensors"]
    cids = [ipfs.text("add", "-Q", "--chunker=tensor-65536", name) for name in names]
    for a, b in (names, cids, (names[0], cids[1])):
        changes, sums = renamed(ipfs, a, b)
        assert changes == expected
        assert sums == {"Equal": 1, "Changed": 0, "New": 1, "Removed": 1, "Renamed": 3, "SharedBytes": 2 * n + 10, "FromBytes": 2 * n + 18, "ToBytes": 2 * n + 18}
    assert " a -> model.a\n" in ipfs.text("checkpoint", "diff", *names)


def test_many_renamed_of_one_size(ipfs, tmp_path):
    """Every tensor could be any other by its size: each side is gone through once, not once for each of the other."""
    n = 150000
    for name, prefix, order in (("was", "a", 1), ("now", "b", -1)):
        header = {"%s%d" % (prefix, i): tensor("U8", [4] if i % 3 else [2, 2], 4 * i, 4 * i + 4) for i in range(n)}
        data = b"".join(i.to_bytes(4, "big") for i in range(n)[::order])
        (tmp_path / (name + ".safetensors")).write_bytes(safetensors(header, data))
    sums = json.loads(ipfs.text("checkpoint", "diff", "--json", "was.safetensors", "now.safetensors").splitlines()[-1])
    same_form = sum((i % 3 == 0) == ((n - 1 - i) % 3 == 0) for i in range(n))
    assert sums["Renamed"] == same_form and sums["New"] == sums["Removed"] == n - same_form


def test_diff_reads_nothing_where_blocks_are_shared(ipfs, tmp_path):
    """A block of a shared tensor is damaged on the disk, one of a changed tensor as well: whoever read them would say so."""
    data = [bytes([i]) * 200_000 + bytes(range(256)) * 200 for i in range(4)]
    n = len(data[0])
    header = {"t%d" % i: tensor("U8", [n], i * n, (i + 1) * n) for i in range(3)}
    other = {("t%d" if i != 1 else "u%d") % i: tensor("U8", [n], i * n, (i + 1) * n) for i in range(3)}
    (tmp_path / "a.safetensors").write_bytes(safetensors(header, b"".join(data[:3])))
    (tmp_path / "b.safetensors").write_bytes(safetensors(other, data[0] + data[1] + data[3]))
    cids = [ipfs.text("add", "-Q", "--chunker=tensor-65536", name + ".safetensors") for name in "ab"]
    pack = next((tmp_path / "repo/packs").glob("*.pack")) if (tmp_path / "repo").exists() else next(pathlib.Path(ipfs.repo, "packs").glob("*.pack"))
    stored = bytearray(pack.read_bytes())
    for i in range(4):
        at = stored.index(bytes([i]) * 65536)
        stored[at + 5] ^= 1
    pack.write_bytes(stored)
    assert ipfs("cat", cids[0], check=False).code == 1
    changes, sums = renamed(ipfs, *cids)
    assert changes == {("t0", "t0", "equal"), ("t1", "u1", "renamed"), ("t2", "t2", "changed")} and sums["SharedBytes"] == 2 * n


def test_verify(ipfs, tmp_path):
    data = bytes(range(256)) * 8192
    blobs = {A: safetensors({"x": tensor("U8", [len(data)], 0, len(data))}, data), B: files()[B]}
    write(tmp_path / "m", blobs, {"x": A, "z": B})
    root = ipfs.text("add", "-rQ", "--cid-version=1", "m")
    size = sum(map(len, blobs.values()))
    for arg in ("m", root):
        assert json.loads(ipfs.text("checkpoint", "verify", "--json", arg)) == {"Format": "safetensors", "Files": 2, "Tensors": 2, "Bytes": size}
    assert ipfs.text("checkpoint", "verify", "m").startswith("good: safetensors, 2 tensors in 2 files")
    packs = [p for p in ipfs.repo.rglob("*") if p.is_file() and data[:512] in p.read_bytes()]
    assert packs
    blob = bytearray(packs[0].read_bytes())
    blob[blob.index(data[:512]) + 300_000] ^= 1
    packs[0].chmod(0o600)
    packs[0].write_bytes(blob)
    done = ipfs("checkpoint", "verify", root, check=False)
    assert done.code == 1 and A in done.err, done.err
