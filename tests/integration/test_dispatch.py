"""Models dispatched to folders: whole or not at all, once, and as the Hugging Face hub's own client finds them."""
import json
import os
import pathlib
import subprocess
import tempfile

import pytest

from conftest import PEERS


def weights(fill=0):
    header = b'{"w":{"dtype":"F16","shape":[2,65536],"data_offsets":[0,262144]}}'
    return len(header).to_bytes(8, "little") + header + bytes([fill]) * 262144


@pytest.fixture
def served(ipfs, tmp_path):
    (tmp_path / "served").mkdir()
    ipfs("config", "endpoints.local.kind", "path")
    ipfs("config", "endpoints.local.model_dir", tmp_path / "served")
    return tmp_path / "served"


def add(ipfs, folder, fill=0, **more):
    (folder / "below").mkdir(parents=True, exist_ok=True)
    (folder / "model.safetensors").write_bytes(weights(fill))
    (folder / "below/config.json").write_text('{"fill": %d}\n' % fill)
    for name, data in more.items():
        (folder / name.replace("__", ".")).write_bytes(data)
    return ipfs.text("add", "-rQ", "--cid-version=1", folder)


def dispatch(ipfs, *args):
    return json.loads(ipfs("dispatch", "--json", *args).out)


def same(a, b):
    files = sorted(p.relative_to(a) for p in a.rglob("*"))
    assert files == sorted(p.relative_to(b) for p in b.rglob("*"))
    for f in files:
        assert not (a / f).is_file() or (a / f).read_bytes() == (b / f).read_bytes(), f


