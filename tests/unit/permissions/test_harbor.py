"""What a purpose takes is what Harbor can grant, and no more."""

from __future__ import annotations

import pytest

from harborsync.permissions.harbor import (
    GRANTABLE,
    IN_PROJECT,
    IN_SYSTEM,
    Access,
    Kind,
    Purpose,
    needed,
)


@pytest.mark.parametrize("purpose", Purpose)
def test_every_purpose_takes_something_that_can_be_granted(purpose: Purpose) -> None:
    """In a project, or of the system, and never both."""
    inside, outside = needed(purpose), needed(purpose, kind=Kind.SYSTEM)
    assert bool(inside) is not bool(outside)
    assert set(inside) <= GRANTABLE[Kind.PROJECT]
    assert set(outside) <= GRANTABLE[Kind.SYSTEM]


def test_no_purpose_is_forgotten() -> None:
    """The two tables together have them all."""
    assert {*IN_PROJECT, *IN_SYSTEM} == set(Purpose)


def test_purposes_together_take_each_access_once() -> None:
    """In the order they were asked for."""
    both = needed(Purpose.PULL, Purpose.PUSH)
    assert [str(each) for each in both] == ["repository:pull", "repository:push"]


def test_pulling_takes_nothing_that_writes() -> None:
    """Whoever only reads cannot harm."""
    reads = needed(Purpose.PULL, Purpose.DISCOVER)
    assert {access.action for access in reads} == {"pull", "list", "read"}


def test_an_access_is_read_as_harbor_writes_it() -> None:
    """And written back."""
    assert Access.parse("tag:list") == Access("tag", "list")
    assert str(Access.parse("tag:list")) == "tag:list"
