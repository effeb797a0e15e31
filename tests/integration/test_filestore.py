"""Blocks that lie in files outside: listed, checked, forgotten."""
import hashlib

import pytest


@pytest.fixture
def stocked(ipfs, tmp_path):
    ipfs("config", "--bool", "filestore.enabled", "true")
    names = {}
    for name in ("kept", "changed", "gone"):
        (tmp_path / name).write_bytes(hashlib.shake_128(name.encode()).digest(300000))
        names[name] = ipfs.text("add", "-Q", "--nocopy", name)
    return ipfs, names


def test_bad_references_are_told_and_can_be_removed(stocked, tmp_path):
    ipfs, names = stocked
    (tmp_path / "gone").unlink()
    with open(tmp_path / "changed", "r+b") as file:
        file.write(b"other")
    told = ipfs.text("filestore", "verify", "--file-order").splitlines()
    assert sorted(line.split()[0] for line in told) == ["changed", "changed", "no-file", "no-file", "ok", "ok"]
    assert len(ipfs.text("filestore", "ls").splitlines()) == 6
    told = ipfs.text("filestore", "verify", "--remove-bad-blocks").splitlines()
    assert len(told) == 6
    left = ipfs.text("filestore", "verify").splitlines()
    assert len(left) == 2 and all(line.startswith("ok") and str(tmp_path / "kept") in line for line in left)
    assert ipfs("cat", names["kept"]).out_bytes == (tmp_path / "kept").read_bytes()
    assert "could not find" in ipfs("cat", names["gone"], check=False).err
    (tmp_path / "gone").write_bytes(hashlib.shake_128(b"gone").digest(300000))
    assert ipfs.text("add", "-Q", "--nocopy", "gone") == names["gone"]  # and they can be added again
    assert ipfs("cat", names["gone"]).out_bytes == (tmp_path / "gone").read_bytes()


def test_there_are_no_dups(stocked):
    ipfs, _ = stocked
    ipfs("add", "-Q", "--raw-leaves", "kept")
    assert ipfs("filestore", "dups").out == ""


def test_it_is_off_unless_it_is_turned_on(ipfs):
    for verb in ("ls", "verify", "dups"):
        done = ipfs("filestore", verb, check=False)
        assert done.code == 1 and "filestore is not enabled" in done.err


def test_many_leaves_take_several_commits(ipfs, tmp_path):
    """A commit every 4096 of them, while others are hashed; nothing is lost or told twice, and adding them again writes nothing."""
    ipfs("config", "--bool", "filestore.enabled", "true")
    data = hashlib.shake_128(b"leaves").digest(64 * 1024) * 2500
    (tmp_path / "many").write_bytes(b"".join(i.to_bytes(4, "big") + data[i * 16384 + 4:(i + 1) * 16384] for i in range(10000)))
    cid = ipfs.text("add", "-Q", "--nocopy", "--chunker=size-16384", "many")
    assert ipfs.text("add", "-Q", "-n", "--raw-leaves", "--chunker=size-16384", "many") == cid
    told = ipfs.text("filestore", "verify").splitlines()
    assert len(told) == 10000 and all(line.startswith("ok") for line in told)
    assert ipfs("cat", cid).out_bytes == (tmp_path / "many").read_bytes()
    packs = [file for file in tmp_path.rglob("*.pack")]
    before = sum(file.stat().st_size for file in packs)
    assert packs and b"".join(file.read_bytes() for file in packs).count(b"ICM1") >= 3  # the heads of commits
    assert ipfs.text("add", "-Q", "--nocopy", "--chunker=size-16384", "many") == cid
    assert sum(file.stat().st_size for file in packs) == before
