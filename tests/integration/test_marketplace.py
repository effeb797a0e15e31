"""The marketplace against a real registry, and against scripted ones that lie, hang, page for ever and send us elsewhere."""
import json
import signal
import ssl
import subprocess
import types

import pytest

from conftest import PROGRAM, Ipfs
from registries import (INDEX, MANIFEST, PASSWORD, Scripted, compact, descriptor, digest_of, image, login, start_registry)
from test_terminal import on_terminal


class Shop:
    """`marketplace` with some registries configured."""

    def __init__(self, program, folder):
        self.ipfs = Ipfs(program, folder / "repo", cwd=folder)
        self.ipfs("init")
        self.env = {"DOCKER_CONFIG": str(folder / "no-login"), "DOCKER_HOST": "unix:///nonexistent", "http_proxy": "", "https_proxy": "", "all_proxy": "", "no_proxy": ""}

    def configure(self, key, *values):
        self.ipfs("config", key, "--json", json.dumps(list(values)))

    def run(self, *args, check=True, **env):
        return self.ipfs("marketplace", "--json", *args, check=check, env={**self.env, **env})

    def ask(self, *args, **env):
        """(entries by image, failures by source); exit code 1 only when no source answered"""
        done = self.run(*args, check=False, **env)
        assert done.code == (1 if "no source answered" in done.err else 0), done.err
        lines = [json.loads(line) for line in done.out.splitlines()]
        failures = {}
        for line in lines:
            if "error" in line:
                failures.setdefault(line["source"], []).append(line["error"])
        return {line["image"]: line for line in lines if "image" in line}, failures


@pytest.fixture
def shop(program, tmp_path):
    return Shop(program, tmp_path)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    process, registry = start_registry(tmp_path_factory.mktemp("registry") / "r")
    yield registry
    process.terminate()
    process.wait(timeout=20)


@pytest.fixture(scope="module")
def filled(registry):
    """Two repositories; the first has two plain tags and an index."""
    amd, arm = image("amd64", [b"a" * 1000], label="a model"), image("arm64", [b"b" * 500])
    digests = {"v1": registry.push("team/model", "v1", amd), "v2": registry.push("team/model", "v2", arm)}
    index = compact({"schemaVersion": 2, "mediaType": INDEX, "annotations": {"org.opencontainers.image.description": "both machines"}, "manifests": [
        descriptor(arm[0], MANIFEST, platform={"os": "linux", "architecture": "arm64", "variant": "v8"}),
        descriptor(amd[0], MANIFEST, platform={"os": "linux", "architecture": "amd64"})]})
    registry.push_manifest("team/model", "latest", index, INDEX)
    digests["latest"] = digest_of(index)
    registry.push("tools/other", "1.0", image(label="something else"))
    return registry, digests, {"amd64": amd, "arm64": arm}


def size_of(built):
    return sum(map(len, built[1]))


def test_a_real_registry_is_listed(shop, filled):
    registry, digests, built = filled
    shop.configure("docker.registries", registry.host)
    entries, failures = shop.ask("-s", registry.host)
    assert not failures and set(entries) == {registry.host + "/team/model:latest", registry.host + "/tools/other:1.0"}
    entry = entries[registry.host + "/team/model:latest"]
    assert entry["digest"] == digests["latest"] and entry["verified"] and entry["allowed"] and not entry["official"]
    assert sorted(entry["tags"]) == ["latest", "v1", "v2"] and sorted(entry["architectures"]) == ["linux/amd64", "linux/arm64/v8"]
    assert entry["size"] in (size_of(built["amd64"]), size_of(built["arm64"])) and entry["description"] == "both machines"
    assert entry["name"] == "model" and entry["source"] == registry.host and entry["reference"] == registry.host + "/team/model:latest"
    assert set(shop.ask("-s", "registries", "OTHER")[0]) == {registry.host + "/tools/other:1.0"}
    assert len(shop.ask("-s", "registries", "--limit", "1")[0]) == 1
    assert shop.ask("-s", "registries", "nothing-of-this")[0] == {}


