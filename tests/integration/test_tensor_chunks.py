"""--chunker=tensor: where chunks end, what is shared, who reads it back."""
import random

import pytest

from test_checkpoint import safetensors, tensor

MIB = 1 << 20


def model(sizes, seed=1, changed=()):
    """A file with tensors of these sizes; those in `changed` have other bytes than under the same seed without."""
    header, data, at = {}, b"", 0
    for i, size in enumerate(sizes):
        header["layer.%d" % i] = tensor("U8", [size], at, at + size)
        data += random.Random("%d/%d/%s" % (seed, i, i in changed)).randbytes(size)
        at += size
    return safetensors(header, data)


def chunks(blob, sizes, size=MIB):
    """Lengths by the rule that the help tells."""
    head = len(blob) - sum(sizes)
    found = [size] * (head // size) + ([head % size] if head % size else [])
    small = 0
    for n in sizes:
        if n >= size or small + n > size:
            found += [small] if small else []
            small = 0
        if n >= size:
            found += [size] * (n // size) + ([n % size] if n % size else [])
        else:
            small += n
    return found + ([small] if small else [])


SIZES = [3 * MIB, 10, MIB - 10, 1, 5 * MIB + 17, 1000, 0, 2000, MIB, 7, 12 * MIB, 300_000, 800_000, 5]


def leaves(node, cid):
    return [int(node.text("block", "stat", "--enc=json", ref).partition('"Size":')[2].split("}")[0].split(",")[0]) for ref in node.text("refs", cid).split()]


@pytest.mark.parametrize("size", [MIB, 65536, 2096896])
def test_chunks_end_where_tensors_do(ipfs, tmp_path, size):
    blob = model(SIZES)
    (tmp_path / "m.safetensors").write_bytes(blob)
    options = ["--cid-version=1", "--chunker=tensor" if size == MIB else "--chunker=tensor-%d" % size, "--max-file-links=1024"]
    cid = ipfs.text("add", "-Q", *options, "m.safetensors")
    assert leaves(ipfs, cid) == chunks(blob, SIZES, size)
    assert ipfs("cat", cid).out_bytes == blob
    assert ipfs.text("add", "-Qn", *options, "m.safetensors") == cid
    ipfs("config", "--bool", "filestore.enabled", "true")
    assert ipfs.text("add", "-Q", "--nocopy", *options, "m.safetensors") == cid
    assert ipfs("cat", cid).out_bytes == blob


def test_a_small_one_is_cut_too(ipfs, tmp_path):
    blob = model([5, 7])
    (tmp_path / "s.safetensors").write_bytes(blob)
    cid = ipfs.text("add", "-Q", "--cid-version=1", "--chunker=tensor", "s.safetensors")
    assert leaves(ipfs, cid) == [len(blob) - 12, 12]
    (tmp_path / "none.safetensors").write_bytes(safetensors({}))
    cid = ipfs.text("add", "-Q", "--cid-version=1", "--chunker=tensor", "none.safetensors")
    assert cid == ipfs.text("add", "-Qn", "--cid-version=1", "--chunker=size-1048576", "none.safetensors")


def test_equal_tensors_are_stored_once(ipfs, tmp_path):
    (tmp_path / "base.safetensors").write_bytes(model(SIZES))
    (tmp_path / "tuned.safetensors").write_bytes(model([11] + SIZES[1:], changed={0, 4}))  # everything behind moves
    add = lambda name: set(ipfs.text("refs", ipfs.text("add", "-Q", "--cid-version=1", "--chunker=tensor", name)).split())
    base, tuned = add("base.safetensors"), add("tuned.safetensors")
    assert len(base & tuned) >= 15  # the 12 MiB tensor and most small ones


def test_folders_and_what_is_no_checkpoint(ipfs, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m/m.safetensors").write_bytes(model(SIZES[:6]))
    (tmp_path / "m/broken.safetensors").write_bytes(model(SIZES[:2])[:-1])
    (tmp_path / "m/config.json").write_text('{"layers": 2}')
    root = ipfs.text("add", "-rQ", "--cid-version=1", "--chunker=tensor", "m")
    alone = ipfs.text("add", "-Qn", "--cid-version=1", "--chunker=tensor", "m/m.safetensors")
    by_size = ipfs.text("add", "-Qn", "--cid-version=1", "--chunker=size-1048576", "m/broken.safetensors")
    listed = {line.split()[2]: line.split()[0] for line in ipfs.text("ls", root).splitlines()}
    assert listed["m.safetensors"] == alone and listed["broken.safetensors"] == by_size
    for name, words in (("m/config.json", "no checkpoint"), ("m/broken.safetensors", "not fully covered")):
        done = ipfs("add", "--chunker=tensor", name, check=False)
        assert done.code == 1 and "--chunker=tensor cuts checkpoints" in done.err and words in done.err
    done = ipfs("add", "--chunker=tensor", check=False, stdin=b"x")
    assert done.code == 1 and "needs a file" in done.err
    for bad in ("tensor-65535", "tensor-2096897", "tensor-x", "tensorx"):
        assert ipfs("add", "-n", "--chunker=" + bad, "m/m.safetensors", check=False).code == 1


def test_kubo_reads_it(ipfs, kubo, tmp_path):
    blob = model(SIZES)
    (tmp_path / "m.safetensors").write_bytes(blob)
    for options in (["--cid-version=1"], ["--cid-version=0"], ["--trickle"]):
        cid = ipfs.text("add", "-Q", "--chunker=tensor", *options, "m.safetensors")
        (tmp_path / "m.car").write_bytes(ipfs("dag", "export", cid).out_bytes)
        kubo("dag", "import", "m.car")
        assert kubo("cat", cid).out_bytes == blob
