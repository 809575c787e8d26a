"""What Google tells of us at Artifact Registry: whether an access token is to be had."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harborsync.credentials.cloud import handed_over
from harborsync.credentials.google import GoogleIdentity
from harborsync.credentials.google_api import ARTIFACT_REGISTRY
from harborsync.credentials.google_cable import Cables
from harborsync.credentials.google_tokens import IAM, TokenSource
from harborsync.insight import Deed, Direction, Identity, Insight
from harborsync.permissions.google import (
    GarTarget,
    GooglePurpose,
    grant,
    permissions,
    roles,
)
from harborsync.provider import Checks
from harborsync.registries.gar_place import GarPlace

if TYPE_CHECKING:
    from harborsync.endpoint import Endpoint
    from harborsync.provider import OpenContext

#: What stands in a policy for what only its writer knows.
MEMBER: Final = "serviceAccount:NAME@PROJECT.iam.gserviceaccount.com"
PROJECT: Final = "PROJECT"


def _permissions(*purposes: GooglePurpose) -> str:
    return ", ".join(permissions(purposes))


_PERMISSIONS: Final = {
    Deed.LIST: _permissions(GooglePurpose.DISCOVER, GooglePurpose.PULL),
    Deed.PULL: _permissions(GooglePurpose.PULL),
    Deed.PUSH: _permissions(GooglePurpose.PUSH),
    Deed.CREATE: _permissions(GooglePurpose.CREATE),
    Deed.DELETE: _permissions(GooglePurpose.PRUNE),
    Deed.MOUNT: _permissions(GooglePurpose.PUSH),
    Deed.REFERRERS: _permissions(GooglePurpose.PULL),
}


def _look(endpoint: Endpoint, context: OpenContext, repository: str) -> Insight:  # noqa: ARG001 - the signature of Checks.look
    login = context.credentials.get(GarPlace.of(endpoint).host)
    if login is None:
        options = endpoint.options
        given = handed_over(context.credentials, GoogleIdentity) or GoogleIdentity()
        source = TokenSource(
            identity=given.with_options(options),
            cables=Cables(endpoint=endpoint, context=context),
            iam_url=options.get("iam_api", IAM),
        )
        login = source.get().login
    return Insight(
        identity=Identity(name=login.username, origin=login.origin, expires_at=login.expires_at)
    )


def _apis(endpoint: Endpoint) -> tuple[str, ...]:
    options = endpoint.options
    return tuple(filter(None, (options.get("api", ARTIFACT_REGISTRY), options.get("iam_api", ""))))


def _policy(endpoint: Endpoint, direction: Direction) -> str:
    """Return the permissions, and the command that gives the least of Google's own roles."""
    place = GarPlace.of(endpoint)
    main = GooglePurpose.PULL if direction is Direction.PULL else GooglePurpose.PUSH
    purposes = [GooglePurpose.DISCOVER, main]
    project = place.project_of(place.prefix) or PROJECT
    repository = place.repository_id_of(place.prefix)
    target = GarTarget(project=project, location=place.location, repository=repository)
    commands = [grant(role, MEMBER, target) for role in roles(purposes)]
    return "\n".join([*permissions(purposes), *commands])


GAR: Final = Checks(permissions=_PERMISSIONS, look=_look, apis=_apis, policy=_policy)
