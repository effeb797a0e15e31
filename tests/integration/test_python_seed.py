"""The calls of the old Python package: names, results, and what fails is an answer."""
from conftest import ABSENT


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