def test_one_image_by_tag_and_by_digest(shop, filled):
    registry, digests, built = filled
    shop.configure("docker.registries", registry.host)
    name = registry.host + "/team/model"
    entry = shop.ask(name + ":v1", "-s", "registries")[0][name + ":v1"]
    assert (entry["digest"], entry["size"], entry["architectures"], entry["description"]) == (digests["v1"], size_of(built["amd64"]), ["linux/amd64"], "a model")
    by_digest = name + "@" + digests["v2"]
    entry = shop.ask(by_digest, "-s", "registries")[0][by_digest]
    assert entry["digest"] == digests["v2"] and entry["architectures"] == ["linux/arm64"]
    entries, failures = shop.ask(name + ":v9", "-s", "registries")
    assert not entries and "MANIFEST_UNKNOWN" in failures[registry.host][0]
    assert shop.ask(registry.host + "/team/none", "-s", "registries") == ({}, {})


def test_a_configured_repository_needs_no_catalog(shop, filled):
    registry, _, _ = filled
    shop.configure("docker.registries", "http://%s/tools/other" % registry.host)
    assert set(shop.ask("-s", "registries")[0]) == {registry.host + "/tools/other:1.0"}
    assert shop.ask("-s", "registries", "model") == ({}, {})


def test_logins(shop, tmp_path):
    process, registry = start_registry(tmp_path / "r", with_login=True)
    try:
        registry.push("private/model", "latest", image())
        shop.configure("docker.registries", registry.host + "/private/model")
        entries, failures = shop.ask()
        assert "docker login" in failures[registry.host][0] and "ipfs/kubo:latest" in entries
        good = str(login(tmp_path / "good", registry.host))
        entries, failures = shop.ask("-s", "registries", DOCKER_CONFIG=good)
        assert not failures and entries[registry.host + "/private/model:latest"]["verified"]
        (tmp_path / "xdg/containers").mkdir(parents=True)  # where `podman login` leaves it, also for a part of a registry
        (tmp_path / "xdg/containers/auth.json").write_text((tmp_path / "good/config.json").read_text().replace(registry.host, registry.host + "/private"))
        entries, failures = shop.ask("-s", "registries", XDG_RUNTIME_DIR=str(tmp_path / "xdg"))
        assert not failures and entries[registry.host + "/private/model:latest"]["verified"]
        bad = str(login(tmp_path / "bad", registry.host, password="wrong-word"))
        done = shop.run("-s", "registries", check=False, DOCKER_CONFIG=bad)
        assert "login kept for " + registry.host in done.out and "wrong-word" not in done.out + done.err
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_what_cannot_be_reached_is_told_beside_the_results(shop, filled):
    registry, _, _ = filled
    with Scripted(lambda path, headers: "hang") as slow:
        shop.configure("docker.registries", registry.host, "127.0.0.1:1", slow.host)
        entries, failures = shop.ask("--wait", "1", "-s", "curated", "-s", "registries")
        assert registry.host + "/team/model:latest" in entries and "ipfs/kubo:latest" in entries
        assert set(failures) == {"127.0.0.1:1", slow.host} and "timed out" in failures[slow.host][0].lower()
    done = shop.run("-s", "127.0.0.1:1", check=False)
    assert done.code == 1 and "no source answered" in done.err


