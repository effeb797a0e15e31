"""Random schedules of several processes on one repo: add, pin, unpin, block rm and gc at once, over content that shares its blocks. What was
acknowledged as pinned is complete at any later moment (kubo#6252, #6207, #6444, #6310), and no block is damaged."""
import random
import threading
import time

from conftest import seed, soak_seconds

PIECE = 1000
WORKERS = 3


class Worker(threading.Thread):
    """One actor over files of its own, whose pieces all actors share. `pinned`: root → bytes, as acknowledged."""

    def __init__(self, ipfs, folder, number, end):
        super().__init__()
        self.ipfs, self.folder, self.number, self.end = ipfs, folder, number, end
        self.random = random.Random(seed() * 1000 + number)
        self.pinned, self.known, self.failed, self.n_done = {}, {}, None, 0

    def content(self):
        pieces = [self.random.randrange(6) for _ in range(self.random.randrange(1, 5))]
        return b"".join(b"%d" % p + bytes([p]) * (PIECE - 1) for p in pieces) + b"worker %d" % self.number

    def add(self):
        path = self.folder / ("w%d" % self.number)
        data = self.content()
        path.write_bytes(data)
        root = self.ipfs.text("add", "-Q", "--chunker=size-%d" % PIECE, "--raw-leaves", path)
        self.pinned[root] = self.known[root] = data

    def unpin(self):
        if self.pinned:
            root = self.random.choice(sorted(self.pinned))
            self.ipfs("pin", "rm", root)
            del self.pinned[root]

    def pin(self):
        loose = sorted(set(self.known) - set(self.pinned))
        if loose:
            root = self.random.choice(loose)
            done = self.ipfs("pin", "add", root, check=False)
            assert done.code == 0 or "not found" in done.err, done.err
            if done.code == 0:
                self.pinned[root] = self.known[root]

    def block_rm(self):
        if self.known:
            root = self.random.choice(sorted(self.known))
            links = self.ipfs("refs", root, check=False).out.split()
            for cid in links[:2] + [root]:
                done = self.ipfs("block", "rm", cid, check=False)
                assert done.code == 0 or "pinned" in done.err or "could not find" in done.err, done.err

    def check(self):
        if self.pinned:
            root = self.random.choice(sorted(self.pinned))
            assert self.ipfs("cat", root).out_bytes == self.pinned[root]

    def run(self):
        acts = [self.add, self.add, self.unpin, self.pin, self.block_rm, self.check]
        try:
            while time.monotonic() < self.end:
                self.random.choice(acts)()
                self.n_done += 1
        except BaseException as error:
            self.failed = error


def collect(ipfs, end, runs):
    while time.monotonic() < end:
        done = ipfs("repo", "gc", "-q", check=False)
        assert done.code == 0, done.err
        runs.append(done)


def test_acknowledged_pins_are_complete(ipfs, tmp_path):
    end = time.monotonic() + soak_seconds(8)
    workers = [Worker(ipfs, tmp_path, i, end) for i in range(WORKERS)]
    runs = []
    collector = threading.Thread(target=collect, args=(ipfs, end, runs))
    for thread in workers + [collector]:
        thread.start()
    for thread in workers + [collector]:
        thread.join()
    for worker in workers:
        if worker.failed:
            raise worker.failed
        assert worker.n_done > 3
    assert runs
    assert "all blocks validated" in ipfs.text("repo", "verify")
    assert ipfs("pin", "verify").out == ""
    listed = set(ipfs.text("pin", "ls", "--type=recursive", "-q").split())
    wanted = {root: data for worker in workers for root, data in worker.pinned.items()}
    assert listed == set(wanted)
    for root, data in wanted.items():
        assert ipfs("cat", root).out_bytes == data
    ipfs("repo", "gc", "-q")
    for root, data in wanted.items():
        assert ipfs("cat", root).out_bytes == data
