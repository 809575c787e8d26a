"""How often and how patiently something that failed is tried again."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    import random

#: Answers after which the same request may do better (OCI-7.6).
TRANSIENT_STATUSES: Final = frozenset({408, 429, 499, 500, 502, 503, 504, *range(520, 528)})
#: Answers by which a host asks everybody to slow down (OCI-7.8).
BUSY_STATUSES: Final = frozenset({429, 503})
#: The one answer that says for sure that nothing was done.
NOTHING_DONE: Final = 429
_MOST_DIGITS: Final = 9
_NOT_NEGATIVE: Final = attrs.validators.ge(0.0)
_NOT_NEGATIVE_OR_NONE: Final[Any] = attrs.validators.optional(_NOT_NEGATIVE)


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """One policy for every request; changed by making a changed copy.

    Attributes:
        attempts: Total tries including the first; 1 disables retrying.
        first_wait: Seconds before the second try at the most; doubles each time (full jitter).
        longest_wait: Upper bound of our own back-off, in seconds.
        retry_after_cap: A Retry-After up to this many seconds is obeyed; beyond it we fail.
        deadline: Seconds after which no further try starts, or None.
    """

    attempts: int = attrs.field(default=6, validator=attrs.validators.ge(1))
    first_wait: float = attrs.field(default=0.5, validator=_NOT_NEGATIVE)
    longest_wait: float = attrs.field(default=30.0, validator=_NOT_NEGATIVE)
    retry_after_cap: float = attrs.field(default=300.0, validator=_NOT_NEGATIVE)
    deadline: float | None = attrs.field(default=600.0, validator=_NOT_NEGATIVE_OR_NONE)

    def wait_before(self, attempt: int, rng: random.Random) -> float:
        """Return the seconds to wait before try number ``attempt``, 2 or more.

        Full jitter: anything from nothing to the doubled bound, so that many workers spread.
        """
        bound = min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 2))
        return rng.uniform(0.0, bound)

    def allows(self, attempt: int, elapsed: float) -> bool:
        """Tell whether try number ``attempt`` may start ``elapsed`` seconds after the first."""
        in_time = self.deadline is None or elapsed <= self.deadline
        return attempt <= self.attempts and in_time


def may_repeat(status: int, *, repeatable: bool) -> bool:
    """Tell whether a request answered with ``status`` may be sent again (OCI-7.5, 7.6).

    Args:
        status: The HTTP status.
        repeatable: Whether a request that may have taken effect can be sent twice.
    """
    return status == NOTHING_DONE or (repeatable and status in TRANSIENT_STATUSES)


def parse_retry_after(text: str, now: datetime) -> float | None:
    """Read a Retry-After as seconds from ``now``, from a number or an HTTP date (OCI-7.8).

    >>> parse_retry_after("120", datetime(2026, 1, 1, tzinfo=UTC))
    120.0
    >>> parse_retry_after("Thu, 01 Jan 2026 00:01:00 GMT", datetime(2026, 1, 1, tzinfo=UTC))
    60.0
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) <= _MOST_DIGITS else float("inf")
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
