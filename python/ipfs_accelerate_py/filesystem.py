"""Content as a file system of fsspec, protocol ipfs: fsspec.open("ipfs://bafy…/config.json"). What is read is verified, ranges are read as ranges, folders may be sharded.

Content never changes; what can be written is what an alias means: a file, or with put a folder, under NAME or ORG/NAME."""
import errno
import io
import os
import tempfile

from fsspec.spec import AbstractFileSystem

from . import _aliases, _own, content, errors


def _as_os_error(why, path):
    """What users of file systems expect."""
    if isinstance(why, errors.NotFound) or why.code == "invalid_cid":
        return FileNotFoundError(errno.ENOENT, why.message, path)
    if isinstance(why, errors.FormatError):
        return IsADirectoryError(errno.EISDIR, why.message, path)
    if isinstance(why, errors.Timeout):
        return TimeoutError(errno.ETIMEDOUT, why.message, path)
    return OSError(errno.EACCES if isinstance(why, errors.Denied) else errno.EIO, why.message, path)


class _Reader(io.BufferedReader):
    """A file that is open for reading, with the attributes that users of fsspec look at."""

    def __init__(self, path, repo, block_size):
        raw = content.open_file(path, repo=repo)
        super().__init__(raw, block_size)
        self.path, self.size = path, raw.size


class _Writer(io.BufferedWriter):
    """Collected beside, and added when it is closed: then the alias means it, and `cid` is its CID. A `with` that ends by an exception adds nothing."""

    def __init__(self, fs, path):
        self._fs, self.path, self.cid = fs, path, None
        fd, self._temporary = tempfile.mkstemp(prefix="ipfs-accelerate-")
        super().__init__(io.FileIO(fd, "w"), 1 << 20)

    def discard(self):
        if not self.closed:
            super().close()
            os.unlink(self._temporary)

    def close(self):
        if self.closed:
            return
        super().close()
        try:
            self.cid = self._fs._add(self._temporary, self.path)
        finally:
            os.unlink(self._temporary)

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            self.discard()


