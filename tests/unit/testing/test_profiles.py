"""The named profiles; what they answer is held against real servers in tests/real."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from harborsync.testing import LoopbackQuirks
from harborsync.testing.profiles import PROFILES


def test_the_default_is_the_specification() -> None:
    """The default profile switches nothing on."""
    assert PROFILES["default"] == LoopbackQuirks()


@pytest.mark.parametrize("name", ["distribution-2.8", "distribution-3"])
def test_a_profile_is_a_server_without_referrers(name: str, make: Any, talk: Any) -> None:
    """Distribution has no referrers API, in plain text."""
    reply = talk(make(profile=name))("GET", f"/v2/a/referrers/sha256:{'0' * 64}")
    assert (reply.status, reply.body) == (404, b"404 page not found\n")


def test_quirks_win_over_a_profile(make: Any, talk: Any) -> None:
    """Switches that are given are the whole truth; start from a profile's to keep them."""
    quirks = attrs.evolve(PROFILES["distribution-3"], heads=False)
    client = talk(make(profile="default", quirks=quirks))
    assert client("HEAD", "/v2/").status == 405


def test_every_switch_is_described() -> None:
    """The docstring has a line for each."""
    lines = (LoopbackQuirks.__doc__ or "").splitlines()
    described = {line.strip().partition(": ")[0] for line in lines}
    missing = [f.name for f in attrs.fields(LoopbackQuirks) if f.name not in described]
    assert missing == []
