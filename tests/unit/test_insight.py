"""The words of a check say in one line what they hold."""

from __future__ import annotations

from datetime import UTC, datetime

from harborsync.errors import Denied
from harborsync.insight import Can, Deed, Finding, Identity, Right, Severity


def test_an_identity_is_one_line() -> None:
    """Kind, name, origin, end, and what else is told."""
    end = datetime(2026, 11, 25, tzinfo=UTC)
    full = Identity(
        name="mirror", kind="role", origin="AWS", expires_at=end, details=(("account", "1"),)
    )
    assert str(full) == "role mirror from AWS, until 2026-11-25T00:00:00+00:00, account 1"
    assert str(Identity(name="ann")) == "ann"


def test_a_right_names_what_it_takes_unless_we_have_it() -> None:
    """Whoever has it need not know."""
    no = Right(deed=Deed.PUSH, can=Can.NO, permission="ecr:PutImage")
    assert str(no) == "push: no; it takes ecr:PutImage"
    assert (
        str(Right(deed=Deed.PULL, can=Can.YES, permission="x", why="tried")) == "pull: yes, tried"
    )


def test_an_error_is_a_finding_with_its_hint() -> None:
    """The hint is the remedy."""
    found = Finding.of(Denied("cannot", hint="ask"), Severity.WARNING)
    assert str(found) == "warning: cannot\n  remedy: ask"
    assert str(Finding.of(Denied("cannot"))) == "error: cannot"
