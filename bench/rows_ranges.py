"""Random ranges of a big file: in one process through the library, and a process each through the program."""
import json
import random

import caches
import settings
from recorder import Contender


def name_of(size):
    return "%d MiB" % (size >> 20) if size >= 1 << 20 else "%d KiB" % (size >> 10)


def measure(place, recorder):
    big = place.file(settings.MB)
    nodes = [node for node in (place.ours, place.kubo) if node]
    for node in nodes:
        node.fresh()
        cid = node.text("add", *node.base, big)
    caches.warm(big, place.ours.data())
    for size, count in ((4096, settings.RANGES), (1 << 20, settings.RANGES // 4)):
        for turn in range(settings.RUNS):
            command = [place.tools / "bench-ranges", place.ours.repo, cid, big, size, count, turn + 1]
            for line in place.text(command).splitlines():
                got = json.loads(line)
                for what, us in (("mean", got["seconds"] / got["count"] * 1e6), ("p50", got["p50_us"]), ("p99", got["p99_us"])):
                    recorder.value("ranges of %s, %s" % (name_of(size), what), got["who"], "µs", us, turn=turn, count=count, bytes=size, cache="warm",
                                   command=recorder.plain(" ".join(map(str, command))))
    chance = random.Random(7)
    for size in (4096, 1 << 20):
        at = chance.randrange((settings.MB << 20) - size)
        cut = ["cat", "--offset=%d" % at, "--length=%d" % size, cid]
        recorder.row("cat --length=%s, a process" % name_of(size).replace(" ", ""), [Contender(node.name, node.command(*cut), node.env, warm=(node.data(),)) for node in nodes], size)
    place.forget(*[node.repo for node in nodes])
