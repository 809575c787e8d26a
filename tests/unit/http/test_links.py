"""The Link header as servers write it."""

from __future__ import annotations

import logging

import pytest

from harborsync.http.links import next_link
from harborsync.http.wire import Answer, Headers


def _answer(*links: str, url: str = "https://r.example/v2/a/tags/list") -> Answer:
    headers = Headers([("Link", link) for link in links])
    return Answer(method="GET", url=url, status=200, headers=headers)


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ('</v2/a/tags/list?last=b&n=2>; rel="next"', "/v2/a/tags/list?last=b&n=2"),
        ('<https://r.example/v2/a?last=%2f>; rel="next"', "/v2/a?last=%2f"),
        ('<https://r.example:443/v2/a>; rel="next"', "/v2/a"),
        ("</v2/a?last=b>; rel=next", "/v2/a?last=b"),
        ("</v2/a?last=b>;rel=NEXT", "/v2/a?last=b"),
        ('/v2/a?last=b; rel="next"', "/v2/a?last=b"),
        ('</v2/a?x=1,2>; rel="next"', "/v2/a?x=1,2"),
        ('</first>; rel="first", </v2/a?p=2>; rel="next"', "/v2/a?p=2"),
        ('</v2/a?p=2>; title="a, b"; rel="prefetch next"', "/v2/a?p=2"),
        ('<?last=b>; rel="next"', "/v2/a/tags/list?last=b"),
        ('</prev>; rel="prev"', None),
        ("</v2/a>", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_the_next_page_is_found(link: str, target: str | None) -> None:
    """Brackets, quotes, several rels and relative targets are all seen in the wild."""
    assert next_link(_answer(link)) == target


def test_repeated_fields_are_all_read() -> None:
    """The next page may stand in the second field."""
    assert next_link(_answer('</x>; rel="first"', '</v2/a?p=2>; rel="next"')) == "/v2/a?p=2"


def test_another_origin_is_asked_at_home(caplog: pytest.LogCaptureFixture) -> None:
    """A page of another host is asked of our own, and that is logged without the query."""
    with caplog.at_level(logging.WARNING):
        assert (
            next_link(_answer('<https://evil.example/v2/a?p=SECRET>; rel="next"'))
            == "/v2/a?p=SECRET"
        )
    assert "evil.example" in caplog.text
    assert "SECRET" not in caplog.text


def test_plain_http_at_home_is_no_other_origin(caplog: pytest.LogCaptureFixture) -> None:
    """A server behind a proxy that ends TLS may say http."""
    assert next_link(_answer('<http://r.example/v2/a?p=2>; rel="next"')) == "/v2/a?p=2"
    assert not caplog.text


def test_a_link_to_nowhere_ends_the_list(caplog: pytest.LogCaptureFixture) -> None:
    """What is no URL is logged and leads nowhere."""
    assert next_link(_answer('<ftp://r.example/v2/a>; rel="next"')) is None
    assert "ends early" in caplog.text
