"""The raw results, read back: every row's contenders and their medians."""
import json
import pathlib
import statistics


class Row:
    def __init__(self, group, name):
        self.group, self.name = group, name
        self.runs = {}    # who: list of records
        self.values = {}  # who: list of records

    def seconds(self, who="ours"):
        return self.middle(self.runs, who, "seconds")

    def value(self, who="ours"):
        return self.middle(self.values, who, "value")

    def peak_mib(self, who="ours"):
        kib = self.middle(self.runs, who, "peak_kib")
        return kib / 1024 if kib is not None else None

    def private_mib(self, who="ours"):
        """Without the page cache and mapped files; all of it where the process ended before anybody could look."""
        kib = self.middle(self.runs, who, "private_kib")
        return kib / 1024 if kib is not None else self.peak_mib(who)

    def written_mib(self, who="ours"):
        written = self.middle(self.runs, who, "written_bytes")
        return written / 1048576 if written is not None else None

    def bytes(self):
        return next((record["bytes"] for records in self.runs.values() for record in records), 0)

    def machine_side(self):
        """The contender that is neither ours nor Kubo, when there is one."""
        return next((who for who in self.runs if who != "ours" and not who.startswith("Kubo")), None)

    @staticmethod
    def middle(of, who, key):
        values = [record[key] for record in of.get(who, []) if record.get(key) is not None]
        return statistics.median(values) if values else None


class Results:
    def __init__(self, folder):
        self.rows, self.machines, self.skipped = {}, {}, []
        for path in sorted(pathlib.Path(folder).glob("*.jsonl")):
            for line in path.read_text().splitlines():
                self.take(path.stem, json.loads(line))

    def take(self, group, record):
        kind = record["kind"]
        if kind == "machine":
            self.machines[group] = record
        elif kind == "skipped":
            self.skipped.append(record)
        else:
            row = self.rows.setdefault((group, record["row"]), Row(group, record["row"]))
            (row.runs if kind == "run" else row.values).setdefault(record["who"], []).append(record)

    def row(self, group, name):
        return self.rows.get((group, name)) or Row(group, name)

    def group(self, group):
        return [row for (of, _), row in self.rows.items() if of == group]

    def level_rows(self):
        """Of the scale group, (number of blocks, row), ascending."""
        return sorted((int(row.name.split()[0]), row) for row in self.group("scale") if row.name.endswith(" blocks"))
