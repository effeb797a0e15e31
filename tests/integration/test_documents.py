"""The documents: their examples are run as they stand, what they name is there, what they link to exists."""
import json
import os
import re
import shutil
import subprocess

import pytest

from conftest import ROOT, peer_python
from test_install import find, installed  # noqa: F401 (a fixture)

DOCUMENTS = sorted((ROOT / "docs").glob("*.md")) + [ROOT / "README.md", ROOT / "examples/README.md"]
INTEGRATION = ROOT / "docs/INTEGRATION.md"


def blocks(path, language):
    return re.findall(r"^```%s\n(.*?)^```" % language, path.read_text(), re.S | re.M)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("name", ["SUMMARY.md", "IMPLEMENTATION.md", "INTEGRATION.md", "python.md"])
def test_what_is_named_is_there(name):
    text = (ROOT / "docs" / name).read_text()
    known = {p.name for p in ROOT.rglob("*") if ".git" not in p.parts and not any(part.startswith("build") for part in p.relative_to(ROOT).parts)}
    for file in re.findall(r"`((?:[\w./-]+/)?[\w-]+\.(?:py|c|h|md))`", text):
        assert file.rsplit("/", 1)[-1] in known, file
        if "/" in file:
            assert any((ROOT / below / file).exists() for below in ("", "docs", "src", "tests/unit")), file


@pytest.fixture
def furnished(package_env, program, installed, tmp_path):  # noqa: F811
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ipfs-accelerate").symlink_to(program)
    (tmp_path / "model").mkdir()
    shapes = {"first.weight": [16, 16], "first.bias": [16], "second.weight": [4, 16], "second.bias": [4]}
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for key, shape in shapes.items():
        size = 4 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + size]}
        data += b"\0\0\x80\x3f" * (size // 4)
    text = json.dumps(header).encode()
    (tmp_path / "model/model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + data)
    (tmp_path / "model/config.json").write_text('{"layers": 2}\n')
    library = str(find(installed, "libipfsa.so").parent)
    return {**package_env, "PATH": "%s:%s" % (tmp_path / "bin", os.environ["PATH"]), "IPFSA_PATH": str(tmp_path / "store"), "LD_LIBRARY_PATH": library,
            "PKG_CONFIG_PATH": str(find(installed, "ipfsa.pc").parent), "PKG_CONFIG_SYSROOT_DIR": str(installed)}


def run(command, env, folder):
    done = subprocess.run(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_integration(furnished, tmp_path):
    """Blocks of a language follow one another in one shell and one interpreter; the store is the same for all."""
    python = peer_python("accelerate", "PyPI accelerate and huggingface_hub")
    if not shutil.which("pkg-config"):
        pytest.skip("skipped: pkg-config is missing")
    shell = blocks(INTEGRATION, "sh")
    assert len(shell) == 3
    said = run(["bash", "-c", "set -euo pipefail\n" + "".join(shell)], furnished, tmp_path)
    assert '{"layers": 2}' in said and "model.safetensors" in said
    assert (tmp_path / "served/team/model/config.json").read_text() == '{"layers": 2}\n'
    (source,) = blocks(INTEGRATION, "c")
    (tmp_path / "program.c").write_text(source)
    run(["bash", "-c", "cc -std=c99 -Wall -Wextra -Werror -o program program.c $(pkg-config --cflags --libs ipfsa)"], furnished, tmp_path)
    assert run(["./program", "team/model/config.json"], furnished, tmp_path) == "14 bytes\n"
    code = "".join(blocks(INTEGRATION, "python"))
    said = run([python, "-c", code + "\nassert model['second'].weight.sum() == 64"], furnished, tmp_path)
    assert "first.weight (16, 16)" in said
    assert (tmp_path / "files/config.json").exists() and list(tmp_path.glob("hub/models--team--model/snapshots/*/config.json"))


@pytest.mark.parametrize("name", ["SUMMARY.md", "IMPLEMENTATION.md", "INTEGRATION.md", "python.md"])
def test_no_example_is_left_out(name):
    """python.md's are run by test_python_containers.py."""
    ran = {"INTEGRATION.md": {"sh", "c", "python"}, "python.md": {"python"}}.get(name, set())
    assert set(re.findall(r"^```(\w+)$", (ROOT / "docs" / name).read_text(), re.M)) == ran
