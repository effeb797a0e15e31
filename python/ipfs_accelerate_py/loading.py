"""Weights into a torch model, with the signature, the semantics and the texts of Hugging Face accelerate's load_checkpoint_and_dispatch, out of the store or from the disk.

Shards are opened one after the other in the order of their names, and of each only what the model and its device map need is read. On the CPU a parameter lies in the pages
of the store until it is written. Device maps, hooks and offloading are accelerate's own, of the version that is installed."""
from __future__ import annotations

import io
import json
import logging
import os

from . import _own, _progress, checkpoint as _checkpoint, content, errors

Checkpoint, _is_content, Watch = _checkpoint.Checkpoint, _checkpoint._is_content, _progress.Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Sequence

    from ._progress import Progress

ARGUMENTS = ("model", "checkpoint", "device_map", "max_memory", "no_split_module_classes", "offload_folder", "offload_buffers", "dtype", "offload_state_dict", "skip_keys",
             "preload_module_classes", "force_hooks", "strict", "full_state_dict", "broadcast_from_rank0")
_MAPS = ("auto", "balanced", "balanced_low_0", "sequential")
_STATE, _SAFE_STATE = "pytorch_model.bin", "model.safetensors"
MAX_INDEX = 256 << 20  # bytes; a million tensors have some 100 MB of it
_logger = logging.getLogger(__name__)


def _accelerate():
    try:
        import accelerate
    except ImportError as why:
        raise ImportError("a device_map needs Hugging Face accelerate (pip install accelerate); without one device_map=None loads the model as it is") from why
    from accelerate.utils import modeling, offload

    return accelerate, modeling, offload


class _Disk:
    """Files by their paths."""

    def kind(self, path):
        return "file" if os.path.isfile(path) else "folder" if os.path.isdir(path) else None

    def names(self, path):
        return os.listdir(path)

    def open(self, path):
        return open(path, "rb")


class _Content:
    """Paths of content in the store."""

    def __init__(self, repo):
        self.repo = repo

    def kind(self, path):
        try:
            content.open_file(path, repo=self.repo).close()
            return "file"
        except errors.NotFound as why:
            if why.code == "offline":
                raise
            return None
        except errors.FormatError:
            return "folder"
        except errors.IPFSError as why:
            if why.code == "invalid_cid":
                return None
            raise

    def names(self, path):
        return [entry["name"] for entry in content.ls(path, repo=self.repo)]

    def open(self, path):
        return io.BufferedReader(content.open_file(path, repo=self.repo), 1 << 20)


def _files_of_index(place, path):
    with place.open(path) as file:
        text = file.read(MAX_INDEX + 1)
    if len(text) > MAX_INDEX:
        raise ValueError("the index %s is longer than %d bytes" % (path, MAX_INDEX))
    index = json.loads(text)
    names = index.get("weight_map", index) if isinstance(index, dict) else None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise ValueError("%s is no index of a checkpoint: it maps names of tensors to names of files" % path)
    folder = os.path.split(path)[0]
    for name in set(names.values()):
        if "/" in name or name in ("", ".", ".."):
            raise ValueError("the index %s names the file %r, which is not beside it" % (path, name))
    return [os.path.join(folder, name) for name in sorted(set(names.values()))]


def _files(place, checkpoint):
    """The files of a checkpoint, in the order in which they are loaded."""
    kind = place.kind(checkpoint)
    if kind is None:
        raise ValueError("`checkpoint` should be the path to a file containing a whole state dict, or the index of a sharded checkpoint, or a folder containing a sharded "
                         "checkpoint or the whole state dict, but got %s." % checkpoint)
    if kind == "file":
        return _files_of_index(place, checkpoint) if checkpoint.endswith(".json") else [checkpoint]
    names = place.names(checkpoint)
    for whole in (_STATE, _SAFE_STATE):
        if whole in names:
            return [os.path.join(checkpoint, whole)]
    indexes = [name for name in names if name.endswith(".index.json")]
    if not indexes:
        raise ValueError("%s is not a folder containing a `.index.json` file or a %s or a %s file" % (checkpoint, _STATE, _SAFE_STATE))
    if len(indexes) > 1:
        raise ValueError("%s containing more than one `.index.json` file, delete the irrelevant ones." % checkpoint)
    return _files_of_index(place, os.path.join(checkpoint, indexes[0]))


