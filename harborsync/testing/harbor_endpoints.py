"""Replication endpoints of an emulated Harbor: the registries it knows (HARBOR-8)."""

from __future__ import annotations

import re
import ssl
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs

from harborsync.testing import harbor_refusals as refuse
from harborsync.testing.harbor_adapter_infos import (
    HIDDEN,
    TWO_COMPONENTS,
    TYPES,
    adapter_infos,
    registry_info,
)
from harborsync.testing.harbor_adapters import HarborAdapter, PlainAdapter
from harborsync.testing.harbor_far import FarError, HttpLine
from harborsync.testing.harbor_router import Route, route
from harborsync.testing.harbor_schema import typed
from harborsync.testing.harbor_wire import (
    NEVER,
    created,
    date,
    done,
    full,
    ok,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from harborsync.testing.harbor_far import Line
    from harborsync.testing.harbor_router import Context
    from harborsync.testing.harbor_state import HarborState
    from harborsync.testing.server_wire import Response

_LONGEST_NAME: Final = 64
_MASK: Final = "*****"
_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
#: How long what the last ping said is believed.
_FRESH: Final = timedelta(minutes=5)
_FLAT: Final = {
    "name": "string",
    "description": "string",
    "url": "string",
    "credential_type": "string",
    "access_key": "string",
    "access_secret": "string",
    "insecure": "bool",
    "ca_certificate": "string",
}
_NESTED: Final = {
    "name": "string",
    "description": "string",
    "type": "string",
    "url": "string",
    "credential": "object",
    "insecure": "bool",
    "ca_certificate": "string",
}
_PING: Final = {**_FLAT, "id": "int64", "type": "string"}


@attrs.define(kw_only=True, eq=False)
class FarRegistry:
    """A registry to copy from or to.

    Attributes:
        id: Number; 0 is this Harbor, -1 one that is not kept yet.
        name: Its name here.
        kind: Its type, such as ``docker-registry``.
        url: Where it is.
        description: What it is for.
        credential_type: ``basic``, or what the client said.
        access_key: Name to log in with, or empty.
        access_secret: Password to log in with.
        insecure: Whether any certificate of it is taken.
        ca: PEM certificates to trust, or empty.
        healthy: What the last ping said.
        checked: When that was.
        created: When it was made.
        updated: When it was changed.
    """

    id: int = -1
    name: str = ""
    kind: str = ""
    url: str = ""
    description: str = ""
    credential_type: str = ""
    access_key: str = ""
    access_secret: str = attrs.field(default="", repr=False)
    insecure: bool = False
    ca: str = attrs.field(default="", repr=False)
    healthy: bool = True
    checked: datetime = NEVER
    created: datetime = NEVER
    updated: datetime = NEVER

    def shown(self, *, credential: bool = True) -> dict[str, Any]:
        """Return it as the API shows it, the secret masked."""
        shown = full(
            name=self.name,
            type=self.kind,
            url=self.url,
            description=self.description,
            insecure=self.insecure,
            ca_certificate=self.ca,
        )
        if credential:
            shown["credential"] = self._credential()
        return {
            **shown,
            "id": self.id,
            "status": "healthy" if self.healthy else "unhealthy",
            "creation_time": date(self.created),
            "update_time": date(self.updated),
        }

    def _credential(self) -> dict[str, Any]:
        if not self.access_secret and not self.access_key:
            return {}
        return full(type=self.credential_type, access_key=self.access_key, access_secret=_MASK)


class Endpoints:
    """The registries that one Harbor knows, and the API to them.

    Args:
        state: What else the Harbor knows.
        inner: A line of the Harbor to itself.
        origin: Tells where the Harbor is.
    """

    def __init__(
        self, state: HarborState, *, inner: Callable[[], Line], origin: Callable[[], str]
    ) -> None:
        self._state = state
        self._inner = inner
        self._origin = origin
        self._rows: dict[int, FarRegistry] = {}
        self._gone: dict[int, FarRegistry] = {}
        #: Asked whether a registry is in use; returns by what, or nothing.
        self.users: list[Callable[[int], str]] = []
        self.routes: tuple[Route, ...] = (
            route("GET", "/replication/adapters", self._list_adapters),
            route("GET", "/replication/adapterinfos", self._list_infos),
            route("GET", "/registries", self._list, locked=False),
            route("POST", "/registries", self._create, locked=False),
            route("POST", "/registries/ping", self._ping, locked=False),
            route("GET", "/registries/{number}", self._get, locked=False),
            route("PUT", "/registries/{number}", self._update, locked=False),
            route("DELETE", "/registries/{number}", self._delete),
            route("GET", "/registries/{number}/info", self._info, locked=False),
        )

    def find(self, number: int) -> FarRegistry:
        """Return the registry of a number; 0 is this Harbor.

        Raises:
            HarborError: There is none.
        """
        if number == 0:
            return self.local
        if number not in self._rows:
            refuse.not_found(f"registry {number} not found")
        return self._rows[number]

    def recall(self, number: int) -> FarRegistry:
        """Return the registry of a number, also one deleted since: runs keep what they began with.

        Raises:
            HarborError: There never was one.
        """
        return self._gone.get(number) or self.find(number)

    @property
    def local(self) -> FarRegistry:
        """This Harbor as an endpoint of itself."""
        return FarRegistry(
            id=0,
            name="Local",
            kind="harbor",
            url=self._origin(),
            insecure=True,
            credential_type="secret",
            access_secret=_MASK,
        )

    def adapter(self, row: FarRegistry) -> PlainAdapter:
        """Return what talks to a registry."""
        if row.id == 0:
            return HarborAdapter(self._inner(), logs_in=True)
        line = HttpLine(
            row.url,
            user=row.access_key,
            secret=row.access_secret,
            insecure=row.insecure,
            ca=row.ca,
        )
        logs_in = bool(row.access_key)
        if row.kind == "harbor":
            return HarborAdapter(line, logs_in=logs_in)
        components = "only_two" if row.kind in TWO_COMPONENTS else "any"
        return PlainAdapter(line, logs_in=logs_in, components=components)

    # --- adapters ------------------------------------------------------------------------

    def _list_adapters(self, context: Context) -> Response:
        context.require_system("replication-adapter", "list")
        hidden = HIDDEN if self._state.since(2, 14) else frozenset()
        return ok([kind for kind in TYPES if kind not in hidden])

    def _list_infos(self, context: Context) -> Response:
        context.require_system("replication-adapter", "list")
        return ok(adapter_infos())

    # --- reading -------------------------------------------------------------------------

    def _list(self, context: Context) -> Response:
        context.require_system("registry", "list")
        wanted = context.query.get("name", "")
        rows = [row for row in self._rows.values() if wanted in row.name]
        for row in rows:
            self._look_again(row)
        fields = {
            "id": lambda row: row.id,
            "name": lambda row: row.name,
            "type": lambda row: row.kind,
            "url": lambda row: row.url,
        }
        return context.page(rows, self._shown, fields=fields, default="id")

    def _get(self, context: Context, number: str) -> Response:
        context.require_system("registry", "read")
        row = self._of(number)
        self._look_again(row)
        return ok(self._shown(row))

    def _info(self, context: Context, number: str) -> Response:
        context.require_system("registry", "read")
        row = self._of(number)
        adapter = self.adapter(row)
        try:
            labels = adapter.labels() if isinstance(adapter, HarborAdapter) else None
        except FarError:
            refuse.internal()
        info = registry_info(row.kind, local=row.id == 0, labels=labels if row.id else None)
        return ok(info)

    # --- changing ------------------------------------------------------------------------

    def _create(self, context: Context) -> Response:
        context.require_system("registry", "create")
        body = typed(context.body, "registry", "Registry", _NESTED)
        credential = body.pop("credential", {})
        row = FarRegistry(kind=body.pop("type", ""))
        self._apply(row, {**body, **_flattened(credential)})
        self._check_name(row)
        row.url = _clean_url(row.url)
        self._check_ca(row)
        self._require_healthy(row)
        row.id = self._state.next_id("registry")
        row.created = row.updated = self._state.clock.now()
        self._rows[row.id] = row
        return created(f"/api/v2.0/registries/{row.id}")

    def _update(self, context: Context, number: str) -> Response:
        context.require_system("registry", "update")
        row = self._of(number)
        body = typed(context.body, "registry", "RegistryUpdate", _FLAT)
        changed = attrs.evolve(row)
        moved = _clean_url(body["url"]) != row.url if "url" in body else False
        if moved and "access_secret" not in body and self._state.since(2, 16):
            changed.access_secret = ""
        self._apply(changed, body)
        self._check_name(changed)
        changed.url = _clean_url(changed.url)
        self._check_ca(changed)
        self._require_healthy(changed)
        changed.updated = self._state.clock.now()
        self._rows[row.id] = changed
        return done()

    def _delete(self, context: Context, number: str) -> Response:
        context.require_system("registry", "delete")
        row = self._of(number)
        users = [found for found in (user(row.id) for user in self.users) if found]
        if row.id == 0 or users:
            reason = users[0] if users else "replication policies"
            refuse.precondition(
                f"the registry {row.id} is referenced by {reason}, cannot delete it"
            )
        self._gone[row.id] = self._rows.pop(row.id)
        return done()

    def _ping(self, context: Context) -> Response:
        context.require_system("registry", "read")
        body = typed(context.body, "registry", "RegistryPing", _PING)
        row = FarRegistry(kind=body.get("type", ""))
        if "id" in body:
            row = attrs.evolve(self.find(body["id"]))
        elif not row.kind or not body.get("url"):
            refuse.bad_request("type or url cannot be empty")
        # With a number, the rest of the body counts up to 2.15 (recorded: 08) and no longer.
        if "id" not in body or not self._state.since(2, 16):
            self._apply(row, body)
        row.url = _clean_url(row.url)
        self._require_healthy(row)
        return done()

    # --- the parts of that ---------------------------------------------------------------

    def _of(self, number: str) -> FarRegistry:
        return self.find(int(number) if number.isdecimal() else -1)

    def _shown(self, row: FarRegistry) -> dict[str, Any]:
        shown = row.shown()
        if not self._state.since(2, 15):
            shown.pop("ca_certificate", None)
        return shown

    def _apply(self, row: FarRegistry, body: dict[str, Any]) -> None:
        """Put the fields of a body into a row; without a user there is no credential."""
        for name in ("name", "description", "url", "insecure"):
            setattr(row, name, body.get(name, getattr(row, name)))
        row.ca = body.get("ca_certificate", row.ca) if self._state.since(2, 15) else ""
        for name in ("credential_type", "access_key", "access_secret"):
            setattr(row, name, body.get(name, getattr(row, name)))
        if not row.access_key and row.id != 0:
            row.access_secret = row.credential_type = ""

    def _check_name(self, row: FarRegistry) -> None:
        if not row.name:
            refuse.bad_request("name cannot be empty")
        if len(row.name) > _LONGEST_NAME:
            refuse.bad_request(f"the max length of name is {_LONGEST_NAME}")
        same = (each for each in self._rows.values() if each.name == row.name)
        if any(each.id != row.id for each in same):
            refuse.conflict(f"registry {row.name} already exists")

    @staticmethod
    def _check_ca(row: FarRegistry) -> None:
        try:
            if row.ca:
                ssl.create_default_context(cadata=row.ca)
        except (ssl.SSLError, ValueError):
            refuse.bad_request("invalid CA certificate: no valid certificates found in PEM data")

    def _require_healthy(self, row: FarRegistry) -> None:
        """Ping a registry as Harbor does before it takes one: that proves little (HARBOR-8)."""
        if row.kind not in TYPES:
            refuse.internal()
        try:
            healthy = self.adapter(row).healthy()
        except FarError:
            refuse.internal()
        if not healthy:
            refuse.bad_request("the registry is unhealthy")
        row.healthy, row.checked = True, self._state.clock.now()

    def _look_again(self, row: FarRegistry) -> None:
        """Ping a registry again if the last time is long ago."""
        now = self._state.clock.now()
        if row.id == 0 or now - row.checked < _FRESH:
            return
        row.checked = now
        try:
            row.healthy = self.adapter(row).healthy()
        except FarError:
            row.healthy = False


def _flattened(credential: dict[str, Any]) -> dict[str, Any]:
    names = {
        "type": "credential_type",
        "access_key": "access_key",
        "access_secret": "access_secret",
    }
    return {flat: credential[name] for name, flat in names.items() if credential.get(name)}


def _clean_url(text: str) -> str:
    """Return a URL as Harbor stores it: with a scheme, without query or slashes at the end.

    Raises:
        HarborError: It is none.
    """
    text = text.strip().rstrip("/")
    if not text:
        refuse.bad_request("empty string")
    scheme = _SCHEME.match(text)
    if scheme is not None and scheme[1].lower() not in {"http", "https"}:
        refuse.bad_request(f"invalid HTTP scheme: {scheme[1]}")
    url = text if scheme else f"http://{text}"
    parts = urlsplit(url)
    if " " in parts.netloc or not parts.netloc:
        reason = 'invalid character " " in host name'
        refuse.bad_request(f'invalid URL: parse "{url}": {reason}')
    return f"{parts.scheme}://{parts.netloc}{parts.path}"
