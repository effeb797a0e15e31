"""A scripted engine on a unix socket: what a real one cannot be made to do on demand. Answers are bytes, written as they are; every request is
kept. One thread a connection; the connection ends with the answer unless it is kept alive."""
import json
import os
import socket
import struct
import threading

LABEL = "io.ipfs-accelerate.managed"


def answer(status=200, body=b"", kind="application/json", headers=()):
    """A whole response."""
    if not isinstance(body, (bytes, str)):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    lines = ["HTTP/1.1 %d X" % status, "Content-Type: " + kind, "Content-Length: %d" % len(body), *("%s: %s" % pair for pair in headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def chunked(*pieces, kind="application/json", end=True):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: " + kind.encode() + b"\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + (b"0\r\n\r\n" if end else b"")


def frame(stream, data, length=None):
    return struct.pack(">BxxxI", stream, len(data) if length is None else length) + data


def container(name, running=True, **more):
    """What inspect says, as API 1.52 does: addresses in Networks only."""
    return {"Id": "c" * 64, "Name": "/" + name, "State": {"Status": "running" if running else "exited", "Running": running, "ExitCode": 0},
            "Config": {"Image": "busybox", "Tty": False, "Labels": {LABEL: "1"}},
            "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "49153"}], "81/tcp": None},
                                "Networks": {"bridge": {"IPAddress": "172.17.0.9"}}}, **more}


class FakeEngine:
    def __init__(self, path, api="1.41"):
        self.path, self.api = str(path), api
        self.host = "unix://" + self.path
        self.requests = []   # (method, target, body)
        self.script = {}     # (method, target without version and query) → bytes, a list of bytes for one request after the other, or a function
        self.ping_headers = [("Ostype", "linux")] + ([("Api-Version", api)] if api else [])
        self.start()

    def start(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.thread = threading.Thread(target=self.accept, args=(self.listener,), daemon=True)
        self.thread.start()

    def stop(self):
        """As an engine that is gone: nobody listens, the socket file too."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        os.unlink(self.path)

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            data = b""
            while True:
                while b"\r\n\r\n" not in data:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    data += piece
                head, data = data.split(b"\r\n\r\n", 1)
                lines = head.decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in lines[1:])
                while len(data) < int(headers.get("content-length", 0)):
                    data += connection.recv(65536)
                body, data = data[:int(headers.get("content-length", 0))], data[int(headers.get("content-length", 0)):]
                method, target, _ = lines[0].split(" ")
                self.requests.append((method, target, body))
                if not self.reply(connection, method, target):
                    return

    def reply(self, connection, method, target):
        """False: the connection ends here."""
        path = target.split("?")[0]
        if path.startswith("/v1."):
            path = "/" + path.split("/", 2)[2]
        given = self.script.get((method, path))
        if isinstance(given, list):
            given = given.pop(0) if len(given) > 1 else given[0]
        if callable(given):
            given(connection)
            return False
        if given is None and path == "/_ping":
            given = answer(200, b"" if method == "HEAD" else b"OK", "text/plain", self.ping_headers)
        connection.sendall(given if given is not None else answer(404, {"message": "page not found: " + path}))
        return b"Content-Length" in (given or b"Content-Length")

    def targets(self, method="GET"):
        return [t for m, t, _ in self.requests if m == method]
