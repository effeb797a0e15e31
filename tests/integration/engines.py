"""Real container engines for tests: each in a folder of its own, on a socket of its own, stopped by its own pid file. A machine where none can
run skips aloud. What they need is installed by `tools/install-deps test`.

`docker_engine`: Debian's dockerd. `podman_engine`: Podman's service, which answers Docker's API. Both hold the image test/busybox:1."""
import contextlib
import http.client
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import time
import urllib.parse

import pytest

IMAGE = "test/busybox:1"
APPLETS = ["sh", "sleep", "cat", "nc", "httpd", "wget", "ls", "echo", "id", "touch", "kill", "true", "false", "head", "dd", "wc", "seq", "stty", "env", "rm",
           "mkdir", "date", "grep", "tr", "yes", "printf"]


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket: the tests' own way to the engine, independent of the program under test."""

    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Engine:
    """A running engine."""

    def __init__(self, kind, folder, socket_path):
        self.kind, self.folder, self.socket = kind, folder, socket_path
        self.host = "unix://%s" % socket_path

    def call(self, method, path, body=None, **headers):
        connection = Connection(self.socket)
        if isinstance(body, (dict, list)):
            body, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, data

    def get(self, path):
        status, data = self.call("GET", path)
        assert status == 200, (status, data)
        return json.loads(data)

    def containers(self, label="io.ipfs-accelerate.managed=1"):
        filters = urllib.parse.quote(json.dumps({"label": [label]} if label else {}))
        return self.get("/containers/json?all=1&filters=" + filters)

    def remove_all(self):
        """Everything a test may have made; the images stay."""
        for container in self.get("/containers/json?all=1"):
            self.call("DELETE", "/containers/%s?force=1&v=1" % container["Id"])
        for volume in self.get("/volumes")["Volumes"] or []:
            self.call("DELETE", "/volumes/" + volume["Name"])
        for network in self.get("/networks"):
            if (network.get("Labels") or {}).get("io.ipfs-accelerate.managed"):
                self.call("DELETE", "/networks/" + network["Id"])

    def make_image(self, name, files=(), config=(), folders=(), applets=APPLETS):
        """The busybox root with more files in it; config: changes in Dockerfile words, such as "CMD [...]"."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for folder, mode in (("bin", 0o755), ("tmp", 0o1777), ("proc", 0o755), ("etc", 0o755), ("run", 0o755)):
                info = tarfile.TarInfo(folder)
                info.type, info.mode = tarfile.DIRTYPE, mode
                tar.addfile(info)
            tar.add("/bin/busybox", "bin/busybox")
            for applet in applets:
                info = tarfile.TarInfo("bin/" + applet)
                info.type, info.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(info)
            for path, mode, uid, gid in folders:
                info = tarfile.TarInfo(path)
                info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, uid, gid
                tar.addfile(info)
            for path, content, mode in files:
                info = tarfile.TarInfo(path)
                info.size, info.mode = len(content), mode
                tar.addfile(info, io.BytesIO(content))
        repo, tag = name.rsplit(":", 1)
        query = [("fromSrc", "-"), ("repo", repo), ("tag", tag)] + [("changes", change) for change in config]
        status, answer = self.call("POST", "/images/create?" + urllib.parse.urlencode(query), data.getvalue(), **{"Content-Type": "application/x-tar"})
        assert status == 200 and b"error" not in answer, (status, answer)
        if self.kind == "podman":  # it ignores the tag and puts its own registry in front
            image = json.loads(answer.splitlines()[-1])["status"].strip()
            assert self.call("POST", "/images/%s/tag?%s" % (image, urllib.parse.urlencode({"repo": repo, "tag": tag})))[0] == 201


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(what, seconds, step=0.1):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(step)
    return False


def answers(path):
    try:
        connection = Connection(path, timeout=5)
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except OSError:
        return False


def stop(pid_file, process):
    """Ends the engine that wrote this pid file, and waits until it is gone."""
    try:
        pid = int(pathlib.Path(pid_file).read_text())
    except (OSError, ValueError):
        pid = process.pid
    if pid == process.pid or process.poll() is None:
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_those_of(folder):
    """Podman leaves a monitor for every exec for five minutes, and a killed engine those of its containers: whose command names this folder is ended."""
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in entry.read_bytes():
                os.kill(int(entry.parent.name), signal.SIGKILL)
        except OSError:
            pass


def missing(*programs):
    return [p for p in programs if not shutil.which(p)]


def tail(path):
    text = pathlib.Path(path).read_text(errors="replace") if os.path.exists(path) else ""
    return " | ".join(text.splitlines()[-3:])[-600:]


class Bridge:
    """A bridge of the engine's own, so that an engine of the machine itself keeps its docker0."""

    n_made = 0

    def __init__(self):
        self.name = "ipfsa%d%s" % (os.getpid(), "abcdefghij"[Bridge.n_made % 10])  # several engines may run at once
        subnet = "10.%d.%d.1/24" % (200 + os.getpid() // 250 % 50, (os.getpid() + 10 * Bridge.n_made) % 250)
        Bridge.n_made += 1
        ip = shutil.which("ip") or "/sbin/ip"
        self.ip, self.made = ip, False
        try:
            subprocess.run([ip, "link", "add", "name", self.name, "type", "bridge"], check=True, capture_output=True)
            self.made = True
            subprocess.run([ip, "addr", "add", subnet, "dev", self.name], check=True, capture_output=True)
            subprocess.run([ip, "link", "set", self.name, "up"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            self.remove()
            self.name = "none"

    def remove(self):
        if self.made:
            subprocess.run([self.ip, "link", "del", self.name], capture_output=True)


def start_dockerd(folder, bridge, driver, data):
    command = ["dockerd", "--data-root", data or folder / "data", "--exec-root", folder / "exec", "-H", "unix://%s/d.sock" % folder, "--pidfile", folder / "d.pid",
               "--bridge", bridge, "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--storage-driver", driver, "--shutdown-timeout", "5"]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder)
    if wait_until(lambda: process.poll() is not None or answers(folder / "d.sock"), 60) and process.poll() is None:
        return process
    stop(folder / "d.pid", process)
    return None


class Unavailable(Exception):
    """Why no engine can run here."""


def make_first_image(engine):
    """An engine may run where it can unpack nothing: in a chroot that is no mount point, say."""
    try:
        engine.make_image(IMAGE)
    except AssertionError as why:
        raise Unavailable("%s cannot import an image here: %s" % (engine.kind, str(why)[:600]))


@contextlib.contextmanager
def docker(data=None):
    """data: the folder of its images and containers; one of its own otherwise."""
    if os.geteuid() != 0:
        raise Unavailable("a container engine of the test's own needs root")
    lacking = missing("dockerd", "containerd", "runc", "busybox")
    if lacking:
        raise Unavailable("%s missing: run tools/install-deps test" % ", ".join(lacking))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ipfsa-docker-", dir="/var/tmp"))
    bridge, process = Bridge(), None
    try:
        for driver in ("overlay2", "vfs"):
            process = start_dockerd(folder, bridge.name, driver, data)
            if process:
                break
        if not process:
            raise Unavailable("dockerd does not run here: " + tail(folder / "log"))
        engine = Engine("docker", folder, folder / "d.sock")
        engine.bridge = bridge.name

        def restart(meanwhile=lambda: None, kill=False):
            nonlocal process
            if kill:
                process.kill()
                process.wait()
                (folder / "exec/containerd/containerd.pid").unlink(missing_ok=True)  # it died along; where nobody reaps it, it would seem alive
            else:
                stop(folder / "d.pid", process)
            meanwhile()
            process = start_dockerd(folder, bridge.name, driver, data)
            assert process, tail(folder / "log")
        engine.restart = restart
        make_first_image(engine)
        yield engine
        engine.remove_all()
    finally:
        if process:
            stop(folder / "d.pid", process)
        end_those_of(folder)
        bridge.remove()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def docker_engine():
    with contextlib.ExitStack() as stack:
        try:
            engine = stack.enter_context(docker())
        except Unavailable as why:
            pytest.skip("skipped: %s" % why)
        yield engine


OCI_WRAP = """#!/bin/sh
# runc where raising limits is forbidden: the bundle's rlimits and oom score are left out.
bundle= process= previous=
for word in "$@"; do
  case $previous in --bundle|-b) bundle=$word ;; --process|-p) process=$word ;; esac
  previous=$word
done
strip() { jq "$1" "$2" >"$2.new" && cat "$2.new" >"$2" && rm "$2.new"; }
case " $* " in
*" create "*|*" run "*) strip 'del(.process.rlimits, .process.oomScoreAdj)' "$bundle/config.json" ;;
*" exec "*) strip 'del(.rlimits)' "$process" ;;
esac
exec runc "$@"
"""


@pytest.fixture(scope="session")
def podman_engine():
    if os.geteuid() != 0:
        pytest.skip("skipped: a container engine of the test's own needs root")
    lacking = missing("podman", "runc", "conmon", "jq", "busybox")
    if not os.path.exists("/usr/libexec/podman/catatonit"):
        lacking.append("catatonit")
    if lacking:
        pytest.skip("skipped: %s missing: run tools/install-deps test" % ", ".join(lacking))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ipfsa-podman-", dir="/var/tmp"))
    wrap = folder / "ociwrap"
    wrap.write_text(OCI_WRAP)
    wrap.chmod(0o755)
    port = free_port()
    (folder / "registries.conf").write_text('[[registry]]\nlocation = "127.0.0.1:%d"\ninsecure = true\n' % port)  # Podman takes none on loopback by itself
    (folder / "containers.conf").write_text('[engine]\nruntime="wrap"\ncgroup_manager="cgroupfs"\nevents_logger="file"\n'
                                            '[engine.runtimes]\nwrap=["%s"]\n[network]\nnetwork_config_dir="%s"\n' % (wrap, folder / "net"))
    env = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf"), "CONTAINERS_REGISTRIES_CONF": str(folder / "registries.conf"), "TMPDIR": str(folder)}
    command = ["podman", "--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs", "--tmpdir", str(folder / "tmp"),
               "system", "service", "--time=0", "unix://%s/p.sock" % folder]

    def start():
        with open(folder / "log", "wb") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, env=env)

    def restart(meanwhile=lambda: None, kill=False):
        nonlocal process
        process.kill() if kill else process.terminate()
        process.wait(60)
        meanwhile()
        (folder / "p.sock").unlink(missing_ok=True)
        process = start()
        assert wait_until(lambda: answers(folder / "p.sock"), 60), tail(folder / "log")
    process = start()
    try:
        if not (wait_until(lambda: process.poll() is not None or answers(folder / "p.sock"), 60) and process.poll() is None):
            pytest.skip("skipped: Podman's service does not run here: " + tail(folder / "log"))
        engine = Engine("podman", folder, folder / "p.sock")
        engine.restart, engine.registry_port = restart, port
        try:
            make_first_image(engine)
        except Unavailable as why:
            pytest.skip("skipped: %s" % why)
        status, answer = engine.call("POST", "/containers/create?name=probe", {"Image": IMAGE, "Cmd": ["true"]})
        started = engine.call("POST", "/containers/probe/start") if status == 201 else (status, answer)
        if started[0] != 204:
            pytest.skip("skipped: Podman cannot start a container here: %s" % started[1].decode(errors="replace")[-600:])
        engine.remove_all()
        yield engine
        engine.remove_all()
    finally:
        stop(folder / "p.pid", process)
        end_those_of(folder)
        shutil.rmtree(folder, ignore_errors=True)
