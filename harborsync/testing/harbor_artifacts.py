"""What the emulated Harbor keeps about artifacts when they are pushed, copied and deleted.

The manifests themselves are in the storage; here their rows are made, with the tags, the
accessories and the bytes a project uses. Everything here is called with the state's lock held.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_limits import charge, check_mutable, check_room, release, warn
from harborsync.testing.harbor_reading import read_artifact
from harborsync.testing.harbor_state import (
    HarborAccessory,
    HarborArtifact,
    HarborEvent,
    HarborRepository,
    HarborTag,
)
from harborsync.testing.harbor_wire import HarborError

if TYPE_CHECKING:
    from harborsync.testing.harbor_state import HarborState

_COSIGN_TAG: Final = re.compile(r"sha256-([0-9a-f]{64})\.sig")
_SIMPLE_SIGNING: Final = "application/vnd.dev.cosign.simplesigning.v1+json"
#: Kinds of accessories by what they say they are; anything else with a subject is of no kind.
_ACCESSORIES: Final = {
    "application/vnd.cncf.notary.signature": "signature.notation",
    "application/vnd.goharbor.harbor.sbom.v1": "sbom.harbor",
    "application/vnd.dev.cosign.artifact.sig.v1+json": "signature.cosign",
}


def record_push(
    state: HarborState, name: str, digest: str, tag: str = "", *, by: str = "", request_id: str = ""
) -> HarborArtifact:
    """Note that a manifest, which is in the storage, was pushed; return its row.

    Args:
        state: Where it is noted.
        name: The repository, which is made if it is new.
        digest: The manifest.
        tag: The tag it came with, or empty.
        by: Who pushed it.
        request_id: The request that did.
    """
    repository = ensure_repository(state, name)
    artifact = repository.artifacts.get(digest) or _add_artifact(state, repository, digest)
    if tag:
        point(state, artifact, tag)
        _adopt_signature(state, artifact, tag)
    repository.updated = state.clock.now()
    where = f"{name}:{tag}" if tag else f"{name}@{digest}"
    state.note(
        "create",
        "artifact",
        where,
        by=by,
        project_id=repository.project.id,
        what=f"push artifact: {name}@{digest}",
    )
    pushed = event(state, "push", artifact, tag=tag, by=by, request_id=request_id)
    state.emit(pushed)
    warn(state, pushed)
    return artifact


def record_pull(
    state: HarborState, artifact: HarborArtifact, tag: str, *, by: str, request_id: str
) -> None:
    """Count a pull: Harbor does so for each GET of a manifest (HARBOR-6)."""
    now = state.clock.now()
    name = artifact.repository.name
    artifact.repository.pull_count += 1
    artifact.pulled = now
    if tag in artifact.tags:
        artifact.tags[tag].pulled = now
    state.note(
        "pull",
        "artifact",
        f"{name}:{tag}" if tag else f"{name}@{artifact.digest}",
        by=by,
        project_id=artifact.repository.project.id,
        what=f"pull artifact: {name}@{artifact.digest}",
    )
    state.emit(event(state, "pull", artifact, tag=tag, by=by, request_id=request_id))


def delete_artifact(
    state: HarborState, artifact: HarborArtifact, *, by: str = "", request_id: str = ""
) -> None:
    """Delete an artifact with its tags and what belongs to it.

    Raises:
        HarborError: A tag of it is immutable, or an index refers to it.
    """
    repository = artifact.repository
    for tag in artifact.tags:
        check_mutable(artifact.repository, tag, doing="delete")
    if repository.parents[artifact.digest]:
        msg = "the deleting artifact is referenced by others"
        raise HarborError(412, "VIOLATE_FOREIGN_KEY_CONSTRAINT", msg)
    _delete_deeply(state, artifact, by=by, request_id=request_id)


def delete_repository(
    state: HarborState, repository: HarborRepository, *, by: str = "", request_id: str = ""
) -> None:
    """Delete a repository and everything in it; the children of an index go silently.

    Raises:
        HarborError: A tag in it is immutable.
    """
    for tag in repository.tags:
        check_mutable(repository, tag, doing="delete")
    children = {digest for digest, parents in repository.parents.items() if parents}
    for artifact in tuple(repository.artifacts.values()):
        silent = artifact.digest in children
        _remove(state, artifact, by=by, request_id=request_id, silent=silent)
    del state.repositories[repository.name]
    state.note("delete", "repository", repository.name, by=by, project_id=repository.project.id)


def point(state: HarborState, artifact: HarborArtifact, name: str) -> HarborTag:
    """Point a tag to an artifact, from wherever it pointed before."""
    repository = artifact.repository
    now = state.clock.now()
    tag = repository.tags.get(name)
    if tag is None:
        tag = HarborTag(id=state.next_id("tag"), name=name, artifact=artifact, pushed=now)
        repository.tags[name] = tag
    elif tag.artifact is not artifact:
        del tag.artifact.tags[name]
        tag.artifact, tag.pushed = artifact, now
    artifact.tags[name] = tag
    state.storage.tag(repository.name, name, artifact.digest)
    return tag


def create_tag(
    state: HarborState, artifact: HarborArtifact, name: str, *, by: str = "", request_id: str = ""
) -> None:
    """Point a new tag to an artifact.

    Raises:
        HarborError: The repository has it already.
    """
    repository = artifact.repository
    if name in repository.tags:
        refuse.conflict(f"tag {name} already exists under the repository {repository.id}")
    point(state, artifact, name)
    state.emit(event(state, "tag_create", artifact, tag=name, by=by, request_id=request_id))


def delete_tag(
    state: HarborState, artifact: HarborArtifact, name: str, *, by: str = "", request_id: str = ""
) -> None:
    """Take a tag from an artifact.

    Raises:
        HarborError: The artifact does not have it, or it is immutable.
    """
    repository = artifact.repository
    if name not in artifact.tags:
        refuse.not_found(f"tag {name} attached to artifact {artifact.id} not found")
    check_mutable(repository, name, doing="delete")
    state.emit(event(state, "tag_delete", artifact, tag=name, by=by, request_id=request_id))
    del artifact.tags[name], repository.tags[name]
    state.storage.delete_tag(repository.name, name)


def copy_artifact(
    state: HarborState, source: HarborArtifact, name: str, *, by: str = "", request_id: str = ""
) -> None:
    """Copy an artifact within Harbor: children, accessories and all its tags with it.

    Raises:
        HarborError: A blob of it was lost.
    """
    for digest in _child_digests(source):
        child = source.repository.artifacts.get(digest)
        if child is not None:
            copy_artifact(state, child, name, by=by, request_id=request_id)
    tags = [tag.name for tag in sorted(source.tags.values(), key=lambda each: -each.id)]
    held = state.repositories.get(name)
    copied = held.artifacts.get(source.digest) if held is not None else None
    if copied is None:  # else only what is around it comes along, and nobody is told
        _copy_content(state, source, name)
        first = tags[0] if tags else ""
        copied = record_push(state, name, source.digest, first, by=by, request_id=request_id)
    for tag in tags:
        point(state, copied, tag)
        _adopt_signature(state, copied, tag)
    for accessory in accessories_of(source):
        copy_artifact(state, accessory, name, by=by, request_id=request_id)


def accessories_of(artifact: HarborArtifact) -> list[HarborArtifact]:
    """Return what belongs to an artifact, in the order it came."""
    return list(artifact.repository.accessories.get(artifact.digest, ()))


def is_listed(artifact: HarborArtifact) -> bool:
    """Tell whether a list shows it: not what belongs to another, nor an untagged child."""
    if artifact.accessory is not None:
        return False
    return bool(artifact.tags) or not artifact.repository.parents[artifact.digest]


def event(
    state: HarborState,
    kind: Any,
    artifact: HarborArtifact,
    *,
    tag: str = "",
    by: str = "",
    request_id: str = "",
) -> HarborEvent:
    """Return what happened to an artifact as an event."""
    return HarborEvent(
        kind=kind,
        project=artifact.repository.project,
        repository=artifact.repository.name,
        digest=artifact.digest,
        tag=tag,
        tags=tuple(artifact.tags),
        operator=by,
        at=state.clock.now(),
        request_id=request_id,
    )


def ensure_repository(state: HarborState, name: str) -> HarborRepository:
    """Return a repository, made if it is new."""
    found = state.repositories.get(name)
    if found is not None:
        return found
    now = state.clock.now()
    project = state.project(name.partition("/")[0])
    made = HarborRepository(
        id=state.next_id("repository"), project=project, name=name, created=now, updated=now
    )
    state.repositories[name] = made
    return made


# --- inside ----------------------------------------------------------------------------------


def _add_artifact(state: HarborState, repository: HarborRepository, digest: str) -> HarborArtifact:
    manifest = state.storage.manifest(repository.name, digest)
    assert manifest is not None  # noqa: S101 - it was pushed a moment ago
    artifact = read_artifact(state, repository, manifest)
    repository.artifacts[digest] = artifact
    repository.parents.update(_child_digests(artifact))
    repository.project.uses.update(artifact.sizes.keys())
    charge(state, repository.project, artifact.sizes)
    if manifest.subject is not None:
        kind = _ACCESSORIES.get(artifact.artifact_type, "subject.accessory")
        _attach(state, artifact, kind, manifest.subject)
    return artifact


def _child_digests(artifact: HarborArtifact) -> list[str]:
    return [str(each["digest"]) for each in artifact.children]


def _adopt_signature(state: HarborState, artifact: HarborArtifact, tag: str) -> None:
    """Make an artifact with a tag of cosign's an accessory of the one it signs (HARBOR-6)."""
    named = _COSIGN_TAG.fullmatch(tag)
    manifest = state.storage.manifest(artifact.repository.name, artifact.digest)
    layers = manifest.document.get("layers") or () if manifest is not None else ()
    if named and any(layer.get("mediaType") == _SIMPLE_SIGNING for layer in layers):
        _attach(state, artifact, "signature.cosign", f"sha256:{named[1]}")


