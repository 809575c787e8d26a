"""Blobs that arrive, by the cheapest way, whatever happens."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from harborsync.content import Descriptor
from harborsync.errors import (
    AddressRefused,
    Cancelled,
    ConnectionLost,
    CredentialsRefused,
    Denied,
    DigestMismatch,
    HarborsyncError,
    IntegrityError,
    NotFound,
    RateLimited,
    RegistryError,
    Side,
    SizeMismatch,
    Unsupported,
)
from harborsync.events import BlobOutcome, RetryScheduled
from harborsync.reference import Digest
from harborsync.registry import BlobPut, Quirks
from harborsync.secrets import Secret
from harborsync.state import MemoryJournal, SessionKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from harborsync.events import Event
    from harborsync.provider import OpenContext
    from harborsync.registries.distribution import DistributionRegistry
    from harborsync.testing.clock import FakeClock
    from tests.unit.registries.conftest import ScriptedTransport

    Opening = Callable[..., DistributionRegistry]

MIB = 2**20
SMALL = b"hello, world"
LARGE = bytes(range(256)) * 4 * 3 * 1024  # 3 MiB
LONG = LARGE * 3
SESSION = (202, {"Location": "/u/1?_state=a%2Bb"})
STORED = 201


@attrs.define
class Content:
    """Opens content, and counts how often."""

    content: bytes
    failure: Exception | None = None
    opened: list[int] = attrs.field(factory=list)

    @contextmanager
    def __call__(self, offset: int = 0) -> Iterator[Iterator[bytes]]:
        """Open from an offset."""
        self.opened.append(offset)
        yield self._blocks(offset)

    def _blocks(self, offset: int) -> Iterator[bytes]:
        for start in range(offset, len(self.content), 100_000):
            yield self.content[start : start + 100_000]
        if self.failure is not None:
            raise self.failure


def _blob(content: bytes, algorithm: str = "sha256") -> Descriptor:
    return Descriptor.of(content, "x/y", digest=Digest.of(content, algorithm))


def _put(registry: DistributionRegistry, content: bytes = LARGE, **more: Any) -> BlobPut:
    return registry.put_blob("a", _blob(content), Content(content), **{"absent": True, **more})


def _accepting(wire: ScriptedTransport, *, put: Any = STORED) -> None:
    """Write down a registry that has nothing and takes everything."""
    wire.on("HEAD", "/blobs/", 404)
    wire.on("POST", "/v2/a/blobs/uploads/", SESSION)
    wire.on("PUT", "/u/", put)
    wire.on("DELETE", "/u/", 204)


def _spans(wire: ScriptedTransport) -> list[str]:
    return [asked.call.headers["Content-Range"] for asked in wire.named("PATCH")]


def _status(offset: int, location: str = "/u/2") -> tuple[int, dict[str, str]]:
    return 204, {"Range": f"0-{offset - 1}", "Location": location}


# --- one PUT -------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", SMALL, LARGE])
def test_a_blob_is_sent_in_one_put_that_commits_it(
    registry: DistributionRegistry, wire: ScriptedTransport, content: bytes
) -> None:
    """POST, then PUT with the digest; no Content-Range (OCI-4.7)."""
    _accepting(wire)
    put = _put(registry, content)
    assert put == BlobPut(outcome=BlobOutcome.UPLOADED, bytes_sent=len(content), attempts=1)
    post, sent = wire.asked
    assert post.line == "POST /v2/a/blobs/uploads/"
    assert post.call.body == b""
    assert sent.body == content
    assert sent.was_large is (content == LARGE)
    assert dict(sent.call.headers) == {"Content-Type": "application/octet-stream"}
    assert sent.call.patient
    assert not sent.call.repeatable


def test_a_present_blob_is_not_sent(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Nobody opens the content."""
    wire.on("HEAD", "/v2/a/blobs/sha256:", 200)
    content = Content(LARGE)
    put = registry.put_blob("a", _blob(LARGE), content)
    assert put == BlobPut(outcome=BlobOutcome.PRESENT)
    assert content.opened == []


def test_a_blob_known_to_be_absent_is_not_asked_for(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """The caller's knowledge saves a request."""
    _accepting(wire)
    _put(registry, SMALL)
    assert wire.named("HEAD") == []


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/u/1", "https://registry.example/u/1?digest="),
        ("/u/1?x=a%2Bb+c&y=", "https://registry.example/u/1?x=a%2Bb+c&y=&digest="),
        ("/u/1?", "https://registry.example/u/1?digest="),
        ("https://storage.example/u/1?sig=%2F", "https://storage.example/u/1?sig=%2F&digest="),
        ("//storage.example/u/1", "https://storage.example/u/1?digest="),
        ("1234/u/?x=../y", "https://registry.example/v2/a/blobs/uploads/1234/u/?x=../y&digest="),
        ("?u/=1", "https://registry.example/v2/a/blobs/uploads/?u/=1&digest="),
    ],
)
def test_a_location_is_used_byte_for_byte(
    registry: DistributionRegistry, wire: ScriptedTransport, location: str, target: str
) -> None:
    """Relative to the answer's URL; the digest is added at its end (OCI-4.11)."""
    _accepting(wire)
    wire.on("POST", "uploads/$", (202, {"Location": location}))
    wire.on("PUT", "", STORED)
    _put(registry, SMALL)
    encoded = str(_blob(SMALL).digest).replace(":", "%3A")
    assert wire.named("PUT")[0].call.url == target + encoded


