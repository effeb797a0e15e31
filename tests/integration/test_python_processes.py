"""The Python package in threads, forked children, other processes, subinterpreters, and when the interpreter ends."""
import os
import re
import subprocess
import sys

import pytest


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


INSIDE = """
import %s as interpreters
read, write = os.pipe()
interpreters.run_string(interpreters.create(), '''
import os
try:
    import ipfs_accelerate_py as ia
    assert ia.__version__
    ia.pins()
    said = "nothing"
except Exception as why: said = type(why).__name__ + ": " + str(why)
os.write(%%d, said.encode())
''' %% write)
ia.pins()
print(json.dumps(os.read(read, 1000).decode()))
"""


def test_a_subinterpreter_is_told(python):
    module = "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    pytest.importorskip(module, reason="skipped: this Python makes no subinterpreters")
    assert re.match(r"(IPFSError|ImportError): ipfs_accelerate_py runs in the main interpreter only", python(INSIDE % module))


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
