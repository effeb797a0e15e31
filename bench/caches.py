"""The page cache before a run: warm (all pages of some files in it) or cold (none of them)."""
import os

DROP = "/proc/sys/vm/drop_caches"


def files_below(path):
    if path.is_file():
        return [path]
    return [found for found in path.rglob("*") if found.is_file() and not found.is_symlink()]


def settle():
    """What earlier runs left to be written is written now, so that no later run pays for it."""
    os.sync()


def warm(*paths):
    buffer = bytearray(4 << 20)
    for path in paths:
        for file in files_below(path):
            with open(file, "rb", buffering=0) as source:
                while source.readinto(buffer):
                    pass


def cold(*paths):
    """How it was done: the kernel's whole cache where that is permitted, else the pages of these files."""
    settle()
    try:
        with open(DROP, "w") as knob:
            knob.write("3\n")
        return "drop_caches"
    except OSError:
        for path in paths:
            for file in files_below(path):
                with open(file, "rb") as source:
                    os.posix_fadvise(source.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return "posix_fadvise"
