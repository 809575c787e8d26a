"""What an endpoint's options say of roles."""

from __future__ import annotations

from typing import Any

import pytest

from harborsync.credentials.roles import OF_ROLES, roles_of
from harborsync.errors import InvalidValue


def _roles(**options: str) -> tuple[dict[str, Any], ...]:
    return roles_of(options, dict)


def test_what_is_said_of_roles_is_said_of_the_last() -> None:
    """Those before are only a way to it."""
    assert _roles() == ()
    assert _roles(role_arn="a,,b", external_id="x", role_duration="1h", role_session="s") == (
        {"arn": "a"},
        {"arn": "b", "external_id": "x", "duration": 3600, "session_name": "s"},
    )


@pytest.mark.parametrize("option", sorted(OF_ROLES))
def test_how_without_which_is_a_mistake(option: str) -> None:
    """The role was forgotten."""
    with pytest.raises(InvalidValue, match="and not which"):
        _roles(**{option: "1h"})


def test_a_cloud_may_know_more_of_a_role() -> None:
    """Such as tags; what nobody knows here is about something else."""
    known = {"shout": ("name", str.upper)}
    assert roles_of({"role_arn": "a", "shout": "x", "create": "auto"}, dict, known) == (
        {"arn": "a", "name": "X"},
    )
