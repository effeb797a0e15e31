"""Our program over a repo of its own."""
import os
import subprocess

from aside import put_aside


class Ours:
    name = "ours"
    verb = "ipfs-accelerate"
    base = ["--cid-version=1", "-Q"]  # Kubo's newest defaults are not the point; both get the same

    def __init__(self, program, repo):
        self.program, self.repo = str(program), repo
        self.env = {**os.environ, "IPFSA_PATH": str(repo), "IPFS_PATH": str(repo), "LC_ALL": "C.UTF-8"}

    def fresh(self):
        put_aside(self.repo)
        self.text("init")
        self.configure()

    def configure(self):
        self.text("config", "Experimental.FilestoreEnabled", "true", "--json")

    def command(self, *args):
        return [self.program, *map(str, args)]

    def text(self, *args):
        done = subprocess.run(self.command(*args), env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit("%s %s failed: %s" % (self.verb, " ".join(map(str, args)), done.stderr))
        return done.stdout.strip()

    def data(self):
        """The folder whose pages a warm run has in memory."""
        return self.repo / "packs"

    def version(self):
        return self.text("version")
