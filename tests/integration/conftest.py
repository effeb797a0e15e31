"""Fixtures for tests that drive the real program: `ipfs` runs it in a fresh repo; peers are found in the cache folder."""
import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from engines import docker_engine, podman_engine  # noqa: F401 (fixtures)

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path(os.environ.get("IPFSA_PROGRAM", ROOT / "build/ipfs-accelerate")).resolve()
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
PEERS = pathlib.Path(os.environ.get("IPFSA_PEERS", CACHE / "ipfs-accelerate/peers"))
PACKAGE = ROOT / "python"
LIBRARY = PROGRAM.parent / "libipfsa.so.0"
SHARED_VECTORS = pathlib.Path(os.environ.get("IPFSA_VECTORS", ROOT.parent / "shared/vectors"))

signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it, and so would all that tests start

ABSENT = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"  # of content that no store here has


class Done:
    """What one run of a program gave."""

    def __init__(self, process):
        self.code = process.returncode
        self.out_bytes = process.stdout
        self.err_bytes = process.stderr

    out = property(lambda self: self.out_bytes.decode(errors="surrogateescape"))
    err = property(lambda self: self.err_bytes.decode(errors="surrogateescape"))


class Ipfs:
    """One program over one repo. Called with arguments it runs and, unless check=False, must succeed."""

    def __init__(self, program, repo, cwd=None, env=None):
        self.program, self.repo, self.cwd = str(program), pathlib.Path(repo), cwd
        self.env = {**os.environ, "IPFSA_PATH": str(repo), "IPFS_PATH": str(repo), "LC_ALL": "C.UTF-8", **(env or {})}

    def __call__(self, *args, check=True, stdin=None, timeout=120, cwd=None, env=None):
        process = subprocess.run([self.program, *map(str, args)], cwd=cwd or self.cwd, env={**self.env, **(env or {})},
                                 input=stdin, stdin=subprocess.DEVNULL if stdin is None else None,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)
        done = Done(process)
        if check:
            assert done.code == 0, "%s: exit code %d: %s" % (" ".join(map(str, args)), done.code, done.err)
        return done

    def text(self, *args, **kwargs):
        return self(*args, **kwargs).out.strip()


@pytest.fixture(scope="session")
def program():
    if not PROGRAM.exists():
        pytest.fail("the program %s is not built: run make" % PROGRAM)
    return PROGRAM


@pytest.fixture
def ipfs(program, tmp_path):
    """Our program in a fresh repo; its working folder is the test's own."""
    node = Ipfs(program, tmp_path / "repo", cwd=tmp_path)
    node("init")
    return node


@pytest.fixture(scope="session")
def kubo_program():
    path = PEERS / "ipfs"
    if not path.exists():
        pytest.skip("skipped: real Kubo is missing: run tools/install-peers")
    return path


@pytest.fixture
def kubo(kubo_program, tmp_path):
    node = Ipfs(kubo_program, tmp_path / "kubo-repo", cwd=tmp_path)
    node("init", "--empty-repo")
    return node


@pytest.fixture
def package_env(program, tmp_path):
    """Of a process that uses the Python package of the tree with the built library, and a store of the test's own."""
    return {**os.environ, "PYTHONPATH": str(PACKAGE), "IPFSA_LIBRARY": str(LIBRARY), "IPFSA_PROGRAM": str(program), "IPFSA_PATH": str(tmp_path / "repo"),
            "PYTHONDONTWRITEBYTECODE": "1", "IPFS_ACCELERATE_CONFIG": str(tmp_path / "config.toml")}


@pytest.fixture
def python(package_env, tmp_path):
    """Runs a script with the package; what it prints last, as JSON, is returned."""
    def run(script, *args, check=True, interpreter=sys.executable, **env):
        done = subprocess.run([interpreter, "-W", "error::ResourceWarning", "-c", "import json, os, sys\nimport ipfs_accelerate_py as ia\n" + script, *map(str, args)], cwd=tmp_path,
                              env={**package_env, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        if not check:
            return done
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1]) if done.stdout else None
    return run


def safetensors_file(tensors, metadata=None):
    """tensors: (name, dtype, shape, bytes)."""
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, dtype, shape, content in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.safetensors").write_bytes(safetensors_file(
        [("a.weight", "F32", [3, 2], bytes(range(24))), ("b", "BF16", [2], b"\x80\x3f\x00\x40"), ("none", "I64", [0, 5], b""), ("one", "U8", [], b"\x07")], {"format": "pt"}))


def peer_python(name, what):
    """An interpreter that has real packages beside it, by its folder."""
    interpreter = PEERS / name / "bin/python"
    if not interpreter.exists():
        pytest.skip("skipped: %s is missing: run tools/install-peers" % what)
    return str(interpreter)


def seed():
    return int(os.environ.get("IPFSA_SEED", "0"))


def soak_seconds(default):
    return int(os.environ.get("IPFSA_SOAK_SECONDS", default))
