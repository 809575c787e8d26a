"""How hosts are spelled where logins are kept."""

from __future__ import annotations

import pytest

from harborsync.credentials.hosts import canonical_host, canonical_key, is_loopback, server_name


@pytest.mark.parametrize(
    ("key", "canonical"),
    [
        ("registry.example", "registry.example"),
        ("Registry.Example:443", "registry.example"),
        ("registry.example:5000", "registry.example:5000"),
        ("https://registry.example/v1/", "registry.example"),
        ("http://registry.example:5000/some/path", "registry.example:5000"),
        ("registry.example/v2/", "registry.example"),
        ("registry.example/team/app", "registry.example/team/app"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("docker.io/library", "docker.io/library"),
        ("[::1]:5000", "[::1]:5000"),
    ],
)
def test_every_spelling_of_a_key_is_told_to_be_one(key: str, canonical: str) -> None:
    """URLs lose scheme and path, namespaces stay, Docker Hub has one name (OCI-2.25)."""
    assert canonical_key(key) == canonical


def test_a_helper_is_asked_by_the_key_docker_login_used() -> None:
    """Docker Hub's login is kept under its old URL (OCI-1.4)."""
    assert server_name("registry-1.docker.io") == "https://index.docker.io/v1/"
    assert server_name("registry.example:5000") == "registry.example:5000"


def test_another_port_is_another_host() -> None:
    """Only the usual port can be left out."""
    assert canonical_host("registry.example:8443") == "registry.example:8443"


@pytest.mark.parametrize(
    ("host", "is_here"),
    [("127.0.0.1", True), ("::1", True), ("127.0.0.1.evil.example", False), ("10.0.0.1", False)],
)
def test_this_machine_is_told_by_its_address(host: str, is_here: bool) -> None:
    """Names lead wherever a resolver says."""
    assert is_loopback(host) is is_here
