"""Content out of the store in containers, and containers watched, on real engines."""
import errno
import fcntl
import json
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time
import urllib.request

import pytest

import xfs
from engines import IMAGE, wait_until
from test_containers import box, docker_box, engine, program_for, rows  # fixtures
from test_terminal import on_terminal

USE = "io.ipfs-accelerate.cid"


def fill(folder):
    (folder / "below").mkdir(parents=True)
    (folder / "index.html").write_text("out of the store\n")
    (folder / "large").write_bytes(os.urandom(300000))
    (folder / "below" / "deep").write_text("deep\n")


@pytest.fixture
def content(box, tmp_path):
    """A folder in the store, not pinned: only a use keeps it."""
    box("init")
    fill(tmp_path / "site")
    box.folder = tmp_path / "site"
    return box.text("add", "-r", "-Q", "--pin=false", "--cid-version=1", str(tmp_path / "site")).strip()


def serve(box, cid, name="web", *options, check=True):
    return box("container", "start", name, IMAGE, "--mount=%s:/www" % cid, "--publish=8080", "--wait=http:8080/index.html", "--json", *options, "--", "httpd", "-f",
               "-p", "8080", "-h", "/www", check=check)


def port_of(box, name="web"):
    return [c for c in rows(box("container", "ls", "--json")) if c["Name"] == name][0]["Ports"][0]["HostPort"]


def fetch(port, path):
    return urllib.request.urlopen("http://127.0.0.1:%d/%s" % (port, path), timeout=10).read()


def trees(box):
    folder = pathlib.Path(box.repo) / "materialised"
    return sorted(p.name for p in folder.iterdir() if p.name != "files") if folder.exists() else []


def gc(box):
    box("repo", "gc", "--quiet")


def test_a_mount_shows_the_store_and_is_kept_while_it_lasts(box, content):
    made = rows(serve(box, content))[0]
    mount = made["Mounts"][0]
    assert mount["Target"] == "/www" and mount["Cid"] == content and mount["Made"] and mount["Way"] in ("copy", "reflink"), mount
    port = made["Ports"][0]["HostPort"]
    assert fetch(port, "index.html") == b"out of the store\n" and fetch(port, "below/deep") == b"deep\n"
    assert fetch(port, "large") == (box.folder / "large").read_bytes()
    assert box("container", "exec", "web", "touch", "/www/x", check=False).code == 1
    assert "Read-only file system" in box("container", "exec", "--user=0:0", "web", "touch", "/www/x", check=False).err
    inspect = json.loads(box("container", "inspect", "web").out)
    assert inspect["Config"]["Labels"][USE] == content
    assert not rows(serve(box, content))[0]["Changed"]
    gc(box)
    assert trees(box) == [content] and fetch(port, "large") == (box.folder / "large").read_bytes()
    assert box.text("cat", content + "/below/deep") == "deep"
    box("container", "rm", "--force", "web")
    gc(box)
    assert trees(box) == []
    assert box("cat", content + "/below/deep", check=False).code == 1


def test_two_containers_share_one_tree(box, content):
    serve(box, content)
    second = rows(serve(box, content, "other"))[0]
    assert not second["Mounts"][0]["Made"]
    box("container", "rm", "--force", "web")
    gc(box)
    assert trees(box) == [content]
    assert fetch(port_of(box, "other"), "index.html") == b"out of the store\n"
    box("container", "rm", "--force", "other")
    gc(box)
    assert trees(box) == []


def test_a_file_and_a_path_can_be_mounted(box, content):
    done = box("container", "start", "one", IMAGE, "--mount=/ipfs/%s/below/deep:/data/x:ro" % content, "--", "cat", "/data/x")
    assert " by " in done.out and "/data/x shows" in done.out
    assert wait_until(lambda: box("container", "logs", "one").out == "deep\n", 10)


