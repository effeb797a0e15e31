"""Checkpoints and tensors out of Python, beside NumPy, torch and the real safetensors."""
import pytest

from conftest import PEERS, peer_python, safetensors_file


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
