"""docs/BENCHMARKS.md from the raw results."""
from bars import verdicts

GROUPS = {"start": "Starting", "file": "One file", "folder": "A folder of small files", "car": "CAR", "repo": "The repo", "ranges": "A range, a process each",
          "reflink": "XFS with shared extents", "load": "Checkpoints", "container": "Containers"}
PLOTS = [("kernels", "sha2-256 on one core"), ("speed", "bytes a second"), ("folder", "small files a second"), ("memory", "peak memory"), ("ranges", "random ranges"),
         ("scale", "a growing store")]


def cell(value, form="%.3f"):
    return form % value if value is not None else ""


def ratio(a, b):
    return "%.2f" % (a / b) if a and b else ""


def machine_line(machine):
    return "%s, %d processors (%s), %.1f GiB, Linux %s, %s" % (machine["processor"], machine["processors"], " ".join(machine["features"]), machine["memory_gib"],
                                                              machine["kernel"], machine["file_system"])


def machine_lines(results):
    """One line for each machine there was, the groups that were measured on it, when and with what source; a ratio compares within a group alone."""
    by_line = {}
    for group, machine in results.machines.items():
        by_line.setdefault(machine_line(machine), []).append((group, machine))
    for line, of in sorted(by_line.items(), key=lambda item: -len(item[1])):
        groups = "" if len(by_line) == 1 else " of %s" % ", ".join(sorted(group for group, _ in of))
        sources = ", ".join(sorted({m["versions"].get("source") or "unknown" for _, m in of}))
        yield "- **Machine**%s: %s. Source %s, measured %s." % (groups, line, sources, ", ".join(sorted({m["date"] for _, m in of})))


def heading(results):
    machine = next(iter(results.machines.values()), None)
    if not machine:
        return ["No results yet: run `make bench`."]
    sizes, versions = machine["sizes"], machine["versions"]
    kubo = ", ".join(v for v in [versions.get("Kubo"), versions.get("openssl"), versions.get("fio"), versions.get("coreutils")] if v)
    return ["Written by `make bench` from [bench/results](../bench/results), one JSON line for every single run, with its command.", "",
            *machine_lines(results),
            "- **Programs**: %s, beside %s." % (versions["ours"], kubo),
            "- **Sizes**: a file of %d MiB (CAR: %d MiB), %s files of 4 KiB, %s synthetic blocks." % (sizes["file_mib"], sizes["car_mib"], "{:,}".format(sizes["files"]), "{:,}".format(sizes["blocks"])),
            "- **How**: medians of %d runs or more, contenders by turns, wall seconds of the whole process; who takes over 20 s is run once. What earlier runs left to be written is "
            "synced before each run. Warm: the files' pages are read into memory first. Cold: %s. Our adds are synced before they answer; Kubo's default does not sync, "
            "nor do `cp`, `cat` and our `get`.%s" % (sizes["runs"], how_cold(results), how_touched(results))]


def how_cold(results):
    ways = sorted({r["cache"] for row in results.rows.values() for records in row.runs.values() for r in records if r.get("cache") not in (None, "warm")})
    return {"drop_caches": "the kernel's page cache dropped (`/proc/sys/vm/drop_caches`)", "posix_fadvise": "the files' pages dropped with `posix_fadvise`"}.get(
        ways[0] if len(ways) == 1 else "", ", ".join(ways) or "not measured")


def how_touched(results):
    groups = sorted({row.group for row in results.rows.values() for records in row.runs.values() for r in records if r.get("touched")})
    return " Before runs of %s, memory that a hypervisor had taken back was touched ([why](internals/io.md))." % ", ".join(groups) if groups else ""


def bars(results):
    lines = ["## What is to be reached", "", "| work | bar | measured | reached |", "|---|---|---|---|"]
    for v in verdicts(results):
        lines.append("| %s | %s | %s | %s |" % (v.work, v.bar, v.shown, "" if v.met is None else "yes" if v.met else "**no**"))
    return lines + ["", "A figure without a unit is a ratio of speeds in the same run: 2 is twice as fast as the other side, 0.5 half as fast."]


