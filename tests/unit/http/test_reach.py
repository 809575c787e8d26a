"""Whether an origin can be reached: connections, TLS, and certificates that are not acceptable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harborsync.endpoint import Endpoint
from harborsync.errors import AddressRefused, ConnectionLost, TlsError
from harborsync.http.reach import Reaching
from harborsync.provider import OpenContext
from harborsync.testing import LoopbackRegistry
from harborsync.testing.tls import TestAuthority

if TYPE_CHECKING:
    from pathlib import Path


def test_a_plain_origin_has_an_address_and_a_round_trip() -> None:
    """There is no certificate."""
    with LoopbackRegistry() as server:
        home = f"http://{server.host}"
        reached = Reaching(server.endpoint, OpenContext(), home).reach(home)
    assert (reached.address, reached.tls, reached.fault) == ("127.0.0.1", "", None)
    assert reached.seconds is not None
    assert reached.seconds >= 0


def test_tls_tells_version_issuer_and_end(tmp_path: Path) -> None:
    """They are of the certificate that was accepted."""
    with TestAuthority(tmp_path) as authority, LoopbackRegistry(tls=authority) as server:
        home = f"https://{server.host}"
        reached = Reaching(server.endpoint, OpenContext(), home).reach(home)
    assert reached.tls in {"TLSv1.2", "TLSv1.3"}
    assert reached.issuer == "CN=harborsync test authority"
    assert reached.not_after is not None
    assert reached.not_after.tzinfo is not None


def test_a_certificate_that_is_refused_is_still_read(tmp_path: Path) -> None:
    """So that people see whose it is; nothing is sent over that connection."""
    with TestAuthority(tmp_path) as authority, LoopbackRegistry(tls=authority) as server:
        home = f"https://{server.host}"
        endpoint = Endpoint(provider="registry", address=server.host)
        reached = Reaching(endpoint, OpenContext(), home).reach(home)
        assert server.requests == ()
    assert isinstance(reached.fault, TlsError)
    assert (reached.tls, reached.issuer) == ("", "CN=harborsync test authority")


def test_a_server_without_tls_is_a_fault_without_a_certificate() -> None:
    """It speaks something else."""
    with LoopbackRegistry() as server:
        home = f"https://{server.host}"
        endpoint = Endpoint(provider="registry", address=server.host)
        reached = Reaching(endpoint, OpenContext(), home).reach(home)
    assert reached.fault is not None
    assert (reached.issuer, reached.not_after) == ("", None)


def test_what_is_no_origin_or_not_there_is_a_fault() -> None:
    """It is returned, not raised."""
    reaching = Reaching(Endpoint(address="r.example"), OpenContext(), "https://r.example")
    assert isinstance(reaching.reach("ftp://r.example").fault, AddressRefused)
    assert isinstance(reaching.reach("http://127.0.0.1:1").fault, ConnectionLost)


def test_a_public_registry_cannot_point_to_this_machine() -> None:
    """Only what the user names himself may be here."""
    with LoopbackRegistry() as server:
        reaching = Reaching(Endpoint(address="r.example"), OpenContext(), "https://r.example")
        here = f"http://{server.host}"
        assert isinstance(reaching.reach(here, named_by_home=True).fault, AddressRefused)
        assert reaching.reach(here).fault is None
        assert server.connections_opened <= 1
