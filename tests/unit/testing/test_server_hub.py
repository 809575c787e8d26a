"""What the handlers of the embedded registry share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harborsync.reference import Digest
from harborsync.testing.server_hub import digest_or_refuse, repository_name, tag_or_refuse
from harborsync.testing.server_wire import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable


def test_good_names_pass() -> None:
    """What is a name comes back as it was."""
    assert repository_name("team/app") == "team/app"
    assert tag_or_refuse("v1") == "v1"
    assert digest_or_refuse(str(Digest.of(b""))) == Digest.of(b"")


@pytest.mark.parametrize(
    ("check", "text", "code"),
    [
        (repository_name, "Team", b"NAME_INVALID"),
        (tag_or_refuse, ".v1", b"TAG_INVALID"),
        (digest_or_refuse, None, b"DIGEST_INVALID"),
        (digest_or_refuse, "sha256:short", b"DIGEST_INVALID"),
        (digest_or_refuse, f"blake3:{'0' * 64}", b"DIGEST_INVALID"),
    ],
)
def test_bad_names_are_refused(
    check: Callable[[str | None], object], text: str | None, code: bytes
) -> None:
    """Each with the code of the specification."""
    with pytest.raises(Refusal) as refused:
        check(text)
    assert (refused.value.response.status, code in refused.value.response.body) == (400, True)
