"""Folders of content as files that other programs open: snapshots, in the layout of Hugging Face's cache or in a folder of one's own."""
from __future__ import annotations

import concurrent.futures
import fnmatch
import json
import os
import tempfile
import threading
import time

from . import _library as l, _node, _own, _progress, content, errors

node, path_bytes, Watch, stop_when = _node.node, _node.path_bytes, _progress.Watch, _progress.stop_when

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterable

    from ._progress import Progress

MAX_ENTRIES = 1 << 20  # files and folders of one snapshot; the largest repositories of models have thousands
MAX_DEPTH = 64


def cache_root() -> str:
    """Where the hub's own client keeps its cache."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(name):
            return os.path.expanduser(os.environ[name])
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "huggingface")
    return os.path.join(os.path.expanduser(home), "hub")


def _walk(root, repo):
    """-> [(path, entry)] of all files; names come from others, and become names of the disk."""
    found, folders, n = [], [("", 0)], 0
    while folders:
        below, depth = folders.pop()
        for entry in content.ls(root + "/" + below if below else root, repo=repo):
            n += 1
            name = entry["name"]
            path = below + "/" + name if below else name
            if name in ("", ".", "..") or "/" in name or "\0" in name:
                raise errors.make("denied", "%s has an entry named %r, which is no name for a file" % (root, name), root)
            if n > MAX_ENTRIES or depth > MAX_DEPTH:
                raise errors.make("denied", "%s has over %d entries, or is over %d folders deep" % (root, MAX_ENTRIES, MAX_DEPTH), root)
            if entry["type"] == "directory":
                folders.append((path, depth + 1))
            elif entry["type"] == "file":
                found.append((path, entry))
            else:
                raise errors.make("unsupported_format", "%s/%s is a %s: a snapshot has files and folders; add the folder with its links followed" % (root, path, entry["type"]), root)
    return sorted(found, key=lambda row: row[0])


def _patterns(value):
    patterns = [value] if isinstance(value, str) else list(value)
    return [p + "*" if p.endswith("/") else p for p in patterns]


def _wanted(path, allow, ignore):
    if allow is not None and not any(fnmatch.fnmatchcase(path, p) for p in allow):
        return False
    return ignore is None or not any(fnmatch.fnmatchcase(path, p) for p in ignore)


def _write(path, text):
    """In one step, or not at all."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    fd, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".tmp-")
    try:
        with os.fdopen(fd, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _repo_id(path, cid, repo):
    """The alias that the path is, else ipfs/CID."""
    from . import get_alias

    plain = path[7:] if path.startswith("ipfs://") else path[6:] if path.startswith("/ipfs/") else path
    try:
        get_alias(plain.rstrip("/"), repo=repo)
        return plain.rstrip("/")
    except errors.IPFSError:
        return "ipfs/" + cid


class _HubCache:
    """models--ORG--NAME/snapshots/COMMIT/…: a file there is whole, and named by its content through COMMIT."""

    def __init__(self, root, repo_id, commit, tree):
        self.top = os.path.join(root, "models--" + repo_id.replace("/", "--"))
        self.folder, self.commit, self.tree = os.path.join(self.top, "snapshots", commit), commit, tree

    def check(self, path, root):
        pass

    def has(self, path, entry):
        try:
            return os.stat(os.path.join(self.folder, path)).st_size == entry["size"]
        except OSError:
            return False

    def done(self, path, entry):
        pass

    def finish(self):
        files = {path: {"size": entry["size"], "blob_id": entry["cid"]} for path, entry in self.tree}
        _write(os.path.join(self.top, "trees", self.commit + ".json"), json.dumps({"format_version": 1, "files": files}, indent=1))
        _write(os.path.join(self.top, "refs", "main"), self.commit)


class _OwnFolder:
    """Files of the caller's folder; what each of them is, is noted beside them as the hub's client does."""

    def __init__(self, folder, commit):
        self.folder, self.commit = folder, commit
        self.notes = os.path.join(folder, ".cache", "huggingface")

    def _note(self, path):
        return os.path.join(self.notes, "download", path + ".metadata")

    def check(self, path, root):
        """What stands in the notes is believed later on: content writes none."""
        if path.startswith(".cache/huggingface/"):
            raise errors.make("denied", "%s/%s would be taken for a note of this folder; leave it out (ignore_patterns), or take the cache (local_dir=None)" % (root, path), root)

    def has(self, path, entry):
        try:
            at = os.stat(os.path.join(self.folder, path))
            with open(self._note(path), encoding="utf-8") as file:
                _, etag, when = file.read().splitlines()[:3]
            return at.st_size == entry["size"] and etag == entry["cid"] and at.st_mtime <= float(when)
        except (OSError, ValueError):
            return False

    def done(self, path, entry):
        _write(self._note(path), "%s\n%s\n%s\n" % (self.commit, entry["cid"], time.time()))

    def finish(self):
        if not os.path.exists(os.path.join(self.notes, ".gitignore")):
            _write(os.path.join(self.notes, ".gitignore"), "*\n")


def _fetch(place, root, rows, max_workers, watch, repo):
    """Every file, several side by side; the first failure ends the others."""
    stop = threading.Event()

    def one(row):
        path, entry = row
        stop_when(stop)
        try:
            target = os.path.join(place.folder, path)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            content.get(root + "/" + path, target, timeout=watch.left(), repo=repo)
            place.done(path, entry)
        finally:
            stop_when(None)
        return entry["size"]

    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, max_workers)) as pool:
        try:
            running = {pool.submit(one, row) for row in rows}
            while running:
                done, running = concurrent.futures.wait(running, timeout=0.1, return_when=concurrent.futures.FIRST_COMPLETED)
                watch.add(sum(each.result() for each in done))
        except BaseException:
            stop.set()
            for each in running:
                each.cancel()
            raise


