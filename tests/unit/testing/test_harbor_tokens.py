"""Bearer tokens of the emulated Harbor."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from harborsync.content import OCI_MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import FakeClock, LoopbackHarbor

_SERVICE: Final = "/service/token?service=harbor-registry"


def _claims(reply: Any) -> dict[str, Any]:
    part = reply.json["token"].split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


def _actions(reply: Any) -> list[list[str]]:
    return [each["actions"] for each in _claims(reply)["access"]]


def test_a_token_says_what_it_is_for(admin: Any) -> None:
    """Asked for or not, it holds all that may be done; push implies delete (HARBOR-5)."""
    reply = admin("GET", f"{_SERVICE}&scope=repository:app/web:pull")
    assert reply.json["expires_in"] == 1800
    assert reply.json["issued_at"] == "2026-01-01T00:00:00Z"
    assert reply.json["access_token"] == ""
    claims = _claims(reply)
    assert (claims["sub"], claims["aud"]) == ("admin", "harbor-registry")
    assert claims["exp"] - claims["iat"] == 1800
    assert claims["access"] == [
        {"type": "repository", "name": "app/web", "actions": ["pull", "push", "delete"]}
    ]


def test_several_scopes_come_in_one_token(admin: Any) -> None:
    """In one parameter or in two, the nonsense among them with nothing (HARBOR-5)."""
    scopes = (
        "repository:app/a:pull%20repository:app/b:pull&scope=nonsense&scope=repository:one:pull"
    )
    reply = admin("GET", f"{_SERVICE}&scope={scopes}")
    assert [len(each) for each in _actions(reply)] == [3, 3, 0, 0]


def test_a_token_without_scope_holds_nothing(admin: Any, anybody: Any) -> None:
    """To somebody it is given all the same; to nobody it is not (HARBOR-5)."""
    assert _claims(admin("GET", _SERVICE))["access"] is None
    reply = anybody("GET", _SERVICE)
    assert (reply.status, reply.body) == (401, b"")


@pytest.mark.parametrize("scope", ["repository:app/web:pull", "repository:absent/web:pull"])
def test_insufficient_rights_do_not_fail(anybody: Any, scope: str) -> None:
    """The token holds no actions; that is all one is told (HARBOR-5)."""
    reply = anybody("GET", f"{_SERVICE}&scope={scope}")
    assert (reply.status, _actions(reply)) == (200, [[]])
    assert "sub" not in _claims(reply)


def test_a_wrong_password_does_not_fail_either(
    harbor: LoopbackHarbor, log_in: Callable[..., Any]
) -> None:
    """Only a look into the token tells (HARBOR-5)."""
    reply = log_in(harbor, "admin", "wrong")("GET", f"{_SERVICE}&scope=repository:app/web:pull")
    assert (reply.status, _actions(reply)) == (200, [[]])


def test_everybody_may_pull_what_is_public(anybody: Any) -> None:
    """With a token for nobody."""
    reply = anybody("GET", f"{_SERVICE}&scope=repository:library/web:pull,push")
    assert _actions(reply) == [["pull"]]


def test_the_catalog_is_for_whom_it_may_concern(admin: Any, anybody: Any) -> None:
    """All of it or nothing."""
    assert _actions(admin("GET", f"{_SERVICE}&scope=registry:catalog:*")) == [["*"]]
    assert _actions(anybody("GET", f"{_SERVICE}&scope=registry:catalog:*")) == [[]]


def test_the_service_has_one_name_and_one_method(admin: Any) -> None:
    """Another name is a plain 400, a POST a plain 405 (HARBOR-5)."""
    reply = admin("GET", "/service/token?service=elsewhere")
    assert (reply.status, reply.body) == (400, b"Unable to handle service: elsewhere")
    assert admin("POST", "/service/token", b"grant_type=password").status == 405


def test_a_token_opens_what_it_names(
    harbor: LoopbackHarbor, admin: Any, anybody: Any, harbor_clock: FakeClock
) -> None:
    """Until it expires; for another repository it is a 401 with a Basic challenge (HARBOR-5)."""
    harbor.push_image("app/web", "1.0")
    token = admin("GET", f"{_SERVICE}&scope=repository:app/web:pull").json["token"]
    head = {"Authorization": f"Bearer {token}", "Accept": OCI_MANIFEST}
    assert anybody("HEAD", "/v2/app/web/manifests/1.0", **head).status == 200
    refused = anybody("HEAD", "/v2/app/other/manifests/1.0", **head)
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"] == 'Basic realm="harbor"'
    harbor_clock.advance(1800)
    assert anybody("HEAD", "/v2/app/web/manifests/1.0", **head).status == 401


def test_a_token_of_the_catalog_opens_it(admin: Any, anybody: Any) -> None:
    """And nothing else does."""
    token = admin("GET", f"{_SERVICE}&scope=registry:catalog:*").json["token"]
    assert anybody("GET", "/v2/_catalog", Authorization=f"Bearer {token}").status == 200
    other = admin("GET", f"{_SERVICE}&scope=repository:app/web:pull").json["token"]
    assert anybody("GET", "/v2/_catalog", Authorization=f"Bearer {other}").status == 401


@pytest.mark.parametrize("token", ["garbage", "a.b.c", ""])
def test_a_token_that_is_none_opens_nothing(anybody: Any, token: str) -> None:
    """It is as good as no login."""
    assert anybody("GET", "/v2/", Authorization=f"Bearer {token}").status == 401


def test_how_long_a_token_is_good_can_be_chosen(
    make_harbor: Callable[..., LoopbackHarbor], log_in: Callable[..., Any]
) -> None:
    """So that it runs out in the middle of something."""
    client = log_in(make_harbor(token_seconds=5), "admin", "Harbor12345")
    reply = client("GET", f"{_SERVICE}&scope=repository:library/web:pull")
    assert reply.json["expires_in"] == 5
