"""sha2-256 on one core: every kernel this processor can run, beside libcrypto."""
import shutil
import subprocess

MESSAGE = 262144  # bytes, a leaf


def openssl_speed():
    """GB/s of `openssl speed`, which hashes one message again and again."""
    if not shutil.which("openssl"):
        return None
    done = subprocess.run(["openssl", "speed", "-mr", "-evp", "sha256", "-bytes", str(MESSAGE), "-seconds", "1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    rates = [float(line.split(":")[-1]) for line in done.stdout.splitlines() if line.startswith("+F:")]
    return rates[0] / 1e9 if rates else None


def measure(place, recorder):
    for turn in range(5):
        for line in place.ours.text("stats", "hash").splitlines()[1:]:
            name, lanes, rate = line.split()[:3]
            recorder.value("kernel " + name, "ours", "GB/s", float(rate), turn=turn, lanes=int(lanes), used=" yes" in line, command="ipfs-accelerate stats hash")
        rate = openssl_speed()
        if rate:
            recorder.value("openssl speed sha256", "openssl", "GB/s", rate, turn=turn, command="openssl speed -evp sha256 -bytes %d -seconds 1" % MESSAGE)
