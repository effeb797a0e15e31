"""The configuration as a user has it: names of ours, of Kubo and of the old package; the file's own form; what is refused."""
import json

import pytest

from conftest import Ipfs

FILE = """# mine
title = "x"

[general]
debug = true # why

[import]
# as it was
cid_version = 0 # zero
chunker = "size-1000"

[endpoints]
default = "local"

[endpoints.local]
host = "localhost" # here
port = 8000
api_key = "s3cret"

[cache]
path = "./cache"
more = [1, 2]

[custom.deep]
a = 1.5
"""


@pytest.fixture
def configured(ipfs):
    (ipfs.repo / "config.toml").write_text(FILE)
    return ipfs


def test_set_keeps_comments_and_order(configured):
    configured("config", "import.cid_version", "1")
    configured("config", "Import.UnixFSChunker", "size-2000")
    configured("config", "endpoints.local.port", "9000")
    expected = FILE.replace("cid_version = 0 #", "cid_version = 1 #").replace("size-1000", "size-2000").replace("port = 8000", "port = 9000")
    assert (configured.repo / "config.toml").read_text() == expected
    configured("config", "store.gc_grace", "60")
    assert (configured.repo / "config.toml").read_text() == expected + "\n[store]\ngc_grace = 60\n"


def test_the_sections_of_the_old_package(configured):
    get = lambda key: configured.text("config", key)
    assert (get("cache.path"), get("general.debug"), get("endpoints.default"), get("p2p.enabled")) == ("./cache", "true", "local", "true")
    assert (get("endpoints.local.host"), get("endpoints.local.port"), get("cache.more"), get("custom.deep.a")) == ("localhost", "8000", "[1, 2]", "1.5")
    configured("config", "endpoints.gpu.url", "http://gpu:8000")
    configured("config", "--json", "endpoints.gpu.timeout", "2.5")
    assert json.loads(get("endpoints.gpu")) == {"url": "http://gpu:8000", "timeout": 2.5}
    configured("config", "--json", "endpoints.gpu.timeout", "null")
    assert json.loads(get("endpoints.gpu")) == {"url": "http://gpu:8000"}
    assert FILE in (configured.repo / "config.toml").read_text()


def test_show_hides_secrets_and_can_be_read_again(configured, tmp_path):
    shown = configured("config", "show").out
    assert "s3cret" not in shown and 'api_key = "(hidden)"' in shown and 'title = "x"' in shown.split("[")[0]
    assert "s3cret" not in configured.text("config", "endpoints") and configured.text("config", "endpoints.local.api_key") == "s3cret"
    (tmp_path / "shown.toml").write_text(shown)
    configured("config", "replace", "shown.toml")
    assert configured("config", "show").out == shown


@pytest.mark.parametrize("name,value,said", [
    ("import.cid_verson", "1", "did you mean import.cid_version?"), ("Import.CidVersoin", "1", "did you mean Import.CidVersion?"),
    ("docker.timeuot", "5", "did you mean docker.timeout?"), ("nope.x", "1", "nope not found"), ("endpoints.a.b.c", "1", "endpoints not found"),
    ("import.cid_version", "7", "is outside 0..1"), ("import.hash", "nope", "unrecognized hash function"), ("store.max_size", "much", "a size such as"),
    ("import.dag_layout", "flat", "balanced|trickle"), ("Identity.PrivKey", "x", "cannot show or change private key"),
])
def test_what_is_no_setting_is_refused(configured, name, value, said):
    done = configured("config", name, value, check=False)
    assert done.code == 1 and said in done.err
    assert (configured.repo / "config.toml").read_text() == FILE


@pytest.mark.parametrize("text,said", [
    ("[import]\nchunkr = 'x'\n", "line 2: unknown key import.chunkr; did you mean import.chunker?"), ("[import]\ncid_version = '1'\n", "line 2"),
    ("[import\n", "line 1"), ("[import]\nhash = 'nope'\n", "unrecognized hash function"), ("[import]\nhamt_max_fanout = 9\n", "power of two"),
])
def test_replace_takes_nothing_wrong(configured, text, said):
    done = configured("config", "replace", stdin=text.encode(), check=False)
    assert done.code == 1 and said in done.err and (configured.repo / "config.toml").read_text() == FILE


def test_a_wrong_name_in_the_file_is_told_where_it_matters(configured, tmp_path):
    (configured.repo / "config.toml").write_text("[import]\nhash = 'nope'\n")
    done = configured("add", stdin=b"x", check=False)
    assert done.code == 1 and "import.hash of the configuration" in done.err


