"""Hundreds of commands given to real Kubo and to this program, in the same folders and order: exit code, output and errors are the same but for
the differences listed here, each with its reason."""
import concurrent.futures
import hashlib
import json
import shlex

import pytest

from conftest import ROOT, Ipfs

TREE = "QmeBFq3qsiRCZqzZjkdnGCsDeMyeSuCJtaAgy8eGc7j7Lf"
HELLO = "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN"


def read_groups():
    groups, name = {}, None
    for line in (ROOT / "tests/vectors/kubo-commands.txt").read_text().splitlines():
        if line.startswith("["):
            name = line.strip("[]")
        elif line and not line.startswith("#"):
            groups.setdefault(name, []).append(line)
    return groups


GROUPS = read_groups()

ALL = "code out err"
# command → (what is not compared, why)
WANTED = {
    # --- what ours does better, or refuses where Kubo does something by accident
    "add --to-files=/ hello.txt": ("out", "what cannot be done whole is not begun: nothing is said to be added"),
    "add --to-files=/nope/x hello.txt": ("out err", "as above, and one sentence"),
    "add --to-files=/y/ hello.txt": ("out", "as above"),
    "add --to-files= hello.txt": ("out", "as above"),
    "add --to-files=/ hello.txt empty": ("out", "as above"),
    "add --to-files=rel hello.txt": ("out", "as above"),
    "--timeout=0s add hello.txt": (ALL, "0 is no limit, as in most programs"),
    "--config=x add hello.txt": (ALL, "Kubo ignores it; there is no such file here, and that is said"),
    "-c x add hello.txt": (ALL, "as above"),
    "--config-file=x/config add hello.txt": (ALL, "as above"),
    "--fast-provide-root add hello.txt": (ALL, "options may stand anywhere"),
    "cat %s/link" % TREE: (ALL, "a symbolic link is not the file it names"),
    "cat < lines": ("out", "the first is shown before the second, a folder, fails"),
    "pin add --progress %s" % TREE: ("err", "progress is for terminals"),
    "get %s -o o1" % TREE: ("out", "what is there is not mixed with: it goes into a folder of its own"),
    "get %s/a.txt -o o1" % TREE: ("out", "says where the file is"),
    "get /ipfs/%s/sub/" % TREE: ("code err", "a folder that is there is not written into"),
    "files mv /d1 /d1": ("err", "says why"),
    "files mv /d1 /d1/x": ("err", "says why"),
    "files mv /d1 /moved": ("code err", "Kubo's failed move of a folder into itself removes it; ours is still there"),
    "files chcid --cid-version=1": ("code err", "without a path it is the root"),
    "files chcid --cid-version=1 /": ("code err", "the root's own form can be changed, too"),
    "files stat --hash /": ("out", "the root's form was changed; after that as above"),
    "files ls --cid-base=base32 -l /tree": ("out", "--cid-base holds for every CID that is printed"),
    "files stat /tree/link": ("out", "a symbolic link is called one"),
    "files flush": ("out", "the moved folder, above"),
    # --- JSON where --enc=json asks for it: Kubo's program prints text for these
    "add --enc=json hello.txt": ("out", "JSON"),
    "add --encoding=json -q hello.txt": ("out", "JSON"),
    "add --enc json -w hello.txt": ("out", "JSON"),
    "--enc=json add hello.txt": ("out", "JSON"),
    "ls --enc=json %s" % TREE: ("out", "JSON"),
    "ls --enc=json --stream %s" % TREE: ("out", "JSON"),
    "ls --enc=json --size=false --resolve-type=false %s" % TREE: ("out", "JSON"),
    "ls -s --enc=json %s %s/sub" % (TREE, TREE): ("out", "JSON"),
    "block rm --enc=json QmPZ9gcCEpqKTo6aq61g2nXGUhM4iCL3ewB6LDXZCtioEB": ("out err", "JSON"),
    "cid format --enc=json %s nope" % TREE: ("out err", "JSON"),
    "cid base32 --enc=json %s" % TREE: ("out", "JSON"),
    # --- the DAG of an edited file is the one that writing its bytes anew gives; Kubo's depends on the edits
    "files stat --hash /f": ("out", "edited file"),
    "files ls -l /": ("out", "edited file"),
    "files stat /n": ("out", "edited file"),
    "files stat --enc=json /n": ("out", "edited file"),
    "files chroot --confirm %s" % TREE: ("out", "names the old root, above"),
    # --- sentences instead of a parser's words
    "add --hash=murmur3-x64-64 hello.txt": ("err", "it is not among the functions of 'cid hashes'"),
    "add --nocopy hello.txt": ("err", "names the key that allows it"),
    "add --mode=zzz hello.txt": ("err", "a sentence in place of strconv's"),
    "add --mode=99999999999999999999 hello.txt": ("err", "as above"),
    "add --mode=4294967296 hello.txt": ("err", "as above"),
    "add --mode=0o-7 hello.txt": ("err", "as above"),
    "add --mtime=1700000000 --mtime-nsecs=4294967297 hello.txt": ("err", "as above"),
    "add --cid-version=x hello.txt": ("err", "a sentence in place of strconv's"),
    "add --cid-version hello.txt": ("err", "a sentence in place of strconv's"),
    "add --pin=maybe hello.txt": ("err", "a sentence in place of strconv's"),
    "cat --help=maybe": ("err", "a sentence in place of strconv's"),
    "files chmod zzz /n": ("err", "a sentence in place of strconv's"),
    "files chmod 99999 /n": ("err", "a sentence in place of strconv's"),
    "--api=/ip4/127.0.0.1/tcp/1 add hello.txt": ("err", "every command works on the repo"),
    "--repo-dir=nowhere cat QmNope": ("err", "the path is looked at first"),
    "cat /ipns/%s" % HELLO: ("err", "no names without the network"),
    "--offline resolve /ipns/example.com": ("err", "no names without the network"),
    "cat /ipfs/%s/x" % HELLO: ("err", "a sentence in place of the decoder's"),
    "cat /foo/%s" % HELLO: ("err", "says what is expected"),
    "get --output=no/such/dir %s/a.txt" % TREE: ("err", "names a file of random name, as Kubo does"),
    "block put --mhlen=64 hello.txt": ("err", "says how long it may be"),
    "block put --format=v0 --mhtype=sha2-512 hello.txt": ("err", "Kubo's has a slip of the pen"),
    "dag put --store-codec=dag-pb node.json": ("err", "a sentence in place of the encoder's"),
    "dag put --input-codec=dag-cbor node.json": ("err", "a sentence in place of the decoder's"),
    "dag put --hash=nope node.json": ("err", "says that it is a hash function"),
    "dag put --store-codec=json node.json": ("err", "says what can"),
    "dag put --store-codec=cbor node.json": ("err", "says what can"),
    "dag put node.json node.json": ("out", "each is told"),
    "dag get --output-codec=raw %s" % TREE: ("err", "a sentence in place of the encoder's"),
    "dag get --output-codec=json %s" % TREE: ("out err", "nothing is printed before it is known to go"),
    "dag import bad.car": ("err", "says what was cut, and where"),
    "dag import < bad.car": ("err", "as above"),
    "dag import --stats bad.car": ("err", "as above"),
    "pin update %s QmPZ9gcCEpqKTo6aq61g2nXGUhM4iCL3ewB6LDXZCtioEB" % TREE: ("err", "without the name of an inner call"),
    "cid format --mc nope -v 1 %s" % TREE: ("err", "says where to look"),
    "multibase decode < noise": ("err", "says which character"),
    "multibase decode noise": ("err", "says which character"),
    "multibase transcode < noise": ("err", "says which character"),
    "files cp /ipfs/QmNope /xx": ("err", "says what is wrong with the path"),
    "files read /tree/link": ("err", "says what it is"),
    "files chroot --confirm QmNope": ("err", "says what is wrong with the CID"),
    "files chroot --confirm /ipfs/%s/sub" % TREE: ("err", "says what is wrong with the CID"),
    # --- what is not here
    "repo verify --heal": (ALL, "there is no network to fetch from; 3 is 'could not check'"),
    "repo version": ("out", "our repo format"),
    "repo version --enc=json": ("out", "our repo format"),
    "repo fsck": ("err", "no such command"),
    "ls": ("err", "the hint to type ctrl-d is given on a terminal only"),
    "--cid-base=nope version": (ALL, "a base that there is not is refused by every command"),
    "nope": ("err", "suggestions of our own verbs"),
    "--enc=xml cid base32 %s" % HELLO: (ALL, "XML is not supported, and said so"),
}


