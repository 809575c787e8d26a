"""A Harbor inside your test: its API and its registry on 127.0.0.1, in this process.

    >>> from harborsync.testing import LoopbackHarbor
    >>> with LoopbackHarbor() as harbor:
    ...     project = harbor.add_project("team")
    ...     digest = harbor.push_image("team/app", "1.0")
    ...     robot = harbor.add_robot("sync", project="team", access=["repository:pull"])
    ...     robot.name, harbor.tags("team/app") == {"1.0": digest}
    ('robot$team+sync', True)

Both faces answer as a Harbor of the chosen version was seen to, errors and oddities included:
tokens that hold less than was asked for, a 401 where others say 403, pages of at most 100. The
first administrator is ``admin`` with the password ``Harbor12345``, as in a new Harbor.

The rooms: ``harbor_state`` (rows), ``harbor_artifacts`` (what a push or a deletion does to them),
``harbor_reading`` (what is read in a manifest), ``harbor_limits`` (quotas, immutable tags),
``harbor_access`` and ``harbor_tokens`` (who may what), ``harbor_router`` (the table of the API),
``harbor_api_*`` and ``harbor_shapes`` (its handlers), ``harbor_v2`` (the registry). What a Harbor
does with other registries is entered by ``harbor_backstage``.
"""

from __future__ import annotations

import secrets
import threading
import uuid
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.clock import SystemClock
from harborsync.content import OCI_MANIFEST
from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidValue
from harborsync.reference import Digest
from harborsync.testing import (
    harbor_api_artifacts,
    harbor_api_labels,
    harbor_api_limits,
    harbor_api_projects,
    harbor_api_repositories,
    harbor_api_robots,
    harbor_api_system,
    harbor_api_users,
)
from harborsync.testing import harbor_artifacts as books
from harborsync.testing.closing import Closing
from harborsync.testing.content import random_image
from harborsync.testing.faults import NONE
from harborsync.testing.harbor_access import ROLES, identify
from harborsync.testing.harbor_backstage import Backstage
from harborsync.testing.harbor_router import (
    BASE,
    Route,
    answer_api,
    check_query,
    check_writable,
    missing_path,
    with_single_slashes,
)
from harborsync.testing.harbor_state import (
    HarborLabel,
    HarborProject,
    HarborRobot,
    HarborState,
    HarborUser,
    Permission,
)
from harborsync.testing.harbor_tokens import SERVICE_PATH, TokenService
from harborsync.testing.harbor_v2 import answer_v2, check_names
from harborsync.testing.harbor_wire import HarborError
from harborsync.testing.profiles import PROFILES
from harborsync.testing.server_blobs import get_from_storage
from harborsync.testing.server_connection import Connection
from harborsync.testing.server_hub import Hub
from harborsync.testing.server_listener import Listener
from harborsync.testing.server_wire import Refusal, Response
from harborsync.testing.storage import Storage

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from harborsync.clock import Clock
    from harborsync.testing.content import Sample
    from harborsync.testing.faults import Fault
    from harborsync.testing.harbor_deliveries import Deliveries
    from harborsync.testing.harbor_state import HarborArtifact, HarborEvent, Version
    from harborsync.testing.server_connection import LoggedRequest
    from harborsync.testing.server_wire import Request
    from harborsync.testing.tls import TestAuthority

#: The versions that can be emulated.
VERSIONS: Final[Mapping[str, Version]] = {
    "2.8": (2, 8),
    "2.12": (2, 12),
    "2.15": (2, 15),
    "2.16": (2, 16),
}
ADMIN: Final = "admin"
ADMIN_PASSWORD: Final = "Harbor12345"  # noqa: S105 - what every new Harbor has
#: Everything the API answers; other parts add their routes here.
ROUTES: Final[tuple[Route, ...]] = (
    *harbor_api_projects.ROUTES,
    *harbor_api_repositories.ROUTES,
    *harbor_api_artifacts.ROUTES,
    *harbor_api_labels.ROUTES,
    *harbor_api_robots.ROUTES,
    *harbor_api_limits.ROUTES,
    *harbor_api_system.ROUTES,
    *harbor_api_users.ROUTES,
)
_BLOBS: Final = "/storage/"
# The registry behind Harbor, with what its configuration by Harbor changes.
_BEHIND: Final = attrs.evolve(
    PROFILES["distribution-2.8"],
    accept_sensitive=False,  # Harbor asks by digest, and the Accept is looked at before
    max_manifest_bytes=2**40,  # so is the size
    foreign_layers=True,  # conformance suite: they need not be there
    referrers="api",  # Harbor's own, but it is the push that tells of the subject
)
_PAGE: Final = b"<!DOCTYPE HTML>\n<html><title>404 - Page Not Found</title></html>\n"


