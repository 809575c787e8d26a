"""What ACR's API says, read with care: numbers as texts, digests without algorithm, pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE
from harborsync.errors import RegistryError
from harborsync.reference import Digest
from harborsync.registries.acr_api import (
    NO_SUMMARY,
    PAGE,
    AcrRepository,
    artifact_of,
    digest_of,
    numbered,
    says_it_is_there,
    time_of,
)

HEX = "0123456789abcdef" * 4
APP = AcrRepository(name="team/app", immutable=True)


def _image(**more: Any) -> dict[str, Any]:
    image = {"tag": "v1", "digest": HEX, "status": "NORMAL", "update": "1572875608000", "size": 7}
    return {**image, **more}


def test_an_image_becomes_an_artifact() -> None:
    """With everything that the listing tells."""
    artifact = artifact_of(APP, _image())
    assert artifact is not None
    assert str(artifact) == f"team/app:v1@sha256:{HEX}"
    assert artifact.pushed_at == datetime(2019, 11, 4, 13, 53, 28, tzinfo=UTC)
    assert (artifact.size, artifact.immutable, artifact.labels) == (7, True, UNAVAILABLE)


@pytest.mark.parametrize("written", [HEX, f"sha256:{HEX}"])
def test_a_digest_may_lack_its_algorithm(written: str) -> None:
    """As ACR's documents have it."""
    assert digest_of(written) == Digest.parse(f"sha256:{HEX}")


def test_what_is_no_digest_is_asked_for() -> None:
    """By a HEAD, as if nothing had been told."""
    for written in (None, "", "0123", "sha256:x"):
        assert digest_of(written) is NOT_FETCHED


def test_what_is_going_is_left_out_and_what_is_not_ready_is_told() -> None:
    """Neither can be pulled."""
    assert artifact_of(APP, _image(status="DELETING")) is None
    assert artifact_of(APP, _image(tag="no tag")) is None
    waiting = artifact_of(APP, _image(status="SCANNING"))
    assert waiting is not None
    assert "SCANNING" in waiting.unreadable
    plain = artifact_of(APP, {"tag": "v1", "digest": HEX})
    assert plain is not None
    assert (plain.pushed_at, plain.size, plain.unreadable) == (UNAVAILABLE, NOT_FETCHED, "")


@pytest.mark.parametrize("value", [None, "", "x", 0, -1, 1.5, "9" * 40])
def test_what_is_no_time_is_none(value: Any) -> None:
    """It must not break a listing."""
    assert time_of(value) is None


@pytest.mark.parametrize("total", ["250", 250, None, "many"])
def test_pages_end_where_the_list_does(total: Any) -> None:
    """Whether the total is a number, a text, or lacking."""
    rows = [{"n": number} for number in range(250)]
    asked: list[int] = []

    def page(number: int) -> tuple[list[dict[str, Any]], Any]:
        asked.append(number)
        return rows[(number - 1) * PAGE : number * PAGE], total

    assert list(numbered(page)) == rows
    assert asked == [1, 2, 3]


def test_a_list_that_goes_round_in_circles_is_told() -> None:
    """It would never end."""
    with pytest.raises(RegistryError, match="page 2 of a list is the same"):
        list(numbered(lambda number: ([{"n": 1}] * PAGE, 10_000)))


def test_a_total_that_is_too_large_ends_with_an_empty_page() -> None:
    """Somebody deletes while we read."""
    pages = [[{"n": 1}] * PAGE, []]
    assert len(list(numbered(lambda number: (pages[number - 1], 999)))) == PAGE


def test_a_summary_that_had_to_be_there_is_no_text() -> None:
    """ACR's own for what it made, neither."""
    assert AcrRepository(name="a/b", summary=NO_SUMMARY).text == ""
    assert AcrRepository(name="a/b", summary="Automatically created repository").text == ""
    assert AcrRepository(name="a/b", summary="Web").text == "Web"


def test_what_is_there_already_has_many_spellings() -> None:
    """And what is not there has the same word in it."""
    for code in ("REPO_ALREADY_EXIST", "NAMESPACE_EXISTS", "REPO_EXIST"):
        assert says_it_is_there(RegistryError("x", codes=(code,)))
    assert not says_it_is_there(RegistryError("x", codes=("NAMESPACE_NOT_EXIST",)))
