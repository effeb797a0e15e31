"""What is known of peers. This build talks to no other node: there are no peers, and the answers say so."""
from __future__ import annotations

from . import _own

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from typing import Any


class P2PNetworkOptimizer:
    """It is asked what the old package asked it, and knows of no peer. config: what was given; peers: {}; running: False; stats: as get_performance_stats."""

    def __init__(self, config_instance: Any = None) -> None:
        self.config = config_instance
        self.peers = {}
        self.running = False
        self.stats = {"transfers_completed": 0, "transfers_failed": 0, "bytes_transferred": 0, "average_transfer_speed": 0.0, "network_efficiency": 1.0,
                      "peer_count": 0, "known_content_items": 0}

    def start(self) -> None:
        """Peers are not supported by this build: it stays off."""
        import warnings

        warnings.warn("this build of ipfs-accelerate talks to no peers; content comes from the local store", RuntimeWarning, stacklevel=2)

    def stop(self) -> None:
        self.running = False

    def __enter__(self) -> P2PNetworkOptimizer:
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def discover_peers(self, max_peers: int = 10) -> list[str]:
        """-> ids of peers, [] here."""
        return []

    def analyze_network_topology(self) -> dict[str, Any]:
        """-> {"status": "error", "message"}: there are no peers."""
        return {"status": "error", "message": "No peers available"}

    def optimize_content_placement(self, cid: str | bytes | os.PathLike[str], replica_count: int = 3) -> dict[str, Any]:
        """-> {"status": "error", "message"}: there are no peers."""
        return {"status": "error", "message": "No peers available"}

    def optimize_retrieval(self, cid: str | bytes | os.PathLike[str], timeout_seconds: float = 5.0) -> dict[str, Any]:
        """-> {"status": "error", "message"}: nobody is known to have it. timeout_seconds: seconds."""
        return {"status": "error", "message": "Content %s not found in the network" % cid}

    def get_performance_stats(self) -> dict[str, Any]:
        """-> seven figures of transfers; none was made. average_transfer_speed: KB/s."""
        return dict(self.stats)


p2p_optimizer = P2PNetworkOptimizer()


_own(globals())
