"""Robot accounts in the API of the emulated Harbor (HARBOR-11)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_query import parse_q
from harborsync.testing.harbor_router import BASE, Context, Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_state import HarborProject, HarborRobot, Permission, new_secret
from harborsync.testing.harbor_wire import date, done, full, ok
from harborsync.testing.server_wire import json_response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harborsync.testing.server_wire import Response

_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_SECRET: Final = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9]).{8,128}", re.DOTALL)

# What GET /permissions lists (07-robots/permissions): what a robot can be granted.
_PROJECT: Final = (
    "log:list project:read,delete,update metadata:read,create,delete,list,update"
    " repository:read,update,delete,list,pull,push artifact:read,create,list,delete"
    " scan:create,read,stop sbom:create,stop,read tag:create,list,delete accessory:list"
    " artifact-addition:read artifact-label:create,delete scanner:create,read"
    " preheat-policy:read,create,delete,list,update immutable-tag:create,delete,list,update"
    " notification-policy:read,create,delete,list,update"
    " tag-retention:read,create,delete,list,update label:read,create,delete,list,update"
    " quota:read robot:create,read,list,delete export-cve:create,read"
    " member:create,read,update,list,delete"
)
_SYSTEM: Final = (
    "audit-log:list preheat-instance:read,create,delete,list,update project:list,create"
    " replication-policy:read,create,delete,list,update replication:read,create,list"
    " replication-adapter:list registry:read,create,delete,list,update"
    " scan-all:read,update,stop,create system-volumes:read"
    " garbage-collection:read,create,list,update,stop purge-audit:read,create,list,update,stop"
    " jobservice-monitor:list,stop scanner:read,create,delete,list,update"
    " label:read,create,delete,update security-hub:read,list catalog:read quota:read,list"
    " robot:create,read,list,delete user:create,read,update,list,delete ldap-user:create,list"
    " quota:update user-group:create,read,update,list,delete"
)


def _granted(text: str) -> tuple[tuple[str, str], ...]:
    parts = (part.partition(":") for part in text.split())
    return tuple((name, action) for name, _, actions in parts for action in actions.split(","))


_BODY: Final = {
    "name": "string",
    "description": "string",
    "level": "string",
    "duration": "int64",
    "disable": "bool",
    "permissions": "list",
}
_PERMISSION: Final = {"kind": "string", "namespace": "string", "access": "list"}
_ACCESS: Final = {"resource": "string", "action": "string"}
_GRANTABLE: Final = {"project": _granted(_PROJECT), "system": _granted(_SYSTEM)}
_FIELDS: Final[Mapping[str, Callable[[HarborRobot], Any]]] = {
    "id": lambda each: each.id,
    "name": lambda each: each.name,
    "Level": lambda each: each.level,
    "ProjectID": lambda each: each.project.id if each.project is not None else 0,
    "creation_time": lambda each: each.created,
}


def create_robot(context: Context) -> Response:
    """Make a robot; this is the only time its secret is told."""
    body = typed(context.body, "robot", "RobotCreate", _BODY)
    level, name = body.get("level", ""), body.get("name", "")
    _check_duration(body)
    if level not in {"system", "project"}:
        refuse.bad_request(f"bad request error level input: {level}")
    permissions = _permissions(body)
    project = _project_of(context, level, permissions)
    _require(context, project, "create")
    if _NAME.fullmatch(name) is None:
        refuse.bad_request("robot name is not in lower case or contains illegal characters")
    _check_permissions(context, level, permissions)
    robot = context.state.add_robot(
        name,
        permissions=permissions,
        project=project,
        duration=body["duration"],
        description=body.get("description", ""),
        creator=context.identity.user.id if context.identity.user is not None else 0,
    )
    _note(context, "create", robot)
    shown = {
        "creation_time": date(robot.created),
        "expires_at": robot.expires,
        "id": robot.id,
        "name": robot.name,
        "secret": robot.secret,
    }
    return json_response(201, shown, {"Location": f"{BASE}/robots/{robot.id}"})


def list_robots(context: Context) -> Response:
    """List the robots of the system, or by ``q`` those of a project."""
    conditions = parse_q(context.query.get("q", ""))
    level = conditions.get("Level")
    if level is not None and level.value not in {"system", "project"}:
        refuse.bad_request("bad request error level input")
    if level is None or level.value != "project":
        context.require_system("robot", "list")
        rows = [each for each in context.state.robots.values() if each.level == "system"]
    else:
        number = conditions.get("ProjectID")
        if number is None or not str(number.value).isdecimal():
            refuse.bad_request("must with project ID when to query project robots")
        project = context.state.projects.get(int(number.value))
        if project is None:
            refuse.not_found(f"project {number.value} not found")
        context.require(project, "robot", "list")
        rows = list(context.state.robots.values())
    return context.page(rows, show_robot, fields=_FIELDS)


def get_robot(context: Context, robot: str) -> Response:
    """Show a robot, without its secret."""
    return ok(show_robot(_find(context, robot, "read")))


def update_robot(context: Context, robot: str) -> Response:
    """Change a robot: what it may do, until when, and whether it is disabled."""
    found = _find(context, robot, "update")
    body = typed(context.body, "robot", "Robot", _BODY)
    _check_duration(body)
    permissions = _permissions(body)
    _check_permissions(context, found.level, permissions)
    if (body.get("level"), body.get("name")) != (found.level, found.name):
        refuse.bad_request("cannot update the level or name of robot")
    found.permissions = permissions
    found.description = body.get("description", "")
    found.disabled = body.get("disable", False)
    found.duration = body["duration"]
    found.expires = _expiry(found)
    found.updated = context.state.clock.now()
    return done()


def rotate_secret(context: Context, robot: str) -> Response:
    """Give a robot the secret that is told, or tell a new one."""
    found = _find(context, robot, "update")
    secret = typed(context.body, "robotSec", "RobotSec", {"secret": "string"}).get("secret", "")
    if not secret:
        found.secret = new_secret()
        return ok({"secret": found.secret})
    if _SECRET.fullmatch(secret) is None:
        refuse.bad_request(
            "the secret must be 8-128, inclusively, characters long with at least 1 uppercase"
            " letter, 1 lowercase letter and 1 number"
        )
    found.secret = secret
    return ok({})


def delete_robot(context: Context, robot: str) -> Response:
    """Delete a robot."""
    found = _find(context, robot, "delete")
    del context.state.robots[found.id]
    _note(context, "delete", found)
    return done()


def list_permissions(context: Context) -> Response:
    """Show administrators what a robot can be granted."""
    identity = context.identity
    if not identity.known:
        refuse.unauthorized()
    projects = context.state.projects.values()
    if not any(identity.role(each) == "projectAdmin" for each in projects):
        refuse.forbidden("forbidden: only admins(system and project) can access permissions")
    return ok(
        {
            kind: [{"action": action, "resource": name} for name, action in pairs]
            for kind, pairs in _GRANTABLE.items()
        }
    )


def show_robot(robot: HarborRobot) -> dict[str, Any]:
    """Return a robot as the API shows it."""
    return full(description=robot.description) | {
        "creation_time": date(robot.created),
        "creator_ref": robot.creator,
        "creator_type": "local",
        "disable": robot.disabled,
        "duration": robot.duration,
        "editable": True,
        "expires_at": robot.expires,
        "id": robot.id,
        "level": robot.level,
        "name": robot.name,
        "permissions": [_shown(each) for each in robot.permissions],
        "update_time": date(robot.updated),
    }


def _shown(permission: Permission) -> dict[str, Any]:
    access = [{"action": action, "resource": name} for name, action in permission.access]
    return {"access": access, "kind": permission.kind, "namespace": permission.namespace}


def _permissions(body: Mapping[str, Any]) -> tuple[Permission, ...]:
    return tuple(
        Permission(
            kind=each.get("kind", ""),
            namespace=each.get("namespace", ""),
            access=tuple(
                (pair.get("resource", ""), pair.get("action", ""))
                for pair in _typed_each(each.get("access", ()), "Access", _ACCESS)
            ),
        )
        for each in _typed_each(body.get("permissions", ()), "RobotPermission", _PERMISSION)
    )


def _typed_each(
    rows: Iterable[Any], structure: str, fields: Mapping[str, str]
) -> Iterable[dict[str, Any]]:
    return (typed(row, "robot", structure, fields) for row in rows)


def _check_permissions(context: Context, level: str, permissions: tuple[Permission, ...]) -> None:
    """Refuse what cannot be granted, or not to a robot of this level."""
    if not permissions:
        refuse.bad_request("bad request empty permission")
    if not all(each.access for each in permissions):
        refuse.bad_request("bad request empty access")
    if level == "project" and (len(permissions) > 1 or permissions[0].kind != "project"):
        refuse.bad_request("bad request permission")
    for each in permissions:
        for pair in each.access:
            if pair not in _GRANTABLE.get(each.kind, ()):
                refuse.bad_request(f"bad request permission: {':'.join(pair)}")
        if each.kind == "project" and each.namespace != "*":
            context.state.project(each.namespace)


def _project_of(
    context: Context, level: str, permissions: tuple[Permission, ...]
) -> HarborProject | None:
    """Return the project a new robot belongs to: the one it has permissions in."""
    if level != "project" or not permissions:
        return None
    return context.state.project(permissions[0].namespace)


def _check_duration(body: Mapping[str, Any]) -> None:
    days = body.get("duration", 0)
    if days != -1 and days <= 0:
        refuse.bad_request(
            f"bad request error duration input: {days}, duration must be either -1(Never) or a"
            " positive integer"
        )


def _expiry(robot: HarborRobot) -> int:
    return -1 if robot.duration < 0 else int(robot.created.timestamp()) + robot.duration * 86_400


def _require(context: Context, project: HarborProject | None, action: str) -> None:
    if project is not None:
        context.require(project, "robot", action)
    else:
        context.require_system("robot", action)


def _find(context: Context, text: str, action: str) -> HarborRobot:
    if not context.identity.known:
        refuse.unauthorized()
    robot = context.state.robots.get(int(text)) if text.isdecimal() else None
    if robot is None:
        refuse.not_found(f"robot {text} not found")
    _require(context, robot.project, action)
    return robot


def _note(context: Context, operation: str, robot: HarborRobot) -> None:
    number = robot.project.id if robot.project is not None else 0
    context.state.note(operation, "robot", robot.name, by=context.identity.name, project_id=number)


ROUTES: Final[tuple[Route, ...]] = (
    route("GET", "/robots", list_robots),
    route("POST", "/robots", create_robot),
    route("GET", "/robots/{robot}", get_robot),
    route("PUT", "/robots/{robot}", update_robot),
    route("PATCH", "/robots/{robot}", rotate_secret),
    route("DELETE", "/robots/{robot}", delete_robot),
    route("GET", "/permissions", list_permissions, since=(2, 10)),
)
