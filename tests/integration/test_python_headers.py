"""What the Python package takes from the headers, and what type checkers see of it."""
import os
import re
import subprocess
import sys

import pytest

from conftest import PACKAGE, PEERS, ROOT


HEADERS = ROOT / "include/ipfsa"


def structs():
    sys.path.insert(0, str(PACKAGE))
    try:
        from ipfs_accelerate_py import _dispatch, _engine, _library, _aliases, checkpoint
    finally:
        sys.path.remove(str(PACKAGE))
    return {k: v for m in (_library, _engine, checkpoint, _dispatch, _aliases) for k, v in m.STRUCTS.items()}, {k: v for m in (_library, _engine, checkpoint, _dispatch, _aliases) for k, v in m._CALLS.items()}


def test_structs_are_those_of_the_headers(program, tmp_path):
    known, _ = structs()
    lines = ["#include <stdio.h>", "#include <stddef.h>"] + ["#include <ipfsa/%s>" % h.name for h in sorted(HEADERS.glob("*.h"))] + ["int main(void) {"]
    for name, struct in known.items():
        lines.append('  printf("%s %%zu\\n", sizeof(%s));' % (name, name))
        for field in struct._fields_:
            lines.append('  printf("%s.%s %%zu %%zu\\n", offsetof(%s, %s), sizeof(((%s *)0)->%s));' % (name, field[0], name, field[0], name, field[0]))
    (tmp_path / "abi.c").write_text("\n".join(lines + ["  return 0;", "}"]))
    subprocess.run(["cc", "-std=gnu17", "-I", ROOT / "include", "-o", tmp_path / "abi", tmp_path / "abi.c"], check=True)
    said = subprocess.run([tmp_path / "abi"], stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")
    import ctypes
    ours = []
    for name, struct in known.items():
        ours.append("%s %d" % (name, ctypes.sizeof(struct)))
        ours += ["%s.%s %d %d" % (name, f[0], getattr(struct, f[0]).offset, getattr(struct, f[0]).size) for f in struct._fields_]
    assert ours == said[:-1]


def test_every_field_is_known():
    """A struct of the headers has no field behind those that the package knows, or the package does not know that it is there."""
    text = "\n".join(re.sub(r"/\*.*?\*/", "", h.read_text(), flags=re.S) for h in HEADERS.glob("*.h"))
    for name, struct in structs()[0].items():
        body = re.search(r"typedef struct %s \{(.*?)\} %s;" % (name, name), text, re.S).group(1)
        last = re.findall(r"(\w+)\s*(?:\[[^\]]*\])?\s*(?:,|;)", body)[-1]
        assert struct._fields_[-1][0] == last, name


def test_calls_have_the_arguments_of_the_headers():
    text = re.sub(r"/\*.*?\*/", "", "\n".join(h.read_text() for h in HEADERS.glob("*.h")), flags=re.S)
    for name, (_, arguments) in structs()[1].items():
        found = re.search(r"[\s*]%s\(([^;]*)\);" % name, text)
        assert found, name
        wanted = [] if found.group(1).strip() == "void" else found.group(1).split(",")
        assert len(arguments) == len(wanted), name


TYPED = """
import ipfs_accelerate_py as ia
import ipfs_accelerate_py.content
from ipfs_accelerate_py import aio, backends, config

def told(at: dict[str, object]) -> None: ...
reveal_type(ia.add("model", cid_version=1, progress=told, timeout=5))
reveal_type(ia.cat(b"x", 0, 5))
with ia.Checkpoint("ipfs://x") as c:
    reveal_type(c.keys())
with ia.open_file("x") as f:
    reveal_type(f)
reveal_type(ia.ipfs_accelerate.add_file("x"))
with backends() as b:
    reveal_type(b.start_container("a", "b", ports={"80": ""}))
reveal_type(ia.pins(kind="recursive"))
ia.cat(5)
ia.nothing
ia.add("x", unknown=True)
"""


def test_type_checkers_know_the_package(tmp_path):
    checker = PEERS / "python/bin/mypy"
    if not checker.exists():
        pytest.skip("skipped: PyPI mypy is missing: run tools/install-peers")
    (tmp_path / "user.py").write_text(TYPED)
    said = subprocess.run([checker, "--no-incremental", "--follow-imports=silent", "--no-error-summary", "user.py"], cwd=tmp_path, env={**os.environ, "MYPYPATH": str(PACKAGE)},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120).stdout
    assert re.findall(r'Revealed type is "(.*)"', said) == ["dict[str, Any]", "bytes", "list[str]", "ipfs_accelerate_py.content.File", "dict[str, Any]", "dict[str, Any]", "list[dict[str, Any]]"], said
    assert [line.split("[")[-1] for line in said.splitlines() if ": error:" in line] == ["arg-type]", "attr-defined]", "call-arg]"], said


def test_the_stub_has_what_the_package_has():
    text = (PACKAGE / "ipfs_accelerate_py/__init__.pyi").read_text()
    named = set(re.findall(r"(\w+) as \1\b", text)) | set(re.findall(r"^(\w+):", text, re.M))
    sys.path.insert(0, str(PACKAGE))
    try:
        import ipfs_accelerate_py
    finally:
        sys.path.remove(str(PACKAGE))
    assert named == set(ipfs_accelerate_py.__all__) | ipfs_accelerate_py._MODULES


def test_keys_of_endpoints_are_those_of_the_configuration():
    sys.path.insert(0, str(PACKAGE))
    try:
        from ipfs_accelerate_py import _dispatch
    finally:
        sys.path.remove(str(PACKAGE))
    table = (ROOT / "src/config/schema.c").read_text().split("endpoint_schema[] = {")[1].split("\n};")[0]
    assert list(_dispatch._KEYS) == re.findall(r'^    \{"(\w+)"', table, re.M)
