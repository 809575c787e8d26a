"""Questions and paths are put as Harbor reads them, or refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harborsync.errors import InvalidReference, InvalidValue
from harborsync.harbor.query import (
    AllOf,
    AnyOf,
    Between,
    Like,
    Q,
    encoded,
    project_of,
    projects,
    repositories_of,
    repository_path,
    with_query,
)
from harborsync.testing.harbor_query import parse_q

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("q", "text"),
    [
        (Q(tags="*"), "tags=*"),
        (Q(tags="1.0", labels=AllOf(3, 7)), "tags=1.0,labels=(3 7)"),
        (Q(tags=Like("rc")), "tags=~rc"),
        (Q(name=AnyOf("123", "app")), "name={'123' app}"),
        (Q(id=7), "id=7"),
        (Q(name="~odd"), r"name=\~odd"),
        (Q(name=r"\odd"), r"name=\\odd"),
        (Q(push_time=Between(start=NOON)), "push_time=[2026-01-02T12:00:00~]"),
        (
            Q(push_time=Between(end=NOON.astimezone(timezone(timedelta(hours=8))))),
            "push_time=[~2026-01-02T12:00:00]",
        ),
    ],
)
def test_conditions_are_written_in_the_servers_language(q: Q, text: str) -> None:
    """Exact, containing, ranges and lists each have their form; times are in UTC."""
    assert q.text == text


def test_what_the_server_unescapes_twice_is_escaped_twice() -> None:
    """A media type with a plus sign is found (vectors 05, q-media-type)."""
    q = Q(manifest_media_type="application/vnd.oci.image.index.v1+json")
    assert encoded({"q": q}) == (
        "q=manifest_media_type%3Dapplication/vnd.oci.image.index.v1%252Bjson"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Q(tags="a,b"),
        lambda: Q(tags=""),
        lambda: Q(tags=Like("")),
        lambda: str(Q(name=AnyOf("a b"))),
        lambda: str(Q(name=AnyOf("it's"))),
        lambda: str(Q(name=AnyOf())),
        lambda: Q(push_time=Between()),
        lambda: Q(**{"a=b": "c"}),
    ],
)
def test_what_cannot_be_expressed_is_refused(wrong: object) -> None:
    """The server would ignore it in silence and answer with everything."""
    assert callable(wrong)
    with pytest.raises(InvalidValue):
        wrong()


@given(st.text(st.characters(codec="utf-8", exclude_characters=","), min_size=1))
def test_any_value_arrives_as_it_was_meant(value: str) -> None:
    """After both unescapings the server has what was asked for."""
    arrived = unquote_plus(unquote_plus(encoded({"q": Q(name=value)}).removeprefix("q=")))
    exact = arrived.removeprefix("name=")
    assert exact.removeprefix("\\") == value  # the server takes one away, too


def test_the_embedded_harbor_reads_questions_as_they_are_meant() -> None:
    """Both sides speak one language."""
    found = parse_q(str(Q(tags=Like("rc"), digest=AnyOf("sha256:aa", "sha256:bb"))))
    assert found["tags"].value == "rc"
    assert found["digest"].value == ("sha256:aa", "sha256:bb")


def test_names_in_paths_are_encoded_twice() -> None:
    """A proxy that undoes one encoding leaves the other (HARBOR §4)."""
    assert repository_path("app/team/api") == "/projects/app/repositories/team%252Fapi"
    assert repositories_of("app", "a/b", "artifacts", "sha256:ab") == (
        "/projects/app/repositories/a%252Fb/artifacts/sha256:ab"
    )
    assert projects("app", "summary") == "/projects/app/summary"


def test_a_name_without_a_project_is_none_of_harbors() -> None:
    """It says how such a name is made."""
    assert project_of("app/web") == "app"
    with pytest.raises(InvalidReference, match="names no project") as caught:
        project_of("busybox")
    assert caught.value.hint == "a repository of Harbor is project/name"


def test_query_strings_leave_out_what_is_not_wanted() -> None:
    """None is left out, and truth is written as JSON has it."""
    assert with_query("/x", {"a": True, "b": None, "c": "1 2;3"}) == "/x?a=true&c=1%202%3B3"
    assert with_query("/x", {"b": None}) == "/x"
