"""load_checkpoint_and_dispatch of the package: with a model it does what the real accelerate does, from content as from a folder; with a CID it dispatches."""
import re

import pytest

import fake_servers as fake
from conftest import ROOT, peer_python
from gguf_files import gguf

# One model and its checkpoints; `both` runs the real one over the folder, and ours over the folder and over its CID, and compares everything that can be seen.
COMPARE = """
import logging, pathlib, random, shutil, torch, accelerate
from accelerate import init_empty_weights, load_checkpoint_and_dispatch as theirs
from safetensors.torch import save_file
logging.disable(logging.CRITICAL)

class Block(torch.nn.Module):
    def __init__(self, n):
        super().__init__()
        self.inner, self.norm = torch.nn.Linear(n, n), torch.nn.LayerNorm(n)
        self.register_buffer('scale', torch.ones(n))
    def forward(self, x): return self.norm(self.inner(x)) * self.scale

class Model(torch.nn.Module):
    def __init__(self, n=16, tied=True):
        super().__init__()
        self.embed, self.head = torch.nn.Embedding(10, n), torch.nn.Linear(n, 10, bias=False)
        self.layers = torch.nn.ModuleList([Block(n) for _ in range(3)])
        if tied: self.head.weight = self.embed.weight
    def forward(self, x):
        x = self.embed(x)
        for layer in self.layers: x = layer(x)
        return self.head(x)

def made(tied=True, seed=0):
    torch.manual_seed(seed)
    model = Model(tied=tied)
    for buffer in model.buffers(): buffer.uniform_()
    return model

def write(name, shards, state=None, metadata={'format': 'pt'}):
    folder = pathlib.Path(name)
    folder.mkdir()
    state = {k: v.clone() for k, v in (state or made(seed=1).state_dict()).items()}
    if shards == 'bin': torch.save(state, folder / 'pytorch_model.bin')
    elif shards == 1: save_file(state, folder / 'model.safetensors', metadata=metadata)
    else:
        names = {k: 'model-%05d-of-%05d.safetensors' % (i % shards + 1, shards) for i, k in enumerate(state)}
        for file in set(names.values()): save_file({k: v for k, v in state.items() if names[k] == file}, folder / file, metadata=metadata)
        (folder / 'model.safetensors.index.json').write_text(json.dumps({'metadata': {}, 'weight_map': names}))
    return name

def seen(load, checkpoint, options, tied, empty):
    off = pathlib.Path('off')
    shutil.rmtree(off, ignore_errors=True)
    options = dict(options)
    if 'max_memory' in options: options['max_memory'] = dict(options['max_memory'])
    try:
        if empty:
            with init_empty_weights(): model = Model(tied=tied)
        else: model = made(tied)
        done = load(model, checkpoint, **options)
        assert done is model
        result = {'map': getattr(model, 'hf_device_map', None), 'tied': model.head.weight is model.embed.weight,
                  'state': {k: (str(v.dtype), str(v.device), v.tolist() if v.device.type != 'meta' else list(v.shape)) for k, v in model.state_dict().items()},
                  'grad': {k: v.requires_grad for k, v in model.named_parameters()}}
        try: result['out'] = model(torch.arange(10)).tolist()
        except (RuntimeError, NotImplementedError) as why: result['out'] = type(why).__name__
    except Exception as why:
        text = str(why).replace(str(checkpoint), 'CHECKPOINT')
        result = {'error': type(why).__name__, 'text': text.split('CHECKPOINT')[0] if 'No such file' in text else text}
    result['files'] = {p.name: p.read_bytes() for p in off.iterdir() if p.suffix == '.dat'} if off.exists() else {}
    if (off / 'index.json').exists(): result['index'] = json.loads((off / 'index.json').read_text())
    return result

def both(folder, tied=True, empty=True, pickle=False, ours_text=None, **options):
    cid = ia.add(folder, cid_version=1, chunker='size-1000')['cid']
    first = seen(theirs, folder, options, tied, empty)
    for checkpoint in (folder, 'ipfs://' + cid, cid):
        mine = seen(ia.load_checkpoint_and_dispatch, checkpoint, {**options, **({'allow_pickle': True} if pickle else {})}, tied, empty)
        if ours_text and 'error' in first:
            assert mine['error'] == first['error'] and ours_text in mine['text'], (mine, first)
            continue
        if mine != first:
            where = {k for k in first if mine.get(k) != first[k]} | set(mine) ^ set(first)
            raise AssertionError('%s %r: %s' % (checkpoint, options, {k: (mine.get(k), first.get(k)) for k in where}))
    return first
"""


@pytest.fixture
def compared(python):
    interpreter = peer_python("accelerate", "PyPI accelerate over python3-torch")

    def run(script):
        return python(COMPARE + script, interpreter=interpreter)
    return run


