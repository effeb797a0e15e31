"""`cat` to a file: blocks of it are asked for ahead of what is written, and none are left behind what was."""
import os
import shutil
import subprocess

import pytest

SIZE = (9 << 20) + 1234


@pytest.fixture
def content(ipfs, tmp_path):
    data = os.urandom(SIZE)
    (tmp_path / "data").write_bytes(data)
    return ipfs.text("add", "-Q", "--cid-version=1", tmp_path / "data"), data


def cat(ipfs, cids, path, flags, at=0, options=()):
    out = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o644)
    os.lseek(out, at, os.SEEK_SET)
    done = subprocess.run([ipfs.program, "cat", *options, *cids], env=ipfs.env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)
    os.close(out)
    return done


def holds_no_more_than(path, size):
    """Blocks behind the end would count; what a file system adds for itself is less than those."""
    os.sync()
    assert os.stat(path).st_blocks * 512 < size + (1 << 20)


def test_one_and_two_files(ipfs, tmp_path, content):
    cid, data = content
    for cids in ([cid], [cid, cid]):
        assert cat(ipfs, cids, tmp_path / "out", os.O_TRUNC).returncode == 0
        assert (tmp_path / "out").read_bytes() == data * len(cids)
        holds_no_more_than(tmp_path / "out", SIZE * len(cids))


@pytest.mark.parametrize("flags, at", [(0, 0), (0, 7), (0, 3 << 20), (os.O_APPEND, 0)], ids=["over", "seven", "inside", "appended"])
def test_a_file_that_has_something(ipfs, tmp_path, content, flags, at):
    cid, data = content
    before = os.urandom(4 << 20)
    (tmp_path / "out").write_bytes(before)
    assert cat(ipfs, [cid], tmp_path / "out", flags, at).returncode == 0
    at = len(before) if flags else at
    assert (tmp_path / "out").read_bytes() == before[:at] + data
    assert cat(ipfs, [cid], tmp_path / "out", 0, 5, ["--length=3000000"]).returncode == 0
    want = bytearray(before[:at] + data)
    want[5:3000005] = data[:3000000]
    assert (tmp_path / "out").read_bytes() == want
    holds_no_more_than(tmp_path / "out", len(want))


def test_what_ends_early_gives_back_what_was_asked_for(ipfs, tmp_path, content):
    cid, data = content
    pack = next((ipfs.repo / "packs").glob("*.pack"))
    stored = pack.read_bytes()
    place = stored.index(data[6 << 20:(6 << 20) + 4096])
    with open(pack, "r+b") as file:
        file.seek(place)
        file.write(b"x" * 16)
    done = cat(ipfs, [cid], tmp_path / "out", os.O_TRUNC)
    assert done.returncode == 1 and b"damaged" in done.stderr
    out = (tmp_path / "out").read_bytes()
    assert data.startswith(out) and 4 << 20 <= len(out) <= 6 << 20
    holds_no_more_than(tmp_path / "out", len(out))


def test_an_archive_has_no_more_blocks_than_bytes(ipfs, tmp_path, content):
    piped = ipfs("dag", "export", content[0]).out_bytes
    for path, flags in (("car", os.O_TRUNC), ("more", os.O_APPEND)):
        out = os.open(tmp_path / path, os.O_WRONLY | os.O_CREAT | flags, 0o644)
        subprocess.run([ipfs.program, "dag", "export", content[0]], env=ipfs.env, stdin=subprocess.DEVNULL, stdout=out, check=True)
        os.close(out)
        assert (tmp_path / path).read_bytes() == piped
        holds_no_more_than(tmp_path / path, len(piped))


def test_get_has_no_more_blocks_than_bytes(ipfs, tmp_path, content):
    cid, data = content
    ipfs("get", "-o", tmp_path / "got", cid)
    assert (tmp_path / "got").read_bytes() == data
    holds_no_more_than(tmp_path / "got", SIZE)


def bytes_in_memory(file):
    return int(subprocess.run(["fincore", "-b", "-n", "-o", "RES", file], stdout=subprocess.PIPE, check=True).stdout)


@pytest.mark.parametrize("options", [["--cid-version=1"], ["--cid-version=0"]], ids=" ".join)
def test_get_leaves_one_copy_in_memory_and_cat_its_source(ipfs, tmp_path, options):
    data = os.urandom(SIZE)
    (tmp_path / "data").write_bytes(data)
    cid = ipfs.text("add", "-Q", *options, tmp_path / "data")
    pack = next((ipfs.repo / "packs").glob("*.pack"))
    fd = os.open(pack, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    if not shutil.which("fincore") or bytes_in_memory(pack) > SIZE // 8:
        pytest.skip("skipped: no fincore to ask, or a file system that keeps all in memory")
    ipfs("get", "-o", tmp_path / "got", cid)
    assert (tmp_path / "got").read_bytes() == data
    assert bytes_in_memory(pack) < SIZE // 8
    assert ipfs("cat", cid).out_bytes == data
    assert bytes_in_memory(pack) >= SIZE
