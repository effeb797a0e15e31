"""The program killed with SIGKILL in the middle of a publication: under the name stands nothing, the old content or the new one, whole; the next call does
not trip over what was left. And the way that shares extents, on XFS."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import pytest

import xfs
from test_dispatch import add, dispatch, same

FILES = 60


def content(ipfs, folder, fill):
    return add(ipfs, folder, fill, **{"part-%02d__dat" % i: bytes([fill]) * (200000 + i) for i in range(FILES)})


def temporaries(there):
    return [p for p in pathlib.Path(there).iterdir() if p.name.startswith(".ipfs-accelerate-")]


def n_inside(there):
    n = 0
    for folder in temporaries(there):
        for _, _, files in os.walk(folder):
            n += len(files)
    return n


def kill_when(ipfs, args, is_time):
    """True: it was killed; False: it was done before."""
    process = subprocess.Popen([ipfs.program, "dispatch", *args], env=ipfs.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not is_time():
        time.sleep(0)
    process.send_signal(signal.SIGKILL)
    return process.wait(30) == -signal.SIGKILL


@pytest.fixture(params=["here", "elsewhere"])
def there(request, ipfs, tmp_path):
    """A folder that is linked into, and one on another file system, which is copied into."""
    ipfs("config", "endpoints.local.kind", "path")
    if request.param == "here":
        (tmp_path / "served").mkdir()
        ipfs("config", "endpoints.local.model_dir", tmp_path / "served")
        yield tmp_path / "served"
        return
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(tmp_path).st_dev:
        pytest.skip("skipped: no second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        ipfs("config", "endpoints.local.model_dir", folder)
        yield pathlib.Path(folder)


def standing(tmp_path, place):
    """Which content is under the name; fails when it is neither, or not whole."""
    fill = json.loads((place / "below/config.json").read_text())["fill"]
    same(tmp_path / ("a" if fill == 1 else "b"), place)
    return fill


def test_nothing_half_published_is_ever_seen(ipfs, tmp_path, there):
    cids = {1: content(ipfs, tmp_path / "a", 1), 2: content(ipfs, tmp_path / "b", 2)}
    place, n_killed = there / "m", 0
    for n in range(0, FILES + 2, 12):  # nothing stands there yet
        ipfs("repo", "gc", "--quiet")  # so that a tree that is linked to is made anew
        n_killed += kill_when(ipfs, [cids[1], "--name=m"], lambda: n_inside(there) > n if n else bool(temporaries(there)))
        if place.exists():
            assert standing(tmp_path, place) == 1
            break
    dispatch(ipfs, cids[1], "--name=m")
    assert standing(tmp_path, place) == 1 and temporaries(there) == []
    wanted = 2
    for n in [0, 1, 7, 20, 40, FILES, FILES + 1, FILES + 2]:  # the old content stands there
        ipfs("repo", "gc", "--quiet")
        n_killed += kill_when(ipfs, [cids[wanted], "--name=m"], lambda: n_inside(there) > n if n else bool(temporaries(there)))
        now = standing(tmp_path, place)
        done = dispatch(ipfs, cids[wanted], "--name=m")
        assert standing(tmp_path, place) == wanted and temporaries(there) == [], (n, now, done)
        assert done["Source"] == ("cache" if now == wanted else "store")
        wanted = 3 - wanted
    assert n_killed >= 3  # else the kills came too late, and nothing was tested
    assert os.listdir(there) == ["m"]


def test_where_extents_can_be_shared_they_are(ipfs, program, tmp_path):
    why = xfs.refusal()
    if why:
        pytest.skip("skipped: XFS on a loop device: " + why)
    try:
        with xfs.mounted(tmp_path, 400) as mount:
            node = type(ipfs)(program, mount / "repo", cwd=tmp_path)
            node("init")
            (mount / "served").mkdir()
            node("config", "endpoints.local.kind", "path")
            node("config", "endpoints.local.model_dir", mount / "served")
            cid = add(node, tmp_path / "a", 1, large__dat=os.urandom(16 << 20))
            done = dispatch(node, cid, "--name=m")
            assert done["Way"] == "reflink" and done["Source"] == "store", done
            same(tmp_path / "a", mount / "served/m")
            path = mount / "served/m/large.dat"
            assert xfs.shared_bytes(path) == 16 << 20 and path.stat().st_nlink == 1
            os.chmod(path, 0o644)  # a file of its own: what is written to it does not reach the store
            with open(path, "r+b") as out:
                out.write(b"\xff" * 4096)
            node("repo", "verify")
            assert dispatch(node, cid, "--name=m")["Source"] == "store"
            same(tmp_path / "a", mount / "served/m")
            node("config", "endpoints.local.layout", "huggingface")
            assert dispatch(node, cid, "--name=org/m")["Way"] == "reflink"
    except xfs.Refused as refused:
        pytest.skip("skipped: XFS on a loop device: %s" % refused)