def test_a_session_without_a_location_is_an_error(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """There is nowhere to go."""
    wire.on("POST", "", 202)
    with pytest.raises(RegistryError, match="did not say where"):
        _put(registry)


def test_a_registry_that_opens_no_session_says_why(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Its refusal is told, on the side of the destination."""
    wire.on("POST", "", 403)
    with pytest.raises(Denied, match="open an upload to a") as caught:
        _put(registry)
    assert caught.value.side is Side.DESTINATION


def test_scopes_are_asked_for_push_first(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Some token servers look at the first scope only (OCI-2.12)."""
    _accepting(wire)
    wire.on("POST", r"\?mount=", 405)
    _put(registry, SMALL, mount_from=["b"])
    assert wire.asked[0].call.scopes == ("repository:a:pull,push", "repository:b:pull")
    assert wire.asked[1].call.scopes == ("repository:a:pull,push",)


# --- what must not be stored ---------------------------------------------------------------


@pytest.mark.parametrize("content", [SMALL, LARGE])
@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lambda content: content[:-1] + b"?", DigestMismatch),
        (lambda content: content[:-1], SizeMismatch),
        (lambda content: content + b"?", SizeMismatch),
    ],
)
def test_damaged_content_is_never_committed(
    registry: DistributionRegistry,
    wire: ScriptedTransport,
    content: bytes,
    damage: Callable[[bytes], bytes],
    kind: type[IntegrityError],
) -> None:
    """It is noticed before the last block, twice; the sessions are taken away (OCI-4.20, 4.22)."""
    _accepting(wire)
    with pytest.raises(kind) as caught:
        registry.put_blob("a", _blob(content), Content(damage(content)), absent=True)
    assert caught.value.side is Side.SOURCE
    assert all(len(asked.body) < len(content) for asked in wire.named("PUT"))
    assert [asked.call.url for asked in wire.named("DELETE")] == [
        "https://registry.example/u/1?_state=a%2Bb"
    ] * 2


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_content_that_was_damaged_on_its_way_is_read_again_once(
    registry: DistributionRegistry, wire: ScriptedTransport, content: bytes
) -> None:
    """A bad way is told from a bad source: the second time it is right (OCI-4.20)."""
    _accepting(wire)
    tries = iter([content[:-1] + b"?", content])
    put = registry.put_blob(
        "a", _blob(content), lambda offset=0: Content(next(tries))(offset), absent=True
    )
    assert put.outcome is BlobOutcome.UPLOADED
    assert put.attempts == 2
    assert wire.named("PUT")[-1].body == content
    assert len(wire.named("POST")) == 2


