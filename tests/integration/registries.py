"""Registries for tests, on loopback: Debian's docker-registry in a folder of its own, filled over HTTP, and a scripted one for what a real registry
does not do on demand."""
import base64
import hashlib
import http.client
import http.server
import json
import shutil
import socket
import subprocess
import threading
import time

import pytest

from engines import free_port

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
USER, PASSWORD = "user", "s3cret-word"
HTPASSWD = USER + ":$2b$05$T69GtcISXVK0VYLQOIJ1Qe6nbBIKWp7SE1Pa0lymbL7XQGRPF6HHq\n"  # bcrypt of PASSWORD, as docker-registry wants it


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def descriptor(data, media_type, **more):
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data), **more}


def image(architecture="amd64", layers=(b"layer",), label="", **more):
    """(manifest, blobs) of an image."""
    config = compact({"os": "linux", "architecture": architecture, "config": {"Labels": {"org.opencontainers.image.description": label} if label else {}}})
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor(config, CONFIG),
                "layers": [descriptor(layer, "application/vnd.oci.image.layer.v1.tar") for layer in layers], **more}
    return compact(manifest), [config, *layers]


def login(folder, host, user=USER, password=PASSWORD):
    """A Docker configuration that knows one login; its folder is for DOCKER_CONFIG."""
    folder.mkdir(exist_ok=True)
    auth = base64.b64encode(("%s:%s" % (user, password)).encode()).decode()
    (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return folder


class Registry:
    """A running docker-registry."""

    def __init__(self, port, headers):
        self.host, self.headers = "127.0.0.1:%d" % port, headers

    def call(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.request(method, path, body=body, headers={**self.headers, **headers})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, answer.headers, data

    def push_blob(self, name, data):
        status, headers, _ = self.call("POST", "/v2/%s/blobs/uploads/" % name)
        assert status == 202
        place = headers["Location"].split(self.host, 1)[-1]
        status, _, body = self.call("PUT", "%s%sdigest=%s" % (place, "&" if "?" in place else "?", digest_of(data)), data,
                                    **{"Content-Type": "application/octet-stream"})
        assert status == 201, body

    def push_manifest(self, name, version, data, media_type):
        status, _, body = self.call("PUT", "/v2/%s/manifests/%s" % (name, version), data, **{"Content-Type": media_type})
        assert status == 201, body

    def push(self, name, tag, built):
        manifest, blobs = built
        for blob in blobs:
            self.push_blob(name, blob)
        self.push_manifest(name, tag, manifest, MANIFEST)
        return digest_of(manifest)


def start_registry(folder, with_login=False, port=0):
    """(process, registry); the caller ends the process."""
    program = shutil.which("docker-registry")
    if not program:
        pytest.skip("skipped: docker-registry is missing: run tools/install-deps test")
    folder.mkdir()
    port = port or free_port()
    text = "version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: 127.0.0.1:%d}\n" % (folder / "data", port)
    headers = {}
    if with_login:
        (folder / "htpasswd").write_text(HTPASSWD)
        text += "auth: {htpasswd: {realm: test, path: %s}}\n" % (folder / "htpasswd")
        headers = {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (USER, PASSWORD)).encode()).decode()}
    (folder / "config.yml").write_text(text)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([program, "serve", str(folder / "config.yml")], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    registry = Registry(port, headers)
    for _ in range(200):
        try:
            if registry.call("GET", "/v2/")[0] == 200:
                return process, registry
        except OSError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    process.wait()
    pytest.fail("docker-registry did not start: %s" % (folder / "log").read_text())


class UnixServer(http.server.ThreadingHTTPServer):
    """The same on a unix socket, as container engines listen."""
    address_family = socket.AF_UNIX

    def server_bind(self):
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "localhost", 0

    def get_request(self):
        return self.socket.accept()[0], ("engine", 0)


class Scripted:
    """An HTTP server whose answers are a function of the test: answer(path, headers) -> (status, headers, body), or "hang". On loopback, or on a unix
    socket at `path`."""

    def __init__(self, answer, tls=None, path=None, port=0):
        self.requests, self.over = [], threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests.append((self.path, dict(self.headers)))
                reply = outer.answer(self.path, self.headers)
                if reply == "hang":
                    outer.over.wait()
                    self.close_connection = True
                    return
                status, headers, body = reply
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *args):
                pass

        self.answer = answer
        self.server = UnixServer(str(path), Handler) if path else http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *args: None  # clients that leave early are part of the tests
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.host = "unix://%s" % path if path else "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def paths(self):
        return [path for path, _ in self.requests]
