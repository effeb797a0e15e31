"""Real Kubo over a repo of its own, without a daemon; with its default settings, or asked to sync what it writes."""
import json

from aside import put_aside
from ours import Ours


class Kubo(Ours):
    verb = "ipfs"

    def __init__(self, program, repo, sync=False):
        super().__init__(program, repo)
        self.sync = sync
        self.name = "Kubo, synced" if sync else "Kubo"

    def fresh(self):
        put_aside(self.repo)
        self.text("init", "--empty-repo")
        self.configure()
        if self.sync:
            self.ask_to_sync()

    def ask_to_sync(self):
        path = self.repo / "config"
        config = json.loads(path.read_text())
        config["Datastore"]["Spec"]["mounts"][0]["sync"] = True
        path.write_text(json.dumps(config))

    def data(self):
        return self.repo / "blocks"
