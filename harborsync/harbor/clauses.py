r"""Which artifacts, in the words of a Harbor: what of a filter its replication rules can say.

    >>> from harborsync.filters import Filter
    >>> said = say(Filter.parse("name like 'team/**' and tag like 'v*' and age < 30d"))
    >>> said.name, said.tags
    ('team/**', (TagFilter(glob='v*', excludes=False),))
    >>> [gap.what for gap in said.gaps]
    ['age < 30d']

A rule of Harbor has a glob on the repository, globs on tags and sets of labels, of which all
must hold, one after the other (goharbor/harbor, src/pkg/reg/filter/artifact.go); tags and labels
may be excluded, too (HARBOR §9). Our globs are Harbor's, so those clauses are taken over as they
are. ``or`` becomes braces where it stays within one path part.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.filters import EVERYTHING, Filter
from harborsync.filters.conditions import Has, In, Like, Matches, Semver
from harborsync.filters.expr import All, AnyOf, Clause, Not
from harborsync.filters.text import LABEL, NAME, TAG
from harborsync.harbor.gaps import RUN_OURS, Effect, Gap

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harborsync.filters.conditions import Condition, Subject

_SPECIAL: Final = re.compile(r"[*?\[\]{}\\]")
#: What parts alternatives inside braces, and so cannot stand in one of them.
_IN_BRACES: Final = ("{", "}", ",", "\\", "**")


@attrs.frozen(kw_only=True)
class TagFilter:
    """A glob that tags must match, or must not."""

    glob: str
    excludes: bool = False


@attrs.frozen(kw_only=True)
class LabelFilter:
    """Labels of which an artifact must have all, or must not have all."""

    labels: tuple[str, ...]
    excludes: bool = False


@attrs.frozen(kw_only=True)
class Said:
    """A filter in the words of a Harbor.

    Attributes:
        name: The glob on the repository, or None for all.
        tags: All of these must hold.
        labels: All of these must hold.
        gaps: What could not be said; each makes the whole wider.
    """

    name: str | None = None
    tags: tuple[TagFilter, ...] = ()
    labels: tuple[LabelFilter, ...] = ()
    gaps: tuple[Gap, ...] = ()


def say(where: Filter) -> Said:
    """Return what a Harbor can say of a filter, and what it cannot."""
    said = Said()
    for part in _conjuncts(where):
        said = _with(said, part)
    return said


def _conjuncts(where: Filter) -> Iterator[Filter]:
    """Yield parts that must all hold; a negated ``or`` is an ``and`` of what it negates."""
    match where:
        case All(operands):
            for operand in operands:
                yield from _conjuncts(operand)
        case Not(AnyOf(operands)):
            for operand in operands:
                yield from _conjuncts(~operand)
        case _ if where != EVERYTHING:
            yield where


def _with(said: Said, part: Filter) -> Said:
    """Return what is said with one more part, or with the gap that it leaves."""
    excludes, positive = (True, part.operand) if isinstance(part, Not) else (False, part)
    labels = _all_labels(positive)
    if labels:
        return _with_labels(said, labels, excludes=excludes)
    found = _one_glob(positive)
    if found is None:
        return _lacking(said, part, _reason(positive))
    subject, glob = found
    if subject == TAG:
        return attrs.evolve(said, tags=(*said.tags, TagFilter(glob=glob, excludes=excludes)))
    return _with_name(said, part, glob, excludes=excludes)


def _with_name(said: Said, part: Filter, glob: str, *, excludes: bool) -> Said:
    if excludes:
        return _lacking(said, part, "Harbor excludes tags and labels, but no repositories")
    if said.name is not None and said.name != glob:
        return _lacking(said, part, "a Harbor rule has one glob on the name")
    return attrs.evolve(said, name=glob)


def _with_labels(said: Said, labels: tuple[str, ...], *, excludes: bool) -> Said:
    """Add labels; wanted ones join those wanted already, since all of them must be there."""
    wanted = LabelFilter(labels=labels, excludes=excludes)
    last = said.labels[-1] if said.labels else None
    if last is None or excludes or last.excludes:
        return attrs.evolve(said, labels=(*said.labels, wanted))
    joined = tuple(dict.fromkeys((*last.labels, *labels)))
    return attrs.evolve(said, labels=(*said.labels[:-1], attrs.evolve(last, labels=joined)))


# --- one clause or several as a glob, or as labels -----------------------------------------


def _all_labels(part: Filter) -> tuple[str, ...]:
    """Return the labels of which a part wants all, or nothing if it is something else."""
    parts = part.operands if isinstance(part, All) else (part,)
    found = [
        each.condition.value
        for each in parts
        if isinstance(each, Clause) and each.subject == LABEL and isinstance(each.condition, Has)
    ]
    return tuple(dict.fromkeys(found)) if len(found) == len(parts) else ()


def _one_glob(part: Filter) -> tuple[Subject, str] | None:
    """Return the subject and the glob that a part comes to, if it comes to one."""
    clauses = part.operands if isinstance(part, AnyOf) else (part,)
    globs: list[str] = []
    subjects: set[Subject] = set()
    for clause in clauses:
        if not isinstance(clause, Clause) or clause.subject not in (NAME, TAG):
            return None
        subjects.add(clause.subject)
        globs += _globs(clause.condition)
    if len(subjects) > 1 or not globs:
        return None
    joined = join_globs(globs)
    return None if joined is None else (subjects.pop(), joined)


def _globs(condition: Condition) -> Iterable[str]:
    match condition:
        case Like(glob):
            return (glob,)
        case In(values):
            return [_SPECIAL.sub(r"\\\g<0>", value) for value in sorted(values)]
        case _:
            return ()


def join_globs(globs: Iterable[str]) -> str | None:
    """Return one glob that matches what any of several match, or None if there is none.

    >>> join_globs(["team/web", "team/api"])
    'team/{web,api}'
    """
    rows = list(dict.fromkeys(tuple(glob.split("/")) for glob in globs))
    if len(rows) == 1:
        return "/".join(rows[0])
    if len({len(row) for row in rows}) > 1:
        return None
    columns = [tuple(dict.fromkeys(column)) for column in zip(*rows, strict=True)]
    has_all = set(product(*columns)) == set(rows)
    parts = [_braces(column) for column in columns]
    return "/".join(filter(None, parts)) if has_all and all(parts) else None


def _braces(alternatives: tuple[str, ...]) -> str:
    """Return the alternatives of one path part as one part, or nothing if that cannot be."""
    if len(alternatives) == 1:
        return alternatives[0]
    if any(sign in each for each in alternatives for sign in _IN_BRACES):
        return ""
    return f"{{{','.join(alternatives)}}}"


# --- what cannot be said -------------------------------------------------------------------

_LACKING: Final = {
    "age": "Harbor's rules know no age",
    "image_age": "Harbor's rules know no age",
    "size": "Harbor's rules know no size",
    "digest": "Harbor's rules choose by tag, not by digest",
    "kind": "Harbor's resource filter is applied to nothing",
    "annotation": "Harbor's rules know no annotations",
    "platform": "Harbor's rules copy every platform",
}


def _lacking(said: Said, part: Filter, why: str) -> Said:
    gap = Gap(what=str(part), why=why, effect=Effect.MORE, advice=_advice(part))
    return attrs.evolve(said, gaps=(*said.gaps, gap))


def _reason(part: Filter) -> str:
    """Tell why a part that is neither one glob nor labels cannot be said."""
    if not isinstance(part, Clause):
        return "a Harbor rule has no 'or' across fields or path parts"
    if isinstance(part.condition, Matches):
        return "Harbor's rules have globs, not regular expressions"
    if isinstance(part.condition, Semver):
        return "Harbor's rules know no order of versions"
    return _LACKING.get(part.subject.word, "several path parts differ, which braces cannot say")


def _advice(part: Filter) -> str:
    """Tell what to write instead, where there is something."""
    positive = part.operand if isinstance(part, Not) else part
    if isinstance(positive, AnyOf):
        return "write a rule for each alternative"
    if not isinstance(positive, Clause):
        return RUN_OURS
    subject, condition = positive.subject, positive.condition
    if isinstance(condition, Matches) and subject in (NAME, TAG):
        return f"write a glob, such as {subject} like 'v[0-9]*', or {RUN_OURS}"
    if isinstance(condition, Semver):
        return f"write tag like '1.*', or {RUN_OURS}"
    if subject == NAME:
        return f"name what is wanted by one glob, write a rule for each namespace, or {RUN_OURS}"
    return RUN_OURS
