"""What the registries of clouds have in common: their options, and how they are put together.

A cloud's registry is the distribution API with a login bought from the cloud, and abilities that
its own API gives. A provider module names its quirks, says how to log in, and composes.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import attrs

from harborsync.clouds import recognise, recognise_challenge
from harborsync.credentials.hosts import is_loopback
from harborsync.errors import Denied, InvalidValue, MissingDependency, NoCredentials
from harborsync.registries.calls import Api, path, pushing
from harborsync.registries.creation import CREATION_OPTIONS
from harborsync.secrets import redact_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.clouds import CloudHost
    from harborsync.endpoint import Endpoint
    from harborsync.http.wire import Answer, Transport
    from harborsync.provider import OpenContext

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

#: Options that every cloud's endpoints know; each cloud says which of them it reads.
CLOUD_OPTIONS: Final = CREATION_OPTIONS | {"account_id", "api", "instance_id", "region"}

_ACCEPTED: Final = frozenset({201, 202})


def check_api(endpoint: Endpoint, *names: str) -> None:
    """Refuse addresses of APIs that would be spoken to in the clear, but for this machine.

    Args:
        endpoint: Whose options.
        names: The options that hold addresses.

    Raises:
        InvalidValue: One is no https address.
    """
    for name in names:
        url = endpoint.options.get(name)
        if url is not None and not _is_fit(url):
            msg = f"the option {name} cannot be {redact_url(url)[:200]!r}"
            raise InvalidValue(msg, hint="write https://HOST; http:// only for 127.0.0.1")


def _is_fit(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        is_here = parts.scheme == "http" and is_loopback(host)
        is_bare = not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        return False
    return is_bare and bool(host) and (parts.scheme == "https" or is_here)


def at_host(endpoint: Endpoint, host: str, prefix: str) -> Endpoint:
    """Return an endpoint with its host spelt out, for the cable.

    Raises:
        InvalidValue: Another machine would be spoken to in the clear.
    """
    if endpoint.plain_http and not is_loopback(urlsplit(f"//{host}").hostname or ""):
        msg = f"{host} is never spoken to in the clear: logins would be read on the way"
        raise InvalidValue(msg, hint="leave +http out")
    return attrs.evolve(endpoint, address=f"{host}/{prefix}" if prefix else host)


def probe(endpoint: Endpoint, context: OpenContext) -> CloudHost | None:
    """Return whose registry stands behind an endpoint; asks it once, without a login.

    The host's name tells if it is a cloud's own. A customer's own domain shows nothing, and what
    its registry says of itself does.

    Raises:
        TransportError: Nobody answers.
    """
    return recognise(endpoint.host) or told_by_challenge(endpoint, context)


def told_by_challenge(endpoint: Endpoint, context: OpenContext) -> CloudHost | None:
    """Return whose registry it is by what it says to somebody without a login, or None.

    Raises:
        TransportError: Nobody answers.
    """
    from harborsync.http.challenges import parse_challenges  # noqa: PLC0415 - loads requests
    from harborsync.http.session import ask_how_to_log_in  # noqa: PLC0415

    answer = ask_how_to_log_in(endpoint, context)
    offered = parse_challenges(answer.headers.all("www-authenticate"))
    return recognise_challenge(endpoint.host, [each.service for each in offered])


def push_taken(name: str, transport: Transport, context: OpenContext) -> Callable[[str], bool]:
    """Return what tells, by opening an upload, whether a registry has or makes a repository.

    It is what the first push would do, so a product that makes repositories on that makes it as
    its templates say. The upload is left to expire.
    """
    api = Api(name=name, transport=transport, context=context)

    def taken(repository: str) -> bool:
        what = f"open an upload to {repository}"
        url = path(repository, "blobs", "uploads", "")
        answer = api.send("POST", url, body=b"", scopes=pushing(repository), what=what)
        if answer.status in _ACCEPTED:
            return True
        error = api.refused(answer, what)
        if not _is_lacking(answer, error.codes):
            raise error
        return False

    return taken


def _is_lacking(answer: Answer, codes: tuple[str, ...]) -> bool:
    is_unknown = answer.status == 404 and not codes  # noqa: PLR2004 - a status
    return is_unknown or "NAME_UNKNOWN" in codes


class Preferring:
    """Uses an API where the identity may, and something lesser where it may not.

    Which it is, is found by trying, for each repository by itself, since policies differ among
    them; it is said once in the log. Thread-safe.

    Args:
        api: What the API is called.
    """

    def __init__(self, api: str) -> None:
        self._api = api
        self._lock = threading.Lock()
        self._refused: set[str] = set()
        self._told: set[str] = set()

    def iterate(
        self,
        what: str,
        best: Callable[[], Iterator[_T]],
        otherwise: Callable[[], Iterator[_T]],
        *,
        of: str = "",
    ) -> Iterator[_T]:
        """Yield what ``best`` yields, or what ``otherwise`` does if the identity may not ask.

        Args:
            what: What is done, for the log.
            best: Asks the API; what it is refused before its first result falls back.
            otherwise: Asks in another way.
            of: The repository it is about.
        """
        key = f"{what} {of}"
        if key not in self._refused:
            try:
                results = best()
                first = next(results)
            except StopIteration:
                return
            except (Denied, NoCredentials, MissingDependency) as error:
                self._note(what, key, error)
            else:
                yield first
                yield from results
                return
        yield from otherwise()

    def _note(self, what: str, key: str, error: Exception) -> None:
        with self._lock:
            is_new = what not in self._told
            self._told.add(what)
            self._refused.add(key)
        if is_new:
            _log.warning("%s: %s by a slower way: %s", self._api, what, error)
