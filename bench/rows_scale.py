"""What one more block costs when there are many already. The blocks are synthetic (bench/scale.c): real but small, made from their number."""
import json
import shutil

import caches
import settings
from recorder import Contender

BYTES = 256        # of a synthetic block
GETS = 100000
MANY = 7           # times as many runs of what takes a tenth of a second
PROBE = 5 * 32768  # blocks put to see the rate


def fill(place, repo, first, end):
    return json.loads(place.text([place.tools / "bench-scale", "fill", repo, first, end, BYTES]))


def middle(values):
    return sorted(values)[len(values) // 2]


def measure(place, recorder):
    full, first, spare = place.folder / "full", 0, 1 << 40
    level = 10000
    while level <= settings.BLOCKS:
        row, command = "%d blocks" % level, "bench-scale fill $WORK/full %d %d %d" % (first, level, BYTES)
        filled = fill(place, full, first, level)
        recorder.value(row, "fill", "blocks/s", (level - first) / filled["seconds"], synthetic=True, command=command)
        first = level
        get(place, recorder, row, full, level)
        last = level * 10 > settings.BLOCKS
        for turn in range(settings.RUNS):
            spare = probe(place, recorder, row, full, turn, spare, last)
        level *= 10
    real_adds(place, recorder, full)
    place.forget(full, place.folder / "probed")


def probe(place, recorder, row, full, turn, spare, last):
    """The same puts into the full store (a copy of it, unless this is the last level) and into an empty one."""
    probed, empty = full if last else place.folder / "probed", place.folder / "empty"
    if not last:
        place.forget(probed)
        shutil.copytree(full, probed)
    for who, repo in (("add, full", probed), ("add, empty", empty)):
        place.forget(empty)
        caches.settle()
        caches.warm(probed / "index")
        caches.take_memory_back(PROBE * BYTES)
        took = middle(fill(place, repo, spare, spare + PROBE)["batch_s"])
        recorder.value(row, who, "blocks/s", 32768 / took, turn=turn, synthetic=True, command="bench-scale fill, median of 5 commits of 32768 blocks of %d bytes" % BYTES)
    place.forget(empty)
    return spare + PROBE


def get(place, recorder, row, repo, level):
    caches.settle()
    caches.warm(repo / "packs", repo / "index")
    for turn in range(settings.RUNS):
        command = [place.tools / "bench-scale", "get", repo, level, BYTES, GETS, turn + 1]
        got = json.loads(place.text(command))
        shown = recorder.plain(" ".join(map(str, command)))
        for who, unit, value in (("get p50", "µs", got["p50_us"]), ("get p99", "µs", got["p99_us"]), ("open", "s", got["open_s"]),
                                 ("index", "bytes", got["index_bytes"]), ("private memory", "KiB", got["private_kib"]), ("mapped memory", "KiB", got["mapped_kib"])):
            recorder.value(row, who, unit, value, turn=turn, synthetic=True, cache="warm", command=shown)


def real_adds(place, recorder, full):
    """What people add, by the program: a file in leaves of 256 KiB and a folder of files of 4 KiB, into the full store and into an empty one."""
    ours = place.ours
    into_full = {**ours.env, "IPFSA_PATH": str(full), "IPFS_PATH": str(full)}
    for row, size, make, options in (("add of a file", settings.CAR_MB // 4 << 20, lambda turn: place.file(settings.CAR_MB // 4, turn), []),
                                     ("add -r of small files", settings.FILES // 10 * 4096, lambda turn: place.many(settings.FILES // 10, turn), ["-r"])):
        def command(turn):
            return ours.command("add", *ours.base, *options, make(turn))

        for turn in range(MANY * settings.RUNS):  # other bytes in every turn, since what is in the store already is not added again
            caches.warm(make(turn), full / "index")
            recorder.row(row, [Contender("full store", command(turn), into_full), Contender("empty store", command(turn), ours.env, before=ours.fresh)],
                         size, turns=[turn], cache="warm")
    place.forget(ours.repo)
