"""The 321 recorded imports of Kubo: CID, number of blocks, DAG size, and the SHA-256 of the exported CAR."""
import hashlib
import json
import os
import shutil
import sys

import pytest

from conftest import ROOT, Ipfs

sys.path.insert(0, str(ROOT / "tests/vectors"))
from materialise import materialise  # noqa: E402

CASES = [json.loads(line) for line in open(ROOT / "tests/vectors/import-kubo.jsonl", encoding="utf-8")]


@pytest.fixture(scope="module")
def nodes(program, tmp_path_factory):
    """A repo for each configuration that the cases ask for."""
    work = tmp_path_factory.mktemp("import")
    made = {}

    def node(case):
        key = json.dumps([case["config"], case.get("profile")], sort_keys=True)
        if key not in made:
            ipfs = Ipfs(program, work / ("repo%d" % len(made)), cwd=work)
            ipfs("init", *(["--profile=" + case["profile"]] if case.get("profile") else []))
            for name, value in case["config"].items():
                ipfs("config", "--json", name, json.dumps(value))
            made[key] = ipfs
        return made[key]

    return node


@pytest.mark.parametrize("case", CASES, ids=[c["name"] for c in CASES])
def test_import(nodes, case, tmp_path):
    os.umask(0o022)
    ipfs = nodes(case)
    target = materialise(case, str(tmp_path / "in"))
    done = ipfs("add", "-Q", *case["args"], target, check=False)
    if "error" in case:
        assert done.code != 0 and "Error: " in done.err
        return
    assert done.out.strip() == case["cid"], done.err
    if "car_sha256" in case:
        car = ipfs("dag", "export", "--progress=false", case["cid"]).out_bytes
        assert len(car) == case["car_size"]
        assert hashlib.sha256(car).hexdigest() == case["car_sha256"]
    if "blocks" in case:
        stat = json.loads(ipfs("dag", "stat", "--progress=false", "--enc=json", case["cid"]).out)
        assert (stat["DagStats"][0]["NumBlocks"], stat["TotalSize"]) == (case["blocks"], case["dag_size"])
    shutil.rmtree(tmp_path / "in", ignore_errors=True)