def fill(seed, n):
    return hashlib.shake_128(seed.encode()).digest(n)


def furnish(work):
    work.mkdir()
    for name, data in (("hello.txt", b"hello\n"), ("big.bin", fill("big", 600000)), ("empty", b""), ("noise", fill("n", 50)), ("rules", b"*.txt\n"),
                       ("bad.car", bytes.fromhex("3aa2") + b"not a car"), ("lines", ("%s\n%s\n" % (HELLO, TREE)).encode()),
                       ("odd.json", b'{"a\\"b":{"c":1}}'),
                       ("node.json", b'{"hello":"world","n":[1,2,{"/":"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"}]}')):
        (work / name).write_bytes(data)
    (work / "d/sub").mkdir(parents=True)
    (work / "d/void").mkdir()
    (work / "odd").mkdir()
    (work / "odd/say \"hi\"").write_text("hello\n")
    (work / "d/a.txt").write_text("a\n")
    (work / "d/.hidden").write_text("h\n")
    (work / "d/sub/b.bin").write_bytes(fill("b", 1000))
    (work / "d/link").symlink_to("a.txt")


def run_group(lines, program, work):
    """The answers of one program, in order."""
    furnish(work)
    link = work / "ipfs"
    link.symlink_to(program)
    node = Ipfs(link, work / "repo", cwd=work, env={"HOME": str(work), "TZ": "UTC"})
    node("init", "--empty-repo")
    answers = []
    for line in lines:
        argv, _, source = line.partition(" < ")
        stdin = (work / source).read_bytes() if source else None
        done = node(*shlex.split(argv), check=False, stdin=stdin)
        answers.append((done.code, done.out.replace(str(work), "$WORK"), done.err.replace(str(work), "$WORK").split("\nUSAGE\n")[0]))
    return answers


