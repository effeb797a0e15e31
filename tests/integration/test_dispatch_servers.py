"""Models dispatched to servers: each driver against a scripted server that checks what it gets, and MLServer against the real one."""
import hashlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

import fake_servers as fake
from conftest import PEERS
from gguf_files import gguf, parts
from test_memory import LIMIT, run_measured

TOKEN = "s3cret-t0ken"


def weights(fill=0, n=65536):
    header = b'{"w":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (n, n)
    return len(header).to_bytes(8, "little") + header + bytes([fill]) * n


def tiny_gguf(fill=0, n=65536):
    return gguf([("w", (n,), 24)], data=[bytes([fill]) * n])


def add(ipfs, folder, files):
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return ipfs.text("add", "-rQ", "--cid-version=1", folder)


def configure(ipfs, kind, server=None, name="gpu", **keys):
    if server:
        keys["url"] = server.url
    for key, value in {"kind": kind, "timeout": "10", **keys}.items():
        ipfs("config", "endpoints.%s.%s" % (name, key), value)


def dispatch(ipfs, *args, **more):
    return json.loads(ipfs("dispatch", "--json", "--endpoint=gpu", *args, **more).out)


def fails(ipfs, *args, **more):
    done = ipfs("dispatch", "--endpoint=gpu", *args, check=False, **more)
    assert done.code == 1 and done.err.startswith("Error: endpoint gpu") or done.err.startswith("Error: endpoints.gpu"), done.err
    assert done.err.count("\n") == 1 and TOKEN not in done.err and TOKEN not in done.out, done.err
    return done.err


HF = {"model.safetensors": weights(1), "config.json": '{"a":1}', "tokenizer.json": "{}", "notes.txt": "no", "below/x.json": "{}"}


# ---- ollama ----

def test_ollama_gets_a_gguf_once(ipfs, tmp_path):
    data = tiny_gguf(3)
    cid = add(ipfs, tmp_path / "a", {"tiny.gguf": data})
    with fake.Ollama() as server:
        configure(ipfs, "ollama", server)
        done = dispatch(ipfs, cid + "/tiny.gguf", "--name=team/tiny")
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        assert (done["Source"], done["Way"], done["Bytes"], done["Ready"], done["Place"]) == ("store", "upload", len(data), True, server.url), done
        assert server.uploaded == [(digest, len(data))] and server.models["team/tiny:latest"]["files"] == {"tiny.gguf": digest} and server.loaded == {"team/tiny:latest"}
        blob = "/api/blobs/" + digest
        assert server.seen == ["GET /api/tags", "HEAD " + blob, "POST " + blob, "POST /api/create", "GET /api/tags", "POST /api/generate", "GET /api/ps"]
        del server.seen[:]
        again = dispatch(ipfs, cid + "/tiny.gguf", "--name=team/tiny")
        assert (again["Source"], again["Bytes"], again["Way"], again["Ready"]) == ("cache", 0, "", True)
        assert server.seen == ["GET /api/tags", "GET /api/ps"]  # not even a digest was made
        server.loaded.clear()
        assert dispatch(ipfs, cid + "/tiny.gguf", "--name=team/tiny")["Source"] == "cache" and server.loaded  # loaded anew
        server.models.clear(), server.loaded.clear()
        again = dispatch(ipfs, cid + "/tiny.gguf", "--name=team/tiny")  # its model is gone, its blob is not
        assert (again["Source"], again["Bytes"]) == ("cache", 0) and len(server.uploaded) == 1 and server.loaded == {"team/tiny:latest"}


def test_ollama_gets_other_content_under_the_name(ipfs, tmp_path):
    first, second = add(ipfs, tmp_path / "a", {"m.gguf": tiny_gguf(1)}), add(ipfs, tmp_path / "b", {"m.gguf": tiny_gguf(2)})
    with fake.Ollama() as server:
        configure(ipfs, "ollama", server)
        for cid, fill in ((first, 1), (second, 2), (first, 1)):
            dispatch(ipfs, cid, "--name=m")
            assert server.models["m:latest"]["files"] == {"m.gguf": "sha256:" + hashlib.sha256(tiny_gguf(fill)).hexdigest()} and server.loaded == {"m:latest"}
        assert len(server.uploaded) == 2