def rows(results):
    lines = []
    for group, title in GROUPS.items():
        found = [row for row in results.group(group) if row.runs]
        if not found:
            continue
        lines += ["## " + title, "", "| work | ours, s | GB/s | MiB | private | the machine | s | ours of it | Kubo, s | MiB | Kubo ÷ ours |", "|---|---|---|---|---|---|---|---|---|---|---|"]
        for row in found:
            lines += row_lines(row)
        lines.append("")
    return lines + ["MiB: peak resident memory. private: without page cache and mapped files.", ""]


def row_lines(row):
    ours, side, size = row.seconds(), row.machine_side(), row.bytes()
    speed = "%.2f" % (size / ours / 1e9) if ours and size > 1 << 20 else ""
    lines = ["| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |" % (
        row.name, cell(ours, "%.4f"), speed, cell(row.peak_mib(), "%.0f"), cell(row.private_mib(), "%.0f"), side or "", cell(row.seconds(side), "%.4f") if side else "",
        ratio(row.seconds(side), ours) if side else "", cell(row.seconds("Kubo"), "%.3f"), cell(row.peak_mib("Kubo"), "%.0f"), ratio(row.seconds("Kubo"), ours))]
    for who in row.runs:
        if who.startswith("Kubo,"):
            lines.append("| … %s | | | | | | | | %s | %s | %s |" % (who, cell(row.seconds(who)), cell(row.peak_mib(who), "%.0f"), ratio(row.seconds(who), ours)))
        elif who not in ("ours", "Kubo", side):
            lines.append("| … | | | | | %s | %s | %s | | | |" % (who, cell(row.seconds(who), "%.4f"), ratio(row.seconds(who), ours)))
    return lines


def kernels(results):
    found = [row for row in results.group("kernels")]
    if not found:
        return []
    base = results.row("kernels", "openssl speed sha256").value("openssl")
    lines = ["## sha2-256, one core", "", "| kernel | GB/s | of `openssl speed` |", "|---|---|---|"]
    for row in found:
        who = "ours" if "ours" in row.values else "openssl"
        used = any(r.get("used") for r in row.values[who])
        lines.append("| %s%s | %.2f | %s |" % (row.name, ", used" if used else "", row.value(who), ratio(row.value(who), base)))
    return lines + [""]


def range_rows(results):
    found = [row for row in results.group("ranges") if row.values]
    if not found:
        return []
    lines = ["## Random ranges, one process", "", "`bench-ranges`: the same random offsets of the same file through `ipfsa_cat` and through `pread`, all in memory.", "",
             "| work | ours, µs | pread, µs | ours of it |", "|---|---|---|---|"]
    for row in found:
        lines.append("| %s | %.2f | %.2f | %s |" % (row.name, row.value("ours"), row.value("pread"), ratio(row.value("pread"), row.value("ours"))))
    return lines + [""]


def family_rows(results):
    found = [row for row in results.group("families") if row.values]
    if not found:
        return []
    chunkers = list(found[0].values)
    lines = ["## Families of checkpoints", "", "Bytes that the repo grows by, of the bytes of the files, when a checkpoint is added beside its base.", "",
             "| checkpoint | %s |" % " | ".join("`%s`" % c for c in chunkers), "|---" * (len(chunkers) + 1) + "|"]
    for row in found:
        lines.append("| %s | %s |" % (row.name, " | ".join(cell(row.value(c), "%.4f") for c in chunkers)))
    return lines + [""]


def next_power(n):
    return 1 << (int(n) - 1).bit_length()


def need_of(blocks, results):
    """What so many would need, from the format and what the largest level took."""
    levels = results.level_rows()
    if not levels:
        return []
    count, row = levels[-1]
    slots, rate = next_power(blocks / 0.7), row.value("fill")
    minutes = "about %.0f minutes to put them at the rate of filling above, without the time that their bytes take; " % (blocks / rate / 60) if rate else ""
    return ["What %s blocks need, computed: an index of at least 2^%d slots of 16 bytes = %.1f GiB, up to four times as much right after it has grown, mapped, and all of it in memory for this "
            "speed of getting; 56 bytes of table entry a block in the packs = %.1f GiB; %sprivate memory does not grow with the store." % (
                "{:,}".format(blocks), slots.bit_length() - 1, slots * 16 / 2**30, blocks * 56 / 2**30, minutes), ""]


