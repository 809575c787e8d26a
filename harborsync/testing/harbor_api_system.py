"""What the emulated Harbor tells about itself: liveness, health, version, settings."""

from __future__ import annotations

from typing import Any, Final

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_router import Context, Route, route
from harborsync.testing.harbor_wire import date, done, ok
from harborsync.testing.server_wire import Response

_COMPONENTS: Final = (
    "core",
    "database",
    "jobservice",
    "portal",
    "redis",
    "registry",
    "registryctl",
)


def ping(context: Context) -> Response:  # noqa: ARG001 - a handler
    """Say that it lives."""
    return Response(status=200, headers={"Content-Type": "text/plain"}, body=b"Pong")


def get_health(context: Context) -> Response:  # noqa: ARG001 - a handler
    """Tell how its parts are; the status is 200 however they are."""
    parts = [{"name": name, "status": "healthy"} for name in _COMPONENTS]
    return ok({"components": parts, "status": "healthy"})


def get_system_info(context: Context) -> Response:
    """Tell what it is; most of it only to whom has logged in (HARBOR-1)."""
    shown: dict[str, Any] = {
        "auth_mode": "db_auth",
        "banner_message": "",
        "oidc_provider_name": "",
        "primary_auth_mode": False,
        "self_registration": False,
    }
    if not context.state.since(2, 15):
        shown["harbor_version"] = _version(context)
    if context.identity.known:
        shown |= _details(context)
    return ok(shown)


def get_volumes(context: Context) -> Response:
    """Tell how much room there is, which is nothing it knows."""
    context.require_system("system-volumes", "read")
    return ok({"storage": [{}]})


def get_statistics(context: Context) -> Response:
    """Count projects and repositories."""
    if not context.identity.known:
        refuse.unauthorized()
    state = context.state
    seen = [each for each in state.projects.values() if context.identity.sees(each)]
    counts: dict[str, int] = {}
    for kind, wanted in (("private", False), ("public", True)):
        projects = [each for each in seen if each.public is wanted]
        counts[f"{kind}_project_count"] = len(projects)
        counts[f"{kind}_repo_count"] = sum(len(state.repositories_of(each)) for each in projects)
    if context.identity.admin:
        counts["total_project_count"] = len(state.projects)
        counts["total_repo_count"] = len(state.repositories)
        counts["total_storage_consumption"] = sum(each.used for each in state.projects.values())
    return ok(counts)


def get_settings(context: Context) -> Response:
    """Show the settings to an administrator."""
    context.require_system("configuration", "read")
    settings = context.state.settings.items()
    return ok({name: {"editable": True, "value": value} for name, value in settings})


def update_settings(context: Context) -> Response:
    """Change settings; those there are not, are ignored."""
    context.require_system("configuration", "update")
    state = context.state
    state.settings.update({name: v for name, v in context.body.items() if name in state.settings})
    state.note(
        "update",
        "configuration",
        "configuration",
        by=context.identity.name,
        what="update configuration",
    )
    return done()


def _version(context: Context) -> str:
    major, minor = context.state.version
    return f"v{major}.{minor}.0-0a1b2c3d"


def _details(context: Context) -> dict[str, Any]:
    settings = context.state.settings
    return {
        "current_time": date(context.state.clock.now()),
        "external_url": context.request.origin,
        "harbor_version": _version(context),
        "has_ca_root": False,
        "notification_enable": settings["notification_enable"],
        "project_creation_restriction": settings["project_creation_restriction"],
        "read_only": settings["read_only"],
        "registry_storage_provider_name": "filesystem",
        "registry_url": context.request.headers.get("host", ""),
    }


ROUTES: Final[tuple[Route, ...]] = (
    route("GET", "/ping", ping),
    route("GET", "/health", get_health),
    route("GET", "/systeminfo", get_system_info),
    route("GET", "/systeminfo/volumes", get_volumes),
    route("GET", "/statistics", get_statistics),
    route("GET", "/configurations", get_settings),
    route("PUT", "/configurations", update_settings),
)
