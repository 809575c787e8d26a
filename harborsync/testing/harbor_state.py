"""What the emulated Harbor knows: projects, repositories, artifacts, labels, robots, users.

The rows are plain records, changed by the handlers under ``HarborState.lock``; the bytes of
blobs and manifests are in the :class:`~harborsync.testing.storage.Storage` beside them.
"""

from __future__ import annotations

import itertools
import secrets
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar

import attrs

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_wire import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from harborsync.clock import Clock
    from harborsync.testing.server_wire import Request, Response
    from harborsync.testing.storage import Storage

_T = TypeVar("_T")

#: The settings an administrator may change, with the values a new Harbor has.
SETTINGS: Final[Mapping[str, Any]] = {
    "read_only": False,
    "robot_name_prefix": "robot$",
    "token_expiration": 30,
    "project_creation_restriction": "everyone",
    "quota_per_project_enable": True,
    "storage_per_project": -1,
    "notification_enable": True,
    "auth_mode": "db_auth",
    "self_registration": False,
    "banner_message": "",
    "session_timeout": 60,
    "robot_token_duration": 30,
    "audit_log_forward_endpoint": "",
    "skip_audit_log_database": False,
    "disabled_audit_log_event_types": "",
    "scanner_skip_update_pulltime": False,
}
#: A version, as its first two numbers.
Version = tuple[int, int]
_DAY: Final = 86_400


def new_secret() -> str:
    """Return a robot's secret as Harbor makes them: with letters of both cases and digits."""
    return f"Aa1{secrets.token_urlsafe(24)}"


@attrs.define(kw_only=True, eq=False)
class HarborUser:
    """A person with a password.

    Attributes:
        id: Number.
        name: Login name.
        password: In clear: emulating a slow hash would only burn time.
        admin: May do everything.
        email: Where they are written to.
        realname: What they are called.
        comment: A remark.
        created: When the account was made.
    """

    id: int
    name: str
    password: str = attrs.field(repr=False)
    admin: bool = False
    email: str = ""
    realname: str = ""
    comment: str = ""
    created: datetime = NEVER


@attrs.define(kw_only=True, eq=False)
class HarborMember:
    """A user in a project.

    Attributes:
        id: Number.
        user: Who.
        role: As what.
    """

    id: int
    user: HarborUser
    role: str


@attrs.frozen(kw_only=True)
class Permission:
    """A block of permissions of a robot.

    Attributes:
        kind: ``project`` or ``system``.
        namespace: The project, ``*`` for all of them, ``/`` for the system.
        access: Pairs of resource and action.
    """

    kind: str
    namespace: str
    access: tuple[tuple[str, str], ...]


@attrs.define(kw_only=True, eq=False)
class HarborRobot:
    """An account of a program.

    Attributes:
        id: Number.
        name: As it logs in, prefix and project included.
        secret: Its password.
        level: ``system``, or ``project`` for one that belongs to one.
        project: The project it belongs to, or None.
        description: What it is for.
        duration: Days until it expires, or -1.
        expires: When it does, as a Unix time, or -1.
        disabled: Cannot log in.
        permissions: What it may do.
        creator: Number of the user who made it.
        created: When it was made.
        updated: When it was changed.
    """

    id: int
    name: str
    secret: str = attrs.field(repr=False)
    level: str = "system"
    project: HarborProject | None = None
    description: str = ""
    duration: int = -1
    expires: int = -1
    disabled: bool = False
    permissions: tuple[Permission, ...] = ()
    creator: int = 1
    created: datetime = NEVER
    updated: datetime = NEVER


@attrs.define(kw_only=True, eq=False)
class HarborProject:
    """A project.

    Attributes:
        id: Number.
        name: First component of its repositories' names.
        owner: Who made it.
        metadata: Strings by name, ``public`` among them.
        members: Users with a role in it, by name.
        quota_id: Number of its quota.
        limit: Bytes it may hold, or -1.
        used: Bytes of its blobs and manifests, each counted once.
        sizes: Those blobs and manifests, by digest.
        uses: How many artifacts need each of them.
        quota_updated: When limit or usage changed.
        registry_id: The endpoint it caches, or 0.
        immutable_rules: Rules of tags that may not change, by number.
        created: When it was made.
        updated: When it was changed.
    """

    id: int
    name: str
    owner: HarborUser
    metadata: dict[str, str] = attrs.field(factory=dict)
    members: dict[str, HarborMember] = attrs.field(factory=dict, repr=False)
    quota_id: int = 0
    limit: int = -1
    used: int = 0
    sizes: dict[str, int] = attrs.field(factory=dict, repr=False)
    uses: Counter[str] = attrs.field(factory=Counter, repr=False)
    quota_updated: datetime = NEVER
    registry_id: int = 0
    immutable_rules: dict[int, dict[str, Any]] = attrs.field(factory=dict)
    created: datetime = NEVER
    updated: datetime = NEVER

    @property
    def public(self) -> bool:
        """Whether everybody may pull from it."""
        return self.metadata.get("public") == "true"


