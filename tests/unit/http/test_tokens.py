"""Tokens are fetched once for all who wait, and dropped when refused."""

from __future__ import annotations

import threading

import pytest

from harborsync.errors import Cancelled, CredentialsRefused
from harborsync.http.tokens import Token, TokenCache, TokenKey
from harborsync.http.urls import Origin
from harborsync.secrets import Secret
from harborsync.testing.clock import FakeClock


def _key(scope: str = "repository:a:pull") -> TokenKey:
    return TokenKey(
        origin=Origin.parse("https://r.example"),
        realm="https://r.example/token",
        service="s",
        username="u",
        secret=Secret("password-marker"),
        scopes=frozenset({scope}),
    )


def _token(text: str = "t", until: float = 100.0) -> Token:
    return Token(secret=Secret(text), until=until)


def test_secrets_are_not_in_a_repr() -> None:
    """Neither in a token's nor in a key's."""
    assert "password-marker" not in repr(_key())
    assert "marker" not in repr(_token("token-marker"))


def test_a_token_is_kept_until_its_end() -> None:
    """And an ended one makes room."""
    clock = FakeClock()
    cache = TokenCache(clock)
    first, second = _token("1", until=10), _token("2", until=30)
    assert cache.get(_key(), lambda: first) is first
    assert cache.get(_key(), lambda: second) is first
    clock.sleep(10)
    assert cache.get(_key(), lambda: second) is second
    assert cache.get(_key("other"), lambda: first) is first


def test_only_the_refused_token_is_dropped() -> None:
    """One that another thread has fetched since stays (OCI-2.16)."""
    cache = TokenCache(FakeClock())
    first, second = _token("1"), _token("2")
    cache.drop(_key(), first)
    cache.get(_key(), lambda: first)
    cache.drop(_key(), first)
    assert cache.get(_key(), lambda: second) is second
    cache.drop(_key(), first)
    assert cache.get(_key(), lambda: first) is second


def _together(cache: TokenCache, error: Exception) -> tuple[list[object], int]:
    """Let one thread fail while another waits for it; return what came, and fetches made."""
    started, waiting = threading.Event(), threading.Event()
    fetches: list[int] = []
    results: list[object] = []

    def fetch() -> Token:
        fetches.append(1)
        if len(fetches) == 1:
            started.set()
            waiting.wait(10)
            raise error
        return _token("second")

    def ask() -> None:
        try:
            results.append(cache.get(_key(), fetch))
        except Exception as failure:  # noqa: BLE001 - whatever it is, is looked at
            results.append(failure)

    first = threading.Thread(target=ask)
    first.start()
    started.wait(10)
    second = threading.Thread(target=ask)
    second.start()
    waiting.set()
    first.join()
    second.join()
    return results, len(fetches)


def test_a_failed_fetch_is_not_kept() -> None:
    """Who comes later tries again."""
    cache = TokenCache(FakeClock())
    with pytest.raises(CredentialsRefused):
        cache.get(_key(), _raising(CredentialsRefused("no")))
    assert cache.get(_key(), _token).secret.reveal() == "t"


def test_whoever_waits_shares_a_failure() -> None:
    """As an exception of their own, or with a token of their own if they came too late."""
    results, fetches = _together(TokenCache(FakeClock()), CredentialsRefused("no"))
    failures = [each for each in results if isinstance(each, CredentialsRefused)]
    assert len(failures) + fetches == 3
    assert len({id(each) for each in failures}) == len(failures)


def test_whoever_waits_for_a_cancelled_fetch_fetches() -> None:
    """Another run's stop is not ours."""
    results, fetches = _together(TokenCache(FakeClock()), Cancelled())
    assert fetches == 2
    assert any(isinstance(each, Token) for each in results)


def test_a_fault_of_our_own_comes_out_as_it_is() -> None:
    """It is not hidden, and nobody is left waiting."""
    cache = TokenCache(FakeClock())
    with pytest.raises(ZeroDivisionError):
        cache.get(_key(), _raising(ZeroDivisionError()))
    assert cache.get(_key(), _token).until == 100


def _raising(error: Exception) -> type[Token]:
    def fetch() -> Token:
        raise error

    return fetch  # type: ignore[return-value]  # a function is as good as a class to call
