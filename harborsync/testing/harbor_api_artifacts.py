"""Artifacts, their tags and their labels in the API of the emulated Harbor (HARBOR-7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from harborsync.errors import InvalidReference
from harborsync.reference import Tag
from harborsync.testing import harbor_artifacts as books
from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_query import Condition, arrange, parse_q, select
from harborsync.testing.harbor_reading import configuration
from harborsync.testing.harbor_router import BASE, Context, Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_shapes import show_accessory, show_artifact, show_tag
from harborsync.testing.harbor_wire import HarborError, created, done, ok
from harborsync.testing.server_wire import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harborsync.testing.harbor_state import (
        HarborArtifact,
        HarborProject,
        HarborTag,
    )

_SOURCE: Final = re.compile(r"(?P<repository>[^@:]+)[@:](?P<reference>.+)")
_ARTIFACT_FIELDS: Final[Mapping[str, Callable[[HarborArtifact], Any]]] = {
    "id": lambda each: each.id,
    "digest": lambda each: each.digest,
    "type": lambda each: each.kind,
    "media_type": lambda each: each.media_type,
    "manifest_media_type": lambda each: each.manifest_type,
    "artifact_type": lambda each: each.artifact_type,
    "repository_name": lambda each: each.repository.name,
    "size": lambda each: each.size,
    "push_time": lambda each: each.pushed,
    "pull_time": lambda each: each.pulled,
}
_TAG_FIELDS: Final[Mapping[str, Callable[[HarborTag], Any]]] = {
    "id": lambda each: each.id,
    "name": lambda each: each.name,
    "push_time": lambda each: each.pushed,
    "pull_time": lambda each: each.pulled,
}


# --- artifacts -------------------------------------------------------------------------------


def list_artifacts(context: Context, project: str, repository: str) -> Response:
    """List the artifacts of a repository."""
    found = context.require(project, "artifact", "list")
    return _artifacts(context, context.repository(found, repository).artifacts.values())


def list_project_artifacts(context: Context, project: str) -> Response:
    """List the artifacts of all repositories of a project."""
    found = context.require(project, "artifact", "list")
    if context.flag("latest_in_repository"):
        conditions = parse_q(context.query.get("q", ""))
        if ("media_type" in conditions) == ("artifact_type" in conditions):
            msg = (
                "bad request: either 'media_type' or 'artifact_type' must be specified, but not"
                " both, when querying with latest_in_repository"
            )
            refuse.bad_request(msg)
    repositories = context.state.repositories_of(found)
    return _artifacts(context, [row for each in repositories for row in each.artifacts.values()])


def get_artifact(context: Context, project: str, repository: str, reference: str) -> Response:
    """Show an artifact."""
    found = context.require(project, "artifact", "read")
    return ok(show_artifact(context, context.artifact(found, repository, reference)))


def delete_artifact(context: Context, project: str, repository: str, reference: str) -> Response:
    """Delete an artifact with all its tags."""
    found = context.require(project, "artifact", "delete")
    artifact = context.artifact(found, repository, reference)
    books.delete_artifact(
        context.state, artifact, by=context.identity.name, request_id=context.request_id
    )
    return done()


def copy_artifact(context: Context, project: str, repository: str) -> Response:
    """Copy an artifact from another repository of this Harbor."""
    target = context.require(project, "artifact", "create")
    named = _SOURCE.fullmatch(context.query.get("from", ""))
    if named is None:
        refuse.bad_request(f"invalid parameter: {context.query.get('from', '')}")
    context.require(named["repository"].partition("/")[0], "artifact", "read")
    try:
        source = context.state.artifact(named["repository"], named["reference"])
    except HarborError as error:
        refuse.bad_request(str(error))
    _check_no_proxy(target)
    repository = unquote(repository)
    name = f"{target.name}/{repository}"
    books.copy_artifact(
        context.state, source, name, by=context.identity.name, request_id=context.request_id
    )
    encoded = quote(quote(repository, safe=""), safe="")
    where = f"{BASE}/projects/{target.name}/repositories/{encoded}/artifacts"
    return created(f"{where}/{named['reference']}")


def list_accessories(context: Context, project: str, repository: str, reference: str) -> Response:
    """List what belongs to an artifact."""
    found = context.require(project, "accessory", "list")
    artifact = context.artifact(found, repository, reference)
    return context.show_page(books.accessories_of(artifact), show_accessory)


def get_addition(
    context: Context, project: str, repository: str, reference: str, addition: str
) -> Response:
    """Show what Harbor reads in an artifact besides: the build history of an image."""
    found = context.require(project, "artifact-addition", "read")
    artifact = context.artifact(found, repository, reference)
    if addition != "build_history" or not artifact.attributes:
        refuse.bad_request(f"addition {addition} isn't supported for {artifact.kind}")
    history = configuration(context.state, artifact).get("history") or []
    return ok(history, {"Content-Type": "application/json; charset=utf-8"})


def _artifacts(context: Context, rows: Iterable[HarborArtifact]) -> Response:
    conditions = parse_q(context.query.get("q", ""))
    if "base" in conditions:
        rows = [each for each in rows if each.accessory is None]
    else:
        rows = [each for each in rows if books.is_listed(each)]
    rows = _with_tags(rows, conditions.get("tags"))
    rows = _with_labels(rows, conditions.get("labels"))
    rows = select(rows, conditions, _ARTIFACT_FIELDS)
    rows = arrange(rows, context.query.get("sort", ""), _ARTIFACT_FIELDS, "-id")
    return context.show_page(rows, lambda each: show_artifact(context, each))


def _with_tags(rows: list[HarborArtifact], condition: Condition | None) -> list[HarborArtifact]:
    """Return the artifacts with a tag that ``tags=`` asks for, or with none (HARBOR-3)."""
    if condition is None:
        return rows
    if condition.kind not in {"exact", "fuzzy"}:
        refuse.bad_request(
            'the value of "tags" query can only be fuzzy match value or exact match value'
        )
    if condition.kind == "exact" and condition.value in {"*", "nil"}:
        return [each for each in rows if bool(each.tags) is (condition.value == "*")]
    return [each for each in rows if any(map(condition.holds, each.tags))]


def _with_labels(rows: list[HarborArtifact], condition: Condition | None) -> list[HarborArtifact]:
    """Return the artifacts with all labels that ``labels=`` names by number (HARBOR-3)."""
    if condition is None:
        return rows
    if condition.kind != "all" or not all(isinstance(each, int) for each in condition.value):
        refuse.bad_request(
            'the value of "labels" query can only be integer list with intersetion relationship'
        )
    return [each for each in rows if set(condition.value) <= set(each.label_ids)]


def _check_no_proxy(project: HarborProject) -> None:
    if project.registry_id:
        refuse.not_allowed("the operation isn't supported for a proxy cache project")


# --- tags ------------------------------------------------------------------------------------


def list_tags(context: Context, project: str, repository: str, reference: str) -> Response:
    """List the tags of an artifact."""
    found = context.require(project, "tag", "list")
    artifact = context.artifact(found, repository, reference)
    return context.page(
        artifact.tags.values(),
        lambda each: show_tag(context, each),
        fields=_TAG_FIELDS,
    )


def create_tag(context: Context, project: str, repository: str, reference: str) -> Response:
    """Point a new tag to an artifact."""
    found = context.require(project, "tag", "create")
    artifact = context.artifact(found, repository, reference)
    _check_no_proxy(found)
    name = typed(context.body, "tag", "Tag", {"name": "string"}).get("name", "")
    try:
        Tag(name)
    except InvalidReference:
        refuse.bad_request(f"bad request: invalid tag name: {name}")
    books.create_tag(
        context.state, artifact, name, by=context.identity.name, request_id=context.request_id
    )
    return Response(status=201)


def delete_tag(
    context: Context, project: str, repository: str, reference: str, tag: str
) -> Response:
    """Take a tag from an artifact."""
    found = context.require(project, "tag", "delete")
    artifact = context.artifact(found, repository, reference)
    books.delete_tag(
        context.state, artifact, tag, by=context.identity.name, request_id=context.request_id
    )
    return done()


# --- labels of an artifact -------------------------------------------------------------------


def attach_label(context: Context, project: str, repository: str, reference: str) -> Response:
    """Attach a label, named by its number, to an artifact."""
    found = context.require(project, "artifact-label", "create")
    artifact = context.artifact(found, repository, reference)
    body = typed(context.body, "label", "Label", {"id": "int64"})
    label = context.state.label(body.get("id", 0))
    if label.scope == "p" and label.project_id != found.id:
        refuse.not_found(f"project id {found.id}, label {label.id} not found")
    if label.id in artifact.label_ids:
        msg = f"label {label.id} is already added to the artifact {artifact.id}"
        raise HarborError(409, "CONFLICT", msg)
    artifact.label_ids.append(label.id)
    return done()


def detach_label(
    context: Context, project: str, repository: str, reference: str, label: str
) -> Response:
    """Take a label from an artifact."""
    found = context.require(project, "artifact-label", "delete")
    artifact = context.artifact(found, repository, reference)
    if not label.isdecimal() or int(label) not in artifact.label_ids:
        refuse.not_found(f"reference with label {label} and artifact {artifact.id} not found")
    artifact.label_ids.remove(int(label))
    return done()


_ARTIFACTS: Final = "/projects/{project}/repositories/{repository}/artifacts"
_ARTIFACT: Final = f"{_ARTIFACTS}/{{reference}}"
ROUTES: Final[tuple[Route, ...]] = (
    route("GET", "/projects/{project}/artifacts", list_project_artifacts, since=(2, 12)),
    route("GET", _ARTIFACTS, list_artifacts),
    route("POST", _ARTIFACTS, copy_artifact),
    route("GET", _ARTIFACT, get_artifact),
    route("DELETE", _ARTIFACT, delete_artifact),
    route("GET", f"{_ARTIFACT}/accessories", list_accessories),
    route("GET", f"{_ARTIFACT}/additions/{{addition}}", get_addition),
    route("GET", f"{_ARTIFACT}/tags", list_tags),
    route("POST", f"{_ARTIFACT}/tags", create_tag),
    route("DELETE", f"{_ARTIFACT}/tags/{{tag}}", delete_tag),
    route("POST", f"{_ARTIFACT}/labels", attach_label),
    route("DELETE", f"{_ARTIFACT}/labels/{{label}}", detach_label),
)
