"""Images out of a real registry (Debian's docker-registry), by a real engine."""
import base64
import json
import os
import re
import signal
import subprocess

import pytest

from engines import IMAGE, wait_until
from registries import MANIFEST, PASSWORD, USER, Scripted, digest_of, login, start_registry
from test_containers import box, docker_box, engine, program_for, rows  # noqa: F401 (fixtures)
from test_terminal import on_terminal

REPOSITORY = "team/box"


def fill(engine, registry, extra=()):
    """The engine itself pushes an image, then forgets it: (name, digest)."""
    name = "%s/%s" % (registry.host, REPOSITORY)
    engine.make_image("test/pushed:1", files=extra)
    assert engine.call("POST", "/images/test/pushed:1/tag?repo=%s&tag=1" % name)[0] == 201
    auth = base64.urlsafe_b64encode(json.dumps({"username": USER, "password": PASSWORD}).encode()).decode()
    status, answer = engine.call("POST", "/images/%s/push?tag=1" % name, **{"X-Registry-Auth": auth})
    assert status == 200 and b"error" not in answer, answer
    forget(engine, name + ":1")
    _, headers, body = registry.call("GET", "/v2/%s/manifests/1" % REPOSITORY, Accept="application/vnd.docker.distribution.manifest.v2+json, " + MANIFEST)
    assert headers["Docker-Content-Digest"] == digest_of(body)
    return name, digest_of(body)


def forget(engine, *names):
    for name in (*names, "test/pushed:1"):
        engine.call("DELETE", "/images/%s?force=1" % name)


@pytest.fixture(params=["open", "with login"])
def registry(request, box, tmp_path):  # noqa: F811
    process, registry = start_registry(tmp_path / "registry", with_login=request.param == "with login", port=getattr(box.engine, "registry_port", 0))
    registry.has_login = request.param == "with login"
    yield registry
    process.terminate()
    process.wait(30)


def has(box, name):
    return any(i["Name"] == name for i in rows(box("image", "ls", "--json")))


def test_pulls(box, registry, tmp_path):  # noqa: F811
    engine = box.engine  # noqa: F811
    name, digest = fill(engine, registry, [("payload", os.urandom(3 << 20), 0o644)])
    try:
        if registry.has_login:
            done = box("image", "pull", name + ":1", check=False)
            assert done.code == 1 and "log in to the registry" in done.err, done.err
            done = box("image", "pull", name + ":1", "--username=" + USER, "--password-stdin", stdin=b"wrong-word\n", check=False)
            assert done.code == 1 and "wrong-word" not in done.err, done.err
            box("image", "pull", name + ":1", "--username=" + USER, "--password-stdin", stdin=PASSWORD.encode() + b"\n")
            assert has(box, name + ":1")
            forget(engine, name + ":1")
            login(tmp_path / "docker", registry.host)  # what `docker login` leaves
        done = box("image", "pull", name + ":1", "--json")
        steps = rows(done)
        assert done.err == ""
        if engine.kind == "docker":  # Podman counts no bytes of layers that come this fast
            assert any(0 < s["DoneBytes"] <= s["TotalBytes"] and s["TotalBytes"] > 3 << 20 for s in steps), steps
        assert any(s["Layer"] and s["Status"] == "Download complete" for s in steps), steps
        assert has(box, name + ":1")
        forget(engine, name + ":1")
        box("image", "pull", "%s@%s" % (name, digest))
        forget(engine, "%s@%s" % (name, digest))
        made = rows(box("container", "start", "pulled", "%s@%s" % (name, digest), "--json", "--", "sleep", "600"))[0]  # a start pulls what is missing
        assert made["State"] == "running"
        for image in (name + ":2", registry.host + "/team/none:1", "%s@sha256:%s" % (name, "0" * 64)):
            done = box("image", "pull", image, check=False)
            assert done.code == 1 and ("name and tag" in done.err or "name is right" in done.err), done.err
            done = box("container", "start", "nothing", image, "--", "true", check=False)
            assert done.code == 1 and "pull of " in done.err, done.err
        assert [c["Names"] for c in engine.containers()] == [["/pulled"]]
    finally:
        engine.remove_all()
        forget(engine, name + ":1", "%s@%s" % (name, digest))


def test_a_login_that_is_kept_by_a_helper_is_told(docker_box, tmp_path):  # noqa: F811
    process, registry = start_registry(tmp_path / "registry", with_login=True)
    try:
        name, _ = fill(docker_box.engine, registry)
        (tmp_path / "docker").mkdir(exist_ok=True)
        (tmp_path / "docker/config.json").write_text(json.dumps({"credHelpers": {registry.host: "vault"}}))
        done = docker_box("image", "pull", name + ":1", check=False)
        assert done.code == 1 and "docker-credential-vault" in done.err, done.err
    finally:
        process.terminate()
        process.wait(30)


def test_a_pull_on_a_terminal_shows_how_far_it_is(docker_box, tmp_path):  # noqa: F811
    process, registry = start_registry(tmp_path / "registry")
    name, _ = fill(docker_box.engine, registry, [("payload", os.urandom(8 << 20), 0o644)])
    try:
        code, shown = on_terminal(docker_box, ["image", "pull", name + ":1"], subprocess.DEVNULL)
        assert code == 0 and re.search(r"pull [0-9a-f]{12}: Downloading [0-9.]+ .B of 9\.", shown) and shown.endswith("\r\x1b[K"), shown
    finally:
        forget(docker_box.engine, name + ":1")
        process.terminate()
        process.wait(30)


def test_an_interrupted_pull(box):  # noqa: F811
    answer = lambda path, headers: "hang" if "/manifests/" in path else (200, {"Docker-Distribution-Api-Version": "registry/2.0"}, b"{}")
    with Scripted(answer, port=getattr(box.engine, "registry_port", 0)) as scripted:
        process = subprocess.Popen([box.program, "container", "start", "web", scripted.host + "/slow/image:1", "--", "true"], env=box.env, cwd=box.cwd, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        assert wait_until(lambda: any("/manifests/" in path for path in scripted.paths()), 30, 0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1 and "cancelled" in err and box.engine.containers() == [], err


def test_words_that_are_refused(docker_box):  # noqa: F811
    done = docker_box("image", "pull", IMAGE, "--username=me", check=False)
    assert done.code == 1 and "--password-stdin" in done.err
    done = docker_box("image", "pull", IMAGE, "--password-stdin", stdin=b"x\n", check=False)
    assert done.code == 1 and "--username" in done.err
    done = docker_box("image", "pull", IMAGE, "--password-stdin", "--username=me", stdin=b"", check=False)
    assert done.code == 1 and "no password" in done.err
    done = docker_box("image", "pull", IMAGE, "--password-stdin", "--username=me", stdin=b"x" * 5000, check=False)
    assert done.code == 1 and "over 4094 bytes" in done.err
