"""The programs of examples/: built against the installed library or run with the package, as they stand."""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from conftest import ROOT, peer_python
from engines import IMAGE
from test_install import find, installed  # noqa: F401 (a fixture)

EXAMPLES = ROOT / "examples"


def test_every_example_is_run_and_told_of():
    text = (EXAMPLES / "README.md").read_text()
    here = pathlib.Path(__file__).read_text()
    for path in EXAMPLES.iterdir():
        if path.name != "README.md" and path.is_file():
            assert "`%s`" % path.name in text and '"%s"' % path.name in here, path.name


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model").mkdir()
    header = b'{"__metadata__":{"format":"pt"},"big":{"dtype":"F32","shape":[256,64],"data_offsets":[0,65536]},"small":{"dtype":"U8","shape":[3],"data_offsets":[65536,65539]}}'
    (tmp_path / "model/model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0\0\x3f" * 16384 + b"abc")
    (tmp_path / "model/config.json").write_text('{"layers": 2}')
    return tmp_path / "model"


@pytest.fixture
def compiled(installed, tmp_path):  # noqa: F811
    if not shutil.which("pkg-config"):
        pytest.skip("skipped: pkg-config is missing")
    env = {**os.environ, "PKG_CONFIG_PATH": str(find(installed, "ipfsa.pc").parent), "PKG_CONFIG_SYSROOT_DIR": str(installed)}
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "ipfsa"], env=env, stdout=subprocess.PIPE, text=True, check=True).stdout.split()

    def build(name):
        target = tmp_path / name.removesuffix(".c")
        subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-o", target, EXAMPLES / name, *flags], check=True)

        def run(*args):
            return subprocess.run([target, *map(str, args)], cwd=tmp_path, env={**os.environ, "LD_LIBRARY_PATH": str(find(installed, "libipfsa.so").parent)},
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        return run
    return build


def test_in_c(compiled, model, tmp_path):
    run = compiled("add_and_get.c")
    done = run("repo", "model", "copy")
    assert done.returncode == 0, done.stderr
    assert re.match(r"added bafkrei\w+ model/config.json \(13 bytes\)\n", done.stdout)
    cid = re.search(r"^(bafybei\w+) is in copy$", done.stdout, re.M).group(1)
    assert (tmp_path / "copy/model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()
    assert run("repo", "nothing", "copy2").returncode == 1 and run().returncode == 2
    show = compiled("tensors.c")
    done = show("repo", cid)
    assert done.returncode == 0, done.stderr
    assert "big F32 [256,64] sum %d," % (16384 * 0x3f) in done.stdout and "small U8 [3] sum %d, " % sum(b"abc") in done.stdout
    assert show("repo", "nonsense").returncode == 1 and show("no-repo", cid).returncode == 1


@pytest.fixture
def example(package_env, tmp_path):
    def run(name, *args, interpreter=sys.executable, **env):
        return subprocess.run([interpreter, EXAMPLES / name, *map(str, args)], cwd=tmp_path, env={**package_env, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120)
    return run


def test_in_python(example, model, tmp_path):
    done = example("add_and_get.py", "model", "copy")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy/config.json").read_text() == (model / "config.json").read_text() and ": 2 files" in done.stdout
    assert example("add_and_get.py").returncode == 1


def test_arrays(example, model):
    numpy = peer_python("python", "NumPy")
    cid = re.search(r"bafybei\w+", example("add_and_get.py", "model", "copy", interpreter=numpy).stdout).group()
    done = example("tensors.py", cid, interpreter=numpy)
    assert done.returncode == 0, done.stderr
    assert "safetensors, 2 tensors, 65539 bytes" in done.stdout and "big its first row has mean 0.5" in done.stdout


def test_files(python, model, tmp_path):
    """The entry point is that of an installed package; here the class is made known by hand."""
    python("""
import fsspec, runpy
fsspec.register_implementation('ipfs', 'ipfs_accelerate_py.filesystem.IPFSFileSystem', clobber=True)
sys.argv = ['%s', 'model', 'team/model']
runpy.run_path(sys.argv[0], run_name='__main__')
assert ia.get_alias('team/model') and 'put from' in ia.cat(ia.get_alias('team/model-notes')).decode()
print('1')
""" % (EXAMPLES / "files.py"), interpreter=peer_python("accelerate", "PyPI fsspec"))


def test_a_server(package_env, example, model, tmp_path):
    cid = re.search(r"bafybei\w+", example("add_and_get.py", "model", "copy").stdout).group()
    server = subprocess.Popen([sys.executable, EXAMPLES / "serve.py"], cwd=tmp_path, env=package_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        top = server.stdout.readline().strip()
        with urllib.request.urlopen("%s/ipfs/%s/model.safetensors" % (top, cid), timeout=20) as page:
            assert page.read() == (model / "model.safetensors").read_bytes()
        for path in (cid, cid + "/nothing", "nonsense"):
            with pytest.raises(urllib.error.HTTPError) as told:
                urllib.request.urlopen("%s/ipfs/%s" % (top, path), timeout=20)
            assert told.value.code == 404
            told.value.close()
    finally:
        server.send_signal(signal.SIGINT)
        _, said = server.communicate(timeout=20)
    assert server.returncode == 0 and not said, said


@pytest.mark.parametrize("interpreter", ["python", None])
def test_quickstart_without_an_engine(example, tmp_path, interpreter):
    done = example("quickstart.py", interpreter=peer_python(interpreter, "NumPy") if interpreter else "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable,
                   DOCKER_HOST="unix:///nowhere/docker.sock", QUICKSTART_MB="4", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.search(r"ms  it goes into the store, durable: ipfs://bafybei\w+$", lines[1]) and "without a container: container engine unix:///nowhere" in lines[-1]
    assert not interpreter or any("4 tensors, 4 MiB" in line for line in lines)
    assert not [p for p in tmp_path.iterdir() if "quickstart" in p.name]


def test_quickstart_with_an_engine(docker_engine, example, tmp_path):
    try:
        done = example("quickstart.py", IMAGE, DOCKER_HOST=docker_engine.host, QUICKSTART_MB="4", TMPDIR=str(tmp_path))
        assert done.returncode == 0, done.stderr
        assert "read-only: running" in done.stdout and 'its configuration: {"model_type": "made-up", "layers": 4}' in done.stdout
        assert docker_engine.get("/containers/json?all=1") == []
    finally:
        docker_engine.remove_all()
