"""The emulator of Google refuses what Google refuses."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from harborsync.testing.cloud_google import LoopbackGar
from harborsync.testing.cloud_google_oauth import ACCOUNT, MACHINE, POOL, signing_key, verified
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Iterator

JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
PARENT = "/v1/projects/acme/locations/europe-west1"


@pytest.fixture
def gar() -> Iterator[LoopbackGar]:
    """Return an empty emulator."""
    with LoopbackGar() as server:
        yield server


def _ask(
    host: str, method: str, path: str, headers: dict[str, str] | None = None, body: str = ""
) -> tuple[int, Any, dict[str, str]]:
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request(method, path, body.encode(), headers or {})
        answer = connection.getresponse()
        text = answer.read()
        told = json.loads(text) if text else None
        return answer.status, told, {n.lower(): v for n, v in answer.getheaders()}
    finally:
        connection.close()


def _api(gar: LoopbackGar, method: str, path: str, wish: Any = None, token: str = "") -> Any:
    token = token or gar.sell("ann").secret.reveal()
    headers = {"Authorization": f"Bearer {token}"}
    status, told, _ = _ask(_host(gar), method, path, headers, json.dumps(wish or {}))
    return status, told


def _host(gar: LoopbackGar) -> str:
    return gar.api_url.partition("//")[2]


def _posted(gar: LoopbackGar, path: str, **form: str) -> tuple[int, Any]:
    status, told, _ = _ask(_host(gar), "POST", path, {}, urlencode(form))
    return status, told


def _assertion(**changed: Any) -> str:
    from google.auth import crypt, jwt

    from harborsync.testing.cloud_google_oauth import key_text

    now = int(time.time())
    claims = {
        "iss": ACCOUNT,
        "iat": now,
        "exp": now + 3600,
        "aud": "https://oauth2.googleapis.com/token",
        "scope": SCOPE,
        **changed,
    }
    signer = crypt.RSASigner.from_string(key_text(signing_key()), "1")  # type: ignore[no-untyped-call]
    return str(jwt.encode(signer, claims), "ascii")  # type: ignore[no-untyped-call]


# --- token servers -------------------------------------------------------------------------------


def test_a_good_assertion_buys_a_token(gar: LoopbackGar) -> None:
    """Which is known afterwards, until it ends."""
    status, told = _posted(gar, "/token", grant_type=JWT, assertion=_assertion())
    assert (status, told["expires_in"]) == (200, 3599)
    assert gar.office.who(told["access_token"]) == ACCOUNT
    gar.office.expire()
    assert gar.office.who(told["access_token"]) is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"iss": "nobody@acme.iam.gserviceaccount.com"}, "account not found"),
        ({"iat": 1_600_000_000, "exp": 1_600_003_600}, "reasonable timeframe"),
        ({"exp": int(time.time()) + 7200}, "short-lived token"),
        ({"aud": "https://elsewhere.example"}, "audience"),
        ({"scope": "email"}, "scope"),
    ],
)
def test_an_assertion_that_is_not_right_is_refused(
    gar: LoopbackGar, changed: dict[str, Any], said: str
) -> None:
    """In Google's words."""
    status, told = _posted(gar, "/token", grant_type=JWT, assertion=_assertion(**changed))
    assert status == 400
    assert said in told["error_description"]


def test_only_the_right_key_signs() -> None:
    """By RS256, and over all of the text."""
    good = _assertion()
    assert verified(good, signing_key()) is not None
    head, claims, signature = good.split(".")
    for bad in (f"{head}.{claims}x.{signature}", f"e30.{claims}.{signature}", "", "a.b.c"):
        assert verified(bad, signing_key()) is None


def test_a_refresh_token_and_a_workloads_token_are_exchanged(gar: LoopbackGar) -> None:
    """Those that are known."""
    gar.people.refresh_tokens["r"] = "ann"
    gar.people.subject_tokens["s"] = "ci"
    assert _posted(gar, "/token", grant_type="refresh_token", refresh_token="r")[0] == 200
    assert _posted(gar, "/token", grant_type="refresh_token", refresh_token="x")[0] == 400
    good = {"grant_type": EXCHANGE, "audience": POOL, "subject_token": "s"}
    status, told = _posted(gar, "/v1/token", **good)
    assert (status, gar.office.who(told["access_token"])) == (200, "ci")
    assert _posted(gar, "/v1/token", **{**good, "subject_token": "x"})[0] == 401
    assert _posted(gar, "/v1/token", **{**good, "audience": "x"})[0] == 400


def test_the_metadata_service_wants_its_field(gar: LoopbackGar) -> None:
    """And shows it in each answer."""
    path = "/computeMetadata/v1/instance/service-accounts/default/token"
    flavor = {"Metadata-Flavor": "Google"}
    assert _ask(_host(gar), "GET", path)[0] == 403
    status, told, headers = _ask(_host(gar), "GET", path, flavor)
    assert (status, gar.office.who(told["access_token"])) == (200, MACHINE)
    assert headers["metadata-flavor"] == "Google"
    assert _ask(_host(gar), "GET", f"{path}s", flavor)[0] == 404


