"""The tools of `make bench`: what they make of raw results, and that a small measurement runs from end to end."""
import json
import os
import subprocess
import sys
import xml.etree.ElementTree

import pytest

from conftest import PROGRAM, ROOT, peer_python

sys.path.insert(0, str(ROOT / "bench"))
from bars import verdicts  # noqa: E402
from plots import all_plots  # noqa: E402
from results import Results  # noqa: E402
from table import page  # noqa: E402

MACHINE = {"kind": "machine", "date": "2026-01-01", "processor": "AMD Test", "features": ["avx512f"], "processors": 2, "memory_gib": 4.0, "kernel": "6.1.0", "file_system": "ext4",
           "versions": {"ours": "ipfs-accelerate version 0.1.0", "source": "0123456789ab", "Kubo": None, "openssl": "OpenSSL 3", "fio": None, "coreutils": "cp 9"},
           "sizes": {"file_mib": 64, "car_mib": 64, "files": 10, "blocks": 10, "runs": 3}}


def run(row, who, seconds, turn=0, group="file", **more):
    return {"kind": "run", "group": group, "row": row, "who": who, "turn": turn, "bytes": 64 << 20, "seconds": seconds, "peak_kib": 10240, "private_kib": 5120, "written_bytes": 0, "command": "x", **more}


def results_of(tmp_path, group, records):
    (tmp_path / (group + ".jsonl")).write_text("".join(json.dumps(record) + "\n" for record in [MACHINE, *records]))
    return Results(tmp_path)


def verdict_of(results, words):
    return [v for v in verdicts(results) if words in v.work][0]


def test_a_bar_is_a_ratio_of_medians(tmp_path):
    results = results_of(tmp_path, "file", [run("get", "ours", s, i) for i, s in enumerate((9.0, 2.0, 1.0))] + [run("get", "cp", s, i) for i, s in enumerate((1.6, 1.8, 7.0))])
    got = verdict_of(results, "`get`, warm")
    assert (got.value, got.met) == (pytest.approx(0.9), True)
    results = results_of(tmp_path, "file", [run("get", "ours", 2.0), run("get", "cp", 1.79)])
    assert verdict_of(results, "`get`, warm").met is False


def test_what_was_not_measured_is_said(tmp_path):
    results = results_of(tmp_path, "file", [run("get", "ours", 2.0)])
    got = verdict_of(results, "beside Kubo asked to sync")
    assert (got.met, got.shown) == (None, "not measured")


def test_memory_is_the_most_of_all_rows(tmp_path):
    results = results_of(tmp_path, "file", [run("get", "ours", 2.0, private_kib=65 << 10), run("cat", "ours", 2.0)])
    got = verdict_of(results, "peak memory")
    assert got.met is False and "get" in got.work
    results = results_of(tmp_path, "file", [run("get", "ours", 2.0, private_kib=None, peak_kib=64 << 10)])
    assert verdict_of(results, "peak memory").met is True


def test_each_machine_is_named_with_its_groups(tmp_path):
    results_of(tmp_path, "file", [])
    (tmp_path / "car.jsonl").write_text(json.dumps({**MACHINE, "processor": "Intel Test", "date": "2026-02-02"}) + "\n")
    text = page(results_of(tmp_path, "repo", []), {})
    assert "- **Machine** of file, repo: AMD Test" in text and "- **Machine** of car: Intel Test" in text and "measured 2026-02-02." in text
    (tmp_path / "car.jsonl").unlink()
    assert "- **Machine**: AMD Test" in page(Results(tmp_path), {})


def test_the_page_and_the_plots_of_the_recorded_results_are_whole():
    """What lies in docs/ is what the raw results beside it say."""
    results = Results(ROOT / "bench/results")
    plots = all_plots(results)
    for svg in plots.values():
        xml.etree.ElementTree.fromstring(svg)
        assert "prefers-color-scheme: dark" in svg
    if not results.machines:
        pytest.skip("skipped: no results are recorded yet: run make bench")
    assert (ROOT / "docs/BENCHMARKS.md").read_text() == page(results, plots)
    for name, svg in plots.items():
        assert (ROOT / "docs/plots" / (name + ".svg")).read_text() == svg


def test_a_small_measurement_runs_from_end_to_end(program, tmp_path):
    subprocess.run(["ninja", "-C", str(PROGRAM.parent), "--quiet", "bench-tools"], check=True, stdout=subprocess.DEVNULL)  # those of an earlier build may not fit
    (tmp_path / "work").mkdir()
    env = {**os.environ, "BENCH_MB": "4", "BENCH_FILES": "20", "BENCH_BLOCKS": "10000", "BENCH_RUNS": "1", "BENCH_RANGES": "40", "BENCH_DIR": str(tmp_path / "work"),
           "BENCH_OUT": str(tmp_path / "out"), "IPFSA_PEERS": str(tmp_path / "nobody")}
    subprocess.run([str(ROOT / "bench/run"), str(PROGRAM), "folder", "car", "ranges", "scale"], env=env, check=True, stdout=subprocess.PIPE)
    results = Results(tmp_path / "out")
    assert results.row("folder", "get").seconds() > 0
    assert results.row("folder", "add -r").peak_mib() < 64
    assert results.row("ranges", "ranges of 4 KiB, mean").value("pread") > 0
    assert results.level_rows()[0][0] == 10000
    text = page(results, all_plots(results))
    assert "10,000" in text and "not measured" in text
    for path in (tmp_path / "out").iterdir():  # a line of results says nothing of where it was made
        assert str(tmp_path) not in path.read_text()
    assert not list((tmp_path / "work").iterdir())


def test_the_group_of_python_runs_from_end_to_end(program, tmp_path):
    peer_python("python", "NumPy")
    (tmp_path / "work").mkdir()
    env = {**os.environ, "BENCH_MB": "4", "BENCH_RUNS": "1", "BENCH_DIR": str(tmp_path / "work"), "BENCH_OUT": str(tmp_path / "out")}
    subprocess.run(["ninja", "-C", str(PROGRAM.parent), "--quiet", "bench-tools"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([str(ROOT / "bench/run"), str(PROGRAM), "python"], env=env, check=True, stdout=subprocess.PIPE)
    results = Results(tmp_path / "out")
    assert all(results.row("python", row).value(who) > 0 for row, who in (("load_file", "ours"), ("load_file", "safetensors"), ("add_file", "the program"), ("a call", "ours")))
    text = page(results, all_plots(results))
    assert "## Python" in text and "| load_file, ms |" in text and len([v for v in verdicts(results) if v.work.startswith("Python") and v.value is not None]) == 4
    assert str(tmp_path) not in "".join(p.read_text() for p in (tmp_path / "out").iterdir())


def test_a_name_that_is_no_group_is_refused(program):
    done = subprocess.run([str(ROOT / "bench/run"), str(PROGRAM), "nothing"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "groups:" in done.stderr
