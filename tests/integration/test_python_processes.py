"""The Python package in threads, forked children, other processes, subinterpreters, and when the interpreter ends."""
import os
import re
import subprocess
import sys

import pytest

from conftest import ABSENT


def test_threads_and_children(python, tmp_path):
    for i in range(8):
        (tmp_path / ("f%d" % i)).write_bytes(os.urandom(300000))
    assert python("""
import threading, multiprocessing
cids, wrong = {}, []
def work(i):
    try:
        cids[i] = ia.add('f%d' % i)['cid']
        for _ in range(20): assert ia.cat(cids[i]) == open('f%d' % i, 'rb').read()
    except BaseException as why: wrong.append(repr(why))
threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
pid = os.fork()
if pid == 0:
    try: ok = all(ia.cat(cids[i]) == open('f%d' % i, 'rb').read() for i in range(8)) and ia.add('f0')['cid'] == cids[0]
    finally: os._exit(0 if ok else 1)
child = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps([wrong, child, len(ia.pins(kind='recursive'))]))
""") == [[], 0, 8]


# In a subinterpreter: the package is imported, calls are refused with the reason; the main one goes on as before, whether it called before or not.
INSIDE = """
def inside(script):
    if sys.argv[1] == '_testcapi':  # one that shares the lock of the main interpreter
        import _testcapi
        assert _testcapi.run_in_subinterp(script) == 0
    else:  # an isolated one
        import importlib
        interpreters = importlib.import_module(sys.argv[1])
        made = interpreters.create()
        try: assert interpreters.run_string(made, script) is None
        finally: interpreters.destroy(made)
read, write = os.pipe()
def said():
    inside('''
import os
try:
    import ipfs_accelerate_py as ia, ipfs_accelerate_py.config
    assert ia.__version__ and isinstance(ia.config, type) and ipfs_accelerate_py.config is ia.config and ia.config().get("endpoints", "default") == "local"
    try: ia.pins()
    except Exception as why: said = type(why).__name__ + ": " + str(why)
    else: said = "nothing"
except Exception as why: said = "import: " + type(why).__name__ + ": " + str(why)
os.write(%d, said.encode())
''' % write)
    return os.read(read, 1000).decode()
first = said()
cid = ia.add('f')['cid']
file, checkpoint = ia.open_file(cid), ia.Checkpoint(os.path.abspath('model/model.safetensors'))
second = said()
assert file.read() == open('f', 'rb').read() and checkpoint.read('one') == b'\\x07' and ia.cat(cid) == open('f', 'rb').read()
file.close(); checkpoint.close()
print(json.dumps([first, second]))
"""


@pytest.mark.parametrize("way", ["_testcapi", "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"])
def test_a_subinterpreter_is_told(python, model, tmp_path, way):
    pytest.importorskip(way, reason="skipped: this Python makes no subinterpreters in this way")
    (tmp_path / "f").write_text("hello")
    for said in python(INSIDE, way):
        assert re.match(r"(IPFSError|ImportError): ipfs_accelerate_py runs in the main interpreter only", said), said


def test_forks_in_the_middle_of_calls(python, model, tmp_path):
    """Threads are in all sorts of calls when children are forked, which use what the parent has open and what it has not, and end as interpreters do."""
    for i in range(3):
        (tmp_path / ("f%d" % i)).write_bytes(os.urandom(300000))
    assert python("""
import multiprocessing, threading
cid, folder = ia.add('f0')['cid'], ia.add('model')['cid']
checkpoint, file, data = ia.Checkpoint('ipfs://' + folder), ia.open_file(cid), open('f0', 'rb').read()
over, wrong = threading.Event(), []
def busy(call):
    try:
        while not over.is_set(): call()
    except BaseException as why: wrong.append(repr(why))
calls = [lambda: ia.cat(cid), lambda: ia.add('f1'), lambda: checkpoint.read('a.weight'), lambda: ia.Checkpoint('ipfs://' + folder).memory('a.weight'), ia.verify, lambda: ia.set_alias('a', cid),
         lambda: ia.config().get('cache', 'path'), lambda: ia.IPFSAccelerate().config]
for call in calls: call()  # a fork in the middle of an import of Python's leaves its lock with nobody, whatever the module
threads = [threading.Thread(target=busy, args=(call,)) for call in calls]
for thread in threads: thread.start()
def child(i):
    assert ia.cat(cid) == data and checkpoint.read('a.weight') == bytes(range(24)) and len(file.read(100)) == 100
    assert ia.ipfs_accelerate.config.get('cache', 'path') and ia.add('f2', timeout=100)['cid'] and ia.stat(cid)['local']
    with ia.Checkpoint('ipfs://' + folder) as k: assert k.memory('a.weight')
context, codes = multiprocessing.get_context('fork'), []
for i in range(12):
    process = context.Process(target=child, args=(i,))
    process.start()
    process.join(100)
    codes.append(process.exitcode)
    process.kill()
over.set()
for thread in threads: thread.join()
print(json.dumps([codes, wrong, ia.verify()['damaged']]))
""") == [[0] * 12, [], []]


