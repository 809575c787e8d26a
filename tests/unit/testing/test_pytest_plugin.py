"""The fixtures that are shipped."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["pytester"]

_TESTS = """
import http.client

import pytest

from harborsync.testing import LoopbackQuirks


def ping(server):
    connection = http.client.HTTPConnection(server.host)
    connection.request("GET", "/v2/")
    status = connection.getresponse().status
    connection.close()
    return status


def test_one(harborsync_registry):
    assert ping(harborsync_registry) == 200


def test_two(harborsync_two_registries):
    source, destination = harborsync_two_registries
    assert source.host != destination.host
    assert ping(source) == ping(destination) == 200


def test_more(harborsync_make_registry, harborsync_clock):
    quirks = LoopbackQuirks(heads=False)
    assert ping(harborsync_make_registry(quirks=quirks, clock=harborsync_clock)) == 200
    harborsync_clock.sleep(5)
    assert harborsync_clock.slept == (5,)


def test_tls(harborsync_make_registry, harborsync_authority):
    server = harborsync_make_registry(tls=harborsync_authority)
    assert server.endpoint.options["ca"].endswith("ca.pem")
"""


def test_every_fixture_works_in_a_test_of_its_user(pytester: pytest.Pytester) -> None:
    """A test file that knows nothing but their names passes, with warnings as errors."""
    pytester.makepyfile(_TESTS)
    options = ["-p", "harborsync.testing.pytest_plugin", "-W", "error", "-p", "no:cacheprovider"]
    # In a process of its own: compiled modules do not bear to be imported and forgotten.
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=4)
