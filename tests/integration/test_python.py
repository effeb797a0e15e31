"""The Python package over the built library, in processes of its own: import contract, calls of the old package, content, configuration."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from conftest import LIBRARY, PACKAGE, PEERS, PROGRAM, ROOT, peer_python

HEADERS = ROOT / "include/ipfsa"


# --- what the package takes from the headers ---

def structs():
    sys.path.insert(0, str(PACKAGE))
    try:
        from ipfs_accelerate_py import _dispatch, _engine, _library, _aliases, checkpoint
    finally:
        sys.path.remove(str(PACKAGE))
    return {k: v for m in (_library, _engine, checkpoint, _dispatch, _aliases) for k, v in m.STRUCTS.items()}, {k: v for m in (_library, _engine, checkpoint, _dispatch, _aliases) for k, v in m._CALLS.items()}


def test_structs_are_those_of_the_headers(program, tmp_path):
    known, _ = structs()
    lines = ["#include <stdio.h>", "#include <stddef.h>"] + ["#include <ipfsa/%s>" % h.name for h in sorted(HEADERS.glob("*.h"))] + ["int main(void) {"]
    for name, struct in known.items():
        lines.append('  printf("%s %%zu\\n", sizeof(%s));' % (name, name))
        for field in struct._fields_:
            lines.append('  printf("%s.%s %%zu %%zu\\n", offsetof(%s, %s), sizeof(((%s *)0)->%s));' % (name, field[0], name, field[0], name, field[0]))
    (tmp_path / "abi.c").write_text("\n".join(lines + ["  return 0;", "}"]))
    subprocess.run(["cc", "-std=gnu17", "-I", ROOT / "include", "-o", tmp_path / "abi", tmp_path / "abi.c"], check=True)
    said = subprocess.run([tmp_path / "abi"], stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")
    import ctypes
    ours = []
    for name, struct in known.items():
        ours.append("%s %d" % (name, ctypes.sizeof(struct)))
        ours += ["%s.%s %d %d" % (name, f[0], getattr(struct, f[0]).offset, getattr(struct, f[0]).size) for f in struct._fields_]
    assert ours == said[:-1]


def test_every_field_is_known():
    """A struct of the headers has no field behind those that the package knows, or the package does not know that it is there."""
    text = "\n".join(re.sub(r"/\*.*?\*/", "", h.read_text(), flags=re.S) for h in HEADERS.glob("*.h"))
    for name, struct in structs()[0].items():
        body = re.search(r"typedef struct %s \{(.*?)\} %s;" % (name, name), text, re.S).group(1)
        last = re.findall(r"(\w+)\s*(?:\[[^\]]*\])?\s*(?:,|;)", body)[-1]
        assert struct._fields_[-1][0] == last, name


def test_calls_have_the_arguments_of_the_headers():
    text = re.sub(r"/\*.*?\*/", "", "\n".join(h.read_text() for h in HEADERS.glob("*.h")), flags=re.S)
    for name, (_, arguments) in structs()[1].items():
        found = re.search(r"[\s*]%s\(([^;]*)\);" % name, text)
        assert found, name
        wanted = [] if found.group(1).strip() == "void" else found.group(1).split(",")
        assert len(arguments) == len(wanted), name


# --- import ---

def test_importing_touches_nothing(python, tmp_path):
    loaded = python("""
for name in [n for n in sys.modules if n.startswith('ipfs_accelerate_py')]: del sys.modules[name]
before = set(sys.modules)
import ipfs_accelerate_py
print(json.dumps(sorted(set(sys.modules) - before)))
""")
    assert loaded == ["ipfs_accelerate_py"]
    assert not (tmp_path / "repo").exists() and list(tmp_path.iterdir()) == []


ORDERS = ["import ipfs_accelerate_py.config, ipfs_accelerate_py.backends, ipfs_accelerate_py.ipfs_accelerate",
          "import importlib; [importlib.import_module('ipfs_accelerate_py.' + n) for n in ('ipfs_accelerate', 'backends', 'config')]",
          "ia.config; ia.backends; ia.ipfs_accelerate; import ipfs_accelerate_py.backends, ipfs_accelerate_py.ipfs_accelerate, ipfs_accelerate_py.config",
          "from ipfs_accelerate_py.backends import backends; from ipfs_accelerate_py import config; import ipfs_accelerate_py.config; from ipfs_accelerate_py.ipfs_accelerate import ipfs_accelerate"]


@pytest.mark.parametrize("order", range(len(ORDERS)))
def test_attributes_stay_what_they_are(python, order):
    assert python(ORDERS[order] + """
