"""Repositories, artifacts and tags in the API of the emulated Harbor (HARBOR-7)."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote

from harborsync.errors import InvalidReference
from harborsync.reference import Tag
from harborsync.testing import harbor_artifacts as books
from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_query import Condition, arrange, parse_q, select
from harborsync.testing.harbor_router import BASE, Context, Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_wire import HarborError, created, date, done, full, ok
from harborsync.testing.server_wire import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harborsync.testing.harbor_state import (
        HarborArtifact,
        HarborLabel,
        HarborProject,
        HarborRepository,
        HarborTag,
    )

# The pictures of the portal; clients only pass them by.
_IMAGE_ICON: Final = "sha256:0048162a053eef4d4ce3fe7518615bef084403614f8bca43b40ae2e762e11e06"
_OTHER_ICON: Final = "sha256:da834479c923584f4cbcdecc0dac61f32bef1d51e8aae598cf16bd154efab49f"
_COSIGN_ICON: Final = "sha256:20401d5b3a0f6dbc607c8d732eb08471af4ae6b19811a4efce8c6a724aed2882"
_SOURCE: Final = re.compile(r"(?P<repository>[^@:]+)[@:](?P<reference>.+)")
_REPOSITORY_FIELDS: Final[Mapping[str, Callable[[HarborRepository], Any]]] = {
    "id": lambda each: each.id,
    "name": lambda each: each.name,
    "project_id": lambda each: each.project.id,
    "creation_time": lambda each: each.created,
    "update_time": lambda each: each.updated,
    "pull_count": lambda each: each.pull_count,
}
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


# --- repositories ----------------------------------------------------------------------------


def list_all_repositories(context: Context) -> Response:
    """List the repositories of every project the caller may see."""
    rows = [
        each for each in context.state.repositories.values() if context.identity.sees(each.project)
    ]
    return _repositories(context, rows)


def list_repositories(context: Context, project: str) -> Response:
    """List the repositories of a project."""
    found = context.require(project, "repository", "list")
    return _repositories(context, context.state.repositories_of(found))


def get_repository(context: Context, project: str, repository: str) -> Response:
    """Show a repository."""
    found = context.require(project, "repository", "read")
    return ok(show_repository(context.repository(found, repository)))


def update_repository(context: Context, project: str, repository: str) -> Response:
    """Change a repository's description, which is stored HTML escaped (HARBOR-4)."""
    found = context.repository(context.require(project, "repository", "update"), repository)
    body = typed(context.body, "repository", "Repository", {"description": "string"})
    found.description = _escaped(body.get("description", ""))
    found.updated = context.state.clock.now()
    return done()


def delete_repository(context: Context, project: str, repository: str) -> Response:
    """Delete a repository with everything in it."""
    found = context.repository(context.require(project, "repository", "delete"), repository)
    books.delete_repository(
        context.state, found, by=context.identity.name, request_id=context.request_id
    )
    return done()


def show_repository(repository: HarborRepository) -> dict[str, Any]:
    """Return a repository as the API shows it."""
    return full(description=repository.description) | {
        "artifact_count": sum(map(books.is_listed, repository.artifacts.values())),
        "creation_time": date(repository.created),
        "id": repository.id,
        "name": repository.name,
        "project_id": repository.project.id,
        "pull_count": repository.pull_count,
        "update_time": date(repository.updated),
    }


def _repositories(context: Context, rows: list[HarborRepository]) -> Response:
    conditions = parse_q(context.query.get("q", ""))
    blob = conditions.get("blob_digest")
    if blob is not None:
        # Where a blob can be mounted from: what Harbor's own replication asks.
        rows = [each for each in rows if _holds(each, str(blob.value))]
    return context.page(rows, show_repository, fields=_REPOSITORY_FIELDS, default="-creation_time")


def _holds(repository: HarborRepository, digest: str) -> bool:
    return any(digest in each.sizes for each in repository.artifacts.values())


def _escaped(text: str) -> str:
    # Go writes the quotes as numbers.
    return html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


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
    history = books.configuration(context.state, artifact).get("history") or []
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
        refuse.not_allowed(f"the operation isn't supported for a proxy project: {project.name}")


