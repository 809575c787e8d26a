"""The newest few are kept, the same ones on every run."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE, Artifact
from harborsync.errors import InvalidValue, MissingFact
from harborsync.filters import Keep
from harborsync.reference import Digest, Tag

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _artifact(tag: str, days: int = 0, repository: str = "app", **facts: Any) -> Artifact:
    facts = {"pushed_at": NOW - timedelta(days=days), **facts}
    return Artifact(repository=repository, tag=Tag(tag), **facts)


def _kept(keep: Keep, *artifacts: Artifact, **options: Any) -> list[str]:
    return [str(artifact) for artifact in keep.select(artifacts, now=NOW, **options)]


def test_the_newest_of_each_repository_are_kept_in_the_order_they_came() -> None:
    """Each repository has its own five, or two."""
    artifacts = [
        _artifact("c", 3), _artifact("a", 1), _artifact("b", 2), _artifact("z", 9, "other"),
    ]  # fmt: skip
    assert _kept(Keep(newest=2), *artifacts) == ["app:a", "app:b", "other:z"]
    assert _kept(Keep(newest=2, per="everything"), *artifacts) == ["app:a", "app:b"]


def test_the_image_s_time_can_be_asked_instead() -> None:
    """An old image may have been pushed today."""
    old = _artifact("old", 0, created_at=NOW - timedelta(days=300))
    new = _artifact("new", 5, created_at=NOW - timedelta(days=10))
    assert _kept(Keep(newest=1, by="created"), old, new) == ["app:new"]
    assert _kept(Keep(newest=1, by="pushed"), old, new) == ["app:old"]


def test_versions_are_compared_as_versions() -> None:
    """Tags that are none are not kept, prereleases only if asked for."""
    tags = ["1.9.0", "latest", "1.10.0", "2.0.0-rc.1", "1.2.0"]
    artifacts = [_artifact(tag) for tag in tags]
    assert _kept(Keep(newest=2, by="semver"), *artifacts) == ["app:1.9.0", "app:1.10.0"]
    with_prereleases = Keep(newest=2, by="semver", prereleases=True)
    assert _kept(with_prereleases, *artifacts) == ["app:1.10.0", "app:2.0.0-rc.1"]


def test_an_untagged_artifact_has_no_version() -> None:
    """It is kept by time, not by version."""
    untagged = Artifact(repository="app", tag=None, digest=Digest.of(b"x"), pushed_at=NOW)
    assert Keep(newest=1, by="semver").select([untagged], now=NOW) == ()
    assert Keep(newest=1).select([untagged], now=NOW) == (untagged,)


def test_of_equally_new_ones_the_later_tag_is_the_newer() -> None:
    """So that two runs keep the same, whatever order the listing has."""
    artifacts = [_artifact(tag, 1) for tag in ("a", "b", "c", "d")]
    for seed in range(10):
        shuffled = random.Random(seed).sample(artifacts, len(artifacts))
        assert sorted(_kept(Keep(newest=2), *shuffled)) == ["app:c", "app:d"]


def test_equal_versions_are_told_apart_by_their_tags() -> None:
    """``v1.0`` and ``1.0`` are one version."""
    artifacts = [_artifact("v1.0"), _artifact("1.0"), _artifact("1.0.0")]
    for seed in range(10):
        shuffled = random.Random(seed).sample(artifacts, len(artifacts))
        assert _kept(Keep(newest=1, by="semver"), *shuffled) == ["app:v1.0"]


def test_an_absent_time_is_older_than_any() -> None:
    """It is kept only if there is room."""
    timeless, old = _artifact("timeless", pushed_at=None), _artifact("old", 9999)
    assert _kept(Keep(newest=1), timeless, old) == ["app:old"]
    assert _kept(Keep(newest=2), timeless, old) == ["app:timeless", "app:old"]


def test_a_time_in_the_future_counts_as_now() -> None:
    """An image dated 2099 does not stay the newest for decades."""
    future, fresh = _artifact("a", -36500), _artifact("b", 0)
    assert _kept(Keep(newest=1), future, fresh) == ["app:b"]


@pytest.mark.parametrize("unknown", [UNAVAILABLE, NOT_FETCHED])
def test_a_time_that_is_not_known_fails_unless_decided_otherwise(unknown: object) -> None:
    """The error names what was wanted, and the choice is that of filters."""
    keep = Keep(newest=1)
    artifacts = _artifact("x", pushed_at=unknown), _artifact("old", 9), _artifact("new", 1)
    with pytest.raises(MissingFact, match="'newest 1 by pushed' needs pushed_at"):
        keep.select(artifacts, now=NOW)
    assert _kept(keep, *artifacts, missing="exclude") == ["app:new"]
    assert _kept(keep, *artifacts, missing="include") == ["app:x", "app:new"]


def test_tags_that_hang_on_a_digest_are_neither_counted_nor_kept() -> None:
    """They go where their subject goes (OCI-6.10)."""
    signature = _artifact("sha256-" + "a" * 64 + ".sig", pushed_at=UNAVAILABLE)
    assert _kept(Keep(newest=1), signature, _artifact("old", 9)) == ["app:old"]


@pytest.mark.parametrize(
    ("keep", "needs"),
    [
        (Keep(newest=1), {"pushed_at"}),
        (Keep(newest=1, by="created"), {"created_at"}),
        (Keep(newest=1, by="semver"), set()),
    ],
    ids=str,
)
def test_it_says_which_fact_to_fetch(keep: Keep, needs: set[str]) -> None:
    """And none that is known, or that cannot be had."""
    assert keep.needs(Artifact(repository="a", tag=Tag("v"))) == needs
    known = Artifact(repository="a", tag=Tag("v"), pushed_at=None, created_at=UNAVAILABLE)
    assert keep.needs(known) == set()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"newest": 0}, "0 is no number of artifacts"),
        ({"newest": 1.5}, "1.5 is no number of artifacts"),
        ({"newest": "2"}, "'2' is no number of artifacts"),
        ({"newest": 1, "by": "size"}, "'size' is nothing to keep the newest by"),
        ({"newest": 1, "per": "tag"}, "'tag' is nothing to keep the newest per"),
    ],
    ids=str,
)
def test_what_cannot_be_kept_is_refused(wrong: dict[str, Any], message: str) -> None:
    """With what would be allowed."""
    with pytest.raises(InvalidValue, match=message) as caught:
        Keep(**wrong)
    assert caught.value.hint
