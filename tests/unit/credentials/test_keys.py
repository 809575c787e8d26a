"""When keys are fetched anew, and who asks for whose."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from harborsync.credentials.keys import Finding, Keys, RenewingKeys, through_roles, token_of_pod
from harborsync.errors import CredentialsError, CredentialsExpired, NoCredentials
from harborsync.secrets import Secret
from harborsync.testing.clock import FakeClock

if TYPE_CHECKING:
    from pathlib import Path


def _keys(name: str) -> Keys:
    return Keys(key_id=name, secret=Secret("s"))


def test_keys_are_renewed_ahead_of_their_end() -> None:
    """Those that never end are fetched once."""
    clock = FakeClock()
    made: list[Keys] = []

    def fetch() -> Keys:
        ends = clock.now() + timedelta(hours=1)
        made.append(Keys(key_id=f"k{len(made)}", secret=Secret("s"), expires_at=ends))
        return made[-1]

    keys = RenewingKeys(fetch, clock)
    with ThreadPoolExecutor(4) as pool:
        assert {each.key_id for each in pool.map(lambda _: keys.get(), range(20))} == {"k0"}
    clock.advance(3600 - 301)
    assert keys.get().key_id == "k0"
    clock.advance(2)
    assert keys.get().key_id == "k1"


def test_keys_that_were_refused_are_fetched_anew_once() -> None:
    """Whoever was refused with older ones does not throw the new ones away."""
    names = iter("abc")
    keys = RenewingKeys(lambda: Keys(key_id=next(names), secret=Secret("s")), FakeClock())
    first = keys.get()
    keys.forget(first)
    assert keys.get().key_id == "b"
    keys.forget(first)
    assert keys.get().key_id == "b"


def test_a_call_whose_keys_have_ended_is_made_once_more_with_others() -> None:
    """If there are others; those that were fetched since stay."""
    names = iter("abc")
    keys = RenewingKeys(lambda: _keys(next(names)), FakeClock())
    used: list[str] = []

    def call(given: Keys) -> str:
        used.append(given.key_id)
        if given.key_id == "a":
            msg = "ended"
            raise CredentialsExpired(msg)
        return given.key_id

    assert keys.use(call) == "b"
    assert keys.use(call) == "b"
    assert used == ["a", "b", "b"]
    stubborn = RenewingKeys(lambda: _keys("a"), FakeClock())
    with pytest.raises(CredentialsExpired):
        stubborn.use(call)
    assert used == ["a", "b", "b", "a"]


def test_that_there_is_nobody_is_found_out_once() -> None:
    """Looking for a machine's role takes its time where there is none."""
    asked: list[str] = []

    def find() -> Keys:
        asked.append("")
        msg = "nobody"
        raise NoCredentials(msg, hint="be somebody")

    finding = Finding(find)
    for _ in range(2):
        with pytest.raises(NoCredentials, match="nobody") as caught:
            finding()
        assert caught.value.hint == "be somebody"
    assert len(asked) == 1


def test_each_role_is_assumed_by_the_one_before() -> None:
    """And nobody is asked before keys are wanted."""
    asked: list[str] = []

    def find() -> Keys:
        asked.append("find")
        return _keys("me")

    def assume(role: str, by: RenewingKeys) -> Keys:
        asked.append(role)
        return _keys(f"{by.get().key_id}/{role}")

    keys = through_roles(find, ("reader", "mirror"), assume, FakeClock())
    assert asked == []
    assert keys.get().key_id == "me/reader/mirror"
    assert asked == ["mirror", "reader", "find"]


def test_a_pod_that_has_no_token_is_told(tmp_path: Path) -> None:
    """By the path, and the variable that names it."""
    file = tmp_path / "token"
    file.write_text("eyJ\n")
    assert token_of_pod(file, "TOKEN_FILE") == "eyJ"
    with pytest.raises(CredentialsError, match="none") as caught:
        token_of_pod(tmp_path / "none", "TOKEN_FILE")
    assert "see TOKEN_FILE" in str(caught.value.hint)
