"""Which plots there are, and what they show of the results."""
from plot import COLORS, bars, lines

LEGEND = [("ours", COLORS["ours"]), ("Kubo", COLORS["Kubo"]), ("the machine", COLORS["machine"])]
SPEED_ROWS = [("file", name) for name in ("add --only-hash", "add --nocopy", "add", "add again", "cat", "get", "cat, cold", "get, cold")] + [
    ("car", "dag export"), ("car", "dag import"), ("repo", "repo verify"), ("repo", "repo verify, cold")]


def contenders(row):
    side = row.machine_side()
    return [("ours", "ours", ""), ("Kubo", "Kubo", "")] + ([("machine", side, side)] if side else [])


def rate(row, who, unit):
    seconds = row.seconds(who)
    return unit / seconds if seconds else None


def speed(results):
    rows = [results.row(*key) for key in SPEED_ROWS]
    return bars("GB/s", [(row.name, [(color, rate(row, who, row.bytes() / 1e9), remark) for color, who, remark in contenders(row)]) for row in rows], LEGEND)


def folder(results):
    rows = [results.row("folder", name) for name in ("add -r", "get")]
    return bars("Small files a second, thousands", [(row.name, [(color, rate(row, who, row.bytes() / 4096e3), remark) for color, who, remark in contenders(row)]) for row in rows], LEGEND, "%.1f")


def memory(results):
    rows = [row for group in ("file", "folder", "car", "repo") for row in results.group(group) if row.peak_mib() is not None]
    return bars("Peak resident memory, MiB", [(row.name if row.group != "folder" else row.name + " (folder)", [("ours", row.peak_mib(), ""), ("Kubo", row.peak_mib("Kubo"), "")]) for row in rows],
                LEGEND[:2], "%.0f", (64, "64 MiB"))


def kernels(results):
    rows = results.group("kernels")
    return bars("sha2-256 on one core, GB/s", [(row.name, [("ours" if "ours" in row.values else "machine", row.value("ours" if "ours" in row.values else "openssl"), "")]) for row in rows],
                [LEGEND[0], LEGEND[2]])


def ranges(results):
    rows = [row for row in results.group("ranges") if row.values and row.name.endswith("mean")]
    return bars("Random ranges in one process: millions of bytes a second", [
        (row.name.replace(", mean", ""), [(color, row.values[who][0]["bytes"] / row.value(who) if who in row.values else None, remark) for color, who, remark in
                                          (("ours", "ours", ""), ("machine", "pread", "pread"))]) for row in rows], [LEGEND[0], LEGEND[2]], "%.0f")


def scale(results):
    levels = results.level_rows()
    return lines("Getting a random block of a growing store, warm", ["{:,} blocks".format(count) for count, _ in levels], [
        ("p50", "ours", False, [row.value("get p50") for _, row in levels]), ("p99", "second", True, [row.value("get p99") for _, row in levels])], "µs")


def all_plots(results):
    drawn = {name: draw(results) for name, draw in (("kernels", kernels), ("speed", speed), ("folder", folder), ("memory", memory), ("ranges", ranges), ("scale", scale))}
    return {name: svg for name, svg in drawn.items() if svg}
