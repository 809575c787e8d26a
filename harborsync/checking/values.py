"""What a check has found, as values."""

from __future__ import annotations

import json
from datetime import datetime  # noqa: TC003 - read at run time
from typing import Any, Final

import attrs

from harborsync.endpoint import Endpoint  # noqa: TC001 - read at run time
from harborsync.insight import Can, Direction, Finding, Identity, Right, Severity
from harborsync.mapping import to_mapping
from harborsync.tables import html_table, human_bytes, text_table

_RIGHTS: Final = ("deed", "can", "why")
_HOSTS: Final = ("host", "port", "for", "round trip", "tls", "certificate until", "issuer")


@attrs.frozen(kw_only=True)
class Reach:
    """A host that must be reachable.

    Attributes:
        host: Its name.
        port: Its port.
        purpose: What for: ``registry``, ``token server``, ``API``, ``storage``.
        ok: Whether it can be spoken to.
        address: The numeric address that answered, a proxy's if there is one.
        round_trip: Seconds until a connection stood, or None if none did.
        tls: The version of TLS, empty without.
        issuer: Who has signed its certificate.
        not_after: When the certificate ends.
    """

    host: str
    port: int
    purpose: str
    ok: bool
    address: str = ""
    round_trip: float | None = None
    tls: str = ""
    issuer: str = ""
    not_after: datetime | None = None

    def to_row(self) -> tuple[str, ...]:
        """Return the cells of a table."""
        trip = "not reached" if self.round_trip is None else f"{self.round_trip * 1000:.0f} ms"
        until = self.not_after.date().isoformat() if self.not_after else ""
        return (self.host, str(self.port), self.purpose, trip, self.tls, until, self.issuer)


@attrs.frozen(kw_only=True)
class Policy:
    """The least that a login must be allowed.

    Attributes:
        endpoint: Where.
        direction: What for.
        text: The policy, in the form that the product takes.
    """

    endpoint: Endpoint
    direction: Direction
    text: str


@attrs.frozen(kw_only=True)
class Check:
    """What was found out about a registry and about us there.

    Attributes:
        endpoint: The registry.
        provider: Who opens it.
        repository: The repository that was looked at, empty if there was none.
        checked_at: When.
        identity: Who we are, or None for nobody.
        rights: What we may do.
        hosts: Every host that must be reachable: the list for a firewall.
        clock_skew: Seconds that our clock is ahead of the registry's, or None if it tells none.
        throughput: Bytes of blobs a second, or None if it was not measured.
        nearer: A host that serves the same inside the cloud's network, if it can be reached.
        policies: The least that logins must be allowed, pull and push apart.
        findings: What is wrong, the worst first.
    """

    endpoint: Endpoint
    provider: str
    repository: str
    checked_at: datetime
    identity: Identity | None = None
    rights: tuple[Right, ...] = ()
    hosts: tuple[Reach, ...] = ()
    clock_skew: float | None = None
    throughput: float | None = None
    nearer: str = ""
    policies: tuple[Policy, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was found that a copy must fail of."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)

    def to_json(self) -> str:
        """Return the whole check as JSON; it holds no secret."""
        return json.dumps({"ok": self.ok, **to_mapping(self)}, indent=1)

    def __str__(self) -> str:
        """Return the whole check as tables for people."""
        tables = [text_table(_RIGHTS, self._rights_rows()), text_table(_HOSTS, self._host_rows())]
        lines = [self.summary(), *("\n" + table for table in tables), "", *self._facts()]
        return "\n".join([*lines, *map(str, self.findings)]).rstrip()

    def summary(self) -> str:
        """Return the whole in one line."""
        who = "nobody, without a login" if self.identity is None else str(self.identity)
        where = f", looked at {self.repository}" if self.repository else ""
        return f"{self.endpoint} ({self.provider}): we are {who}{where}"

    def _rights_rows(self) -> list[tuple[str, ...]]:
        return [(right.deed, right.can, right.why) for right in self.rights]

    def _host_rows(self) -> list[tuple[str, ...]]:
        return [reach.to_row() for reach in self.hosts]

    def _facts(self) -> list[str]:
        skew, speed = self.clock_skew, self.throughput
        lacking = [right for right in self.rights if right.can is not Can.YES and right.permission]
        return [
            *(f"{right.deed} takes {right.permission}" for right in lacking),
            *([] if skew is None else [f"clock: {skew:+.0f} s against the registry's"]),
            *([] if speed is None else [f"throughput: {human_bytes(round(speed))}/s"]),
            *([f"nearer: {self.nearer}"] if self.nearer else []),
        ]

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Show the check in a notebook."""
        rights = html_table(self.summary(), _RIGHTS, self._rights_rows())
        hosts = html_table("hosts", _HOSTS, self._host_rows())
        findings = [(each.severity, each.what, each.remedy) for each in self.findings]
        found = html_table("findings", ("severity", "what", "remedy"), findings)
        return {"text/plain": str(self), "text/html": rights + hosts + found}
