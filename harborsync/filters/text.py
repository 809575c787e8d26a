r"""The language of filters, read with a caret under what does not fit.

    filter    =  any ;  any = all { "or" all } ;  all = one { "and" one }
    one       =  "not" one  |  "(" filter ")"  |  "everything"  |  clause
    clause    =  ("name" | "tag" | "kind" | "annotation" text)
                 ("like" text | "matches" text | "is" text | "in" "(" text { "," text } ")")
              |  "tag" "semver" text [ "with" "prereleases" ]
              |  "digest" ("is" text | "in" …)
              |  ("label" | "annotation" | "platform") "has" text
              |  ("age" | "image_age" | "size") ("<" | "<=" | ">" | ">=") quantity

A text stands in single or double quotes; the quote itself is doubled inside. One short form
stands alone: ``nginx:^v\d+.*`` is ``name like 'nginx' and tag matches '^v\d+.*'``.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final, Generic, NoReturn, Protocol, Self, TypeVar

import attrs

from harborsync.content import Platform
from harborsync.errors import FilterSyntaxError, InvalidReference, InvalidValue
from harborsync.filters.conditions import (
    COMPARISONS,
    Aged,
    Condition,
    Covers,
    Has,
    In,
    Like,
    Matches,
    Semver,
    Sized,
    Subject,
)
from harborsync.filters.versions import VersionRange
from harborsync.reference import Digest
from harborsync.units import ByteSize, Duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Logic(Protocol):
    """What filters are to this module: something that can be joined."""

    def __and__(self, other: Self, /) -> Self: ...
    def __or__(self, other: Self, /) -> Self: ...
    def __invert__(self) -> Self: ...


_T = TypeVar("_T", bound=Logic)
_V = TypeVar("_V")

NAME: Final = Subject("name", "repository")
TAG: Final = Subject("tag", "tag")
KIND: Final = Subject("kind", "kind")
DIGEST: Final = Subject("digest", "digest")
LABEL: Final = Subject("label", "labels")
ANNOTATION: Final = Subject("annotation", "annotations")
PLATFORM: Final = Subject("platform", "platforms")
AGE: Final = Subject("age", "pushed_at")
IMAGE_AGE: Final = Subject("image_age", "created_at")
SIZE: Final = Subject("size", "size")

_SUBJECTS: Final = {
    subject.word: subject
    for subject in (NAME, TAG, KIND, DIGEST, LABEL, ANNOTATION, PLATFORM, AGE, IMAGE_AGE, SIZE)
}
_TEXT_OPERATORS: Final = ("like", "matches", "is", "in")
_OPERATORS: Final[dict[Subject, tuple[str, ...]]] = {
    NAME: _TEXT_OPERATORS,
    TAG: (*_TEXT_OPERATORS, "semver"),
    KIND: _TEXT_OPERATORS,
    DIGEST: ("is", "in"),
    LABEL: ("has",),
    ANNOTATION: ("has",),
    PLATFORM: ("has",),
    AGE: tuple(COMPARISONS),
    IMAGE_AGE: tuple(COMPARISONS),
    SIZE: tuple(COMPARISONS),
}
_DEEPEST: Final = 50

_TOKEN: Final = re.compile(
    r"""(?P<blank>\s+)
    | (?P<text>'(?:[^']|'')*' | "(?:[^"]|"")*")
    | (?P<word>[A-Za-z0-9_.]+)
    | (?P<sign><=|>=|[<>(),])""",
    re.VERBOSE | re.ASCII,
)
_SHORT: Final = re.compile(r"\s*(?P<glob>[^\s'\"()<>=:]+):(?P<pattern>\S*)\s*")


def read(text: str, *, clause: Callable[[Subject, Condition], _T], everything: _T) -> _T:
    """Read a filter, putting it together from clauses.

    Raises:
        FilterSyntaxError: The text is no filter.
    """
    short = _SHORT.fullmatch(text)
    if short:
        return _read_short(short, clause)
    return _Parser(text, clause, everything).read()


def _read_short(found: re.Match[str], clause: Callable[[Subject, Condition], _T]) -> _T:
    if not found["pattern"]:
        _refuse(
            "no tag is given",
            found.string,
            found.end("pattern"),
            "a regular expression, such as .* for every tag",
        )
    glob = _Token("word", found["glob"], found.start("glob"))
    pattern = _Token("word", found["pattern"], found.start("pattern"))
    return clause(NAME, _made(found.string, glob, Like, "a glob")) & clause(
        TAG, _made(found.string, pattern, Matches, "a regular expression")
    )


# --- tokens --------------------------------------------------------------------------------


@attrs.frozen
class _Token:
    """A piece of a filter; the one after the last has the kind ``end``."""

    kind: str
    text: str
    start: int

    @property
    def content(self) -> str:
        """What it says: of a text, what stands within the quotes."""
        if self.kind != "text":
            return self.text
        quote = self.text[0]
        return self.text[1:-1].replace(quote * 2, quote)

    def place(self, position: int) -> int:
        """Return where in the filter a character of the content stands."""
        if self.kind != "text":
            return self.start + position
        return self.start + 1 + position + self.content[:position].count(self.text[0])


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            _refuse_character(text, at)
        if found.lastgroup != "blank":
            yield _Token(str(found.lastgroup), found[0], at)
        at = found.end()
    yield _Token("end", "", len(text.rstrip()))


def _refuse_character(text: str, at: int) -> NoReturn:
    if text[at] in "'\"":
        _refuse("a quote is opened and never closed", text, at, f"another {text[at]} further on")
    advice = _ADVICE.get(text[at], "a field, an operator or a text in quotes")
    _refuse(f"the character {text[at]!r} has no meaning here", text, at, advice)


_ADVICE: Final = {
    "=": "'is' before a text, '<=' or '>=' before a quantity",
    "!": "'not' before the clause",
    "&": "'and'",
    "|": "'or'",
    "~": "'not' or 'matches'",
    "*": "quotes around a glob, as in 'team-*/**'",
    "/": "quotes around a text, as in 'team/app'",
}


# --- grammar -------------------------------------------------------------------------------


class _Parser(Generic[_T]):
    """Reads tokens from left to right, one ahead."""

    def __init__(
        self, text: str, clause: Callable[[Subject, Condition], _T], everything: _T
    ) -> None:
        self._text = text
        self._clause = clause
        self._everything = everything
        self._tokens = iter(_tokens(text))
        self._next = next(self._tokens)
        self._depth = 0

    def read(self) -> _T:
        if self._next.kind == "end":
            self._refuse("the filter is empty", "'everything', if everything is wanted")
        found = self._any()
        if self._next.kind != "end":
            self._refuse(
                f"{self._next.text!r} does not continue the filter", "'and', 'or' or the end"
            )
        return found

    def _any(self) -> _T:
        found = self._all()
        while self._took("or"):
            found = found | self._all()
        return found

    def _all(self) -> _T:
        found = self._one()
        while self._took("and"):
            found = found & self._one()
        return found

    def _one(self) -> _T:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._refuse("the filter is nested too deeply", f"at most {_DEEPEST} levels")
        found = self._part()
        self._depth -= 1
        return found

    def _part(self) -> _T:
        if self._took("not"):
            return ~self._one()
        if self._took("everything"):
            return self._everything
        if not self._took("("):
            return self._clause(*self._read_clause())
        found = self._any()
        self._expect(")", "'and', 'or' or ')'")
        return found

    def _read_clause(self) -> tuple[Subject, Condition]:
        subject = self._read_subject()
        operators = _TEXT_OPERATORS if subject.key is not None else _OPERATORS[subject]
        expected = _alternatives(operators)
        if subject == ANNOTATION:
            expected += ", or a key in quotes"
        token = self._take(
            ("word", "sign"), f"{subject.word!r} is not followed by an operator", expected
        )
        if token.text not in operators:
            expected = _meant_operator(token.text, operators) or expected
            self._refuse(f"{subject.word!r} cannot be asked {token.text!r}", expected, at=token)
        return subject, self._read_condition(subject, token.text)

    def _read_subject(self) -> Subject:
        token = self._next
        subject = _SUBJECTS.get(token.text)
        if subject is None:
            self._refuse_subject(token)
        self._advance()
        if subject == ANNOTATION and self._next.kind == "text":
            return attrs.evolve(ANNOTATION, key=self._advance().content)
        return subject

    def _refuse_subject(self, token: _Token) -> NoReturn:
        expected = f"a field: {_alternatives(_SUBJECTS)}"
        if token.kind == "end":
            self._refuse("the filter ends too early", expected)
        close = difflib.get_close_matches(token.text.lower(), (*_SUBJECTS, "everything"), n=1)
        if close:
            expected = f"{close[0]!r}, perhaps"
        self._refuse(f"there is no field {token.text!r}", expected)

    def _read_condition(self, subject: Subject, operator: str) -> Condition:
        match operator:
            case "like":
                return self._read_text("a glob in quotes, such as 'team-*/**'", Like)
            case "matches":
                return self._read_text(r"a regular expression in quotes, such as 'v\d+'", Matches)
            case "is" | "in":
                return In(frozenset(self._read_values(subject, operator)))
            case "semver":
                return self._read_semver()
            case "has":
                return self._read_has(subject)
            case _:
                return self._read_comparison(subject, operator)

    def _read_semver(self) -> Semver:
        expected = "a version range in quotes, such as '>=1.4,<2'"
        versions = self._read_text(expected, VersionRange.parse)
        prereleases = self._took("with")
        if prereleases:
            self._expect("prereleases", "'prereleases'")
        return Semver(versions, prereleases)

    def _read_has(self, subject: Subject) -> Condition:
        if subject == PLATFORM:
            expected = "a platform in quotes, such as 'linux/amd64'"
            return Covers(self._read_text(expected, Platform.parse))
        return self._read_text(f"a {subject.word} in quotes", Has)

    def _read_comparison(self, subject: Subject, operator: str) -> Condition:
        if subject == SIZE:
            return Sized(
                operator, self._read_quantity("a size, such as 500MB or 2GiB", ByteSize.parse)
            )
        return Aged(
            operator, self._read_quantity("a span of time, such as 30d or 1h30m", Duration.parse)
        )

    def _read_values(self, subject: Subject, operator: str) -> Iterator[str]:
        if operator == "is":
            yield self._read_value(subject)
            return
        self._expect("(", "'(' and texts in quotes")
        yield self._read_value(subject)
        while self._took(","):
            yield self._read_value(subject)
        self._expect(")", "',' or ')'")

    def _read_value(self, subject: Subject) -> str:
        if subject == DIGEST:
            return str(self._read_text("a digest in quotes, such as 'sha256:…'", Digest.parse))
        return self._read_text("a text in quotes", str)

    def _read_text(self, expected: str, make: Callable[[str], _V]) -> _V:
        token = self._take(("text",), "a text in quotes is missing", expected)
        return _made(self._text, token, make, expected)

    def _read_quantity(self, expected: str, make: Callable[[str], _V]) -> _V:
        token = self._take(("word",), "a quantity is missing", expected)
        return _made(self._text, token, make, expected)

    # One token at a time.

    def _advance(self) -> _Token:
        token, self._next = self._next, next(self._tokens, self._next)
        return token

    def _took(self, text: str) -> bool:
        found = self._next.text == text
        if found:
            self._advance()
        return found

    def _take(self, kinds: tuple[str, ...], message: str, expected: str) -> _Token:
        if self._next.kind not in kinds:
            self._refuse(message, expected)
        return self._advance()

    def _expect(self, text: str, expected: str) -> None:
        if not self._took(text):
            found = repr(self._next.text) if self._next.text else "the end"
            self._refuse(f"{found} does not fit here", expected)

    def _refuse(self, message: str, expected: str, *, at: _Token | None = None) -> NoReturn:
        _refuse(message, self._text, (at or self._next).start, expected)


# --- faults --------------------------------------------------------------------------------


def _made(text: str, token: _Token, make: Callable[[str], _V], expected: str) -> _V:
    """Make a value of a token; a fault within it is shown where it stands in the filter."""
    try:
        return make(token.content)
    except FilterSyntaxError as error:
        message = error.message.partition("\n")[0]
        _refuse(message, text, token.place(error.position), error.expected)
    except (InvalidValue, InvalidReference) as error:
        _refuse(error.message, text, token.start, expected)


def _meant_operator(word: str, operators: tuple[str, ...]) -> str | None:
    """Return what people who know other languages mean, if it is one of ours."""
    if word.lower() == "not":
        return "'not' before the clause"
    return repr(word.lower()) if word.lower() in operators else None


def _alternatives(words: Iterable[str]) -> str:
    *others, last = (repr(word) for word in words)
    return f"{', '.join(others)} or {last}" if others else last


def _refuse(message: str, text: str, position: int, expected: str) -> NoReturn:
    on_one_line = re.sub(r"\s", " ", text)
    raise FilterSyntaxError(
        message, text=on_one_line, position=position, expected=expected
    ) from None
