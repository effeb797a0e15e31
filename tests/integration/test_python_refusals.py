"""What C would take for something else is refused by the package: text behind a NUL, negative places, ports of more than 16 bits, notes that content brings along."""
import subprocess
import sys


def test_text_ends_at_no_nul(python, tmp_path):
    (tmp_path / "a").write_bytes(b"the wrong one")
    python(r"""
cid = ia.add('a')['cid']
ia.set_alias('a', cid)
b = ia.backends()
for wrong in (lambda: ia.add('a\0b'), lambda: ia.add('a', pin_name='x\0y'), lambda: ia.add('a', chunker='size-10\0'), lambda: ia.get(cid, 'out\0b'), lambda: ia.pin(cid, name='x\0y'),
              lambda: ia.set_alias('new\0x', cid), lambda: ia.get_alias('a\0x'), lambda: ia.remove_alias('a\0x'), lambda: b.marketplace('a\0b')):
    try: made = wrong()
    except ValueError as why: assert 'null byte' in str(why), why
    else: raise AssertionError(made)
assert ia.aliases() == {'a': cid} and not os.path.exists('out') and {p['name'] for p in ia.pins()} == {''}
""")


def test_places_before_the_beginning(python, model, tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    python(r"""
import asyncio
def refused(call):
    try: call()
    except ValueError: return
    raise AssertionError('it was taken')
cid = ia.add('a')['cid']
with ia.open_file(cid) as file:
    refused(lambda: file.readinto_at(-1, bytearray(3)))
    refused(lambda: file.readinto_at(-1, bytearray(32 << 20)))
    refused(lambda: file.seek(0, 7))
async def pieces(*where):
    return b''.join([bytes(piece) async for piece in ia.aio.stream(cid, *where)])
assert asyncio.run(pieces(2, 3)) == b'nte' and asyncio.run(pieces(100)) == b''
for where in ((-1,), (0, -1)):
    refused(lambda: asyncio.run(pieces(*where)))
with ia.Checkpoint('model/model.safetensors') as file:
    for call in (lambda: file.read('b', -1), lambda: file.read('b', 0, -1), lambda: file.read_into('b', bytearray(1), -1), lambda: file.memory('b', -1), lambda: file.memory('b', 0, -2)):
        refused(call)
""")


def test_ports_have_16_bits(python):
    assert python(r"""
b = ia.backends()
answers = [b.docker_tunnel('web', *ports) for ports in ((0, 65616), (65536, 80), (-1, 80), (0, 0), ('x', 80), (0, None))]
print(json.dumps([[a['code'], 'a port is a number from' in a['message']] for a in answers]))
""") == [["bad_format", True]] * 6


def test_numbers_that_mean_nothing(python, tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    python(r"""
for call in (lambda: ia.add('a', cid_version=2), lambda: ia.add('a', cid_version=-1), lambda: ia.backends().marketplace(limit=-1)):
    try: call()
    except ValueError: continue
    raise AssertionError
assert ia.add('a', raw_leaves=1) == ia.add('a', raw_leaves=True)
""")


def test_content_writes_no_notes_of_a_folder(python, tmp_path):
    """A note says what a file is; one out of content would make another content of the same size pass for what is asked for later."""
    (tmp_path / "good").mkdir()
    (tmp_path / "good/config").write_text("good")
    good = python("print(json.dumps([ia.add('good')['cid'], ia.add('good/config')['cid']]))")
    notes = tmp_path / "bad/.cache/huggingface/download"
    notes.mkdir(parents=True)
    (tmp_path / "bad/config").write_text("evil")
    (notes / "config.metadata").write_text("0\n%s\n9e18\n" % good[1])
    python(r"""
bad = ia.add('bad', hidden=True)['cid']
try: ia.snapshot_download('ipfs://' + bad, local_dir='mine')
except ia.Denied as why: assert 'note of this folder' in str(why)
else: raise AssertionError
ia.snapshot_download('ipfs://' + bad, local_dir='mine', ignore_patterns='.cache/')
ia.snapshot_download('ipfs://' + sys.argv[1], local_dir='mine')
assert open('mine/config').read() == 'good'
""", good[0])


def test_a_configuration_behind_a_link(python, tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/config.toml").write_text("[general]\ndebug = true\n")
    (tmp_path / "config.toml").symlink_to("real/config.toml")
    python("c = ia.config(); c.set('general', 'debug', False); c.save()")
    assert (tmp_path / "config.toml").is_symlink() and "debug = false" in (tmp_path / "real/config.toml").read_text()


def test_a_program_that_cannot_be_run(package_env, tmp_path):
    for path, why in ((tmp_path / "nowhere", "No such file or directory"), (tmp_path, "Permission denied")):
        done = subprocess.run([sys.executable, "-m", "ipfs_accelerate_py", "version"], env={**package_env, "IPFSA_PROGRAM": str(path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1 and done.stderr == "ipfs-accelerate: %s cannot be run: %s\n" % (path, why)

