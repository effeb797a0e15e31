"""Content as files for other programs: the fsspec file system under the real fsspec, snapshots under the real huggingface_hub."""
import os

import pytest

from conftest import ABSENT, peer_python

# The entry point of an installed package: here the class is made known by hand, as fsspec does with it.
REGISTER = """
import fsspec, pathlib, random
fsspec.register_implementation('ipfs', 'ipfs_accelerate_py.filesystem.IPFSFileSystem', clobber=True)
fsspec.register_implementation('ipns', 'ipfs_accelerate_py.filesystem.IPFSFileSystem', clobber=True)
def raises(kind, call):
    try: call()
    except kind as why: return str(why)
    raise AssertionError(kind)
"""


@pytest.fixture
def scripted(python):
    interpreter = peer_python("accelerate", "PyPI fsspec and huggingface_hub")

    def run(script, **env):
        return python(REGISTER + script, interpreter=interpreter, **env)
    return run


def test_an_alias_whose_content_is_elsewhere_hides_no_other(scripted, tmp_path):
    (tmp_path / "f").write_text("here")
    scripted("""
ia.set_alias('gone', '%s')
ia.set_alias('here', ia.add('f')['cid'])
fs = fsspec.filesystem('ipfs')
assert [(row['name'], row['type'], row['size']) for row in fs.ls('')] == [('gone', 'other', None), ('here', 'file', 4)]
assert 'here' in fs.glob('*') and 'here' in fs.find('') and fs.cat_file('here') == b'here'
raises(FileNotFoundError, lambda: fs.info('gone'))
""" % ABSENT)


def test_reading(scripted, tmp_path):
    (tmp_path / "model/deep/er").mkdir(parents=True)
    (tmp_path / "model/config.json").write_text('{"layers": 2}\n')
    (tmp_path / "model/weights.bin").write_bytes(bytes(range(256)) * 5000)
    (tmp_path / "model/deep/er/b.txt").write_text("deep")
    assert scripted("""
cid = ia.add('model', cid_version=1, chunker='size-10000')['cid']
data = open('model/weights.bin', 'rb').read()
with fsspec.open('ipfs://' + cid + '/config.json', 'rt') as file: assert json.load(file) == {'layers': 2}
fs = fsspec.filesystem('ipfs')
top = 'ipfs://' + cid
assert sorted(fs.ls(top, detail=False)) == [cid + '/' + n for n in ('config.json', 'deep', 'weights.bin')]
about = fs.info(top + '/weights.bin')
assert (about['type'], about['size'], about['name']) == ('file', len(data), cid + '/weights.bin') and ia.cat(about['cid']) == data
assert fs.info(top)['type'] == 'directory' and fs.isdir(cid) and fs.isfile(cid + '/config.json') and fs.exists(top) and not fs.exists(top + '/nothing')
assert fs.find(top) == sorted(cid + '/' + n for n in ('config.json', 'deep/er/b.txt', 'weights.bin'))
assert fs.glob(top + '/**/*.txt') == [cid + '/deep/er/b.txt'] and fs.glob(top + '/*.bin') == [cid + '/weights.bin']
assert [(d[len(cid):], sorted(f)) for d, _, f in fs.walk(cid)] == [('', ['config.json', 'weights.bin']), ('/deep', []), ('/deep/er', ['b.txt'])]
assert fs.du(top) == len(data) + 18 and fs.checksum(top) == cid
r = random.Random(3)
for _ in range(200):
    a, b = r.randrange(-len(data) - 5, len(data) + 5), r.choice([None, r.randrange(-len(data) - 5, len(data) + 5)])
    assert fs.cat_file(top + '/weights.bin', a, b) == data[a:b], (a, b)
assert fs.cat_ranges([top + '/weights.bin'] * 2, [0, 9990], [5, 10010]) == [data[:5], data[9990:10010]]
assert fs.cat([top + '/config.json', top + '/deep/er/b.txt'])[cid + '/deep/er/b.txt'] == b'deep'
with fs.open(top + '/weights.bin') as file:
    assert file.size == len(data) and file.seek(-7, 2) == len(data) - 7 and file.read() == data[-7:] and file.seek(12345) and file.read(10) == data[12345:12355]
fs.get(top, 'copy', recursive=True)
assert open('copy/deep/er/b.txt').read() == 'deep' and open('copy/weights.bin', 'rb').read() == data
assert fs.head(top + '/weights.bin', 3) == data[:3]
for call in (lambda: fs.info(top + '/nothing'), lambda: fs.open(top + '/nothing'), lambda: fs.cat_file('ipfs://nonsense'), lambda: fs.ls('ipfs://nonsense')):
    raises(FileNotFoundError, call)
raises(IsADirectoryError, lambda: fs.open(top))
assert 'not supported' in raises(NotImplementedError, lambda: fsspec.open('ipns://example.org').open())
import pickle
assert pickle.loads(pickle.dumps(fs)).cat_file(top + '/deep/er/b.txt') == b'deep'
print(json.dumps('fine'))
""") == "fine"


