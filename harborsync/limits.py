"""How much at once: connections and requests a second per host, blobs and artifacts per run."""

from __future__ import annotations

from typing import Final, Self

import attrs

from harborsync.errors import InvalidValue

_AT_LEAST: Final = attrs.validators.ge
_POSITIVE: Final = attrs.validators.gt(0.0)


@attrs.frozen(kw_only=True)
class HostLimits:
    """What one registry host is asked to bear.

    Attributes:
        connections: Connections open at once to the host, those for large bodies included.
        large: How many of them carry large bodies at once; at least 2, since a copy within one
            host reads and writes at the same time, and at most all but one.
        requests_per_second: Requests started a second at the most, or None.
        connect_timeout: Seconds until a connection must stand.
        first_byte_timeout: Seconds until an answer must begin.
        patient_timeout: The same where the server may hash or store first (OCI-7.12).
        idle_timeout: Seconds between two pieces of a body.
    """

    connections: int = attrs.field(default=24, validator=_AT_LEAST(3))
    large: int = attrs.field(default=6, validator=_AT_LEAST(2))
    requests_per_second: float | None = attrs.field(
        default=None, validator=attrs.validators.optional(_POSITIVE)
    )
    connect_timeout: float = attrs.field(default=10.0, validator=_POSITIVE)
    first_byte_timeout: float = attrs.field(default=60.0, validator=_POSITIVE)
    patient_timeout: float = attrs.field(default=300.0, validator=_POSITIVE)
    idle_timeout: float = attrs.field(default=60.0, validator=_POSITIVE)

    def divided(self, among: int) -> Self:
        """Return the share of one of so many processes, never less than it takes to work."""
        connections = max(3, self.connections // among)
        rate = self.requests_per_second
        return attrs.evolve(
            self,
            connections=connections,
            large=min(max(2, self.large // among), connections - 1),
            requests_per_second=None if rate is None else rate / among,
        )

    def __attrs_post_init__(self) -> None:
        """Keep a connection for small requests.

        Raises:
            InvalidValue: All connections would carry large bodies.
        """
        if self.large >= self.connections:
            msg = f"{self.large} of {self.connections} connections for large bodies are too many"
            raise InvalidValue(msg, hint="leave at least one connection for small requests")
