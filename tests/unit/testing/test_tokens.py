"""Logins at the embedded registry, as an independent client sees them."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from harborsync.testing import Access, BasicAuth, FakeClock, LoopbackQuirks, TokenAuth

if TYPE_CHECKING:
    from collections.abc import Collection

USERS = {"ann": "s3cret:with:colons"}
PULL = "repository:team/app:pull"
TAGS = "/v2/team/app/tags/list"
UPLOADS = "/v2/team/app/blobs/uploads/"


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


ANN = _basic("ann", USERS["ann"])


def _challenge(reply: Any) -> dict[str, str]:
    assert reply.status == 401
    return dict(re.findall(r'(\w+)="([^"]*)"', reply.headers["WWW-Authenticate"]))


def _token(client: Any, *scopes: str, login: str | None = ANN, **more: str) -> str:
    query = urlencode([*(("scope", scope) for scope in scopes), *more.items()])
    headers = {} if login is None else {"Authorization": login}
    return str(client("GET", f"/token?service=x&{query}", **headers).json["token"])


def _post(client: Any, **form: str) -> Any:
    kind = "application/x-www-form-urlencoded"
    return client("POST", "/token", urlencode(form), Content_Type=kind)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class TestBasicAuth:
    """A password with every request."""

    @pytest.mark.parametrize(
        "login", [None, _basic("ann", "wrong"), _basic("bob", ""), "Basic !", "Bearer x"]
    )
    def test_who_is_not_known_stays_out(self, make: Any, talk: Any, login: str | None) -> None:
        """Without a good login everything is 401 with a challenge."""
        client = talk(make(auth=BasicAuth(USERS)))
        headers = {} if login is None else {"Authorization": login}
        reply = client("GET", "/v2/", **headers)
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"].startswith("Basic ")

    def test_who_is_known_comes_in(self, make: Any, talk: Any) -> None:
        """A good login opens everything; there is no token server, and nothing expires."""
        auth = BasicAuth(USERS)
        client = talk(make(auth=auth))
        auth.expire()
        assert client("GET", "/v2/", Authorization=ANN).status == 200
        assert client("POST", UPLOADS, Authorization=ANN).status == 202
        assert client("GET", "/token", Authorization=ANN).status == 404


@pytest.mark.parametrize("algorithm", ["HS256", "RS256"])
def test_a_token_opens_what_it_was_given_for(make: Any, talk: Any, algorithm: str) -> None:
    """Challenge, token, request: the way every client goes (OCI-2.6)."""
    server = make(auth=TokenAuth(users=USERS, algorithm=algorithm))
    server.storage.put_blob("team/app", b"x")
    client = talk(server)
    asked = _challenge(client("GET", TAGS))
    assert asked == {
        "realm": f"http://{server.host}/token",
        "service": "loopback-registry",
        "scope": PULL,
    }
    token = _token(client, asked["scope"])
    assert client("GET", TAGS, **_bearer(token)).status == 200
    assert client("GET", "/v2/", **_bearer(token)).status == 200
    refused = _challenge(client("POST", UPLOADS, **_bearer(token)))
    assert refused["error"] == "insufficient_scope"
    assert refused["scope"] == "repository:team/app:push,pull"


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/v2/_catalog", "registry:catalog:*"),
        ("HEAD", "/v2/a/b/manifests/v1", "repository:a/b:pull"),
        ("PUT", "/v2/a/b/manifests/v1", "repository:a/b:push,pull"),
        ("DELETE", "/v2/a/b/blobs/sha256:0", "repository:a/b:delete"),
        (
            "POST",
            "/v2/a/b/blobs/uploads/?mount=sha256:0&from=c/d",
            "repository:a/b:push,pull repository:c/d:pull",
        ),
    ],
)
def test_each_request_has_its_scope(
    make: Any, talk: Any, method: str, path: str, scope: str
) -> None:
    """What is asked for is what distribution asks for (OCI-2.11)."""
    client = talk(make(auth=TokenAuth(users=USERS)))
    assert _challenge(client(method, path))["scope"] == scope


def test_nobody_gets_a_token_that_opens_nothing(make: Any, talk: Any) -> None:
    """Without a login the token is good and allows nothing (OCI-2.10)."""
    client = talk(make(auth=TokenAuth(users=USERS)))
    token = _token(client, PULL, login=None)
    assert _challenge(client("GET", TAGS, **_bearer(token)))["error"] == "insufficient_scope"


def test_less_may_be_granted_than_was_asked(make: Any, talk: Any) -> None:
    """The token server grants what the user may have, without a word (OCI-2.10)."""

    def reads_only(user: str | None, access: Access) -> Collection[str]:
        return {"pull"}

    client = talk(make(auth=TokenAuth(users=USERS, grants=reads_only)))
    token = _token(client, "repository:team/app:pull,push", "odd")
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    assert claims["access"] == [
        {"type": "repository", "name": "team/app", "actions": ["pull"]},
    ]
    assert client("GET", TAGS, **_bearer(token)).status == 404
    assert client("POST", UPLOADS, **_bearer(token)).status == 401


def test_a_token_ends(make: Any, talk: Any) -> None:
    """Its lifetime is counted on the clock given, and told."""
    clock = FakeClock()
    client = talk(make(auth=TokenAuth(users=USERS, lifetime=60, clock=clock)))
    answer = client("GET", f"/token?scope={PULL}", Authorization=ANN).json
    assert (answer["expires_in"], answer["access_token"]) == (60, answer["token"])
    assert answer["issued_at"] == clock.now().isoformat()
    clock.advance(59)
    assert client("GET", "/v2/", **_bearer(answer["token"])).status == 200
    clock.advance(1)
    ended = _challenge(client("GET", "/v2/", **_bearer(answer["token"])))
    assert ended["error"] == "invalid_token"


def test_all_tokens_can_be_ended_at_once(make: Any, talk: Any) -> None:
    """Tokens from before are refused, tokens from after are good."""
    auth = TokenAuth(users=USERS)
    client = talk(make(auth=auth))
    before = _token(client, PULL)
    auth.expire()
    after = _token(client, PULL)
    assert client("GET", "/v2/", **_bearer(before)).status == 401
    assert client("GET", "/v2/", **_bearer(after)).status == 200
    assert auth.issued == 2


@pytest.mark.parametrize("spoil", [lambda t: t[:-4] + "AAAA", lambda _: "a.b.c", lambda _: "é"])
def test_a_forged_token_is_refused(make: Any, talk: Any, spoil: Any) -> None:
    """The signature is looked at."""
    client = talk(make(auth=TokenAuth(users=USERS)))
    token = spoil(_token(client, PULL))
    assert client("GET", "/v2/", **_bearer(token)).status == 401


def test_an_identity_token_is_exchanged(make: Any, talk: Any) -> None:
    """The POST takes a refresh token and one field of scopes (OCI-2.7)."""
    auth = TokenAuth(users=USERS)
    client = talk(make(auth=auth))
    both = f"{PULL} repository:other:pull"
    form = {"grant_type": "refresh_token", "refresh_token": auth.identity_token("ann")}
    token = _post(client, **form, scope=both).json["access_token"]
    assert client("GET", "/v2/other/tags/list", **_bearer(token)).status == 404
    assert _post(client, grant_type="refresh_token", refresh_token="stale").status == 401


def test_a_password_is_exchanged_too(make: Any, talk: Any) -> None:
    """The POST takes a password, and gives a refresh token to who will come back."""
    client = talk(make(auth=TokenAuth(users=USERS)))
    form = {"grant_type": "password", "username": "ann", "password": USERS["ann"]}
    assert "refresh_token" not in _post(client, **form).json
    kept = _post(client, **form, access_type="offline").json["refresh_token"]
    again = _post(client, grant_type="refresh_token", refresh_token=kept, scope=PULL)
    assert client("GET", TAGS, **_bearer(again.json["token"])).status == 404
    assert _post(client, **{**form, "password": "wrong"}).status == 401
    assert _post(client, grant_type="odd").status == 401


def test_a_get_can_ask_for_a_refresh_token(make: Any, talk: Any) -> None:
    """Only users get one."""
    client = talk(make(auth=TokenAuth(users=USERS)))
    url = "/token?offline_token=true"
    assert "refresh_token" in client("GET", url, Authorization=ANN).json
    assert "refresh_token" not in client("GET", url).json


def test_a_wrong_password_is_refused(make: Any, talk: Any) -> None:
    """The token server says 401."""
    client = talk(make(auth=TokenAuth(users=USERS)))
    assert client("GET", "/token", Authorization=_basic("ann", "wrong")).status == 401


def test_the_other_host_wants_no_login(make: Any, talk: Any) -> None:
    """Its addresses say all, as those of a storage service do (OCI-2.20)."""
    quirks = LoopbackQuirks(redirects="other_host")
    server = make(auth=BasicAuth(USERS), quirks=quirks)
    digest = server.storage.put_blob("a", b"x")
    location = talk(server)("GET", f"/v2/a/blobs/{digest}", Authorization=ANN).headers["Location"]
    assert talk(server.other_host)("GET", location).body == b"x"
    assert talk(server.other_host)("POST", UPLOADS).status == 202


class TestQuirks:
    """Each switch, seen from outside."""

    def test_several_challenges_can_stand_in_one_line(self, make: Any, talk: Any) -> None:
        """Bearer is between two others, one of them with a comma inside (OCI-2.1)."""
        quirks = LoopbackQuirks(challenges="several")
        client = talk(make(auth=TokenAuth(users=USERS), quirks=quirks))
        told = client("GET", TAGS).headers["WWW-Authenticate"]
        assert told.startswith("Negotiate, Bearer realm=")
        assert told.endswith(', Basic realm="b, c"')

    def test_a_401_can_be_bare(self, make: Any, talk: Any) -> None:
        """There is no challenge at all (OCI-2.3)."""
        quirks = LoopbackQuirks(challenges="bare")
        client = talk(make(auth=TokenAuth(users=USERS), quirks=quirks))
        assert "WWW-Authenticate" not in client("GET", TAGS).headers

    def test_the_realm_can_be_anything(self, make: Any, talk: Any) -> None:
        """It may be relative, or an address nobody should go to (OCI-2.5, 9.2)."""
        quirks = LoopbackQuirks(realm="/token")
        client = talk(make(auth=TokenAuth(users=USERS), quirks=quirks))
        assert _challenge(client("GET", TAGS))["realm"] == "/token"

    def test_the_post_can_be_unknown(self, make: Any, talk: Any) -> None:
        """A token server may speak GET only (OCI-2.7)."""
        quirks = LoopbackQuirks(token_post=False)
        client = talk(make(auth=TokenAuth(users=USERS), quirks=quirks))
        assert _post(client, grant_type="password").status == 404

    def test_a_wrong_password_can_get_an_empty_token(self, make: Any, talk: Any) -> None:
        """The answer is 200 and the token allows nothing, as at a Harbor."""
        quirks = LoopbackQuirks(wrong_password=200)
        client = talk(make(auth=TokenAuth(users=USERS), quirks=quirks))
        token = _token(client, PULL, login=_basic("ann", "wrong"))
        assert client("GET", TAGS, **_bearer(token)).status == 401

    def test_the_lifetime_can_be_untold_and_the_clock_wrong(self, make: Any, talk: Any) -> None:
        """expires_in is missing and issued_at is ahead (OCI-2.8, 2.9)."""
        clock = FakeClock()
        quirks = LoopbackQuirks(expires_in=False, issued_at_skew=3600)
        client = talk(make(auth=TokenAuth(users=USERS, clock=clock), quirks=quirks))
        answer = client("GET", "/token", Authorization=ANN).json
        assert "expires_in" not in answer
        assert answer["issued_at"] == "2026-01-01T01:00:00+00:00"


def test_a_basic_login_that_is_no_text_is_refused(make: Any, talk: Any) -> None:
    """Bytes that are no UTF-8 are nobody's login."""
    client = talk(make(auth=BasicAuth(USERS)))
    login = "Basic " + base64.b64encode(b"\xff\xff:x").decode()
    assert client("GET", "/v2/", Authorization=login).status == 401
