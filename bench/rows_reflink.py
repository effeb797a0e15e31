"""Where the file system can share bytes between files: XFS on a loop device, made for this. Needs root and loop devices."""
import pathlib
import sys

import caches
import settings
from ours import Ours
from recorder import Contender

sys.path.insert(0, str(settings.ROOT / "tests/integration"))
import xfs  # noqa: E402


def measure(place, recorder):
    mib = min(settings.MB, 512)
    for row in ("add on XFS", "get on XFS"):
        why = xfs.refusal()
        if why:
            recorder.skip(row, why)
    if why:
        return
    with xfs.mounted(place.folder, 4 * mib + 400) as mount:
        run(place, recorder, mount, mib)


def run(place, recorder, mount, mib):
    ours, size = Ours(place.program, mount / "repo"), mib << 20
    source, copy = mount / "source", mount / "copy"
    source.write_bytes(place.file(mib).read_bytes())
    plain = pathlib.Path(copy)

    def clear():
        plain.unlink(missing_ok=True)

    def fresh():
        clear()
        ours.fresh()

    def cp(way):
        return Contender("cp " + way, ["cp", "--reflink=" + way, source, copy], before=clear, warm=(source,))

    recorder.row("add on XFS", [Contender("ours", ours.command("add", *ours.base, source), ours.env, before=fresh, warm=(source,)), cp("never"), cp("always")], size)
    fresh()
    cid = ours.text("add", *ours.base, source)
    recorder.value("add on XFS", "ours", "bytes shared", xfs.shared_bytes(source))
    recorder.row("get on XFS", [Contender("ours", ours.command("get", "-o", copy, cid), ours.env, before=clear, warm=(ours.data(),)), cp("never"), cp("always")], size)
    clear()
    ours.text("get", "-o", copy, cid)
    caches.settle()
    recorder.value("get on XFS", "ours", "bytes shared", xfs.shared_bytes(copy))
