"""The faults of the layers below become ours once."""

from __future__ import annotations

import http.client
import pickle
import socket
import ssl

import pytest
import requests
import urllib3

from harborsync.errors import ConnectionLost, Timeout, TlsError, TransportError
from harborsync.http.faults import ConnectFailed, ConnectTimeout, failure_for, translated

_URL = "https://r.example/v2/a?X-Amz-Signature=SECRET"


def _certificate() -> ssl.SSLCertVerificationError:
    return ssl.SSLCertVerificationError(1, "self-signed certificate")


def test_a_server_that_speaks_no_tls_is_told_from_one_with_another_certificate() -> None:
    """Each has its own way out."""
    incoming = ssl.MemoryBIO()
    incoming.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    client = ssl.create_default_context().wrap_bio(incoming, ssl.MemoryBIO(), server_hostname="r")
    with pytest.raises(ssl.SSLError) as caught:
        client.do_handshake()
    plain, distrusted = failure_for(caught.value, "r"), failure_for(_certificate(), "r")
    assert "registry+http://" in (plain.hint or "")
    assert "?ca=" in (distrusted.hint or "")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), ConnectionLost),
        (BrokenPipeError(32, "Broken pipe"), ConnectionLost),
        (TimeoutError("timed out"), Timeout),
        (socket.gaierror(-2, "Name or service not known"), ConnectFailed),
        (_certificate(), TlsError),
        (ssl.SSLError(1, "tlsv1 alert protocol version"), TlsError),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), ConnectionLost),
        (ssl.SSLZeroReturnError(6, "closed"), ConnectionLost),
        (http.client.RemoteDisconnected("gone"), ConnectionLost),
        (http.client.IncompleteRead(b"abc", 7), ConnectionLost),
        (http.client.BadStatusLine("SSH-2.0"), ConnectionLost),
        (requests.ConnectTimeout(f"to {_URL}"), Timeout),
        (requests.ReadTimeout(f"to {_URL}"), Timeout),
        (requests.exceptions.SSLError(f"at {_URL}"), TlsError),
        (requests.exceptions.SSLError(urllib3.exceptions.SSLError(_certificate())), TlsError),
        (requests.ConnectionError(f"Max retries exceeded with url: {_URL}"), ConnectionLost),
        (
            urllib3.exceptions.ProtocolError("broken", ConnectionResetError(104, "reset")),
            ConnectionLost,
        ),
        (urllib3.exceptions.IncompleteRead(3, 7), ConnectionLost),
        (urllib3.exceptions.HTTPError(f"at {_URL}"), ConnectionLost),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
def test_every_fault_has_its_error(fault: Exception, kind: type[TransportError]) -> None:
    """The most telling fault of the chain decides; no URL is quoted."""

    def fail() -> None:
        raise fault

    with pytest.raises(TransportError) as caught:
        translated(fail, "https://r.example")
    error = caught.value
    assert type(error) is kind
    assert error.message.startswith("https://r.example: ")
    assert error.__context__ is None or error.__context__ is error.__cause__
    assert "SECRET" not in f"{error} {error.__cause__!r}"


def test_a_harmless_cause_is_kept() -> None:
    """It tells a developer more than our words."""
    fault = ConnectionResetError(104, "Connection reset by peer")

    def fail() -> None:
        raise requests.ConnectionError(urllib3.exceptions.ProtocolError("x", fault))

    with pytest.raises(ConnectionLost, match="Connection reset by peer") as caught:
        translated(fail, "https://r.example")
    assert caught.value.__cause__ is fault


def test_a_circle_of_causes_ends() -> None:
    """Exceptions may refer to each other."""
    one, two = OSError("one"), OSError("two")
    one.__cause__, two.__cause__ = two, one
    assert isinstance(failure_for(one, "https://r.example"), ConnectionLost)


def test_other_exceptions_pass() -> None:
    """Mistakes of our own are not the network's."""

    def fail() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        translated(fail, "https://r.example")
    assert translated(lambda: 7, "https://r.example") == 7


@pytest.mark.parametrize("kind", [ConnectFailed, ConnectTimeout])
def test_they_cross_processes(kind: type[TransportError]) -> None:
    """As every error does."""
    again = pickle.loads(pickle.dumps(kind("x", hint="y")))
    assert (type(again), again.message, again.hint) == (kind, "x", "y")
