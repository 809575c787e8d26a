"""How much at once: connections and requests a second per host, blobs and artifacts per run."""

from __future__ import annotations

import attrs

_POSITIVE = attrs.validators.ge(1)


@attrs.frozen(kw_only=True)
class HostLimits:
    """What one registry host is asked to bear.

    Attributes:
        connections: Connections open at once to the host, those for large bodies included.
        large: How many of them carry large bodies at once.
        requests_per_second: Requests started a second at the most, or None.
        connect_timeout: Seconds until a connection must stand.
        first_byte_timeout: Seconds until an answer must begin.
        patient_timeout: The same where the server may hash or store first (OCI-7.12).
        idle_timeout: Seconds between two pieces of a body.
    """

    connections: int = attrs.field(default=24, validator=attrs.validators.ge(2))
    large: int = attrs.field(default=6, validator=_POSITIVE)
    requests_per_second: float | None = None
    connect_timeout: float = 10.0
    first_byte_timeout: float = 60.0
    patient_timeout: float = 300.0
    idle_timeout: float = 60.0
