"""The zip of torch.save: its members by the central directory; what is compressed, overlaps or lies is refused."""
import json
import struct
import zlib

import pytest

MEMBERS = (("data.pkl", b"\x80\x02pickle"), ("data/0", bytes(100)), ("data/1", b"abc"), ("data/2", b""), ("version", b"3\n"))


def torch_zip(members=MEMBERS, top="m", method=0, zip64=True, change=None, n=None, directory=None, local=None, crc=False, bit3=True, wide=None, called=None):
    """As torch writes it: no sizes in local headers, data on 64-byte borders, descriptors behind them. change: of entry 1 of the directory. wide: the
    two sizes of its local header, in a ZIP64 field; called: its name there."""
    out, central = b"", b""
    for i, (name, data) in enumerate(members):
        full, at = (top + "/" + name).encode(), len(out)
        pad = -(at + 30 + len(full) + 4) % 64
        flags = 0x0808 if data and bit3 else 0x0800
        sum_ = zlib.crc32(data) if crc else 0
        head = dict(flags=flags, method=method, crc=sum_, packed=len(data), size=len(data), at=at, name=full)
        if i == 1 and change:
            head.update(change)
        sizes = local if local is not None and i == 1 else (flags, 0 if flags & 8 else len(data))
        field = struct.pack("<HHQQ", 1, 16, *wide) if wide and i == 1 else b""
        sizes, pad = (0x800, 0xffffffff) if field else sizes, (pad - len(field)) % 64
        name_there = called if called and i == 1 else full
        out += struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, sizes[0], 0, 0, 0, 0 if flags & 8 else sum_, sizes[1], sizes[1], len(full), 4 + pad + len(field))
        out += name_there + field + struct.pack("<2sH", b"FB", pad) + b"Z" * pad + data
        out += b"PK\7\10" + struct.pack("<III", sum_, len(data), len(data)) if data else b""
        central += struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, head["flags"], head["method"], 0, 0, head["crc"], head["packed"], head["size"], len(head["name"]), 0, 0, 0, 0, 0, head["at"]) + head["name"]
    n = len(members) if n is None else n
    at, size = len(out), len(central) if directory is None else directory
    end = b""
    if zip64:
        end = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, n, n, size, at) + struct.pack("<4sIQI", b"PK\6\7", 0, at + len(central), 1)
    short = [min(n, 0xffff)] * 2 + [min(size, 0xffffffff), at]
    return out + central + end + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, *short, 0)


def inspect(ipfs, tmp_path, blob, name="m.pt"):
    (tmp_path / name).write_bytes(blob)
    return ipfs("checkpoint", "inspect", "--json", name, check=False)


@pytest.mark.parametrize("zip64", [True, False])
def test_storages(ipfs, tmp_path, zip64):
    blob = torch_zip(zip64=zip64)
    done = inspect(ipfs, tmp_path, blob)
    assert done.code == 0, done.err
    head, *items = map(json.loads, done.out.splitlines())
    assert head["Format"] == "torch" and head["TensorBytes"] == 103
    assert sorted((t["Name"], t["Size"], t["Dtype"]) for t in items) == [("data/0", 100, "storage"), ("data/1", 3, "storage"), ("data/2", 0, "storage")]
    for t in items:
        assert t["Offset"] % 64 == 0 and blob[t["Offset"]:t["Offset"] + t["Size"]] == dict(MEMBERS)[t["Name"]]


def test_local_sizes_past_32_bits(ipfs, tmp_path):
    done = inspect(ipfs, tmp_path, torch_zip(wide=(100, 100), zip64=False))
    assert done.code == 0 and len(done.out.splitlines()) == 4, done.err


def test_old_pickles_are_opaque(ipfs, tmp_path):
    done = inspect(ipfs, tmp_path, bytes.fromhex("80028a0a6cfc9c46f9206aa85019") + b"rest")
    head, item = map(json.loads, done.out.splitlines())
    assert head["Format"] == "pickle" and item["Size"] == 18


