"""The metadata service is asked by a transport that reaches nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.errors import ConnectionLost, InvalidValue
from harborsync.http.metadata import MetadataTransport
from harborsync.testing.scripted import Said, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Callable

    Serve = Callable[..., ScriptedServer]


def test_the_service_is_asked(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """With method and fields, and through no proxy."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server = serve(lambda heard: Said(body=b"role"))
    service = MetadataTransport("127.0.0.1", server.port, timeout=60)
    answer = service.ask("/latest/x?y", method="PUT", headers={"X-Ttl": "60"})
    assert (answer.status, answer.body) == (200, b"role")
    (heard,) = server.heard
    assert (heard.method, heard.target, heard.headers["x-ttl"]) == ("PUT", "/latest/x?y", "60")


def test_a_redirect_is_an_answer(serve: Serve) -> None:
    """The service has no reason to send us elsewhere."""
    server = serve(lambda heard: Said(status=302, headers=(("Location", "/b"),)))
    assert MetadataTransport("127.0.0.1", server.port, timeout=60).ask("/a").status == 302
    assert len(server.heard) == 1


def test_an_answer_is_capped(serve: Serve) -> None:
    """64 KiB are more than it has to say."""
    server = serve(lambda heard: Said(body=bytes(100_000)))
    assert len(MetadataTransport("127.0.0.1", server.port, timeout=60).ask("/").body) == 64 * 1024


def test_a_name_is_no_address() -> None:
    """It could be resolved to anything."""
    with pytest.raises(InvalidValue):
        MetadataTransport("metadata.example")


@pytest.mark.parametrize("path", ["no-slash", "/a b", "http://evil.example/"])
def test_a_path_is_a_path(path: str) -> None:
    """It leads to no other host."""
    with pytest.raises(InvalidValue):
        MetadataTransport().ask(path)


def test_elsewhere_nobody_answers(closed_port: int) -> None:
    """Which is an error that says so."""
    with pytest.raises(ConnectionLost):
        MetadataTransport("127.0.0.1", closed_port).ask("/")
