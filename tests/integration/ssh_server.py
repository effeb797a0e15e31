"""A real sshd for tests: own configuration, own host key, own port on 127.0.0.1, login by a key made for it. Nothing of the machine's ssh is read or changed:
`folder/bin`, first in PATH, holds an `ssh` that is the real one with a configuration of its own (ssh looks for ~/.ssh by the user database, not by $HOME)."""
import getpass
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from engines import free_port, missing, tail, wait_until

SSHD = shutil.which("sshd", path="%s:/usr/sbin:/sbin" % os.environ.get("PATH", ""))
MARK = "IPFSA_TEST_SSHD"  # in the environment of what runs on the far side: its folder
PRIVILEGE_FOLDER = pathlib.Path("/run/sshd")  # sshd's own start-up makes it, and root's sshd does not run without


def make_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return pathlib.Path("%s.pub" % path).read_text()


def parents():
    """pid → (parent, command) of all that lives."""
    found = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if words[0] not in "ZX":
                found[int(entry.name)] = (int(words[1]), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            pass
    return found


def is_marked(pid, folder):
    try:
        return ("%s=%s" % (MARK, folder)).encode() in pathlib.Path("/proc/%d/environ" % pid).read_bytes()
    except OSError:
        return False


class Sshd:
    def __init__(self, folder):
        self.folder, self.port, self.process = folder, free_port(), None
        self.user = getpass.getuser()
        self.made_privilege_folder = False
        self.path = os.environ["PATH"]
        self.host_key = make_key(folder / "host_key")
        (folder / "authorized_keys").write_text(make_key(folder / "key"))
        (folder / "far").mkdir()
        self.known = folder / "known_hosts"
        self.know()
        (folder / "config").write_text("UserKnownHostsFile %s\nGlobalKnownHostsFile /dev/null\nIdentityFile %s\nIdentitiesOnly yes\nIdentityAgent none\n" % (self.known, folder / "key"))
        (folder / "bin").mkdir()
        (folder / "bin/ssh").write_text('#!/bin/sh\nexec %s -F %s "$@"\n' % (shutil.which("ssh"), folder / "config"))
        (folder / "bin/ssh").chmod(0o755)

    def know(self, key=None):
        self.known.write_text("[127.0.0.1]:%d %s" % (self.port, key or self.host_key))

    def env(self, **more):
        """Of a program that shall find the server."""
        return {"PATH": "%s:%s" % (self.folder / "bin", os.environ["PATH"]), **more}

    def url(self, path="", user=None):
        return "ssh://%s@127.0.0.1:%d%s" % (user or self.user, self.port, path)

    def start(self, path=None, **far_environment):
        """path: where programs of the far side are looked for."""
        # HOME: a login shell of the far side reads files there, and those of this machine's user may do anything.
        variables = {"PATH": path or self.path, "HOME": str(self.folder / "far"), MARK: str(self.folder), **far_environment}
        (self.folder / "sshd_config").write_text(
            "Port %d\nListenAddress 127.0.0.1\nHostKey %s\nPidFile %s\nAuthorizedKeysFile %s\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
            "KbdInteractiveAuthentication no\nPermitUserRC no\nPermitRootLogin prohibit-password\nMaxStartups 500\nLoginGraceTime 30\nSetEnv %s\n" %
            (self.port, self.folder / "host_key", self.folder / "pid", self.folder / "authorized_keys", " ".join('"%s=%s"' % v for v in variables.items())))
        if os.geteuid() == 0 and not PRIVILEGE_FOLDER.exists():
            PRIVILEGE_FOLDER.mkdir(mode=0o755)
            self.made_privilege_folder = True
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)
        return wait_until(lambda: self.process.poll() is not None or self.listens(), 20, 0.02) and self.process.poll() is None

    def listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        except OSError:
            return False

    def far_processes(self):
        """All that lives below the server, a connection's own sshd and what it runs, and what it ran and left."""
        server = {self.process.pid} if self.process else set()
        all_of_them, found = parents(), set(server)
        grew = True
        while grew:
            more = {pid for pid, (parent, _) in all_of_them.items() if parent in found} - found
            grew, found = bool(more), found | more
        found |= {pid for pid in all_of_them if is_marked(pid, self.folder)}
        return {pid: all_of_them[pid][1] for pid in found - server}

    def near_processes(self):
        """The ssh of all programs that found this server."""
        return {pid: command for pid, (_, command) in parents().items() if "-F %s " % (self.folder / "config") in command}

    def is_left_alone(self, seconds=10):
        return wait_until(lambda: not self.far_processes() and not self.near_processes(), seconds, 0.05)

    def end(self):
        """The server and every connection of it: as when the machine goes down."""
        if self.process:
            for pid in [*self.far_processes(), self.process.pid]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
        self.process = None

    def remove(self):
        self.end()
        if self.made_privilege_folder:
            PRIVILEGE_FOLDER.rmdir()


@pytest.fixture
def sshd():
    lacking = missing("ssh", "ssh-keygen") + ([] if SSHD else ["sshd"])
    if lacking:
        pytest.skip("skipped: %s missing: run tools/install-deps test" % ", ".join(lacking))
    folder = pathlib.Path(tempfile.mkdtemp(prefix="ipfsa-sshd-", dir="/var/tmp"))
    server = Sshd(folder)
    try:
        if not server.start():
            pytest.skip("skipped: sshd does not run here: " + tail(folder / "log"))
        yield server
    finally:
        server.remove()
        shutil.rmtree(folder, ignore_errors=True)
