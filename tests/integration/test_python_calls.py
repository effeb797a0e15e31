"""Calls of the Python package as calls: progress, limits, interrupts, tasks, and that none of 10,000 leaves anything behind."""
import os
import subprocess
import sys

import pytest

from conftest import ABSENT, LIBRARY, PACKAGE, peer_python


def test_what_a_callback_raises_stops_the_call(python, tmp_path):
    (tmp_path / "f").write_bytes(os.urandom(3 << 20))
    python("""
class Stop(Exception): pass
def stop(at): raise Stop()
for call in (lambda: ia.add('f', progress=stop), lambda: ia.cat(ia.add('f')['cid'], progress=stop)):
    try: call()
    except Stop: continue
    raise AssertionError(call)
assert ia.verify()['damaged'] == []
""")


def test_an_interrupt_ends_a_long_call(program, tmp_path):
    import signal
    import time
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    env = {**os.environ, "PYTHONPATH": str(PACKAGE), "IPFSA_LIBRARY": str(LIBRARY), "IPFSA_PATH": str(tmp_path / "repo")}
    script = "import ipfs_accelerate_py as ia\ncid = ia.add('f')['cid']\nprint('ready', flush=True)\nwhile True: ia.cat(cid)"
    (tmp_path / "f").write_bytes(bytes(range(256)) * (1 << 16))
    process = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode in (1, -signal.SIGINT) and said.rstrip().endswith("KeyboardInterrupt")


def test_nothing_leaks(python, model, tmp_path):
    """Over 10,000 calls: memory, descriptors, threads."""
    (tmp_path / "f").write_bytes(os.urandom(100000))
    n, files, threads, grown = python("""
import warnings
warnings.simplefilter('ignore')
cid, folder = ia.add('f')['cid'], ia.add('model')['cid']
ia.set_alias('team/model', folder)
b, facade, calls = ia.backends(), ia.ipfs_accelerate, 0
def fails(call, *args, **more):
    try: call(*args, **more)
    except (ia.IPFSError, ValueError): return
    raise AssertionError(call)
def once(i):
    global calls
    if i %% 50 == 0:
        ia.add_file('f'); ia.get_file(cid, 'out'); ia.snapshot_download(folder, local_dir='snapshot'); ia.verify(progress=lambda at: None)
        assert b.start_container('web', 'x')['status'] == 'error'
        calls += 5
    assert len(ia.cat(cid, 5, 10)) == 10
    with ia.open_file(cid) as file: file.read(100)
    with ia.Checkpoint('ipfs://team/model') as k: k.read('a.weight'); memory = k.memory('a.weight'); k.keys()
    del memory
    ia.stat(cid); ia.ls(folder); ia.aliases(); ia.pins(); facade.cid_exists(%r); facade.load_checkpoint_and_dispatch(folder, 'none')
    fails(ia.cat, 'nonsense'); fails(ia.cat, cid, timeout=-1); fails(ia.safe_open, cid)
    assert facade.get_cid_metadata(%r)['status'] == 'error'
    calls += 14
def now(): return len(os.listdir('/proc/self/fd')), len(os.listdir('/proc/self/task')), int(open('/proc/self/statm').read().split()[1])
for i in range(200): once(i)
before, calls = now(), 0
for i in range(750): once(i)
after = now()
print(json.dumps([calls, after[0] - before[0], after[1] - before[1], (after[2] - before[2]) * 4096]))
""" % (ABSENT, ABSENT), DOCKER_HOST="unix:///nowhere")
    assert n > 10000 and (files, threads) == (0, 0) and grown < 4 << 20, (n, files, threads, grown)


def test_awaited(python, tmp_path):
    """The asynchronous face: calls go on side by side, a cancelled task ends its call, progress comes in the loop."""
    (tmp_path / "f").write_bytes(bytes(range(256)) * 40000)
    assert python("""
import asyncio, threading
from ipfs_accelerate_py import aio
async def main():
    told, data = [], open('f', 'rb').read()
    cid = (await aio.add('f', progress=lambda at: told.append(threading.get_ident())))['cid']
    assert await aio.cat(cid, 5, 10) == data[5:15] and b''.join([p async for p in aio.stream(cid)]) == data
    assert b''.join([p async for p in aio.stream(cid, 1000000, 3000000)]) == data[1000000:4000000]
    assert all(x == data for x in await asyncio.gather(*(aio.cat(cid) for _ in range(20))))
    await asyncio.sleep(0)
    assert set(told) == {threading.get_ident()}
    try: await aio.cat('nonsense')
    except ia.IPFSError as why: assert why.code == 'invalid_cid'
    async def endless():
        while True: await aio.call(ia.verify)
    task = asyncio.ensure_future(endless())
    await asyncio.sleep(0.05)
    task.cancel()
    try: await task
    except asyncio.CancelledError: pass
    try: await asyncio.wait_for(aio.load_checkpoint_and_dispatch('nonsense'), 20)
    except ia.IPFSError: raise AssertionError
    return await aio.verify()
assert asyncio.run(main())['damaged'] == []
print(json.dumps('fine'))
""") == "fine"


