"""What can be found out about us at a registry before anything is copied.

    >>> right = Right(deed=Deed.PUSH, can=Can.NO, permission="ecr:PutImage", why="it is refused")
    >>> str(right)
    'push: no, it is refused; it takes ecr:PutImage'

The words in which :mod:`harborsync.checking` speaks, and in which a provider tells what its
product's own interface knows. None of them ever holds a secret.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - read at run time
from enum import StrEnum
from typing import TYPE_CHECKING, Self

import attrs

if TYPE_CHECKING:
    from harborsync.errors import HarborsyncError


class Can(StrEnum):
    """Whether something may be done."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


class Deed(StrEnum):
    """What a replication may want to do at a registry."""

    LIST = "list"
    PULL = "pull"
    PUSH = "push"
    CREATE = "create"
    DELETE = "delete"
    MOUNT = "mount"
    REFERRERS = "referrers"


class Direction(StrEnum):
    """Which way a login is for: reading from a registry, or writing to it."""

    PULL = "pull"
    PUSH = "push"


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"  # a copy cannot work
    WARNING = "warning"  # it works, and will not for ever, or not well
    NOTE = "note"


@attrs.frozen(kw_only=True)
class Identity:
    """Who we are to a registry.

    Attributes:
        name: The name, as the vendor tells it.
        kind: What that is, such as ``robot``, ``user`` or ``role``.
        origin: Where the login came from, for people; never the login itself.
        expires_at: When it ends, or None where nobody tells.
        details: What else the vendor tells, as names and values.
    """

    name: str
    kind: str = ""
    origin: str = ""
    expires_at: datetime | None = None
    details: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Return one line for people."""
        who = f"{self.kind} {self.name}".strip()
        until = f", until {self.expires_at.isoformat()}" if self.expires_at else ""
        more = "".join(f", {name} {value}" for name, value in self.details)
        return f"{who}{f' from {self.origin}' if self.origin else ''}{until}{more}"


@attrs.frozen(kw_only=True)
class Right:
    """Whether we may do something.

    Attributes:
        deed: What.
        can: Whether.
        permission: What it takes, by the exact names that the product gives its permissions.
        why: How that is known, or why it is not.
    """

    deed: Deed
    can: Can
    permission: str = ""
    why: str = ""

    def __str__(self) -> str:
        """Return one line for people."""
        takes = f"; it takes {self.permission}" if self.permission and self.can != Can.YES else ""
        return f"{self.deed}: {self.can}{f', {self.why}' if self.why else ''}{takes}"


@attrs.frozen(kw_only=True)
class Finding:
    """Something that is wrong, or worth knowing.

    Attributes:
        severity: How bad it is.
        what: What was found, in one line.
        remedy: What to do about it, or nothing.
    """

    severity: Severity
    what: str
    remedy: str = ""

    @classmethod
    def of(cls, error: HarborsyncError, severity: Severity = Severity.ERROR) -> Self:
        """Return what an error is as a finding, its hint being the remedy."""
        return cls(severity=severity, what=error.message, remedy=error.hint or "")

    def __str__(self) -> str:
        """Return what it is, and the remedy on a line of its own."""
        remedy = f"\n  remedy: {self.remedy}" if self.remedy else ""
        return f"{self.severity}: {self.what}{remedy}"


@attrs.frozen(kw_only=True)
class Insight:
    """What a product's own interface tells of us, beside the distribution API.

    Attributes:
        identity: Who we are, or None if it does not tell.
        rights: What we may do, where it tells that better than trying does.
        findings: What is wrong.
    """

    identity: Identity | None = None
    rights: tuple[Right, ...] = ()
    findings: tuple[Finding, ...] = ()
