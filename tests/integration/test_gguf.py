"""GGUF: every rule, sets of parts, chunks at tensors."""
import json

import pytest

from gguf_files import ARCHITECTURE, ARRAY, BOOL, F32, I32, TEXT, U16, U32, U64, U8, gguf, parts

TENSORS = [("token.weight", [4, 64], 2), ("norm", [7], 0), ("scalar", [], 0), ("empty", [0, 3], 1), ("out", [2, 2, 32], 8)]


def inspect(ipfs, path, *more, check=True):
    done = ipfs("checkpoint", "inspect", "--json", path, *more, check=check)
    return [json.loads(line) for line in done.out.splitlines()] if check else done


@pytest.mark.parametrize("version,alignment", [(3, 32), (2, 32), (3, 64), (3, 8)])
def test_what_is_in_it(ipfs, tmp_path, version, alignment):
    pairs = [ARCHITECTURE, ("general.alignment", U32, alignment), ("a.f", F32, 0.5), ("a.b", BOOL, 1), ("tokens", ARRAY, (TEXT, ["a", "bc"])), ("n", ARRAY, (U8, [1, 2, 3])),
             ("long", TEXT, "x" * 70000), ("general.quantization_version", U32, 2)]
    (tmp_path / "m.gguf").write_bytes(gguf(TENSORS, pairs, version, alignment))
    head, *tensors = inspect(ipfs, "m.gguf")
    assert head["Format"] == "gguf" and head["Tensors"] == 5 and head["Warnings"] == []
    found = {p["Key"]: p["Value"] for p in head["Metadata"]}
    assert found["a.f"] == "0.5" and found["a.b"] == "true" and found["tokens"] == "[2 × string]" and found["n"] == "[3 × u8]" and found["long"] == "[text of 70000 bytes]"
    assert [(t["Name"], t["Shape"], t["Dtype"], t["Size"]) for t in tensors] == [
        ("token.weight", [4, 64], "Q4_0", 144), ("norm", [7], "F32", 28), ("scalar", [], "F32", 4), ("empty", [0, 3], "F16", 0), ("out", [2, 2, 32], "Q8_0", 136)]
    assert all(t["Offset"] % alignment == 0 for t in tensors) and tensors[0]["Offset"] == head["Shards"][0]["DataOffset"]