@pytest.mark.parametrize("way", ["spawn", "forkserver", "fork"])
def test_calls_go_to_other_processes(python, tmp_path, way):
    """A pool of workers reads, and adds, and what it raises comes back as it is."""
    (tmp_path / "f").write_bytes(os.urandom(300000))
    assert python("""
import multiprocessing
cid = ia.add('f')['cid']
with multiprocessing.get_context(sys.argv[1]).Pool(3) as pool:
    assert pool.map(ia.cat, [cid] * 9) == [open('f', 'rb').read()] * 9
    assert {made['cid'] for made in pool.map(ia.add, ['f'] * 6)} == {cid}
    try: pool.apply(ia.cat, [%r])
    except ia.NotFound as why: print(json.dumps([why.code, why.cid]))
    pool.close(); pool.join()
""" % ABSENT, way) == ["not_found", ABSENT]


@pytest.mark.parametrize("last", ["raise SystemExit(3)", "asyncio.run(main())", "asyncio.run(main()); os.kill(os.getpid(), 15)", "arrays = ia.Checkpoint('ipfs://' + folder).memory('a.weight')", "1 / 0"])
def test_an_interpreter_ends_in_any_way(python, model, tmp_path, last):
    """Open files, checkpoints, memory of the store, a loop with calls under way: the exit code is the one that it would be, and nothing is said but what is to be."""
    (tmp_path / "f").write_bytes(os.urandom(300000))
    done = python("""
import asyncio
from ipfs_accelerate_py import aio
cid, folder = ia.add('f')['cid'], ia.add('model')['cid']
file, checkpoint, engine = ia.open_file(cid), ia.Checkpoint('ipfs://' + folder), ia.backends()
async def main():
    tasks = [asyncio.ensure_future(aio.cat(cid)) for _ in range(20)]
    await asyncio.sleep(0)  # and the loop ends with them
""" + last, check=False)
    codes = {"raise": 3, "1 / 0": 1}
    assert done.returncode == (-15 if "kill" in last else codes.get(last.partition(" S")[0], 0)), done.stderr
    assert done.stderr == "" or last == "1 / 0" and done.stderr.rstrip().endswith("ZeroDivisionError: division by zero"), done.stderr


@pytest.mark.parametrize("held", ["ia.content.open_file(cid)", "open('f', 'rb')"])
def test_the_interpreter_ends_while_work_goes_on(python, tmp_path, held):
    """With open files of the store or without, and daemon threads in the middle of calls: no crash, no hang."""
    (tmp_path / "f").write_bytes(os.urandom(3 << 20))
    done = python("""
import atexit, threading, time
cid = ia.add('f')['cid']
file = %s
atexit.register(lambda: print(len(file.read(10)), flush=True))
def work():
    while True: ia.cat(cid)
for _ in range(3): threading.Thread(target=work, daemon=True).start()
time.sleep(0.2)
""" % held, check=False)
    assert done.returncode == 0 and not done.stderr, (done.returncode, done.stderr)


def test_several_processes(package_env, python, tmp_path):
    """Readers beside one who writes; a second writer waits for the first."""
    (tmp_path / "f").write_bytes(os.urandom(1 << 20))
    for i in range(10):
        (tmp_path / ("w%d" % i)).write_bytes(os.urandom(200000))
    cid = python("print(json.dumps(ia.add('f')['cid']))")
    read = "import sys, ipfs_accelerate_py as ia\ndata = open('f', 'rb').read()\nfor _ in range(100): assert ia.cat(sys.argv[1]) == data"
    write = "import sys, ipfs_accelerate_py as ia\nfor i in range(10): assert ia.cat(ia.add('w%d' % i)['cid']) == open('w%d' % i, 'rb').read()"
    running = [subprocess.Popen([sys.executable, "-c", script, cid], cwd=tmp_path, env=package_env, stderr=subprocess.PIPE, text=True) for script in [read] * 3 + [write] * 2]
    for process in running:
        _, said = process.communicate(timeout=120)
        assert process.returncode == 0, said
    assert python("print(json.dumps([len(ia.pins(kind='recursive')), ia.verify()['damaged']]))") == [11, []]


