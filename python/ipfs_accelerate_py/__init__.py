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
__all__ = sorted(_FROM) + ["__version__"]




def _back(name):
    """Modules that were loaded stand in sys.modules, this one and the package; the last steps, which no other thread comes between."""
    module = _made.get(name, _self)
    sys.modules[name if module is not _self else __name__] = module
    sys.modules[__name__] = _self


class _Loader:
    """Loads a module of the package once. One that was dropped from sys.modules is that same one when it is imported again: there is one set of open stores in a process.
    importlib.reload loads anew."""

    def __init__(self, of):
        self._of = of

    def __getattr__(self, name):  # sources and resources
        return getattr(self.__dict__["_of"], name)

    def create_module(self, spec):
        return _kept.get(spec.name) or self._of.create_module(spec)

    def exec_module(self, module):
        name = module.__name__
        if name in _kept:
            return
        _made[name] = module
        try:
            self._of.exec_module(module)
        except BaseException:
            del _made[name]
            raise
        _kept[name] = module


class _Spec(type(sys.__spec__)):
    """The import system takes a module that it has loaded out of sys.modules, by the name of its spec, puts it back, and looks for its parent there: whoever drops them
    meanwhile, they are there when it asks."""

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
        return self.__dict__.get("_initializing", False)

    @_initializing.setter
    def _initializing(self, value):
        name = self.__dict__["name"]
        self.__dict__["_initializing"] = value
        _back(name)


def _watched(spec):
    if not isinstance(spec.loader, _Loader):
        spec.loader = _Loader(spec.loader)
    spec.__class__ = _Spec
    return spec


class _Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if target is not None or name.partition(".")[0] != __name__:  # a reload, or not ours
            return None
        if name in _kept:
            return _watched(_kept[name].__spec__)
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path)
        return _watched(spec) if spec is not None and spec.loader is not None else spec


def _module(name):
    """A sub-module. The import system may stumble over what others drop from sys.modules while it looks for the package."""
    from importlib import import_module

    while name not in _kept:
        try:
            return import_module(name)
        except KeyError as why:
            if not why.args or why.args[0] not in (name, __name__):
                raise
    return _kept[name]


def __getattr__(name):
    if name not in _FROM and name not in _MODULES:
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


def _this_module():
    found = sys.modules.get(__name__)
    if found is not None and found.__dict__ is globals():
        return found
    import gc  # somebody dropped it while this file was read

    return next(each for each in gc.get_referrers(globals()) if isinstance(each, type(sys)))


def _install():
    """From now on the package's modules are found by the finder; those that other threads began to load before that are watched from here."""
    sys.meta_path[:] = [_Finder] + [each for each in sys.meta_path if not (getattr(each, "__module__", None) == __name__ and getattr(each, "__name__", None) == "_Finder")]
    for name, module in list(sys.modules.items()):
        if name.startswith(__name__ + ".") and getattr(module, "__spec__", None) is not None:
            _made.setdefault(name, module)
            if not getattr(module.__spec__, "_initializing", False):
                _kept.setdefault(name, module)
            _watched(module.__spec__)
    if _self.__spec__ is not None:
        _watched(_self.__spec__)
    _back(__name__)


_self = _this_module()
_self.__class__ = _Package
_kept = {__name__: _self}  # the modules that are loaded, by their names
_made = {__name__: _self}  # and those that are being loaded
_install()
