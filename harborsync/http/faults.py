"""The faults of the layers below, turned into ours once, by a table.

Texts of requests and urllib3 hold whole URLs with their signatures, so only the innermost
cause is quoted, and the chain to the rest is cut (OCI-9.12).
"""

from __future__ import annotations

import http.client
import socket
import ssl
from typing import TYPE_CHECKING, Final, TypeVar

from requests import exceptions as requests_faults
from urllib3 import exceptions as urllib3_faults

from harborsync.errors import ConnectionLost, Timeout, TlsError, TransportError
from harborsync.secrets import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class ConnectFailed(ConnectionLost):
    """No connection could be made, so nothing was sent."""


class ConnectTimeout(Timeout):
    """No connection stood in time, so nothing was sent."""


#: Errors that prove that the request never left.
NOTHING_SENT: Final = (ConnectFailed, ConnectTimeout)

_FAULTS: Final = (
    OSError,  # sockets, ssl, requests
    http.client.HTTPException,
    urllib3_faults.HTTPError,
)

# The first row that fits any fault in the chain decides.
_TABLE: Final[tuple[tuple[type[Exception], type[TransportError], str], ...]] = (
    (socket.gaierror, ConnectFailed, "the name cannot be resolved"),
    (ssl.SSLCertVerificationError, TlsError, "the certificate is not acceptable"),
    (ssl.SSLEOFError, ConnectionLost, "the connection ended in the middle of TLS"),
    (ssl.SSLZeroReturnError, ConnectionLost, "the connection ended in the middle of TLS"),
    (ssl.SSLError, TlsError, "the TLS handshake failed"),
    (TimeoutError, Timeout, "nothing was heard in time"),
    (urllib3_faults.TimeoutError, Timeout, "nothing was heard in time"),
    (requests_faults.Timeout, Timeout, "nothing was heard in time"),
    (requests_faults.SSLError, TlsError, "the TLS handshake failed"),
    (http.client.IncompleteRead, ConnectionLost, "the answer broke off"),
    (urllib3_faults.IncompleteRead, ConnectionLost, "the answer broke off"),
    (http.client.RemoteDisconnected, ConnectionLost, "the server hung up without an answer"),
    (http.client.HTTPException, ConnectionLost, "the answer is no HTTP"),
)
_DEFAULT: Final = (ConnectionLost, "the connection broke")


def translated(action: Callable[[], T], whom: object) -> T:
    """Do ``action`` and let only our errors out; ``whom`` is the origin spoken to.

    Raises:
        TransportError: The network broke.
    """
    try:
        return action()
    except _FAULTS as fault:
        failure, cause = failure_for(fault, whom), _harmless_cause(fault)
    raise failure from cause  # outside the handler, so that no context hangs on


def failure_for(fault: BaseException, whom: object) -> TransportError:
    """Return our error for a fault of the layers below."""
    chain = tuple(_chain(fault))
    for kind, ours, words in _TABLE:
        found = next((each for each in chain if isinstance(each, kind)), None)
        if found is not None:
            return ours(f"{whom}: {words}{_detail(found)}", hint=_hint(ours, found))
    return _DEFAULT[0](f"{whom}: {_DEFAULT[1]}{_detail(chain[-1])}")


def _hint(kind: type[TransportError], fault: BaseException) -> str | None:
    if kind is not TlsError:
        return None
    if getattr(fault, "reason", None) == "WRONG_VERSION_NUMBER":  # so OpenSSL calls plain text
        return "if the registry speaks plain http, say so: registry+http://HOST"
    return "if the registry has a CA of its own, name its file: ?ca=PATH"


def _detail(fault: BaseException) -> str:
    """Quote a fault of the standard library; others quote URLs."""
    if not isinstance(fault, OSError) or isinstance(fault, requests_faults.RequestException):
        return ""
    text = redact(fault.strerror or str(fault))
    return f" ({text})" if text else ""


def _harmless_cause(fault: BaseException) -> BaseException | None:
    innermost = tuple(_chain(fault))[-1]
    from_below = isinstance(innermost, OSError | http.client.HTTPException)
    wrapped = isinstance(innermost, requests_faults.RequestException)
    return innermost if from_below and not wrapped and "://" not in str(innermost) else None


def _chain(fault: BaseException) -> Iterator[BaseException]:
    """Yield a fault and those it wraps: as reason, argument, cause or context."""
    seen: set[int] = set()
    current: BaseException | None = fault
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = _wrapped(current)


def _wrapped(fault: BaseException) -> BaseException | None:
    candidates = (getattr(fault, "reason", None), *fault.args, fault.__cause__, fault.__context__)
    return next((each for each in candidates if isinstance(each, BaseException)), None)
