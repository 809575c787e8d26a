"""Logins for the servers that are checked."""

from __future__ import annotations

from typing import Protocol

import pytest

from harborsync.clock import Clock, SystemClock
from harborsync.credentials import Credential, StaticCredentials
from harborsync.provider import OpenContext
from harborsync.secrets import Secret


class LogIn(Protocol):
    """Makes a context with one login."""

    def __call__(
        self, host: str, username: str = "ann", password: str = "pA55w0rd!", *, clock: Clock = ...
    ) -> OpenContext:
        """Do so."""
        ...


@pytest.fixture
def log_in() -> LogIn:
    """Return what makes a context with one login."""

    def make(
        host: str,
        username: str = "ann",
        password: str = "pA55w0rd!",
        *,
        clock: Clock | None = None,
    ) -> OpenContext:
        login = Credential(username=username, secret=Secret(password))
        return OpenContext(
            credentials=StaticCredentials({host: login}),
            clock=clock or SystemClock(),
        )

    return make
