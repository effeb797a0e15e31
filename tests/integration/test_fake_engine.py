"""Against a scripted engine: versions, failures and streams that no real one gives on demand."""
import hashlib
import json
import os
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

import pytest

from conftest import Ipfs
from fake_engine import LABEL, FakeEngine, answer, chunked, container, frame


@pytest.fixture
def fake(tmp_path):
    made = []

    def make(api="1.41"):
        made.append(FakeEngine(tmp_path / ("e%d.sock" % len(made)), api))
        return made[-1]
    yield make
    for engine in made:
        try:
            engine.stop()
        except OSError:
            pass


@pytest.fixture
def run(program, tmp_path):
    """Runs the program against an engine; a failure is what most tests here want."""
    def call(engine, *args, env=None, **kwargs):
        ipfs = Ipfs(program, tmp_path / "repo", cwd=tmp_path, env={"DOCKER_HOST": engine.host, "DOCKER_CONFIG": str(tmp_path / "docker"), **(env or {})})
        return ipfs(*args, check=False, **kwargs)
    return call


def inspected(engine, name="web", **more):
    engine.script["GET", "/containers/%s/json" % name] = answer(200, container(name, **more))


@pytest.mark.parametrize("server, used", [("1.40", "1.40"), ("1.41", "1.41"), ("1.44", "1.44"), ("1.47", "1.47"), ("1.52", "1.52"), ("1.99", "1.56")])
def test_the_version_is_agreed_on(fake, run, server, used):
    engine = fake(server)
    engine.script["GET", "/containers/json"] = answer(200, [])
    assert run(engine, "container", "ls").code == 0
    assert engine.targets()[-1].startswith("/v%s/containers/json?" % used)


def test_a_version_set_by_hand_is_used(fake, run):
    engine = fake("1.47")
    engine.script["GET", "/containers/json"] = answer(200, [])
    assert run(engine, "container", "ls", env={"DOCKER_API_VERSION": "1.43"}).code == 0
    assert engine.targets()[-1].startswith("/v1.43/")
    assert "1.40 to 1.56" in run(engine, "container", "ls", env={"DOCKER_API_VERSION": "1.12"}).err


@pytest.mark.parametrize("api, words", [("1.39", "1.40"), (None, "no API version")])
def test_engines_that_are_too_old_are_refused(fake, run, api, words):
    done = run(fake(api), "container", "ls")
    assert done.code == 1 and words in done.err


def test_a_ping_without_head(fake, run):
    engine = fake()
    engine.script["HEAD", "/_ping"] = b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"
    engine.script["GET", "/containers/json"] = answer(200, [])
    assert run(engine, "container", "ls").code == 0


@pytest.mark.parametrize("status, body, kind, words", [
    (400, "client version 1.41 is too old. Minimum supported API version is 1.44, please upgrade your client to a newer version", "text/plain", "DOCKER_MIN_API_VERSION"),
    (400, {"message": "client version 1.41 is too new. Maximum supported API version is 1.40"}, "application/json", "DOCKER_API_VERSION"),
    (500, "plain words\n", "text/plain", "the engine says: plain words\n"),
    (500, {"message": "write /x: no space left on device"}, "application/json", "free space"),
    (503, "", "text/plain", "status 503"),
    (500, "x" * 100000, "text/plain", "xxxx"),
    (200, "no json", "text/plain", "JSON"),
    (200, "[" * 100 + "]" * 100, "application/json", "deep"),
])
def test_failures_are_told_in_the_engines_words(fake, run, status, body, kind, words):
    engine = fake()
    engine.script["GET", "/containers/json"] = answer(status, body, kind)
    done = run(engine, "container", "ls")
    assert done.code == 1 and words in done.err and len(done.err) < 700, done.err


@pytest.mark.parametrize("body, words", [
    (frame(1, b"hello")[:-2], "middle of a frame"),
    (frame(1, b"hello") + b"\x01\0\0", "middle of a frame"),
    (frame(1, b"", length=2**32 - 1), "16777216"),
    (frame(9, b"x"), "stream"),
])
def test_broken_frames(fake, run, body, words):
    engine = fake()
    inspected(engine)
    engine.script["GET", "/containers/web/logs"] = chunked(body, kind="application/octet-stream")
    done = run(engine, "container", "logs", "web", timeout=20)
    assert done.code == 1 and words in done.err, done.err


