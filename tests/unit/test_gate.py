"""Which provider opens which endpoint."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.credentials import Credential, StaticCredentials
from harborsync.endpoint import Endpoint
from harborsync.errors import (
    ConfigurationError,
    InvalidValue,
    NoCredentials,
    UnknownProvider,
)
from harborsync.gate import GROUP, find_provider, installed_plugins, open_registry, prefix_of
from harborsync.limited import LimitedRegistry
from harborsync.limiter import Schedule
from harborsync.provider import OpenContext, Provider
from harborsync.registries.memory import MemoryRegistry
from harborsync.secrets import Secret
from harborsync.testing.clock import FakeClock
from harborsync.testing.content import random_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harborsync.registry import Registry

THIS = "plugin_of_the_test"


@attrs.define
class Opened:
    """What a provider was asked to open."""

    endpoint: Endpoint | None = None
    context: OpenContext | None = None

    def open(self, endpoint: Endpoint, context: OpenContext) -> Registry:
        """Keep what came."""
        self.endpoint, self.context = endpoint, context
        return MemoryRegistry(endpoint.address)


@attrs.frozen
class Package:
    """A package that need not be installed."""

    name: str


@attrs.frozen
class Offer:
    """An entry point whose object is at hand."""

    name: str
    found: Any
    dist: Package
    value: str = "extra:PROVIDER"

    def load(self) -> Any:
        """Give the object, or fail as its import would."""
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def _offer(name: str, found: Any, owner: str = "harborsync-extra") -> Any:
    return Offer(name, found, Package(owner))


def _provider(
    name: str, opened: Opened | None = None, recognises: Callable[[str], bool] | None = None
) -> Provider:
    return Provider(
        name=name,
        open=(opened or Opened()).open,
        recognises=recognises or (lambda host: host.endswith(".special.example")),
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("registry.example/team", "registry"),
        ("registry+http://127.0.0.1:5000", "registry"),
        ("memory://here", "memory"),
    ],
)
def test_built_in_providers_are_found_by_name_and_hosts_by_default(text: str, name: str) -> None:
    """A host that nobody knows for its own is any registry."""
    assert find_provider(Endpoint.parse(text), plugins=()).name == name


def test_opening_makes_no_request() -> None:
    """A registry that does not answer can be opened and closed."""
    registry = open_registry("registry+http://127.0.0.1:1")
    assert registry.name == "127.0.0.1:1"
    registry.close()


def test_a_plugin_is_found_by_its_name() -> None:
    """Its provider is given endpoint and context as they are."""
    opened, context = Opened(), OpenContext()
    offers = [_offer("special", _provider("special", opened)), _offer("other", None)]
    registry = open_registry("special://somewhere/x?a=b", context, plugins=offers)
    assert registry.name == "somewhere/x"
    assert opened.endpoint == Endpoint.parse("special://somewhere/x?a=b")
    assert opened.context is context


def test_a_plugin_takes_the_hosts_it_knows() -> None:
    """Other hosts stay with the default."""
    offers = [_offer("special", _provider("special"))]
    assert find_provider(Endpoint.parse("r.special.example"), plugins=offers).name == "special"
    assert find_provider(Endpoint.parse("r.example"), plugins=offers).name == "registry"


def test_two_packages_with_one_name_are_an_error_that_names_both() -> None:
    """Nobody is overridden in silence."""
    offers = [_offer("special", None, "one-package"), _offer("special", None, "two-package")]
    with pytest.raises(UnknownProvider, match="one-package and by two-package"):
        find_provider(Endpoint.parse("special://x"), plugins=offers)


def test_a_package_cannot_take_a_built_in_name() -> None:
    """The message names the package and ourselves."""
    offers = [_offer("registry", None, "one-package")]
    with pytest.raises(UnknownProvider, match="harborsync itself and by one-package"):
        find_provider(Endpoint.parse("registry://x"), plugins=offers)


def test_two_packages_that_claim_one_host_are_an_error_that_names_both() -> None:
    """The remedy is to write the provider's name."""
    offers = [
        _offer("special", _provider("special"), "one-package"),
        _offer("spare", _provider("spare"), "two-package"),
    ]
    with pytest.raises(UnknownProvider, match="one-package and by two-package") as caught:
        find_provider(Endpoint.parse("r.special.example"), plugins=offers)
    assert caught.value.hint == "write spare:// or special:// before the host"


