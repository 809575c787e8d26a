r"""The words filters are made of in Python.

>>> from harborsync.filters import age, label, name, tag
>>> print(name.like("team-*/**") & (age < "30d") & ~label.has("wip"))
name like 'team-*/**' and age < 30d and not label has 'wip'
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import attrs

from harborsync.content import Platform
from harborsync.filters import text
from harborsync.filters.conditions import (
    Aged,
    Covers,
    Has,
    In,
    Like,
    Matches,
    Semver,
    Sized,
    Subject,
)
from harborsync.filters.expr import Clause, Filter
from harborsync.filters.versions import VersionRange
from harborsync.reference import Digest
from harborsync.units import ByteSize, Duration


@attrs.frozen
class TextField:
    """A fact that is a text. An absent one meets no condition."""

    subject: Subject

    def like(self, glob: str) -> Filter:
        """Want what matches a glob as a whole; see :mod:`harborsync.filters.globs`.

        Raises:
            FilterSyntaxError: The text is no glob.
        """
        return Clause(self.subject, Like(glob))

    def matches(self, pattern: str) -> Filter:
        """Want what matches a regular expression as a whole.

        Raises:
            FilterSyntaxError: The text is no regular expression.
        """
        return Clause(self.subject, Matches(pattern))

    def in_(self, *values: str) -> Filter:
        """Want what is one of ``values``, of which there is at least one."""
        return Clause(self.subject, In(frozenset(values)))


@attrs.frozen
class TagField(TextField):
    """The tag; an untagged artifact has none and meets no condition on it."""

    def semver(self, versions: str, *, prereleases: bool = False) -> Filter:
        """Want versions in a range such as ``>=1.4,<2``; see :mod:`harborsync.filters.versions`.

        Raises:
            FilterSyntaxError: The text is no range of versions.
        """
        return Clause(self.subject, Semver(VersionRange.parse(versions), prereleases))


@attrs.frozen
class DigestField:
    """The digest of the manifest."""

    subject: Subject

    def in_(self, *values: str | Digest) -> Filter:
        """Want what is one of ``values``, of which there is at least one.

        Raises:
            InvalidReference: One of them is no digest.
        """
        return Clause(self.subject, In(frozenset(str(Digest.parse(str(v))) for v in values)))


@attrs.frozen
class LabelField:
    """The labels that the registry keeps for the artifact."""

    subject: Subject

    def has(self, value: str) -> Filter:
        """Want what has this label."""
        return Clause(self.subject, Has(value))


@attrs.frozen
class AnnotationField(LabelField):
    """The annotations of the manifest: ``annotation.has(key)``, ``annotation(key).like(…)``."""

    def __call__(self, key: str) -> TextField:
        """Return the annotation ``key`` as a text; it may be absent."""
        return TextField(attrs.evolve(self.subject, key=key))


@attrs.frozen
class PlatformField:
    """The platforms the artifact runs on."""

    subject: Subject

    def has(self, value: str | Platform) -> Filter:
        """Want what runs on a platform such as ``linux/amd64``.

        Raises:
            InvalidValue: The text is no platform.
        """
        return Clause(self.subject, Covers(Platform.parse(str(value))))


@attrs.frozen(order=False)
class AgeField:
    """How long ago something was, to be compared with ``30d``, a timedelta or a Duration."""

    subject: Subject

    def __lt__(self, limit: str | timedelta | Duration) -> Filter:
        """Want what is younger."""
        return self._compare("<", limit)

    def __le__(self, limit: str | timedelta | Duration) -> Filter:
        """Want what is not older."""
        return self._compare("<=", limit)

    def __gt__(self, limit: str | timedelta | Duration) -> Filter:
        """Want what is older."""
        return self._compare(">", limit)

    def __ge__(self, limit: str | timedelta | Duration) -> Filter:
        """Want what is not younger."""
        return self._compare(">=", limit)

    def _compare(self, comparison: str, limit: str | timedelta | Duration) -> Filter:
        if isinstance(limit, timedelta):
            limit = Duration.of(limit)
        return Clause(self.subject, Aged(comparison, Duration.parse(str(limit))))


@attrs.frozen(order=False)
class SizeField:
    """How many bytes there are, to be compared with ``2GB``, an int or a ByteSize."""

    subject: Subject

    def __lt__(self, limit: str | int | ByteSize) -> Filter:
        """Want what is smaller."""
        return self._compare("<", limit)

    def __le__(self, limit: str | int | ByteSize) -> Filter:
        """Want what is not larger."""
        return self._compare("<=", limit)

    def __gt__(self, limit: str | int | ByteSize) -> Filter:
        """Want what is larger."""
        return self._compare(">", limit)

    def __ge__(self, limit: str | int | ByteSize) -> Filter:
        """Want what is not smaller."""
        return self._compare(">=", limit)

    def _compare(self, comparison: str, limit: str | int | ByteSize) -> Filter:
        if isinstance(limit, int):
            limit = ByteSize(limit)
        return Clause(self.subject, Sized(comparison, ByteSize.parse(str(limit))))


#: The full name of the repository in its registry.
name: Final = TextField(text.NAME)
#: The tag.
tag: Final = TagField(text.TAG)
#: What the artifact is: ``image``, ``chart``, ``signature``, ``sbom`` or an artifact type.
kind: Final = TextField(text.KIND)
#: The digest of the manifest.
digest: Final = DigestField(text.DIGEST)
#: The labels that the registry keeps for the artifact.
label: Final = LabelField(text.LABEL)
#: The annotations of the manifest.
annotation: Final = AnnotationField(text.ANNOTATION)
#: The platforms the artifact runs on.
platform: Final = PlatformField(text.PLATFORM)
#: The time since the tag was pushed, or the digest where the registry does not know of tags.
age: Final = AgeField(text.AGE)
#: The time since the image was made.
image_age: Final = AgeField(text.IMAGE_AGE)
#: The bytes of everything the artifact consists of.
size: Final = SizeField(text.SIZE)
