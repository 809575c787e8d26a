"""One door opens all rooms of a Harbor, without any request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.endpoint import Endpoint
from harborsync.errors import CredentialsRefused, RegistryError
from harborsync.harbor.client import Harbor
from harborsync.secrets import Secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from harborsync.testing import LoopbackHarbor


def test_a_harbor_is_opened_by_a_text_without_any_request(server: LoopbackHarbor) -> None:
    """And closed by ``with``."""
    with Harbor.open(str(server.endpoint)) as harbor:
        assert harbor.name == server.host
    assert server.requests == ()


def test_a_harbor_is_opened_with_a_login_that_its_endpoint_names(
    server: LoopbackHarbor, open_as: Callable[[str, str], Harbor]
) -> None:
    """As any registry is."""
    from harborsync.credentials.base import Credential
    from harborsync.credentials.static import StaticCredentials
    from harborsync.provider import OpenContext

    login = Credential(username="admin", secret=Secret("Harbor12345"))
    context = OpenContext(credentials=StaticCredentials({"boss": login}))
    named = Endpoint.parse(f"{server.endpoint}?credentials=boss")
    with Harbor.open(named, context) as harbor:
        assert list(harbor.registries.list()) == []
    with pytest.raises((CredentialsRefused, RegistryError)):
        list(open_as("admin", "wrong").registries.list())
