"""The repo as a whole: garbage collection of one and of four times the bytes, checking every block."""
import json
import os
import shutil
import sys

import limits
import settings
from kubo import Kubo
from ours import Ours
from recorder import Contender

sys.path.insert(0, str(settings.ROOT / "tests/integration"))
import xfs  # noqa: E402

GC = ("repo gc, 1x", "repo gc, 4x")


def fio_read(place, file):
    if not shutil.which("fio"):
        return None
    return Contender("fio", ["fio", "--name=r", "--filename=%s" % file, "--rw=read", "--bs=1M", "--direct=1", "--ioengine=psync", "--output-format=json"],
                     cold=(file,), seconds_of=read_seconds)


def read_seconds(output):
    return json.loads(output)["jobs"][0]["read"]["runtime"] / 1000


def garbage(node, file, chunk):
    def before():
        node.fresh()
        node.text("pin", "rm", node.text("add", *node.base, "--chunker=size-%d" % chunk, file))
    return before


def collect(place, recorder):
    """As many blocks, of four times the size: on an XFS of its own, since a disk that is told of every freed byte at once (mount option discard), as the machine's own
    may be, takes its time for each."""
    why = xfs.refusal()
    if why:
        for row in GC:
            recorder.skip(row, why)
        return
    files = [place.file(mib) for mib in (settings.MB // 4, settings.MB)]
    with xfs.mounted(place.folder, 3 * settings.MB + 400) as mount:
        nodes = [Ours(place.program, mount / "ours")] + ([Kubo(place.kubo.program, mount / "kubo")] if place.kubo else [])
        for row, file, chunk in zip(GC, files, (1 << 18, 1 << 20)):
            recorder.row(row, [Contender(node.name, node.command("repo", "gc", "--silent"), node.env, before=garbage(node, file, chunk)) for node in nodes], file.stat().st_size)
            for node in nodes:
                shutil.rmtree(node.repo)


def measure(place, recorder):
    nodes = [node for node in (place.ours, place.kubo) if node]
    collect(place, recorder)
    big, size = place.file(settings.MB), settings.MB << 20
    for node in nodes:
        node.fresh()
        node.text("add", *node.base, big)
    verify = ["repo", "verify"]
    recorder.row("repo verify", [Contender(node.name, node.command(*verify), node.env, warm=(node.data(),)) for node in nodes] + [limits.kernels(place, size, os.cpu_count())], size)
    recorder.row("repo verify, cold", [Contender(node.name, node.command(*verify), node.env, cold=(node.data(),)) for node in nodes] + [fio_read(place, big)], size)
    place.forget(*[node.repo for node in nodes])
