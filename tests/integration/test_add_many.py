"""Adding much at once: files in batches, large ones by several workers, folders ahead of each other; always Kubo's CID."""
import hashlib
import os
import threading
import time

import pytest


def data(name, size):
    return hashlib.shake_128(str(name).encode()).digest(size)


def make_tree(root):
    """Every kind of neighbour: sizes around the limits of a batch, more files than one holds, deep chains, nothing at all."""
    root.mkdir()
    sizes = [0, 1, 16383, 16384, 16385, 262144, 262145, (4 << 20) - 4097, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 9 << 20]
    for i, size in enumerate(sizes):
        (root / ("s%02d" % i)).write_bytes(data(i, size))
    many = root / "many"
    many.mkdir()
    for i in range(700):
        (many / ("f%d" % i)).write_bytes(data(i % 300, i * 7 % 5000))
    at = root / "chain"
    for i in range(60):
        at.mkdir()
        (at / "f").write_bytes(data(i, 100 + i))
        (at / "empty").mkdir()
        (at / "link").symlink_to("f")
        at = at / "d"
    for i in range(200):
        folder = root / ("one%d" % i)
        folder.mkdir()
        (folder / "x").write_bytes(data(i, 3000))
    (root / "mixed").mkdir()
    for i in range(40):
        (root / "mixed" / ("m%d" % i)).write_bytes(data(i, [10, 300000, 1 << 20][i % 3]))


@pytest.mark.parametrize("options", [["--cid-version=1"], ["--cid-version=0"], ["--trickle", "--raw-leaves"], ["--chunker=size-1000"], ["--chunker=size-1048576", "--cid-version=1"],
                                     ["--preserve-mtime"], ["--mode=0644"], ["--inline", "--inline-limit=128", "--cid-version=1"], ["--chunker=buzhash"],
                                     ["--hash=blake3", "--cid-version=1"]], ids=lambda o: " ".join(o))
def test_a_mixed_tree_gets_kubos_cid(ipfs, kubo, tmp_path, options):
    make_tree(tmp_path / "tree")
    ours = ipfs("add", "-r", *options, tmp_path / "tree")
    theirs = kubo("add", "-r", *options, tmp_path / "tree")
    assert ours.out.splitlines()[-1] == theirs.out.splitlines()[-1]
    assert sorted(ours.out.splitlines()) == sorted(theirs.out.splitlines())
    assert ipfs("add", "-Q", "-r", "-n", *options, tmp_path / "tree").out.split() == [theirs.out.split()[-2]]
    ipfs("repo", "verify")


def test_many_arguments_share_batches(ipfs, kubo, tmp_path):
    names = []
    for i in range(600):
        (tmp_path / ("a%03d" % i)).write_bytes(data(i, i))
        names.append("a%03d" % i)
    assert ipfs("add", "-Q", "-w", *names).out == kubo("add", "-Q", "-w", *names).out


def test_no_copy_of_a_large_file(ipfs, kubo, tmp_path):
    ipfs("config", "--json", "Experimental.FilestoreEnabled", "true")
    big = tmp_path / "big"
    big.write_bytes(data("big", (33 << 20) + 5))
    cid = ipfs.text("add", "-Q", "--nocopy", big)
    assert cid == kubo.text("add", "-Q", "-n", "--raw-leaves", big)
    assert ipfs("cat", cid).out_bytes == big.read_bytes()


def test_a_file_open_for_writing_is_read_all_the_same(ipfs, tmp_path):
    big = tmp_path / "big"
    big.write_bytes(data("w", 20 << 20))
    at_rest = ipfs.text("add", "-Q", "-n", big)
    with open(big, "r+b"):
        assert ipfs.text("add", "-Q", big) == at_rest
    os.chmod(big, 0o444)
    assert ipfs.text("add", "-Q", big) == at_rest


@pytest.mark.parametrize("change", ["cut", "grow", "write"])
def test_a_file_that_changes_meanwhile_never_kills(ipfs, tmp_path, change):
    """Whatever is written while an add runs: it ends soon with a CID of what was there, or says that the file changed."""
    big = tmp_path / "big"
    big.write_bytes(data("c", 64 << 20))
    stop, outcomes = threading.Event(), set()

    def disturb():
        while not stop.is_set():
            time.sleep(0.003)
            if change == "cut":
                os.truncate(big, 30 << 20)
                os.truncate(big, 64 << 20)
            else:
                with open(big, "ab" if change == "grow" else "r+b") as f:
                    f.write(b"x")

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for i in range(8):
            done = ipfs("add", "-Q", *(["-n"] if i % 2 else []), big, check=False, timeout=30)
            outcomes.add(done.code)
            assert done.code in (0, 1), (done.code, done.err)
            assert done.code == 0 or "changed while it was" in done.err, done.err
    finally:
        stop.set()
        thread.join()
    ipfs("repo", "verify")
    assert outcomes
