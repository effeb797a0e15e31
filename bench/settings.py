"""Sizes and places, from the environment."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[1]


def number(name, default):
    return int(os.environ.get(name, default))


MB = number("BENCH_MB", 4096)
CAR_MB = number("BENCH_CAR_MB", min(MB, 1024))
FILES = number("BENCH_FILES", 100000)
BLOCKS = number("BENCH_BLOCKS", 10000000)
RUNS = number("BENCH_RUNS", 3)
RANGES = number("BENCH_RANGES", 2000)
FOLDER = os.environ.get("BENCH_DIR")
OUT = pathlib.Path(os.environ.get("BENCH_OUT", ROOT / "bench/results"))
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
PEERS = pathlib.Path(os.environ.get("IPFSA_PEERS", CACHE / "ipfs-accelerate/peers"))
QUICK = 1  # second; who takes less in RUNS runs has MORE times as many
MORE = 3
SLOW = 20  # seconds; who takes longer in his first run is not run again
