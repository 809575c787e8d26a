"""Harbor: bytes as at any registry, and everything else by one list for a hundred artifacts.

    >>> from harborsync.gate import open_registry
    >>> registry = open_registry("harbor://harbor.example/team")  # no request yet
    >>> registry.abilities.labels is not None
    True

The path behind the host is the beginning of all repository names, the project first. A robot
account shows its secret with every request, which costs Harbor next to nothing; a user's
password costs it a tenth of a second each time, so for users tokens are fetched that last
half an hour (HARBOR §5).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.errors import InvalidValue
from harborsync.harbor.api import LOCK_LASTS, WRONG_LOGIN, HarborApi
from harborsync.provider import Provider
from harborsync.registries.creation import Creation
from harborsync.registries.distribution import DistributionRegistry
from harborsync.registries.harbor_catalog import Catalog
from harborsync.registries.harbor_details import Details
from harborsync.registries.harbor_labels import Labels
from harborsync.registries.harbor_lists import Lists
from harborsync.registries.harbor_projects import Projects
from harborsync.registries.harbor_referrers import ListedReferrers
from harborsync.registries.harbor_surveys import Narrowing, Surveys
from harborsync.registries.harbor_tags import TagDeletion
from harborsync.registries.harbor_writing import (
    WRITING_OPTIONS,
    Copies,
    Mounts,
    ProjectMaker,
    Quotas,
    Tags,
)
from harborsync.registry import Abilities, Quirks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.artifact import Artifact
    from harborsync.content import Descriptor
    from harborsync.credentials.base import Credential
    from harborsync.endpoint import Endpoint
    from harborsync.http.doors import TokenGroups
    from harborsync.http.wire import Transport
    from harborsync.provider import OpenContext
    from harborsync.reference import Digest, Tag
    from harborsync.registry import Registry

#: The options that are read here, beside those of the cable.
OPTIONS: Final = WRITING_OPTIONS | {"login"}
_ROBOT_SIGNS: Final = frozenset("$+")
#: All of it seen at Harbor 2.12.4 and 2.15.2 (HARBOR §§4, 6).
QUIRKS: Final = Quirks(
    min_name_depth=2,
    mount_tells_presence=True,
    takes_sha512=False,  # it does, and stores it under sha256, as its storage does (OCI-4.19)
)


class _Harbor:
    """Puts a registry together from what the distribution API and Harbor's own one offer."""

    def __init__(
        self, endpoint: Endpoint, transport: Transport, context: OpenContext, groups: TokenGroups
    ) -> None:
        self._endpoint = endpoint
        self._context = context
        self._groups = groups
        self._api = HarborApi(endpoint.host, transport, context)
        self._projects = Projects(self._api)
        self._lists = Lists(self._api, self._projects, self._by_tags)
        self._project = endpoint.prefix.partition("/")[0]
        self.registry = DistributionRegistry(
            endpoint.host,
            transport,
            context,
            quirks=QUIRKS,
            abilities=self._abilities,
            listing=self._lists.list_artifacts,
        )

    def _by_tags(self, repository: str) -> Iterator[Artifact]:
        return self.registry.list_tags(repository)

    def _head(self, repository: str, reference: Tag | Digest) -> Descriptor | None:
        return self.registry.resolve(repository, reference)

    def _abilities(self, offered: Abilities) -> Abilities:
        catalog = Catalog(self._api, self._projects, self._project, offered.catalog)
        labels = Labels(self._api, self._projects, self._lists, self._context.clock)
        referrers = offered.referrers and ListedReferrers(self._lists, offered.referrers)
        surveys = Surveys(self._lists, catalog, self._groups.announce)
        return attrs.evolve(
            offered,
            catalog=catalog,
            describe=Details(self._lists, self._head),
            referrers=referrers,
            deletes_tags=TagDeletion(self._api),
            labels=labels,
            descriptions=catalog,
            surveys=surveys,
            lists_narrowed=Narrowing(self._lists, labels, surveys),
            creates=ProjectMaker(self._api, self._projects, Creation.of(self._endpoint)),
            mounts=Mounts(self._api),
            tags=Tags(self._api, self._tags_by_api),
            copies=Copies(self._api),
            room=Quotas(self._api, self._context.clock),
        )

    def _tags_by_api(self) -> bool:
        """Tell whether further tags are made by the API: robots do so, unless told otherwise."""
        asked = self._endpoint.options.get("tags_by")
        if asked is not None:
            return asked == "api"
        login = self._context.credentials.get(self._endpoint.host)
        return login is not None and is_robot(_login_of(self._endpoint), login)


def is_robot(login: str, credential: Credential) -> bool:
    """Tell a robot from a user, as far as names tell.

    What a robot's name begins with can be configured; a user's name never holds a ``$``. To
    take one for the other is slower, and works all the same.

    Args:
        login: What the endpoint says it is: ``robot``, ``user``, or nothing.
        credential: The login.
    """
    return login == "robot" or (not login and not _ROBOT_SIGNS.isdisjoint(credential.username))


def _login_of(endpoint: Endpoint) -> str:
    """Return the option ``login``.

    Raises:
        InvalidValue: It is neither a robot nor a user.
    """
    found = endpoint.options.get("login", "")
    if found not in {"", "robot", "user"}:
        msg = f"the option login cannot be {found[:100]!r}"
        raise InvalidValue(msg, hint="write robot or user")
    return found


def _check_tags_by(endpoint: Endpoint) -> None:
    """Refuse a way of making tags that there is not.

    Raises:
        InvalidValue: The option ``tags_by`` is neither ``api`` nor ``push``.
    """
    found = endpoint.options.get("tags_by", "api")
    if found not in {"api", "push"}:
        msg = f"the option tags_by cannot be {found[:100]!r}"
        raise InvalidValue(msg, hint="write api or push")


def _open(endpoint: Endpoint, context: OpenContext) -> Registry:
    from harborsync.http.doors import Door, TokenGroups  # noqa: PLC0415 - loads requests
    from harborsync.http.options import check_names  # noqa: PLC0415
    from harborsync.http.session import open_transport  # noqa: PLC0415

    check_names(endpoint, OPTIONS)
    _check_tags_by(endpoint)
    groups = TokenGroups()
    door = Door(
        is_cheap=partial(is_robot, _login_of(endpoint)),
        together=groups.together,
        says_401_for_rights=True,
        relents_after=LOCK_LASTS,
        if_not_taken=WRONG_LOGIN,
    )
    transport = open_transport(endpoint, context, door=door)
    return _Harbor(endpoint, transport, context, groups).registry


PROVIDER: Final = Provider(name="harbor", open=_open)
