"""How long the program takes to start."""
from recorder import Contender

CID = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"
RUNS = 21


def measure(place, recorder):
    nodes = [node for node in (place.ours, place.kubo) if node]
    for node in nodes:
        node.fresh()
    rows = {"version": ["version"], "cid format": ["cid", "format", "-v", "1", "-b", "base32", CID]}
    for row, args in rows.items():
        recorder.row(row, [Contender(node.name, node.command(*args), node.env) for node in nodes] + [Contender("true", ["/bin/true"])], runs=RUNS)
    place.forget(*[node.repo for node in nodes])
