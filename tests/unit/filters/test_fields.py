"""The words of filters in Python."""

from __future__ import annotations

from datetime import timedelta

import pytest

from harborsync.content import Platform
from harborsync.errors import FilterSyntaxError, InvalidReference, InvalidValue
from harborsync.filters import (
    Filter,
    age,
    annotation,
    digest,
    image_age,
    kind,
    label,
    name,
    platform,
    size,
    tag,
)
from harborsync.reference import Digest
from harborsync.units import ByteSize, Duration

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (name.like("a/**"), "name like 'a/**'"),
        (tag.matches("v.*"), "tag matches 'v.*'"),
        (kind.in_("image", "chart"), "kind in ('chart', 'image')"),
        (tag.semver(">=1, <2"), "tag semver '>=1,<2'"),
        (tag.semver(">=1", prereleases=True), "tag semver '>=1' with prereleases"),
        (digest.in_(DIGEST), f"digest is '{DIGEST}'"),
        (digest.in_(Digest.parse(DIGEST)), f"digest is '{DIGEST}'"),
        (label.has("it's"), "label has 'it''s'"),
        (annotation.has("k"), "annotation has 'k'"),
        (annotation("k").like("v*"), "annotation 'k' like 'v*'"),
        (platform.has(Platform.parse("linux/arm/v7")), "platform has 'linux/arm/v7'"),
        (age < "720h", "age < 30d"),
        (age <= timedelta(hours=1), "age <= 1h"),
        (age > Duration.parse("1d"), "age > 1d"),
        (image_age >= "0s", "image_age >= 0s"),
        (size < 2_000_000, "size < 2MB"),
        (size <= ByteSize.parse("1KiB"), "size <= 1KiB"),
        (size > "1GB", "size > 1GB"),
        (size >= 0, "size >= 0B"),
    ],
)  # fmt: skip
def test_what_is_made_in_python_is_written_canonically(made: Filter, text: str) -> None:
    """And reads back to the same."""
    assert str(made) == text
    assert Filter.parse(text) == made


def test_what_cannot_be_is_refused_at_once() -> None:
    """Nobody waits for a plan to learn of a slip."""
    with pytest.raises(FilterSyntaxError):
        name.like("a[")
    with pytest.raises(FilterSyntaxError):
        tag.matches("a(")
    with pytest.raises(FilterSyntaxError):
        tag.semver("1.x")
    with pytest.raises(InvalidReference):
        digest.in_("sha256:x")
    with pytest.raises(InvalidValue):
        platform.has("amd64")
    with pytest.raises(InvalidValue):
        age < "month"  # noqa: B015 - it is the comparison that raises
    with pytest.raises(InvalidValue):
        size < "big"  # noqa: B015 - as above
    with pytest.raises(ValueError, match="values"):
        name.in_()