@pytest.fixture(scope="module")
def answers(program, kubo_program, tmp_path_factory):
    base = tmp_path_factory.mktemp("live")
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = {}
        for i, (name, lines) in enumerate(GROUPS.items()):
            for who, path in (("ours", program), ("kubo", kubo_program)):
                jobs[name, who] = pool.submit(run_group, lines, path, base / ("%s%d" % (who, i)))
        return {key: job.result() for key, job in jobs.items()}


def same(a, b):
    if a == b or not isinstance(a, str):
        return a == b
    try:
        return json.loads(a) == json.loads(b)
    except ValueError:
        return False


@pytest.mark.parametrize("group", GROUPS)
def test_answers_are_kubos(answers, group):
    wrong = []
    for line, ours, kubo in zip(GROUPS[group], answers[group, "ours"], answers[group, "kubo"]):
        excused = WANTED.get(line, ("", ""))[0].split()
        for stream, a, b in zip(("code", "out", "err"), ours, kubo):
            if stream not in excused and not same(a, b):
                wrong.append("--- %s\n%s ours: %s\n%s kubo: %s" % (line, stream, str(a)[:600], stream, str(b)[:600]))
    assert not wrong, "%d answers differ\n%s" % (len(wrong), "\n".join(wrong))


def commands_of(program, *flags):
    done = Ipfs(program, "/nonexistent")("commands", *flags)
    return {line.split(" ", 1)[1] for line in done.out.splitlines()[1:]}


def test_every_command_of_kubo_is_here_or_answered(program, kubo_program):
    ours, kubo = commands_of(program), commands_of(kubo_program)
    here, missing = kubo & ours, kubo - ours
    assert len(here) > 70 and len(missing) > 80
    node = Ipfs(program, "/nonexistent")
    for verb in sorted(missing):
        done = node(*verb.split(), "--some-option", "x", check=False)
        assert done.code == 1 and "is not supported: " in done.err and "Unknown" not in done.err, (verb, done.err)


def test_every_option_of_kubo_is_known(program, kubo_program):
    """Of the commands that are here, by its long name and its short one."""
    verbs = commands_of(program)

    def options(path):
        found = set()
        for line in commands_of(path, "--flags"):
            for one in line.replace("ipfs-accelerate ", "").replace(" / ipfs ", " / ").split(" / "):
                verb, _, flag = one.rpartition(" ")
                if flag.startswith("-") and verb in verbs:
                    found.add((verb, flag))
        return found

    ours, kubo = options(program), options(kubo_program)
    assert len(kubo) > 150
    assert kubo <= ours, sorted(kubo - ours)


def test_every_wanted_difference_is_of_a_command_that_is_given():
    assert set(WANTED) <= {line for lines in GROUPS.values() for line in lines}


def test_enough_commands_are_compared():
    assert sum(map(len, GROUPS.values())) > 400
