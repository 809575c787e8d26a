"""Tells a slow sender, who is waited for, from one that is as good as gone (OCI-4.35).

Timeouts on a socket count from one piece to the next, so a byte a minute would keep them
content for ever; a time limit on a whole body would punish the large ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harborsync.errors import Timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.clock import Clock

#: Seconds spent waiting after which the rate is looked at, and looked at anew.
SLOW_SECONDS: Final = 60.0
#: The least bytes that must have come for each of these seconds.
SLOWEST_RATE: Final = 1024


class Steady:
    """Reads a body, and gives up on a sender of next to nothing; for one thread at a time.

    Only the time spent reading counts: whoever takes the pieces slowly, because a bandwidth
    limit or the other end of a copy holds him up, is not the sender's fault.

    Args:
        read: Returns what has come, at most so many bytes, nothing at the end.
        clock: Measures the waiting.
    """

    def __init__(self, read: Callable[[int], bytes], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._waited = 0.0
        self._got = 0

    def read(self, count: int) -> bytes:
        """Return what has come, at most ``count`` bytes; nothing at the end.

        Raises:
            Timeout: Too little came for too long.
        """
        before = self._clock.monotonic()
        piece = self._read(count)
        self._waited += self._clock.monotonic() - before
        self._got += len(piece)
        if piece and self._waited >= SLOW_SECONDS:
            self._check()
        return piece

    def _check(self) -> None:
        waited, got = self._waited, self._got
        if got < waited * SLOWEST_RATE:
            msg = f"only {got} bytes came in {waited:.0f} seconds"
            raise Timeout(msg)
        self._waited, self._got = 0.0, 0
