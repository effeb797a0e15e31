"""On a file system that can share bytes between files (XFS on a loop device): whether or not blocks are shared with the file they came from, neither
side may ever change the other."""
import os
import random

import pytest

import xfs
from conftest import Ipfs, seed

MIB = 1 << 20


@pytest.fixture
def mount(tmp_path):
    why = xfs.refusal()
    if why:
        pytest.skip("skipped: " + why)
    try:
        with xfs.mounted(tmp_path, 320) as place:
            yield place
    except xfs.Refused as refused:
        pytest.skip("skipped: %s" % refused)


@pytest.fixture
def node(program, mount):
    ipfs = Ipfs(program, mount / "repo", cwd=mount)
    ipfs("init")
    return ipfs


def content(length, number=0):
    return random.Random(seed() + number).randbytes(length)


# Whole leaves and pages; a tail that is no whole page; less than a leaf.
SIZES = [8 * MIB, 5 * MIB + 1234, 70000]


@pytest.mark.parametrize("length", SIZES)
@pytest.mark.parametrize("options", [["--cid-version=1"], ["--cid-version=0", "--chunker=size-65536"], ["--cid-version=1", "--chunker=size-70001"]], ids=" ".join)
def test_the_cid_is_that_of_any_other_file_system(node, program, mount, tmp_path, length, options):
    (mount / "file").write_bytes(content(length))
    elsewhere = Ipfs(program, tmp_path / "elsewhere")
    elsewhere("init")
    cid = node.text("add", "-Q", *options, mount / "file")
    assert cid == elsewhere.text("add", "-Q", *options, mount / "file")
    node("get", "-o", mount / "copy", cid)
    assert (mount / "copy").read_bytes() == content(length)


def test_what_is_added_is_shared_with_its_source(node, mount):
    data = content(8 * MIB + 300000)
    (mount / "file").write_bytes(data)
    cid = node.text("add", "-Q", "--cid-version=1", mount / "file")
    os.sync()
    assert xfs.shared_bytes(mount / "file") == 8 * MIB + 73 * 4096  # whole pages
    assert node("cat", cid).out_bytes == data
    assert node("repo", "verify").code == 0


def test_only_what_is_new_is_shared(node, mount):
    data = bytearray(content(8 * MIB))
    (mount / "file").write_bytes(data)
    node("add", "-Q", "--cid-version=1", mount / "file")
    data[3 * MIB:3 * MIB + 4] = b"else"
    (mount / "other").write_bytes(data)
    cid = node.text("add", "-Q", "--cid-version=1", mount / "other")
    os.sync()
    assert xfs.shared_bytes(mount / "other") == 262144
    assert node("cat", cid).out_bytes == data


def test_a_file_that_somebody_has_open_for_writing_is_copied(node, mount):
    data = content(8 * MIB)
    (mount / "file").write_bytes(data)
    with open(mount / "file", "r+b"):
        cid = node.text("add", "-Q", "--cid-version=1", mount / "file")
    os.sync()
    assert xfs.shared_bytes(mount / "file") == 0
    assert node("cat", cid).out_bytes == data


def test_a_source_changed_later_does_not_change_the_store(node, mount):
    data = content(6 * MIB + 99)
    (mount / "file").write_bytes(data)
    cid = node.text("add", "-Q", "--cid-version=1", mount / "file")
    with open(mount / "file", "r+b") as file:
        for at in (0, MIB + 7, 6 * MIB):
            file.seek(at)
            file.write(b"changed")
        file.truncate(6 * MIB + 50)
        os.fsync(file.fileno())
    assert node("cat", cid).out_bytes == data
    assert node("repo", "verify").code == 0
    (mount / "file").unlink()
    assert node("cat", cid).out_bytes == data


def test_a_copy_changed_later_does_not_change_the_store(node, mount):
    data = content(6 * MIB + 99)
    (mount / "file").write_bytes(data)
    cid = node.text("add", "-Q", "--cid-version=1", mount / "file")
    (mount / "file").unlink()
    for name in ("one", "two"):
        node("get", "-o", mount / name, cid)
    with open(mount / "one", "r+b") as file:
        file.seek(2 * MIB)
        file.write(bytes(MIB))
        os.fsync(file.fileno())
    assert (mount / "two").read_bytes() == data
    assert node("cat", cid).out_bytes == data
    assert node("repo", "verify").code == 0


def test_get_shares_the_pages_of_whole_leaves(node, mount):
    data = content(6 * MIB + 99)
    (mount / "file").write_bytes(data)
    cid = node.text("add", "-Q", "--cid-version=1", mount / "file")
    (mount / "file").unlink()
    node("get", "-o", mount / "copy", cid)
    os.sync()
    assert xfs.shared_bytes(mount / "copy") == 6 * MIB
    assert (mount / "copy").read_bytes() == data
    node("get", "-o", mount / "apart", cid, env={"IPFSA_REFLINK": "off"})
    os.sync()
    assert xfs.shared_bytes(mount / "apart") == 0
    assert (mount / "apart").read_bytes() == data


def test_a_copy_that_fits_by_sharing_alone(node, mount):
    data = content(48 * MIB)
    cid = node.text("add", "-Q", "--cid-version=1", stdin=data)
    with open(mount / "fill", "wb") as fill:
        room = os.statvfs(mount)
        os.posix_fallocate(fill.fileno(), 0, room.f_bavail * room.f_frsize - 24 * MIB)
    node("get", "-o", mount / "copy", cid)
    assert (mount / "copy").read_bytes() == data
    assert "room" in node("get", "-o", mount / "plain", cid, check=False, env={"IPFSA_REFLINK": "off"}).err
    assert not (mount / "plain").exists()


@pytest.mark.parametrize("at", [0, 3 * MIB + 5, 6 * MIB - 1])
def test_damage_is_not_shared(node, mount, at):
    data = content(6 * MIB + 99)
    (mount / "file").write_bytes(data)
    cid = node.text("add", "-Q", "--cid-version=1", mount / "file")
    (mount / "file").unlink()
    pack = next((mount / "repo/packs").glob("*.pack"))
    start = pack.read_bytes().index(data[:4096]) + at
    with open(pack, "r+b") as file:
        file.seek(start)
        byte = file.read(1)[0]
        file.seek(start)
        file.write(bytes([byte ^ 1]))
    got = node("get", "-o", mount / "copy", cid, check=False)
    assert got.code == 1 and "damaged" in got.err
    assert not (mount / "copy").exists()


def test_collected_blocks_take_nothing_from_sources_and_copies(node, mount):
    data = content(6 * MIB + 99)
    (mount / "file").write_bytes(data)
    cid = node.text("add", "-Q", "--cid-version=1", mount / "file")
    node("get", "-o", mount / "copy", cid)
    node("pin", "rm", cid)
    node("repo", "gc")
    assert node("cat", cid, check=False).code == 1
    os.sync()
    assert (mount / "file").read_bytes() == data
    assert (mount / "copy").read_bytes() == data


def test_shared_bytes_are_counted(mount):
    """The measure itself: what cp shares is seen, what it copies is not."""
    import subprocess
    (mount / "file").write_bytes(content(MIB))
    os.sync()
    assert xfs.shared_bytes(mount / "file") == 0
    subprocess.run(["cp", "--reflink=always", mount / "file", mount / "clone"], check=True)
    subprocess.run(["cp", "--reflink=never", mount / "file", mount / "copy"], check=True)
    os.sync()
    assert xfs.shared_bytes(mount / "clone") == MIB
    assert xfs.shared_bytes(mount / "file") == MIB
    assert xfs.shared_bytes(mount / "copy") == 0
