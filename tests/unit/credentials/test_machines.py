"""What a machine's metadata service says of its role."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.credentials.machines import Machine
from harborsync.errors import NoCredentials
from harborsync.http.metadata import MetadataTransport
from harborsync.testing.scripted import Said, ScriptedServer

if TYPE_CHECKING:
    from harborsync.testing.scripted import Heard


def _machine(server: ScriptedServer, role: str = "") -> Machine:
    metadata = MetadataTransport("127.0.0.1", server.port, timeout=60)
    return Machine(
        metadata=metadata, roles="/roles/", role=role, nobody="no key", remedy="be somebody"
    )


def test_the_first_role_is_taken_unless_one_is_named() -> None:
    """Its name is no part of a path until it is quoted."""

    def answer(heard: Heard) -> Said:
        return Said(body=b"reader\nwriter\n" if heard.target == "/roles/" else b'{"a": 1}')

    with ScriptedServer(answer) as server:
        assert _machine(server).keys({"x-token": "t"}) == ("reader", {"a": 1})
        assert _machine(server, "a/b").keys() == ("a/b", {"a": 1})
        assert [heard.target for heard in server.heard] == [
            "/roles/",
            "/roles/reader",
            "/roles/a%2Fb",
        ]
        assert [heard.headers.get("x-token") for heard in server.heard] == ["t", "t", None]


def test_what_is_no_json_is_nothing() -> None:
    """Some answer every address with a page."""
    with ScriptedServer(lambda heard: Said(body=b"<html>")) as server:
        assert _machine(server, "x").keys() == ("x", None)


@pytest.mark.parametrize("said", [Said(status=404), Said(body=b" \n")], ids=["404", "empty"])
def test_a_machine_without_the_role_is_told(said: Said) -> None:
    """With what else there is to do."""
    with ScriptedServer(lambda heard: said) as server:
        with pytest.raises(NoCredentials, match="does not have a role") as caught:
            _machine(server).keys()
        assert "or else be somebody" in str(caught.value.hint)
        with pytest.raises(NoCredentials, match="does not have the role 'x'"):
            _machine(server, "x").keys()


def test_where_there_is_no_machine_all_that_was_looked_for_is_told() -> None:
    """Nothing listens there."""
    with ScriptedServer(lambda heard: None) as server:
        machine = _machine(server)
    with pytest.raises(NoCredentials, match="no key, and no role of a machine") as caught:
        machine.keys()
    assert caught.value.hint == "be somebody"
