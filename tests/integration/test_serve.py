"""container serve: servers started on models of the store, on real engines with small programs in the place of the servers, and on a scripted one."""
import hashlib
import json
import signal
import subprocess
import time
import urllib.request

import pytest

import fake_engine as scripted
import fake_servers as fake
from engines import APPLETS
from gguf_files import parts
from test_containers import box, docker_box, engine, program_for, rows  # noqa: F401 (fixtures)
from test_dispatch_servers import HF, add, tiny_gguf

# What the program under test starts it with: "-m PATH --alias NAME …" or "PATH --served-model-name NAME …". It loads for a moment, then says what it has.
SERVER = b"""#!/bin/sh
path= name= port=8080
case "$1" in -*) ;; *) path=$1; shift ;; esac
while [ $# -gt 0 ]; do
  case "$1" in
    -m|--model-path) path=$2; shift ;;
    --alias|--served-model-name) name=$2; shift ;;
    --port) port=$2; shift ;;
    --fail) echo "loading $path"; sleep 0.5; echo "error: out of memory" >&2; exit 3 ;;
    --never) sleep 600 ;;
  esac
  shift
done
[ -e "$path" ] || { echo "no model at $path" >&2; exit 4; }
at=$path; [ -d "$path" ] && at=$path/new
if (echo x >>"$at") 2>/dev/null; then echo "the model can be written" >&2; exit 5; fi
mkdir -p /tmp/www/v1
cd /tmp/www
if [ -d "$path" ]; then cat "$path"/* 2>/dev/null | sha256sum >digest; else sha256sum <"$path" >digest; fi
(sleep 0.3; echo ok >health; echo "{\\"data\\":[{\\"id\\":\\"$name\\"}]}" >v1/models) &
exec httpd -f -p "$port" -h /tmp/www
"""
IMAGES = {"llamacpp": "test/llama:1", "vllm": "test/vllm:1", "sglang": "test/sglang:1"}
PYTHON = b"#!/bin/sh\nshift 2\nexec /bin/server \"$@\"\n"  # python3 -m sglang.launch_server
VLLM = b"#!/bin/sh\nshift\nexec /bin/server \"$@\"\n"      # vllm serve


@pytest.fixture
def servers(box):  # noqa: F811
    files = [("bin/server", SERVER, 0o755), ("bin/python3", PYTHON, 0o755), ("bin/vllm", VLLM, 0o755)]
    for image in IMAGES.values():
        box.engine.make_image(image, files=files, applets=APPLETS + ["sha256sum"], config=['ENTRYPOINT ["/bin/server"]'])
    box("init")
    return box


def serve(box, cid, kind, *options, check=True, args=()):  # noqa: F811
    return box("container", "serve", cid, "--server=" + kind, "--image=" + IMAGES[kind], "--json", "--wait-timeout=60s", *options, "--", *args, check=check)


def digest_at(url):
    return urllib.request.urlopen(url + "/digest", timeout=10).read().decode().split()[0]


def test_models_are_served(servers, tmp_path):
    box = servers  # noqa: F811
    data = tiny_gguf(3)
    cid = add(box, tmp_path / "a", {"tiny.gguf": data})
    made = rows(serve(box, cid + "/tiny.gguf", "llamacpp", "--model=team/tiny"))[0]
    assert (made["Model"], made["Container"], made["Ready"], made["Changed"], made["Server"]) == ("team/tiny", "team--tiny", True, True, "llamacpp"), made
    assert made["Way"] in ("reflink", "copy") and digest_at(made["Url"]) == hashlib.sha256(data).hexdigest()
    again = rows(serve(box, cid + "/tiny.gguf", "llamacpp", "--model=team/tiny"))[0]
    assert not again["Changed"] and again["Url"] == made["Url"] and again["Way"] == ""
    box("repo", "gc", "--quiet")
    assert digest_at(made["Url"]) == hashlib.sha256(data).hexdigest()
    other = add(box, tmp_path / "b", {"tiny.gguf": tiny_gguf(4)})
    done = serve(box, other + "/tiny.gguf", "llamacpp", "--model=team/tiny", check=False)
    assert done.code == 1 and "other options" in done.err
    split = parts([[("a", (8,), 24)], [("b", (8,), 24)]])
    made = rows(serve(box, add(box, tmp_path / "c", split), "llamacpp", "--model=split", "--name=parts"))[0]
    assert made["Container"] == "parts" and digest_at(made["Url"]) == hashlib.sha256(split[sorted(split)[0]]).hexdigest()


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_folders_are_served(servers, tmp_path, kind):
    flat = {name: data for name, data in HF.items() if "/" not in name}
    cid = add(servers, tmp_path / "a", flat)
    servers("alias", "set", "team/model", cid)
    made = rows(serve(servers, "team/model", kind))[0]
    assert (made["Model"], made["Container"], made["Cid"]) == ("team/model", "team--model", cid)
    want = hashlib.sha256(b"".join(flat[n] if isinstance(flat[n], bytes) else flat[n].encode() for n in sorted(flat))).hexdigest()
    assert digest_at(made["Url"]) == want


