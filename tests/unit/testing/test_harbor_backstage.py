"""The rooms behind the API of an emulated Harbor, put together."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

from harborsync.testing import FakeClock, TestAuthority

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harborsync.testing import LoopbackHarbor, LoopbackRegistry


def test_a_harbor_behind_tls_talks_to_itself(
    make_harbor: Callable[..., LoopbackHarbor],
    server: LoopbackRegistry,
    tmp_path: Path,
    talk: Callable[..., Any],
) -> None:
    """Its job service needs no certificate: it does not leave the process."""
    authority = TestAuthority(tmp_path)
    clock = FakeClock()
    harbor = make_harbor(tls=authority, clock=clock)
    harbor.add_project("app")
    harbor.push_image("app/web", "1")
    talker = talk(harbor.host, ssl.create_default_context(cafile=authority.ca_file))
    login = {"Authorization": "Basic YWRtaW46SGFyYm9yMTIzNDU=", "Content_Type": "application/json"}
    url = f"http://{server.host}".encode()
    body = b'{"name":"far","type":"docker-registry","url":"' + url + b'"}'
    assert talker("POST", "/api/v2.0/registries", body, **login).status == 201
    body = b'{"name":"p","enabled":true,"dest_registry":{"id":1}}'
    assert talker("POST", "/api/v2.0/replication/policies", body, **login).status == 201
    start = b'{"policy_id":1}'
    assert talker("POST", "/api/v2.0/replication/executions", start, **login).status == 201
    clock.advance(40.0)
    harbor.settle()
    assert list(server.storage.tags("app/web")) == ["1"]
    local = talker("GET", "/api/v2.0/registries/0", **login).json
    assert local["url"] == harbor.url


def test_every_route_belongs_to_one_handler(harbor: LoopbackHarbor) -> None:
    """No two rooms answer the same method and path."""
    routes = [(each.method, each.path.pattern) for each in harbor._backstage.routes]
    assert len(routes) == len(set(routes))
