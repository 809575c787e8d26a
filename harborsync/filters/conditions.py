"""What a clause asks of one fact: the subject that is looked at, the condition it must meet."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.artifact import NOT_FETCHED, Unknown
from harborsync.filters.globs import compile_glob
from harborsync.filters.patterns import compile_pattern
from harborsync.filters.versions import VersionRange, parse_version

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from harborsync.artifact import Artifact
    from harborsync.content import Platform
    from harborsync.units import ByteSize, Duration

COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def quote(text: str) -> str:
    """Write a text as it stands in a filter: in single quotes, those inside doubled."""
    return "'" + text.replace("'", "''") + "'"


@attrs.frozen
class Subject:
    """A fact by the name that filters have for it.

    Attributes:
        word: The name in a filter.
        fact: The field of :class:`~harborsync.artifact.Artifact` that holds it.
        key: Which annotation, where it is one.
    """

    word: str
    fact: str
    key: str | None = None

    def read(self, artifact: Artifact) -> Any:
        """Return the fact, None where it is known to be absent, or why it is not known."""
        value = getattr(artifact, self.fact)
        if self.fact != "annotations" or isinstance(value, Unknown):
            return value
        notes = dict(value)
        return frozenset(notes) if self.key is None else notes.get(self.key)

    def __str__(self) -> str:
        """Return the beginning of a clause."""
        return self.word if self.key is None else f"{self.word} {quote(self.key)}"


class Condition(ABC):
    """A test of one known fact; an absent one meets none."""

    __slots__ = ()

    @abstractmethod
    def holds(self, value: Any, now: datetime | None) -> bool | Unknown:
        """Tell whether ``value`` meets the condition at the time ``now``."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What in it does not mean what it seems to, one sentence each."""
        return ()

    @property
    def literals(self) -> frozenset[str] | None:
        """The only texts that meet it, or None if they cannot be listed."""
        return None

    @property
    def fragment(self) -> str:
        """A text that whatever meets it contains; empty if none is known."""
        return ""


@attrs.frozen
class Like(Condition):
    """The whole text matches a glob."""

    glob: str

    def __attrs_post_init__(self) -> None:
        """Refuse what is no glob."""
        compile_glob(self.glob)

    def holds(self, value: str | None, now: datetime | None) -> bool:  # noqa: ARG002 - timeless
        """Tell whether the glob matches."""
        return value is not None and compile_glob(self.glob).matches(value)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What in the glob does not mean what it seems to."""
        return compile_glob(self.glob).warnings

    @property
    def literals(self) -> frozenset[str] | None:
        """The texts the glob matches, if they can be listed."""
        return compile_glob(self.glob).literals

    @property
    def fragment(self) -> str:
        """The longest text in the glob that stands for itself."""
        return compile_glob(self.glob).fragment

    def __str__(self) -> str:
        """Return the rest of a clause."""
        return f"like {quote(self.glob)}"


@attrs.frozen
class Matches(Condition):
    """The whole text matches a regular expression."""

    pattern: str

    def __attrs_post_init__(self) -> None:
        """Refuse what is no regular expression."""
        compile_pattern(self.pattern)

    def holds(self, value: str | None, now: datetime | None) -> bool:  # noqa: ARG002 - timeless
        """Tell whether the expression matches."""
        return value is not None and compile_pattern(self.pattern).matches(value)

    def __str__(self) -> str:
        """Return the rest of a clause."""
        return f"matches {quote(self.pattern)}"


@attrs.frozen
class In(Condition):
    """The text is one of some."""

    values: frozenset[str] = attrs.field(validator=attrs.validators.min_len(1))

    def holds(self, value: object, now: datetime | None) -> bool:  # noqa: ARG002 - timeless
        """Tell whether the text is among them."""
        return value is not None and str(value) in self.values

    @property
    def literals(self) -> frozenset[str]:
        """All of them."""
        return self.values

    def __str__(self) -> str:
        """Return the rest of a clause."""
        first, *others = sorted(self.values)
        if not others:
            return f"is {quote(first)}"
        return f"in ({', '.join(map(quote, (first, *others)))})"


@attrs.frozen
class Semver(Condition):
    """The text is a version within a range."""

    range: VersionRange
    prereleases: bool = False

    def holds(self, value: str | None, now: datetime | None) -> bool:  # noqa: ARG002 - timeless
        """Tell whether the text is such a version."""
        version = None if value is None else parse_version(value)
        if version is None or (version.is_prerelease and not self.prereleases):
            return False
        return self.range.contains(version)

    def __str__(self) -> str:
        """Return the rest of a clause."""
        return f"semver {quote(str(self.range))}" + " with prereleases" * self.prereleases


@attrs.frozen
class Has(Condition):
    """One of several texts is this one."""

    value: str

    def holds(self, value: frozenset[str], now: datetime | None) -> bool:  # noqa: ARG002 - timeless
        """Tell whether it is among them."""
        return self.value in value

    def __str__(self) -> str:
        """Return the rest of a clause."""
        return f"has {quote(self.value)}"


@attrs.frozen
class Covers(Condition):
    """One of the platforms is this one (OCI-3.23)."""

    platform: Platform

    def holds(self, value: frozenset[Platform], now: datetime | None) -> bool:  # noqa: ARG002 - timeless
        """Tell whether it is among them."""
        return any(self.platform.covers(other) for other in value)

    def __str__(self) -> str:
        """Return the rest of a clause."""
        return f"has {quote(str(self.platform))}"


@attrs.frozen
class Aged(Condition):
    """So much time has passed since then."""

    comparison: str
    limit: Duration

    def holds(self, value: datetime | None, now: datetime | None) -> bool | Unknown:
        """Compare the time passed; without a time to count to, that stays open."""
        if value is None:
            return False
        if now is None:
            return NOT_FETCHED
        passed = (now - value) / timedelta(milliseconds=1)
        return COMPARISONS[self.comparison](passed, self.limit.milliseconds)

    def earliest(self, now: datetime) -> datetime | None:
        """Return the time that is the limit ago, if what is older does not meet it."""
        if self.comparison not in {"<", "<="}:
            return None
        try:
            return now - timedelta(milliseconds=self.limit.milliseconds)
        except OverflowError:
            return None  # longer ago than there are dates

    def __str__(self) -> str:
        """Return the rest of a clause."""
        return f"{self.comparison} {self.limit}"


@attrs.frozen
class Sized(Condition):
    """It has so many bytes."""

    comparison: str
    limit: ByteSize

    def holds(self, value: int, now: datetime | None) -> bool:  # noqa: ARG002 - timeless
        """Compare the number of bytes."""
        return COMPARISONS[self.comparison](value, self.limit.bytes)

    def __str__(self) -> str:
        """Return the rest of a clause."""
        return f"{self.comparison} {self.limit}"
