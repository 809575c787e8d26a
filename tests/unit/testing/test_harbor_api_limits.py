"""Quotas, immutable tags and the audit log in the API of the emulated Harbor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor

_RULE: Final = {
    "tag_selectors": [{"kind": "doublestar", "decoration": "matches", "pattern": "v*"}],
    "scope_selectors": {
        "repository": [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "web"}]
    },
}
_RULES: Final = "/projects/app/immutabletagrules"


def test_quotas_are_listed_and_set(harbor: LoopbackHarbor, admin: Any, anybody: Any) -> None:
    """Newest first; one project's can be asked for."""
    harbor.push_image("app/web", "1.0")
    app, library = admin("GET", "/quotas").json
    assert (app["ref"]["name"], library["ref"]["name"]) == ("app", "library")
    assert app["used"]["storage"] == harbor.state.project("app").used > 0
    (found,) = admin("GET", "/quotas?reference=project&reference_id=1").json
    assert found["ref"]["name"] == "library"
    assert admin("PUT", "/quotas/2", {"hard": {"storage": 5}}).status == 200
    assert admin("GET", "/quotas/2").json["hard"] == {"storage": 5}
    assert admin("PUT", "/quotas/2", {}).status == 200
    assert admin("GET", "/quotas/2").json["hard"] == {"storage": 5}
    assert admin("GET", "/quotas/9").codes == ["NOT_FOUND"]
    assert anybody("GET", "/quotas").status == 401


def test_a_rule_protects_tags(harbor: LoopbackHarbor, admin: Any) -> None:
    """From deletion on both faces and from being moved; other tags are free (HARBOR-13)."""
    harbor.push_image("app/web", "v1", "free")
    reply = admin("POST", _RULES, _RULE)
    assert (reply.status, reply.headers["Location"]) == (201, f"/api/v2.0{_RULES}/1")
    artifacts = "/projects/app/repositories/web/artifacts"
    digest = harbor.artifact("app/web", "v1").digest
    for path in (
        f"{artifacts}/v1",
        f"{artifacts}/v1/tags/v1",
        f"/v2/app/web/manifests/{digest}",
        "/projects/app/repositories/web",
    ):
        assert admin("DELETE", path).codes == ["PRECONDITION"], path
    tags = admin("GET", f"{artifacts}/v1?with_immutable_status=true").json["tags"]
    assert {tag["name"]: tag["immutable"] for tag in tags} == {"v1": True, "free": False}
    assert admin("DELETE", f"{artifacts}/v1/tags/free").status == 200
    assert admin("DELETE", f"{_RULES}/1").status == 200
    assert admin("DELETE", f"{artifacts}/v1").status == 200


def test_rules_are_listed_and_changed(harbor: LoopbackHarbor, admin: Any) -> None:
    """The same one again is a conflict; one that is disabled protects nothing."""
    harbor.push_image("app/web", "v1")
    admin("POST", _RULES, _RULE)
    assert admin("POST", _RULES, _RULE).codes == ["CONFLICT"]
    assert admin("POST", _RULES, {"tag_selectors": _RULE["tag_selectors"]}).status == 201
    (second, first) = admin("GET", _RULES).json
    assert (first["id"], first["action"]) == (1, "immutable")
    assert second["scope_selectors"] == {}
    assert admin("DELETE", f"{_RULES}/2").status == 200
    assert admin("PUT", f"{_RULES}/1", {**_RULE, "disabled": True}).status == 200
    assert admin("GET", _RULES).json[0]["disabled"] is True
    assert admin("DELETE", "/projects/app/repositories/web/artifacts/v1").status == 200
    assert admin("DELETE", f"{_RULES}/7").codes == ["NOT_FOUND"]
    assert admin("DELETE", f"{_RULES}/x").codes == ["NOT_FOUND"]


def test_what_was_done_is_logged(harbor: LoopbackHarbor, admin: Any, anybody: Any) -> None:
    """Pushes, pulls, deletions, projects, robots, settings; newest first (HARBOR-13)."""
    harbor.push_image("app/web", "1.0")
    admin("DELETE", "/projects/app/repositories/web/artifacts/1.0")
    admin("POST", "/projects", {"project_name": "new"})
    lines = admin("GET", "/auditlog-exts").json
    assert [(each["operation"], each["resource"]) for each in lines] == [
        ("create", "new"),
        ("delete", "app/web:1.0"),
        ("create", "app/web:1.0"),
    ]
    assert lines[1]["operation_description"].startswith("delete artifact: app/web@sha256:")
    assert len(admin("GET", "/projects/app/auditlog-exts").json) == 2
    found = admin("GET", "/auditlog-exts?q=operation%3Dcreate,resource_type%3Dartifact").json
    assert [each["resource_type"] for each in found] == ["artifact"]
    assert anybody("GET", "/auditlog-exts").status == 401


def test_the_older_address_is_empty_since_there_is_a_newer(
    admin: Any, make_harbor: Callable[..., LoopbackHarbor], log_in: Callable[..., Any]
) -> None:
    """Before, it is the only one (HARBOR-13, 14)."""
    admin("POST", "/projects", {"project_name": "new"})
    assert admin("GET", "/audit-logs").json == []
    assert admin("GET", "/projects/app/logs").json == []
    harbor = make_harbor(version="2.12")
    harbor.push_image("library/web", "1.0")
    old = log_in(harbor, "admin", "Harbor12345")
    assert old("GET", "/auditlog-exts").status == 404
    (line,) = old("GET", "/audit-logs").json
    assert (line["operation"], line["username"]) == ("create", "admin")
    assert "operation_result" not in line
    assert len(old("GET", "/projects/library/logs").json) == 1
