"""Brings a blob into a repository by the cheapest way that works (OCI-4b).

is it there? ── yes ──────────────────────────────────────────────► PRESENT
  │ (asked by HEAD, or by a mount of the repository from itself)
  └ no ─ can it be mounted? ── yes ───────────────────────────────► MOUNTED
           └ no ─ open a session ─ one PUT, or PATCH… and a PUT ──► UPLOADED
                      ▲    └ broke off: is it there by now? ──────► UPLOADED
                      │         └ no ─ does the session live? ─ go on at its offset
                      └──────────────────────────────── no ─┘
"""

from __future__ import annotations

import contextlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import attrs

from harborsync.errors import (
    Cancelled,
    CredentialsError,
    DigestMismatch,
    HarborsyncError,
    IntegrityError,
    OutOfTime,
    RegistryError,
    Side,
    TransportError,
    Unsupported,
)
from harborsync.events import BlobOutcome
from harborsync.http.wire import Body
from harborsync.registries.calls import SMALL, Tries, path, pushing, said_digest, whole_number
from harborsync.registries.sessions import Session, read_offset, resolve_location
from harborsync.registries.sources import CheckedSource
from harborsync.registry import BlobPut
from harborsync.secrets import Secret
from harborsync.state import SessionKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from harborsync.content import Descriptor
    from harborsync.http.wire import Answer
    from harborsync.registries.calls import Api
    from harborsync.registry import BlobOpener, Mounting, Quirks
    from harborsync.state import SessionJournal

_CREATED: Final = 201
_ACCEPTED: Final = 202
_UNAUTHORIZED: Final = 401
_TOO_LARGE: Final = 413
_NOT_SATISFIABLE: Final = 416
_GONE: Final = frozenset({404, 410})
_STORED: Final = frozenset({200, 201, 204})
_TAKEN: Final = frozenset({200, 201, 202, 204})  # OCI-4.13

_OCTETS: Final = "application/octet-stream"
_MOUNT_TRIES: Final = 2  # OCI-4.5
#: A proxy that refuses pieces even of this length refuses uploads (OCI-4.24).
_SHORTEST_PIECE: Final = 256 * 1024
_SHRINK: Final = 8
#: A blob this long is not sent on the word of a registry that was never seen to mount, nor
#: before the registry was asked where else it has it.
_WORTH_ASKING: Final = 8 * 2**20
#: Answers to a mount that say "not now" rather than "not here".
_PASSING: Final = frozenset({408, 429, 500, 502, 503, 504})


