"""Asks the real accelerate for device maps. Run by the Python of the peers' folder (tools/install-peers): a case on each line of standard input, as
tests/plan_driver.c reads it; on each line of standard output {"map": …}, or {"error": kind of the exception, "text": its text}."""
import json
import logging
import sys
import types
import warnings

import psutil
import torch
from torch import nn
from accelerate.utils import modeling

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")

found = modeling.find_tied_parameters
# The groups come out of a set, in an order of its own; ours is that of their names.
modeling.find_tied_parameters = lambda model: modeling.FindTiedParametersResult(sorted(found(model)))


def build(case):
    modules = [type(kind, (nn.Module,), {})() for _, kind, _ in case["modules"]]
    for i, (name, _, parent) in enumerate(case["modules"]):
        if i:
            modules[parent].add_module(name, modules[i])
    ties = {}
    for name, module, dtype, shape, is_buffer, tied in case["tensors"]:
        data = torch.empty(shape, dtype=getattr(torch, dtype), device="meta")
        if is_buffer:
            modules[module].register_buffer(name, data)
            continue
        parameter = ties.get(tied) if tied else None
        if parameter is None:
            parameter = nn.Parameter(data, requires_grad=False)
        ties[tied] = parameter
        modules[module].register_parameter(name, parameter)
    return modules[0]


def available(devices):
    """The machine has these: what get_max_memory(None) asks. A GPU whose number is left out does not answer."""
    gpus = {int(k): v for k, v in devices.items() if k != "cpu"}
    torch.cuda.device_count = lambda: max(gpus, default=-1) + 1
    torch.cuda.mem_get_info = lambda i: (gpus[i], 0)
    torch.tensor = lambda data, device: None
    psutil.virtual_memory = lambda: types.SimpleNamespace(available=devices["cpu"])


def infer(case):
    model = build(case)
    memory = {int(k) if k.isdigit() else k: v for k, v in case["memory"].items()} if "memory" in case else None
    if memory is None:
        available(case["available"])
    options = {"no_split_module_classes": case["no_split"], "dtype": case["dtype"], "special_dtypes": special_dtypes(case)}
    if case["mode"] != "sequential":
        memory = modeling.get_balanced_memory(model, max_memory=memory, low_zero=case["mode"] == "balanced_low_0", **options)
    return modeling.infer_auto_device_map(model, max_memory=memory, **options)


def special_dtypes(case):
    return case.get("special") or None


for line in sys.stdin:
    case = json.loads(line)
    try:
        if "machine" in case:
            answer = {"memory": {str(device): size for device, size in modeling.get_max_memory().items()}}
        else:
            answer = {"map": {name: str(device) for name, device in infer(case).items()}}
    except Exception as failure:
        answer = {"error": type(failure).__name__, "text": str(failure)}
    print(json.dumps(answer), flush=True)