def test_a_session_that_cannot_be_taken_away_is_left(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Cancelling wants a permission of its own, which a pusher lacks (OCI-2.11)."""
    _accepting(wire)
    wire.on("DELETE", "", CredentialsRefused("no delete"))
    with pytest.raises(DigestMismatch):
        registry.put_blob("a", _blob(SMALL), Content(b"Hello, world"), absent=True)


def test_a_registry_that_stores_something_else_is_caught(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Its digest of the same algorithm differs."""
    _accepting(wire, put=(201, {"Docker-Content-Digest": str(Digest.of(b"else"))}))
    with pytest.raises(DigestMismatch) as caught:
        _put(registry, SMALL)
    assert caught.value.side is Side.DESTINATION


@pytest.mark.parametrize("said", [str(Digest.of(SMALL, "sha512")), "nonsense", ""])
def test_a_digest_of_another_algorithm_is_no_contradiction(
    registry: DistributionRegistry, wire: ScriptedTransport, said: str
) -> None:
    """Registries rename what they store (OCI-4.19)."""
    _accepting(wire, put=(201, {"Docker-Content-Digest": said}))
    assert _put(registry, SMALL).outcome is BlobOutcome.UPLOADED


def test_an_empty_blob_that_is_refused_gets_a_hint(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Some registries do not take them (OCI-4.23)."""
    _accepting(wire, put=400)
    with pytest.raises(RegistryError, match="empty blobs"):
        _put(registry, b"")


def test_what_the_registry_cannot_take_is_not_sent(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """Limits are known before a byte moves."""
    registry = open_with(quirks=Quirks(max_layer_bytes=5, takes_sha512=False))
    with pytest.raises(Unsupported, match="at most 5 bytes"):
        _put(registry, SMALL)
    with pytest.raises(Unsupported, match="sha512"):
        registry.put_blob("a", _blob(b"x", "sha512"), Content(b"x"))
    assert wire.asked == []


def test_another_algorithm_is_told_when_the_session_is_opened(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """So that a server can hash as it goes (OCI-4.21)."""
    _accepting(wire)
    registry.put_blob("a", _blob(SMALL, "sha512"), Content(SMALL), absent=True)
    assert wire.lines[0] == "POST /v2/a/blobs/uploads/?digest-algorithm=sha512"
    assert wire.named("PUT")[0].query["digest"] == str(Digest.of(SMALL, "sha512"))


# --- mounting ------------------------------------------------------------------------------


def test_a_blob_is_mounted_where_that_works(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """No bytes move (OCI-4.3)."""
    wire.on("HEAD", "", 404)
    wire.on("POST", "", STORED)
    put = _put(registry, absent=False, mount_from=["team/b"])
    assert put == BlobPut(outcome=BlobOutcome.MOUNTED)
    assert wire.asked[-1].query == {"mount": str(_blob(LARGE).digest), "from": "team/b"}


def test_a_mount_that_opens_a_session_is_gone_on_with(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """No second session is opened (OCI-4.3)."""
    wire.on("POST", r"\?mount=", (202, {"Location": "/u/9"}))
    wire.on("PUT", "/u/9", STORED)
    assert _put(registry, mount_from=["b"]).outcome is BlobOutcome.UPLOADED
    assert len(wire.named("POST")) == 1


@pytest.mark.parametrize(
    "reply",
    [
        405,
        500,
        403,
        202,
        ConnectionLost("reset"),
        CredentialsRefused("no scope"),
        RateLimited("slow down"),
    ],
)
def test_whatever_goes_wrong_with_a_mount_the_blob_is_sent(
    registry: DistributionRegistry, wire: ScriptedTransport, reply: Any
) -> None:
    """Once without mounting (OCI-4.3)."""
    _accepting(wire)
    wire.on("POST", r"\?mount=", reply)
    assert _put(registry, mount_from=["b"]).outcome is BlobOutcome.UPLOADED


def test_a_run_that_is_cancelled_while_mounting_ends(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """That is not a failure to go around."""
    wire.on("POST", "", Cancelled())
    with pytest.raises(Cancelled):
        _put(registry, mount_from=["b"])


def test_two_repositories_are_tried_and_their_sessions_not_left_open(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """More tries cost more than they save (OCI-4.5, 4.22)."""
    _accepting(wire)
    wire.on("POST", r"\?mount=.*from=b", (202, {"Location": "/u/b"}))
    wire.on("POST", r"\?mount=.*from=c", (202, {"Location": "/u/c"}))
    _put(registry, SMALL, mount_from=["b", "c", "d"])
    assert [asked.call.url for asked in wire.named("DELETE")] == ["https://registry.example/u/b"]
    assert wire.named("PUT")[0].call.url.startswith("https://registry.example/u/c?digest=")


def test_a_session_is_kept_when_the_next_mount_fails(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """What one try has opened, the upload uses."""
    _accepting(wire)
    wire.on("POST", r"\?mount=.*from=b", (202, {"Location": "/u/b"}))
    wire.on("POST", r"\?mount=.*from=c", 500)
    _put(registry, SMALL, mount_from=["b", "c"])
    assert wire.named("PUT")[0].call.url.startswith("https://registry.example/u/b?digest=")


def test_a_mount_that_works_takes_the_session_of_an_earlier_one_away(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Nothing is left open."""
    _accepting(wire)
    wire.on("POST", r"\?mount=.*from=b", (202, {"Location": "/u/b"}))
    wire.on("POST", r"\?mount=.*from=c", STORED)
    assert _put(registry, mount_from=["b", "c"]).outcome is BlobOutcome.MOUNTED
    assert len(wire.named("DELETE")) == 1


@pytest.mark.parametrize(("status", "outcome"), [(201, "present"), (202, "uploaded")])
def test_a_mount_from_itself_tells_presence_where_it_does(
    open_with: Opening, wire: ScriptedTransport, status: int, outcome: str
) -> None:
    """One POST in place of a HEAD and a POST."""
    registry = open_with(quirks=Quirks(mount_tells_presence=True))
    _accepting(wire)
    wire.on("POST", r"\?mount=.*from=a", (status, {"Location": "/u/1"}))
    assert _put(registry, absent=False).outcome == outcome
    assert (len(wire.named("POST")), wire.named("HEAD")) == (1, [])


@pytest.mark.parametrize("reply", [405, 404, 202, ConnectionLost("reset"), 503])
def test_a_mount_that_tells_nothing_is_made_up_for_by_a_head(
    open_with: Opening, wire: ScriptedTransport, reply: Any
) -> None:
    """The blob that is there is not sent again, whatever became of the POST."""
    registry = open_with(quirks=Quirks(mount_tells_presence=True))
    wire.on("HEAD", "/blobs/", 200)
    wire.on("POST", r"\?mount=.*from=a", reply)
    assert _put(registry, absent=False) == BlobPut(outcome=BlobOutcome.PRESENT)


@pytest.mark.parametrize(
    ("reply", "posts"), [(405, 1), (404, 1), (503, 2), (429, 2), (ConnectionLost("reset"), 2)]
)
def test_a_registry_that_refuses_to_mount_from_itself_is_asked_by_head_from_then_on(
    open_with: Opening, wire: ScriptedTransport, reply: Any, posts: int
) -> None:
    """A refusal is remembered; what may pass is not."""
    registry = open_with(quirks=Quirks(mount_tells_presence=True))
    wire.on("HEAD", "/blobs/", 200)
    wire.on("POST", r"\?mount=.*from=a", reply)
    for content in (SMALL, LARGE):
        assert _put(registry, content, absent=False).outcome is BlobOutcome.PRESENT
    assert len(wire.named("POST")) == posts
    assert registry.quirks.mount_tells_presence is (posts > 1)


def test_a_registry_that_never_mounts_is_not_sent_long_blobs_it_has(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """It opens a session for whatever it is asked to mount; a HEAD brings that to light once."""
    registry = open_with(quirks=Quirks(mount_tells_presence=True))
    wire.on("HEAD", "/blobs/", 200)
    wire.on("POST", r"\?mount=.*from=a", SESSION)
    wire.on("DELETE", "/u/", 204)
    for content in (LONG, LARGE):
        assert _put(registry, content, absent=False).outcome is BlobOutcome.PRESENT
    assert [asked.call.method for asked in wire.asked] == ["POST", "HEAD", "DELETE", "HEAD"]


@pytest.mark.parametrize("origin", ["a", "b"])
def test_a_registry_that_was_seen_to_mount_is_believed(
    open_with: Opening, wire: ScriptedTransport, origin: str
) -> None:
    """From itself or from elsewhere; then no long blob costs a HEAD."""
    registry = open_with(quirks=Quirks(mount_tells_presence=True))
    wire.on("POST", r"\?mount=", STORED)
    _put(registry, SMALL, absent=False, mount_from=[origin])
    _accepting(wire)
    wire.on("POST", r"\?mount=", SESSION)
    assert _put(registry, LONG, absent=False).outcome is BlobOutcome.UPLOADED
    assert wire.named("HEAD") == []


def test_a_long_blob_that_is_lacking_is_sent_through_the_session_that_is_open(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """A HEAD is all that the doubt costs."""
    registry = open_with(quirks=Quirks(mount_tells_presence=True))
    _accepting(wire)
    assert _put(registry, LONG, absent=False).outcome is BlobOutcome.UPLOADED
    assert [asked.call.method for asked in wire.asked] == ["POST", "HEAD", "PUT"]


def test_other_repositories_are_asked_before_itself(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """A mount from elsewhere answers both questions at once."""
    registry = open_with(quirks=Quirks(mount_tells_presence=True))
    wire.on("POST", "from=b", STORED)
    assert _put(registry, absent=False, mount_from=["b"]).outcome is BlobOutcome.MOUNTED
    assert len(wire.asked) == 1


@attrs.define
class _Knowing:
    """Mounts of a registry that can say where it has a blob."""

    names: tuple[str, ...] = ("c",)
    asked: int = 0

    def may_mount(self, repository: str, from_repository: str) -> bool:
        return True

    def origins(self, repository: str, blob: Descriptor) -> tuple[str, ...]:
        self.asked += 1
        return self.names


def _knowing(open_with: Opening, mounts: _Knowing, **quirks: Any) -> DistributionRegistry:
    return open_with(
        quirks=Quirks(**quirks),
        abilities=lambda offered: attrs.evolve(offered, mounts=mounts),
    )


def test_a_long_blob_is_mounted_from_where_the_registry_says_it_is(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """No byte of it moves, and the session that was open is taken away."""
    registry = _knowing(open_with, _Knowing(), mount_tells_presence=True)
    _accepting(wire)
    wire.on("POST", r"\?mount=.*from=c", STORED)
    assert _put(registry, LONG, absent=False).outcome is BlobOutcome.MOUNTED
    assert [asked.call.method for asked in wire.asked] == ["POST", "HEAD", "POST", "DELETE"]


@pytest.mark.parametrize("names", [("c",), ()])
def test_a_long_blob_that_is_nowhere_after_all_is_sent(
    open_with: Opening, wire: ScriptedTransport, names: tuple[str, ...]
) -> None:
    """The registry may know of none, or of one that has lost it."""
    registry = _knowing(open_with, _Knowing(names))
    _accepting(wire)
    wire.on("POST", r"\?mount=.*from=c", 404)
    assert _put(registry, LONG).outcome is BlobOutcome.UPLOADED


@pytest.mark.parametrize(("content", "more"), [(SMALL, {}), (LONG, {"mount_from": ["b"]})])
def test_nobody_asks_where_a_blob_is_that_is_short_or_known(
    open_with: Opening, wire: ScriptedTransport, content: bytes, more: dict[str, Any]
) -> None:
    """To send a short one is cheaper."""
    mounts = _Knowing()
    _accepting(wire)
    _put(_knowing(open_with, mounts), content, **more)
    assert mounts.asked == 0


def test_a_registry_that_cannot_mount_is_not_asked_to(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """The ability decides."""
    registry = open_with(
        quirks=Quirks(mount_tells_presence=True),
        abilities=lambda offered: attrs.evolve(offered, mounts=None),
    )
    _accepting(wire)
    _put(registry, absent=False, mount_from=["b"])
    assert [line[:4] for line in wire.lines] == ["HEAD", "POST", "PUT "]
    assert wire.lines[1].endswith("uploads/")


# --- pieces --------------------------------------------------------------------------------


def _taking_pieces(wire: ScriptedTransport) -> None:
    _accepting(wire)
    wire.on("PATCH", "/u/", *((202, {"Location": f"/u/{n}"}) for n in range(2, 40)))


def test_pieces_follow_each_other_through_the_latest_location(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """Inclusive ranges without a prefix, and an empty commit (OCI-4.12, 4.13)."""
    registry = open_with(quirks=Quirks(upload="chunked", chunk_bytes=2 * MIB))
    _taking_pieces(wire)
    put = _put(registry)
    assert _spans(wire) == ["0-2097151", "2097152-3145727"]
    assert [asked.line.partition("?")[0] for asked in wire.asked[1:]] == [
        "PATCH https://registry.example/u/1",
        "PATCH https://registry.example/u/2",
        "PUT https://registry.example/u/3",
    ]
    assert b"".join(asked.body for asked in wire.named("PATCH")) == LARGE
    assert wire.named("PUT")[0].body == b""
    assert put.bytes_sent == len(LARGE)


@pytest.mark.parametrize("status", [200, 201, 204])
def test_other_answers_to_a_piece_are_taken_for_success(
    open_with: Opening, wire: ScriptedTransport, status: int
) -> None:
    """Registries differ, some send no Location, and their Range is not trusted (OCI-4.14)."""
    registry = open_with(quirks=Quirks(upload="chunked", chunk_bytes=2 * MIB))
    _accepting(wire)
    wire.on("PATCH", "/u/1", (status, {"Range": "0-0"}))
    _put(registry)
    assert _spans(wire) == ["0-2097151", "2097152-3145727"]


@pytest.mark.parametrize(
    ("quirks", "announced", "lengths"),
    [
        (Quirks(upload="chunked", chunk_bytes=MIB, min_chunk_bytes=2 * MIB), 0, [2 * MIB, MIB]),
        (Quirks(upload="chunked", chunk_bytes=100, max_chunks=2), 0, [1572864] * 2),
        (Quirks(upload="chunked", chunk_bytes=100), 2 * MIB, [2 * MIB, MIB]),
        (Quirks(chunk_bytes=2 * MIB), MIB, [2 * MIB, MIB]),
        (Quirks(), 4 * MIB, []),
    ],
)
def test_pieces_are_as_long_as_everybody_wants(
    open_with: Opening,
    wire: ScriptedTransport,
    quirks: Quirks,
    announced: int,
    lengths: list[int],
) -> None:
    """Product, most pieces and OCI-Chunk-Min-Length all count (OCI-4.13)."""
    _taking_pieces(wire)
    session = {"Location": "/u/1", "OCI-Chunk-Min-Length": str(announced or "")}
    wire.on("POST", "", (202, session))
    _put(open_with(quirks=quirks))
    assert [len(asked.body) for asked in wire.named("PATCH")] == lengths


def test_a_piece_that_is_too_long_for_a_proxy_is_sent_in_shorter_ones(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """413 leads to pieces, and to shorter ones (OCI-4.24)."""
    registry = open_with(quirks=Quirks(chunk_bytes=4 * MIB))
    _taking_pieces(wire)
    wire.on("PUT", r"/u/1\?", 413)
    assert _put(registry).attempts == 2
    assert [len(asked.body) for asked in wire.named("PATCH")] == [1572864] * 2


def test_a_proxy_that_takes_no_piece_is_told_of(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """There is an end to making them shorter."""
    _accepting(wire, put=413)
    wire.on("PATCH", "", 413)
    with pytest.raises(RegistryError, match="limits the length of requests"):
        _put(open_with())
    assert len(wire.named("PATCH")) == 1
    with pytest.raises(RegistryError, match="limits the length"):
        _put(open_with(quirks=Quirks(max_chunks=1)))
    assert len(wire.named("PATCH")) == 1


# --- after a cut ---------------------------------------------------------------------------


def test_an_upload_goes_on_where_the_server_stopped(
    registry: DistributionRegistry, wire: ScriptedTransport, events: list[Event]
) -> None:
    """The session's status tells the offset; the rest goes as one piece (OCI-4.16)."""
    _accepting(wire)
    wire.cut_uploads = [2_000_000]
    wire.on("GET", "/u/1", _status(1_900_000))
    wire.on("PATCH", "/u/2", (202, {"Location": "/u/3"}))
    put = _put(registry)
    assert _spans(wire) == ["1900000-3145727"]
    assert wire.named("PATCH")[0].body == LARGE[1_900_000:]
    assert wire.asked[-1].line.startswith("PUT https://registry.example/u/3?digest=")
    assert put.attempts == 2
    assert put.bytes_sent == 2_000_000 + len(LARGE) - 1_900_000
    retries = [event for event in events if isinstance(event, RetryScheduled)]
    assert [(event.attempt, event.reason) for event in retries] == [(1, "the connection was cut")]


@pytest.mark.parametrize(
    "status",
    [
        404,
        (204, {"Range": "0-99999999"}),
        (204, {"Range": "bytes=0-x"}),
    ],
)
def test_a_session_that_is_lost_or_lies_is_given_up(
    registry: DistributionRegistry, wire: ScriptedTransport, status: Any
) -> None:
    """Beginning anew always works (OCI-4.16)."""
    _accepting(wire)
    wire.cut_uploads = [1000]
    wire.on("GET", "/u/1", status)
    assert _put(registry).attempts == 2
    assert len(wire.named("POST")) == 2


@pytest.mark.parametrize("span", ["0-0", "", "bytes=0-0"])
def test_a_session_that_has_nothing_is_used_from_its_start(
    registry: DistributionRegistry, wire: ScriptedTransport, span: str
) -> None:
    """0-0 stands for none (OCI-4.14)."""
    _accepting(wire)
    wire.cut_uploads = [1000]
    wire.on("GET", "/u/1", (204, {"Range": span}))
    _put(registry)
    assert len(wire.named("POST")) == 1
    assert len(wire.named("PUT")) == 2


def test_a_registry_that_cannot_resume_is_not_asked(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """A new session is opened at once."""
    _accepting(wire)
    wire.cut_uploads = [1000]
    _put(open_with(quirks=Quirks(resumes_uploads=False)))
    assert (len(wire.named("POST")), wire.named("GET")) == (2, [])


@pytest.mark.parametrize("content", [SMALL, LARGE])
def test_a_commit_whose_answer_was_lost_has_worked(
    registry: DistributionRegistry, wire: ScriptedTransport, content: bytes
) -> None:
    """Nothing is sent again before looking (OCI-4.18)."""
    _accepting(wire, put=ConnectionLost("no answer"))
    wire.on("HEAD", "", 200)
    put = _put(registry, content)
    assert put == BlobPut(outcome=BlobOutcome.UPLOADED, bytes_sent=len(content), attempts=2)
    assert len(wire.named("PUT")) == 1


@pytest.mark.parametrize("status", [404, 410])
def test_a_session_that_vanished_may_have_been_committed(
    registry: DistributionRegistry, wire: ScriptedTransport, status: int
) -> None:
    """Presence is looked at, then all begins anew (OCI-4.18)."""
    _accepting(wire)
    wire.on("PUT", "/u/1", status, STORED)
    assert _put(registry).attempts == 2
    assert [line[:4] for line in wire.lines] == ["POST", "PUT ", "HEAD", "POST", "PUT "]


def test_a_session_that_vanished_between_two_pieces_may_have_been_committed(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """By somebody else, say; no byte is sent again."""
    registry = open_with(quirks=Quirks(upload="chunked", chunk_bytes=MIB))
    _taking_pieces(wire)
    wire.on("PATCH", "/u/2", 404)
    wire.on("HEAD", "", 200)
    assert _put(registry).bytes_sent == 2 * MIB
    assert wire.named("PUT") == []


@pytest.mark.parametrize("quirks", [Quirks(), Quirks(upload="chunked", chunk_bytes=2 * MIB)])
def test_nothing_is_sent_before_the_source_is_open(
    open_with: Opening, wire: ScriptedTransport, quirks: Quirks
) -> None:
    """No connection waits for a source that does not answer (OCI-4.25)."""

    def closed(offset: int = 0) -> AbstractContextManager[Iterator[bytes]]:
        raise failure

    failure = NotFound("gone")
    _accepting(wire)
    with pytest.raises(NotFound):
        open_with(quirks=quirks).put_blob("a", _blob(LARGE), closed, absent=True)
    assert [line[:4] for line in wire.lines] == ["POST", "DELE"]


@pytest.mark.parametrize(
    "reply",
    [
        500,
        503,
        (400, {}, b'{"errors": [{"code": "BLOB_UPLOAD_INVALID"}]}'),
        (400, {}, b'{"errors": [{"code": "DIGEST_INVALID"}]}'),
        401,
        416,
    ],
)
def test_a_failure_that_may_pass_is_tried_again(
    registry: DistributionRegistry, wire: ScriptedTransport, reply: Any
) -> None:
    """Broken servers, lost sessions, tokens that ended, damage on the way."""
    _accepting(wire)
    wire.on("GET", "/u/", 404)
    wire.on("PUT", "/u/1", reply, STORED)
    assert _put(registry).attempts == 2


@pytest.mark.parametrize("reply", [401, (400, {}, b'{"errors": [{"code": "DIGEST_INVALID"}]}')])
def test_some_failures_are_forgiven_once(
    registry: DistributionRegistry, wire: ScriptedTransport, reply: Any
) -> None:
    """The second time they are what they seem (OCI-2.16, 4.20)."""
    _accepting(wire, put=reply)
    wire.on("GET", "/u/", 404)
    with pytest.raises(RegistryError):
        _put(registry)
    assert len(wire.named("PUT")) == 2


def test_a_session_that_is_never_known_hints_at_servers_that_do_not_know_each_other(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Replicas without a common secret refuse each other's Locations (OCI-4.12)."""
    _accepting(wire, put=(400, {}, b'{"errors": [{"code": "BLOB_UPLOAD_INVALID"}]}'))
    wire.on("GET", "/u/", 404)
    with pytest.raises(RegistryError, match=r"http\.secret"):
        _put(registry)


@pytest.mark.parametrize("reply", [403, 400, AddressRefused("not there")])
def test_other_failures_are_final(
    registry: DistributionRegistry, wire: ScriptedTransport, reply: Any
) -> None:
    """Asking again would change nothing."""
    _accepting(wire, put=reply)
    with pytest.raises(HarborsyncError) as caught:
        _put(registry)
    assert caught.value.side is Side.DESTINATION
    assert len(wire.named("PUT")) == 1


def test_tries_that_bring_nothing_are_bounded(
    registry: DistributionRegistry, wire: ScriptedTransport, context: OpenContext
) -> None:
    """Bytes sent are no progress; bytes kept are (OCI-4.17)."""
    _accepting(wire)
    wire.cut_uploads = [2 * MIB] * 20
    wire.on("GET", "/u/", 404)
    with pytest.raises(ConnectionLost):
        _put(registry)
    assert len(wire.named("PUT")) == context.retry.attempts


def test_tries_that_get_further_are_not_bounded(
    registry: DistributionRegistry, wire: ScriptedTransport, context: OpenContext
) -> None:
    """A session that grows by a mebibyte each time comes to its end."""
    content = bytes(range(256)) * 4096 * 12
    _accepting(wire)
    wire.cut_uploads = [MIB] * 11
    wire.on("GET", "/u/", *(_status(n * MIB) for n in range(1, 12)))
    wire.on("PATCH", "/u/", 202)
    put = _put(registry, content)
    assert put.attempts == 12 > context.retry.attempts
    assert len(content) <= put.bytes_sent < len(content) + MIB


def test_a_wait_the_server_asks_for_is_kept(
    registry: DistributionRegistry, wire: ScriptedTransport, clock: FakeClock
) -> None:
    """Unless it is longer than the policy bears."""
    _accepting(wire)
    wire.on("GET", "/u/1", 404)
    wire.on("PUT", "/u/1", RateLimited("slow", retry_after=77.0), STORED)
    _put(registry)
    wire.on("PUT", "/u/1", RateLimited("slow", retry_after=7777.0))
    with pytest.raises(RateLimited):
        _put(registry)
    assert clock.slept == (77.0,)


def test_a_source_that_breaks_is_not_blamed_on_the_destination(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Its error comes out as it is, and nothing is tried again here."""
    _accepting(wire)
    failure = NotFound("gone")
    with pytest.raises(NotFound) as caught:
        registry.put_blob("a", _blob(LARGE), Content(LARGE[:MIB], failure), absent=True)
    assert caught.value is failure
    assert failure.side is Side.SOURCE
    assert len(wire.named("PUT")) == 1
    assert len(wire.named("DELETE")) == 1


def test_an_error_of_another_kind_takes_the_session_away(
    registry: DistributionRegistry, wire: ScriptedTransport
) -> None:
    """Even one that is not ours."""
    _accepting(wire)
    with pytest.raises(OSError, match="disk"):
        registry.put_blob("a", _blob(LARGE), Content(LARGE[:MIB], OSError(5, "disk")), absent=True)
    assert len(wire.named("DELETE")) == 1


def test_a_run_that_is_cancelled_sends_nothing_more(
    registry: DistributionRegistry, wire: ScriptedTransport, context: OpenContext
) -> None:
    """The flag is looked at before every request with a body."""
    _accepting(wire)
    context.cancel.set()
    with pytest.raises(Cancelled):
        _put(registry)
    assert wire.named("PUT") == []


# --- from one run to the next --------------------------------------------------------------

KEY = SessionKey(registry="https://registry.example", repository="a", digest=_blob(LARGE).digest)


def test_an_upload_that_failed_goes_on_in_another_run(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """Its session is in the journal, and the source is read from its start for the hash."""
    journal = MemoryJournal()
    _accepting(wire, put=503)
    wire.on("GET", "/u/1", (204, {"Range": "0-0"}))
    with pytest.raises(RegistryError):
        _put(open_with(journal=journal))
    assert journal.recall(KEY) == Secret("https://registry.example/u/1?_state=a%2Bb")
    wire.asked.clear()
    _accepting(wire)
    wire.on("GET", "/u/1", _status(MIB))
    wire.on("PATCH", "/u/2", 202)
    content = Content(LARGE)
    put = open_with(journal=journal).put_blob("a", _blob(LARGE), content, absent=True)
    assert (put.bytes_sent, content.opened) == (2 * MIB, [0])
    assert wire.named("POST") == []
    assert journal.recall(KEY) is None


def test_a_session_that_is_lost_by_then_is_replaced(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """What is remembered is a hint."""
    journal = MemoryJournal()
    journal.remember(KEY, Secret("https://registry.example/u/old"))
    _accepting(wire)
    wire.on("GET", "/u/old", 404)
    _put(open_with(journal=journal))
    assert len(wire.named("POST")) == 1


def test_a_session_that_cannot_be_asked_about_is_replaced(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """It may point to a host that is no more, or that we do not go to."""
    journal = MemoryJournal()
    journal.remember(KEY, Secret("https://gone.example/u/old"))
    _accepting(wire)
    wire.on("GET", "/u/old", AddressRefused("not there"))
    assert _put(open_with(journal=journal)).outcome is BlobOutcome.UPLOADED
    assert len(wire.named("POST")) == 1


def test_a_session_with_bytes_is_better_than_one_a_mount_has_opened(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """The new one is taken away."""
    journal = MemoryJournal()
    journal.remember(KEY, Secret("https://registry.example/u/old"))
    _accepting(wire)
    wire.on("POST", "mount=", (202, {"Location": "/u/new"}))
    wire.on("GET", "/u/old", (204, {"Range": "0-1048575"}))
    wire.on("PATCH", "/u/old", 202)
    _put(open_with(journal=journal), mount_from=["b"])
    assert [asked.call.url for asked in wire.named("DELETE")] == ["https://registry.example/u/new"]
    assert _spans(wire) == ["1048576-3145727"]


def test_small_blobs_are_not_worth_remembering(open_with: Opening, wire: ScriptedTransport) -> None:
    """They are sent anew, and their sessions taken away."""
    journal = MemoryJournal()
    _accepting(wire, put=403)
    with pytest.raises(Denied):
        _put(open_with(journal=journal), SMALL)
    assert journal.recall(attrs.evolve(KEY, digest=_blob(SMALL).digest)) is None
    assert len(wire.named("DELETE")) == 1


def test_two_uploads_of_one_blob_do_not_share_a_session(
    open_with: Opening, wire: ScriptedTransport
) -> None:
    """The second one at a time has a session of its own, and the journal is not its business."""
    journal = MemoryJournal()
    registry = open_with(journal=journal)
    _accepting(wire)
    wire.on("POST", "", (202, {"Location": "/u/1"}), (202, {"Location": "/u/2"}))

    @contextmanager
    def putting_it_meanwhile(offset: int = 0) -> Iterator[Iterator[bytes]]:
        _put(registry)
        assert journal.recall(KEY) == Secret("https://registry.example/u/1")
        with Content(LARGE)(offset) as blocks:
            yield blocks

    registry.put_blob("a", _blob(LARGE), putting_it_meanwhile, absent=True)
    assert [asked.call.url.partition("?")[0][-4:] for asked in wire.named("PUT")] == [
        "/u/2",
        "/u/1",
    ]


def test_a_session_never_shows_its_url(open_with: Opening, wire: ScriptedTransport) -> None:
    """Whoever has the URL can write (OCI-9.12)."""
    journal = MemoryJournal()
    _accepting(wire, put=500)
    wire.on("GET", "/u/", (204, {"Range": "0-0"}))
    with pytest.raises(RegistryError) as caught:
        _put(open_with(journal=journal))
    assert "a%2Bb" not in str(caught.value)
    assert "a%2Bb" not in repr(journal.recall(KEY))