class LoopbackHarbor(Closing):
    """An embedded Harbor; listens from construction until ``close()``.

    Args:
        version: ``2.8``, ``2.12``, ``2.15`` or ``2.16``.
        tls: Makes the server's certificate; plain HTTP if None.
        redirects: Blobs are served by a second host that wants no login, by a 307.
        relative_locations: Where an upload goes on is told without scheme and host.
        token_seconds: How long a token is good; as Harbor has it if None.
        faults: Asked for every request what is to go wrong with it; may be replaced any time.
        clock: Its time.
        directory: Where large blobs go; a temporary directory of its own if None.

    Attributes:
        state: What it knows, to check and to change.
        storage: The blobs and manifests it holds.
        clock: The one given, or the system's.
        faults: The one given, or None.
    """

    def __init__(
        self,
        *,
        version: str = "2.15",
        tls: TestAuthority | None = None,
        redirects: bool = False,
        relative_locations: bool = False,
        token_seconds: float | None = None,
        faults: Callable[[Request], Fault | None] | None = None,
        clock: Clock | None = None,
        directory: Path | None = None,
    ) -> None:
        self.clock = clock or SystemClock()
        self.storage = Storage(directory)
        self.state = HarborState(storage=self.storage, clock=self.clock, version=_version(version))
        self.faults = faults
        self._tls = tls
        self._tokens = TokenService(self.state)
        self._lock = threading.Lock()
        self._log: list[LoggedRequest] = []
        if token_seconds is not None:
            self.state.settings["token_expiration"] = token_seconds / 60
        self._fill()
        context = tls.server_context(demand_client=False) if tls else None
        self._other = Listener(self._serve_blobs, context) if redirects else None
        self._hub = self._connected(relative=relative_locations)
        self._backstage = Backstage(self.state, answer=self._answer, url=lambda: self.url)
        self._routes = (*self._backstage.routes, *ROUTES)
        self._listener = Listener(self._serve_harbor, context)

    # --- where it is ---------------------------------------------------------------------

    @property
    def host(self) -> str:
        """Where it listens: ``127.0.0.1:<port>``."""
        return self._listener.host

    @property
    def url(self) -> str:
        """Where it listens, as an address with its scheme."""
        return f"http{'s' if self._tls else ''}://{self.host}"

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens, as an endpoint to open; under TLS with the option ``ca``."""
        if self._tls is None:
            return Endpoint(provider="harbor", address=self.host, plain_http=True)
        options = {"ca": str(self._tls.ca_file)}
        return Endpoint(provider="harbor", address=self.host, option_items=options)

    @property
    def requests(self) -> tuple[LoggedRequest, ...]:
        """Every request answered since the start or the last ``clear_log()``, in order."""
        with self._lock:
            return tuple(self._log)

    def clear_log(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self._log.clear()

    @property
    def other_host(self) -> str | None:
        """The second address, if blobs are served by one, or None."""
        return self._other.host if self._other is not None else None

    def close(self) -> None:
        """End every connection and thread and throw the content away; may be called again."""
        self._listener.close()
        if self._other is not None:
            self._other.close()
        self.storage.close()

    # --- seeding -------------------------------------------------------------------------

    def add_user(
        self,
        name: str,
        password: str,
        *,
        admin: bool = False,
        roles: Mapping[str, str] | None = None,
    ) -> HarborUser:
        """Make a user.

        Args:
            name: Login name.
            password: Password.
            admin: May do everything.
            roles: Roles by project: ``projectAdmin``, ``maintainer``, ``developer``, ``guest``
                or ``limitedGuest``.

        Raises:
            InvalidValue: A role is none.
        """
        for role in (roles or {}).values():
            if role not in ROLES:
                msg = f"{role!r} is no role of a project"
                raise InvalidValue(msg, hint=f"use one of {', '.join(ROLES)}")
        with self.state.lock:
            user = self.state.add_user(name, password, admin=admin)
            for project, role in (roles or {}).items():
                self.state.add_member(self.state.project(project), user, role)
            return user

    def add_project(self, name: str, *, public: bool = False, limit: int = -1) -> HarborProject:
        """Make a project of the administrator's; ``limit`` are the bytes it may hold."""
        with self.state.lock:
            return self.state.add_project(
                name,
                owner=self.state.users[ADMIN],
                metadata={"public": str(public).lower()},
                limit=limit,
            )

    def add_robot(
        self,
        name: str,
        *,
        project: str | None = None,
        access: Iterable[str] = ("repository:pull", "repository:push"),
        system: Iterable[str] = (),
        days: int = -1,
    ) -> HarborRobot:
        """Make a robot with a secret of its own.

        Args:
            name: Its name without prefix and project.
            project: The project it belongs to; a system robot with access to all if None.
            access: What it may do there, as ``resource:action``.
            system: What it may do to the system.
            days: When it expires, or -1.
        """
        blocks = [_permission("project", project or "*", access)]
        if system:
            blocks.append(_permission("system", "/", system))
        with self.state.lock:
            return self.state.add_robot(
                name,
                project=self.state.project(project) if project else None,
                permissions=tuple(blocks),
                duration=days,
            )

    def add_label(self, name: str, *, project: str | None = None, color: str = "") -> HarborLabel:
        """Make a label of a project, or a global one."""
        with self.state.lock:
            now = self.clock.now()
            label = HarborLabel(
                id=self.state.next_id("label"),
                name=name,
                color=color,
                scope="p" if project else "g",
                project_id=self.state.project(project).id if project else 0,
                created=now,
                updated=now,
            )
            self.state.labels[label.id] = label
            return label

    def push(self, repository: str, sample: Sample, *tags: str) -> Digest:
        """Store content and everything it refers to, as if it had been pushed."""
        for blob in sample.blobs:
            self.storage.put_blob(repository, blob.content, digest=blob.descriptor.digest)
        for part in sample.manifests[:-1]:
            self.push_manifest(repository, part.raw, media_type=part.media_type)
        own = (str(sample.tag),) if sample.tag is not None else ()
        last = sample.manifest
        return self.push_manifest(repository, last.raw, *(tags or own), media_type=last.media_type)

    def push_image(self, repository: str, *tags: str, seed: int = 0) -> Digest:
        """Store a small image, another one for each ``seed``, as if it had been pushed."""
        return self.push(repository, random_image(seed), *tags)

    def push_manifest(
        self, repository: str, content: bytes, *tags: str, media_type: str = OCI_MANIFEST
    ) -> Digest:
        """Store a manifest as if it had been pushed, whether its blobs are there or not."""
        with self.state.lock:
            digest = self.storage.put_manifest(repository, content, media_type=media_type)
            for tag in tags or ("",):
                books.record_push(self.state, repository, str(digest), tag, by=ADMIN)
        self.state.tell_subscribers()
        return digest

    # --- checking ------------------------------------------------------------------------

    def tags(self, repository: str) -> dict[str, Digest]:
        """Return the tags of a repository with the digests they point to."""
        with self.state.lock:
            held = self.state.repositories.get(repository)
            rows = held.tags.items() if held is not None else ()
            return {name: Digest.parse(tag.artifact.digest) for name, tag in rows}

    def artifact(self, repository: str, reference: str) -> HarborArtifact:
        """Return what is known of an artifact, named by tag or digest.

        Raises:
            HarborError: There is none.
        """
        with self.state.lock:
            return self.state.artifact(repository, reference)

    @property
    def deliveries(self) -> Deliveries:
        """What sends its webhooks: what was sent so far, and who receives it in this process."""
        return self._backstage.deliveries

    def settle(self) -> None:
        """Do what has come due by the clock: runs, deliveries, schedules.

        Every request does the same first, so that this is only needed where none is made.
        """
        self._backstage.jobs.settle()

    def subscribe(self, subscriber: Callable[[HarborEvent], None]) -> None:
        """Have a function called with each event, after the request that caused it."""
        self.state.subscribers.append(subscriber)

    # --- serving -------------------------------------------------------------------------

    def _fill(self) -> None:
        """Make what every new Harbor has."""
        admin = self.state.add_user(
            ADMIN, ADMIN_PASSWORD, admin=True, realname="system admin", comment="admin user"
        )
        self.state.add_project("library", owner=admin, metadata={"public": "true"})

    def _connected(self, *, relative: bool) -> Hub:
        quirks = attrs.evolve(_BEHIND, location="relative" if relative else "absolute")
        hub = Hub(storage=self.storage, quirks=quirks, clock=self.clock)
        if self._other is None:
            return hub
        origin = f"http{'s' if self._tls else ''}://{self._other.host}"
        quirks = attrs.evolve(quirks, redirects="other_host")
        return attrs.evolve(hub, quirks=quirks, storage_origin=origin)

    def _serve_harbor(self, connection: socket.socket, number: int) -> None:
        self._serve(self._answer, connection, number)

    def _serve_blobs(self, connection: socket.socket, number: int) -> None:
        self._serve(self._answer_blobs, connection, number)

    def _serve(
        self, answer: Callable[[Request, Fault], Response], connection: socket.socket, number: int
    ) -> None:
        Connection(
            connection,
            number,
            answer=answer,
            fault_for=self._fault_for,
            log=self._note,
            clock=self.clock,
            secure=self._tls is not None,
        ).serve()

    def _answer(self, request: Request, fault: Fault = NONE) -> Response:
        self.settle()
        if fault.forget_uploads:
            self.storage.forget_uploads()
        request = with_single_slashes(request)
        request_id = request.headers.get("x-request-id") or str(uuid.uuid4())
        try:
            check_query(request)
            response = self._admit(request, request_id)
        except HarborError as error:
            response = error.response
        self.state.tell_subscribers()
        if fault.expire_tokens:
            self._tokens.expire()
        return response

    def _admit(self, request: Request, request_id: str) -> Response:
        """Answer, unless a look at the address is enough to refuse; only then there is no session."""
        headers = {"X-Request-Id": request_id}
        try:
            check_names(request)
            check_writable(self.state, request)
            response = self._dispatch(request, request_id)
            headers["Set-Cookie"] = f"sid={secrets.token_hex(16)}; Path=/; HttpOnly"
        except HarborError as error:
            response = error.response
        return attrs.evolve(response, headers={**headers, **response.headers})

    def _dispatch(self, request: Request, request_id: str) -> Response:
        path = request.path
        if path == SERVICE_PATH:
            return self._tokens.issue(request)
        if path == "/api/version":
            return _text(200, '{"version":"v2.0"}\n')
        if path == "/v2" or path.startswith("/v2/"):
            return answer_v2(self.state, self._hub, self._tokens, request, request_id)
        if path.startswith(BASE):
            return answer_api(
                self._routes, self.state, request, lambda: identify(self.state, request), request_id
            )
        if path.startswith("/api"):
            return missing_path(path)
        headers = {"Content-Type": "text/html; charset=utf-8", "X-Harbor-Csrf-Token": request_id}
        return Response(status=404, headers=headers, body=_PAGE)

    def _answer_blobs(self, request: Request, fault: Fault) -> Response:  # noqa: ARG002
        repository, _, digest = request.path.removeprefix(_BLOBS).rpartition("/")
        try:
            return get_from_storage(self._hub, request, repository, digest)
        except Refusal as refusal:
            return refusal.response

    def _fault_for(self, request: Request) -> Fault | None:
        return self.faults(request) if self.faults is not None else None

    def _note(self, line: LoggedRequest) -> None:
        with self._lock:
            self._log.append(line)


def _text(status: int, text: str) -> Response:
    headers = {"Content-Type": "text/plain; charset=utf-8"}
    return Response(status=status, headers=headers, body=text.encode())


def _version(text: str) -> Version:
    if text not in VERSIONS:
        msg = f"{text!r} is no version of Harbor that can be emulated"
        raise InvalidValue(msg, hint=f"use one of {', '.join(VERSIONS)}")
    return VERSIONS[text]


def _permission(kind: str, namespace: str, access: Iterable[str]) -> Permission:
    pairs = tuple((name, action) for name, _, action in (each.partition(":") for each in access))
    return Permission(kind=kind, namespace=namespace, access=pairs)
