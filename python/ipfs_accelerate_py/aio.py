"""The package for asynchronous programs: the same calls, awaited. Each runs in a thread of the loop's own pool and releases the GIL; the loop goes on.

A task that is cancelled ends its call at the next safe point, and goes on when that is reached: nothing runs behind. progress is called in the loop."""
import asyncio
import functools
import threading

from . import _aliases, _dispatch, _own, _progress, checkpoint, content, hub
from . import Client  # noqa: F401 (as of the package: it says why there is none)

stop_when = _progress.stop_when

PIECE = 1 << 20  # bytes that stream() hands out at once


async def call(function, *args, progress=None, **kwargs):
    """Any blocking call of the package, awaited."""
    loop, stop = asyncio.get_running_loop(), threading.Event()
    if progress is True:
        kwargs["progress"] = True
    elif progress is not None:
        kwargs["progress"] = lambda at: loop.call_soon_threadsafe(progress, at)

    def run():
        stop_when(stop)
        try:
            return function(*args, **kwargs)
        finally:
            stop_when(None)

    running = loop.run_in_executor(None, run)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([running])
        running.exception()  # it was looked at
        raise


def _awaited(function):
    @functools.wraps(function)
    async def awaited(*args, **kwargs):
        return await call(function, *args, **kwargs)
    return awaited


add, get, cat, ls, resolve = map(_awaited, (content.add, content.get, content.cat, content.ls, content.resolve))
pin, unpin, pins, stat, verify, is_local = map(_awaited, (content.pin, content.unpin, content.pins, content.stat, content.verify, content.is_local))
load_file, snapshot_download, dispatch = map(_awaited, (checkpoint.load_file, hub.snapshot_download, _dispatch.dispatch))
aliases, set_alias, get_alias, remove_alias = map(_awaited, (_aliases.aliases, _aliases.set_alias, _aliases.get_alias, _aliases.remove_alias))


async def load_checkpoint_and_dispatch(*args, **kwargs):
    """Both forms."""
    from . import load_checkpoint_and_dispatch as load

    return await call(load, *args, **kwargs)


async def stream(cid, offset=0, length=None, *, repo=None):
    """Bytes [offset, offset + length) of a file, a piece at a time: `async for piece in stream(cid)`. Read ahead is what the store does."""
    if offset < 0 or (length is not None and length < 0):
        raise ValueError("offset and length are not negative")
    file = await call(content.open_file, cid, repo=repo)
    try:
        end = file.size if length is None else min(offset + length, file.size)
        while offset < end:
            piece = bytearray(min(PIECE, end - offset))
            await call(file.readinto_at, offset, piece)
            yield piece
            offset += len(piece)
    finally:
        file.close()


class Backends:
    """Containers: every method of backends, awaited. of: a backends object, None for a new one."""

    def __init__(self, of=None):
        if of is None:
            from . import backends

            of = backends()
        self._of = of

    def __getattr__(self, name):
        return _awaited(getattr(self._of, name))

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await call(self._of.close)


_own(globals())
