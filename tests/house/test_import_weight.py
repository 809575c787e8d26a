"""Importing costs little: heavy packages are loaded when they are first needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

SDKS = ("aliyunsdkcore", "aliyunsdkcr", "boto3", "botocore", "google.auth", "tencentcloud")
HEAVY = (
    *SDKS,
    "asyncio",
    "attrs",
    "cattrs",
    "cronsim",
    "cryptography",
    "http.client",
    "prometheus_client",
    "regex",
    "requests",
    "sqlite3",
    "ssl",
    "urllib3",
    "yaml",
)


def loaded_by(statement: str, unwanted: tuple[str, ...]) -> list[str]:
    """Return which of ``unwanted`` a fresh interpreter has loaded after ``statement``."""
    code = f"import sys; {statement}; print(*[m for m in {unwanted!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_the_front_door_loads_next_to_nothing() -> None:
    """``import harborsync`` loads no third party's package, no TLS, no sockets."""
    assert loaded_by("import harborsync", HEAVY) == []


@pytest.mark.parametrize(
    "name", ["Artifact", "Digest", "Endpoint", "Manifest", "Reference", "Secret"]
)
def test_a_noun_loads_no_network(name: str) -> None:
    """Reading names and manifests needs attrs at the most."""
    unwanted = tuple(package for package in HEAVY if package != "attrs")
    assert loaded_by(f"from harborsync import {name}", unwanted) == []


@pytest.mark.parametrize(
    "module", ["cli", "credentials", "filters", "gate", "replicator", "rule", "testing"]
)
def test_no_room_loads_a_vendors_sdk(module: str) -> None:
    """SDKs are extras; only opening their provider's registry loads one."""
    assert loaded_by(f"import harborsync.{module}", SDKS) == []


def test_what_plans_and_copies_loads_no_network() -> None:
    """Between two directories no registry is asked, so nobody pays for requests and TLS."""
    unwanted = tuple(package for package in HEAVY if package not in {"asyncio", "attrs"})
    assert loaded_by("from harborsync import Replicator, copy", unwanted) == []
