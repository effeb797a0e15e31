"""Every request of every driver fails once: the server refuses it, or dies at it. The error is the server's words, or says which request; nothing counts as
done, and the next call brings the model there whole."""
import re

import pytest

import fake_servers as fake
from test_dispatch_servers import ADAPTER, HF, add, configure, dispatch, fails, tiny_gguf, weights

WORDS = "out of memory on GPU 7"


def gguf_of(i):
    return {"m.gguf": tiny_gguf(i)}


def repository_of(i):
    return {"config.pbtxt": 'backend: "x"\n', "1/model.onnx": b"onnx %d" % i}


def settings_of(i):
    return {"model-settings.json": '{"name":"m","implementation":"x.Y"}', "model.safetensors": weights(i)}


def adapter_of(i):
    return {**ADAPTER, "adapter_model.safetensors": weights(i, 64)}


def weights_of(i):
    return {**HF, "model.safetensors": weights(i)}


KINDS = {  # the server over a folder, what it is given, and what it has then
    "ollama": (lambda served: fake.Ollama(), gguf_of, None), "llamacpp": (fake.LlamaCpp, gguf_of, "m"), "triton": (fake.Repository, repository_of, "m"),
    "mlserver": (lambda served: fake.Repository(served, settings=True), settings_of, "m"), "vllm": (lambda served: fake.VllmLike(("base", "/elsewhere")), adapter_of, "m"),
    "sglang adapters": (lambda served: fake.VllmLike(("base", "/elsewhere"), sglang=True), adapter_of, "m"), "sglang": (lambda served: fake.VllmLike(("old", "/old"), sglang=True), weights_of, "base"),
}


def pattern_of(request):
    return re.sub(r"sha256:[0-9a-f]{64}", "*", request).replace("?", "[?]")


def holds(server, folder, has):
    if has:
        return server.has.get(has) == (fake.tree_hash(folder / "m.gguf") if (folder / "m.gguf").exists() else fake.tree_hash(folder))
    return server.loaded == {"m:latest"} and list(server.models["m:latest"]["files"].values())[0] in server.blobs and server.blobs[list(server.models["m:latest"]["files"].values())[0]] == (folder / "m.gguf").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_every_request_may_fail(ipfs, tmp_path, kind):
    make, content_of, has = KINDS[kind]
    served = tmp_path / "served"
    served.mkdir()
    n = 0

    def content():
        nonlocal n
        n += 1
        cid = add(ipfs, tmp_path / str(n), content_of(n))
        return cid + "/m.gguf" if kind == "llamacpp" else cid

    with make(served) as server:
        configure(ipfs, kind.split()[0], server, **({} if kind == "ollama" else {"model_dir": served}))
        dispatch(ipfs, content(), "--name=m")
        del server.seen[:]
        dispatch(ipfs, content(), "--name=m")  # other content under the name: everything a driver ever asks for
        assert holds(server, tmp_path / str(n), has)
        patterns = sorted({pattern_of(request) for request in server.seen})
        assert len(patterns) >= 3, patterns
        ipfs("config", "endpoints.gpu.timeout", "1")
        for pattern in patterns:
            for fault in (fake.refuses(500, WORDS), lambda h: h.die()):
                cid = content()
                server.faults = {pattern: fault}
                err = fails(ipfs, cid, "--name=m")
                assert WORDS in err or re.split(r"[*[]", pattern.split()[1])[0] in err or "is not ready after 1 s" in err, (pattern, err)
                server.faults = {}
                assert dispatch(ipfs, cid, "--name=m")["Ready"] and holds(server, tmp_path / str(n), has), pattern
    assert "connect" in fails(ipfs, content(), "--name=m").lower()  # the server is gone


def test_openai_may_fail(ipfs, tmp_path):
    cid = add(ipfs, tmp_path / "a", HF)
    with fake.VllmLike(("gpt", "gpt")) as server:
        configure(ipfs, "openai", server, timeout="1")
        for fault, words in ((fake.refuses(500, WORDS), "500: " + WORDS), (lambda h: h.die(), "/v1/models"), (fake.cut, "/v1/models"), (lambda h: h.send(200, b"<html>"), "this is no"),
                             (fake.refuses(401, WORDS), "set token_env or api_key")):
            server.faults = {"GET /v1/models": fault}
            assert words in fails(ipfs, cid, "--name=gpt")
        server.faults = {}
        assert dispatch(ipfs, cid, "--name=gpt")["Ready"]
    assert "connect" in fails(ipfs, cid, "--name=gpt").lower()
