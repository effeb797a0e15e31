"""About this machine."""
from __future__ import annotations

from . import _own


def get_system_info() -> dict[str, str]:
    """-> {"platform", "python_version", "system", "release", "version", "machine", "processor"}, all text."""
    import platform

    return {"platform": platform.platform(), "python_version": platform.python_version(), "system": platform.system(), "release": platform.release(),
            "version": platform.version(), "machine": platform.machine(), "processor": platform.processor()}


_own(globals())
