"""A disk that is full, and one that cannot be written to: one clear sentence, and what was there is there. Needs the right to mount."""
import os
import subprocess

import pytest

from conftest import Ipfs
from test_bad_input import car, directory, pb_cid, refused, text_of


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(place)], stderr=subprocess.PIPE)
    if done.returncode != 0:
        pytest.skip("skipped: no right to mount a small disk: " + done.stderr.decode().strip())
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def node(program, small_disk, tmp_path):
    node = Ipfs(program, small_disk / "repo", cwd=tmp_path)
    node("init")
    return node


def test_a_full_disk(node, small_disk, tmp_path):
    kept = os.urandom(1 << 20)
    root = node("add", "-Q", stdin=kept).out.strip()
    (tmp_path / "folder").mkdir()
    for i in range(300):
        (tmp_path / "folder" / str(i)).write_bytes(os.urandom(50000))
    (tmp_path / "big").write_bytes(os.urandom(20 << 20))
    for args in (["add", "-Q", "big"], ["add", "-Q", "-r", "folder"], ["files", "write", "--create", "/f", "big"]):
        assert "no space left" in refused(node, *args)
        assert node("cat", root).out_bytes == kept
        assert "all blocks validated" in node.text("repo", "verify")
        assert node.text("pin", "ls", "--type=recursive", "-q") == root
    node("repo", "gc", "-q")
    second = node("add", "-Q", stdin=b"small").out.strip()
    node("pin", "rm", second)
    assert "all blocks validated" in node.text("repo", "verify")
    target = small_disk / "out"
    free = os.statvfs(small_disk)
    (small_disk / "fill").write_bytes(bytes(free.f_bavail * free.f_frsize - (200 << 10)))
    assert "room" in refused(node, "get", "-o", str(target), root)
    assert "room" in refused(node, "get", "-a", "-o", str(target), root)
    assert not target.exists()
    assert node("cat", root).out_bytes == kept


def test_a_repo_that_cannot_be_written_to(node, small_disk, tmp_path):
    root = node("add", "-Q", stdin=b"content").out.strip()
    node("files", "cp", "/ipfs/" + root, "/f")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert node("cat", root).out == "content"
    assert node("files", "read", "/f").out == "content"
    assert "all blocks validated" in node.text("repo", "verify")
    assert node.text("pin", "ls", "--type=recursive", "-q") == root
    assert node("ls", root).code == 0
    for args, stdin in ((["add", "-Q"], b"x"), (["block", "put"], b"x"), (["pin", "rm", root], None), (["repo", "gc"], None), (["config", "import.cid_version", "1"], None),
                        (["files", "rm", "/f"], None), (["dag", "put"], b"{}"), (["repo", "verify", "--repair"], None)):
        code = 3 if args[:2] == ["repo", "verify"] else 1
        assert "read-only" in refused(node, *args, stdin=stdin, code=code), args


def test_folders_that_say_they_are_empty(program, tmp_path, small_disk):
    """Sixty levels of two folders each, of no size by their links: what they really are would take every name that the disk has."""
    subprocess.run(["mount", "-o", "remount,nr_inodes=8000", str(small_disk)], check=True)
    node = Ipfs(program, tmp_path / "repo", cwd=tmp_path)
    node("init")
    level = directory([])
    blocks = [(pb_cid(level), level)]
    for _ in range(60):
        level = directory([(blocks[-1][0], b"a", 0), (blocks[-1][0], b"b", 0)])
        blocks.append((pb_cid(level), level))
    node("dag", "import", stdin=car(pb_cid(level), blocks[::-1]))
    said = refused(node, "get", "-o", small_disk / "out", text_of(pb_cid(level)))
    assert "has more" in said and "a twentieth" in said
    left = os.statvfs(small_disk)
    assert left.f_files * 0.03 < left.f_ffree < left.f_files * 0.05
