"""Filters: which artifacts are wanted, decided with as few facts as will do.

    >>> from harborsync.filters import Filter, name, tag
    >>> wanted = name.like("team-*/**") & ~tag.matches("dev-.*")
    >>> str(wanted)
    "name like 'team-*/**' and not tag matches 'dev-.*'"
    >>> Filter.parse(str(wanted)) == wanted
    True

A clause whose fact is not known is neither true nor false, and ``and``, ``or`` and ``not``
reckon with that (Kleene's logic): a verdict once reached with few facts stays the same with
all of them. What cannot be decided yet says which facts it waits for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import reduce
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, cast

import attrs

from harborsync.artifact import NO_HINTS, NOT_FETCHED, UNAVAILABLE, Hints, Unknown
from harborsync.errors import MissingFact
from harborsync.filters.conditions import Aged, Has
from harborsync.filters.text import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from harborsync.artifact import Artifact
    from harborsync.filters.conditions import Condition, Subject

#: What becomes of an artifact on which a filter cannot decide for want of a fact.
Missing = Literal["fail", "exclude", "include"]


class Filter(ABC):
    """A condition on artifacts; made by the fields of this package or by :meth:`parse`.

    Filters are values: they can be compared, hashed, pickled, printed, and joined by ``&``,
    ``|`` and ``~``.
    """

    __slots__ = ()

    @staticmethod
    def parse(text: str) -> Filter:
        r"""Read a filter, or the short form ``nginx:^v\d+.*``.

        Raises:
            FilterSyntaxError: The text is none; the message shows where and what was expected.
        """
        return read(text, clause=Clause, everything=EVERYTHING)

    def test(self, facts: Artifact, *, now: datetime, missing: Missing = "fail") -> bool | None:
        """Tell whether an artifact is wanted, or None while facts for that are not fetched.

        Args:
            facts: What is known of the artifact.
            now: The time that ages count to; the same for all of a plan.
            missing: What to answer if it hangs on a fact that the registry does not tell.
                Never choose ``include`` where what is selected may be deleted.

        Raises:
            MissingFact: It hangs on such a fact, and ``missing`` is ``fail``.
            PatternTimeout: A regular expression took too long.
        """
        verdict = self.verdict(facts, now)
        if isinstance(verdict, bool):
            return verdict
        if verdict is NOT_FETCHED:
            return None
        if missing == "fail":
            leaf = next(self.deciding(facts, now))
            raise MissingFact(artifact=str(facts), clause=str(leaf), fact=leaf.fact)
        return missing == "include"

    def needs(self, facts: Artifact, *, now: datetime | None = None) -> frozenset[str]:
        """Return the names of the facts to fetch, as far as they could change the verdict.

        Args:
            facts: What is known of the artifact.
            now: The time that ages count to; without it, clauses on ages count as open.
        """
        if self.verdict(facts, now) is not NOT_FETCHED:
            return frozenset()
        facts_used = {leaf.fact for leaf in self.deciding(facts, now)}
        return frozenset(fact for fact in facts_used if getattr(facts, fact) is NOT_FETCHED)

    def explain(self, facts: Artifact, *, now: datetime) -> Explanation:
        """Tell which clauses decide on an artifact, and by which facts."""
        return Explanation(
            artifact=str(facts),
            filter=str(self),
            verdict=self.verdict(facts, now),
            reasons=tuple(clause.reason(facts, now) for clause in self.deciding(facts, now)),
        )

    def may_match_repository(self, name: str) -> bool:
        """Tell whether anything in a repository can be wanted; False only if its name forbids."""
        return self.verdict(cast("Artifact", _NameOnly(repository=name)), None) is not False

    def literal_repositories(self) -> frozenset[str] | None:
        """Return the only repositories it can want something of, or None for "not listed"."""
        found = self.repositories(wanted=True)
        return None if found is None else frozenset(filter(self.may_match_repository, found))

    def hints(self, now: datetime) -> Hints:  # noqa: ARG002 - most kinds know nothing
        """Return what all that it can want at the time ``now`` has in common.

        Sound, and no more: what does not fulfil the hints is not wanted, whatever else is known
        of it; what fulfils them need not be wanted.
        """
        return NO_HINTS

    def warnings(self) -> tuple[str, ...]:
        """Return what in it does not mean what it seems to, one sentence each."""
        return ()

    def __and__(self, other: Filter) -> Filter:
        """Want what both want."""
        if not isinstance(other, Filter):
            return NotImplemented
        return All((*_operands(self, All), *_operands(other, All)))

    def __or__(self, other: Filter) -> Filter:
        """Want what either wants."""
        if not isinstance(other, Filter):
            return NotImplemented
        return AnyOf((*_operands(self, AnyOf), *_operands(other, AnyOf)))

    def __invert__(self) -> Filter:
        """Want what it does not want."""
        return Not(self)

    def __bool__(self) -> bool:
        """Refuse, since ``and``, ``or``, ``not`` and ``a < b < c`` would lose a part of it."""
        msg = (
            "a filter is neither true nor false; join filters by & | ~ and ask test() for a verdict"
        )
        raise TypeError(msg)

    # What the kinds of filters differ in.

    @abstractmethod
    def verdict(self, facts: Artifact, now: datetime | None) -> bool | Unknown:
        """Return whether an artifact is wanted, or why that is not known."""

    @abstractmethod
    def deciding(self, facts: Artifact, now: datetime | None) -> Iterator[Leaf]:
        """Yield the smallest parts that the verdict hangs on."""

    @abstractmethod
    def repositories(self, *, wanted: bool) -> frozenset[str] | None:
        """Return all repositories in which the verdict can be ``wanted``, None if too many."""


class Leaf(Filter):
    """A filter without parts."""

    __slots__ = ()

    def deciding(self, facts: Artifact, now: datetime | None) -> Iterator[Leaf]:  # noqa: ARG002 - one part
        """Yield itself."""
        yield self

    @property
    @abstractmethod
    def fact(self) -> str:
        """The field of :class:`~harborsync.artifact.Artifact` it looks at."""

    @abstractmethod
    def reason(self, facts: Artifact, now: datetime | None) -> Reason:
        """Return what it says of an artifact, and by which facts."""


@attrs.frozen
class Clause(Leaf):
    """A condition on one fact.

    Attributes:
        subject: Which fact.
        condition: What is asked of it.
    """

    subject: Subject
    condition: Condition

    @property
    def fact(self) -> str:
        """The field that holds the fact."""
        return self.subject.fact

    def verdict(self, facts: Artifact, now: datetime | None) -> bool | Unknown:
        """Return whether the fact meets the condition, or why it is not known."""
        value = self.subject.read(facts)
        return value if isinstance(value, Unknown) else self.condition.holds(value, now)

    def reason(self, facts: Artifact, now: datetime | None) -> Reason:
        """Return the verdict and the fact."""
        return Reason(
            clause=str(self),
            verdict=self.verdict(facts, now),
            fact=self.fact,
            value=_shown(self.subject.read(facts)),
        )

    def repositories(self, *, wanted: bool) -> frozenset[str] | None:
        """Return what the condition lists, if it is on the name."""
        is_on_name = self.fact == "repository"
        return self.condition.literals if wanted and is_on_name else None

    def hints(self, now: datetime) -> Hints:
        """Return what the condition says of tag, time of push or labels."""
        match self.fact, self.condition:
            case "tag", condition:
                literals = condition.literals or frozenset()
                tag = next(iter(literals)) if len(literals) == 1 else None
                return Hints(tag=tag, tag_contains=condition.fragment)
            case "pushed_at", Aged() as condition:
                return Hints(pushed_after=condition.earliest(now))
            case "labels", Has(label):
                return Hints(labels=frozenset({label}))
            case _:
                return NO_HINTS

    def warnings(self) -> tuple[str, ...]:
        """Return those of the condition."""
        return self.condition.warnings

    def __str__(self) -> str:
        """Return the canonical text, which parses back to an equal filter."""
        return f"{self.subject} {self.condition}"


@attrs.frozen
class Everything(Leaf):
    """Every artifact."""

    @property
    def fact(self) -> str:
        """The field that every artifact has."""
        return "repository"

    def verdict(self, facts: Artifact, now: datetime | None) -> bool:  # noqa: ARG002 - whatever they are
        """Return True."""
        return True

    def reason(self, facts: Artifact, now: datetime | None) -> Reason:  # noqa: ARG002 - whatever they are
        """Return that it wants everything."""
        return Reason(clause=str(self), verdict=True, fact=self.fact, value=facts.repository)

    def repositories(self, *, wanted: bool) -> frozenset[str] | None:
        """Return None, or that there is none it does not want."""
        return None if wanted else frozenset()

    def __str__(self) -> str:
        """Return the word for it."""
        return "everything"


#: Selects every artifact, tagged or not.
EVERYTHING: Final[Filter] = Everything()


@attrs.frozen
class Not(Filter):
    """What another filter does not want; made by ``~``."""

    operand: Filter

    def verdict(self, facts: Artifact, now: datetime | None) -> bool | Unknown:
        """Return the opposite, if it is known."""
        found = self.operand.verdict(facts, now)
        return found if isinstance(found, Unknown) else not found

    def deciding(self, facts: Artifact, now: datetime | None) -> Iterator[Leaf]:
        """Yield what the other hangs on."""
        return self.operand.deciding(facts, now)

    def repositories(self, *, wanted: bool) -> frozenset[str] | None:
        """Return those of the opposite verdict."""
        return self.operand.repositories(wanted=not wanted)

    def warnings(self) -> tuple[str, ...]:
        """Return those of the other."""
        return self.operand.warnings()

    def __invert__(self) -> Filter:
        """Return the other."""
        return self.operand

    def __str__(self) -> str:
        """Return the canonical text, which parses back to an equal filter."""
        return f"not {_in_parentheses(self.operand)}"


@attrs.frozen
class _Junction(Filter):
    """Several filters, one of which can decide alone by the verdict ``decisive``.

    Attributes:
        operands: The filters, two or more, none of them a junction of the same kind.
    """

    operands: tuple[Filter, ...]

    decisive: ClassVar[bool]
    word: ClassVar[str]

    def verdict(self, facts: Artifact, now: datetime | None) -> bool | Unknown:
        """Return the decisive verdict if one operand has it, the opposite if all have that.

        Else it is open; what a request would tell goes before what is not to be had.
        """
        result: bool | Unknown = not self.decisive
        for operand in self.operands:
            found = operand.verdict(facts, now)
            if found is self.decisive:
                return found
            if isinstance(found, Unknown) and result is not NOT_FETCHED:
                result = found
        return result

    def deciding(self, facts: Artifact, now: datetime | None) -> Iterator[Leaf]:
        """Yield what the first decisive operand hangs on, else all that share the verdict."""
        verdict = self.verdict(facts, now)
        for operand in self.operands:
            if operand.verdict(facts, now) is verdict:
                yield from operand.deciding(facts, now)
                if verdict is self.decisive:
                    return

    def repositories(self, *, wanted: bool) -> frozenset[str] | None:
        """Join those of the operands: any may bring the decisive verdict, all must the other."""
        found = [operand.repositories(wanted=wanted) for operand in self.operands]
        listed = [names for names in found if names is not None]
        if wanted is self.decisive:
            return frozenset().union(*listed) if len(listed) == len(found) else None
        return frozenset.intersection(*listed) if listed else None

    def warnings(self) -> tuple[str, ...]:
        """Return those of all operands."""
        return tuple(chain.from_iterable(operand.warnings() for operand in self.operands))

    def __str__(self) -> str:
        """Return the canonical text, which parses back to an equal filter."""
        return f" {self.word} ".join(map(_in_parentheses, self.operands))


@attrs.frozen
class All(_Junction):
    """What each of several filters wants; made by ``&``."""

    decisive = False
    word = "and"

    def hints(self, now: datetime) -> Hints:
        """Return what any of its parts says: all of that is true together."""
        return reduce(Hints.__and__, (operand.hints(now) for operand in self.operands))


@attrs.frozen
class AnyOf(_Junction):
    """What any of several filters wants; made by ``|``."""

    decisive = True
    word = "or"

    def hints(self, now: datetime) -> Hints:
        """Return what all of its parts say alike."""
        return reduce(Hints.__or__, (operand.hints(now) for operand in self.operands))


def _operands(part: Filter, kind: type[_Junction]) -> tuple[Filter, ...]:
    return part.operands if isinstance(part, kind) else (part,)


def _in_parentheses(operand: Filter) -> str:
    return f"({operand})" if isinstance(operand, _Junction) else str(operand)


@attrs.frozen(kw_only=True)
class _NameOnly:
    """An artifact of which nothing is known but where it is; not even the tag."""

    repository: str
    tag: Unknown = NOT_FETCHED
    digest: Unknown = NOT_FETCHED
    pushed_at: Unknown = NOT_FETCHED
    created_at: Unknown = NOT_FETCHED
    labels: Unknown = NOT_FETCHED
    annotations: Unknown = NOT_FETCHED
    platforms: Unknown = NOT_FETCHED
    size: Unknown = NOT_FETCHED
    kind: Unknown = NOT_FETCHED


# --- why -----------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Reason:
    """What one clause says of an artifact.

    Attributes:
        clause: The clause, as text.
        verdict: Whether it holds, or why that is not known.
        fact: The field of :class:`~harborsync.artifact.Artifact` it looks at.
        value: What is known of that, for people.
    """

    clause: str
    verdict: bool | Unknown
    fact: str
    value: str

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.clause}: {_VERDICTS[self.verdict][0]}, as {self.fact} = {self.value}"


@attrs.frozen(kw_only=True)
class Explanation:
    """Why an artifact is wanted or not; print it.

    Attributes:
        artifact: The artifact, as text.
        filter: The filter, as text.
        verdict: Whether it is wanted, or why that is not known.
        reasons: The clauses that decide.
    """

    artifact: str
    filter: str
    verdict: bool | Unknown
    reasons: tuple[Reason, ...]

    def __str__(self) -> str:
        """Return the verdict, then the reasons on a line each."""
        return "\n  ".join(
            (
                f"{self.artifact} is {_VERDICTS[self.verdict][1]} by: {self.filter}",
                *map(str, self.reasons),
            )
        )


_VERDICTS: Final[dict[bool | Unknown, tuple[str, str]]] = {
    True: ("true", "selected"),
    False: ("false", "rejected"),
    NOT_FETCHED: ("open", "not decided yet"),
    UNAVAILABLE: ("undecidable", "not decidable"),
}


def _shown(value: Any) -> str:
    """Write a fact for people; strangers' texts only with their control characters escaped."""
    if isinstance(value, Unknown):
        return value.value
    if isinstance(value, frozenset):
        return f"{{{', '.join(sorted(repr(str(part)) for part in value))}}}"
    if value is None:
        return "none"
    return repr(str(value)) if isinstance(value, str) else str(value)
