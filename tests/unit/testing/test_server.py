"""The embedded registry as a whole."""

from __future__ import annotations

import hashlib
import http.client
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.endpoint import Endpoint
from harborsync.errors import InvalidValue
from harborsync.testing import LoopbackQuirks, LoopbackRegistry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_it_listens_on_loopback(server: LoopbackRegistry) -> None:
    """The endpoint is plain HTTP, and reads back."""
    assert server.host.startswith("127.0.0.1:")
    assert server.endpoint == Endpoint.parse(f"registry+http://{server.host}")
    assert server.other_host is None


def test_the_log_tells_what_was_asked(client: Any, server: LoopbackRegistry) -> None:
    """Requests stand in it in order with their bytes, until it is cleared."""
    digest = client.push_blob("a", b"hello")
    client("GET", f"/v2/a/blobs/{digest}")
    post, put, get = server.requests
    assert (post.method, post.status, post.bytes_in) == ("POST", 202, 0)
    assert (put.method, put.status, put.bytes_in) == ("PUT", 201, 5)
    assert (get.method, get.status, get.bytes_out) == ("GET", 200, 5)
    assert {line.connection for line in server.requests} == {1}
    server.clear_log()
    assert server.requests == ()


def test_connections_are_counted(server: LoopbackRegistry, talk: Any) -> None:
    """A connection that stays open is one, however much goes over it."""
    first, second = talk(server), talk(server)
    for client in (first, second, first):
        client("GET", "/v2/")
    assert server.connections_opened == 2


def test_an_unknown_profile_is_refused() -> None:
    """The message names those there are."""
    with pytest.raises(InvalidValue, match=r"distribution-2\.8"):
        LoopbackRegistry(profile="odd")


def test_closing_leaves_nothing_behind(talk: Any) -> None:
    """Threads, sockets and files are gone although a client still holds its connection."""
    before = set(threading.enumerate())
    with LoopbackRegistry() as server:
        client = talk(server)
        client.push_blob("a", bytes(2 * 2**20))
        (digest,) = server.storage.blobs("a")
        blob = server.storage.blob("a", digest)
    server.close()
    assert blob is not None
    assert blob.path is not None
    assert not blob.path.exists()
    assert set(threading.enumerate()) <= before
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        client("GET", "/v2/")


def test_large_blobs_go_where_they_are_told(
    make: Callable[..., LoopbackRegistry], talk: Any, tmp_path: Path
) -> None:
    """A directory of the caller's holds them."""
    talk(make(directory=tmp_path)).push_blob("a", bytes(2 * 2**20))
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [2 * 2**20]


def test_many_clients_are_served_at_once(server: LoopbackRegistry, talk: Any) -> None:
    """Each gets its own answers, and nothing is lost."""

    def push_and_pull(number: int) -> bool:
        client, content = talk(server), b"%d" % number * 1000
        digest = client.push_blob(f"r{number % 3}", content)
        return bool(client("GET", f"/v2/r{number % 3}/blobs/{digest}").body == content)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(push_and_pull, range(24)))
    assert sum(len(server.storage.blobs(name)) for name in server.storage.repositories()) == 24
    assert len(server.requests) == 72


def test_a_blob_of_many_mebibytes_is_streamed(client: Any, server: LoopbackRegistry) -> None:
    """Neither way is the content held in memory: it lies in one file."""
    block, count = bytes(range(256)) * 4096, 8
    digest = f"sha256:{hashlib.sha256(block * count).hexdigest()}"
    location = client("POST", "/v2/a/blobs/uploads/").headers["Location"]
    length = str(len(block) * count)
    pushed = client(
        "PUT", f"{location}?digest={digest}", iter([block] * count), Content_Length=length
    )
    assert pushed.status == 201
    blob = server.storage.blob("a", digest)
    assert blob is not None
    assert (blob.data, blob.size) == (None, int(length))
    assert client("GET", f"/v2/a/blobs/{digest}").body == block * count


def test_every_answer_can_warn_and_set_cookies(
    make: Callable[..., LoopbackRegistry], talk: Any
) -> None:
    """Even refusals do (OCI-8.1, 9.13)."""
    client = talk(make(quirks=LoopbackQuirks(warnings=("old", "slow"), cookies=True)))
    reply = client("GET", "/v2/a/tags/list")
    assert reply.headers["Warning"] == '299 - "old", 299 - "slow"'
    assert reply.headers["Set-Cookie"].startswith("sid=")
