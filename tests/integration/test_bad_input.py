"""Bad input: one clear sentence, a non-zero exit, bounded memory and time, nothing lost, nothing written outside."""
import hashlib
import json
import os
import pathlib
import resource
import subprocess

import pytest


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def raw_cid(data):
    return b"\x01\x55\x12\x20" + hashlib.sha256(data).digest()


def pb_cid(data):
    return b"\x01\x70\x12\x20" + hashlib.sha256(data).digest()


def link(cid, name, tsize):
    return field(2, field(1, cid) + field(2, name) + b"\x18" + varint(tsize))


def directory(entries):
    return b"".join(link(*entry) for entry in entries) + field(1, b"\x08\x01")


def text_of(cid):
    import base64

    return "b" + base64.b32encode(cid).decode().lower().rstrip("=")


def car(root, blocks):
    header = b"\xa2\x65roots\x81\xd8\x2a" + (b"\x58" + bytes([len(root) + 1])) + b"\x00" + root + b"\x67version\x01"
    return varint(len(header)) + header + b"".join(varint(len(cid) + len(data)) + cid + data for cid, data in blocks)


ROOM = (64 << 20) + (os.cpu_count() or 1) * (16 << 20)  # bytes of data: 64 MiB, and the stacks of the threads


def allow_little_memory():
    resource.setrlimit(resource.RLIMIT_DATA, (ROOM, ROOM))


