"""What the machine itself does with the same bytes: the other side of every ratio that is not Kubo."""
import json
import shutil

import settings
from recorder import Contender


def cp(place, source, cold=()):
    return Contender("cp", ["cp", source, place.target], before=place.clear, warm=() if cold else (source,), cold=cold)


def cp_r(place, source):
    return Contender("cp -r", ["cp", "-r", source, place.target], before=place.clear, warm=(source,))


def cat(place, source, out=None):
    return Contender("cat", ["cat", source], before=place.clear, warm=(source,), out=out)


def fio_seconds(output):
    """Its own clock, from the first write to the end of the sync: starting it takes longer than a small job."""
    job = json.loads(output)["jobs"][0]
    return job["write"]["runtime"] / 1000


def fio(place, mib):
    """The fastest of the forms tried: requests of 1 MiB, one at a time, space allocated before."""
    if not shutil.which("fio"):
        return None
    return Contender("fio", ["fio", "--name=w", "--filename=%s" % place.target, "--rw=write", "--bs=1M", "--size=%dM" % mib, "--direct=1", "--end_fsync=1",
                             "--ioengine=psync", "--output-format=json"], before=place.clear, seconds_of=fio_seconds)


def disk(place, mib):
    """Writes of 8 MiB from huge pages, by its own clock (disk.c): the fastest of the forms tried."""
    return Contender("disk", [place.tools / "bench-disk", place.target, mib], before=place.clear, seconds_of=lambda output: float(output))


def kernels(place, size, cores):
    """The time all cores need to hash that many bytes at the rate of the kernel that is used, of one core, as it is in that turn: the machine is not always as fast."""
    def seconds(output):
        rates = [float(line.split()[2]) for line in output.decode().splitlines() if " yes" in line]
        return size / rates[0] / 1e9 / cores
    return Contender("kernel x cores", place.ours.command("stats", "hash"), place.ours.env, seconds_of=seconds)
