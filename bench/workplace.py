"""Where a run happens: the programs, the input files, one folder that is removed at the end."""
import os
import subprocess

import settings
from aside import put_aside, spread
from kubo import Kubo
from ours import Ours


class Workplace:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.tools = program.parent / "bench"
        spread(folder)
        mark = folder.name[-4:]  # other names are other places
        self.ours = Ours(program, folder / ("ours-" + mark))
        kubo = settings.PEERS / "ipfs"
        self.kubo = Kubo(kubo, folder / ("kubo-" + mark)) if kubo.exists() else None
        self.kubo_synced = Kubo(kubo, folder / ("kubo-synced-" + mark), sync=True) if kubo.exists() else None
        self.target = folder / ("target-" + mark)
        if not self.kubo:
            print("skipped: real Kubo is missing (tools/install-peers), so there is nobody to stand beside")

    def file(self, mib, number=0):
        """A file of random bytes, made once for each size and number."""
        path = self.folder / ("file-%d-%d" % (mib, number))
        if not path.exists():
            with open(path, "wb") as out:
                for at in range(0, mib, 4):
                    out.write(os.urandom(min(4, mib - at) << 20))
            os.sync()
        return path

    def many(self, count, number=0):
        """A folder of files of 4 KiB, a thousand in each of its own folders."""
        path = self.folder / ("many-%d-%d-%s" % (count, number, self.folder.name[-4:]))
        if not path.exists():
            for i in range(count):
                inner = path / ("%03d" % (i // 1000))
                if i % 1000 == 0:
                    inner.mkdir(parents=True)
                (inner / ("%06d" % i)).write_bytes(os.urandom(4096))
            os.sync()
        return path

    def clear(self):
        """Takes away what the last run wrote."""
        put_aside(self.target)

    def forget(self, *paths):
        for path in paths:
            put_aside(path)

    def text(self, command, env=None):
        done = subprocess.run([str(word) for word in command], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit("%s failed: %s" % (" ".join(map(str, command)), done.stderr))
        return done.stdout
