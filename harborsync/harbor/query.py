"""How a question is put to Harbor's lists: the ``q=`` language, and names inside paths.

    >>> Q(tags="1.0", labels=AllOf(3, 7)).text
    'tags=1.0,labels=(3 7)'
    >>> repositories_of("app", "team/api", "artifacts")
    '/projects/app/repositories/team%252Fapi/artifacts'

What the language cannot express is refused here: the server would ignore it in silence, or
answer with everything (HARBOR §3).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import attrs

from harborsync.errors import InvalidReference, InvalidValue
from harborsync.reference import check_repository

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY: Final = re.compile(r"[a-z_A-Z]+", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?[0-9]+", re.ASCII)
#: What an exact value must not begin with, or else it is read as a pattern.
_SPECIAL: Final = ("~", "[", "{", "(", "\\")
_TIME: Final = "%Y-%m-%dT%H:%M:%S"


@attrs.frozen
class Like:
    """Contains a text."""

    text: str

    def __str__(self) -> str:
        """Return the pattern."""
        return f"~{_plain(self.text)}"


class AnyOf:
    """Is one of several; names of digits only are quoted, since they would be read as numbers."""

    def __init__(self, *values: str | int) -> None:
        self._values = values

    def __str__(self) -> str:
        """Return the pattern."""
        return f"{{{_listed(self._values)}}}"


class AllOf:
    """Has every one of several."""

    def __init__(self, *values: str | int) -> None:
        self._values = values

    def __str__(self) -> str:
        """Return the pattern."""
        return f"({_listed(self._values)})"


@attrs.frozen(kw_only=True)
class Between:
    """Is not before ``start`` and not after ``end``; either may be left open."""

    start: datetime | None = None
    end: datetime | None = None

    def __str__(self) -> str:
        """Return the pattern.

        Raises:
            InvalidValue: Both ends are open.
        """
        if self.start is None and self.end is None:
            msg = "a range without any end cannot be asked for"
            raise InvalidValue(msg)
        return f"[{_time(self.start)}~{_time(self.end)}]"


Term = str | int | Like | AnyOf | AllOf | Between


class Q:
    """What the objects of a list must fulfil, all of it.

    Args:
        terms: What is wanted of each field: a text or number is wanted exactly.

    Raises:
        InvalidValue: A value cannot be expressed.
    """

    def __init__(self, **terms: Term) -> None:
        for key in terms:
            if not _KEY.fullmatch(key):
                msg = f"{key!r} is no field that can be asked about"
                raise InvalidValue(msg)
        self.text = ",".join(f"{key}={_term(value)}" for key, value in terms.items())

    def __str__(self) -> str:
        """Return the question, ready to be encoded into a URL once.

        The server takes escapes away twice, so those that would be lost are doubled.
        """
        return self.text.replace("%", "%25").replace("+", "%2B")


def encoded(fields: Mapping[str, object]) -> str:
    """Return a query string; fields that are None are left out."""
    texts = {key: _field(value) for key, value in fields.items() if value is not None}
    return urlencode(texts, quote_via=quote, safe=":*~/")


def with_query(path: str, fields: Mapping[str, object]) -> str:
    """Return a path with a query string behind it, if there is any."""
    query = encoded(fields)
    return f"{path}?{query}" if query else path


def project_of(repository: str) -> str:
    """Return the project that a repository lies in.

    Raises:
        InvalidReference: The name has one component, which no repository of Harbor has.
    """
    project, slash, _ = check_repository(repository).partition("/")
    if not slash:
        msg = f"{repository!r} names no project"
        raise InvalidReference(msg, hint="a repository of Harbor is project/name")
    return project


def projects(project: str, *parts: object) -> str:
    """Return ``/projects/<project>/<parts>``."""
    return _joined("/projects", project, *parts)


def repositories_of(project: str, name: str, *parts: object) -> str:
    """Return the path of something in a repository, named without its project.

    A slash in the name is encoded twice, since proxies undo one of it (HARBOR §4).
    """
    return _joined(f"{projects(project)}/repositories", quote(name, safe=""), *parts)


def repository_path(repository: str, *parts: object) -> str:
    """Return the path of something in a repository, named with its project."""
    project = project_of(repository)
    return repositories_of(project, repository.removeprefix(f"{project}/"), *parts)


def _joined(start: str, *parts: object) -> str:
    return "/".join((start, *(quote(str(part), safe=":") for part in parts)))


def _field(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _term(value: Term) -> str:
    if not isinstance(value, str):
        return str(value)
    text = _plain(value)
    return f"\\{text}" if text.startswith(_SPECIAL) else text


def _plain(text: str) -> str:
    """Return a text that can stand in a question.

    Raises:
        InvalidValue: It is empty, or holds a comma, which would begin the next condition.
    """
    if not text or "," in text:
        msg = f"Harbor cannot be asked for {text!r}"
        raise InvalidValue(msg, hint="values cannot be empty, nor hold a comma")
    return text


def _listed(values: tuple[str | int, ...]) -> str:
    if not values:
        msg = "Harbor cannot be asked for one of nothing"
        raise InvalidValue(msg)
    return " ".join(_element(value) for value in values)


def _element(value: str | int) -> str:
    """Return one value of a list.

    Raises:
        InvalidValue: It holds a space or a quote, which part values.
    """
    if isinstance(value, int):
        return str(value)
    text = _plain(value)
    if any(char.isspace() or char in "'\"" for char in text):
        msg = f"Harbor cannot be asked for {text!r} among others"
        raise InvalidValue(msg, hint="values of a list cannot hold spaces or quotes")
    return f"'{text}'" if _NUMBER.fullmatch(text) else text


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).strftime(_TIME)
