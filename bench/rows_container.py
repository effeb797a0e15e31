"""What starting a container costs, beside the engine's own program, on an engine made for this."""
import sys

import settings
from recorder import Contender

sys.path.insert(0, str(settings.ROOT / "tests/integration"))
import engines  # noqa: E402

RUNS = 11
# The same safe defaults, said to the engine's program one by one.
SAFE = ["--init", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--pids-limit=512", "--user=1000:1000", "--tmpfs=/tmp", "--tmpfs=/run"]


def measure(place, recorder):
    try:
        with engines.docker() as engine:
            run(place, recorder, engine)
    except engines.Unavailable as why:
        recorder.skip("container start", str(why))


def run(place, recorder, engine):
    env = {**place.ours.env, "DOCKER_HOST": engine.host}
    words = ["sleep", "600"]
    recorder.row("container start", [
        Contender("ours", place.ours.command("container", "start", "bench", engines.IMAGE, "--", *words), env, before=engine.remove_all),
        Contender("docker run -d", ["docker", "run", "-d", "--name", "bench", *SAFE, engines.IMAGE, *words], env, before=engine.remove_all)], runs=RUNS)
