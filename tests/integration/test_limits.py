"""Limits that show only in the running program: at the limit and one past it (docs/LIMITS.md)."""
from test_bad_input import car, directory, field, link, pb_cid, raw_cid, refused, text_of


def folders_in_folders(n):
    """(root, blocks): a leaf below n folders, one in the other."""
    cid, blocks = raw_cid(b"x"), [(raw_cid(b"x"), b"x")]
    for _ in range(n):
        node = directory([(cid, b"f", 1)])
        cid = pb_cid(node)
        blocks.append((cid, node))
    return cid, blocks[::-1]


def test_folders_in_folders(ipfs, tmp_path):
    for n, good in ((128, True), (129, False)):
        root, blocks = folders_in_folders(n)
        ipfs("dag", "import", stdin=car(root, blocks))
        for extra in ([], ["-a"]):
            args = ["get", "-o", "out%d%s" % (n, "".join(extra)), *extra, text_of(root)]
            ipfs(*args) if good else refused(ipfs, *args)


def test_folders_in_folders_to_add(ipfs, tmp_path):
    """The argument itself is the first."""
    at = tmp_path / "deep"
    at.mkdir()
    for _ in range(127):
        at = at / "f"
        at.mkdir()
    (at / "x").write_bytes(b"x")
    ipfs("add", "-Q", "-r", tmp_path / "deep")
    deeper = at / "f"
    deeper.mkdir()
    for _ in range(2):
        deeper = deeper / "f"
        deeper.mkdir()
    refused(ipfs, "add", "-Q", "-r", str(tmp_path / "deep"))


def test_levels_that_refs_follows(ipfs):
    for n, good in ((1023, True), (1025, False)):
        root, blocks = folders_in_folders(n)
        ipfs("dag", "import", "--pin-roots=false", stdin=car(root, blocks))
        if good:
            assert ipfs("refs", "-r", text_of(root)).out.count("\n") == n
        else:
            refused(ipfs, "refs", "-r", text_of(root))


def test_a_file_of_ignore_rules(ipfs, tmp_path):
    (tmp_path / "folder").mkdir()
    for n, good in ((1 << 20, True), ((1 << 20) + 1, False)):
        (tmp_path / "rules").write_bytes(b"#" * n)
        args = ["add", "-Q", "-r", "--ignore-rules-path", "rules", "folder"]
        ipfs(*args) if good else refused(ipfs, *args)