class Uploader:
    """Puts blobs into one registry; safe to use from many threads.

    Args:
        api: The registry.
        quirks: How it differs from the specification.
        has_blob: Tells whether a blob is there.
        journal: Remembers sessions of uploads that broke off.
    """

    def __init__(
        self,
        api: Api,
        *,
        quirks: Quirks,
        has_blob: Callable[[str, Descriptor], bool],
        journal: SessionJournal,
    ) -> None:
        self.api = api
        self.quirks = quirks
        self.has_blob = has_blob
        self.journal = journal
        self._has_mounted = False

    def put(
        self,
        repository: str,
        blob: Descriptor,
        content: BlobOpener,
        *,
        mount_from: Sequence[str],
        mounting: Mounting | None,
        absent: bool,
    ) -> BlobPut:
        """Make sure that a blob is there; see :meth:`harborsync.registry.Registry.put_blob`."""
        try:
            self._check_acceptable(blob)
            probes = self._probes(repository, mount_from, mounting, absent=absent)
            if not absent and repository not in probes and self.has_blob(repository, blob):
                return BlobPut(outcome=BlobOutcome.PRESENT)
            found = self._mount(repository, blob, probes)
            if repository in probes and not isinstance(found, BlobOutcome):
                found = self._beyond_doubt(repository, blob, found)
            if mounting is not None and not isinstance(found, BlobOutcome):
                found = self._from_elsewhere(repository, blob, probes, mounting, found)
            if isinstance(found, BlobOutcome):
                return BlobPut(outcome=found)
            with self._claimed(repository, blob) as key:
                return _Upload(self, repository, blob, content, key).run(found)
        except HarborsyncError as error:
            error.at(Side.DESTINATION)
            raise

    def open_session(self, repository: str, blob: Descriptor) -> Session:
        """Open an upload session."""
        what = f"open an upload to {repository}"
        url = path(repository, "blobs", "uploads", "") + _algorithm(blob, "?")
        answer = self.api.send("POST", url, body=b"", scopes=pushing(repository), what=what)
        if answer.status != _ACCEPTED:
            raise self.api.refused(answer, what)
        return self.session_of(answer)

    def session_of(self, answer: Answer, *, offset: int = 0, min_chunk: int = 0) -> Session:
        """Read where a session goes on; only the latest answer counts (OCI-4.12)."""
        location = answer.headers.get("Location")
        if not location:
            msg = f"{self.api.name} opened an upload session and did not say where"
            raise RegistryError(msg, method=answer.method, status=answer.status)
        asked = whole_number(answer.headers.get("OCI-Chunk-Min-Length"))
        return Session(
            url=resolve_location(answer.url, location),
            offset=offset,
            min_chunk=min_chunk if asked is None else asked,
        )

    def abandon(self, repository: str, session: Session) -> None:
        """Tell the server to drop a session; it may refuse, and will forget it later (OCI-4.22)."""
        with contextlib.suppress(
            RegistryError, TransportError, CredentialsError, Cancelled, OutOfTime
        ):
            self.api.send(
                "DELETE",
                session.url,
                scopes=pushing(repository),
                repeatable=False,
                what=f"cancel an upload to {repository}",
            )

    def _check_acceptable(self, blob: Descriptor) -> None:
        most = self.quirks.max_layer_bytes
        if most is not None and blob.size > most:
            msg = f"{self.api.name} takes blobs of at most {most} bytes; {blob.digest} has {blob.size}"
            raise Unsupported(msg)
        if blob.digest.algorithm != "sha256" and not self.quirks.takes_sha512:
            msg = f"{self.api.name} does not take content named by {blob.digest.algorithm}"
            raise Unsupported(msg)

    def _probes(
        self,
        repository: str,
        mount_from: Sequence[str],
        mounting: Mounting | None,
        *,
        absent: bool,
    ) -> tuple[str, ...]:
        """Return the repositories to try to mount from; a mount from itself tells presence."""
        if mounting is None:
            return ()
        likely = [name for name in mount_from if mounting.may_mount(repository, name)]
        itself = (repository,) if self.quirks.mount_tells_presence and not absent else ()
        return tuple(dict.fromkeys((*likely[:_MOUNT_TRIES], *itself)))

    def _mount(
        self, repository: str, blob: Descriptor, probes: Sequence[str]
    ) -> BlobOutcome | Session | None:
        session: Session | None = None
        for origin in probes:
            opened = self._mount_from(repository, blob, origin)
            if session is not None and opened is not None:
                self.abandon(repository, session)
            if isinstance(opened, BlobOutcome):
                return opened
            session = opened or session
        return session

    def _mount_from(
        self, repository: str, blob: Descriptor, origin: str
    ) -> BlobOutcome | Session | None:
        """Try one mount; whatever goes wrong, the blob can still be sent (OCI-4.3)."""
        mount = f"?mount={quote(str(blob.digest), safe='')}&from={quote(origin, safe='')}"
        try:
            answer = self.api.send(
                "POST",
                path(repository, "blobs", "uploads", "") + mount + _algorithm(blob, "&"),
                body=b"",
                scopes=pushing(repository, mounting_from=origin),
                what=f"mount a blob of {origin} in {repository}",
            )
        except (RegistryError, TransportError, CredentialsError):
            return None
        if answer.status == _CREATED:
            self._has_mounted = True
            return BlobOutcome.PRESENT if origin == repository else BlobOutcome.MOUNTED
        usable = answer.status == _ACCEPTED and "Location" in answer.headers
        if not usable and origin == repository and answer.status not in _PASSING:
            self._ask_by_head()
        return self.session_of(answer) if usable else None

    def _beyond_doubt(
        self, repository: str, blob: Descriptor, found: Session | None
    ) -> BlobOutcome | Session | None:
        """Ask by HEAD where a mount from the repository itself has not told presence.

        It was refused; or it opened a session for a long blob, which a registry that never
        mounts anything does as well.
        """
        is_told = found is not None and self.quirks.mount_tells_presence
        if is_told and (self._has_mounted or blob.size < _WORTH_ASKING):
            return found
        if not self.has_blob(repository, blob):
            return found
        if found is not None:
            self._ask_by_head()
            self.abandon(repository, found)
        return BlobOutcome.PRESENT

    def _from_elsewhere(
        self,
        repository: str,
        blob: Descriptor,
        probes: Sequence[str],
        mounting: Mounting,
        found: Session | None,
    ) -> BlobOutcome | Session | None:
        """Mount a long blob from where the registry says that it is, if nobody here knew."""
        if blob.size < _WORTH_ASKING or set(probes) - {repository}:
            return found
        origins = mounting.origins(repository, blob)
        mounted = self._mount(repository, blob, origins[:_MOUNT_TRIES])
        if mounted is not None and found is not None:
            self.abandon(repository, found)
        return mounted or found

    def _ask_by_head(self) -> None:
        """Remember that here a mount does not tell whether a blob is there."""
        self.quirks = attrs.evolve(self.quirks, mount_tells_presence=False)

    @contextmanager
    def _claimed(self, repository: str, blob: Descriptor) -> Iterator[SessionKey | None]:
        """Give the key of the journal to one writer at a time; small blobs are just sent again."""
        key = SessionKey(
            registry=self.api.transport.origin, repository=repository, digest=blob.digest
        )
        if blob.size <= SMALL or not self.journal.claim(key):
            yield None
            return
        try:
            yield key
        finally:
            self.journal.release(key)


