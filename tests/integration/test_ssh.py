"""Engines and tunnels over ssh: a real ssh, a real sshd, a real engine behind it. One clear error each for what goes wrong, and no ssh left behind."""
import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from engines import IMAGE, wait_until
from ssh_server import make_key, parents, sshd  # noqa: F401 (a fixture)
from test_tunnels import ask, create, echo, end_all, engine, failing_ask, is_alive, page, program_for, rows, serve, tunnels  # noqa: F401 (engine is a fixture)


def behind(server, engine, program, tmp_path):  # noqa: F811
    """The program, whose engine is behind the server; afterwards nothing of ssh is left on either side."""
    ipfs = program_for(engine, program, tmp_path)
    ipfs.env.update(server.env(DOCKER_HOST=server.url(engine.socket)))
    ipfs.sshd = server
    yield ipfs
    end_all(ipfs)
    assert server.is_left_alone(), (server.near_processes(), server.far_processes())


@pytest.fixture
def far(engine, program, tmp_path, sshd):  # noqa: F811
    yield from behind(sshd, engine, program, tmp_path)


@pytest.fixture
def far_docker(docker_engine, program, tmp_path, sshd):  # noqa: F811
    yield from behind(sshd, docker_engine, program, tmp_path)


def begin(box, *words):
    return subprocess.Popen([box.program, *words], env=box.env, cwd=box.cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_verbs(far):
    made = rows(far("container", "start", "web", IMAGE, "--json", "--wait=log:^up$", "--wait=exec:true", "--", "sh", "-c", "echo up; exec sleep 600"))[0]
    assert made["State"] == "running" and made["Changed"]
    about = rows(far("container", "engine", "--json"))[0]
    assert about["Address"] == far.sshd.url(far.engine.socket) and about["Podman"] == (far.engine.kind == "podman")
    assert [c["Name"] for c in rows(far("container", "ls", "--json"))] == ["web"]
    assert far("container", "exec", "-i", "web", "cat", stdin=b"there and back").out == "there and back"
    data = os.urandom(3 << 20)
    assert far("container", "exec", "-i", "web", "cat", stdin=data).out_bytes == data
    assert far("container", "exec", "web", "--", "sh", "-c", "exit 7", check=False).code == 7
    assert rows(far("container", "stats", "web", "--json"))[0]["Pids"] >= 1
    assert far("container", "logs", "web").out == "up\n"
    far("container", "rm", "--force", "web")
    assert far.engine.containers() == []


def test_streams_that_go_on(far):
    far("container", "start", "talker", IMAGE, "--", "sh", "-c", "i=0; while true; do echo line $i; i=$((i+1)); sleep 0.2; done")
    logs, events = begin(far, "container", "logs", "--follow", "talker"), begin(far, "container", "events", "--json")
    try:
        assert [logs.stdout.readline() for _ in range(8)] == ["line %d\n" % i for i in range(8)]
        far("container", "stop", "--time=0", "talker")
        assert logs.wait(30) == 0
        while json.loads(events.stdout.readline())["Action"] not in ("stop", "died", "die"):
            pass
        events.send_signal(signal.SIGINT)
        events.wait(30)
    finally:
        for process in (logs, events):
            process.kill()
            process.communicate()


def test_a_watch(far):
    far("container", "start", "web", IMAGE, "--probe=exec:true", "--probe-interval=300ms", "--", "sleep", "600")
    watch = begin(far, "container", "watch", "--json", "--restart", "--every=300ms", "--backoff=100ms", "web")
    try:
        def until(what):
            while not what(event := json.loads(watch.stdout.readline())):
                pass
            return event
        until(lambda e: e["Kind"] == "health" and e["Health"] == "healthy")
        assert far.engine.call("POST", "/containers/web/kill?signal=KILL")[0] == 204
        assert until(lambda e: e["Kind"] == "state" and e["State"] == "exited")["ExitCode"] == 137
        until(lambda e: e["Kind"] == "restart" and e["DelayMs"] == 0 and e["What"] == "")
        watch.send_signal(signal.SIGINT)
        assert watch.wait(30) in (0, 130)
    finally:
        watch.kill()
        watch.communicate()


def test_a_killed_program_leaves_no_ssh(far):
    far("container", "start", "quiet", IMAGE, "--", "sleep", "600")
    logs = begin(far, "container", "logs", "--follow", "quiet")
    assert wait_until(far.sshd.near_processes, 10, 0.05)
    time.sleep(0.5)  # the stream stands
    logs.kill()
    logs.communicate()
    assert far.sshd.is_left_alone(), (far.sshd.near_processes(), far.sshd.far_processes())


def test_a_tunnel(far):
    serve(far)
    made = create(far, "web", "0:8000")
    assert made["Engine"] == far.sshd.url(far.engine.socket)
    assert wait_until(lambda: page(made["LocalPort"]).endswith(b"hello from inside\n"), 30), tunnels(far)
    for _ in range(3):
        assert page(made["LocalPort"]).endswith(b"hello from inside\n"), tunnels(far)  # every one, also the first after another has ended
    assert wait_until(lambda: tunnels(far)[0]["Open"] == 0, 10)
    assert wait_until(lambda: len(far.sshd.near_processes()) <= 1, 10), far.sshd.near_processes()  # the kept connection to the engine
    far("container", "restart", "--time=0", "web")
    assert wait_until(lambda: page(made["LocalPort"]).endswith(b"hello from inside\n"), 30), tunnels(far)


def test_connections_that_come_and_go_at_once(far_docker):
    """One ends while the ssh of another is being started, which then holds a copy of the first one's descriptors."""
    far = far_docker
    serve(far)
    made = create(far, "web", "0:8000")
    assert wait_until(lambda: page(made["LocalPort"]).endswith(b"hello from inside\n"), 30), tunnels(far)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        good = sum(pool.map(lambda _: page(made["LocalPort"]).endswith(b"hello from inside\n"), range(120)))
    assert good == 120 and is_alive(made["Pid"]), tunnels(far)


def test_both_ways_at_once_and_half_close(far):
    echo(far, "--network", "none")
    port = create(far, "echo", "0:7000")["LocalPort"]
    assert wait_until(lambda: failing_ask(port, b"ready?") == b"ready?", 30), tunnels(far)
    data, answers = os.urandom(3 << 20), []
    threads = [threading.Thread(target=lambda: answers.append(ask(port, data, timeout=60))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a == data for a in answers] == [True] * 6


@pytest.mark.parametrize("wait", [0, 2])
def test_an_ssh_that_is_frozen_is_ended(far, wait):
    """Also where it does not follow the wish to end, and where the program still waits for the engine's first answer."""
    far("container", "start", "quiet", IMAGE, "--", "sleep", "600")
    logs = begin(far, "container", "logs", "--follow", "quiet")
    try:
        assert wait_until(far.sshd.near_processes, 20, 0.02)
        time.sleep(wait)
        for pid in far.sshd.near_processes():
            os.kill(pid, signal.SIGSTOP)
        logs.send_signal(signal.SIGINT)
        logs.wait(10)
    finally:
        logs.kill()
        logs.communicate()
    assert not far.sshd.near_processes()


def fails(box, *words, **env):
    done = box(*(words or ("container", "ls")), check=False, env=env)
    assert done.code == 1 and len(done.err.splitlines()) == 1, done.err
    assert wait_until(lambda: not box.sshd.near_processes(), 5, 0.05), box.sshd.near_processes()
    return done.err


def test_a_server_that_is_not_let_in_or_lets_not_in(far_docker):
    box, server = far_docker, far_docker.sshd
    server.known.write_text("")
    assert "Host key verification failed" in fails(box) and server.known.read_text() == ""
    server.know(make_key(server.folder / "other"))
    assert "Host key verification failed" in fails(box)
    server.know()
    assert "Permission denied (publickey)" in fails(box, DOCKER_HOST=server.url(box.engine.socket, user="nobody-there"))
    key = (server.folder / "key").read_bytes()
    (server.folder / "key").unlink()
    assert "Permission denied (publickey)" in fails(box)
    (server.folder / "key").write_bytes(key)
    (server.folder / "key").chmod(0o600)
    assert "/no/engine.sock" in fails(box, DOCKER_HOST=server.url("/no/engine.sock"))
    server.end()
    assert "Connection refused" in fails(box)
    assert server.start()
    box("container", "ls")


def test_a_question_at_the_terminal_is_not_asked(far_docker):
    """ssh would ask whether the key of an unknown host is right; in the background of a terminal it would be stopped for that, and never end."""
    far_docker.sshd.known.write_text("")
    main, terminal = os.openpty()
    begun = time.monotonic()
    done = subprocess.run([far_docker.program, "container", "ls"], env=far_docker.env, cwd=far_docker.cwd, stdin=terminal, stdout=terminal, stderr=subprocess.PIPE, timeout=50,
                          preexec_fn=lambda: (os.setsid(), __import__("fcntl").ioctl(0, __import__("termios").TIOCSCTTY, 0)), text=True)
    os.close(main)
    os.close(terminal)
    assert done.returncode == 1 and "Host key verification failed" in done.stderr and time.monotonic() - begun < 30, done.stderr


def test_a_server_that_ends_in_the_middle(far):
    far("container", "start", "quiet", IMAGE, "--", "sleep", "600")
    serve(far)
    port = create(far, "web", "0:8000")["LocalPort"]
    assert wait_until(lambda: page(port), 30)
    streams = [begin(far, "container", *words) for words in (["logs", "--follow", "quiet"], ["exec", "quiet", "sleep", "600"])]
    held = socket.create_connection(("127.0.0.1", port), timeout=30)
    try:
        held.sendall(b"GET /index")
        assert wait_until(lambda: len(far.sshd.near_processes()) >= 3, 20), far.sshd.near_processes()
        time.sleep(1)  # the streams stand
        far.sshd.end()
        for stream in streams:
            _, err = stream.communicate(timeout=30)
            assert stream.returncode == 1 and len(err.splitlines()) == 1 and "ssh ended: " in err, err
        with pytest.raises(ConnectionResetError):
            held.recv(1)
        with pytest.raises(ConnectionResetError):
            ask(port, b"x")
        assert "Connection refused" in tunnels(far)[0]["LastError"]
        assert wait_until(lambda: not far.sshd.near_processes(), 10, 0.05), far.sshd.near_processes()
        assert far.sshd.start()
        assert wait_until(lambda: page(port).endswith(b"hello from inside\n"), 30), tunnels(far)  # the tunnel goes on
    finally:
        held.close()
        for stream in streams:
            stream.kill()
            stream.communicate()


@pytest.fixture
def far_podman(podman_engine, program, tmp_path, sshd):  # noqa: F811
    """Behind a server without Docker's client."""
    folder = sshd.folder / "programs"
    folder.mkdir()
    for name in ("sh", "podman"):
        path = next(p for p in ("/usr/bin/" + name, "/bin/" + name) if os.path.exists(p))
        (folder / name).symlink_to(path)
    sshd.end()
    assert sshd.start(path=str(folder))
    ipfs = program_for(podman_engine, program, tmp_path)
    ipfs.env.update(sshd.env(DOCKER_HOST=sshd.url(podman_engine.socket)))
    ipfs.sshd = sshd
    yield ipfs
    end_all(ipfs)
    assert sshd.is_left_alone(), (sshd.near_processes(), sshd.far_processes())


def test_podmans_own_client(far_podman):
    box = far_podman
    echo(box)
    assert box("container", "exec", "-i", "echo", "cat", stdin=b"there and back").out == "there and back"
    port = create(box, "echo", "0:7000")["LocalPort"]
    assert wait_until(lambda: failing_ask(port, b"ready?") == b"ready?", 30), tunnels(box)
    data = os.urandom(1 << 20)
    assert ask(port, data, timeout=60) == data
    box("tunnel", "rm", "echo-7000")
    (box.sshd.folder / "programs/podman").unlink()
    assert "neither docker nor podman is installed there" in fails(box)


def test_a_shared_connection_of_ssh_does_not_end_the_others(far_docker):
    """ControlMaster auto, as many have it: the first ssh would carry all others, and they would end with it."""
    config = far_docker.sshd.folder / "config"
    config.write_text(config.read_text() + "ControlMaster auto\nControlPath %s/control\n" % far_docker.sshd.folder)
    echo(far_docker)
    port = create(far_docker, "echo", "0:7000")["LocalPort"]
    assert wait_until(lambda: failing_ask(port, b"ready?") == b"ready?", 30)
    first = socket.create_connection(("127.0.0.1", port), timeout=30)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as second:
        first.sendall(b"x")
        assert first.recv(1) == b"x"
        second.sendall(b"y")
        assert second.recv(1) == b"y"
        first.close()
        assert wait_until(lambda: tunnels(far_docker)[0]["Open"] == 1, 10)
        second.sendall(b"still here")
        assert second.recv(100) == b"still here"
