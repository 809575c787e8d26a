"""The test authority and registries that speak TLS."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.endpoint import Endpoint
from harborsync.testing import LoopbackQuirks, TestAuthority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def authority() -> Iterator[TestAuthority]:
    """Return an authority whose files go away."""
    with TestAuthority() as made:
        yield made


def _trusting(authority: TestAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.ca_file))


def test_who_trusts_the_authority_can_talk(make: Any, talk: Any, authority: TestAuthority) -> None:
    """The server's certificate is good for its address, by the authority's file."""
    server = make(tls=authority)
    client = talk(server, _trusting(authority))
    assert client("GET", "/v2/").status == 200
    assert client.push_blob("a", bytes(3 * 2**20))
    (first, *_) = server.requests
    assert (first.path, first.connection) == ("/v2/", 1)


def test_who_does_not_trust_it_cannot(make: Any, talk: Any, authority: TestAuthority) -> None:
    """Another authority's word is not enough; the server lives on."""
    server = make(tls=authority)
    with pytest.raises(ssl.SSLCertVerificationError):
        talk(server, ssl.create_default_context())("GET", "/v2/")
    assert talk(server, _trusting(authority))("GET", "/v2/").status == 200


def test_the_endpoint_names_the_authority(make: Any, authority: TestAuthority) -> None:
    """Whoever opens the endpoint finds the file, and the text reads back."""
    endpoint = make(tls=authority).endpoint
    assert (endpoint.plain_http, endpoint.options) == (False, {"ca": str(authority.ca_file)})
    assert Endpoint.parse(str(endpoint)) == endpoint


def test_a_client_certificate_can_be_demanded(
    make: Any, talk: Any, authority: TestAuthority
) -> None:
    """Without one nobody is served."""
    server = make(tls=authority, demand_client_certificate=True)
    with pytest.raises(OSError):  # noqa: PT011 - an alert, a reset or an end, as TLS sees fit
        talk(server, _trusting(authority))("GET", "/v2/")
    context = _trusting(authority)
    files = authority.client_certificate("ann")
    context.load_cert_chain(files.certificate, files.key)
    assert talk(server, context)("GET", "/v2/").status == 200


def test_addresses_in_answers_are_https(make: Any, talk: Any, authority: TestAuthority) -> None:
    """The second address speaks TLS as well."""
    server = make(tls=authority, quirks=LoopbackQuirks(redirects="other_host"))
    server.storage.put_blob("a", b"x")
    context = _trusting(authority)
    digest = next(iter(server.storage.blobs("a")))
    location = talk(server, context)("GET", f"/v2/a/blobs/{digest}").headers["Location"]
    assert location.startswith(f"https://{server.other_host}/")
    assert talk(server.other_host, context)("GET", location).body == b"x"


def test_files_stay_where_they_were_wanted(tmp_path: Path) -> None:
    """In a directory of the caller nothing is removed."""
    authority = TestAuthority(tmp_path)
    authority.server_certificate("registry.example")
    authority.close()
    assert {path.name for path in tmp_path.iterdir()} == {"ca.pem", "server.pem", "server.key"}


def test_closing_removes_the_files() -> None:
    """The temporary directory goes, and a second time is fine."""
    authority = TestAuthority()
    authority.close()
    authority.close()
    assert not authority.ca_file.exists()