def test_a_mount_shares_its_bytes_where_the_file_system_can(docker_engine, program, tmp_path):
    why = xfs.refusal()
    if why:
        pytest.skip("skipped: " + why)
    try:
        with xfs.mounted(tmp_path, 320) as place:
            box = program_for(docker_engine, program, place)
            box("init")
            data = os.urandom(8 << 20)
            (place / "model").mkdir()
            (place / "model" / "weights").write_bytes(data)
            (place / "model" / "config").write_text("{}")
            cid = box.text("add", "-r", "-Q", "--cid-version=1", str(place / "model")).strip()
            made = rows(box("container", "start", "shared", IMAGE, "--mount=%s:/model" % cid, "--json", "--", "sleep", "600"))[0]
            assert made["Mounts"][0]["Way"] == "reflink", made
            tree = place / "repo" / "materialised" / cid / "content"
            os.sync()
            assert (tree / "weights").read_bytes() == data and xfs.shared_bytes(tree / "weights") == len(data)
            assert box("container", "exec", "shared", "cat", "/model/weights").out_bytes == data
            box("container", "rm", "--force", "shared")
            box("repo", "gc", "--quiet")
            assert not tree.exists() and box("cat", cid + "/weights").out_bytes == data  # it is pinned
    except xfs.Refused as refused:
        pytest.skip("skipped: %s" % refused)
    finally:
        docker_engine.remove_all()


def test_a_container_removed_by_others_is_noticed(box, content):
    serve(box, content)
    assert box.engine.call("DELETE", "/containers/web?force=1")[0] in (200, 204)
    gc(box)
    assert trees(box) == [content]  # gc asks no engine
    box("container", "ls")
    gc(box)
    assert trees(box) == []


def test_a_failed_start_releases_what_it_took(box, content):
    done = serve(box, content, "web", "--network=no-such-network", check=False)
    assert done.code == 1
    gc(box)
    assert trees(box) == [] and box.engine.containers() == []


@pytest.mark.parametrize("mount, words", [("%s:/", "the target"), ("%s:www", "expected CID:/target"), ("%s:/www:rw", "read-only"), ("/etc:/www", "invalid path"),
                                          ("nothing:/www", "invalid path"), ("%s/none:/www", "no link named"), ("%s:/a/../b", "the target")])
def test_mounts_that_are_refused(box, content, mount, words):
    text = mount % content if "%s" in mount else mount
    done = box("container", "start", "bad", IMAGE, "--mount=" + text, "--", "true", check=False)
    assert done.code == 1 and words in done.err, done.err
    gc(box)
    assert trees(box) == [] and box.engine.containers() == []


def test_the_repo_itself_cannot_be_bound(box, content):
    serve(box, content)
    for path in (box.repo, pathlib.Path(box.repo) / "materialised" / content / "content"):
        done = box("container", "start", "thief", IMAGE, "--volume=%s:/x" % path, "--", "true", check=False)
        assert done.code == 1 and "allow_dangerous" in done.err, done.err


# --- watching ---


