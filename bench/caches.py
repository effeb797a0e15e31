"""The page cache before a run: warm (all pages of some files in it) or cold (none of them)."""
import mmap
import os

DROP = "/proc/sys/vm/drop_caches"
MADV_POPULATE_WRITE = 23  # Linux 5.14
SPARE = 2 << 30           # bytes beside the payload: a gigabyte may take seconds


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


def take_memory_back(payload):
    """A hypervisor takes back what a guest does not use, and whoever touches it next waits for it: up to 7 µs for a page, more than writing or reading it. So before a run
    of many bytes some memory is touched and let go of, which the kernel then gives out first, as if the machine were one of metal. Returns how much."""
    size = min(3 * payload, payload + SPARE, half_of_memory()) & -4096
    if size == 0:
        return 0
    with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as room:
        try:
            room.madvise(mmap.MADV_HUGEPAGE)
            room.madvise(MADV_POPULATE_WRITE)
        except OSError:
            return 0
    return size


def half_of_memory():
    for line in open("/proc/meminfo"):
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) * 1024 // 2
    return 0


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