m = sys.modules
assert isinstance(ia.config, type) and isinstance(ia.backends, type) and isinstance(ia.ipfs_accelerate, ia.IPFSAccelerate)
assert m['ipfs_accelerate_py.config'].config is ia.config and m['ipfs_accelerate_py.backends'].backends is ia.backends
assert m['ipfs_accelerate_py.ipfs_accelerate'].ipfs_accelerate is ia.ipfs_accelerate
import types
assert isinstance(m['ipfs_accelerate_py.config'], types.ModuleType)
for name in ia.__all__: getattr(ia, name)
assert all(isinstance(getattr(ia, name), types.ModuleType) for name in ia._MODULES) and set(ia._MODULES) < set(dir(ia))
try: ia.nothing
except AttributeError: print(json.dumps('fine'))
""") == "fine"


def test_imports_side_by_side(python):
    assert python("""
import importlib, threading
for name in [n for n in sys.modules if n.startswith('ipfs_accelerate_py')]: del sys.modules[name]
names = ['ipfs_accelerate_py', 'ipfs_accelerate_py.config', 'ipfs_accelerate_py.backends', 'ipfs_accelerate_py.ipfs_accelerate', 'ipfs_accelerate_py.content']
bad, start = [], threading.Barrier(40)
def one(i):
    start.wait()
    try:
        module = importlib.import_module(names[i % len(names)])
        package = importlib.import_module('ipfs_accelerate_py')
        assert isinstance(package.config, type) and callable(package.add_file)
    except BaseException as why:
        bad.append(repr(why))
threads = [threading.Thread(target=one, args=(i,)) for i in range(40)]
[t.start() for t in threads]; [t.join() for t in threads]
print(json.dumps(bad))
""") == []


def test_imports_while_modules_are_dropped(python):
    """Whoever drops modules meanwhile, every import succeeds, and gives the modules that there were: one process has one set of open stores."""
    assert python("""
import importlib, threading, time
names = ['ipfs_accelerate_py', 'ipfs_accelerate_py.config', 'ipfs_accelerate_py.backends', 'ipfs_accelerate_py.ipfs_accelerate', 'ipfs_accelerate_py.content']
first = [id(importlib.import_module(name)) for name in names]
bad, seen, over = [], set(), threading.Event()
def drop():
    while not over.wait(0.003):
        for name in [n for n in list(sys.modules) if n.startswith('ipfs_accelerate_py')]: sys.modules.pop(name, None)
def one(i):
    for k in range(20):
        try:
            module = importlib.import_module(names[(i + k) % len(names)])
            import ipfs_accelerate_py
            from ipfs_accelerate_py import config, backends
            assert isinstance(config, type) and isinstance(ipfs_accelerate_py.backends, type) and callable(ipfs_accelerate_py.add_file)
            seen.add(id(module))
        except BaseException as why:
            bad.append(repr(why))
threads = [threading.Thread(target=one, args=(i,)) for i in range(20)]
dropper = threading.Thread(target=drop)
dropper.start()
[t.start() for t in threads]; [t.join() for t in threads]
over.set(); dropper.join()
print(json.dumps([bad, seen == set(first)]))
""") == [[], True]


def test_a_reload_loads_anew(python):
    assert python("""
import importlib, inspect
import ipfs_accelerate_py.config
module = sys.modules['ipfs_accelerate_py.config']
before = ia.config
assert importlib.reload(module) is module and module.config is not before and ia.config is before
assert 'class config' in inspect.getsource(module) and importlib.reload(ia) is ia and ia.config is not None
from ipfs_accelerate_py import errors
try: import ipfs_accelerate_py.nothing
except ModuleNotFoundError as why: print(json.dumps(str(why)))
""") == "No module named 'ipfs_accelerate_py.nothing'"


def test_a_missing_library_is_told_by_the_call(python):
    done = python("print(ia.config.__name__)\ntry: ia.pins()\nexcept ia.IPFSError as why: print(json.dumps([why.code, why.message]))", IPFSA_LIBRARY="/nowhere/libipfsa.so.0")
    assert done[0] == "internal" and "/nowhere/libipfsa.so.0" in done[1]


TYPED = """
import ipfs_accelerate_py as ia
import ipfs_accelerate_py.content
from ipfs_accelerate_py import aio, backends, config

def told(at: dict[str, object]) -> None: ...
reveal_type(ia.add("model", cid_version=1, progress=told, timeout=5))
reveal_type(ia.cat(b"x", 0, 5))
with ia.Checkpoint("ipfs://x") as c:
    reveal_type(c.keys())
with ia.open_file("x") as f:
    reveal_type(f)
