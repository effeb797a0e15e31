"""The whole of it in one go: content of the store served out of a container, reached through a tunnel, killed from outside, restarted by a watch."""
import subprocess

import pytest

from engines import IMAGE, wait_until
from test_mounts import Watch, is_health
from test_tunnels import box, create, engine, tunnels  # noqa: F401 (fixtures)


def curl(port, path):
    done = subprocess.run(["curl", "-sf", "--max-time", "10", "http://127.0.0.1:%d/%s" % (port, path)], stdout=subprocess.PIPE)
    return done.stdout if done.returncode == 0 else None


def kill_from_outside(engine, name):
    """By the engine's own command line, as somebody else would."""
    words = ["docker", "--host", engine.host] if engine.kind == "docker" else ["podman", "--url", engine.host]
    subprocess.run([*words, "kill", "--signal=KILL", name], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("network", ["bridge", "none"])
def test_a_web_server_that_shows_the_store_survives_its_end(box, network, tmp_path):  # noqa: F811
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("out of the store\n")
    box("init")
    cid = box.text("add", "-r", "-Q", "--cid-version=1", str(tmp_path / "site")).strip()
    box("container", "start", "web", IMAGE, "--network", network, "--mount=%s:/www" % cid, "--probe=exec:wget -q -O /dev/null http://127.0.0.1:8000/index.html",
        "--probe-interval=500ms", "--", "httpd", "-f", "-p", "8000", "-h", "/www")
    port = create(box, "web", "0:8000")["LocalPort"]
    assert wait_until(lambda: curl(port, "index.html") == b"out of the store\n", 20), tunnels(box)
    seen = Watch(box, "--restart", "--every=200ms", "web")
    try:
        seen.wait(is_health("healthy"))
        first = len(seen.events)
        kill_from_outside(box.engine, "web")
        ended = seen.wait(lambda e: e["Kind"] == "state" and e["State"] == "exited")
        assert ended["ExitCode"] == 137
        seen.wait(lambda e: e["Kind"] == "restart" and e["DelayMs"] == 0 and e["What"] == "" and e["Restarts"] == 1)
        assert wait_until(lambda: any(is_health("healthy")(e) for e in seen.events[first:]), 30), seen.events
        assert wait_until(lambda: curl(port, "index.html") == b"out of the store\n", 20), tunnels(box)
        assert tunnels(box)[0]["LocalPort"] == port
        assert seen.end() == 0
    finally:
        if seen.process.poll() is None:
            seen.process.kill()
            seen.process.wait()
