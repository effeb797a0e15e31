"""Content out of Python: add, get, cat, open, pin, verify."""
import os
import subprocess

from conftest import ABSENT


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


def test_a_profile_gives_the_cid_of_a_repo_with_it(python, program, tmp_path):
    (tmp_path / "f").write_bytes(os.urandom(3 << 20))
    cids = python("print(json.dumps([ia.add('f', profile=p)['cid'] for p in ('unixfs-v1-2025', 'unixfs-v0-2015')]))\nassert ia.add('f')['cid'] == ia.add('f', profile='legacy-cid-v0')['cid']")
    for cid, profile in zip(cids, ("unixfs-v1-2025", "unixfs-v0-2015")):
        env = {**os.environ, "IPFSA_PATH": str(tmp_path / profile)}
        subprocess.run([program, "init", "--profile=" + profile], env=env, stdout=subprocess.PIPE, check=True)
        assert subprocess.run([program, "add", "-Q", "f"], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout.strip() == cid
    assert python("try: ia.add('f', profile='nope')\nexcept ia.IPFSError as why: print(json.dumps(str(why)))") == "nope is not a profile"