@pytest.mark.parametrize("found", [ImportError("no module named vendor"), RuntimeError("boom")])
def test_a_broken_plugin_is_a_clear_error_when_it_is_named(found: Exception) -> None:
    """Package and cause are told."""
    with pytest.raises(UnknownProvider, match="'special' of harborsync-extra") as caught:
        find_provider(Endpoint.parse("special://x"), plugins=[_offer("special", found)])
    assert caught.value.__cause__ is found
    assert str(found) in caught.value.message


def test_a_broken_plugin_is_passed_over_when_only_a_host_is_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It does not stand in the way of other registries, and is not passed over in silence."""
    offers = [_offer("special", ImportError("no module named vendor"))]
    assert find_provider(Endpoint.parse("r.example"), plugins=offers).name == "registry"
    assert "harborsync-extra" in caplog.text


def test_a_plugin_that_offers_something_else_is_refused() -> None:
    """Only a Provider opens registries."""
    with pytest.raises(UnknownProvider, match="is a str"):
        find_provider(Endpoint.parse("special://x"), plugins=[_offer("special", "provider")])


def test_an_unknown_name_is_told_with_the_known_and_the_close_ones() -> None:
    """A slip of the pen is answered with what was meant."""
    offers = [_offer("special", None)]
    with pytest.raises(UnknownProvider, match="no provider 'regstry'") as caught:
        find_provider(Endpoint.parse("regstry://x"), plugins=offers)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("did you mean registry? known are acr, docker-archive, ")
    assert "special" in caught.value.hint
    with pytest.raises(UnknownProvider, match="known are"):
        find_provider(Endpoint.parse("zzz://x"), plugins=offers)


def test_installed_packages_are_looked_up_by_their_entry_points(tmp_path: Path) -> None:
    """A real package with real metadata opens an endpoint."""
    (tmp_path / f"{THIS}.py").write_text(
        "from harborsync.provider import Provider\n"
        "PROVIDER = Provider(name='special', open=lambda endpoint, context: endpoint)\n"
    )
    info = tmp_path / "extra-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nspecial = {THIS}:PROVIDER\n")
    code = "from harborsync.gate import open_registry; print(open_registry('special://there'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{tmp_path}:{':'.join(filter(None, sys.path))}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "special://there\n"


def test_the_owner_of_an_offer_without_metadata_is_its_target() -> None:
    """Messages always name something."""
    bare = EntryPoint(name="special", value="nowhere_at_all:PROVIDER", group=GROUP)
    with pytest.raises(UnknownProvider, match="of nowhere_at_all:PROVIDER"):
        find_provider(Endpoint.parse("special://x"), plugins=[bare])


def test_installed_plugins_are_looked_up_once() -> None:
    """The same answer is given again."""
    assert installed_plugins() is installed_plugins()


# --- named logins --------------------------------------------------------------------------

ROBOT = Credential(username="robot", secret=Secret("hunter2"))


def test_a_named_login_is_the_only_one_an_endpoint_gets() -> None:
    """``?credentials=NAME`` is resolved at the gate, for the endpoint's host alone."""
    opened = Opened()
    context = OpenContext(credentials=StaticCredentials({"prod": ROBOT, "r.example": ROBOT}))
    offers = [_offer("special", _provider("special", opened))]
    open_registry("special://r.example?credentials=prod&a=b", context, plugins=offers)
    assert opened.endpoint == Endpoint.parse("special://r.example?a=b")
    assert opened.context is not None
    assert opened.context.credentials.get("r.example") == ROBOT
    assert opened.context.credentials.get("other.example") is None


def test_a_named_login_that_nobody_knows_is_not_replaced_by_another() -> None:
    """Opening works, asking for the login fails."""
    opened = Opened()
    context = OpenContext(credentials=StaticCredentials({"r.example": ROBOT}))
    offers = [_offer("special", _provider("special", opened))]
    open_registry("special://r.example?credentials=prod", context, plugins=offers)
    assert opened.context is not None
    with pytest.raises(NoCredentials):
        opened.context.credentials.get("r.example")


@pytest.mark.parametrize("text", ["oci:dir?credentials=prod", "r.example?credentials="])
def test_a_login_must_have_a_name_and_a_host(text: str) -> None:
    """A place on disk has no login."""
    with pytest.raises(ConfigurationError, match="credentials="):
        open_registry(text, plugins=())


