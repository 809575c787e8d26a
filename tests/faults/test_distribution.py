"""Bytes arrive whole over a network that breaks, from a server that fails: real sockets."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from harborsync.credentials import Credential, StaticCredentials
from harborsync.errors import ConnectionLost, CredentialsRefused, DigestMismatch, NotFound
from harborsync.gate import open_registry
from harborsync.provider import OpenContext
from harborsync.reference import Tag
from harborsync.retry import RetryPolicy
from harborsync.secrets import Secret
from harborsync.testing import FakeClock, LoopbackRegistry, faults
from harborsync.testing.content import Blob, random_blob, random_image
from harborsync.testing.tokens import TOKEN_PATH, TokenAuth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harborsync.registry import Registry
    from harborsync.testing.faults import Fault
    from harborsync.testing.server_wire import Request

MIB = 2**20
LARGE = random_blob(1, size=5 * MIB + 11)
SMALL = random_blob(2, size=1000)
R = "team/app"
#: A tag's manifest, small and large blobs, and every way in which they can fail to come.
EVERY_BREAK = {
    "cut": faults.cut_response(3 * MIB),
    "reset": faults.cut_response(3 * MIB, reset=True),
    "cut at once": faults.cut_response(0),
    "no answer": faults.lose_answer(),
    "500": faults.status(500),
    "429": faults.status(429, retry_after=1),
    "html": faults.html_page(),
}


@contextmanager
def _between(
    *cues: faults.Cue, script: Callable[..., Fault | None] | None = None
) -> Iterator[tuple[LoopbackRegistry, Registry]]:
    """Run a server where these faults happen, and open it; nobody waits."""
    clock = FakeClock()
    context = OpenContext(
        clock=clock, rng=random.Random(1), retry=RetryPolicy(attempts=12, deadline=None)
    )
    script = script or faults.FaultScript(*cues)
    with (
        LoopbackRegistry(faults=script, clock=clock) as server,
        closing(open_registry(server.endpoint, context)) as registry,
    ):
        yield server, registry


def _read(registry: Registry, blob: Blob, offset: int = 0) -> bytes:
    with registry.open_blob(R, blob.descriptor, offset) as blocks:
        return b"".join(blocks)


@pytest.mark.parametrize("fault", EVERY_BREAK.values(), ids=EVERY_BREAK.keys())
@pytest.mark.parametrize("blob", [SMALL, LARGE], ids=["small", "large"])
def test_a_download_that_breaks_comes_to_its_end(fault: Fault, blob: Blob) -> None:
    """Twice in a row, wherever it breaks (OCI-4.31)."""
    with _between(faults.on("GET", "/blobs/", fault, times=2)) as (server, registry):
        server.storage.put_blob(R, blob.content)
        assert _read(registry, blob) == blob.content


def test_a_download_that_broke_is_not_read_again_from_its_start() -> None:
    """Only what is missing is asked for (OCI-4.31)."""
    cut = faults.on("GET", "/blobs/", faults.cut_response(4 * MIB))
    with _between(cut) as (server, registry):
        server.storage.put_blob(R, LARGE.content)
        assert _read(registry, LARGE) == LARGE.content
    assert [request.status for request in server.requests] == [200, 206]


def test_damage_on_the_way_down_is_left_to_who_hashes() -> None:
    """The stream itself knows lengths only; a copy of it is refused (OCI-4.30)."""
    always = faults.on("GET", "/blobs/", faults.corrupt(10), times=None)
    with _between(always) as (server, registry):
        server.storage.put_blob(R, LARGE.content)

        @contextmanager
        def damaged(offset: int = 0) -> Iterator[Iterator[bytes]]:
            with registry.open_blob(R, LARGE.descriptor, offset) as blocks:
                yield blocks

        with pytest.raises(DigestMismatch):
            registry.put_blob("other/app", LARGE.descriptor, damaged)
        assert not registry.has_blob("other/app", LARGE.descriptor)


UPLOAD_BREAKS = {
    "cut": faults.cut_request(3 * MIB),
    "reset": faults.cut_request(3 * MIB, reset=True),
    "cut at once": faults.cut_request(0),
    "answer lost": faults.lose_answer(),
    "answer lost by reset": faults.lose_answer(reset=True),
    "500": faults.status(500),
    "429": faults.status(429, retry_after=1),
    "sessions lost": faults.vanish_uploads(),
    "html": faults.html_page(),
}


@pytest.mark.parametrize("fault", UPLOAD_BREAKS.values(), ids=UPLOAD_BREAKS.keys())
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "GET"])
@pytest.mark.parametrize("blob", [SMALL, LARGE], ids=["small", "large"])
def test_an_upload_that_breaks_comes_to_its_end(fault: Fault, method: str, blob: Blob) -> None:
    """Whichever request breaks, also one of those that mend an earlier break (OCI-4.16 to 4.20)."""
    cues = [
        faults.on(method, "/blobs/uploads", fault, times=2),
        faults.on("PUT", "/blobs/uploads", faults.cut_request(len(blob.content) // 2)),
    ]
    with _between(*cues) as (_, registry):
        registry.put_blob(R, blob.descriptor, blob.open)
        assert registry.has_blob(R, blob.descriptor)
        assert _read(registry, blob) == blob.content


def test_an_upload_goes_on_where_it_broke() -> None:
    """The server keeps what it got, and gets the rest (OCI-4.16)."""
    cut = faults.on("PUT", "/blobs/uploads", faults.cut_request(4 * MIB))
    with _between(cut) as (server, registry):
        put = registry.put_blob(R, LARGE.descriptor, LARGE.open, absent=True)
        assert _read(registry, LARGE) == LARGE.content
        assert put.attempts == 2
    methods = [request.method for request in server.requests if request.method != "HEAD"]
    assert methods[-4:] == ["GET", "PATCH", "PUT", "GET"]
    assert methods.count("POST") == 1


def test_a_commit_whose_answer_was_lost_is_not_repeated() -> None:
    """The blob is looked for first (OCI-4.18)."""
    with _between(faults.on("PUT", "/blobs/", faults.lose_answer())) as (server, registry):
        registry.put_blob(R, LARGE.descriptor, LARGE.open, absent=True)
    methods = [request.method for request in server.requests]
    assert methods == ["POST", "PUT", "HEAD"]


def test_a_download_that_never_gets_further_ends_in_its_own_error() -> None:
    """After as many tries as the policy allows."""
    cut = faults.on("GET", "/blobs/", faults.cut_response(0), times=None)
    with _between(cut) as (server, registry):
        server.storage.put_blob(R, LARGE.content)
        with pytest.raises(ConnectionLost):
            _read(registry, LARGE)


def test_a_lying_digest_is_no_tag_of_ours() -> None:
    """A header that names other content is found out on reading and writing (OCI-3.8, 3.10)."""
    image = random_image(3)
    lie = faults.on("GET", "/manifests/v1", faults.lying_digest(), times=None)
    with _between(lie) as (_, registry):
        image.push_to(registry, R, "v1")
        with pytest.raises(DigestMismatch):
            registry.get_manifest(R, Tag("v1"))
    with (
        _between(faults.on("PUT", "/manifests/", faults.lying_digest())) as (_, registry),
        pytest.raises(DigestMismatch),
    ):
        image.push_to(registry, R, "v1")


def test_a_list_that_goes_on_for_ever_ends() -> None:
    """A next page that was seen is none (OCI-5.3)."""
    endless = faults.endless_pages(f"/v2/{R}/tags/list?n=1000&again=1")
    with _between(faults.on("GET", "/tags/list", endless, times=None)) as (_, registry):
        random_image(4).push_to(registry, R, "v1")
        assert [artifact.tag for artifact in registry.list_artifacts(R)] == ["v1"]


@pytest.mark.parametrize("seed", range(12))
def test_an_image_arrives_whole_in_any_weather(seed: int) -> None:
    """Everything that may happen to a request, at random; damage apart, which is refused."""
    weather = [fault for fault in faults.network_weather() if fault.corrupt_at is None]
    plan = faults.FaultPlan(seed, weather, rate=0.5)
    image = random_image(seed, layers=3, layer_bytes=2 * MIB)
    with _between(script=plan) as (_, registry):
        digest = image.push_to(registry, R, "v1")
        found = registry.resolve(R, Tag("v1"))
        assert found is not None
        assert found.digest == digest
        manifest = registry.get_manifest(R, digest)
        for blob in manifest.blobs:
            with registry.open_blob(R, blob) as blocks:
                assert blob.digest.matches(b"".join(blocks))
        assert plan.injected


def test_tokens_that_end_in_mid_run_are_replaced() -> None:
    """Also while a blob is sent in a request that cannot be repeated (OCI-2.16, 2.17)."""
    clock = FakeClock()
    auth = TokenAuth(users={"robot": "hunter2"}, clock=clock)
    script = faults.FaultScript(
        faults.on("POST", "/blobs/uploads", faults.expire_tokens()),
        faults.on("HEAD", "/manifests/", faults.expire_tokens()),
    )
    with LoopbackRegistry(auth=auth, clock=clock, faults=script) as server:
        credential = Credential(username="robot", secret=Secret("hunter2"))
        login = StaticCredentials({server.host: credential})
        context = OpenContext(clock=clock, credentials=login)
        with closing(open_registry(server.endpoint, context)) as registry:
            image = random_image(5, layers=2, layer_bytes=3 * MIB)
            digest = image.push_to(registry, R, "v1")
            assert registry.resolve(R, Tag("v1")) is not None
            assert registry.get_manifest(R, Tag("v1")).digest == digest


def test_a_blob_that_went_away_is_told_in_mid_read() -> None:
    """A cut, and then it is not there any more."""
    script = faults.FaultScript(
        faults.on("GET", "/blobs/", faults.cut_response(4 * MIB)),
        faults.on("GET", "/blobs/", faults.status(404), times=None),
    )
    with _between(script=script) as (server, registry):
        server.storage.put_blob(R, LARGE.content)
        with pytest.raises(NotFound):
            _read(registry, LARGE)


def test_a_token_that_ended_while_it_was_waited_for_is_no_refusal() -> None:
    """Who joined another thread's fetch asks for one himself; a fresh one that is refused is final.

    Both come with the old token. The second refusal is held back until somebody has asked for
    a token because of the first, and that token until the second refusal is out.
    """
    both_came = threading.Barrier(2, timeout=20)
    asked, refused = threading.Event(), threading.Event()

    def script(request: Request) -> Fault | None:
        if refused.is_set():
            return None
        if request.path != TOKEN_PATH:
            is_second = both_came.wait()
            assert not is_second or asked.wait(20)
            return None
        asked.set()
        assert refused.wait(20)
        return faults.expire_tokens()

    auth = TokenAuth(users={"robot": "hunter2"})
    with LoopbackRegistry(auth=auth) as server:
        login = StaticCredentials(
            {server.host: Credential(username="robot", secret=Secret("hunter2"))}
        )
        with closing(open_registry(server.endpoint, OpenContext(credentials=login))) as registry:
            random_image(6).push_to(registry, R, "v1")
            registry.resolve(R, Tag("v1"))
            auth.expire()
            server.faults = script
            server.clear_log()
            with ThreadPoolExecutor(2) as pool:
                both = [pool.submit(registry.resolve, R, Tag("v1")) for _ in range(2)]
                while [r.status for r in server.requests] != [401, 401]:
                    assert not any(each.done() for each in both)
                    assert not both_came.broken
                refused.set()
                errors = [each.exception() for each in both]
    assert [type(error) for error in errors if error] == [CredentialsRefused]