class IPFSFileSystem(AbstractFileSystem):
    """repo: the folder of the store, None for the default. Every row has "cid" beside "name", "size", "type" (file or directory)."""

    protocol = ("ipfs", "ipns")
    root_marker = ""

    def __init__(self, repo=None, **kwargs):
        super().__init__(repo=repo, **kwargs)
        self.repo = repo

    @classmethod
    def _strip_protocol(cls, path):
        if isinstance(path, list):
            return [cls._strip_protocol(p) for p in path]
        path = os.fspath(path)
        if path.startswith(("ipns://", "/ipns/")):
            raise NotImplementedError("not supported: %s is a name of the network, which this build does not resolve; use the CID, or an alias" % path)
        for prefix in ("ipfs://", "ipfs::", "/ipfs/"):
            if path.startswith(prefix):
                path = path[len(prefix):]
        return path.strip("/")

    def unstrip_protocol(self, name):
        return "ipfs://" + self._strip_protocol(name)

    # --- looking ---

    def info(self, path, **kwargs):
        path = self._strip_protocol(path)
        if not path:
            return {"name": "", "size": 0, "type": "directory", "cid": None}
        try:
            kind, size = content.kind_and_size(path, repo=self.repo)
            return {"name": path, "size": size or 0, "type": kind, "cid": content.resolve(path, repo=self.repo)}
        except errors.IPFSError as why:
            raise _as_os_error(why, path) from why

    def _about(self, name, cid):
        """An alias, though its content be elsewhere."""
        try:
            return self.info(name)
        except OSError:
            return {"name": name, "size": None, "type": "other", "cid": cid}

    def ls(self, path, detail=True, **kwargs):
        """Entries of a folder; of a file itself; of "" the aliases, those whose content is not here with the type other."""
        path = self._strip_protocol(path)
        if not path:
            rows = [self._about(name, cid) for name, cid in _aliases.aliases(repo=self.repo).items()]
        else:
            rows = [self.info(path)]
            if rows[0]["type"] == "directory":
                try:
                    entries = content.ls(path, repo=self.repo)
                except errors.IPFSError as why:
                    raise _as_os_error(why, path) from why
                rows = [{"name": path + "/" + e["name"], "size": e["size"], "type": e["type"], "cid": e["cid"]} for e in entries]
        return rows if detail else [row["name"] for row in rows]

    def ukey(self, path):
        return self.info(path)["cid"]

    checksum = ukey

    # --- reading ---

    def cat_file(self, path, start=None, end=None, **kwargs):
        """Bytes [start, end): only these are read. Negative: from the end."""
        path = self._strip_protocol(path)
        try:
            if (start is not None and start < 0) or (end is not None and end < 0):
                size = content.kind_and_size(path, repo=self.repo)[1] or 0
                start, end = (value if value is None or value >= 0 else max(size + value, 0) for value in (start, end))
            start = start or 0
            return content.cat(path, start, None if end is None else max(end - start, 0), repo=self.repo)
        except errors.IPFSError as why:
            raise _as_os_error(why, path) from why

    def get_file(self, rpath, lpath, callback=None, outfile=None, **kwargs):
        rpath = self._strip_protocol(rpath)
        if self.isdir(rpath):
            os.makedirs(lpath, exist_ok=True)
            return
        if outfile is not None or not isinstance(lpath, (str, bytes, os.PathLike)):
            (outfile if outfile is not None else lpath).write(self.cat_file(rpath))
            return
        os.makedirs(os.path.dirname(os.path.abspath(os.fspath(lpath))), exist_ok=True)
        told = None
        if callback is not None:
            callback.set_size(self.info(rpath)["size"])

            def told(at):
                callback.absolute_update(at["done"])
        try:
            content.get(rpath, lpath, progress=told, repo=self.repo)
        except errors.IPFSError as why:
            raise _as_os_error(why, rpath) from why

    def _open(self, path, mode="rb", block_size=None, autocommit=True, cache_options=None, **kwargs):
        path = self._strip_protocol(path)
        if mode == "rb":
            try:
                return _Reader(path, self.repo, block_size if isinstance(block_size, int) and block_size > 0 else 1 << 16)
            except errors.IPFSError as why:
                raise _as_os_error(why, path) from why
        if mode != "wb":
            raise ValueError("mode %r: content is read (rb) or written anew (wb)" % mode)
        self._check_target(path)
        return _Writer(self, path)

    # --- writing ---

    @staticmethod
    def _check_target(path):
        """"" (only the CID is wanted) or an alias."""
        if not path:
            return
        try:
            _aliases.check_alias(path)
        except errors.IPFSError as why:
            raise PermissionError(errno.EPERM, "content never changes; a file or a folder is put whole, under an alias NAME or ORG/NAME (%s)" % why.message, path) from why

    def _add(self, lpath, path, **how):
        try:
            cid = content.add(lpath, cid_version=1, repo=self.repo, **how)["cid"]
            if path:
                _aliases.set_alias(path, cid, repo=self.repo)
            return cid
        except errors.IPFSError as why:
            raise _as_os_error(why, path) from why

    def put(self, lpath, rpath="", recursive=False, callback=None, **kwargs):
        """Adds a file, or with recursive a folder, in one piece; rpath: "ipfs://", or an alias that means it from then on -> "ipfs://CID"."""
        rpath = self._strip_protocol(rpath)
        self._check_target(rpath)
        lpath = os.fspath(lpath) if not isinstance(lpath, list) else lpath
        if isinstance(lpath, list):
            if len(lpath) != 1:
                raise ValueError("put one file or folder; of several files make a folder first")
            lpath = lpath[0]
        if os.path.isdir(lpath) and not recursive:
            raise IsADirectoryError(errno.EISDIR, "put a folder with recursive=True", lpath)
        if not os.path.exists(lpath):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), lpath)
        return "ipfs://" + self._add(lpath, rpath)

    def put_file(self, lpath, rpath, callback=None, **kwargs):
        return self.put(lpath, rpath)

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        with self._open(path, "wb") as file:
            file.write(value)
        return "ipfs://" + file.cid

    def rm_file(self, path):
        """An alias goes; the content goes with the next gc, when nothing else keeps it."""
        path = self._strip_protocol(path)
        self._check_target(path)
        try:
            _aliases.remove_alias(path, repo=self.repo)
        except errors.IPFSError as why:
            raise _as_os_error(why, path) from why

    def rm(self, path, recursive=False, maxdepth=None):
        for each in path if isinstance(path, list) else [path]:
            self.rm_file(each)

    _rm = rm_file


_own(globals())
