"""Limits of what servers, senders and receivers of models say, and of what is given to them: at the limit and one past it (docs/LIMITS.md)."""
import os
import resource
import subprocess
import tempfile

import pytest

import fake_servers as fake
from test_dispatch_servers import add, configure, dispatch, fails, tiny_gguf, weights
from test_dispatch_shm import DRIVER, Receiver, bad_sender, text

ANSWER, LINE, LINES = 16 << 20, 1 << 20, 256 << 20


@pytest.fixture
def ollama(ipfs, tmp_path):
    with fake.Ollama() as server:
        configure(ipfs, "ollama", server, timeout="60")
        yield server


@pytest.mark.parametrize("more", [0, 1])
def test_answers_of_servers(ipfs, tmp_path, ollama, more):
    cid = add(ipfs, tmp_path / "a", {"m.gguf": tiny_gguf()})
    body = b'{"models":[]}'
    ollama.faults["GET /api/tags"] = lambda h: h.send(200, body + b" " * (ANSWER + more - len(body)))
    assert ("the answer is over %d bytes" % ANSWER if more else "does not list m") in fails(ipfs, cid, "--name=m")


def in_lines(*pieces):
    """Pieces as they are, in chunks."""
    def answer(h):
        h.body()
        h.send_response(200)
        h.send_header("Transfer-Encoding", "chunked")
        h.end_headers()
        for piece in pieces:
            try:
                h.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            except OSError:
                return h.die()
        h.wfile.write(b"0\r\n\r\n")
    return answer


@pytest.mark.parametrize("more", [0, 1])
def test_a_line_of_an_answer(ipfs, tmp_path, ollama, more):
    cid = add(ipfs, tmp_path / "a", {"m.gguf": tiny_gguf()})
    head, tail = b'{"status":"', b'"}'
    ollama.faults["POST /api/create"] = in_lines(head + b"x" * (LINE + more - len(head) - len(tail)) + tail + b"\n", b'{"status":"success"}\n')
    assert ("a line of its answer is over %d bytes" % LINE if more else "says success and does not list m") in fails(ipfs, cid, "--name=m")


