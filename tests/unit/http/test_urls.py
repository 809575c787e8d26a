"""URLs are taken apart once and put together byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harborsync.errors import AddressRefused, InvalidValue
from harborsync.http.urls import Origin, Url, check_target


@pytest.mark.parametrize(
    ("text", "origin", "target"),
    [
        ("https://r.example", "https://r.example", "/"),
        ("https://R.Example:443/a?b=%2f", "https://r.example", "/a?b=%2f"),
        ("http://r.example:80/a#part", "http://r.example", "/a"),
        ("http://127.0.0.1:5000?q", "http://127.0.0.1:5000", "/?q"),
        ("https://[::1]:8443/x", "https://[::1]:8443", "/x"),
    ],
)
def test_an_absolute_url_is_taken_apart(text: str, origin: str, target: str) -> None:
    """Default ports and case do not matter; the target stays as it is."""
    url = Url.parse(text)
    assert (str(url.origin), url.target) == (origin, target)
    assert Url.parse(str(url)) == url


@pytest.mark.parametrize(
    "text",
    [
        "ftp://r.example/a",
        "https://user@r.example/a",
        "https://user:pw@r.example/a",
        "https:///a",
        "r.example/a",
        "https://r.example:0/",
        "https://r.example:70000/",
        "https://r.example/a b",
        "https://r.example/a\r\nHost: x",
        "https://r.exämple/",
        "https://r.example\\@evil.example/",
        "javascript:alert(1)",
        "",
    ],
)
def test_what_is_no_plain_url_is_refused(text: str) -> None:
    """Schemes, users, ports and characters that are not ours lead nowhere."""
    with pytest.raises(AddressRefused):
        Url.parse(text)


def test_a_refused_url_is_quoted_without_its_query() -> None:
    """The query of a refused URL is not shown."""
    with pytest.raises(AddressRefused) as caught:
        Url.parse("ftp://user:pw@r.example/a?sig=SECRET")
    assert "SECRET" not in str(caught.value)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("/c?d=%2F", "https://r.example/c?d=%2F"),
        ("//other.example/c", "https://other.example/c"),
        ("https://other.example:444/c?", "https://other.example:444/c?"),
        ("c", "https://r.example/a/c"),
        ("?n=2", "https://r.example/a/b?n=2"),
        ("/c#part", "https://r.example/c"),
    ],
)
def test_references_are_resolved(reference: str, expected: str) -> None:
    """Absolute, scheme-relative, path-only and relative references are all understood."""
    assert str(Url.parse("https://r.example/a/b?x=1").join(reference)) == expected


@pytest.mark.parametrize("reference", ["", "/a b", "/a\nb", "ftp://x/", "mailto:a@b"])
def test_references_to_nowhere_are_refused(reference: str) -> None:
    """A reference that is no URL is refused."""
    with pytest.raises(AddressRefused):
        Url.parse("https://r.example/a").join(reference)


@pytest.mark.parametrize(
    ("url", "home", "expected"),
    [
        ("http://r.example/u", "https://r.example", "https://r.example/u"),
        ("http://r.example/u", "https://r.example:8443", "https://r.example:8443/u"),
        ("http://r.example:5000/u", "https://r.example:5000", "https://r.example:5000/u"),
        ("http://r.example:9000/u", "https://r.example:5000", "https://r.example:9000/u"),
        ("http://other.example/u", "https://r.example", "http://other.example/u"),
        ("http://r.example/u", "http://r.example", "http://r.example/u"),
        ("https://r.example/u", "http://r.example", "https://r.example/u"),
    ],
)
def test_plain_http_at_home_is_lifted_to_https(url: str, home: str, expected: str) -> None:
    """Only the host of an https origin is lifted, never anything lowered."""
    assert str(Url.parse(url).with_scheme_of(Origin.parse(home))) == expected


def test_the_path_is_without_query_and_the_repr_without_target() -> None:
    """A query may hold a signature."""
    url = Url.parse("https://r.example/a?sig=SECRET")
    assert url.path == "/a"
    assert "SECRET" not in repr(url)


@pytest.mark.parametrize("target", ["a", "/a b", "/a\r\nX: y", "/a#b", "", "/ä"])
def test_a_target_of_our_own_is_checked(target: str) -> None:
    """What cannot stand in a request line is a mistake of the caller."""
    with pytest.raises(InvalidValue):
        check_target(target)


def test_a_good_target_is_returned() -> None:
    """A quoted path with a query may be sent."""
    assert check_target("/v2/a/tags/list?n=1&last=a%20b") == "/v2/a/tags/list?n=1&last=a%20b"


@given(st.text())
def test_any_text_is_a_url_or_refused(text: str) -> None:
    """Nothing else comes out of parsing, and what comes out parses to itself."""
    try:
        url = Url.parse(text)
    except AddressRefused:
        return
    assert Url.parse(str(url)) == url
