"""Device maps over random models against those of the real accelerate (tests/peers/plan.py), part by part. A difference is made small before it is shown."""
import json
import math
import os
import random
import subprocess

import pytest

from conftest import PEERS, PROGRAM, ROOT, seed

DRIVER = PROGRAM.parent / "tests/plan-driver"
FAKE_CUDA = PROGRAM.parent / "tests/fake-cuda"
PYTHON = PEERS / "accelerate/bin/python"
N_CASES = 4000
SPECIAL = ["float32", "float64", "torch.float16", "int8", "bool", "complex64", "half", "torch.double", "long", "bfloat16"]
CLASSES = ["Block", "Linear", "Norm", "Attention", "Layers"]
DTYPES = ["float32"] * 6 + ["float16", "bfloat16", "float64", "int64", "uint8", "int8", "bool", "complex64"]
# What accelerate 0.34.2 ends with where a parameter is tied to one that it cannot find any more, or to a bare one beside a module that does not fit.
CRASHES = {"IndexError", "AttributeError"}


def random_case(rnd):
    modules, tensors = [["", "Model", 0]], []
    names = ["a", "b", "layers", "w", "0", "1", "weight", "ab", "x"]

    def fill(me, depth):
        own = rnd.sample(names, len(names))
        for _ in range(rnd.choice([0, 1, 1, 2, 3]) if depth else rnd.choice([0, 0, 1])):
            shape = [rnd.choice([0, 1, 2, 3, 5, 8, 16]) if rnd.random() < 0.9 else 1 for _ in range(rnd.randrange(3))]
            is_buffer = rnd.random() < 0.25
            tied = 0 if is_buffer or rnd.random() < 0.7 else rnd.randrange(1, 4)
            tensors.append([own.pop(), me, rnd.choice(DTYPES), shape, is_buffer, tied])
        for _ in range(0 if depth > 3 else rnd.randrange(2, 6) if depth == 0 else rnd.choice([0, 0, 1, 2, 3])):
            if len(modules) < 30 and own:
                modules.append([own.pop(), rnd.choice(CLASSES), me])
                fill(len(modules) - 1, depth + 1)

    fill(0, 0)
    tensors.sort(key=lambda t: t[1])
    if rnd.random() < 0.65:
        for tensor in tensors:
            tensor[5] = 0
    first = {}
    for tensor in tensors:  # one parameter has one type and shape
        if tensor[5]:
            first.setdefault(tensor[5], tensor)
            tensor[2:4] = first[tensor[5]][2:4]
    total = sum(4 * math.prod(t[3]) for t in tensors) + 1
    memory = {str(i): rnd.choice([0, rnd.randrange(total), rnd.randrange(total), rnd.randrange(total), 2 * total]) for i in range(rnd.choice([0, 1, 1, 2, 2, 3, 4]))}
    if rnd.random() < 0.1 and memory:
        memory.pop(rnd.choice(list(memory)))
    if rnd.random() < 0.8:
        memory["cpu"] = rnd.randrange(2 * total)
    if rnd.random() < 0.05:
        memory["mps"] = rnd.randrange(3 * total)
    keys = list(memory)
    rnd.shuffle(keys)
    given = {"memory": {k: memory[k] for k in keys}}
    if rnd.random() < 0.3 and "mps" not in memory:  # nobody gave it: what the machine has
        given = {"available": {"cpu": rnd.randrange(2 * total), **{k: v for k, v in memory.items() if k != "cpu"}}}
    return {"modules": modules, "tensors": tensors, **given, "special": random_special(rnd, modules, tensors), "no_split": rnd.sample(CLASSES, rnd.choice([0, 0, 1, 2])),
            "mode": rnd.choice(["auto", "balanced", "balanced_low_0", "sequential", "sequential"]), "dtype": rnd.choice([None, None, "float16", "float64", "int8", "bool"])}


def full_name(modules, tensor):
    names, at = [tensor[0]], tensor[1]
    while at:
        names.insert(0, modules[at][0])
        at = modules[at][2]
    return ".".join(names)


def random_special(rnd, modules, tensors):
    """Of some tensors, of later names of tied ones, of none at all."""
    if rnd.random() < 0.6:
        return {}
    names = [full_name(modules, t) for t in tensors] + ["", "nobody", "a", "layers.0"]
    return {name: rnd.choice(SPECIAL) for name in rnd.sample(names, rnd.randrange(1, min(len(names), 6)))}


