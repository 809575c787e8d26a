"""What can be wrong around replication: far registries, robots, the audit log."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from harborsync.harbor.adapters import HARBOR
from harborsync.harbor.findings import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from harborsync.harbor.inventory import Inventory
    from harborsync.harbor.registries import RemoteRegistry
    from harborsync.harbor.robots import Robot

_SOON: Final = timedelta(days=14)
# goharbor/harbor, src/common/const.go
_FORWARDING: Final = "audit_log_forward_endpoint"
# The prefix of robots can be set, but these characters stand in names of robots only.
_OF_ROBOTS: Final = frozenset("$+")


def plain_http(inventory: Inventory) -> Iterator[Finding]:
    """Registries that are spoken to without TLS, or without looking at whom."""
    for registry in inventory.registries:
        if registry.url.startswith("http://"):
            why = "logins and images pass in the clear"
            yield _at(registry, "plain-http", Severity.WARNING, why, "serve it over TLS")
        elif registry.insecure:
            why = "its certificate is not checked, so anybody in between can read and change all"
            advice = "give its authority as ca_certificate, from Harbor 2.15 on"
            yield _at(registry, "insecure", Severity.WARNING, why, advice)


def health(inventory: Inventory) -> Iterator[Finding]:
    """Registries that Harbor did not reach when it looked last."""
    for registry in inventory.registries:
        if registry.status == "unhealthy":
            why, advice = "Harbor did not reach it", "look at its address and login"
            yield _at(registry, "unhealthy", Severity.ERROR, why, advice)


def unused(inventory: Inventory) -> Iterator[Finding]:
    """Registries that no policy uses; a project that caches one may."""
    used = {policy.remote.id for policy in inventory.policies if policy.remote is not None}
    for registry in inventory.registries:
        if registry.id not in used:
            why = "no policy uses it, and its login lies there all the same"
            yield _at(
                registry, "unused", Severity.NOTICE, why, "delete it, unless a cache needs it"
            )


def user_logins(inventory: Inventory) -> Iterator[Finding]:
    """Other Harbors that are logged in to by a user's password."""
    for registry in inventory.registries:
        key = registry.credential.access_key if registry.credential else ""
        if registry.type == HARBOR and key and _OF_ROBOTS.isdisjoint(key):
            why = f"{key!r} seems to be a user: each of its requests costs a slow password check"
            advice = "use a robot with the permissions it needs"
            yield _at(registry, "user-login", Severity.WARNING, why, advice)


def robots(inventory: Inventory) -> Iterator[Finding]:
    """Robots that have ended or will soon, never end, or may do something in every project."""
    for robot in inventory.robots or ():
        if robot.disable:
            continue
        yield from _lifetime(robot, inventory.now)
        if robot.is_broad:
            why, advice = "it may act in every project", "name the projects it needs"
            yield _of(robot, "broad-robot", Severity.WARNING, why, advice)


def _lifetime(robot: Robot, now: datetime) -> Iterator[Finding]:
    if robot.expires_at is None:
        why, advice = "it never ends", "give it a duration, and rotate its secret"
        yield _of(robot, "endless-robot", Severity.NOTICE, why, advice)
    elif robot.expires_at <= now:
        why = f"it ended on {robot.expires_at:%Y-%m-%d}"
        yield _of(robot, "expired-robot", Severity.ERROR, why, "make it anew, or delete it")
    elif robot.expires_at <= now + _SOON:
        why = f"it ends on {robot.expires_at:%Y-%m-%d}"
        yield _of(robot, "ending-robot", Severity.WARNING, why, "make it anew in time")


def audit(inventory: Inventory) -> Iterator[Finding]:
    """An audit log that stays where it can be purged."""
    if inventory.settings is not None and not inventory.settings.get(_FORWARDING):
        yield Finding(
            code="no-audit-forwarding",
            severity=Severity.NOTICE,
            what="audit log",
            why="it is kept in Harbor's own database only",
            advice=f"set {_FORWARDING} to a syslog server",
        )


#: All of them.
CHECKS: Final[tuple[Callable[[Inventory], Iterator[Finding]], ...]] = (
    plain_http,
    health,
    unused,
    user_logins,
    robots,
    audit,
)


def _at(registry: RemoteRegistry, code: str, severity: Severity, why: str, advice: str) -> Finding:
    what = f"registry {registry.name}"
    return Finding(code=code, severity=severity, what=what, why=why, advice=advice)


def _of(robot: Robot, code: str, severity: Severity, why: str, advice: str) -> Finding:
    what = f"robot {robot.name}"
    return Finding(code=code, severity=severity, what=what, why=why, advice=advice)
