"""What is to be reached, each bar with its measured value."""


class Verdict:
    def __init__(self, work, bar, value, met, shown):
        self.work, self.bar, self.value, self.met, self.shown = work, bar, value, met, shown


# group, row, contender, at least this many times as fast as he is, how the work is called
SPEED = [
    ("file", "add --only-hash", "kernel x cores", 0.85, "`add --only-hash`, in page cache, of kernel rate × cores"),
    ("file", "add --nocopy", "kernel x cores", 0.85, "`add --nocopy`, in page cache, of kernel rate × cores"),
    ("file", "add", "fio", 0.9, "`add`, durable, of what `fio` writes with O_DIRECT"),
    ("file", "add", "disk", 0.9, "… of what the disk takes from huge pages (`bench/disk.c`)"),
    ("file", "add", "Kubo", 5, "… beside Kubo with default settings (which does not sync)"),
    ("file", "add", "Kubo, synced", 10, "… beside Kubo asked to sync"),
    ("folder", "add -r", "Kubo", 10, "`add -r` of small files, durable, beside Kubo's default"),
    ("folder", "get", "cp -r", 0.8, "`get` of that folder, of `cp -r`"),
    ("folder", "get", "Kubo", 5, "… beside Kubo"),
    ("car", "dag export", "cat", 0.8, "`dag export`, of `cat > file`"),
    ("car", "dag export", "Kubo", 4, "… beside Kubo"),
    ("car", "dag import", "our add", 0.8, "`dag import`, every block verified, of our `add`"),
    ("car", "dag import", "Kubo", 2, "… beside Kubo"),
    ("repo", "repo gc, 4x", "Kubo", 10, "`repo gc`, beside Kubo"),
    ("repo", "repo verify, cold", "fio", 0.85, "`repo verify`, cold, of the disk's read rate"),
    ("file", "add again", "kernel x cores", 0.85, "`add` of a file that is already there, of kernel rate × cores"),
    ("file", "cat", "cp", 0.9, "`cat > file`, warm, of `cp`"),
    ("file", "get", "cp", 0.9, "`get`, warm, of `cp`"),
    ("file", "cat, cold", "cp", 0.9, "`cat > file`, cold, of `cp`"),
    ("file", "get, cold", "cp", 0.9, "`get`, cold, of `cp`"),
    ("load", "looking at all bytes, cold", "fio", 0.95, "a checkpoint opened, viewed and looked at, cold, of the disk's read rate"),
    ("load", "header of 1000000 tensors", "safetensors", 1, "header of a million tensors, beside Python's `safetensors`"),
]


def verdict(work, bar, value, met, form="%.2f"):
    return Verdict(work, bar, value, met, form % value) if value is not None else Verdict(work, bar, None, None, "not measured")


def at_least(work, least, value, form="%.2f"):
    return verdict(work, "≥ %g" % least, value, value is not None and value >= least, form)


def at_most(work, most, value, unit, form="%.3g"):
    return verdict(work, "≤ %g %s" % (most, unit), value, value is not None and value <= most, form + " " + unit)


def quotient(a, b):
    return a / b if a and b else None


def kernel(results):
    used = [row for row in results.group("kernels") if any(r.get("used") for r in row.values.get("ours", []))]
    machine = results.machines.get("kernels", {})
    least = 2.6 if "Intel" in machine.get("processor", "") and "avx512f" in machine.get("features", []) else 1.9 if "avx512f" in machine.get("features", []) else 1
    best = used[0] if used else results.row("kernels", "")
    return at_least("sha2-256, one core, full lanes (%s), of OpenSSL" % (best.name or "?"), least, quotient(best.value(), results.row("kernels", "openssl speed sha256").value("openssl")))


def gc_growth(results):
    return at_most("`repo gc` of four times the bytes in as many blocks, time of one", 1.25, quotient(results.row("repo", "repo gc, 4x").seconds(), results.row("repo", "repo gc, 1x").seconds()), "×")


def ranges(results):
    for size in ("4 KiB", "1 MiB"):
        row = results.row("ranges", "ranges of %s, mean" % size)
        yield at_least("random ranges of %s, warm, of `pread` on the plain file" % size, 0.8, quotient(row.value("pread"), row.value("ours")), "%.3g")


def load(results):
    """Opening hashes everything once; the bar is for what was verified before."""
    value = lambda row, who: results.row("load", row).value(who)
    yield at_most("opening to all views, verified before, of a mapping of the plain file with its header", 1.1,
                  quotient(value("open to all views", "ours"), value("open to all views", "mapping with its header")), "×")
    yield at_most("… of a mapping alone", 1.1, quotient(value("open to all views", "ours"), value("open to all views", "mapping")), "×")
    yield at_least("looking at all bytes of views, of a mapping of the plain file", 0.9, quotient(value("looking at all bytes", "mapping"), value("looking at all bytes", "ours")))