reveal_type(ia.ipfs_accelerate.add_file("x"))
with backends() as b:
    reveal_type(b.start_container("a", "b", ports={"80": ""}))
reveal_type(ia.pins(kind="recursive"))
ia.cat(5)
ia.nothing
ia.add("x", unknown=True)
"""


def test_type_checkers_know_the_package(tmp_path):
    checker = PEERS / "python/bin/mypy"
    if not checker.exists():
        pytest.skip("skipped: PyPI mypy is missing: run tools/install-peers")
    (tmp_path / "user.py").write_text(TYPED)
    said = subprocess.run([checker, "--no-incremental", "--follow-imports=silent", "--no-error-summary", "user.py"], cwd=tmp_path, env={**os.environ, "MYPYPATH": str(PACKAGE)},
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120).stdout
    assert re.findall(r'Revealed type is "(.*)"', said) == ["dict[str, Any]", "bytes", "list[str]", "ipfs_accelerate_py.content.File", "dict[str, Any]", "dict[str, Any]", "list[dict[str, Any]]"], said
    assert [line.split("[")[-1] for line in said.splitlines() if ": error:" in line] == ["arg-type]", "attr-defined]", "call-arg]"], said


def test_the_stub_has_what_the_package_has():
    text = (PACKAGE / "ipfs_accelerate_py/__init__.pyi").read_text()
    named = set(re.findall(r"(\w+) as \1\b", text)) | set(re.findall(r"^(\w+):", text, re.M))
    sys.path.insert(0, str(PACKAGE))
    try:
        import ipfs_accelerate_py
    finally:
        sys.path.remove(str(PACKAGE))
    assert named == set(ipfs_accelerate_py.__all__) | ipfs_accelerate_py._MODULES


# --- the old calls ---

def test_add_and_get_a_file(python, ipfs, tmp_path):
    (tmp_path / "file").write_bytes(bytes(range(256)) * 4000)
    answer = python("""
added = ia.add_file('file')
got = ia.get_file(added['cid'])
again = ia.get_file(added['cid'], 'copy')
print(json.dumps([added, got, again, open(got['file'], 'rb').read() == open('file', 'rb').read() == open('copy', 'rb').read()]))
""")
    added, got, again, same = answer
    assert added == {"status": "success", "cid": ipfs.text("add", "-Q", tmp_path / "file"), "file": "file"} and same
    assert set(got) == {"status", "cid", "file", "source", "transfer_time_ms", "p2p_optimized", "load_time_ms"}
    assert (got["status"], got["source"], got["cid"], again["file"]) == ("success", "cache", added["cid"], "copy")


ABSENT = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"


def test_what_cannot_be_is_an_answer(python, tmp_path):
    (tmp_path / "there").mkdir()
    answer = python("""
there = ia.add_file('there')['cid']
print(json.dumps([ia.add_file('nothing'), ia.get_file(%r), ia.get_file('nonsense'), ia.get_file(there, 'there'), ia.get_file(there, 'no/such/folder'),
                  ia.ipfs_accelerate.get_cid_metadata(%r), ia.ipfs_accelerate.cid_exists(%r), ia.ipfs_accelerate.cid_exists('nonsense'),
                  ia.load_checkpoint_and_dispatch(there, 'local'), ia.get_p2p_network_analytics()]))
""" % (ABSENT, ABSENT, ABSENT))
    assert answer[0] == {"status": "error", "code": "not_found", "message": "File not found: nothing"}
    assert [a.get("code") for a in answer[1:3]] == ["not_found", "invalid_cid"]
    assert answer[3]["message"].startswith("Error writing to there: ") and "load_time_ms" in answer[3]
    assert answer[4]["status"] == "error" and not (tmp_path / "no").exists()
    assert answer[5]["code"] == "not_found" and answer[6:8] == [False, False]
    assert answer[8]["status"] == "error" and "no checkpoint" in answer[8]["message"] and answer[9]["status"] == "disabled"


def test_metadata(python, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/a").write_bytes(bytes(600000))
    (tmp_path / "model/b.json").write_text('{"layers": [1, 2]}')
    folder, file, names, document = python("""
cid = ia.add('model', cid_version=1)['cid']
f = ia.ipfs_accelerate
print(json.dumps([f.get_cid_metadata(cid), f.get_cid_metadata(cid + '/a'), [(e['name'], e['type'], e['size']) for e in ia.content.ls(cid)], f.load_checkpoint_and_dispatch(cid + '/b.json')]))
""")
    assert {k: folder[k] for k in ("type", "local", "pinned", "codec", "links")} == {"type": "directory", "local": True, "pinned": True, "codec": "dag-pb", "links": 2}
    assert {k: file[k] for k in ("type", "size", "blocks", "links")} == {"type": "file", "size": 600000, "blocks": 3, "links": 3}
    assert names == [["a", "file", 600000], ["b.json", "file", 18]]
    assert document["data"] == {"layers": [1, 2]} and document["bytes"] == 18 and document["status"] == "success"


# --- content ---

def test_content(python, tmp_path):
    (tmp_path / "f").write_bytes(bytes(range(256)) * 8192)
    python("""
