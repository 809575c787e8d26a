"""Redirects are followed by hand."""

from __future__ import annotations

import pytest

from harborsync.errors import AddressRefused
from harborsync.http.exchange import Reply, Request
from harborsync.http.redirects import follow
from harborsync.http.urls import Url
from harborsync.http.wire import Headers


class Web:
    """Answers by URL: a location to go to, or the end."""

    def __init__(self, status: int, **locations: str) -> None:
        self._status = status
        self._locations = locations
        self.asked: list[Request] = []
        self.let_go: list[bool] = []

    def start(self, request: Request) -> Reply:
        """Answer one request."""
        self.asked.append(request)
        location = self._locations.get(request.url.path.strip("/"))
        return Reply(
            request=request,
            status=200 if location is None else self._status,
            headers=Headers([] if location is None else [("Location", location)]),
            read=lambda count: b"",
            release=self.let_go.append,
        )


def _request(method: str = "GET", url: str = "https://r.example/a") -> Request:
    headers = {"Authorization": "Bearer x", "Accept": "*/*", "X-Own": "1", "Cookie": "c"}
    return Request(method=method, url=Url.parse(url), headers=headers, patience=1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_followed(status: int, method: str) -> None:
    """The method stays, within one origin also all fields."""
    web = Web(status, a="/b?c")
    reply = follow(web.start, _request(method))
    assert str(reply.request.url) == "https://r.example/b?c"
    assert web.asked[1].method == method
    assert web.asked[1].headers == web.asked[0].headers
    assert web.let_go == [True]


def test_another_origin_gets_harmless_fields_only() -> None:
    """Another port is another origin (OCI-2.20)."""
    web = Web(307, a="https://r.example:8443/b")
    follow(web.start, _request())
    assert web.asked[1].headers == {"Accept": "*/*"}


def test_http_may_be_lifted_and_https_not_lowered() -> None:
    """Not even on the same host; the connection is let go."""
    web = Web(302, a="http://r.example/b")
    with pytest.raises(AddressRefused, match="from https to plain http"):
        follow(web.start, _request())
    assert web.let_go == [False]
    upwards = Web(302, a="https://r.example/b")
    follow(upwards.start, _request(url="http://r.example/a"))
    assert len(upwards.asked) == 2


@pytest.mark.parametrize(
    "location", ["https://cdn.example/b?sig=SECRET", "https://r.example:8443/b"]
)
def test_another_origin_may_be_refused(location: str) -> None:
    """With the way out, and without the signature of what it led to."""
    web = Web(307, a=location)
    with pytest.raises(AddressRefused, match="redirects=refuse") as caught:
        follow(web.start, _request(), elsewhere=False)
    assert "redirects=follow" in str(caught.value.hint)
    assert "SECRET" not in str(caught.value)
    assert len(web.asked) == 1
    assert web.let_go == [False]


def test_within_its_origin_a_redirect_is_followed_all_the_same() -> None:
    """Only leaving is refused."""
    web = Web(307, a="/b")
    assert follow(web.start, _request(), elsewhere=False).status == 200


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("status", "location", "hops"),
    [
        (307, "/b", 2),
        (308, "/b", 2),
        (301, "/b", 1),
        (302, "/b", 1),
        (303, "/b", 1),
        (307, "https://other.example/b", 1),
    ],
)
def test_writing_is_followed_within_its_origin(
    method: str, status: int, location: str, hops: int
) -> None:
    """By a status that keeps the method; all else is an answer."""
    web = Web(status, a=location)
    reply = follow(web.start, _request(method))
    assert len(web.asked) == hops
    assert reply.status == (200 if hops == 2 else status)


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 404])
def test_other_answers_lead_nowhere(status: int) -> None:
    """Also with a Location, as an accepted upload has one."""
    web = Web(status, a="/b")
    follow(web.start, _request())
    assert len(web.asked) == 1


def test_a_circle_is_left() -> None:
    """At the first URL seen before."""
    web = Web(302, a="/b", b="/a")
    with pytest.raises(AddressRefused, match="circle"):
        follow(web.start, _request())
    assert len(web.asked) == 2
