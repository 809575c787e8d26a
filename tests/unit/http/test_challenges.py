"""WWW-Authenticate in every shape."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harborsync.http.challenges import Challenge, choose, parse_challenges

_BEARER = 'Bearer realm="https://a.example/token",service="s",scope="repository:a/b:pull,push"'


def test_a_docker_challenge_is_read() -> None:
    """Commas inside quotes separate nothing."""
    (challenge,) = parse_challenges([_BEARER])
    assert challenge.scheme == "bearer"
    assert challenge.realm == "https://a.example/token"
    assert challenge.service == "s"
    assert challenge.scopes == ("repository:a/b:pull,push",)


@pytest.mark.parametrize(
    ("values", "schemes"),
    [
        ([f'Basic realm="x", {_BEARER}'], ["basic", "bearer"]),
        ([f'{_BEARER}, Basic realm="x"'], ["bearer", "basic"]),
        ([_BEARER, 'Basic realm="x"'], ["bearer", "basic"]),
        (["Negotiate, Basic realm=x"], ["negotiate", "basic"]),
        (["Negotiate YIIabc==, BASIC REALM=x"], ["negotiate", "basic"]),
        (["NTLM"], ["ntlm"]),
        ([""], []),
        (["  ,, "], []),
        (['="x"'], []),
    ],
)
def test_all_challenges_of_all_fields_are_found(values: list[str], schemes: list[str]) -> None:
    """Several schemes come in one line, or in several."""
    assert [each.scheme for each in parse_challenges(values)] == schemes


@pytest.mark.parametrize(
    ("value", "realm"),
    [
        (r'Basic realm="a \"quoted\" \\ name"', r'a "quoted" \ name'),
        ('Basic REALM = "x"', "x"),
        ("Basic realm=bare", "bare"),
        ('Basic realm="first", realm="second"', "first"),
        ('Basic realm=""', ""),
        ("Basic", ""),
    ],
)
def test_values_are_unquoted(value: str, realm: str) -> None:
    """Quoted, escaped and bare values mean the same; the first of a name counts."""
    (challenge,) = parse_challenges([value])
    assert challenge.realm == realm


@pytest.mark.parametrize(
    ("schemes", "chosen"),
    [
        (["negotiate", "basic", "bearer"], "bearer"),
        (["basic", "negotiate"], "basic"),
        (["negotiate"], None),
        ([], None),
    ],
)
def test_bearer_is_better_than_basic_and_others_are_not_spoken(
    schemes: list[str], chosen: str | None
) -> None:
    """What is chosen does not depend on the order."""
    found = choose(Challenge(scheme=scheme) for scheme in schemes)
    assert (found.scheme if found else None) == chosen


def test_the_first_of_two_equal_schemes_is_chosen() -> None:
    """Two Bearer challenges are no reason to take the later one."""
    first = Challenge(scheme="bearer", parameters={"realm": "1"})
    assert choose([first, Challenge(scheme="bearer", parameters={"realm": "2"})]) == first


@given(st.text())
def test_any_text_is_read_somehow(value: str) -> None:
    """A hostile header is no exception."""
    parse_challenges([value])
