"""What the error codes of a cloud mean to us, as tables: one row, one error, one remedy.

A provider brings its own rows, the most special first; :func:`refusal` makes the error of the
row that fits. Texts of SDKs are scrubbed on the way, and never chained.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs

from harborsync.credentials.hushed import scrub
from harborsync.errors import HarborsyncError, RateLimited, RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST: Final = 500
_SPACE: Final = re.compile(r"\s+")


class Meaning(NamedTuple):
    """What some codes mean.

    Attributes:
        codes: What the whole code looks like.
        error: The class of our error.
        remedy: What to do about it, or None where only waiting helps.
        words: What else must stand in the message, if anything.
    """

    codes: str
    error: type[HarborsyncError]
    remedy: str | None = None
    words: str = ""

    def fits(self, said: Said) -> bool:
        """Tell whether this is what the cloud has said."""
        has_code = re.fullmatch(self.codes, said.code, re.ASCII) is not None
        return has_code and re.search(self.words, said.message, re.IGNORECASE) is not None


@attrs.frozen(kw_only=True)
class Said:
    """What a cloud said when it refused.

    Attributes:
        code: Its error code.
        message: Its words.
        status: The HTTP status, or 0 where there was none.
        request_id: Its id of the request, for its support.
        operation: The operation that was refused, as the API names it.
        retry_after: Seconds it asks us to wait, or None.
    """

    code: str
    message: str = attrs.field(default="", repr=False)
    status: int = 0
    request_id: str | None = None
    operation: str = ""
    retry_after: float | None = None


def refusal(said: Said, what: str, table: Iterable[Meaning]) -> HarborsyncError:
    """Return the error that a refusal stands for.

    Args:
        said: The refusal.
        what: What was tried, as it follows "cannot".
        table: What codes mean; the first row that fits counts.
    """
    row = next((each for each in table if each.fits(said)), _ANY)
    text = printable(said.message)
    msg = f"cannot {what}: {said.code}{f': {text}' if text else ''}"
    if not issubclass(row.error, RegistryError):
        return row.error(msg, hint=row.remedy)
    more: dict[str, Any] = {}
    if issubclass(row.error, RateLimited):
        more["retry_after"] = said.retry_after
    return row.error(
        msg,
        method=said.operation,
        status=said.status,
        codes=(said.code,),
        request_id=said.request_id,
        hint=row.remedy,
        **more,
    )


def printable(text: str) -> str:
    """Return words of a cloud in one line that is safe to show."""
    line = _SPACE.sub(" ", scrub(text)).strip()
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


_ANY: Final = Meaning(codes=".*", error=RegistryError)
