"""Weights on the disk with the real accelerate, run by the Python of the peers' folder. usage: offload.py write|read FOLDER. write: the weights that it makes itself,
also as rows [name, dtype, shape, hex] on standard output; read: the same rows of what its loader finds in the folder."""
import json
import sys

import torch
from accelerate.utils import OffloadedWeightsLoader, offload_state_dict

SAME_SIZE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"]


def row(name, tensor):
    raw = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    raw = raw.contiguous().view(SAME_SIZE[raw.element_size()])
    return json.dumps([name, str(tensor.dtype), list(tensor.shape), raw.numpy().tobytes().hex()])


torch.manual_seed(7)
command, folder = sys.argv[1:]
if command == "write":
    weights = {}
    for dtype in DTYPES:
        weights["layers.0.%s" % dtype] = (torch.randn(3, 5) * 50).to(getattr(torch, dtype))
        weights["scalar.%s" % dtype] = torch.tensor(1.5).to(getattr(torch, dtype))
    offload_state_dict(folder, weights)
else:
    loader = OffloadedWeightsLoader(save_folder=folder)
    weights = {name: loader[name] for name in sorted(loader)}
for name in sorted(weights):
    print(row(name, weights[name]))
