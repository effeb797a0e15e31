"""Memory stays bounded whatever the size of what comes in: under 64 MiB of private resident memory (RssAnon, looked at every few milliseconds)."""
import hashlib
import os
import subprocess
import threading
import time

from test_bad_input import car, field, link, pb_cid, raw_cid, refused, text_of, varint

LIMIT = 64 << 20


def private_bytes(pid):
    try:
        with open("/proc/%d/status" % pid) as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) << 10
    except OSError:
        pass
    return 0


def run_measured(ipfs, *args, stdin=subprocess.DEVNULL, feed=None, count=None, code=0):
    """(largest private memory, bytes of output, lines of output). feed(pipe) writes standard input; the output is read and dropped."""
    process = subprocess.Popen([ipfs.program, *map(str, args)], env=ipfs.env, cwd=ipfs.cwd, stdin=subprocess.PIPE if feed else stdin,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    started = time.monotonic()
    seen = {"most": 0, "bytes": 0, "lines": 0}

    def drain():
        while True:
            piece = process.stdout.read1(1 << 20)
            if not piece:
                return
            seen["bytes"] += len(piece)
            if count:
                seen["lines"] += piece.count(b"\n")

    def watch():
        while process.poll() is None:
            seen["most"] = max(seen["most"], private_bytes(process.pid))
            time.sleep(0.002)

    threads = [threading.Thread(target=drain), threading.Thread(target=watch)]
    for thread in threads:
        thread.start()
    if feed:
        feed(process.stdin)
        process.stdin.close()
    for thread in threads:
        thread.join()
    err = process.stderr.read()
    assert process.wait() == code, err
    assert seen["most"] > 0 or time.monotonic() - started < 0.1
    return seen["most"], seen["bytes"], seen["lines"]


def test_a_folder_of_100000_files(ipfs, tmp_path):
    n = 100000
    folder = tmp_path / "many"
    folder.mkdir()
    at = os.open(folder, os.O_RDONLY)
    for i in range(n):
        fd = os.open("f%06d" % i, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=at)
        os.write(fd, b"%d" % i)
        os.close(fd)
    os.close(at)
    most, _, lines = run_measured(ipfs, "add", "-r", folder, count=True)
    assert lines == n + 1
    assert most < LIMIT, "%d MiB" % (most >> 20)
    root = ipfs.text("pin", "ls", "--type=recursive", "-q")
    most, _, lines = run_measured(ipfs, "ls", root, count=True)
    assert lines == n
    assert most < LIMIT, "%d MiB" % (most >> 20)
    most, size, _ = run_measured(ipfs, "dag", "export", root)
    assert size > n * 40
    assert most < LIMIT, "%d MiB" % (most >> 20)
    most, _, _ = run_measured(ipfs, "repo", "gc", "-q")
    assert most < LIMIT, "%d MiB" % (most >> 20)
    most, _, _ = run_measured(ipfs, "repo", "verify")
    assert most < LIMIT, "%d MiB" % (most >> 20)


def shard(links, bitfield):
    return b"".join(links) + field(1, b"\x08\x05" + field(2, bitfield) + b"\x28\x22\x30" + varint(256))


def million_entries():
    """(root, blocks) of a HAMT of 65,536 shards with sixteen entries each, all leading to one leaf."""
    leaf = raw_cid(b"x")
    blocks = [(leaf, b"x")]
    tail = b"\x18\x01"
    head = field(1, leaf)
    roots = []
    for a in range(256):
        middle = []
        for b in range(256):
            links = []
            for c in range(16):
                body = head + field(2, b"%02X%02x%02x%x-entry" % (c, a, b, c)) + tail
                links.append(b"\x12" + bytes([len(body)]) + body)
            data = shard(links, b"\xff\xff")
            cid = pb_cid(data)
            blocks.append((cid, data))
            middle.append(link(cid, b"%02X" % b, len(data) + 16))
        data = shard(middle, b"\xff" * 32)
        cid = pb_cid(data)
        blocks.append((cid, data))
        roots.append(link(cid, b"%02X" % a, 300000))
    data = shard(roots, b"\xff" * 32)
    blocks.append((pb_cid(data), data))
    return pb_cid(data), blocks[::-1]


def test_a_hamt_of_1000000_entries(ipfs, tmp_path):
    root, blocks = million_entries()
    (tmp_path / "in.car").write_bytes(car(root, blocks))
    del blocks
    most, _, _ = run_measured(ipfs, "dag", "import", tmp_path / "in.car")
    assert most < LIMIT, "import: %d MiB" % (most >> 20)
    for args in (["ls"], ["ls", "--resolve-type=false", "--size=false"], ["refs"]):
        most, _, lines = run_measured(ipfs, *args, text_of(root), count=True)
        assert lines == (256 if args == ["refs"] else 1 << 20), args
        assert most < LIMIT, "%s: %d MiB" % (args, most >> 20)
    for args in (["dag", "stat", "--progress=false", text_of(root)], ["pin", "verify"], ["dag", "export", text_of(root)]):
        most, _, _ = run_measured(ipfs, *args)
        assert most < LIMIT, "%s: %d MiB" % (args, most >> 20)


def test_a_file_of_many_gigabytes(ipfs, tmp_path):
    """Sparse, so that it costs no disk: all its leaves are one block, and the tree above them is real."""
    size = (2 << 30) + 12345
    with open(tmp_path / "large", "wb") as large:
        large.truncate(size)
    most, _, _ = run_measured(ipfs, "add", "-Q", "--cid-version=1", tmp_path / "large")
    assert most < LIMIT, "add: %d MiB" % (most >> 20)
    root = ipfs.text("pin", "ls", "--type=recursive", "-q")
    most, n, _ = run_measured(ipfs, "cat", root)
    assert n == size
    assert most < LIMIT, "cat: %d MiB" % (most >> 20)


def test_a_stream_of_many_megabytes(ipfs):
    piece = hashlib.shake_128(b"stream").digest(1 << 20)

    def feed(pipe):
        for i in range(512):
            pipe.write(i.to_bytes(8, "big") + piece[8:])

    for options in ([], ["--chunker=buzhash", "--trickle"]):
        most, _, _ = run_measured(ipfs, "add", "-Q", "-n", *options, feed=feed)
        assert most < LIMIT, "%s: %d MiB" % (options, most >> 20)


def test_what_claims_to_be_large_takes_no_room(ipfs):
    """Lengths that lie, nesting, links without number: nothing is allocated because somebody says so."""
    leaf = raw_cid(b"x")
    wide = b"".join(link(leaf, b"", 1) for _ in range(45000))
    for args, data in ((["dag", "import"], varint(1 << 62) + b"x"),
                       (["dag", "import"], b"\x80" * 30),
                       (["dag", "put", "--input-codec=dag-json"], b"[" * 100000),
                       (["dag", "put", "--input-codec=dag-cbor"], b"\x81" * 1000000),
                       (["dag", "put", "--input-codec=dag-cbor"], b"\x9b" + (1 << 60).to_bytes(8, "big")),
                       (["dag", "put", "--input-codec=dag-cbor"], b"\x5b" + (1 << 60).to_bytes(8, "big")),
                       (["dag", "put", "--input-codec=dag-pb", "--store-codec=dag-pb"], wide + b"\x12\xff\xff\xff\xff\x0f"),
                       (["block", "put"], bytes(3 << 20))):
        refused(ipfs, *args, stdin=data)
