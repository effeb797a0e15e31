"""What a long call tells its caller, and when it has to stop: a time limit, the end of a task that waited for it."""
import contextlib
import threading
import time

from . import _library as l, _own, errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Union

    Progress = Union[Callable[[dict[str, Any]], object], bool, None]  # True: a bar of tqdm

STEP = 16 << 20  # bytes that are read in one call: a tenth of a second of a slow disk; after each a call may end before its end
INTERVAL = 0.1  # seconds between two calls of a progress callback
_thread = threading.local()  # .stop: an Event of whoever waits for the call that this thread makes


def stop_when(event):
    """From now on, calls that this thread makes end with code "cancelled" when the event is set; None: no more."""
    _thread.stop = event


def _bar(phase):
    """A bar of tqdm as a callback; None: it is not there."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    bar = tqdm(desc=phase, unit="B", unit_scale=True, unit_divisor=1024, leave=False)

    def show(at):
        if at["total"] is not None:
            bar.total = at["total"]
        bar.update(at["done"] - bar.n)

    show.close = bar.close
    return show


@contextlib.contextmanager
def turn(lock, look):
    """With the lock; who waits for it looks whether he still has to."""
    if not lock.acquire(False):
        while not lock.acquire(timeout=0.1):
            look()
    try:
        yield
    finally:
        lock.release()


class Watch:
    """progress: None, True (a bar, where tqdm is installed) or a function that is called with {"phase", "done", "total", "rate", "eta", "cid"} at most ten times a
    second, and at the end. timeout: seconds, None for as long as it takes. A context manager."""

    def __init__(self, phase, progress=None, timeout=None, cid=None):
        self.phase, self.cid, self.started, self.told = phase, cid, time.monotonic(), 0.0
        self.progress = _bar(phase) if progress is True else progress or None
        self.deadline = None if timeout is None else self.started + timeout
        self.done, self.total, self.stop = 0, 0, getattr(_thread, "stop", None)

    def of(self, total):
        self.total = total
        return self

    def look_but_for_time(self):
        if self.stop is not None and self.stop.is_set():
            raise errors.make("cancelled", "%s was cancelled" % self.phase, self.cid)

    def look(self):
        """Raises when the call has to end."""
        self.look_but_for_time()
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise errors.make("timeout", "%s took longer than %g seconds" % (self.phase, self.deadline - self.started), self.cid)

    def left(self):
        """Seconds until the time limit, or None."""
        return None if self.deadline is None else max(self.deadline - time.monotonic(), 0.0)

    def tell(self):
        now = time.monotonic()
        self.told = now
        rate = self.done / (now - self.started) if now > self.started else 0.0
        left = self.total - self.done
        self.progress({"phase": self.phase, "done": self.done, "total": self.total or None, "rate": rate, "eta": left / rate if left > 0 and rate > 0 else None, "cid": self.cid})

    def at(self, done, total):
        self.done, self.total = done, total
        self.look()
        if self.progress is not None and time.monotonic() - self.told >= INTERVAL:
            self.tell()

    def reach(self, done):
        """So much of what was known before as the whole."""
        self.at(done, self.total)

    def add(self, done):
        self.at(self.done + done, self.total)

    def callback(self, callbacks):
        return callbacks.make(l.PROGRESS_CB, lambda at: self.at(at.contents.done_bytes, at.contents.total_bytes))

    def __enter__(self):
        self._above, l.waiting.watch = l.waiting.watch, self
        return self

    def __exit__(self, kind, *_):
        l.waiting.watch = self._above
        if self.progress is None:
            return
        try:
            if kind is None:
                self.done = max(self.done, self.total)
                self.tell()
        finally:
            getattr(self.progress, "close", lambda: None)()


_own(globals())
