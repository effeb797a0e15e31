"""Folders of many small files to disk: several at a time, and still as if one after the other."""
import os
import pathlib

import pytest
from test_add_many import data, make_tree
from test_bad_input import car, directory, field, pb_cid, raw_cid, refused, text_of

MTIME = 1600000000


def tree_of(root):
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        found[name] = os.readlink(path) if path.is_symlink() else "folder" if path.is_dir() else path.read_bytes()
    return found


@pytest.mark.parametrize("options", [["--cid-version=1"], ["--cid-version=0"], ["--inline", "--cid-version=1"], ["--preserve-mtime", "--preserve-mode"]], ids=" ".join)
def test_a_mixed_tree_comes_back(ipfs, tmp_path, options):
    make_tree(tmp_path / "tree")
    for path in (tmp_path / "tree/many").iterdir():
        path.chmod(0o640)
        os.utime(path, (MTIME, MTIME))
    cid = ipfs.text("add", "-Qr", *options, tmp_path / "tree")
    ipfs("get", "-o", tmp_path / "out", cid)
    assert tree_of(tmp_path / "out") == tree_of(tmp_path / "tree")
    kept = {(p.stat().st_mode & 0o777, int(p.stat().st_mtime)) == (0o640, MTIME) for p in (tmp_path / "out/many").iterdir()}
    assert kept == {"--preserve-mode" in options}


def put_folder(ipfs, entries, blocks):
    folder = directory(entries)
    ipfs("dag", "import", "--pin-roots=false", stdin=car(pb_cid(folder), [(pb_cid(folder), folder), *blocks]))
    return text_of(pb_cid(folder))


def many(n):
    leaves = [data(i, 500) for i in range(n)]
    return [(raw_cid(leaf), b"f%04d" % i, 500) for i, leaf in enumerate(leaves)], [(raw_cid(leaf), leaf) for leaf in leaves]


def test_the_first_that_is_missing_is_told(ipfs):
    entries, blocks = many(400)
    gone = {70, 71, 200, 399}
    root = put_folder(ipfs, entries, [block for i, block in enumerate(blocks) if i not in gone])
    said = refused(ipfs, "get", "-o", "out", root)
    assert text_of(entries[70][0]) in said
    there = {p.name: p.read_bytes() for p in (pathlib.Path(ipfs.cwd) / "out").iterdir()}
    for i in range(400):
        assert there.get("f%04d" % i, blocks[i][1] if i > 70 or i in gone else None) == blocks[i][1]
    assert not there.keys() & {"f%04d" % i for i in gone}


def test_what_lies_before_it_fails_first(ipfs):
    """A symbolic link that leads out, before a small file that is missing: looked at later, told first."""
    link_block = field(1, b"\x08\x04" + field(2, b"/etc/passwd"))
    entries, blocks = many(100)
    entries.insert(50, (pb_cid(link_block), b"f0049l", len(link_block)))
    root = put_folder(ipfs, entries, [(pb_cid(link_block), link_block), *blocks[:60], *blocks[61:]])
    assert "leads out of the target" in refused(ipfs, "get", "-o", "out", root)


@pytest.mark.parametrize("first, second", [(3, 4), (3, 300), (15, 16), (0, 1500)])
def test_a_name_twice(ipfs, first, second):
    entries, blocks = many(1600)
    entries[second] = (entries[second][0], entries[first][1], 500)
    root = put_folder(ipfs, entries, blocks)
    said = refused(ipfs, "get", "-o", "out", root)
    assert "the directory holds the name %s twice" % entries[first][1].decode() in said
    assert (pathlib.Path(ipfs.cwd) / "out" / entries[first][1].decode()).read_bytes() in (blocks[first][1], blocks[second][1])


def test_a_size_that_lies(ipfs):
    """Tsize tells nothing that is relied on: a folder and a file of many blocks that say they have one byte."""
    entries, blocks = many(40)
    inner = directory(entries)
    parts = [data("part%d" % i, 1000) for i in range(3)]
    message = b"\x08\x02\x18" + b"\xb8\x17" + b"\x20\xe8\x07" * 3
    large = b"".join(field(2, field(1, raw_cid(part)) + field(2, b"") + b"\x18\x01") for part in parts) + field(1, message)
    entries[10:10] = [(pb_cid(inner), b"f0009a", 1), (pb_cid(large), b"f0009b", 1)]
    root = put_folder(ipfs, entries, [(pb_cid(inner), inner), (pb_cid(large), large), *blocks, *[(raw_cid(p), p) for p in parts]])
    ipfs("get", "-o", "out", root)
    out = tree_of(pathlib.Path(ipfs.cwd) / "out")
    assert out["f0009b"] == b"".join(parts) and out["f0009a/f0039"] == out["f0039"] == blocks[39][1] and len(out) == 40 + 1 + 41
