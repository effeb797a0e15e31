"""A small XFS with reflink on a loop device, and what of a file is shared with others. Needs root and loop devices."""
import contextlib
import fcntl
import os
import shutil
import struct
import subprocess

FS_IOC_FIEMAP = 0xC020660B
FLAG_SYNC, EXTENT_LAST, EXTENT_SHARED = 1, 1, 0x2000
EXTENTS = 256


def refusal():
    """Why there can be none here; "" when there can."""
    if not shutil.which("mkfs.xfs"):
        return "mkfs.xfs is missing (package xfsprogs)"
    if os.geteuid() != 0:
        return "mounting needs root"
    if not os.path.exists("/dev/loop-control"):
        return "no loop devices"
    if "xfs" not in open("/proc/filesystems").read() and shutil.which("modprobe") and subprocess.run(["modprobe", "-q", "xfs"]).returncode != 0:
        return "the kernel has no XFS"
    return ""


class Refused(Exception):
    pass


@contextlib.contextmanager
def mounted(folder, mib):
    """The mount point of a fresh one; it is gone afterwards."""
    image, mount = folder / "xfs.img", folder / "xfs"
    mount.mkdir()
    with open(image, "wb") as out:
        out.truncate(max(mib, 320) << 20)  # mkfs.xfs refuses less than 300 MiB
    try:
        for command in (["mkfs.xfs", "-q", "-m", "reflink=1", str(image)], ["mount", "-o", "loop", str(image), str(mount)]):
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode != 0:
                raise Refused("%s: %s" % (" ".join(command[:2]), done.stdout.strip()))
        try:
            yield mount
        finally:
            subprocess.run(["umount", str(mount)], check=True)
    finally:
        image.unlink()
        mount.rmdir()


def shared_bytes(path):
    """Bytes of a file that stand in extents other files have too."""
    total, start = 0, 0
    with open(path, "rb") as file:
        while True:
            request = bytearray(struct.pack("=QQIIII", start, (1 << 64) - 1 - start, FLAG_SYNC, 0, EXTENTS, 0) + bytes(56 * EXTENTS))
            fcntl.ioctl(file, FS_IOC_FIEMAP, request)
            count = struct.unpack_from("=I", request, 20)[0]
            if count == 0:
                return total
            for i in range(count):
                logical, _, length, _, _, flags = struct.unpack_from("=QQQQQI", request, 32 + 56 * i)
                total += length if flags & EXTENT_SHARED else 0
            if flags & EXTENT_LAST:
                return total
            start = logical + length
