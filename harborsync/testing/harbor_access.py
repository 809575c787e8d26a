"""Who calls the emulated Harbor, and what they may do: users, robots, tokens, anybody.

Permissions are pairs of a resource and an action, in a project or in the whole system. Users
have them by their role in a project, robots by their blocks of permissions, everybody has the
reading ones of a public project (HARBOR-11).
"""

from __future__ import annotations

import base64
import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harborsync.testing.harbor_state import HarborProject, HarborRobot, HarborState, HarborUser
    from harborsync.testing.server_wire import Request

#: How long the answer to a wrong password is held, and that user locked (HARBOR-5).
LOCK_SECONDS: Final = 1.5
#: Who does what a Harbor does by itself; its reading is no pull (HARBOR-6).
JOBSERVICE: Final = "harbor-jobservice"


def _pairs(text: str) -> frozenset[tuple[str, str]]:
    """Read ``label:read,list tag:list``."""
    parts = (part.partition(":") for part in text.split())
    return frozenset((name, action) for name, _, actions in parts for action in actions.split(","))


# What a new Harbor grants the roles of a project, by src/common/rbac/project/rbac_util.go.
_LIMITED_GUEST: Final = _pairs(
    "project:read quota:read repository:list,read,pull configuration:read scan:read sbom:read"
    " scanner:read tag:list accessory:list artifact:read,list artifact-addition:read"
)
_GUEST: Final = _LIMITED_GUEST | _pairs("member:read,list label:read,list robot:read,list")
_DEVELOPER: Final = _GUEST | _pairs(
    "repository:create,update,push tag-retention:create,read,update,delete,list,operate"
    " artifact:create tag:create artifact-label:create,delete export-cve:create,read,list"
)
_MAINTAINER: Final = _DEVELOPER | _pairs(
    "metadata:read label:create,update,delete repository:delete"
    " immutable-tag:create,update,delete,list notification-policy:read,list scan:create,stop"
    " sbom:create,stop artifact:delete tag:delete"
)
_PROJECT_ADMIN: Final = _MAINTAINER | _pairs(
    "project:update,delete member:create,update,delete metadata:create,update,delete,list log:list"
    " configuration:update robot:create,update,delete notification-policy:create,update,delete"
    " scanner:create preheat-policy:create,read,update,delete,list"
)
_ROLES: Final[Mapping[str, frozenset[tuple[str, str]]]] = {
    "projectAdmin": _PROJECT_ADMIN,
    "maintainer": _MAINTAINER,
    "developer": _DEVELOPER,
    "guest": _GUEST,
    "limitedGuest": _LIMITED_GUEST,
}
#: The names of the roles, the mightiest first.
ROLES: Final = tuple(_ROLES)
#: The numbers Harbor gives them.
ROLE_IDS: Final[Mapping[str, int]] = {
    "projectAdmin": 1,
    "developer": 2,
    "guest": 3,
    "maintainer": 4,
    "limitedGuest": 5,
}
_PUBLIC: Final = _pairs(
    "project:read label:read,list repository:list,pull tag:list accessory:list"
    " artifact:read,list artifact-addition:read scan:read scanner:read"
)


@attrs.frozen(kw_only=True)
class Identity:
    """Who a request comes from.

    Attributes:
        name: The login name, or empty for anybody.
        user: Set for a user.
        robot: Set for a robot.
        grants: Set for a bearer of a token: the actions it holds, by repository.
    """

    name: str = ""
    user: HarborUser | None = None
    robot: HarborRobot | None = None
    grants: Mapping[str, frozenset[str]] | None = None

    @property
    def known(self) -> bool:
        """Whether they have logged in."""
        return bool(self.user or self.robot or self.grants is not None)

    @property
    def admin(self) -> bool:
        """Whether they administer the whole Harbor."""
        return self.user is not None and self.user.admin

    def may(self, project: HarborProject, resource: str, action: str) -> bool:
        """Tell whether they may do that in a project."""
        wanted = (resource, action)
        if self.admin or (project.public and wanted in _PUBLIC):
            return True
        if self.robot is not None:
            return wanted in _granted(self.robot, "project", project.name, "*")
        return wanted in _ROLES.get(self.role(project), frozenset())

    def may_in_system(self, resource: str, action: str) -> bool:
        """Tell whether they may do that to the system."""
        if self.robot is not None:
            return (resource, action) in _granted(self.robot, "system", "/")
        return self.admin

    def role(self, project: HarborProject) -> str:
        """Return their role in a project, or an empty string."""
        if self.user is None:
            return ""
        member = project.members.get(self.user.name)
        return "projectAdmin" if self.admin else member.role if member is not None else ""

    def sees(self, project: HarborProject) -> bool:
        """Tell whether a list of projects shows it to them."""
        if project.public or self.admin or self.role(project):
            return True
        blocks = self.robot.permissions if self.robot is not None else ()
        return any(
            each.kind == "project" and each.namespace in {project.name, "*"} for each in blocks
        )


ANYBODY: Final = Identity()


def basic_login(request: Request) -> tuple[str, str] | None:
    """Return the name and password of a Basic header, or None if there is none."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, _, password = base64.b64decode(encoded).decode().partition(":")
    except ValueError:
        return None
    return name, password


def internal_login(state: HarborState) -> str:
    """Return the ``Authorization`` by which the job service of a Harbor comes to it."""
    return f"Harbor-Secret {state.secret}"


def identify(state: HarborState, request: Request) -> Identity:
    """Return who a request with Basic credentials, or with none, comes from.

    Wrong ones make it a request of anybody: whether that is enough is for the handler to say.
    """
    if request.headers.get("authorization") == internal_login(state):
        return Identity(name=JOBSERVICE, user=state.users["admin"])
    login = basic_login(request)
    if login is None:
        return ANYBODY
    name, password = login
    if name.startswith(state.settings["robot_name_prefix"]):
        return _robot(state, name, password)
    return _user(state, name, password)


def _robot(state: HarborState, name: str, secret: str) -> Identity:
    with state.lock:
        robot = next((each for each in state.robots.values() if each.name == name), None)
    if robot is None or robot.disabled or not _same(robot.secret, secret):
        return ANYBODY
    expired = 0 <= robot.expires <= state.clock.now().timestamp()
    return ANYBODY if expired else Identity(name=name, robot=robot)


def _user(state: HarborState, name: str, password: str) -> Identity:
    """Check a password; a wrong one is answered late and locks its user meanwhile (HARBOR-5)."""
    now = state.clock.now()
    with state.lock:
        if state.locked.get(name, now) > now:
            return ANYBODY
        user = state.users.get(name)
        if user is not None and _same(user.password, password):
            return Identity(name=name, user=user)
        state.locked[name] = now + timedelta(seconds=LOCK_SECONDS)
    state.clock.sleep(LOCK_SECONDS)
    return ANYBODY


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _granted(robot: HarborRobot, kind: str, *namespaces: str) -> Iterable[Any]:
    blocks = (each for each in robot.permissions if each.kind == kind)
    return {pair for each in blocks if each.namespace in namespaces for pair in each.access}