seen = []
made = ia.add('f', pin=False, progress=seen.append)
cid = made['cid']
data = open('f', 'rb').read()
assert made['files'] == 1 and seen[-1]['phase'] == 'add'
assert ia.cat(cid) == data and ia.cat(cid, 1000000, 100) == data[1000000:1000100] and ia.cat(cid, len(data)) == b''
with ia.content.open_file('ipfs://' + cid) as file:
    assert file.size == len(data) and file.seek(-10, 2) == len(data) - 10 and file.read() == data[-10:]
    file.seek(300000)
    assert file.read(50) == data[300000:300050]
    into = bytearray(7)
    assert file.readinto_at(5, into) == 7 and bytes(into) == data[5:12]
assert ia.pins() == []
ia.pin(cid, name='mine')
assert ia.pins(kind='recursive') == [{'cid': cid, 'type': 'recursive', 'name': 'mine'}] and ia.stat(cid)['pinned']
ia.unpin(cid)
assert ia.pins() == [] and ia.verify()['damaged'] == []
for wrong, kind in ((lambda: ia.unpin(cid), ia.IPFSError), (lambda: ia.cat(cid, -1), ValueError), (lambda: ia.cat(5), TypeError), (lambda: ia.cat(%r), ia.NotFound),
                    (lambda: ia.cat(cid, timeout=-1), ia.Timeout)):
    try: wrong()
    except kind: continue
    raise AssertionError(kind)
""" % ABSENT)


def test_what_lies_below_a_path_is_verified(python, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/good").write_bytes(os.urandom(100000))
    (tmp_path / "folder/bad").write_bytes(os.urandom(1 << 20))
    assert python("""
import pathlib
cid, good = ia.add('folder')['cid'], ia.add('folder/good')['cid']
assert ia.verify(cid)['damaged'] == [] and ia.verify(cid)['bytes'] > 1100000 and ia.verify('ipfs://' + good)['cid'] == good
data = open('folder/bad', 'rb').read()[700000:700064]
ia.content.close()
for pack in pathlib.Path(os.environ['IPFSA_PATH']).rglob('*.pack'):
    at = pack.read_bytes().find(data)
    if at >= 0:
        with open(pack, 'r+b') as file: file.seek(at); file.write(b'x' * 8)
bad = ia.verify(cid + '/bad')
assert [row['cid'] for row in bad['damaged']] == [ia.resolve(cid + '/bad')] and ia.verify(good)['damaged'] == [], bad
try: ia.verify('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy')
except ia.NotFound: pass
try: ia.Client()
except NotImplementedError as why: print(json.dumps('RPC' in str(why)))
""") is True


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


# --- checkpoints ---

def safetensors_file(tensors, metadata=None):
    """tensors: (name, dtype, shape, bytes)."""
    header, data = ({"__metadata__": metadata} if metadata else {}), b""
    for name, dtype, shape, content in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


@pytest.fixture
def model(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/model.safetensors").write_bytes(safetensors_file(
        [("a.weight", "F32", [3, 2], bytes(range(24))), ("b", "BF16", [2], b"\x80\x3f\x00\x40"), ("none", "I64", [0, 5], b""), ("one", "U8", [], b"\x07")], {"format": "pt"}))


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


def test_what_a_checkpoint_holds(python, model):
    described, listed, keys, read = python("""
cid = ia.add('model', cid_version=1)['cid']
d = ia.load_checkpoint_and_dispatch(cid)
with ia.Checkpoint('ipfs://' + cid + '/model.safetensors') as k:
    print(json.dumps([d, k.tensors(), k.keys(), k.read('a.weight', 4, 8).hex()]))
