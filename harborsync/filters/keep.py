"""Keep the newest few of what a filter has selected."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

from harborsync.artifact import NOT_FETCHED, Unknown
from harborsync.errors import InvalidValue, MissingFact
from harborsync.filters.versions import parse_version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from harborsync.artifact import Artifact
    from harborsync.filters.expr import Missing
    from harborsync.filters.versions import Version

_FACTS: Final = {"pushed": "pushed_at", "created": "created_at", "semver": "tag"}
_PER: Final = ("repository", "everything")


@attrs.frozen(kw_only=True)
class Keep:
    """How many of the selected artifacts to keep, the newest first.

    What is kept hangs on the facts alone, not on the order they come in. Where two are equally
    new, the one whose tag comes later in plain character order is the newer, then the one
    whose repository, then whose digest does. A time after ``now`` counts as ``now``, so that an image with a date far
    in the future holds its place no longer than others. An artifact known to have no time is
    older than all that have one. By ``semver``, only tags that are versions are kept, and of
    prereleases none unless they are asked for. Tags that hang on a digest (``sha256-…``) are
    neither counted nor kept: they go where their subject goes.

    Attributes:
        newest: How many to keep, 1 or more.
        by: What makes an artifact new: when its tag was ``pushed``, when its image was
            ``created``, or its version (``semver``).
        per: Whether to keep so many of each ``repository`` or of ``everything`` together.
        prereleases: Whether ``semver`` counts prereleases, too.
    """

    newest: int
    by: Literal["pushed", "created", "semver"] = "pushed"
    per: Literal["repository", "everything"] = "repository"
    prereleases: bool = False

    def __attrs_post_init__(self) -> None:
        """Refuse what is no number or no word known here.

        Raises:
            InvalidValue: One of them is not.
        """
        if not _is_count(self.newest):
            msg = f"{self.newest!r} is no number of artifacts to keep"
            raise InvalidValue(msg, hint="use a whole number from 1")
        for name, value, known in (("by", self.by, _FACTS), ("per", self.per, _PER)):
            if value not in known:
                msg = f"{value!r} is nothing to keep the newest {name}"
                raise InvalidValue(msg, hint=f"choose one of {', '.join(known)}")

    def select(
        self, artifacts: Iterable[Artifact], *, now: datetime, missing: Missing = "fail"
    ) -> tuple[Artifact, ...]:
        """Return those to keep, in the order they came.

        Args:
            artifacts: What to choose from, with the facts that :meth:`needs` names.
            now: The time of the plan.
            missing: What to do with an artifact whose time the registry does not tell:
                ``exclude`` drops it, ``include`` keeps it besides the newest.

        Raises:
            MissingFact: There is such an artifact, and ``missing`` is ``fail``.
        """
        found = tuple(dict.fromkeys(artifacts))
        running = [artifact for artifact in found if not _hangs_on_digest(artifact)]
        unknown = {a for a in running if isinstance(self._fact(a), Unknown)}
        if unknown and missing == "fail":
            raise self._missing(next(a for a in running if a in unknown))
        kept = set(unknown) if missing == "include" else set()
        for group in self._groups(a for a in running if a not in unknown):
            kept.update(sorted(group, key=partial(self._rank, now=now))[-self.newest :])
        return tuple(artifact for artifact in found if artifact in kept)

    def needs(self, facts: Artifact) -> frozenset[str]:
        """Return the names of the facts to fetch before :meth:`select` can be asked."""
        return frozenset({_FACTS[self.by]} if self._fact(facts) is NOT_FETCHED else ())

    def _fact(self, artifact: Artifact) -> Any:
        return getattr(artifact, _FACTS[self.by])

    def _missing(self, artifact: Artifact) -> MissingFact:
        clause = f"newest {self.newest} by {self.by}"
        return MissingFact(artifact=str(artifact), clause=clause, fact=_FACTS[self.by])

    def _groups(self, artifacts: Iterable[Artifact]) -> Iterable[list[Artifact]]:
        groups: defaultdict[str, list[Artifact]] = defaultdict(list)
        for artifact in artifacts:
            if self.by != "semver" or self._version(artifact) is not None:
                groups[artifact.repository if self.per == "repository" else ""].append(artifact)
        return groups.values()

    def _rank(self, artifact: Artifact, now: datetime) -> tuple[Any, ...]:
        """Return what to sort by, the newest last."""
        tie_break = (artifact.tag or "", artifact.repository, str(artifact.digest))
        if self.by == "semver":
            return (self._version(artifact), *tie_break)
        time = self._fact(artifact)
        return (time is not None, min(time, now) if time else now, *tie_break)

    def _version(self, artifact: Artifact) -> Version | None:
        version = parse_version(artifact.tag or "")
        is_unwanted = version is not None and version.is_prerelease and not self.prereleases
        return None if is_unwanted else version


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 1


def _hangs_on_digest(artifact: Artifact) -> bool:
    return artifact.tag is not None and artifact.tag.subject_prefix is not None
