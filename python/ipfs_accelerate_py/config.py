"""The TOML configuration of the package: [general], [cache], [endpoints.NAME], [docker], [p2p], [marketplace]. Unknown sections and keys are kept."""
from __future__ import annotations

import os
import threading

from . import _own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULTS = {
    "general": {"debug": False, "log_level": "INFO"},
    "cache": {"enabled": True, "max_size_mb": 500, "path": "./cache"},
    "endpoints": {"default": "local", "local": {"host": "localhost", "port": 8000}},
    "docker": {"enable": False, "timeout": 60},
    "p2p": {"enabled": True},
}
_cache = {}  # path -> (identity of the file, its document)
_cache_lock = threading.Lock()


def _in_child():
    global _cache_lock
    _cache_lock = threading.Lock()


os.register_at_fork(after_in_child=_in_child)


def _copy(value):
    if isinstance(value, dict):
        return {k: _copy(v) for k, v in value.items()}
    return [_copy(v) for v in value] if isinstance(value, list) else value


def _merge(into, document):
    for key, value in document.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = _copy(value)
    return into


def _parse(text):
    try:
        import tomllib
    except ImportError:  # before Python 3.11
        import tomli as tomllib
    return tomllib.loads(text)


def _read(path):
    """The document of a file; one that did not change since is not read again."""
    at = os.stat(path)
    identity = (at.st_ino, at.st_size, at.st_mtime_ns)
    with _cache_lock:
        if _cache.get(path, (None, None))[0] == identity:
            return _cache[path][1]
    with open(path, encoding="utf-8") as file:
        document = _parse(file.read())
    with _cache_lock:
        _cache[path] = (identity, document)
    return document


def _warn(text):
    import warnings

    warnings.warn(text, RuntimeWarning, stacklevel=3)


def _check(value):
    if isinstance(value, list):
        for item in value:
            _check(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError("keys of a table are text, not %s" % type(key).__name__)
            _check(item)
    elif not isinstance(value, (str, int, float, bool)):
        raise TypeError("a value is str, int, float, bool, or a list or dict of these, not %s" % type(value).__name__)


def _text(text):
    out = ['"']
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif ord(char) < 0x20 or ord(char) == 0x7F:
            out.append("\\u%04x" % ord(char))
        else:
            out.append(char)
    return "".join(out) + '"'


def _toml(value):
    """A value as TOML writes it, in one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join("%s = %s" % (_key(k), _toml(v)) for k, v in value.items()) + "}"
    return str(value) if isinstance(value, int) else _text(str(value))  # dates, which only a file can hold


def _key(key):
    return key if key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key) else _text(key)


def _lines(document, above=()):
    """The whole document, tables after the values of their parent."""
    values = {k: v for k, v in document.items() if not isinstance(v, dict)}
    if above and (values or not document):
        yield "[%s]" % ".".join(map(_key, above))
    for key, value in values.items():
        yield "%s = %s" % (_key(key), _toml(value))
    if values:
        yield ""
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _lines(value, above + (key,))


def _leaves(document, above=()):
    for key, value in document.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, above + (key,))
        else:
            yield above + (key,), value


class config:
    """config_path None: $IPFS_ACCELERATE_CONFIG, else ./config.toml. A file that is missing or malformed is one warning, and defaults.
    Threads: reading from any; set and save one at a time."""

    def __init__(self, config_path: str | os.PathLike[str] | None = None) -> None:
        if config_path is None:
            config_path = os.environ.get("IPFS_ACCELERATE_CONFIG") or os.path.join(os.getcwd(), "config.toml")
        self.config_path = os.fspath(config_path)
        self.config_data = _copy(DEFAULTS)
        self.loaded = False
        self._document = {}  # what the file says, and what was set
        try:
            self._document = _copy(_read(self.config_path))
            self.loaded = True
        except FileNotFoundError:
            _warn("%s is not there; defaults are used" % self.config_path)
        except (OSError, ValueError) as why:  # TOMLDecodeError and wrong UTF-8 are ValueErrors
            _warn("%s cannot be read (%s); defaults are used" % (self.config_path, why))
        _merge(self.config_data, self._document)

    def get(self, section: str, key: str, default: Any = None) -> Any:
        """The value, a nested table as a dict (a copy), else `default`."""
        table = self.config_data.get(section)
        return _copy(table[key]) if isinstance(table, dict) and key in table else default

    def set(self, section: str, key: str, value: Any) -> None:
        """In memory, until save. TypeError: no value that TOML holds."""
        _check(value)
        for data in (self.config_data, self._document):
            if not isinstance(data.get(section), dict):
                data[section] = {}
            data[section][key] = _copy(value)

    def save(self, path: str | os.PathLike[str] | None = None) -> str:
        """Writes the file in one step -> its path. Comments and order stay where only plain values changed; else the document is written anew."""
        target = os.fspath(path) if path is not None else self.config_path
        try:
            with open(target, encoding="utf-8") as file:
                before = file.read()
        except FileNotFoundError:
            before = ""
        text = self._edited(before)
        if text is None:
            text = "\n".join(_lines(self._document)).rstrip("\n") + "\n"
        self._replace(target, text)
        return target

    def _edited(self, text):
        """The text with the changed values in their places; None: that cannot say it."""
        import ctypes

        from . import _library as l

        try:
            there = dict(_leaves(_parse(text)))
        except ValueError:
            return None
        wanted = dict(_leaves(self._document))
        changes = [(path, None) for path in there if path not in wanted] + [(path, value) for path, value in wanted.items() if there.get(path, None) != value
                                                                          or type(there.get(path)) is not type(value)]
        for path, value in changes:
            if any(_key(part) != part for part in path) or isinstance(value, dict):
                return None
            data, pointer, err = text.encode(), ctypes.c_void_p(), l.Error()
            new = None if value is None else _toml(value).encode()
            if l.library().ipfsa_toml_set(data, len(data), ".".join(path).encode(), new, ctypes.byref(pointer), ctypes.byref(err)):
                return None
            text = l.take_text(pointer)
        return text if _parse(text) == self._document else None

    @staticmethod
    def _replace(target, text):
        import tempfile

        target = os.path.realpath(target)  # of a link, the file that it names
        folder = os.path.dirname(target)
        mode = os.stat(target).st_mode & 0o777 if os.path.exists(target) else 0o600  # it may hold keys
        fd, temporary = tempfile.mkstemp(prefix=".config-", suffix=".tmp", dir=folder)
        try:
            with os.fdopen(fd, "w", encoding="utf-8") as file:
                file.write(text)
                os.fchmod(file.fileno(), mode)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def __repr__(self) -> str:
        return "config(%r, loaded=%r)" % (self.config_path, self.loaded)


_own(globals())
