"""What the results were measured on."""
import os
import platform
import re
import shutil
import subprocess

import settings


def first_line(command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except OSError:
        return None
    return done.stdout.strip().split("\n")[0] or None


def processor():
    for line in open("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def features():
    wanted = {"sha_ni", "avx2", "avx512f", "avx512bw", "avx512vl", "sha2", "asimd"}
    for line in open("/proc/cpuinfo"):
        if line.startswith(("flags", "Features")):
            return sorted(wanted & set(line.split()))
    return []


def memory_gib():
    for line in open("/proc/meminfo"):
        if line.startswith("MemTotal"):
            return round(int(line.split()[1]) / 1048576, 1)
    return None


def congestion_control():
    """Of TCP connections that choose none: one that paces slows those inside the machine, too."""
    try:
        return open("/proc/sys/net/ipv4/tcp_congestion_control").read().strip()
    except OSError:
        return None


def file_system(folder):
    return first_line(["findmnt", "-no", "FSTYPE", "-T", str(folder)])


def source_state():
    commit = first_line(["git", "-C", str(settings.ROOT), "rev-parse", "--short=12", "HEAD"])
    if not commit or not re.fullmatch("[0-9a-f]{12}", commit):
        return None
    dirty = first_line(["git", "-C", str(settings.ROOT), "status", "--porcelain", "--untracked-files=no", "--", "src", "include"])
    return commit + (", changed" if dirty else "")


def describe(place):
    versions = {"ours": place.ours.version(), "source": source_state(), "Kubo": place.kubo.version() if place.kubo else None,
                "openssl": first_line(["openssl", "version"]), "fio": first_line(["fio", "--version"]) if shutil.which("fio") else None,
                "coreutils": first_line(["cp", "--version"])}
    return {"processor": processor(), "features": features(), "processors": os.cpu_count(), "memory_gib": memory_gib(),
            "kernel": platform.release().split("-")[0], "file_system": file_system(place.folder), "congestion_control": congestion_control(), "versions": versions,
            "sizes": {"file_mib": settings.MB, "car_mib": settings.CAR_MB, "files": settings.FILES, "blocks": settings.BLOCKS, "runs": settings.RUNS}}
