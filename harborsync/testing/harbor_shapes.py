"""Artifacts, tags, accessories and labels as the API of the emulated Harbor shows them (HARBOR-7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from harborsync.testing.harbor_artifacts import accessories_of
from harborsync.testing.harbor_limits import is_immutable
from harborsync.testing.harbor_router import BASE
from harborsync.testing.harbor_wire import date, full

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harborsync.testing.harbor_router import Context
    from harborsync.testing.harbor_state import HarborArtifact, HarborLabel, HarborTag

# The pictures of the portal; clients only pass them by.
_IMAGE_ICON: Final = "sha256:0048162a053eef4d4ce3fe7518615bef084403614f8bca43b40ae2e762e11e06"
_OTHER_ICON: Final = "sha256:da834479c923584f4cbcdecc0dac61f32bef1d51e8aae598cf16bd154efab49f"
_COSIGN_ICON: Final = "sha256:20401d5b3a0f6dbc607c8d732eb08471af4ae6b19811a4efce8c6a724aed2882"


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
        "immutable": context.flag("with_immutable_status") and is_immutable(repository, tag.name),
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
    return [show_accessory(each) for each in accessories_of(artifact)] or None


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
