"""Runs the contenders of a row in turns and writes every single run as a line of JSON."""
import json
import os
import subprocess
import time

import caches
import machine
import settings

DEVNULL = subprocess.DEVNULL


class Contender:
    """One command of a row. before: called ahead of every run; warm or cold: files whose pages are in memory, or not; out: file for its output."""

    def __init__(self, who, command, env=None, before=None, warm=(), cold=(), stdin=None, out=None, seconds_of=None):
        self.who, self.command, self.env, self.before = who, [str(word) for word in command], env, before
        self.warm, self.cold, self.stdin, self.out, self.seconds_of = warm, cold, stdin, out, seconds_of
        self.slow = self.quick = False


class Recorder:
    def __init__(self, group, place):
        self.group, self.place = group, place
        settings.OUT.mkdir(parents=True, exist_ok=True)
        self.path = settings.OUT / (group + ".jsonl")
        self.temporary = settings.OUT / (group + ".jsonl.new")
        self.file = open(self.temporary, "w")
        self.write({"kind": "machine", "date": time.strftime("%Y-%m-%d", time.gmtime()), **machine.describe(place)})

    def close(self):
        """Only a whole group takes the place of the last one."""
        self.file.close()
        os.replace(self.temporary, self.path)

    def write(self, record):
        self.file.write(json.dumps(record) + "\n")
        self.file.flush()

    def plain(self, text):
        return text.replace(str(self.place.program), "ipfs-accelerate").replace(str(settings.PEERS / "ipfs"), "ipfs").replace(str(settings.PEERS), "$PEERS") \
                   .replace(str(self.place.tools) + "/", "").replace(str(self.place.folder), "$WORK").replace("-" + self.place.folder.name[-4:], "")

    def value(self, row, who, unit, value, **more):
        """A figure that is not the time of a process."""
        print("%-10s %-32s %-14s %s %s" % (self.group, row, who, value, unit), flush=True)
        self.write({"kind": "value", "group": self.group, "row": row, "who": who, "unit": unit, "value": value, **more})

    def skip(self, row, why):
        print("skipped: %s: %s" % (row, why), flush=True)
        self.write({"kind": "skipped", "group": self.group, "row": row, "why": why})

    def row(self, row, contenders, size=0, runs=None, turns=None, cache=None, brings_in=True):
        """size: bytes of payload. Who is quick is run more often, since what disturbs the machine for a moment is more of his time; who is slow is run once.
        brings_in: the payload takes pages that were free before."""
        contenders = [c for c in contenders if c]
        few = settings.RUNS
        for turn in turns or range(runs or few * settings.MORE):
            shift = turn % len(contenders)
            for contender in contenders[shift:] + contenders[:shift]:
                if not contender.slow and (turns or runs or turn < few or contender.quick):
                    self.run(row, contender, size, turn, cache, brings_in)

    def run(self, row, c, size, turn, cache, brings_in):
        if c.before:
            c.before()
        caches.settle()
        how = caches.cold(*c.cold) if c.cold else None
        caches.warm(*c.warm)
        touched = caches.take_memory_back(size if brings_in else 0)
        took = self.timed(c)
        code = took.pop("code")
        if code != 0:
            raise SystemExit("%s ended with code %d: %s" % (" ".join(c.command), code, took["stderr"]))
        took.pop("stderr")
        if c.seconds_of:
            took["process_seconds"] = took["seconds"]
            took["seconds"] = c.seconds_of(took.pop("stdout"))
        c.slow, c.quick = took["seconds"] > settings.SLOW, took["seconds"] < settings.QUICK
        shown = self.plain(" ".join(c.command)) + (" < " + self.plain(str(c.stdin)) if c.stdin else "") + (" > " + self.plain(str(c.out)) if c.out else "")
        print("%-10s %-32s %-14s %9.4f s %7.1f MiB" % (self.group, row, c.who, took["seconds"], took["peak_kib"] / 1024), flush=True)
        self.write({"kind": "run", "group": self.group, "row": row, "who": c.who, "turn": turn, "bytes": size, **took,
                    "touched": touched, "cache": how or cache or ("warm" if c.warm else None), "command": shown})

    def timed(self, c):
        report = self.place.folder / "report.json"
        out = open(c.out, "wb") if c.out else subprocess.PIPE if c.seconds_of else DEVNULL
        source = open(c.stdin, "rb") if c.stdin else DEVNULL
        done = subprocess.run([str(self.place.tools / "bench-timed"), str(report), *c.command], env=c.env, stdin=source, stdout=out, stderr=subprocess.PIPE)
        took = json.loads(report.read_text())
        took["stderr"] = done.stderr.decode(errors="replace")
        if c.seconds_of:
            took["stdout"] = done.stdout
        for file in (out, source):
            if file not in (DEVNULL, subprocess.PIPE):
                file.close()
        return took
