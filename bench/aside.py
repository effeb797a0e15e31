"""What a run left behind is emptied and put aside, and removed when all is measured: ext4 does not give the inodes of files that were deleted in the last
minutes to new ones and looks past them one by one, so that whoever makes many files next would pay for it (`recently_deleted` in its profile)."""
import fcntl
import itertools
import os
import struct

LARGE = 65536  # bytes; smaller files keep their content, there is room for it
FS_IOC_GETFLAGS, FS_IOC_SETFLAGS, TOPDIR = 0x80086601, 0x40086602, 0x20000
numbers = itertools.count()


def spread(folder):
    """Asks ext4 to lay the folders in this one far apart, by their names, away from what others deleted a moment ago. Others than ext4 refuse."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        flags = struct.unpack("l", fcntl.ioctl(fd, FS_IOC_GETFLAGS, struct.pack("l", 0)))[0]
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("l", flags | TOPDIR))
    except OSError:
        pass
    finally:
        os.close(fd)


def put_aside(path):
    if not path.exists():
        return
    folder = path.parent / "aside"
    folder.mkdir(exist_ok=True)
    away = folder / str(next(numbers))
    path.rename(away)
    for found in [away] if away.is_file() else away.rglob("*"):
        if found.is_file() and not found.is_symlink() and found.stat().st_size >= LARGE:
            os.truncate(found, 0)
