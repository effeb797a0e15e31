"""Tunnels into containers of real engines, through the program: other shells see them, what they carry arrives whole, and nothing stays behind."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from conftest import Ipfs
from engines import APPLETS, IMAGE, wait_until

# Answers each connection with what it sent, once its input has ended: half-close in both directions is needed for that.
ECHO = "exec nc -ll -p 7000 -e cat"


@pytest.fixture(params=["docker", "podman"])
def engine(request):
    return request.getfixturevalue(request.param + "_engine")


def program_for(engine, program, tmp_path):
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    ipfs = Ipfs(program, tmp_path / "repo", cwd=tmp_path,
                env={"DOCKER_HOST": engine.host, "DOCKER_CONFIG": str(tmp_path / "docker"), "XDG_RUNTIME_DIR": str(runtime)})
    ipfs.engine, ipfs.runtime = engine, runtime / "ipfs-accelerate/tunnels"
    return ipfs


def end_all(box):
    for tunnel in tunnels(box):
        box("tunnel", "rm", tunnel["Name"], check=False)
    box.engine.remove_all()
    assert not list(box.runtime.glob("*")), "a tunnel left files behind"


@pytest.fixture
def box(engine, program, tmp_path):
    ipfs = program_for(engine, program, tmp_path)
    yield ipfs
    end_all(ipfs)


@pytest.fixture
def docker_box(docker_engine, program, tmp_path):
    ipfs = program_for(docker_engine, program, tmp_path)
    yield ipfs
    end_all(ipfs)


def rows(done):
    return [json.loads(line) for line in done.out.splitlines()]


def tunnels(box):
    return rows(box("tunnel", "ls", "--json"))


def serve(box, *options, name="web"):
    """A web server with one page, on its own /tmp."""
    command = "mkdir /tmp/www; echo hello from inside >/tmp/www/index.html; exec httpd -f -p 8000 -h /tmp/www"
    box("container", "start", name, IMAGE, *options, "--", "sh", "-c", command)


def echo(box, *options, name="echo"):
    box("container", "start", name, IMAGE, *options, "--", "sh", "-c", ECHO)


def create(box, name, ports, *options):
    return rows(box("tunnel", "create", name, ports, "--json", *options))[0]


def ask(port, request, end=True, timeout=30):
    """Sends, ends the sending side, and reads to the end."""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout) as s:
        s.sendall(request)
        if end:
            s.shutdown(socket.SHUT_WR)
        answer = b""
        while True:
            piece = s.recv(65536)
            if not piece:
                return answer
            answer += piece


def page(port):
    try:
        return ask(port, b"GET /index.html HTTP/1.0\r\n\r\n", end=False)
    except OSError:
        return b""


def is_alive(pid):
    try:
        return pathlib.Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.parametrize("network", ["bridge", "none"])
def test_a_page_comes_through(box, network):
    serve(box, "--network", network)
    made = create(box, "web", "0:8000")
    assert made["Name"] == "web-8000" and made["LocalPort"] > 0 and made["Address"] == "127.0.0.1:%d" % made["LocalPort"]
    assert wait_until(lambda: page(made["LocalPort"]).endswith(b"hello from inside\n"), 20)
    text = box("tunnel", "ls").out
    assert "web-8000" in text and "web:8000" in text
    seen = tunnels(box)[0]  # another process finds it, and its counters
    assert seen["Pid"] == made["Pid"] and seen["Answers"] and seen["Accepted"] >= 1 and seen["ReceivedBytes"] > len("hello from inside\n") and seen["SentBytes"] > 20
    assert wait_until(lambda: tunnels(box)[0]["Open"] == 0, 10)
    assert box("tunnel", "rm", "web-8000").out == "web-8000 removed\n"
    assert tunnels(box) == [] and wait_until(lambda: not is_alive(made["Pid"]), 5)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", made["LocalPort"]), timeout=5)


@pytest.mark.parametrize("network", ["bridge", "none"])
def test_half_close(box, network):
    echo(box, "--network", network)
    port = create(box, "echo", "0:7000")["LocalPort"]
    data = os.urandom(3 << 20)
    assert wait_until(lambda: failing_ask(port, b"ready?") == b"ready?", 20)
    assert ask(port, data, timeout=60) == data


def failing_ask(port, data):
    try:
        return ask(port, data, timeout=10)
    except OSError:
        return None


def test_the_line_people_read(docker_box):
    serve(docker_box)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    assert docker_box("tunnel", "create", "web", "%d:8000" % port).out == "Forwarding from 127.0.0.1:%d -> web:8000\n" % port


def test_a_server_on_the_containers_own_loopback(docker_box):
    command = "mkdir /tmp/www; echo inner >/tmp/www/index.html; exec httpd -f -p 127.0.0.1:8000 -h /tmp/www"
    docker_box("container", "start", "inner", IMAGE, "--", "sh", "-c", command)
    port = create(docker_box, "inner", "0:8000")["LocalPort"]
    assert wait_until(lambda: page(port).endswith(b"inner\n"), 20)


@pytest.mark.parametrize("network", ["bridge", "none"])
def test_a_restart_of_the_container(box, network):
    serve(box, "--network", network)
    port = create(box, "web", "0:8000")["LocalPort"]
    assert wait_until(lambda: page(port), 20)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(b"GET /index")  # half a request: the server waits
        time.sleep(0.3)
        box("container", "stop", "web", "--time=1")
        try:
            assert s.recv(100) == b""  # it ends, one way or the other
        except ConnectionResetError:
            pass
    with pytest.raises(ConnectionResetError):
        ask(port, b"x")
    failed = tunnels(box)[0]
    assert failed["Failed"] >= 1 and "does not run" in failed["LastError"]
    box("container", "start", "web")
    assert wait_until(lambda: page(port).endswith(b"hello from inside\n"), 20)


def test_nobody_listens(box):
    serve(box)
    made = create(box, "web", "0:8001")
    with pytest.raises(ConnectionResetError):
        ask(made["LocalPort"], b"x")
    assert wait_until(lambda: tunnels(box)[0]["Failed"] == 1, 10)
    error = tunnels(box)[0]["LastError"].lower()
    assert "refused" in error or (box.engine.kind == "podman" and error)  # Podman may tell of its own broken pipe instead
    assert is_alive(made["Pid"])


def test_what_is_refused(docker_box, docker_engine):
    serve(docker_box)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        done = docker_box("tunnel", "create", "web", "%d:8000" % s.getsockname()[1], check=False)
        assert done.code == 1 and "is taken" in done.err
    for ports in ("8000", "x:80", "1:0", ":80", "1:", "65536:1", "1:65536", "+1:80", "0:80/udp"):
        done = docker_box("tunnel", "create", "web", ports, check=False)
        assert done.code == 1 and "LOCAL:CONTAINER" in done.err, ports
    done = docker_box("tunnel", "create", "nobody", "0:80", check=False)
    assert done.code == 1 and "none of this name" in done.err
    assert docker_engine.call("POST", "/containers/create?name=foreign", {"Image": IMAGE, "Cmd": ["sleep", "100"]})[0] == 201
    done = docker_box("tunnel", "create", "foreign", "0:80", check=False)
    assert done.code == 1 and "not started by ipfs-accelerate" in done.err
    done = docker_box("tunnel", "create", "web", "0:80", "--name=../x", check=False)
    assert done.code == 1 and "tunnel name" in done.err
    done = docker_box("tunnel", "create", "web", "0:80", "--max-connections=16385", check=False)
    assert done.code == 1 and "at most 16384" in done.err
    done = docker_box("tunnel", "rm", "nothing", check=False)
    assert done.code == 1 and "none of this name" in done.err
    create(docker_box, "web", "0:8000")
    done = docker_box("tunnel", "create", "web", "0:8000", check=False)
    assert done.code == 1 and "there is one of this name" in done.err
    assert len(tunnels(docker_box)) == 1


def with_libraries(*programs):
    """Files of the host, as an image takes them: programs and what the loader wants for them."""
    files = {}
    for program in programs:
        files[program] = 0o755
        listed = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True).stdout
        files.update({word: 0o755 for word in listed.split() if word.startswith("/")})
    return files


def perl_files():
    perl = shutil.which("perl")
    code = 'print join "\\n", values %INC; print "\\n$_/auto/Socket/Socket.so" for grep { -e "$_/auto/Socket/Socket.so" } @INC'
    modules = subprocess.run([perl, "-MSocket", "-e", code], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return {**with_libraries(perl), **{path: 0o755 for path in modules}}, {"bin/perl": perl}


def python_files():
    code = ("import os, socket, sys, threading; print(sys.executable); "
            "print(*(m.__file__ for m in sys.modules.values() if getattr(m, '__file__', None)), sep='\\n')")
    python, *modules = subprocess.run([shutil.which("python3", path="/usr/bin:/bin"), "-I", "-S", "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    extensions = [path for path in modules if path.endswith(".so")]
    return {**with_libraries(python, *extensions), **{path: 0o755 for path in modules}}, {"bin/python3": python}


def bash_files():
    bash = shutil.which("bash")
    return with_libraries(bash), {"bin/bash": bash}


@pytest.mark.parametrize("collect,half_closes", [(perl_files, True), (python_files, True), (bash_files, False)])
def test_other_programs_that_relay(docker_box, docker_engine, collect, half_closes):
    files, links = collect()
    content = [(path.lstrip("/"), pathlib.Path(path).read_bytes(), mode) for path, mode in files.items()]
    content += [(name, b'#!/bin/sh\nexec %s "$@"\n' % target.encode(), 0o755) for name, target in links.items() if "/" + name != target]
    image = "test/%s:1" % collect.__name__
    docker_engine.make_image(image, content, applets=[applet for applet in APPLETS if applet != "nc"])
    command = "mkdir /tmp/www; echo hello from inside >/tmp/www/index.html; httpd -p 8000 -h /tmp/www; exec busybox nc -ll -p 7000 -e cat"
    docker_box("container", "start", "web", image, "--network", "none", "--", "sh", "-c", command)
    port = create(docker_box, "web", "0:8000")["LocalPort"]
    assert wait_until(lambda: page(port).endswith(b"hello from inside\n"), 20)
    if half_closes:
        port, data = create(docker_box, "web", "0:7000")["LocalPort"], os.urandom(1 << 20)
        assert ask(port, data, timeout=60) == data
    port = create(docker_box, "web", "0:7001")["LocalPort"]
    with pytest.raises(ConnectionResetError):
        ask(port, b"x")
    failed = next(t for t in tunnels(docker_box) if t["ContainerPort"] == 7001)
    assert failed["Failed"] == 1 and "refused" in failed["LastError"]


def test_an_image_without_anything_to_relay_with(docker_box, docker_engine):
    docker_engine.make_image("test/bare:1", config=["CMD [\"/bin/busybox\", \"sleep\", \"600\"]"], applets=[])
    docker_box("container", "start", "bare", "test/bare:1", "--network", "none")
    done = docker_box("tunnel", "create", "bare", "0:80", check=False)
    assert done.code == 1 and "holds no program that can relay" in done.err


def test_a_thousand_connections_at_once(docker_box):
    docker_box("container", "start", "many", IMAGE, "--pids-limit", "3000", "--", "sh", "-c", "exec httpd -f -p 8000 -h /bin")
    made = create(docker_box, "many", "0:8000")
    port = made["LocalPort"]
    assert wait_until(lambda: page_of_many(port), 20)
    before = facts(made["Pid"])
    connections = []
    try:
        for _ in range(1000):
            connections.append(socket.create_connection(("127.0.0.1", port), timeout=60))
        for s in connections:
            s.sendall(b"GET /nothing HTTP/1.0\r\n")
        assert wait_until(lambda: tunnels(docker_box)[0]["Open"] == 1000, 60)
        for s in connections:
            s.sendall(b"\r\n")
        for s in connections:
            answer = b""
            while piece := s.recv(4096):
                answer += piece
            assert answer.startswith(b"HTTP/1."), answer
    finally:
        for s in connections:
            s.close()
    assert wait_until(lambda: tunnels(docker_box)[0]["Open"] == 0, 20)
    seen, after = tunnels(docker_box)[0], facts(made["Pid"])
    assert seen["Failed"] == 0 and seen["Refused"] == 0
    assert after["files"] <= before["files"] + 2 * 8 + 8  # spare pipes, kept engine connections
    assert after["memory"] <= before["memory"] + 8 * 1024


def page_of_many(port):
    try:
        return ask(port, b"GET /nothing HTTP/1.0\r\n\r\n", end=False)
    except OSError:
        return b""


def facts(pid):
    status = pathlib.Path("/proc/%d/status" % pid).read_text()
    memory = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))
    return {"files": len(os.listdir("/proc/%d/fd" % pid)), "memory": memory}


def test_more_connections_than_allowed(docker_box):
    serve(docker_box)
    made = create(docker_box, "web", "0:8000", "--max-connections=2")
    held = [socket.create_connection(("127.0.0.1", made["LocalPort"]), timeout=30) for _ in range(2)]
    assert wait_until(lambda: tunnels(docker_box)[0]["Open"] == 2, 10)
    assert page(made["LocalPort"]) == b""
    assert tunnels(docker_box)[0]["Refused"] == 1
    for s in held:
        s.close()
    assert wait_until(lambda: page(made["LocalPort"]).endswith(b"hello from inside\n"), 10)


def test_an_idle_connection_is_ended(docker_box):
    serve(docker_box)
    made = create(docker_box, "web", "0:8000", "--idle-timeout=300ms")
    with socket.create_connection(("127.0.0.1", made["LocalPort"]), timeout=30) as s:
        with pytest.raises(ConnectionResetError):
            s.recv(1)
    assert tunnels(docker_box)[0]["Idle"] == 1


def test_a_killed_process_blocks_nothing(docker_box):
    serve(docker_box)
    made = create(docker_box, "web", "0:8000")
    os.kill(made["Pid"], signal.SIGKILL)
    assert wait_until(lambda: not is_alive(made["Pid"]), 5)
    again = create(docker_box, "web", "%d:8000" % made["LocalPort"])
    assert wait_until(lambda: page(again["LocalPort"]), 20)
    os.kill(again["Pid"], signal.SIGKILL)
    assert wait_until(lambda: not is_alive(again["Pid"]), 5)
    assert tunnels(docker_box) == []
    assert list(docker_box.runtime.glob("*")) == []


def test_a_process_that_does_not_answer_is_shown(docker_box):
    serve(docker_box)
    made = create(docker_box, "web", "0:8000")
    os.kill(made["Pid"], signal.SIGSTOP)
    try:
        seen = tunnels(docker_box)[0]
        assert not seen["Answers"] and seen["LocalPort"] == made["LocalPort"]
        assert "does not answer" in docker_box("tunnel", "ls").out
    finally:
        os.kill(made["Pid"], signal.SIGCONT)
    assert tunnels(docker_box)[0]["Answers"]


def test_it_leaves_the_shell_alone(docker_box):
    serve(docker_box)
    made = create(docker_box, "web", "0:8000")
    pid = made["Pid"]
    assert os.readlink("/proc/%d/cwd" % pid) == "/"
    assert os.getsid(pid) == pid
    assert [os.readlink("/proc/%d/fd/%d" % (pid, fd)) for fd in range(3)] == ["/dev/null"] * 3
    os.kill(pid, signal.SIGTERM)
    assert wait_until(lambda: not is_alive(pid), 5)
    assert tunnels(docker_box) == [] and list(docker_box.runtime.glob("*")) == []


def test_two_shells_ask_for_one_name(docker_box):
    serve(docker_box)
    results = []
    threads = [threading.Thread(target=lambda: results.append(docker_box("tunnel", "create", "web", "0:8000", check=False).code)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 1, 1, 1]
    assert len(tunnels(docker_box)) == 1


SSH = """#!/bin/sh
# Stands in for ssh: what follows the host is run here, its standard input and output are the connection.
while [ "$1" != -- ]; do shift; done
shift 2
exec sh -c "$*"
"""


def test_over_ssh(docker_box, tmp_path):
    serve(docker_box, "--network", "bridge")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(SSH)
    (folder / "ssh").chmod(0o755)
    env = {"PATH": "%s:%s" % (folder, os.environ["PATH"])}
    host = "ssh://somebody@far%s" % docker_box.engine.socket
    done = docker_box("container", "start", "far", IMAGE, "--host", host, "--wait=tcp:80", "--", "sleep", "600", check=False, env=env)
    assert done.code == 1 and "on another machine" in done.err and len(docker_box.engine.containers()) == 1, done.err
    docker_box("container", "start", "far", IMAGE, "--host", host, "--wait=log:^up$", "--wait=exec:true", "--", "sh", "-c", "echo up; exec sleep 600", env=env)
    assert docker_box("container", "exec", "-i", "--host", host, "far", "cat", stdin=b"there and back", env=env).out == "there and back"
    made = rows(docker_box("tunnel", "create", "web", "0:8000", "--json", "--host", host, env=env))[0]
    assert made["Engine"].startswith("ssh://")
    assert wait_until(lambda: page(made["LocalPort"]).endswith(b"hello from inside\n"), 20)
    assert wait_until(lambda: tunnels(docker_box)[0]["Open"] == 0, 10)
    children = subprocess.run(["ps", "--ppid", str(made["Pid"]), "-o", "pid="], stdout=subprocess.PIPE, text=True).stdout.split()
    assert len(children) <= 1  # the kept connection to the engine
