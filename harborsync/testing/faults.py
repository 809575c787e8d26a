"""What can go wrong on purpose between a client and the embedded registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping


@attrs.frozen(kw_only=True)
class Fault:
    """What goes wrong with one request; parts can be combined.

    Attributes:
        delay: Seconds the server waits, on its clock, before it does anything.
        status: Answer this instead of doing what was asked, or None.
        headers: Header fields added to the answer, or replaced in it.
        body: Body of that answer.
        cut_request_after: End the connection after so many bytes of the request body.
        lose_answer: Do what was asked and end the connection without a word.
        reset: End the connection by a reset, not cleanly.
    """

    delay: float = 0.0
    status: int | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = attrs.field(default=b"", repr=False)
    cut_request_after: int | None = None
    lose_answer: bool = False
    reset: bool = False