@attrs.define(kw_only=True, eq=False)
class HarborTag:
    """A tag.

    Attributes:
        id: Number.
        name: The tag.
        artifact: What it points to.
        pushed: When it was put there.
        pulled: When it was last pulled by.
    """

    id: int
    name: str
    artifact: HarborArtifact
    pushed: datetime
    pulled: datetime = NEVER


@attrs.define(kw_only=True, eq=False)
class HarborAccessory:
    """What makes an artifact one that belongs to another.

    Attributes:
        id: Number.
        kind: ``signature.cosign``, ``subject.accessory`` and so on.
        subject: Digest of the other.
        created: When it was found to belong.
    """

    id: int
    kind: str
    subject: str
    created: datetime


@attrs.define(kw_only=True, eq=False)
class HarborArtifact:
    """A manifest, with what Harbor read in it when it was pushed.

    Attributes:
        id: Number.
        repository: Where it is.
        digest: Its digest.
        manifest_type: Its media type.
        media_type: That of its configuration, or its own.
        artifact_type: The kind of content it says it is, or empty.
        kind: ``IMAGE`` and so on.
        size: Bytes of manifest and blobs, or of an index and its children.
        pushed: When it came.
        pulled: When it was last pulled.
        label_ids: Labels attached, in that order.
        children: Entries of an index: digest, platform, annotations.
        attributes: What its configuration says.
        annotations: Those of the manifest.
        accessory: Set if it belongs to another artifact.
        tags: Tags on it, by name.
        sizes: Its manifest and blobs by digest, for the quota.
    """

    id: int
    repository: HarborRepository = attrs.field(repr=False)
    digest: str
    manifest_type: str
    media_type: str
    artifact_type: str = ""
    kind: str = "IMAGE"
    size: int = 0
    pushed: datetime = NEVER
    pulled: datetime = NEVER
    label_ids: list[int] = attrs.field(factory=list)
    children: tuple[Mapping[str, Any], ...] = attrs.field(default=(), repr=False)
    attributes: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    annotations: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    accessory: HarborAccessory | None = None
    tags: dict[str, HarborTag] = attrs.field(factory=dict, repr=False)
    sizes: Mapping[str, int] = attrs.field(factory=dict, repr=False)


@attrs.define(kw_only=True, eq=False)
class HarborRepository:
    """A repository.

    Attributes:
        id: Number.
        project: Where it belongs.
        name: With the project.
        description: As stored, HTML escaped.
        pull_count: How often something was pulled from it.
        created: When the first artifact came.
        updated: When something last came.
        artifacts: Artifacts by digest, in the order they came.
        tags: Tags by name.
        parents: How many indexes name each digest.
        accessories: What belongs to each digest, in the order it came.
    """

    id: int
    project: HarborProject
    name: str
    description: str = ""
    pull_count: int = 0
    created: datetime = NEVER
    updated: datetime = NEVER
    artifacts: dict[str, HarborArtifact] = attrs.field(factory=dict, repr=False)
    tags: dict[str, HarborTag] = attrs.field(factory=dict, repr=False)
    parents: Counter[str] = attrs.field(factory=Counter, repr=False)
    accessories: dict[str, list[HarborArtifact]] = attrs.field(factory=dict, repr=False)

    @property
    def short_name(self) -> str:
        """The name without the project."""
        return self.name.partition("/")[2]

    def find(self, reference: str) -> HarborArtifact | None:
        """Return the artifact of a tag or digest, or None."""
        if ":" in reference:
            return self.artifacts.get(reference)
        tag = self.tags.get(reference)
        return tag.artifact if tag is not None else None


@attrs.define(kw_only=True, eq=False)
class HarborLabel:
    """A label.

    Attributes:
        id: Number.
        name: What it says.
        description: More of it.
        color: How the portal paints it.
        scope: ``g`` for global, ``p`` for a project's.
        project_id: That project, or 0.
        created: When it was made.
        updated: When it was changed.
    """

    id: int
    name: str
    description: str = ""
    color: str = ""
    scope: str = "g"
    project_id: int = 0
    created: datetime = NEVER
    updated: datetime = NEVER