def refused(ipfs, *args, stdin=None, code=1):
    """One sentence that begins with Error:, the exit code, and less than 64 MiB (it may not have more, and does not miss it) and five seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen([ipfs.program, *args], env=ipfs.env, cwd=ipfs.cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=allow_little_memory)
    out, err = process.communicate(stdin or b"", timeout=30)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert process.returncode == code, (args, out[:200], err)
    assert b"Error: " in err and len(err) < 3000, err
    assert b"out of memory" not in err and b"cannot allocate" not in err.lower(), err
    assert after.ru_utime - before.ru_utime < 5
    return err.decode(errors="replace")


def test_archives_that_lie(ipfs):
    good = b"hello world"
    whole = car(raw_cid(good), [(raw_cid(good), good)])
    for end in range(1, len(whole)):
        refused(ipfs, "dag", "import", stdin=whole[:end]) if end != len(whole) - len(good) - 37 else None
    assert "does not hash" in refused(ipfs, "dag", "import", stdin=car(raw_cid(good), [(raw_cid(good), b"jello world")]))
    refused(ipfs, "dag", "import", stdin=b"\xff" * 20)
    refused(ipfs, "dag", "import", stdin=varint(1 << 62) + b"x")
    refused(ipfs, "dag", "import", stdin=whole + b"\x00")
    refused(ipfs, "dag", "import", stdin=whole + varint(2097152 + 169) + bytes(2097152 + 169))
    assert ipfs.text("refs", "local") == ""
    ipfs("dag", "import", stdin=whole)
    assert ipfs("cat", text_of(raw_cid(good))).out_bytes == good


def wrapped(inner, short=0):
    """The archive as the inside of a CARv2, behind some padding and before something that is no index. short: bytes that the header leaves out."""
    return b"\x0a\xa1\x67version\x02" + bytes(16) + (11 + 40 + 9).to_bytes(8, "little") + (len(inner) - short).to_bytes(8, "little") + bytes(8) + bytes(9) + inner + b"\xff" * 50


def archives_of_large_blocks():
    """Large blocks between small ones, and what can be wrong with them."""
    data = [hashlib.shake_128(b"%d" % i).digest(n) for i, n in enumerate([300000, 10, 16384, 16383, 2097152, 70000, 0, 20000])]
    blocks = [(raw_cid(d), d) for d in data]
    whole = car(blocks[0][0], blocks)
    yield whole
    yield wrapped(whole)
    yield wrapped(whole)[:-50]
    yield wrapped(whole, 1)
    yield wrapped(whole, 20020)
    for end in (100, 5000, 300200, 310000, len(whole) - 20100, len(whole) - 20020, len(whole) - 19000, len(whole) - 1):
        yield whole[:end]
    for i in (0, 2, 4, 7):
        yield car(blocks[0][0], [(cid, d[:-1] + b"?" if k == i else d) for k, (cid, d) in enumerate(blocks)])
    yield car(blocks[0][0], [(blocks[0][0], data[0]), (b"\x01\x55\xd5\x01\x10" + bytes(16), data[2]), (blocks[1][0], b"")])
    yield car(blocks[0][0], [(b"\x01\x55\x00\x04abcd", data[2])])
    yield whole + varint(2097152 + 169) + bytes(2097152 + 169)
    yield whole + varint(20000) + b"\x01" + b"\xff" * 19999
    yield whole + b"\x00"


def test_an_archive_that_ends_inside_a_section(ipfs, tmp_path):
    data = bytes(range(256)) * 100
    whole = car(raw_cid(data), [(raw_cid(data), data)])
    for short in (1, 25000, len(whole) - 60):
        (tmp_path / "file.car").write_bytes(wrapped(whole, short))
        assert "CARv2 header" in refused(ipfs, "dag", "import", stdin=wrapped(whole, short))
        assert "CARv2 header" in refused(ipfs, "dag", "import", tmp_path / "file.car")
    assert ipfs.text("refs", "local") == ""


def test_archives_in_files_are_taken_as_from_pipes(ipfs, tmp_path):
    for number, archive in enumerate(archives_of_large_blocks()):
        answers = []
        for way in ("pipe", "file"):
            ipfs.env = {**ipfs.env, "IPFSA_PATH": str(tmp_path / ("%s-%d" % (way, number)))}
            ipfs("init")
            if way == "pipe":
                done = subprocess.run([ipfs.program, "dag", "import", "--stats"], env=ipfs.env, input=archive, capture_output=True)
            else:
                (tmp_path / "x.car").write_bytes(b"behind" + archive)
                with open(tmp_path / "x.car", "rb", buffering=0) as file:
                    file.seek(6)
                    done = subprocess.run([ipfs.program, "dag", "import", "--stats"], env=ipfs.env, stdin=file, capture_output=True)
            answers.append((done.returncode, done.stdout, done.stderr, sorted(ipfs.text("refs", "local").split())))
        assert answers[0] == answers[1], number
        assert (answers[0][0] == 0) == (number < 3), (number, answers[0])


def test_blocks_at_the_limit(ipfs):
    at, past = bytes(2097152), bytes(2097153)
    ipfs("block", "put", stdin=at)
    refused(ipfs, "block", "put", stdin=past)
    ipfs("dag", "import", "--pin-roots=false", stdin=car(raw_cid(at), [(raw_cid(at), at)]))
    refused(ipfs, "dag", "import", stdin=car(raw_cid(past), [(raw_cid(past), past)]))


def test_forbidden_hashes(ipfs):
    md5 = b"\x01\x55\xd5\x01\x10" + bytes(16)
    short = b"\x01\x55\x12\x13" + bytes(19)
    for cid in (md5, short):
        refused(ipfs, "block", "get", text_of(cid))
        refused(ipfs, "dag", "import", stdin=car(cid, [(cid, b"x")]))
    for args in (["--hash=md5"], ["--hash=murmur3-x64-64"], ["--hash=sha2-256", "--inline", "--inline-limit=129"]):
        refused(ipfs, "add", *args, stdin=b"x" * 200)


@pytest.mark.parametrize("name", [b"..", b".", b"", b"a/b", b"a\x00b", b"../../etc/x", b"n" * 256])
def test_names_that_lead_out(ipfs, name):
    leaf = b"content"
    folder = directory([(raw_cid(leaf), name, len(leaf))])
    ipfs("dag", "import", stdin=car(pb_cid(folder), [(pb_cid(folder), folder), (raw_cid(leaf), leaf)]))
    work = pathlib.Path(ipfs.cwd)
    refused(ipfs, "get", "-o", "out", text_of(pb_cid(folder)))
    refused(ipfs, "get", "-a", "-o", "out.tar", text_of(pb_cid(folder)))
    assert [p for p in work.rglob("*") if "repo" not in p.parts] == []


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "a/../../x"])
def test_symlinks_that_lead_out(ipfs, target):
    link_block = field(1, b"\x08\x04" + field(2, target.encode()))
    leaf = b"evil"
    folder = directory([(pb_cid(link_block), b"l", len(link_block)), (raw_cid(leaf), b"z", 4)])
    ipfs("dag", "import", stdin=car(pb_cid(folder), [(pb_cid(b) if b is not leaf else raw_cid(b), b) for b in (folder, link_block, leaf)]))
    refused(ipfs, "get", "-o", "out", text_of(pb_cid(folder)))
    assert not os.path.lexists(pathlib.Path(ipfs.cwd) / "outside")


def test_a_link_and_a_file_of_one_name(ipfs):
    """The file must not be written through the link."""
    link_block = field(1, b"\x08\x04" + field(2, b"victim"))
    leaf = b"evil"
    folder = directory([(pb_cid(link_block), b"x", 10), (raw_cid(leaf), b"x", 4)])
    ipfs("dag", "import", stdin=car(pb_cid(folder), [(pb_cid(folder), folder), (pb_cid(link_block), link_block), (raw_cid(leaf), leaf)]))
    refused(ipfs, "get", "-o", "out", text_of(pb_cid(folder)))
    assert not (pathlib.Path(ipfs.cwd) / "out/victim").exists()


def test_a_dag_of_exabytes(ipfs):
    """Forty levels of two links to the same child: a few kilobytes that describe 2^58 bytes."""
    data = bytes(1 << 18)
    cid, size, blocks = raw_cid(data), len(data), [(raw_cid(data), data)]
    for _ in range(40):
        message = b"\x08\x02\x18" + varint(2 * size) + (b"\x20" + varint(size)) * 2
        node = link(cid, b"", size) * 2 + field(1, message)
        cid, size = pb_cid(node), 2 * size
        blocks.append((cid, node))
    ipfs("dag", "import", stdin=car(cid, blocks[::-1]))
    root = text_of(cid)
    assert len(ipfs("cat", "--offset=%d" % (size - 5), root).out_bytes) == 5
    assert len(ipfs("cat", "--offset=%d" % (size // 3), "--length=1000", root).out_bytes) == 1000
    assert ipfs("dag", "stat", "--progress=false", "--enc=json", root).out.count("NumBlocks") == 1
    ipfs("pin", "verify")
    work = pathlib.Path(ipfs.cwd)
    for args in (["get", "-o", "out"], ["get", "-a", "-o", "out.tar"]):
        said = refused(ipfs, *args, root)
        assert str(size)[:12] in said and "room" in said  # an archive is a little larger
    folder = directory([(cid, b"big", 0)])  # it says less than its file does
    ipfs("dag", "import", stdin=car(pb_cid(folder), [(pb_cid(folder), folder)]))
    assert "room" in refused(ipfs, "get", "-o", "lying", text_of(pb_cid(folder)))
    assert [p for p in work.rglob("*") if "repo" not in p.parts and p.is_file()] == []


def test_folders_without_end(ipfs):
    """Sixty levels of folders with two names for the next one: a few kilobytes that describe 2^60 files."""
    leaf = b"x"
    cid, size, blocks = raw_cid(leaf), 1, [(raw_cid(leaf), leaf)]
    for _ in range(60):
        node = directory([(cid, b"a", size), (cid, b"b", size)])
        cid, size = pb_cid(node), min(2 * size + len(node), (1 << 63) - 1)
        blocks.append((cid, node))
    ipfs("dag", "import", stdin=car(cid, blocks[::-1]))
    root = text_of(cid)
    assert ipfs("dag", "stat", "--progress=false", "--enc=json", root).out.count("NumBlocks") == 1
    assert ipfs("ls", root).out.count("/") == 2
    assert ipfs("refs", "-r", "-u", root).out.count("\n") == 60
    ipfs("pin", "verify")
    ipfs("repo", "gc")
    assert "room" in refused(ipfs, "get", "-o", "out", root)


def hamt(fanout, bitfield, links=b""):
    return links + field(1, b"\x08\x05" + field(2, bitfield) + b"\x28\x22\x30" + varint(fanout))


def test_hamts_that_cannot_be(ipfs):
    leaf = raw_cid(b"x")
    ipfs("block", "put", stdin=b"x")
    one = link(leaf, b"00x", 1)
    good = ipfs.text("block", "put", "--cid-codec=dag-pb", stdin=hamt(256, b"\x01", one))
    assert ipfs("ls", good).out.split()[-1] == "x"
    bad = [hamt(n, b"\x01", one) for n in (0, 1, 3, 4, 7, 12, 255, 257, 2048, 1 << 20, 1 << 63)]
    bad += [hamt(256, b"\x01" + bytes(32), one), hamt(256, b"\x03", one), hamt(256, b"", one), hamt(256, b"\x01"), hamt(256, b"\x01", link(leaf, b"0", 1)),
            hamt(256, b"\x01", link(leaf, b"zzx", 1)), hamt(16, b"\x01", one)[:-2]]
    for data in bad:
        cid = ipfs.text("block", "put", "--cid-codec=dag-pb", stdin=data)
        for verb in ("ls", "get"):
            refused(ipfs, verb, cid)
    # A shard that leads to itself cannot be made; one that goes on deeper than the hash has bits can.
    cid = pb_cid(hamt(256, b"\x01", one))
    for _ in range(9):
        data = hamt(256, b"\x01", link(cid, b"00", 1))
        ipfs("block", "put", "--cid-codec=dag-pb", stdin=data)
        cid = pb_cid(data)
    refused(ipfs, "ls", text_of(cid))


def test_what_is_no_unixfs(ipfs):
    for block in ("0a050001020304", "0a00", "120b0a09015500050001020304", "0a0308061801", "0a0a0805121101223000280b"):
        data = bytes.fromhex(block)
        done = ipfs("block", "put", "--cid-codec=dag-pb", stdin=data)
        for verb in ("cat", "ls", "get"):
            refused(ipfs, verb, done.out.strip())


def test_escapes_stay_off_the_terminal(ipfs):
    import pty

    name = "a\x1b[31mred\u202egnp"
    (pathlib.Path(ipfs.cwd) / name).write_text("x")
    parent, child = pty.openpty()
    subprocess.run([ipfs.program, "add", name], env=ipfs.env, cwd=ipfs.cwd, stdin=subprocess.DEVNULL, stdout=child, stderr=child, check=True)
    os.close(child)
    shown = os.read(parent, 65536)
    os.close(parent)
    assert b"\x1b[31m" not in shown and "\u202e".encode() not in shown and b"\\x1b" in shown


def test_escapes_of_others_stay_off_the_terminal(ipfs):
    import pty

    leaf = raw_cid(b"x")
    folder = directory([(leaf, b"a\x1b[31mred\xe2\x80\xaegnp\x07", 1)])
    ipfs("dag", "import", stdin=car(pb_cid(folder), [(pb_cid(folder), folder), (leaf, b"x")]))
    root = text_of(pb_cid(folder))
    for args in (["ls", root], ["ls", "-s", root], ["refs", "--format=<linkname>", root], ["get", "-o", "out", root], ["cat", root + "/\x1b[31mnone"], ["\x1b[31mverb"],
                 ["files", "ls", "/\x1b[31mnone"], ["pin", "add", "\x1b[31mx"]):
        parent, child = pty.openpty()
        subprocess.run([ipfs.program, *args], env=ipfs.env, cwd=ipfs.cwd, stdin=subprocess.DEVNULL, stdout=child, stderr=child)
        os.close(child)
        shown = b""
        try:
            while piece := os.read(parent, 65536):
                shown += piece
        except OSError:
            pass
        os.close(parent)
        assert b"\x1b[31m" not in shown and "\u202e".encode() not in shown and b"\x07" not in shown, (args, shown)


def test_repos_of_others(program, tmp_path):
    from conftest import Ipfs

    node = Ipfs(program, tmp_path / "kubo", cwd=tmp_path)
    (tmp_path / "kubo").mkdir()
    (tmp_path / "kubo/datastore_spec").write_text("{}")
    (tmp_path / "kubo/version").write_text("18\n")
    for args in (["init"], ["add", "kubo/version"], ["pin", "ls"]):
        assert "Kubo" in refused(node, *args)
    assert sorted(p.name for p in (tmp_path / "kubo").iterdir()) == ["datastore_spec", "version"]
    node("init", env={"IPFSA_PATH": str(tmp_path / "mine")})
    marker = tmp_path / "mine/ipfs-accelerate"
    made = marker.read_text()
    for version, words in (("99", "a newer program"), ("1", "the program that made it")):
        marker.write_text("ipfs-accelerate repo, version %s\n" % version)
        done = node("pin", "ls", check=False, env={"IPFSA_PATH": str(tmp_path / "mine")})
        assert done.code == 1 and "version " + version in done.err and words in done.err
    marker.write_text(made)
    assert node("pin", "ls", env={"IPFSA_PATH": str(tmp_path / "mine")}).out == ""


def test_second_writer_waits_and_then_says_who(ipfs, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    first = subprocess.Popen([ipfs.program, "add", "-Q"], env=ipfs.env, cwd=ipfs.cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    first.stdin.write(b"x" * 100)
    first.stdin.flush()
    import time

    time.sleep(0.3)
    assert "in use by process %d" % first.pid in refused(ipfs, "--lock-timeout=200ms", "block", "put", stdin=b"y")
    second = subprocess.Popen([ipfs.program, "--lock-timeout=20s", "block", "put"], env=ipfs.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    second.stdin.write(b"z")
    second.stdin.close()
    first.stdin.close()
    assert first.wait(20) == 0 and second.wait(20) == 0
    assert ipfs("cat", second.stdout.read().decode().strip()).out == "z"


def test_quota_and_full_disk(ipfs):
    ipfs("config", "store.max_size", "6MB")
    ipfs("add", "-Q", stdin=b"a" * 100)
    assert "limit" in refused(ipfs, "add", "-Q", stdin=os.urandom(8 << 20))
    assert "all blocks validated" in ipfs.text("repo", "verify")
    ipfs("add", "-Q", stdin=b"b" * 100)


def test_wrong_calls(ipfs):
    for args in (["cat", "x" * 5000], ["cat", "/ipns/example.org"], ["cat", "/ipfs/"], ["cat", "/nope/x"], ["add", "--mode=zz", "-"], ["ls", "bafkqaaa/../x"], ["pin", "add", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"],
                 ["block", "put", "--mhlen=300", "-"], ["add", "--pin-name=" + "n" * 256, "-"], ["add", "--max-file-links=1", "--chunker=size-1", "-"]):
        refused(ipfs, *args, stdin=b"xy")


def test_config_that_is_wrong(ipfs):
    config = pathlib.Path(ipfs.repo) / "config.toml"
    for text, words in (("[import]\ncid_versoin = 1\n", "line 2"), ("[import]\ncid_version = 7\n", "0..1"), ("[import\n", "line 1"), ("x = " + "[" * 100, "config.toml"),
                        ("[import]\nchunker = \"size-0\"\n", "Chunker"), ("#" * (1 << 20) + "\n", "limit"), ('[general]\na = "x\\u0000"\n', "NUL")):
        config.write_text(text)
        assert words in refused(ipfs, "repo", "stat")
    config.unlink()
    ipfs("repo", "stat")
    config.write_text("# my notes\n[import] # here\n  cid_version = 0   # old\nchunker = \"size-1000\"\n")
    ipfs("config", "import.cid_version", "1")
    assert config.read_text() == "# my notes\n[import] # here\n  cid_version = 1   # old\nchunker = \"size-1000\"\n"
    for form in ("import.cid_version = 0\n", "import = { cid_version = 0 }\n", '[import]\n"cid_version" = 0\n', '[general]\nx = """\n[import]\ncid_version = 0\n"""\n[import]\ncid_version = 0\n'):
        config.write_text(form)
        done = ipfs("config", "import.cid_version", "1", check=False)
        assert (done.code == 0 and json.loads(ipfs.text("config", "import.cid_version")) == 1) or (done.code == 1 and config.read_text() == form), form


def test_an_interrupted_init_is_finished(program, tmp_path):
    from conftest import Ipfs

    node = Ipfs(program, tmp_path / "repo", cwd=tmp_path)
    (tmp_path / "repo/meta").mkdir(parents=True)
    (tmp_path / "repo/meta/data.mdb").write_bytes(b"torn" * 100)
    (tmp_path / "repo/config.toml").write_text("")
    (tmp_path / "repo/config.toml.0123456789abcdef.tmp").write_text("x")
    assert "init" in refused(node, "pin", "ls")
    node("add", "-Q", stdin=b"content")
    assert node.text("repo", "verify") == "verify complete, all blocks validated."


def test_arguments_out_of_standard_input_that_are_none(ipfs, tmp_path):
    assert "zero byte" in refused(ipfs, "cat", stdin=b"one\ntwo\0three\n")
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        done = subprocess.run([ipfs.program, "cat"], env=ipfs.env, stdin=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(folder)
    assert done.returncode == 1 and done.stderr == "Error: read standard input: Is a directory\n"


def test_many_letters_behind_one_dash(ipfs):
    assert "unknown option" in refused(ipfs, "cat", "-" + "z" * 100000)
    (ipfs.cwd / "f").write_bytes(b"x")
    assert ipfs("add", "-" + "Q" * 100000, "f").out == ipfs("add", "-Q", "f").out


def test_all_of_the_version_comes_before_a_part_of_it(ipfs):
    assert ipfs("version", "--all", "--number", "--repo").out == ipfs("version", "--all").out
    assert ipfs("version", "--repo", "--number").out == ipfs("version", "--repo").out


def test_an_archive_is_not_written_through_a_link(ipfs, tmp_path):
    """Its temporary name can be foreseen."""
    root = ipfs("add", "-Q", stdin=b"content").out.strip()
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "out").mkdir()
    script = 'ln -s ../kept out/a.tar.$$.tmp; exec "$0" get -a -o out/a.tar "$1"'
    done = subprocess.run(["sh", "-c", script, ipfs.program, root], env=ipfs.env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and "File exists" in done.stderr and (tmp_path / "kept").read_text() == "kept"
