"""The example of every command's help is run as it stands, in a folder that has what it speaks of."""
import os
import re
import shutil
import subprocess

import pytest

from conftest import PROGRAM, Ipfs
from engines import IMAGE


# The one command of an example that needs another program: run in a test of its own, with one.
COMMANDS_ELSEWHERE = {"ipfs-accelerate marketplace 127.0.0.1:5000/team/model:v2 --json | jq .digest"}


def verbs():
    if not PROGRAM.exists():
        return []
    listed = subprocess.run([PROGRAM, "commands"], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[1:]
    return [line.split(" ", 1)[1] for line in listed]


def examples(verb):
    text = subprocess.run([PROGRAM, *verb.split(), "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
    block = text.partition("\nEXAMPLE\n\n")[2].partition("\nSUBCOMMANDS")[0]
    lines = [line.strip() for line in block.splitlines()]
    return [line.removeprefix("> ") for line in lines if re.match(r"> |ipfs(-accelerate)? |echo ", line)]


@pytest.fixture(scope="module")
def furnished(tmp_path_factory, program):
    work = tmp_path_factory.mktemp("examples") / "furnished"
    (work / "bin").mkdir(parents=True)
    for name in ("ipfs", "ipfs-accelerate"):
        (work / "bin" / name).symlink_to(program)
    (work / "model").mkdir()
    (work / "model/config.json").write_text('{"layers": 2, "model": "small", "hidden": 64}\n' * 8)
    (work / "weights.safetensors").write_bytes(bytes(3 << 20))
    header = b'{"__metadata__":{"format":"pt"},"w":{"dtype":"F16","shape":[2,8],"data_offsets":[0,32]}}'
    (work / "model/tiny.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(32))
    shutil.copy(work / "model/tiny.safetensors", work / "tiny.safetensors")
    (work / "new.toml").write_text("[import]\ncid_version = 1\n")
    (work / "hello").write_text("hello\n")
    (work / "encoded").write_text("uaGVsbG8K")
    node = Ipfs(program, work / "repo", cwd=work)
    node("init")
    node("config", "--bool", "filestore.enabled", "true")
    node("add", "--nocopy", "weights.safetensors")
    node("add", "hello")
    names = {"bafybei…/": node.text("add", "-rQ", "--cid-version=1", "model") + "/", "bafybei…": node.text("add", "-rQ", "--cid-version=1", "model"),
             "bafkrei…": node.text("block", "put", "hello"), "QmOldRoot": node.text("add", "-Q", "hello"), "QmNewRoot": node.text("add", "-rQ", "--pin=false", "model"),
             "bafyrei…": node.text("dag", "put", stdin=b'{"model":[1,2]}'), "EDITOR=vi": "EDITOR=true"}
    node("alias", "set", "team/model", names["bafybei…"])
    (work / "served").mkdir()
    node("config", "endpoints.local.kind", "path")
    node("config", "endpoints.local.model_dir", str(work / "served"))
    for command in (["mkdir", "-p", "/models/old"], ["mkdir", "-p", "/models/new"], ["cp", "/ipfs/" + names["bafybei…/"] + "config.json", "/models/config.json"]):
        node("files", *command)
    node("files", "write", "--create", "--parents", "/notes/hello.txt", "hello")
    (work / "model.car").write_bytes(node("dag", "export", names["bafybei…"]).out_bytes)
    return work, names


ENGINE = ("container", "image", "volume", "network", "tunnel")  # groups whose verbs speak to a container engine
ENDLESS = ("container events", "container logs", "container watch")  # until an interrupt
ELSEWHERE = {"image pull": "it needs a registry", "container start-ipfs": "it needs the image of Kubo; test_containers.py has one of its own",
             "container serve": "it needs the image of a server; test_serve.py has small ones"}


def furnish_engine(engine, ipfs, verb):
    """A real engine with what the examples speak of."""
    engine.remove_all()
    for repo in ("busybox", "ipfs/kubo"):
        assert engine.call("POST", "/images/%s/tag?repo=%s&tag=latest" % (IMAGE, repo))[0] == 201
    if verb not in ("container start", "image rm"):
        ipfs("container", "start", "web", "busybox", "--", "sleep", "600")
    if verb == "container rm":
        ipfs("container", "stop", "--time=1", "web")
    if verb in ("volume rm", "network rm"):
        ipfs(verb.split()[0], "create", "models" if verb == "volume rm" else "inference")
    if verb == "tunnel rm":
        ipfs("tunnel", "create", "web", "0:80")


@pytest.fixture
def engine(request):
    """For the verbs that need one: they are cleared away afterwards."""
    verb = request.node.callspec.params["verb"]
    if verb in ELSEWHERE:
        pytest.skip("skipped: " + ELSEWHERE[verb])
    if verb.split()[0] not in ENGINE or " " not in verb:
        yield None
        return
    engine = request.getfixturevalue("docker_engine")
    yield engine
    engine.remove_all()


@pytest.mark.parametrize("verb", verbs())
def test_the_example_does_what_it_says(furnished, tmp_path, engine, verb):
    source, names = furnished
    commands = examples(verb)
    if not commands:
        assert "SUBCOMMANDS" in subprocess.run([PROGRAM, *verb.split(), "--help"], stdout=subprocess.PIPE, text=True).stdout, "no example"
        return
    for i, command in enumerate(commands):
        work = tmp_path / str(i)
        shutil.copytree(source, work, symlinks=True)
        if verb == "init":
            shutil.rmtree(work / "repo")
        if verb == "get":
            shutil.rmtree(work / "model")
        if verb == "files cp":
            command = command.replace("/models/llama", "/models/other")
        if command in COMMANDS_ELSEWHERE:
            continue
        for name, real in names.items():
            command = command.replace(name, real)
        assert "…" not in command, "%s: the test knows no such thing" % command
        (work / "run").mkdir(mode=0o700)
        env = {**os.environ, "PATH": "%s:%s" % (work / "bin", os.environ["PATH"]), "IPFSA_PATH": str(work / "repo"), "LC_ALL": "C.UTF-8",
               "XDG_RUNTIME_DIR": str(work / "run")}
        command = command.replace("8080:", "0:")  # whatever else runs on this machine
        if engine:
            env["DOCKER_HOST"] = engine.host
            furnish_engine(engine, Ipfs(PROGRAM, work / "repo", env=env), verb)
        if verb in ENDLESS:
            command = "timeout --foreground --preserve-status --signal=INT 3 " + command
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=work, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60)
        for tunnel in (work / "run").glob("ipfs-accelerate/tunnels/*.tunnel"):
            subprocess.run([PROGRAM, "tunnel", "rm", tunnel.stem], env=env, stderr=subprocess.DEVNULL)
        assert done.returncode == 0, "%s: %s" % (command, done.stderr)
