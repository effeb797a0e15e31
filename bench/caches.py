"""The page cache before a run: warm (all pages of some files in it) or cold (none of them)."""
import mmap
import os

DROP = "/proc/sys/vm/drop_caches"
MADV_NOHUGEPAGE = 15
MADV_POPULATE_WRITE = 23  # Linux 5.14
SPARE = 1 << 30           # bytes beside the payload: a gigabyte may take seconds
LEAST = 2 << 30           # what a program touches beside a small payload: its own memory, a mapped index, pages of packs. With 512 MiB of it, one run in two still waited


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
    of many bytes some memory is touched and let go of, which the kernel then gives out first, as if the machine were one of metal: small pages, which take what is left of
    blocks that were divided before, and large ones. No more than is needed: what is let go of is taken back again, and that has its price as well. Returns how many bytes."""
    size = min(max(3 * payload, LEAST), max(payload + SPARE, LEAST), a_third_of_memory()) & -4096 if payload else 0
    divided = min(size, SPARE)
    if size == 0:
        return 0
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    with mmap.mmap(-1, divided, flags=flags) as small, mmap.mmap(-1, size, flags=flags) as large:
        try:
            for room, pages in ((small, MADV_NOHUGEPAGE), (large, mmap.MADV_HUGEPAGE)):
                room.madvise(pages)
                room.madvise(MADV_POPULATE_WRITE)
        except OSError:
            return 0
    return divided + size


def a_third_of_memory():
    for line in open("/proc/meminfo"):
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) * 1024 // 3
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