def test_a_body_that_is_cut_off_is_a_failure(fake, run):
    engine = fake()
    inspected(engine)
    engine.script["GET", "/containers/web/logs"] = lambda c: c.sendall(chunked(frame(1, b"all I can say\n"), end=False))
    done = run(engine, "container", "logs", "web")
    assert done.code == 1 and done.out == "all I can say\n" and "ended in the middle" in done.err


def test_slow_logs_arrive_whole(fake, run):
    engine = fake()
    inspected(engine)

    def dribble(connection):
        for byte in chunked(frame(1, b"out\n"), frame(2, b"err\n")):
            connection.sendall(bytes([byte]))
            time.sleep(0.001)
    engine.script["GET", "/containers/web/logs"] = dribble
    done = run(engine, "container", "logs", "web")
    assert (done.code, done.out, done.err) == (0, "out\n", "err\n")


def test_an_engine_that_hangs_after_the_headers(fake, run):
    engine = fake()
    done_waiting = threading.Event()

    def hang(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[")
        done_waiting.wait(60)
    engine.script["GET", "/containers/json"] = hang
    done = run(engine, "container", "ls", env={"IPFSA_DOCKER_TIMEOUT": "1"}, timeout=30)
    done_waiting.set()
    assert done.code == 1 and "no answer in time" in done.err


@pytest.mark.parametrize("option", ["--memory=0x10m", "--memory=1e3m", "--memory=1.2.3m", "--memory=m", "--cpus=nan", "--cpus=0x2", "--cpus=1e1", "--wait-timeout=0x10s", "--wait-timeout=1e3s"])
def test_numbers_are_decimal(fake, program, tmp_path, option):
    engine = fake()
    done = subprocess.run([program, "container", "start", "web", "image", option, "--host", engine.host, "--repo-dir", tmp_path / "repo"], capture_output=True, text=True)
    assert done.returncode == 1 and option.split("=")[1] in done.stderr and " needs a " in done.stderr
    assert not [r for r in engine.requests if r[0] == "POST"]


def test_an_interrupt_ends_waiting(fake, program, tmp_path):
    engine = fake()
    inspected(engine)
    hanging, done_waiting = threading.Event(), threading.Event()

    def hang(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        hanging.set()
        done_waiting.wait(60)
    engine.script["GET", "/containers/web/logs"] = hang
    process = subprocess.Popen([program, "container", "logs", "-f", "web", "--host", engine.host, "--repo-dir", tmp_path / "repo"], stderr=subprocess.PIPE)
    assert hanging.wait(30)
    process.terminate()
    assert process.wait(30) == 0  # it is how following ends
    done_waiting.set()


def test_no_engine_there(fake, run, tmp_path):
    engine = fake()
    engine.stop()
    done = run(engine, "container", "ls")
    assert done.code == 1 and "does not listen" in done.err


def test_something_else_listens(fake, run):
    engine = fake()
    engine.script["HEAD", "/_ping"] = lambda c: c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    done = run(engine, "container", "ls")
    assert done.code == 1 and "HTTP" in done.err


def test_addresses_as_api_1_52_has_them(fake, run):
    engine = fake("1.52")
    inspected(engine)
    row = json.loads(run(engine, "container", "start", "web", "--json").out)
    assert row["Address"] == "172.17.0.9" and not row["Changed"]
    assert [(p["ContainerPort"], p["HostPort"]) for p in row["Ports"]] == [(80, 49153), (81, 0)]


def pull_script(engine, stream):
    engine.script["POST", "/images/create"] = stream
    engine.script["GET", "/images/busybox:latest/json"] = answer(200, {"Id": "sha256:" + "1" * 64, "Os": "linux", "Architecture": "amd64", "Config": {"User": ""}, "RepoDigests": []})


def test_a_pull_shows_its_steps_and_names_the_tag(fake, run):
    engine = fake()
    pull_script(engine, chunked(b'{"status":"Pulling","id":"latest"}{"status":"Down', b'loading","id":"aa","progressDetail":{"current":5,"total":10}}\n'))
    done = run(engine, "image", "pull", "busybox", "--json")
    assert done.code == 0 and [json.loads(line)["DoneBytes"] for line in done.out.splitlines()] == [0, 5]
    assert engine.targets("POST")[-1].endswith("/images/create?fromImage=busybox&tag=latest")


@pytest.mark.parametrize("platform, fits", [("arm64", False), ("linux/arm64", False), ("linux/aarch64", False), ("386", False), ("linux", True), ("amd64", True), ("x86_64", True),
                                            ("linux/x86_64", True), ("linux/amd64", True), ("linux/AMD64/v2", True), ("Linux/amd64", True), ("windows", False), ("windows/amd64", False)])
def test_an_engine_that_pulls_another_platform_is_found_out(fake, run, platform, fits):
    engine = fake()
    pull_script(engine, chunked(b'{"status":"Done"}'))
    done = run(engine, "image", "pull", "busybox", "--platform=" + platform)
    assert (done.code == 0) == fits and (fits or "it is for linux/amd64, not for " + platform in done.err), done.err


def test_each_name_has_the_digest_of_its_own_registry(fake, run):
    engine = fake()
    digests = {repo: "sha256:" + letter * 64 for repo, letter in (("busybox", "a"), ("127.0.0.1:5000/busybox", "b"))}
    engine.script["GET", "/images/json"] = answer(200, [
        {"Id": "sha256:1", "RepoTags": ["127.0.0.1:5000/busybox:1", "busybox:1", "mine:1", "box:1"], "RepoDigests": ["%s@%s" % d for d in digests.items()], "Size": 1, "Created": 1},
        {"Id": "sha256:2", "RepoTags": None, "RepoDigests": ["<none>@<none>", "other@sha256:" + "c" * 64], "Size": 1, "Created": 1},
        {"Id": "sha256:3", "RepoTags": ["<none>:<none>"], "RepoDigests": None, "Size": 1, "Created": 1}])
    images = [json.loads(line) for line in run(engine, "image", "ls", "--json").out.splitlines()]
    assert [(i["Name"], i["Digest"]) for i in images] == [
        ("127.0.0.1:5000/busybox:1", digests["127.0.0.1:5000/busybox"]), ("busybox:1", digests["busybox"]), ("mine:1", ""), ("box:1", ""),
        ("<none>", "sha256:" + "c" * 64), ("<none>", "")]


def test_one_that_cannot_be_pruned_does_not_keep_the_others(fake, run):
    engine = fake()
    ended = [{"Id": letter * 64, "Names": ["/" + letter], "State": "exited", "Created": 1, "Labels": {LABEL: "1"}} for letter in "abc"]
    engine.script["GET", "/containers/json"] = answer(200, ended)
    engine.script["GET", "/networks"] = answer(200, [{"Id": "n1", "Name": "net", "Labels": {LABEL: "1"}}])
    for path, status in (("containers/" + "a" * 64, 500), ("containers/" + "b" * 64, 204), ("containers/" + "c" * 64, 500), ("networks/n1", 204)):
        engine.script["DELETE", "/" + path] = answer(status, {"message": "device is busy"} if status == 500 else None)
    done = run(engine, "container", "prune", "--json")
    assert [json.loads(line)["Name"] for line in done.out.splitlines()] == ["b", "net"]
    assert done.code == 1 and "container a: " in done.err and "device is busy" in done.err and "container c" not in done.err, done.err


def test_an_allowed_registry_opens_no_other(fake, run):
    """An engine reads "ghcr.io/x" as a host and a name, so an image of Docker Hub that is called so keeps its registry in front."""
    engine = fake()
    engine.script["POST", "/images/create"] = chunked(b'{"errorDetail":{"message":"manifest unknown"}}')
    only_hub = {"IPFSA_DOCKER_ALLOWED_REGISTRIES": '["docker.io"]'}
    assert "allowed_registries" in run(engine, "image", "pull", "ghcr.io/some/thing", env=only_hub).err and not engine.targets("POST")
    run(engine, "image", "pull", "docker.io/ghcr.io/some/thing", env=only_hub)
    assert engine.targets("POST")[-1].endswith("?fromImage=docker.io%2Fghcr.io%2Fsome%2Fthing&tag=latest")


@pytest.mark.parametrize("stream, words", [
    (chunked(b'{"status":"Pulling"}', b'{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}'), "name and tag"),
    (chunked(b'{"error":"old words only"}'), "old words only"),
    (answer(404, {"message": "manifest for busybox:latest not found: manifest unknown: x"}), "name and tag"),
    (chunked(b'{"status":"Pulling"', end=True), "middle of an object"),
    (chunked(b'{"status":"' + b"x" * (1 << 20) + b'"}'), "1048576"),
], ids=["error", "old error", "not found", "cut", "too long"])  # the name of a test is in its environment, which has a limit
def test_a_pull_that_fails(fake, run, stream, words):
    engine = fake()
    pull_script(engine, stream)
    done = run(engine, "image", "pull", "busybox")
    assert done.code == 1 and words in done.err, done.err


def test_what_was_pulled_must_have_the_digest(fake, run):
    engine = fake()
    digest = "sha256:" + "a" * 64
    engine.script["POST", "/images/create"] = chunked(b'{"status":"Done"}')
    engine.script["GET", "/images/busybox@%s/json" % digest] = answer(200, {"RepoDigests": ["busybox@sha256:" + "b" * 64]})
    done = run(engine, "image", "pull", "busybox@" + digest)
    assert done.code == 1 and "does not have digest" in done.err


def test_a_failed_start_removes_what_it_made_and_repeats_no_secret(fake, run):
    engine = fake()
    engine.script["GET", "/images/busybox:latest/json"] = answer(200, {"Config": {"User": ""}})
    engine.script["GET", "/info"] = answer(200, {"NCPU": 2, "MemTotal": 1 << 30})
    engine.script["GET", "/volumes/data"] = answer(404, {"message": "get data: no such volume"})
    engine.script["POST", "/volumes/create"] = answer(201, {"Name": "data"})
    engine.script["DELETE", "/volumes/data"] = answer(204)
    engine.script["POST", "/containers/create"] = answer(201, {"Id": "c" * 64, "Warnings": None})
    engine.script["POST", "/containers/web/start"] = answer(500, {"message": "driver failed on TOKEN=geheim-4711: Bind for 127.0.0.1:80 failed: port is already allocated"})
    engine.script["DELETE", "/containers/web"] = answer(204)
    done = run(engine, "container", "start", "web", "busybox", "--volume=data:/data", "--env=TOKEN=geheim-4711", "--publish=80:80")
    assert done.code == 1 and "geheim" not in done.err and "TOKEN=***" in done.err and "another host port" in done.err, done.err
    assert [t.split("/", 2)[2] for t in engine.targets("DELETE")] == ["containers/web?v=1&force=1", "volumes/data"]
    body = json.loads([b for m, t, b in engine.requests if m == "POST" and "/containers/create" in t][0])
    assert body["HostConfig"]["Mounts"] == [{"Type": "volume", "Source": "data", "Target": "/data", "ReadOnly": False}]


def test_half_a_secret_is_hidden_as_well(fake, run):
    """The engine's words are cut to the length of a message; the cut must not fall into a secret that then shows in part."""
    engine = fake()
    secret = "geheim" * 20
    engine.script["GET", "/images/busybox:latest/json"] = answer(200, {"Config": {"User": ""}})
    engine.script["GET", "/info"] = answer(200, {"NCPU": 2, "MemTotal": 1 << 30})
    for lead in range(240, 360, 7):
        engine.script["POST", "/containers/create"] = answer(400, {"message": "x" * lead + " " + secret + " is no value"})
        done = run(engine, "container", "start", "web", "busybox", "--env=TOKEN=" + secret)
        assert done.code == 1 and "geh" not in done.err, (lead, done.err)


def test_a_refusal_asks_the_engine_nothing(fake, run):
    engine = fake()
    done = run(engine, "container", "start", "web", "--privileged", "busybox")
    assert done.code == 1 and "docker.allow_dangerous" in done.err
    assert [t for _, t, _ in engine.requests] == ["/_ping"]
    done = run(engine, "container", "start", "web", "busybox", "--privileged=true", env={"IPFSA_DOCKER_ALLOW_DANGEROUS": '["privileged"]'})
    assert len(engine.requests) > 3 and "docker.allow_dangerous" not in done.err


def event(action, ns, name="web"):
    return json.dumps({"Type": "container", "Action": action, "Actor": {"ID": "c" * 64, "Attributes": {"name": name, LABEL: "1"}}, "time": ns // 10**9, "timeNano": ns}).encode()


def test_events_go_on_after_a_restart_without_repeating(fake, run):
    engine = fake()
    first = [event("start", 1700000000000000001), event("exec_create: sh", 1700000000000000002), event("die", 1700000000000000003)]
    second = [event("die", 1700000000000000003), event("start", 1700000001000000000)]
    end = answer(400, {"message": "that was all"})
    engine.script["GET", "/events"] = [chunked(*first, end=False) + b"", chunked(*second), end]

    def cut_off(connection):
        connection.sendall(chunked(*first, end=False))
    engine.script["GET", "/events"][0] = cut_off
    done = run(engine, "container", "events", "--json", timeout=60)
    assert [json.loads(line)["Action"] for line in done.out.splitlines()] == ["start", "die", "start"]
    assert "that was all" in done.err
    since = [urllib.parse.parse_qs(t.split("?")[1]).get("since") for t in engine.targets() if "/events" in t]
    assert since == [None, ["1700000000.000000003"], ["1700000001.000000000"]]


def test_podmans_events_are_asked_for_by_whole_seconds(fake, run):
    """Its fractions and its filter by label find nothing: what comes too much is left out here."""
    engine = fake()
    engine.ping_headers.append(("Libpod-Api-Version", "4.3.1"))
    at = 1700000000 * 10**9
    first = [event("create", at + 1), *(event("start", at + 2 + i, "c%d" % i) for i in range(100))]
    foreign = event("start", at + 200).replace(LABEL.encode(), b"other")
    engine.script["GET", "/events"] = [lambda c: c.sendall(chunked(*first, end=False)), chunked(*first, foreign, event("die", at + 10**9 + 5)), answer(400, {"message": "that was all"})]
    done = run(engine, "container", "events", "--json", "--since=1700000000.000000002", timeout=60)
    assert [(json.loads(line)["Action"], json.loads(line)["Name"]) for line in done.out.splitlines()] == [("start", "c%d" % i) for i in range(100)] + [("die", "web")]
    asked = [urllib.parse.parse_qs(t.split("?")[1]) for t in engine.targets() if "/events" in t]
    assert [a["since"] for a in asked] == [["1700000000"], ["1700000000"], ["1700000001"]] and not any("filters" in a for a in asked)


def test_a_kept_connection_that_ended_is_made_again(fake, run):
    engine = fake()
    answers = [answer(200, container("web")), answer(404, {"message": "gone"})]
    engine.script["GET", "/containers/web/json"] = lambda c: c.sendall(answers[0])  # says it keeps the connection, and ends it
    assert run(engine, "container", "inspect", "web").code == 0
    assert run(engine, "container", "stop", "web").code == 1
    assert "page not found" in run(engine, "container", "stop", "web").err


def test_contexts_name_the_engine(fake, run, tmp_path):
    engine = fake()
    engine.script["GET", "/containers/json"] = answer(200, [])
    folder = tmp_path / "docker/contexts/meta" / hashlib.sha256(b"mine").hexdigest()
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Name": "mine", "Endpoints": {"docker": {"Host": engine.host}}}))
    assert run(engine, "container", "ls", "--context=mine", env={"DOCKER_HOST": "unix:///no/such"}).code == 0
    assert run(engine, "container", "ls", env={"DOCKER_HOST": "", "DOCKER_CONTEXT": "mine"}).code == 0
    (tmp_path / "docker/config.json").write_text('{"currentContext":"mine"}')
    assert run(engine, "container", "ls", env={"DOCKER_HOST": ""}).code == 0
    assert "none of this name" in run(engine, "container", "ls", "--context=other").err
    assert run(engine, "container", "ls", env={"DOCKER_HOST": "", "CONTAINER_HOST": engine.host, "DOCKER_CONFIG": str(tmp_path / "none")}).code == 0
    assert run(engine, "container", "ls", env={"DOCKER_HOST": "", "IPFSA_DOCKER_HOST": engine.host, "DOCKER_CONFIG": str(tmp_path / "none")}).code == 0


def test_over_ssh(fake, run, tmp_path):
    """ssh itself is replaced by a script that connects its pipes to the socket: what we start it with, and how its end is told."""
    engine = fake()
    engine.script["GET", "/containers/json"] = answer(200, [])
    ssh = tmp_path / "bin/ssh"
    ssh.parent.mkdir()
    relay = tmp_path / "bin/relay.py"
    relay.write_text("import os, socket, sys, threading\ns = socket.socket(socket.AF_UNIX)\ns.connect(%r)\n"
                     "def up():\n    while (d := os.read(0, 65536)):\n        s.sendall(d)\n    s.shutdown(socket.SHUT_WR)\n"
                     "threading.Thread(target=up, daemon=True).start()\nwhile (d := s.recv(65536)):\n    os.write(1, d)\n" % engine.path)
    ssh.write_text("#!/bin/sh\necho \"$@\" >>%s/words\nexec python3 %s\n" % (tmp_path, relay))
    ssh.chmod(0o755)
    env = {"DOCKER_HOST": "ssh://me@far.example:2222", "PATH": "%s:%s" % (ssh.parent, os.environ["PATH"])}
    done = run(engine, "container", "ls", env=env)
    assert done.code == 0, done.err
    words, = (tmp_path / "words").read_text().splitlines()
    assert words.startswith("-T -o BatchMode=yes ") and " -l me -p 2222 -- far.example sh -c '" in words and "DOCKER_HOST" not in words
    ssh.write_text("#!/bin/sh\necho 'me@far.example: Permission denied (publickey).' >&2\nexit 255\n")
    done = run(engine, "container", "ls", env=env)
    assert done.code == 1 and "Permission denied (publickey)" in done.err


def test_over_tls(fake, run, tmp_path):
    """A certificate of our own authority is taken, one of nobody's is not, and the client's certificate is shown."""
    engine = fake()
    engine.script["GET", "/containers/json"] = answer(200, [])
    certs = tmp_path / "certs"
    certs.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", certs / "key.pem", "-out", certs / "cert.pem", "-days", "2", "-subj", "/CN=engine",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    (certs / "ca.pem").write_bytes((certs / "cert.pem").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certs / "cert.pem", certs / "key.pem")
    context.load_verify_locations(certs / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                engine.serve(context.wrap_socket(connection, server_side=True))
            except (OSError, ssl.SSLError):
                pass
    threading.Thread(target=serve, daemon=True).start()
    host = "tcp://127.0.0.1:%d" % listener.getsockname()[1]
    done = run(engine, "container", "ls", env={"DOCKER_HOST": host, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certs)})
    assert done.code == 0, done.err
    name = hashlib.sha256(b"secure").hexdigest()  # a context has an address and certificates of its own
    meta, tls = tmp_path / "docker/contexts/meta" / name, tmp_path / "docker/contexts/tls" / name / "docker"
    meta.mkdir(parents=True)
    tls.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": "secure", "Endpoints": {"docker": {"Host": host}}}))
    for file in certs.iterdir():
        (tls / file.name).write_bytes(file.read_bytes())
    done = run(engine, "container", "ls", "--context=secure", env={"DOCKER_HOST": "", "HOME": str(tmp_path)})
    assert done.code == 0, done.err
    (tmp_path / "empty").mkdir()
    done = run(engine, "container", "ls", env={"DOCKER_HOST": host, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path / "empty")})
    assert done.code == 1 and "certificate is not accepted" in done.err
    listener.close()
