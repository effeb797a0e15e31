"""The program that runs the tests: every file runs once, engines are not started twice, and what failed or was skipped is counted and told."""
import importlib.machinery
import importlib.util
import os
import types

import pytest

from conftest import ROOT


@pytest.fixture(scope="module")
def runner():
    loader = importlib.machinery.SourceFileLoader("run_tests", str(ROOT / "tools/run-tests"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("run_tests", loader))
    loader.exec_module(module)
    return module


def folder_of(tmp_path, **files):
    folder = tmp_path / "tests/integration"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / (name + ".py")).write_text(text)
    return folder


def names(lists):
    return [[os.path.basename(path) for path in paths] for paths in lists]


def test_every_file_of_the_tree_is_in_one_list(runner):
    folder = ROOT / "tests/integration"
    lists = names(runner.jobs(folder, runner.expected_seconds()))
    assert sorted(sum(lists, [])) == sorted(path.name for path in folder.glob("test_*.py"))
    assert [paths for paths in lists if "test_containers.py" in paths][0] == [paths for paths in lists if "test_web_scenario.py" in paths][0]


def test_the_table_of_seconds_names_files_that_are_there(runner):
    table = runner.expected_seconds()
    assert table and not [name for name in table if not (ROOT / "tests/integration" / name).exists()]


def test_the_longest_runs_first_and_engines_together(runner, tmp_path):
    folder = folder_of(tmp_path, test_a="", test_b="def test(%s_engine): pass" % "docker", test_c="from engines import IMAGE", test_d="import fake_engine", test_e="", conftest="", other="")
    lists = runner.jobs(str(folder), {"test_a.py": 1, "test_b.py": 20, "test_c.py": 20, "test_d.py": 30})
    assert names(lists) == [["test_b.py", "test_c.py"], ["test_d.py"], ["test_e.py"], ["test_a.py"]]


def test_what_failed_or_was_skipped_is_counted_and_told(runner, tmp_path, monkeypatch, capsys):
    folder_of(tmp_path, test_good="def test_it(): print('of the good one')", test_bad="def test_it():\n    print('of the bad one')\n    assert 1 == 2\ndef test_other(): pass",
              test_left_out="import pytest\ndef test_it(): pytest.skip('skipped: no such thing')", test_broken="import nothing_of_this_name", test_empty="")
    monkeypatch.setattr(runner, "ROOT", str(tmp_path))
    monkeypatch.setattr(runner, "SECONDS", str(tmp_path / "seconds.txt"))
    (tmp_path / "seconds.txt").write_text("3 test_good.py\n")
    args = types.SimpleNamespace(words="", record=True)
    assert runner.integration_tests(dict(os.environ), args) == [2, 2, 1]
    told = capsys.readouterr().out
    assert "of the bad one" in told and "no such thing" in told and "nothing_of_this_name" in told and "of the good one" not in told
    assert "FAIL test_bad " in told and "1 passed, 1 failed" in told and "ok   test_good" in told
    assert {"test_good.py", "test_bad.py", "test_left_out.py"} <= set(runner.expected_seconds())
    args.words = "other"
    assert runner.integration_tests(dict(os.environ), args)[0] == 1
