"""Bytes stored for families of checkpoints, by chunker: a base and, each beside it alone, what people make of one."""
import os

import models
import settings

CHUNKERS = ["tensor", "size-1048576", "buzhash", "rabin-16384-65536-131072"]


def family(mib):
    """(name, files) of each member; the first is the base."""
    base = models.layers(mib)
    changed = lambda which: [(name, os.urandom(len(data)) if which(name) else data) for name, data in base]
    half = len(base) // 2
    return [("base", [base]),
            ("fine-tuned: the last quarter of its layers", [[("extra.head", os.urandom(40000))] + changed(lambda name: int(name.split(".")[1]) >= 12)]),
            ("re-sharded: the same in two files", [base[:half], base[half:]]),
            ("LoRA-merged: one tensor of each layer", [changed(lambda name: name.endswith("w2"))]),
            ("cast: every tensor, half the bytes", [[(name, data[1::2]) for name, data in base]])]


def stored(node):
    return int(node.text("repo", "stat", "--size-only").split("RepoSize:")[1].split()[0])


def measure(place, recorder):
    mib = min(settings.MB, 256)
    members = []
    for name, files in family(mib):
        members.append((name, [models.write(place.folder / ("%d-%d.safetensors" % (len(members), i)), tensors) for i, tensors in enumerate(files)]))
    for chunker in CHUNKERS:
        for name, files in members:
            place.ours.fresh()
            add = lambda paths: [place.ours.text("add", *place.ours.base, "--chunker=" + chunker, path) for path in paths]
            add(members[0][1])
            before = stored(place.ours)
            if name != "base":
                add(files)
            more = stored(place.ours) - (0 if name == "base" else before)
            recorder.value(name, chunker, "of its bytes", round(more / sum(path.stat().st_size for path in files), 4), bytes=sum(path.stat().st_size for path in files),
                           command="ipfs-accelerate add --cid-version=1 --chunker=%s" % chunker)
    place.forget(place.ours.repo)