@attrs.frozen(kw_only=True)
class HarborEvent:
    """Something that happened, for webhooks, event-based replication and the audit log.

    Attributes:
        kind: What it was.
        project: Where.
        repository: Name of the repository, or empty.
        digest: Digest of the artifact, or empty.
        tag: Tag it was named by, or empty.
        tags: All tags the artifact had.
        operator: Who did it.
        at: When.
        request_id: The request that did it.
        details: More, for a person.
    """

    kind: Literal[
        "push", "pull", "delete", "tag_create", "tag_delete", "quota_exceeded", "quota_warning"
    ]
    project: HarborProject
    repository: str = ""
    digest: str = ""
    tag: str = ""
    tags: tuple[str, ...] = ()
    operator: str = ""
    at: datetime = NEVER
    request_id: str = ""
    details: str = ""


@attrs.frozen(kw_only=True)
class AuditEntry:
    """A line of the audit log.

    Attributes:
        id: Number.
        at: When.
        operation: ``create``, ``delete``, ``update`` or ``pull``.
        kind: Kind of thing that was changed.
        resource: Its name.
        description: The same as a sentence.
        username: Who did it.
        project_id: Where, or 0.
    """

    id: int
    at: datetime
    operation: str
    kind: str
    resource: str
    description: str
    username: str
    project_id: int = 0


class Interceptor(Protocol):
    """Stands before the registry of a Harbor."""

    def __call__(self, request: Request, parts: Mapping[str, str], /) -> Response | None:
        """Answer a request, given the named parts of its path, or return None."""
        ...


