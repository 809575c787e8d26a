"""The way to ACR's registry, which says "denied" of three things that have different remedies.

A repository that is not there, one that may not be used, and a tag that may not be moved are all
refused alike. The API beside the registry knows which it is, and is asked only then.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import attrs

from harborsync.artifact import UNAVAILABLE, Unknown
from harborsync.errors import CredentialsRefused, Denied, HarborsyncError, TagImmutable
from harborsync.http.scopes import repository_of
from harborsync.http.tokenserver import LoginRefused
from harborsync.http.wire import Answer, Headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.http.wire import Body, Call, Stream, Transport
    from harborsync.registries.acr_api import AcrRepository

_DENIED: Final = frozenset({401, 403})
_NOT_FOUND: Final = 404
_MAYBE: Final = (
    "the namespace or the repository may not exist: create them, or open the registry with "
    "create=auto; or this identity lacks the right (harborsync.permissions.aliyun)"
)
_NO_RIGHT: Final = (
    "the repository is there, and this identity lacks cr:PullRepository or cr:PushRepository on "
    "it: harborsync.permissions.aliyun writes a policy; AliyunContainerRegistryReadOnlyAccess "
    "does not allow to push"
)
_NO_REPOSITORY: Final = ("NAME_UNKNOWN", "its API knows no such repository")
_NO_API: Final = ("UNSUPPORTED", "the repository is there")
_IMMUTABLE: Final = "choose another tag, or switch off the repository's tag immutability"


class AcrTransport:
    """A :class:`~harborsync.http.wire.Transport` that tells apart what ACR does not.

    Args:
        inner: The way there.
        look: Returns a repository, None if there is none, or UNAVAILABLE if that is not known.
        close: Is called when the way is closed.
    """

    def __init__(
        self,
        inner: Transport,
        look: Callable[[str], AcrRepository | Unknown | None],
        close: Callable[[], None],
    ) -> None:
        self._inner = inner
        self._look = look
        self._close = close

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self._inner.origin

    def send(self, call: Call) -> Answer:
        """Send a small request and read the whole answer."""
        return self._told(call, lambda: self._inner.send(call))

    def upload(self, call: Call, body: Body) -> Answer:
        """Send a large body once."""
        return self._told(call, lambda: self._inner.upload(call, body))

    @contextmanager
    def stream(self, call: Call) -> Iterator[Stream]:
        """Send a GET whose answer is large."""
        with ExitStack() as stack:
            opened: list[Stream] = []

            def start() -> Answer:
                opened.append(stack.enter_context(self._inner.stream(call)))
                return opened[0].answer

            answer = self._told(call, start)
            is_as_it_was = bool(opened) and answer is opened[0].answer
            yield opened[0] if is_as_it_was else _Refused(answer)

    def close(self) -> None:
        """Close all connections, those to the API, too."""
        self._inner.close()
        self._close()

    def _told(self, call: Call, send: Callable[[], Answer]) -> Answer:
        """Return an answer that says what it means.

        Raises:
            TagImmutable: The tag may not be moved.
            Denied: The repository is there, and the right is lacking.
        """
        try:
            answer = send()
        except LoginRefused:
            raise  # it is about the login, whatever the repository
        except CredentialsRefused as error:
            return self._instead(call, error)
        if answer.status not in _DENIED or not repository_of(call.scopes):
            return answer
        found = self._found(call)
        if found is None or _asks_for_referrers(call, found):
            return _lacking(call, answer.status, _NO_REPOSITORY if found is None else _NO_API)
        _check_tag(call, found)
        return attrs.evolve(answer, diagnosis=_MAYBE if found is UNAVAILABLE else _NO_RIGHT)

    def _instead(self, call: Call, error: CredentialsRefused) -> Answer:
        """Return what to say where a token for the repository is not to be had.

        Raises:
            Denied: The repository is there, and the right is lacking.
            CredentialsRefused: Nobody knows.
        """
        found = self._found(call)
        if found is None or _asks_for_referrers(call, found):
            return _lacking(call, 401, _NO_REPOSITORY if found is None else _NO_API)
        if found is UNAVAILABLE:
            raise type(error)(error.message, hint=_MAYBE) from None
        msg = f"cannot {call.what}: {error.message}"
        raise Denied(msg, method=call.method, status=401, codes=("DENIED",), hint=_NO_RIGHT)

    def _found(self, call: Call) -> AcrRepository | Unknown | None:
        repository = repository_of(call.scopes)
        return self._look(repository) if repository else UNAVAILABLE


@attrs.frozen
class _Refused:
    """A stream that holds nothing but a refusal."""

    answer: Answer

    def blocks(self) -> Iterator[bytes]:
        """Yield the refusal."""
        yield self.answer.body


def looking(find: Callable[[str], AcrRepository | None]) -> Callable[[str], Any]:
    """Return what looks for a repository and does not mind if it may not."""

    def look(repository: str) -> AcrRepository | Unknown | None:
        try:
            return find(repository)
        except HarborsyncError:
            return UNAVAILABLE

    return look


def _check_tag(call: Call, found: AcrRepository | Unknown) -> None:
    """See that it is not a tag that was refused; whoever got a token has the right to push.

    Raises:
        TagImmutable: It is one that cannot be moved.
    """
    writes_manifest = call.method == "PUT" and "/manifests/" in call.url
    if writes_manifest and not isinstance(found, Unknown) and found.immutable is True:
        msg = f"cannot {call.what}: the tags of {found.name} are immutable"
        raise TagImmutable(msg, method="PUT", status=403, codes=("DENIED",), hint=_IMMUTABLE)


def _asks_for_referrers(call: Call, found: AcrRepository | Unknown) -> bool:
    """Tell whether the refusal may be of the API alone, which not every instance has.

    Who may not pull is told so by what is asked next, the fallback tag (OCI-6.1).
    """
    return "/referrers/" in call.url and not isinstance(found, Unknown)


def _lacking(call: Call, status: int, said: tuple[str, str]) -> Answer:
    """Return the answer that a registry gives which says what is not there."""
    code, text = said
    error = {"code": code, "message": f"the registry answers {status}, and {text}"}
    return Answer(
        method=call.method,
        url=call.url,
        status=_NOT_FOUND,
        headers=Headers([("Content-Type", "application/json")]),
        body=json.dumps({"errors": [error]}).encode(),
    )