class _Shard:
    """One file: names, and tensors by name. Those of safetensors are read when they are asked for; a pickle is loaded whole."""

    def __init__(self, place, path, allow_pickle, repo, watch):
        self._reached = lambda done: watch.look()
        if place.kind(path) is None:
            raise FileNotFoundError("No such file or directory: %s" % path)
        self._checkpoint, self._tensors = None, None
        checkpoint = Checkpoint(path, repo=repo)
        if checkpoint.format == "safetensors":
            self._check(path, checkpoint.metadata())
            self._checkpoint = checkpoint
            self.sizes = {name: about["size"] for name, about in checkpoint.tensors().items()}
            return
        form = checkpoint.format
        checkpoint.close()
        if form not in ("torch", "pickle"):
            raise ValueError("%s is a %s checkpoint: what is loaded into a torch model is safetensors, or a state dict of torch.save" % (path, form))
        if not allow_pickle:
            raise ValueError("%s is a pickle, and loading one can run what it holds (CVE-2025-32434, CVE-2026-24747, CVE-2025-24357); pass allow_pickle=True if you trust it, "
                             "or convert it to safetensors" % path)
        import torch

        with place.open(path) as file:
            self._tensors = torch.load(file, map_location=torch.device("cpu"), weights_only=True)
        self.sizes = {name: value.numel() * value.element_size() for name, value in self._tensors.items()}

    @staticmethod
    def _check(path, metadata):
        if metadata is None:
            _logger.warning("The safetensors archive passed at %s does not contain metadata. Make sure to save your model with the `save_pretrained` method. Defaulting to "
                            "'pt' metadata.", path)
            return
        form = metadata.get("format")
        if form not in ("pt", "tf", "flax"):
            raise OSError("The safetensors archive passed at %s does not contain the valid metadata. Make sure you save your model with the `save_pretrained` method." % path)
        if form != "pt":
            raise ValueError("The checkpoint passed was saved with %s, we need a the pt format." % form)

    def tensor(self, name):
        return self._tensors[name] if self._tensors is not None else self._checkpoint._torch(name, None, self._reached)

    def close(self):
        if self._checkpoint:
            self._checkpoint.close()


def _device_of(name, device_map):
    """Of the longest entry that is the name or a dotted beginning of it."""
    module = name
    while module and module not in device_map:
        module = module.rpartition(".")[0]
    if module not in device_map:
        raise ValueError("%s doesn't have any device set." % name)
    return device_map[module]


class _Loading:
    """One call: what the model has, where its parts go, what was met."""

    def __init__(self, model, device_map, offload_folder, dtype, offload_state_dict, offload_buffers, strict):
        self.model, self.device_map, self.folder, self.dtype = model, device_map, offload_folder, dtype
        self.by_way_of_meta, self.offload_buffers, self.strict = offload_state_dict, offload_buffers, strict
        self.keys, self.buffers = set(model.state_dict()), {name for name, _ in model.named_buffers()}
        self.unexpected, self.index = set(), {}

    def whole(self, shard, step):
        """Without a device map: torch's own loading, and its errors."""
        self.unexpected.update(set(shard.sizes) - self.keys)
        state = {}
        for name, size in shard.sizes.items():
            if self.strict or name in self.keys:
                state[name] = shard.tensor(name)
            step(size)
        self.model.load_state_dict(state, strict=self.strict)

    def mapped(self, shard, step):
        for name, size in shard.sizes.items():
            if "SCB" not in name:  # statistics of 8-bit weights go with the weight
                self._one(shard, name)
            step(size)

    def _one(self, shard, name):
        _, modeling, offload = _accelerate()
        if name not in self.keys:
            self.unexpected.add(name)
            if not self.strict:
                return
        device = _device_of(name, self.device_map)
        if device == "disk" and name in self.buffers and not self.offload_buffers:
            return
        value, more = shard.tensor(name), {}
        statistics = name.replace("weight", "SCB")
        if statistics != name and statistics in shard.sizes and str(value.dtype) == "torch.int8":
            more["fp16_statistics"] = shard.tensor(statistics)
        if device == "disk":
            modeling.set_module_tensor_to_device(self.model, name, "meta", dtype=self.dtype or value.dtype)
            offload.offload_weight(value, name, self.folder, index=self.index)
        elif device == "cpu" and self.by_way_of_meta:  # as if the state dict had been on the disk meanwhile: the type is that of the checkpoint
            modeling.set_module_tensor_to_device(self.model, name, "meta", dtype=self.dtype or value.dtype)
            modeling.set_module_tensor_to_device(self.model, name, "cpu", value=value)
        else:
            modeling.set_module_tensor_to_device(self.model, name, device, value=value, dtype=self.dtype, **more)


def _dtype(dtype):
    import torch

    return getattr(torch, dtype.replace("torch.", "")) if isinstance(dtype, str) else dtype


