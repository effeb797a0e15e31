"""The mutable file system: a model in Python beside it, and Kubo's CIDs for what both write."""
import hashlib
import random

from conftest import seed


def shake(text, n):
    return hashlib.shake_128(text.encode()).digest(n) if n else b""


def test_random_writes_against_a_model(ipfs):
    rng = random.Random(seed() + 5)
    model = {}
    for step in range(60):
        name = "/d%d/f%d" % (rng.randrange(2), rng.randrange(3))
        act = rng.choice(["write", "write", "write", "rm", "read", "truncate"])
        if act in ("write", "truncate"):
            old = b"" if act == "truncate" else model.get(name, b"")
            offset = rng.randrange(0, len(old) + 50) if old else 0
            data = shake("step%d" % step, rng.choice([0, 1, 500, 70000, 300000]))
            args = ["--offset=%d" % offset] + (["--truncate"] if act == "truncate" else []) + (["--cid-version=1"] if name not in model and rng.random() < 0.5 else [])
            ipfs("files", "write", "--create", "--parents", *args, name, stdin=data)
            old = old.ljust(offset, b"\0")
            model[name] = old[:offset] + data + old[offset + len(data):]
        elif act == "rm" and name in model:
            ipfs("files", "rm", name)
            del model[name]
        elif name in model:
            assert ipfs("files", "read", name).out_bytes == model[name]
    for name, data in model.items():
        assert ipfs("files", "read", name).out_bytes == data
        cid = ipfs.text("files", "stat", "--hash", name)
        assert ipfs("cat", cid).out_bytes == data if data else True
    ipfs("repo", "gc")  # the root protects all of it
    for name, data in model.items():
        assert ipfs("files", "read", name).out_bytes == data
    assert "all blocks validated" in ipfs.text("repo", "verify")


def test_same_cids_as_kubo(ipfs, kubo):
    for size in (0, 1, 1000, 262144, 262145, 1000000):
        for version in ("0", "1"):
            data = shake("kubo%d" % size, size)
            for node in (ipfs, kubo):
                node("files", "write", "--create", "--cid-version=" + version, "/f%d-%s" % (size, version), stdin=data)
            ours, theirs = (n.text("files", "stat", "--hash", "/f%d-%s" % (size, version)) for n in (ipfs, kubo))
            assert ours == theirs, (size, version)
    for node in (ipfs, kubo):
        node("files", "mkdir", "-p", "/a/b/c")
        node("files", "mv", "/f1-0", "/a/b/one")
        node("files", "cp", "/a/b/one", "/a/two")
        node("files", "rm", "-r", "/a/b/c")
    assert ipfs.text("files", "stat", "--hash", "/") == kubo.text("files", "stat", "--hash", "/")


def test_wrong_calls_change_nothing(ipfs):
    ipfs("files", "mkdir", "/d")
    before = ipfs.text("files", "stat", "--hash", "/")
    for args in (["mkdir", "/x/y"], ["mkdir", "/d"], ["rm", "/"], ["rm", "/d"], ["rm", "/nope"], ["mv", "/d", "/d/e"], ["mv", "/nope", "/x"], ["cp", "/nope", "/x"],
                 ["cp", "/d", "d"], ["read", "/d"], ["write", "/nope"], ["write", "/d"], ["mkdir", "/a/../b"], ["mkdir", "/" + "n" * 256], ["stat", "/nope"]):
        done = ipfs("files", *args, check=False, stdin=b"x")
        assert done.code == 1 and "Error: " in done.err, args
    assert ipfs.text("files", "stat", "--hash", "/") == before


def test_a_missing_block_is_named(ipfs):
    """A folder whose block is gone is not an empty place: nothing is read as absent, and nothing is written over it."""
    ipfs("files", "mkdir", "-p", "/a/b")
    ipfs("files", "write", "--create", "/a/b/f", stdin=b"kept")
    gone = ipfs.text("files", "stat", "--hash", "/a/b")
    ipfs("block", "rm", gone)
    before = ipfs.text("files", "stat", "--hash", "/")
    for args in (["ls", "/a/b"], ["stat", "/a/b"], ["stat", "/a/b/f"], ["read", "/a/b/f"], ["rm", "/a/b/f"], ["mkdir", "/a/b/c"], ["mkdir", "-p", "/a/b/c"],
                 ["write", "--create", "/a/b/g"], ["write", "--create", "--parents", "/a/b/g"], ["cp", "/a/b/f", "/x"], ["cp", "--force", "/a", "/a/b/x"],
                 ["mv", "/a/b/f", "/x"], ["chmod", "0644", "/a/b/f"], ["touch", "/a/b/f"], ["chcid", "--cid-version=1", "/a/b"], ["flush", "/a/b"]):
        done = ipfs("files", *args, check=False, stdin=b"x")
        said = done.out + done.err
        assert done.code == 1 and gone in said and "does not exist" not in said, (args, said)
    done = ipfs("add", "--to-files=/a/b/", check=False, stdin=b"x")
    assert done.code == 1 and gone in done.err
    assert ipfs.text("files", "stat", "--hash", "/") == before
    assert "Local: " in ipfs.text("files", "stat", "--with-local", "/") and "100.00%" not in ipfs.text("files", "stat", "--with-local", "/")
    ipfs("files", "rm", "--force", "-r", "/a/b")  # what is broken can be taken away


def test_count_zero_takes_nothing(ipfs):
    ipfs("files", "write", "--create", "/f", stdin=b"hello")
    ipfs("files", "write", "--count=0", "/f", stdin=b"xxxxx")
    assert ipfs("files", "read", "/f").out_bytes == b"hello"
    ipfs("files", "write", "--count=2", "/f", stdin=b"xxxxx")
    assert ipfs("files", "read", "/f").out_bytes == b"xxllo"
    ipfs("files", "write", "--count=0", "--truncate", "/f", stdin=b"xxxxx")
    ipfs("files", "write", "--count=0", "--create", "/new", stdin=b"xxxxx")
    assert ipfs("files", "read", "/f").out_bytes == ipfs("files", "read", "/new").out_bytes == b""


def test_chroot_is_protected_from_gc(ipfs):
    root = ipfs.text("add", "-Qw", "--pin=false", "--stdin-name=f", stdin=b"content")
    ipfs("files", "chroot", "--confirm", root)
    ipfs("repo", "gc", "--grace=0")
    assert ipfs("files", "read", "/f").out_bytes == b"content"
    ipfs("files", "chroot", "--confirm")
    ipfs("repo", "gc", "--grace=0")
    assert ipfs.text("files", "ls") == "" and ipfs("cat", root + "/f", check=False).code == 1
