"""IPFS content addressing, storage and containers at the speed of the hardware.

    import ipfs_accelerate_py as ia
    cid = ia.add_file("model.safetensors")["cid"]
    ia.get_file(cid, "copy.safetensors")

Nothing is loaded here: the first call that needs the C library opens it. `config`, `backends` and `ipfs_accelerate` are both attributes
(two classes and an instance) and importable sub-modules; the attributes stay what they are in whatever order they are imported.
"""
import sys
import time as _time

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
    "Client": ("rpc", "Client"),
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
_INNER = {"_aliases", "_dispatch", "_engine", "_fork", "_library", "_node", "_progress", "filesystem", "p2p", "rpc", "system"}  # how modules here find each other
__all__ = sorted(_FROM) + ["__version__"]


def _module_of(namespace):
    """The module whose names these are."""
    found = sys.modules.get(namespace["__name__"])
    if found is not None and found.__dict__ is namespace:
        return found
    import gc  # somebody dropped it while its file was read

    return next(each for each in gc.get_referrers(namespace) if isinstance(each, type(sys)))


# Whoever drops modules of the package from sys.modules while others import them fails no import, but for one place that is importlib's alone. Importlib takes a module
# that it has loaded out of sys.modules by the name of its spec, puts it back, notes at the spec that it is loaded, and looks for the parent in sys.modules
# (_load_unlocked, _find_and_load_unlocked): at each of these steps the spec, which is ours, puts back what importlib is about to look for. The one place: `import
# pkg.sub` that had to import pkg first looks for pkg when that has returned, and raises KeyError where it was dropped in between.


def _back(name):
    """A module that is loaded, and the package, stand in sys.modules. The last steps here are ones between which no other thread gets its turn."""
    module = _kept.get(name, _self)
    sys.modules[name if module is not _self else __name__] = module
    sys.modules[__name__] = _self


class _Again:
    """The loader of a module that is loaded: one that was dropped from sys.modules is that same one when it is imported again, since there is one set of open stores in a
    process. importlib.reload loads anew."""

    def __init__(self, of):
        self._of = of

    def __getattr__(self, name):  # sources and resources
        return getattr(self.__dict__["_of"], name)

    def create_module(self, spec):
        return _kept[spec.name]

    def exec_module(self, module):
        pass


class _Spec(type(sys.__spec__)):
    @property
    def name(self):
        name = self.__dict__["name"]
        _back(name)
        return name

    @name.setter
    def name(self, name):
        self.__dict__["name"] = name

    @property
    def _initializing(self):
        _back(self.__dict__["name"])
        return self.__dict__.get("_initializing", False)

    @_initializing.setter
    def _initializing(self, value):
        self.__dict__["_initializing"] = value
        if not value:
            name = self.__dict__["name"]
            _watch_lock()
            _back(name)


def _watch_lock():
    """Whoever waited for the package to be loaded looks for it when it has given back the lock of the import."""
    lock = getattr(sys.modules.get("_frozen_importlib"), "_module_locks", {}).get(__name__, lambda: None)()
    if lock is None or "release" in lock.__dict__:
        return
    release = lock.release

    def released():
        release()
        _time.sleep(0)  # a turn begins here: milliseconds, and importlib needs some thousandths of one until it looks for the package
        _back(__name__)

    lock.release = released


class _Children(list):
    """What importlib notes at the package's spec while it loads a sub-module (from Python 3.11 on), and takes off before it looks for the package."""

    def pop(self, *at):
        child = super().pop(*at) if self else None  # noted before this list stood there
        _back(__name__)
        return child


def _own(namespace):
    """Every module here ends with it: it is loaded, and its spec is watched from here on. It may have been found by others while this file was still being read."""
    module = _module_of(namespace)
    _kept[module.__name__] = module
    if module.__spec__ is not None:
        module.__spec__.__class__ = _Spec


class _Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        """Of modules that are loaded, and for no reload."""
        if target is not None or name not in _kept:
            return None
        spec = _kept[name].__spec__
        if not isinstance(spec.loader, _Again):
            spec.loader = _Again(spec.loader)
        return spec


def _module(name):
    """A sub-module, whatever importlib stumbles over."""
    from importlib import import_module

    while name not in _kept:
        try:
            return import_module(name)
        except KeyError as why:
            if why.args != (__name__,):
                raise
    return _kept[name]


def __getattr__(name):
    if name not in _FROM and name not in _MODULES and name not in _INNER:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    module, attribute = _FROM.get(name, (name, None))
    try:
        value = _module(__name__ + "." + module)
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


_self = _module_of(globals())
_self.__class__ = _Package
_kept = globals().get("_kept", {})  # the modules that are loaded, by their names; a reload keeps them
_own(globals())
if _self.__spec__ is not None:
    _self.__spec__._uninitialized_submodules = _Children()
sys.meta_path[:] = [_Finder] + [each for each in sys.meta_path if not (getattr(each, "__module__", None) == __name__ and getattr(each, "__name__", None) == "_Finder")]
_back(__name__)