@pytest.mark.parametrize("more", [0, 1])
def test_all_lines_of_an_answer(ipfs, tmp_path, ollama, more):
    cid = add(ipfs, tmp_path / "a", {"m.gguf": tiny_gguf()})
    last, blank = b'{"status":"success"}\n', b" " * (LINE - 1) + b"\n"
    ollama.faults["POST /api/create"] = in_lines(*[blank] * (LINES // LINE - 1), blank[:-1 - len(last)] + b" " * more + b"\n", last)
    assert ("the answer is over %d bytes" % LINES if more else "says success and does not list m") in fails(ipfs, cid, "--name=m")


@pytest.mark.parametrize("more", [0, 1])
def test_words_of_a_server(ipfs, tmp_path, ollama, more):
    cid = add(ipfs, tmp_path / "a", {"m.gguf": tiny_gguf()})
    ollama.faults["POST /api/create"] = fake.refuses(500, "w" * (300 + more))
    err = fails(ipfs, cid, "--name=m")
    assert (": " + "w" * 300 + ("…" if more else "") + "\n") in err


@pytest.mark.parametrize("more", [0, 1])
def test_files_for_ollama(ipfs, tmp_path, ollama, more):
    """At the limit its digests are asked for; the server says that it has them all, and then which it does not have."""
    cid = add(ipfs, tmp_path / "a", {"model.safetensors": weights(1), **{"%04d.json" % i: "{}" for i in range(1023 + more)}})
    ollama.faults["HEAD *"] = lambda h: h.send(200)
    err = fails(ipfs, cid, "--name=m")
    assert ("1025 files; Ollama takes 1024" in err) == bool(more) and (ollama.count("HEAD *"), ollama.count("POST /api/create")) == ((0, 0) if more else (1024, 1)), err


def test_names_of_models(ipfs, tmp_path):
    (tmp_path / "served").mkdir()
    configure(ipfs, "path", model_dir=tmp_path / "served")
    cid = add(ipfs, tmp_path / "a", {"model.safetensors": weights(1)})
    for org, name in ((96, 96), (97, 1), (1, 97)):
        words = "--name=%s/%s" % ("o" * org, "n" * name)
        if org == name:
            assert (tmp_path / "served" / dispatch(ipfs, cid, words)["Place"] / "model.safetensors").read_bytes() == weights(1)
        else:
            assert "a part has at most 96 bytes" in ipfs("dispatch", "--endpoint=gpu", words, cid, check=False).err


def test_entries_of_a_folder(ipfs, tmp_path):
    """At the limit the server is looked for, which is not there."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/model.safetensors").write_bytes(weights(1))
    for i in range(65535):
        os.close(os.open(tmp_path / ("a/%d" % i), os.O_CREAT | os.O_WRONLY))
    configure(ipfs, "ollama", url="http://127.0.0.1:1")
    for more in range(2):
        cid = ipfs.text("add", "-rQ", "--cid-version=1", tmp_path / "a")
        assert ("over 65536 files and folders" if more else "127.0.0.1:1") in ipfs("dispatch", "--endpoint=gpu", "--name=m", cid, check=False).err
        (tmp_path / "a/one-more").touch()


# ---- hand-over ----

@pytest.fixture
def at(ipfs, tmp_path):
    path = tmp_path / "s"
    if len(str(path)) > 100:
        pytest.skip("skipped: the temporary folder has too long a name for a socket")
    configure(ipfs, "shm", socket=path, timeout="60")
    return path


def test_files_of_a_hand_over(ipfs, tmp_path, at):
    """Each is a descriptor of the receiver's, which it is allowed here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4200:
        pytest.skip("skipped: a process may not have 4096 files open here")
    files = {"model.safetensors": weights(1), **{"%d" % i: "" for i in range(4095)}}
    resource.setrlimit(resource.RLIMIT_NOFILE, (4200, hard))
    try:
        receiver = Receiver(at)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with receiver:
        cid = add(ipfs, tmp_path / "a", {**files, "4095": ""})
        assert "4097 files; at most 4096 are handed over" in fails(ipfs, cid, "--name=m")
        (tmp_path / "a/4095").unlink()
        cid = ipfs.text("add", "-rQ", "--cid-version=1", tmp_path / "a")
        assert dispatch(ipfs, cid, "--name=m")["Ready"]
        assert receiver.line() == "m %s 4096 1 65536 65536" % cid


def test_texts_and_names_of_a_hand_over(tmp_path, at):
    blob = weights(1)
    (tmp_path / "w").write_bytes(blob)
    cid = "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"

    def sent(name, padding):
        head = b'{"version":1,"cid":"%s","model":"m","folder":false,"files":[{"name":"%s","size":%d}]}' % (cid.encode(), name, len(blob))
        return [b"IPFSAHND", text(head + b" " * (padding - len(head)))]

    with open(tmp_path / "w", "rb") as good, Receiver(at, 4) as receiver:
        for name, padding, words in ((b"m", 4 << 20, None), (b"n" * 4096, 0, None), (b"m", (4 << 20) + 1, "at most 4194304"), (b"n" * 4097, 0, "no name or no size")):
            answer = bad_sender(at, [*sent(name, padding), (b"F", good.fileno())])
            line = receiver.line()
            if words:
                assert line.startswith("refused: ") and words in line
            else:
                assert answer == {"ready": True, "tensors": 1, "asks": True} and line == "m %s 1 1 65536 65536" % cid


def test_names_of_sockets():
    """sun_path has 108 bytes, one of them for its end."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        for n in (107, 108):
            path = folder + "/" + "s" * (n - len(folder) - 1)
            done = subprocess.run([DRIVER, path, "0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)
            assert (done.returncode, "a path of over 107 bytes" in done.stderr) == (n - 107, n > 107)