class HarborState:
    """All rows of one Harbor.

    Attributes:
        storage: Its blobs and manifests.
        clock: Its time.
        version: Which Harbor it is like.
        lock: Held by whoever reads or changes rows.
        secret: What its own parts log in with.
        settings: What an administrator may change; see ``SETTINGS``.
        users: Users by name.
        locked: Until when even the right password of a user is refused (HARBOR-5).
        projects: Projects by number.
        repositories: Repositories by name, project included.
        labels: Labels by number.
        robots: Robots by number.
        audit: The audit log, oldest first.
        subscribers: Called with each event, after the request that caused it is answered
            and without the lock.
        interceptors: Asked for each permitted request to ``/v2``; the first one that has an
            answer gives it in the registry's place.
    """

    def __init__(self, *, storage: Storage, clock: Clock, version: Version) -> None:
        self.storage = storage
        self.clock = clock
        self.version = version
        self.lock = threading.RLock()
        self.secret = secrets.token_hex(16)
        self.settings = dict(SETTINGS)
        self.users: dict[str, HarborUser] = {}
        self.locked: dict[str, datetime] = {}
        self.projects: dict[int, HarborProject] = {}
        self.repositories: dict[str, HarborRepository] = {}
        self.labels: dict[int, HarborLabel] = {}
        self.robots: dict[int, HarborRobot] = {}
        self.audit: list[AuditEntry] = []
        self.subscribers: list[Callable[[HarborEvent], None]] = []
        self.interceptors: list[Interceptor] = []
        self._happened: list[HarborEvent] = []
        self._numbers: dict[str, itertools.count[int]] = {}
        self._rooms: dict[Callable[[], Any], Any] = {}

    def since(self, major: int, minor: int) -> bool:
        """Tell whether this Harbor is of that version or newer."""
        return self.version >= (major, minor)

    def next_id(self, table: str) -> int:
        """Return the next number of a table, from 1."""
        return next(self._numbers.setdefault(table, itertools.count(1)))

    def room(self, kind: Callable[[], _T]) -> _T:
        """Return what another part of the emulator keeps here, made by ``kind`` at first use."""
        with self.lock:
            if kind not in self._rooms:
                self._rooms[kind] = kind()
            found: _T = self._rooms[kind]
            return found

    # --- what happened -------------------------------------------------------------------

    def emit(self, event: HarborEvent) -> None:
        """Note an event for the subscribers."""
        with self.lock:
            self._happened.append(event)

    def tell_subscribers(self) -> None:
        """Hand on the events noted so far; never call it with the lock held."""
        with self.lock:
            happened, self._happened = self._happened, []
        for event in happened:
            for subscriber in tuple(self.subscribers):
                subscriber(event)

    def note(
        self,
        operation: str,
        kind: str,
        resource: str,
        *,
        by: str,
        project_id: int = 0,
        what: str = "",
    ) -> None:
        """Write a line of the audit log."""
        self.audit.append(
            AuditEntry(
                id=self.next_id("audit"),
                at=self.clock.now(),
                operation=operation,
                kind=kind,
                resource=resource,
                description=what or f"{operation} {kind}: {resource}",
                username=by,
                project_id=project_id,
            )
        )

    # --- users and projects --------------------------------------------------------------

    def add_user(
        self,
        name: str,
        password: str,
        *,
        admin: bool = False,
        email: str = "",
        realname: str = "",
        comment: str = "",
    ) -> HarborUser:
        """Make a user."""
        user = HarborUser(
            id=self.next_id("user"),
            name=name,
            password=password,
            admin=admin,
            email=email,
            realname=realname or name,
            comment=comment,
            created=self.clock.now(),
        )
        self.users[name] = user
        return user

    def add_project(
        self,
        name: str,
        *,
        owner: HarborUser,
        metadata: Mapping[str, str] | None = None,
        limit: int = -1,
        registry_id: int = 0,
    ) -> HarborProject:
        """Make a project with its quota; its owner administers it.

        Raises:
            HarborError: There is one of that name.
        """
        if self.find_project(name) is not None:
            refuse.conflict(f"The project named {name} already exists")
        now = self.clock.now()
        project = HarborProject(
            id=self.next_id("project"),
            name=name,
            owner=owner,
            metadata={"public": "false", **(metadata or {})},
            quota_id=self.next_id("quota"),
            limit=limit,
            quota_updated=now,
            registry_id=registry_id,
            created=now,
            updated=now,
        )
        self.projects[project.id] = project
        self.add_member(project, owner, "projectAdmin")
        return project

    def add_member(self, project: HarborProject, user: HarborUser, role: str) -> HarborMember:
        """Give a user a role in a project."""
        member = HarborMember(id=self.next_id("member"), user=user, role=role)
        project.members[user.name] = member
        return member

    def delete_project(self, project: HarborProject) -> None:
        """Delete a project with its robots and labels."""
        del self.projects[project.id]
        for robot in [each for each in self.robots.values() if each.project is project]:
            del self.robots[robot.id]
        for label in [each for each in self.labels.values() if each.project_id == project.id]:
            del self.labels[label.id]

    def add_robot(
        self,
        name: str,
        *,
        permissions: tuple[Permission, ...],
        project: HarborProject | None = None,
        duration: int = -1,
        description: str = "",
        creator: int = 1,
    ) -> HarborRobot:
        """Make a robot with a secret of its own.

        Args:
            name: Its name without prefix and project.
            permissions: What it may do.
            project: The project it belongs to, or None for one of the system.
            duration: Days until it expires, or -1.
            description: What it is for.
            creator: Number of the user who makes it.

        Raises:
            HarborError: There is one of that name.
        """
        now = self.clock.now()
        prefix = self.settings["robot_name_prefix"]
        full_name = f"{prefix}{project.name}+{name}" if project else f"{prefix}{name}"
        if any(each.name == full_name for each in self.robots.values()):
            number = project.id if project else 0
            refuse.conflict(f"robot account {number}:{name} already exists")
        robot = HarborRobot(
            id=self.next_id("robot"),
            name=full_name,
            secret=new_secret(),
            level="project" if project else "system",
            project=project,
            description=description,
            duration=duration,
            expires=int(now.timestamp()) + duration * _DAY if duration > 0 else -1,
            permissions=permissions,
            creator=creator,
            created=now,
            updated=now,
        )
        self.robots[robot.id] = robot
        return robot

    def find_project(self, name: str) -> HarborProject | None:
        """Return the project of a name, or None."""
        return next((each for each in self.projects.values() if each.name == name), None)

    def project(self, name: str) -> HarborProject:
        """Return the project of a name.

        Raises:
            HarborError: There is none.
        """
        found = self.find_project(name)
        if found is None:
            refuse.not_found(f"project {name} not found")
        return found

    def repositories_of(self, project: HarborProject) -> list[HarborRepository]:
        """Return a project's repositories, in the order they were made."""
        return [each for each in self.repositories.values() if each.project is project]

    def repository(self, name: str) -> HarborRepository:
        """Return the repository of a name.

        Raises:
            HarborError: There is none.
        """
        found = self.repositories.get(name)
        if found is None:
            refuse.not_found(f"repository {name} not found")
        return found

    def artifact(self, repository: str, reference: str) -> HarborArtifact:
        """Return the artifact of a tag or digest.

        Raises:
            HarborError: There is no such repository or artifact.
        """
        found = self.repository(repository).find(reference)
        if found is None:
            mark = "@" if ":" in reference else ":"
            refuse.not_found(f"artifact {repository}{mark}{reference} not found")
        return found

    def label(self, number: int) -> HarborLabel:
        """Return the label of a number.

        Raises:
            HarborError: There is none.
        """
        if number not in self.labels:
            refuse.not_found(f"label {number} not found")
        return self.labels[number]

    def labels_of(self, artifact: HarborArtifact) -> Iterable[HarborLabel]:
        """Yield the labels of an artifact, those deleted since left out."""
        return (self.labels[each] for each in artifact.label_ids if each in self.labels)
