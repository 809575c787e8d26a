"""What a registry's token server says of a login: a token is asked for, and looked into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from harborsync.credentials.base import Anonymous, Kind
from harborsync.errors import AddressRefused
from harborsync.http.challenges import BEARER, Challenge, choose, parse_challenges
from harborsync.http.options import CableOptions
from harborsync.http.scopes import grants, merged, subject_of
from harborsync.http.session import open_transport
from harborsync.http.tokenserver import TokenRequest, TokenServer, check_realm
from harborsync.http.urls import Url
from harborsync.http.wire import Call

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harborsync.credentials.base import Credential
    from harborsync.endpoint import Endpoint
    from harborsync.http.wire import Answer
    from harborsync.provider import OpenContext


@attrs.frozen(kw_only=True)
class Claims:
    """What a token tells.

    Attributes:
        subject: Whom it is for, or None if it does not tell.
        grants: Whether it grants each scope that was asked for; None if it does not tell.
    """

    subject: str | None
    grants: dict[str, bool | None]


def challenge_of(answer: Answer) -> Challenge | None:
    """Return how a registry wants us to log in, by its answer to somebody without a login."""
    return choose(parse_challenges(answer.headers.all("www-authenticate")))


def realm_of(answer: Answer) -> str | None:
    """Return the origin of the token server that an answer names, or None."""
    challenge = challenge_of(answer)
    if challenge is None or challenge.scheme != BEARER:
        return None
    try:
        return str(Url.parse(answer.url).join(challenge.realm).origin)
    except AddressRefused:
        return None


def ask_claims(
    endpoint: Endpoint,
    context: OpenContext,
    answer: Answer,
    login: Credential | None,
    scopes: Iterable[str],
) -> Claims | None:
    """Return what a token for some scopes tells; None where none is given for passwords.

    Args:
        endpoint: The registry.
        context: Clock, policy, limits.
        answer: What the registry answered to somebody without a login.
        login: The login, or None to ask as nobody.
        scopes: What is asked for, in one token.

    Raises:
        CredentialsError: The login is not taken.
        RegistryError: The token server failed.
        TransportError: It cannot be reached, or is none that may see our login.
    """
    challenge = challenge_of(answer)
    bears_its_own = login is not None and login.kind is Kind.BEARER
    if challenge is None or challenge.scheme != BEARER or bears_its_own:
        return None
    home = Url.parse(answer.url)
    realm = home.join(challenge.realm)
    options = CableOptions.of(endpoint, context.limits)
    check_realm(realm, home.origin, options.trusted_realms, login)
    wanted = tuple(scopes)
    request = TokenRequest(
        url=realm, service=challenge.service, scopes=merged((), wanted), credential=login
    )
    token = _fetch(endpoint, context, request)
    return Claims(subject=subject_of(token), grants={each: grants(token, each) for each in wanted})


def _fetch(endpoint: Endpoint, context: OpenContext, request: TokenRequest) -> str:
    nobody = attrs.evolve(context, credentials=Anonymous())
    transport = open_transport(endpoint, nobody, origin=str(request.url.origin))

    def ask(method: str, url: Url, headers: dict[str, str], body: bytes | None) -> Answer:
        what = f"get a token from {url.origin}"
        call = Call(method=method, url=str(url), headers=headers, body=body, what=what)
        return transport.send(call)

    try:
        return TokenServer(ask, context.clock).fetch(request).secret.reveal()
    finally:
        transport.close()