def test_ollama_gets_folders_and_parts(ipfs, tmp_path):
    split = parts([[("a", (8,), 24)], [("b", (8,), 24)]])
    with fake.Ollama() as server:
        configure(ipfs, "ollama", server)
        dispatch(ipfs, add(ipfs, tmp_path / "a", HF), "--name=hf")
        assert sorted(server.models["hf:latest"]["files"]) == ["config.json", "model.safetensors", "tokenizer.json"]
        dispatch(ipfs, add(ipfs, tmp_path / "b", {**split, "readme.md": "x"}), "--name=split")
        assert sorted(server.models["split:latest"]["files"]) == sorted(split)
        server.only_embeds = True
        dispatch(ipfs, add(ipfs, tmp_path / "c", {"e.gguf": tiny_gguf()}), "--name=embeds")
        assert "embeds:latest" in server.loaded
        less = {name: data for name, data in HF.items() if name != "config.json"}
        assert "open config.json: file does not exist" in fails(ipfs, add(ipfs, tmp_path / "d", less), "--name=x")


def test_ollama_takes_large_files_in_bounded_memory(ipfs, tmp_path):
    n = 300 << 20
    with open(tmp_path / "large.safetensors", "wb") as out:
        header = b'{"w":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (n, n)
        out.write(len(header).to_bytes(8, "little") + header)
        for i in range(n >> 20):
            out.write(bytes([i & 255]) * (1 << 20))
    (tmp_path / "large").mkdir()
    os.rename(tmp_path / "large.safetensors", tmp_path / "large/model.safetensors")
    (tmp_path / "large/config.json").write_text("{}")
    cid = ipfs.text("add", "-rQ", "--cid-version=1", tmp_path / "large")
    with fake.Ollama() as server:
        configure(ipfs, "ollama", server)
        most, _, _ = run_measured(ipfs, "dispatch", "--json", "--endpoint=gpu", "--name=l", cid)
        assert sum(size for _, size in server.uploaded) > n and most < LIMIT
        server.blobs.clear()


@pytest.mark.parametrize("fault,pattern,words", [
    (fake.refuses(507, "not enough space: \n 3 GB are \x07 free."), "POST /api/blobs/*", "507: not enough space:   3 GB are   free"),
    (fake.refuses(400, "digest mismatch"), "POST /api/blobs/*", "400: digest mismatch"),
    (fake.dies_after(30000), "POST /api/blobs/*", "POST http://127.0.0.1"),
    (lambda h: h.send_lines({"status": "x"}, {"error": "model requires more system memory (9 GiB) than is available"}), "POST /api/create", "model requires more system memory"),
    (lambda h: h.send_lines({"status": "x"}), "POST /api/create", "ends before it says success"),
    (lambda h: (h.send_lines({"status": "x"}, end=False), h.die()), "POST /api/create", "POST http://127.0.0.1"),
    (lambda h: h.send(200, b"<html>"), "POST /api/create", "is no JSON"),
    (lambda h: h.send(200, b'{"status":"' + b"x" * (2 << 20)), "POST /api/create", "over 1048576 bytes"),
    (fake.refuses(500, "llama runner process has terminated: exit status 2"), "POST /api/generate", "500: llama runner process has terminated"),
    (fake.cut, "GET /api/tags", "GET http://127.0.0.1"),
    (fake.endless, "GET /api/tags", "the answer is over 16777216 bytes"),
    (fake.refuses(404, "nope"), "GET /api/tags", "this is no Ollama"),
    (lambda h: h.send(200, {"models": 1}), "GET /api/tags", "this is no Ollama"),
    (lambda h: h.send(302, b""), "GET /api/tags", "the server answers 302"),
])
def test_a_server_that_fails_is_told_of_in_its_words(ipfs, tmp_path, fault, pattern, words):
    cid = add(ipfs, tmp_path / "a", {"m.gguf": tiny_gguf()})
    with fake.Ollama() as server:
        configure(ipfs, "ollama", server)
        server.faults[pattern] = fault
        assert words in fails(ipfs, cid, "--name=m")
        server.faults.clear()
        assert dispatch(ipfs, cid, "--name=m")["Ready"]  # nothing half done stands in the way