def test_sharded_folders(scripted, tmp_path):
    (tmp_path / "many").mkdir()
    for i in range(3000):
        (tmp_path / ("many/a file with a rather long name, so that the folder has to be sharded %05d" % i)).write_text(str(i))
    assert scripted("""
cid = ia.add('many', cid_version=1)['cid']
fs = fsspec.filesystem('ipfs')
names = fs.ls(cid, detail=False)
assert len(names) == 3000 == len(fs.find(cid)) and fs.glob(cid + '/*02999') == [n for n in names if n.endswith('02999')]
assert fs.cat_file(cid + '/' + os.listdir('many')[7]) == open('many/' + os.listdir('many')[7], 'rb').read()
print(json.dumps('fine'))
""") == "fine"


def test_writing_under_aliases(scripted, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}")
    assert scripted("""
fs = fsspec.filesystem('ipfs')
where = fs.put('model', 'ipfs://team/model', recursive=True)
assert fs.cat_file('ipfs://team/model/config.json') == b'{}' == fs.cat_file(where + '/config.json') and ia.get_alias('team/model') == where[7:]
assert fs.put('model/config.json') == 'ipfs://' + ia.add('model/config.json', cid_version=1)['cid']
with fsspec.open('ipfs://notes', 'wt') as file: file.write('hello')
assert fs.cat_file('notes') == b'hello'
with fs.open('notes', 'wb') as file: file.write(b'again')
assert ia.cat(file.cid) == b'again' == fs.cat_file('ipfs://notes')
class Stop(Exception): pass
def stopped():
    with fs.open('notes', 'wb') as file:
        file.write(b'never')
        raise Stop()
raises(Stop, stopped)
assert fs.cat_file('ipfs://notes') == b'again'
assert fs.pipe_file('ipfs://blob', b'123').startswith('ipfs://') and fs.cat_file('blob') == b'123'
assert sorted(fs.ls('ipfs://', detail=False)) == ['blob', 'notes', 'team/model'] == list(ia.aliases())
for path in (where + '/new.json', 'ipfs://team/model/new.json', 'ipfs://a/b/c'):
    assert 'never changes' in raises(PermissionError, lambda: fs.open(path, 'wb'))
    raises(PermissionError, lambda: fs.put('model/config.json', path))
raises(IsADirectoryError, lambda: fs.put('model', 'ipfs://x'))
raises(FileNotFoundError, lambda: fs.put('nothing', 'ipfs://x'))
raises(ValueError, lambda: fs.open('notes', 'ab'))
fs.rm('ipfs://notes')
assert not fs.exists('ipfs://notes')
raises(FileNotFoundError, lambda: fs.rm('ipfs://notes'))
import torch
with fsspec.open('ipfs://state', 'wb') as file: torch.save({'a': torch.ones(3)}, file)
with fsspec.open('ipfs://state') as file: assert torch.load(file)['a'].tolist() == [1, 1, 1]
print(json.dumps('fine'))
""", TMPDIR=str(tmp_path)) == "fine"
    assert not [name for name in os.listdir(tmp_path) if name.startswith("ipfs-accelerate-")]


def test_damage_is_told(scripted, tmp_path):
    (tmp_path / "f").write_bytes(os.urandom(1 << 20))
    assert scripted("""
cid = ia.add('f', cid_version=1)['cid']
ia.content.close()
data, done = open('f', 'rb').read(), 0
for pack in pathlib.Path(os.environ['IPFSA_PATH']).rglob('*'):
    if pack.is_file() and data[500000:500100] in (whole := pack.read_bytes()):
        at = whole.index(data[500000:500100])
        with open(pack, 'r+b') as file:
            file.seek(at)
            file.write(bytes([whole[at] ^ 1]))
        done += 1
assert done == 1
fs = fsspec.filesystem('ipfs')
assert fs.cat_file(cid, 0, 100) == data[:100]
raises(OSError, lambda: fs.cat_file(cid, 499990, 500010))
raises(OSError, lambda: fs.get(cid, 'out'))
raises((OSError, ia.IPFSError), lambda: fs.open(cid).read())
print(json.dumps('fine'))
""") == "fine"


