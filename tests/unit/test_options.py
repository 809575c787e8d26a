"""Options have defaults that work and refuse numbers that never could."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from harborsync.errors import InvalidValue
from harborsync.limits import HostLimits
from harborsync.options import Options, Verify


def test_the_defaults_can_be_had_and_travel() -> None:
    """A worker in another process gets the same numbers."""
    assert pickle.loads(pickle.dumps(Options())) == Options()


@pytest.mark.parametrize(
    "field",
    [
        {"artifacts_at_once": 0},
        {"blobs_at_once": 0},
        {"requests_at_once": 0},
        {"plan_lifetime": -1},
        {"recheck_after": -1},
        {"small_artifact": -1},
        {"artifact_timeout": 0},
    ],
)
def test_numbers_that_could_never_work_are_refused(field: dict[str, Any]) -> None:
    """None of them at once, or a time before now, is a mistake."""
    with pytest.raises(ValueError, match=next(iter(field))):
        Options(**field)


def test_a_word_that_is_no_way_to_verify_is_refused() -> None:
    """The words that are come with the refusal."""
    assert Options(verify="after").verify is Verify.AFTER
    with pytest.raises(InvalidValue, match="none, after, blobs"):
        Options(verify="never")


@pytest.mark.parametrize("among", [1, 2, 4, 7, 100])
def test_a_host_can_be_shared_among_any_number_of_workers(among: int) -> None:
    """A share is never too small to work with, and the rate is shared as well."""
    share = HostLimits(requests_per_second=10).divided(among)
    assert 2 <= share.large < share.connections
    assert share.requests_per_second == 10 / among


def test_no_rate_is_no_rate_after_sharing() -> None:
    """Sharing does not invent a limit; one worker gets all."""
    assert HostLimits().divided(1) == HostLimits()
