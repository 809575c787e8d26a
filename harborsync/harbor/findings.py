"""What a look over a Harbor has found: values to print, to keep as JSON, to count by.

>>> found = Finding(code="plain-http", severity=Severity.WARNING, what="registry mirror",
...                 why="logins and images pass in the clear", advice="serve it over TLS")
>>> print(Findings(findings=(found,)))
warning plain-http registry mirror: logins and images pass in the clear; serve it over TLS
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"  # it does not work
    WARNING = "warning"  # it works otherwise than it seems, or is dangerous
    NOTICE = "notice"  # worth knowing


@attrs.frozen(kw_only=True)
class Finding:
    """Something to look into.

    Attributes:
        code: What kind of thing, as a word that stays the same.
        severity: How bad it is.
        what: Which object, such as ``policy nightly``.
        why: What is the matter with it.
        advice: What to do.
    """

    code: str
    severity: Severity
    what: str
    why: str
    advice: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.severity} {self.code} {self.what}: {self.why}; {self.advice}"


_ORDER: Final = tuple(Severity)


def _worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))


@attrs.frozen(kw_only=True)
class Findings:
    """All that was found, the worst first.

    Attributes:
        findings: The findings.
        unseen: What could not be looked at, and for want of what.
    """

    findings: tuple[Finding, ...] = attrs.field(default=(), converter=_worst_first)
    unseen: tuple[str, ...] = ()

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes, each once, in alphabetical order."""
        return tuple(sorted({finding.code for finding in self.findings}))

    def of(self, code: str) -> tuple[Finding, ...]:
        """Return the findings of a kind."""
        return tuple(finding for finding in self.findings if finding.code == code)

    @property
    def ok(self) -> bool:
        """Whether there are no errors among them."""
        return all(finding.severity is not Severity.ERROR for finding in self.findings)

    def to_json(self) -> str:
        """Return them as JSON."""
        return json.dumps(attrs.asdict(self), indent=2)

    def __str__(self) -> str:
        """Return a line for each."""
        lines = [*map(str, self.findings), *(f"not looked at: {each}" for each in self.unseen)]
        return "\n".join(lines) or "nothing to object to"
