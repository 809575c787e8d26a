"""The wish: from where, to where, which artifacts, under what name, and what if it is taken.

    >>> from harborsync import ReplicationRule
    >>> rule = ReplicationRule(
    ...     name="releases",
    ...     source="harbor.example",
    ...     destinations="registry://mirror.example/copies",
    ...     where="name like 'team/**' and tag matches 'v.*'",
    ... )
    >>> str(rule.destinations[0])
    'registry://mirror.example/copies'

A rule is a value: it can be printed, compared, pickled and committed to a repository.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeVar, get_args

import attrs

from harborsync.content import Platform
from harborsync.endpoint import Endpoint
from harborsync.errors import ConfigurationError, InvalidValue
from harborsync.filters import Filter, Keep, Missing
from harborsync.graph import Choice, Foreign, Subset
from harborsync.naming import Naming
from harborsync.reference import Tag, check_repository

if TYPE_CHECKING:
    from collections.abc import Iterable

_RULE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class OnConflict(StrEnum):
    """What to do if the destination has another artifact under the name, and it is not ours."""

    FAIL = "fail"
    OVERWRITE = "overwrite"
    SKIP = "skip"


@attrs.frozen(kw_only=True)
class Rename:
    """On a conflict, write beside what is there: under the tag with a prefix or suffix.

    Attributes:
        prefix: What the tag is led by.
        suffix: What the tag is followed by.
    """

    prefix: str = ""
    suffix: str = ""

    def __attrs_post_init__(self) -> None:
        """Refuse to rename to the same name.

        Raises:
            InvalidValue: There is neither a prefix nor a suffix.
        """
        if not self.prefix and not self.suffix:
            msg = "a rename on conflict needs a prefix or a suffix"
            raise InvalidValue(msg)

    def apply(self, tag: Tag) -> Tag:
        """Return the tag to write instead.

        Raises:
            InvalidReference: It would be no tag.
        """
        return Tag(f"{self.prefix}{tag}{self.suffix}")


class OnMoved(StrEnum):
    """What to do if the source tag points elsewhere than when the plan was made."""

    PINNED = "pinned"
    REFUSE = "refuse"


class Metadata(StrEnum):
    """What a registry keeps beside artifacts, and what travels after them."""

    LABELS = "labels"
    DESCRIPTIONS = "descriptions"


class OnOtherMetadata(StrEnum):
    """What to do if the destination has other labels or another description than the source."""

    ADD = "add"  # its own labels stay; a text takes the place of another, no text does not
    OVERWRITE = "overwrite"  # it gets exactly what the source has
    KEEP = "keep"  # only where it has none does it get the source's


_E = TypeVar("_E", bound=StrEnum)


def _one_of(kind: type[_E], value: str) -> _E:
    """Read one of the words of ``kind``, or list them."""
    try:
        return kind(value)
    except ValueError:
        msg = f"{value!r} is none of {', '.join(kind)}"
        raise InvalidValue(msg) from None


def _on_conflict(value: OnConflict | Rename | str) -> OnConflict | Rename:
    return value if isinstance(value, Rename) else _one_of(OnConflict, value)


def _subset(value: Subset | str | None) -> Subset | None:
    return None if value is None else _one_of(Subset, value)


def _on_moved(value: OnMoved | str) -> OnMoved:
    return _one_of(OnMoved, value)


def _metadata(value: Iterable[Metadata | str] | None) -> tuple[Metadata, ...] | None:
    if value is None:
        return None
    words = (value,) if isinstance(value, str) else value
    return tuple(sorted({_one_of(Metadata, word) for word in words}))


def _on_other_metadata(value: OnOtherMetadata | str) -> OnOtherMetadata:
    return _one_of(OnOtherMetadata, value)


def _foreign(value: Foreign | str) -> Foreign:
    return _one_of(Foreign, value)


def _endpoint(value: Endpoint | str) -> Endpoint:
    return value if isinstance(value, Endpoint) else Endpoint.parse(value)


def _endpoints(value: Endpoint | str | Iterable[Endpoint | str]) -> tuple[Endpoint, ...]:
    if isinstance(value, Endpoint | str):
        return (_endpoint(value),)
    return tuple(_endpoint(each) for each in value)


def _filter(value: Filter | str) -> Filter:
    return value if isinstance(value, Filter) else Filter.parse(value)


def _naming(value: Naming | str) -> Naming:
    return value if isinstance(value, Naming) else Naming(value)


def _repositories(value: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        value = (value,)
    return tuple(check_repository(name) for name in value)


def _platforms(value: Platform | str | Iterable[Platform | str]) -> tuple[Platform, ...]:
    if isinstance(value, Platform | str):
        value = (value,)
    found = (p if isinstance(p, Platform) else Platform.parse(p) for p in value)
    return tuple(sorted(set(found)))


def _texts(value: Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _is_missing(_: object, __: object, value: str) -> None:
    if value not in get_args(Missing):
        msg = f"{value!r} is none of {', '.join(get_args(Missing))}"
        raise InvalidValue(msg)


@attrs.frozen(kw_only=True)
class ReplicationRule:
    """A wish, checked as far as that goes without asking anybody.

    Attributes:
        name: Name of the rule, unique among those that run together; state is kept under it.
        source: Where from; texts are read by :meth:`Endpoint.parse`.
        destinations: Where to, one or several.
        where: Which artifacts; texts are read by :meth:`Filter.parse`. Everything is had by
            saying ``everything``.
        repositories: The repositories to look into, by full name; needed where the source has
            no catalog and the filter names none literally.
        keep: Of what the filter lets through, how many; None for all.
        naming: Under what name at the destinations, below their prefix.
        on_conflict: What if the name is taken by something this rule did not write.
        on_moved: What if a source tag has moved between plan and run.
        missing: What if the filter needs a fact that the source does not know.
        platforms: The platforms wanted of each index; empty for all.
        subset: How an index with fewer platforms is written; must be said with ``platforms``.
        foreign: What becomes of layers that may not be distributed.
        satellites: Globs over the artifact types of signatures, SBOMs and other referrers that
            travel with their subject; empty for none.
        satellites_as_candidates: Whether tags like ``sha256-<hex>.sig`` are looked at as
            artifacts of their own as well.
        deep: Whether satellites are compared also where the root is unchanged and no listing
            tells of them; costs requests for each unchanged artifact.
        metadata: What travels after the artifacts: ``labels``, ``descriptions`` of repositories,
            both or neither; None for what both sides can keep.
        metadata_on_conflict: What if the destination has other metadata; nothing ever goes back
            to the source.
    """

    name: str
    source: Endpoint = attrs.field(converter=_endpoint)
    destinations: tuple[Endpoint, ...] = attrs.field(converter=_endpoints)
    where: Filter = attrs.field(converter=_filter)
    repositories: tuple[str, ...] = attrs.field(default=(), converter=_repositories)
    keep: Keep | None = None
    naming: Naming = attrs.field(factory=Naming, converter=_naming)
    on_conflict: OnConflict | Rename = attrs.field(default=OnConflict.FAIL, converter=_on_conflict)
    on_moved: OnMoved = attrs.field(default=OnMoved.PINNED, converter=_on_moved)
    missing: Missing = attrs.field(default="fail", validator=_is_missing)
    platforms: tuple[Platform, ...] = attrs.field(default=(), converter=_platforms)
    subset: Subset | None = attrs.field(default=None, converter=_subset)
    foreign: Foreign = attrs.field(default=Foreign.SKIP, converter=_foreign)
    satellites: tuple[str, ...] = attrs.field(default=("*",), converter=_texts)
    satellites_as_candidates: bool = False
    deep: bool = False
    metadata: tuple[Metadata, ...] | None = attrs.field(default=None, converter=_metadata)
    metadata_on_conflict: OnOtherMetadata = attrs.field(
        default=OnOtherMetadata.ADD, converter=_on_other_metadata
    )

    def __attrs_post_init__(self) -> None:
        """Check what can be checked without asking anybody.

        Raises:
            ConfigurationError: Two parts of the wish do not go together.
        """
        if not _RULE_NAME.fullmatch(self.name):
            msg = f"{self.name[:100]!r} is no name for a rule"
            raise InvalidValue(msg, hint="use up to 64 letters, digits, '_', '.' and '-'")
        if not self.destinations:
            self._refuse("has no destination")
        if len(set(self.destinations)) != len(self.destinations):
            self._refuse("names a destination twice")
        if self.platforms and self.subset is None:
            self._refuse(
                "wants some platforms only, but does not say how to write such an index",
                "subset='sparse' keeps digest and signatures, and many registries refuse it; "
                "subset='rewritten' makes a new index with another digest, without signatures",
            )

    def _refuse(self, what: str, hint: str | None = None) -> None:
        msg = f"rule {self.name!r} {what}"
        raise ConfigurationError(msg, hint=hint)

    @property
    def choice(self) -> Choice:
        """What of each artifact is wanted."""
        return Choice(
            platforms=self.platforms,
            subset=self.subset,
            foreign=self.foreign,
            satellites=self.satellites,
        )

    def carries(self, kind: Metadata) -> bool:
        """Tell whether metadata of a kind is to travel, where both sides can keep it."""
        return self.metadata is None or kind in self.metadata


def check_rules(rules: Iterable[ReplicationRule]) -> tuple[ReplicationRule, ...]:
    """Return the rules if they can stand beside each other.

    Raises:
        ConfigurationError: There are none, or two have one name.
    """
    found = tuple(rules)
    names = [rule.name for rule in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"several rules are called {', '.join(map(repr, twice))}"
        raise ConfigurationError(msg, hint="state is kept by name: give each rule its own")
    if not found:
        msg = "there is no rule to follow"
        raise ConfigurationError(msg)
    return found
