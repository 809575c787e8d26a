"""Projects in the API of the emulated Harbor: made, found, listed, changed, deleted (HARBOR-7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_access import ROLE_IDS
from harborsync.testing.harbor_router import BASE, Context, Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_wire import NEVER, created, date, done, full, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harborsync.testing.harbor_state import HarborProject
    from harborsync.testing.server_wire import Response

_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_LONGEST: Final = 255
_BODY: Final = {
    "project_name": "string",
    "public": "bool",
    "metadata": "object",
    "storage_limit": "int64",
    "registry_id": "int64",
}
_METADATA: Final = dict.fromkeys(
    (
        "public",
        "enable_content_trust",
        "enable_content_trust_cosign",
        "prevent_vul",
        "severity",
        "auto_scan",
        "auto_sbom_generation",
        "reuse_sys_cve_allowlist",
        "retention_id",
        "proxy_speed_kb",
        "max_upstream_conn",
    ),
    "string",
)
_BOOLEAN: Final = frozenset({"true", "false"})
_ALONE: Final = {
    **dict.fromkeys(
        ("public", "enable_content_trust", "enable_content_trust_cosign", "prevent_vul"), _BOOLEAN
    ),
    "auto_scan": _BOOLEAN,
    "severity": frozenset({"none", "low", "medium", "high", "critical"}),
}
_FIELDS: Final[Mapping[str, Callable[[HarborProject], Any]]] = {
    "name": lambda each: each.name,
    "project_id": lambda each: each.id,
    "public": lambda each: str(each.public).lower(),
    "owner": lambda each: each.owner.name,
    "creation_time": lambda each: each.created,
    "update_time": lambda each: each.updated,
}


def create_project(context: Context) -> Response:
    """Make a project; a system robot may unless only administrators can (HARBOR-11)."""
    body = typed(context.body, "project", "ProjectReq", _BODY)
    name = body.get("project_name", "")
    if len(name) > _LONGEST:
        refuse.unprocessable(
            "validation failure list:\nproject_name in body should be at most 255 chars long"
        )
    _check_creator(context, body)
    _check_name(name)
    project = context.state.add_project(
        name,
        owner=context.identity.user or context.state.users["admin"],
        metadata=_new_metadata(body),
        limit=_limit(context, body),
        registry_id=body.get("registry_id", 0),
    )
    context.state.note("create", "project", name, by=context.identity.name, project_id=project.id)
    by_name = context.request.headers.get("x-resource-name-in-location", "").lower() == "true"
    return created(f"{BASE}/projects/{name if by_name else project.id}")


def head_project(context: Context) -> Response:
    """Tell whether there is a project of a name, to whom may see it."""
    name = context.query.get("project_name", "")
    found = context.state.find_project(name)
    if found is None and context.identity.known:
        refuse.not_found(f"project {name} not found")
    context.require(found or name, "project", "read")
    return done()


def list_projects(context: Context) -> Response:
    """List the projects the caller may see."""
    rows = [each for each in context.state.projects.values() if context.identity.sees(each)]
    name, public = context.query.get("name"), context.query.get("public")
    owner = context.query.get("owner")
    rows = [
        each
        for each in rows
        if (not name or name in each.name)
        and (public is None or each.public is (public.lower() in {"true", "1"}))
        and (not owner or each.owner.name == owner)
    ]
    detail = context.flag("with_detail", usual=True)
    return context.page(
        rows,
        lambda each: show_project(context, each, detail=detail),
        fields=_FIELDS,
        default="name",
    )


def get_project(context: Context, project: str) -> Response:
    """Show a project."""
    found = context.require(project, "project", "read")
    return ok(show_project(context, found, detail=True))


def update_project(context: Context, project: str) -> Response:
    """Change the metadata of a project."""
    found = context.require(project, "project", "update")
    found.metadata.update(_metadata(typed(context.body, "project", "ProjectReq", _BODY)))
    found.updated = context.state.clock.now()
    return done()


def delete_project(context: Context, project: str) -> Response:
    """Delete a project that is empty."""
    found = context.require(project, "project", "delete")
    if context.state.repositories_of(found):
        refuse.precondition(
            "precondition failed: the project contains repositories, can not be deleted"
        )
    context.state.delete_project(found)
    context.state.note("delete", "project", found.name, by=context.identity.name)
    return done()


def tell_deletable(context: Context, project: str) -> Response:
    """Tell whether a project could be deleted."""
    found = context.require(project, "project", "delete")
    if context.state.repositories_of(found):
        return ok(
            {"deletable": False, "message": "the project contains repositories, can not be deleted"}
        )
    return ok({"deletable": True})


def get_summary(context: Context, project: str) -> Response:
    """Show the numbers of a project: repositories, quota, members."""
    found = context.require(project, "project", "read")
    summary: dict[str, Any] = {"repo_count": len(context.state.repositories_of(found))}
    if context.may(found, "quota", "read") or context.identity.robot is not None:
        summary["quota"] = {"hard": {"storage": found.limit}, "used": {"storage": found.used}}
    if context.may(found, "member", "list"):
        summary["project_admin_count"] = _administrators(found)
    return ok(summary)


def get_metadata(context: Context, project: str) -> Response:
    """Show the metadata of a project."""
    return ok(context.require(project, "metadata", "read").metadata)


def add_metadata(context: Context, project: str) -> Response:
    """Set one entry of the metadata of a project."""
    found = context.require(project, "metadata", "create")
    found.metadata.update(_checked(context.body))
    return done()


def update_metadata(context: Context, project: str, name: str) -> Response:
    """Change one entry of the metadata of a project."""
    found = context.require(project, "metadata", "update")
    found.metadata.update(_checked({name: context.body.get(name, "")}))
    return done()


def delete_metadata(context: Context, project: str, name: str) -> Response:
    """Take one entry from the metadata of a project."""
    context.require(project, "metadata", "delete").metadata.pop(name, None)
    return done()


def show_project(context: Context, project: HarborProject, *, detail: bool) -> dict[str, Any]:
    """Return a project as the API shows it."""
    allowlist: dict[str, Any] = {
        "creation_time": date(NEVER),
        "items": [] if detail else None,
        "update_time": date(NEVER),
    }
    if detail:
        allowlist |= {"id": project.id, "project_id": project.id}
    role = ROLE_IDS.get(context.identity.role(project))
    shown = full(
        current_user_role_id=role,
        name=project.name,
        owner_id=project.owner.id,
        owner_name=project.owner.name if detail else "",
        project_id=project.id,
        registry_id=project.registry_id,
        metadata=dict(project.metadata) if detail else None,
    )
    return shown | {
        "creation_time": date(project.created),
        "current_user_role_ids": [role] if role else None,
        "cve_allowlist": allowlist,
        "repo_count": len(context.state.repositories_of(project)),
        "update_time": date(project.updated),
    }


def _administrators(project: HarborProject) -> int:
    return sum(each.role == "projectAdmin" for each in project.members.values())


def _check_creator(context: Context, body: Mapping[str, Any]) -> None:
    identity = context.identity
    if not identity.known:
        refuse.unauthorized()
    if identity.robot is not None and identity.robot.level == "project":
        refuse.forbidden("Only system level robot can create project")
    if identity.may_in_system("project", "create"):
        return
    if context.state.settings["project_creation_restriction"] != "everyone":
        refuse.forbidden("Only system admin can create project")
    if "registry_id" in body:
        refuse.forbidden("Only system admin can create proxy cache project")


def _check_name(name: str) -> None:
    if not name:
        refuse.bad_request(
            f"Project name {name} is illegal in length. (greater than 255 or less than 1)"
        )
    if _NAME.fullmatch(name) is None:
        refuse.bad_request("project name is not in lower case or contains illegal characters")


def _new_metadata(body: Mapping[str, Any]) -> dict[str, str]:
    """Return what a new project begins with; that it is public could once be told beside."""
    metadata = _metadata(body)
    if "public" in body:
        metadata.setdefault("public", str(body["public"]).lower())
    public = metadata.get("public", "false")
    if public not in _BOOLEAN:
        refuse.bad_request(f"metadata.public should only be 'true' or 'false', but got: '{public}'")
    return metadata


def _limit(context: Context, body: Mapping[str, Any]) -> int:
    """Return the bytes a new project may hold; only an administrator chooses them."""
    usual = int(context.state.settings["storage_per_project"])
    return (body.get("storage_limit") or usual) if context.identity.admin else usual


def _checked(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return an entry of the metadata that may be set by itself, by project_metadata.go."""
    if len(entry) != 1:
        refuse.bad_request("only allow one key/value pair")
    ((name, value),) = entry.items()
    if name not in _ALONE:
        refuse.bad_request(f"invalid key: {name}")
    if str(value).lower() not in _ALONE[name]:
        refuse.bad_request(f"invalid value: {value}")
    return {name: str(value).lower()}


def _metadata(body: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata of a body that Harbor knows; all of them are strings (HARBOR-7)."""
    return typed(body.get("metadata"), "project", "ProjectMetadata", _METADATA)


ROUTES: Final[tuple[Route, ...]] = (
    route("HEAD", "/projects", head_project),
    route("POST", "/projects", create_project),
    route("GET", "/projects", list_projects),
    route("GET", "/projects/{project}", get_project),
    route("PUT", "/projects/{project}", update_project),
    route("DELETE", "/projects/{project}", delete_project),
    route("GET", "/projects/{project}/_deletable", tell_deletable),
    route("GET", "/projects/{project}/summary", get_summary),
    route("GET", "/projects/{project}/metadatas", get_metadata),
    route("POST", "/projects/{project}/metadatas", add_metadata),
    route("PUT", "/projects/{project}/metadatas/{name}", update_metadata),
    route("DELETE", "/projects/{project}/metadatas/{name}", delete_metadata),
)