def test_a_server_that_is_absent_or_hangs(ipfs, tmp_path):
    cid = add(ipfs, tmp_path / "a", {"m.gguf": tiny_gguf()})
    with fake.Ollama() as server:
        configure(ipfs, "ollama", server, timeout="1")
        server.faults["POST /api/generate"] = server.stall
        err = fails(ipfs, cid, "--name=m")
        assert "/api/generate" in err and server.loaded == set()
        server.faults = {"GET /api/ps": lambda h: h.send(200, {"models": []})}
        assert "m is not ready after 1 s" in fails(ipfs, cid, "--name=m")
        server.faults = {"POST /api/blobs/*": server.stall}
        server.models.clear(), server.blobs.clear()
        assert "no byte came for" in fails(ipfs, cid, "--name=m")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        configure(ipfs, "ollama", url="http://127.0.0.1:%d" % s.getsockname()[1])
        assert "connect" in fails(ipfs, cid).lower()
    assert json.loads(ipfs("endpoint", "ls", "--json").out)["Problem"] == ""


def test_ctrl_c_stops_an_upload(ipfs, tmp_path):
    cid = add(ipfs, tmp_path / "a", {"m.gguf": tiny_gguf()})
    for pattern in ("POST /api/blobs/*", "POST /api/generate", "GET /api/ps"):
        with fake.Ollama() as server:
            configure(ipfs, "ollama", server, timeout="60")
            server.faults[pattern] = server.stall if pattern != "GET /api/ps" else lambda h: h.send(200, {"models": []})
            process = subprocess.Popen([ipfs.program, "dispatch", "--endpoint=gpu", "--name=m", cid], env=ipfs.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(500):
                if server.count(pattern):
                    break
                time.sleep(0.02)
            assert server.count(pattern)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
            assert process.returncode != 0 and "cancelled" in err or "interrupt" in err.lower(), err


def test_tokens_are_sent_and_never_told(ipfs, tmp_path):
    cid = add(ipfs, tmp_path / "a", {"m.gguf": tiny_gguf()})
    with fake.Ollama(token=TOKEN) as server:
        configure(ipfs, "ollama", server)
        assert "401" in (err := fails(ipfs, cid, "--name=m")) and "set token_env or api_key" in err
        ipfs("config", "endpoints.gpu.api_key", TOKEN + "x")
        assert "unauthorized: Bearer (hidden)" in fails(ipfs, cid, "--name=m")  # the server repeats what it was sent
        ipfs("config", "endpoints.gpu.api_key", TOKEN)
        assert dispatch(ipfs, cid, "--name=m")["Ready"]
        ipfs("config", "endpoints.gpu.token_env", "GPU_TOKEN")
        assert "the environment has no GPU_TOKEN" in fails(ipfs, cid, "--name=m")
        assert "401" in fails(ipfs, cid, "--name=m", env={"GPU_TOKEN": "other"})  # it goes before api_key
        assert dispatch(ipfs, cid, "--name=m", env={"GPU_TOKEN": TOKEN})["Ready"]
        assert "control characters" in fails(ipfs, cid, "--name=m", env={"GPU_TOKEN": "a\r\nX-Evil: b"})
        assert TOKEN not in ipfs("config", "show").out + ipfs("endpoint", "ls", "--json").out


def test_host_and_port_or_url(ipfs, tmp_path):
    cid = add(ipfs, tmp_path / "a", {"m.gguf": tiny_gguf()})
    with fake.Ollama() as server:
        configure(ipfs, "ollama", host="127.0.0.1", port=str(server.port))
        assert dispatch(ipfs, cid, "--name=m")["Ready"]
        configure(ipfs, "ollama", url=server.url + "/")
        assert dispatch(ipfs, cid, "--name=m")["Source"] == "cache"  # the same server, the same model
        for url, words in (("ftp://x", "endpoints.gpu.url"), ("http://a:b@127.0.0.1:1", "endpoints.gpu.url"), (server.url + "/?a=b", "a query or a fragment")):
            ipfs("config", "endpoints.gpu.url", url)
            assert words in fails(ipfs, cid, "--name=m")
        ipfs("config", "endpoints.gpu.url", server.url + "/prefix")
        assert "this is no Ollama" in fails(ipfs, cid, "--name=m") and "GET /prefix/api/tags" in server.seen


def test_formats_that_a_server_does_not_take(ipfs, tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    torch = add(ipfs, tmp_path / "a", {"pytorch_model.bin": bytes.fromhex("80028a0a6cfc9c46f9206aa85019") + b".\x80\x02M\xe9\x03."})
    hf = add(ipfs, tmp_path / "b", HF)
    with fake.Ollama() as server:
        configure(ipfs, "ollama", server)
        assert "is a pickle" in ipfs("dispatch", "--endpoint=gpu", torch, check=False).err and server.seen == []
        done = ipfs("dispatch", "--endpoint=gpu", "--allow-pickle", "--name=m", torch, check=False)
        assert "Ollama takes GGUF and safetensors" in done.err and server.uploaded == []
    configure(ipfs, "llamacpp", model_dir=served)
    assert "llama.cpp takes GGUF, and this is safetensors" in fails(ipfs, hf)
    configure(ipfs, "triton", model_dir=served)
    assert "no version folder in it" in fails(ipfs, hf)
    configure(ipfs, "mlserver", model_dir=served)
    assert "no model-settings.json in it" in fails(ipfs, hf)
    ipfs("config", "endpoints.gpu.layout", "huggingface")
    assert "mlserver does not look for models in a hub's cache" in fails(ipfs, hf)
    assert os.listdir(served) == []


# ---- servers over a folder ----

@pytest.fixture
def served(tmp_path):
    (tmp_path / "served").mkdir()
    return tmp_path / "served"


def test_llamacpp_loads_and_exchanges(ipfs, tmp_path, served):
    first, second = tiny_gguf(1), tiny_gguf(2)
    cids = [add(ipfs, tmp_path / name, {"m.gguf": data}) for name, data in (("a", first), ("b", second))]
    with fake.LlamaCpp(served) as server:
        configure(ipfs, "llamacpp", server, model_dir=served)
        done = dispatch(ipfs, cids[0] + "/m.gguf", "--name=org/tiny")
        assert done["Model"] == "org--tiny" and done["Place"] == str(served / "org--tiny.gguf") and done["Source"] == "store" and done["Bytes"] == len(first)
        assert server.has["org--tiny"] == fake.tree_hash(served / "org--tiny.gguf")
        orders = [r for r in server.seen if r.startswith("POST")]
        assert orders == ["POST /models/load"]
        again = dispatch(ipfs, cids[0] + "/m.gguf", "--name=org/tiny")
        assert (again["Source"], again["Bytes"]) == ("cache", 0) and [r for r in server.seen if r.startswith("POST")] == orders
        dispatch(ipfs, cids[1] + "/m.gguf", "--name=org/tiny")  # loaded: the old content is unloaded first
        assert [r for r in server.seen if r.startswith("POST")][1:] == ["POST /models/unload", "POST /models/load"]
        assert (served / "org--tiny.gguf").read_bytes() == second and server.has["org--tiny"] == fake.tree_hash(served / "org--tiny.gguf")
        # A call that is cut short between the exchange and the load: the next one does not take the old model for the new one.
        server.faults["POST /models/unload"] = fake.refuses(500, "busy")
        assert "500: busy" in fails(ipfs, cids[0] + "/m.gguf", "--name=org/tiny")
        server.faults.clear()
        assert dispatch(ipfs, cids[0] + "/m.gguf", "--name=org/tiny")["Source"] == "cache" and (served / "org--tiny.gguf").read_bytes() == first
        assert server.has["org--tiny"] == fake.tree_hash(served / "org--tiny.gguf")
        split = add(ipfs, tmp_path / "c", parts([[("a", (8,), 24)], [("b", (8,), 24)]]))
        assert dispatch(ipfs, split, "--name=split")["Place"] == str(served / "split") and server.known["split"]["value"] == "loaded"


def test_llamacpp_that_fails(ipfs, tmp_path, served):
    cid = add(ipfs, tmp_path / "a", {"m.gguf": tiny_gguf()}) + "/m.gguf"
    (tmp_path / "other").mkdir()
    with fake.LlamaCpp(served) as server:
        configure(ipfs, "llamacpp", server, model_dir=served)
        server.fails = True
        assert "its process ended with code 1" in fails(ipfs, cid)
        server.fails = False
        assert dispatch(ipfs, cid)["Ready"]
        server.single = True
        assert "start it as a router" in fails(ipfs, cid)
        server.single = False
        ipfs("config", "endpoints.gpu.model_dir", tmp_path / "other")
        assert "and the server does not list it" in fails(ipfs, cid, "--name=elsewhere")
    with fake.Ollama() as server:
        configure(ipfs, "llamacpp", server, model_dir=served)
        assert "this is no llama.cpp server" in fails(ipfs, cid, "--name=new") and not (served / "new.gguf").exists()  # nothing is put there for it


TRITON = {"config.pbtxt": 'backend: "x"\n', "1/model.onnx": b"onnx 1"}


@pytest.mark.parametrize("kind,content,changed", [
    ("triton", TRITON, {**TRITON, "1/model.onnx": b"onnx 2"}),
    ("mlserver", {"model-settings.json": '{"name":"org--m","implementation":"x.Y"}', "model.safetensors": weights(1)},
     {"model-settings.json": '{"name":"org--m","implementation":"x.Y"}', "model.safetensors": weights(2)}),
])
def test_model_repositories(ipfs, tmp_path, served, kind, content, changed):
    first, second = add(ipfs, tmp_path / "a", content), add(ipfs, tmp_path / "b", changed)
    with fake.Repository(served, settings=kind == "mlserver") as server:
        configure(ipfs, kind, server, model_dir=served)
        done = dispatch(ipfs, first, "--name=org/m")
        assert done["Model"] == "org--m" and done["Place"] == str(served / "org--m") and done["Source"] == "store"
        assert done["Format"] == ("folder" if kind == "triton" else "safetensors") and server.has["org--m"] == fake.tree_hash(tmp_path / "a")
        loads = server.count("POST */load")
        again = dispatch(ipfs, first, "--name=org/m")
        assert (again["Source"], again["Bytes"]) == ("cache", 0) and server.count("POST */load") == loads == 1
        dispatch(ipfs, second, "--name=org/m")
        assert server.has["org--m"] == fake.tree_hash(tmp_path / "b") and server.count("POST */load") == 2
        server.faults["POST */load"] = fake.refuses(400, "explicit model load / unload is not allowed if polling is enabled")
        assert "explicit model load / unload is not allowed" in fails(ipfs, first, "--name=org/m")
        server.faults.clear()
        assert dispatch(ipfs, first, "--name=org/m")["Ready"] and server.has["org--m"] == fake.tree_hash(tmp_path / "a")
        server.has.clear()  # started anew, in explicit mode
        assert dispatch(ipfs, first, "--name=org/m")["Source"] == "cache" and server.has
        server.faults["GET */ready"] = fake.refuses(400, "no")
        ipfs("config", "endpoints.gpu.timeout", "1")
        assert "org--m is not ready after 1 s" in fails(ipfs, first, "--name=org/m")
    with fake.Ollama() as server:
        configure(ipfs, kind, server)
        assert "this is no " + {"triton": "Triton", "mlserver": "MLServer"}[kind] in fails(ipfs, first, "--name=new") and not (served / "new").exists()


def test_programs_in_a_model_folder_are_allowed_by_name(ipfs, tmp_path, served):
    cid = add(ipfs, tmp_path / "a", {"config.pbtxt": 'backend: "python"', "1/model.py": "print(1)"})
    with fake.Repository(served) as server:
        configure(ipfs, "triton", server, model_dir=served)
        done = ipfs("dispatch", "--endpoint=gpu", "--name=m", cid, check=False)
        assert done.code == 1 and "1/model.py is a program: the server runs it" in done.err and server.seen == [] and os.listdir(served) == []
        assert "Warning" in ipfs("dispatch", "--endpoint=gpu", "--name=m", "--allow-pickle", cid).err and server.has["m"]


ADAPTER = {"adapter_config.json": '{"r":8}', "adapter_model.safetensors": weights(7, 64)}


@pytest.mark.parametrize("kind", ["vllm", "sglang"])
def test_adapters(ipfs, tmp_path, served, kind):
    first, second = add(ipfs, tmp_path / "a", ADAPTER), add(ipfs, tmp_path / "b", {**ADAPTER, "adapter_model.safetensors": weights(8, 64)})
    with fake.VllmLike(("base", "/elsewhere"), sglang=kind == "sglang") as server:
        configure(ipfs, kind, server, model_dir=served)
        done = dispatch(ipfs, first, "--name=org/lora")
        assert done["Place"] == str(served / "org/lora" / first) and server.adapters == {"org/lora": done["Place"]} and server.has["org/lora"] == fake.tree_hash(tmp_path / "a")
        n = server.count("POST *")
        again = dispatch(ipfs, first, "--name=org/lora")
        assert (again["Source"], again["Bytes"]) == ("cache", 0) and server.count("POST *") == n == 1
        done = dispatch(ipfs, second, "--name=org/lora")
        assert server.adapters == {"org/lora": done["Place"]} and server.has["org/lora"] == fake.tree_hash(tmp_path / "b")
        assert "base as well; choose another --name" in fails(ipfs, first, "--name=base")
        server.takes_adapters = False
        assert "takes no adapters while it runs" in fails(ipfs, first, "--name=other")


def test_vllm_serves_what_it_was_started_with(ipfs, tmp_path, served):
    cid = add(ipfs, tmp_path / "a", HF)
    with fake.VllmLike(("old", "/old")) as server:
        configure(ipfs, "vllm", server, model_dir=served, server_dir="/models")
        err = fails(ipfs, cid, "--name=team/m")
        assert "serves old; the model stands ready at %s" % (served / "team/m" / cid) in err and "vllm serve /models/team/m/%s --served-model-name team/m" % cid in err
        assert fake.tree_hash(served / "team/m" / cid) == fake.tree_hash(tmp_path / "a")
        server.base, server.unhealthy = ("team/m", "/models/team/m/" + cid), 4  # started with it, still loading
        done = dispatch(ipfs, cid, "--name=team/m")
        assert done["Ready"] and done["Source"] == "cache" and server.unhealthy < 0
        other = add(ipfs, tmp_path / "b", {**HF, "model.safetensors": weights(9)})
        assert "takes a model at its start only" in fails(ipfs, other, "--name=team/m")  # the name alone is not the content


def test_sglang_exchanges_weights(ipfs, tmp_path, served):
    first, second = add(ipfs, tmp_path / "a", HF), add(ipfs, tmp_path / "b", {**HF, "model.safetensors": weights(9)})
    with fake.VllmLike(("old", "/old"), sglang=True) as server:
        configure(ipfs, "sglang", server, model_dir=served)
        for cid, folder in ((first, "a"), (second, "b"), (first, "a")):
            done = dispatch(ipfs, cid, "--name=m")
            assert server.base[1] == done["Place"] == str(served / "m" / cid) and server.has["base"] == fake.tree_hash(tmp_path / folder)
        n = server.count("POST *")
        assert dispatch(ipfs, first, "--name=m")["Source"] == "cache" and server.count("POST *") == n
        bad = add(ipfs, tmp_path / "c", {"model.safetensors": weights(3)})
        assert "400: Failed to get weights iterator" in fails(ipfs, bad, "--name=m")
    with fake.Ollama() as server:
        for kind in ("sglang", "vllm"):
            configure(ipfs, kind, server)
            assert "this is no " in fails(ipfs, first, "--name=new") and not (served / "new").exists()


def test_openai_is_only_looked_at(ipfs, tmp_path):
    cid = add(ipfs, tmp_path / "a", HF)
    with fake.VllmLike(("gpt", "gpt")) as server:
        configure(ipfs, "openai")
        assert "endpoints.gpu.host" in fails(ipfs, cid)
        for url in (server.url, server.url + "/v1"):
            ipfs("config", "endpoints.gpu.url", url)
            done = dispatch(ipfs, cid, "--name=gpt")
            assert done["Ready"] and (done["Source"], done["Bytes"], done["Way"]) == ("cache", 0, "") and done["Place"] == url
            err = fails(ipfs, cid, "--name=nope")
            assert "serves gpt and no nope; it cannot be given a model" in err
        assert all(r == "GET /v1/models" for r in server.seen)


# ---- the real MLServer ----

RUNTIME = '''
import pathlib
from mlserver import MLModel, types
from mlserver.utils import get_model_uri

class FirstByte(MLModel):
    """Answers with the fill of the weights it was loaded with."""

    async def load(self):
        self.fill = pathlib.Path(await get_model_uri(self.settings)).read_bytes()[-1]
        return True

    async def predict(self, payload):
        return types.InferenceResponse(model_name=self.name, outputs=[types.ResponseOutput(name="fill", shape=[1], datatype="INT64", data=[self.fill])])
'''


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@pytest.fixture
def mlserver(tmp_path, served):
    program = PEERS / "mlserver/bin/mlserver"
    if not program.exists():
        pytest.skip("skipped: PyPI mlserver is missing: run tools/install-peers")
    http, grpc, metrics = free_ports(3)
    (tmp_path / "runtime").mkdir()
    (tmp_path / "runtime/first_byte.py").write_text(RUNTIME)
    settings = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics, "host": "127.0.0.1", "parallel_workers": 0, "load_models_at_startup": False}
    (served / "settings.json").write_text(json.dumps(settings))
    log = open(tmp_path / "mlserver.log", "wb")
    process = subprocess.Popen([program, "start", str(served)], cwd=tmp_path, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(tmp_path / "runtime")})
    url = "http://127.0.0.1:%d" % http
    try:
        for _ in range(300):
            assert process.poll() is None, (tmp_path / "mlserver.log").read_text()[-2000:]
            try:
                urllib.request.urlopen(url + "/v2/health/live", timeout=2)
                break
            except OSError:
                time.sleep(0.2)
        yield url
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def test_the_real_mlserver(ipfs, tmp_path, served, mlserver):
    def content(fill, runtime="first_byte.FirstByte"):
        settings = {"name": "m", "implementation": runtime, "parameters": {"uri": "./model.safetensors"}}
        return add(ipfs, tmp_path / ("model-%d" % fill), {"model-settings.json": json.dumps(settings), "model.safetensors": weights(fill)})

    def ask():
        request = urllib.request.Request(mlserver + "/v2/models/m/infer", json.dumps({"inputs": []}).encode(), {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request, timeout=10))["outputs"][0]["data"]

    configure(ipfs, "mlserver", url=mlserver, model_dir=served, timeout="30")
    first, second = content(5), content(6)
    done = dispatch(ipfs, first, "--name=m")
    assert done["Source"] == "store" and done["Ready"] and ask() == [5]
    assert dispatch(ipfs, first, "--name=m")["Source"] == "cache" and ask() == [5]
    assert dispatch(ipfs, second, "--name=m")["Source"] == "store" and ask() == [6]
    assert "Model other not found" in fails(ipfs, first, "--name=other")
    assert "No module named 'first_byte.Missing'" in fails(ipfs, content(7, "first_byte.Missing"), "--name=m")
