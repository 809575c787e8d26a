"""Harbor's JSON is read whatever is lacking, and sent without what is not ours to say."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest

from harborsync.errors import RegistryError
from harborsync.harbor.records import MASK, read, read_all, write
from harborsync.permissions.harbor import Kind
from harborsync.secrets import Secret


@attrs.frozen(kw_only=True)
class Thing:
    """Some of everything."""

    id: int | None = None
    name: str = "nameless"
    enabled: bool = True
    kind: Kind = Kind.SYSTEM
    secret: Secret | None = None
    value: str | tuple[str, ...] = ""
    parts: tuple[Thing, ...] = ()
    update_time: datetime | None = None


def test_what_is_lacking_or_null_has_its_default_and_a_flag_is_false() -> None:
    """Harbor leaves out what is empty, and says null for an empty list."""
    assert read(Thing, {"name": None, "parts": None}) == Thing(enabled=False)


def test_fields_that_nobody_knows_are_passed_over() -> None:
    """A newer Harbor tells more."""
    assert read(Thing, {"enabled": True, "colour": "red"}) == Thing()


@pytest.mark.parametrize(
    ("told", "time"),
    [
        ("0001-01-01T00:00:00.000Z", None),
        (-1, None),
        (0, None),
        (1803213672, datetime(2027, 2, 21, 12, 41, 12, tzinfo=UTC)),
        ("2026-11-23T12:35:15.433Z", datetime(2026, 11, 23, 12, 35, 15, 433000, tzinfo=UTC)),
        ("2026-11-23T13:35:15+01:00", datetime(2026, 11, 23, 12, 35, 15, tzinfo=UTC)),
        ("2026-11-23T12:36:44.396077Z", datetime(2026, 11, 23, 12, 36, 44, 396077, tzinfo=UTC)),
    ],
)
def test_times_are_aware_and_in_utc_and_never_is_none(told: object, time: datetime | None) -> None:
    """The year 1, 0 and -1 are never."""
    assert read(Thing, {"update_time": told}).update_time == time


@pytest.mark.parametrize("told", ["", MASK, None])
def test_a_masked_secret_is_none(told: object) -> None:
    """So that it cannot be sent back."""
    assert read(Thing, {"secret": told}).secret is None


def test_a_secret_is_sent_in_clear_and_shown_by_nobody() -> None:
    """It is a Secret between the wires."""
    thing = read(Thing, {"secret": "hunter2"})
    assert "hunter2" not in repr(thing)
    assert write(thing)["secret"] == "hunter2"


def test_what_harbor_decides_is_not_sent() -> None:
    """Neither the id nor times, and nothing that is unknown."""
    thing = Thing(id=3, kind=Kind.PROJECT, value=("a", "b"), parts=(Thing(id=4),))
    part = {"name": "nameless", "enabled": True, "kind": "system", "value": "", "parts": []}
    assert write(thing) == {
        "name": "nameless",
        "enabled": True,
        "kind": "project",
        "value": ["a", "b"],
        "parts": [part],
    }


def test_a_mapping_is_sent_as_one() -> None:
    """With its values written out."""
    assert write({"a": (Kind.PROJECT,), "b": Secret("x")}) == {"a": ["project"], "b": "x"}


@pytest.mark.parametrize("told", [None, [], "text", 5, {"parts": ["text"]}, {"id": "text"}])
def test_another_shape_is_an_error_that_says_so(told: object) -> None:
    """Somebody else answered."""
    with pytest.raises(RegistryError, match="is no Thing"):
        read(Thing, told)


def test_a_value_that_is_one_text_or_several_is_read_as_it_is() -> None:
    """A filter by label has a list, every other a text."""
    assert read(Thing, {"value": ["a", "b"]}).value == ("a", "b")
    assert read(Thing, {"value": "a"}).value == "a"


def test_null_is_no_values() -> None:
    """Of which a list is made."""
    assert read_all(Thing, None) == ()
    assert read_all(Thing, [{"id": 1}]) == (Thing(id=1, enabled=False),)
