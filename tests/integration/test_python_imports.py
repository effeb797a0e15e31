"""Importing the Python package: it touches nothing, in any order, from any thread, while modules are dropped."""
import json
import subprocess
import sys

import pytest

from conftest import PACKAGE, seed


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


# One thread drops the modules while twenty import them for the first time, in a process forked from one that has seen none of them.
HAMMER = r'''
import importlib, json, os, random, sys, threading, time, traceback
PACKAGE, RUNS, SEED = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
FORMS = ["import %s.backends; assert isinstance(%s.backends, type)", "from %s import config; assert isinstance(config, type)", "import %s; %s.config; %s.add_file", "import %s.config",
         "import importlib; importlib.import_module('%s.content')", "from %s.backends import backends; assert isinstance(backends, type)"]
FORMS = [compile(form.replace("%s", PACKAGE), form, "exec") for form in FORMS]

def first_import(pause):
    failed, start, over = [], threading.Barrier(21), threading.Event()
    def drop():
        start.wait()
        while not over.is_set():
            for name in [each for each in list(sys.modules) if each == PACKAGE or each.startswith(PACKAGE + ".")]: sys.modules.pop(name, None)
            if pause is not None: time.sleep(pause)
    def one(i):
        start.wait()
        for k in range(3):
            try: exec(FORMS[(i + k) % len(FORMS)], {})
            except BaseException as why: failed.append([repr(why), traceback.extract_tb(why.__traceback__)[-1].name])
    threads, dropper = [threading.Thread(target=one, args=(i,)) for i in range(20)], threading.Thread(target=drop)
    for thread in [dropper] + threads: thread.start()
    for thread in threads: thread.join()
    over.set(); dropper.join()
    return failed

failed, r = [], random.Random(SEED)
for _ in range(RUNS):
    pause = r.choice([None, 0, 0.0001, 0.0005, 0.002])
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        text = json.dumps(first_import(pause)).encode()
        with os.fdopen(write, "wb") as file: file.write(text)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as file: failed += json.loads(file.read())
    assert os.waitpid(pid, 0)[1] == 0
print(json.dumps([RUNS * 60, failed]))
'''


@pytest.fixture
def hammer(package_env, tmp_path):
    def run(package, runs, path=None):
        env = {**package_env, "PYTHONPATH": str(path or PACKAGE)}
        env.pop("PYTHONDONTWRITEBYTECODE")
        return json.loads(subprocess.run([sys.executable, "-c", HAMMER, package, str(runs), str(seed())], cwd=tmp_path, env={**env, "PYTHONPYCACHEPREFIX": str(tmp_path / "cache")},
                                         stdout=subprocess.PIPE, text=True, check=True, timeout=300).stdout)
    return run


def test_the_first_import_while_modules_are_dropped(hammer, tmp_path):
    """importlib looks for the package of a sub-module once more after it was imported, with none of our lines in between: a turn of other threads just there is a KeyError of
    importlib's own. What every package would suffer so is the other half of this test: the same done to a plain one, of a few empty classes."""
    plain = tmp_path / "plain/plain_package"
    plain.mkdir(parents=True)
    (plain / "__init__.py").write_text("from .backends import backends\nfrom .config import config\nfrom . import content\ndef add_file(): pass\n")
    (plain / "backends.py").write_text("from . import errors\nclass backends: pass\n")
    (plain / "config.py").write_text("class config: pass\n")
    for name in ("content", "errors"):
        (plain / (name + ".py")).write_text("")
    n, failed = hammer("ipfs_accelerate_py", 40)
    _, of_plain = hammer("plain_package", 10, plain.parent)
    print("of %d imports %d failed, of those of a plain package %d of 600" % (n, len(failed), len(of_plain)))
    assert all(why == ["KeyError('ipfs_accelerate_py')", "_find_and_load_unlocked"] for why in failed), failed
    assert len(failed) * 1000 < n and len(of_plain) > 30, (n, failed, len(of_plain))


def test_first_imports_of_fresh_interpreters(package_env, tmp_path):
    """The same without a fork, each form the first one of a thread, nobody dropping: none fails."""
    script = """
import importlib, sys, threading
failed, start = [], threading.Barrier(12)
forms = ["import ipfs_accelerate_py.config", "from ipfs_accelerate_py import backends", "import ipfs_accelerate_py as ia; ia.add_file", "from ipfs_accelerate_py.ipfs_accelerate import ipfs_accelerate",
         "import importlib; importlib.import_module('ipfs_accelerate_py.content')", "import ipfs_accelerate_py.aio; assert isinstance(ipfs_accelerate_py.config, type)"]
def one(form):
    start.wait()
    try: exec(form, {})
    except BaseException as why: failed.append((form, repr(why)))
threads = [threading.Thread(target=one, args=(form,)) for form in forms * 2]
[t.start() for t in threads]; [t.join() for t in threads]
sys.exit(str(failed) if failed else 0)
"""
    for _ in range(10):
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=package_env, stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


def test_a_module_that_cannot_be_loaded_stays_away(python):
    """What it lacks is told each time, and nothing half loaded is found; it is loaded when that is there."""
    assert python("""
import types
sys.modules['fsspec'] = None
for _ in range(2):
    try: import ipfs_accelerate_py.filesystem
    except ImportError: pass
    else: raise AssertionError
    assert 'ipfs_accelerate_py.filesystem' not in sys.modules
sys.modules['fsspec'], sys.modules['fsspec.spec'] = types.ModuleType('fsspec'), types.ModuleType('fsspec.spec')
sys.modules['fsspec.spec'].AbstractFileSystem = object
import ipfs_accelerate_py.filesystem
print(json.dumps(ipfs_accelerate_py.filesystem is sys.modules['ipfs_accelerate_py.filesystem']))
""") is True


def test_every_module_is_known_when_it_is_loaded():
    for path in (PACKAGE / "ipfs_accelerate_py").glob("*.py"):
        if path.name != "__main__.py":
            assert path.read_text().splitlines()[-1] == "_own(globals())" or path.name == "__init__.py", path.name
