"""The fixtures that are shipped, used as their users do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harborsync.testing import LoopbackQuirks

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import FakeClock, LoopbackRegistry, TestAuthority

pytest_plugins = ["harborsync.testing.pytest_plugin"]


def test_a_registry_is_there(harborsync_registry: LoopbackRegistry, talk: Any) -> None:
    """It is empty and answers."""
    assert talk(harborsync_registry)("GET", "/v2/_catalog").json == {"repositories": []}


def test_two_registries_are_there(
    harborsync_two_registries: tuple[LoopbackRegistry, LoopbackRegistry], talk: Any
) -> None:
    """They are apart from each other."""
    source, destination = harborsync_two_registries
    digest = talk(source).push_blob("a", b"x")
    assert talk(destination)("HEAD", f"/v2/a/blobs/{digest}").status == 404


def test_more_registries_can_be_made(
    harborsync_make_registry: Callable[..., LoopbackRegistry],
    harborsync_clock: FakeClock,
    talk: Any,
) -> None:
    """The function takes the arguments of the class."""
    server = harborsync_make_registry(quirks=LoopbackQuirks(heads=False), clock=harborsync_clock)
    assert talk(server)("HEAD", "/v2/").status == 405


def test_an_authority_is_there(
    harborsync_make_registry: Callable[..., LoopbackRegistry],
    harborsync_authority: TestAuthority,
) -> None:
    """It makes registries speak TLS."""
    server = harborsync_make_registry(tls=harborsync_authority)
    assert server.endpoint.options == {"ca": str(harborsync_authority.ca_file)}
