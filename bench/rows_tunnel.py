"""What a tunnel's relay costs, beside a loopback connection without one: bytes a second of one connection, and a round trip."""
import json
import subprocess

import settings

RUNS = 7


def measure(place, recorder):
    for turn in range(RUNS):
        for who in ("direct", "ours") if turn % 2 else ("ours", "direct"):
            command = [str(place.tools / "bench-relay"), "relay" if who == "ours" else "direct", str(settings.MB)]
            took = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
            recorder.value("one connection", who, "MB/s", took["bytes_per_second"] / 1e6, turn=turn)
            recorder.value("a round trip of one byte", who, "µs", took["round_trip_ns"] / 1e3, turn=turn)