def ask(command, cases, env=None):
    done = subprocess.run(command, env=env, input="".join(json.dumps(case) + "\n" for case in cases), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    return answers


def ours(cases):
    return ask([str(DRIVER)], cases)


def theirs(cases):
    return ask([str(PYTHON), str(ROOT / "tests/peers/plan.py")], cases)


def differs(our, their):
    if their.get("error") == "AttributeError":  # ours may go on: it looks at the next one
        return False
    if "error" in their:
        return "error" not in our
    return our.get("map") != their["map"]


def smaller(case):
    """Each way to leave one thing out."""
    for i in range(1, len(case["modules"])):
        end = i + 1
        while end < len(case["modules"]) and case["modules"][end][2] >= i:
            end += 1
        n = end - i
        yield {**case, "modules": case["modules"][:i] + [[a, b, p - n if p >= end else p] for a, b, p in case["modules"][end:]],
               "tensors": [[t[0], t[1] - n if t[1] >= end else t[1], *t[2:]] for t in case["tensors"] if not i <= t[1] < end]}
    for i in range(len(case["tensors"])):
        yield {**case, "tensors": case["tensors"][:i] + case["tensors"][i + 1:]}
    for kind in ("memory", "available", "special"):
        for key in case.get(kind, {}):
            if (kind, key) != ("available", "cpu"):
                yield {**case, kind: {k: v for k, v in case[kind].items() if k != key}}
    for name in case["no_split"]:
        yield {**case, "no_split": [n for n in case["no_split"] if n != name]}
    if case["dtype"]:
        yield {**case, "dtype": None}
    if case["mode"] != "sequential":
        yield {**case, "mode": "sequential"}


def minimised(case):
    while True:
        tries = list(smaller(case))
        bad = [t for t, our, their in zip(tries, ours(tries), theirs(tries)) if differs(our, their)]
        if not bad:
            return case
        case = bad[0]


@pytest.fixture(scope="module")
def peer():
    if not PYTHON.exists():
        pytest.skip("skipped: the real accelerate is missing: run tools/install-peers")


def test_memory_of_the_machine_is_what_accelerate_finds(peer):
    """This machine's own. What is available changes from moment to moment."""
    (our,), (their,) = ours([{"machine": True}]), theirs([{"machine": True}])
    assert our["memory"].keys() == their["memory"].keys()
    for device, size in their["memory"].items():
        assert abs(our["memory"][device] - size) < max(size / 2, 2 ** 30), (our, their)


@pytest.mark.parametrize("gpus, found", [
    ("8000,700,0", {"0": 8000, "1": 700, "2": 0}),
    ("8000,-,5", {"0": 8000, "2": 5}),  # one that has no context for us
    ("", {}),
    ("no driver", {}),
    ("no count", {}),
])
def test_gpus_of_the_driver(gpus, found, tmp_path):
    """Our own: its calls, in its order, of a driver that has these GPUs (tests/fake-cuda/fake_cuda.c); it checks that each context is left and released."""
    log = tmp_path / "log"
    env = {**os.environ, "LD_LIBRARY_PATH": str(FAKE_CUDA), "FAKE_CUDA": gpus, "FAKE_CUDA_LOG": str(log)}
    (our,) = ask([str(DRIVER)], [{"machine": True}], env)
    assert our["memory"].pop("cpu") > 0
    assert our["memory"] == found
    calls = log.read_text().split()
    assert calls.count("retain") == calls.count("release") and calls.count("push") == calls.count("pop") == len(found)


def test_device_maps_are_those_of_accelerate(peer):
    rnd = random.Random("plans %d" % seed())
    cases = [random_case(rnd) for _ in range(N_CASES)]
    our, their = ours(cases), theirs(cases)
    errors = [t["error"] for t in their if "error" in t]
    assert len(errors) < N_CASES / 4 and set(errors) <= CRASHES | {"KeyError", "RuntimeError"}, set(errors)
    assert sum(len(t["map"]) > 2 for t in their if "map" in t) > N_CASES / 4, "most models are not split: nothing is compared"
    for case, o, t in zip(cases, our, their):
        if differs(o, t):
            case = minimised(case)
            pytest.fail("%s\nours:   %s\ntheirs: %s" % (json.dumps(case), ours([case])[0], theirs([case])[0]))
