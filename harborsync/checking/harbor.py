"""What a Harbor tells of us: the user or the robot, its version, and whether it takes writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from harborsync.errors import HarborsyncError, NotFound
from harborsync.harbor.client import Harbor
from harborsync.harbor.records import write
from harborsync.harbor.robots import EVERY_PROJECT, robot_for
from harborsync.insight import Deed, Direction, Finding, Identity, Insight, Severity
from harborsync.permissions.harbor import Purpose
from harborsync.provider import Checks
from harborsync.registries.harbor import is_robot

if TYPE_CHECKING:
    from harborsync.credentials.base import Credential
    from harborsync.endpoint import Endpoint
    from harborsync.provider import OpenContext

_PERMISSIONS: Final = {
    Deed.LIST: "artifact:list, tag:list and repository:list",
    Deed.PULL: "repository:pull",
    Deed.PUSH: "repository:pull and repository:push",
    Deed.CREATE: "project:create, for a project that is lacking",
    Deed.DELETE: "tag:delete and artifact:delete",
    Deed.MOUNT: "repository:pull and repository:push",
    Deed.REFERRERS: "accessory:list",
}


def _look(endpoint: Endpoint, context: OpenContext, repository: str) -> Insight:
    login = context.credentials.get(endpoint.host)
    with Harbor.open(endpoint, context) as harbor:
        identity = _identity(harbor, endpoint, login)
        info = harbor.system.info()
        findings = [*_settings(info.read_only)]
        project = (repository or endpoint.prefix).partition("/")[0]
        if project:
            findings += _project(harbor, project)
    return Insight(identity=identity, findings=tuple(findings))


def _identity(harbor: Harbor, endpoint: Endpoint, login: Credential | None) -> Identity | None:
    """Return who we are; Harbor tells users, and no robot (HARBOR §1)."""
    if login is None:
        return None
    if is_robot(endpoint.options.get("login", ""), login):
        kind, name = "robot", login.username
    else:
        told: dict[str, Any] = harbor.api.get("/users/current", what="ask who we are")
        kind = "administrator" if told.get("sysadmin_flag") else "user"
        name = str(told.get("username", login.username))
    return Identity(name=name, kind=kind, origin=login.origin, expires_at=login.expires_at)


def _settings(read_only: bool) -> tuple[Finding, ...]:  # noqa: FBT001 - one setting of many
    if not read_only:
        return ()
    what = "this Harbor is read-only for now, so nothing can be pushed"
    return (Finding(severity=Severity.WARNING, what=what, remedy="its administrator ends that"),)


def _project(harbor: Harbor, name: str) -> tuple[Finding, ...]:
    try:
        harbor.projects.get(name)
    except NotFound as error:
        return (Finding.of(error, Severity.WARNING),)
    except HarborsyncError:
        pass  # who may not look at a project may still pull from it, which is tried
    return ()


def _policy(endpoint: Endpoint, direction: Direction) -> str:
    """Return the robot as Harbor's API takes it."""
    main = Purpose.PULL if direction is Direction.PULL else Purpose.PUSH
    project = endpoint.prefix.partition("/")[0] or EVERY_PROJECT
    robot = robot_for([main, Purpose.DISCOVER], name=f"harborsync-{direction}", projects=[project])
    body: dict[str, Any] = write(robot)
    for told_only in ("expires_at", "secret", "editable"):
        body.pop(told_only, None)
    return json.dumps(body, indent=2)


HARBOR: Final = Checks(permissions=_PERMISSIONS, look=_look, policy=_policy)
