"""From a model folder to a container that has it mounted, with what each step took. Run it after `pip install .`; it leaves nothing behind.

usage: quickstart.py [IMAGE]             the image of the container, busybox when nothing is said"""
import json
import os
import random
import struct
import sys
import tempfile
import time

import ipfs_accelerate_py as ia

MEBIBYTES = int(os.environ.get("QUICKSTART_MB", "64"))  # of the model that is made up


class step:
    """One line: what was done, and how long it took."""

    def __init__(self, what):
        self.what, self.note = what, ""

    def __enter__(self):
        self.started = time.perf_counter()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            print("%9.1f ms  %s%s" % ((time.perf_counter() - self.started) * 1000, self.what, ": " + self.note if self.note else ""))


def make_model(folder):
    """A folder as models have it: a configuration, and weights in safetensors' format."""
    os.mkdir(folder)
    with open(os.path.join(folder, "config.json"), "w") as file:
        json.dump({"model_type": "made-up", "layers": MEBIBYTES}, file)
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for i in range(MEBIBYTES):  # a layer is 1 MiB: 512 x 512 numbers of 4 bytes
        header["layers.%d.weight" % i] = {"dtype": "F32", "shape": [512, 512], "data_offsets": [at, at + (1 << 20)]}
        at += 1 << 20
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    numbers = random.Random(1)
    with open(os.path.join(folder, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for i in range(MEBIBYTES):
            file.write(struct.pack("<f", numbers.random()) * (1 << 18))


def load_tensors(cid):
    try:
        import numpy  # noqa: F401 (only whether it is there)
    except ImportError:
        with step("a tensor is read by ipfs:// (NumPy is not installed: as bytes)") as s, ia.Checkpoint("ipfs://" + cid) as checkpoint:
            s.note = "%d bytes" % len(checkpoint.read("layers.0.weight"))
        return
    with step("all tensors are loaded by ipfs://, verified, as NumPy arrays without a copy") as s:
        tensors = ia.load_file("ipfs://" + cid)
        s.note = "%d tensors, %d MiB" % (len(tensors), sum(t.nbytes for t in tensors.values()) >> 20)
    with step("one of them is used") as s:
        s.note = "mean of layers.0.weight is %.4f" % tensors["layers.0.weight"].mean()


def run_container(cid, image):
    containers = ia.ipfs_accelerate.backends
    name = "ipfs-accelerate-quickstart-%d" % os.getpid()
    with step("a container starts with the model mounted, read-only") as s:
        made = containers.start_container(name, image, command=["sleep", "600"], model_cid=cid, mount_path="/models/made-up")
        s.note = made["status"]
    if made["status"] == "error":
        print("              without a container: %s" % made["message"])
        return
    try:
        with step("the container reads its configuration") as s:
            s.note = containers.exec(name, ["cat", "/models/made-up/config.json"])["stdout"].decode()
    finally:
        containers.stop_container(name, timeout=1)
        containers.remove(name, force=True)


def main(image):
    with tempfile.TemporaryDirectory(prefix="ipfs-accelerate-quickstart-") as work:
        os.environ["IPFSA_PATH"] = os.path.join(work, "repo")  # a store of its own, that goes with the folder
        os.environ.setdefault("IPFS_ACCELERATE_CONFIG", os.path.join(work, "config.toml"))
        model = os.path.join(work, "model")
        with step("a model is made up") as s:
            make_model(model)
            s.note = "%d MiB" % MEBIBYTES
        with step("it goes into the store, durable") as s:
            cid = ia.add(model, cid_version=1, chunker="tensor")["cid"]
            s.note = "ipfs://" + cid
        with step("again: everything is there already"):
            assert ia.add(model, cid_version=1, chunker="tensor")["cid"] == cid
        load_tensors(cid)
        with step("it comes out again, every byte verified"):
            ia.get(cid, os.path.join(work, "copy"))
        run_container(cid, image)
        ia.content.close()


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore", RuntimeWarning)  # there is no config.toml: defaults are fine
    main(sys.argv[1] if len(sys.argv) > 1 else "busybox")