def test_an_interrupt_ends_a_search(shop, tmp_path):
    with Scripted(lambda path, headers: "hang") as slow, Scripted(engine(images="hang"), path=tmp_path / "e.sock") as slow_engine:
        shop.configure("docker.registries", slow.host)
        process = subprocess.Popen([str(PROGRAM), "marketplace", "-s", "registries", "-s", "local", "--wait", "600"],
                                   env={**shop.ipfs.env, **shop.env, "DOCKER_HOST": slow_engine.host}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not slow.requests or len(slow_engine.requests) < 2:
            slow.over.wait(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 1 and "cancelled" in process.communicate()[1].decode()


def test_registries_that_are_not_allowed_are_not_asked(shop):
    with Scripted(lambda path, headers: (200, {}, b"{}")) as server:
        shop.configure("docker.registries", server.host)
        shop.configure("docker.allowed_registries", "docker.io")
        entries, failures = shop.ask("-s", "registries", "-s", "curated")
        assert "docker.allowed_registries" in failures[server.host][0] and not server.requests
        assert entries["ipfs/kubo:latest"]["allowed"] and not entries["ghcr.io/ggml-org/llama.cpp:server"]["allowed"]


def test_unknown_sources_and_limits(shop):
    for args, word in ((("-s", "nowhere"), "unknown source"), (("--limit", "0"), "--limit"), (("--limit", "1001"), "at most 1000"), (("x" * 256,), "at most 255"),
                       (("--wait", "0"), "--wait")):
        done = shop.run(*args, check=False)
        assert done.code == 1 and word in done.err, done.err
    assert shop.run("x" * 255, "-s", "curated").out == "" and shop.run("--limit", "1000", "-s", "curated").code == 0
    failures = shop.ask("-s", "curated", "-s", "/ipfs/bafkqaaa")[1]
    assert "not read yet" in failures["/ipfs/bafkqaaa"][0]
    assert "docker.registries" in shop.ask("ghcr.io/a/b", "-s", "registries", "-s", "curated")[1]["ghcr.io"][0]


# --- engines ---

IMAGES = [{"Id": "sha256:1", "RepoTags": ["busybox:1.36", "busybox:1.35"], "RepoDigests": ["busybox@sha256:" + "a" * 64], "Size": 4000000, "Created": 1},
          {"Id": "sha256:2", "RepoTags": ["localhost/mine:x"], "RepoDigests": [], "Size": 5, "Created": 1},
          {"Id": "sha256:3", "RepoTags": ["ipfs/kubo:v0.30"], "RepoDigests": None, "Size": 7, "Created": 1},
          {"Id": "sha256:4", "RepoTags": None, "RepoDigests": None, "Size": 9, "Created": 1}]
FOUND = [{"name": "busybox", "description": "Busybox base image.", "is_official": True, "star_count": 3},
         {"name": "x/busy", "description": "not by name\n\u001b[31m", "is_official": False, "star_count": 1}, {"name": "No Name", "description": ""}]


def engine(search=(200, {"Content-Type": "application/json"}, compact(FOUND)), images=(200, {"Content-Type": "application/json"}, compact(IMAGES))):
    def answer(path, headers):
        if path.endswith("/_ping"):
            return 200, {"Api-Version": "1.41", "Ostype": "linux"}, b"OK"
        return search if "/images/search?" in path else images if "/images/json" in path else (404, {}, b"{}")
    return answer


def test_an_engine_gives_its_images_and_its_search(shop, tmp_path):
    with Scripted(engine(), path=tmp_path / "e.sock") as server:
        entries, failures = shop.ask("-s", "local", "-s", "engine", "-s", "curated", "busy", DOCKER_HOST=server.host)
        assert not failures and set(entries) == {"busybox:1.36", "x/busy:latest"}
        entry = entries["busybox:1.36"]
        assert entry["sources"] == ["local", "engine"] and entry["tags"] == ["1.36", "1.35"] and entry["digest"] == "sha256:" + "a" * 64
        assert entry["size"] == 4000000 and entry["official"] and not entry["verified"] and entry["description"] == "Busybox base image."
        assert [path for path in server.paths() if "search" in path] == ["/v1.41/images/search?term=busy&limit=25"]
        entries = shop.ask("-s", "local", "-s", "curated", "--limit", "1000", DOCKER_HOST=server.host)[0]
        assert entries["ipfs/kubo:latest"]["sources"] == ["curated", "local"] and entries["ipfs/kubo:latest"]["tags"] == ["latest", "v0.30"]
        assert entries["localhost/mine:x"]["size"] == 5
        assert set(shop.ask("localhost/mine", "-s", "local", DOCKER_HOST=server.host)[0]) == {"localhost/mine:x"}
        for letter, found in (("a", {"busybox:1.36"}), ("b", set())):
            assert set(shop.ask("docker.io/library/busybox:1.36@sha256:" + letter * 64, "-s", "local", DOCKER_HOST=server.host)[0]) == found
        shop.run("-s", "engine", "--limit", "1000", "busy", DOCKER_HOST=server.host)
        assert server.paths()[-1].endswith("limit=100")
        assert "needs a term" in shop.ask("-s", "engine", "-s", "curated", DOCKER_HOST=server.host)[1]["engine"][0]


def test_engines_that_fail_are_told(shop, tmp_path):
    entries, failures = shop.ask("ipfs")
    assert "ipfs/kubo:latest" in entries and set(failures) == {"local", "engine"} and "/nonexistent" in failures["local"][0]
    with Scripted(engine(search=(500, {}, compact({"message": "hub is away"}))), path=tmp_path / "e.sock") as server:
        entries, failures = shop.ask("ipfs", DOCKER_HOST=server.host)
        assert entries and "hub is away" in failures["engine"][0] and "local" not in failures
    with Scripted(engine(search="hang", images="hang"), path=tmp_path / "h.sock") as server:
        entries, failures = shop.ask("ipfs", "--wait", "1", DOCKER_HOST=server.host)
        assert entries and set(failures) == {"local", "engine"}


def test_a_real_engine(shop, docker_engine):
    entries, failures = shop.ask("busybox", "-s", "local", DOCKER_HOST=docker_engine.host)
    assert not failures and entries["test/busybox:1"]["size"] > 100000 and entries["test/busybox:1"]["sources"] == ["local"]


# --- scripted registries ---


class Script:
    """A registry of one repository as a table of paths; what is not there is 404. Tests change it before they ask."""

    def __init__(self, built=None, name="team/model"):
        manifest, blobs = built or image()
        self.name, self.manifest = name, manifest
        self.table = {"/v2/_catalog": (200, {}, compact({"repositories": [name]})), "/v2/%s/tags/list" % name: (200, {}, compact({"name": name, "tags": ["v1"]})),
                      self.at("manifests/v1"): (200, {"Content-Type": MANIFEST, "Docker-Content-Digest": digest_of(manifest)}, manifest)}
        for blob in blobs:
            self.table[self.at("blobs/" + digest_of(blob))] = (200, {}, blob)

    def at(self, rest):
        return "/v2/%s/%s" % (self.name, rest)

    def __call__(self, path, headers):
        return self.table.get(path, self.table.get(path.split("?")[0], (404, {}, compact({"errors": [{"code": "NAME_UNKNOWN", "message": "no \x1b[31msuch"}]}))))


def ask_script(shop, script, *args, **env):
    with Scripted(script) as server:
        shop.configure("docker.registries", server.host)
        entries, failures = shop.ask("-s", "registries", *args, **env)
        return entries.get("%s/%s:v1" % (server.host, script.name)), failures.get(server.host, []), server


def test_pages_are_followed(shop):
    script = Script()
    tags = script.at("tags/list")
    script.table["/v2/_catalog"] = (200, {"Link": '</v2/_catalog?last=a&n=1>; rel="next"'}, compact({"repositories": ["a/first"]}))
    script.table["/v2/_catalog?last=a&n=1"] = (200, {}, compact({"repositories": [script.name]}))
    script.table[tags] = (200, {"Link": '<list?last=v0>; rel="next"'}, compact({"tags": ["v0"]}))
    script.table[tags + "?last=v0"] = (200, {"Link": '<%s?last=v1>; rel="prev"' % tags}, compact({"tags": ["v1"]}))
    entry, failures, server = ask_script(shop, script)
    assert entry["tags"] == ["v0", "v1"] and not failures and tags + "?last=v1" not in server.paths()


def test_pages_that_never_end_do(shop):
    script = Script()
    script.table[script.at("tags/list")] = (200, {"Link": '<list?x>; rel="next"'}, compact({"tags": []}))
    entry, failures, server = ask_script(shop, script)
    assert not entry and "over 100 pages" in failures[0] and len([p for p in server.paths() if "tags/list" in p]) == 100


def test_pages_at_another_server_are_not_followed(shop):
    with Scripted(lambda path, headers: (200, {}, b"{}")) as other:
        script = Script()
        script.table[script.at("tags/list")] = (200, {"Link": '<http://%s/x>; rel="next"' % other.host}, compact({"tags": ["v1"]}))
        entry, failures, _ = ask_script(shop, script)
        assert entry["tags"] == ["v1"] and entry["verified"] and "another server" in failures[0] and not other.requests


@pytest.mark.parametrize("link", ['<list?last=v0>; rel="prev", <list?next>; rel="next"', '<list?next>;REL = next', '<list?next>; title="a, <b>; rel=c"; rel="last Next"',
                                  ' , <list?next>; rel="next",<list?last=v0>; rel="first"', '<list?x>; rel=prev, <list?y>; title="rel=\\"next\\"", <list?next>; rel=next'])
def test_the_next_page_is_found_among_other_links(shop, link):
    script = Script()
    tags = script.at("tags/list")
    script.table[tags] = (200, {"Link": link}, compact({"tags": ["v0"]}))
    script.table[tags + "?next"] = (200, {"Link": '<list?last=v1>; rel="nextpage", <list?a>; rev=next, <list?b'}, compact({"tags": ["v1"]}))
    entry, failures, server = ask_script(shop, script)
    assert entry and entry["tags"] == ["v0", "v1"] and not failures and len([p for p in server.paths() if "tags/list" in p]) == 2


def test_a_catalog_that_breaks_off_is_used_as_far_as_it_goes(shop):
    script = Script()
    script.table["/v2/_catalog"] = (200, {"Link": '</v2/_catalog?2>; rel="next"'}, compact({"repositories": [script.name]}))
    script.table["/v2/_catalog?2"] = (500, {}, b"")
    entry, failures, _ = ask_script(shop, script)
    assert entry and entry["verified"] and len(failures) == 1 and "status 500" in failures[0]


def test_a_version_that_was_named_needs_no_list_of_tags(shop):
    for status in (500, 403, 404):
        script = Script()
        script.table[script.at("tags/list")] = (status, {}, b"")
        with Scripted(script) as server:
            shop.configure("docker.registries", server.host)
            entries, failures = shop.ask("-s", "registries", server.host + "/team/model:v1")
            assert set(entries) == {server.host + "/team/model:v1"} and all(e["verified"] for e in entries.values())
            assert bool(failures) == (status != 404)
            entries, failures = shop.ask("-s", "registries", server.host + "/team/model:v2")
            assert not any(e["verified"] for e in entries.values()) and server.host + "/team/model:latest" not in entries
            assert shop.ask("-s", "registries", server.host + "/team/model")[0] == {}


def test_the_limit_cuts_off_the_worst(shop):
    script = Script()
    script.table["/v2/_catalog"] = (200, {}, compact({"repositories": ["a/supermodel", "b/model-card", script.name]}))
    entry, _, server = ask_script(shop, script, "model", "--limit", "1")
    assert entry and not any("supermodel" in path or "card" in path for path in server.paths())
    assert list(shop.ask("-s", "curated", "llama", "--limit", "1")[0]) == ["ghcr.io/ggml-org/llama.cpp:server"]


def token_script(realm, token="T0ken-word", wants_login=True):
    """A registry behind a token server; realm is a function of the server's host."""
    script = Script()

    def answer(path, headers):
        if path.startswith("/token?"):
            if wants_login and not headers.get("Authorization", "").startswith("Basic "):
                return 401, {}, b"{}"
            return 200, {}, compact({"access_token": token})
        if headers.get("Authorization") != "Bearer T0ken-word":
            scope = "registry:catalog:*" if "_catalog" in path else "repository:%s:pull" % script.name
            challenge = 'Basic realm="x", Bearer realm="%s",service="s&v",scope="%s"' % (realm(headers["Host"]), scope)
            return 401, {"WWW-Authenticate": challenge}, compact({"errors": [{"code": "UNAUTHORIZED", "message": "asks"}]})
        return script(path, headers)

    answer.name = script.name
    return answer


def test_tokens(shop, tmp_path):
    own = token_script(lambda host: "http://%s/token?x=y" % host)
    with Scripted(own) as server:
        shop.configure("docker.registries", server.host)
        folder = str(login(tmp_path / "login", server.host))
        entries, failures = shop.ask("-s", "registries", DOCKER_CONFIG=folder)
        assert not failures and entries["%s/team/model:v1" % server.host]["verified"]
        asked = [path for path in server.paths() if path.startswith("/token")]
        assert asked == ["/token?x=y&service=s%26v&scope=registry%3Acatalog%3A%2A", "/token?x=y&service=s%26v&scope=repository%3Ateam%2Fmodel%3Apull"]
        basic = [headers for path, headers in server.requests if not path.startswith("/token") and headers.get("Authorization", "").startswith("Basic")]
        assert not basic  # the password goes to the token server only
    entry, failures, server = ask_script(shop, own)
    assert not entry and "catalog is not shown" in failures[0] and "docker login" in failures[0]
    wrong = token_script(lambda host: "http://%s/token" % host, token="wrong-word", wants_login=False)
    done = None
    with Scripted(wrong) as server:
        shop.configure("docker.registries", server.host + "/team/model")
        done = shop.run("-s", "registries", check=False)
    assert "status 401" in done.out and "wrong-word" not in done.out + done.err and PASSWORD not in done.out + done.err


def test_token_servers_elsewhere_must_be_named(shop):
    with Scripted(lambda path, headers: (200, {}, compact({"token": "T0ken-word"}))) as other:
        script = token_script(lambda host: "http://%s/token" % other.host)
        entry, failures, _ = ask_script(shop, script)
        assert not entry and "http.private_origins" in failures[0] and not other.requests
        shop.configure("http.private_origins", "http://" + other.host)
        entry, failures, _ = ask_script(shop, script)
        assert entry and not failures
    for realm in ("file:///etc/passwd", "http://user:pass@%s/token" % other.host, "http://2130706433/token", ""):
        entry, failures, _ = ask_script(shop, token_script(lambda host: realm))
        assert not entry and "token server" in failures[0], failures


def test_lying_digests(shop):
    manifest, blobs = image()
    other = image("arm64")[0]

    def refused(change):
        script = Script((manifest, blobs))
        change(script)
        entry, failures, _ = ask_script(shop, script)
        assert entry and not entry["verified"] and entry["digest"] == "" and "are not used" in failures[0], (entry, failures)

    refused(lambda s: s.table.update({s.at("manifests/v1"): (200, {"Docker-Content-Digest": digest_of(other)}, manifest)}))
    refused(lambda s: s.table.update({s.at("blobs/" + digest_of(blobs[0])): (200, {}, blobs[0].replace(b"amd64", b"arm64"))}))
    index = compact({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(manifest, MANIFEST)]})
    refused(lambda s: s.table.update({s.at("manifests/v1"): (200, {}, index), s.at("manifests/" + digest_of(manifest)): (200, {}, other)}))
    with Scripted(Script((manifest, blobs))) as server:
        shop.configure("docker.registries", server.host)
        wanted = digest_of(other)
        server.answer.table[server.answer.at("manifests/" + wanted)] = (200, {"Docker-Content-Digest": wanted}, manifest)
        entries, failures = shop.ask("%s/team/model@%s" % (server.host, wanted), "-s", "registries")
        assert not any(e["verified"] for e in entries.values()) and "the reference says" in failures[server.host][0]


def test_manifests_have_a_limit(shop):
    manifest, blobs = image()
    for size, good in ((4 << 20, True), ((4 << 20) + 1, False)):
        entry, failures, _ = ask_script(shop, Script((manifest + b" " * (size - len(manifest)), blobs)))
        assert entry["verified"] == good and (not failures if good else "over 4194304 bytes" in failures[0]), failures


def test_lists_have_limits(shop):
    """10,000 names of a catalog, 1,000 tags of a repository, 8 failures of a source are taken; the next is not."""
    script = Script()
    for n_before, found in ((9999, True), (10000, False)):
        script.table["/v2/_catalog"] = (200, {}, compact({"repositories": ["x/%d" % i for i in range(n_before)] + [script.name]}))
        entry, failures, _ = ask_script(shop, script, "team")
        assert bool(entry) == found and not failures
    script = Script()
    script.table[script.at("tags/list")] = (200, {}, compact({"tags": ["v1"] + ["t%d" % i for i in range(1000)]}))
    script.table[script.at("manifests/t998")] = script.table[script.at("manifests/v1")]
    with Scripted(script) as server:
        shop.configure("docker.registries", server.host)
        entry = shop.ask("-s", "registries")[0]["%s/team/model:t998" % server.host]
        assert len(entry["tags"]) == 1000 and entry["tags"][-1] == "t998"
    script.table[script.at("manifests/latest")] = script.table[script.at("manifests/v1")]  # one that is not among those that are read
    with Scripted(script) as server:
        shop.configure("docker.registries", server.host)
        assert shop.ask("-s", "registries")[0]["%s/team/model:latest" % server.host]["verified"]
    for n, lines in ((8, 8), (9, 9), (20, 9)):
        script = Script()
        script.table["/v2/_catalog"] = (200, {}, compact({"repositories": ["bad/%d" % i for i in range(n)]}))
        script.table.update({"/v2/bad/%d/tags/list" % i: (500, {}, b"") for i in range(n)})
        failures = ask_script(shop, script)[1]
        assert len(failures) == lines and (n == 8 or failures[-1].startswith("and %d failures more" % (n - 8)))


def test_bodies_have_limits(shop, tmp_path):
    """A page of 4 MiB, a token answer of 64 KiB, a configuration of 1 MiB are read; a byte more is not."""
    for more in (0, 1):
        script = Script()
        page = script.table["/v2/_catalog"][2]
        script.table["/v2/_catalog"] = (200, {}, page + b" " * ((4 << 20) - len(page) + more))
        entry, failures, _ = ask_script(shop, script)
        assert bool(entry) == (not more) and (not failures or "over 4194304 bytes" in failures[0])

        answer = compact({"token": "T0ken-word"})
        with Scripted(lambda path, headers: (200, {}, answer + b" " * (65536 - len(answer) + more))) as other:
            shop.configure("http.private_origins", "http://" + other.host)
            entry, failures, _ = ask_script(shop, token_script(lambda host: "http://%s/token" % other.host))
        assert bool(entry) == (not more) and (not failures or "over 65536 bytes" in failures[0])

        with Scripted(token_script(lambda host: "http://%s/token" % host)) as server:
            folder = login(tmp_path / ("login%d" % more), server.host)
            text = (folder / "config.json").read_text()
            (folder / "config.json").write_text(text + " " * ((1 << 20) - len(text) + more))
            shop.configure("docker.registries", server.host)
            entries, failures = shop.ask("-s", "registries", DOCKER_CONFIG=str(folder))
            assert bool(entries) == (not more) and bool(failures) == bool(more), failures


def test_answers_that_are_none(shop):
    for status, headers, body, word in ((429, {"Retry-After": "9"}, b"", "status 429"), (500, {}, b"<html>", "status 500"), (200, {}, b"<html>", "no JSON"),
                                        (200, {}, b"[" * 65, "levels deep"), (200, {}, b'{"schemaVersion":1}', "schema 1"),
                                        (200, {"Content-Type": INDEX}, image()[0], "not the type"), (302, {"Location": "/v2/x"}, b"", "status 404"),
                                        (302, {"Location": "file:///etc/passwd"}, b"", "redirect")):
        script = Script()
        script.table[script.at("manifests/v1")] = (status, headers, body)
        entry, failures, _ = ask_script(shop, script)
        bad = entry and entry["verified"]
        assert not bad and (word in failures[0] if failures else word == "status 404"), (status, body, failures)


def test_redirects_of_blobs(shop):
    manifest, blobs = image()
    with Scripted(lambda path, headers: (200, {}, blobs[0])) as other:
        script = Script((manifest, blobs))
        script.table[script.at("blobs/" + digest_of(blobs[0]))] = (307, {"Location": "http://%s/cdn?sig=s3cret" % other.host}, b"")
        entry, failures, _ = ask_script(shop, script)
        assert not entry["verified"] and "http.private_origins" in failures[0] and "s3cret" not in failures[0] and not other.requests
        shop.configure("http.private_origins", "http://" + other.host)
        entry, failures, _ = ask_script(shop, script)
        assert entry["verified"] and not failures and other.paths() == ["/cdn?sig=s3cret"]


def test_untrusted_certificates_are_refused(shop, tmp_path):
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                           "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")], stderr=subprocess.PIPE)
    assert made.returncode == 0, made.stderr
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with Scripted(Script(), tls=tls) as server:
        shop.configure("docker.registries", "https://" + server.host)
        entries, failures = shop.ask("-s", "registries", "-s", "curated")
        assert entries and "certificate" in failures[server.host][0].lower() and not server.requests