WRONG = {
    "compressed": (dict(change={"method": 8}), "compressed"), "packed": (dict(change={"packed": 50}), "compressed"), "encrypted": (dict(change={"flags": 0x809}), "encrypted"),
    "overlap": (dict(change={"packed": 200, "size": 200}), "overlap"), "past the end": (dict(change={"packed": 1 << 30, "size": 1 << 30}), "reach past"),
    "no header": (dict(change={"at": 7}), "no local header"), "header past": (dict(change={"at": 1 << 30}), "reaches past"), "parent": (dict(change={"name": b"m/../0"}), "not inside one folder"),
    "absolute": (dict(change={"name": b"/m/data/0"}), "not inside one folder"), "flat": (dict(change={"name": b"mdata0"}), "not inside one folder"), "other folder": (dict(change={"name": b"n/data/0"}), "another folder"),
    "local size": (dict(local=(0x800, 99)), "another size"), "wide": (dict(change={"size": 0xffffffff, "packed": 0xffffffff}), "ZIP64"), "script": (dict(members=MEMBERS + (("code/a.py", b"x"),)), "TorchScript"),
    "constants": (dict(members=MEMBERS + (("constants.pkl", b"x"),)), "TorchScript"), "no pickle": (dict(members=MEMBERS[1:]), "without data.pkl"),
    "packed script": (dict(change={"method": 8, "name": b"m/code/a.py"}), "TorchScript"),
    "two pickles": (dict(members=MEMBERS + (("data.pkl", b"x"),)), "comes twice: readers do not agree"), "local name": (dict(called=b"m/data/9"), "another name"),
    "local name longer": (dict(change={"name": b"m/data/10"}), "another name"), "wide local size": (dict(wide=(100, 99)), "another size"), "wide local packed": (dict(wide=(99, 100)), "another size"),
    "no wide field": (dict(local=(0x800, 0xffffffff)), "another size"),
    "more entries": (dict(n=9), "entry of the central directory"), "fewer entries": (dict(n=2), "more than its entries"), "twice": (dict(members=MEMBERS + (("data/1", b"x"),)), "comes twice"),
    "members past the limit": (dict(n=1000001), "1000001 members"), "members at the limit": (dict(n=1000000), "entry of the central directory"), "directory": (dict(directory=1 << 40), "reaches"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_refused(ipfs, tmp_path, what):
    options, words = WRONG[what]
    done = inspect(ipfs, tmp_path, torch_zip(**options))
    assert done.code == 1 and words in done.err and done.out == "", done.err


def test_members_are_held_against_their_crc(ipfs, tmp_path):
    members = MEMBERS[:1] + (("data/0", bytes(range(256)) * 9000), ("data/1", b""), ("data/2", b"acx")) + MEMBERS[4:]
    blob = torch_zip(members, crc=True)
    at = blob.index(b"acx")
    damaged = blob[:at] + b"abd" + blob[at + 3:]
    for name, data, good in (("good", blob, True), ("damaged", damaged, False), ("none", torch_zip(members), True)):
        (tmp_path / (name + ".pt")).write_bytes(data)
        cid = ipfs.text("add", "-Q", name + ".pt")
        for arg in (name + ".pt", cid):
            done = ipfs("checkpoint", "verify", arg, check=False)
            assert (done.code == 0) == good, done.err
            assert good or ("begin at %d has CRC-32" % at in done.err and "%08x" % zlib.crc32(b"acx") in done.err)
        assert ipfs("checkpoint", "inspect", name + ".pt", check=False).code == 0
    lies = inspect(ipfs, tmp_path, torch_zip(members, crc=True, bit3=False, change={"crc": 5}, local=(0x800, len(members[1][1]))))
    assert lies.code == 1 and "another CRC-32" in lies.err


def test_a_set_by_its_index(ipfs, tmp_path):
    """pytorch_model.bin.index.json: storages of every file; its names of tensors are in pickles, which are not read."""
    folder = tmp_path / "m"
    folder.mkdir()
    names = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"]
    for name in names:
        (folder / name).write_bytes(torch_zip(top=name.removesuffix(".bin"), crc=True))
    index = folder / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 206}, "weight_map": {"x": names[0], "y": names[1], "z": names[0]}}))
    for arg in ("m", ipfs.text("add", "-rQ", "--chunker=tensor", "m")):
        head, *items = map(json.loads, ipfs.text("checkpoint", "inspect", "--json", arg).splitlines())
        assert head["Format"] == "torch" and [s["Name"] for s in head["Shards"]] == names
        assert sorted((t["Shard"], t["Name"]) for t in items) == [(i, "data/%d" % k) for i in range(2) for k in range(3)]
        assert json.loads(ipfs.text("checkpoint", "verify", "--json", arg))["Files"] == 2
    (folder / names[1]).write_bytes(bytes.fromhex("80028a0a6cfc9c46f9206aa85019") + b"rest")
    done = ipfs("checkpoint", "inspect", "m", check=False)
    assert done.code == 1 and names[1] in done.err and "set of torch files" in done.err
    (folder / names[1]).unlink()
    assert names[1] in ipfs("checkpoint", "inspect", "m", check=False).err


def test_every_truncation_is_refused(ipfs, tmp_path):
    blob = torch_zip()
    for n in range(4, len(blob), 61):
        assert inspect(ipfs, tmp_path, blob[:n]).code == 1, n


def test_chunks_begin_at_storages(ipfs, tmp_path):
    mib = 1 << 20
    big = bytes(range(256)) * (mib // 256) * 2
    refs = []
    for extra in (b"a", b"longer" * 40):
        (tmp_path / "m.pt").write_bytes(torch_zip((("data.pkl", extra), ("data/0", big), ("version", b"3\n"))))
        cid = ipfs.text("add", "-Q", "--cid-version=1", "--chunker=tensor", "m.pt")
        assert ipfs("cat", cid).out_bytes == (tmp_path / "m.pt").read_bytes()
        refs.append(ipfs.text("refs", cid).split())
    assert refs[0][1] == refs[1][1] and refs[0][2] == refs[1][2] and refs[0][0] != refs[1][0]
