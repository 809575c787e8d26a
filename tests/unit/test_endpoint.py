"""An endpoint is one line of text that is safe to print, to pickle and to commit."""

from __future__ import annotations

import pickle

import pytest

from harborsync.endpoint import BY_HOST, Endpoint
from harborsync.errors import InvalidValue


@pytest.mark.parametrize(
    ("text", "provider", "address", "plain_http"),
    [
        ("registry.example", BY_HOST, "registry.example", False),
        ("registry.example:5000/team/app", BY_HOST, "registry.example:5000/team/app", False),
        ("registry://[::1]:5000", "registry", "[::1]:5000", False),
        ("registry+http://127.0.0.1:5000", "registry", "127.0.0.1:5000", True),
        ("harbor://harbor.example/team", "harbor", "harbor.example/team", False),
        ("ecr://123456789012/eu-west-1", "ecr", "123456789012/eu-west-1", False),
        ("oci:./layouts/app", "oci", "./layouts/app", False),
        ("oci:/data/with space", "oci", "/data/with space", False),
        ("docker-archive:a.tar", "docker-archive", "a.tar", False),
        ("oci-archive:/a/b@c.tar", "oci-archive", "/a/b@c.tar", False),
        ("auto+http://localhost", BY_HOST, "localhost", True),
    ],
)
def test_a_text_is_read_and_written_again(
    text: str, provider: str, address: str, *, plain_http: bool
) -> None:
    """Provider, address and scheme are found, and printed as they were read."""
    endpoint = Endpoint.parse(text)
    assert endpoint == Endpoint(provider=provider, address=address, plain_http=plain_http)
    assert str(endpoint) == text


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("  registry.example/  ", "registry.example"),
        ("oci:///data/layout", "oci:/data/layout"),
        ("registry://h?b=2&a=1", "registry://h?a=1&b=2"),
        ("registry://h?ca=/etc/ca.pem", "registry://h?ca=/etc/ca.pem"),
        ("auto://registry.example", "registry.example"),
    ],
)
def test_other_ways_of_writing_have_one_canonical_text(text: str, canonical: str) -> None:
    """Spaces, closing slashes and the order of options do not matter."""
    assert str(Endpoint.parse(text)) == canonical


def test_options_follow_as_a_query() -> None:
    """They are unquoted, kept sorted, and handed out as a copy."""
    endpoint = Endpoint.parse("registry://h/p?ca=%2Fetc%2Fca.pem&connections=32&empty=")
    assert endpoint.options == {"ca": "/etc/ca.pem", "connections": "32", "empty": ""}
    endpoint.options.clear()
    assert endpoint.option_items[0] == ("ca", "/etc/ca.pem")


def test_the_same_option_twice_is_refused() -> None:
    """Which of the two would count is not guessed."""
    with pytest.raises(InvalidValue, match="twice"):
        Endpoint.parse("registry://h?a=1&a=2")


@pytest.mark.parametrize(
    "text",
    [
        "registry://robot:hunter2@h",
        "registry://robot:hunt/er2@h/team",
        "robot:hunter2@registry.example",
        "https://robot:hunter2@registry.example/a",
        "harbor://robot:hunter2@hunter2@h",
        "registry://h?password=hunter2",
        "registry.example?ca=/ca.pem&token=hunter2",
    ],
)
def test_a_login_in_the_text_is_refused_and_not_repeated(text: str) -> None:
    """The message names the host and the right place, never the password."""
    with pytest.raises(InvalidValue) as caught:
        Endpoint.parse(text)
    assert "hunt" not in str(caught.value)
    assert "er2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("https://registry.example/", "registry.example"),
        ("http://h:5000/a", "registry+http://h:5000/a"),
    ],
)
def test_a_url_is_answered_with_what_to_write(text: str, instead: str) -> None:
    """People paste URLs; the hint is the endpoint they meant (OCI-1.9)."""
    with pytest.raises(InvalidValue, match="is a URL") as caught:
        Endpoint.parse(text)
    assert caught.value.hint == f"write {instead}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "registry://",
        "Registry://h",
        "oci:",
        "h ost",
        "h/Team",
        "h:99999",
        "oci+http:///x",
        "h\nx",
    ],
)
def test_what_is_no_endpoint_is_refused(text: str) -> None:
    """Every part is checked, and every fault is of one kind."""
    with pytest.raises(InvalidValue):
        Endpoint.parse(text)


@pytest.mark.parametrize(
    ("provider", "address"),
    [
        ("registry", "h/"),
        ("registry", " h"),
        ("registry", "h?a=1"),
        ("registry", "h\x00"),
        ("oci", "//h"),
        ("oci", "a?b"),
        ("http", "h"),
        ("Registry", "h"),
        (BY_HOST, "harbor://h"),
    ],
)
def test_what_could_not_be_written_as_one_line_cannot_be_made(provider: str, address: str) -> None:
    """Whatever exists prints as a text that is read as the same endpoint."""
    with pytest.raises(InvalidValue):
        Endpoint(provider=provider, address=address)


def test_host_and_prefix_are_parts_of_the_address() -> None:
    """The prefix has no slashes at its ends."""
    endpoint = Endpoint.parse("registry://h:5000/a/b")
    assert (endpoint.host, endpoint.prefix, endpoint.is_path) == ("h:5000", "a/b", False)
    assert Endpoint.parse("registry://h").prefix == ""
    assert Endpoint.parse("oci:./x").is_path


def test_an_endpoint_travels() -> None:
    """It can be pickled and used as a key."""
    endpoint = Endpoint.parse("registry+http://h?a=1")
    assert {pickle.loads(pickle.dumps(endpoint)): 1}[endpoint] == 1