try: k.keys()
except ValueError: pass
else: raise AssertionError
""")
    assert described["data"] == {"tensors": 4, "total_size": 29, "metadata": {"format": "pt"}} and (described["format"], described["shards"]) == ("safetensors", 1)
    assert listed["a.weight"] == {"dtype": "F32", "shape": [3, 2], "shard": 0, "offset": listed["a.weight"]["offset"], "size": 24}
    assert set(keys) == {"a.weight", "b", "none", "one"} and read == bytes(range(4, 12)).hex()


def test_a_bad_checkpoint_is_refused(python, tmp_path):
    good = safetensors_file([("a", "F32", [2], bytes(8))])
    (tmp_path / "short").write_bytes(good[:-1])
    (tmp_path / "text").write_text("no checkpoint at all, and no JSON either")
    short, text = python("print(json.dumps([ia.load_checkpoint_and_dispatch(ia.add(n)['cid']) for n in ('short', 'text')]))")
    assert short["code"] == "bad_format" and "not fully covered" in short["message"]
    assert text["status"] == "error" and text["code"] in ("bad_format", "unsupported_format")


NUMPY = """
import numpy
for where in ('model/model.safetensors', 'ipfs://' + ia.add('model')['cid'] + '/model.safetensors'):
    with ia.safe_open(where) as f:
        a = f.get_tensor('a.weight')
        assert a.dtype == numpy.float32 and a.shape == (3, 2) and a.tobytes() == bytes(range(24))
        s = f.get_slice('a.weight')
        assert s.get_shape() == [3, 2] and s.get_dtype() == 'F32'
        for index in (slice(1, 3), 1, -1, (slice(None), 1), (slice(0, 3, 2), 0), Ellipsis, (0, 1), slice(2, 1)):
            assert numpy.array_equal(s[index], a[index]), index
        assert f.get_tensor('none').shape == (0, 5) and f.get_tensor('one') == 7 and f.metadata() == {'format': 'pt'}
        for name, kind in (('b', TypeError), ('nothing', ia.NotFound)):
            try: f.get_tensor(name)
            except kind: continue
            raise AssertionError(name)
print(json.dumps('fine'))
"""


def test_tensors_in_numpy(python, model):
    peers = PEERS / "python/bin/python"
    if not peers.exists():
        pytest.skip("skipped: NumPy is missing: run tools/install-peers")
    assert python(NUMPY, interpreter=str(peers)) == "fine"


def test_the_same_tensors_as_safetensors(python, tmp_path):
    peers = PEERS / "python/bin/python"
    if not peers.exists():
        pytest.skip("skipped: PyPI safetensors is missing: run tools/install-peers")
    assert python("""
import numpy, random
from safetensors.numpy import save_file, load_file
r, kinds = random.Random(1), ['float32', 'float16', 'int8', 'int64', 'bool', 'float64', 'uint8']
made = {'t%d' % i: (numpy.arange(int(numpy.prod(shape))) % 7).astype(r.choice(kinds)).reshape(shape) for i in range(60)
        for shape in [[r.randrange(0, 40) for _ in range(r.randrange(0, 4))]]}
save_file(made, 'm.safetensors')
cid = ia.add('m.safetensors', chunker='size-1000')['cid']
ours, theirs = ia.load_file('ipfs://' + cid), load_file('m.safetensors')
assert ours.keys() == theirs.keys() and all(ours[k].dtype == theirs[k].dtype and numpy.array_equal(ours[k], theirs[k]) for k in theirs)
print(json.dumps(len(ours)))
""", interpreter=str(peers)) == 60


def test_arrays_without_a_copy(python, tmp_path):
    """Arrays lie in the store's pages, outlive what they came from, may be written, and the store does not change."""
    python("""
import gc, numpy
from safetensors.numpy import save_file
def mapped(address):
    for line in open('/proc/self/maps'):
        begin, end = (int(x, 16) for x in line.split()[0].split('-'))
        if begin <= address < end: return line.split()[-1]
big = numpy.arange(1 << 20, dtype='<u4').reshape(1024, 1024)
save_file({'big': big, 'b': big[:1] + 1}, 'm.safetensors')
cid = ia.add('m.safetensors', chunker='tensor')['cid']
with ia.Checkpoint('ipfs://' + cid) as k:
    rows = k.numpy('big', rows=(500, 502))
    array = k.numpy('big')
    try: ia.content.close()
    except ValueError: pass
    else: raise AssertionError
    assert numpy.shares_memory(numpy.from_dlpack(k.dlpack('big')), array)
del k; gc.collect()
assert numpy.array_equal(array, big) and numpy.array_equal(rows, big[500:502]) and numpy.shares_memory(array, rows)
assert mapped(array.ctypes.data + 4096).startswith(os.environ['IPFSA_PATH']), mapped(array.ctypes.data)
array[:] = 0
assert not rows.any() and numpy.array_equal(ia.load_file('ipfs://' + cid)['big'], big) and ia.verify()['damaged'] == []
pid = os.fork()
if pid == 0:
    try: ok = not array.any() and numpy.array_equal(ia.load_file('ipfs://' + cid)['big'], big)
    finally: os._exit(0 if ok else 1)
assert os.waitpid(pid, 0)[1] == 0
del array, rows; gc.collect()
ia.content.close()
left = ia.load_file('ipfs://' + cid)  # alive when the interpreter ends
""", interpreter=peer_python("python", "NumPy"))


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