# --- the API -------------------------------------------------------------------------------------


def test_a_call_wants_a_good_token(gar: LoopbackGar) -> None:
    """And something to be done."""
    assert _api(gar, "GET", f"{PARENT}/repositories", token="x")[0] == 401
    status, told = _api(gar, "GET", "/v1/nothing")
    assert (status, told["error"]["status"]) == (404, "NOT_FOUND")
    assert [call.code for call in gar.calls] == ["UNAUTHENTICATED", "NOT_FOUND"]


def test_a_repository_is_made_by_an_operation(gar: LoopbackGar) -> None:
    """Which is done at the second look; what is there cannot be made."""
    path = f"{PARENT}/repositories?repositoryId=team"
    status, told = _api(gar, "POST", path, {"format": "DOCKER"})
    assert status == 200
    operation = f"/v1/{told['name']}"
    assert "done" not in _api(gar, "GET", operation)[1]
    assert _api(gar, "GET", operation)[1]["done"]
    assert _api(gar, "POST", path, {})[1]["error"]["status"] == "ALREADY_EXISTS"
    assert _api(gar, "GET", f"{PARENT}/operations/none")[0] == 404


def test_lists_have_pages(gar: LoopbackGar) -> None:
    """Of repositories, packages and tags."""
    for name in ("team", "other"):
        gar.create_repository(f"acme/{name}")
    raw = random_image(1).manifest.raw
    digest = gar.storage.put_manifest("acme/team/a/b", raw, tags=["v1", "v2"])
    first = _api(gar, "GET", f"{PARENT}/repositories?pageSize=2")[1]
    rest = _api(gar, "GET", f"{PARENT}/repositories?pageToken={first['nextPageToken']}")[1]
    assert [each["format"] for each in (*first["repositories"], *rest["repositories"])] == [
        "DOCKER",
        "DOCKER",
        "MAVEN",
    ]
    packages = f"{PARENT}/repositories/team/packages"
    (package,) = _api(gar, "GET", packages)[1]["packages"]
    assert package["name"].endswith("/a%2Fb")
    tags = _api(gar, "GET", f"/v1/{package['name']}/tags")[1]["tags"]
    assert [each["version"].rpartition("/")[2] for each in tags] == [str(digest)] * 2
    assert _api(gar, "GET", f"{PARENT}/repositories/none/packages")[0] == 404
    elsewhere = PARENT.replace("europe-west1", "us")
    assert _api(gar, "GET", f"{elsewhere}/repositories")[0] == 404


def test_rights_that_are_lacking_are_named(gar: LoopbackGar) -> None:
    """As Google does, which does not tell what is not there."""
    gar.denied.update({"artifactregistry.packages.list", "artifactregistry.repositories.create"})
    gar.create_repository("acme/team")
    for method, path in (
        ("GET", f"{PARENT}/repositories/team/packages"),
        ("POST", f"{PARENT}/repositories?repositoryId=x"),
    ):
        status, told = _api(gar, method, path)
        assert status == 403
        assert "(or it may not exist)" in told["error"]["message"]


def test_a_token_is_lent_to_who_may_have_it(gar: LoopbackGar) -> None:
    """Through others, if each of them may."""
    path = "/v1/projects/-/serviceAccounts/b@p.example:generateAccessToken"
    gar.people.lends_to = {"b@p.example": {"a@p.example"}, "a@p.example": {"ann"}}
    assert _api(gar, "POST", path)[0] == 403
    wish = {"delegates": ["projects/-/serviceAccounts/a@p.example"]}
    status, told = _api(gar, "POST", path, wish)
    assert (status, gar.office.who(told["accessToken"])) == (200, "b@p.example")


# --- the registry --------------------------------------------------------------------------------


def test_the_registry_wants_a_login(gar: LoopbackGar) -> None:
    """An access token or the key of the service account, and nothing else."""
    import base64

    def token(user: str, password: str) -> int:
        packed = base64.b64encode(f"{user}:{password}".encode()).decode()
        return _ask(gar.host, "GET", "/token", {"Authorization": f"Basic {packed}"})[0]

    assert token("oauth2accesstoken", gar.sell().secret.reveal()) == 200
    assert token("_json_key", gar.key) == 200
    assert token("_json_key_base64", base64.b64encode(gar.key.encode()).decode()) == 200
    assert token("oauth2accesstoken", "x") == 401
    assert token("_json_key", "{}") == 401


def test_who_shows_nothing_gets_a_token_for_nothing(gar: LoopbackGar) -> None:
    """And a path that is too short is none, whoever asks."""
    assert _ask(gar.host, "GET", "/token")[0] == 200
    status, told, _ = _ask(gar.host, "GET", "/token", {"Authorization": "Basic eDp5"})
    assert (status, told["errors"][0]["code"]) == (401, "UNAUTHORIZED")


def test_secrets_are_told_to_tests(gar: LoopbackGar) -> None:
    """So that they can look for them where none may be."""
    gar.people.refresh_tokens["1//r"] = "ann"
    sold = gar.sell().secret.reveal()
    assert {sold, "1//r"} <= gar.secrets
    assert len(gar.secrets) == 3
