"""Scripted inference servers on loopback: they answer as the real ones do (ollama: docs/api.md; llama.cpp: tools/server/README.md; the model repository
extension of kserve; vLLM and SGLang: their OpenAI-style servers), check what they are given, and can refuse, stall, die midway, answer short or without end.

Every request is kept in `requests` as (method, path, body); bodies of uploads as their length. `faults` maps "METHOD /path" (the path may end in *) to a
function of the handler that answers, or breaks, in the server's place."""
import fnmatch
import hashlib
import json
import os
import pathlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def send(self, status=200, body=b"", kind="application/json"):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_lines(self, *lines, end=True):
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines:
            data = json.dumps(line).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        if end:
            self.wfile.write(b"0\r\n\r\n")

    def die(self):
        """The connection is reset, as of a process that is killed."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close_connection = True
        self.connection.close()
        self.rfile = self.wfile = open(os.devnull, "r+b")

    def handle_one(self):
        server = self.server.fake
        path = self.path
        with server.lock:
            server.seen.append("%s %s" % (self.command, path))
        if server.token and self.headers.get("Authorization") != "Bearer " + server.token:
            self.body()
            return self.send(401, {"error": "unauthorized: %s" % self.headers.get("Authorization")})
        for pattern, fault in list(server.faults.items()):
            if fnmatch.fnmatch("%s %s" % (self.command, path), pattern):
                return fault(self)
        return server.answer(self, self.command, path)

    do_GET = do_POST = do_HEAD = do_DELETE = handle_one


class FakeServer:
    def __init__(self, token=None):
        self.token, self.faults, self.seen, self.lock, self.stopping = token, {}, [], threading.Lock(), threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.fake = self
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        self.url = "http://127.0.0.1:%d" % self.port
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.stopping.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def stall(self, handler):
        """No answer until the test is over."""
        self.stopping.wait(60)

    def count(self, pattern):
        return sum(fnmatch.fnmatch(r, pattern) for r in self.seen)

    def unknown(self, h):
        h.body()
        h.send(404, "404 page not found", "text/plain")


def tree_hash(path):
    """Of all content below, by relative names."""
    path, h = pathlib.Path(path), hashlib.sha256()
    for p in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()):
        h.update(str(p.relative_to(path)).encode() + b"\0" + p.read_bytes())
    return h.hexdigest()


class Ollama(FakeServer):
    only_embeds = False

    def __init__(self, **more):
        self.blobs, self.models, self.loaded, self.uploaded = {}, {}, set(), []
        super().__init__(**more)

    @staticmethod
    def full(name):
        return name if ":" in name else name + ":latest"

    def answer(self, h, method, path):
        if path.startswith("/api/blobs/sha256:"):
            return self.blob(h, method, path.rsplit("/", 1)[1])
        if (method, path) == ("GET", "/api/version"):
            return h.send(200, {"version": "0.12.0"})
        if (method, path) == ("GET", "/api/tags"):
            return h.send(200, {"models": [{"name": n, "model": n, "digest": m["digest"]} for n, m in self.models.items()]})
        if (method, path) == ("GET", "/api/ps"):
            return h.send(200, {"models": [{"name": n, "model": n} for n in sorted(self.loaded)]})
        if (method, path) == ("POST", "/api/create"):
            return self.create(h, json.loads(h.body()))
        if method == "POST" and path in ("/api/generate", "/api/embed"):
            return self.load(h, path, json.loads(h.body()))
        return self.unknown(h)

    def blob(self, h, method, digest):
        if method == "HEAD":
            return h.send(200 if digest in self.blobs else 404)
        data = h.body()
        if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
            return h.send(400, {"error": "digest mismatch, expected \"%s\", got \"sha256:%s\"" % (digest, hashlib.sha256(data).hexdigest())})
        self.uploaded.append((digest, len(data)))
        self.blobs[digest] = data
        return h.send(201)

    def create(self, h, asked):
        files, name = asked.get("files", {}), self.full(asked["model"])
        for f, digest in files.items():
            if f.startswith("/") or ".." in f.split("/"):
                return h.send(400, {"error": "file path must be relative"})
            if digest not in self.blobs:
                return h.send(400, {"error": "blob not found for %s" % f})
        kinds = {"gguf" if f.endswith(".gguf") else "safetensors" for f in files if f.endswith((".gguf", ".safetensors"))}
        if len(kinds) != 1:
            return h.send_lines({"error": "mixed model file types", "status": 400})
        for f, digest in files.items():
            if f.endswith(".gguf") and self.blobs[digest][:4] != b"GGUF":
                return h.send_lines({"error": "supplied file was not in GGUF format", "status": 400})
        if kinds == {"safetensors"} and "config.json" not in files:
            return h.send_lines({"status": "converting model"}, {"error": "open config.json: file does not exist"})
        self.models[name] = {"digest": hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest(), "files": files}
        self.loaded.discard(name)
        return h.send_lines({"status": "parsing GGUF"}, {"status": "creating new layer"}, {"status": "writing manifest"}, {"status": "success"})

    def load(self, h, path, asked):
        name = self.full(asked["model"])
        if name not in self.models:
            return h.send(404, {"error": "model '%s' not found" % asked["model"]})
        if self.only_embeds and path == "/api/generate":
            return h.send(400, {"error": '"%s" does not support generate' % asked["model"]})
        self.loaded.add(name)
        return h.send(200, {"model": asked["model"], "done": True, "done_reason": "load"})


class LlamaCpp(FakeServer):
    """The router over --models-dir. A load takes `polls` looks at /models."""

    def __init__(self, folder, polls=2, **more):
        self.folder, self.polls, self.fails, self.known, self.has = pathlib.Path(folder), polls, False, {}, {}
        self.single = False
        self.scan()
        super().__init__(**more)

    def scan(self):
        there = {}
        for p in self.folder.iterdir():
            if p.is_file() and p.suffix == ".gguf":
                there[p.stem] = p
            elif p.is_dir() and not p.name.startswith(".") and any(p.glob("*.gguf")):
                there[p.name] = p
        self.known = {n: self.known.get(n, {"value": "unloaded", "left": 0}) | {"path": p} for n, p in there.items()}

    def answer(self, h, method, path):
        if method == "GET" and path.split("?")[0] == "/models":
            if path.endswith("?reload=1"):
                self.scan()
            if self.single:
                return h.send(200, {"object": "list", "data": [{"id": n} for n in self.known]})
            rows = [self.row(n, m) for n, m in self.known.items()]
            return h.send(200, {"data": rows})
        if method == "POST" and path in ("/models/load", "/models/unload"):
            return self.order(h, path[8:], json.loads(h.body())["model"])
        return self.unknown(h)

    def row(self, name, m):
        if m["value"] in ("loading", "unloading"):
            m["left"] -= 1
            if m["left"] <= 0:
                done = m["value"] == "loading"
                m["value"] = "unloaded" if not done or self.fails else "loaded"
                m["failed"] = done and self.fails
                if done and not self.fails:
                    self.has[name] = tree_hash(m["path"])
        status = {"value": "loaded" if m["value"] == "unloading" else m["value"]}
        if m.get("failed"):
            status |= {"failed": True, "exit_code": 1}
        return {"id": name, "path": str(m["path"]), "status": status}

    def order(self, h, verb, name):
        m = self.known.get(name)
        if not m:
            return h.send(404, {"error": {"code": 404, "message": "model '%s' is not found" % name, "type": "not_found_error"}})
        if (verb == "load") == (m["value"] != "unloaded"):
            return h.send(400, {"error": {"code": 400, "message": "model is %s" % ("already running" if verb == "load" else "not running"), "type": "invalid_request_error"}})
        m.update(value=verb + "ing", left=self.polls, failed=False)
        return h.send(200, {"success": True})


class Repository(FakeServer):
    """Triton with --model-control-mode=explicit; `settings`: MLServer, whose models have model-settings.json."""

    def __init__(self, folder, settings=False, **more):
        self.folder, self.settings, self.has, self.polls, self.waiting = pathlib.Path(folder), settings, {}, 1, {}
        super().__init__(**more)

    def there(self):
        if not self.settings:
            return {p.name: p for p in self.folder.iterdir() if p.is_dir() and not p.name.startswith(".") and any(v.name.isdigit() for v in p.iterdir())}
        return {json.loads(p.read_text()).get("name", p.parent.name): p.parent for p in self.folder.glob("*/model-settings.json")}

    def answer(self, h, method, path):
        parts = path.strip("/").split("/")
        if method == "POST" and path == "/v2/repository/index":
            assert json.loads(h.body()) == {}
            return h.send(200, [{"name": n, "state": "READY" if n in self.has else "UNAVAILABLE", "reason": ""} for n in sorted(self.there())])
        if method == "POST" and parts[:3] == ["v2", "repository", "models"] and parts[4] == "load":
            h.body()
            if parts[3] not in self.there():
                return h.send(404 if self.settings else 400, {"error": "Model %s not found" % parts[3] if self.settings else "failed to load '%s', failed to poll from model repository" % parts[3]})
            self.has[parts[3]] = tree_hash(self.there()[parts[3]])
            self.waiting[parts[3]] = self.polls
            return h.send(200, {} if self.settings else b"")
        if method == "GET" and parts[:2] == ["v2", "models"] and parts[-1] == "ready":
            self.waiting[parts[2]] = self.waiting.get(parts[2], 0) - 1
            return h.send(200 if parts[2] in self.has and self.waiting[parts[2]] < 0 else 400, {})
        return self.unknown(h)


class VllmLike(FakeServer):
    """vLLM; SGLang with `sglang`: its weights are exchanged by update_weights_from_disk. base: (name, path)."""

    def __init__(self, base, sglang=False, adapters=True, **more):
        self.base, self.sglang, self.takes_adapters, self.adapters, self.unhealthy, self.has = base, sglang, adapters, {}, 0, {}
        super().__init__(**more)

    def answer(self, h, method, path):
        prefix = "" if self.sglang else "/v1"
        if (method, path) == ("GET", "/health"):
            self.unhealthy -= 1
            return h.send(200 if self.unhealthy < 0 else 503)
        if (method, path) == ("GET", "/v1/models"):
            rows = [{"id": self.base[0], "object": "model", "root": self.base[1], "parent": None}]
            return h.send(200, {"object": "list", "data": rows + [{"id": n, "object": "model", "root": p, "parent": self.base[0]} for n, p in self.adapters.items()]})
        if self.sglang and (method, path) == ("GET", "/get_model_info"):
            return h.send(200, {"model_path": self.base[1], "is_generation": True})
        if self.sglang and (method, path) == ("POST", "/update_weights_from_disk"):
            return self.update(h, json.loads(h.body())["model_path"])
        if self.takes_adapters and method == "POST" and path in (prefix + "/load_lora_adapter", prefix + "/unload_lora_adapter"):
            return self.adapter(h, "unload" in path, json.loads(h.body()))
        return self.unknown(h)

    def update(self, h, path):
        if not (pathlib.Path(path) / "config.json").exists():
            return h.send(400, {"success": False, "message": "Failed to get weights iterator: %s." % path})
        self.base, self.has["base"] = (path, path), tree_hash(path)
        return h.send(200, {"success": True, "message": "Succeeded to update model weights."})

    def adapter(self, h, unload, asked):
        name = asked["lora_name"]
        if unload and name not in self.adapters:
            return h.send(404, {"error": {"message": "The lora adapter '%s' cannot be found." % name, "code": 404}})
        if unload:
            del self.adapters[name]
            return h.send(200, "Success: LoRA adapter '%s' removed successfully." % name, "text/plain")
        if name in self.adapters:
            return h.send(400, {"error": {"message": "The lora adapter '%s' has already been loaded." % name, "code": 400}})
        if not (pathlib.Path(asked["lora_path"]) / "adapter_config.json").exists():
            return h.send(404, {"error": {"message": "Loading lora %s failed: No adapter found for %s" % (name, asked["lora_path"]), "code": 404}})
        self.adapters[name], self.has[name] = asked["lora_path"], tree_hash(asked["lora_path"])
        return h.send(200, "Success: LoRA adapter '%s' added successfully." % name, "text/plain")


def dies_after(n):
    """Reads n bytes of the body, then is gone."""
    def fault(h):
        while h.rfile.read(min(n, 65536)) and (left := n - 65536) > 0:
            return dies_after(left)(h)
        h.die()
    return fault


def endless(h):
    """An answer that never ends, as fast as it is taken."""
    h.send_response(200)
    h.send_header("Content-Type", "application/json")
    h.send_header("Connection", "close")
    h.end_headers()
    h.close_connection = True
    try:
        for _ in range(4096):
            h.wfile.write(b'"x",' * 16384)
    except OSError:
        pass


def cut(h):
    """An answer that says more than it has."""
    h.body()
    h.send_response(200)
    h.send_header("Content-Length", "1000")
    h.end_headers()
    h.wfile.write(b'{"models":[')
    h.die()


def refuses(status, words):
    def fault(h):
        h.body()
        h.send(status, {"error": words})
    return fault


def slow(seconds, then):
    def fault(h):
        time.sleep(seconds)
        return then(h)
    return fault
