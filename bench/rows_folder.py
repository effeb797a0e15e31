"""A folder of many small files."""
import limits
import settings
from recorder import Contender


def measure(place, recorder):
    many, size = place.many(settings.FILES), settings.FILES * 4096
    nodes = [node for node in (place.ours, place.kubo) if node]
    recorder.row("add -r", [Contender(node.name, node.command("add", "-r", *node.base, many), node.env, before=node.fresh, warm=(many,)) for node in nodes]
                 + [limits.cp_r(place, many)], size)
    cids = {node.text("add", "-r", "-n", *node.base, many) for node in nodes}
    if len(cids) != 1:
        raise SystemExit("the programs do not agree about the CID: %s" % cids)
    cid = cids.pop()
    recorder.row("get", [Contender(node.name, node.command("get", "-o", place.target, cid), node.env, before=place.clear, warm=(node.data(),)) for node in nodes]
                 + [limits.cp_r(place, many)], size)
    recorder.row("ls of 1000", [Contender(node.name, node.command("ls", cid + "/000"), node.env, warm=(node.data(),)) for node in nodes])
    place.clear()
    place.forget(*[node.repo for node in nodes])