def _attach(state: HarborState, artifact: HarborArtifact, kind: str, subject: str) -> None:
    if artifact.accessory is None:
        artifact.repository.accessories.setdefault(subject, []).append(artifact)
        artifact.accessory = HarborAccessory(
            id=state.next_id("accessory"), kind=kind, subject=subject, created=state.clock.now()
        )


def _copy_content(state: HarborState, source: HarborArtifact, name: str) -> None:
    origin = source.repository.name
    manifest = state.storage.manifest(origin, source.digest)
    assert manifest is not None  # noqa: S101 - rows and storage go together
    for digest in source.sizes:
        blob = state.storage.blob(origin, digest)
        if blob is None and digest != source.digest:
            raise HarborError(500, "UNKNOWN", f"the blob {digest} is lost")
        if blob is not None:
            state.storage.link_blob(name, digest, blob)
    cause = event(state, "push", source)
    cause = attrs.evolve(cause, project=state.project(name.partition("/")[0]), repository=name)
    check_room(state, cause, source.sizes)
    state.storage.put_manifest(
        name, manifest.content, media_type=manifest.media_type, digest=manifest.digest
    )


def _remove(
    state: HarborState, artifact: HarborArtifact, *, by: str, request_id: str, silent: bool = False
) -> None:
    repository = artifact.repository
    tag = next(iter(artifact.tags), "")
    if not silent:
        state.emit(event(state, "delete", artifact, tag=tag, by=by, request_id=request_id))
        mark = f":{tag}" if tag else f"@{artifact.digest}"
        state.note(
            "delete",
            "artifact",
            f"{repository.name}{mark}",
            by=by,
            project_id=repository.project.id,
            what=f"delete artifact: {repository.name}@{artifact.digest}",
        )
    for name in artifact.tags:
        del repository.tags[name]
    del repository.artifacts[artifact.digest]
    repository.parents.subtract(_child_digests(artifact))
    if artifact.accessory is not None:
        repository.accessories[artifact.accessory.subject].remove(artifact)
    state.storage.delete_manifest(repository.name, artifact.digest)
    release(state, repository.project, artifact.sizes)


def _delete_deeply(
    state: HarborState, artifact: HarborArtifact, *, by: str, request_id: str
) -> None:
    """Delete an artifact, what belongs to it, and children that nothing else needs."""
    for accessory in accessories_of(artifact):
        _delete_deeply(state, accessory, by=by, request_id=request_id)
    _remove(state, artifact, by=by, request_id=request_id)
    for child in _orphans(artifact):
        _delete_deeply(state, child, by=by, request_id=request_id)


def _orphans(index: HarborArtifact) -> list[HarborArtifact]:
    """Return the untagged children of a deleted index that no other index names."""
    repository = index.repository
    named = (digest for digest in _child_digests(index) if not repository.parents[digest])
    found = [repository.artifacts.get(digest) for digest in named]
    return [each for each in found if each is not None and not each.tags]