def show_artifact(context: Context, artifact: HarborArtifact) -> dict[str, Any]:
    """Return an artifact as the API shows it, with the parts that were asked for."""
    newer = context.state.since(2, 12)
    shown = full(
        annotations=dict(artifact.annotations),
        artifact_type=artifact.artifact_type if newer else "",
        extra_attrs=dict(artifact.attributes),
        addition_links=_addition_links(artifact),
        repository_name=artifact.repository.name if newer else "",
    )
    shown = {name: value for name, value in shown.items() if value}
    return shown | {
        "accessories": _shown_accessories(context, artifact),
        "digest": artifact.digest,
        "icon": _IMAGE_ICON if artifact.kind == "IMAGE" else _OTHER_ICON,
        "id": artifact.id,
        "labels": _shown_labels(context, artifact),
        "manifest_media_type": artifact.manifest_type,
        "media_type": artifact.media_type,
        "project_id": artifact.repository.project.id,
        "pull_time": date(artifact.pulled),
        "push_time": date(artifact.pushed),
        "references": [_show_child(artifact, each) for each in artifact.children] or None,
        "repository_id": artifact.repository.id,
        "size": artifact.size,
        "tags": _shown_tags(context, artifact),
        "type": artifact.kind,
    }


def show_accessory(artifact: HarborArtifact) -> dict[str, Any]:
    """Return an artifact as what belongs to another."""
    accessory = artifact.accessory
    assert accessory is not None  # noqa: S101 - the caller looked
    subject = artifact.repository.artifacts.get(accessory.subject)
    return {
        "artifact_id": artifact.id,
        "creation_time": date(accessory.created),
        "digest": artifact.digest,
        "icon": _COSIGN_ICON if accessory.kind == "signature.cosign" else "",
        "id": accessory.id,
        "size": artifact.size,
        "subject_artifact_digest": accessory.subject,
        "subject_artifact_id": subject.id if subject is not None else 0,
        "subject_artifact_repo": artifact.repository.name,
        "type": accessory.kind,
    }


def show_label(label: HarborLabel) -> dict[str, Any]:
    """Return a label as the API shows it."""
    return full(
        color=label.color,
        description=label.description,
        id=label.id,
        name=label.name,
        project_id=label.project_id,
        scope=label.scope,
    ) | {"creation_time": date(label.created), "update_time": date(label.updated)}


def show_tag(context: Context, tag: HarborTag) -> dict[str, Any]:
    """Return a tag as the API shows it."""
    repository = tag.artifact.repository
    signed = {} if context.state.since(2, 9) else {"signed": False}
    return signed | {
        "artifact_id": tag.artifact.id,
        "id": tag.id,
        "immutable": context.flag("with_immutable_status")
        and books.is_immutable(repository, tag.name),
        "name": tag.name,
        "pull_time": date(tag.pulled),
        "push_time": date(tag.pushed),
        "repository_id": repository.id,
    }


def _show_child(index: HarborArtifact, entry: Mapping[str, Any]) -> dict[str, Any]:
    child = index.repository.artifacts.get(str(entry["digest"]))
    platform = entry.get("platform")
    shown = full(platform={"OsFeatures": None, **platform} if platform else None)
    return (
        shown
        | full(annotations=entry.get("annotations"))
        | {
            "child_digest": entry["digest"],
            "child_id": child.id if child is not None else 0,
            "parent_id": index.id,
            "urls": entry.get("urls"),
        }
    )


def _shown_accessories(context: Context, artifact: HarborArtifact) -> list[dict[str, Any]] | None:
    if not context.flag("with_accessory"):
        return None
    return [show_accessory(each) for each in books.accessories_of(artifact)] or None


def _shown_labels(context: Context, artifact: HarborArtifact) -> list[dict[str, Any]] | None:
    if not context.flag("with_label"):
        return None
    return [show_label(each) for each in context.state.labels_of(artifact)] or None


def _shown_tags(context: Context, artifact: HarborArtifact) -> list[dict[str, Any]] | None:
    if not context.flag("with_tag", usual=True):
        return None
    newest = sorted(artifact.tags.values(), key=lambda each: each.id, reverse=True)
    return [show_tag(context, each) for each in newest] or None


def _addition_links(artifact: HarborArtifact) -> dict[str, Any] | None:
    if not artifact.attributes:
        return None
    repository = quote(quote(artifact.repository.short_name, safe=""), safe="")
    project = artifact.repository.project.name
    where = f"{BASE}/projects/{project}/repositories/{repository}/artifacts/{artifact.digest}"
    return {"build_history": {"absolute": False, "href": f"{where}/additions/build_history"}}


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


_REPOSITORY: Final = "/projects/{project}/repositories/{repository}"
_ARTIFACTS: Final = f"{_REPOSITORY}/artifacts"
_ARTIFACT: Final = f"{_ARTIFACTS}/{{reference}}"
ROUTES: Final[tuple[Route, ...]] = (
    route("GET", "/repositories", list_all_repositories),
    route("GET", "/projects/{project}/repositories", list_repositories),
    route("GET", _REPOSITORY, get_repository),
    route("PUT", _REPOSITORY, update_repository),
    route("DELETE", _REPOSITORY, delete_repository),
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
