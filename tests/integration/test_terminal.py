"""What a person sees on a terminal and a script does not: progress; and how the program ends when it is stopped."""
import hashlib
import os
import pty
import select
import signal
import subprocess
import time

import pytest

from conftest import Ipfs

CONTENT = hashlib.shake_128(b"terminal").digest(3 << 20)


def on_terminal(node, args, out, stdin=None, feed=None):
    """Runs with standard error on a terminal, and standard output as well where out is None: (exit code, what it showed there). feed: called with the process and what was shown so far."""
    own, theirs = pty.openpty()
    process = subprocess.Popen([node.program, *map(str, args)], cwd=node.cwd, env=node.env, stdin=stdin or subprocess.DEVNULL, stdout=theirs if out is None else out, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        if feed:
            feed(process, shown)
        ready, _, _ = select.select([own], [], [], 0.05)
        if not ready:
            continue
        try:
            piece = os.read(own, 65536)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(own)
    return process.wait(timeout=60), shown.decode(errors="replace")


@pytest.fixture
def stocked(ipfs, tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    cid = ipfs.text("add", "-Q", "file")
    (tmp_path / "file.car").write_bytes(ipfs("dag", "export", cid).out_bytes)
    return ipfs, cid


LONG = {
    "add": (["add", "-Q", "file"], ["add ", "B/s"]),
    "cat": (["cat", "CID"], ["cat ", " / 3.1 MB", "%", "B/s"]),
    "get": (["get", "-o", "out", "CID"], ["get ", "B/s"]),
    "dag export": (["dag", "export", "CID"], ["export ", "B/s"]),
    "dag import": (["dag", "import", "file.car"], ["import ", "B/s"]),
    "pin add": (["pin", "add", "CID"], ["pin "]),
    "repo gc": (["repo", "gc"], ["gc ", " blocks"]),
    "repo verify": (["repo", "verify"], ["verify ", " / 3.1 MB", "%"]),
    "pin verify": (["pin", "verify"], ["verified ", " blocks"]),
    "dag stat": (["dag", "stat", "CID"], ["counted ", "B/s"]),
}


@pytest.mark.parametrize("verb", LONG)
def test_progress_on_a_terminal_and_none_elsewhere(stocked, tmp_path, verb):
    ipfs, cid = stocked
    args, wanted = LONG[verb]
    args = [cid if a == "CID" else a for a in args]
    with open(tmp_path / "shown", "wb") as out:
        code, shown = on_terminal(ipfs, args, out)
    assert code == 0, shown
    for word in wanted:
        assert word in shown, (word, shown)
    assert shown.endswith("\r\033[K"), "the line is not taken away at the end"
    piped = ipfs(*(["get", "-o", "out2", cid] if verb == "get" else args))
    assert piped.err == ""


def test_progress_can_be_turned_off(stocked, tmp_path):
    ipfs, cid = stocked
    with open(tmp_path / "shown", "wb") as out:
        for args in (["add", "--progress=false", "file"], ["cat", "--progress=false", cid], ["dag", "export", "--progress=false", cid]):
            assert on_terminal(ipfs, args, out) == (0, "")


def test_time_left_is_told(ipfs, tmp_path):
    """A file whose end does not come before half of it was told: a reader that takes nothing for a while holds cat up."""
    (tmp_path / "file").write_bytes(CONTENT)
    cid = ipfs.text("add", "-Q", "file")
    read_end, write_end = os.pipe()
    taken = [0]

    def drain(process, shown):
        if b"left" not in shown and taken[0] < 1 << 20:
            taken[0] += len(os.read(read_end, 4096))
        else:
            while select.select([read_end], [], [], 0)[0]:
                piece = os.read(read_end, 1 << 16)
                taken[0] += len(piece)
                if not piece:
                    break

    process_out = os.fdopen(write_end, "wb", buffering=0)
    try:
        code, shown = on_terminal(ipfs, ["cat", cid], process_out, feed=lambda p, s: (process_out.close() if not process_out.closed else None, drain(p, s)))
    finally:
        os.close(read_end)
    assert code == 0 and " left" in shown, shown


def held_add(node):
    """An add that waits for its standard input, once it has begun."""
    process = subprocess.Popen([node.program, "add", "-q"], cwd=node.cwd, env=node.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(CONTENT)
    process.stdin.flush()  # more than a pipe holds: who wrote it all knows that it is being read
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(ipfs, number):
    process = held_add(ipfs)
    process.send_signal(number)
    process.stdin.close()
    out, err = process.stdout.read(), process.stderr.read()
    assert process.wait(timeout=30) == 1 and out == b"" and err == b"Error: cancelled\n"
    assert ipfs.text("repo", "verify") == "verify complete, all blocks validated."
    assert ipfs.text("add", "-q", stdin=CONTENT)


def test_told_twice_at_once_and_then_again(ipfs):
    """timeout(1) signals its command and the command's group: two signals, one wish, which ends in order. Who insists later is obeyed at once."""
    process = held_add(ipfs)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGINT)  # another number: the kernel delivers both
    time.sleep(0.05)
    process.stdin.close()
    out, err = process.stdout.read(), process.stderr.read()
    assert process.wait(timeout=30) == 1 and out == b"" and err == b"Error: cancelled\n"
    process = held_add(ipfs)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 1 and process.stderr.read() == b""
    process.stdin.close()
    assert ipfs.text("repo", "verify") == "verify complete, all blocks validated."


def test_timed_out(ipfs):
    process = subprocess.Popen([ipfs.program, "--timeout=300ms", "add", "-q"], env=ipfs.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.wait(timeout=60) == 1
    assert process.stdout.read() == b"" and process.stderr.read() == b"Error: timed out\n"
    process.stdin.close()


def test_a_reader_that_goes_away(stocked, program):
    ipfs, cid = stocked
    done = subprocess.run(["bash", "-c", '"$0" cat %s | head -c 1 >/dev/null; echo ${PIPESTATUS[0]}' % cid, program], env=ipfs.env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    assert done.stdout == "141\n" and done.stderr == ""


def test_a_full_output_is_an_error(stocked, program):
    ipfs, cid = stocked
    done = subprocess.run(["bash", "-c", '"$0" cat %s >/dev/full' % cid, program], env=ipfs.env, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stderr == "Error: write to standard output: No space left on device\n"


def test_add_makes_a_repo_and_says_so(program, tmp_path):
    node = Ipfs(program, tmp_path / "new", cwd=tmp_path)
    done = node("add", "-q", stdin=b"hello\n")
    assert done.err == "made a new repo at %s\n" % (tmp_path / "new")
    assert node("add", "-q", stdin=b"hello\n").err == ""


def test_the_repo_of_another_program_is_left_alone(kubo, program):
    before = {p: p.stat().st_mtime_ns for p in kubo.repo.rglob("*")}
    ours = Ipfs(program, kubo.repo)
    for args in (["add", "-q"], ["init"], ["repo", "stat"], ["config", "import.cid_version", "1"]):
        done = ours(*args, check=False, stdin=b"x")
        assert done.code == 1 and ("Kubo" in done.err or "another program" in done.err), (args, done.err)
    assert {p: p.stat().st_mtime_ns for p in kubo.repo.rglob("*")} == before
