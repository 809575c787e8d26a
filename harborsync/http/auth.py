"""Who may know our login, and what is shown at the door.

The first request to a registry goes without anything; its challenge is remembered, and from
then on each request carries a token of the right scopes from the start (OCI-2.15). A refusal
is answered once, with something better; a second one is final.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

import attrs

from harborsync.credentials.base import Credential, Kind
from harborsync.errors import (
    AddressRefused,
    CredentialsExpired,
    CredentialsRefused,
    NoCredentials,
    RegistryError,
)
from harborsync.http.answers import Refusal
from harborsync.http.challenges import BASIC, BEARER, Challenge, choose, parse_challenges
from harborsync.http.doors import USUAL, Door
from harborsync.http.logins import REFUSAL_LASTS, Logins
from harborsync.http.scopes import (
    lacking,
    merged,
    permissions,
    repository_of,
    subject_of,
    ungranted,
)
from harborsync.http.tokens import Token, TokenCache, TokenKey
from harborsync.http.tokenserver import LoginRefused, TokenRequest, TokenServer, basic, check_realm
from harborsync.secrets import redact_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.cancel import Cancel
    from harborsync.clock import Clock
    from harborsync.credentials.base import CredentialSource
    from harborsync.errors import CredentialsError
    from harborsync.http.urls import Origin, Url
    from harborsync.http.wire import Answer, Call

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_API: Final = "/v2/"


@attrs.frozen(kw_only=True)
class Ticket:
    """What a request shows at the door.

    Attributes:
        header: The Authorization field, or None for nothing.
        credential: The login behind it.
        key: Which token it is, if it is one of ours.
        token: That token.
    """

    header: str | None = attrs.field(default=None, repr=False)
    credential: Credential | None = None
    key: TokenKey | None = None
    token: Token | None = None


#: Shows nothing.
NOBODY: Final = Ticket()


class Memory:
    """What is known about the door of one registry; thread-safe, shared by its transports.

    Args:
        clock: Tells when tokens end.
    """

    def __init__(self, clock: Clock) -> None:
        self.tokens = TokenCache(clock)
        self._clock = clock
        self._lock = threading.Lock()
        self._challenge: Challenge | None = None
        self._scopes: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._refused: dict[Credential, tuple[float, CredentialsRefused]] = {}
        self._taken: dict[Credential, float] = {}

    @property
    def challenge(self) -> Challenge | None:
        """The way to log in, as far as it is known."""
        return self._challenge

    def learn(self, challenge: Challenge) -> None:
        """Remember how to log in; a Basic challenge does not displace a Bearer one.

        Harbor, for one, answers a bad token with a Basic challenge.

        Raises:
            AddressRefused: The token server is another one than before (OCI-9.2).
        """
        with self._lock:
            known = self._challenge
            if known is None or known.scheme != BEARER:
                self._challenge = challenge
            elif challenge.scheme == BEARER and _server_of(challenge) != _server_of(known):
                realm = redact_url(known.realm)
                msg = f"the registry changed its token server from {realm} in mid-run"
                raise AddressRefused(msg, hint="if that is right, start again")

    def widen(self, scopes: tuple[str, ...], asked: tuple[str, ...]) -> None:
        """Remember that the registry wants more scopes for what needs ``scopes``."""
        with self._lock:
            self._scopes[scopes] = merged(self._scopes.get(scopes, scopes), asked)

    def scopes_for(self, scopes: tuple[str, ...]) -> tuple[str, ...]:
        """Return ``scopes`` with what the registry is known to want beside them."""
        return self._scopes.get(scopes, scopes)

    def check_login(self, credential: Credential | None) -> None:
        """Keep a login that was refused a moment ago from being shown again.

        Raises:
            LoginRefused: It was.
        """
        until, error = self._refused.get(credential, (0.0, None)) if credential else (0.0, None)
        if error is not None and self._clock.monotonic() < until:
            raise LoginRefused(error.message, hint=error.hint)

    def note_taken_login(self, credential: Credential) -> None:
        """Remember that a login was good."""
        self._taken[credential] = self._clock.monotonic()

    def was_taken(self, credential: Credential | None, *, lately: bool = False) -> bool:
        """Tell whether a login was good once, or not long ago."""
        when = self._taken.get(credential) if credential else None
        if when is None or not lately:
            return when is not None
        return self._clock.monotonic() < when + REFUSAL_LASTS

    def note_refused_login(self, credential: Credential, error: CredentialsRefused) -> None:
        """Remember that the token server refused a login."""
        self._refused[credential] = (self._clock.monotonic() + REFUSAL_LASTS, error)


class Porter:
    """Chooses what is shown at one registry's door; thread-safe.

    Args:
        home: The only origin our login is for (OCI-2.20).
        host: The endpoint's host, by which the login is looked up.
        source: Who knows the login.
        clock: Tells whether a login has ended.
        trusted_realms: Hosts whose token server may see it beside the registry's own.
        server: Gets tokens.
        memory: What is known about the door.
        ping: Asks ``/v2/`` (OCI-2.3), showing what it is given.
        is_expiry: Whether a 403 is about an expired login, at providers that send such.
        door: What is special about this door.
        cancel: Stops waits.
    """

    def __init__(
        self,
        *,
        home: Origin,
        host: str,
        source: CredentialSource,
        clock: Clock,
        trusted_realms: tuple[str, ...],
        server: TokenServer,
        memory: Memory,
        ping: Callable[[Ticket], Answer],
        is_expiry: Callable[[Answer], bool],
        door: Door = USUAL,
        cancel: Cancel | None = None,
    ) -> None:
        self._home = home
        self._host = host
        self._logins = Logins(host, source, clock)
        self._clock = clock
        self._trusted_realms = trusted_realms
        self._server = server
        self._memory = memory
        self._ping = ping
        self._is_expiry = is_expiry
        self._door = door
        self._cancel = cancel

    def ticket(self, call: Call, url: Url) -> Ticket:
        """Return what to show with a request, before anybody has asked.

        Raises:
            CredentialsError: The login is not to be had, or was refused.
            TransportError: The token server cannot be reached.
        """
        if url.origin != self._home or _brings_its_own(call):
            return NOBODY
        credential = self._credential(call)
        if credential is not None and credential.kind is Kind.BEARER:
            return _shown_as_it_is(credential)
        challenge = self._memory.challenge
        is_basic = challenge is not None and challenge.scheme == BASIC
        is_cheap = credential is not None and self._door.is_cheap(credential)
        if is_basic or is_cheap or _is_beside_the_api(call, url):
            return _with_password(credential) or NOBODY
        if challenge is None:
            return NOBODY
        return self._with_token(call, url, challenge, credential)

    def second_ticket(self, call: Call, url: Url, shown: Ticket, answer: Answer) -> Ticket | None:
        """Return what to show instead after a refusal, or None if the answer stands.

        Raises:
            CredentialsError: There is nothing better to show.
            AddressRefused: The challenge points to a place that must not see our login.
        """
        if not self._is_refusal(answer) or _brings_its_own(call) or url.origin != self._home:
            return None
        self._forget(shown)
        if _is_beside_the_api(call, url):
            return self._renewed(call, shown)
        if self._door.says_401_for_rights and shown.credential is not None:
            return self._if_login_is_to_blame(call, url, shown, answer)
        challenge = self._challenge_of(answer, url)
        if challenge is None:
            return None
        credential = self._credential(call)
        if credential is not None and credential.kind is Kind.BEARER:
            second: Ticket | None = _shown_as_it_is(credential)
        elif challenge.scheme == BASIC:
            second = _with_password(credential)
        else:
            self._memory.widen(call.scopes, challenge.scopes)
            second = self._with_token(call, url, challenge, credential)
        if second is None or second.header == shown.header:
            raise self.refusal(shown, answer)
        return second

    def _if_login_is_to_blame(
        self, call: Call, url: Url, shown: Ticket, answer: Answer
    ) -> Ticket | None:
        """Return what to show instead, or None where it is the right that is lacking.

        Raises:
            CredentialsError: The login is not taken, or no longer.
        """
        if shown.token is None:
            renewed = self._renewed(call, shown)
            if renewed is None and not self._is_taken(shown):
                raise self.refusal(shown, answer)
            return renewed
        second = self._with_token_again(call, url, shown)
        if not self._is_named(second) and self._memory.was_taken(second.credential):
            self._clock.sleep(self._door.relents_after or 0.0, self._cancel)
            second = self._with_token_again(call, url, second)
        if not self._is_named(second):
            raise self.refusal(shown, answer)
        assert second.token is not None  # noqa: S101 - it has a name
        return None if lacking(second.token.secret.reveal(), call.scopes) else second

    def _is_taken(self, shown: Ticket) -> bool:
        """Tell whether a login is good, by asking for what everybody may have."""
        credential = shown.credential
        if credential is not None and not self._memory.was_taken(credential, lately=True):
            if self._ping(shown).status == _UNAUTHORIZED:
                return False
            self._memory.note_taken_login(credential)
        return True

    def _is_named(self, shown: Ticket) -> bool:
        """Tell whether a token is for whom we are; one for nobody comes of a wrong login."""
        token = shown.token
        return token is not None and subject_of(token.secret.reveal()) is not None

    def _with_token_again(self, call: Call, url: Url, shown: Ticket) -> Ticket:
        self.drop(shown)
        challenge = self._memory.challenge
        assert challenge is not None  # noqa: S101 - the token shown came of it
        return self._with_token(call, url, challenge, self._credential(call))

    def diagnosis(self, shown: Ticket, call: Call, answer: Answer) -> str:
        """Return what is known about why a request was refused, or nothing (OCI-2.10)."""
        if not self._door.says_401_for_rights or shown.credential is None:
            return diagnosis(shown)
        if answer.status != _UNAUTHORIZED or _is_bare(answer):
            return ""
        whose = f"{shown.credential.username!r} is known"
        if shown.token is None:
            asked = permissions(call.scopes)
            return f"{whose}, and lacks {asked}{', or one of them' if ' and ' in asked else ''}"
        lacks = ungranted(shown.token.secret.reveal(), call.scopes)
        return f"{whose}, and lacks {permissions(lacks)}" if lacks else ""

    def is_final(self, shown: Ticket, answer: Answer) -> bool:
        """Tell whether a second refusal is about the login, and not about a name or a right."""
        if answer.status != _UNAUTHORIZED or _is_about_a_name(answer):
            return False
        if not self._door.says_401_for_rights or shown.credential is None:
            return True
        return not (self._is_taken(shown) if shown.token is None else self._is_named(shown))

    def takes_as_expired(self, shown: Ticket, answer: Answer) -> bool:
        """Tell whether a 403 says that the login has expired; it is not shown again then."""
        is_expiry = answer.status == _FORBIDDEN and self._is_expiry(answer)
        if is_expiry:
            self._forget(shown)
        return is_expiry

    def drop(self, shown: Ticket) -> None:
        """Forget the token that was shown, so that the next request gets a fresh one."""
        if shown.key is not None and shown.token is not None:
            self._memory.tokens.drop(shown.key, shown.token)

    def refusal(self, shown: Ticket, answer: Answer) -> CredentialsError:
        """Return the error for a refusal that nothing better can be shown against."""
        challenges = parse_challenges(answer.headers.all("www-authenticate"))
        offered = ", ".join(dict.fromkeys(each.scheme for each in challenges)) or "no way to log in"
        said = Refusal.of(answer).text
        detail = f"; it says: {said}" if said else ""
        credential = shown.credential
        if credential is None:
            credential = self._logins.of()
        if credential is None:
            msg = f"{self._host} wants a login (it offers {offered}), and there is none{detail}"
            return NoCredentials(msg, hint=_HOW_TO_LOG_IN)
        if credential.expires_at is not None and self._clock.now() >= credential.expires_at:
            msg = f"the login from {credential.origin} for {self._host} has expired{detail}"
            return CredentialsExpired(msg, hint="renew it at its source")
        whose = f"{credential.username!r} from" if credential.username else "from"
        msg = f"{self._host} refuses the login {whose} {credential.origin}"
        msg += f" (it offers {offered}){detail}"
        hint = self._door.if_not_taken or diagnosis(shown) or _MAYBE_HIDDEN
        return CredentialsRefused(msg, hint=hint)

    def _is_refusal(self, answer: Answer) -> bool:
        if answer.status == _UNAUTHORIZED:
            return not _is_about_a_name(answer)
        return answer.status == _FORBIDDEN and self._is_expiry(answer)

    def _credential(self, call: Call) -> Credential | None:
        return self._logins.of(repository_of(call.scopes))

    def _forget(self, shown: Ticket) -> None:
        """Forget what was refused: a token of ours, else the login itself (OCI-2.16, 2.18)."""
        self.drop(shown)
        if shown.token is None and shown.credential is not None:
            self._logins.forget(shown.credential)
        else:
            self._logins.look_again(shown.credential)

    def _renewed(self, call: Call, shown: Ticket) -> Ticket | None:
        """Return the login as it is, if its source has another one by now."""
        credential = self._credential(call)
        second = _with_password(credential)
        if credential is not None and credential.kind is Kind.BEARER:
            second = _shown_as_it_is(credential)
        return None if second is None or second.header == shown.header else second

    def _challenge_of(self, answer: Answer, url: Url) -> Challenge | None:
        """Return how to log in: by the answer, else as the registry does in general."""
        offered = parse_challenges(answer.headers.all("www-authenticate"))
        chosen = choose(offered)
        if chosen is None and offered:
            schemes = ", ".join(each.scheme for each in offered)
            msg = f"{self._host} offers only ways to log in that are not spoken here: {schemes}"
            raise CredentialsRefused(msg, hint="Basic and Bearer are spoken")
        if chosen is None:
            return self._memory.challenge or self._pinged(url)
        if chosen.scheme == BEARER or not self._door.says_401_for_rights:
            self._memory.learn(chosen)
        return chosen

    def _pinged(self, url: Url) -> Challenge | None:
        if not url.path.startswith(_API) or url.path == _API:
            return None
        chosen = choose(parse_challenges(self._ping(NOBODY).headers.all("www-authenticate")))
        if chosen is not None:
            self._memory.learn(chosen)
        return chosen

    def _with_token(
        self, call: Call, url: Url, challenge: Challenge, credential: Credential | None
    ) -> Ticket:
        """Return a token to show; a login that is not taken is asked of its source once more."""
        try:
            return self._token_for(call, url, challenge, credential)
        except LoginRefused:
            renewed = self._logins.instead_of(credential, repository_of(call.scopes))
            if renewed is None:
                raise
        return self._token_for(call, url, challenge, renewed)

    def _token_for(
        self, call: Call, url: Url, challenge: Challenge, credential: Credential | None
    ) -> Ticket:
        if not challenge.realm:
            msg = f"{self._host} wants a token and does not say where to get it"
            raise RegistryError(msg, method=call.method, status=_UNAUTHORIZED)
        realm = url.join(challenge.realm)
        own = (realm.origin.host,) if self._door.owns_realm(realm.origin.host) else ()
        check_realm(realm, self._home, (*self._trusted_realms, *own), credential)
        scopes = self._door.together(self._memory.scopes_for(call.scopes))
        key = TokenKey(
            origin=self._home,
            realm=str(realm),
            service=challenge.service,
            username=credential.username if credential else "",
            secret=credential.secret if credential else None,
            scopes=frozenset(scopes),
        )
        request = TokenRequest(
            url=realm, service=challenge.service, scopes=scopes, credential=credential
        )
        token = self._memory.tokens.get(key, lambda: self._fetch(request))
        header = f"Bearer {token.secret.reveal()}"
        return Ticket(header=header, credential=credential, key=key, token=token)

    def _fetch(self, request: TokenRequest) -> Token:
        self._memory.check_login(request.credential)
        try:
            token = self._server.fetch(request)
        except LoginRefused as error:
            if request.credential is not None:
                self._memory.note_refused_login(request.credential, error)
            raise
        if request.credential is not None and subject_of(token.secret.reveal()) is not None:
            self._memory.note_taken_login(request.credential)
        return token


def diagnosis(shown: Ticket) -> str:
    """Return what a token tells about why it was refused, or nothing (OCI-2.10)."""
    if shown.token is None or not shown.token.lacks:
        return ""
    whose = "to nobody" if shown.credential is None else f"to {shown.credential.username!r}"
    return (
        f"the token server did not grant {' '.join(shown.token.lacks)} {whose}: "
        "the login is wrong, or has no such right, or there is no such repository"
    )


_HOW_TO_LOG_IN: Final = (
    "log in with docker or podman, set the environment variables, or give credentials="
)
_MAYBE_HIDDEN: Final = "check user name and password; the repository may also not exist"


def _server_of(challenge: Challenge) -> tuple[str, str]:
    return challenge.realm, challenge.service


def _is_beside_the_api(call: Call, url: Url) -> bool:
    """Tell whether a call is for another interface of the host, such as Harbor's own."""
    return not call.scopes and not url.path.startswith(_API)


def _brings_its_own(call: Call) -> bool:
    return any(name.lower() == "authorization" for name in call.headers)


def _shown_as_it_is(credential: Credential) -> Ticket:
    return Ticket(header=f"Bearer {credential.secret.reveal()}", credential=credential)


def _with_password(credential: Credential | None) -> Ticket | None:
    if credential is None or credential.kind not in {Kind.BASIC, Kind.CLIENT}:
        return None
    return Ticket(header=basic(credential), credential=credential)


def _is_about_a_name(answer: Answer) -> bool:
    """Tell whether a 401 without a challenge says that a name is wrong, as Harbor's do."""
    return _is_bare(answer) and Refusal.of(answer).says_no_such_name


def _is_bare(answer: Answer) -> bool:
    return not any(text.strip() for text in answer.headers.all("www-authenticate"))