BAD = {
    "version 1": (dict(version=1), "version 1"), "version 0": (dict(version=0), "version 0"), "version 4": (dict(version=4), "newer"),
    "other order": (dict(version=3 << 24), "other byte order"),
    "negative count": (dict(n_tensors=-1), "negative"), "many tensors": (dict(n_tensors=1 << 62), "more than the rest of the file"),
    "many keys": (dict(n_pairs=1 << 40), "more than the rest of the file"), "negative keys": (dict(n_pairs=-5), "negative"),
    "key twice": (dict(pairs=[ARCHITECTURE, ("k", U8, 1), ("k", U8, 1)]), "comes twice"), "empty key": (dict(pairs=[ARCHITECTURE, ("", U8, 1)]), "empty key"),
    "key not ascii": (dict(pairs=[ARCHITECTURE, ("é", U8, 1)]), "not ASCII"), "long key": (dict(pairs=[ARCHITECTURE, ("k" * 65536, U8, 1)]), "at most 65535"),
    "bool": (dict(pairs=[ARCHITECTURE, ("b", BOOL, 2)]), "neither 0 nor 1"), "nested": (dict(pairs=[ARCHITECTURE, ("a", ARRAY, (ARRAY, [(U8, [1])]))]), "arrays in arrays"),
    "alignment 0": (dict(pairs=[ARCHITECTURE, ("general.alignment", U32, 0)]), "power of two"), "alignment 48": (dict(pairs=[ARCHITECTURE, ("general.alignment", U32, 48)]), "power of two"),
    "alignment u64": (dict(pairs=[ARCHITECTURE, ("general.alignment", U64, 32)]), "power of two"), "no architecture": (dict(pairs=[]), "general.architecture"),
    "long name": (dict(tensors=[("n" * 64, [1], 0)]), "at most 63"), "no name": (dict(tensors=[("", [1], 0)]), "without a name"),
    "name twice": (dict(tensors=[("n", [8], 0), ("n", [8], 0)]), "comes twice"), "five dims": (dict(tensors=[("n", [1] * 5, 0)]), "5 dimensions"),
    "negative dim": (dict(tensors=[("n", [-1], 0)]), "negative dimension"), "2^63": (dict(tensors=[("n", [1 << 32, 1 << 31], 24)]), "2^63"),
    "past the end": (dict(tensors=[("n", [1 << 40], 24)]), "past the end"), "half block": (dict(tensors=[("n", [33], 2)]), "whole blocks"),
    "removed type": (dict(tensors=[("n", [32], 4)]), "type 4 is unknown"), "unknown type": (dict(tensors=[("n", [32], 43)]), "type 43 is unknown"),
    "hole": (dict(tensors=[("a", [8], 0), ("b", [8], 0)], offsets=[0, 64]), "offset 64 where"), "overlap": (dict(tensors=[("a", [8], 0), ("b", [8], 0)], offsets=[0, 0]), "offset 0 where"),
    "no parts": (dict(pairs=[ARCHITECTURE, ("split.no", U16, 3), ("split.count", U16, 2), ("split.tensors.count", I32, 1)]), "3 of 2 parts"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_refused(ipfs, tmp_path, what):
    options, words = BAD[what]
    (tmp_path / "m.gguf").write_bytes(gguf(**options))
    done = inspect(ipfs, "m.gguf", check=False)
    assert done.code == 1 and words in done.err and done.out == "", done.err


def test_limits_are_reached(ipfs, tmp_path):
    (tmp_path / "m.gguf").write_bytes(gguf([("n" * 63, [1] * 4, 0)], [ARCHITECTURE, ("k" * 65535, U8, 1)]))
    assert inspect(ipfs, "m.gguf")[1]["Name"] == "n" * 63


def test_every_truncation_is_refused(ipfs, tmp_path):
    whole = gguf(TENSORS[:2], [ARCHITECTURE, ("t", ARRAY, (TEXT, ["a", "b"]))])
    need = len(whole) - 4  # the last tensor's padding may be missing
    for n in list(range(0, need, 7)) + [need - 1]:
        (tmp_path / "m.gguf").write_bytes(whole[:n])
        done = inspect(ipfs, "m.gguf", check=False)
        assert done.code == 1, n
    (tmp_path / "m.gguf").write_bytes(whole[:need])
    inspect(ipfs, "m.gguf")


SET = [TENSORS[:2], TENSORS[2:4], TENSORS[4:]]


def test_a_set_of_parts(ipfs, tmp_path):
    (tmp_path / "m").mkdir()
    for name, blob in parts(SET).items():
        (tmp_path / "m" / name).write_bytes(blob)
    (tmp_path / "m/mmproj-x.gguf").write_bytes(gguf())
    root = ipfs.text("add", "-rQ", "m")
    for arg in ("m", "m/m-00001-of-00003.gguf", "m/m-00003-of-00003.gguf", root, root + "/m-00002-of-00003.gguf"):
        head, *tensors = inspect(ipfs, arg)
        assert [s["Tensors"] for s in head["Shards"]] == [2, 2, 1] and [t["Shard"] for t in tensors] == [0, 0, 1, 1, 2]
        assert "llama" in str(head["Metadata"])


def test_what_was_merged_is_no_part(ipfs, tmp_path):
    """Merging parts leaves their keys, with a count of 0; a set of one is a file by any name."""
    for count in 0, 1:
        (tmp_path / "merged.gguf").write_bytes(gguf([("a", [8], 0)], [ARCHITECTURE, ("split.no", U16, 0), ("split.count", U16, count), ("split.tensors.count", I32, 1)]))
        head, item = inspect(ipfs, "merged.gguf")
        assert len(head["Shards"]) == 1 and item["Name"] == "a"


@pytest.mark.parametrize("what", ["missing", "swapped", "foreign count", "foreign tensors", "not split", "twice", "renamed"])
def test_sets_that_are_wrong(ipfs, tmp_path, what):
    files, names = parts(SET), ["m-%05d-of-00003.gguf" % i for i in (1, 2, 3)]
    words = {"missing": "m-00002-of-00003.gguf", "swapped": "is part 2 by its split.no, not 1", "foreign count": "part of another set", "foreign tensors": "part of another set",
             "not split": "part of another set", "twice": "is in m-00001-of-00003.gguf and in m-00002", "renamed": "its name must end"}[what]
    if what == "missing":
        del files[names[1]]
    if what == "swapped":
        files[names[1]], files[names[2]] = files[names[2]], files[names[1]]
    if what == "foreign count":
        files[names[1]] = list(parts(SET + [[]]).values())[1]
    if what == "foreign tensors":
        files[names[1]] = list(parts([SET[0], SET[1], []]).values())[1]
    if what == "not split":
        files[names[1]] = gguf(SET[1])
    if what == "twice":
        files = parts([SET[0], SET[0], SET[2]])
    if what == "renamed":
        files = {"x.gguf": files[names[0]]}
    (tmp_path / "m").mkdir()
    for name, blob in files.items():
        (tmp_path / "m" / name).write_bytes(blob)
    done = inspect(ipfs, "m/" + next(iter(files)), check=False)
    assert done.code == 1 and words in done.err, done.err


def test_chunks_end_where_tensors_do(ipfs, tmp_path):
    mib = 1 << 20
    tensors = [("a", [mib + 5], 24), ("b", [3], 0), ("c", [2 * mib], 24), ("d", [9], 24)]
    data = [bytes([i]) * n for i, n in enumerate((mib + 5, 12, 2 * mib, 9))]
    blob = gguf(tensors, data=data)
    (tmp_path / "m.gguf").write_bytes(blob)
    cid = ipfs.text("add", "-Q", "--cid-version=1", "--chunker=tensor", "m.gguf")
    sizes = [json.loads(ipfs.text("block", "stat", "--enc=json", ref))["Size"] for ref in ipfs.text("refs", cid).split()]
    assert sizes == [len(blob) - (mib + 32 + 32 + 2 * mib + 32), mib, 32, 32, mib, mib, 32]  # 5 bytes padded to 32, and so on
    assert ipfs("cat", cid).out_bytes == blob
