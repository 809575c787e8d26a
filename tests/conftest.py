"""Every test starts in the same bare environment, whoever's machine it runs on."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What changes where requests go, whom they trust or who they are. requests, boto3, the vendors'
# SDKs and docker's config all look into the environment by themselves.
_MISLEADING = frozenset(
    {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"}
    | {"REGISTRY_AUTH_FILE", "NETRC", "BOTO_CONFIG", "CLOUDSDK_CONFIG", "GCE_METADATA_HOST"}
    | {"ALL_PROXY", "FTP_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
)
_MISLEADING_PREFIXES = (
    "ALIBABA_CLOUD_",
    "ALIBABACLOUD_",
    "ALIYUN_",
    "AWS_",
    "DOCKER_",
    "GOOGLE_",
    "HARBORSYNC_",
    "TENCENTCLOUD_",
)

settings.register_profile(
    "here", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")


def _misleads(name: str) -> bool:
    return name.upper() in _MISLEADING or name.upper().startswith(_MISLEADING_PREFIXES)


@pytest.fixture(autouse=True)
def bare_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Take proxies, CA bundles and logins out of the environment, and give an empty home."""
    for name in filter(_misleads, list(os.environ)):
        monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    return home


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Give a port of this machine at which nobody listens, nor can while the test runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
