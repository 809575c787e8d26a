"""Every error that a check meets has something to do about it."""

from __future__ import annotations

import pytest

from harborsync.checking.remedies import finding_of, in_order
from harborsync.errors import (
    ConnectionLost,
    Denied,
    HarborsyncError,
    RateLimited,
    ServerError,
    Timeout,
    TlsError,
)
from harborsync.insight import Finding, Severity


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (ConnectionLost("r.example: the name cannot be resolved"), "DNS"),
        (ConnectionLost("the proxy p:3128 would not connect us with r:443: 403"), "NO_PROXY"),
        (ConnectionLost("r.example:443: no connection"), "list of allowed addresses"),
        (Timeout("r.example:443: no connection stood in time"), "let this machine out"),
        (TlsError("certificate has expired", hint="name its CA"), "renewed"),
        (TlsError("Hostname mismatch", hint="name its CA"), "a name that the certificate is for"),
        (TlsError("self-signed", hint="name its CA"), "name its CA"),
        (Denied("no"), "permission"),
        (Denied("no", hint="ask ann"), "ask ann"),
        (RateLimited("slow"), "wait"),
        (ServerError("502"), "operator"),
    ],
    ids=lambda each: str(each).partition("\n")[0][:30],
)
def test_an_error_has_the_closest_remedy(error: HarborsyncError, remedy: str) -> None:
    """Its own, unless the table knows better by its words."""
    assert remedy in finding_of(error).remedy


def test_findings_come_once_and_the_worst_first() -> None:
    """In the order they were made otherwise."""

    def finding(severity: Severity, what: str) -> Finding:
        return Finding(severity=severity, what=what)

    note, first = finding(Severity.NOTE, "n"), finding(Severity.ERROR, "a")
    second = finding(Severity.ERROR, "b")
    assert in_order([note, first, second, first]) == (first, second, note)