def _plan(model, device_map, max_memory, no_split, dtype, offload_buffers):
    if not isinstance(device_map, str):
        return device_map
    _, modeling, _ = _accelerate()
    if device_map != "sequential":
        max_memory = modeling.get_balanced_memory(model, max_memory=max_memory, no_split_module_classes=no_split, dtype=dtype, low_zero=device_map == "balanced_low_0")
    return modeling.infer_auto_device_map(model, max_memory=max_memory, no_split_module_classes=no_split, dtype=dtype, offload_buffers=offload_buffers)


def _load(loading, place, files, checkpoint, allow_pickle, repo, watch):
    tied = None
    if loading.device_map is not None:
        _, modeling, offload = _accelerate()
        tied = modeling.find_tied_parameters(loading.model)
        modeling.check_tied_parameters_on_same_device(tied, loading.device_map)
    for path in files:
        shard = _Shard(place, path, allow_pickle, repo, watch)
        watch.total += sum(shard.sizes.values())
        try:
            (loading.whole if loading.device_map is None else loading.mapped)(shard, watch.add)
        finally:
            shard.close()
    if loading.unexpected and not loading.strict:
        _logger.warning("Some weights of the model checkpoint at %s were not used when initializing %s: %s. This may or may not be an issue - make sure that the checkpoint "
                        "does not have unnecessary parameters, or that the model definition correctly corresponds to the checkpoint.", checkpoint,
                        type(loading.model).__name__, loading.unexpected)
    if tied is not None:
        if loading.index:
            offload.save_offload_index(loading.index, loading.folder)
        modeling.retie_parameters(loading.model, tied)


def load_checkpoint_and_dispatch(model: Any, checkpoint: str | bytes | os.PathLike[str], device_map: Any = None, max_memory: dict[Any, Any] | None = None, no_split_module_classes: str | Sequence[str] | None = None, offload_folder: str | os.PathLike[str] | None = None, offload_buffers: bool = False, dtype: Any = None,
                                 offload_state_dict: bool | None = None, skip_keys: str | Sequence[str] | None = None, preload_module_classes: Sequence[str] | None = None, force_hooks: bool = False, strict: bool = False, full_state_dict: bool = True,
                                 broadcast_from_rank0: bool = False, *, allow_pickle: bool = False, progress: Progress = None, timeout: float | None = None, repo: str | os.PathLike[str] | None = None) -> Any:
    """Loads a checkpoint into a torch model, in place -> the model.

    checkpoint: a file, an index or a folder of the disk, or of content: ipfs://…, /ipfs/…, a CID, an alias. Pickles need allow_pickle. device_map: None, a dict, "auto", "balanced",
    "balanced_low_0" or "sequential"; the others are accelerate's. progress: called with {"phase", "done", "total", …} in bytes of tensors. timeout: seconds.
    Raises ValueError, FileNotFoundError, OSError and RuntimeError in accelerate's words; Timeout."""
    if isinstance(device_map, str) and device_map not in _MAPS:
        raise ValueError("If passing a string for `device_map`, please choose 'auto', 'balanced', 'balanced_low_0' or 'sequential'.")
    if not full_state_dict or broadcast_from_rank0:
        raise ValueError("not supported: full_state_dict=False and broadcast_from_rank0=True load into models that several processes share; load on each of them")
    device_map = _plan(model, device_map, max_memory, no_split_module_classes, dtype, offload_buffers)
    to_disk = device_map is not None and "disk" in device_map.values()
    if to_disk and offload_folder is None:
        raise ValueError("At least one of the model submodule will be offloaded to disk, please pass along an `offload_folder`.")
    if to_disk:
        os.makedirs(offload_folder, exist_ok=True)
    text = os.fspath(checkpoint)
    text = text.decode(errors="surrogateescape") if isinstance(text, bytes) else text
    place = _Content(repo) if _is_content(text) else _Disk()
    loading = _Loading(model, device_map, offload_folder, _dtype(dtype), to_disk if offload_state_dict is None else offload_state_dict, offload_buffers, strict)
    try:
        with Watch("load", progress, timeout, text) as watch:
            _load(loading, place, _files(place, text.rstrip("/") if isinstance(place, _Content) else text), text, allow_pickle, repo, watch)
    except errors.NotFound as why:
        raise FileNotFoundError(why.message) from why
    except errors.FormatError as why:
        raise ValueError(why.message) from why
    except errors.Corrupt as why:
        raise OSError(why.message) from why
    if device_map is None:
        return model
    return _accelerate()[0].dispatch_model(model, device_map=device_map, offload_dir=offload_folder, offload_buffers=offload_buffers, skip_keys=skip_keys,
                                           preload_module_classes=preload_module_classes, force_hooks=force_hooks)


_own(globals())
