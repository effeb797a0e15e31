"""Models handed to processes of this machine: descriptors over a unix socket, pages in memory once."""
import array
import fcntl
import json
import mmap
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from conftest import PROGRAM
from gguf_files import parts
from test_dispatch_servers import HF, add, configure, dispatch, fails, weights

DRIVER = PROGRAM.parent / "tests/receive-driver"
MIB = 1 << 20


class Receiver:
    def __init__(self, path, n=1):
        self.process = subprocess.Popen([DRIVER, str(path), str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.line() == "listening"

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.process.stdin.close()
        if any(args):
            self.process.kill()
        self.process.wait(30)
        self.process.stdout.close()


@pytest.fixture
def at(ipfs, tmp_path):
    path = tmp_path / "s"
    if len(str(path)) > 100:
        pytest.skip("skipped: the temporary folder has too long a name for a socket")
    configure(ipfs, "shm", socket=path)
    return path


def test_a_process_takes_models(ipfs, tmp_path, at):
    cid, split = add(ipfs, tmp_path / "a", HF), add(ipfs, tmp_path / "b", parts([[("a", (8,), 24)], [("b", (8,), 24)]]))
    with Receiver(at, 4) as receiver:
        done = dispatch(ipfs, cid, "--name=org/m")
        assert receiver.line() == "org/m %s %d 1 65536 65536" % (cid, len(HF))
        assert done["Source"] == "store" and done["Way"] in ("reflink", "copy") and done["Place"] == str(at) and done["Ready"] and done["Bytes"] == sum(len(v) for v in HF.values())
        again = dispatch(ipfs, cid, "--name=org/m")
        assert (again["Source"], again["Bytes"], again["Way"]) == ("cache", 0, "") and receiver.line().startswith("org/m")
        dispatch(ipfs, split, "--name=split")
        assert receiver.line() == "split %s 2 2 0 16" % split
        dispatch(ipfs, cid + "/model.safetensors")
        assert re.match(r"model baf\w+ 1 1 65536 65536$", receiver.line())  # a file alone
        assert receiver.line() == "closed" and not at.exists()  # the receiver has taken all it wanted
    assert "nobody receives at" in fails(ipfs, cid)


def test_what_was_taken_outlives_gc_and_other_content(ipfs, tmp_path, at):
    cid = ipfs.text("add", "-Q", "--cid-version=1", "--pin=false", "-r", add_folder(tmp_path / "a"))
    with Receiver(at) as receiver:
        dispatch(ipfs, cid, "--name=m")
        assert receiver.line().startswith("m " + cid)
        ipfs("repo", "gc", "--quiet")
        tree = ipfs.repo / "materialised" / cid
        assert not tree.exists()
        maps = open("/proc/%d/maps" % receiver.process.pid).read()
        assert "model.safetensors (deleted)" in maps
        fds = ["/proc/%d/fd/%s" % (receiver.process.pid, f) for f in os.listdir("/proc/%d/fd" % receiver.process.pid)]
        held = [f for f in fds if os.readlink(f).endswith("model.safetensors (deleted)")]
        assert len(held) == 1 and open(held[0], "rb").read() == HF["model.safetensors"]
        with pytest.raises(OSError):
            os.open(held[0], os.O_WRONLY) if os.geteuid() else (_ for _ in ()).throw(OSError())  # root may write anything


def add_folder(folder):
    for name, data in HF.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def smaps(pid, field):
    total, counts = 0, False
    with open("/proc/%d/smaps" % pid) as lines:
        for line in lines:
            if re.match(r"[0-9a-f]+-", line):
                counts = "model.safetensors" in line
            elif counts and line.startswith(field + ":"):
                total += int(line.split()[1]) << 10
    return total


def test_ten_processes_hold_the_pages_once(ipfs, tmp_path, at):
    cid = add(ipfs, tmp_path / "a", {"model.safetensors": weights(1, 16 * MIB)})
    receivers = []
    try:
        for i in range(10):
            receivers.append(Receiver(at))
            assert dispatch(ipfs, cid, "--name=m")["Source"] == ("store" if i == 0 else "cache")
            assert receivers[-1].line().split()[-1] == str(16 * MIB) and receivers[-1].line() == "closed"
        pids = [r.process.pid for r in receivers]
        assert all(smaps(pid, "Rss") >= 16 * MIB for pid in pids)
        assert sum(smaps(pid, "Pss") for pid in pids) <= 18 * MIB
    finally:
        for r in receivers:
            r.__exit__()


def seals(path):
    with open(path, "rb") as f:
        return fcntl.fcntl(f, 1034)  # F_GET_SEALS


def test_sealed_memory_is_nobodys_to_change(ipfs, tmp_path, at):
    """Not even its receiver's or root's, who have the repo's files as they like."""
    cid, size = add(ipfs, tmp_path / "a", HF), sum(len(v) for v in HF.values())
    configure(ipfs, "shm", socket=at, sealed="true")
    with Receiver(at, 2) as receiver:
        for answer in ("store", "sealed", size), ("cache", "", 0):
            done = dispatch(ipfs, cid, "--name=org/m")
            assert receiver.line() == "org/m %s %d 1 65536 65536 sealed" % (cid, len(HF))
            assert (done["Source"], done["Way"], done["Bytes"], done["Place"], done["Ready"]) == (*answer, str(at), True)
        assert not (ipfs.repo / "materialised").exists() or os.listdir(ipfs.repo / "materialised") == []  # nothing on the disk
        ipfs("pin", "rm", cid)
        ipfs("repo", "gc", "--quiet")
        fds = ["/proc/%d/fd/%s" % (receiver.process.pid, f) for f in os.listdir("/proc/%d/fd" % receiver.process.pid)]
        held = [f for f in fds if "memfd:ipfsa-model" in os.readlink(f)]
        assert len(held) == len(HF)
        assert sorted(open(f, "rb").read() for f in held) == sorted(v if isinstance(v, bytes) else v.encode() for v in HF.values())
        for f in held:
            assert seals(f) == 0xf  # SEAL, SHRINK, GROW, WRITE
            info = open(f.replace("/fd/", "/fdinfo/")).read()
            assert int(re.search(r"flags:\s+([0-7]+)", info)[1], 8) & os.O_ACCMODE == os.O_RDONLY
            again = os.open(f, os.O_RDWR)  # its mode does not forbid that, its seals do
            try:
                for change in (lambda: os.pwrite(again, b"x", 0), lambda: os.ftruncate(again, 1), lambda: os.ftruncate(again, 1 << 20), lambda: mmap.mmap(again, 0),
                               lambda: fcntl.fcntl(again, 1033, 0x10)):
                    with pytest.raises(PermissionError):
                        change()
            finally:
                os.close(again)


def test_sealed_memory_of_a_file_and_of_parts(ipfs, tmp_path, at):
    split = add(ipfs, tmp_path / "b", parts([[("a", (8,), 24)], [("b", (8,), 24)]]))
    configure(ipfs, "shm", socket=at, sealed="true")
    with Receiver(at, 2) as receiver:
        dispatch(ipfs, split, "--name=split")
        assert receiver.line() == "split %s 2 2 0 16 sealed" % split
        dispatch(ipfs, add(ipfs, tmp_path / "a", HF) + "/model.safetensors")
        assert re.match(r"model baf\w+ 1 1 65536 65536 sealed$", receiver.line())
    assert "nobody receives at" in fails(ipfs, split)


def test_a_socket_is_replaced_only_when_nobody_listens(tmp_path, at):
    with Receiver(at, 0):
        pass
    first = Receiver(at)
    done = subprocess.run([DRIVER, str(at), "1"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 1 and "another process receives at" in done.stderr
    assert oct(at.stat().st_mode)[-3:] == "600"
    first.process.kill()
    first.__exit__()
    assert at.exists()
    with Receiver(at, 0):
        pass
    at.write_text("mine")
    done = subprocess.run([DRIVER, str(at), "1"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 1 and "no socket" in done.stderr and at.read_text() == "mine"


# ---- the second time ----

FIRST = {False: ("reflink", "copy"), True: ("sealed",)}
SIZE = sum(len(v) for v in HF.values())


def inodes(receiver):
    """Of the files that the process has open or mapped of models."""
    folder = "/proc/%d/fd/" % receiver.process.pid
    names = [(f, os.readlink(folder + f)) for f in os.listdir(folder)]
    return sorted(os.stat(folder + f).st_ino for f, to in names if "memfd:ipfsa-model" in to or "/materialised/" in to)


def is_whole(done, sealed, size=SIZE):
    return done["Source"] == "store" and done["Bytes"] == size and done["Way"] in FIRST[sealed]


def is_nothing(done):
    return (done["Source"], done["Bytes"], done["Way"], done["Ready"]) == ("cache", 0, "", True)


@pytest.mark.parametrize("sealed", [False, True])
def test_what_a_receiver_holds_is_not_handed_over_again(ipfs, tmp_path, at, sealed):
    cid, other = add(ipfs, tmp_path / "a", HF), add(ipfs, tmp_path / "b", {"model.safetensors": weights(2, 8192)})
    configure(ipfs, "shm", socket=at, sealed=str(sealed).lower())
    end = " sealed" if sealed else ""
    with Receiver(at, 6) as receiver:
        assert is_whole(dispatch(ipfs, cid, "--name=org/m"), sealed)
        assert receiver.line() == "org/m %s %d 1 65536 65536%s" % (cid, len(HF), end)
        held = inodes(receiver)
        assert len(held) == len(HF)
        for name in "org/m", "other":  # it is the content that counts
            assert is_nothing(dispatch(ipfs, cid, "--name=" + name))
            assert receiver.line() == "%s %s %d 1 65536 65536%s" % (name, cid, len(HF), end)
            assert inodes(receiver) == held  # the same memory, and the first one's descriptors were closed
        assert is_nothing(dispatch(ipfs, cid, "--name=third")) and receiver.line().startswith("third")
        assert dispatch(ipfs, other, "--name=org/m")["Source"] == "store" and receiver.line().startswith("org/m " + other)  # the newer one is what it holds now
        assert dispatch(ipfs, cid, "--name=org/m")["Ready"] and receiver.line().startswith("org/m " + cid) and len(inodes(receiver)) == len(HF)
        if sealed:
            assert not set(inodes(receiver)) & set(held)  # nothing held the first memory any more
        assert receiver.line() == "closed"
    with Receiver(at) as receiver:  # started anew
        done = dispatch(ipfs, cid, "--name=org/m")
        assert is_whole(done, True) if sealed else len(inodes(receiver)) == len(HF)
        assert receiver.line().startswith("org/m " + cid)


def test_what_must_be_sealed_is_not_held_unless_it_is(ipfs, tmp_path, at):
    cid = add(ipfs, tmp_path / "a", HF)
    with Receiver(at, 4) as receiver:
        for sealed, is_new in (False, True), (True, True), (True, False), (False, False):
            configure(ipfs, "shm", socket=at, sealed=str(sealed).lower())
            done = dispatch(ipfs, cid, "--name=m")
            assert is_whole(done, sealed) if is_new else is_nothing(done), (sealed, done)
            assert receiver.line().endswith(" sealed") == (sealed or not is_new)


def test_a_file_that_was_written_to_is_not_held(ipfs, tmp_path, at):
    cid = add(ipfs, tmp_path / "a", HF)
    with Receiver(at, 2) as receiver:
        assert is_whole(dispatch(ipfs, cid, "--name=m"), False) and receiver.line().startswith("m " + cid)
        (path,) = (ipfs.repo / "materialised").rglob("model.safetensors")
        path.chmod(0o644)
        with open(path, "r+b") as f:
            f.seek(-1, os.SEEK_END)
            f.write(b"!")
        before = inodes(receiver)
        done = dispatch(ipfs, cid, "--name=m")
        assert done["Ready"] and receiver.line() == "m %s %d 1 65536 65536" % (cid, len(HF))  # the sum is that of the content
        assert inodes(receiver) != before


@pytest.mark.parametrize("sealed", [False, True])
def test_who_is_asked_hears_no_descriptor_and_few_bytes(ipfs, tmp_path, at, sealed):
    """By the text of the protocol: a receiver of another make that can be asked, one that says no, one that hangs up, one that does not know what that is."""
    cid, heads = add(ipfs, tmp_path / "a", HF), []
    configure(ipfs, "shm", socket=at, sealed=str(sealed).lower())

    def take(c, answer):
        assert get(c, 8) == b"IPFSAHND"
        heads.append(json.loads(get(c, struct.unpack(">I", get(c, 4))[0])))
        for file in heads[-1]["files"]:
            os.close(get_fd(c))
        put_text(c, answer)

    def question(c, answer):
        data, n_fds = b"", 0
        while True:
            piece, rights, _, _ = c.recvmsg(65536, socket.CMSG_SPACE(4))
            n_fds += len(rights)
            if not piece:
                break
            data += piece
        assert n_fds == 0 and data[:8] == b"IPFSAHND" and struct.unpack(">I", data[8:12])[0] == len(data) - 12 < 1000
        heads.append(json.loads(data[12:]))
        if answer:
            put_text(c, answer)

    yes, knows = {"ready": True, "tensors": 1}, {"ready": True, "tensors": 1, "asks": True}
    talks = [(take, knows), (question, knows), (question, {"ready": False}), (take, knows), (question, {"error": "hand-over: the other end went away in the middle of it"}),
             (take, yes), (question, None), (take, knows), (question, b"nonsense"), (take, knows)]
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(at))
    s.listen(1)

    def run():
        for talk, answer in talks:
            c, _ = s.accept()
            with c:
                talk(c, answer)

    thread = threading.Thread(target=run)
    thread.start()
    done = [dispatch(ipfs, cid, "--name=m") for _ in range(6)]
    thread.join()
    s.close()
    assert is_whole(done[0], sealed) and is_nothing(done[1]) and all(d["Ready"] for d in done)
    if sealed:
        assert all(is_whole(d, True) for d in done[2:])
    for head, (talk, _) in zip(heads, talks):
        assert head.pop("ask", False) == (talk is question) and head.pop("sealed", None) == (sealed if talk is question else None)
    assert all(head == heads[0] for head in heads) and len(heads) == len(talks)


@pytest.mark.parametrize("sealed", [False, True])
def test_who_does_not_know_the_question_is_never_asked(ipfs, tmp_path, at, sealed):
    cid, n = add(ipfs, tmp_path / "a", HF), 3
    configure(ipfs, "shm", socket=at, sealed=str(sealed).lower())
    for _ in range(n):
        def talk(c):
            assert get(c, 8) == b"IPFSAHND"
            head = json.loads(get(c, struct.unpack(">I", get(c, 4))[0]))
            assert "ask" not in head
            for _ in head["files"]:
                os.close(get_fd(c))
            put_text(c, {"ready": True, "tensors": 1})

        thread = listen(at, talk)
        done = dispatch(ipfs, cid, "--name=m")
        thread.join()
        at.unlink()
        assert done["Ready"] and (not sealed or is_whole(done, True))


def test_a_question_that_is_not_answered_ends_in_time(ipfs, tmp_path, at):
    cid = add(ipfs, tmp_path / "a", HF)
    with Receiver(at) as receiver:
        dispatch(ipfs, cid, "--name=m")
        receiver.line()
        configure(ipfs, "shm", socket=at, timeout="1")
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(at))
    s.listen(4)
    thread = threading.Thread(target=lambda: [s.accept()[0].close() for _ in range(1)])
    thread.start()
    assert "went away" in fails(ipfs, cid, "--name=m")  # not asked: another socket
    thread.join()
    s.close()


def test_senders_that_ask(ipfs, tmp_path, at):
    """What the receiver answers to questions, good and bad."""
    blob = weights(1)
    (tmp_path / "w").write_bytes(blob)
    cid = "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
    head = {"version": 1, "cid": cid, "model": "m", "folder": False, "files": [{"name": "m.safetensors", "size": len(blob)}]}
    ask = {**head, "ask": True, "sealed": False}
    no, yes = {"ready": False}, {"ready": True, "tensors": 1, "asks": True}
    with open(tmp_path / "w", "rb") as good, Receiver(at, 5) as receiver:
        assert bad_sender(at, [b"IPFSAHND", text(ask)]) == no  # nothing yet
        assert bad_sender(at, [b"IPFSAHND", text(head), (b"F", good.fileno())]) == yes
        line = receiver.line()
        assert bad_sender(at, [b"IPFSAHND", text(ask)]) == yes and receiver.line() == line
        for other in {"sealed": True}, {"folder": True}, {"files": [{"name": "n.safetensors", "size": len(blob)}]}, {"files": [{"name": "m.safetensors", "size": 9}]}, \
                {"files": ask["files"] * 2}, {"cid": "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"}:
            assert bad_sender(at, [b"IPFSAHND", text({**ask, **other})]) == no, other
        assert "no files" in bad_sender(at, [b"IPFSAHND", text({**ask, "files": []})])["error"] and receiver.line().startswith("refused: ")
        assert bad_sender(at, [b"IPFSAHND", text({**ask, "ask": "yes"})]) is None or receiver.line().startswith("refused: ")  # no question
        assert bad_sender(at, [b"IPFSAHND", text({**ask, "model": "n"})]) == yes
        assert "n %s 1 1" % cid in receiver.line() + receiver.line()


# ---- a receiver of the test's own, by the text of the protocol ----

def get(c, n):
    data = b""
    while len(data) < n:
        piece = c.recv(n - len(data))
        if not piece:
            break
        data += piece
    return data


def get_fd(c):
    byte, rights, _, _ = c.recvmsg(1, socket.CMSG_SPACE(4))
    fds = array.array("i")
    fds.frombytes(rights[0][2][:4])
    assert byte == b"F" and len(rights) == 1
    return fds[0]


def put_text(c, value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    c.sendall(struct.pack(">I", len(text)) + text)


def listen(at, talk):
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(at))
    s.listen(1)

    def run():
        c, _ = s.accept()
        with c:
            talk(c)
        s.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_the_protocol_as_it_is_written_down(ipfs, tmp_path, at):
    cid, got = add(ipfs, tmp_path / "a", HF), {}

    def talk(c):
        assert get(c, 8) == b"IPFSAHND"
        got["head"] = head = json.loads(get(c, struct.unpack(">I", get(c, 4))[0]))
        for file in head["files"]:
            fd = get_fd(c)
            got[file["name"]] = os.pread(fd, file["size"] + 1, 0)
            os.close(fd)
        put_text(c, {"ready": True, "tensors": 1})

    thread = listen(at, talk)
    assert dispatch(ipfs, cid, "--name=m")["Ready"]
    thread.join()
    head = got.pop("head")
    assert (head["version"], head["cid"], head["model"], head["folder"]) == (1, cid, "m", True)
    assert got == {name: data if isinstance(data, bytes) else data.encode() for name, data in HF.items()}


@pytest.mark.parametrize("talk,words", [
    (lambda c: (get(c, 8), put_text(c, {"error": "no room on the GPU\n"})), "no room on the GPU"),
    (lambda c: get(c, 20), "the other end went away"),
    (lambda c: (get(c, 8), put_text(c, b"nonsense"), get(c, 1 << 20)), "is no JSON"),
    (lambda c: (get(c, 8), c.sendall(b"\xff\xff\xff\xff"), get(c, 1 << 20)), "at most 4194304 are taken"),
    (lambda c: time.sleep(2.5), "did not go on in time"),
])
def test_receivers_that_fail(ipfs, tmp_path, at, talk, words):
    cid = add(ipfs, tmp_path / "a", HF)
    configure(ipfs, "shm", socket=at, timeout="1")
    thread = listen(at, talk)
    assert words in fails(ipfs, cid, "--name=m")
    thread.join()
    assert not [u for u in ipfs("repo", "gc", "--quiet").out.splitlines() if not u.startswith("bafy") and not u.startswith("Qm") and not u.startswith("bafk")]
    assert not (ipfs.repo / "materialised" / cid).exists()  # nothing is held for a receiver that took nothing


def test_ctrl_c_stops_the_waiting(ipfs, tmp_path, at):
    cid = add(ipfs, tmp_path / "a", HF)
    accepted = threading.Event()
    thread = listen(at, lambda c: (get(c, 8), accepted.set(), time.sleep(0.3), get(c, 1 << 24)))
    process = subprocess.Popen([ipfs.program, "dispatch", "--endpoint=gpu", cid], env=ipfs.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert accepted.wait(20)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    thread.join()
    assert process.returncode != 0 and "cancelled" in err or "interrupt" in err.lower(), err


def bad_sender(at, messages):
    """Sends bytes, or (bytes, fd); gives what the receiver answers."""
    with socket.socket(socket.AF_UNIX) as c:
        c.connect(str(at))
        c.settimeout(20)
        try:
            for m in messages:
                if isinstance(m, tuple):
                    c.sendmsg([m[0]], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [m[1]]))])
                else:
                    c.sendall(m)
            c.shutdown(socket.SHUT_WR)
            n = get(c, 4)
            return json.loads(get(c, struct.unpack(">I", n)[0])) if len(n) == 4 else None
        except OSError:
            return None


def text(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return struct.pack(">I", len(data)) + data


def test_senders_that_lie(ipfs, tmp_path, at):
    blob = weights(1)
    (tmp_path / "w").write_bytes(blob)
    cid = "bafkreifzjut3te7nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"
    head = {"version": 1, "cid": cid, "model": "m", "folder": False, "files": [{"name": "m.safetensors", "size": len(blob)}]}
    with open(tmp_path / "w", "rb") as good, open(tmp_path / "w", "r+b") as writable, open("/dev/null", "rb") as null:
        cases = [
            ([b"GET / HT"], "no sender of models"), ([b"IPFSAHND", struct.pack(">I", (4 << 20) + 1)], "at most 4194304"), ([b"IPFSAHND", text(b"{")], "is no JSON"),
            ([b"IPFSAHND", text({**head, "version": 2})], "expected version 1"), ([b"IPFSAHND", text({**head, "cid": "x"})], "no CID"),
            ([b"IPFSAHND", text({**head, "files": []})], "no files"), ([b"IPFSAHND", text({**head, "files": [{"name": "x"}]})], "no name or no size"),
            ([b"IPFSAHND", text({**head, "files": [{"name": "x", "size": 1}] * 4097})], "at most 4096"),
            ([b"IPFSAHND", text({**head, "files": [{"name": "x", "size": -1}]})], "no name or no size"),
            ([b"IPFSAHND", text(head), b"F"], "there is none"), ([b"IPFSAHND", text(head), (b"G", good.fileno())], "there is none"),
            ([b"IPFSAHND", text(head), (b"F", null.fileno())], "is no file of"),
            ([b"IPFSAHND", text({**head, "files": [{"name": "x", "size": len(blob) + 1}]}), (b"F", good.fileno())], "is no file of"),
            ([b"IPFSAHND", text({**head, "folder": True, "files": [{"name": "../x", "size": len(blob)}]}), (b"F", good.fileno())], "no checkpoint"),
            ([b"IPFSAHND", text(head), (b"F", writable.fileno())], "is open for more than reading"),
            ([b"IPFSAHND", text(head)], "went away in the middle"), ([b"IPF"], "went away in the middle"),
        ]
        with Receiver(at, len(cases) + 1) as receiver:
            for messages, words in cases:
                answer = bad_sender(at, messages)
                line = receiver.line()
                assert line.startswith("refused: ") and words in line, (words, line)
                assert answer is None or words in answer["error"], (words, answer)
            assert len([f for f in os.listdir("/proc/%d/fd" % receiver.process.pid)]) <= 5  # nothing of theirs is kept
            assert bad_sender(at, [b"IPFSAHND", text(head), (b"F", good.fileno())]) == {"ready": True, "tensors": 1, "asks": True}
            assert receiver.line() == "m %s 1 1 65536 65536" % cid
