"""Laws of the embedded registry."""

from __future__ import annotations

import hashlib
import http.client
import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harborsync.testing import LoopbackRegistry

if TYPE_CHECKING:
    from collections.abc import Iterator

contents = st.binary(max_size=300)


@pytest.fixture(scope="module")
def connection() -> Iterator[http.client.HTTPConnection]:
    """Return a connection to a registry for all examples."""
    with LoopbackRegistry() as server:
        opened = http.client.HTTPConnection(server.host)
        yield opened
        opened.close()


def _ask(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes = b"", **told: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    connection.request(method, path, body, {k.replace("_", "-"): v for k, v in told.items()})
    response = connection.getresponse()
    return response.status, response.headers, response.read()


@given(content=contents, cuts=st.lists(st.integers(0, 300)))
def test_pieces_of_any_length_add_up(
    connection: http.client.HTTPConnection, content: bytes, cuts: list[int]
) -> None:
    """However a blob is cut, its pieces in order are the blob, and no others are."""
    edges = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    _, headers, _ = _ask(connection, "POST", "/v2/a/blobs/uploads/")
    for start, end in itertools.pairwise(edges):
        status, headers, _ = _ask(connection, "PATCH", headers["Location"], content[start:end])
        assert (status, headers["Range"]) == (202, f"0-{max(0, end - 1)}")
    digest = hashlib.sha256(content).hexdigest()
    status, *_ = _ask(connection, "PUT", f"{headers['Location']}?digest=sha256:{digest}")
    assert status == 201
    assert _ask(connection, "GET", f"/v2/a/blobs/sha256:{digest}")[2] == content


@given(content=contents, start=st.integers(0, 400), length=st.integers(1, 400))
def test_a_range_is_that_part_of_the_content(
    connection: http.client.HTTPConnection, content: bytes, start: int, length: int
) -> None:
    """What comes for a range is the slice of Python, and 416 where the slice is empty."""
    digest = hashlib.sha256(content).hexdigest()
    _ask(connection, "POST", f"/v2/a/blobs/uploads/?digest=sha256:{digest}", content)
    asked = f"bytes={start}-{start + length - 1}"
    status, _, body = _ask(connection, "GET", f"/v2/a/blobs/sha256:{digest}", Range=asked)
    expected = content[start : start + length]
    assert (status, body) == (206, expected) if expected else status == 416
