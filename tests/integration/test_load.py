"""Checkpoints loaded: views and what ranks read, byte by byte against the reference reader of safetensors; pages that processes share."""
import json
import random
import re
import subprocess

import pytest

from conftest import PEERS, PROGRAM, seed
from test_checkpoint import safetensors, tensor
from test_tensor_chunks import MIB, SIZES, model

DRIVER = PROGRAM.parent / "tests/load-driver"
PYTHON = PEERS / "python/bin/python"

REFERENCE = """
import sys, hashlib, json
from safetensors import safe_open
dim, r, n = map(int, sys.argv[2:5])
with safe_open(sys.argv[1], "numpy") as f:
    for name in f.keys():
        whole = f.get_tensor(name)
        if n and whole.ndim > dim:
            block = -(-whole.shape[dim] // n)
            cut = tuple([slice(None)] * dim + [slice(block * r, min(block * (r + 1), whole.shape[dim]))])
            whole = f.get_slice(name)[cut] if whole.size and block * r < whole.shape[dim] else whole[cut]
        data = whole.tobytes()
        print(json.dumps([name, len(data), hashlib.sha256(data).hexdigest()]))
"""


def driver(node, cid, *args):
    """(rows of numbers, {name: bytes})"""
    done = subprocess.run([DRIVER, node.repo, cid, *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    out, at, rows, found = done.stdout, 0, {}, {}
    while at < len(out):
        end = out.index(b"\n", at)
        name_len, size, *more = map(int, out[at:end].split())
        name = out[end + 1 : end + 1 + name_len].decode()
        at = end + 1 + name_len + size
        rows[name], found[name] = more, out[at - size : at]
    return rows, found


def padded(blob):
    """As the reference writer does: data begin at a multiple of 8."""
    n = int.from_bytes(blob[:8], "little")
    text = blob[8 : 8 + n] + b" " * (-n % 8)
    return len(text).to_bytes(8, "little") + text + blob[8 + n :]


def random_checkpoint(r):
    """Tensors of the types that numpy has, of odd shapes; None of them aligned to anything but its bytes."""
    header, data, at = {}, [], 0
    for i in range(r.randrange(1, 30)):
        dtype, width = r.choice([("U8", 1), ("F16", 2), ("F32", 4), ("I64", 8), ("BOOL", 1)])
        shape = [r.choice([0, 1, 2, 3, 7, 64, 129]) for _ in range(r.randrange(0, 4))]
        if r.random() < 0.2:
            shape = [r.randrange(1, 5), r.randrange(100_000, 500_000)]
        size = width
        for n in shape:
            size *= n
        if size > 5_000_000:
            continue
        header["t.%d" % i] = tensor(dtype, shape, at, at + size)
        data.append(bytes(b & 1 for b in r.randbytes(size)) if dtype == "BOOL" else r.randbytes(size))
        at += size
    blob = safetensors(header, b"".join(data))
    return padded(blob) if r.random() < 0.7 else blob


@pytest.fixture(scope="module")
def reference():
    if not (PEERS / "python/stamp").exists():
        pytest.skip("skipped: PyPI safetensors is missing: run tools/install-peers")

    def ask(path, dim=0, r=0, n=0):
        done = subprocess.run([PYTHON, "-c", REFERENCE, path, str(dim), str(r), str(n)], stdout=subprocess.PIPE, text=True, timeout=120, check=True)
        return {name: (size, digest) for name, size, digest in map(json.loads, done.stdout.splitlines())}

    return ask


def digests(found):
    import hashlib

    return {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in found.items()}


CHUNKERS = ["tensor", "tensor-65536", "size-1048576", "size-262144", "size-50048", "size-9999", "rabin-16384-65536-131072"]


def test_views_and_ranks_against_the_reference(ipfs, tmp_path, reference):
    r = random.Random("load %d" % seed())
    for i, chunker in enumerate(CHUNKERS):
        path = tmp_path / "m.safetensors"
        path.write_bytes(random_checkpoint(r))
        cid = ipfs.text("add", "-Q", "--cid-version=%d" % (i % 2), "--chunker=" + chunker, path)
        assert digests(driver(ipfs, cid, "views")[1]) == reference(path), chunker
        dim, n = r.randrange(3), r.randrange(1, 5)
        for rank in range(n):
            assert digests(driver(ipfs, cid, "rank", dim, rank, n)[1]) == reference(path, dim, rank, n), (chunker, dim, rank, n)


def test_equal_tensors_of_two_checkpoints_are_the_same_pages(ipfs, tmp_path):
    """What a tuned model shares with its base is mapped where the base lies; tensors large enough to have leaves of their own are mapped all over."""
    sizes = [3 * MIB, MIB, 64 * 1000, 5 * MIB + 64, 2 * MIB]
    for name, changed in (("base", ()), ("tuned", {1})):
        (tmp_path / name).write_bytes(padded(model(sizes, changed=changed)))
        cid = ipfs.text("add", "-Q", "--cid-version=1", "--chunker=tensor", name)
        rows, found = driver(ipfs, cid, "views")
        assert b"".join(found.values()) == (tmp_path / name).read_bytes()[-sum(sizes) :]
        mapped = {k: v[0] for k, v in rows.items()}
        if name == "base":
            assert all(n - 4160 <= mapped["layer.%d" % i] <= n for i, n in enumerate(sizes))  # a tail too small for a page of its own, and the page it is in
        assert mapped["layer.0"] == sizes[0]


def smaps(pid, field):
    """Sum over the mappings of packs, in bytes."""
    total, counts = 0, False
    with open("/proc/%d/smaps" % pid) as lines:
        for line in lines:
            if re.match(r"[0-9a-f]+-", line):
                counts = line.rstrip().endswith(".pack")
            elif counts and line.startswith(field + ":"):
                total += int(line.split()[1]) << 10
    return total


def test_processes_share_the_pages(ipfs, tmp_path):
    blob = padded(model([8 * MIB, 4 * MIB, 4 * MIB]))
    (tmp_path / "m.safetensors").write_bytes(blob)
    cid = ipfs.text("add", "-Q", "--cid-version=1", "--chunker=tensor", "m.safetensors")
    loaders = [subprocess.Popen([DRIVER, ipfs.repo, cid, "hold"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(10)]
    try:
        for p in loaders:
            assert p.stdout.readline().split() == [str(16 * MIB), str(16 * MIB)]
        assert all(smaps(p.pid, "Rss") >= 16 * MIB for p in loaders)
        assert sum(smaps(p.pid, "Pss") for p in loaders) <= 18 * MIB
        assert all(private_bytes(p.pid) < 8 * MIB for p in loaders)
    finally:
        for p in loaders:
            p.stdin.close()
    assert [p.wait(timeout=30) for p in loaders] == [0] * 10


def private_bytes(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("RssAnon:"))


def test_no_copy_imports_are_copied_and_looked_at(ipfs, tmp_path):
    ipfs("config", "--bool", "filestore.enabled", "true")
    blob = padded(model(SIZES))
    (tmp_path / "m.safetensors").write_bytes(blob)
    cid = ipfs.text("add", "-Q", "--nocopy", "--cid-version=1", "--chunker=tensor", "m.safetensors")
    rows, found = driver(ipfs, cid, "views")
    assert b"".join(found.values()) == blob[-sum(SIZES) :]
    assert sum(row[0] for row in rows.values()) < MIB // 2  # what the store has itself: nothing but small leaves
    (tmp_path / "m.safetensors").write_bytes(blob[:-1] + b"x")
    done = subprocess.run([DRIVER, ipfs.repo, cid, "views"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 1 and b"changed since it was added" in done.stderr


def test_inspect_tells_what_is_here(ipfs, tmp_path):
    blob = padded(model([3 * MIB, 64 * 1000, 2 * MIB, 0]))
    (tmp_path / "m.safetensors").write_bytes(blob)
    local = lambda arg: json.loads(ipfs.text("checkpoint", "inspect", "--json", "--summary", arg))["Local"]
    everything = {"Tensors": 4, "TensorBytes": 5 * MIB + 64000, "Bytes": len(blob), "MissingBytes": 0}
    assert local("m.safetensors") == everything
    for version in (0, 1):  # leaves of dag-pb, and raw ones
        cid = ipfs.text("add", "-Q", "--pin=false", "--cid-version=%d" % version, "--max-file-links=3", "--chunker=tensor", "m.safetensors")
        assert local(cid) == everything
        refs = ipfs.text("refs", "-r", cid).split()
        leaves = [ref for ref in refs if int(json.loads(ipfs.text("block", "stat", "--enc=json", ref))["Size"]) >= MIB]
        assert len(leaves) == 5
        above = next(ref for ref in refs if leaves[2] in ipfs.text("refs", ref).split())
        assert len(ipfs.text("refs", above).split()) == 3 and leaves[1] not in ipfs.text("refs", above)
        ipfs("block", "rm", leaves[1])
        assert local(cid) == {"Tensors": 3, "TensorBytes": 2 * MIB + 64000, "Bytes": len(blob) - MIB, "MissingBytes": MIB}
        ipfs("block", "rm", leaves[4])
        assert local(cid) == {"Tensors": 2, "TensorBytes": 64000, "Bytes": len(blob) - 2 * MIB, "MissingBytes": 2 * MIB}
        text = ipfs.text("checkpoint", "inspect", cid)
        assert "Local: 2 tensors, %d bytes; missing: %d bytes" % (len(blob) - 2 * MIB, 2 * MIB) in text
        ipfs("block", "rm", above)  # a node: all below it is away as well
        assert local(cid) == {"Tensors": 1, "TensorBytes": 0, "Bytes": len(blob) - 4 * MIB - 64000, "MissingBytes": 4 * MIB + 64000}