def test_terminal_escapes_stay_out_of_json(shop):
    script = Script(image(label="nice\x1b]0;title\x07 words"))
    with Scripted(script) as server:
        shop.configure("docker.registries", server.host)
        assert "\x1b" not in shop.run("-s", "registries").out


def test_at_a_terminal_no_json_steers_it(shop):
    """U+009B begins a sequence as ESC [ does, U+202E turns the text around: escaped at a terminal, as they are in a file."""
    label = "nice \u009b31m\u202e wörds"
    with Scripted(Script(image(label=label))) as server:
        shop.configure("docker.registries", server.host)
        assert json.loads(shop.run("-s", "registries").out)["description"] == label
        node = types.SimpleNamespace(program=shop.ipfs.program, cwd=shop.ipfs.cwd, env={**shop.ipfs.env, **shop.env})
        code, shown = on_terminal(node, ["marketplace", "--json", "-s", "registries"], None)
        line = shown[shown.index("{"):shown.rindex("}") + 1]
        assert code == 0 and json.loads(line)["description"] == label and "\u009b" not in shown and "\u202e" not in shown and "wörds" in shown


def test_without_libcurl_the_rest_works(shop, tmp_path):
    broken = tmp_path / "lib"
    broken.mkdir()
    for name in ("libcurl.so.4", "libcurl-gnutls.so.4"):
        (broken / name).write_bytes(b"")
    shop.configure("docker.registries", "127.0.0.1:1")
    entries, failures = shop.ask("-s", "curated", "-s", "registries", LD_LIBRARY_PATH=str(broken))
    assert entries and "needs libcurl.so.4" in failures["127.0.0.1:1"][0]


def test_libcurl_is_not_linked():
    needed = subprocess.run(["readelf", "-d", str(PROGRAM.parent / "libipfsa.so.0")], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "libcrypto" in needed and "libcurl" not in needed
