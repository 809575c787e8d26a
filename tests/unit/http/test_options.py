"""The options of an endpoint that concern the cable."""

from __future__ import annotations

import pytest

from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidValue
from harborsync.http.options import NAMES, CableOptions, check_names
from harborsync.http.proxies import Proxies
from harborsync.http.tls import TlsIdentity
from harborsync.limits import HostLimits


def _options(query: str, **environment: str) -> CableOptions:
    return CableOptions.of(Endpoint.parse(f"r.example?{query}"), HostLimits(), environment)


def test_without_options_nothing_is_relaxed() -> None:
    """No proxy, no trust beyond the system's, the limits as given."""
    options = CableOptions.of(Endpoint.parse("r.example"), HostLimits(connections=9))
    assert options.tls == TlsIdentity()
    assert options.proxies == Proxies()
    assert options.limits == HostLimits(connections=9)
    assert (options.trusted_hosts, options.trusted_realms) == ((), ())
    assert options.goes_elsewhere


def test_all_options_are_read() -> None:
    """Every name of the list has its place."""
    options = _options(
        "ca=/ca.pem&cert=/c.pem&key=/k.pem&insecure=true&proxy=http://p:3128"
        "&trusted_hosts=a.example,B.example&trusted_realms=[::1]&connections=12&large=4"
        "&timeouts=connect:5s,first_byte:1m,patient:10m,idle:30s&redirects=refuse"
    )
    assert options.tls == TlsIdentity(ca="/ca.pem", cert="/c.pem", key="/k.pem", insecure=True)
    assert options.proxies == Proxies.all_through("http://p:3128")
    assert options.trusted_hosts == ("a.example", "b.example")
    assert options.trusted_realms == ("::1",)
    limits = options.limits
    assert (limits.connections, limits.large) == (12, 4)
    assert (limits.connect_timeout, limits.first_byte_timeout) == (5, 60)
    assert (limits.patient_timeout, limits.idle_timeout) == (600, 30)
    assert not options.goes_elsewhere
    assert _options("redirects=follow").goes_elsewhere
    assert len(NAMES) == 11


@pytest.mark.parametrize(
    "query",
    [
        "insecure=yes",
        "key=/k.pem",
        "proxy=socks5://p",
        "proxy=http://user:SECRET@p:3128",
        "trusted_hosts=not a host",
        "trusted_realms=a/b",
        "connections=many",
        "connections=-1",
        "connections=2",
        "connections=6&large=6",
        "large=1",
        "timeouts=connect=5s",
        "timeouts=read:5s",
        "timeouts=connect:fast",
        "timeouts=connect:0s",
        "redirects=never",
    ],
)
def test_malformed_options_are_refused(query: str) -> None:
    """The error has a hint, and shows no password."""
    with pytest.raises(InvalidValue) as caught:
        _options(query)
    assert caught.value.hint
    assert "SECRET" not in str(caught.value)


def test_fewer_connections_mean_fewer_large_ones() -> None:
    """Who says connections=4 need not say large, too."""
    assert _options("connections=4").limits.large == 3


def test_the_environment_is_read_by_explicit_word_only() -> None:
    """proxy=env is that word; no proxy, or none, is not."""
    world = {"HTTPS_PROXY": "http://p:1"}
    assert _options("proxy=env", **world).proxies.by_scheme[0][0] == "https"
    assert _options("proxy=none", **world).proxies == Proxies()
    assert _options("", **world).proxies == Proxies()


def test_the_process_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no other is given."""
    monkeypatch.setenv("HTTPS_PROXY", "http://p:1")
    options = CableOptions.of(Endpoint.parse("r.example?proxy=env"), HostLimits())
    assert options.proxies.by_scheme[0][0] == "https"


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("insecur=true", "did you mean insecure?"),
        ("ca=/ca.pem&zzz=1", "known are ca, cert, connections"),
    ],
)
def test_an_option_that_nobody_reads_is_refused(query: str, hint: str) -> None:
    """It is misspelt; the value is not repeated, whatever it is."""
    with pytest.raises(InvalidValue, match=r"r\.example has the unknown option") as caught:
        check_names(Endpoint.parse(f"r.example?{query}"))
    assert str(caught.value.hint).startswith(hint)


def test_a_provider_may_read_further_options() -> None:
    """It names them."""
    check_names(Endpoint.parse("r.example?ca=/ca.pem&region=x"), further=("region",))
