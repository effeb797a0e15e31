"""Loading a checkpoint of content: views beside a mapping of the plain file, cold beside what fio reads; a header of many tensors beside Python's reader."""
import json

import caches
import models
import settings
from recorder import Contender
from rows_repo import fio_read

OPEN = "import sys\nfrom safetensors import safe_open\nwith safe_open(sys.argv[1], 'numpy') as f: assert len(f.keys()) == int(sys.argv[2])"

COLD_RUNS = 9  # half a second each, and a disk's rate may double from one to the next


def measure(place, recorder):
    mib = min(settings.MB, 1024)
    path = models.write(place.folder / "model.safetensors", models.layers(mib))
    place.ours.fresh()
    cid = place.ours.text("add", *place.ours.base, "--chunker=tensor", path)
    caches.cold(path, place.ours.data())  # so that both come into memory in the same way, in pages as large as the kernel likes
    caches.warm(path, place.ours.data())
    for turn in range(settings.MORE * settings.RUNS):  # one look a process, and that is over in no time
        command = [place.tools / "bench-load", place.ours.repo, cid, path]
        for line in place.text(command).splitlines():
            got = json.loads(line)
            unit, value = ("ms", got["seconds"] * 1e3) if "seconds" in got else ("of 1", got["bytes"] / got["of"])
            recorder.value(got["what"], got["who"], unit, value, turn=turn, bytes=path.stat().st_size, cache="warm", command=recorder.plain(" ".join(map(str, command))))
    load = Contender("ours", [place.tools / "bench-load", place.ours.repo, cid], cold=(place.ours.data(),), seconds_of=float, env=place.ours.env)
    recorder.row("looking at all bytes, cold", [load, fio_read(place, path)], path.stat().st_size, runs=max(settings.RUNS, COLD_RUNS))
    place.forget(place.ours.repo)
    header(place, recorder)


def header(place, recorder):
    python, count = settings.PEERS / "python/bin/python", 1000000  # as many as we take; 80 MB, of the 100 that both take
    if not python.exists():
        return recorder.skip("header of %d tensors" % count, "PyPI safetensors is missing: tools/install-peers")
    path = models.header_of(place.folder / "header.safetensors", count)
    recorder.row("header of %d tensors" % count, [Contender("ours", [place.program, "checkpoint", "inspect", "--summary", path], env=place.ours.env, warm=(path,)),
                                                  Contender("safetensors", [python, "-c", OPEN, path, count], warm=(path,))], path.stat().st_size)
