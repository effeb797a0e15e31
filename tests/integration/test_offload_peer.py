"""Weights that this library puts on the disk, loaded by the real accelerate's own loader; its folders, added to by this library."""
import json
import subprocess

import pytest

from conftest import PEERS, PROGRAM, ROOT

DRIVER = PROGRAM.parent / "tests/offload-driver"
PYTHON = PEERS / "accelerate/bin/python"


@pytest.fixture(scope="module")
def peer():
    if not PYTHON.exists():
        pytest.skip("skipped: the real accelerate is missing: run tools/install-peers")


def accelerate(command, folder):
    done = subprocess.run([PYTHON, ROOT / "tests/peers/offload.py", command, folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def write(folder, rows):
    done = subprocess.run([DRIVER, folder], input="".join(row + "\n" for row in rows), stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_accelerate_loads_what_was_written(peer, tmp_path):
    rows = accelerate("write", tmp_path / "theirs")
    assert len(rows) == 24
    write(tmp_path / "ours", rows)
    assert accelerate("read", tmp_path / "ours") == rows
    assert sorted(p.name for p in (tmp_path / "ours").iterdir()) == sorted(p.name for p in (tmp_path / "theirs").iterdir())
    for theirs in (tmp_path / "theirs").iterdir():
        ours = (tmp_path / "ours" / theirs.name).read_bytes()
        assert json.loads(ours) == json.loads(theirs.read_text()) if theirs.suffix == ".json" else ours == theirs.read_bytes(), theirs.name


def test_a_folder_of_accelerate_is_added_to(peer, tmp_path):
    rows = accelerate("write", tmp_path)
    more = [json.dumps(["new", "torch.bfloat16", [2], "803f0040"]), json.dumps(["scalar.int8", "torch.int16", [1], "0700"])]
    write(tmp_path, more)
    kept = [row for row in rows if json.loads(row)[0] != "scalar.int8"]
    assert accelerate("read", tmp_path) == sorted(kept + more, key=lambda row: json.loads(row)[0])
