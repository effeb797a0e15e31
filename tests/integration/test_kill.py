"""kill -9 in a loop against the real program: what it acknowledged is there, and whole, at the next start."""
import hashlib
import os
import random
import signal
import subprocess
import time

import pytest

from conftest import seed, soak_seconds

LONGEST_LIFE = 0.06  # seconds until the kill; a command takes about 5 to 50 ms


class Model:
    """What must be true: pinned CIDs with the digest of their content, and the files of `files`. A command that was killed may have
    happened or not: its CID is then in doubt until the next acknowledged command on it."""

    def __init__(self):
        self.pinned, self.in_doubt, self.files, self.files_in_doubt = {}, set(), {}, set()


def run_and_kill(ipfs, *args):
    """(done, stdout) of a command that is killed after a random time unless it ended before."""
    process = subprocess.Popen([ipfs.program, *map(str, args)], cwd=ipfs.cwd, env=ipfs.env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(timeout=random.random() * LONGEST_LIFE)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
        return False, ""
    assert process.returncode in (0, 1), (args, process.returncode, err)
    return process.returncode == 0, out.decode().strip()


def content(n):
    return hashlib.shake_128(b"kill %d" % n).digest(random.Random(n).choice([0, 1, 1000, 70000, 600000]))


def step(ipfs, model, tmp_path, has_files):
    n = random.randrange(12)
    data = content(n)
    path = tmp_path / ("in%d" % n)
    path.write_bytes(data)
    act = random.choice(["add", "add", "rm", "gc", "pin", "files"] if has_files else ["add", "add", "rm", "gc", "pin"])
    if act == "add":
        done, out = run_and_kill(ipfs, "add", "-Q", path)
        if done:
            assert out
            model.pinned[out] = data
            model.in_doubt.discard(out)
    elif act == "rm" and model.pinned:
        cid = random.choice(sorted(model.pinned))
        done, _ = run_and_kill(ipfs, "pin", "rm", cid)
        data = model.pinned.pop(cid)
        if not done:
            model.in_doubt.add(cid)
    elif act == "gc":
        run_and_kill(ipfs, "repo", "gc", "-q")
    elif act == "pin" and model.pinned:
        run_and_kill(ipfs, "pin", "add", "--name=n%d" % n, random.choice(sorted(model.pinned)))
    elif act == "files":
        name = "/f%d" % n
        model.files_in_doubt.add(name)
        done, _ = run_and_kill(ipfs, "files", "write", "--create", "--truncate", name, path)
        if done:
            model.files_in_doubt.discard(name)
            model.files[name] = data


def check(ipfs, model, contents):
    done = ipfs("repo", "verify")
    assert "all blocks validated" in done.out
    assert ipfs("pin", "verify").out == ""
    listed = set(ipfs.text("pin", "ls", "--type=recursive", "-q").split())
    missing = set(model.pinned) - listed
    assert not missing, missing
    assert not (set(model.in_doubt) & set(model.pinned))
    for cid, data in contents:
        assert ipfs("cat", cid).out_bytes == data
    for name, data in model.files.items():
        if name not in model.files_in_doubt:
            assert ipfs("files", "read", name).out_bytes == data


def test_what_was_acknowledged_survives(ipfs, tmp_path):
    for verb in ("add", "cat"):
        if ipfs(verb, "--help", check=False).code != 0:
            pytest.skip("skipped: this build has no verb %s" % verb)
    has_files = ipfs("files", "write", "--help", check=False).code == 0
    random.seed(seed())
    model, steps = Model(), 0
    end = time.monotonic() + soak_seconds(12)
    while time.monotonic() < end:
        for _ in range(8):
            step(ipfs, model, tmp_path, has_files)
            steps += 1
        some = random.sample(sorted(model.pinned.items()), min(3, len(model.pinned)))
        check(ipfs, model, some)
    check(ipfs, model, sorted(model.pinned.items()))
    assert steps > 20
    print("%d commands, %d pins at the end" % (steps, len(model.pinned)))


def test_a_lock_left_behind_does_not_block(ipfs, tmp_path):
    """kubo#8725: kill -9, start again at once."""
    (tmp_path / "big").write_bytes(os.urandom(1 << 20))
    for verb in ("add", "repo gc"):
        args = verb.split() + ([tmp_path / "big"] if verb == "add" else [])
        if ipfs(*verb.split(), "--help", check=False).code != 0:
            pytest.skip("skipped: this build has no verb %s" % verb)
        process = subprocess.Popen([ipfs.program, *map(str, args)], env=ipfs.env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(0.004)
        process.kill()
        process.wait()
        assert ipfs("repo", "gc", "-q", "--lock-timeout=1s").code == 0
