"""The tree itself: rooms use only whom they may, headers stand alone, the library exports what its headers say."""
import re
import shutil
import subprocess

import pytest

from conftest import PROGRAM, ROOT

LOW = {"base", "hash", "codec", "cid", "config", "ipld"}
MAY_USE = {
    "base": set(), "hash": {"base"}, "codec": {"base"}, "cid": {"base", "hash", "codec"}, "config": {"base", "codec"},
    "ipld": {"base", "hash", "codec", "cid", "config"}, "http": {"base", "codec"}, "exchange": LOW, "car": LOW, "unixfs": LOW | {"exchange"},
    "store": LOW | {"exchange", "unixfs", "car"}, "container": LOW | {"http"}, "checkpoint": LOW,
    "dispatch": LOW | {"exchange", "unixfs", "car", "store", "http", "container", "checkpoint"},
    "node": LOW | {"exchange", "unixfs", "car", "store", "http", "container", "checkpoint", "dispatch"}, "cli": set(),
}


def test_rooms_use_only_whom_they_may():
    wrong = []
    for path in (ROOT / "src").rglob("*.[ch]*"):
        room = path.parent.name
        if room not in MAY_USE:
            continue
        for target in re.findall(r'#include "([a-z]+)/', path.read_text()):
            if target != room and target not in MAY_USE[room]:
                wrong.append("%s includes from %s" % (path.relative_to(ROOT), target))
    assert not wrong, "\n".join(wrong)


def test_every_room_says_what_it_is():
    for room in MAY_USE:
        text = (ROOT / "src" / room / "README.md").read_text()
        assert len(text.splitlines()) <= 15 and "May use" in text and "Threads" in text, room


@pytest.mark.parametrize("language", ["c99", "c++17"])
def test_public_headers_stand_alone(language, tmp_path):
    compiler = shutil.which("cc") if language == "c99" else shutil.which("c++")
    for header in sorted((ROOT / "include/ipfsa").glob("*.h")):
        source = tmp_path / ("x.c" if language == "c99" else "x.cpp")
        source.write_text("#include <ipfsa/%s>\n" % header.name)
        done = subprocess.run([compiler, "-std=" + language, "-pedantic-errors", "-Wall", "-Wextra", "-Werror", "-I", str(ROOT / "include"), "-fsyntax-only", str(source)],
                              stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0, done.stderr


def test_exports_are_what_the_headers_declare():
    text = "".join(h.read_text() for h in (ROOT / "include/ipfsa").glob("*.h"))
    declared = set(re.findall(r"\bIPFSA_API\b[^;{]*?\b(ipfsa_\w+)\s*\(", text))
    listed = subprocess.run(["nm", "-D", "--defined-only", str(PROGRAM.parent / "libipfsa.so.0")], stdout=subprocess.PIPE, text=True, check=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in listed.splitlines() if " T " in line}
    assert exported == declared, "only exported: %s; only declared: %s" % (exported - declared, declared - exported)


def test_every_verb_has_help_with_an_example(program):
    verbs = subprocess.run([program, "commands"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[1:]
    assert len(verbs) > 50
    for line in verbs:
        words = line.split()[1:]
        done = subprocess.run([program, *words, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 0 and done.stdout.startswith("USAGE"), line
        assert "EXAMPLE" in done.stdout or "SUBCOMMANDS" in done.stdout, line
