"""What a Harbor tells by its webhooks, as frozen values (HARBOR §12).

    Delivered
    ├─ ArtifactEvent        .repository .artifacts
    │  ├─ Pushed
    │  ├─ Pulled
    │  ├─ Deleted
    │  ├─ QuotaEvent        .exceeded .details
    │  └─ ScanEvent         .outcome .scan_type
    ├─ ReplicationChanged   .status .execution_id .task_id .copied .failed …
    ├─ RetentionFinished    .project .retained .deleted …
    └─ Other                .data: what nobody here has heard of

There is no event for a tag that was made or deleted by the API, nor for a label or a
description that was changed: only looking tells of those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Hashable
    from datetime import datetime

    from harborsync.reference import ArtifactRef, Digest, Tag


@attrs.frozen(kw_only=True)
class Delivered:
    """Anything that was delivered.

    Attributes:
        kind: How the event is called there, such as ``PUSH_ARTIFACT``.
        at: When it happened, aware and in UTC; whole seconds.
        operator: Whose doing it was; empty if that was not told.
        id: What names the event among all, or empty: only CloudEvents have one.
        origin: Which webhook of which project it comes from, or empty, as above.
        request_id: What the events of one request have in common, or empty, as above.
    """

    kind: str
    at: datetime
    operator: str = ""
    id: str = ""
    origin: str = ""
    request_id: str = ""

    @property
    def key(self) -> Hashable:
        """Equal for what is delivered again; a delivery is repeated until it is answered."""
        return (self.origin, self.id) if self.id else self.content

    @property
    def content(self) -> Hashable:
        """What tells an event that has no name from others."""
        return self


@attrs.frozen(kw_only=True)
class ArtifactEvent(Delivered):
    """Something about artifacts of one repository.

    Attributes:
        repository: Its full name, the project included, or None if that was not told.
        artifacts: The artifacts, each with its digest and, unless it was meant by its digest,
            with one tag. On a push that is the one that was pushed; on a deletion any of those
            it had: the others are told nowhere.
    """

    repository: str | None = None
    artifacts: tuple[ArtifactRef, ...] = ()

    @property
    def content(self) -> Hashable:
        """Kind, artifacts and time; whoever did it does not matter."""
        return (self.kind, self.repository, self.artifacts, self.at)

    @property
    def tags(self) -> frozenset[Tag]:
        """The tags that were told."""
        return frozenset(each.tag for each in self.artifacts if each.tag is not None)

    @property
    def digests(self) -> frozenset[Digest]:
        """The digests that were told."""
        return frozenset(each.digest for each in self.artifacts if each.digest is not None)


@attrs.frozen(kw_only=True)
class Pushed(ArtifactEvent):
    """A manifest was written; also one that was there already, a child or a signature."""


@attrs.frozen(kw_only=True)
class Pulled(ArtifactEvent):
    """A manifest was read."""


@attrs.frozen(kw_only=True)
class Deleted(ArtifactEvent):
    """An artifact was deleted, with all its tags; each of its signatures is told by itself."""


@attrs.frozen(kw_only=True)
class QuotaEvent(ArtifactEvent):
    """A project is about to be full, or refused a push because it is.

    Attributes:
        exceeded: Whether the push was refused.
        details: What is used and what is allowed, for people.
    """

    exceeded: bool
    details: str = ""


@attrs.frozen(kw_only=True)
class ScanEvent(ArtifactEvent):
    """A scan came to an end.

    Attributes:
        outcome: ``completed``, ``failed`` or ``stopped``.
        scan_type: ``vulnerability`` or ``sbom``; empty if that was not told.
    """

    outcome: str
    scan_type: str = ""


@attrs.frozen(kw_only=True)
class ReplicationEnd:
    """A side of a replication.

    Attributes:
        registry: How the registry is called in that Harbor; empty for the Harbor itself.
        registry_type: Its type, such as ``harbor`` or ``aws-ecr``.
        endpoint: Its address.
        namespace: A project or path; on a push the two sides' may be swapped.
    """

    registry: str = ""
    registry_type: str = ""
    endpoint: str = ""
    namespace: str = ""


@attrs.frozen(kw_only=True)
class Touched:
    """What a task of a Harbor did with one repository, or one artifact.

    Attributes:
        name: The repository below its project, with a tag where one is meant.
        status: What became of it.
        references: The tags and digests; told since Harbor 2.10.
        reason: Why it failed, or empty.
    """

    name: str
    status: str = ""
    references: tuple[str, ...] = ()
    reason: str = ""


@attrs.frozen(kw_only=True)
class ReplicationChanged(Delivered):
    """A task of a Harbor's own replication began or ended.

    Attributes:
        status: ``Running``, ``Success``, ``Error`` or ``Stopped``.
        trigger: ``MANUAL``, ``SCHEDULE`` or ``EVENT``.
        execution_id: The execution, or None: told since Harbor 2.13.
        task_id: The task, or None, as above.
        source: Where from.
        destination: Where to.
        copied: What was brought over.
        failed: What was not.
    """

    status: str = ""
    trigger: str = ""
    execution_id: int | None = None
    task_id: int | None = None
    source: ReplicationEnd = attrs.field(factory=ReplicationEnd)
    destination: ReplicationEnd = attrs.field(factory=ReplicationEnd)
    copied: tuple[Touched, ...] = ()
    failed: tuple[Touched, ...] = ()


@attrs.frozen(kw_only=True)
class RetentionFinished(Delivered):
    """A project's retention has run; each artifact it deleted is told by itself, too.

    Attributes:
        project: Name of the project.
        policy_id: The policy, or None.
        status: What became of it, such as ``SUCCESS``.
        total: How many artifacts it looked at.
        retained: How many of them stayed.
        deleted: What it deleted.
    """

    project: str = ""
    policy_id: int | None = None
    status: str = ""
    total: int = 0
    retained: int = 0
    deleted: tuple[Touched, ...] = ()


@attrs.frozen(kw_only=True)
class Other(Delivered):
    """An event of a kind that is not known here.

    Attributes:
        data: What was told of it, as JSON.
    """

    data: str = "{}"