def scale(results):
    levels = results.level_rows()
    if not levels:
        return
    count, row = levels[-1]
    yield at_most("block get of random CIDs, %s blocks, warm, p50" % "{:,}".format(count), 20, row.value("get p50"), "µs")
    yield at_least("… rate of adding synthetic blocks of 256 bytes, of an empty store's", 0.95, quotient(row.value("add, full"), row.value("add, empty")))
    for name in ("add of a file", "add -r of small files"):
        real = results.row("scale", name)
        yield at_least("… `%s`, of an empty store's rate" % name, 0.95, quotient(real.seconds("empty store"), real.seconds("full store")))
    yield at_most("… opening it", 1, row.value("open"), "s")


def memory(results):
    header = results.row("load", "header of 1000000 tensors")  # all of it is kept: a bar of its own
    rows = [(row.private_mib(), row) for row in results.rows.values() if row.private_mib() is not None and row is not header]
    if header.private_mib() is not None:
        yield at_most("header of a million tensors (80 MB), memory: three times that", 229, header.private_mib(), "MiB")
    if rows:
        most, row = max(rows, key=lambda pair: pair[0])
        yield at_most("peak memory of every row, page cache and mapped index aside (most: %s)" % row.name, 64, most, "MiB")


def start(results):
    for name in ("version", "cid format"):
        seconds = results.row("start", name).seconds()
        yield at_most("start of the program, `%s`" % name, 5, seconds * 1e3 if seconds else None, "ms")


def container(results):
    row = results.row("container", "container start")
    ours, theirs = row.seconds(), row.seconds("docker run -d")
    return at_most("`container start`, over what `docker run -d` with the same limits takes", 30, (ours - theirs) * 1e3 if ours and theirs else None, "ms")


def python(results):
    """Every run is a fresh interpreter; its own start is not in the figures."""
    value = lambda row, who="ours": results.row("python", row).value(who)
    yield at_least("Python: `load_file(\"ipfs://…\")`, every byte verified, beside `safetensors.numpy.load_file` of the plain file", 1,
                   quotient(value("load_file", "safetensors"), value("load_file")))
    yield at_least("… and looking at all bytes", 1, quotient(value("load_file, and looking at all bytes", "safetensors"), value("load_file, and looking at all bytes")))
    yield at_least("Python: `add_file`, of the program's rate", 0.95, quotient(value("add_file", "the program"), value("add_file")))
    yield at_most("Python: `import ipfs_accelerate_py`", 4, value("import"), "ms")
    yield at_most("Python: a call (16 bytes of an open file), all of it", 20, value("a call"), "µs")


def tunnel(results):
    row = results.row("tunnel", "one connection")
    yield at_least("a tunnel's bytes, one connection, of a direct loopback connection ([why](internals/tunnel.md))", 0.8, quotient(row.value(), row.value("direct")))
    yield at_least("… beside `docker-proxy`, which carries published ports", 1, quotient(row.value(), row.value("docker-proxy")))


def verify(results):
    """Of the slower of the two: no disk delivers what the kernel of the hash could take, or the other way round."""
    row = results.row("repo", "repo verify")
    limits = [seconds for seconds in (row.seconds("kernel x cores"), results.row("repo", "repo verify, cold").seconds("fio")) if seconds]
    return at_least("`repo verify`, warm, of kernel rate × cores or of the disk's read rate, whichever is less", 0.85, quotient(max(limits, default=None), row.seconds()))


def beside_kubo(results, who, seen):
    """How many times as fast as Kubo the disk alone is, in the fastest of the forms tried, without anything hashed."""
    row = results.row("file", "add")
    most = quotient(row.seconds(who), row.seconds("disk"))
    if most and seen.value is not None:
        seen.shown += " (the disk alone %.2f)" % most
    return seen


def verdicts(results):
    yield kernel(results)
    for group, name, who, least, work in SPEED:
        row = results.row(group, name)
        seen = at_least(work, least, quotient(row.seconds(who), row.seconds()))
        yield beside_kubo(results, who, seen) if name == "add" and who.startswith("Kubo") else seen
        if name == "add again":
            yield at_most("… bytes written", 1, row.written_mib(), "MiB")
        if name == "repo gc, 4x":
            yield gc_growth(results)
            yield verify(results)
    yield from ranges(results)
    yield from load(results)
    yield from scale(results)
    yield from start(results)
    yield container(results)
    yield from python(results)
    yield from tunnel(results)
    yield from memory(results)