def test_the_usual_logins_are_used_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a context, environment and docker's files are asked."""
    monkeypatch.setenv("HARBORSYNC_R_EXAMPLE_TOKEN", "t")
    opened = Opened()
    open_registry("special://r.example", plugins=[_offer("special", _provider("s", opened))])
    assert opened.context is not None
    assert opened.context.credentials.get("r.example") is not None


# --- how fast ------------------------------------------------------------------------------


def test_an_endpoint_may_say_how_fast_bytes_go() -> None:
    """``?bandwidth=LIMIT`` is the gate's affair, for every provider; one host has one limiter."""
    opened = Opened()
    offers = [_offer("special", _provider("special", opened))]
    context = OpenContext(clock=FakeClock())
    text = "special://r.example/{}?bandwidth=20Mbps%2008:00-20:00&a=b"
    registries = [
        open_registry(text.format(prefix), context, plugins=offers) for prefix in ("x", "y")
    ]
    assert all(isinstance(each, LimitedRegistry) for each in registries)
    assert opened.endpoint is not None
    assert opened.endpoint.options == {"a": "b"}
    limiter = context.limiters.get("r.example", Schedule.parse("20Mbps 08:00-20:00"))
    assert str(limiter.limit) == "20Mbps 08:00-20:00"


def test_endpoints_of_one_host_share_its_limit() -> None:
    """What one of them takes is not there for the other."""
    clock = FakeClock()
    context = OpenContext(clock=clock)
    offers = [_offer("special", _provider("special"))]
    for prefix in ("x", "y"):
        registry = open_registry(
            f"special://r.example/{prefix}?bandwidth=8kbps", context, plugins=offers
        )
        random_image(1, layers=1, layer_bytes=5000).push_to(registry, "app", "v1")
    assert clock.monotonic() > 10


def test_a_place_on_disk_has_a_limit_of_its_own(tmp_path: Path) -> None:
    """By its path, since it has no host."""
    context = OpenContext(clock=FakeClock())
    limit = Schedule.parse("8kbps")
    for name in ("x", "y"):
        registry = open_registry(f"oci:{tmp_path}/{name}?bandwidth=8kbps", context)
        assert isinstance(registry, LimitedRegistry)
        assert registry._limiter is context.limiters.get(f"{tmp_path}/{name}", limit)
        registry.close()


@pytest.mark.parametrize(
    ("text", "prefix"),
    [("r.example/team", "team"), ("r.example", ""), ("oci:a/b", ""), ("special://r.example/x", "")],
)
def test_a_provider_says_what_its_repositories_begin_with(text: str, prefix: str) -> None:
    """What is behind the host, unless it means something else there."""
    special = attrs.evolve(_provider("special"), prefix=lambda _: "")
    offers = [_offer("special", special)]
    assert prefix_of(Endpoint.parse(text), plugins=offers) == prefix


def test_a_limit_that_cannot_be_read_is_refused() -> None:
    """Before anything is opened."""
    with pytest.raises(InvalidValue, match="'fast' is no bandwidth"):
        open_registry("r.example?bandwidth=fast")


@pytest.mark.parametrize(
    ("text", "name", "host", "prefix"),
    [
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team",
            "ecr",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "team",
        ),
        (
            "ecr://123456789012/eu-west-1/team",
            "ecr",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
            "team",
        ),
        ("myteam.azurecr.io/team", "registry", "myteam.azurecr.io", "team"),
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
            "registry",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example",
            "",
        ),
    ],
)
def test_a_clouds_host_goes_to_its_clouds_provider(
    text: str, name: str, host: str, prefix: str
) -> None:
    """One without a provider here, and one that only resembles a cloud's, is any registry."""
    endpoint = Endpoint.parse(text)
    provider = find_provider(endpoint, plugins=[])
    assert provider.name == name
    assert provider.host(endpoint) == host
    assert provider.prefix(endpoint) == prefix


def test_a_named_login_is_for_the_host_that_an_endpoint_means() -> None:
    """The host need not stand in the address."""
    opened = Opened()
    provider = attrs.evolve(_provider("special", opened), host=lambda endpoint: "real.example")
    logins = StaticCredentials({"reader": Credential(username="r", secret=Secret("s"))})
    open_registry(
        Endpoint.parse("special://alias/x?credentials=reader"),
        OpenContext(credentials=logins),
        plugins=[_offer("special", provider)],
    )
    assert opened.context is not None
    assert opened.context.credentials.get("alias") is None
    found = opened.context.credentials.get("real.example")
    assert found is not None
    assert found.username == "r"