def test_edit(configured, tmp_path):
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/size-1000/size-3000/' \"$1\"\n")
    editor.chmod(0o755)
    configured("config", "edit", env={"EDITOR": str(editor)})
    assert (configured.repo / "config.toml").read_text() == FILE.replace("size-1000", "size-3000")
    editor.write_text("#!/bin/sh\necho 'a = = 1' >> \"$1\"\n")
    done = configured("config", "edit", env={"EDITOR": str(editor)}, check=False)
    assert done.code == 1 and "nothing was changed, your text is in /" in done.err
    assert configured("config", "edit", env={"EDITOR": "false"}, check=False).code == 1
    assert "$EDITOR not set" in configured("config", "edit", env={"EDITOR": ""}, check=False).err
    done = configured("config", "edit", env={"EDITOR": "true", "TMPDIR": str(tmp_path / "nowhere")}, check=False)
    assert done.code == 1 and "write %s/nowhere/ipfs-accelerate-config-" % tmp_path in done.err and "No such file" in done.err
    assert (configured.repo / "config.toml").read_text() == FILE.replace("size-1000", "size-3000")


def test_the_environment_comes_first(configured):
    get = lambda key, **env: configured("config", key, env=env, check=False)
    assert get("import.cid_version", IPFSA_IMPORT_CID_VERSION="1").out == "1\n"
    assert get("Datastore.StorageMax", IPFSA_STORE_MAX_SIZE="5GB").out == "5GB\n"
    assert get("import.chunker", IPFSA_IMPORT_CHUNKER="").out == "size-1000\n"
    wrong = get("import.chunker", IPFSA_IMPORT_CID_VERSION="7")
    assert wrong.code == 1 and "environment variable IPFSA_IMPORT_CID_VERSION" in wrong.err
    configured("config", "import.chunker", "size-7", env={"IPFSA_IMPORT_CID_VERSION": "1"})
    assert "cid_version = 0" in (configured.repo / "config.toml").read_text()  # it overrides, it is not written


def test_profiles(ipfs, kubo, program, tmp_path):
    for name in ("unixfs-v0-2015", "legacy-cid-v0", "unixfs-v1-2025"):
        before = ipfs("config", "show").out
        assert (ipfs("config", "profile", "apply", name, "--dry-run").out or name == "legacy-cid-v0") and ipfs("config", "show").out == before
        for node in (ipfs, kubo):
            node("config", "profile", "apply", name)
        for key in ("CidVersion", "UnixFSRawLeaves", "UnixFSChunker", "HashFunction", "UnixFSFileMaxLinks", "UnixFSDirectoryMaxLinks", "UnixFSHAMTDirectoryMaxFanout",
                    "UnixFSHAMTDirectorySizeThreshold", "UnixFSHAMTDirectorySizeEstimation", "UnixFSDAGLayout"):
            assert ipfs.text("config", "Import." + key) == kubo.text("config", "Import." + key), (name, key)
    ipfs("config", "profile", "apply", "test")
    assert ipfs.text("config", "Addresses.API") == "/ip4/127.0.0.1/tcp/0"
    ipfs("config", "profile", "apply", "default-networking")
    assert ipfs.text("config", "Addresses.API") == "/ip4/127.0.0.1/tcp/5001"
    made = Ipfs(program, tmp_path / "made")
    made("init", "--profile=test,unixfs-v1-2025")
    assert (made.text("config", "Addresses.Gateway"), made.text("config", "Import.CidVersion")) == ("/ip4/127.0.0.1/tcp/0", "1")


def test_every_profile_of_kubo_is_here_or_answered(ipfs, kubo):
    listed = [line.strip().strip("':") for line in kubo("config", "profile", "--help").out.splitlines() if line.startswith("    '")]
    assert len(listed) > 15
    for name in listed:
        done = ipfs("config", "profile", "apply", name, "--dry-run", check=False)
        assert done.code == 0 or "is not supported: it is about" in done.err, (name, done.err)


def test_a_text_is_printed_as_it_is(configured):
    for text in ('say "hi"', "back\\slash", "tab\tand\nline", "bell\x07", "caf\u00e9"):
        configured("config", "cache.path", text)
        assert configured("config", "cache.path").out == text + "\n"
        assert json.loads(configured("config", "cache.path", "--enc=json").out) == text


def test_a_file_that_is_too_long_is_no_configuration(configured, tmp_path):
    (tmp_path / "long.toml").write_bytes(b"#" * ((1 << 20) + 1))
    done = configured("config", "replace", str(tmp_path / "long.toml"), check=False)
    assert done.code == 1 and "that is no configuration; %s holds over 1048576 bytes" % (tmp_path / "long.toml") in done.err
    assert (configured.repo / "config.toml").read_text() == FILE
