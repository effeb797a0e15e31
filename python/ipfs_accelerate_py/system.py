"""About this machine."""


def get_system_info():
    """-> {"platform", "python_version", "system", "release", "version", "machine", "processor"}, all text."""
    import platform

    return {"platform": platform.platform(), "python_version": platform.python_version(), "system": platform.system(), "release": platform.release(),
            "version": platform.version(), "machine": platform.machine(), "processor": platform.processor()}
