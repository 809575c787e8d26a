"""How often and how patiently something that failed is tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    import random


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
    first_wait: float = 0.5
    longest_wait: float = 30.0
    retry_after_cap: float = 300.0
    deadline: float | None = 600.0

    def wait_before(self, attempt: int, rng: random.Random) -> float:
        """Return the seconds to wait before try number ``attempt``, 2 or more.

        Full jitter: anything from nothing to the doubled bound, so that many workers spread.
        """
        bound = min(self.longest_wait, self.first_wait * 2.0 ** (attempt - 2))
        return rng.uniform(0.0, bound)
