"""What goes wrong on purpose, as an independent client sees it."""

from __future__ import annotations

import http.client
import threading
from typing import TYPE_CHECKING, Any

import pytest

from harborsync.testing import (
    FakeClock,
    Fault,
    FaultPlan,
    FaultScript,
    TokenAuth,
    faults,
)

if TYPE_CHECKING:
    from harborsync.testing import LoopbackRegistry

CONTENT = bytes(range(256)) * 16
UPLOADS = "/v2/a/blobs/uploads/"


@pytest.fixture
def struck(make: Any, talk: Any) -> Any:
    """Return a function: a registry with one blob to whose every request a fault happens."""

    def strike(fault: Fault, **arguments: Any) -> tuple[LoopbackRegistry, Any, str]:
        server = make(faults=lambda _: fault, **arguments)
        digest = server.storage.put_blob("a", CONTENT)
        return server, talk(server), f"/v2/a/blobs/{digest}"

    return strike


@pytest.mark.parametrize("retry_after", [None, 3, "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_status_comes_instead(struck: Any, retry_after: Any) -> None:
    """Nothing is done, and Retry-After is as wanted; the connection serves on."""
    server, client, url = struck(faults.status(503, retry_after=retry_after))
    for _ in range(2):
        reply = client("DELETE", url)
        assert (reply.status, reply.codes) == (503, ["UNKNOWN"])
        assert reply.headers["Retry-After"] == (retry_after and str(retry_after))
    assert server.connections_opened == 1
    assert server.storage.blobs("a")


def test_a_page_of_a_proxy_comes_instead(struck: Any) -> None:
    """It is HTML."""
    _, client, url = struck(faults.html_page())
    reply = client("GET", url)
    assert (reply.status, reply.headers["Content-Type"]) == (502, "text/html")


def test_a_redirect_comes_instead(struck: Any) -> None:
    """It leads wherever it was told."""
    _, client, url = struck(faults.redirect("http://169.254.169.254/latest"))
    reply = client("GET", url)
    assert (reply.status, reply.headers["Location"]) == (307, "http://169.254.169.254/latest")


def test_a_delay_is_waited_on_the_clock(struck: Any) -> None:
    """Nobody waits for real."""
    clock = FakeClock()
    _, client, url = struck(faults.delay(30), clock=clock)
    assert client("GET", url).body == CONTENT
    assert clock.slept == (30,)


@pytest.mark.parametrize("after", [0, 100])
def test_an_answer_is_cut(struck: Any, after: int) -> None:
    """So many bytes come, and then the end."""
    server, client, url = struck(faults.cut_response(after))
    with pytest.raises(http.client.IncompleteRead) as cut:
        client("GET", url)
    assert cut.value.partial == CONTENT[:after]
    client.connection.close()
    assert client("HEAD", url).status == 200
    assert server.requests[0].bytes_out == after


def test_an_answer_is_cut_by_a_reset(struck: Any) -> None:
    """The connection breaks instead of ending."""
    _, client, url = struck(faults.cut_response(100, reset=True))
    with pytest.raises((ConnectionResetError, http.client.IncompleteRead)):
        client("GET", url)


def test_a_request_is_cut(struck: Any) -> None:
    """So many bytes are taken and kept, and the connection ends without an answer."""
    server, client, _ = struck(faults.cut_request(100))
    location = client("POST", UPLOADS).headers["Location"]
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        client("PATCH", location, CONTENT)
    server.faults = None
    client.connection.close()
    assert client("GET", location).headers["Range"] == "0-99"


def test_a_request_is_cut_before_it_began(struck: Any) -> None:
    """Not a byte is taken; requests without a body are answered."""
    server, client, _ = struck(faults.cut_request(0, reset=True))
    location = client("POST", UPLOADS).headers["Location"]
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        client("PATCH", location, CONTENT)
    assert (server.requests[-1].status, server.requests[-1].bytes_in) == (0, 0)


@pytest.mark.parametrize("reset", [False, True])
def test_an_answer_is_lost(struck: Any, reset: bool) -> None:
    """What was asked is done, and the client does not hear of it."""
    server, client, url = struck(faults.lose_answer(reset=reset))
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        client("DELETE", url)
    assert server.storage.blobs("a") == frozenset()


def test_an_answer_stalls(struck: Any) -> None:
    """Some bytes come and then nothing, until the client gives up."""
    server, client, url = struck(faults.stall(100))
    client.connection.request("GET", url)
    response = client.connection.getresponse()
    assert response.read(100) == CONTENT[:100]
    assert server.requests[0].bytes_out == 100
    response.close()
    client.connection.close()


def test_closing_ends_a_stall(struck: Any) -> None:
    """A registry that stalls can be closed."""
    before = set(threading.enumerate())
    server, client, url = struck(faults.stall(0))
    client.connection.request("GET", url)
    client.connection.getresponse()
    server.close()
    assert set(threading.enumerate()) <= before


def test_an_answer_drips(struck: Any) -> None:
    """It comes in small pieces with pauses on the clock."""
    clock = FakeClock()
    _, client, url = struck(faults.drip(1024, 5), clock=clock)
    assert client("GET", url).body == CONTENT
    assert clock.slept == (5, 5, 5)


@pytest.mark.parametrize("place", [0, 4095])
def test_a_byte_is_changed(struck: Any, place: int) -> None:
    """All else is as it was."""
    _, client, url = struck(faults.corrupt(place))
    body = client("GET", url).body
    assert [at for at in range(4096) if body[at] != CONTENT[at]] == [place]


def test_a_place_past_the_end_changes_nothing(struck: Any) -> None:
    """Short bodies stay whole."""
    _, client, url = struck(faults.corrupt(4096))
    assert client("GET", url).body == CONTENT


def test_too_much_is_announced(struck: Any) -> None:
    """The body ends before its length."""
    _, client, url = struck(faults.wrong_length(1))
    with pytest.raises(http.client.IncompleteRead):
        client("GET", url)


def test_too_little_is_announced(struck: Any) -> None:
    """The client sees a shorter body, and the connection ends after it."""
    _, client, url = struck(faults.wrong_length(-96))
    assert client("GET", url).body == CONTENT[:4000]


def test_the_digest_is_a_lie(struck: Any) -> None:
    """Docker-Content-Digest is of something else."""
    _, client, url = struck(faults.lying_digest())
    assert client("HEAD", url).headers["Docker-Content-Digest"] == f"sha256:{'0' * 64}"


def test_pages_never_end(struck: Any) -> None:
    """Every page has a next one."""
    _, client, _ = struck(faults.endless_pages("/v2/a/tags/list?last=z"))
    reply = client("GET", "/v2/a/tags/list?last=z")
    assert reply.headers["Link"] == '</v2/a/tags/list?last=z>; rel="next"'


def test_tokens_end(struck: Any) -> None:
    """The request that was let in is answered, the next one with the same token is not."""
    auth = TokenAuth(users={"ann": "s"})
    server, client, url = struck(faults.expire_tokens(), auth=auth)
    server.faults = None
    token = client("GET", "/token?scope=repository:a:pull", Authorization="Basic YW5uOnM=").json
    server.faults = FaultScript(faults.on("GET", "/blobs/", faults.expire_tokens()))
    bearer = {"Authorization": f"Bearer {token['token']}"}
    assert client("GET", url, **bearer).status == 200
    assert client("GET", url, **bearer).status == 401


def test_tokens_end_where_there_are_none(struck: Any) -> None:
    """Without logins there is nothing to end."""
    _, client, url = struck(faults.expire_tokens())
    assert client("GET", url).status == 200


def test_uploads_vanish(struck: Any) -> None:
    """A session is gone at its next request (OCI-4.18)."""
    _, client, _ = struck(faults.vanish_uploads())
    location = client("POST", UPLOADS).headers["Location"]
    assert client("PUT", location, CONTENT).codes == ["BLOB_UPLOAD_UNKNOWN"]


def test_a_script_strikes_where_it_was_told(make: Any, talk: Any) -> None:
    """Method, path, how often and from when on are all looked at."""
    script = FaultScript(
        faults.on("GET", "/v2/$", faults.status(500), skip=1),
        faults.on("*", "/v2/$", faults.status(503), times=None),
    )
    client = talk(make(faults=script))
    assert [client("GET", "/v2/").status for _ in range(4)] == [503, 500, 503, 503]
    assert client("HEAD", "/v2/").status == 503
    assert client("GET", "/v2/_catalog").status == 200


class TestFaultPlan:
    """Random faults."""

    def _statuses(self, make: Any, talk: Any, plan: FaultPlan, paths: list[str]) -> list[int]:
        client = talk(make(faults=plan))
        return [client("GET", path).status for path in paths]

    def test_equal_seeds_strike_alike(self, make: Any, talk: Any) -> None:
        """Whatever the order of the paths, each path's fate is the same."""
        paths = [f"/v2/r{number}/tags/list" for number in range(40)] * 2
        first = FaultPlan(7, [faults.status(500), faults.status(503)], rate=0.3)
        again = FaultPlan(7, [faults.status(500), faults.status(503)], rate=0.3)
        other = FaultPlan(8, [faults.status(500), faults.status(503)], rate=0.3)
        seen = self._statuses(make, talk, first, paths)
        self._statuses(make, talk, again, list(reversed(paths)))
        self._statuses(make, talk, other, paths)
        assert {500, 503, 404} == set(seen)
        assert sorted(map(str, first.injected)) == sorted(map(str, again.injected))
        assert sorted(map(str, first.injected)) != sorted(map(str, other.injected))

    def test_a_path_is_spared_after_enough(self, make: Any, talk: Any) -> None:
        """A client that goes on trying gets through."""
        plan = FaultPlan(1, [faults.status(500)], rate=1.0, at_most=2)
        assert self._statuses(make, talk, plan, ["/v2/"] * 4) == [500, 500, 200, 200]
        endless = FaultPlan(1, [faults.status(500)], rate=1.0, at_most=None)
        assert self._statuses(make, talk, endless, ["/v2/"] * 4) == [500] * 4

    def test_only_what_matches_is_struck(self, make: Any, talk: Any) -> None:
        """The rest goes well."""
        plan = FaultPlan(
            1, [faults.status(500)], rate=1.0, matching=lambda request: "tags" in request.path
        )
        assert self._statuses(make, talk, plan, ["/v2/", "/v2/a/tags/list"]) == [200, 500]


def test_bad_weather_is_all_kinds_of_it() -> None:
    """The collection holds refusals, cuts and lies, each once."""
    weather = faults.network_weather()
    assert len({str(fault) for fault in weather}) == len(weather)
    assert {429, 500, 502, 503, 504} <= {fault.status for fault in weather}
