"""Containers out of Python, on a real engine; the examples of docs/python.md."""
import re

from conftest import ROOT


def test_containers_out_of_python(docker_engine, python, tmp_path):
    from engines import IMAGE
    (tmp_path / "www").mkdir()
    (tmp_path / "www/index.html").write_text("out of the store\n")
    try:
        answer = python("""
import urllib.request
b = ia.ipfs_accelerate.backends
cid = ia.add('www')['cid']
made = b.start_container('web', sys.argv[1], ports={'80': ''}, command=['httpd', '-f', '-p', '80', '-h', '/www'], model_cid=cid, mount_path='/www', wait={'http': '/', 'port': 80})
tunnel = b.docker_tunnel('web', 0, 80)
page = urllib.request.urlopen(tunnel['endpoint'], timeout=20).read().decode()
ran = b.exec('web', ['sh', '-c', 'cat /www/index.html; echo bad >&2; exit 3'])
ran = [ran['exit_code'], ran['stdout'].decode(), ran['stderr'].decode()]
listed, known, held = b.list_containers(), b.get_container_status('web'), b.tunnels()
closed = b.close_tunnel(tunnel['tunnel_id']), b.close_tunnel(tunnel['tunnel_id'])
print(json.dumps([made, tunnel, page, ran, listed, known, held, closed, b.stop_container('web', 1), b.remove('web'), b.stop_container('web'), b.docker_tunnel('web', 0, 80),
                  b.start_container('bad', sys.argv[1], volumes=['/etc:/etc2']), b.get_container_status('web')]))
""", IMAGE, DOCKER_HOST=docker_engine.host)
    finally:
        docker_engine.remove_all()
    made, tunnel, page, ran, listed, known, held, closed, stopped, removed, gone, no_tunnel, refused, none = answer
    assert made["status"] == "running" and made["ports"]["80/tcp"] > 0 and page == "out of the store\n"
    assert tunnel["status"] == "connected" and re.fullmatch(r"tunnel_web_\d+_80", tunnel["tunnel_id"])
    assert ran == [3, "out of the store\n", "bad\n"]
    assert [c["name"] for c in listed] == ["web"] and known["id"] == made["container_id"] and held[0]["received_bytes"] > 0
    assert closed == [True, False] and stopped == {"status": "stopped", "container_id": made["container_id"]} and removed["status"] == "removed"
    assert gone == no_tunnel == {"status": "error", "code": "not_found", "message": "Container web not found"} and none is None
    assert refused["status"] == "error" and refused["code"] == "denied"


def test_calls_to_an_engine_end_when_they_have_to(docker_engine, python, tmp_path):
    """By a time limit, an exception of a callback, an interrupt, a task that is cancelled; nothing is left running here."""
    from engines import IMAGE
    try:
        assert python("""
import asyncio, signal, threading, time
from ipfs_accelerate_py import aio
def raises(kind, call):
    try: call()
    except kind as why: return str(why)
    raise AssertionError(kind)
with ia.backends() as b:
    assert b.start_container('web', sys.argv[1], command=['sleep', '600'])['status'] == 'running'
    raises(ia.Timeout, lambda: b.exec('web', ['sleep', '600'], timeout=0.3))
    late = b.start_container('late', sys.argv[1], command=['sleep', '600'], wait={'log': 'never', 'timeout': 600}, timeout=0.5)
    assert (late['status'], late['code']) == ('error', 'timeout'), late
    main = threading.get_ident()
    threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT)).start()
    raises(KeyboardInterrupt, lambda: b.exec('web', ['sleep', '600']))
    async def cancelled():
        async with aio.Backends(b) as a:
            task = asyncio.ensure_future(a.exec('web', ['sleep', '600']))
            await asyncio.sleep(0.3)
            task.cancel()
            try: await task
            except asyncio.CancelledError: pass
            else: raise AssertionError
            return (await a.exec('web', ['echo', 'still here']))['stdout'].decode()
    assert asyncio.run(cancelled()) == 'still here\\n'
    tunnel = b.docker_tunnel('web', 0, 80)
    assert [t['tunnel_id'] for t in b.tunnels()] == [tunnel['tunnel_id']]
assert b.tunnels() == []
print(json.dumps([t.name for t in threading.enumerate() if t.name.startswith('ipfs-accelerate')]))
""", IMAGE, DOCKER_HOST=docker_engine.host) == []
    finally:
        docker_engine.remove_all()


def test_the_examples_of_the_documentation(docker_engine, python, model, tmp_path):
    from engines import IMAGE
    text = (ROOT / "docs/python.md").read_text()
    script = "\n".join(re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)).replace("import ipfs_accelerate_py as ia\n", "", 1).replace('"busybox"', repr(IMAGE))
    (tmp_path / "model/config.json").write_text("{}")
    (tmp_path / "model/index.html").write_text("hello\n")
    (tmp_path / "model/weights.bin").write_bytes(bytes(1000))
    (tmp_path / "config.toml").write_text("# mine\n[docker]\ntimeout = 60\n")
    try:
        python(script + "\nprint(json.dumps([head == bytes(100), config.decode()]))", DOCKER_HOST=docker_engine.host)
    finally:
        docker_engine.remove_all()
    assert (tmp_path / "config.toml").read_text() == "# mine\n[docker]\ntimeout = 30\n"
