"""What type checkers see of the package: each name where it is, whatever loads it when."""
from . import aio as aio, checkpoint as checkpoint, content as content, errors as errors, hub as hub, loading as loading
from ._aliases import aliases as aliases, get_alias as get_alias, remove_alias as remove_alias, set_alias as set_alias
from ._dispatch import endpoints as endpoints
from .backends import backends as backends
from .checkpoint import Checkpoint as Checkpoint, load_file as load_file, safe_open as safe_open
from .config import config as config
from .content import (add as add, cat as cat, get as get, ls as ls, open_file as open_file, pin as pin, pins as pins, resolve as resolve, stat as stat, unpin as unpin,
                      verify as verify)
from .errors import (Corrupt as Corrupt, Denied as Denied, EndpointError as EndpointError, FormatError as FormatError, IPFSError as IPFSError, NotFound as NotFound,
                     Timeout as Timeout)
from .hub import snapshot_download as snapshot_download
from .ipfs_accelerate import (IPFSAccelerate as IPFSAccelerate, add_file as add_file, get_file as get_file, get_p2p_network_analytics as get_p2p_network_analytics,
                              ipfs_accelerate as ipfs_accelerate, load_checkpoint_and_dispatch as load_checkpoint_and_dispatch)
from .p2p import P2PNetworkOptimizer as P2PNetworkOptimizer, p2p_optimizer as p2p_optimizer
from .rpc import Client as Client
from .system import get_system_info as get_system_info

__version__: str