LARGE = """
import signal, numpy
from ipfs_accelerate_py import _library, _progress
library = _library.library()
def raises(kind, call):
    try: call()
    except kind as why: return why
    raise AssertionError(kind)
def interrupted_in(name, at, call):
    '''An interrupt comes in the middle of call number `at` of the library -> how many more came after it.'''
    real, n = getattr(library, name), [0]
    def counted(*arguments):
        n[0] += 1
        if n[0] == at: signal.raise_signal(signal.SIGINT)
        return real(*arguments)
    counted.argtypes = ()
    setattr(library, name, counted)
    try: raises(KeyboardInterrupt, call)
    finally: setattr(library, name, real)
    return n[0] - at
def stop(at): signal.raise_signal(signal.SIGINT)
data = numpy.arange(1 << 24, dtype='u4')
from safetensors.numpy import save_file
save_file({'big': data, 'small': data[:10]}, 'm.safetensors')
path, whole = os.path.abspath('m.safetensors'), open('m.safetensors', 'rb').read()
"""


def test_one_large_read_ends_by_interrupt_and_limit(python):
    """Not when all of it is read, and the next one gives all."""
    assert python(LARGE + """
cid = ia.add(path, chunker='tensor')['cid']
with ia.open_file(cid) as f, ia.Checkpoint('ipfs://' + cid) as k, ia.Checkpoint(path) as disk:
    room = bytearray(f.size)
    assert interrupted_in('ipfsa_file_read_at', 2, lambda: f.readinto(room)) == 0 and f.tell() == 0
    assert interrupted_in('ipfsa_file_read_at', 2, f.read) == 0 and f.tell() == 0
    assert f.readinto(room) == len(whole) and room == whole and f.seek(0) == 0 and f.read() == whole and f.read() == b''
    for c in (k, disk):
        assert interrupted_in('ipfsa_checkpoint_read', 2, lambda: c.read('big')) == 0
        assert c.read('big') == data.tobytes() and c.read('big', 5, 20 << 20) == data.tobytes()[5:5 + (20 << 20)] and c.read('small', 40) == b''
        assert raises(ia.Timeout, lambda: c.read('big', timeout=0)).code == 'timeout'
        told = []
        c.read('big', progress=told.append)
        assert told[-1]['done'] == told[-1]['total'] == 1 << 26 and told[-1]['phase'] == 'read'
    assert raises(ia.Timeout, lambda: ia.open_file(cid, timeout=0).read()).code == 'timeout'
    with ia.open_file(cid, timeout=100) as patient: assert patient.read() == whole
print(json.dumps('fine'))
""", interpreter=peer_python("python", "NumPy and safetensors")) == "fine"


@pytest.mark.parametrize("chunker", ["tensor", "size-250001"])  # views of the store's pages, and copies
def test_loading_ends_by_interrupt_and_limit(python, chunker):
    assert python(LARGE + """
cid = ia.add(path, chunker=sys.argv[1])['cid']
_progress.INTERVAL = 0
for where in ('ipfs://' + cid, path):
    for call in (lambda: ia.load_file(where, progress=stop), lambda: ia.Checkpoint(where).numpy('big', progress=stop), lambda: ia.Checkpoint(where).numpy('big', rows=(0, 9 << 20), progress=stop)):
        ia.content.close()
        raises(KeyboardInterrupt, call)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert raises(ia.Timeout, lambda: ia.load_file(where, timeout=0)).code == 'timeout'
    told = []
    found = ia.load_file(where, progress=told.append)
    assert numpy.array_equal(found['big'], data) and numpy.array_equal(found['small'], data[:10]) and told[-1]['done'] == told[-1]['total'] == (1 << 26) + 40
    assert [at['done'] for at in told] == sorted(at['done'] for at in told)
    del found
for call in (lambda: ia.cat(cid, progress=stop), lambda: ia.get(cid, 'out', progress=stop), lambda: ia.add(path, progress=stop), lambda: ia.verify(progress=stop), lambda: ia.verify(cid, progress=stop)):
    raises(KeyboardInterrupt, call)
assert ia.cat(cid) == whole and ia.cat(cid, 7, 50 << 20) == whole[7:7 + (50 << 20)] and ia.cat(cid, 7, 0) == b'' and ia.cat(cid, len(whole) + 5) == b''
print(json.dumps('fine'))
""", chunker, interpreter=peer_python("python", "NumPy and safetensors")) == "fine"
