"""Real Kubo beside us: random trees with random options give the same CID, each reads what the other exports.

A difference is minimised (entries dropped, options dropped, files cut) before it is shown.
IPFSA_SEED and IPFSA_SOAK_SECONDS choose another and a longer campaign.
"""
import hashlib
import os
import random
import shutil
import time

import pytest

from conftest import seed, soak_seconds

NAMES = ["a", "b", "Z", "e.txt", ".dot", "b c", "ä", "日本語", "q?", "-x", "x" * 200]
SIZES = [0, 1, 10, 31, 32, 33, 300, 5000, 131072, 262143, 262144, 262145, 700000]
HASHES = ["sha2-512", "sha1", "blake3", "blake2b-256", "blake2s-256", "sha3-256", "sha3-224", "keccak-256", "keccak-512", "dbl-sha2-256", "shake-256"]


def random_tree(rng):
    """[(relative path, kind, argument)]: folders, files of (seed, size), symlinks; mode and mtime for each."""
    tree, folders = [], [""]
    for _ in range(rng.randrange(1, 25)):
        parent = rng.choice(folders)
        path = parent + rng.choice(NAMES) + (str(rng.randrange(9)) if rng.random() < 0.5 else "")
        if any(path == other[0] for other in tree):
            continue
        kind = rng.choices(["file", "dir", "link"], [7, 3, 1])[0]
        if kind == "dir":
            folders.append(path + "/")
        what = (path, rng.choice(SIZES)) if kind == "file" else rng.choice(NAMES)
        tree.append((path, kind, what, rng.choice([0o755, 0o700]) if kind == "dir" else rng.choice([0o644, 0o600, 0o755]),
                     rng.randrange(1, 2**31), rng.choice([0, 1, 123456789])))
    return tree


def random_options(rng):
    options = ["-r"]
    if rng.random() < 0.5:
        options.append("--cid-version=1")
    for odds, choices in ((0.3, ["--raw-leaves", "--raw-leaves=false"]), (0.3, ["--trickle"]), (0.3, ["-H"]), (0.2, ["-w"]),
                          (0.3, ["--chunker=size-1000", "--chunker=size-65536", "--chunker=rabin", "--chunker=buzhash", "--chunker=rabin-16-512-1024"]),
                          (0.3, ["--max-file-links=2", "--max-file-links=3", "--max-file-links=1024"]),
                          (0.2, ["--max-directory-links=2", "--max-directory-links=5"]), (0.1, ["--empty-dirs=false"]),
                          (0.2, ["--inline", "--inline --inline-limit=64", "--inline --inline-limit=128"]),
                          (0.2, ["--hash=" + h for h in HASHES]), (0.2, ["--max-hamt-fanout=8", "--max-hamt-fanout=64"])):
        if rng.random() < odds:
            options += rng.choice(choices).split()
    if "--raw-leaves" not in options and rng.random() < 0.2:
        options += rng.choice(["--preserve-mode", "--preserve-mtime", "--mode=0640", "--mtime=1700000000"]).split()
    return options


def materialise(tree, root):
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    stamps = [(root, (10**9, 0))]
    for path, kind, what, mode, seconds, nanos in tree:
        at = root / path
        if not at.parent.is_dir() or at.is_symlink() or at.exists():
            continue
        if kind == "dir":
            at.mkdir()
        elif kind == "link":
            at.symlink_to(what)
        else:
            at.write_bytes(hashlib.shake_128(what[0].encode()).digest(what[1]) if what[1] else b"")
        if kind != "link":
            at.chmod(mode)
        stamps.append((at, (seconds, nanos)))
    for at, (seconds, nanos) in reversed(stamps):
        os.utime(at, ns=(seconds * 10**9 + nanos,) * 2, follow_symlinks=False)


def add_with(node, options, root):
    done = node("add", "-Q", *options, root, check=False)
    return done.out.strip() if done.code == 0 else "error"


def differs(ipfs, kubo, tree, options, root):
    materialise(tree, root)
    return add_with(ipfs, options, root) != add_with(kubo, options, root)


def minimise(ipfs, kubo, tree, options, root):
    """Drops entries and options for as long as the difference stays."""
    changed = True
    while changed:
        changed = False
        for part in (tree, options):
            for i in range(len(part) - 1, -1, -1):
                if part is options and part[i] == "-r":
                    continue
                kept = part.pop(i)
                if differs(ipfs, kubo, tree, options, root):
                    changed = True
                else:
                    part.insert(i, kept)
    return tree, options


def test_random_trees_and_options(ipfs, kubo, tmp_path):
    rng = random.Random(seed())
    deadline = time.monotonic() + soak_seconds(25)
    rounds = 0
    while time.monotonic() < deadline:
        tree, options = random_tree(rng), random_options(rng)
        root = tmp_path / "tree"
        if differs(ipfs, kubo, tree, options, root):
            tree, options = minimise(ipfs, kubo, tree, options, root)
            materialise(tree, root)
            pytest.fail("round %d differs: %s on %s: ours %s, Kubo's %s" % (
                rounds, options, [t[:3] for t in tree], add_with(ipfs, options, root), add_with(kubo, options, root)))
        rounds += 1
    assert rounds > 5


@pytest.mark.parametrize("version", [0, 1])
def test_hamt_threshold_by_block_size(ipfs, kubo, tmp_path, version):
    """One below, and one past, the exact size of the block at which a folder becomes a HAMT."""
    name_len, cid_len = 60, 34 if version == 0 else 36
    edge = (262144 - 4) // (name_len + cid_len + 8)
    for node in (ipfs, kubo):
        node("config", "Import.UnixFSHAMTDirectorySizeEstimation", "block")
    for count in (edge, edge + 1):
        folder = tmp_path / "many"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for i in range(count):
            (folder / ("%060d" % i)).write_bytes(b"x")
        ours, theirs = (n.text("add", "-Qnr", "--cid-version=%d" % version, folder) for n in (ipfs, kubo))
        assert ours == theirs, (version, count)


def test_each_reads_the_other(ipfs, kubo, tmp_path):
    rng = random.Random(seed() + 1)
    for _ in range(6):
        tree, options = random_tree(rng), random_options(rng)
        root = tmp_path / "tree"
        materialise(tree, root)
        for giver, taker in ((ipfs, kubo), (kubo, ipfs)):
            cid = add_with(giver, options, root)
            if cid == "error":
                continue
            car = giver("dag", "export", "--progress=false", cid).out_bytes
            taker("dag", "import", stdin=car)
            assert taker("dag", "export", "--progress=false", cid).out_bytes == car
            for name, node in (("out-ours", ipfs), ("out-kubo", kubo)):
                shutil.rmtree(tmp_path / name, ignore_errors=True)
                node("get", "-o", tmp_path / name, cid)
            compare = shutil.which("diff")
            assert compare
            import subprocess

            assert subprocess.run([compare, "-r", "--no-dereference", tmp_path / "out-ours", tmp_path / "out-kubo"]).returncode == 0
