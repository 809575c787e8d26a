"""What is wrong with a wish, said before anything is sent.

Harbor answers many mistakes with a blank 500, and takes others in and fails later (HARBOR §9,
§12, §13). Each is a :class:`Mistake` here, which says where it is, what it is and what to do;
all mistakes of a value are told at once.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import attrs

from harborsync.errors import FilterSyntaxError, InvalidValue
from harborsync.filters.globs import LONGEST, compile_glob

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MOST_ALTERNATIVES: Final = 100
_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_CRON_FIELDS: Final = (
    ("hour", 0, 23, ""),
    ("day of month", 1, 31, ""),
    ("month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    ("day of week", 0, 6, "sun mon tue wed thu fri sat"),
)
_CRON_LENGTH: Final = 6
_CRON_PART: Final = re.compile(
    r"(?:[*?]|(?P<low>\w+)(?:-(?P<high>\w+))?)(?:/(?P<step>\d+))?", re.ASCII
)
_CRON_HELP: Final = "write six fields, seconds first: 0 30 2 * * * is half past two, in UTC"


@attrs.frozen(kw_only=True)
class Mistake:
    """A mistake in a wish.

    Attributes:
        where: The field it is in, as Harbor calls it.
        what: What is wrong.
        remedy: What to do.
    """

    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.where}: {self.what}; {self.remedy}"


def refuse(wish: str, mistakes: Iterable[Mistake]) -> None:
    """Raise if there are mistakes.

    Args:
        wish: What was to be done, as it follows "cannot".
        mistakes: What is wrong.

    Raises:
        InvalidValue: There is at least one; the message tells them all.
    """
    found = tuple(mistakes)
    if not found:
        return
    lines = "".join(f"\n  - {mistake.where}: {mistake.what}" for mistake in found)
    remedies = dict.fromkeys(mistake.remedy for mistake in found)
    msg = f"cannot {wish}:{lines}"
    raise InvalidValue(msg, hint="; ".join(remedies))


def name_mistakes(name: str, longest: int, *, where: str = "name") -> Iterator[Mistake]:
    """Yield what is wrong with a name: Harbor takes some empty ones, and blank-500s long ones."""
    if not name.strip():
        yield Mistake(where=where, what="it is empty", remedy="give it a name")
    elif len(name) > longest:
        what = f"{len(name)} characters are more than the {longest} that Harbor stores"
        yield Mistake(where=where, what=what, remedy="shorten it")


def glob_mistakes(pattern: str, *, where: str) -> Iterator[Mistake]:
    """Yield what is wrong with a pattern: Harbor takes any, and every run with it fails."""
    if not pattern:
        yield Mistake(where=where, what="the pattern is empty", remedy="leave the filter out")
        return
    try:
        compile_glob(pattern)
    except FilterSyntaxError as error:
        what = f"{pattern!r} is no pattern: {error.message.splitlines()[0]}"
        yield Mistake(
            where=where, what=what, remedy="close every [ and {, and end with no backslash"
        )


def alternatives(pattern: str) -> tuple[str, ...]:
    """Return a glob as globs without braces, the first hundred of them.

    Example:
        >>> alternatives("app/{web,api/v1}")
        ('app/web', 'app/api/v1')
    """
    if len(pattern) > LONGEST:
        return (pattern,)
    return tuple(islice(_without_braces(pattern), _MOST_ALTERNATIVES))


def _without_braces(pattern: str) -> Iterator[str]:
    found = _BRACES.search(pattern)
    if not found:
        yield pattern
        return
    before, after = pattern[: found.start()], pattern[found.end() :]
    for word in found[1].split(","):
        yield from _without_braces(before + word + after)


def url_mistakes(url: str, *, where: str = "url") -> Iterator[Mistake]:
    """Yield what is wrong with an address that Harbor is to talk to."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        yield Mistake(where=where, what="it cannot be read", remedy=_URL_HELP)
        return
    if parts.scheme not in {"http", "https"} or not host or re.search(r"[\s%]", parts.netloc):
        # Without a scheme, Harbor speaks http: a login would go over the wire in clear.
        yield Mistake(where=where, what="it is no http or https address", remedy=_URL_HELP)
    if parts.username is not None:
        what = "it holds a login, which everybody who lists it would see"
        yield Mistake(where=where, what=what, remedy="give the login as a credential")


_URL_HELP: Final = "write it like https://registry.example"


def cron_mistakes(cron: str, *, where: str = "trigger.cron") -> Iterator[Mistake]:
    """Yield what is wrong with the times of a replication (HARBOR §9)."""
    fields = cron.split(" ")
    if len(fields) != _CRON_LENGTH or "" in fields:
        what = f"{cron!r} has not six fields with one space between"
        yield Mistake(where=where, what=what, remedy=_CRON_HELP)
        return
    if fields[0] != "0":
        what = f"the seconds are {fields[0]!r}, and only a plain 0 is taken"
        yield Mistake(where=where, what=what, remedy=_CRON_HELP)
    if fields[1] == "*":
        remedy = "write */1 for every minute, or better, a minute"
        yield Mistake(where=where, what="the minutes are *", remedy=remedy)
    for text, (field, low, high, words) in zip(
        fields[1:], (("minute", 0, 59, ""), *_CRON_FIELDS), strict=True
    ):
        if not _is_cron_field(text, low, high, words.split()):
            what = f"{text!r} is no {field}"
            yield Mistake(
                where=where, what=what, remedy=f"use {low} to {high}, * , - , / and commas"
            )


def _is_cron_field(text: str, low: int, high: int, words: list[str]) -> bool:
    return all(_is_cron_part(part, low, high, words) for part in text.split(","))


def _is_cron_part(text: str, low: int, high: int, words: list[str]) -> bool:
    found = _CRON_PART.fullmatch(text)
    if not found or found["step"] == "0":
        return False
    ends = [_cron_number(end, low, words) for end in (found["low"], found["high"]) if end]
    return all(low <= end <= high for end in ends) and ends == sorted(ends)


def _cron_number(text: str, low: int, words: list[str]) -> int:
    if text.lower() in words:
        return low + words.index(text.lower())
    return int(text) if text.isdigit() else -1
