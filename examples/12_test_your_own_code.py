"""Test code that talks to registries: an embedded registry, faults on purpose, a fake clock.

python 12_test_your_own_code.py
"""

# ruff: noqa: S101, PLR2004 - this is a test

from __future__ import annotations

from contextlib import closing

from harborsync import copy, open_registry
from harborsync.testing import FakeClock, Fault, LoopbackRegistry
from harborsync.testing.content import random_image


def test_a_server_that_is_busy_at_first() -> None:
    """The copy arrives although the first two answers are 503, and no second is waited for."""
    answers = iter([Fault(status=503), Fault(status=503)])
    clock = FakeClock()
    with (
        LoopbackRegistry() as here,
        LoopbackRegistry(faults=lambda _: next(answers, None)) as there,
    ):
        with closing(open_registry(here.endpoint)) as registry:
            digest = random_image(1).push_to(registry, "team/app", "v1")
        copy(f"{here.endpoint}/team/app:v1", f"{there.endpoint}/team/app", clock=clock)
        assert there.storage.tags("team/app") == {"v1": str(digest)}
        # Busy, busy, and then: there is no such repository yet.
        assert [request.status for request in there.requests][:3] == [503, 503, 404]
    assert len(clock.slept) == 2


if __name__ == "__main__":
    test_a_server_that_is_busy_at_first()
    print("the copy arrived")
