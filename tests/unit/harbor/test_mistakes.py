"""Mistakes are told where they are, what they are, and what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harborsync.errors import InvalidValue
from harborsync.harbor.mistakes import (
    Mistake,
    alternatives,
    cron_mistakes,
    glob_mistakes,
    name_mistakes,
    refuse,
    url_mistakes,
)


def test_all_faults_are_told_at_once() -> None:
    """Each remedy stands once, below them."""
    mistakes = [
        Mistake(where="name", what="it is empty", remedy="give it a name"),
        Mistake(where="speed", what="it is negative", remedy="write 0"),
        Mistake(where="other", what="it is empty", remedy="give it a name"),
    ]
    with pytest.raises(InvalidValue) as caught:
        refuse("make the policy ''", mistakes)
    assert caught.value.message == (
        "cannot make the policy '':"
        "\n  - name: it is empty"
        "\n  - speed: it is negative"
        "\n  - other: it is empty"
    )
    assert caught.value.hint == "give it a name; write 0"
    assert str(mistakes[1]) == "speed: it is negative; write 0"


def test_no_fault_is_no_error() -> None:
    """And nothing is raised."""
    refuse("make it", [])


@pytest.mark.parametrize(
    "cron",
    [
        "0 0 */6 * * *",
        "0 */1 * * * *",
        "0 0 3 * * MON-FRI",
        "0 5/15 * ? * *",
        "0 1,2,30-40/2 0 1 JAN,jun *",
        "0 59 23 31 12 6",
    ],
)
def test_times_that_harbor_takes_are_well(cron: str) -> None:
    """Numbers, ranges, steps, lists, names."""
    assert list(cron_mistakes(cron)) == []


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("0 */6 * * *", "six fields"),
        ("0 0 0 * * * 2030", "six fields"),
        (" 0 0 0 * * *", "six fields"),
        ("0  0 0 * * *", "six fields"),
        ("@daily", "six fields"),
        ("", "six fields"),
        ("00 0 0 * * *", "the seconds are '00'"),
        ("5 0 * * * *", "the seconds are '5'"),
        ("* 0 * * * *", "the seconds are '*'"),
        ("0 * * * * *", "the minutes are *"),
        ("0 60 * * * *", "'60' is no minute"),
        ("0 0 24 * * *", "'24' is no hour"),
        ("0 0 0 0 * *", "'0' is no day of month"),
        ("0 0 0 * 13 *", "'13' is no month"),
        ("0 0 0 * * 7", "'7' is no day of week"),
        ("0 0 0 * * FRI-MON", "'FRI-MON' is no day of week"),
        ("0 */0 0 * * *", "'*/0' is no minute"),
        ("0 0 0 L * *", "'L' is no day of month"),
        ("0 0, 0 * * *", "'0,' is no minute"),
    ],
)
def test_times_that_harbor_refuses_are_told(cron: str, said: str) -> None:
    """With the field and what it may hold."""
    mistakes = list(cron_mistakes(cron))
    assert any(said in mistake.what for mistake in mistakes), mistakes
    assert all(mistake.remedy for mistake in mistakes)


@given(st.text(max_size=40))
def test_any_text_is_judged_without_an_error(text: str) -> None:
    """Whatever a user writes, the answer is mistakes or none."""
    for found in (cron_mistakes(text), url_mistakes(text), name_mistakes(text, 10)):
        assert all(mistake.remedy for mistake in found)
    assert all(mistake.remedy for mistake in glob_mistakes(text, where="x"))


@pytest.mark.parametrize("pattern", ["app/[z", "{a,b", "a\\", ""])
def test_a_pattern_that_every_run_would_fail_with_is_told(pattern: str) -> None:
    """Harbor takes any."""
    assert len(list(glob_mistakes(pattern, where="filters[0]"))) == 1


def test_a_pattern_as_harbor_reads_them_is_well() -> None:
    """Stars, classes, alternatives."""
    assert not list(glob_mistakes("app/{web,api}/**/[a-z]?*", where="x"))
    assert not list(glob_mistakes("app/{web,api/v1,{a,b}/*}", where="x"))


@pytest.mark.parametrize("pattern", ["{a,b}" * 199, "{a,b}" * 9000, "{" * 1000, "a" * 1001])
def test_no_pattern_keeps_one_waiting(pattern: str) -> None:
    """However many alternatives it has: a hundred of them are looked at."""
    assert len(alternatives(pattern)) <= 100
    list(glob_mistakes(pattern, where="x"))


@pytest.mark.parametrize("url", ["https://far.example", "http://10.0.0.1:8080", "https://[::1]/"])
def test_an_address_of_http_is_well(url: str) -> None:
    """With a port or without."""
    assert not list(url_mistakes(url))


@pytest.mark.parametrize(
    "url",
    ["far.example", "127.0.0.1:5000", "ftp://far", "http://", "http://bad host/%zz", "http://[:",
     "http://a:port/", "", "ht!tp://x"],
)  # fmt: skip
def test_an_address_that_is_none_is_told(url: str) -> None:
    """Without a scheme Harbor would speak plain http."""
    (mistake,) = url_mistakes(url)
    assert mistake.remedy == "write it like https://registry.example"


def test_a_login_in_an_address_is_told() -> None:
    """Everybody who may list it would see it."""
    (mistake,) = url_mistakes("https://user:pw@far.example")
    assert "login" in mistake.what
    assert "pw" not in str(mistake)


@pytest.mark.parametrize(("name", "said"), [("", "empty"), ("  ", "empty"), ("n" * 65, "64")])
def test_a_name_that_harbor_cannot_keep_is_told(name: str, said: str) -> None:
    """Empty ones are taken at times, long ones are a blank 500."""
    (mistake,) = name_mistakes(name, 64)
    assert said in mistake.what
    assert not list(name_mistakes("n" * 64, 64))
