"""One big file: in and out."""
import os

import limits
import settings
from recorder import Contender


def measure(place, recorder):
    big, size, cores = place.file(settings.MB), settings.MB << 20, os.cpu_count()
    nodes = [node for node in (place.ours, place.kubo) if node]

    def of(node, *args, **more):
        return Contender(node.name, node.command(*args), node.env, **more)

    def add(node, *options, fresh=True):
        return of(node, "add", *node.base, *options, big, before=node.fresh if fresh else None, warm=(big,))

    kernels = limits.kernels(place, size, cores)
    recorder.row("add --only-hash", [add(node, "-n") for node in nodes] + [kernels], size, brings_in=False)
    recorder.row("add --nocopy", [add(node, "--nocopy") for node in nodes] + [kernels], size, brings_in=False)
    synced = [place.kubo_synced] if place.kubo_synced else []
    recorder.row("add", [add(node) for node in nodes + synced] + [limits.fio(place, settings.MB), limits.disk(place, settings.MB)], size)
    place.clear()
    if synced:
        place.forget(place.kubo_synced.repo)
    recorder.row("add again", [add(node, fresh=False) for node in nodes] + [kernels], size, brings_in=False)
    cids = {node.text("add", *node.base, "-n", big) for node in nodes}
    if len(cids) != 1:
        raise SystemExit("the programs do not agree about the CID: %s" % cids)
    read(place, recorder, nodes, of, cids.pop(), big, size)
    place.clear()
    place.forget(*[node.repo for node in nodes])


def read(place, recorder, nodes, of, cid, big, size):
    target = place.target
    recorder.row("cat", [of(node, "cat", cid, before=place.clear, warm=(node.data(),), out=target) for node in nodes] + [limits.cp(place, big)], size)
    recorder.row("get", [of(node, "get", "-o", target, cid, before=place.clear, warm=(node.data(),)) for node in nodes] + [limits.cp(place, big)], size)
    recorder.row("cat, cold", [of(node, "cat", cid, before=place.clear, cold=(node.data(),), out=target) for node in nodes] + [limits.cp(place, big, cold=(big,))], size)
    recorder.row("get, cold", [of(node, "get", "-o", target, cid, before=place.clear, cold=(node.data(),)) for node in nodes] + [limits.cp(place, big, cold=(big,))], size)
    recorder.row("cat > /dev/null", [of(node, "cat", cid, before=place.clear, warm=(node.data(),)) for node in nodes] + [limits.cat(place, big)], size, brings_in=False)
