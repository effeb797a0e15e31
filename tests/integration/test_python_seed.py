"""The calls of the old Python package: names, results, and what fails is an answer."""
from conftest import ABSENT, PEERS

# What users of the old package call and read. Parameters that were added come after these, or by name only.
SURFACE = r'''
import inspect, pathlib, sys, warnings
import ipfs_accelerate_py as ia
def takes(call, *wanted):
    """Parameters, with their defaults where they have one, in this order."""
    found = [p for p in inspect.signature(call).parameters.values() if p.name != 'self']
    told = [p.name if p.default is p.empty else (p.name, p.default) for p in found]
    assert told[:len(wanted)] == list(wanted), (call, told)
    assert all(p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in found[len(wanted):]), (call, told)
PLAIN = set('close stop save keys metadata offset_keys get_tensor get_slice readable seekable seek tell readinto'.split())  # as everywhere
A, B, P = ia.IPFSAccelerate, ia.backends, ia.P2PNetworkOptimizer
takes(ia.config, ('config_path', None)); takes(ia.config.get, 'section', 'key', ('default', None)); takes(ia.config.set, 'section', 'key', 'value'); takes(ia.config.save, ('path', None))
takes(B, ('config_instance', None)); takes(B.start_container, 'container_name', 'image', ('ports', None), ('env', None), ('gpus', None), ('wait', None), ('model_cid', None), ('mount_path', '/models'))
takes(B.stop_container, 'container_name'); takes(B.docker_tunnel, 'container_name', 'local_port', 'container_port'); takes(B.list_containers); takes(B.get_container_status, 'container_name')
takes(B.marketplace); takes(B.list_marketplace_images)
for name in ('logs', 'exec', 'remove', 'tunnels', 'close_tunnel', 'pull', 'prune'): assert callable(getattr(B, name)), name
takes(A, ('config_instance', None), ('backends_instance', None), ('p2p_optimizer_instance', None))
for add in (A.add_file, ia.add_file): takes(add, 'file_path')
for get in (A.get_file, ia.get_file): takes(get, 'cid', ('output_path', None), ('use_p2p', True))
takes(A.get_p2p_network_analytics); takes(A.cid_exists, 'cid'); takes(A.get_cid_metadata, 'cid')
takes(P, ('config_instance', None)); takes(P.start); takes(P.stop); takes(P.discover_peers, ('max_peers', 10)); takes(P.analyze_network_topology)
takes(P.optimize_content_placement, 'cid', ('replica_count', 3)); takes(P.optimize_retrieval, 'cid', ('timeout_seconds', 5.0)); takes(P.get_performance_stats); takes(ia.get_system_info)
takes(ia.snapshot_download, 'path', ('local_dir', None), ('allow_patterns', None), ('ignore_patterns', None), ('max_workers', 8), ('dry_run', False))
takes(ia.safe_open, 'filename', ('framework', 'np')); takes(ia.add, 'path', ('profile', None), ('recursive', True), ('pin', True)); takes(ia.get, 'cid', 'path'); takes(ia.cat, 'cid', ('offset', 0), ('length', None))
takes(ia.Client, ('api', '/ip4/127.0.0.1/tcp/5001'), ('token', None), ('timeout', None))
for call in (ia.add, ia.get, ia.cat, ia.pin, ia.verify, ia.load_file, ia.snapshot_download, ia.Checkpoint.read, B.start_container, B.pull):
    assert {'timeout', 'progress'} <= set(inspect.signature(call).parameters), call
for name in ia.__all__:
    one = getattr(ia, name)
    assert name == '__version__' or inspect.getdoc(one), name
    if isinstance(one, type): assert not [m for m, f in vars(one).items() if inspect.isfunction(f) and m[0] != '_' and not f.__doc__ and m not in PLAIN], (name, [m for m, f in vars(one).items() if inspect.isfunction(f) and m[0] != '_' and not f.__doc__])
c = ia.config('no-such.toml') if sys.argv[1:] else ia.config()
assert isinstance(c.config_path, str) and isinstance(c.config_data, dict) and c.loaded is False
f = ia.ipfs_accelerate
assert isinstance(f.config, ia.config) and isinstance(f.backends, B) and isinstance(f.endpoints['local'], dict) and f.cache_dir == pathlib.Path('./cache') and f.p2p_enabled is False and f.p2p_optimizer is ia.p2p_optimizer
mine = A(c, B(c), P(c))
assert mine.config is c and mine.backends.config is c and mine.p2p_optimizer.config is c and mine.backends.endpoints == {}
p = ia.p2p_optimizer
assert (p.peers, p.running, p.discover_peers()) == ({}, False, []) and p.stats == p.get_performance_stats()
assert set(p.stats) == {'transfers_completed', 'transfers_failed', 'bytes_transferred', 'average_transfer_speed', 'network_efficiency', 'peer_count', 'known_content_items'} and p.stats['network_efficiency'] == 1.0
for _ in range(2):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter('always')
        p.start()
    assert len(told) == 1 and 'no peers' in str(told[0].message) and not p.running
p.stop(); p.stop()
none = {'status': 'error', 'message': 'No peers available'}
assert p.analyze_network_topology() == none == p.optimize_content_placement('bafy') and p.optimize_retrieval('bafy') == {'status': 'error', 'message': 'Content bafy not found in the network'}
assert f.get_p2p_network_analytics() == {'status': 'disabled', 'message': 'P2P network optimization is disabled'}
about = ia.get_system_info()
assert set(about) == {'platform', 'python_version', 'system', 'release', 'version', 'machine', 'processor'} and all(isinstance(v, str) for v in about.values())
for name, code in (('NotFound', 'not_found'), ('Timeout', 'timeout'), ('Corrupt', 'corrupt'), ('Denied', 'denied'), ('FormatError', 'bad_format'), ('EndpointError', 'endpoint_refused')):
    why = getattr(ia, name)(code, 'words', 'bafy')
    assert isinstance(why, ia.IPFSError) and (why.code, why.message, why.cid, str(why)) == (code, 'words', 'bafy', 'words')
for wrong in ({'cid': 'x', 'model': 1}, {'endpoint': 'x', 'checkpoint': 'y'}):
    try: ia.load_checkpoint_and_dispatch(**wrong)
    except TypeError as why: assert all(word in str(why) for word in wrong), why
    else: raise AssertionError(wrong)
for way in ('nonsense', b'nonsense', pathlib.Path('nonsense')):
    answer = ia.load_checkpoint_and_dispatch(way)
    assert (answer['status'], answer['code'], answer['cid']) == ('error', 'invalid_cid', 'nonsense') and answer['message'], answer
assert ia.load_checkpoint_and_dispatch(cid='nonsense')['code'] == 'invalid_cid' == ia.load_checkpoint_and_dispatch(cid='nonsense', endpoint='none', use_p2p=False)['code']
'''


