"""A small server: GET /ipfs/CID/path answers with the file, verified, while others are served.

usage: serve.py [PORT]                   0, the default, picks a free one"""
import asyncio
import sys

import ipfs_accelerate_py as ia
from ipfs_accelerate_py import aio


async def answer(reader, writer):
    try:
        words = (await asyncio.wait_for(reader.readline(), 10)).split()
        while (await asyncio.wait_for(reader.readline(), 10)).strip():
            pass  # the header is not needed
        path = words[1].decode() if len(words) == 3 and words[0] == b"GET" else ""
        try:
            about = await aio.stat(path)
            if about["type"] != "file":
                raise ia.NotFound("not_found", "%s is no file" % path)
        except ia.IPFSError as why:
            writer.write(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n" + str(why).encode() + b"\n")
        else:
            writer.write(b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\nETag: "%s"\r\n\r\n' % (about["size"], about["cid"].encode()))
            async for piece in aio.stream(path):
                writer.write(piece)
                await writer.drain()
        await writer.drain()
    except (asyncio.TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()


async def main(port):
    server = await asyncio.start_server(answer, "127.0.0.1", port)
    print("http://127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
    except KeyboardInterrupt:
        pass
