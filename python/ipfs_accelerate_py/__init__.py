"""IPFS content addressing, storage and containers at the speed of the hardware.

    import ipfs_accelerate_py as ia
    cid = ia.add_file("model.safetensors")["cid"]
    ia.get_file(cid, "copy.safetensors")

Nothing is loaded here: the first call that needs the C library opens it. `config`, `backends` and `ipfs_accelerate` are both attributes
(two classes and an instance) and importable sub-modules; the attributes stay what they are in whatever order they are imported.
"""
import sys

__version__ = "0.1.0"

# name -> (sub-module, attribute of it)
_FROM = {
    "config": ("config", "config"),
    "backends": ("backends", "backends"),
    "ipfs_accelerate": ("ipfs_accelerate", "ipfs_accelerate"),
    "IPFSAccelerate": ("ipfs_accelerate", "IPFSAccelerate"),
    "load_checkpoint_and_dispatch": ("ipfs_accelerate", "load_checkpoint_and_dispatch"),
    "add_file": ("ipfs_accelerate", "add_file"),
    "get_file": ("ipfs_accelerate", "get_file"),
    "get_p2p_network_analytics": ("ipfs_accelerate", "get_p2p_network_analytics"),
    "get_system_info": ("system", "get_system_info"),
    "p2p_optimizer": ("p2p", "p2p_optimizer"),
    "P2PNetworkOptimizer": ("p2p", "P2PNetworkOptimizer"),
    "add": ("content", "add"),
    "get": ("content", "get"),
    "cat": ("content", "cat"),
    "pin": ("content", "pin"),
    "unpin": ("content", "unpin"),
    "pins": ("content", "pins"),
    "ls": ("content", "ls"),
    "open_file": ("content", "open_file"),
    "resolve": ("content", "resolve"),
    "stat": ("content", "stat"),
    "verify": ("content", "verify"),
    "safe_open": ("checkpoint", "safe_open"),
    "load_file": ("checkpoint", "load_file"),
    "Checkpoint": ("checkpoint", "Checkpoint"),
    "snapshot_download": ("hub", "snapshot_download"),
    "aliases": ("_aliases", "aliases"),
    "set_alias": ("_aliases", "set_alias"),
    "get_alias": ("_aliases", "get_alias"),
    "remove_alias": ("_aliases", "remove_alias"),
    "endpoints": ("_dispatch", "endpoints"),
    "IPFSError": ("errors", "IPFSError"),
    "NotFound": ("errors", "NotFound"),
    "Timeout": ("errors", "Timeout"),
    "Corrupt": ("errors", "Corrupt"),
    "Denied": ("errors", "Denied"),
    "FormatError": ("errors", "FormatError"),
    "EndpointError": ("errors", "EndpointError"),
}
_MODULES = {"aio", "checkpoint", "content", "errors", "hub", "loading"}  # used as ia.content.…, without an import of their own
__all__ = sorted(_FROM) + ["__version__"]


def __getattr__(name):
    if name not in _FROM and name not in _MODULES:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    from importlib import import_module

    module, attribute = _FROM.get(name, (name, None))
    try:
        value = import_module(__name__ + "." + module)
    except ImportError as why:
        if "subinterpreter" in str(why):  # of _ctypes, from Python 3.12 on
            raise ImportError(__name__ + " runs in the main interpreter only: call it there, in a thread of it, or in another process") from why
        raise
    if attribute is not None:
        value = getattr(value, attribute)
    globals()[name] = value  # a look-up from here on
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))


class _Package(type(sys)):
    """The import system sets the parent's attribute to each sub-module that it loads; those that are promised as something else stay that."""

    def __setattr__(self, name, value):
        if name in _FROM and type(value) is type(sys):
            return
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
