"""Names for CIDs: wherever a verb takes a CID it takes one, and Kubo's words for what is neither stay."""
import json
import re

import pytest


@pytest.fixture
def named(ipfs, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text("{}\n")
    ipfs.cid = ipfs.text("add", "-rQ", "model")
    ipfs("alias", "set", "org/model", ipfs.cid)
    return ipfs


VERBS = [
    ["cat", "%s/config.json"], ["ls", "%s"], ["get", "-a", "-o", "out.tar", "%s"], ["refs", "-r", "%s"], ["resolve", "%s/config.json"], ["dag", "get", "%s"], ["dag", "stat", "%s"],
    ["dag", "export", "%s"], ["dag", "resolve", "%s"], ["block", "get", "%s"], ["block", "stat", "%s"], ["pin", "add", "%s"], ["pin", "ls", "%s"],
    ["pin", "update", "%s", "%s"], ["pin", "rm", "%s"]]


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_verbs_take_a_name(named, verb):
    by_cid = named(*[word.replace("%s", named.cid) for word in verb]).out_bytes
    if verb[:2] == ["pin", "rm"]:
        named("pin", "add", "org/model")
    for name in ("org/model", "/ipfs/org/model"):
        assert named(*[word.replace("%s", name) for word in verb]).out_bytes == by_cid
        if verb[:2] == ["pin", "rm"]:
            named("pin", "add", "org/model")


def test_files_take_a_name(named):
    named("files", "cp", "/ipfs/org/model", "/here")
    assert named.text("files", "stat", "--hash", "/here") == named.cid


def test_the_root_of_files_takes_a_name(named):
    for name in ("org/model", "/ipfs/org/model"):
        named("files", "chroot", "--confirm")
        named("files", "chroot", "--confirm", name)
        assert named.text("files", "stat", "--hash", "/") == named.cid
    done = named("files", "chroot", "--confirm", "org/other", check=False)
    assert done.code == 1 and done.err.startswith('Error: invalid CID "org/other": invalid cid: ')


def test_blocks_of_files_take_a_name(named, tmp_path):
    (tmp_path / "weights").write_bytes(b"x" * 1000)
    named("config", "--bool", "Experimental.FilestoreEnabled", "true")
    cid = named.text("add", "-Q", "--nocopy", "weights")
    named("alias", "set", "org/weights", cid)
    for verb in ("ls", "verify"):
        assert named("filestore", verb, "org/weights").out == named("filestore", verb, cid).out != ""
        assert named("filestore", verb, "org/other", check=False).err.startswith("Error: invalid cid: ")


def test_checkpoints_take_a_name(named, tmp_path):
    header = b'{"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}'
    (tmp_path / "m").mkdir()
    (tmp_path / "m/model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"abcd")
    cid = named.text("add", "-rQ", "m")
    named("alias", "set", "org/weights", cid)
    for verb in (["inspect", "%s"], ["inspect", "%s/model.safetensors"], ["verify", "%s"], ["diff", "--all", "%s", "%s"]):
        by_cid, by_name = (named("checkpoint", *[word.replace("%s", what) for word in verb]).out for what in (cid, "org/weights"))
        assert by_cid.replace(cid, "org/weights") == by_name != ""


def test_texts_of_cids_take_a_name(named, program, tmp_path):
    """They need no repo: where there is none, or no such name, Kubo's words for what is no CID stay."""
    v1 = named.text("cid", "base32", named.cid)
    named("alias", "set", "org/new", v1)
    for verb in (["base32"], ["format", "-f", "%s %b %h"], ["format", "-v", "1", "-b", "base16"], ["inspect"], ["inspect", "--json"]):
        for cid, name in ((named.cid, "org/model"), (v1, "org/new")):
            assert named("cid", *verb, name).out == named("cid", *verb, cid).out
    both = [json.loads(line) for line in named("cid", "format", "--enc=json", "org/new", v1).out.splitlines()]
    assert both == [{"CidStr": "org/new", "Formatted": v1, "ErrorMsg": ""}, {"CidStr": v1, "Formatted": v1, "ErrorMsg": ""}]
    nowhere = type(named)(program, tmp_path / "nowhere", cwd=tmp_path)
    for verb in (["base32"], ["format"], ["inspect"]):
        done = [where("cid", *verb, name, check=False) for where, name in ((named, "org/other"), (nowhere, "org/other"), (nowhere, "org/model"))]
        assert all(d.code == 1 and "invalid cid: " in d.err for d in done) and done[0].err == done[1].err, [d.err for d in done]
        assert nowhere("cid", *verb, v1).out == named("cid", *verb, v1).out
    assert not nowhere.repo.exists()


# What takes paths or CIDs and is tested elsewhere.
ELSEWHERE = {"dispatch": "test_dispatch.py", "container serve": "test_serve.py", "cid base32": "above", "cid format": "above", "cid inspect": "above", "cid bases": "", "block rm": "above", "files cp": "above",
             "files chroot": "above", "filestore ls": "above", "filestore verify": "above", "checkpoint inspect": "above", "checkpoint verify": "above", "checkpoint diff": "above", "alias set": "above"}


def test_no_verb_is_forgotten(named):
    """Every command whose help names an argument <cid>, <ipfs-path>, <root>, <ref>, <obj> … is tested with a name."""
    found = set()
    for line in named("commands").out.splitlines():
        verb = line.removeprefix("ipfs-accelerate").removeprefix("ipfs").strip()
        usage = named(*verb.split(), "--help", check=False).out if verb else ""
        lines = [text for text in usage.splitlines() if text.startswith("  ipfs-accelerate " + verb + " ") and " - " not in text]
        if any(re.search(r"(?<!=)<(cid|ipfs-path|root|ref|obj|from|to|from-path|source)>", text) for text in lines):
            found.add(verb)
    tested = {" ".join(word for word in verb if not word.startswith(("-", "%")) and word != "out.tar") for verb in VERBS}
    assert found - tested - set(ELSEWHERE) == {"files mv"}, found  # which moves within files, where there are no CIDs
    assert len(found) > 20


def test_a_block_is_removed_by_its_name(named):
    named("alias", "set", "one", "org/model/config.json")
    named("pin", "rm", "org/model")
    named("block", "rm", "one")
    assert named("block", "stat", "one", check=False).code == 1


def test_add_takes_paths(named, tmp_path):
    (tmp_path / "org").mkdir()
    (tmp_path / "org/model").write_text("a file")
    assert named.text("add", "-Q", "org/model") != named.cid


def test_what_is_no_name_is_refused_in_kubos_words(named):
    for verb in (["cat"], ["ls"], ["refs"], ["block", "get"], ["pin", "add"]):
        done = named(*verb, "org/other", check=False)
        assert done.code == 1 and done.err == 'Error: invalid path "org/other": path does not have enough components\n'


def test_history_export_and_import(named, tmp_path):
    file = named.text("resolve", "org/model/config.json").removeprefix("/ipfs/")
    named("alias", "set", "org/model", file)
    lines = [json.loads(line) for line in named("alias", "history", "org/model", "--json").out.splitlines()]
    assert [line["Cid"] for line in lines] == [file, named.cid]
    text = named("alias", "export").out
    assert text == "org/model %s\n" % file
    named("alias", "rm", "--forget", "org/model")
    assert named.text("alias", "ls") == ""
    (tmp_path / "names").write_text("# names\n\n" + text + "second %s" % named.cid)
    named("alias", "import", "names")
    assert named.text("alias", "get", "second") == named.cid and named.text("alias", "get", "org/model") == file
    for bad in ("one", "one two three", "a..b " + file, "one notacid", "x" * 3000):
        done = named("alias", "import", stdin=("fine %s\n%s\n" % (file, bad)).encode(), check=False)
        assert done.code == 1 and done.err.startswith("Error: line 2: "), done.err
    assert "fine" not in named.text("alias", "ls")


def test_histories_are_exported_and_imported(named, program, tmp_path):
    file = named.text("resolve", "org/model/config.json").removeprefix("/ipfs/")
    named("alias", "set", "org/model", file)
    named("alias", "set", "gone", named.cid)
    named("alias", "rm", "gone")
    text = named("alias", "export", "--history").out
    lines = [line.split() for line in text.splitlines()]
    assert [line[:2] for line in lines] == [["gone", named.cid], ["gone", "removed"], ["org/model", named.cid], ["org/model", file]]
    assert [json.loads(line)["Cid"] for line in named("alias", "export", "--history", "--json").out.splitlines()] == [named.cid, None, named.cid, file]
    other = type(named)(program, tmp_path / "other", cwd=tmp_path)
    other("init")
    assert other("alias", "import", stdin=text.encode()).out == text
    assert other("alias", "export", "--history").out == text and other("alias", "export").out == named("alias", "export").out
    for name in ("gone", "org/model"):
        assert other("alias", "history", name).out == named("alias", "history", name).out
    other("alias", "import", stdin=text.encode())  # the same again changes nothing
    assert other("alias", "export", "--history").out == text
    other("alias", "import", stdin=("org/model %s 2001-02-03T04:05:06Z\n" % file).encode())  # older than what is there
    assert other("alias", "export", "--history").out.splitlines()[2] == "org/model %s 2001-02-03T04:05:06Z" % file and other.text("alias", "get", "org/model") == file
    for bad, words in (("a %s yesterday" % file, "is no time"), ("a %s 2001-02-03T04:05:06Z x" % file, "perhaps a time"), ("a removed", "line 2: "), ("a notacid 2001-02-03T04:05:06Z", "line 2: ")):
        done = other("alias", "import", stdin=("fine removed 2001-02-03T04:05:06Z\n%s\n" % bad).encode(), check=False)
        assert done.code == 1 and words in done.err, done.err
    done = other("alias", "import", stdin=("a %s 2001-02-03T04:05:06Z\nb %s\n" % (file, file)).encode(), check=False)
    assert done.code == 1 and "by themselves" in done.err
