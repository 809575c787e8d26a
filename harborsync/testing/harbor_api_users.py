"""Users, and who of them is in which project, in the API of the emulated Harbor.

By src/server/v2.0/handler/user.go and member.go, but for ``/users/current``, which was recorded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_access import ROLE_IDS
from harborsync.testing.harbor_router import BASE, Context, Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_wire import created, date, done, full, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harborsync.testing.harbor_state import HarborMember, HarborProject, HarborUser
    from harborsync.testing.server_wire import Response

_PASSWORD: Final = re.compile(r"(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9]).{8,}", re.DOTALL)
_EMAIL: Final = re.compile(r"[^\s@]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,}")
_USER: Final = dict.fromkeys(("username", "password", "email", "realname", "comment"), "string")
_ROLES: Final = {number: name for name, number in ROLE_IDS.items()}
_USER_FIELDS: Final[Mapping[str, Callable[[HarborUser], Any]]] = {
    "user_id": lambda each: each.id,
    "username": lambda each: each.name,
    "email": lambda each: each.email,
    "creation_time": lambda each: each.created,
}
_MEMBER_FIELDS: Final[Mapping[str, Callable[[HarborMember], Any]]] = {"id": lambda each: each.id}


# --- users -----------------------------------------------------------------------------------


def get_current_user(context: Context) -> Response:
    """Tell a user who they are; a robot is no user (HARBOR-1)."""
    identity = context.identity
    if identity.robot is not None:
        refuse.precondition("get current user not available for security context: robot")
    if identity.user is None:
        refuse.unauthorized()
    return ok(show_user(identity.user))


def list_users(context: Context) -> Response:
    """List all users."""
    context.require_system("user", "list")
    name, email = context.query.get("username", ""), context.query.get("email", "")
    rows = [
        each for each in context.state.users.values() if name in each.name and email in each.email
    ]
    return context.page(rows, show_user, fields=_USER_FIELDS, default="-user_id")


def search_users(context: Context) -> Response:
    """List the users with a name like that, to whom is known."""
    if not context.identity.known:
        refuse.unauthorized()
    name = context.query.get("username", "")
    rows = [each for each in context.state.users.values() if name in each.name]
    return context.show_page(rows, lambda each: {"user_id": each.id, "username": each.name})


def create_user(context: Context) -> Response:
    """Make a user."""
    context.require_system("user", "create")
    body = typed(context.body, "user", "UserCreationReq", _USER)
    name = body.get("username", "")
    _check_password(body.get("password", ""))
    _check_email(body.get("email", ""))
    if name in context.state.users:
        refuse.conflict(f"User {name} or email {body['email']} already exists")
    user = context.state.add_user(
        name,
        body["password"],
        email=body["email"],
        realname=body.get("realname", ""),
        comment=body.get("comment", ""),
    )
    return created(f"{BASE}/users/{user.id}")


def get_user(context: Context, user: str) -> Response:
    """Show a user, to themselves or to an administrator."""
    return ok(show_user(_find_user(context, user, "read")))


def delete_user(context: Context, user: str) -> Response:
    """Delete a user; neither oneself nor the first administrator."""
    context.require_system("user", "delete")
    found = _find_user(context, user, "delete")
    if found.id == 1 or found is context.identity.user:
        refuse.forbidden(f"User with ID {found.id} cannot be deleted")
    del context.state.users[found.name]
    for project in context.state.projects.values():
        project.members.pop(found.name, None)
    return done()


def set_password(context: Context, user: str) -> Response:
    """Give a user another password; their own they must tell first."""
    found = _find_user(context, user, "update")
    fields = {"old_password": "string", "new_password": "string"}
    body = typed(context.body, "password", "PasswordReq", fields)
    new = body.get("new_password", "")
    if found is context.identity.user and body.get("old_password") != found.password:
        refuse.forbidden("Current password is incorrect")
    _check_password(new)
    if new == found.password:
        refuse.bad_request("New password is identical to old password")
    found.password = new
    return done()


def set_admin(context: Context, user: str) -> Response:
    """Make a user an administrator, or no longer one."""
    context.require_system("user", "update")
    found = _find_user(context, user, "update")
    body = typed(context.body, "sysadmin_flag", "UserSysAdminFlag", {"sysadmin_flag": "bool"})
    found.admin = body.get("sysadmin_flag", False)
    return done()


def show_user(user: HarborUser) -> dict[str, Any]:
    """Return a user as the API shows them."""
    return full(comment=user.comment, email=user.email, realname=user.realname) | {
        "admin_role_in_auth": False,
        "creation_time": date(user.created),
        "sysadmin_flag": user.admin,
        "update_time": date(user.created),
        "user_id": user.id,
        "username": user.name,
    }


def _find_user(context: Context, text: str, action: str) -> HarborUser:
    """Return the user of a number, to themselves or to whom may do that to all users."""
    identity = context.identity
    if not identity.known:
        refuse.unauthorized()
    users = context.state.users.values()
    found = next((each for each in users if str(each.id) == text), None)
    own = found is not None and found is identity.user
    if not own and not identity.may_in_system("user", action):
        refuse.forbidden(f"Not authorized to {action} user: {text}")
    if found is None:
        refuse.not_found(f"user {text} not found")
    return found


def _check_password(password: str) -> None:
    if _PASSWORD.fullmatch(password) is None:
        refuse.bad_request(
            "the password or secret must be longer than 8 chars with at least 1 uppercase letter,"
            " 1 lowercase letter and 1 number"
        )


def _check_email(email: str) -> None:
    if not email:
        refuse.bad_request("email can't be empty")
    if _EMAIL.fullmatch(email) is None:
        refuse.bad_request("email with illegal format")


# --- members of a project --------------------------------------------------------------------


def list_members(context: Context, project: str) -> Response:
    """List the users with a role in a project."""
    found = context.require(project, "member", "list")
    name = context.query.get("entityname", "")
    rows = [each for each in found.members.values() if name in each.user.name]
    return context.page(
        rows, lambda each: _show_member(found, each), fields=_MEMBER_FIELDS, default="id"
    )


def create_member(context: Context, project: str) -> Response:
    """Give a user a role in a project."""
    found = context.require(project, "member", "create")
    body = typed(
        context.body,
        "project_member",
        "ProjectMember",
        {"role_id": "int64", "member_user": "object"},
    )
    role = _role(body)
    name = typed(body.get("member_user"), "project_member", "UserEntity", {"username": "string"})
    user = context.state.users.get(name.get("username", ""))
    if user is None:
        refuse.not_found(f"user {name.get('username', '')} not found")
    if user.name in found.members:
        refuse.conflict("The project member is already exist")
    member = context.state.add_member(found, user, role)
    return created(f"{BASE}/projects/{project}/members/{member.id}")


def get_member(context: Context, project: str, member: str) -> Response:
    """Show a member."""
    found = context.require(project, "member", "read")
    return ok(_show_member(found, _find_member(found, member)))


def update_member(context: Context, project: str, member: str) -> Response:
    """Give a member another role."""
    found = context.require(project, "member", "update")
    row = _find_member(found, member)
    row.role = _role(typed(context.body, "role", "RoleRequest", {"role_id": "int64"}))
    return done()


def delete_member(context: Context, project: str, member: str) -> Response:
    """Take a member's role away."""
    found = context.require(project, "member", "delete")
    del found.members[_find_member(found, member).user.name]
    return done()


