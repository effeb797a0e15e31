"""The build back end of `pip install .`: that of meson-python, whose wheels get the tag that they deserve.

It takes all that lies in a platform's folder for modules of the interpreter that built them. Here nothing is one: the library is opened with ctypes, and a wheel serves every
Python 3 of its platform. Without this, each interpreter would have to build the library anew."""
import base64
import hashlib
import os
import re
import zipfile

import mesonpy
from mesonpy import build_editable, build_sdist, get_requires_for_build_editable, get_requires_for_build_sdist, get_requires_for_build_wheel  # noqa: F401 (the hooks of PEP 517)

TAG = "py3-none"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = mesonpy.build_wheel(wheel_directory, config_settings, metadata_directory)
    return retag(wheel_directory, name)


def retag(folder, name):
    """-> the name of the wheel that stands there in its place (binary distribution format, PEP 427: NAME-VERSION-PYTHON-ABI-PLATFORM.whl)."""
    start, platform = name.rsplit("-", 3)[0], name.rsplit("-", 1)[1]
    new = "%s-%s-%s" % (start, TAG, platform)
    if new == name:
        return name
    with zipfile.ZipFile(os.path.join(folder, name)) as old, zipfile.ZipFile(os.path.join(folder, new + ".tmp"), "w", zipfile.ZIP_DEFLATED) as made:
        told = old.read(start + ".dist-info/WHEEL").decode()
        about = re.sub(r"^Tag: [^-\n]+-[^-\n]+-", "Tag: %s-" % TAG, told, flags=re.M).encode()
        for item in old.infolist():  # its mode goes with it
            data = old.read(item)
            if item.filename.endswith(".dist-info/WHEEL"):
                data = about
            if item.filename.endswith(".dist-info/RECORD"):
                data = _record(data.decode(), start + ".dist-info/WHEEL", about).encode()
            made.writestr(item, data, zipfile.ZIP_DEFLATED)
    os.replace(os.path.join(folder, new + ".tmp"), os.path.join(folder, new))
    os.unlink(os.path.join(folder, name))
    return new


def _record(text, name, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return re.sub(r"^%s,.*$" % re.escape(name), "%s,sha256=%s,%d" % (name, digest, len(data)), text, flags=re.M)