class _Upload:
    """One blob on its way to one repository."""

    def __init__(
        self,
        uploader: Uploader,
        repository: str,
        blob: Descriptor,
        content: BlobOpener,
        key: SessionKey | None,
    ) -> None:
        self._uploader = uploader
        self._api = uploader.api
        self._quirks = uploader.quirks
        self._repository = repository
        self._blob = blob
        self._source = CheckedSource(blob, content)
        self._key = key
        self._what = f"upload blob {blob.digest} to {repository}"
        self._tries = Tries(self._api, self._what)
        self._piece = self._quirks.chunk_bytes if self._quirks.upload == "chunked" else 0
        self._session: Session | None = None
        self._reached = self._reached_before = 0
        self._pardons: dict[int | str, int] = {_UNAUTHORIZED: 1, "DIGEST_INVALID": 1}
        self._has_reread = False

    def run(self, opened: Session | None) -> BlobPut:
        """Send the blob, as often as it takes."""
        try:
            self._session = self._recalled(opened)
            while not self._arrives():
                pass
        except Cancelled:
            raise
        except Exception as error:
            self._give_up(error)
            raise
        finally:
            self._source.close()
        self._forget()
        return BlobPut(
            outcome=BlobOutcome.UPLOADED,
            bytes_sent=self._source.handed_out,
            attempts=self._tries.made,
        )

    def _arrives(self) -> bool:
        session = self._session or self._uploader.open_session(self._repository, self._blob)
        self._keep(session)
        try:
            self._send(session)
        except (RegistryError, TransportError, IntegrityError) as error:
            failure = self._source.failure
            if failure is None and not isinstance(error, IntegrityError):
                return self._recover(error)
            if not isinstance(failure, IntegrityError) or not self._rereads(failure):
                raise failure or error from None
            return False
        return True

    def _send(self, session: Session) -> None:
        piece = self._piece_length(session)
        if piece or session.offset:
            self._send_pieces(session, piece or self._blob.size)
        else:
            self._send_whole(session)

    # --- sending ---------------------------------------------------------------------------

    def _send_whole(self, session: Session) -> None:
        """Send everything in the request that commits it (OCI-4.7)."""
        url = session.commit_url(self._blob.digest)
        self._check_stored(self._transfer("PUT", url, 0, self._blob.size, {}))

    def _send_pieces(self, session: Session, piece: int) -> None:
        while session.offset < self._blob.size:
            length = min(piece, self._blob.size - session.offset)
            end = session.offset + length
            span = {"Content-Range": f"{session.offset}-{end - 1}"}
            answer = self._transfer("PATCH", session.url, session.offset, length, span)
            if answer.status not in _TAKEN:
                raise self._refused(answer)
            # The server's own Range is not to be trusted on success (OCI-4.14).
            session = self._next(session, answer, end)
            self._keep(session)
        url = session.commit_url(self._blob.digest)
        self._check_stored(self._transfer("PUT", url, self._blob.size, 0, {}))

    def _next(self, session: Session, answer: Answer, offset: int) -> Session:
        self._reached = max(self._reached, offset)
        if "Location" not in answer.headers:
            return attrs.evolve(session, offset=offset)
        return self._uploader.session_of(answer, offset=offset, min_chunk=session.min_chunk)

    def _transfer(
        self, method: str, url: str, offset: int, length: int, headers: dict[str, str]
    ) -> Answer:
        """Send ``length`` bytes; the source answers before a byte of it is asked for (OCI-4.25)."""
        self._api.context.cancel.check()
        self._source.seek(offset)
        call = self._api.call(
            method,
            url,
            headers={"Content-Type": _OCTETS, **headers},
            scopes=pushing(self._repository),
            what=self._what,
            repeatable=False,
            patient=method == "PUT",
        )
        if length > SMALL:
            body = Body(size=length, open=lambda: self._source.piece(offset, length))
            return self._api.transport.upload(call, body)
        with self._source.piece(offset, length) as blocks:
            return self._api.transport.send(attrs.evolve(call, body=b"".join(blocks)))

    def _check_stored(self, answer: Answer) -> None:
        if answer.status not in _STORED:
            raise self._refused(answer)
        said = said_digest(answer)
        # Another algorithm's digest is no contradiction (OCI-4.19).
        if said and said.algorithm == self._blob.digest.algorithm and said != self._blob.digest:
            msg = f"{self._api.name} stored {said} when sent {self._blob.digest}"
            raise DigestMismatch(msg, side=Side.DESTINATION)

    def _piece_length(self, session: Session) -> int:
        """Return how long a piece is to be, or 0 for all in one."""
        if not self._piece and not 0 < session.min_chunk < self._blob.size:
            return 0
        most = self._quirks.max_chunks
        floor = -(-self._blob.size // most) if most else 0
        wanted = self._piece or self._quirks.chunk_bytes
        return max(wanted, floor, session.min_chunk, self._quirks.min_chunk_bytes)

    def _refused(self, answer: Answer) -> RegistryError:
        error = self._api.refused(answer, self._what)
        if not self._blob.size and not error.codes:
            error.hint = "some registries do not take empty blobs"
        if "BLOB_UPLOAD_INVALID" in error.codes:  # OCI-4.12
            error.hint = error.hint or "servers behind one address must share one http.secret"
        if "BLOB_UPLOAD_UNKNOWN" in error.codes:  # OCI-4.18
            error.hint = "the registry forgot the upload; do servers behind it share their storage?"
        return error

    # --- after a failure -------------------------------------------------------------------

    def _rereads(self, failure: IntegrityError) -> bool:
        """Begin again, once, with content that was wrong: the way may be bad, not the source.

        That the source is bad is known when it is wrong a second time (OCI-4.20).
        """
        if self._has_reread:
            return False
        self._has_reread = True
        session, self._session = self._session, None
        self._source.restart()
        self._tries.again(failure, moved=0)
        if session is not None:
            self._uploader.abandon(self._repository, session)
        return True

    def _recover(self, error: RegistryError | TransportError) -> bool:
        """Find out where things stand; tell whether the blob is there after all."""
        may_be_committed = self._source.at_end
        self._source.close()
        if not self._is_worth_another(error):
            raise error
        self._tries.again(error, moved=self._moved())
        session, self._session = self._session, None
        is_lost = _status(error) in _GONE
        if (may_be_committed or is_lost) and self._is_there():
            return True
        if session and not is_lost and _status(error) != _TOO_LARGE:
            self._session = self._alive(session)
        return False

    def _is_there(self) -> bool:
        return self._uploader.has_blob(self._repository, self._blob)

    def _is_worth_another(self, error: RegistryError | TransportError) -> bool:
        status = _status(error)
        if status == _TOO_LARGE:
            return self._shrinks(error)
        for sin in (status, *_codes(error)):
            if sin in self._pardons:
                self._pardons[sin] -= 1
                return self._pardons[sin] >= 0
        lost = any(code.startswith("BLOB_UPLOAD_") for code in _codes(error))
        return error.retryable or lost or status in _GONE or status == _NOT_SATISFIABLE

    def _shrinks(self, error: RegistryError | TransportError) -> bool:
        """Go over to pieces, or to shorter ones, where something refuses long bodies (OCI-4.24)."""
        longest = self._piece // _SHRINK if self._piece else self._quirks.chunk_bytes
        self._piece = min(longest, self._blob.size // 2)
        floor = max(_SHORTEST_PIECE, self._quirks.min_chunk_bytes)
        if self._piece >= floor and self._quirks.max_chunks is None:
            return True
        error.hint = error.hint or "a proxy before the registry limits the length of requests"
        return False

    def _moved(self) -> int:
        """Return by how much the server has got further since the failure before."""
        moved = self._reached - self._reached_before
        self._reached_before = self._reached
        return moved

    def _recalled(self, opened: Session | None) -> Session | None:
        """Prefer a session that already has bytes from an earlier try."""
        url = self._uploader.journal.recall(self._key) if self._key else None
        found = self._perhaps_alive(Session(url=url.reveal())) if url else None
        if found and found.offset:
            if opened:
                self._uploader.abandon(self._repository, opened)
            return found
        return opened or found

    def _perhaps_alive(self, session: Session) -> Session | None:
        """Ask about a session of the past; whatever goes wrong, a new one can be opened."""
        try:
            return self._alive(session)
        except (RegistryError, TransportError, CredentialsError):
            return None

    def _alive(self, session: Session) -> Session | None:
        """Ask how far the server has got; None if the session is lost (OCI-4.16)."""
        if not self._quirks.resumes_uploads:
            return None
        answer = self._api.send(
            "GET",
            session.url,
            scopes=pushing(self._repository),
            what=f"ask about an upload to {self._repository}",
        )
        offset = read_offset(answer.headers.get("Range"))
        if answer.status not in _TAKEN or offset is None or offset > self._blob.size:
            return None
        return self._next(session, answer, offset)

    def _keep(self, session: Session) -> None:
        self._session = session
        if self._key:
            self._uploader.journal.remember(self._key, Secret(session.url))

    def _forget(self) -> None:
        if self._key:
            self._uploader.journal.forget(self._key)

    def _give_up(self, error: Exception) -> None:
        """Leave a session that a later try may go on with; take away any other."""
        if self._key and isinstance(error, HarborsyncError) and error.retryable:
            return
        self._forget()
        is_reachable = self._source.failure is not None or not isinstance(error, TransportError)
        if self._session and is_reachable:
            self._uploader.abandon(self._repository, self._session)


def _algorithm(blob: Descriptor, glue: str) -> str:
    """Return the parameter that lets a server hash as it goes (OCI-4.21)."""
    algorithm = blob.digest.algorithm
    return "" if algorithm == "sha256" else f"{glue}digest-algorithm={algorithm}"


def _status(error: HarborsyncError) -> int:
    return error.status if isinstance(error, RegistryError) else 0


def _codes(error: HarborsyncError) -> tuple[str, ...]:
    return error.codes if isinstance(error, RegistryError) else ()
