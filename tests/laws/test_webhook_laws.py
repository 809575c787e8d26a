"""Whatever is posted to a webhook, it is an event or it is refused."""

from __future__ import annotations

import contextlib
import json
import pickle
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harborsync.errors import InvalidDelivery
from harborsync.reference import ArtifactRef, Digest, Tag
from harborsync.testing.clock import EPOCH, FakeClock
from harborsync.triggers import Change, Delivered, Pending, Pushed, read_delivery

KINDS = (
    *("PUSH_ARTIFACT", "QUOTA_EXCEED", "SCANNING_FAILED", "REPLICATION", "TAG_RETENTION"),
    *("harbor.artifact.deleted", "harbor.replication.status.changed", "unheard of"),
)
KEYS = (
    *("type", "occur_at", "operator", "event_data", "specversion", "id", "time", "data"),
    *("resources", "repository", "repo_full_name", "tag", "digest", "replication", "retention"),
    *("src_resource", "endpoint", "successful_artifact", "references", "name_tag", "scan", "total"),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from([*KINDS, "1.0", "2026-11-23T12:40:45Z", "team/app", str(Digest.of(b""))])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner),
    max_leaves=20,
)
ENVELOPES = st.fixed_dictionaries(
    {"type": st.sampled_from(KINDS), "occur_at": st.integers(0, 2**33) | SCALARS},
    optional={key: JSON for key in KEYS if key not in {"type", "occur_at"}},
)


@given(body=st.binary() | (JSON | ENVELOPES).map(lambda document: json.dumps(document).encode()))
def test_a_body_is_an_event_or_is_refused(body: bytes) -> None:
    """Nothing else is raised, and an event can be compared, remembered and sent on."""
    with contextlib.suppress(InvalidDelivery):
        event = read_delivery(body)
        assert isinstance(event, Delivered)
        assert event.at.tzinfo is not None
        assert hash(event.key) == hash(read_delivery(body).key)
        assert pickle.loads(pickle.dumps(event)) == event
        str(event).encode()


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["team/app", "team/web"]),
        st.sampled_from([None, "v1", "v2", f"{Digest.of(b'1').tag_prefix}.sig"]),
        st.sampled_from([Digest.of(b"1"), Digest.of(b"2")]),
        st.floats(0, 10),
    ),
    max_size=12,
)


@given(told=EVENTS)
def test_nothing_that_was_told_is_lost(told: list[tuple[str, Any, Digest, float]]) -> None:
    """Every tag comes out of what waits, at the latest when its time is up; nothing else does."""
    clock = FakeClock()
    pending = Pending(clock=clock, quiet=5, longest=20)
    changes: list[Change] = []
    for repository, tag, digest, pause in told:
        artifact = ArtifactRef(repository, Tag(tag) if tag else None, digest)
        pending.add(
            Pushed(kind="PUSH_ARTIFACT", at=EPOCH, repository=repository, artifacts=(artifact,))
        )
        clock.advance(pause)
        changes += pending.take()
    clock.advance(20)
    changes += pending.take()
    assert pending.wait is None
    for repository, tag, _, _ in told:
        mine = [change for change in changes if change.repository == repository]
        assert any(
            change.tags is None or tag is None or "sha256" in tag or tag in change.tags
            for change in mine
        )
    assert {change.repository for change in changes} == {repository for repository, *_ in told}