def scale(results):
    levels = results.level_rows()
    if not levels:
        return []
    lines = ["## A growing store (synthetic)", "",
             "Blocks of 256 bytes made from their number, each hashed, written, indexed and verified on reading as any other, put through the library's own calls (`bench/scale.c`). "
             "Get: `ipfsa_block_get` of random CIDs, one process, warm. Add: commits of 32,768 blocks, synced, into this store and into an empty one by turns.", "",
             "| blocks | get p50, µs | p99, µs | open, ms | put while filling, /s | add here, /s | add to an empty one, /s | ratio | index, MiB | private, MiB | mapped, MiB |", "|---|---|---|---|---|---|---|---|---|---|---|"]
    for count, row in levels:
        value = row.value
        lines.append("| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |" % (
            "{:,}".format(count), cell(value("get p50"), "%.2f"), cell(value("get p99"), "%.2f"), cell(value("open") and value("open") * 1e3, "%.2f"), cell(value("fill"), "%.0f"),
            cell(value("add, full"), "%.0f"), cell(value("add, empty"), "%.0f"), ratio(value("add, full"), value("add, empty")), cell(value("index") and value("index") / 2**20, "%.0f"),
            cell(value("private memory") and value("private memory") / 1024, "%.0f"), cell(value("mapped memory") and value("mapped memory") / 1024, "%.0f")))
    lines += ["", "Real content by the program into the largest of these stores and into an empty one:", "", "| work | full store, s | empty store, s | rate, full ÷ empty | private, MiB |", "|---|---|---|---|---|"]
    for row in results.group("scale"):
        if row.runs:
            lines.append("| %s | %s | %s | %s | %s |" % (row.name, cell(row.seconds("full store")), cell(row.seconds("empty store")), ratio(row.seconds("empty store"), row.seconds("full store")),
                                                       cell(row.private_mib("full store"), "%.0f")))
    return lines + [""] + need_of(10**8, results)


def shared(results):
    found = [row for row in results.group("reflink") if row.values]
    lines = ["`%s`: %.1f MiB shared with other files (FIEMAP)." % (row.name, row.value() / 2**20) for row in found]
    return lines + [""] if lines else []


def tunnel(results):
    found = [row for row in results.group("tunnel") if row.values]
    if not found:
        return []
    used = results.machines.get("tunnel", {}).get("congestion_control")
    lines = ["## Tunnels", "", "`bench-relay`: what carries a tunnel's bytes, in a process of its own, beside a loopback connection without it and beside `docker-proxy`, which "
             "carries the ports that Docker publishes on loopback. With the congestion control of the machine%s, and with one that does not pace at source and sink; where "
             "there are fewer than three processors, source, relay and sink share them: [internals/tunnel.md](internals/tunnel.md)." % (" (`%s`)" % used if used else ""), "", "| work | contender | | of direct |", "|---|---|---|---|"]
    for row in found:
        unit = row.values["ours"][0]["unit"]
        for who in row.values:
            lines.append("| %s | %s | %.1f %s | %s |" % (row.name, who, row.value(who), unit, ratio(row.value(who), row.value("direct"))))
    return lines + [""]


def python(results):
    found = [row for row in results.group("python") if row.values]
    if not found:
        return []
    lines = ["## Python", "", "Inside a fresh interpreter each, from the call to its answer; `import` with its byte-code made before.", "", "| work | ours | beside | | ours of it |", "|---|---|---|---|---|"]
    for row in found:
        unit, side = row.values["ours"][0]["unit"], next((who for who in row.values if who != "ours"), None)
        lines.append("| %s, %s | %.2f | %s | %s | %s |" % (row.name, unit, row.value(), side or "", cell(row.value(side), "%.2f") if side else "", ratio(row.value(side), row.value()) if side else ""))
    return lines + [""]


def page(results, plots):
    lines = ["# Benchmarks", ""] + heading(results) + [""] + bars(results) + [""]
    for name, title in PLOTS:
        if name in plots:
            lines += ["![%s](plots/%s.svg)" % (title, name), ""]
    lines += kernels(results) + rows(results) + shared(results) + range_rows(results) + family_rows(results) + scale(results) + tunnel(results) + python(results)
    lines += ["Skipped: %s (%s)." % (record["row"], record["why"]) for record in results.skipped]
    return "\n".join(lines).rstrip() + "\n"