def test_the_example_of_the_documentation(compared):
    (example,) = re.findall(r"^    (model = ia\.load_checkpoint_and_dispatch.*)$", (ROOT / "docs/python.md").read_text(), re.M)
    assert compared("""
cid, model = ia.add(write('three', 3), cid_version=1)['cid'], made()
%s
print(json.dumps(all(torch.equal(v, made(seed=1).state_dict()[k]) for k, v in model.state_dict().items() if v.device.type != 'meta')))
""" % example) is True


def test_maps_types_and_folders(compared):
    assert compared("""
one, three, bin = write('one', 1), write('three', 3), write('bin', 'bin')
maps = [None, 'auto', 'balanced', 'balanced_low_0', 'sequential', {'': 'cpu'}, {'embed': 'cpu', 'head': 'cpu', 'layers': 'cpu'},
        {'embed': 'cpu', 'head': 'cpu', 'layers.0': 'disk', 'layers.1': 'cpu', 'layers.2': 'disk'}, {'embed': 'disk', 'head': 'disk', 'layers': 'cpu'}]
n, ran = 0, 0
for folder in (one, three, bin):
    for where in maps:
        for more in ({},) if folder == bin else ({}, {'dtype': torch.float16}, {'dtype': 'torch.bfloat16', 'offload_buffers': True}, {'offload_state_dict': False}, {'strict': True}, {'force_hooks': True}):
            done = both(folder, device_map=where, offload_folder='off', empty=where is not None, pickle=folder == bin, **more)
            n, ran = n + 1, ran + isinstance(done.get('out'), list)
assert ran > n / 2, (ran, n)
print(json.dumps('fine'))
""") == "fine"


def test_memory_and_blocks(compared):
    assert compared("""
one, three, n, ran = write('one', 1), write('three', 3), 0, 0
for mode in ('auto', 'sequential', 'balanced_low_0'):
    for memory in ({'cpu': 3000}, {'cpu': '4KB'}, {'cpu': '1GiB'}, {0: 0, 'cpu': '5KB'}):
        for classes in (None, ['Block'], 'Block'):
            done = both(three, device_map=mode, max_memory=memory, no_split_module_classes=classes, offload_folder='off')
            n, ran = n + 1, ran + isinstance(done.get('out'), list)
assert ran > n / 2, (ran, n)
for folder in (one, three):
    both(folder, tied=False, device_map={'': 'cpu'})
    both(folder, empty=False, device_map={'': 'cpu'})
print(json.dumps('fine'))
""") == "fine"


def test_errors_are_those_of_accelerate(compared):
    assert compared("""
state = made(seed=1).state_dict()
good = write('good', 2)
both(good, device_map='nonsense')
both(good, device_map={'': 'disk'}, ours_text='')
both(good, device_map={'embed': 'cpu', 'layers': 'disk', 'head': 'cpu'})
both(good, device_map={'embed': 'cpu'})
both(good, device_map='auto', max_memory={'cpu': '12 parsecs'})
both(good, device_map='auto', max_memory={'tpu': 5})
both(good, device_map=None, dtype='nonsense', empty=False)
more = write('more', 1, {**state, 'extra.weight': torch.ones(2), 'layers.0.norm.extra': torch.ones(2)})
for strict in (False, True):
    both(more, device_map={'': 'cpu'}, strict=strict)
    both(more, device_map=None, strict=strict, empty=False)
wrong = write('wrong', 1, {**state, 'layers.1.inner.weight': torch.ones(3, 3)})
both(wrong, device_map={'': 'cpu'})
both(wrong, device_map=None, empty=False)
both(write('less', 1, {k: v for k, v in state.items() if 'inner' not in k}), device_map={'': 'cpu'})
both(write('f1', 1, metadata={'format': 'flax'}), device_map={'': 'cpu'})
both(write('f2', 1, metadata={'format': 'other'}), device_map={'': 'cpu'})
both(write('f3', 1, metadata=None), device_map={'': 'cpu'})
empty = pathlib.Path('empty'); empty.mkdir(); (empty / 'config.json').write_text('{}')
both('empty', device_map={'': 'cpu'})
twice = write('twice', 2)
shutil.copy('twice/model.safetensors.index.json', 'twice/b.index.json')
both(twice, device_map={'': 'cpu'})
gone = write('gone', 2)
os.unlink('gone/model-00002-of-00002.safetensors')
both(gone, device_map={'': 'cpu'})
for checkpoint in ('nothing', 'no/such/folder'):
    a, b = (seen(load, checkpoint, {'device_map': {'': 'cpu'}}, True, True) for load in (theirs, ia.load_checkpoint_and_dispatch))
    assert a == b and a['error'] == 'ValueError', (a, b)
print(json.dumps('fine'))
""") == "fine"


