"""Reads a blob to its end, whatever happens on the way (OCI-4c)."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from harborsync.errors import ConnectionLost, RegistryError, SizeMismatch, Timeout
from harborsync.registries.calls import SMALL, Tries, path, pulling, said_length

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harborsync.content import Descriptor
    from harborsync.http.wire import Answer, Stream
    from harborsync.registries.calls import Api

_OK: Final = 200
_PARTIAL: Final = 206
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_NOT_ALLOWED: Final = 405
_NOT_SATISFIABLE: Final = 416
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@contextmanager
def open_blob(
    api: Api, repository: str, blob: Descriptor, offset: int
) -> Iterator[Iterator[bytes]]:
    """Open a blob's bytes from ``offset``; see :meth:`harborsync.registry.Registry.open_blob`."""
    if blob.size <= SMALL:
        yield _small(api, repository, blob, offset)
        return
    download = _Download(api, repository, blob, offset)
    try:
        download.connect()
        yield download.blocks()
    finally:
        download.close()


def _small(api: Api, repository: str, blob: Descriptor, offset: int) -> Iterator[bytes]:
    what = f"read blob {blob.digest} of {repository}"
    try:
        answer = api.send(
            "GET",
            path(repository, "blobs", blob.digest),
            scopes=pulling(repository),
            max_body=SMALL,
            what=what,
        )
    except RegistryError as error:
        if error.status == _OK:  # the transport does not read on beyond what it was told
            raise _other_size(None, blob, None) from error
        raise
    if answer.status != _OK:
        raise api.refused(answer, what)
    if len(answer.body) != blob.size:
        raise _other_size(answer, blob, len(answer.body))
    return iter((answer.body[offset:],) if offset < blob.size else ())


class _Download:
    """A large blob on its way here; goes on where it broke off."""

    def __init__(self, api: Api, repository: str, blob: Descriptor, offset: int) -> None:
        self._api = api
        self._repository = repository
        self._blob = blob
        self._position = offset
        self._skip = 0
        self._stream: Stream
        self._opened = ExitStack()
        self._what = f"read blob {blob.digest} of {repository}"

    def close(self) -> None:
        self._opened.close()

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes from the position to the end, over as many connections as it takes."""
        tries = Tries(self._api, self._what)
        reached = self._position
        while self._position < self._blob.size:
            try:
                yield from self._rest()
            except (ConnectionLost, Timeout) as error:
                if self._position < self._blob.size:
                    tries.again(error, moved=self._position - reached)
                    reached = self._position
                    self.connect()

    def connect(self, *, ranged: bool = True, fresh: bool = True) -> None:
        """Ask the registry itself for what is missing; old redirects are stale (OCI-4.27)."""
        ranged = ranged and 0 < self._position < self._blob.size
        answer = self._ask(ranged=ranged)
        if answer.status == _FORBIDDEN and fresh and self._api.is_elsewhere(answer):
            self.connect(ranged=ranged, fresh=False)
        elif ranged and answer.status == _PARTIAL and self._goes_on(answer):
            self._skip = 0
        elif ranged and answer.status in {_PARTIAL, _NOT_SATISFIABLE}:
            self.connect(ranged=False)
        else:
            self._check_whole(answer)
            self._skip = self._position

    def _ask(self, *, ranged: bool) -> Answer:
        self.close()
        call = self._api.call(
            "GET",
            path(self._repository, "blobs", self._blob.digest),
            headers={"Range": f"bytes={self._position}-"} if ranged else {},
            scopes=pulling(self._repository),
            what=self._what,
        )
        self._stream = self._opened.enter_context(self._api.transport.stream(call))
        return self._stream.answer

    def _goes_on(self, answer: Answer) -> bool:
        """Tell whether a partial answer is exactly the missing part (OCI-4.31)."""
        first, last, size = self._position, self._blob.size - 1, self._blob.size
        span = answer.headers.get("Content-Range")
        fits = span in {f"bytes {first}-{last}/{size}", f"bytes {first}-{last}/*"}
        return fits and said_length(answer) in {None, size - first}

    def _check_whole(self, answer: Answer) -> None:
        if answer.status != _OK:
            raise self._api.refused(answer, self._what)
        said = said_length(answer)
        if said is not None and said != self._blob.size:
            raise _other_size(answer, self._blob, said)

    def _rest(self) -> Iterator[bytes]:
        for block in self._stream.blocks():
            self._api.context.cancel.check()
            wanted = block[self._skip :]
            self._skip -= len(block) - len(wanted)
            if self._position + len(wanted) > self._blob.size:
                raise _other_size(self._stream.answer, self._blob, None)
            if wanted:
                self._position += len(wanted)
                yield wanted
        if self._position < self._blob.size:
            raise self._ended_early(self._stream.answer)

    def _ended_early(self, answer: Answer) -> Exception:
        if "Transfer-Encoding" in answer.headers:  # its end is marked, so this is all there is
            return _other_size(answer, self._blob, self._position)
        msg = f"{self._api.name} stopped after {self._position} of {self._blob.size} bytes"
        return ConnectionLost(f"{msg} of {self._blob.digest}")


def _other_size(answer: Answer | None, blob: Descriptor, found: int | None) -> SizeMismatch:
    length = "more" if found is None else f"{found} bytes"
    encoding = answer.headers.get("Content-Encoding") if answer else ""
    return SizeMismatch(
        f"blob {blob.digest} should have {blob.size} bytes and has {length}",
        hint=f"something on the way encoded it as {encoding[:40]!r}, unasked (OCI-4.29)"
        if encoding and encoding != "identity"
        else "the manifest or the registry is wrong about this blob",
    )


def has_blob(api: Api, repository: str, blob: Descriptor, *, no_head: set[str]) -> bool:
    """Tell whether a blob of this digest and size is there (OCI-4.1).

    Args:
        api: The registry.
        repository: Where it may be.
        blob: Its digest and size.
        no_head: Holds ``blobs`` once the server has refused a HEAD.
    """
    answer = None if "blobs" in no_head else _head(api, repository, blob)
    if answer is None or answer.status == _NOT_ALLOWED:
        no_head.add("blobs")
        answer = _first_of_get(api, repository, blob)
    if answer.status == _NOT_FOUND:
        return False
    if answer.status == _OK:
        return said_length(answer) in {None, blob.size}
    # Storage to which we were sent may refuse HEAD: that we were sent there tells enough.
    if api.is_elsewhere(answer) or answer.status in _REDIRECTS:
        return True
    raise api.refused(answer, _what_has(repository, blob))


def _head(api: Api, repository: str, blob: Descriptor) -> Answer:
    return api.send(
        "HEAD",
        path(repository, "blobs", blob.digest),
        scopes=pulling(repository),
        what=_what_has(repository, blob),
    )


def _first_of_get(api: Api, repository: str, blob: Descriptor) -> Answer:
    """Ask by GET and hang up before the body."""
    call = api.call(
        "GET",
        path(repository, "blobs", blob.digest),
        scopes=pulling(repository),
        what=_what_has(repository, blob),
    )
    with api.transport.stream(call) as stream:
        return stream.answer


def _what_has(repository: str, blob: Descriptor) -> str:
    return f"look for blob {blob.digest} in {repository}"
