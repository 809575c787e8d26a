"""Regular expressions of users on texts of strangers, on a leash.

Three limits hold, and passing one is an error, never "does not match": an expression has at
most 1000 characters; one match takes at most 0.1 s; and many matches take at most 50 µs
each on average, beyond a first half second, so that ten thousand tags which are each
just fast enough do not add up to a quarter of an hour.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NoReturn, TypeVar

from harborsync.errors import FilterSyntaxError, InvalidValue, PatternTimeout

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

LONGEST: Final = 1000
_SECONDS_PER_MATCH: Final = 0.1
_SECONDS_AT_FIRST: Final = 0.5
_SECONDS_ON_AVERAGE: Final = 0.00005


class Pattern:
    """A regular expression, ready to match; get one from :func:`compile_pattern`. Thread-safe.

    Attributes:
        text: The expression as written.
    """

    def __init__(self, text: str, *, cpu_seconds: Callable[[], float] = time.thread_time) -> None:
        """Read the expression.

        Args:
            text: The expression, in the syntax of the ``regex`` package.
            cpu_seconds: Tells how much computing this thread has done.

        Raises:
            FilterSyntaxError: The text is no expression, or too long a one.
        """
        import regex  # noqa: PLC0415 - costs 50 ms, and most users of this package never match

        if len(text) > LONGEST:
            _refuse("the expression is too long", text, LONGEST, f"at most {LONGEST} characters")
        try:
            self._compiled = regex.compile(text)
        except regex.error as error:
            message = str(error).partition(" at position ")[0]
            position = getattr(error, "pos", None) or 0  # the package's stubs do not know it
            _refuse(message, text, position, "a regular expression")
        except (RecursionError, OverflowError):
            _refuse("the expression is nested too deeply", text, 0, "a simpler one")
        self.text = text
        self._cpu_seconds = cpu_seconds
        self._allowance = _SECONDS_AT_FIRST

    def matches(self, text: str) -> bool:
        """Tell whether the expression matches the whole of ``text``.

        Raises:
            PatternTimeout: That took too long.
        """
        return self._leashed(
            lambda: (
                self._compiled.fullmatch(text, timeout=_SECONDS_PER_MATCH, concurrent=True)
                is not None
            )
        )

    def replace(self, replacement: str, text: str) -> str:
        r"""Return ``text`` with every match replaced; ``\1`` stands for the first group.

        Raises:
            InvalidValue: The replacement speaks of a group that is not there.
            PatternTimeout: That took too long.
        """
        import regex  # noqa: PLC0415 - as above

        try:
            return self._leashed(
                lambda: self._compiled.sub(
                    replacement, text, timeout=_SECONDS_PER_MATCH, concurrent=True
                )
            )
        except (regex.error, IndexError) as error:
            msg = f"{replacement!r} cannot replace what {self.text!r} matches: {error}"
            raise InvalidValue(
                msg, hint=r"\1 stands for the first group, \\ for a backslash"
            ) from None

    def _leashed(self, work: Callable[[], _T]) -> _T:
        started = self._cpu_seconds()
        try:
            result = work()
        except TimeoutError as error:
            raise PatternTimeout(self.text) from error
        spent = self._cpu_seconds() - started
        self._allowance = min(self._allowance - spent + _SECONDS_ON_AVERAGE, _SECONDS_AT_FIRST)
        if self._allowance < 0:
            self._allowance = _SECONDS_AT_FIRST
            raise PatternTimeout(self.text)
        return result


@lru_cache(maxsize=1024)
def compile_pattern(text: str) -> Pattern:
    """Return the expression written as ``text``; the same object for the same text.

    Raises:
        FilterSyntaxError: The text is no expression, or too long a one.
    """
    return Pattern(text)


def _refuse(message: str, text: str, position: int, expected: str) -> NoReturn:
    raise FilterSyntaxError(message, text=text, position=position, expected=expected) from None
