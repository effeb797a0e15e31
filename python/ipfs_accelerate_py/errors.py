"""What goes wrong, as exceptions. `code` is one of CODES; the message is the library's one sentence."""
from __future__ import annotations

from . import _own


CODES = ("invalid_cid", "not_found", "timeout", "offline", "denied", "corrupt", "bad_format", "unsupported_format", "pickle_refused", "no_space",
         "endpoint_unreachable", "endpoint_refused", "not_ready", "cancelled", "internal")


class IPFSError(Exception):
    """code: one of CODES. cid: what it is about, or None. status: the C library's status (ipfsa/status.h), 0 when it was not asked."""

    def __init__(self, code: str, message: str, cid: str | None = None, status: int = 0) -> None:
        super().__init__(message)
        self.code, self.message, self.cid, self.status = code, message, cid, status

    def __reduce__(self):  # exceptions cross process borders
        return (type(self), (self.code, self.message, self.cid, self.status))


class NotFound(IPFSError):
    """It is not in the store (not_found), or would have to come from elsewhere (offline)."""


class Timeout(IPFSError):
    """The time limit of the call passed, also while it waited for another process that writes (timeout)."""


class Corrupt(IPFSError):
    """Bytes of the store are not those that they were (corrupt); none of them was given."""


class Denied(IPFSError):
    """Not allowed: by the system, the repo, or the rules for containers (denied)."""


class FormatError(IPFSError):
    """Not what it should be (bad_format), of a kind that is not known (unsupported_format), or a pickle that was not allowed (pickle_refused)."""


class EndpointError(IPFSError):
    """A server or an engine cannot be reached, refused, or was not ready in time (endpoint_unreachable, endpoint_refused, not_ready)."""


CLASSES = {"not_found": NotFound, "offline": NotFound, "timeout": Timeout, "corrupt": Corrupt, "denied": Denied, "bad_format": FormatError,
           "unsupported_format": FormatError, "pickle_refused": FormatError, "endpoint_unreachable": EndpointError, "endpoint_refused": EndpointError,
           "not_ready": EndpointError}

# ipfsa/status.h
BY_STATUS = {-3: "bad_format", -4: "denied", -5: "not_found", -7: "corrupt", -9: "no_space", -10: "no_space", -11: "timeout", -12: "denied", -15: "denied",
             -16: "bad_format", -17: "cancelled", -18: "timeout", -24: "not_found", -25: "bad_format"}


def make(code, message, cid=None, status=0):
    return CLASSES.get(code, IPFSError)(code, message, cid, status)


def of_status(status, message, cid=None):
    return make(BY_STATUS.get(status, "internal"), message, cid, status)


_own(globals())