def _role(body: Mapping[str, Any]) -> str:
    number = body.get("role_id", 0)
    if number not in _ROLES:
        refuse.bad_request("the role_id is invalid")
    return _ROLES[number]


def _find_member(project: HarborProject, text: str) -> HarborMember:
    members = project.members.values()
    found = next((each for each in members if str(each.id) == text), None)
    if found is None:
        refuse.not_found(f"the project member of id {text} not found")
    return found


def _show_member(project: HarborProject, member: HarborMember) -> dict[str, Any]:
    return {
        "entity_id": member.user.id,
        "entity_name": member.user.name,
        "entity_type": "u",
        "id": member.id,
        "project_id": project.id,
        "role_id": ROLE_IDS[member.role],
        "role_name": member.role,
    }


_MEMBERS: Final = "/projects/{project}/members"
ROUTES: Final[tuple[Route, ...]] = (
    route("GET", "/users", list_users),
    route("POST", "/users", create_user),
    route("GET", "/users/current", get_current_user),
    route("GET", "/users/search", search_users),
    route("GET", "/users/{user}", get_user),
    route("DELETE", "/users/{user}", delete_user),
    route("PUT", "/users/{user}/password", set_password),
    route("PUT", "/users/{user}/sysadmin", set_admin),
    route("GET", _MEMBERS, list_members),
    route("POST", _MEMBERS, create_member),
    route("GET", f"{_MEMBERS}/{{member}}", get_member),
    route("PUT", f"{_MEMBERS}/{{member}}", update_member),
    route("DELETE", f"{_MEMBERS}/{{member}}", delete_member),
)