def test_tensors_in_torch(python, model):
    peers = PEERS / "accelerate/bin/python"
    if not peers.exists():
        pytest.skip("skipped: torch is missing: run tools/install-deps test and tools/install-peers")
    assert python("""
import torch
with ia.safe_open('ipfs://' + ia.add('model')['cid'] + '/model.safetensors', framework='pt') as f:
    b = f.get_tensor('b')
    assert b.dtype == torch.bfloat16 and b.tolist() == [1.0, 2.0]
    with ia.Checkpoint('ipfs://' + ia.resolve(f._checkpoint.path)) as k:
        shared = torch.utils.dlpack.from_dlpack(k.dlpack('b').__dlpack__())
        assert shared.dtype == torch.bfloat16 and shared.tolist() == [1.0, 2.0] and shared.data_ptr() == k.torch('b').data_ptr()
    assert f.get_slice('a.weight')[1:, 0].shape == (2,) and f.get_tensor('none').shape == (0, 5) and f.get_tensor('one').item() == 7
print(json.dumps('fine'))
""", interpreter=str(peers)) == "fine"


# --- configuration ---

def test_configuration(python, tmp_path):
    (tmp_path / "config.toml").write_text('# mine\n[general]\ndebug = true # now\n[endpoints]\ndefault = "gpu"\n[endpoints.gpu]\nhost = "h"\napi_key = "secret"\n[other]\nkept = [1, 2]\n')
    assert python("""
c = ia.config()
assert c.loaded and c.get('general', 'debug') is True and c.get('general', 'log_level') == 'INFO' and c.get('cache', 'max_size_mb') == 500
assert c.get('endpoints', 'gpu') == {'host': 'h', 'api_key': 'secret'} and c.get('endpoints', 'local')['port'] == 8000
assert c.get('no', 'such') is None and c.get('no', 'such', 5) == 5 and 'secret' not in repr(c)
c.set('general', 'debug', False)
c.set('new', 'list', ['a', 'b"'])
try: c.set('new', 'x', object())
except TypeError: pass
else: raise AssertionError
c.save()
text = open('config.toml').read()
d = ia.config()
assert d.config_data == c.config_data, (d.config_data, c.config_data)
c.set('deep', 'table', {'a b': {'c': 1.5}, 'd': [True]})
c.save('other.toml')
assert ia.config('other.toml').get('deep', 'table') == {'a b': {'c': 1.5}, 'd': [True]}
print(json.dumps(text))
""") == '# mine\n[general]\ndebug = false # now\n[endpoints]\ndefault = "gpu"\n[endpoints.gpu]\nhost = "h"\napi_key = "secret"\n[other]\nkept = [1, 2]\n\n[new]\nlist = ["a", "b\\""]\n'


@pytest.mark.parametrize("text", [None, "[general\n", "\xff"])
def test_without_a_good_file_there_are_defaults(python, tmp_path, text):
    if text is not None:
        (tmp_path / "config.toml").write_bytes(text.encode("latin-1"))
    assert python("""
import warnings
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter('always')
    c = ia.config()
print(json.dumps([len(told), c.loaded, c.get('endpoints', 'default')]))
""") == [1, False, "local"]


