"""Labels in the API of the emulated Harbor, global ones and those of projects (HARBOR-7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_router import BASE, Context, Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_shapes import show_label
from harborsync.testing.harbor_state import HarborLabel
from harborsync.testing.harbor_wire import created, done, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harborsync.testing.server_wire import Response

_LONGEST: Final = 128
_BODY: Final = {
    "name": "string",
    "description": "string",
    "color": "string",
    "scope": "string",
    "project_id": "int64",
}
_FIELDS: Final[Mapping[str, Callable[[HarborLabel], Any]]] = {
    "id": lambda each: each.id,
    "name": lambda each: each.name,
    "scope": lambda each: each.scope,
    "creation_time": lambda each: each.created,
    "update_time": lambda each: each.updated,
}


def list_labels(context: Context) -> Response:
    """List the labels of a scope, which must be told; global ones to anybody."""
    scope = context.query.get("scope", "")
    if scope not in {"g", "p"}:
        refuse.bad_request(f"invalid scope: {scope}")
    number = _project_id(context) if scope == "p" else 0
    name = context.query.get("name", "")
    rows = [
        each
        for each in context.state.labels.values()
        if (each.scope, each.project_id) == (scope, number) and name in each.name
    ]
    return context.page(rows, show_label, fields=_FIELDS, default="")


def create_label(context: Context) -> Response:
    """Make a label; neither its name nor its project is looked at (HARBOR-4)."""
    body = typed(context.body, "label", "Label", _BODY)
    scope = body.get("scope", "")
    if scope not in {"g", "p"}:
        refuse.bad_request("unsupported label scope")
    number = body.get("project_id", 0) if scope == "p" else 0
    _require(context, number, "create")
    name = body.get("name", "")
    _check_name(context, name, scope, number)
    now = context.state.clock.now()
    label = HarborLabel(
        id=context.state.next_id("label"),
        name=name,
        description=body.get("description", ""),
        color=body.get("color", ""),
        scope=scope,
        project_id=number,
        created=now,
        updated=now,
    )
    context.state.labels[label.id] = label
    return created(f"{BASE}/labels/{label.id}")


def get_label(context: Context, label: str) -> Response:
    """Show a label."""
    found = _find(context, label)
    if found.scope == "p":
        _require(context, found.project_id, "read")
    return ok(show_label(found))


def update_label(context: Context, label: str) -> Response:
    """Change a label's name, description and colour."""
    found = _find(context, label)
    _require(context, found.project_id, "update")
    body = typed(context.body, "label", "Label", _BODY)
    name = body.get("name", "")
    if name != found.name:
        _check_name(context, name, found.scope, found.project_id)
    found.name = name
    found.description = body.get("description", "")
    found.color = body.get("color", "")
    found.updated = context.state.clock.now()
    # The list has no order of its own: a row that is written again comes last.
    context.state.labels[found.id] = context.state.labels.pop(found.id)
    return done()


def delete_label(context: Context, label: str) -> Response:
    """Delete a label, wherever it is attached."""
    found = _find(context, label)
    _require(context, found.project_id, "delete")
    del context.state.labels[found.id]
    for repository in context.state.repositories.values():
        for artifact in repository.artifacts.values():
            if found.id in artifact.label_ids:
                artifact.label_ids.remove(found.id)
    return done()


def _project_id(context: Context) -> int:
    text = context.query.get("project_id", "")
    if not text.isdecimal() or not int(text):
        refuse.bad_request("must with project ID when to query project labels")
    _require(context, int(text), "list")
    return int(text)


def _require(context: Context, project_id: int, action: str) -> None:
    """Refuse a caller who may not do something to labels of a project, or to global ones."""
    project = context.state.projects.get(project_id)
    if project is not None:
        context.require(project, "label", action)
    else:
        context.require_system("label", action)


def _check_name(context: Context, name: str, scope: str, project_id: int) -> None:
    """Refuse a name that is taken, or blankly one that the database has no room for (HARBOR-2)."""
    if len(name) > _LONGEST:
        refuse.internal()
    wanted = (name, scope, project_id)
    held = context.state.labels.values()
    if any((each.name, each.scope, each.project_id) == wanted for each in held):
        refuse.conflict(f"label {name} already exists")


def _find(context: Context, text: str) -> HarborLabel:
    return context.state.label(int(text) if text.isdecimal() else 0)


ROUTES: Final[tuple[Route, ...]] = (
    route("GET", "/labels", list_labels),
    route("POST", "/labels", create_label),
    route("GET", "/labels/{label}", get_label),
    route("PUT", "/labels/{label}", update_label),
    route("DELETE", "/labels/{label}", delete_label),
)
