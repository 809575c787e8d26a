"""Quotas, rules of immutable tags and the audit log in the API of the emulated Harbor (HARBOR-13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_router import BASE, Context, Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_wire import created, date, done, full, ok

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harborsync.testing.harbor_state import AuditEntry, HarborProject
    from harborsync.testing.server_wire import Response

_RULE: Final = {
    "action": "string",
    "disabled": "bool",
    "priority": "int64",
    "scope_selectors": "object",
    "tag_selectors": "list",
    "template": "string",
}
_QUOTA_FIELDS: Final[Mapping[str, Callable[[HarborProject], Any]]] = {
    "id": lambda each: each.quota_id,
    "creation_time": lambda each: each.created,
    "update_time": lambda each: each.quota_updated,
    "hard.storage": lambda each: each.limit,
    "used.storage": lambda each: each.used,
}
_AUDIT_FIELDS: Final[Mapping[str, Callable[[AuditEntry], Any]]] = {
    "id": lambda each: each.id,
    "operation": lambda each: each.operation,
    "resource": lambda each: each.resource,
    "resource_type": lambda each: each.kind,
    "username": lambda each: each.username,
    "op_time": lambda each: each.at,
}
_RULE_FIELDS: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "id": lambda each: each["id"]
}


# --- quotas ----------------------------------------------------------------------------------


def list_quotas(context: Context) -> Response:
    """List what projects may hold and what they do."""
    context.require_system("quota", "list")
    rows = list(context.state.projects.values())
    wanted = context.query.get("reference_id")
    if wanted:
        rows = [each for each in rows if str(each.id) == wanted]
    return context.page(rows, _show_quota, fields=_QUOTA_FIELDS)


def get_quota(context: Context, quota: str) -> Response:
    """Show a quota."""
    return ok(_show_quota(_find_quota(context, quota, "read")))


def update_quota(context: Context, quota: str) -> Response:
    """Set how many bytes a project may hold."""
    found = _find_quota(context, quota, "update")
    hard = typed(context.body, "hard", "QuotaUpdateReq", {"hard": "object"}).get("hard")
    found.limit = typed(hard, "hard", "ResourceList", {"storage": "int64"}).get(
        "storage", found.limit
    )
    found.quota_updated = context.state.clock.now()
    return done()


def _find_quota(context: Context, text: str, action: str) -> HarborProject:
    context.require_system("quota", action)
    projects = context.state.projects.values()
    found = next((each for each in projects if str(each.quota_id) == text), None)
    if found is None:
        refuse.not_found(f"quota {text} not found")
    return found


def _show_quota(project: HarborProject) -> dict[str, Any]:
    return {
        "creation_time": date(project.created),
        "hard": {"storage": project.limit},
        "id": project.quota_id,
        "ref": {"id": project.id, "name": project.name, "owner_name": ""},
        "update_time": date(project.quota_updated),
        "used": {"storage": project.used},
    }


# --- immutable tags --------------------------------------------------------------------------


def list_rules(context: Context, project: str) -> Response:
    """List the rules of a project's immutable tags."""
    found = context.require(project, "immutable-tag", "list")
    return context.page(found.immutable_rules.values(), _show_rule, fields=_RULE_FIELDS)


def create_rule(context: Context, project: str) -> Response:
    """Protect the tags that a rule selects."""
    found = context.require(project, "immutable-tag", "create")
    rule = _rule(typed(context.body, "rule", "ImmutableRule", _RULE))
    if any(_same(each, rule) for each in found.immutable_rules.values()):
        refuse.conflict("immutable rule already exists")
    number = context.state.next_id("immutable rule")
    found.immutable_rules[number] = {**rule, "id": number}
    return created(f"{BASE}/projects/{project}/immutabletagrules/{number}")


def update_rule(context: Context, project: str, rule: str) -> Response:
    """Replace a rule."""
    found = context.require(project, "immutable-tag", "update")
    number = _rule_number(found, rule)
    body = typed(context.body, "rule", "ImmutableRule", _RULE)
    found.immutable_rules[number] = {**_rule(body), "id": number}
    return done()


def delete_rule(context: Context, project: str, rule: str) -> Response:
    """Delete a rule; what it protected can change again."""
    found = context.require(project, "immutable-tag", "delete")
    del found.immutable_rules[_rule_number(found, rule)]
    return done()


def _rule(body: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "action": body.get("action", "immutable"),
        "disabled": body.get("disabled", False),
        "priority": body.get("priority", 0),
        "scope_selectors": body.get("scope_selectors", {}),
        "tag_selectors": body.get("tag_selectors", []),
        "template": body.get("template", "immutable_template"),
    }


def _same(held: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    return all(held[name] == rule[name] for name in ("scope_selectors", "tag_selectors"))


def _rule_number(project: HarborProject, text: str) -> int:
    if not text.isdecimal() or int(text) not in project.immutable_rules:
        refuse.not_found(f"immutable tag rule {text} not found")
    return int(text)


def _show_rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    return full(**rule)


# --- audit log -------------------------------------------------------------------------------


def list_audit(context: Context) -> Response:
    """List what was done in the whole Harbor."""
    context.require_system("audit-log", "list")
    return _audit(context, context.state.audit)


def list_project_audit(context: Context, project: str) -> Response:
    """List what was done in a project."""
    found = context.require(project, "log", "list")
    return _audit(context, [each for each in context.state.audit if each.project_id == found.id])


def list_old_audit(context: Context) -> Response:
    """List what was done by the older address, which tells nothing since there is a newer."""
    context.require_system("audit-log", "list")
    return _old_audit(context, context.state.audit)


def list_old_project_audit(context: Context, project: str) -> Response:
    """List what was done in a project by the older address."""
    found = context.require(project, "log", "list")
    return _old_audit(
        context, [each for each in context.state.audit if each.project_id == found.id]
    )


def _audit(context: Context, rows: Iterable[AuditEntry]) -> Response:
    return context.page(rows, _show_entry, fields=_AUDIT_FIELDS)


def _old_audit(context: Context, rows: Iterable[AuditEntry]) -> Response:
    shown = () if context.state.since(2, 13) else rows
    return context.page(shown, _show_old_entry, fields=_AUDIT_FIELDS)


def _show_entry(entry: AuditEntry) -> dict[str, Any]:
    return _show_old_entry(entry) | {
        "operation_description": entry.description,
        "operation_result": True,
    }


def _show_old_entry(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "op_time": date(entry.at),
        "operation": entry.operation,
        "resource": entry.resource,
        "resource_type": entry.kind,
        "username": entry.username,
    }


_RULES: Final = "/projects/{project}/immutabletagrules"
ROUTES: Final[tuple[Route, ...]] = (
    route("GET", "/quotas", list_quotas),
    route("GET", "/quotas/{quota}", get_quota),
    route("PUT", "/quotas/{quota}", update_quota),
    route("GET", _RULES, list_rules),
    route("POST", _RULES, create_rule),
    route("PUT", f"{_RULES}/{{rule}}", update_rule),
    route("DELETE", f"{_RULES}/{{rule}}", delete_rule),
    route("GET", "/auditlog-exts", list_audit, since=(2, 13)),
    route("GET", "/projects/{project}/auditlog-exts", list_project_audit, since=(2, 13)),
    route("GET", "/audit-logs", list_old_audit),
    route("GET", "/projects/{project}/logs", list_old_project_audit),
)
