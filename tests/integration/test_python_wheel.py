"""What pip builds and installs, used alone."""
import base64
import hashlib
import importlib
import os
import re
import shutil
import subprocess
import sys
import types
import zipfile

import pytest

from conftest import LIBRARY, PACKAGE, ROOT
from test_python_seed import SURFACE


def test_the_program_by_the_package(python, program):
    done = subprocess.run([sys.executable, "-m", "ipfs_accelerate_py", "version", "-n"], env={**os.environ, "PYTHONPATH": str(PACKAGE), "IPFSA_PROGRAM": str(program)},
                          stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0 and re.fullmatch(r"\d+\.\d+\.\d+\n", done.stdout)


def test_a_wheel_holds_every_file():
    listed = set(re.findall(r"package / '([\w.]+)'", (PACKAGE / "meson.build").read_text())) - {"native"}
    assert listed == {p.name for p in (PACKAGE / "ipfs_accelerate_py").iterdir() if p.is_file()}


def other_pythons():
    """Those that run here beside the one of the tests."""
    found = [shutil.which("python3.%d" % minor) for minor in range(9, 16)]
    return [path for path in found if path and subprocess.run([path, "-c", "import ctypes"], stderr=subprocess.DEVNULL).returncode == 0]


def test_the_tag_of_a_wheel(tmp_path, monkeypatch):
    """The back end changes it, and what says so in the wheel, and nothing else."""
    hooks = types.SimpleNamespace(**dict.fromkeys(("build_editable", "build_sdist", "get_requires_for_build_editable", "get_requires_for_build_sdist", "get_requires_for_build_wheel")))
    monkeypatch.setitem(sys.modules, "mesonpy", hooks)
    monkeypatch.syspath_prepend(str(ROOT / "tools/back_end"))
    back_end = importlib.import_module("ipfsa_wheel")
    inside = {"x/native/x": b"program", "x-1.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-linux_x86_64",
              "x-1.dist-info/RECORD": b"x/native/x,sha256=abc,7\nx-1.dist-info/WHEEL,sha256=old,60\nx-1.dist-info/RECORD,,\n"}

    def build_wheel(folder, *_):
        with zipfile.ZipFile(os.path.join(folder, "x-1-cp311-cp311-linux_x86_64.whl"), "w") as made:
            for name, data in inside.items():
                item = zipfile.ZipInfo(name)
                item.external_attr = 0o100755 << 16
                made.writestr(item, data)
        return "x-1-cp311-cp311-linux_x86_64.whl"
    hooks.build_wheel = build_wheel
    assert back_end.build_wheel(str(tmp_path)) == "x-1-py3-none-linux_x86_64.whl" and os.listdir(tmp_path) == ["x-1-py3-none-linux_x86_64.whl"]
    with zipfile.ZipFile(tmp_path / "x-1-py3-none-linux_x86_64.whl") as made:
        got = {item.filename: made.read(item) for item in made.infolist()}
        assert [item.external_attr >> 16 for item in made.infolist()] == [0o100755] * 3
    about = inside["x-1.dist-info/WHEEL"].replace(b"cp311-cp311", b"py3-none")
    digest = base64.urlsafe_b64encode(hashlib.sha256(about).digest()).rstrip(b"=").decode()
    assert got == {**inside, "x-1.dist-info/WHEEL": about, "x-1.dist-info/RECORD": inside["x-1.dist-info/RECORD"].replace(b"sha256=old,60", b"sha256=%s,%d" % (digest.encode(), len(about)))}
    assert back_end.retag(str(tmp_path), "x-1-py3-none-linux_x86_64.whl") == "x-1-py3-none-linux_x86_64.whl"


def test_what_pip_installs_works_alone(tmp_path):
    """pip install . in a new environment, as a user does it, used from elsewhere: library, program, package and entry points come along."""
    if shutil.disk_usage(tmp_path).free < 2 << 30:
        pytest.skip("skipped: a whole build takes 2 GB of disk")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("IPFSA_", "PYTHON", "LD_"))}
    done = subprocess.run([tmp_path / "venv/bin/pip", "install", "-q", "--disable-pip-version-check", ROOT], env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=900)
    if done.returncode and re.search(r"No matching distribution|Connection|Temporary failure|Could not fetch", done.stdout):
        pytest.skip("skipped: no PyPI here: " + done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout[-3000:]
    (tmp_path / "f").write_text("hello\n")
    env = {**clean, "IPFSA_PATH": str(tmp_path / "repo"), "TMPDIR": str(tmp_path)}
    python = tmp_path / "venv/bin/python"

    def run(*command, **more):
        return subprocess.run(command, cwd=tmp_path, env={**env, **more}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout

    script = "import ipfs_accelerate_py as ia; r = ia.add_file('f'); print(r['cid'], ia.cat(r['cid'])); print(*[l.split()[-1] for l in open('/proc/self/maps') if 'libipfsa' in l][:1])"
    said, library = run(python, "-c", script).splitlines()
    assert said == "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN b'hello\\n'" and library.startswith((str(tmp_path / "venv"), "/usr/", "/lib"))
    assert run(tmp_path / "venv/bin/ipfs-accelerate", "cat", "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN") == "hello\n"
    assert run(python, "-c", "import ipfs_accelerate_py.config; print(type(ipfs_accelerate_py.config))") == "<class 'type'>\n"
    points = "import importlib.metadata as m; print(sorted(e.name for e in m.distribution('ipfs-accelerate-py').entry_points if e.group == 'fsspec.specs'))"
    assert run(python, "-c", points) == "['ipfs', 'ipns']\n"
    assert "it goes into the store, durable: ipfs://" in run(python, ROOT / "examples/quickstart.py", QUICKSTART_MB="2", DOCKER_HOST="unix:///nowhere")
    run(python, "-c", SURFACE, "-")
    # Nothing of it is of one interpreter: others take the same files.
    packages = next((tmp_path / "venv/lib").glob("python3.*/site-packages"))
    about = next(packages.glob("ipfs_accelerate_py-*.dist-info/WHEEL")).read_text()
    assert re.findall(r"^Tag: (.*)$", about, re.M) and all(tag.startswith("py3-none-linux_") for tag in re.findall(r"^Tag: (.*)$", about, re.M)), about
    for other in other_pythons():
        assert run(other, "-c", script, PYTHONPATH=str(packages)).splitlines()[0] == said, other
    # A library of the system is used when it is of the same version, and the package's own when it is not.
    (tmp_path / "system").mkdir()
    shutil.copy(LIBRARY, tmp_path / "system/libipfsa.so.0")
    assert run(python, "-c", script, LD_LIBRARY_PATH=str(tmp_path / "system")).splitlines()[1] == str(tmp_path / "system/libipfsa.so.0")
    (tmp_path / "old.c").write_text('const char *ipfsa_version(void) { return "0.0.1"; }\n')
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "system/libipfsa.so.0", tmp_path / "old.c"], check=True)
    assert run(python, "-c", script, LD_LIBRARY_PATH=str(tmp_path / "system")).splitlines()[0] == said