class Watch:
    """container watch in the background, its events as they come."""

    def __init__(self, box, *words):
        self.events = []
        self.process = subprocess.Popen([box.program, "container", "watch", *words], cwd=box.cwd, env=box.env, stdout=subprocess.PIPE)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def wait(self, what, seconds=30):
        assert wait_until(lambda: any(what(e) for e in list(self.events)), seconds), self.events
        return [e for e in self.events if what(e)][0]

    def end(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(30)
        self.reader.join(10)
        return code


@pytest.fixture
def watch(box):
    started = []

    def start(*words):
        started.append(Watch(box, *words))
        return started[-1]
    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def is_health(state):
    return lambda e: e["Kind"] == "health" and e["Health"] == state


def test_killed_from_outside_it_is_restarted_and_serves_again(box, content, watch):
    serve(box, content, "web", "--probe=http:8080/index.html", "--probe-interval=500ms")
    seen = watch("--restart", "--every=200ms", "web")
    seen.wait(is_health("healthy"))
    assert box.engine.call("POST", "/containers/web/kill?signal=KILL")[0] == 204
    ended = seen.wait(lambda e: e["Kind"] == "state" and e["State"] == "exited")
    assert ended["ExitCode"] == 137
    assert seen.wait(lambda e: e["Kind"] == "restart" and e["DelayMs"] > 0)["DelayMs"] <= 1000
    seen.wait(lambda e: e["Kind"] == "restart" and e["DelayMs"] == 0 and e["What"] == "" and e["Restarts"] == 1)
    assert wait_until(lambda: [e["Health"] for e in seen.events if e["Kind"] == "health"].count("healthy") == 2, 30), seen.events
    assert fetch(port_of(box), "index.html") == b"out of the store\n"
    assert seen.end() == 0


def test_a_stop_of_an_earlier_one_of_that_name_does_not_count(box, watch):
    words = ["container", "start", "again", IMAGE, "--", "sleep", "600"]
    box(*words)
    box("container", "stop", "--time=0", "again")
    box("container", "rm", "again")
    box(*words)
    seen = watch("--restart", "--backoff=200ms", "--every=50ms", "again")
    seen.wait(lambda e: e["State"] == "running")
    assert box.engine.call("POST", "/containers/again/kill?signal=KILL")[0] == 204
    seen.wait(lambda e: e["Kind"] == "restart" and e["DelayMs"] == 0 and e["What"] == "")


def test_a_signal_from_elsewhere_is_no_stop(box, watch):
    """Only the engine's events tell a SIGTERM of somebody from the one of a stop."""
    box("container", "start", "hit", IMAGE, "--", "sleep", "600")
    seen = watch("--restart", "--backoff=200ms", "--every=200ms", "hit")
    seen.wait(lambda e: e["State"] == "running")
    assert box.engine.call("POST", "/containers/hit/kill?signal=TERM")[0] == 204
    seen.wait(lambda e: e["Kind"] == "state" and e["State"] == "exited" and e["ExitCode"] == 143)
    seen.wait(lambda e: e["Kind"] == "restart" and e["DelayMs"] == 0 and e["What"] == "")
    assert wait_until(lambda: rows(box("container", "ls", "--json")), 20)


def test_unhealthy_by_own_probes_and_restarted(box, watch):
    box("container", "start", "sick", IMAGE, "--probe=exec:test ! -e /tmp/sick", "--probe=log:^ready$", "--probe-interval=300ms", "--probe-threshold=2",
        "--probe-start-period=1s", "--", "sh", "-c", "echo ready; exec sleep 600")
    seen = watch("--json", "--restart", "--backoff=300ms", "--every=200ms", "sick")
    seen.wait(is_health("healthy"))
    box("container", "exec", "sick", "touch", "/tmp/sick")
    bad = seen.wait(is_health("unhealthy"))
    assert "exit code 1" in bad["What"] and [r["Ok"] for r in bad["History"]][-2:] == [False, False] and bad["History"][0]["Ok"]
    seen.wait(lambda e: e["Kind"] == "restart" and e["DelayMs"] == 0 and e["What"] == "")  # /tmp is new then
    assert wait_until(lambda: [e["Health"] for e in seen.events if e["Kind"] == "health"][-1] == "healthy", 30), seen.events


def test_what_was_stopped_or_did_its_work_is_left_alone(box, watch):
    box("container", "start", "asked", IMAGE, "--", "sleep", "600")
    box("container", "start", "done", IMAGE, "--", "sleep", "1")
    seen = watch("--restart", "--backoff=200ms", "--every=100ms")
    seen.wait(lambda e: e["Name"] == "asked" and e["State"] == "running")
    box("container", "stop", "--time=1", "asked")
    seen.wait(lambda e: e["Name"] == "asked" and e["State"] == "exited")
    seen.wait(lambda e: e["Name"] == "done" and e["State"] == "exited")
    box("container", "start", "later", IMAGE, "--", "sh", "-c", "sleep 0.4; exit 3")
    seen.wait(lambda e: e["Name"] == "later" and e["Kind"] == "restart" and e["Restarts"] == 2)  # time enough for the others, had they been meant
    assert {e["Name"] for e in seen.events if e["Kind"] == "restart"} == {"later"}
    delays = [e["DelayMs"] for e in seen.events if e["Kind"] == "restart" and e["DelayMs"]]
    assert 100 <= delays[0] <= 200 and 200 <= delays[1] <= 400, delays


def test_an_engine_that_is_started_again(docker_box, tmp_path):
    box = docker_box
    box("init")
    fill(tmp_path / "site")
    box.folder = tmp_path / "site"
    cid = box.text("add", "-r", "-Q", "--pin=false", "--cid-version=1", str(tmp_path / "site")).strip()
    serve(box, cid, "web", "--restart=always", "--probe=http:8080/index.html", "--probe-interval=500ms")
    seen = Watch(box, "web")
    try:
        seen.wait(is_health("healthy"))
        box.engine.restart(lambda: seen.wait(lambda e: e["Kind"] == "engine" and e["What"]))
        seen.wait(lambda e: e["Kind"] == "engine" and not e["What"])
        assert not [e for e in seen.events if e["Kind"] == "removed"]
        assert wait_until(lambda: seen.events[-1]["Health"] == "healthy", 30), seen.events
        gc(box)
        assert trees(box) == [cid] and fetch(port_of(box), "index.html") == b"out of the store\n"
        assert seen.end() == 0
    finally:
        if seen.process.poll() is None:
            seen.process.kill()
            seen.process.wait()


def test_a_watch_ends_when_what_it_watches_is_removed(box, watch):
    box("container", "start", "brief", IMAGE, "--", "sleep", "600")
    seen = watch("brief")
    seen.wait(lambda e: e["State"] == "running")
    box("container", "rm", "--force", "brief")
    seen.wait(lambda e: e["Kind"] == "removed")
    assert seen.process.wait(30) == 0


def test_making_the_files_is_shown_on_a_terminal(docker_box, tmp_path):
    box = docker_box
    box("init")
    (tmp_path / "model").write_bytes(os.urandom(24 << 20))
    cid = box.text("add", "-Q", "--cid-version=1", str(tmp_path / "model"))
    words = ["container", "start", "big", IMAGE, "--mount=%s:/model" % cid, "--", "sleep", "600"]
    code, shown = on_terminal(box, words, subprocess.DEVNULL)
    assert code == 0 and "mount " in shown and "B/s" in shown and shown.endswith("\r\x1b[K"), shown


def test_a_table_on_a_terminal(docker_box):
    """Redrawn in its place: what is longer than a line is cut, so that each row stays one."""
    box = docker_box
    own, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 70, 0, 0))
    box("container", "start", "web", IMAGE, "--probe=exec:test -e /tmp/a-file-with-a-rather-long-name-that-is-not-there", "--probe-interval=100ms", "--probe-threshold=1",
        "--probe-start-period=1ms", "--", "sleep", "600")
    process = subprocess.Popen([box.program, "container", "watch", "--every=100ms", "web"], env=box.env, cwd=box.cwd, stdin=subprocess.DEVNULL, stdout=theirs)
    os.close(theirs)
    shown = b""
    try:
        while True:
            assert select.select([own], [], [], 30)[0], shown
            try:
                shown += os.read(own, 65536)
            except OSError as error:  # the program has ended, and all that it wrote was read
                assert error.errno == errno.EIO, error
                break
            if b"unhealthy" in shown and box.engine.containers():
                box("container", "rm", "--force", "web")
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(own)
    tables = shown.decode().split("\x1b[3A")
    assert len(tables) >= 3, tables
    for table in tables:
        lines = table.replace("\x1b[K", "").split("\r\n")
        assert lines[0].startswith("NAME") and lines[1].startswith("web ") and len(lines) == 4 and all(len(line) < 70 for line in lines), table
    assert any(" unhealthy " in table for table in tables) and " removed " in tables[-1]


def test_probes_and_watches_that_are_refused(box):
    for words, says in ((["--probe=ftp:21"], "expected http:PORT"), (["--probe=log:("], "regular expression"), (["--probe=tcp:1"] * 17, "over 16 probes"),
                        (["--probe=tcp:1", "--probe-interval=48h"], "at most a day")):
        done = box("container", "start", "bad", IMAGE, *words, "--", "true", check=False)
        assert done.code == 1 and says in done.err, done.err
    assert box.engine.containers() == []
    done = box("container", "watch", "nobody", check=False)
    assert done.code == 1 and "none of this name" in done.err
