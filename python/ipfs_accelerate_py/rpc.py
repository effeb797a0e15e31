"""The RPC of another node. This build has no client of it, and no server; the calls of the package work on the store, in this process."""
from __future__ import annotations

from . import _own

WHY = ("not supported: this build of ipfs-accelerate has no client for the RPC of a node; the calls of this package need none (they open the store in the process), content goes to "
       "and comes from another node as an archive (ipfs-accelerate dag export, dag import)")


class Client:
    """api: "/ip4/127.0.0.1/tcp/5001" or "unix:///…". NotImplementedError, always."""

    def __init__(self, api: str = "/ip4/127.0.0.1/tcp/5001", token: str | None = None, timeout: float | None = None) -> None:
        raise NotImplementedError(WHY)


_own(globals())
