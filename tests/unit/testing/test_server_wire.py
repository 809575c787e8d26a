"""Responses and refusals of the embedded registry."""

from __future__ import annotations

from harborsync.testing.server_wire import Refusal, Response


def test_a_response_is_honest_about_its_length() -> None:
    """A header that tells another length is noticed."""
    assert Response(status=200, body=b"xy").honest
    assert not Response(status=200, body=b"xy", headers={"Content-Length": "3"}).honest


def test_a_refusal_speaks_the_specification() -> None:
    """Code and message are there, the detail only where there is one, one error for each."""
    plain = Refusal(404, "NAME_UNKNOWN").response
    assert plain.body == b'{"errors": [{"code": "NAME_UNKNOWN", "message": "name unknown"}]}'
    assert Refusal(400, "X", "y", detail=["a", "b"]).response.body.count(b'"code"') == 2
