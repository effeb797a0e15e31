"""The Python package: loading a model beside PyPI safetensors, adding beside the program, importing, and what a call costs. Each run is a fresh interpreter that times itself."""
import os
import subprocess

import caches
import models
import settings

TIMED = "import sys, time\n%s\nat = time.perf_counter()\n%s\nprint(time.perf_counter() - at)"
OURS = TIMED % ("import ipfs_accelerate_py as ia, numpy\nia.pins()", "tensors = ia.load_file('ipfs://' + sys.argv[1])%s")
THEIRS = TIMED % ("from safetensors.numpy import load_file", "tensors = load_file(sys.argv[1])%s")
LOOK = "\nlook = sum(int(t.sum(dtype='u8')) for t in tensors.values())"
ADD = TIMED % ("import ipfs_accelerate_py as ia\nia.pins()", "assert ia.add_file(sys.argv[1])['status'] == 'success'")
PROGRAM = TIMED % ("import subprocess", "subprocess.run(sys.argv[2:] + ['add', '-Q', sys.argv[1]], check=True, stdout=subprocess.DEVNULL)")
IMPORT = TIMED % ("", "import ipfs_accelerate_py")
CALLS = """
import sys, time
import ipfs_accelerate_py as ia
file, room, n = ia.content.open_file(sys.argv[1]), bytearray(16), 20000
at = time.perf_counter()
place = file.size // 3  # inside a large leaf
for _ in range(n): file.readinto_at(place, room)
print((time.perf_counter() - at) / n)
"""
IMPORTS = 21  # runs: each takes milliseconds


def measure(place, recorder):
    python = settings.PEERS / "python/bin/python"
    if not python.exists():
        return recorder.skip("the Python package", "NumPy and PyPI safetensors are missing: tools/install-peers")
    library = place.program.parent / "libipfsa.so.0"
    env = {**place.ours.env, "PYTHONPATH": str(settings.ROOT / "python"), "IPFSA_LIBRARY": str(library), "PYTHONPYCACHEPREFIX": str(place.folder / "bytecode")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)

    def take(row, who, script, *args, turn=0, unit="ms", size=0):
        done = subprocess.run([python, "-c", script, *map(str, args)], env=env, stdout=subprocess.PIPE, text=True, check=True)
        seconds = float(done.stdout)
        recorder.value(row, who, unit, seconds * (1e6 if unit == "µs" else 1e3), turn=turn, bytes=size, cache="warm")

    imports(take)
    load(place, recorder, take)
    add(place, take)


def imports(take):
    take("import", "ours", IMPORT)  # the first makes the byte-code, and counts as any other: the median stays
    for turn in range(1, IMPORTS):
        take("import", "ours", IMPORT, turn=turn)


def load(place, recorder, take):
    path = models.write(place.folder / "python.safetensors", models.layers(min(settings.MB, 1024)))
    size = path.stat().st_size
    place.ours.fresh()
    cid = place.ours.text("add", *place.ours.base, "--chunker=tensor", path)
    for row, then in (("load_file", ""), ("load_file, and looking at all bytes", LOOK)):
        for turn in range(settings.RUNS):
            contenders = [("ours", OURS, cid), ("safetensors", THEIRS, path)]
            for who, script, what in contenders if turn % 2 == 0 else contenders[::-1]:
                caches.warm(path, place.ours.data())
                take(row, who, script % then, what, turn=turn, size=size)
    for turn in range(settings.RUNS):
        take("a call", "ours", CALLS, cid, turn=turn, unit="µs")
    place.forget(place.ours.repo)
    os.unlink(path)


def add(place, take):
    path = place.file(settings.MB)
    for turn in range(settings.RUNS):
        contenders = [("ours", ADD, (path,)), ("the program", PROGRAM, (path, place.program))]
        for who, script, args in contenders if turn % 2 == 0 else contenders[::-1]:
            place.ours.fresh()
            caches.settle()
            caches.warm(path)
            take("add_file", who, script, *args, turn=turn, size=path.stat().st_size)
    place.forget(place.ours.repo)
