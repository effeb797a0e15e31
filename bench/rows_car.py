"""A DAG out into a CAR and in again, every block verified."""
import limits
import settings
from recorder import Contender


def measure(place, recorder):
    file, size = place.file(settings.CAR_MB), settings.CAR_MB << 20
    nodes = [node for node in (place.ours, place.kubo) if node]
    for node in nodes:
        node.fresh()
        cid = node.text("add", *node.base, file)
    export = ["dag", "export", "--progress=false", cid]
    recorder.row("dag export", [Contender(node.name, node.command(*export), node.env, before=place.clear, warm=(node.data(),), out=place.target) for node in nodes]
                 + [limits.cat(place, file, out=place.target)], size)
    place.clear()
    car = place.folder / "dag.car"
    recorder.timed(Contender("ours", place.ours.command(*export), place.ours.env, out=car))
    add = Contender("our add", place.ours.command("add", *place.ours.base, file), place.ours.env, before=place.ours.fresh, warm=(file,))
    recorder.row("dag import", [Contender(node.name, node.command("dag", "import", car), node.env, before=node.fresh, warm=(car,)) for node in nodes] + [add], size)
    place.forget(car, *[node.repo for node in nodes])
