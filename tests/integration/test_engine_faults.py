"""A real engine whose disk is full, that is killed in the middle of a call, whose socket vanishes: a clear error each, and nothing left behind."""
import os
import pathlib
import subprocess
import time

import pytest

import engines
from engines import IMAGE, wait_until
from registries import Scripted, start_registry
from test_containers import program_for, rows
from test_pull import fill, forget


@pytest.fixture(scope="module")
def small():
    """An engine of its own on a disk of 64 MiB in memory, which may be hurt."""
    folder = pathlib.Path(engines.tempfile.mkdtemp(prefix="ipfsa-small-", dir="/var/tmp"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "ipfsa-small", folder], capture_output=True, text=True)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("skipped: no disk of 64 MiB can be mounted here: " + mounted.stderr.strip())
    try:
        with engines.docker(folder / "data") as engine:
            engine.disk = folder
            yield engine
    except engines.Unavailable as why:
        pytest.skip("skipped: %s" % why)
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()


@pytest.fixture
def box(small, program, tmp_path):
    ipfs = program_for(small, program, tmp_path)
    ipfs.engine = small
    yield ipfs
    small.remove_all()


@pytest.fixture(params=["docker", "podman"])
def either(request, program, tmp_path):
    """Both engines, which may be killed."""
    engine = request.getfixturevalue("small" if request.param == "docker" else "podman_engine")
    ipfs = program_for(engine, program, tmp_path)
    ipfs.engine = engine
    yield ipfs
    engine.remove_all()


class Full:
    """The engine's disk without a free byte."""

    def __init__(self, engine, leave=0):
        self.path, self.leave = engine.disk / "filler", leave

    def __enter__(self):
        free = os.statvfs(self.path.parent)
        with open(self.path, "wb") as file:
            try:
                left = free.f_bavail * free.f_frsize - self.leave
                while left > 0:
                    left -= file.write(bytes(min(left, 1 << 20)))
            except OSError:
                pass

    def __exit__(self, *args):
        self.path.unlink()


def test_a_full_disk(box, tmp_path):
    with Full(box.engine):
        done = box("container", "start", "web", IMAGE, "--volume=data-of-web:/data", "--", "sleep", "600", check=False)
        assert done.code == 1 and "no space left on device" in done.err and "free space on the engine's disk" in done.err, done.err
    assert box.engine.containers() == [] and rows(box("volume", "ls", "--json")) == []
    box("container", "start", "web", IMAGE, "--volume=data-of-web:/data", "--", "sleep", "600")


def test_a_pull_that_fills_the_disk(box, tmp_path):
    process, registry = start_registry(tmp_path / "registry")
    try:
        name, _ = fill(box.engine, registry, [("payload", os.urandom(12 << 20), 0o644)])
        with Full(box.engine, leave=4 << 20):
            done = box("container", "start", "web", name + ":1", "--", "sleep", "600", check=False)
            assert done.code == 1 and "no space left on device" in done.err and "free space" in done.err, done.err
        assert box.engine.containers() == []
        box("image", "pull", name + ":1")
        forget(box.engine, name + ":1")
    finally:
        process.terminate()
        process.wait(30)


class Running:
    """The program in the background, until the engine's end is its own."""

    def __init__(self, box, *words):
        self.process = subprocess.Popen([box.program, *words], cwd=box.cwd, env=box.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def end(self):
        try:
            _, err = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            pytest.fail("it still waits for an engine that is gone")
        return self.process.returncode, err


def kill_during(box, running, begun):
    """Ends the engine once the call is under way, and starts it again after the call has ended: (exit code, what it said)."""
    assert wait_until(begun, 30), running.process.poll()
    told = []
    box.engine.restart(lambda: told.append(running.end()), kill=True)
    assert wait_until(lambda: engines.answers(box.engine.socket), 30)
    return told[0]


GONE = ("ended", "does not listen", "reset", "Broken pipe")


def runs(box, name):
    return any(c["State"] == "running" and c["Names"] == ["/" + name] for c in box.engine.containers())


def test_killed_while_logs_and_exec_run(either):
    box = either
    box("container", "start", "talker", IMAGE, "--wait=log:begin", "--", "sh", "-c", "echo begin; sleep 600")
    logs = Running(box, "container", "logs", "-f", "talker")
    execution = Running(box, "container", "exec", "talker", "--", "sh", "-c", "touch /tmp/begun; sleep 600")
    wait_until(lambda: box("container", "exec", "talker", "ls", "/tmp/begun", check=False).code == 0, 30)
    time.sleep(0.2)  # the log has no way to show that it is followed; a call that has not begun fails likewise
    told = []
    box.engine.restart(lambda: told.extend([logs.end(), execution.end()]), kill=True)
    for code, err in told:
        assert code == 1 and any(word in err for word in GONE), told
    box("container", "rm", "--force", "talker")


def test_killed_while_a_start_waits(either):
    box = either
    starting = Running(box, "container", "start", "slow", IMAGE, "--wait=log:never", "--wait-timeout=100s", "--", "sleep", "600")
    code, err = kill_during(box, starting, lambda: runs(box, "slow"))
    assert code == 1 and any(word in err for word in GONE) and "container rm --force slow" in err, err
    box("container", "rm", "--force", "slow")  # it is ours still, and can be removed
    assert box.engine.containers() == []


def test_killed_while_an_image_is_pulled(either):
    box = either
    answer = lambda path, headers: "hang" if "/manifests/" in path else (200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b"{}")
    with Scripted(answer, port=getattr(box.engine, "registry_port", 0)) as registry:
        pulling = Running(box, "container", "start", "pulled", registry.host + "/slow/image:1", "--", "sleep", "600")
        code, err = kill_during(box, pulling, lambda: any("/manifests/" in path for path in registry.paths()))
    assert code == 1 and "pull of " in err and any(word in err for word in GONE), err
    assert box.engine.containers() == []


def test_a_socket_that_vanishes_and_comes_back(either):
    box = either
    box("container", "start", "web", IMAGE, "--", "sleep", "600")
    aside = pathlib.Path(str(box.engine.socket) + ".aside")
    os.rename(box.engine.socket, aside)
    try:
        for words in (["ls"], ["stop", "web"], ["exec", "web", "true"], ["start", "other", IMAGE, "--", "sleep", "600"], ["watch", "web"]):
            done = box("container", *words, check=False)
            assert done.code == 1 and "does not listen" in done.err and str(box.engine.socket) in done.err, done.err
    finally:
        os.rename(aside, box.engine.socket)
    assert [c["Name"] for c in rows(box("container", "ls", "--json"))] == ["web"]


def test_a_container_that_ends_at_once(box):
    for _ in range(5):
        done = box("container", "start", "brief", IMAGE, "--wait=tcp:1", "--", "sh", "-c", "echo my last words; exit 9", check=False)
        assert done.code == 1 and "exit code 9" in done.err and "my last words" in done.err, done.err
        assert box.engine.containers() == []