def test_the_surface_that_was_promised(python):
    python(SURFACE)


def test_what_a_progress_callback_is_told(python, tmp_path):
    """Six words, seldom, rising, the last one whole; a bar where tqdm is."""
    (tmp_path / "f").write_bytes(bytes(range(256)) * 80000)
    peer = PEERS / "accelerate/bin/python"  # one with tqdm
    python("""
told = []
cid = ia.add('f', progress=told.append)['cid']
ia.get(cid, 'out', progress=told.append); ia.cat(cid, progress=told.append)
for at in told:
    assert set(at) == {'phase', 'done', 'total', 'rate', 'eta', 'cid'} and at['phase'] in ('add', 'get', 'cat') and at['done'] >= 0 and at['rate'] >= 0, at
    assert at['cid'] == (None if at['phase'] == 'add' else cid) and (at['total'] is None or at['done'] <= at['total'])
for phase in ('get', 'cat'):
    done = [at['done'] for at in told if at['phase'] == phase]
    assert done == sorted(done) and done[-1] == os.path.getsize('f')
from ipfs_accelerate_py import _progress
now = [100.0]
_progress.time.monotonic, real = lambda: now[0], _progress.time.monotonic
seldom = []
try:
    with _progress.Watch('x', seldom.append) as watch:
        for i in range(100):
            now[0] += 0.01
            watch.at(i, 100)
finally: _progress.time.monotonic = real
assert 9 <= len(seldom) <= 11 and seldom[1]['rate'] > 0 and seldom[1]['eta'] > 0, len(seldom)  # ten in that second, and the last
""")
    done = python("cid = ia.add('f', progress=True)['cid']\nia.cat(cid, progress=True)", check=False, **({"interpreter": str(peer)} if peer.exists() else {}))
    assert done.returncode == 0 and (not peer.exists() or "add" in done.stderr), done.stderr


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


def test_the_marketplace_out_of_python(python):
    rows = python("""
b = ia.ipfs_accelerate.backends
assert b.list_marketplace_images(sources=['curated']) == b.marketplace(sources=['curated'])
print(json.dumps(b.marketplace('ipfs', sources=['curated'])))
""")
    assert {"ipfs-node": "ipfs/kubo:latest", "ipfs-cluster": "ipfs/ipfs-cluster:latest", "ipfs-gateway": "ipfs/go-ipfs:latest"}.items() <= {r["name"]: r["image"] for r in rows}.items()
