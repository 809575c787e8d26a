"""An error as a record: it travels, serialises and prints where an exception would not."""

from __future__ import annotations

from typing import Self

import attrs

from harborsync.errors import HarborsyncError, Side
from harborsync.secrets import redact


@attrs.frozen(kw_only=True)
class Failure:
    """What went wrong with one artifact or one repository.

    Attributes:
        kind: Name of the error's class, such as ``QuotaExceeded``.
        message: What happened, without secrets.
        side: On which side, where that is known.
        retryable: Whether the same may succeed later without anybody changing anything.
        hint: What to do about it, or None.
    """

    kind: str
    message: str
    side: Side | None = None
    retryable: bool = False
    hint: str | None = None

    @classmethod
    def of(cls, error: Exception) -> Self:
        """Record an error; one that is not ours is a defect, and is recorded all the same."""
        if isinstance(error, HarborsyncError):
            return cls(
                kind=type(getattr(error, "cause", error)).__name__,
                message=error.message,
                side=error.side,
                retryable=error.retryable,
                hint=error.hint,
            )
        return cls(
            kind=type(error).__name__,
            message=redact(str(error)) or type(error).__name__,
            hint="this is a defect of harborsync or of a plug-in; please report it",
        )

    @property
    def in_full(self) -> str:
        """The message, then the hint on a line of its own."""
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message

    def __str__(self) -> str:
        """Return one line for people."""
        return self.message