def test_what_other_processes_add_is_seen(python, program, tmp_path):
    (tmp_path / "f").write_bytes(os.urandom(500000))
    assert python("""
import subprocess
ia.pins()
cid = subprocess.run([os.environ['IPFSA_PROGRAM'], 'add', '-Q', 'f'], stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
seen = ia.cat(cid) == open('f', 'rb').read()
subprocess.run([os.environ['IPFSA_PROGRAM'], 'pin', 'rm', cid], stdout=subprocess.PIPE, check=True)
print(json.dumps([seen, ia.pins()]))
""") == [True, []]


def test_open_checkpoints_and_files_in_a_child(python, model):
    assert python("""
cid = ia.add('model')['cid']
with ia.Checkpoint(cid) as k, ia.content.open_file(cid + '/model.safetensors') as f:
    before = k.read('a.weight'), f.read(100)
    pid = os.fork()
    if pid == 0:
        try:
            f.seek(0)
            ok = (k.read('a.weight'), f.read(100)) == before and k.keys()
        finally: os._exit(0 if ok else 1)
    print(json.dumps(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
""") == 0


WRITER = """
import os, sys, ipfs_accelerate_py as ia
def held(at):
    if not told:
        told.append(print(os.getpid(), flush=True))
        sys.stdin.readline()
told = []
print(ia.add('held', progress=held)['cid'], flush=True)
"""


def test_who_waits_for_another_process_has_his_own_limit(package_env, python, tmp_path):
    """One process is in the middle of adding, and another calls what has to wait for it: its time limit counts, an interrupt and the end of a task too, and without a limit there is a
    usual one."""
    for name in ("f", "g", "held"):
        (tmp_path / name).write_bytes(os.urandom(300000))
    assert python("""
import asyncio, signal, subprocess, threading
from ipfs_accelerate_py import _library, aio
cid = ia.add('f')['cid']
ia.set_alias('mine', cid)
writer = subprocess.Popen([sys.executable, '-c', sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
pid = int(writer.stdout.readline())
def raises(kind, call):
    try: call()
    except kind as why: return why
    raise AssertionError(call)
calls = [lambda **how: ia.add('g', **how), lambda **how: ia.pin(cid, **how), lambda **how: ia.unpin(cid, **how), lambda **how: ia.set_alias('other', cid, **how),
         lambda **how: ia.remove_alias('mine', **how)]
for call in calls:
    why = raises(ia.Timeout, lambda: call(timeout=0.05))
    assert (why.code, why.status) == ('timeout', -11) and 'in use by process %d' % pid in str(why), (why.code, why.status, str(why))
    _library.LOCK_WAIT = 0.05
    assert raises(ia.Timeout, call).status == -11
    _library.LOCK_WAIT = 10.0
    main = threading.get_ident()
    timer = threading.Timer(0.1, lambda: signal.pthread_kill(main, signal.SIGINT))
    timer.start()
    raises(KeyboardInterrupt, call)
    timer.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler and _library.waiting.raised is None and _library.waiting.watch is None
assert ia.cat(cid) == open('f', 'rb').read() and ia.stat(cid)['pinned'] and ia.aliases() == {'mine': cid}  # who reads does not wait
async def cancelled():
    for call in (aio.add('g'), aio.unpin(cid)):
        task = asyncio.ensure_future(call)
        await asyncio.sleep(0.1)
        task.cancel()
        try: await task
        except asyncio.CancelledError: continue
        raise AssertionError
asyncio.run(cancelled())
_library.LOCK_WAIT, done = 0.0, []
waiter = threading.Thread(target=lambda: done.append(ia.add('g', timeout=100)['cid']))
waiter.start()
waiter.join(0.2)
assert waiter.is_alive()  # a limit longer than the usual one
writer.stdin.write('go on\\n'); writer.stdin.flush()
waiter.join(100)
assert len(done) == 1 and ia.cat(done[0]) == open('g', 'rb').read() and ia.cat(writer.stdout.readline().strip()) == open('held', 'rb').read()
writer.stdin.close(); writer.stdout.close()
print(json.dumps([writer.wait(), len(ia.pins(kind='recursive')), ia.verify()['damaged']]))
""", WRITER) == [0, 3, []]