def test_the_program_by_the_package(python, program):
    done = subprocess.run([sys.executable, "-m", "ipfs_accelerate_py", "version", "-n"], env={**os.environ, "PYTHONPATH": str(PACKAGE), "IPFSA_PROGRAM": str(program)},
                          stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0 and re.fullmatch(r"\d+\.\d+\.\d+\n", done.stdout)


# --- a wheel ---

def test_a_wheel_holds_every_file():
    listed = set(re.findall(r"package / '([\w.]+)'", (PACKAGE / "meson.build").read_text())) - {"native"}
    assert listed == {p.name for p in (PACKAGE / "ipfs_accelerate_py").iterdir() if p.is_file()}


def test_what_pip_installs_works_alone(tmp_path):
    """pip install . in a new environment, as a user does it, used from elsewhere: library, program, package and entry points come along."""
    if shutil.disk_usage(tmp_path).free < 2 << 30:
        pytest.skip("skipped: a whole build takes 2 GB of disk")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("IPFSA_", "PYTHON", "LD_"))}
    done = subprocess.run([tmp_path / "venv/bin/pip", "install", "-q", "--disable-pip-version-check", ROOT], env=clean, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=900)
    if done.returncode and re.search(r"No matching distribution|Connection|Temporary failure|Could not fetch", done.stdout):
        pytest.skip("skipped: no PyPI here: " + done.stdout.strip().splitlines()[-1])
    assert done.returncode == 0, done.stdout[-3000:]
    (tmp_path / "f").write_text("hello\n")
    env = {**clean, "IPFSA_PATH": str(tmp_path / "repo"), "TMPDIR": str(tmp_path)}
    python = tmp_path / "venv/bin/python"

    def run(*command, **more):
        return subprocess.run(command, cwd=tmp_path, env={**env, **more}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True, timeout=120).stdout

    script = "import ipfs_accelerate_py as ia; r = ia.add_file('f'); print(r['cid'], ia.cat(r['cid'])); print(*[l.split()[-1] for l in open('/proc/self/maps') if 'libipfsa' in l][:1])"
    said, library = run(python, "-c", script).splitlines()
    assert said == "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN b'hello\\n'" and library.startswith((str(tmp_path / "venv"), "/usr/", "/lib"))
    assert run(tmp_path / "venv/bin/ipfs-accelerate", "cat", "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN") == "hello\n"
    assert run(python, "-c", "import ipfs_accelerate_py.config; print(type(ipfs_accelerate_py.config))") == "<class 'type'>\n"
    points = "import importlib.metadata as m; print(sorted(e.name for e in m.distribution('ipfs-accelerate-py').entry_points if e.group == 'fsspec.specs'))"
    assert run(python, "-c", points) == "['ipfs', 'ipns']\n"
    assert "it goes into the store, durable: ipfs://" in run(python, ROOT / "examples/quickstart.py", QUICKSTART_MB="2", DOCKER_HOST="unix:///nowhere")
    # A library of the system is used when it is of the same version, and the package's own when it is not.
    (tmp_path / "system").mkdir()
    shutil.copy(LIBRARY, tmp_path / "system/libipfsa.so.0")
    assert run(python, "-c", script, LD_LIBRARY_PATH=str(tmp_path / "system")).splitlines()[1] == str(tmp_path / "system/libipfsa.so.0")
    (tmp_path / "old.c").write_text('const char *ipfsa_version(void) { return "0.0.1"; }\n')
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "system/libipfsa.so.0", tmp_path / "old.c"], check=True)
    assert run(python, "-c", script, LD_LIBRARY_PATH=str(tmp_path / "system")).splitlines()[0] == said


# --- containers ---

def test_containers_out_of_python(docker_engine, python, tmp_path):
    from engines import IMAGE
    (tmp_path / "www").mkdir()
    (tmp_path / "www/index.html").write_text("out of the store\n")
    try:
        answer = python("""
import urllib.request
b = ia.ipfs_accelerate.backends
cid = ia.add('www')['cid']
made = b.start_container('web', sys.argv[1], ports={'80': ''}, command=['httpd', '-f', '-p', '80', '-h', '/www'], model_cid=cid, mount_path='/www', wait={'http': '/', 'port': 80})
tunnel = b.docker_tunnel('web', 0, 80)
page = urllib.request.urlopen(tunnel['endpoint'], timeout=20).read().decode()
ran = b.exec('web', ['sh', '-c', 'cat /www/index.html; echo bad >&2; exit 3'])
ran = [ran['exit_code'], ran['stdout'].decode(), ran['stderr'].decode()]
listed, known, held = b.list_containers(), b.get_container_status('web'), b.tunnels()
closed = b.close_tunnel(tunnel['tunnel_id']), b.close_tunnel(tunnel['tunnel_id'])
print(json.dumps([made, tunnel, page, ran, listed, known, held, closed, b.stop_container('web', 1), b.remove('web'), b.stop_container('web'), b.docker_tunnel('web', 0, 80),
                  b.start_container('bad', sys.argv[1], volumes=['/etc:/etc2']), b.get_container_status('web')]))
""", IMAGE, DOCKER_HOST=docker_engine.host)
    finally:
        docker_engine.remove_all()
    made, tunnel, page, ran, listed, known, held, closed, stopped, removed, gone, no_tunnel, refused, none = answer
    assert made["status"] == "running" and made["ports"]["80/tcp"] > 0 and page == "out of the store\n"
    assert tunnel["status"] == "connected" and re.fullmatch(r"tunnel_web_\d+_80", tunnel["tunnel_id"])
    assert ran == [3, "out of the store\n", "bad\n"]
    assert [c["name"] for c in listed] == ["web"] and known["id"] == made["container_id"] and held[0]["received_bytes"] > 0
    assert closed == [True, False] and stopped == {"status": "stopped", "container_id": made["container_id"]} and removed["status"] == "removed"
    assert gone == no_tunnel == {"status": "error", "code": "not_found", "message": "Container web not found"} and none is None
    assert refused["status"] == "error" and refused["code"] == "denied"


