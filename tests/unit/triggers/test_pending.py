"""What belongs together becomes one change, once a repository is quiet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.errors import Denied, InvalidValue
from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.selection import Scope
from harborsync.testing.clock import EPOCH, FakeClock
from harborsync.triggers import (
    Change,
    Deleted,
    Delivered,
    Pending,
    Pulled,
    Pushed,
    read_delivery,
    scopes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

RECORDED = Path(__file__).parents[3] / "../shared/vectors/harbor/11-webhooks.json"
V1 = frozenset({Tag("v1")})
IMAGE, CHILD, OTHER = (Digest.of(name) for name in (b"image", b"child", b"other"))


def _pushed(tag: str | None, digest: Digest | None = IMAGE, repository: str = "team/app") -> Pushed:
    artifact = ArtifactRef(repository, Tag(tag) if tag else None, digest)
    return Pushed(kind="PUSH_ARTIFACT", at=EPOCH, repository=repository, artifacts=(artifact,))


def _deleted(tag: str | None, digest: Digest | None = IMAGE) -> Deleted:
    pushed = _pushed(tag, digest)
    return Deleted(
        kind="DELETE_ARTIFACT", at=EPOCH, repository="team/app", artifacts=pushed.artifacts
    )


def _signature(digest: Digest) -> str:
    return f"{digest.tag_prefix}.sig"


@attrs.define
class _Desk:
    """Something that waits for five seconds of quiet, and a clock."""

    clock: FakeClock = attrs.field(factory=FakeClock)

    def pending(self, **fields: Any) -> Pending:
        return Pending(**{"clock": self.clock, "quiet": 5, "longest": 60, **fields})

    def change(self, *events: Delivered, **fields: Any) -> Change:
        """Return what becomes of events of one repository."""
        pending = self.pending(**fields)
        for event in events:
            pending.add(event)
        self.clock.advance(5)
        (change,) = pending.take()
        return change


# --- when ------------------------------------------------------------------------------------


def test_a_repository_is_left_alone_until_it_is_quiet() -> None:
    """Every event lets it wait anew; others do not wait for it."""
    desk = _Desk()
    pending = desk.pending()
    assert pending.take() == ()
    pending.add(_pushed("v1"))
    pending.add(_pushed("v1", repository="team/web"))
    desk.clock.advance(4)
    assert pending.wait == 1.0
    assert pending.take() == ()
    pending.add(_pushed("v2"))
    desk.clock.advance(1)
    assert pending.take() == (Change(repository="team/web", tags=V1),)
    assert pending.wait == 4.0
    desk.clock.advance(7)
    assert pending.wait == 0.0
    assert pending.take() == (
        Change(repository="team/app", tags=frozenset({Tag("v1"), Tag("v2")})),
    )
    assert pending.take() == ()


def test_a_busy_repository_is_not_left_alone_for_ever() -> None:
    """After the longest time it is ready, quiet or not."""
    desk = _Desk()
    pending = desk.pending(longest=12)
    taken = []
    for _ in range(4):
        pending.add(_pushed("v1"))
        desk.clock.advance(4)
        taken.append(len(pending.take()))
    assert taken == [0, 0, 1, 0]


@pytest.mark.parametrize("times", [{"quiet": -1}, {"quiet": 61}, {"longest": float("nan")}])
def test_times_that_do_not_go_together_are_refused(times: dict[str, float]) -> None:
    """A repository could never be ready, or before it was told of."""
    with pytest.raises(InvalidValue):
        _Desk().pending(**times)


@pytest.mark.parametrize(
    "event",
    [
        Pulled(kind="PULL_ARTIFACT", at=EPOCH, repository="team/app"),
        Pushed(kind="PUSH_ARTIFACT", at=EPOCH),
        Delivered(kind="TAG_RETENTION", at=EPOCH),
    ],
    ids=lambda event: event.kind,
)
def test_what_changes_nothing_is_not_waited_for(event: Delivered) -> None:
    """Nor what does not say where."""
    pending = _Desk().pending()
    pending.add(event)
    assert pending.wait is None


# --- what belongs together -------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, -1])
def test_the_children_of_an_index_are_part_of_it(order: int) -> None:
    """In whatever order they come."""
    events = [_pushed(None, CHILD), _pushed(None, OTHER), _pushed("v1")][::order]
    assert _Desk().change(*events).tags == V1


@pytest.mark.parametrize(
    ("told", "tags"),
    [
        ("push-index", {"2.0"}),
        ("push-second-tag", {"1.0-alias"}),
        ("push-digest", None),
        ("push-subject", None),
        ("artifact-deleted", None),
    ],
)
def test_what_was_recorded_becomes_one_change(told: str, tags: set[str] | None) -> None:
    """Each group of deliveries that a real Harbor sent for one request or one push."""
    if not RECORDED.exists():
        pytest.skip(f"no recordings at {RECORDED}")
    exchanges = json.loads(RECORDED.read_text())["exchanges"]
    name = f"delivery-{told}-default-"
    bodies = [e["request"]["json"] for e in exchanges if e["name"].startswith(name)]
    change = _Desk().change(*(read_delivery(json.dumps(body).encode()) for body in bodies))
    assert change.tags == (None if tags is None else frozenset(map(Tag, tags)))


def test_a_signature_is_part_of_what_it_is_about() -> None:
    """That of the index as well as that of a child."""
    events = [_pushed("v1"), _pushed(None, CHILD), _pushed(_signature(IMAGE), OTHER)]
    assert _Desk().change(*events).tags == V1
    assert _Desk().change(*events, _pushed(_signature(CHILD), OTHER)).tags == V1


@pytest.mark.parametrize(
    "events",
    [
        [_pushed(None, CHILD)],
        [_pushed(_signature(IMAGE), OTHER)],
        [_pushed("v1"), _pushed(_signature(OTHER), CHILD)],
        [Pushed(kind="PUSH_ARTIFACT", at=EPOCH, repository="team/app")],
    ],
    ids=["by digest alone", "a signature alone", "a signature of another", "nothing told"],
)
def test_what_is_about_another_artifact_concerns_the_repository(events: list[Pushed]) -> None:
    """Which tag it is about was not told, so all are looked at."""
    assert _Desk().change(*events).tags is None


def test_a_digest_that_gets_its_tag_later_is_one() -> None:
    """Some clients push by digest first."""
    assert _Desk().change(_pushed(None), _pushed("v1")).tags == V1


def test_tags_whose_digest_was_not_told_are_tags() -> None:
    """Old versions may leave it out."""
    assert _Desk().change(_pushed("v1", None)).tags == V1


def test_who_knows_the_children_tells_strangers_from_them() -> None:
    """An SBOM that was pushed by its digest may be about another tag."""
    asked: list[tuple[str, Digest]] = []

    def children(repository: str, digest: Digest) -> Iterable[Digest]:
        asked.append((repository, digest))
        return [CHILD]

    desk = _Desk()
    events = [_pushed(None, CHILD), _pushed(_signature(CHILD), OTHER), _pushed("v1")]
    assert desk.change(*events, children=children).tags == V1
    assert asked == [("team/app", IMAGE)]
    assert desk.change(*events, _pushed(None, OTHER), children=children).tags is None
    asked.clear()
    assert desk.change(_pushed("v1"), children=children).tags == V1
    assert asked == []


def test_if_children_cannot_be_read_all_is_looked_at() -> None:
    """Nothing is lost by it but time."""

    def children(repository: str, digest: Digest) -> Iterable[Digest]:
        raise Denied("not for you")

    events = [_pushed(None, CHILD), _pushed("v1")]
    assert _Desk().change(*events, children=children).tags is None


@pytest.mark.parametrize("tag", ["v1", None])
def test_a_deletion_concerns_the_repository(tag: str | None) -> None:
    """The other tags that the digest had are not told."""
    change = _Desk().change(_pushed("v2", OTHER), _deleted(tag))
    assert change == Change(repository="team/app", tags=None, deleted=frozenset({IMAGE}))


def test_too_many_tags_concern_the_repository() -> None:
    """What is remembered of one is bounded."""
    events = [_pushed(f"v{number}") for number in range(1001)]
    assert len(_Desk().change(*events[:1000]).tags or ()) == 1000
    assert _Desk().change(*events).tags is None


# --- what to plan for ------------------------------------------------------------------------


def test_scopes_tell_exactly_what_has_changed() -> None:
    """Repositories share one where the same tags have changed."""
    found = scopes(
        [
            Change(repository="a", tags=V1),
            Change(repository="b", tags=None),
            Change(repository="c", tags=V1),
            Change(repository="d", tags=frozenset({Tag("v2")})),
        ]
    )
    assert found == (
        Scope(repositories=frozenset({"a", "c"}), tags=V1),
        Scope(repositories=frozenset({"b"}), tags=None),
        Scope(repositories=frozenset({"d"}), tags=frozenset({"v2"})),
    )
    assert scopes([]) == ()
