"""What to do about errors that do not say it themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from harborsync.errors import ConnectionLost, Denied, RateLimited, ServerError, Timeout, TlsError
from harborsync.insight import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harborsync.errors import HarborsyncError

_FIREWALL: Final = (
    "let this machine out to the host and port; a list of allowed addresses at the registry, or "
    "public access that is closed there, looks the same; where a proxy leads out, add proxy=env"
)
# The first row that fits decides: a kind of error, words of its message, the remedy.
_TABLE: Final[tuple[tuple[type[HarborsyncError], str, str], ...]] = (
    (
        ConnectionLost,
        "resolve",
        "see that the name is right and the DNS of this machine knows it, as none outside a VPC may",
    ),
    (ConnectionLost, "the proxy", "let the proxy connect to the host, or except it by NO_PROXY"),
    (ConnectionLost, "", _FIREWALL),
    (Timeout, "", _FIREWALL),
    (TlsError, "expired", "the registry's certificate must be renewed; see this machine's clock"),
    (TlsError, "mismatch", "use a name that the certificate is for"),
    (Denied, "", "let the login do it: see the permission beside the deed, and the policies"),
    (RateLimited, "", "wait, and check again"),
    (ServerError, "", "the registry itself is not well: ask its operator, or try again later"),
)
_ORDER: Final = tuple(Severity)


def finding_of(error: HarborsyncError, severity: Severity = Severity.ERROR) -> Finding:
    """Return an error as a finding; our table's remedy is taken where it is closer than its own."""
    finding = Finding.of(error, severity)
    for kind, words, remedy in _TABLE:
        fits = isinstance(error, kind) and words in error.message
        if fits and (words or not finding.remedy):
            return attrs.evolve(finding, remedy=remedy)
    return finding


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings, each once, the worst first."""
    distinct: dict[str, Finding] = {}
    for finding in findings:
        distinct.setdefault(finding.what, finding)
    return tuple(sorted(distinct.values(), key=lambda each: _ORDER.index(each.severity)))
