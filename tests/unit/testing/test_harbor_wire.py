"""How the emulated Harbor writes answers."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from harborsync.testing.harbor_wire import (
    NEVER,
    HarborError,
    compact,
    created,
    date,
    done,
    full,
    ok,
)


def test_an_error_is_an_envelope_with_a_line_end() -> None:
    """Code and message stand in a list, without blanks, as Harbor writes them."""
    response = HarborError(404, "NOT_FOUND", "project x not found").response
    assert response.body == b'{"errors":[{"code":"NOT_FOUND","message":"project x not found"}]}\n'
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"


def test_what_failed_inside_is_not_told() -> None:
    """From 500 on the message is always the same; the exception still has the true one."""
    error = HarborError(500, "UNKNOWN", "the database says: secret")
    assert json.loads(error.response.body)["errors"][0]["message"] == "internal server error"
    assert str(error) == "the database says: secret"


def test_an_errors_own_headers_are_sent() -> None:
    """A challenge, for one."""
    response = HarborError(401, "UNAUTHORIZED", "no", {"WWW-Authenticate": ""}).response
    assert response.headers["WWW-Authenticate"] == ""


def test_a_success_is_plain_json() -> None:
    """Without a character set, as the API answers."""
    response = ok([1], {"X-Total-Count": "1"})
    assert (response.status, response.body) == (200, b"[1]\n")
    assert response.headers == {"Content-Type": "application/json", "X-Total-Count": "1"}


def test_what_was_made_is_where_location_says() -> None:
    """A 201 has no body; a 200 that says nothing has no type either."""
    assert created("/api/v2.0/labels/1").headers == {"Location": "/api/v2.0/labels/1"}
    assert (done().status, done().headers) == (200, {})


def test_a_date_has_milliseconds_and_a_zone() -> None:
    """The zero time means never."""
    assert date(datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)) == "2026-01-02T03:04:05.678Z"
    assert date(NEVER) == "0001-01-01T00:00:00.000Z"


def test_empty_fields_are_left_out() -> None:
    """Empty strings, zeros, nulls and false are; other values stay, empty lists among them."""
    assert full(a="", b=0, c=None, d=False, e=[], f="x") == {"e": [], "f": "x"}


def test_unicode_is_not_escaped() -> None:
    """Go leaves it as it is."""
    assert compact("schön") == '"schön"\n'.encode()
