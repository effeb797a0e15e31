"""Tensors of a checkpoint of the store as NumPy arrays: no copy, verified, and of what is not asked for nothing is read.

usage: tensors.py CID"""
import sys

import ipfs_accelerate_py as ia


def main(cid):
    with ia.Checkpoint("ipfs://" + cid) as checkpoint:
        print("%s, %d tensors, %d bytes" % (checkpoint.format, len(checkpoint), checkpoint.tensor_bytes))
        for name, about in checkpoint.tensors().items():
            print(name, about["dtype"], about["shape"])
        name = max(checkpoint.keys(), key=lambda n: checkpoint.tensor(n)["size"])
        rows = checkpoint.numpy(name, rows=(0, 1))  # the first row alone
    print("the largest is", name, "its first row has mean", float(rows.mean()))

    everything = ia.load_file("ipfs://" + cid)  # as safetensors.numpy.load_file
    everything[name][:] = 0  # this process's own copy of the pages; the store stays as it is
    assert (ia.load_file("ipfs://" + cid)[name][:1] == rows).all()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