def test_calls_to_an_engine_end_when_they_have_to(docker_engine, python, tmp_path):
    """By a time limit, an exception of a callback, an interrupt, a task that is cancelled; nothing is left running here."""
    from engines import IMAGE
    try:
        assert python("""
import asyncio, signal, threading, time
from ipfs_accelerate_py import aio
def raises(kind, call):
    try: call()
    except kind as why: return str(why)
    raise AssertionError(kind)
with ia.backends() as b:
    assert b.start_container('web', sys.argv[1], command=['sleep', '600'])['status'] == 'running'
    raises(ia.Timeout, lambda: b.exec('web', ['sleep', '600'], timeout=0.3))
    late = b.start_container('late', sys.argv[1], command=['sleep', '600'], wait={'log': 'never', 'timeout': 600}, timeout=0.5)
    assert (late['status'], late['code']) == ('error', 'timeout'), late
    main = threading.get_ident()
    threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    raises(KeyboardInterrupt, lambda: b.exec('web', ['sleep', '600']))
    async def cancelled():
        async with aio.Backends(b) as a:
            task = asyncio.ensure_future(a.exec('web', ['sleep', '600']))
            await asyncio.sleep(0.3)
            task.cancel()
            try: await task
            except asyncio.CancelledError: pass
            else: raise AssertionError
            return (await a.exec('web', ['echo', 'still here']))['stdout'].decode()
    assert asyncio.run(cancelled()) == 'still here\\n'
    tunnel = b.docker_tunnel('web', 0, 80)
    assert [t['tunnel_id'] for t in b.tunnels()] == [tunnel['tunnel_id']]
assert b.tunnels() == []
print(json.dumps([t.name for t in threading.enumerate() if t.name.startswith('ipfs-accelerate')]))
""", IMAGE, DOCKER_HOST=docker_engine.host) == []
    finally:
        docker_engine.remove_all()


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


def test_the_examples_of_the_documentation(docker_engine, python, model, tmp_path):
    from engines import IMAGE
    text = (ROOT / "docs/python.md").read_text()
    script = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)).replace("import ipfs_accelerate_py as ia\n", "", 1).replace('"busybox"', repr(IMAGE))
    (tmp_path / "model/config.json").write_text("{}")
    (tmp_path / "model/index.html").write_text("hello\n")
    (tmp_path / "model/weights.bin").write_bytes(bytes(1000))
    (tmp_path / "config.toml").write_text("# mine\n[docker]\ntimeout = 60\n")
    try:
        python(script + "\nprint(json.dumps([head == bytes(100), config.decode()]))", DOCKER_HOST=docker_engine.host)
    finally:
        docker_engine.remove_all()
    assert (tmp_path / "config.toml").read_text() == "# mine\n[docker]\ntimeout = 30\n"


def test_the_marketplace_out_of_python(python):
    rows = python("""
b = ia.ipfs_accelerate.backends
assert b.list_marketplace_images(sources=['curated']) == b.marketplace(sources=['curated'])
print(json.dumps(b.marketplace('ipfs', sources=['curated'])))
""")
    assert {"ipfs-node": "ipfs/kubo:latest", "ipfs-cluster": "ipfs/ipfs-cluster:latest", "ipfs-gateway": "ipfs/go-ipfs:latest"}.items() <= {r["name"]: r["image"] for r in rows}.items()


def test_a_profile_gives_the_cid_of_a_repo_with_it(python, program, tmp_path):
    (tmp_path / "f").write_bytes(os.urandom(3 << 20))
    cids = python("print(json.dumps([ia.add('f', profile=p)['cid'] for p in ('unixfs-v1-2025', 'unixfs-v0-2015')]))\nassert ia.add('f')['cid'] == ia.add('f', profile='legacy-cid-v0')['cid']")
    for cid, profile in zip(cids, ("unixfs-v1-2025", "unixfs-v0-2015")):
        env = {**os.environ, "IPFSA_PATH": str(tmp_path / profile)}
        subprocess.run([program, "init", "--profile=" + profile], env=env, stdout=subprocess.PIPE, check=True)
        assert subprocess.run([program, "add", "-Q", "f"], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout.strip() == cid
    assert python("try: ia.add('f', profile='nope')\nexcept ia.IPFSError as why: print(json.dumps(str(why)))") == "nope is not a profile"