def test_servers_that_end_or_are_never_ready(servers, tmp_path):
    box = servers  # noqa: F811
    cid = add(box, tmp_path / "a", {"m.gguf": tiny_gguf()})
    done = serve(box, cid, "llamacpp", "--model=m", args=["--fail"], check=False)
    assert done.code == 1 and "ended with code 3: error: out of memory" in done.err and done.err.count("\n") == 1, done.err
    done = box("container", "serve", cid, "--server=llamacpp", "--image=" + IMAGES["llamacpp"], "--model=m", "--wait-timeout=1s", "--", "--never", check=False)
    assert done.code == 1 and "does not serve m after 1 s" in done.err
    assert box.engine.containers() == []
    box("repo", "gc", "--quiet")
    assert [p.name for p in (box.repo / "materialised").iterdir() if p.name != "files"] == []  # nothing is held for what failed
    process = subprocess.Popen([box.program, "container", "serve", cid, "--server=llamacpp", "--image=" + IMAGES["llamacpp"], "--model=m", "--", "--never"], env=box.env,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if any(c["State"] == "running" for c in box.engine.containers()):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0 and box.engine.containers() == [], err


def test_what_is_refused_before_a_container_is_made(servers, tmp_path):
    box = servers  # noqa: F811
    hf, gguf_ = add(box, tmp_path / "a", HF), add(box, tmp_path / "b", {"m.gguf": tiny_gguf()})
    for args, words in (((hf, "--server=llamacpp"), "llama.cpp takes GGUF, and this is safetensors"), ((gguf_ + "/m.gguf", "--server=vllm"), "vllm takes a folder"),
                        ((hf, "--server=triton"), "name one with --image"), ((hf, "--server=triton", "--image=x"), "no version folder"), ((hf, "--server=nope"), 'server "nope"; expected ollama'),
                        ((hf,), "expected ollama"), ((gguf_, "--server=llamacpp", "--model=../x"), "model name"), ((gguf_, "--server=llamacpp", "--port=70000"), "port")):
        done = box("container", "serve", *args, check=False)
        assert done.code == 1 and words in done.err, (args, done.err)
    assert box.engine.containers() == []


# ---- a scripted engine: its containers' ports are those of scripted servers ----

@pytest.fixture
def fake_box(ipfs, tmp_path):
    made = scripted.FakeEngine(tmp_path / "e")
    ipfs.env["DOCKER_HOST"] = made.host
    yield made
    made.stop()


def script(engine_, name, port, server_port, state="running"):
    """Everything a start asks for. Of a container that is not there first, then is."""
    inspect = scripted.container(name)
    inspect["State"] = {"Status": state, "Running": state == "running", "ExitCode": 137}
    inspect["NetworkSettings"]["Ports"] = {"%d/tcp" % port: [{"HostIp": "127.0.0.1", "HostPort": str(server_port)}]}
    absent, there = scripted.answer(404, {"message": "No such container: " + name}), scripted.answer(200, inspect)
    engine_.script.update({
        ("GET", "/containers/%s/json" % name): [absent, there],
        ("GET", "/containers/%s/json" % ("c" * 64)): there,
        ("GET", "/images/ollama/ollama:latest/json"): scripted.answer(200, {"Id": "sha256:" + "a" * 64, "Config": {}}),
        ("GET", "/info"): scripted.answer(200, {"MemTotal": 8 << 30, "NCPU": 2}),
        ("GET", "/volumes/%s-models" % name): scripted.answer(404, {"message": "no such volume"}),
        ("POST", "/volumes/create"): scripted.answer(201, {"Name": name + "-models", "Labels": {scripted.LABEL: "1"}}),
        ("POST", "/containers/create"): scripted.answer(201, {"Id": "c" * 64}),
        ("POST", "/containers/%s/start" % ("c" * 64)): scripted.answer(204),
        ("POST", "/containers/%s/start" % name): scripted.answer(204),
        ("GET", "/containers/json"): scripted.answer(200, []),
        ("GET", "/containers/%s/logs" % ("c" * 64)): scripted.answer(200, scripted.frame(2, b"CUDA error\n"), "application/vnd.docker.multiplexed-stream"),
        ("DELETE", "/containers/%s" % ("c" * 64)): scripted.answer(204),
        ("DELETE", "/containers/" + name): scripted.answer(204),
    })


def test_ollama_is_uploaded_to(ipfs, tmp_path, fake_box):
    data = tiny_gguf(5)
    cid = add(ipfs, tmp_path / "a", {"m.gguf": data})
    with fake.Ollama() as server:
        script(fake_box, "model-m", 11434, server.port)
        server.faults["GET /api/version"] = lambda h: (server.faults.clear(), h.send(503, {"error": "starting"}))  # once: it is not up yet
        done = json.loads(ipfs("container", "serve", cid, "--server=ollama", "--model=m", "--json").out)
        assert (done["Way"], done["Url"], done["Ready"]) == ("upload", server.url, True)
        assert server.loaded == {"m:latest"} and server.uploaded == [("sha256:" + hashlib.sha256(data).hexdigest(), len(data))]
    created = json.loads(next(body for method, target, body in fake_box.requests if method == "POST" and "/containers/create" in target))
    assert created["Image"] == "ollama/ollama:latest" and created["Cmd"] == ["serve"] and "OLLAMA_MODELS=/models" in created["Env"]


def test_an_ended_container_is_told_of_and_removed(ipfs, tmp_path, fake_box):
    cid = add(ipfs, tmp_path / "a", {"m.gguf": tiny_gguf()})
    script(fake_box, "model-m", 11434, 1, state="exited")
    done = ipfs("container", "serve", cid, "--server=ollama", "--model=m", check=False)
    assert done.code == 1 and "ended" in done.err and "137" in done.err, done.err
    assert any("/containers/" in t for t in fake_box.targets("DELETE"))
