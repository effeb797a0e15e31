"""Containers on real engines, through the program: what is said, what the engine then holds, and what is left behind."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.request

import pytest

from conftest import ROOT, Ipfs
from engines import IMAGE, wait_until
from test_terminal import on_terminal


@pytest.fixture(params=["docker", "podman"])
def engine(request):
    return request.getfixturevalue(request.param + "_engine")


def program_for(engine, program, tmp_path):
    return Ipfs(program, tmp_path / "repo", cwd=tmp_path, env={"DOCKER_HOST": engine.host, "DOCKER_CONFIG": str(tmp_path / "docker")})


@pytest.fixture
def box(engine, program, tmp_path):
    """The program, set to a real engine that is empty afterwards."""
    ipfs = program_for(engine, program, tmp_path)
    ipfs.engine = engine
    yield ipfs
    engine.remove_all()


@pytest.fixture
def docker_box(docker_engine, program, tmp_path):
    ipfs = program_for(docker_engine, program, tmp_path)
    ipfs.engine = docker_engine
    yield ipfs
    docker_engine.remove_all()


def rows(done):
    return [json.loads(line) for line in done.out.splitlines()]


def sleeper(box, name="sleeper", *options):
    return box("container", "start", name, IMAGE, "--json", *options, "--", "sleep", "600")


def test_start_stop_restart_remove(box):
    made = rows(sleeper(box))[0]
    assert made["Name"] == "sleeper" and made["State"] == "running" and made["Changed"] and made["Ours"]
    assert not rows(sleeper(box))[0]["Changed"]
    assert [c["Name"] for c in rows(box("container", "ls", "--json"))] == ["sleeper"]
    assert rows(box("container", "stop", "sleeper", "--json"))[0]["Changed"]
    assert not rows(box("container", "stop", "sleeper", "--json"))[0]["Changed"]
    assert rows(box("container", "ls", "--json")) == []
    assert rows(box("container", "ls", "--all", "--json"))[0]["State"] == "exited"
    assert rows(box("container", "start", "sleeper", "--json"))[0]["Changed"]
    box("container", "restart", "sleeper", "--time=1")
    assert rows(box("container", "ls", "--json"))[0]["State"] == "running"
    done = box("container", "rm", "sleeper", check=False)
    assert done.code == 1 and "--force" in done.err
    done = box("container", "rm", "--force", "gone", "sleeper", check=False)  # one that fails does not keep the others
    assert done.code == 1 and "container gone" in done.err and done.out == "sleeper removed\n"
    assert rows(box("container", "ls", "--all", "--json")) == []
    done = box("container", "rm", "sleeper", check=False)
    assert done.code == 1 and "none of this name" in done.err


def test_which_engine(box):
    row = rows(box("container", "engine", "--json"))[0]
    assert row["Address"] == box.engine.host and row["FoundIn"] == "DOCKER_HOST" and row["Podman"] == (box.engine.kind == "podman")
    assert row["ApiVersion"].startswith("1.") and row["Version"] and row["Os"] == "linux"


def test_options_need_an_image(box):
    sleeper(box)
    done = box("container", "start", "sleeper", "--env=A=b", check=False)
    assert done.code == 1 and "name its image" in done.err


def test_safe_defaults_reach_the_engine(box):
    sleeper(box, "safe", "--memory=64m", "--cpus=0.5")
    made = json.loads(box("container", "inspect", "safe").out)
    host = made["HostConfig"]
    assert host["ReadonlyRootfs"] and host["Init"] and not host["Privileged"]
    assert host["PidsLimit"] == 512 and host["Memory"] == 64 << 20 and host["NanoCpus"] == 500000000 and host["ShmSize"] == 64 << 20
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert made["Config"]["User"] == "1000:1000"
    status = box.text("container", "exec", "safe", "--", "cat", "/proc/self/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) == 0 and int(fields["CapBnd"], 16) == 0 and fields["NoNewPrivs"] == "1" and fields["Uid"].split()[0] == "1000"
    assert box("container", "exec", "safe", "touch", "/x", check=False).code == 1
    box("container", "exec", "safe", "touch", "/tmp/x")


def test_exec_passes_input_output_and_exit_code(box):
    sleeper(box)
    done = box("container", "exec", "sleeper", "--", "sh", "-c", "echo out; echo err >&2; exit 7", check=False)
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")
    data = os.urandom(300000)
    done = box("container", "exec", "-i", "sleeper", "cat", stdin=data)
    assert done.out_bytes == data
    assert box.text("container", "exec", "-i", "sleeper", "--", "wc", "-c", stdin=data) == "300000"
    assert box.text("container", "exec", "-e", "GREETING=hello", "-w", "/tmp", "sleeper", "--", "sh", "-c", "echo $GREETING $PWD") == "hello /tmp"
    assert box("container", "exec", "sleeper", "no-such-program", check=False).code in (126, 127)
    done = box("container", "exec", "--json", "sleeper", "--", "sh", "-c", r"printf 'a\nb\377'; seq 20000 | tr '\n' ' ' >&2; exit 7", check=False)
    said = rows(done)
    assert done.code == 7 and done.err == "" and said[-1] == {"ExitCode": 7}
    assert [(s["Line"], s["Whole"]) for s in said if s.get("Stream") == "stdout"] == [("a", True), ("b\ufffd", False)]
    long = [s for s in said if s.get("Stream") == "stderr"]
    assert len(long) > 5 and "".join(s["Line"] for s in long) == "".join("%d " % i for i in range(1, 20001)) and not any(s["Whole"] for s in long)
    box("container", "stop", "--time=1", "sleeper")
    done = box("container", "exec", "sleeper", "true", check=False)
    assert done.code == 1 and "does not run" in done.err


def test_logs(box):
    before = time.time()
    box("container", "start", "talker", IMAGE, "--wait=log:^line 3$", "--", "sh", "-c", "for i in 1 2 3; do echo line $i; done; echo oops >&2; sleep 0.3; echo end")
    done = box("container", "logs", "--follow", "talker")
    assert done.out == "line 1\nline 2\nline 3\nend\n" and done.err == "oops\n"
    assert box("container", "logs", "--tail=1", "talker").out == "end\n"
    stamped = box("container", "logs", "--timestamps", "--tail=1", "talker").out
    assert stamped.startswith("20") and stamped.endswith(" end\n")
    assert box("container", "logs", "--since=%.3f" % before, "talker").out == "line 1\nline 2\nline 3\nend\n"
    assert box("container", "logs", "--since=%.3f" % (time.time() + 5), "talker").out == ""
    for odd in ("yesterday", "1.", "99999999999", "9000000001", "1.0000000001"):
        assert "seconds since 1970" in box("container", "logs", "--since=" + odd, "talker", check=False).err
        assert "seconds since 1970" in box("container", "events", "--until=" + odd, check=False).err
    said = rows(box("container", "logs", "--json", "--timestamps", "talker"))
    assert [(s["Stream"], s["Line"]) for s in said if s["Stream"] == "stdout"] == [("stdout", line) for line in ("line 1", "line 2", "line 3", "end")]
    assert [s["Line"] for s in said if s["Stream"] == "stderr"] == ["oops"] and all(s["Time"].startswith("20") and s["Whole"] for s in said)


def test_a_port_on_loopback_and_waits(box):
    made = rows(box("container", "start", "web", IMAGE, "--publish=8080", "--wait=tcp:8080", "--wait=http:8080/x.txt", "--wait=exec:test -f /tmp/x.txt", "--json", "--",
                    "sh", "-c", "echo hello > /tmp/x.txt; exec httpd -f -p 8080 -h /tmp"))[0]
    port = made["Ports"][0]
    assert port["HostIp"] == "127.0.0.1" and port["HostPort"] and port["ContainerPort"] == 8080
    assert urllib.request.urlopen("http://127.0.0.1:%d/x.txt" % port["HostPort"], timeout=10).read() == b"hello\n"
    done = box("container", "start", "web2", IMAGE, "--publish=%d:80" % port["HostPort"], "--", "sleep", "600", check=False)
    assert done.code == 1 and "another host port" in done.err, done.err
    assert [c["Names"] for c in box.engine.containers()] == [["/web"]]


def test_a_failed_wait_leaves_nothing_behind(box):
    done = box("container", "start", "quiet", IMAGE, "--volume=data-of-quiet:/data", "--wait=log:never", "--wait-timeout=500ms", "--", "sh", "-c", "echo something else; sleep 600",
               check=False)
    assert done.code == 1 and "did not come true in time" in done.err and "something else" in done.err
    assert box.engine.containers() == [] and rows(box("volume", "ls", "--json")) == []
    done = box("container", "start", "dies", IMAGE, "--wait=tcp:80", "--", "sh", "-c", "echo my last words; exit 9", check=False)
    assert done.code == 1 and "exit code 9" in done.err and "my last words" in done.err
    done = box("container", "start", "deaf", IMAGE, "--wait=tcp:80", "--wait-timeout=300ms", "--", "sleep", "600", check=False)
    assert done.code == 1 and "in time: nobody listens" in done.err, done.err
    done = box("container", "start", "bad-entry", IMAGE, "--init=false", "--", "/no/such/program", check=False)
    assert done.code == 1 and "the engine says" in done.err and "/no/such/program" in done.err
    done = box("container", "start", "bad-entry", IMAGE, "--wait=exec:true", "--", "/no/such/program", check=False)
    assert done.code == 1 and "ended with exit code" in done.err and "No such file" in done.err
    done = box("container", "start", "no-network", IMAGE, "--network=missing", "--", "sleep", "1", check=False)
    assert done.code == 1 and "missing" in done.err
    assert box.engine.containers() == []


def test_options_that_changed_are_not_passed_over(box):
    sleeper(box)
    done = box("container", "start", "sleeper", IMAGE, "--env=NEW=1", "--", "sleep", "600", check=False)
    assert done.code == 1 and "other options" in done.err
    assert rows(box("container", "ls", "--json"))[0]["State"] == "running"


def test_secrets_stay_secret(box):
    sleeper(box, "keeper", "--env=TOKEN=geheim-4711")
    assert "geheim-4711" not in box("container", "inspect", "keeper").out
    assert "TOKEN=geheim-4711" in box("container", "inspect", "--show-env", "keeper").out
    assert box.text("container", "exec", "keeper", "--", "sh", "-c", "echo $TOKEN") == "geheim-4711"
    done = box("container", "start", "keeper2", IMAGE, "--env=TOKEN=geheim-4711", "--wait=log:never", "--wait-timeout=500ms", "--", "sh", "-c", "echo $TOKEN; sleep 60", check=False)
    assert done.code == 1 and "geheim-4711" not in done.err and "***" in done.err
    key = "-----BEGIN KEY-----\nZXJzdGUgWmVpbGU=\r\nendeZWlsZQ==\n"  # of several lines, of which a message holds the last ones
    done = box("container", "start", "keeper3", IMAGE, "--env=KEY=" + key, "--wait=log:never", "--wait-timeout=500ms", "--", "sh", "-c", "echo \"$KEY\" | cat; sleep 60", check=False)
    assert done.code == 1 and "***" in done.err and not any(line.strip() in done.err for line in key.splitlines()), done.err


def test_only_ours_are_touched(box):
    assert box.engine.call("POST", "/containers/create?name=foreign", {"Image": IMAGE, "Cmd": ["sleep", "600"]})[0] == 201
    assert box.engine.call("POST", "/containers/foreign/start")[0] == 204
    box.engine.call("POST", "/volumes/create", {"Name": "foreign-volume"})
    for words in (["stop"], ["rm", "--force"], ["restart"], ["logs"], ["inspect"], ["stats"]):
        done = box("container", *words, "foreign", check=False)
        assert done.code == 1 and "foreign" in done.err, words
    assert box("container", "exec", "foreign", "true", check=False).code == 1
    done = box("container", "start", "foreign", IMAGE, "--", "sleep", "600", check=False)
    assert done.code == 1 and "did not start" in done.err
    done = box("volume", "rm", "foreign-volume", check=False)
    assert done.code == 1 and "not made by" in done.err
    assert rows(box("container", "ls", "--json")) == []
    assert [c["Name"] for c in rows(box("container", "ls", "--foreign", "--json"))] == ["foreign"]
    box("container", "start", "ours", IMAGE, "--", "true")
    box("container", "start", "runs", IMAGE, "--volume=used:/data", "--", "sleep", "600")
    box("volume", "create", "unused")
    box("network", "create", "unused-net")
    assert wait_until(lambda: any(c["State"] == "exited" for c in rows(box("container", "ls", "--all", "--json"))), 10)
    gone = {(r["Kind"], r["Name"]) for r in rows(box("container", "prune", "--containers", "--networks", "--volumes", "--json"))}
    assert gone == {("container", "ours"), ("network", "unused-net"), ("volume", "unused")}
    assert {c["Name"] for c in rows(box("container", "ls", "--foreign", "--all", "--json"))} == {"foreign", "runs"}
    assert box.engine.call("GET", "/volumes/foreign-volume")[0] == 200


def test_volumes_and_networks(box):
    assert rows(box("volume", "create", "data", "--json"))[0]["Changed"]
    assert not rows(box("volume", "create", "data", "--json"))[0]["Changed"]
    assert [v["Name"] for v in rows(box("volume", "ls", "--json"))] == ["data"]
    box("container", "start", "writer", IMAGE, "--volume=data:/data", "--user=0", "--wait=log:done", "--", "sh", "-c", "echo kept > /data/x; echo done; sleep 600")
    done = box("volume", "rm", "data", check=False)
    assert done.code == 1 and "remove the containers" in done.err
    box("container", "rm", "--force", "writer")
    box("container", "start", "reader", IMAGE, "--volume=data:/data:ro", "--", "sleep", "600")
    assert box.text("container", "exec", "reader", "cat", "/data/x") == "kept"
    assert box("container", "exec", "--user=0", "reader", "touch", "/data/y", check=False).code == 1
    box("container", "rm", "--force", "reader")
    box("volume", "rm", "data")
    assert rows(box("volume", "ls", "--json")) == []
    assert rows(box("network", "create", "net1", "--json"))[0]["Changed"]
    assert not rows(box("network", "create", "net1", "--json"))[0]["Changed"]
    box("network", "create", "net2", "--internal")
    assert {n["Name"]: n["Internal"] for n in rows(box("network", "ls", "--json"))} == {"net1": False, "net2": True}
    box("network", "rm", "net1", "net2")
    assert rows(box("network", "ls", "--json")) == []


def test_several_networks_and_a_restart_policy(box):
    for name in ("net-a", "net-b"):
        box("network", "create", name)
    done = box("container", "start", "both", IMAGE, "--network=net-a", "--network=net-b", "--network=net-c", "--", "sleep", "600", check=False)
    assert done.code == 1 and "net-c" in done.err and box.engine.containers() == []
    box("container", "start", "both", IMAGE, "--network=net-a", "--network=net-b", "--restart=on-failure:3", "--", "sleep", "600")
    made = json.loads(box("container", "inspect", "both").out)
    assert set(made["NetworkSettings"]["Networks"]) == {"net-a", "net-b"} and all(n["IPAddress"] for n in made["NetworkSettings"]["Networks"].values())
    assert made["HostConfig"]["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    done = box("network", "rm", "net-a", check=False)
    assert done.code == 1 and "remove the containers" in done.err, done.err
    assert rows(box("container", "prune", "--networks", "--json")) == []
    assert {n["Name"] for n in rows(box("network", "ls", "--json"))} == {"net-a", "net-b"}
    done = box("container", "start", "both", IMAGE, "--network=net-a", "--network=net-c", "--restart=on-failure:3", "--", "sleep", "600", check=False)
    assert done.code == 1 and "other options" in done.err, done.err


def test_the_engines_own_network_beside_one_of_ours(docker_box):
    """On it containers have no names, so none is asked for."""
    docker_box("network", "create", "inner", "--internal")
    for name, networks in (("both", ["inner", "bridge"]), ("turned", ["bridge", "inner"]), ("alone", ["default"])):
        docker_box("container", "start", name, IMAGE, *("--network=" + n for n in networks), "--", "sleep", "600")
        found = json.loads(docker_box("container", "inspect", name).out)["NetworkSettings"]["Networks"]
        assert len(found) == len(networks) and (name == "alone" or set(found) == set(networks)), found


def test_inspecting_at_a_terminal_does_not_steer_it(docker_box):
    label = "a \u009b31m\u202e wörd"
    sleeper(docker_box, "odd", "--label=note=" + label)
    code, shown = on_terminal(docker_box, ["container", "inspect", "odd"], None)
    assert code == 0 and "\u009b" not in shown and "\u202e" not in shown and "wörd" in shown
    assert json.loads(shown)["Config"]["Labels"]["note"] == label
    assert json.loads(docker_box("container", "inspect", "odd").out)["Config"]["Labels"]["note"] == label


def test_a_network_of_a_stopped_container_stays(box):
    """Docker would remove it, and the container could never be started again."""
    box("network", "create", "quiet")
    sleeper(box, "idle", "--network=quiet")
    box("container", "stop", "--time=0", "idle")
    assert rows(box("container", "prune", "--networks", "--json")) == []
    done = box("network", "rm", "quiet", check=False)
    assert done.code == 1 and "remove the containers" in done.err and ("container idle uses it" in done.err or box.engine.kind == "podman"), done.err
    assert rows(box("container", "start", "idle", "--json"))[0]["State"] == "running"
    box("container", "rm", "--force", "idle")
    assert rows(box("container", "prune", "--json")) == [{"Kind": "network", "Name": "quiet"}]


def test_what_is_written_to_a_volume_at_tmp_is_kept(box):
    """/tmp and /run are in memory, unless a volume is shown there."""
    box("container", "start", "writer", IMAGE, "--volume=data:/tmp", "--user=0", "--wait=log:done", "--", "sh", "-c", "echo kept >/tmp/x; echo done; sleep 600")
    box("container", "rm", "--force", "writer")
    box("container", "start", "reader", IMAGE, "--volume=data:/run/", "--", "sleep", "600")
    assert box.text("container", "exec", "reader", "cat", "/run/x") == "kept"


def test_the_folder_of_the_engines_data_is_not_shown(box):
    root = pathlib.Path(box.engine.get("/info")["DockerRootDir"])
    (root / "below").mkdir(exist_ok=True)
    for folder in (root, root / "below"):
        done = box("container", "start", "root", IMAGE, "--volume=%s:/x:ro" % folder, "--memory=64m", "--cpus=1", "--", "sleep", "600", check=False)
        assert done.code == 1 and "images and containers" in done.err and "bind=%s" % folder in done.err and box.engine.containers() == [], done.err
    (root / "below").rmdir()


def test_the_folder_of_the_engines_socket_is_not_shown(docker_box):
    done = docker_box("container", "start", "root", IMAGE, "--volume=%s:/engine:ro" % docker_box.engine.folder, "--", "sleep", "600", check=False)
    assert done.code == 1 and "engine's socket" in done.err and docker_box.engine.containers() == []


def test_an_interrupted_start_leaves_nothing(box):
    process = subprocess.Popen([box.program, "container", "start", "slow", IMAGE, "--volume=data-of-slow:/data", "--wait=log:never", "--", "sleep", "600"], env=box.env, cwd=box.cwd,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert wait_until(lambda: any(c["State"] == "running" for c in box.engine.containers()), 30, 0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0 and box.engine.containers() == [] and rows(box("volume", "ls", "--json")) == [], err


def test_two_shells_start_one_name(box):
    words = [box.program, "container", "start", "one", IMAGE, "--", "sleep", "600"]
    shells = [subprocess.Popen(words, env=box.env, cwd=box.cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    errors = [shell.communicate(timeout=60)[1] for shell in shells]
    assert [c["Names"] for c in box.engine.containers()] == [["/one"]] and rows(box("container", "ls", "--json"))[0]["State"] == "running", errors
    assert any(shell.returncode == 0 for shell in shells)
    for shell, error in zip(shells, errors):
        assert shell.returncode == 0 or "another name" in error, error


def test_gpus_that_are_not_there(box):
    done = box("container", "start", "llm", IMAGE, "--gpus=all", "--volume=models-of-llm:/models", "--", "sleep", "600", check=False)
    assert done.code == 1 and ("no such GPU driver" if box.engine.kind == "docker" else "passes over the request") in done.err, done.err
    assert box.engine.containers() == [] and rows(box("volume", "ls", "--json")) == []


def test_an_image_of_another_architecture_is_not_taken(box):
    for platform in ("linux/riscv64", "linux/s390x/v1"):
        done = box("container", "start", "other", IMAGE, "--platform=" + platform, "--pull=never", "--", "sleep", "600", check=False)
        assert done.code == 1 and "it is for " in done.err and platform in done.err, done.err
    assert box.engine.containers() == []
    info = box.engine.get("/version")
    box("container", "start", "same", IMAGE, "--platform=linux/" + info["Arch"], "--pull=never", "--", "sleep", "600")


def test_every_verb_speaks_json(docker_box):
    """And nothing else: not on standard error either, where progress would be on a terminal."""
    box = docker_box
    runs = [["container", "engine"], ["container", "start", "web", IMAGE, "--volume=v1:/v", "--", "sleep", "600"], ["container", "start", "web"], ["container", "ls"],
            ["container", "logs", "web"], ["container", "exec", "web", "true"], ["container", "stats", "web"], ["container", "restart", "--time=0", "web"],
            ["container", "events", "--since=0", "--until=%d" % time.time()], ["container", "stop", "--time=0", "web"], ["container", "rm", "web"],
            ["volume", "create", "v2"], ["volume", "ls"], ["volume", "rm", "v2"], ["network", "create", "n1"], ["network", "ls"], ["network", "rm", "n1"],
            ["image", "ls"], ["container", "prune", "--volumes"], ["marketplace", "busybox", "--source=local"]]
    for words in runs:
        done = box(words[0], *([words[1], "--json"] if words[0] != "marketplace" else ["--json", words[1]]), *words[2:])
        assert done.err == "", (words, done.err)
        rows(done)
        assert done.out or words[1] == "logs", words
    box("container", "start", "web", IMAGE, "--", "sleep", "600")
    assert json.loads(box("container", "inspect", "--json", "web").out)["Name"] == "/web"
    spoken = {" ".join(words[:2]) for words in runs} | {"container inspect", "marketplace busybox"}
    elsewhere = {"container start-ipfs", "container serve", "container watch", "image pull", "image rm"}  # the tests of each do so
    verbs = {" ".join(line.split()[1:]) for line in box("commands").out.splitlines() if re.match(r"\S+ (container|image|volume|network) ", line)}
    assert verbs == {v for v in spoken if not v.startswith("marketplace")} | elsewhere


def test_images(box):
    box.engine.make_image("test/extra:2")
    names = [i["Name"] for i in rows(box("image", "ls", "--json"))]
    assert any(name.endswith("test/extra:2") for name in names), names
    assert rows(box("image", "rm", "--json", "--force", "test/extra:2"))
    assert not any(i["Name"].endswith("test/extra:2") for i in rows(box("image", "ls", "--json")))
    done = box("image", "rm", "test/extra:2", check=False)
    assert done.code == 1 and "the engine says" in done.err and "'image ls'" in done.err
    done = box("container", "start", "nope", "test/none:1", "--pull=never", check=False)
    assert done.code == 1 and "image pull" in done.err
    assert box.engine.containers() == []


def test_stats_and_events(box):
    before = time.time() - 1
    sleeper(box)
    assert wait_until(lambda: rows(box("container", "ls", "--json")), 10)
    stats = rows(box("container", "stats", "sleeper", "--json"))[0]
    assert stats["Pids"] >= 1 and 0 < stats["MemoryBytes"] < 1 << 30
    box("container", "rm", "--force", "sleeper")
    done = box("container", "events", "--since=%.3f" % before, "--until=%.3f" % time.time(), "--json")
    actions = [e["Action"] for e in rows(done) if e["Type"] == "container" and e["Name"] == "sleeper"]
    last = "destroy" if box.engine.kind == "docker" else "remove"
    assert [a for a in actions if a in ("create", "start", "die", last)] == ["create", "start", "die", last], actions


def test_the_engines_own_health(docker_box):
    box = docker_box
    box("container", "start", "fit", IMAGE, "--health-cmd=true", "--wait=healthy", "--wait-timeout=30s", "--", "sleep", "600")
    assert rows(box("container", "ls", "--json"))[0]["Health"] == "healthy"
    done = box("container", "start", "unchecked", IMAGE, "--wait=healthy", "--", "sleep", "600", check=False)
    assert done.code == 1 and "no health check" in done.err
    assert [c["Names"] for c in box.engine.containers()] == [["/fit"]]


def test_the_examples_of_the_documentation_run(docker_box, program, tmp_path):
    text = (ROOT / "docs/containers.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)
    assert len(blocks) >= 5
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (bin_folder / "ipfs-accelerate").symlink_to(program)
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    env = {**docker_box.env, "PATH": "%s:%s" % (bin_folder, os.environ["PATH"]), "XDG_RUNTIME_DIR": str(runtime)}
    docker_box("init")
    said = ""
    for block in blocks:
        done = subprocess.run(["sh", "-exc", block], env=env, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        said += done.stdout
    for promised in ("Forwarding from 127.0.0.1:", "\nhello\n", "ipfs-node ipfs/kubo:latest - curated IPFS Kubo node", '"Health":"healthy"'):
        assert promised in said or promised in " ".join(said.split()), said
    assert docker_box.engine.containers() == []
    verbs = {line for line in docker_box("commands").out.splitlines() if re.match(r"\S+ (marketplace$|(container|image|volume|network|tunnel) )", line)}
    assert len(verbs) > 25
    for line in verbs:
        assert " ".join(["ipfs-accelerate"] + line.split()[1:]) in text, line


def test_a_kubo_node(docker_box, kubo_program):
    """The real program in an image of the layout that Kubo's own has: user 1000:100 owns /data/ipfs."""
    box = docker_box
    start = (b"#!/bin/sh\nset -e\nexport IPFS_PATH=/data/ipfs\n[ -f $IPFS_PATH/config ] || ipfs init --profile=test >/dev/null\n"
             b"ipfs config Addresses.API /ip4/0.0.0.0/tcp/5001\nipfs config Addresses.Gateway /ip4/0.0.0.0/tcp/8080\nexec ipfs daemon --offline\n")
    listed = subprocess.run(["ldd", kubo_program], capture_output=True, text=True).stdout  # nothing for a static one
    libraries = [pathlib.Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]
    files = [("bin/ipfs", kubo_program.read_bytes(), 0o755), ("bin/start", start, 0o755)] + [(str(p)[1:], p.read_bytes(), 0o755) for p in libraries]
    box.engine.make_image("test/kubo:1", files=files, folders=[("data/ipfs", 0o755, 1000, 100)],
                          config=['ENTRYPOINT ["/bin/start"]'])
    made = rows(box("container", "start-ipfs", "node", "--image=test/kubo:1", "--wait-timeout=120s", "--json"))[0]
    ports = {(p["ContainerPort"], p["Protocol"]): p for p in made["Ports"] if p["HostPort"]}
    assert set(ports) == {(5001, "tcp"), (8080, "tcp"), (4001, "tcp"), (4001, "udp")} and {p["HostIp"] for p in ports.values()} == {"127.0.0.1"}
    url = "http://127.0.0.1:%d/api/v0/" % ports[5001, "tcp"]["HostPort"]
    peer = json.load(urllib.request.urlopen(urllib.request.Request(url + "id", method="POST"), timeout=30))["ID"]
    box("container", "rm", "--force", "node")
    again = rows(box("container", "start-ipfs", "node", "--image=test/kubo:1", "--wait-timeout=120s", "--json"))[0]
    port = [p["HostPort"] for p in again["Ports"] if p["ContainerPort"] == 5001 and p["HostPort"]][0]
    same = json.load(urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:%d/api/v0/id" % port, method="POST"), timeout=30))["ID"]
    assert peer == same
    box("container", "rm", "--force", "node")
    box.engine.call("DELETE", "/images/test/kubo:1")


def test_events_as_they_happen(docker_box):
    box = docker_box
    done = box("container", "ls", "--host=unix:///no/such/engine.sock", check=False)
    assert done.code == 1 and "does not listen" in done.err
    sleeper(box)
    process = subprocess.Popen([box.program, "container", "events", "--json"], env=box.env, cwd=box.cwd, stdout=subprocess.PIPE, text=True)
    try:
        box("container", "stop", "--time=1", "sleeper")
        actions = []
        while "stop" not in actions:
            actions.append(json.loads(process.stdout.readline())["Action"])
        assert "die" in actions
    finally:
        process.terminate()
        process.wait(30)
