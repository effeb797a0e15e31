"""What a tunnel's relay costs, beside a loopback connection without one: bytes a second of one connection, and a round trip. Docker's own relay, which
carries the ports it publishes on loopback, does the same work; two direct connections at once are what the kernel does under any relay, twice. Once with
the machine's own congestion control at source and sink, once with reno there: one that paces (bbr) slows the direct way, too."""
import json
import shutil
import subprocess

import settings

RUNS = 7
WAYS = {"ours": "relay", "direct": "direct", "ours, copying": "copy", "ours, by splice": "splice", "docker-proxy": "docker-proxy"}


UNPACED = "reno"


def start(place, way, *congestion):
    return subprocess.Popen([str(place.tools / "bench-relay"), way, str(settings.MB), *congestion], stdout=subprocess.PIPE)


def result(process):
    out, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("bench-relay failed")
    return json.loads(out)


def measure(place, recorder):
    ways = {who: way for who, way in WAYS.items() if way != "docker-proxy" or shutil.which(way)}
    for turn in range(RUNS):
        order = list(ways)
        for who in order[turn % len(order):] + order[:turn % len(order)]:
            took = result(start(place, ways[who]))
            recorder.value("one connection", who, "MB/s", took["bytes_per_second"] / 1e6, turn=turn)
            recorder.value("a round trip of one byte", who, "µs", took["round_trip_ns"] / 1e3, turn=turn)
            took = result(start(place, ways[who], UNPACED))
            recorder.value("one connection, " + UNPACED, who, "MB/s", took["bytes_per_second"] / 1e6, turn=turn)
        both = [start(place, "direct"), start(place, "direct")]
        recorder.value("one connection", "two direct ones, each", "MB/s", min(result(p)["bytes_per_second"] for p in both) / 1e6, turn=turn)
