"""What stands in the answers of TCR's API: pages, times, tags, instances."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harborsync.artifact import NOT_FETCHED, UNAVAILABLE
from harborsync.errors import (
    CredentialsError,
    Denied,
    HarborsyncError,
    InvalidValue,
    NotFound,
    RegistryError,
)
from harborsync.provider import OpenContext
from harborsync.reference import Digest
from harborsync.registries.editions import Edition
from harborsync.registries.tcr_api import (
    PAGE,
    TcrApi,
    artifact_of,
    by_pages,
    by_rows,
    time_of,
)
from harborsync.registries.tcr_enterprise import EnterpriseEdition, _repository
from harborsync.registries.tcr_place import TcrPlace
from harborsync.retry import RetryPolicy
from harborsync.testing import FakeClock
from harborsync.testing.cloud_tencent import INSTANCE, LoopbackTcr

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def tcr() -> Iterator[LoopbackTcr]:
    """Return an empty instance."""
    with LoopbackTcr() as server:
        yield server


# --- pages ---------------------------------------------------------------------------------------


def _numbered(count: int, largest: int, total: Any) -> list[int]:
    asked = []

    def page(number: int) -> tuple[list[dict[str, Any]], Any]:
        asked.append(number)
        size = min(PAGE, largest)
        rows = [{"n": each} for each in range(count)]
        return rows[(number - 1) * size : number * size], total

    assert [row["n"] for row in by_pages(page)] == list(range(count))
    return asked


@given(count=st.integers(0, 450), largest=st.integers(1, 150))
def test_numbered_pages_are_read_to_the_end_whatever_their_size(count: int, largest: int) -> None:
    """None is left out, and none is asked for beyond the one that is short."""
    asked = _numbered(count, largest, count)
    size = min(PAGE, largest)
    assert asked == list(range(1, len(asked) + 1))
    assert len(asked) <= count // size + 1


@pytest.mark.parametrize("total", [None, 0, "many"])
def test_how_many_there_are_need_not_be_told(total: Any) -> None:
    """A short page is the last one."""
    assert _numbered(250, PAGE, total) == [1, 2, 3]


def test_a_total_that_lies_ends_nothing_early() -> None:
    """It changes while others push."""
    assert _numbered(250, PAGE, 120) == [1, 2, 3]


@given(count=st.integers(0, 350), is_told=st.booleans())
def test_rows_are_read_to_the_end(count: int, is_told: bool) -> None:
    """Where offsets count them."""
    rows = [{"n": each} for each in range(count)]
    total = count if is_told else None
    found = by_rows(lambda offset: (rows[offset : offset + PAGE], total))
    assert [row["n"] for row in found] == list(range(count))


@given(count=st.integers(0, 90), largest=st.integers(1, PAGE))
def test_pages_of_rows_that_are_shorter_than_was_asked_for_end_nothing_early(
    count: int, largest: int
) -> None:
    """The number of all tells that there are more."""
    rows = [{"n": each} for each in range(count)]
    found = by_rows(lambda offset: (rows[offset : offset + largest], count))
    assert [row["n"] for row in found] == list(range(count))


@pytest.mark.parametrize("entries", [PAGE, PAGE // 2])
def test_pages_without_an_end_are_told(entries: int) -> None:
    """Where an API passes over offsets."""
    page = [{"n": each} for each in range(entries)]
    with pytest.raises(RegistryError, match="the same as the one before"):
        list(by_pages(lambda number: (page, 1000)))
    full = [{"n": each} for each in range(PAGE)]
    with pytest.raises(RegistryError, match="the same as the one before"):
        list(by_rows(lambda offset: (full, None)))


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2022-08-02 03:52:06.915755 +0000 UTC", (3, 52, 6, 915755)),
        ("2022-08-02 11:52:06.915755123 +0800 CST", (3, 52, 6, 915755)),
        ("2022-08-02T03:52:06Z", (3, 52, 6, 0)),
        ("2022-08-02T03:52:06.5+00:00", (3, 52, 6, 500000)),
    ],
)
def test_times_are_read_as_go_prints_them(text: str, time: tuple[int, int, int, int]) -> None:
    """And as others do."""
    assert time_of(text) == datetime(2022, 8, 2, *time, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", [None, "", 7, "2022-08-02 03:52:06", "2022-13-02 03:52:06 +0000 UTC", "yesterday"]
)
def test_times_that_do_not_say_where_are_not_guessed(text: Any) -> None:
    """A filter must not decide by a wrong zone."""
    assert time_of(text) is None


def test_a_listed_tag_is_an_artifact() -> None:
    """What is not told is left open."""
    digest = Digest.of(b"x")
    found = artifact_of("team/app", "v1", digest=str(digest), size=5)
    assert found is not None
    assert (found.digest, found.size, found.pushed_at) == (digest, 5, UNAVAILABLE)
    bare = artifact_of("team/app", "v1", digest="f00", size=0)
    assert bare is not None
    assert (bare.digest, bare.size) == (NOT_FETCHED, NOT_FETCHED)
    assert artifact_of("team/app", "no tag") is None


def test_a_repository_is_named_in_full() -> None:
    """Whether its name comes with the namespace or without."""
    full = _repository({"Name": "team/app", "Namespace": "team", "BriefDescription": "b"})
    short = _repository({"Name": "app", "Namespace": "team", "Description": "d"})
    assert (full.name, full.text) == ("team/app", "b")
    assert (short.name, short.text) == ("team/app", "d")


def test_what_is_no_tag_is_left_out(tcr: LoopbackTcr) -> None:
    """Untagged images are listed with an empty one."""
    tcr.create_repository("team/app")
    api = _api(tcr)
    answers = iter([{"ImageInfoList": [{"ImageVersion": "", "Digest": "x"}]}])
    edition = EnterpriseEdition(_Scripted(answers))  # type: ignore[arg-type]
    assert list(edition.tags("team/app")) == []
    api.close()


class _Scripted:
    """An API that says what it is told."""

    def __init__(self, answers: Iterator[dict[str, Any]]) -> None:
        self._answers = answers

    def call_instance(self, what: str, action: str, **parameters: Any) -> dict[str, Any]:
        """Return the next answer."""
        return next(self._answers)


# --- which instance ------------------------------------------------------------------------------


def _api(tcr: LoopbackTcr, **place: Any) -> TcrApi:
    context = OpenContext(clock=FakeClock(tcr.clock.now()), retry=RetryPolicy(attempts=1))
    where = TcrPlace(host="registry.example", edition=Edition.ENTERPRISE)
    return TcrApi(attrs.evolve(where, **place), tcr.identity, tcr.endpoint, context)


def _look(api: TcrApi) -> dict[str, Any]:
    try:
        return api.call_instance("look", "DescribeNamespaces")
    finally:
        api.close()


@pytest.mark.parametrize("name", ["team"])
def test_an_instance_is_found_by_its_exact_name(tcr: LoopbackTcr, name: str) -> None:
    """In whatever region; another one is called almost so."""
    assert _look(_api(tcr, name=name))["TotalCount"] == 0
    assert [call.operation for call in tcr.calls] == ["DescribeInstances", "DescribeNamespaces"]


@pytest.mark.parametrize(
    "place", [{"name": "tea"}, {"instance": "tcr-none"}, {"host": "x.example"}]
)
def test_an_instance_that_is_not_seen_is_told(tcr: LoopbackTcr, place: dict[str, str]) -> None:
    """Which may be a matter of rights, so that others may find another way."""
    with pytest.raises(Denied, match="sees no instance") as caught:
        _look(_api(tcr, **place))
    assert "instance_id=" in str(caught.value.hint)


def test_an_instance_that_does_not_run_is_told() -> None:
    """Before its API says something less clear."""
    with LoopbackTcr(status="Deleting") as tcr:
        api = _api(tcr, name="team")
        with pytest.raises(RegistryError, match="is Deleting"):
            _look(api)


def test_the_instance_is_looked_for_once(tcr: LoopbackTcr) -> None:
    """Although each call needs it."""
    api = _api(tcr, name="team")
    for _ in range(3):
        api.call_instance("look", "DescribeNamespaces")
    api.close()
    assert [call.operation for call in tcr.calls].count("DescribeInstances") == 1


@pytest.mark.parametrize(
    ("place", "kind", "words"),
    [
        ({"instance": INSTANCE, "region": "ap-tokyo"}, InvalidValue, "is in ap-singapore"),
        ({"instance": "tcr-none", "region": "ap-singapore"}, Denied, "sees no instance"),
    ],
)
def test_a_wrong_instance_is_not_taken_for_a_missing_repository(
    tcr: LoopbackTcr, place: dict[str, str], kind: type[HarborsyncError], words: str
) -> None:
    """The API says "not found" of both."""
    with pytest.raises(kind, match=words):
        _look(_api(tcr, **place))


def test_a_missing_repository_is_one_where_the_instance_is_right(tcr: LoopbackTcr) -> None:
    """The instance is looked at once."""
    api = _api(tcr, instance=INSTANCE, region="ap-singapore")
    for _ in range(2):
        with pytest.raises(NotFound):
            api.call_instance(
                "delete", "DeleteImage", NamespaceName="a", RepositoryName="b", ImageVersion="c"
            )
    api.close()
    assert [call.operation for call in tcr.calls].count("DescribeInstances") == 1


# --- logins --------------------------------------------------------------------------------------


def test_a_login_ends_when_the_registry_says(tcr: LoopbackTcr) -> None:
    """In milliseconds; 0 is a long-term token's."""
    api = _api(tcr)
    assert api.login("u", "p", 1_900_000_000_000).expires_at == datetime(
        2030, 3, 17, 17, 46, 40, tzinfo=UTC
    )
    for end in (0, None, "soon", 10**30):
        assert api.login("u", "p", end).expires_at is None
    api.close()


def test_a_login_ends_with_the_session_that_bought_it(tcr: LoopbackTcr) -> None:
    """Whatever the registry says."""
    from harborsync.credentials.tencent import TencentIdentity
    from harborsync.credentials.tencent_keys import session_of

    said = {"TmpSecretId": "a", "TmpSecretKey": "b", "Token": "c"}
    keys = session_of(said, 1_800_000_000, "test")
    api = TcrApi(
        TcrPlace.of(tcr.endpoint),
        TencentIdentity(source=lambda: keys),
        tcr.endpoint,
        OpenContext(),
    )
    assert api.login("u", "p", 1_900_000_000_000).expires_at == keys.expires_at
    api.close()


@pytest.mark.parametrize(("user", "password"), [(None, "p"), ("u", None), ("u", "")])
def test_what_is_no_login_is_told(tcr: LoopbackTcr, user: Any, password: Any) -> None:
    """Something else may have answered."""
    api = _api(tcr)
    with pytest.raises(CredentialsError, match="is no login"):
        api.login(user, password, 0)
    api.close()