def snapshot_download(path: str | bytes | os.PathLike[str], local_dir: str | os.PathLike[str] | None = None, allow_patterns: str | Iterable[str] | None = None, ignore_patterns: str | Iterable[str] | None = None, max_workers: int = 8, dry_run: bool = False, *, cache_dir: str | os.PathLike[str] | None = None, progress: Progress = None, timeout: float | None = None, repo: str | os.PathLike[str] | None = None) -> Any:
    """A folder of content as files, every byte verified -> the path of the folder, or with dry_run [{"path", "size", "cid", "is_cached"}] of what it would have.

    local_dir None: into the cache of huggingface_hub (cache_dir, else $HF_HUB_CACHE …) under the alias, else under ipfs/CID; with HF_HUB_OFFLINE=1 what builds on that cache
    takes it from there. Patterns are fnmatch over the whole path, "a/" is all below a. What is there already is not written again. A failure raises, and never returns part of it."""
    n = node(repo)
    root = path_bytes(n, path).decode().rstrip("/")
    cid = content._resolve(n, root.encode())
    cid.version = 1
    commit, text = bytes(cid.mh.digest[:20]).hex(), l.cid_text(cid)
    tree = _walk(root, repo)
    if not tree and content.kind(root, repo=repo) == "file":
        raise errors.make("bad_format", "%s is a file; a snapshot is that of a folder" % root, root)
    allow, ignore = (None if value is None else _patterns(value) for value in (allow_patterns, ignore_patterns))
    rows = [row for row in tree if _wanted(row[0], allow, ignore)]
    if local_dir is not None:
        place = _OwnFolder(os.path.abspath(os.fspath(local_dir)), commit)
    else:
        place = _HubCache(os.fspath(cache_dir) if cache_dir is not None else cache_root(), _repo_id(root, text, repo), commit, tree)
    for name, _ in rows:
        place.check(name, root)
    missing = [row for row in rows if not place.has(*row)]
    if dry_run:
        left = {row[0] for row in missing}
        return [{"path": path, "size": entry["size"], "cid": entry["cid"], "is_cached": path not in left} for path, entry in rows]
    os.makedirs(place.folder, exist_ok=True)
    with Watch("snapshot", progress, timeout, root) as watch:
        watch.total = sum(entry["size"] for _, entry in missing)
        _fetch(place, root, missing, max_workers, watch, repo)
    place.finish()
    return place.folder


_own(globals())
