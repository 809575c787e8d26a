"""Versions in tags: their order, and ranges of them.

A tag is a version if it is two or three numbers, a ``v`` before them or not, and perhaps a
prerelease and a build behind them: ``1.4``, ``v1.4.2``, ``2.0.0-rc.1``, ``1.2.3_build5`` (the
``_`` is how Helm writes a ``+`` in a tag). A single number is none: it is as often a date or
a build number. The order is that of Semantic Versioning 2.0.
"""

from __future__ import annotations

import operator
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Self

import attrs

from harborsync.errors import FilterSyntaxError

if TYPE_CHECKING:
    from collections.abc import Callable

_VERSION: Final = re.compile(
    r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:[+_][0-9A-Za-z.-]+)?",
    re.ASCII,
)
_BOUND: Final = re.compile(
    r"\s*(>=|<=|>|<|=)\s*(\d{1,20}(?:\.\d{1,20}(?:\.\d{1,20}(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?)?)\s*",
    re.ASCII,
)
_COMPARISONS: Final[dict[str, Callable[[Version, Version], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}


@attrs.frozen(order=True)
class Version:
    """A version; a build is no part of it.

    Attributes:
        numbers: Major, minor and patch.
        rank: Where it stands among the versions of the same numbers, prereleases first.
    """

    numbers: tuple[int, int, int]
    rank: tuple[tuple[int, int, str], ...]

    @property
    def is_prerelease(self) -> bool:
        """Whether it comes before the release of its numbers."""
        return self.rank != _RELEASE


# A release ranks behind every prerelease; numbers before words; fewer words before more.
_RELEASE: Final = ((2, 0, ""),)


@lru_cache(maxsize=65536)
def parse_version(tag: str) -> Version | None:
    """Return the version that a tag is, or None."""
    found = _VERSION.fullmatch(tag)
    return _version(found[1], found[2], found[3], found[4]) if found else None


def _version(major: str, minor: str | None, patch: str | None, prerelease: str | None) -> Version:
    rank = tuple(_rank(word) for word in prerelease.split(".")) if prerelease else _RELEASE
    return Version((int(major), int(minor or 0), int(patch or 0)), rank)


def _rank(word: str) -> tuple[int, int, str]:
    return (0, int(word), "") if word.isdigit() else (1, 0, word)


@attrs.frozen
class Bound:
    """One side of a range.

    Attributes:
        comparison: ``>=``, ``<=``, ``>``, ``<`` or ``=``.
        text: The version, as written.
    """

    comparison: str
    text: str

    @property
    def version(self) -> Version:
        """The version; what is left out is 0."""
        numbers, _, prerelease = self.text.partition("-")
        major, minor, patch, *_ = (*numbers.split("."), None, None)
        return _version(str(major), minor, patch, prerelease)

    def admits(self, version: Version) -> bool:
        """Tell whether a version is on the right side.

        ``<2`` leaves out ``2.0.0-rc.1`` as well, which is a 2 to everybody but the order.
        """
        limit = self.version
        if self.comparison == "<" and not limit.is_prerelease and version.numbers == limit.numbers:
            return False
        return _COMPARISONS[self.comparison](version, limit)

    def __str__(self) -> str:
        """Return the bound as written, without blanks."""
        return f"{self.comparison}{self.text}"


@attrs.frozen
class VersionRange:
    """A set of versions, such as ``>=1.4,<2``.

    Attributes:
        bounds: All of them must admit a version.
    """

    bounds: tuple[Bound, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read bounds joined by commas.

        Raises:
            FilterSyntaxError: The text is no range.
        """
        bounds, position = [], 0
        for part in text.split(","):
            found = _BOUND.fullmatch(part)
            if not found:
                msg = f"{part.strip()!r} is no bound of a version range"
                raise FilterSyntaxError(
                    msg,
                    text=text,
                    position=position + len(part) - len(part.lstrip()),
                    expected="one of >= > <= < = and a version, such as >=1.4",
                )
            bounds.append(Bound(found[1], found[2]))
            position += len(part) + 1
        return cls(tuple(bounds))

    def contains(self, version: Version) -> bool:
        """Tell whether a version is in the range, prerelease or not."""
        return all(bound.admits(version) for bound in self.bounds)

    def __str__(self) -> str:
        """Return the canonical text, which parses back to an equal value."""
        return ",".join(map(str, self.bounds))
