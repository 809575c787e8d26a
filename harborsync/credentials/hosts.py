"""How a host is written where logins are kept, and how those spellings are told to be one."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from harborsync.reference import DOCKER_HUB

#: The key under which ``docker login`` keeps the login for Docker Hub (OCI-1.4).
DOCKER_HUB_KEY: Final = "https://index.docker.io/v1/"

_HUB_ALIASES: Final = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})


def canonical_host(host: str) -> str:
    """Return one spelling for every spelling of a host; Docker Hub has several (OCI-1.4)."""
    host = host.lower().removesuffix(":443")
    return DOCKER_HUB if host in _HUB_ALIASES else host


def canonical_key(key: str) -> str:
    """Return ``host[/namespace]`` for a key of an auth file (OCI-2.25).

    A key with a scheme is a URL, whose path says nothing; a key without one may name a
    namespace, as podman writes them.
    """
    bare = key.removeprefix("https://").removeprefix("http://")
    host, _, path = bare.partition("/")
    path = path.strip("/")
    is_url = bare != key or path in {"v1", "v2"}
    return canonical_host(host) if is_url or not path else f"{canonical_host(host)}/{path}"


def server_name(host: str) -> str:
    """Return what a credential helper knows ``host`` as."""
    return DOCKER_HUB_KEY if canonical_host(host) == DOCKER_HUB else host


def is_loopback(host: str) -> bool:
    """Return whether a host is an address of this machine; a name is none, whatever it says."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