def test_parameters_lie_in_the_store_and_may_be_trained(compared):
    assert compared("""
folder = write('good', 2)
cid = ia.add(folder)['cid']
told = []
model = ia.load_checkpoint_and_dispatch(made(), 'ipfs://' + cid, device_map={'': 'cpu'}, progress=told.append)
before = {k: v.clone() for k, v in model.state_dict().items()}
optimizer = torch.optim.SGD(model.parameters(), 0.1)
model(torch.arange(10)).sum().backward()
optimizer.step()
assert any(not torch.equal(v, before[k]) for k, v in model.state_dict().items())
again = ia.load_checkpoint_and_dispatch(made(), cid, device_map={'': 'cpu'})
assert all(torch.equal(v, before[k]) for k, v in again.state_dict().items()) and ia.verify()['damaged'] == []
assert told[-1]['phase'] == 'load' and told[-1]['done'] == told[-1]['total'] > 0
bin = ia.add(write('bin', 'bin'))['cid']
for wrong, kind, text in ((lambda: ia.load_checkpoint_and_dispatch(made(), bin), ValueError, 'allow_pickle'),
                    (lambda: ia.load_checkpoint_and_dispatch(made(), cid, timeout=-1), ia.Timeout, 'longer'),
                    (lambda: ia.load_checkpoint_and_dispatch(made(), cid, full_state_dict=False), ValueError, 'not supported'),
                    (lambda: ia.load_checkpoint_and_dispatch(made(), cid, endpoint='x'), TypeError, 'endpoint'),
                    (lambda: ia.load_checkpoint_and_dispatch(cid, device_map='auto'), TypeError, 'device_map'),
                    (lambda: ia.load_checkpoint_and_dispatch(model=made(), cid=cid), TypeError, 'cid')):
    try: wrong()
    except kind as why: assert text in str(why), why
    else: raise AssertionError(kind)
print(json.dumps('fine'))
""") == "fine"


def test_only_what_is_needed_is_read_and_in_order(compared):
    """A tensor that the model has not, and one of the second shard, are not in the store: what comes before is loaded."""
    assert compared("""
import subprocess
def program(*args): return subprocess.run([os.environ['IPFSA_PROGRAM'], *args], check=True, stdout=subprocess.PIPE, text=True).stdout
def lose_large(cid):
    lost = [c for c in set(program('refs', '-r', cid).split()) if c.startswith('bafkrei') and int(program('block', 'stat', c).split()[-1]) == 65536]
    assert len(lost) >= 1
    program('block', 'rm', *lost)
state = made(seed=1).state_dict()
cid = ia.add(write('more', 1, {**state, 'zz.extra': torch.rand(60000)}), cid_version=1, chunker='tensor-65536', pin=False)['cid']
lose_large(cid)
model = ia.load_checkpoint_and_dispatch(made(), cid, device_map={'': 'cpu'})
assert all(torch.equal(v, state[k]) for k, v in model.state_dict().items())
class Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Linear(4, 4), torch.nn.Linear(300, 300)
two = Two()
folder = pathlib.Path('two'); folder.mkdir()
for part, file in (('a', 'model-00001-of-00002.safetensors'), ('b', 'model-00002-of-00002.safetensors')):
    save_file({k: torch.ones_like(v) for k, v in two.state_dict().items() if k[0] == part}, folder / file, metadata={'format': 'pt'})
names = {k: 'model-0000%d-of-00002.safetensors' % (1 if k[0] == 'a' else 2) for k in two.state_dict()}
(folder / 'model.safetensors.index.json').write_text(json.dumps({'weight_map': names}))
cid = ia.add('two', cid_version=1, chunker='tensor-65536', pin=False)['cid']
lose_large(cid)
try: ia.load_checkpoint_and_dispatch(two, cid, device_map={'': 'cpu'})
except FileNotFoundError as why: print(json.dumps([bool((two.a.weight == 1).all()), bool((two.b.weight == 1).any()), 'not found' in str(why)]))
""") == [True, False, True]


def test_without_accelerate(compared):
    assert compared("""
folder = write('good', 2)
cid = ia.add(folder)['cid']
for name in [n for n in sys.modules if n.split('.')[0] == 'accelerate']: del sys.modules[name]
sys.modules['accelerate'] = None
model = ia.load_checkpoint_and_dispatch(made(), cid)
assert all(torch.equal(v, made(seed=1).state_dict()[k]) for k, v in model.state_dict().items())
try: ia.load_checkpoint_and_dispatch(made(), cid, device_map='auto')
except ImportError as why: print(json.dumps('accelerate' in str(why)))
""") is True


SET_UP = """
import subprocess
def configure(*settings):
    subprocess.run([os.environ['IPFSA_PROGRAM'], 'init'], stdout=subprocess.PIPE, check=True)
    for key, value in settings: subprocess.run([os.environ['IPFSA_PROGRAM'], 'config', key, value], check=True)
"""


