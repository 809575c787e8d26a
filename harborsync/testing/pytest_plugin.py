"""Fixtures for your own tests; pytest finds them by itself where harborsync is installed.

===============================  ==================================================
``harborsync_registry``          an embedded registry, empty
``harborsync_two_registries``    two of them, a source and a destination
``harborsync_make_registry``     makes more: with logins, TLS, quirks, faults
``harborsync_clock``             a clock under your hand
``harborsync_authority``         a certificate authority for TLS
===============================  ==================================================

Everything is closed when the test is over. Nothing is imported before a fixture is used.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.testing.clock import FakeClock
    from harborsync.testing.server import LoopbackRegistry
    from harborsync.testing.tls import TestAuthority


@pytest.fixture
def harborsync_make_registry() -> Iterator[Callable[..., LoopbackRegistry]]:
    """Return a function that makes embedded registries and takes their arguments."""
    from harborsync.testing.server import LoopbackRegistry  # noqa: PLC0415 - only when used

    with ExitStack() as opened:
        yield lambda **arguments: opened.enter_context(LoopbackRegistry(**arguments))


@pytest.fixture
def harborsync_registry(
    harborsync_make_registry: Callable[..., LoopbackRegistry],
) -> LoopbackRegistry:
    """Return an empty embedded registry."""
    return harborsync_make_registry()


@pytest.fixture
def harborsync_two_registries(
    harborsync_make_registry: Callable[..., LoopbackRegistry],
) -> tuple[LoopbackRegistry, LoopbackRegistry]:
    """Return two empty embedded registries, to copy from one to the other."""
    return harborsync_make_registry(), harborsync_make_registry()


@pytest.fixture
def harborsync_clock() -> FakeClock:
    """Return a clock that stands still until it is moved."""
    from harborsync.testing.clock import FakeClock  # noqa: PLC0415 - only when used

    return FakeClock()


@pytest.fixture
def harborsync_authority() -> Iterator[TestAuthority]:
    """Return a certificate authority for registries that speak TLS."""
    from harborsync.testing.tls import TestAuthority  # noqa: PLC0415 - only when used

    with TestAuthority() as authority:
        yield authority
