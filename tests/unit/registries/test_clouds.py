"""What the registries of clouds have in common."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from harborsync.endpoint import Endpoint
from harborsync.errors import Denied, InvalidValue, MissingDependency, NoCredentials, NotFound
from harborsync.gate import open_registry
from harborsync.http.session import open_transport
from harborsync.provider import OpenContext
from harborsync.registries.clouds import Preferring, at_host, check_api, probe, push_taken
from harborsync.retry import RetryPolicy
from harborsync.testing.scripted import Heard, Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.clouds import CloudHost
    from harborsync.errors import HarborsyncError


@pytest.mark.parametrize(
    "url",
    [
        "https://vpce.example",
        "https://vpce.example:8443/path",
        "http://127.0.0.1:9",
        "http://[::1]:9",
    ],
)
def test_an_api_is_asked_under_tls_or_on_this_machine(url: str) -> None:
    """Other addresses than the usual one are fine."""
    check_api(Endpoint.parse(f"ecr://h?api={url}"), "api", "sts_api")


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example",
        "http://localhost",
        "http://127.0.0.1.evil.example",
        "ftp://127.0.0.1",
        "https://",
        "api.example",
        "https://[",
        "https://user:pw%40x@api.example",
        "https://api.example/%23x#y",
    ],
)
def test_no_api_is_asked_in_the_clear(url: str) -> None:
    """Its answers hold logins; what is written there is not quoted with secrets."""
    endpoint = Endpoint(provider="ecr", address="h", option_items={"sts_api": url})
    with pytest.raises(InvalidValue, match="the option sts_api") as caught:
        check_api(endpoint, "api", "sts_api")
    assert "pw" not in str(caught.value)


def test_the_host_is_spelt_out_for_the_cable() -> None:
    """Options stay."""
    endpoint = Endpoint.parse("ecr://123456789012/eu-west-1/team?ca=x")
    assert str(at_host(endpoint, "h.example", "team")) == "ecr://h.example/team?ca=x"
    assert str(at_host(endpoint, "h.example", "")) == "ecr://h.example?ca=x"


def _taken(said: Said) -> tuple[bool, list[Heard]]:
    with ScriptedServer(lambda heard: said) as server:
        context = OpenContext(retry=RetryPolicy(attempts=1))
        endpoint = Endpoint.parse(f"registry+http://{server.host}")
        transport = open_transport(endpoint, context)
        try:
            return push_taken("r", transport, context)("a/b"), server.heard
        finally:
            transport.close()


@pytest.mark.parametrize(
    "text",
    [
        "ecr+http://123456789012/eu-west-1",
        "ecr+http://123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "ecr-public+http://acme",
        "acr+http://images.acme.example/team?region=cn-hangzhou&instance_id=cri-0123456789abcdef",
        "tcr+http://images.acme.example/team",
        "gar+http://images.acme.example/acme?region=us",
        "gar+http://localhost:5000/acme?region=us",
    ],
)
def test_no_other_machine_is_spoken_to_in_the_clear(text: str) -> None:
    """They all have https, and their logins are worth something."""
    with pytest.raises(InvalidValue, match="in the clear") as caught:
        open_registry(text)
    assert caught.value.hint == "leave +http out"


def test_a_first_push_tells_whether_a_repository_is_there() -> None:
    """It is what the push would begin with."""
    taken, heard = _taken(Said(status=202))
    assert taken
    assert [(each.method, each.target) for each in heard] == [("POST", "/v2/a/b/blobs/uploads/")]


@pytest.mark.parametrize("body", [b'{"errors":[{"code":"NAME_UNKNOWN"}]}', b""])
def test_a_repository_that_is_lacking_is_no_error(body: bytes) -> None:
    """It can be made."""
    assert not _taken(Said(status=404, body=body))[0]


def test_another_refusal_is_an_error() -> None:
    """Making a repository would not help."""
    with pytest.raises(Denied):
        _taken(Said(status=403))
    with pytest.raises(NotFound):
        _taken(Said(status=404, body=b'{"errors":[{"code":"UNKNOWN"}]}'))


# --- a customer's own domain -----------------------------------------------------------------


def _probed(challenge: str) -> tuple[CloudHost | None, list[Heard]]:
    said = Said(status=401, headers=(("WWW-Authenticate", challenge),))
    with ScriptedServer(lambda heard: said) as server:
        endpoint = Endpoint.parse(f"registry+http://{server.host}")
        return probe(endpoint, OpenContext()), server.heard


def test_what_a_registry_says_of_itself_tells_whose_it_is() -> None:
    """One request, without a login."""
    service = "registry.aliyuncs.com:cn-beijing:cri-0123"
    found, heard = _probed(f'Bearer realm="https://auth.example",service="{service}"')
    assert found is not None
    assert (found.kind, found.instance) == ("acr-ee", "cri-0123")
    assert [each.target for each in heard] == ["/v2/"]
    assert "authorization" not in heard[0].headers


def test_most_registries_are_nobodys_we_know() -> None:
    """Then they are opened as any other."""
    assert _probed('Bearer realm="https://auth.example",service="harbor-registry"')[0] is None
    assert _probed("Basic realm=x")[0] is None


def test_a_clouds_own_name_needs_no_request() -> None:
    """Nobody is there to answer."""
    found = probe(Endpoint.parse("eu.gcr.io"), OpenContext())
    assert found is not None
    assert found.kind == "gcr"


# --- the better way, and the lesser one ----------------------------------------------------------


def _failing(error: HarborsyncError) -> Iterator[str]:
    yield from ()
    raise error


@pytest.mark.parametrize(
    "error", [Denied("no right"), NoCredentials("nobody"), MissingDependency("no SDK")]
)
def test_who_may_not_ask_the_api_goes_the_slower_way(
    error: HarborsyncError, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said once, and not tried again."""
    preferring = Preferring("api.example")
    tries: list[int] = []

    def best() -> Iterator[str]:
        tries.append(1)
        return _failing(error)

    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert list(preferring.iterate("tags", best, lambda: iter("ab"))) == ["a", "b"]
    assert tries == [1]
    assert caplog.text.count("a slower way") == 1
    assert error.message in caplog.text


def test_who_may_ask_does() -> None:
    """Also if there is nothing."""
    preferring = Preferring("api.example")
    assert list(preferring.iterate("tags", lambda: iter("ab"), lambda: iter("x"))) == ["a", "b"]
    assert list(preferring.iterate("tags", lambda: iter(""), lambda: iter("x"))) == []


def test_another_error_is_an_error() -> None:
    """Whatever is not a matter of rights would be no better in another way."""
    with pytest.raises(NotFound):
        list(Preferring("a").iterate("tags", lambda: _failing(NotFound("x")), lambda: iter("x")))


def test_each_right_is_found_out_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    """Tags may be listed where repositories may not, and one repository where another may not."""
    preferring = Preferring("api.example")
    for name in ("a", "b"):
        refused = preferring.iterate(
            "tags", lambda: _failing(Denied("no")), lambda: iter("x"), of=name
        )
        assert list(refused) == ["x"]
    assert caplog.text.count("a slower way") == 1
    allowed = preferring.iterate("tags", lambda: iter("y"), lambda: iter("x"), of="c")
    assert list(allowed) == ["y"]
    list(preferring.iterate("tags", lambda: _failing(Denied("no")), lambda: iter("x")))
    assert list(preferring.iterate("names", lambda: iter("a"), lambda: iter("x"))) == ["a"]
