"""The far registries that a Harbor knows: the endpoints of its replication (HARBOR §8)."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - read at run time
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.harbor.collection import Collection
from harborsync.harbor.mistakes import Mistake, name_mistakes, refuse, url_mistakes
from harborsync.harbor.records import MASK, read, write
from harborsync.secrets import Secret, redact_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.harbor.api import HarborApi

#: The kinds of registry that Harbor has adapters for; any other is a blank 500 (HARBOR §8).
TYPES: Final = frozenset(
    {
        "ali-acr",
        "aws-ecr",
        "azure-acr",
        "docker-hub",
        "docker-registry",
        "dtr",
        "github-ghcr",
        "gitlab",
        "google-gcr",
        "harbor",
        "huawei-SWR",
        "jfrog-artifactory",
        "quay",
        "tencent-tcr",
        "volcengine-cr",
    }
)
#: The id under which a Harbor knows itself.
LOCAL: Final = 0
_LONGEST_NAME: Final = 64


@attrs.frozen(kw_only=True)
class RegistryCredential:
    """How a Harbor logs in at a far registry.

    Attributes:
        type: ``basic``, or ``secret`` for the Harbor itself.
        access_key: User name or access key; without one Harbor stores no credential.
        access_secret: Password or secret key; None where Harbor hides it.
    """

    type: str = "basic"
    access_key: str = ""
    access_secret: Secret | None = None


def _shown(url: str) -> str:
    """Return an address as it may be shown: Harbor itself takes one that holds a login."""
    return repr(redact_url(url))


@attrs.frozen(kw_only=True)
class RemoteRegistry:
    """A registry as a Harbor knows it.

    Attributes:
        id: Its number there; 0 for the Harbor itself, None for one not made yet.
        name: Its name there, of at most 64 characters.
        type: One of :data:`TYPES`.
        url: Its address.
        description: A text for people.
        credential: How Harbor logs in there, or None.
        insecure: Whether Harbor does not check its certificate.
        ca_certificate: The PEM text of an authority to trust, since 2.15, or None.
        status: ``healthy`` or ``unhealthy``, as Harbor saw it last.
        creation_time: When it was made.
        update_time: When it was changed last.
    """

    id: int | None = None
    name: str = ""
    type: str = ""
    url: str = attrs.field(default="", repr=_shown)
    description: str = ""
    credential: RegistryCredential | None = None
    insecure: bool = False
    ca_certificate: str | None = None
    status: str = ""
    creation_time: datetime | None = None
    update_time: datetime | None = None

    @property
    def is_local(self) -> bool:
        """Whether this is the Harbor itself."""
        return self.id == LOCAL


@attrs.frozen(kw_only=True)
class ResourceFilter:
    """A filter that rules about a registry can have.

    Attributes:
        type: ``name``, ``tag``, ``label`` or ``resource``.
        style: How a form would ask for it.
        values: What there is to choose from; empty where anything goes.
    """

    type: str = ""
    style: str = ""
    values: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class RegistryInfo:
    """What rules about a registry can do.

    Attributes:
        type: Its type.
        supported_resource_filters: The filters.
        supported_triggers: The triggers; ``event_based`` only for the Harbor itself.
        supported_copy_by_chunk: Whether blobs can go in pieces.
    """

    type: str = ""
    supported_resource_filters: tuple[ResourceFilter, ...] = ()
    supported_triggers: tuple[str, ...] = ()
    supported_copy_by_chunk: bool = False


def registry_mistakes(registry: RemoteRegistry) -> Iterator[Mistake]:
    """Yield what is wrong with a registry that is to be made or changed."""
    yield from name_mistakes(registry.name, _LONGEST_NAME)
    if registry.type not in TYPES:
        what = f"{registry.type!r} is no type of registry that Harbor knows"
        yield Mistake(where="type", what=what, remedy=f"use one of {', '.join(sorted(TYPES))}")
    yield from _address_mistakes(registry.url)
    yield from _credential_mistakes(registry.credential or RegistryCredential())
    if registry.ca_certificate and "-----BEGIN CERTIFICATE-----" not in registry.ca_certificate:
        what = "it holds no certificate in PEM"
        yield Mistake(where="ca_certificate", what=what, remedy="give the text of the .pem file")


def _address_mistakes(url: str) -> Iterator[Mistake]:
    yield from url_mistakes(url)
    if "?" in url or "#" in url:
        what = "it has a query or a fragment, which Harbor drops"
        yield Mistake(where="url", what=what, remedy="end it before the ? or #")


def _credential_mistakes(credential: RegistryCredential) -> Iterator[Mistake]:
    secret = credential.access_secret
    if secret and not credential.access_key:
        what = "a secret without a key is not stored"
        yield Mistake(where="credential", what=what, remedy="give the access_key, too")
    if secret and secret.reveal() == MASK:
        what = "the secret is the mask that Harbor shows instead of it"
        yield Mistake(where="credential", what=what, remedy="give the secret itself, or none")


class Registries:
    """The far registries of one Harbor; thread-safe.

    Args:
        api: Speaks to the Harbor.
    """

    def __init__(self, api: HarborApi) -> None:
        self._api = api
        self._all = Collection(
            api, RemoteRegistry, "/registries", noun="registry", resource="registry"
        )

    def list(self) -> Iterator[RemoteRegistry]:
        """Yield them all, the Harbor itself left out."""
        return self._all.each()

    def get(self, registry_id: int) -> RemoteRegistry:
        """Return one; 0 is the Harbor itself.

        Raises:
            NotFound: There is none with this id.
        """
        return self._all.get(registry_id)

    def named(self, name: str) -> RemoteRegistry | None:
        """Return the one with exactly this name, or None."""
        # The server finds every name that contains this one.
        found = self._all.each(name=name)
        return next((registry for registry in found if registry.name == name), None)

    def create(self, registry: RemoteRegistry) -> int:
        """Make one, and return its id; Harbor looks first whether it can reach it.

        That Harbor is content proves little: a registry that wants a login and was given none
        is taken for healthy (HARBOR §8).

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
        """
        refuse(f"make the registry {registry.name!r}", registry_mistakes(registry))
        return self._all.make(write(registry)).id

    def update(self, registry: RemoteRegistry) -> None:
        """Change one to what this says; a secret that is None stays as it is.

        Raises:
            InvalidValue: Something in it cannot work; nothing was sent.
            NotFound: There is none with its id.
        """
        # The type cannot be changed, so that of a newer Harbor does no harm.
        mistakes = [mistake for mistake in registry_mistakes(registry) if mistake.where != "type"]
        mistakes.extend(self._move_mistakes(registry))
        refuse(f"change the registry {registry.name!r}", mistakes)
        self._all.replace(registry.id, _flat(registry))

    def delete(self, registry_id: int) -> bool:
        """Delete one; tell whether it was there.

        Raises:
            RegistryError: A policy or a proxy project still uses it.
        """
        return self._all.delete(registry_id)

    def ping(self, registry: RemoteRegistry | int) -> bool:
        """Tell whether Harbor reaches a registry: one it knows, by id, or one not made yet."""
        body = {"id": registry} if isinstance(registry, int) else _flat(registry)
        answer = self._api.ask("POST", "/registries/ping", body=body, what="ping a registry")
        # An unreachable Harbor is a blank 500, any other unhealthy registry a 400.
        if answer.status in {400, 500}:
            return False
        if answer.status != 200:  # noqa: PLR2004 - OK
            raise self._api.refused(answer, "ping a registry", "registry:read")
        return True

    def info(self, registry_id: int) -> RegistryInfo:
        """Return what rules about a registry can do.

        Raises:
            NotFound: There is none with this id.
        """
        return read(RegistryInfo, self._all.raw(f"{registry_id}/info"))

    def adapters(self) -> frozenset[str]:
        """Return the types that this Harbor offers; it may know more than it lists."""
        what, needs = "list the adapters", "replication-adapter:list"
        return frozenset(self._api.get("/replication/adapters", what=what, needs=needs) or ())

    def _move_mistakes(self, registry: RemoteRegistry) -> Iterator[Mistake]:
        """Yield a mistake if the address changes and the secret is not told again.

        Harbor 2.15 would hand the old secret to the new address; 2.16 would forget it.
        """
        credential = registry.credential
        if not credential or not credential.access_key or credential.access_secret:
            return
        if registry.id is not None and self.get(registry.id).url != registry.url.rstrip("/"):
            what = "the address changes, and what then becomes of the secret differs by version"
            yield Mistake(where="credential", what=what, remedy="give the secret again")


def _flat(registry: RemoteRegistry) -> dict[str, Any]:
    """Return a registry as PUT and ping want it: the credential's fields beside the others."""
    fields: dict[str, Any] = write(registry)
    credential = fields.pop("credential", {"access_key": "", "access_secret": ""})
    kind = credential.pop("type", None)
    return {**fields, **({"credential_type": kind} if kind else {}), **credential}
