"""The way to a cloud's API: never in the clear, by the options of the registry."""

from __future__ import annotations

import pytest

from harborsync.credentials import Credential, StaticCredentials
from harborsync.credentials.cable import ApiAddress, Cable, api_endpoint
from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidValue
from harborsync.provider import OpenContext
from harborsync.secrets import Secret
from harborsync.testing.clock import FakeClock
from harborsync.testing.scripted import Said, ScriptedServer


@pytest.mark.parametrize(
    "url",
    [
        "http://cr.cn-hangzhou.aliyuncs.com",
        "http://10.0.0.1",
        "ftp://x",
        "https://",
        "x",
        "https://host:port",
    ],
)
def test_no_api_is_asked_in_the_clear(url: str) -> None:
    """But on this machine."""
    assert ApiAddress.of("http://127.0.0.1:80").scheme == "http"
    with pytest.raises(InvalidValue):
        ApiAddress.of(url)


def test_an_address_is_written_as_short_as_it_can_be() -> None:
    """A usual port is left out, a numeric host of IPv6 is in brackets."""
    assert ApiAddress.of("https://cr.example:443").netloc == "cr.example"
    assert ApiAddress.of("http://[::1]:8000").netloc == "[::1]:8000"


def test_an_api_is_reached_as_its_registry_is() -> None:
    """Its other options are about something else."""
    items = {"proxy": "http://proxy.example:3128", "create": "auto"}
    registry = Endpoint(provider="acr", address="registry.example", option_items=items)
    api = api_endpoint("api.example", "https", registry)
    assert (api.address, api.plain_http) == ("api.example", False)
    assert dict(api.options) == {"proxy": items["proxy"], "redirects": "refuse"}


@pytest.mark.parametrize("status", [200, 302, 503])
def test_what_is_signed_is_sent_once_and_whatever_comes_is_an_answer(status: int) -> None:
    """Our login is not for the API, and a signature is good once."""
    said = Said(status=status, headers=(("Location", "/elsewhere"),), body=b"said")
    login = Credential(username="u", secret=Secret("s"))
    with ScriptedServer(lambda heard: said) as server:
        address = ApiAddress.of(server.origin)
        credentials = StaticCredentials({address.netloc: login})
        context = OpenContext(clock=FakeClock(), credentials=credentials)
        cable = Cable(address, Endpoint(provider="acr", address="registry.example"), context)
        answer = cable.send("POST", "/?a=b", {"X-TC-Action": "Describe"}, b"body")
        cable.close()
        cable.close()
    assert (answer.status, answer.body) == (status, b"said")
    (heard,) = server.heard
    assert (heard.method, heard.target, heard.body) == ("POST", "/?a=b", b"body")
    assert "authorization" not in heard.headers