def test_a_folder_is_published_once_and_exchanged(ipfs, served, tmp_path):
    first, second = add(ipfs, tmp_path / "a", 1), add(ipfs, tmp_path / "b", 2)
    done = dispatch(ipfs, first, "--name=org/model")
    assert done["Source"] == "store" and done["Ready"] and done["Way"] in ("reflink", "link", "copy") and done["Format"] == "safetensors"
    size = sum(p.stat().st_size for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert done["Bytes"] == size and done["Place"] == str(served / "org/model") and done["Endpoint"] == "local" and done["Model"] == "org/model"
    same(tmp_path / "a", served / "org/model")
    inode = (served / "org/model/model.safetensors").stat().st_ino
    again = dispatch(ipfs, first, "--name=org/model")
    assert (again["Source"], again["Bytes"], again["Way"]) == ("cache", 0, "") and (served / "org/model/model.safetensors").stat().st_ino == inode
    dispatch(ipfs, second, "--name=org/model")
    same(tmp_path / "b", served / "org/model")
    assert os.listdir(served / "org") == ["model"]  # nothing temporary, nothing old
    ipfs("repo", "gc", "--quiet")
    same(tmp_path / "b", served / "org/model")


def test_on_another_file_system_it_is_copied(ipfs, served, tmp_path):
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(served).st_dev:
        pytest.skip("skipped: no second file system at /dev/shm")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as there:
        ipfs("config", "endpoints.local.model_dir", there)
        done = dispatch(ipfs, add(ipfs, tmp_path / "a", 1), "--name=m")
        assert done["Way"] == "copy" and done["Bytes"] == 262144 + 73 + 12, done
        same(tmp_path / "a", pathlib.Path(there) / "m")
        assert oct((pathlib.Path(there) / "m/below").stat().st_mode)[-3:] == "755" and oct((pathlib.Path(there) / "m/below/config.json").stat().st_mode)[-3:] == "444"
        dispatch(ipfs, add(ipfs, tmp_path / "b", 2), "--name=m")
        same(tmp_path / "b", pathlib.Path(there) / "m")
        assert os.listdir(there) == ["m"]


def test_many_at_once_and_what_a_killed_one_left(ipfs, served, tmp_path):
    first, second = add(ipfs, tmp_path / "a", 1), add(ipfs, tmp_path / "b", 2)
    (served / ".ipfs-accelerate-0000000000000000").mkdir()
    running = [subprocess.Popen([ipfs.program, "dispatch", cid, "--name=m"], env=ipfs.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for cid in (first, second) * 3]
    for process in running:
        err = process.communicate(timeout=60)[1]
        assert process.returncode == 0, err
    assert os.listdir(served) == ["m"]
    same(tmp_path / ("a" if (served / "m/below/config.json").read_text() == '{"fill": 1}\n' else "b"), served / "m")


def test_what_was_touched_is_put_there_again(ipfs, served, tmp_path):
    cid = add(ipfs, tmp_path / "a")
    place = pathlib.Path(dispatch(ipfs, cid)["Place"])
    (place / "below/config.json").unlink()
    assert dispatch(ipfs, cid)["Source"] == "store"
    same(tmp_path / "a", place)


def test_a_file_has_its_suffix_and_what_is_not_ours_stays(ipfs, served, tmp_path):
    cid = add(ipfs, tmp_path / "a")
    assert dispatch(ipfs, cid + "/model.safetensors")["Place"] == str(served / "model.safetensors")
    assert (served / "model.safetensors").read_bytes() == weights()
    (served / "mine.safetensors").write_text("mine")
    done = ipfs("dispatch", cid + "/model.safetensors", "--name=mine", check=False)
    assert done.code == 1 and "was not dispatched from this repo" in done.err and (served / "mine.safetensors").read_text() == "mine"
    ipfs("alias", "set", "team/small", cid)
    assert dispatch(ipfs, "team/small")["Place"] == str(served / "team/small")


@pytest.mark.parametrize("damage,word", [(b"", "below"), (b"\xff" * 40, "below")])
def test_bad_files_are_refused_before_anything_is_done(ipfs, served, tmp_path, damage, word):
    add(ipfs, tmp_path / "a")
    (tmp_path / "a/below/other.safetensors").write_bytes(damage)
    cid = ipfs.text("add", "-rQ", "--cid-version=1", tmp_path / "a")
    assert ipfs("dispatch", cid, check=False).code == 1 and os.listdir(served) == []
    (tmp_path / "bad.safetensors").write_bytes(weights()[:-1])
    done = ipfs("dispatch", ipfs.text("add", "-Q", tmp_path / "bad.safetensors"), check=False)
    assert done.code == 1 and done.err.startswith("Error: ") and os.listdir(served) == []


@pytest.mark.parametrize("name,data", [("old.bin", b"cos\nsystem\n(S'true'\ntR."), ("any.pkl", b"no pickle"), ("z.bin", b"PK\x03\x04"), ("a.joblib", b"")])
def test_whatever_may_be_a_pickle_is_taken_for_one(ipfs, served, tmp_path, name, data):
    done = ipfs("dispatch", add(ipfs, tmp_path / "a", **{name.replace(".", "__"): data}), check=False)
    assert done.code == 1 and name + " is a pickle" in done.err and os.listdir(served) == []


def test_pickles_only_when_allowed(ipfs, served, tmp_path):
    cid = add(ipfs, tmp_path / "a", optimizer__bin=b"\x80\x02}q\x00.", plain__bin=b"no pickle", zeros__bin=bytes(8))
    done = ipfs("dispatch", cid, check=False)
    assert done.code == 1 and "optimizer.bin is a pickle" in done.err and "CVE-2025-32434" in done.err and os.listdir(served) == []
    done = ipfs("dispatch", cid, "--allow-pickle", "--name=m")
    assert "Warning: " in done.err and "optimizer.bin" in done.err and "plain.bin" not in done.err and "zeros.bin" not in done.err
    same(tmp_path / "a", served / "m")


@pytest.mark.parametrize("name", ["../up", "a/b/c", "/abs", ".hidden", "a--b", "a..b", "", "a/", "x" * 97])
def test_names_that_are_none(ipfs, served, tmp_path, name):
    done = ipfs("dispatch", add(ipfs, tmp_path / "a"), "--name=" + name, check=False)
    assert done.code == 1 and "model name" in done.err and os.listdir(served) == []


def test_endpoints(ipfs, served, tmp_path):
    cid = add(ipfs, tmp_path / "a")
    done = ipfs("config", "endpoints.gpu.kind", "olama", check=False)
    assert done.code == 1 and "endpoints.gpu" in done.err and "path|shm|ollama|llamacpp" in done.err
    for key, value in (("kind", "vllm"), ("url", "http://gpu:8000"), ("api_key", "12345678s3cret")):
        ipfs("config", "endpoints.gpu." + key, value)
    rows = [json.loads(line) for line in ipfs("endpoint", "ls", "--json").out.splitlines()]
    assert [(r["Name"], r["Kind"], r["Default"]) for r in rows] == [("local", "path", True), ("gpu", "vllm", False)]
    assert rows[0]["Problem"] == "" and "endpoints.gpu.model_dir" in rows[1]["Problem"] and rows[1]["Url"] == "http://gpu:8000"
    assert "s3cret" not in ipfs("endpoint", "ls").out + ipfs("endpoint", "ls", "--json").out
    for endpoint, why in (("gpu", "endpoints.gpu.model_dir"), ("none", 'no endpoint "none"')):
        done = ipfs("dispatch", cid, "--endpoint=" + endpoint, check=False)
        assert done.code == 1 and why in done.err and "s3cret" not in done.err
    ipfs("config", "endpoints.local.model_dir", "/nonexistent/models")
    done = ipfs("dispatch", cid, check=False)
    assert done.code == 1 and "model_dir /nonexistent/models" in done.err
    assert ipfs("config", "--json", "endpoints.local.timeout", '"soon"', check=False).code == 1
    assert ipfs("config", "--json", "endpoints.local.timeout", "86401", check=False).code == 1
    ipfs("config", "--json", "endpoints.local.timeout", "86400")


def test_the_hubs_own_client_takes_the_folder(ipfs, served, tmp_path):
    python = PEERS / "accelerate/bin/python"
    if not python.exists():
        pytest.skip("skipped: huggingface_hub is missing: run tools/install-peers")
    ipfs("config", "endpoints.local.layout", "huggingface")

    def ask(name):
        done = subprocess.run([python, "-c", "import sys; from huggingface_hub import snapshot_download; print(snapshot_download(sys.argv[1]))", name], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(served)})
        assert done.returncode == 0, done.stderr[-2000:]
        return pathlib.Path(done.stdout.strip())

    first, second = add(ipfs, tmp_path / "a", 1), add(ipfs, tmp_path / "b", 2)
    place = dispatch(ipfs, first, "--name=org/model")["Place"]
    assert str(ask("org/model")) == place
    same(tmp_path / "a", ask("org/model"))
    assert dispatch(ipfs, first, "--name=org/model")["Source"] == "cache"
    dispatch(ipfs, second, "--name=org/model")
    same(tmp_path / "b", ask("org/model"))
    assert len(os.listdir(served / "models--org--model/snapshots")) == 2
    dispatch(ipfs, first)
    same(tmp_path / "a", ask("ipfs/" + first))
    dispatch(ipfs, first + "/model.safetensors", "--name=one")
    assert (ask("one") / "model.safetensors").read_bytes() == weights(1)