def test_snapshots(scripted, tmp_path):
    (tmp_path / "model/onnx").mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "onnx/model.onnx", "README.md"):
        (tmp_path / "model" / name).write_text("this is " + name)
    assert scripted("""
os.environ.update(HF_HUB_OFFLINE='1', HF_HUB_CACHE=os.path.abspath('cache'))
import huggingface_hub
cid = ia.add('model', cid_version=1)['cid']
ia.set_alias('team/model', cid)
def files(folder): return sorted(str(p.relative_to(folder)) for p in pathlib.Path(folder).rglob('*') if p.is_file() and '.cache' not in p.parts)
every = ['README.md', 'config.json', 'model.safetensors', 'onnx/model.onnx']
planned = ia.snapshot_download('team/model', dry_run=True)
assert [(r['path'], r['is_cached']) for r in planned] == [(n, False) for n in every] and not os.path.exists('cache')
told = []
folder = ia.snapshot_download('ipfs://team/model', progress=told.append)
assert files(folder) == every and told[-1]['done'] == told[-1]['total'] == sum(len('this is ' + n) for n in every)
assert huggingface_hub.snapshot_download('team/model') == folder == huggingface_hub.snapshot_download('team/model', revision=os.path.basename(folder))
assert open(huggingface_hub.hf_hub_download('team/model', 'onnx/model.onnx')).read() == 'this is onnx/model.onnx'
before = {n: os.stat(os.path.join(folder, n)).st_mtime_ns for n in every}
assert ia.snapshot_download('ipfs://team/model') == folder and before == {n: os.stat(os.path.join(folder, n)).st_mtime_ns for n in every}
assert all(r['is_cached'] for r in ia.snapshot_download('team/model', dry_run=True))
part = ia.snapshot_download('ipfs://' + cid, allow_patterns=['*.json', 'onnx/'], ignore_patterns='onnx/model*')
assert files(part) == ['config.json'] and 'ipfs--' + cid in part
from huggingface_hub.errors import IncompleteSnapshotError
raises(IncompleteSnapshotError, lambda: huggingface_hub.snapshot_download('ipfs/' + cid))
own = ia.snapshot_download('ipfs://' + cid, local_dir='mine')
assert own == os.path.abspath('mine') and files(own) == every
at = os.stat('mine/README.md').st_mtime_ns
open('mine/config.json', 'w').write('this is c0nfig.json')
os.utime('mine/config.json', (2e9, 2e9))
ia.snapshot_download('ipfs://' + cid, local_dir='mine')
assert os.stat('mine/README.md').st_mtime_ns == at and open('mine/config.json').read() == 'this is config.json'
raises(ia.FormatError, lambda: ia.snapshot_download(cid + '/config.json'))
raises(ia.NotFound, lambda: ia.snapshot_download('bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy'))
print(json.dumps('fine'))
""") == "fine"


def test_a_snapshot_that_is_stopped(scripted, tmp_path):
    (tmp_path / "model").mkdir()
    for i in range(30):
        (tmp_path / "model" / str(i)).write_bytes(os.urandom(300000))
    assert scripted("""
cid = ia.add('model')['cid']
raises(ia.Timeout, lambda: ia.snapshot_download(cid, local_dir='mine', timeout=0))
class Stop(Exception): pass
def stop(at): raise Stop()
raises(Stop, lambda: ia.snapshot_download(cid, local_dir='mine', progress=stop, max_workers=2))
ia.snapshot_download(cid, local_dir='mine')
assert all(open('mine/%d' % i, 'rb').read() == open('model/%d' % i, 'rb').read() for i in range(30))
print(json.dumps(len([n for n in os.listdir('mine') if n.startswith('.') and n != '.cache'])))
""") == 0


def test_names_that_lead_elsewhere_are_refused(scripted, tmp_path):
    """A folder made by hand: an entry named "..", one with a slash."""
    assert scripted("""
import subprocess
def ipfs(*args, **more): return subprocess.run([os.environ['IPFSA_PROGRAM'], *args], check=True, stdout=subprocess.PIPE, **more).stdout.decode().strip()
ia.pins()
leaf = ipfs('block', 'put', '--cid-codec=raw', input=b'x')
import base64
for name in ('..', 'a/../../b', ''):
    node = {'Data': {'/': {'bytes': 'CAE'}}, 'Links': [{'Hash': {'/': leaf}, 'Name': name, 'Tsize': 1}]}
    cid = ipfs('dag', 'put', '--store-codec=dag-pb', input=json.dumps(node).encode())
    assert 'no name' in raises(ia.Denied, lambda: ia.snapshot_download(cid, local_dir='mine')), name
assert not os.path.exists('b') and not os.path.exists('mine')
print(json.dumps('fine'))
""") == "fine"
