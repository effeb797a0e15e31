"""The repo as a whole: garbage collection of one and of four times as much, checking every block."""
import json
import os
import shutil

import limits
import settings
from recorder import Contender


def fio_read(place, file):
    if not shutil.which("fio"):
        return None
    return Contender("fio", ["fio", "--name=r", "--filename=%s" % file, "--rw=read", "--bs=1M", "--direct=1", "--ioengine=psync", "--output-format=json"],
                     cold=(file,), seconds_of=read_seconds)


def read_seconds(output):
    return json.loads(output)["jobs"][0]["read"]["runtime"] / 1000


def measure(place, recorder):
    nodes = [node for node in (place.ours, place.kubo) if node]

    def garbage(node, file):
        def before():
            node.fresh()
            node.text("pin", "rm", node.text("add", *node.base, file))
        return before

    for times, mib in ((1, settings.MB // 4), (4, settings.MB)):
        file = place.file(mib)
        recorder.row("repo gc, %dx" % times, [Contender(node.name, node.command("repo", "gc", "--silent"), node.env, before=garbage(node, file)) for node in nodes], mib << 20)
    big, size = place.file(settings.MB), settings.MB << 20
    for node in nodes:
        node.fresh()
        node.text("add", *node.base, big)
    verify = ["repo", "verify"]
    recorder.row("repo verify", [Contender(node.name, node.command(*verify), node.env, warm=(node.data(),)) for node in nodes], size)
    limits.kernels(place, recorder, "repo verify", size, os.cpu_count())
    recorder.row("repo verify, cold", [Contender(node.name, node.command(*verify), node.env, cold=(node.data(),)) for node in nodes] + [fio_read(place, big)], size)
    place.forget(*[node.repo for node in nodes])
