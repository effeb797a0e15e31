"""What is known of peers. This build talks to no other node: there are no peers, and the answers say so."""


class P2PNetworkOptimizer:
    def __init__(self, config_instance=None):
        self.config = config_instance
        self.peers = {}
        self.running = False
        self.stats = {"transfers_completed": 0, "transfers_failed": 0, "bytes_transferred": 0, "average_transfer_speed": 0.0, "network_efficiency": 1.0,
                      "peer_count": 0, "known_content_items": 0}

    def start(self):
        """Peers are not supported by this build: it stays off."""
        import warnings

        warnings.warn("this build of ipfs-accelerate talks to no peers; content comes from the local store", RuntimeWarning, stacklevel=2)

    def stop(self):
        self.running = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def discover_peers(self, max_peers=10):
        """-> ids of peers, [] here."""
        return []

    def analyze_network_topology(self):
        return {"status": "error", "message": "No peers available"}

    def optimize_content_placement(self, cid, replica_count=3):
        return {"status": "error", "message": "No peers available"}

    def optimize_retrieval(self, cid, timeout_seconds=5.0):
        return {"status": "error", "message": "Content %s not found in the network" % cid}

    def get_performance_stats(self):
        return dict(self.stats)


p2p_optimizer = P2PNetworkOptimizer()