def safetensors_model(folder):
    folder.mkdir()
    header = b'{"__metadata__":{"format":"pt"},"w":{"dtype":"F16","shape":[2,8],"data_offsets":[0,32]}}'
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(range(32)))
    (folder / "config.json").write_text("{}")


def test_a_cid_is_dispatched(python, tmp_path):
    safetensors_model(tmp_path / "model")
    (tmp_path / "served").mkdir()
    first, again, loaded, missing, foreign, listed = python(SET_UP + """
configure(('endpoints.default', 'local'), ('endpoints.local.kind', 'path'), ('endpoints.local.model_dir', os.path.abspath('served')))
cid = ia.add('model', cid_version=1)['cid']
print(json.dumps([ia.load_checkpoint_and_dispatch(cid, model_name='team/small'), ia.load_checkpoint_and_dispatch('ipfs://' + cid, 'local', model_name='team/small'),
                  ia.load_checkpoint_and_dispatch(cid, 'none'), ia.load_checkpoint_and_dispatch(cid, 'nowhere'), ia.load_checkpoint_and_dispatch(cid + '/config.json', 'local'),
                  ia.endpoints()]))
""")
    assert first["status"] == "success" and first["ready"] and first["model_name"] == "team/small" and first["file"] == str(tmp_path / "served/team/small")
    assert first["data"] == {"tensors": 1, "total_size": 32, "metadata": {"format": "pt"}} and first["endpoint"] == "local" and first["placed_bytes"] > 0
    assert (tmp_path / "served/team/small/model.safetensors").read_bytes() == (tmp_path / "model/model.safetensors").read_bytes()
    assert again["placed_bytes"] == 0 and again["source"] == "cache" and again["file"] == first["file"]
    assert loaded["status"] == "success" and loaded["endpoint"] is None and not loaded["ready"]
    assert (missing["status"], missing["code"]) == ("error", "not_found") and "nowhere" in missing["message"]
    assert foreign["code"] == "unsupported_format"
    assert [(r["name"], r["kind"], r["is_default"]) for r in listed if r["name"] == "local"] == [("local", "path", True)]


def test_a_pickle_is_not_dispatched_unasked(python, tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "old.pt").write_bytes(bytes.fromhex("80028a0a6cfc9c46f9206aa850192e") + bytes(100))
    refused, sent = python(SET_UP + """
import warnings
configure(('endpoints.local.kind', 'path'), ('endpoints.local.model_dir', os.path.abspath('served')))
cid = ia.add('old.pt')['cid']
refused = ia.load_checkpoint_and_dispatch(cid, 'local')
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter('always')
    sent = ia.load_checkpoint_and_dispatch(cid, 'local', allow_pickle=True)
assert any('CVE-2025-32434' in str(w.message) for w in told)
print(json.dumps([refused, sent]))
""")
    assert (refused["status"], refused["code"]) == ("error", "pickle_refused") and sent["status"] == "success" and sent["format"] == "pickle"


def test_endpoints_of_the_packages_own_configuration(python, tmp_path):
    """Servers named in config.toml, without a word in that of the repo; what they refuse is an answer with its code."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model/m.gguf").write_bytes(gguf([("w", (64,), 24)], data=[bytes(64)]))
    with fake.Ollama() as ollama:
        (tmp_path / "config.toml").write_text('[endpoints]\ndefault = "gpu"\n[endpoints.gpu]\nkind = "ollama"\nurl = "%s"\ntimeout = 5\ngateway = "kept"\n'
                                              '[endpoints.gone]\nkind = "ollama"\nurl = "http://127.0.0.1:9"\n[endpoints.odd]\nkind = "nothing"\n' % ollama.url)
        sent, again, gone, odd, other = python("""
cid = ia.add('model/m.gguf', cid_version=1)['cid']
print(json.dumps([ia.load_checkpoint_and_dispatch(cid, model_name='small'), ia.load_checkpoint_and_dispatch(cid, model_name='small'), ia.load_checkpoint_and_dispatch(cid, 'gone'),
                  ia.load_checkpoint_and_dispatch(cid, 'odd'), ia.load_checkpoint_and_dispatch(cid, 'local')]))
""")
    assert (sent["status"], sent["endpoint"], sent["ready"], sent["format"]) == ("success", "gpu", True, "gguf") and sent["placed_bytes"] == sent["bytes"]
    assert (again["placed_bytes"], again["ready"]) == (0, True)
    assert gone["code"] == "endpoint_unreachable" and "127.0.0.1:9" in gone["message"]
    assert odd["status"] == other["status"] == "error" and "nothing" in odd["message"] and other["code"] == "not_found"
