"""How an emulated Harbor talks to registries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing import BasicAuth, LoopbackQuirks, TestAuthority
from harborsync.testing.harbor_far import FarError, HttpLine, Reply, exchange

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harborsync.testing import LoopbackHarbor, LoopbackRegistry

_CLOSED = "http://127.0.0.1:9"


def test_a_server_that_is_not_there_is_told_so() -> None:
    """The message names the request, as logs do."""
    with pytest.raises(FarError, match=f'Get "{_CLOSED}/v2/"'):
        HttpLine(_CLOSED).send("GET", "/v2/")


def test_a_basic_challenge_is_answered(make: Callable[..., LoopbackRegistry]) -> None:
    """The login is sent when asked for; without one the refusal stands."""
    server = make(auth=BasicAuth({"user": "secret"}))
    url = f"http://{server.host}"
    assert HttpLine(url, user="user", secret="secret").send("GET", "/v2/").ok
    assert HttpLine(url, user="user", secret="wrong").send("GET", "/v2/").status == 401
    assert HttpLine(url).send("GET", "/v2/").status == 401


def test_a_token_is_fetched_and_used_again(harbor: LoopbackHarbor) -> None:
    """One for reading and one for writing a repository; a wrong password gets none."""
    harbor.push_image("app/web", "1")
    line = HttpLine(harbor.url, user="admin", secret="Harbor12345")
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    for _ in range(2):
        assert line.send("HEAD", "/v2/app/web/manifests/1", accept).ok
    assert line.send("POST", "/v2/app/web/blobs/uploads/").status == 202
    fetched = [each for each in harbor.requests if each.path == "/service/token"]
    assert [each.query.count("pull%2Cpush") for each in fetched] == [0, 1]


def test_a_wrong_password_gets_no_token(harbor: LoopbackHarbor) -> None:
    """Without a scope there is none to be had, and the refusal stands."""
    line = HttpLine(harbor.url, user="admin", secret="wrong")
    assert line.send("GET", "/v2/").status == 401


def test_a_redirect_is_followed_without_the_login(make: Callable[..., LoopbackRegistry]) -> None:
    """The other host is asked for the blob and gets no credentials."""
    server = make(quirks=LoopbackQuirks(redirects="other_host"), auth=BasicAuth({"user": "secret"}))
    digest = server.storage.put_blob("app", b"layer")
    line = HttpLine(f"http://{server.host}", user="user", secret="secret")
    assert line.send("GET", f"/v2/app/blobs/{digest}").body == b"layer"
    assert "authorization" not in server.requests[-1].headers


def test_certificates_are_checked_unless_told_otherwise(
    make: Callable[..., LoopbackRegistry], tmp_path: Path
) -> None:
    """A given one is trusted, any is taken by who is insecure, else there is no answer."""
    authority = TestAuthority(tmp_path)
    url = f"https://{make(tls=authority).host}"
    trusted = HttpLine(url, ca=authority.ca_file.read_text())
    assert trusted.send("GET", "/v2/").ok
    assert HttpLine(url, insecure=True).send("GET", "/v2/").ok
    with pytest.raises(FarError):
        HttpLine(url).send("GET", "/v2/")


def test_an_answer_that_is_no_json_is_told_so() -> None:
    """What should have been a list was not."""
    reply = Reply(status=200, headers={}, body=b"<html>")
    with pytest.raises(FarError, match="no JSON"):
        reply.json()


def test_one_request_goes_to_any_address(server: LoopbackRegistry, client: Any) -> None:
    """With its query, and an empty path is the root."""
    assert client("GET", "/v2/").status == 200
    reply = exchange(f"http://{server.host}?a=b", method="GET")
    assert (reply.status, server.requests[-1].query) == (404, "a=b")


@pytest.mark.parametrize("url", ["127.0.0.1:9099", "", "ftp://host/", "http://host:port/"])
def test_an_address_that_is_none_is_told_so(url: str) -> None:
    """Webhooks may be made with such a thing (recorded: 11); it fails when it is used."""
    with pytest.raises(FarError, match=f'Post "{url}": '):
        exchange(url, method="POST")
